"""A wallet that is open where there is no network: what it is, and what a person changes in it."""

import time
from collections.abc import Sequence
from pathlib import Path

from wallet_gui.custody.entries import RevealedAddress
from wallet_gui.custody.opening import open_view
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import ChainParams
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import cache_path
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import CacheChange, ChangeSet, WalletState
from wallet_gui.wallet.wallet import Wallet


class OpenWallet:
    """Holds the wallet's lock and its view key until `close`. For one thread at a time.

    Its cache is opened only where there is one, in a folder that an online window uses as well: on
    a computer without a network there is nothing to remember of the chain.
    """

    def __init__(
        self,
        path: Path,
        view_key: bytes,
        params: ChainParams,
        lock: FileLock | None = None,
        minimum_kdf: KdfParameters | None = None,
    ) -> None:
        """Open the files; blocking. Raises StorageError."""
        self.path = str(path)
        self.params = params
        self._file, self._lock = open_view(path, view_key, params, lock, minimum_kdf)
        self._cache: WalletCache | None = None
        try:
            description = self._file.state.description
            content = CacheChange()
            if cache_path(path).exists():
                self._cache = WalletCache(cache_path(path), description.cache_key)
                content = self._cache.load()
            self.wallet = Wallet(description, params, WalletState(self._file.state.view, content))
        except BaseException:
            self.close()
            raise
        self._unsaved = ChangeSet()

    @property
    def wallet_id(self) -> str:
        return self.path

    @property
    def file(self) -> WalletFile:
        """The wallet file, for what is kept in it besides the wallet."""
        return self._file

    @property
    def notices(self) -> tuple[str, ...]:
        """Sentences for the person about how the files were found."""
        return (*self._file.notices, *(self._cache.notices if self._cache else ()))

    @property
    def first_addresses(self) -> tuple[str, ...]:
        """The first receive address of each account, to be compared on two computers."""
        return tuple(descriptor.first_address for descriptor in self.wallet.descriptors)

    def new_request(self, label: str = "", amount_sat: int | None = None) -> RevealedAddress:
        """Reveal the next receive address, stored before it is shown. Raises GapLimit."""
        now = int(time.time())
        index, script = self.wallet.next_address(label, amount_sat=amount_sat, now=now)
        self.store()
        address = address_from_script(script, self.params) or ""
        return RevealedAddress(self.wallet.description.active, index, address)

    def set_labels(self, labels: Sequence[tuple[str, str, str]]) -> None:
        """Set many labels (BIP329 type, reference, text) with one save."""
        for kind, reference, text in labels:
            self.wallet.set_label(kind, reference, text)
        self.store()

    def store(self) -> None:
        """Store what changed; when this raises StorageError, the next call tries again."""
        change = self._unsaved = self._unsaved.merge(self.wallet.take_staged())
        self._file.merge(change.view)
        if self._cache is not None:
            self._cache.store(change.cache)
        self._unsaved = ChangeSet()

    def close_keeping_lock(self) -> FileLock:
        """Close the files and hand the lock over to the caller."""
        if self._cache is not None:
            self._cache.close()
            self._cache = None
        return self._lock

    def close(self) -> None:
        """Close the files and give the lock back."""
        self.close_keeping_lock().release()
