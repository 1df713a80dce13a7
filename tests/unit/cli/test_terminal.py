"""Questions on a real (pseudo) terminal, in a process of its own."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="terminals of Unix")

PROGRAM = """
import asyncio, os, sys
if sys.argv[1] != "none":
    os.open(sys.argv[1], os.O_RDWR)  # the terminal of this new session
from wallet_gui.chain.bitcoind.tunnel import HostKeyQuestion, SecretKind, SecretQuestion
from wallet_gui.cli.terminal import Terminal

async def main():
    terminal = Terminal()
    terminal.before_question = lambda: print("made room", flush=True)
    question = HostKeyQuestion(
        "mynode.local\\x1b[2J", 22, "ssh-ed25519", "SHA256:" + "A" * 43, "ssh-keygen -lf KEY.pub"
    )
    match sys.argv[2]:
        case "trust":
            answer = await terminal.trust_host_key(question)
        case "passphrase":
            answer = await terminal.secret(SecretQuestion(SecretKind.PASSPHRASE, "", False, True))
        case "code":
            answer = await terminal.secret(
                SecretQuestion(SecretKind.CHALLENGE, "Code \\x1b[31m from the app: ", True)
            )
        case "rpc":
            answer = await terminal.rpc_password("wallet")
    print("answer", repr(answer), repr(terminal.unasked), flush=True)

asyncio.run(main())
"""


class Session:
    """The program, on a terminal of its own."""

    def __init__(self, question: str, *, has_terminal: bool = True) -> None:
        self.master, self.slave = os.openpty()
        self.program = subprocess.Popen(
            [
                sys.executable,
                "-c",
                PROGRAM,
                os.ttyname(self.slave) if has_terminal else "none",
                question,
            ],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.seen = ""

    def until(self, text: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 4096).decode()

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def echoes(self) -> bool:
        import termios  # noqa: PLC0415 - Unix only

        return bool(termios.tcgetattr(self.master)[3] & termios.ECHO)

    def end(self) -> str:
        out, err = self.program.communicate(timeout=PATIENCE)
        os.close(self.master)
        os.close(self.slave)
        assert "Traceback" not in err or "KeyboardInterrupt" in err
        return out


def test_a_server_is_trusted_after_a_whole_yes_only() -> None:
    session = Session("trust")
    session.until("Type yes or no: ")
    assert "SHA256:AAAA" in session.seen
    assert "ssh-keygen -lf KEY.pub" in session.seen
    assert "\x1b" not in session.seen
    session.type("y\n")
    session.until("whole word")
    session.type("yes\n")
    assert session.end() == "made room\nmade room\nanswer True ''\n"


@pytest.mark.parametrize("answer", ["no\n", "\n", "\x04", "perhaps\nnever\nnot today\n"])
def test_everything_else_is_no(answer: str) -> None:
    session = Session("trust")
    session.until("Type yes or no: ")
    session.type(answer)
    assert session.end().endswith("answer False ''\n")


def test_a_passphrase_is_not_echoed() -> None:
    session = Session("passphrase")
    session.until("The passphrase of the key: ")
    assert "That was not right." in session.seen
    assert not session.echoes()
    session.type("correct horse\n")
    assert session.end().endswith("answer 'correct horse' ''\n")
    assert "horse" not in session.seen


def test_a_code_is_echoed_where_the_server_says_so() -> None:
    session = Session("code")
    session.until("app: ")
    assert "\x1b" not in session.seen
    session.type("123456\n")
    session.until("123456")
    assert session.end().endswith("answer '123456' ''\n")


@pytest.mark.alone
def test_breaking_off_restores_the_terminal_and_ends_at_once() -> None:
    session = Session("rpc")
    session.until("RPC password of wallet: ")
    assert not session.echoes()
    began = time.monotonic()
    session.program.send_signal(signal.SIGINT)
    session.program.wait(20)
    assert time.monotonic() - began < 5
    assert session.echoes()
    session.end()


def test_without_a_terminal_nothing_is_asked_and_nothing_waited_for() -> None:
    session = Session("passphrase", has_terminal=False)
    assert session.end() == "answer None 'the passphrase of the key'\n"
    assert Session("trust", has_terminal=False).end() == (
        'answer False "whether the server\'s key is the right one"\n'
    )
