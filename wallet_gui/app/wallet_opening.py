"""Opening the two files of a wallet, and making a session of them."""

from collections.abc import Callable
from pathlib import Path

from wallet_gui.app.copy_keeper import BackedUpFile
from wallet_gui.app.published import SessionUpdate
from wallet_gui.app.scan_again import begin_if_due, described
from wallet_gui.app.session import WalletSession
from wallet_gui.custody.opening import open_view
from wallet_gui.primitives.params import ChainParams
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import cache_path
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.wallet.changes import WalletState
from wallet_gui.wallet.wallet import Wallet


def open_session(
    path: Path,
    view_key: bytes,
    params: ChainParams,
    publish: Callable[[SessionUpdate], None],
    lock: FileLock | None = None,
    minimum_kdf: KdfParameters | None = None,
) -> tuple[WalletSession, tuple[str, ...]]:
    """Open the two files of a wallet; blocking. Returns the session and notices for the person.

    Raises StorageError, also when the wallet is of another network.
    """
    wallet_file, lock = open_view(path, view_key, params, lock, minimum_kdf)
    cache: WalletCache | None = None
    try:
        description = described(wallet_file)
        cache = WalletCache(cache_path(path), description.cache_key)
        state = WalletState(view=wallet_file.state.view, cache=begin_if_due(wallet_file, cache))
        wallet = Wallet(description, params, state)
        wallet.snapshot(0)  # what takes long of the first one is kept
    except BaseException:
        if cache is not None:
            cache.close()
        lock.release()
        raise
    store = BackedUpFile(wallet_file, minimum_kdf)

    def release() -> None:
        store.close()
        lock.release()

    session = WalletSession(
        wallet_id=str(path),
        path=str(path),
        wallet=wallet,
        view_store=store,
        cache_store=cache,
        publish=publish,
        release=release,
    )
    return session, (*wallet_file.notices, *cache.notices)
