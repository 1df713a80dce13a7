"""Opening the file of a wallet under its lock, once its view key is known."""

from pathlib import Path

from wallet_gui.primitives.params import ChainParams
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.errors import Unreadable
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import WalletDescription


def open_view(
    path: Path,
    view_key: bytes,
    params: ChainParams,
    lock: FileLock | None = None,
    minimum_kdf: KdfParameters | None = None,
) -> tuple[WalletFile, FileLock]:
    """Open the wallet file for the holder of its lock; blocking.

    The lock, given or taken here, stays the caller's; it is given back when this raises
    StorageError, also because the wallet is of another network.
    """
    lock = lock or FileLock(path)
    lock.acquire()
    try:
        wallet_file = WalletFile.open(lock, view_key, minimum=minimum_kdf)
        _check_network(wallet_file.state.description, params)
    except BaseException:
        lock.release()
        raise
    return wallet_file, lock


def _check_network(description: WalletDescription, params: ChainParams) -> None:
    if description.network != params.name:
        raise Unreadable(
            f"This is a wallet for {description.network}, and the program runs on "
            f"{params.name}. Start it with --network {description.network}."
        )
