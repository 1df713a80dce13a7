"""One running window per data directory; a second start hands its bitcoin: link over and ends.

The lock is the operating system's and ends with its holder. The channel is a Unix socket in the
data directory, for its owner only; it accepts one bitcoin: link of at most 2 KiB and nothing else.
No TCP port is opened. On Windows there is no channel yet: the second start says so.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock

logger = logging.getLogger(__name__)

MAX_LINK = 2048
_HAND_OVER_SECONDS = 2.0
_SHOW = b"show"


class Instance:
    """Holds the lock of a data directory and listens for links from later starts."""

    def __init__(self, lock: FileLock, channel: Path) -> None:
        self._lock = lock
        self._channel = channel
        self._server: asyncio.AbstractServer | None = None

    def acquire(self) -> bool:
        """Take the lock; False when another window has it. Raises WriteFailed."""
        try:
            self._lock.acquire()
        except InUse:
            return False
        return True

    def hand_over(self, link: str) -> bool:
        """Send a link (or "" to only come to the front) to the window that runs; blocking."""
        if sys.platform == "win32":
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
                client.settimeout(_HAND_OVER_SECONDS)
                client.connect(str(self._channel))
                client.sendall(link.encode()[:MAX_LINK] or _SHOW)
        except OSError:
            return False
        return True

    async def listen(self, received: Callable[[str], None]) -> None:
        """Accept links from later starts; `received` gets each, "" for a start without one."""
        if sys.platform == "win32":
            return

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(_HAND_OVER_SECONDS):
                    data = await reader.read(MAX_LINK + 1)
                if len(data) <= MAX_LINK:
                    text = data.decode("utf-8", "replace")
                    received("" if data == _SHOW else text)
            writer.close()

        with contextlib.suppress(FileNotFoundError):
            # Left over from a window that was killed; we hold the lock now.
            await asyncio.to_thread(self._channel.unlink)
        try:
            self._server = await asyncio.start_unix_server(serve, str(self._channel))
            await asyncio.to_thread(self._channel.chmod, 0o600)
        except OSError as error:
            # A path that is too long for a socket, a file system without them.
            logger.warning("No channel for links: %s", error.strerror)

    async def close(self) -> None:
        """Stop listening and give the lock back."""
        if self._server is not None:
            self._server.close()
            self._server = None
            with contextlib.suppress(OSError):
                await asyncio.to_thread(self._channel.unlink)
        self._lock.release()
