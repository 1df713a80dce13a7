"""Copies of a wallet file that a person keeps: reading one, and writing one where they want it.

A copy is the wallet file byte for byte, so it is encrypted as the file is and opens in any program
that reads the format. It is written under a name of its own first, read back, and only then given
its name: what is found under that name is complete. Nothing that is there already is replaced
unless it is proven to be an older copy of the very same wallet.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.errors import (
    AlreadyExists,
    Damaged,
    NotFound,
    StorageError,
    Unreadable,
    WriteFailed,
    write_failed,
)
from wallet_gui.storage.file_names import GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES, FileSystem
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import MAX_SIZE, WalletFileContents, parse

PART: Final = ".part"
"""What the name of a copy ends in while it is written."""

Owns = Callable[[WalletFileContents], bool]
"""Whether a file is provably of the wallet that is copied."""


def never_ours(_contents: WalletFileContents) -> bool:
    """For who holds no key: nothing can be proven to be ours, so nothing is replaced."""
    return False


def read_copy(
    path: Path, *, files: FileSystem = OS_FILES, minimum: KdfParameters | None = None
) -> WalletFileContents:
    """Read exactly this file, and no other beside it that may be better.

    Raises NotFound, Unreadable, Damaged or NewerFormat with a sentence about a copy.
    """
    try:
        data = files.read(path, MAX_SIZE)
    except FileNotFoundError:
        raise NotFound(f"There is no file {path.name} in {path.parent}.") from None
    except PermissionError:
        raise Unreadable(
            f"You may not read {path.name}. Give yourself the right to read it."
        ) from None
    except OSError as error:
        raise Unreadable(
            f"{path.name} cannot be read from its disk ({error.strerror}). Try another copy, and "
            "save a new one on another disk."
        ) from None
    try:
        return parse(data, minimum=minimum)
    except Damaged as error:
        raise Damaged(
            f"{path.name} is damaged or no copy of a wallet: it would not bring the wallet back. "
            f"({error}) Save a new copy while the wallet is intact, and use another disk if this "
            "one did it."
        ) from None


def newest(
    path: Path, *, files: FileSystem = OS_FILES, minimum: KdfParameters | None = None
) -> tuple[bytes, WalletFileContents]:
    """Return the bytes of the wallet file or, if it is damaged, of its newest intact copy.

    Raises what `WalletFile.read` raises. A save that comes in between only means that the newer
    bytes are returned.
    """
    contents = WalletFile.read(path, files=files, minimum=minimum)
    found = path.resolve()
    found = found.with_name(found.name + contents.source)
    try:
        data = files.read(found, MAX_SIZE)
    except OSError as error:
        raise Unreadable(f"{found.name} cannot be read: {error.strerror}. Try again.") from error
    return data, parse(data, minimum=minimum)


def with_suffix(path: Path) -> Path:
    """Return the path with the ending of wallet files, which a person need not type."""
    return path if path.name.endswith(WALLET_SUFFIX) else path.with_name(path.name + WALLET_SUFFIX)


def save_copy(
    source: Path,
    target: Path,
    owns: Owns = never_ours,
    *,
    files: FileSystem = OS_FILES,
    minimum: KdfParameters | None = None,
) -> Path:
    """Copy the wallet file `source` to `target`, and return where it is.

    When this returns, the copy was read back and is on the disk. Raises AlreadyExists when
    something else than an older copy of this wallet has the name, NotFound for a missing folder,
    WriteFailed; the wallet file is only read.
    """
    source, target = source.resolve(), with_suffix(target)
    data, contents = newest(source, files=files, minimum=minimum)
    folder = target.parent
    if files is OS_FILES and not folder.is_dir():
        raise NotFound(f"There is no folder {folder}. Choose one that is there.")
    target = folder.resolve() / target.name if files is OS_FILES else target
    own_names = {source.name + ending for ending in ("", *GENERATIONS, ".new")}
    if target.parent == source.parent and target.name in own_names:
        raise AlreadyExists(
            "This is the wallet file itself. Choose another folder, best on another disk."
        )
    if files.exists(target):
        _check_ours(target, contents, owns, files, minimum)
    write_whole(target, data, files)
    return target


def _check_ours(
    target: Path,
    contents: WalletFileContents,
    owns: Owns,
    files: FileSystem,
    minimum: KdfParameters | None,
) -> None:
    """Refuse to replace anything but an older copy of the same wallet that nobody opened."""
    refusal = AlreadyExists(
        f"There is already a file {target.name} in this folder that is not known to be a copy of "
        "this wallet. Nothing was overwritten: choose another name."
    )
    try:
        there = parse(files.read(target, MAX_SIZE), minimum=minimum)
    except (OSError, StorageError):
        raise refusal from None
    if there.digest == contents.digest:
        return
    if not owns(there):
        raise refusal
    # Whoever opened it as a wallet of its own may have labels in it that are nowhere else.
    if any(
        files.exists(target.with_name(target.name + ending)) for ending in (".lock", *GENERATIONS)
    ):
        raise AlreadyExists(
            f"{target.name} was opened as a wallet of its own, so it is not overwritten. Choose "
            "another name."
        )


def write_whole(target: Path, data: bytes, files: FileSystem = OS_FILES) -> None:
    """Put the bytes under the name, whole or not at all, and read them back. Raises WriteFailed."""
    subject = f"The copy “{target.name}”"
    part = _free_part(target, files)
    try:
        files.write_new(part, data)
        try:
            _read_back(part, data, files)
            files.replace(part, target)
        except (OSError, WriteFailed):
            with contextlib.suppress(OSError):
                files.remove(part)
            raise
        files.sync_directory(target.parent)
        _read_back(target, data, files)
    except OSError as error:
        raise write_failed(subject, error) from error


def _read_back(path: Path, data: bytes, files: FileSystem) -> None:
    if files.read(path, MAX_SIZE) != data:
        raise WriteFailed(
            f"The disk gave back other bytes than were written to {path.name}. Use another disk "
            "for copies; the wallet itself is not affected."
        )


def _free_part(target: Path, files: FileSystem) -> Path:
    """A name beside the target that nothing has: what an earlier crash left is not touched."""
    part = target.with_name(target.name + PART)
    number = 2
    while files.exists(part):
        part = target.with_name(f"{target.name}{PART}-{number}")
        number += 1
    return part
