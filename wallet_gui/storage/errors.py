"""What can go wrong on disk. Each message is one sentence for a person that says what to do."""

import errno
import os


class StorageError(Exception):
    """The one base class of this floor; str() of every subclass may be shown as it is."""


class InUse(StorageError):
    """Another process, or another window of this one, holds the lock."""


class AlreadyExists(StorageError):
    """A wallet of that name is there already; nothing was written."""


class NotFound(StorageError):
    """Neither the file nor any older copy of it is there."""


class Unreadable(StorageError):
    """The file is there but may not be read, or is not to be opened under this name."""


class Damaged(StorageError):
    """Nothing readable is left of the file, nor of its older copies; nothing was changed."""


class WrongKey(StorageError):
    """The key does not open the file."""


class NewerFormat(StorageError):
    """A newer program wrote the file; it was left untouched."""


class ChangedOnDisk(StorageError):
    """Another valid file took the place of the one that was opened; nothing was written."""


class TooLarge(StorageError):
    """The contents exceed the size that is ever read back; nothing was written."""


class WriteFailed(StorageError):
    """The disk refused; what was there before is still there."""


_REASONS = {
    errno.ENOSPC: "The disk is full. Free some space",
    errno.EDQUOT: "Your disk quota is used up. Free some space",
    errno.EROFS: "The disk can only be read. Make it writable",
    errno.EACCES: "This folder may not be written. Give yourself the right to write there",
    errno.EPERM: "This folder may not be written. Give yourself the right to write there",
    errno.EIO: "The disk reports an error. Copy your wallet files to another disk",
}


def write_failed(what: str, error: OSError) -> WriteFailed:
    """Turn the system's error into a sentence; `what` is e.g. 'The wallet "savings"'."""
    number = error.errno or 0
    reason = _REASONS.get(number, f"The system says: {os.strerror(number)}. Check the disk")
    return WriteFailed(
        f"{what} could not be saved. {reason} and try again; everything saved before is kept."
    )
