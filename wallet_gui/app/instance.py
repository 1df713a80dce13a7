"""One running window per data directory; a later start hands over what it was given, and ends.

The lock is the operating system's and ends with its holder. The channel is a Unix socket in the
data directory (a named pipe on Windows), for its owner only; it takes one bitcoin: link or the
path of one PSBT file, of at most 2 KiB, and ignores everything else. No TCP port is opened.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock
from wallet_gui.windows_system import allow_others_to_front

logger = logging.getLogger(__name__)

MAX_SIZE: Final = 2048
"""Bytes that are handed over at the most; a longer link is refused, never cut."""

LINK_SCHEME: Final = "bitcoin:"
FILE_SUFFIX: Final = ".psbt"
_FILE_SCHEME: Final = "file:"

_HAND_OVER_SECONDS: Final = 1.0
_PAUSE: Final = 0.05
_READ_SECONDS: Final = 2.0
_WAITING: Final = 64
_CALLERS: Final = 16
_LONGEST_PATH: Final = 100  # of a Unix socket; Linux has room for 107 bytes, macOS for 103


class HandOver(Enum):
    """What became of handing something over."""

    DONE = "done"
    NOBODY = "nobody"
    """No window answers, although one holds the lock."""
    REFUSED = "refused"
    """It is no bitcoin: link and no PSBT file, or too long."""


def is_link(text: str) -> bool:
    return text[: len(LINK_SCHEME)].lower() == LINK_SCHEME


def is_psbt_file(text: str) -> bool:
    return not is_link(text) and text.lower().endswith(FILE_SUFFIX)


def psbt_path(text: str) -> str:
    """Return the absolute path that a start was given as a path or, by desktops, as file: URI.

    Raises ParseError for a URI of another computer: opening it would tell that computer of us.
    """
    if text[: len(_FILE_SCHEME)].lower() != _FILE_SCHEME:
        return str(Path(text).absolute())
    rest = text[len(_FILE_SCHEME) :]
    if rest.startswith("//"):
        host, slash, path = rest[2:].partition("/")
        if host.lower() not in {"", "localhost"} or path.startswith("/"):
            raise ParseError(
                "This file is on another computer; copy it to this one and open it here."
            )
        rest = slash + path
    path = os.fsdecode(unquote_to_bytes(rest))
    if sys.platform == "win32":
        path = path.lstrip("/\\")  # what is left begins with a drive
    if "\0" in path or not Path(path).is_absolute():
        raise ParseError("This file: link has no complete path; open the file from its folder.")
    return path


def is_acceptable(text: str) -> bool:
    """Whether it may be handed over: nothing, a bitcoin: link, the absolute path of a PSBT file."""
    # Printable text has no line ends, and no half characters that could not be encoded.
    if not text.isprintable() or len(text.encode()) > MAX_SIZE:
        return False
    return not text or is_link(text) or (is_psbt_file(text) and Path(text).is_absolute())


class Instance:
    """Holds the lock of a data directory and listens for what later starts hand over."""

    def __init__(self, lock: FileLock, channel: Path) -> None:
        self._lock = lock
        self._channel = channel
        self._socket: socket.socket | None = None
        self._servers: list[Any] = []
        self._callers = 0

    def acquire(self) -> bool:
        """Take the lock; False when another window has it. Raises WriteFailed.

        From here on later starts can hand over: what comes before `listen` waits in the socket.
        """
        try:
            self._lock.acquire()
        except InUse:
            return False
        if sys.platform != "win32":
            try:
                self._socket = self._bind()
            except OSError as error:
                # A file system without sockets: later starts say that this one is running.
                logger.warning("No channel for later starts: %s", error.strerror)
        return True

    def hand_over(self, text: str) -> HandOver:
        """Give `text`, or "" to only come to the front, to the window that runs; blocking.

        Takes a second at the most.
        """
        if not is_acceptable(text):
            return HandOver.REFUSED
        data = text.encode()
        deadline = time.monotonic() + _HAND_OVER_SECONDS
        while True:
            try:
                self._send(data, max(_PAUSE, deadline - time.monotonic()))
            except OSError:
                # It took the lock this very moment, or is about to end.
                if time.monotonic() >= deadline:
                    return HandOver.NOBODY
                time.sleep(_PAUSE)
            else:
                return HandOver.DONE

    async def listen(self, received: Callable[[str], None]) -> None:
        """Accept what later starts hand over; `received` gets each, "" for one without anything."""

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if self._callers < _CALLERS:
                    self._callers += 1
                    try:
                        text = await _read(reader)
                    finally:
                        self._callers -= 1
                    if text is not None:
                        received(text)
            finally:
                writer.close()

        if sys.platform == "win32":
            loop: Any = asyncio.get_running_loop()

            def connected() -> asyncio.StreamReaderProtocol:
                return asyncio.StreamReaderProtocol(asyncio.StreamReader(limit=MAX_SIZE), serve)

            self._servers = await loop.start_serving_pipe(connected, self._pipe_name())
        elif self._socket is not None:
            self._servers = [
                await asyncio.start_unix_server(serve, sock=self._socket, limit=MAX_SIZE)
            ]

    async def close(self) -> None:
        """Stop listening and give the lock back."""
        for server in self._servers:
            server.close()
        self._servers = []
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._channel.unlink)
        self._lock.release()

    # --- the channel

    def _bind(self) -> socket.socket:
        with contextlib.suppress(FileNotFoundError):
            # Left over from a window that was killed; we hold the lock now.
            self._channel.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            before = os.umask(0o177)
            try:
                with self._address() as address:
                    listening.bind(address)
            finally:
                os.umask(before)
            listening.listen(_WAITING)
            listening.setblocking(False)
        except BaseException:
            listening.close()
            raise
        return listening

    def _send(self, data: bytes, seconds: float) -> None:
        if sys.platform == "win32":
            allow_others_to_front()
            with open(self._pipe_name(), "wb", buffering=0) as pipe:  # noqa: PTH123 - no file
                pipe.write(data or b"\n")
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(seconds)
            with self._address() as address:
                client.connect(address)
            client.sendall(data)

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        """Name the socket in the few bytes that its kind of address has."""
        name = str(self._channel)
        if len(os.fsencode(name)) < _LONGEST_PATH or sys.platform != "linux":
            yield name
            return
        folder = os.open(self._channel.parent, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{self._channel.name}"
        finally:
            os.close(folder)

    def _pipe_name(self) -> str:
        """Name the pipe after the folder; only its owner and administrators may write to it."""
        digest = hashlib.sha256(os.fsencode(self._channel)).hexdigest()[:32]
        return rf"\\.\pipe\wallet-gui-{digest}"


async def _read(reader: asyncio.StreamReader) -> str | None:
    """Read what a caller sends until it hangs up; None for whatever is not acceptable."""
    data = b""
    try:
        async with asyncio.timeout(_READ_SECONDS):
            while len(data) <= MAX_SIZE and (part := await reader.read(MAX_SIZE + 1)):
                data += part
    except (TimeoutError, OSError):
        return None
    if len(data) > MAX_SIZE:
        return None
    try:
        text = data.decode().strip("\n")
    except UnicodeDecodeError:
        return None
    return text if is_acceptable(text) else None
