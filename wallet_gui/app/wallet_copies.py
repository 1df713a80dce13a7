"""Takes a copy of a wallet file into the folder of the wallets, where it is listed from then on."""

from pathlib import Path
from typing import Final

from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.errors import (
    AlreadyExists,
    Damaged,
    Unreadable,
    WriteFailed,
    write_failed,
)
from wallet_gui.storage.file_names import GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES, FileSystem, make_private_directory
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.wallet_layout import MAX_SIZE, parse

_ENDINGS: Final = ("", *GENERATIONS, ".new")


def proposed_name(source: Path) -> str:
    """Guess the wallet's name from that of a file: NAME.wallet, or an older copy NAME.wallet.2."""
    name = source.name
    for ending in _ENDINGS:
        if ending and name.endswith(WALLET_SUFFIX + ending):
            name = name[: -len(ending)]
    return name.removesuffix(WALLET_SUFFIX) or "wallet"


def take_copy(
    source: Path,
    directory: DataDirectory,
    name: str,
    *,
    files: FileSystem = OS_FILES,
    minimum: KdfParameters | None = None,
) -> Path:
    """Copy an intact wallet file to `directory`/`name`.wallet; blocking. Returns the new path.

    Nothing is ever overwritten, and the source stays as it is. The file is read back before it
    gets its name, so that a crash leaves either the whole wallet or none. Raises ValueError for a
    bad name, StorageError: AlreadyExists, Damaged, NewerFormat, Unreadable, WriteFailed, InUse.
    """
    target = directory.wallet_path(name)
    subject = f"The wallet \u201c{name}\u201d"
    try:
        data = files.read(source.resolve(), MAX_SIZE)
    except OSError as error:
        raise Unreadable(
            f"{source.name} cannot be read ({error.strerror}). Choose another copy."
        ) from error
    parse(data, minimum=minimum)
    try:
        make_private_directory(target.parent)
    except OSError as error:
        raise write_failed(subject, error) from error
    new = target.with_name(target.name + ".new")
    with FileLock(target, subject):
        try:
            _clear_torn(files, new, minimum)
            for ending in _ENDINGS:
                if files.exists(target.with_name(target.name + ending)):
                    raise AlreadyExists(
                        f"There is a wallet called {name} already, and it is left as it is. Give "
                        "the copy another name."
                    )
            files.write_new(new, data)
            if files.read(new, MAX_SIZE) != data:
                files.remove(new)
                raise WriteFailed(
                    "The copy does not read back as it was written: the disk may be failing. "
                    "Nothing was kept of it."
                )
            files.replace(new, target)
            files.sync_directory(target.parent)
        except OSError as error:
            raise write_failed(subject, error) from error
    return target


def _clear_torn(files: FileSystem, new: Path, minimum: KdfParameters | None) -> None:
    """Remove what an earlier copy left when the computer lost power in the middle of it."""
    if not files.exists(new):
        return
    try:
        parse(files.read(new, MAX_SIZE), minimum=minimum)
    except Damaged:
        files.remove(new)
