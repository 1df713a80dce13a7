"""Where a vault without a window gets secrets from and shows new words: terminal, stdin, files.

Secrets typed at a prompt come from the terminal itself (/dev/tty), with echo off, never from
standard input; nothing secret is ever written to standard output or standard error.
"""

import contextlib
import os
import stat
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol, TextIO

from wallet_gui.storage.fs import OS_FILES, FileSystem
from wallet_gui.transfer.messages import PROMPT, STDIN
from wallet_gui.vault.errors import BadRequest, PersonCancelled, SecretSourceFailed

MAX_SECRET: Final = 64 * 1024
_OTHERS_MAY_READ: Final = stat.S_IRGRP | stat.S_IROTH
_ALTERNATE_SCREEN: Final = ("\x1b[?1049h\x1b[H", "\x1b[?1049l")


class Terminal(Protocol):
    """The terminal that the person sits at; every method raises SecretSourceFailed without one."""

    def write(self, text: str) -> None: ...

    def ask(self, prompt: str) -> str:
        """Read a line that is shown as it is typed; PersonCancelled at the end of input."""

    def ask_hidden(self, prompt: str) -> str:
        """Read a line without echo; PersonCancelled at the end of input."""

    def screen(self) -> contextlib.AbstractContextManager[None]:
        """Show on a screen that is gone afterwards, scrolling back included, where possible."""


class PosixTerminal:
    """/dev/tty, opened anew for each use, so that it may be missing until it is needed."""

    def __init__(self, device: str = "/dev/tty") -> None:
        self._device = device

    def write(self, text: str) -> None:
        handle = self._open()
        try:
            _write_all(handle, text.encode(errors="replace"))
        finally:
            os.close(handle)

    def ask(self, prompt: str) -> str:
        handle = self._open()
        try:
            _write_all(handle, prompt.encode(errors="replace"))
            return _read_line(handle)
        finally:
            os.close(handle)

    def ask_hidden(self, prompt: str) -> str:
        import termios  # noqa: PLC0415 - exists on POSIX only

        handle = self._open()
        try:
            before = termios.tcgetattr(handle)
            silent = list(before)
            silent[3] = before[3] & ~termios.ECHO | termios.ICANON
            # Flushing drops what was typed ahead, while it was still shown.
            termios.tcsetattr(handle, termios.TCSAFLUSH, silent)
            try:
                _write_all(handle, prompt.encode(errors="replace"))
                return _read_line(handle)
            finally:
                termios.tcsetattr(handle, termios.TCSAFLUSH, before)
                _write_all(handle, b"\n")
        except termios.error:
            raise _no_terminal() from None
        finally:
            os.close(handle)

    @contextlib.contextmanager
    def screen(self) -> Iterator[None]:
        enter, leave = _ALTERNATE_SCREEN
        if os.environ.get("TERM", "dumb") == "dumb":
            enter = leave = ""
        self.write(enter)
        try:
            yield
        finally:
            self.write(leave)

    def _open(self) -> int:
        try:
            return os.open(self._device, os.O_RDWR | os.O_NOCTTY)
        except OSError:
            raise _no_terminal() from None


class WindowsTerminal:
    """The console, key by key through msvcrt."""

    def write(self, text: str) -> None:
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        for character in text.replace("\n", "\r\n"):
            msvcrt.putwch(character)  # type: ignore[attr-defined,unused-ignore]

    def ask(self, prompt: str) -> str:
        return self._read(prompt, is_shown=True)

    def ask_hidden(self, prompt: str) -> str:
        return self._read(prompt, is_shown=False)

    @contextlib.contextmanager
    def screen(self) -> Iterator[None]:
        enter, leave = _ALTERNATE_SCREEN
        self.write(enter)
        try:
            yield
        finally:
            self.write(leave)

    def _read(self, prompt: str, *, is_shown: bool) -> str:
        import msvcrt  # noqa: PLC0415 - exists on Windows only

        self.write(prompt)
        typed: list[str] = []
        while (key := msvcrt.getwch()) not in "\r\n":  # type: ignore[attr-defined,unused-ignore]
            if key in "\x03\x1a":  # Ctrl-C, Ctrl-Z
                raise PersonCancelled
            if key == "\b":
                if typed:
                    typed.pop()
                    self.write("\b \b" if is_shown else "")
                continue
            typed.append(key)
            self.write(key if is_shown else "")
        self.write("\n")
        return "".join(typed)


def system_terminal() -> Terminal:
    """Return the terminal of this system."""
    return WindowsTerminal() if sys.platform == "win32" else PosixTerminal()


class SecretReader:
    """Reads each secret from the source that the request names for it.

    Lines of standard input are taken in the order in which the secrets are asked for. When a later
    request asks for an existing secret again, it is the same line: nobody can send it twice.
    """

    def __init__(
        self,
        terminal: Terminal,
        stdin: BinaryIO,
        notes: TextIO,
        files: FileSystem = OS_FILES,
    ) -> None:
        self.terminal = terminal
        self._stdin = stdin
        self._notes = notes
        self._files = files
        self._lines: dict[str, str] = {}

    def note(self, text: str) -> None:
        """Tell something that is not secret, on standard error."""
        self._notes.write(text + "\n")
        self._notes.flush()

    def existing(self, source: str, what: str) -> str:
        """Read a secret that exists already; `what` names it, as "Password"."""
        if source == PROMPT:
            return self.terminal.ask_hidden(f"{what}: ")
        if source != STDIN:
            return self._line(source, what)
        if what not in self._lines:
            self._lines[what] = self._line(source, what)
        return self._lines[what]

    def new(self, source: str, what: str) -> str:
        """Read a new secret; at a prompt it is typed twice, until both are the same."""
        if source != PROMPT:
            return self._line(source, what)
        while True:
            first = self.terminal.ask_hidden(f"{what}: ")
            if first == self.terminal.ask_hidden(f"{what} once more: "):
                return first
            self.terminal.write("The two differ. Type it again.\n")

    def words(self, source: str) -> str:
        """Read the words of a wallet to be restored; from a file, all of its lines."""
        if source == PROMPT:
            return self.terminal.ask_hidden("The words, with blanks between (not shown): ")
        if source == STDIN:
            return self._line(source, "The words")
        return " ".join(self._file(source, "The words").split())

    def text(self, source: str, what: str) -> str:
        """Read a secret that may have several lines in a file."""
        if source in (PROMPT, STDIN):
            return self.existing(source, what)
        return self._file(source, what)

    def write_words(self, target: str, words: str) -> None:
        """Write new words to a file that must not exist, readable by its owner only."""
        try:
            text = unicodedata.normalize("NFC", words)
            self._files.write_new(Path(target), text.encode() + b"\n")
        except FileExistsError:
            raise SecretSourceFailed(
                "The file for the words exists already. Name one that does not."
            ) from None
        except OSError as error:
            raise SecretSourceFailed(
                f"The words could not be written: {os.strerror(error.errno or 0)}. "
                "Name another file."
            ) from None

    def remove_words(self, target: str) -> None:
        """Take back the file that write_words made, since its wallet was not created."""
        with contextlib.suppress(OSError):
            self._files.remove(Path(target))

    def _line(self, source: str, what: str) -> str:
        if source != STDIN:
            return self._file(source, what).split("\n", 1)[0].removesuffix("\r")
        line = self._stdin.readline(MAX_SECRET + 1)
        if not line:
            raise SecretSourceFailed(
                f"{what} was expected as a line of standard input, which has ended."
            )
        return _text(line, what).removesuffix("\n").removesuffix("\r")

    def _file(self, path: str, what: str) -> str:
        # A pipe such as /dev/fd/3 is welcome here, and a link that the person made.
        try:
            with Path(path).open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read(MAX_SECRET + 1)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise SecretSourceFailed(
                f"{what} could not be read from its file: {reason}. Check the path."
            ) from None
        is_open = stat.S_ISREG(status.st_mode) and status.st_mode & _OTHERS_MAY_READ
        if sys.platform != "win32" and is_open:
            self.note(f"Others on this computer can read the file {path}; chmod 600 closes it.")
        return _text(data, what)


def _text(data: bytes, what: str) -> str:
    if len(data) > MAX_SECRET:
        raise SecretSourceFailed(f"{what} is too long; check that it is the right file.")
    try:
        return data.decode()
    except UnicodeDecodeError:
        # The original error would carry the secret.
        raise SecretSourceFailed(f"{what} is not UTF-8 text.") from None


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]


def _read_line(handle: int) -> str:
    data = bytearray()
    while not data.endswith(b"\n"):
        part = os.read(handle, 1024)
        if not part:
            raise PersonCancelled
        data += part
        if len(data) > MAX_SECRET:
            raise BadRequest("This line is too long.")
    return _text(bytes(data), "The line").removesuffix("\n").removesuffix("\r")


def _no_terminal() -> SecretSourceFailed:
    return SecretSourceFailed(
        "There is no terminal to ask on. Run the command in a terminal, or name a file or standard "
        "input for each secret."
    )
