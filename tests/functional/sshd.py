"""A real OpenSSH server for tests: own configuration, own host keys, a free port of the loopback.

The one who runs the tests logs in; the server is ended by its process id. Nothing of the machine's
own SSH is read or changed. `MemoryStore` and `Answers` are what `connect` needs beside it.
"""

import asyncio
import base64
import contextlib
import getpass
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.functional import sshd_parts
from tests.functional.sshd_parts import Account
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel import (
    HostKeyQuestion,
    SecretQuestion,
    SshOptions,
    SshSecrets,
    Tunnel,
    connect,
)

START_SECONDS = PATIENCE
HOST_KEY_TYPES = ("ed25519", "ecdsa", "rsa")
_WITH_PAM = {"UsePAM": "yes", "KbdInteractiveAuthentication": "yes"}
_SEPARATION_FOLDER = "/run/sshd"  # where Debian's sshd locks its unprivileged half in


class SshdFailed(Exception):
    """The server ended, or did not come up in time; the text ends with its log."""


def need(*programs: str) -> None:
    """Skip the test with a reason where one of these programs is not there."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not here (Debian: openssh-client)")


@dataclass
class MemoryStore:
    """An `SshStore` that keeps all in memory, and says what was stored."""

    lines: list[str] = field(default_factory=list)
    private: bytes | None = None
    public: bytes | None = None
    key_path: Path = Path("ssh/id_ed25519")
    known_hosts_path: Path = Path("ssh/known_hosts")

    def known_hosts(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()

    def trust(self, line: str) -> None:
        self.lines.append(line)

    def forget(self, host: str, port: int) -> bool:
        name = host if port == 22 else f"[{host}]:{port}"
        kept = [line for line in self.lines if line.split(" ", 1)[0] != name]
        had, self.lines = len(kept) != len(self.lines), kept
        return had

    def key(self) -> bytes | None:
        return self.private

    def save_key(self, private: bytes, public: bytes) -> None:
        self.private, self.public = private, public

    def read_local(self, path: Path, limit: int) -> bytes:
        with path.open("rb") as file:
            return file.read(limit + 1)


@dataclass
class Answers:
    """An `Asker` with answers in store; `asked` tells what was wanted, in order."""

    trusts: bool = True
    secrets: list[str | None] = field(default_factory=list)
    asked: list[HostKeyQuestion | SecretQuestion] = field(default_factory=list)
    delay: float = 0.0  # seconds that the person thinks

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        self.asked.append(question)
        await asyncio.sleep(self.delay)
        return self.trusts

    async def secret(self, question: SecretQuestion) -> str | None:
        self.asked.append(question)
        await asyncio.sleep(self.delay)
        return self.secrets.pop(0) if self.secrets else None


@dataclass
class Sshd:
    """A running server."""

    directory: Path
    port: int
    user: str
    process: asyncio.subprocess.Process
    host: str = "127.0.0.1"

    @property
    def target(self) -> SshTarget:
        return SshTarget(self.host, self.port, self.user)

    @property
    def key_path(self) -> Path:
        """A private key without passphrase that the server accepts (unless told otherwise)."""
        return self.directory / "client_ed25519"

    @property
    def public_line(self) -> str:
        return self.key_path.with_suffix(".pub").read_text().strip()

    @property
    def authorized_keys(self) -> Path:
        return self.directory / "authorized_keys"

    @property
    def options(self) -> SshOptions:
        """Log in with that key; no agent and nothing of the user's own configuration."""
        return SshOptions(key_path=str(self.key_path), use_agent=False, use_user_config=False)

    def host_key_line(self, key_type: str) -> str:
        """A line for known_hosts; `key_type` is one of `HOST_KEY_TYPES`."""
        public = (self.directory / f"host_{key_type}.pub").read_text().split()
        name = self.host if self.port == 22 else f"[{self.host}]:{self.port}"
        return f"{name} {public[0]} {public[1]}"

    @property
    def known_hosts_line(self) -> str:
        return self.host_key_line("ed25519")

    def fingerprint(self, key_type: str = "ed25519") -> str:
        blob = (self.directory / f"host_{key_type}.pub").read_text().split()[1]
        digest = hashlib.sha256(base64.b64decode(blob)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def store(self) -> MemoryStore:
        """A store that knows this server already."""
        return MemoryStore([self.known_hosts_line])

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def sessions(self) -> list[int]:
        """Process ids of the server's descendants: one or two for each connection."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    stat = (entry / "stat").read_text()
                    parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
        found: list[int] = []
        wanted = {self.process.pid}
        while wanted:
            children = [pid for pid, parent in parents.items() if parent in wanted]
            found += children
            wanted = set(children)
        return found

    def kill_sessions(self) -> None:
        """End every connection as a power cut would; the server itself goes on."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def freeze_sessions(self) -> None:
        """Hold every connection still: it stays open and says nothing more."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

    async def stop(self) -> None:
        """End the server and every connection. Idempotent."""
        if self.process.returncode is None:
            sessions = self.sessions()
            self.process.kill()
            await self.process.wait()
            for pid in sessions:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def keygen(*arguments: str | Path) -> str:
    """Run the system's ssh-keygen; gives what it prints."""
    done = subprocess.run(
        ["ssh-keygen", *arguments],
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout


def make_key(path: Path, key_type: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key pair."""
    size = ["-b", "2048"] if key_type == "rsa" else []
    keygen("-q", "-t", key_type, *size, "-N", passphrase, "-C", "test", "-f", path)
    return path


async def eventually(condition: Callable[[], object], seconds: float = PATIENCE) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes tell nobody
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running_sshd(
    *,
    users_key: str | None = None,
    host_keys: Sequence[str] = ("ed25519",),
    account: Account | None = None,
    port: int = 0,
    **config_lines: str | int | Sequence[str],
) -> AsyncIterator[Sshd]:
    """Run a server with these lines in its configuration (`AllowTcpForwarding="no"`).

    `users_key` is what authorized_keys says; by default the public half of `Sshd.key_path`. With an
    `account`, that one logs in, by its key or through PAM. Skips the test with a reason where no
    sshd can be had.
    """
    program = sshd_parts.program()
    need("ssh-keygen")
    if os.geteuid() == 0:
        os.makedirs(_SEPARATION_FOLDER, mode=0o755, exist_ok=True)  # noqa: PTH103
    async with contextlib.AsyncExitStack() as stack:
        if account is not None:
            await stack.enter_async_context(sshd_parts.pam_for_one())
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sshd-")))
        for key_type in host_keys:
            make_key(directory / f"host_{key_type}", key_type)
        make_key(directory / "client_ed25519")
        public = (directory / "client_ed25519.pub").read_text()
        (directory / "authorized_keys").write_text(public if users_key is None else users_key)
        user = getpass.getuser()
        if account is not None:
            user = account.name
            config_lines = {**_WITH_PAM, **config_lines}
        environment = sshd_parts.environment(directory, account)
        server = await _start(program, directory, host_keys, environment, user, port, config_lines)
        try:
            yield server
        finally:
            await server.stop()


async def start_again(server: Sshd, host_keys: Sequence[str] = ("ed25519",)) -> Sshd:
    """Run a server that was stopped again, on its port and with its keys."""
    environment = sshd_parts.environment(server.directory, None)
    return await _start(
        sshd_parts.program(),
        server.directory,
        host_keys,
        environment,
        server.user,
        server.port,
        {},
    )


async def _start(
    program: Path,
    directory: Path,
    host_keys: Sequence[str],
    environment: Mapping[str, str],
    user: str,
    port: int,
    config_lines: Mapping[str, str | int | Sequence[str]],
) -> Sshd:
    fixed = port
    for _ in range(5):
        port = fixed or _free_port()
        lines = [f"Port {port}", "ListenAddress 127.0.0.1"]
        # The first line of a name counts, so those of the test come first.
        for key, value in config_lines.items():
            values = [value] if isinstance(value, str | int) else value
            lines += [f"{key} {each}" for each in values]
        lines += [f"HostKey {directory}/host_{key_type}" for key_type in host_keys]
        lines += [
            f"AuthorizedKeysFile {directory}/authorized_keys",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin yes",
            "PrintMotd no",
            "PrintLastLog no",
            # Whoever's bashrc: bash reads it for commands of sshd unless it is nested in another.
            "SetEnv SHLVL=1",
            "LogLevel DEBUG1",
            # Bash would read the .bashrc of whoever runs the tests, and be killed in the middle.
            "SetEnv SHLVL=2",
        ]
        if "Subsystem" not in config_lines:  # a second one is an error
            lines.append("Subsystem sftp internal-sftp")
        config = directory / "sshd_config"
        config.write_text("\n".join(lines) + "\n")
        with (directory / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *(program, "-D", "-e", "-f", config),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
            )
        server = Sshd(directory, port, user, process)
        if await _is_up(server):
            return server
        await server.stop()
        if "Address already in use" not in server.log:
            raise SshdFailed(f"sshd did not start\n{server.log}")
    raise SshdFailed("no free port")


async def _is_up(server: Sshd) -> bool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_SECONDS
    while loop.time() < deadline and server.process.returncode is None:
        if "Server listening on" in server.log:
            return True
        await asyncio.sleep(0.01)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def tunnel_to(
    server: Sshd,
    options: SshOptions | None = None,
    answers: Answers | None = None,
    store: MemoryStore | None = None,
    secrets: SshSecrets | None = None,
    target: SshTarget | None = None,
) -> AsyncIterator[Tunnel]:
    tunnel = await connect(
        target or server.target,
        options or server.options,
        answers or Answers(),
        store or server.store(),
        secrets=secrets,
    )
    try:
        yield tunnel
    finally:
        await tunnel.close()


async def problem_of(server: Sshd, *arguments: object, **more: object) -> NodeProblem:
    with pytest.raises(NodeProblem) as caught:
        async with tunnel_to(server, *arguments, **more):  # type: ignore[arg-type]
            pass
    return caught.value
