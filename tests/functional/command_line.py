"""Starts the command line as a person does: a process of its own, with a vault of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.functional.bitcoind import Node
from tests.patience import PATIENCE
from tests.sandbox.contact_guard import PYTHON_PATH

REPOSITORY = Path(__file__).resolve().parents[2]
PASSWORD = "a long enough password for a test"
CHEAP = REPOSITORY / "tests" / "functional" / "command_line_with_cheap_kdf.py"


class CommandLine:
    """`wallet-gui` for one data directory, one network (regtest) and one peer."""

    def __init__(self, root: Path, node: Node | None, *, cheap: bool = True) -> None:
        self.root = root
        self.node = node
        self.program: list[str] = (
            [sys.executable, str(CHEAP)] if cheap else [sys.executable, "-m", "wallet_gui"]
        )
        self.password_file = root.parent / "password"
        self.password_file.touch(mode=0o600)
        self.password_file.write_text(PASSWORD + "\n")

    def arguments(self, command: str, *arguments: str, password: bool = True) -> list[str]:
        common = ["--network", "regtest", "--data-dir", str(self.root)]
        if self.node is not None:
            common += ["--peer", f"{self.node.host}:{self.node.p2p_port}"]
        if password:
            common += ["--password-file", str(self.password_file)]
        return [*self.program, command, *common, *arguments]

    def start(
        self, command: str, *arguments: str, password: bool = True
    ) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.arguments(command, *arguments, password=password),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env={**os.environ, "PYTHONPATH": PYTHON_PATH},
        )

    def run(
        self, command: str, *arguments: str, stdin: str = "", password: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        process = self.start(command, *arguments, password=password)
        output, errors = process.communicate(stdin, timeout=PATIENCE)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    def json(
        self, command: str, *arguments: str, stdin: str = "", status: int = 0, password: bool = True
    ) -> Any:
        """Run with --json: exactly one document comes out, whatever happened."""
        done = self.run(command, "--json", *arguments, stdin=stdin, password=password)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        (line,) = done.stdout.splitlines()
        return json.loads(line)


def as_json(done: "subprocess.Popen[str]", seconds: float = PATIENCE) -> Any:
    """Wait for a started command and read its document."""
    output, errors = done.communicate(timeout=seconds)
    assert done.returncode == 0, (done.returncode, output, errors)
    return json.loads(output)


def lines(texts: Sequence[str]) -> str:
    return "".join(f"{text}\n" for text in texts)
