"""What Windows does otherwise than other systems, where Python does not hide it.

A program without a console has no standard streams there, a pipe that nobody reads any more fails
with another error, and whoever is started by a click may not give the front to another window.
"""

import contextlib
import ctypes
import errno
import io
import sys
from collections.abc import Callable, Iterator
from typing import Final, TextIO

NO_CONSOLE: Final = 0x08000000 if sys.platform == "win32" else 0
"""Creation flag CREATE_NO_WINDOW: a console program gets no black window of its own."""

_ANY_PROCESS: Final = 0xFFFFFFFF  # ASFW_ANY
_ICON_ERROR: Final = 0x10  # MB_ICONERROR
_MOST_SAID: Final = 4000
_TITLE: Final = "Wallet GUI"


@contextlib.contextmanager
def broken_pipes() -> Iterator[None]:
    """Raise BrokenPipeError for what the C library of Windows calls EINVAL.

    Only for writing to a pipe, where that error has no other meaning.
    """
    try:
        yield
    except OSError as error:
        if sys.platform == "win32" and error.errno == errno.EINVAL:
            raise BrokenPipeError(errno.EPIPE, "nobody reads from the pipe") from error
        raise


def allow_others_to_front() -> None:
    """Let the window that runs already come to the front, which only the clicked program may."""
    if sys.platform == "win32":
        ctypes.windll.user32.AllowSetForegroundWindow(_ANY_PROCESS)


def message_box(text: str) -> None:
    """Show a sentence and wait until it was read; nothing on other systems."""
    if sys.platform == "win32":
        ctypes.windll.user32.MessageBoxW(None, text, _TITLE, _ICON_ERROR)


class LastWords(io.TextIOBase):
    """Takes the place of a standard stream that is not there, and keeps the end of what is said."""

    def __init__(self) -> None:
        self._said = ""

    @property
    def said(self) -> str:
        return self._said.strip()

    def writable(self) -> bool:
        return True

    def write(self, text: str, /) -> int:
        self._said = (self._said + text)[-_MOST_SAID:]
        return len(text)


def has_streams() -> bool:
    """Whether there is a console, or something else that standard output goes to."""
    return _stream("stdout") is not None and _stream("stderr") is not None


def run_without_console(
    run: Callable[[], int], show: Callable[[str], None] | None = message_box
) -> int:
    """Run a program that nobody can read the output of, and `show` why it did not succeed.

    With None for `show` nothing is said: whoever started the program sees its exit status.
    """
    said = LastWords()
    before = sys.stdout, sys.stderr
    # Whichever is there stays: it may lead to a file.
    sys.stdout = _stream("stdout") or said
    sys.stderr = _stream("stderr") or said
    try:
        status = _status_of(run)
    finally:
        sys.stdout, sys.stderr = before
    if said.said and status and show is not None:
        show(said.said)
    return status


def _status_of(run: Callable[[], int]) -> int:
    """Return the exit status also of what ends by SystemExit, as argparse does."""
    try:
        return run()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)


def _stream(name: str) -> TextIO | None:
    stream: TextIO | None = getattr(sys, name)
    return stream
