"""`wallet-gui doctor` and `ssh-key` as a person runs them, against a real sshd and bitcoind."""

import asyncio
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import Node
from tests.functional.doctor_rows import NO_PORT, cookie_of
from tests.functional.p2p_wallet import run
from tests.functional.sshd import Sshd, make_key, running_sshd
from tests.sandbox.contact_guard import PYTHON_PATH

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 60
# Opens the terminal that is named first, which makes it the one of this new session.
ON_TERMINAL = (
    "import os, sys; os.open(sys.argv.pop(1), os.O_RDWR); "
    "from wallet_gui.__main__ import main; sys.exit(main(sys.argv[1:]))"
)


class Program:
    """The command line in a home of its own, with or without a terminal."""

    def __init__(self, tmp_path: Path) -> None:
        self.home = tmp_path / "home"
        self.home.mkdir()
        self.data = tmp_path / "data"
        self.environment = {**os.environ, "HOME": str(self.home), "PYTHONPATH": PYTHON_PATH}
        self.environment.pop("SSH_AUTH_SOCK", None)
        self.environment["TERM"] = "dumb"

    def arguments(self, *arguments: str) -> list[str]:
        return [*arguments, "--network", "regtest", "--data-dir", str(self.data)]

    async def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run without a terminal."""
        return await asyncio.to_thread(
            lambda: subprocess.run(
                [sys.executable, "-m", "wallet_gui", *self.arguments(*arguments)],
                cwd=REPOSITORY,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
                start_new_session=True,
            )
        )

    async def json(self, *arguments: str, status: int = 0) -> Any:
        done = await self.run(*arguments, "--json")
        assert done.returncode == status, (done.stdout, done.stderr)
        (line,) = done.stdout.splitlines()
        return json.loads(line)

    async def on_terminal(self, *arguments: str, answers: dict[str, str]) -> tuple[int, str]:
        """Run on a terminal and type each answer once its question is there."""
        return await asyncio.to_thread(self._on_terminal, self.arguments(*arguments), answers)

    def _on_terminal(self, arguments: list[str], answers: dict[str, str]) -> tuple[int, str]:
        master, slave = os.openpty()
        program = subprocess.Popen(
            [sys.executable, "-c", ON_TERMINAL, os.ttyname(slave), *arguments],
            cwd=REPOSITORY,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        seen, left = "", dict(answers)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if not select.select([master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(master, 4096)
            except OSError:  # the last one who had it open is gone
                break
            if not data:
                break
            seen += data.decode()
            for question in [question for question in left if question in seen]:
                os.write(master, (left.pop(question) + "\n").encode())
        status = program.wait(SECONDS)
        os.close(master)
        assert not left, seen
        return status, seen.replace("\r\n", "\n")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def ways(server: Sshd, node: Node) -> list[str]:
    return [
        server.target.text,
        "--rpc-port",
        str(node.rpc_port),
        "--p2p-port",
        str(node.p2p_port),
        "--cookie",
        str(cookie_of(node)),
    ]


def with_server(scenario: Callable[[Sshd], Awaitable[None]]) -> None:
    async def main() -> None:
        async with running_sshd() as server:
            await scenario(server)

    run(main)


def test_a_person_compares_the_fingerprint_once(
    program: Program, module_node: Node, tmp_path: Path
) -> None:
    report = tmp_path / "report.txt"

    async def scenario(server: Sshd) -> None:
        command = ["doctor", *ways(server, module_node), "--key", str(server.key_path)]
        status, seen = await program.on_terminal(*command, answers={"Type yes or no: ": "yes"})
        assert status == 0, seen
        assert server.fingerprint() in seen
        assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in seen
        ticks = re.findall(r"[\u2713!] +(\d+)  .* +\d+ ms", seen)
        assert [int(number) for number in ticks] == list(range(1, 14))
        # The machine was found before the question, the identity is known after it.
        first, last = (seen.index(mark) for mark in ("\u2713  1  Machine", "\u2713  3  Server's"))
        assert first < seen.index("Type yes") < last
        assert "Ready \u2013 fast & private mode." in seen
        # The second time nothing is asked, so that no terminal is needed.
        done = await program.run(*command, "--report", str(report))
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        text = report.read_text()
        for secret in (server.fingerprint(), server.user, str(server.key_path), str(tmp_path)):
            assert secret not in text
        assert "Satoshi:" in text
        assert "is there already" in (await program.run(*command, "--report", str(report))).stderr

    with_server(scenario)


def test_no_is_no(program: Program, module_node: Node) -> None:
    async def scenario(server: Sshd) -> None:
        command = ["doctor", *ways(server, module_node), "--key", str(server.key_path)]
        status, seen = await program.on_terminal(*command, answers={"Type yes or no: ": "no"})
        assert status == 1
        assert "has not been confirmed as your machine" in seen
        assert not (program.data / "ssh" / "known_hosts").exists()

    with_server(scenario)


def test_another_key_is_a_stop_until_it_is_forgotten(program: Program, module_node: Node) -> None:
    """What is wrong is said once, with the way out that there is without a window."""

    async def scenario(server: Sshd) -> None:
        command = ["doctor", *ways(server, module_node), "--key", str(server.key_path)]
        known = program.data / "ssh" / "known_hosts"
        known.parent.mkdir(parents=True)
        other = make_key(server.directory / "other").with_suffix(".pub").read_text().split()
        known.write_text(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}\n")
        stopped = await program.run(*command)
        assert stopped.returncode == 1
        assert (stopped.stdout + stopped.stderr).count("shows another key than before") == 1
        assert stopped.stderr == (
            "wallet-gui: Step 3 of 13 failed. To forget the old key: wallet-gui doctor "
            "--forget-server.\n"
        )
        command.append("--forget-server")
        status, seen = await program.on_terminal(*command, answers={"Type yes or no: ": "yes"})
        assert status == 0, seen
        assert server.fingerprint() in seen
        assert known.read_text().split()[2] != other[1]

    with_server(scenario)


def test_without_a_key_the_way_to_one_is_named(program: Program) -> None:
    async def scenario(server: Sshd) -> None:
        known = program.data / "ssh" / "known_hosts"
        known.parent.mkdir(parents=True)
        known.write_text(server.known_hosts_line + "\n")
        ended = await program.run("doctor", server.target.text)
        assert (
            ended.stderr == "wallet-gui: Step 4 of 13 failed. To make a key: wallet-gui ssh-key.\n"
        )

    with_server(scenario)


def test_without_a_terminal_it_says_so_and_ends(program: Program, module_node: Node) -> None:
    async def scenario(server: Sshd) -> None:
        command = ["doctor", *ways(server, module_node), "--key", str(server.key_path)]
        found = await program.json(*command, status=1)
        assert "run this in a terminal" in found["error"]
        assert found["ready"] is False
        assert found["steps"][2]["problem"]["code"] == "host key unknown"

    with_server(scenario)


def test_a_passphrase_is_asked_on_the_terminal(program: Program, module_node: Node) -> None:
    async def scenario(server: Sshd) -> None:
        key = make_key(server.directory / "locked", passphrase="correct horse")
        server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
        answers = {"Type yes or no: ": "yes", "assphrase": "correct horse"}
        command = ["doctor", *ways(server, module_node), "--key", str(key)]
        status, seen = await program.on_terminal(*command, answers=answers)
        assert status == 0, seen
        assert "horse" not in seen

    with_server(scenario)


def test_the_rpc_password_is_asked_and_not_an_argument(program: Program, module_node: Node) -> None:
    async def scenario() -> None:
        command = ["doctor", "local", "--rpc-port", str(module_node.rpc_port)]
        command += ["--p2p-port", str(NO_PORT), "--user", "satoshi"]
        status, seen = await program.on_terminal(
            *command, answers={"RPC password of satoshi: ": "correct horse"}
        )
        assert status == 1
        assert "refuses the RPC login of user" in seen
        assert "horse" not in seen
        found = await program.json(*command, status=1)
        assert "needs a password" in found["error"]

    run(scenario)


def test_a_key_of_its_own(program: Program, module_node: Node) -> None:
    async def scenario(server: Sshd) -> None:
        ports = ["--rpc-port", str(module_node.rpc_port), "--p2p-port", str(module_node.p2p_port)]
        assert "No key was made yet" in (await program.run("ssh-key", "--show")).stderr
        made = await program.json("ssh-key", *ports, "--cookie", str(cookie_of(module_node)))
        assert made["made"] is True
        mode = (await asyncio.to_thread(Path(made["key"]).stat)).st_mode
        assert mode & 0o777 == 0o600
        assert made["authorized_keys"].startswith("restrict,port-forwarding,permitopen=")
        again = await program.json("ssh-key", "--show")
        assert (again["made"], again["fingerprint"]) == (False, made["fingerprint"])
        server.authorized_keys.write_text(made["authorized_keys"] + "\n")
        (program.data / "ssh" / "known_hosts").write_text(server.known_hosts_line + "\n")
        found = await program.json("doctor", *ways(server, module_node), "--own-key")
        assert found["ready"] is True

    with_server(scenario)


def test_a_node_on_this_computer(program: Program, module_node: Node) -> None:
    async def scenario() -> None:
        address = f"local:{module_node.rpc_port}"
        found = await program.json("doctor", address, "--cookie", str(cookie_of(module_node)))
        assert found["ready"] is True
        assert [step["status"] for step in found["steps"][1:5]] == ["skipped"] * 4
        closed = await program.run("doctor", "local")
        assert closed.returncode == 1
        assert "server=1" in closed.stdout
        assert closed.stderr.count("\n") == 1

    run(scenario)
