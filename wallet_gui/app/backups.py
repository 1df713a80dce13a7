"""The use cases of backups: checking them, copying, remembering when it was done, the sheet.

For the window and the command line, on the engine's loop; whatever touches a disk is done in a
thread, and whatever needs a password in the vault.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from wallet_gui.app.copy_keeper import FOLDER_SETTING, BackedUpFile, CopiesReport
from wallet_gui.app.online import Online
from wallet_gui.app.session import WalletSession
from wallet_gui.custody.backup_sheets import write_sheet
from wallet_gui.storage.backups import save_copy
from wallet_gui.storage.dated_copies import CopiesState
from wallet_gui.storage.errors import StorageError
from wallet_gui.transfer.messages import (
    BackupChecked,
    ChangePassword,
    CheckBackup,
    DrillWords,
    PasswordChanged,
    ShowWords,
    WordsDrilled,
    WordsShown,
)
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks, BackupKind
from wallet_gui.wallet.backup_sheet import SheetContents, sheet_of


@dataclass(frozen=True, slots=True)
class BackupStatus:
    """What there is to say about the backups of a wallet; `reminder` is what is due now, if any."""

    checks: BackupChecks
    needed: tuple[BackupKind, ...]
    reminder: BackupKind | None
    is_put_off: bool
    has_words: bool
    has_secrets: bool
    copies: CopiesReport


class Backups:
    """The backups of one open wallet. Every method is called on the engine's loop."""

    def __init__(
        self,
        online: Online,
        wallet_id: str,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        """Take an open wallet; raises VaultError when it is not open any more."""
        self._online = online
        self._session: WalletSession = online.session(wallet_id)
        self._clock = clock

    # --- what is known

    def checks(self) -> BackupChecks:
        """What was checked, and when."""
        return BackupChecks.of(self._session.kept_setting(SETTING))

    async def status(self) -> BackupStatus:
        """Put together what the cards show."""
        checks, now = self.checks(), self._clock()
        wallet = self._session.wallet
        has_secrets = wallet.description.has_secrets
        is_multisig = any(descriptor.is_multisig for descriptor in wallet.descriptors)
        needed = checks.needed(has_secrets=has_secrets, is_multisig=is_multisig)
        # Nobody has to write down the words of play money that is gone with the program.
        is_play = self._online.playground is not None
        return BackupStatus(
            checks=checks,
            needed=needed,
            reminder=None if is_play else checks.reminder(needed, now),
            is_put_off=checks.is_put_off(needed, now),
            has_words=has_secrets and checks.word_count != 0,
            has_secrets=has_secrets,
            copies=self._store.keeper.report,
        )

    @property
    def _store(self) -> BackedUpFile:
        # What `wallet_opening` gave the session.
        return cast("BackedUpFile", self._session.view_store)

    async def _keep(self, checks: BackupChecks) -> None:
        await self._session.keep_setting(SETTING, checks.to_setting())

    async def put_off(self) -> None:
        """Let the reminder rest for a week. Raises StorageError."""
        await self._keep(self.checks().put_off(self._clock()))

    # --- what the vault does

    async def check_file(self, copy: Path, **options: Any) -> BackupChecked:
        """Let the vault compare a copy with the wallet, and keep the date. Raises VaultError."""
        look = self._online.vault_look()
        request = CheckBackup(
            path=self._session.path,
            backup_path=str(copy),
            appearance=look.appearance,
            text_scale=look.text_scale,
            **{"headless": look.headless, **options},
        )
        checked = await self._online.ask_vault(request, BackupChecked)
        if checked.is_same:
            await self._keep(self.checks().succeeded(BackupKind.FILE, self._clock()))
        return checked

    async def drill_words(self) -> WordsDrilled:
        """Let the person type the words into the vault, and keep the outcome. Raises VaultError."""
        look = self._online.vault_look()
        request = DrillWords(
            path=self._session.path,
            appearance=look.appearance,
            text_scale=look.text_scale,
            headless=look.headless,
        )
        drilled = await self._online.ask_vault(request, WordsDrilled)
        await self._keep(
            self.checks().drilled(
                is_right=drilled.is_right,
                word_count=drilled.word_count,
                has_passphrase=drilled.has_passphrase,
                now=self._clock(),
            )
        )
        return drilled

    async def show_words(self) -> None:
        """Let the vault show the words once more. Raises VaultError."""
        look = self._online.vault_look()
        request = ShowWords(
            path=self._session.path,
            appearance=look.appearance,
            text_scale=look.text_scale,
            headless=look.headless,
        )
        await self._online.ask_vault(request, WordsShown)

    async def change_password(self) -> tuple[str, ...]:
        """Let the vault change the password while nothing is stored; returns notices.

        Raises VaultError (then the old password holds) or StorageError.
        """
        look = self._online.vault_look()
        request = ChangePassword(
            path=self._session.path,
            lock_held=True,
            appearance=look.appearance,
            text_scale=look.text_scale,
            headless=look.headless,
        )
        session = self._session
        # What a payment changes meanwhile waits, and goes into the new file.
        async with session.storing:
            changed = await self._online.ask_vault(request, PasswordChanged)
            return await asyncio.to_thread(self._store.reopen, changed.view_key)

    def sheet(self) -> SheetContents:
        """What the backup sheet of this wallet says; nothing of it is secret."""
        wallet = self._session.wallet
        return sheet_of(wallet.description, wallet.descriptors, self.checks(), self._clock())

    async def write_sheet(self, path: Path, page_size: str) -> Path:
        """Write the backup sheet as a PDF; returns where it is. Raises WriteFailed."""
        return await asyncio.to_thread(write_sheet, self.sheet(), path, page_size)

    # --- copies

    async def save_copy(self, target: Path) -> Path:
        """Copy the wallet file as it is now; returns where the copy is. Raises StorageError."""
        store = self._store
        return await asyncio.to_thread(
            save_copy,
            Path(self._session.path),
            target,
            store.file.owns,
            minimum=store.minimum,
        )

    async def use_folder(self, folder: Path | None) -> None:
        """Make dated copies into a second folder from now on, or none. Raises StorageError."""
        store = self._store
        if folder is not None:
            await asyncio.to_thread(store.dated_copies(folder).prepare)
        await self._session.keep_setting(FOLDER_SETTING, None if folder is None else str(folder))
        store.keeper.use(folder)

    async def copy_now(self) -> None:
        """Try the dated copy again."""
        self._store.keeper.note_change(at_once=True)

    async def remove_older_passwords(self) -> CopiesState:
        """Delete the dated copies from before the password was changed. Raises StorageError."""
        store = self._store
        folder = store.keeper.report.folder
        if not folder:
            raise StorageError("No dated copies are made. Choose a folder for them first.")
        state = await asyncio.to_thread(store.dated_copies(Path(folder)).remove_older_passwords)
        store.keeper.note_change(at_once=True)
        return state
