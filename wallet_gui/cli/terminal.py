"""Questions to the person on the terminal itself, wherever standard input and output go.

Nothing that is typed here is echoed unless the question says so, and nothing is ever read from
standard input: where there is no terminal, the answer is "no", and `unasked` says what was wanted.
"""

import contextlib
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind.tunnel import HostKeyQuestion, SecretKind, SecretQuestion
from wallet_gui.chain.event_loop import in_own_thread
from wallet_gui.primitives.plain_text import plain_text

_TERMINAL: Final = Path("/dev/tty")
_PROMPT_LIMIT = 200
_TRIES = 3


class Terminal:
    """An `Asker` for the command line."""

    def __init__(self) -> None:
        self.unasked = ""
        self.is_asking = False
        self.before_question: Callable[[], None] = lambda: None
        """Called before something is asked, so that a line of progress makes room."""

    async def trust_host_key(self, question: HostKeyQuestion) -> bool:
        """Show the fingerprint and how to compare it; only a full "yes" is a yes."""
        text = (
            f"This computer has not met {plain_text(question.host, 253)}, port {question.port}, "
            f"before. It shows this {plain_text(question.key_type, 60)} key:\n"
            f"    {plain_text(question.fingerprint, 100)}\n"
            "To be sure that it is yours, type this at the server itself and compare:\n"
            f"    {plain_text(question.compare_command, 300)}\n"
            "Is it the same? Type yes or no: "
        )
        for _ in range(_TRIES):
            answer = await self._ask(text, "whether the server's key is the right one", echo=True)
            if answer is None or answer.strip().lower() in {"no", "n", ""}:
                return False
            if answer.strip().lower() == "yes":
                return True
            text = "Type the whole word yes, or no: "
        return False

    async def secret(self, question: SecretQuestion) -> str | None:
        """Ask for a passphrase, a password or a code."""
        wanted = {
            SecretKind.PASSPHRASE: "the passphrase of the key",
            SecretKind.PASSWORD: "the password of the server",
            SecretKind.CHALLENGE: "what the server asks for",
        }[question.kind]
        again = "That was not right. " if question.is_retry else ""
        prompt = plain_text(question.prompt, _PROMPT_LIMIT) or wanted.capitalize()
        return await self._ask(f"{again}{prompt.rstrip(': ')}: ", wanted, echo=question.echo)

    async def rpc_password(self, user: str) -> str | None:
        """Ask for the password that goes with --user."""
        prompt = f"RPC password of {plain_text(user, 60)}: "
        return await self._ask(prompt, "the RPC password", echo=False)

    async def _ask(self, prompt: str, wanted: str, *, echo: bool) -> str | None:
        if not _has_terminal():
            self.unasked = wanted
            return None
        self.before_question()
        self.is_asking = True
        try:
            with _echo_restored():
                return await in_own_thread(lambda: _read(prompt, echo=echo), "terminal")
        finally:
            self.is_asking = False

    def with_unasked(self, failure: str) -> str:
        """Add to a failure what could not be asked, which may be its reason."""
        if not self.unasked:
            return failure
        return (
            f"{failure} (There is no terminal to ask for {self.unasked}: run this in a terminal.)"
        )


def _has_terminal() -> bool:
    if os.name == "nt":
        return sys.stdin is not None and sys.stdin.isatty()
    try:
        os.close(os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _read(prompt: str, *, echo: bool) -> str | None:
    """Block until a line was typed; None at the end of the terminal."""
    try:
        if not echo:
            return getpass.getpass(prompt)
        if os.name == "nt":
            return input(prompt)
        # One object for both directions cannot be had of a terminal, which does not seek.
        with (
            _TERMINAL.open("w", encoding="utf-8") as out,
            _TERMINAL.open(encoding="utf-8", errors="replace") as lines,
        ):
            out.write(prompt)
            out.flush()
            line = lines.readline()
            return line.rstrip("\r\n") if line else None
    except (OSError, EOFError):
        return None


@contextlib.contextmanager
def _echo_restored() -> Iterator[None]:
    """Leave the terminal as it was, also when a question is broken off by Ctrl-C."""
    if os.name == "nt":
        yield
        return
    import termios  # noqa: PLC0415 - Unix only

    try:
        terminal = os.open(_TERMINAL, os.O_RDWR | os.O_NOCTTY)
    except OSError:
        yield
        return
    try:
        before = termios.tcgetattr(terminal)
        try:
            yield
        finally:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(terminal, termios.TCSANOW, before)
    finally:
        os.close(terminal)
