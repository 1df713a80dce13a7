"""Restores a wallet, then a second one whose filters are in the cache; run by `bench_sync.py`.

    python -m tests.benchmarks.sync_cached PORTS DESCRIPTOR DIRECTORY

The second wallet is another account of the same words, which nothing was paid to.
"""

import asyncio
import sys
import time
from typing import Any

from tests.benchmarks.chain_store import descriptor
from tests.benchmarks.sync_ours import SWITCH_INTERVAL, make_backend, sync
from tests.benchmarks.sync_report import LIMIT, Job, parse, report
from wallet_gui.chain.backend import ChainEvent, Scanned
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.wallet.changes import WalletDescription
from wallet_gui.wallet.wallet import Wallet


async def both(job: Job) -> dict[str, Any]:
    """Sync one wallet from the network and another from the cache."""
    result = await sync(job)
    other = descriptor(account=1)
    description = WalletDescription("other", "regtest", (other,), 0, "00000000", None, bytes(32))
    scripts = Wallet(description, REGTEST).watch_scripts()
    done = asyncio.Event()

    async def sink(event: ChainEvent) -> None:
        if isinstance(event, Scanned) and backend.is_synced():
            done.set()

    with ChainDb(job.directory / "chain.db", REGTEST) as database:
        backend = make_backend(job, database, sink)
        await backend.start()
        async with asyncio.timeout(LIMIT):
            # With the headers, as a running program is; no event tells without a wallet.
            while not backend.is_synced():  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            began = time.perf_counter()
            backend.watch("other", scripts, checkpoints=(), birthday_time=None)
            await done.wait()
        seconds = time.perf_counter() - began
        await backend.stop()
    return {**result, "download": result["wall"], "rescan": seconds}


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_INTERVAL)
    report(both, parse())
