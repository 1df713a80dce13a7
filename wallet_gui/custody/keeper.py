"""What can be done with wallets where there is no network: list, make, open, sign. All blocking."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from wallet_gui.custody.entries import NewWallet, WalletEntry
from wallet_gui.custody.open_wallet import OpenWallet
from wallet_gui.custody.requests import (
    VaultLook,
    create_request,
    restore_request,
    sign_request,
    unlock_request,
)
from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.custody.vault_errors import VaultError
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    NewWalletRequest,
    Progress,
    PsbtSigned,
    Request,
    WalletCreated,
    WalletUnlocked,
)
from wallet_gui.wallet import psbt_roles
from wallet_gui.wallet.errors import WalletError

R = TypeVar("R")
_OTHER_PAYMENT = (
    "The vault gave back another payment than it was asked to sign. It was not kept: start the "
    "program again, and if this comes back, do not use this computer for payments."
)


class Keeper:
    """One person's wallets on a computer without a network; asks the vault for every secret.

    `open` and `make` hand over the wallet that the caller closes.
    """

    def __init__(
        self,
        directory: DataDirectory,
        params: ChainParams,
        vault: VaultDialog,
        look: Callable[[], VaultLook],
        minimum_kdf: KdfParameters | None = None,
    ) -> None:
        """Prepare; `look` tells how the vault's window is to look at that moment."""
        self.directory = directory
        self.params = params
        self.vault = vault
        self.look = look
        self._minimum_kdf = minimum_kdf

    def wallets(self) -> tuple[WalletEntry, ...]:
        """List the wallet files of the data directory."""
        return tuple(WalletEntry(path.stem, str(path)) for path in self.directory.wallets())

    def ask(
        self,
        request: Request,
        reply_type: type[R],
        on_progress: Callable[[Progress], None] | None = None,
    ) -> R:
        """Ask the vault for whatever needs a key. Raises VaultError, VaultCancelled."""
        return self.vault.ask(request, reply_type, on_progress)

    def create(self, wanted: NewWallet) -> OpenWallet:
        """Let the vault make new words and a wallet of them. Raises VaultError, StorageError."""
        return self.make(create_request(wanted, self.params, self.look()))

    def restore(self, wanted: NewWallet) -> OpenWallet:
        """Let the vault make a wallet of words that exist. Raises VaultError, StorageError."""
        return self.make(restore_request(wanted, self.params, self.look()))

    def make(self, request: NewWalletRequest) -> OpenWallet:
        """Let the vault make a wallet file of whatever kind. Raises VaultError, StorageError."""
        made = self.ask(request, WalletCreated)
        return self._open(Path(made.path), made.view_key)

    def open(self, path: str) -> OpenWallet:
        """Unlock a wallet; the lock is taken before the password is asked.

        Raises VaultError, StorageError.
        """
        resolved = Path(path).resolve()
        # Before the lock file is made: a mistyped path must not leave one behind.
        WalletFile.read(resolved, minimum=self._minimum_kdf)
        lock = FileLock(resolved)
        lock.acquire()
        try:
            request = unlock_request(str(resolved), self.look())
            unlocked = self.ask(request, WalletUnlocked)
        except BaseException:
            lock.release()
            raise
        return self._open(resolved, unlocked.view_key, lock)

    def reopen(self, opened: OpenWallet, view_key: bytes) -> OpenWallet:
        """Open a wallet anew after its password was changed; the lock goes over. StorageError."""
        return self._open(Path(opened.path), view_key, opened.close_keeping_lock())

    def _open(self, path: Path, view_key: bytes, lock: FileLock | None = None) -> OpenWallet:
        return OpenWallet(path, view_key, self.params, lock, self._minimum_kdf)

    def sign(self, opened: OpenWallet, psbt: Psbt) -> Psbt:
        """Let the vault review and sign a payment; what comes back is checked here once more.

        Raises VaultError, and WalletError or ParseError for a PSBT whose amounts cannot be known or
        that holds a wrong signature already.
        """
        psbt_roles.check_signatures(psbt)
        request = sign_request(opened.path, opened.wallet, psbt, self.look())
        reply = self.ask(request, PsbtSigned)
        try:
            signed = Psbt.parse(reply.psbt_base64)
            psbt_roles.check_signatures(signed)
        except (ParseError, WalletError) as error:
            raise VaultError(_OTHER_PAYMENT) from error
        if signed.tx.serialize_stripped() != psbt.tx.serialize_stripped():
            raise VaultError(_OTHER_PAYMENT)
        return signed

    def close(self) -> None:
        """End the vault if it is still asked something."""
        self.vault.close()
