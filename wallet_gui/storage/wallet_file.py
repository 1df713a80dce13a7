"""NAME.wallet: small and irreplaceable. The view box is opened here, the secret box is opaque.

A save (the protocol of `WalletFile.save_view`): write NAME.wallet.new under a name that must not
exist, bring it to the disk, read it back and decrypt it; at most once an hour move the older
copies .1 to .2 to .3 and give the current file the name .1; rename the new file over the current
one; bring the directory to the disk. Only then does the call return. At every instant a complete
file is there under the current name or as the newest older copy. How the bytes are laid out is in
`wallet_layout`.
"""

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self

from wallet_gui.sealing import VIEW, KdfParameters, seal_box
from wallet_gui.storage.errors import (
    AlreadyExists,
    ChangedOnDisk,
    Damaged,
    NotFound,
    StorageError,
    Unreadable,
    WriteFailed,
    write_failed,
)
from wallet_gui.storage.file_names import GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES, FileSystem, make_private_directory
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_layout import (
    MAX_SIZE,
    WalletFileContents,
    assemble,
    open_view,
    parse,
)
from wallet_gui.wallet.changes import ViewChange

SUFFIX: Final = WALLET_SUFFIX
ROTATION_SECONDS: Final = 3600

_CANDIDATES: Final = ("", *GENERATIONS, ".new")
_COPIES_REMAIN: Final = (
    "Not all older copies of the wallet file could be replaced; those still open as before, with "
    "the old password or by cheaper guessing. They are replaced when you next open the wallet."
)
_NOT_CONFIRMED: Final = (
    "The disk did not confirm the new password. It holds for now; should the computer lose power, "
    "the old one may hold again. Copy the wallet file to another disk and check this one."
)


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


class _Current(Enum):
    """What is found under the file's own name just before a save."""

    OURS = "ours"
    DAMAGED = "damaged"
    MISSING = "missing"


class WalletFile:
    """One wallet file, opened by the holder of its lock; what the window saves through.

    Not for concurrent use: one thread calls. `state` is what was last saved or read, `notices`
    what a person should know about how the file was found.
    """

    def __init__(
        self,
        lock: FileLock,
        view_key: bytes,
        contents: WalletFileContents,
        state: ViewState,
        files: FileSystem,
        now: Callable[[], float],
        minimum: KdfParameters | None,
    ) -> None:
        self.path = lock.path
        self.state = state
        self.notices = contents.notices
        self._lock = lock
        self._view_key = view_key
        self._contents = contents
        self._files = files
        self._now = now
        self._minimum = minimum
        # Digests that this object read or tried to write: a failed save may still have arrived.
        self._known = {contents.digest}

    def __repr__(self) -> str:
        return f"WalletFile({str(self.path)!r})"  # without the key

    @classmethod
    def create(
        cls,
        path: Path,
        view_box: bytes,
        secret_box: bytes | None,
        *,
        view_key: bytes,
        files: FileSystem = OS_FILES,
        minimum: KdfParameters | None = None,
    ) -> None:
        """Write a new wallet file, under its lock, with the save protocol.

        `view_box` is `seal_box(view_key, VIEW, kdf, salt, ViewState(...).encode())`; `secret_box`
        is None for a watch-only wallet. Missing folders are made. Raises AlreadyExists when
        anything of a wallet of that name is there, InUse, WriteFailed, Damaged or WrongKey when
        the boxes are not what they should be.
        """
        if path.suffix != SUFFIX:
            raise ValueError(f"a wallet file is called NAME{SUFFIX}")
        subject = f"The wallet “{path.stem}”"
        try:
            make_private_directory(path.parent)
        except OSError as error:
            raise write_failed(subject, error) from error
        data = assemble(view_key, view_box, secret_box, 0)
        state = open_view(parse(data, minimum=minimum), view_key, minimum=minimum)
        if state.description.has_secrets != (secret_box is not None):
            raise ValueError("the description and the secret box disagree about secrets")
        with FileLock(path, subject) as lock:
            path = lock.path
            for ending in _CANDIDATES:
                if files.exists(_beside(path, ending)):
                    _refuse_name(files, path, ending, minimum)
            try:
                _write_verified(files, path, data)
                files.replace(_beside(path, ".new"), path)
                files.sync_directory(path.parent)
            except OSError as error:
                raise write_failed(subject, error) from error

    @staticmethod
    def read(
        path: Path, *, files: FileSystem = OS_FILES, minimum: KdfParameters | None = None
    ) -> WalletFileContents:
        """Read the file or, where it is missing or damaged, its newest intact copy.

        Needs neither key nor lock, changes nothing. Raises NotFound, Unreadable, Damaged (with
        every copy), NewerFormat.
        """
        path = path.resolve()
        notices: list[str] = []
        found = False
        for ending in _CANDIDATES:
            candidate = _beside(path, ending)
            try:
                contents = parse(files.read(candidate, MAX_SIZE), minimum=minimum)
            except FileNotFoundError:
                if not ending:
                    notices.append(f"{path.name} is missing.")
                continue
            except PermissionError as error:
                raise Unreadable(
                    f"You may not read {candidate.name}. Give yourself the right to read it."
                ) from error
            except (OSError, Damaged):
                found = True
                notices.append(f"{candidate.name} is damaged.")
                continue
            return _with_source(contents, path, ending, notices)
        if not found:
            raise NotFound(f"There is no wallet file {path.name} in {path.parent}.")
        raise Damaged(
            f"{path.name} is no intact wallet file, and no older copy of it is intact. "
            "Restore the wallet from a backup of the file or from its words."
        )

    @classmethod
    def open(
        cls,
        lock: FileLock,
        view_key: bytes,
        *,
        files: FileSystem = OS_FILES,
        now: Callable[[], float] = time.time,
        minimum: KdfParameters | None = None,
    ) -> Self:
        """Open the file that `lock` protects; the lock must be held and stays the caller's.

        Finishes a password change that was interrupted. Raises what `read` raises, and WrongKey.
        """
        if not lock.held:
            raise ValueError("the lock of a wallet file is taken before the file is opened")
        if lock.path.name.endswith((*GENERATIONS, ".new")):
            raise Unreadable(
                f"{lock.path.name} is an older copy of a wallet file. Copy it to a name of its own "
                f"that ends in {SUFFIX} and open that."
            )
        contents = cls.read(lock.path, files=files, minimum=minimum)
        state = open_view(contents, view_key, minimum=minimum)
        wallet_file = cls(lock, view_key, contents, state, files, now, minimum)
        # Not from an older copy: removing those would remove the only intact one.
        if contents.purge_pending and not contents.source:
            wallet_file.notices += wallet_file._remove_older_copies()
        return wallet_file

    def merge(self, change: ViewChange) -> None:
        """Save the state with a wallet's staged change merged in; nothing to do if it is empty."""
        if not change.is_empty:
            self.save_view(self.state.merge(change))

    @property
    def settings(self) -> Mapping[str, Any]:
        """What is kept in the view box besides the wallet itself: JSON values by name."""
        return self.state.settings

    def keep_setting(self, key: str, value: Any) -> None:
        """Keep one such value, or take it away (None); nothing to do when it is there already."""
        settings = {name: kept for name, kept in self.state.settings.items() if name != key}
        if value is not None:
            settings[key] = value
        if settings != self.state.settings:
            self.save_view(replace(self.state, settings=settings))

    def owns(self, contents: WalletFileContents) -> bool:
        """Whether a file is a copy of this wallet: its key opens it, and it is the same wallet."""
        try:
            there = open_view(contents, self._view_key, minimum=self._minimum)
        except StorageError:
            return False
        return there.description.cache_key == self.state.description.cache_key

    def reopened(self, view_key: bytes) -> Self:
        """Open the file again under the same lock, after the vault wrote it. Raises as `open`."""
        return type(self).open(
            self._lock, view_key, files=self._files, now=self._now, minimum=self._minimum
        )

    def save_view(self, state: ViewState) -> None:
        """Replace the view on disk; when this returns, no crash loses it any more.

        The secret box is copied byte for byte. Raises WriteFailed (what was saved before is
        kept), TooLarge, ChangedOnDisk, NewerFormat.
        """
        header = self._contents.view_header
        view_box = seal_box(
            self._view_key, VIEW, header.kdf, header.salt, state.encode(), minimum=self._minimum
        )
        now = int(self._now())
        pending = self._contents.purge_pending
        # No new older copies while the ones under an old password wait to be removed.
        rotate = not pending and abs(now - self._contents.rotated_at) >= ROTATION_SECONDS
        rotated_at = max(now, 0) if rotate else self._contents.rotated_at
        data = assemble(
            self._view_key, view_box, self._contents.secret_box, rotated_at, purge_pending=pending
        )
        self._write(data, state, rotate=rotate)

    def change_password(
        self,
        view_key: bytes,
        kdf: KdfParameters,
        salt: bytes,
        secret_box: bytes | None,
        state: ViewState | None = None,
    ) -> tuple[str, ...]:
        """Seal the view under a new key and put a new secret box in place; the vault's part.

        `state` takes the place of the view where the new secret box needs another note in it.

        When this returns, the new password holds, and no file in the folder opens with the old
        one unless a returned sentence says so (the next `open` tries again). When it raises,
        the old password holds, but for one case that its sentence names: the disk took the new
        file and failed to confirm it.
        """
        if (secret_box is None) != (self._contents.secret_box is None):
            raise ValueError("a password change neither adds nor takes away the secrets")
        state = self.state if state is None else state
        view_box = seal_box(view_key, VIEW, kdf, salt, state.encode(), minimum=self._minimum)
        data = assemble(view_key, view_box, secret_box, 0, purge_pending=True)
        old_key, self._view_key = self._view_key, view_key
        try:
            self._write(data, state, rotate=False)
        except StorageError as error:
            contents = parse(data, minimum=self._minimum)
            if not self._is_in_place(contents):
                self._view_key = old_key
                raise
            self._contents, self.state = contents, state
            raise WriteFailed(_NOT_CONFIRMED) from error
        return self._remove_older_copies()

    def seal_anew(
        self,
        view_key: bytes,
        kdf: KdfParameters,
        salt: bytes,
        secret_box: bytes | None,
        state: ViewState,
        *,
        is_stronger: bool = False,
    ) -> tuple[str, ...]:
        """Replace both boxes by ones that the same password opens; the vault's part of an upgrade.

        What was there becomes the newest older copy, byte for byte, once the new file was written
        and read back. `is_stronger`: it is removed with all older copies instead, as after a
        password change, because guessing at them would be cheaper; what of that fails is told, and
        tried again when next opened. Raises StorageError; then everything is as it was.
        """
        if (secret_box is None) != (self._contents.secret_box is None):
            raise ValueError("an upgrade neither adds nor takes away the secrets")
        view_box = seal_box(view_key, VIEW, kdf, salt, state.encode(), minimum=self._minimum)
        now = max(int(self._now()), 0)
        pending = self._contents.purge_pending or is_stronger
        data = assemble(view_key, view_box, secret_box, now, purge_pending=pending)
        old_key, self._view_key = self._view_key, view_key
        try:
            self._write(data, state, rotate=not pending)
        except StorageError:
            contents = parse(data, minimum=self._minimum)
            if not self._is_in_place(contents):
                self._view_key = old_key
                raise
            # The disk took the file and failed to confirm it. Both open with the password; the
            # older copies stay until a disk that works again is asked.
            self._contents, self.state = contents, state
            return ()
        return self._remove_older_copies() if is_stronger else ()

    def _remove_older_copies(self) -> tuple[str, ...]:
        """Finish a password change; what fails is told, and tried again when next opened."""
        aside = re.compile(re.escape(self.path.name) + r"\.aside-[0-9]+")
        try:
            for name in self._files.names(self.path.parent):
                if aside.fullmatch(name):
                    self._files.remove(self.path.with_name(name))
            for ending in GENERATIONS:
                if self._files.exists(_beside(self.path, ending)):
                    self._files.remove(_beside(self.path, ending))
            self._files.sync_directory(self.path.parent)
            # A save that clears the flag; its copy is the first older copy under the new key.
            data = assemble(
                self._view_key,
                self._contents.view_box,
                self._contents.secret_box,
                max(int(self._now()), 0),
            )
            self._write(data, self.state, rotate=False)
            self._files.write_new(_beside(self.path, ".1"), data)
            self._files.sync_directory(self.path.parent)
        except (OSError, StorageError):
            return (_COPIES_REMAIN,)
        return ()

    def _write(self, data: bytes, state: ViewState, *, rotate: bool) -> None:
        if not self._lock.held:
            raise ValueError("the lock of the wallet file was given back")
        contents = parse(data, minimum=self._minimum)
        try:
            current = self._clear_new(self._inspect_current())
            _write_verified(self._files, self.path, data)
            open_view(contents, self._view_key, minimum=self._minimum)  # the same bytes
            if current is _Current.OURS and rotate:
                self._rotate()
            if current is _Current.DAMAGED:
                self._files.copy_aside(self.path, self._aside())
            self._known.add(contents.digest)
            self._files.replace(_beside(self.path, ".new"), self.path)
            self._files.sync_directory(self.path.parent)
        except OSError as error:
            raise write_failed(f"The wallet “{self.path.stem}”", error) from error
        self._contents = contents
        self._known = {contents.digest}
        self.state = state

    def _is_in_place(self, contents: WalletFileContents) -> bool:
        try:
            return self._files.read(self.path, MAX_SIZE).endswith(contents.digest)
        except OSError:
            return False

    def _inspect_current(self) -> _Current:
        try:
            there = parse(self._files.read(self.path, MAX_SIZE), minimum=self._minimum)
        except FileNotFoundError:
            return _Current.MISSING
        except PermissionError:
            raise
        except (OSError, Damaged):
            return _Current.DAMAGED
        if there.digest not in self._known:
            raise ChangedOnDisk(
                f"{self.path.name} was replaced by another wallet file while it was open. "
                "Close the wallet and open it again; nothing was written."
            )
        return _Current.OURS

    def _clear_new(self, current: _Current) -> _Current:
        """Free the name .new, which only an interrupted save leaves behind."""
        new = _beside(self.path, ".new")
        if not self._files.exists(new):
            return current
        if current is _Current.OURS:
            self._files.remove(new)
            return current
        if self._contents.source != ".new":  # keep it: it may be newer than what was opened
            self._files.replace(new, self._aside())
            return current
        # It is the only intact content, so it becomes the file before it can be in the way.
        if current is _Current.DAMAGED:
            self._files.copy_aside(self.path, self._aside())
        self._files.replace(new, self.path)
        self._files.sync_directory(self.path.parent)
        self._contents = replace(self._contents, source="")
        return _Current.OURS

    def _aside(self) -> Path:
        number = int(self._now())
        while self._files.exists(_beside(self.path, f".aside-{number}")):
            number += 1
        return _beside(self.path, f".aside-{number}")

    def _rotate(self) -> None:
        for older, newer in ((".3", ".2"), (".2", ".1")):
            if self._files.exists(_beside(self.path, newer)):
                self._files.replace(_beside(self.path, newer), _beside(self.path, older))
        self._files.copy_aside(self.path, _beside(self.path, ".1"))


def _with_source(
    contents: WalletFileContents, path: Path, ending: str, notices: list[str]
) -> WalletFileContents:
    if not ending:
        return contents
    what = "an interrupted save" if ending == ".new" else "an older copy"
    told = (*notices, f"The wallet was read from {what}, {path.name}{ending}.")
    return replace(contents, source=ending, notices=told)


def _refuse_name(files: FileSystem, path: Path, ending: str, minimum: KdfParameters | None) -> None:
    """Refuse to create over what is there, unless it is the torn start of another creation."""
    found = _beside(path, ending)
    if ending == ".new":
        try:
            parse(files.read(found, MAX_SIZE), minimum=minimum)
        except Damaged:
            files.remove(found)
            return
        except OSError as error:
            raise write_failed(f"The wallet “{path.stem}”", error) from error
    raise AlreadyExists(
        f"There is already a file {found.name} in this folder. Choose another name for the wallet."
    )


def _write_verified(files: FileSystem, path: Path, data: bytes) -> None:
    """Write NAME.wallet.new, bring it to the disk and read it back; OSError or WriteFailed."""
    new = _beside(path, ".new")
    files.write_new(new, data)
    if files.read(new, MAX_SIZE) != data:
        with contextlib.suppress(OSError):
            files.remove(new)
        raise WriteFailed(
            f"The disk gave back other bytes than were written to {new.name}. "
            "Copy your wallet files to another disk; everything saved before is kept."
        )
