"""Dated copies of an open wallet, made by themselves in a thread of their own.

A folder may be on a stick that is not there, or on a share that answers after a minute: neither
may hold up a payment. So whatever goes wrong becomes a sentence in `CopiesReport`, and the next
change, or the next opening of the wallet, tries again.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.dated_copies import CopiesState, DatedCopies
from wallet_gui.storage.errors import StorageError
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import ViewChange

FOLDER_SETTING: Final = "backup_folder"
"""Where in the view box the person's second folder is kept: a full path."""

# Changes within this time become one copy: twenty copies shall reach back further than an hour.
_GATHER_SECONDS: Final = 60.0
# How long closing a wallet waits for a copy. What is not done by then is done at the next opening.
_PATIENCE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class CopiesReport:
    """How the dated copies are doing; `folder` is "" while none are made.

    `state` is None before anything is known, `problem` a sentence about the last attempt.
    """

    folder: str = ""
    state: CopiesState | None = None
    problem: str = ""
    is_busy: bool = False


class CopyKeeper:
    """Makes a copy some time after a change. Thread-safe."""

    def __init__(
        self,
        make: Callable[[Path], DatedCopies],
        folder: Path | None = None,
        *,
        gather_seconds: float = _GATHER_SECONDS,
    ) -> None:
        self._make = make
        self._gather_seconds = gather_seconds
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_due = False
        self._folder = folder
        self._report = CopiesReport("" if folder is None else str(folder))

    @property
    def report(self) -> CopiesReport:
        with self._lock:
            return self._report

    def use(self, folder: Path | None) -> None:
        """Make copies into this folder from now on, the first at once; None makes none."""
        with self._lock:
            self._folder = folder
            self._report = CopiesReport("" if folder is None else str(folder))
        self.note_change(at_once=True)

    def note_change(self, *, at_once: bool = False) -> None:
        """Make a copy soon, unless one of the same bytes is there already."""
        with self._lock:
            if self._folder is None:
                return
            self._is_due = True
            if at_once:
                self._hurry.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="copies", daemon=True)
                self._thread.start()

    def close(self, seconds: float = _PATIENCE_SECONDS) -> None:
        """Make at once what is due, and wait for it for a while."""
        self._hurry.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while True:
            self._hurry.wait(self._gather_seconds)
            with self._lock:
                self._hurry.clear()
                folder, is_due = self._folder, self._is_due
                self._is_due = False
                if folder is None or not is_due:
                    self._thread = None
                    return
                self._report = CopiesReport(str(folder), self._report.state, is_busy=True)
            report = self._copied(folder)
            with self._lock:
                if self._folder == folder:
                    self._report = report
                if not self._is_due:
                    self._thread = None
                    return

    def _copied(self, folder: Path) -> CopiesReport:
        try:
            return CopiesReport(str(folder), self._make(folder).make())
        except (StorageError, OSError) as error:
            words = str(error) if isinstance(error, StorageError) else f"{error.strerror}."
            return CopiesReport(str(folder), self.report.state, words)


class BackedUpFile:
    """The wallet file as a session stores into it, with a copy after each change of the view."""

    def __init__(self, wallet_file: WalletFile, minimum: KdfParameters | None = None) -> None:
        self._file = wallet_file
        self._minimum = minimum
        folder = wallet_file.settings.get(FOLDER_SETTING)
        self.keeper = CopyKeeper(
            self.dated_copies, Path(folder) if isinstance(folder, str) and folder else None
        )
        # What changed while the folder was not there, or elsewhere, is copied now.
        self.keeper.note_change()

    @property
    def file(self) -> WalletFile:
        return self._file

    def dated_copies(self, folder: Path) -> DatedCopies:
        """The copies of this wallet in a folder."""
        return DatedCopies(self._file.path, folder, minimum=self._minimum)

    @property
    def minimum(self) -> KdfParameters | None:
        return self._minimum

    # --- what a session stores through

    def merge(self, change: ViewChange) -> None:
        """Merge a change into the file, durably; raises StorageError."""
        self._file.merge(change)
        if not change.is_empty:
            self.keeper.note_change()

    @property
    def settings(self) -> Mapping[str, Any]:
        return self._file.settings

    def keep_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value, durably; None takes it away. Raises StorageError."""
        self._file.keep_setting(key, value)

    def reopen(self, view_key: bytes) -> tuple[str, ...]:
        """Go on with the file that the vault wrote; returns notices. Raises StorageError."""
        self._file = self._file.reopened(view_key)
        self.keeper.note_change(at_once=True)
        return self._file.notices

    def close(self) -> None:
        """Finish the copy that is due."""
        self.keeper.close()
