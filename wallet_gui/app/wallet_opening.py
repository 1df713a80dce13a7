"""Opening the two files of a wallet, and making a session of them."""

import contextlib
import gc
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from wallet_gui.app.published import SessionUpdate
from wallet_gui.app.session import WalletSession
from wallet_gui.primitives.params import ChainParams
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.errors import Unreadable
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import cache_path
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import WalletDescription, WalletState
from wallet_gui.wallet.wallet import Wallet


def _release(lock: FileLock) -> None:
    gc.unfreeze()
    lock.release()


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
    lock = lock or FileLock(path)
    lock.acquire()
    cache: WalletCache | None = None
    try:
        wallet_file = WalletFile.open(lock, view_key, minimum=minimum_kdf)
        description = wallet_file.state.description
        _check_network(description, params)
        with _kept_for_long():
            cache = WalletCache(cache_path(path), description.cache_key)
            state = WalletState(view=wallet_file.state.view, cache=cache.load())
            wallet = Wallet(description, params, state)
            wallet.snapshot(0)  # what takes long of the first one is kept
    except BaseException:
        if cache is not None:
            cache.close()
        lock.release()
        raise
    session = WalletSession(
        wallet_id=str(path),
        path=str(path),
        wallet=wallet,
        view_store=wallet_file,
        cache_store=cache,
        publish=publish,
        release=partial(_release, lock),
    )
    return session, (*wallet_file.notices, *cache.notices)


@contextlib.contextmanager
def _kept_for_long() -> Iterator[None]:
    """Keep the collector of garbage away from what is made inside: it lives while the wallet does.

    Looking through millions of objects again and again takes longer than making them, and stops the
    window each time.
    """
    gc.collect()
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


def _check_network(description: WalletDescription, params: ChainParams) -> None:
    if description.network != params.name:
        raise Unreadable(
            f"This is a wallet for {description.network}, and the program runs on "
            f"{params.name}. Start it with --network {description.network}."
        )
