"""Restores a wallet with the product's own P2P backend; run by `bench_sync.py`.

    python -m tests.benchmarks.sync_ours PORTS DESCRIPTOR DIRECTORY
        [--v2] [--engine numpy] [--timer] [--known FILE]

Prints one line of JSON: seconds of wall and CPU from the start of the sync to the exact balance.
With `--timer` the sync runs in the engine's thread beside a window's event loop, and how late a
timer of ten milliseconds fires there is told too.
"""

import asyncio
import json
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.sync_report import LIMIT, Job, parse, report
from wallet_gui.chain.backend import (
    BackendWarning,
    BlockMatched,
    ChainEvent,
    EventSink,
    Phase,
    Scanned,
    SyncProgress,
)
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.filters import FilterEngine, ScalarEngine
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.connect import Connector
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.hashes import hash_from_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.wallet.changes import BlockRef, WalletDescription
from wallet_gui.wallet.wallet import Wallet

TIMER: Final = 10  # milliseconds
SWITCH_INTERVAL: Final = 0.001  # as the program sets it


async def sync(job: Job) -> dict[str, Any]:
    """Sync with `P2PBackend`, the wallet and the database of the product."""
    began = time.perf_counter()
    description = WalletDescription(
        "bench", "regtest", (job.descriptor,), 0, "00000000", None, bytes(32)
    )
    wallet = Wallet(description, REGTEST)
    wallet.take_new_scripts()
    done = asyncio.Event()
    phases: dict[str, float] = {}
    warnings: list[str] = []
    blocks: dict[int, int] = {}  # height -> bytes

    async def sink(event: ChainEvent) -> None:
        match event:
            case BlockMatched(_, height, block):
                blocks[height] = len(block.serialize())
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
            case BackendWarning(sentence):
                warnings.append(sentence)
            case _:
                pass

    with ChainDb(job.directory / "chain.db", REGTEST) as database:
        backend = make_backend(job, database, sink)
        backend.watch("bench", wallet.watch_scripts(), checkpoints=(), birthday_time=None)
        await backend.start()
        async with asyncio.timeout(LIMIT):
            await done.wait()
        result = {
            "wall": time.perf_counter() - began,
            "balance": wallet.balance().total,
            "transactions": len(wallet.history()),
            "phases": phases,
            "warnings": len(warnings),
            "block_bytes": sum(blocks.values()),
            "received_bytes": sum(peer.inbound_bytes for peer in backend.peers()),
        }
        await backend.stop()
    return result


def make_backend(job: Job, database: ChainDb, sink: EventSink) -> P2PBackend:
    """Make a backend that takes each port for a network of its own."""
    if not job.is_encrypted:
        without_encryption()
    peers = tuple(PeerAddress("127.0.0.1", port) for port in job.ports)
    return P2PBackend(
        REGTEST,
        P2POptions(own_peers=peers, only_own_peers=True, ask_above=None),
        database,
        sink,
        netgroup=lambda address: str(address).encode(),
        engine=_engine(job.engine),
        checkpoints=None if job.known is None else _known(job.known),
    )


def _known(place: Path) -> Checkpoints:
    """Read blocks that count as known beforehand."""
    hashes = json.loads(place.read_text(encoding="ascii"))
    return Checkpoints(hashes={int(h): hash_from_hex(text) for h, text in hashes.items()})


def _engine(name: str) -> FilterEngine | None:
    match name:
        case "numpy":
            from wallet_gui.chain.gcs_numpy import NumpyEngine  # noqa: PLC0415 (takes 0.1 s)

            return NumpyEngine()
        case "scalar":
            return ScalarEngine()
        case _:
            return None


def without_encryption() -> None:
    """Speak version 1, as to a peer that is known to know nothing else."""

    def is_v1_only(self: Connector, address: PeerAddress) -> bool:
        del self, address
        return True

    Connector.is_v1_only = is_v1_only  # type: ignore[method-assign]


def beside_a_window(
    sync: Callable[[Job], Awaitable[dict[str, Any]]],
) -> Callable[[Job], Awaitable[dict[str, Any]]]:
    """Run a sync in a thread of its own, and a Qt timer in this one."""
    from PySide6.QtCore import QCoreApplication, Qt, QTimer  # noqa: PLC0415 (takes 0.1 s)

    async def measured(job: Job) -> dict[str, Any]:
        application = QCoreApplication([])
        late: list[float] = []
        last = time.perf_counter()

        def fire() -> None:
            nonlocal last
            now = time.perf_counter()
            late.append(max(0.0, now - last - TIMER / 1000))
            last = now
            if not thread.is_alive():
                application.quit()

        results: list[dict[str, Any]] = []

        async def main() -> None:
            results.append(await sync(job))

        thread = threading.Thread(target=lambda: asyncio.run(main()))
        timer = QTimer(timerType=Qt.TimerType.PreciseTimer)
        timer.timeout.connect(fire)
        timer.start(TIMER)
        thread.start()
        application.exec()
        thread.join()
        late.sort()
        (result,) = results
        result["late_p95_ms"] = round(late[int(len(late) * 0.95)] * 1000, 1)
        result["late_max_ms"] = round(late[-1] * 1000, 1)
        return result

    return measured


def main() -> None:
    sys.setswitchinterval(SWITCH_INTERVAL)
    job = parse()
    report(beside_a_window(sync) if job.timer else sync, job)


if __name__ == "__main__":
    main()
