"""Restores a wallet with the product's own P2P backend; run by `bench_sync.py`.

    python -m tests.benchmarks.sync_ours PORT DESCRIPTOR DIRECTORY

Prints one line of JSON: seconds of wall and CPU from the start of the sync to the exact balance.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.sync_report import LIMIT, report
from wallet_gui.chain.backend import BlockMatched, ChainEvent, Phase, Scanned, SyncProgress
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.wallet.changes import BlockRef, WalletDescription
from wallet_gui.wallet.wallet import Wallet


async def sync(port: int, text: str, directory: str) -> dict[str, Any]:
    """Sync with `P2PBackend`, the wallet and the database of the product."""
    began = time.perf_counter()
    description = WalletDescription("bench", "regtest", (text,), 0, "00000000", None, bytes(32))
    wallet = Wallet(description, REGTEST)
    wallet.take_new_scripts()
    done = asyncio.Event()
    phases: dict[str, float] = {}

    async def sink(event: ChainEvent) -> None:
        match event:
            case BlockMatched(_, height, block):
                wallet.apply_block(block, height)
                if new := wallet.take_new_scripts():
                    backend.extend_watch("bench", new, from_height=height)
            case Scanned(_, height, block_hash):
                wallet.scanned(BlockRef(height, block_hash))
                if backend.is_synced():
                    done.set()
            case SyncProgress(phase):
                phases.setdefault(phase.value, round(time.perf_counter() - began, 3))
                if phase is Phase.SYNCED and backend.is_synced():
                    done.set()
            case _:
                pass

    with ChainDb(Path(directory) / "chain.db", REGTEST) as database:
        options = P2POptions(own_peers=(PeerAddress("127.0.0.1", port),), only_own_peers=True)
        backend = P2PBackend(REGTEST, options, database, sink)
        backend.watch("bench", wallet.watch_scripts(), checkpoints=(), birthday_time=None)
        await backend.start()
        async with asyncio.timeout(LIMIT):
            await done.wait()
        result = {
            "wall": time.perf_counter() - began,
            "balance": wallet.balance().total,
            "transactions": len(wallet.history()),
            "phases": phases,
        }
        await backend.stop()
    return result


if __name__ == "__main__":
    sys.setswitchinterval(0.001)  # as the program does
    report(sync, *sys.argv[1:4])
