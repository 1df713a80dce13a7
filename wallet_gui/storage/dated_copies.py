"""Dated copies of a wallet file in a second folder: made by themselves, the last 20 are kept.

Only a file that this program made is ever deleted: its name must stand in the list beside the
wallet (NAME.wallet.copies) and have the form that is given here, and its bytes must be those that
were written, by the digest in the list. Without the list nothing is deleted.

The folder holds a note (`NOTE`) that was put there when it was chosen. Where it is missing, the
disk is not connected, and nothing is written in its place.
"""

import contextlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.backups import PART, newest, write_whole
from wallet_gui.storage.errors import NotFound, StorageError, Unreadable, write_failed
from wallet_gui.storage.file_names import GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES, FileSystem, write_atomically
from wallet_gui.storage.wallet_layout import MAX_SIZE, WalletFileContents, parse

KEPT = 20
LIST_SUFFIX: Final = ".copies"
NOTE: Final = "About these wallet copies.txt"

_FORMAT: Final = 1
_MAX_LIST: Final = 1 << 20
_MOST_LISTED: Final = 500
_NOTE_TEXT: Final = (
    "Wallet GUI puts dated copies of wallet files into this folder.\r\n\r\n"
    "Each is encrypted and opens with the password that its wallet had on that day. To use\r\n"
    "one, copy it to another name and open it with Wallet GUI. Only the newest 20 of a wallet\r\n"
    "are kept; other files in this folder are never touched. Leave this note here: the program\r\n"
    "looks for it to be sure that the disk is connected.\r\n"
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A copy that was made, in `folder` (full path) at `time` (Unix).

    `digest` are the last 32 bytes of the file, `salt` is that of its view box, both in hex.
    """

    folder: str
    name: str
    digest: str
    salt: str
    time: int


@dataclass(frozen=True, slots=True)
class CopiesState:
    """What is in the folder now: how many copies, the newest, and how many have an old password."""

    count: int = 0
    newest_name: str = ""
    newest_time: int = 0
    older_password: int = 0


class DatedCopies:
    """The dated copies of one wallet in one folder. Blocking; one thread calls at a time."""

    def __init__(
        self,
        wallet_path: Path,
        folder: Path,
        *,
        files: FileSystem = OS_FILES,
        now: Callable[[], float] = time.time,
        minimum: KdfParameters | None = None,
    ) -> None:
        self._wallet = wallet_path.resolve() if files is OS_FILES else wallet_path
        self._folder = folder
        self._files = files
        self._now = now
        self._minimum = minimum

    @property
    def list_path(self) -> Path:
        return self._wallet.with_name(self._wallet.name + LIST_SUFFIX)

    def prepare(self) -> None:
        """Check a folder that was just chosen and put the note there. Raises StorageError."""
        if self._files is OS_FILES and not self._folder.is_dir():
            raise NotFound(f"There is no folder {self._folder}. Choose one that is there.")
        if self._folder.resolve() == self._wallet.parent:
            raise Unreadable(
                "The wallet itself is in this folder. Choose one on another disk, so that one "
                "broken disk cannot take both."
            )
        note = self._folder / NOTE
        if self._files.exists(note):
            return
        try:
            self._files.write_new(note, _NOTE_TEXT.encode("ascii"))
            self._files.sync_directory(self._folder)
        except OSError as error:
            raise write_failed("The note in this folder", error) from error

    def make(self) -> CopiesState:
        """Make a copy unless the newest bytes are there already, then delete what is too old.

        Raises StorageError with a sentence; whatever was there is kept then.
        """
        self._check_folder()
        data, contents = newest(self._wallet, files=self._files, minimum=self._minimum)
        entries = self._load()
        digest = contents.digest.hex()
        if not any(entry.digest == digest and self._is_there(entry) for entry in entries):
            now = int(self._now())
            entry = Entry(
                str(self._folder),
                self._free_name(now),
                digest,
                contents.view_header.salt.hex(),
                now,
            )
            # Listed before it is written: a copy that nobody knows of could never be deleted.
            entries = (*entries, entry)
            self._save(entries)
            self._remove_torn(entries)
            write_whole(self._folder / entry.name, data, self._files)
        entries = self._prune(entries)
        return self._state(entries, contents)

    def look(self) -> CopiesState:
        """Say what is there. Raises StorageError, also when the folder is not there."""
        self._check_folder()
        _, contents = newest(self._wallet, files=self._files, minimum=self._minimum)
        return self._state(self._load(), contents)

    def remove_older_passwords(self) -> CopiesState:
        """Delete the copies that were made under an earlier password. Raises StorageError."""
        self._check_folder()
        _, contents = newest(self._wallet, files=self._files, minimum=self._minimum)
        salt = contents.view_header.salt.hex()
        entries = self._load()
        outdated = [entry for entry in self._here(entries) if entry.salt != salt]
        entries = self._remove(entries, outdated)
        return self._state(entries, contents)

    # --- what is in the folder

    def _check_folder(self) -> None:
        if not self._files.exists(self._folder / NOTE):
            raise NotFound(
                f"The folder for dated copies, {self._folder}, is not there. Connect its disk, or "
                "choose another folder. The wallet itself is saved."
            )

    def _here(self, entries: Sequence[Entry]) -> list[Entry]:
        """Return the copies in this folder that are still there, oldest first."""
        here = [entry for entry in entries if self._is_there(entry)]
        return sorted(here, key=lambda entry: (entry.time, entry.name))

    def _is_there(self, entry: Entry) -> bool:
        return entry.folder == str(self._folder) and self._files.exists(self._folder / entry.name)

    def _state(self, entries: Sequence[Entry], contents: WalletFileContents) -> CopiesState:
        here = self._here(entries)
        salt = contents.view_header.salt.hex()
        return CopiesState(
            len(here),
            here[-1].name if here else "",
            here[-1].time if here else 0,
            sum(entry.salt != salt for entry in here),
        )

    def _free_name(self, now: int) -> str:
        moment = datetime.fromtimestamp(max(now, 0), UTC)
        stem = f"{self._stem} {moment:%Y-%m-%d %H%M%S}"
        name, number = stem + WALLET_SUFFIX, 2
        while any(
            self._files.exists(self._folder / (name + ending)) for ending in ("", *GENERATIONS)
        ):
            name, number = f"{stem} {number}{WALLET_SUFFIX}", number + 1
        return name

    @property
    def _stem(self) -> str:
        return self._wallet.name.removesuffix(WALLET_SUFFIX)

    def _is_our_name(self, name: str) -> bool:
        form = re.escape(self._stem) + r" \d{4}-\d\d-\d\d \d{6}( \d+)?" + re.escape(WALLET_SUFFIX)
        return re.fullmatch(form, name) is not None

    # --- deleting

    def _prune(self, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        here = self._here(entries)
        return self._remove(entries, here[: max(0, len(here) - KEPT)])

    def _remove(self, entries: Sequence[Entry], unwanted: Sequence[Entry]) -> tuple[Entry, ...]:
        """Delete those that are proven to be ours, and forget what is not there any more."""
        for entry in unwanted:
            if self._is_ours(entry):
                with contextlib.suppress(OSError):
                    self._files.remove(self._folder / entry.name)
        left = tuple(
            entry
            for entry in entries
            if entry.folder != str(self._folder)
            or (self._is_there(entry) and not (entry in unwanted and not self._is_ours(entry)))
        )
        if left != tuple(entries):
            with contextlib.suppress(OSError):
                self._files.sync_directory(self._folder)
            self._save(left)
        return left

    def _is_ours(self, entry: Entry) -> bool:
        if not self._is_our_name(entry.name):
            return False
        try:
            contents = parse(
                self._files.read(self._folder / entry.name, MAX_SIZE), minimum=self._minimum
            )
        except (OSError, StorageError):
            return False
        return contents.digest.hex() == entry.digest

    def _remove_torn(self, entries: Sequence[Entry]) -> None:
        """Delete what a power cut left of a copy that was being written."""
        for entry in entries:
            if entry.folder != str(self._folder) or not self._is_our_name(entry.name):
                continue
            torn = self._folder / (entry.name + PART)
            if self._files.exists(torn) and not self._files.exists(self._folder / entry.name):
                with contextlib.suppress(OSError):
                    self._files.remove(torn)

    # --- the list

    def _load(self) -> tuple[Entry, ...]:
        try:
            value = json.loads(self._files.read(self.list_path, _MAX_LIST))
        except (OSError, ValueError, RecursionError):
            return ()
        if not isinstance(value, dict) or value.get("format") != _FORMAT:
            return ()
        copies = value.get("copies")
        if not isinstance(copies, list):
            return ()
        return tuple(entry for item in copies if (entry := _entry(item)) is not None)

    def _save(self, entries: Sequence[Entry]) -> None:
        value = {
            "format": _FORMAT,
            "copies": [asdict(entry) for entry in entries[-_MOST_LISTED:]],
        }
        try:
            write_atomically(self.list_path, json.dumps(value).encode(), self._files)
        except OSError as error:
            raise write_failed("The list of dated copies", error) from error


def _entry(item: Any) -> Entry | None:
    if not isinstance(item, dict) or item.keys() != set(Entry.__dataclass_fields__):
        return None
    texts = [item[name] for name in ("folder", "name", "digest", "salt")]
    if not all(isinstance(text, str) for text in texts) or type(item["time"]) is not int:
        return None
    if Path(item["name"]).name != item["name"]:
        return None
    return Entry(**item)
