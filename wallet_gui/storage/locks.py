"""Locks that the operating system gives back by itself when their holder dies.

A lock is an exclusive hold of `NAME.lock` beside the file that it protects. The lock file is
never deleted: deleting it would let two processes hold two files of the same name.
"""

import ctypes
import errno
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from wallet_gui.storage.errors import InUse, write_failed

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_BUSY: Final = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
_FLAGS: Final = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


class FileLock:
    """An exclusive hold on `path` for one owner, in this process or any other.

    `path` is resolved first, so that two spellings of one file mean one lock. Take it before
    anything slow: a second owner learns at once that it came second. `subject` begins the
    sentence of InUse, such as 'The wallet "savings"'.
    """

    def __init__(self, path: Path, subject: str = "") -> None:
        self.path = path.resolve()
        self.lock_path = self.path.with_name(self.path.name + ".lock")
        self._subject = subject or f"“{self.path.stem}”"
        self._handle: int | None = None
        self._delegated = False

    @classmethod
    def delegated(cls, path: Path, subject: str = "") -> Self:
        """Return a lock that the process which started this one holds for it.

        If nobody holds it after all, it is taken here. Raises WriteFailed as `acquire` does.
        """
        lock = cls(path, subject)
        try:
            lock.acquire()
        except InUse:
            lock._delegated = True
        return lock

    @property
    def held(self) -> bool:
        return self._handle is not None or self._delegated

    def acquire(self) -> None:
        """Take the lock or raise at once; calling it again while held changes nothing.

        Raises InUse when another holds it, WriteFailed when no lock file can be made.
        """
        if self.held:
            return
        try:
            while self._handle is None:
                self._handle = self._try_once()
        except BlockingIOError:
            raise InUse(
                f"{self._subject} is in use by another window or program. "
                "Close it there, then try again."
            ) from None
        except OSError as error:
            raise write_failed(self._subject, error) from error

    def release(self) -> None:
        handle, self._handle, self._delegated = self._handle, None, False
        if handle is not None:
            os.close(handle)  # closing gives the lock back

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def _try_once(self) -> int | None:
        """Return the held handle, or None when the lock file was swapped meanwhile."""
        handle = os.open(self.lock_path, _FLAGS, 0o600)  # not inherited by child processes
        try:
            _lock(handle)
            ours, there = os.fstat(handle), os.stat(self.lock_path)  # noqa: PTH116
        except FileNotFoundError:
            os.close(handle)
            return None
        except BaseException:
            os.close(handle)
            raise
        if (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            os.close(handle)
            return None
        return handle


def _lock(handle: int) -> None:
    try:
        if sys.platform == "win32":
            # Not msvcrt.locking, whose error under wine is that of whatever failed last.
            kernel = ctypes.WinDLL("kernel32", use_last_error=True)
            place = ctypes.c_void_p(msvcrt.get_osfhandle(handle))
            if not kernel.LockFile(place, 0, 0, 1, 0):
                raise ctypes.WinError(ctypes.get_last_error())
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            raise BlockingIOError(error.errno, "locked") from None
        raise
