"""Locking drops the view key: nothing in the process knows it, and the file is free again."""

import asyncio
import gc
from pathlib import Path
from typing import cast

from tests.unit.vault.samples import TINY, make_wallet
from wallet_gui.app.locking import lock_wallet
from wallet_gui.app.online import Online
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import Request, WalletUnlocked
from wallet_gui.wallet.wallet import Wallet

OPENED = (WalletSession, WalletFile, Wallet)


class Vault:
    """A vault that knows the key of one file."""

    def __init__(self, path: Path, view_key: bytes) -> None:
        self._path = path
        self._view_key = view_key
        self.cancelled = 0

    async def ask(self, _request: Request, _reply: type[WalletUnlocked]) -> WalletUnlocked:
        # A copy: the test's own must not be taken for one that was left behind.
        return WalletUnlocked(str(self._path), bytes(bytearray(self._view_key)))

    def cancel_all(self) -> None:
        self.cancelled += 1

    async def close(self) -> None:
        pass


def opened() -> list[object]:
    """What of an open wallet is alive."""
    gc.collect()
    return [found for found in gc.get_objects() if isinstance(found, OPENED)]


def test_locking_leaves_no_view_key_and_no_wallet(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path / "data", REGTEST)
    directory.create()
    sample = make_wallet(directory.wallets_directory)
    path, view_key = sample.path, sample.view_key
    del sample
    before = {id(found) for found in opened()}
    vault = Vault(path, view_key)

    async def run() -> None:
        online = Online(
            directory,
            REGTEST,
            P2PBackend,
            lambda _: None,
            vault=cast("VaultClient", vault),
            minimum_kdf=TINY,
        )
        await online.start_offline()
        wallet_id = (await online.open_wallet(str(path))).wallet_id
        assert {id(found) for found in opened()} - before
        await lock_wallet(online, wallet_id)
        assert vault.cancelled == 1
        # A picture of it may be on its way to the screen still.
        left: list[str] = []
        for _ in range(40):
            left = [type(found).__name__ for found in opened() if id(found) not in before]
            if not left:
                break
            await asyncio.sleep(0.05)
        assert left == []
        keys = [
            found
            for holder in gc.get_objects()
            if isinstance(holder, dict)
            for found in holder.values()
            if type(found) is bytes and found == view_key and found is not view_key
        ]
        assert keys == []
        with FileLock(path):
            pass  # whoever comes next may open it
        await online.stop()

    asyncio.run(run())
