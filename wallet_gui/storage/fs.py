"""The few file operations that a save is made of, so that tests can enumerate every crash.

`FileSystem` is what the save protocol is written against; `OsFileSystem` is the real one. A test
puts its own in between and asks, after each operation and for each state that a power cut may
leave behind, whether the wallet still opens.
"""

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

if sys.platform != "win32":
    import fcntl

_NO_FOLLOW: Final[int] = getattr(os, "O_NOFOLLOW", 0)
_BINARY: Final[int] = getattr(os, "O_BINARY", 0)
_NON_BLOCKING: Final[int] = getattr(os, "O_NONBLOCK", 0)

# Elsewhere a refusal is a matter of rights, which stay.
_PATIENCE_SECONDS: Final[float] = {"win32": 2.0}.get(sys.platform, 0.0)
_PAUSE_SECONDS: Final = 0.02

# Answers of file systems that have no hard links (FAT, some network shares).
_NO_LINKS: Final = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class FileSystem(Protocol):
    """All raise OSError. Paths are in one directory per protocol run and are never followed."""

    def read(self, path: Path, limit: int, /) -> bytes:
        """Return the content of a regular file, at most `limit` + 1 bytes of it."""

    def write_new(self, path: Path, data: bytes, /) -> None:
        """Create a file with this content for its owner only and bring it to the disk.

        FileExistsError when the name is taken; on failure nothing is left under it.
        """

    def exists(self, path: Path, /) -> bool: ...

    def copy_aside(self, source: Path, target: Path, /) -> None:
        """Give the content the second name `target`, which must not be there yet.

        By hard link, or as a copy where the file system has none.
        """

    def replace(self, source: Path, target: Path, /) -> None:
        """Rename atomically, replacing `target`."""

    def remove(self, path: Path, /) -> None: ...

    def names(self, directory: Path, /) -> list[str]: ...

    def sync_directory(self, directory: Path, /) -> None:
        """Bring created, renamed and removed names to the disk."""


class OsFileSystem:
    """The operating system's files."""

    def read(self, path: Path, limit: int) -> bytes:
        # O_NONBLOCK: opening a fifo that took the file's place must not hang.
        handle = os.open(path, os.O_RDONLY | _NO_FOLLOW | _BINARY | _NON_BLOCKING)
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OSError(errno.EINVAL, "not a regular file")
            parts = []
            left = limit + 1
            while left > 0 and (part := os.read(handle, left)):
                parts.append(part)
                left -= len(part)
            return b"".join(parts)
        finally:
            os.close(handle)

    def write_new(self, path: Path, data: bytes) -> None:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | _BINARY, 0o600)
        try:
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(handle, left) :]
                _to_disk(handle)
            finally:
                os.close(handle)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108 - one layer for all of them
            raise

    def exists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def copy_aside(self, source: Path, target: Path) -> None:
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            self.write_new(target, source.read_bytes())

    def replace(self, source: Path, target: Path) -> None:
        _patiently(lambda: os.replace(source, target))  # noqa: PTH105

    def remove(self, path: Path) -> None:
        _patiently(lambda: os.unlink(path))  # noqa: PTH108

    def names(self, directory: Path) -> list[str]:
        return os.listdir(directory)  # noqa: PTH208

    def sync_directory(self, directory: Path) -> None:
        if sys.platform == "win32":
            return  # names are journalled; there is no handle to flush
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _to_disk(handle)
        except OSError as error:
            # Some network and FUSE file systems cannot flush a directory at all.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(handle)


def _patiently(act: Callable[[], None]) -> None:
    """Try again for a moment on Windows, where nobody may rename what another has open.

    Virus scanners and search indexes open each new file, for some milliseconds.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return act()
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE_SECONDS)


def _to_disk(handle: int) -> None:
    if sys.platform == "darwin":
        # fsync on macOS only reaches the drive's own cache.
        fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
    else:
        os.fsync(handle)


OS_FILES: Final[FileSystem] = OsFileSystem()


def make_private_directory(path: Path) -> None:
    """Create the directory and its parents, for the owner only; OSError if it cannot be."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def write_atomically(path: Path, data: bytes, files: FileSystem = OS_FILES) -> None:
    """Replace the file at `path` as a whole or not at all; raises OSError.

    For files that are no wallet: there is no older copy. A `.new` left by a crash is dropped.
    """
    new = path.with_name(path.name + ".new")
    if files.exists(new):
        files.remove(new)
    files.write_new(new, data)
    files.replace(new, path)
    files.sync_directory(path.parent)
