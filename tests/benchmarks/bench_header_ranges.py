"""What known blocks save on a long line: `python -m tests.benchmarks.bench_header_ranges`.

Mines `--count` regtest blocks with the real bitcoind and fetches their headers through a proxy
that delays each direction by `--latency` seconds: one answer after the other, and in ranges up to
known blocks, from one peer and from `--peers`. Prints seconds from the start to the last header.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.benchmarks.chain_store import find_bitcoind
from tests.benchmarks.throttle import throttled
from tests.functional.bitcoind import Node
from wallet_gui.chain.backend import ChainEvent
from wallet_gui.chain.checkpoints import NONE, Checkpoints
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.hashes import hash_from_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb


def known_blocks(node: Node) -> Checkpoints:
    """The hash of each epoch's last block, as a release would know them."""
    heights = range(EPOCH - 1, node.height + 1, EPOCH)
    return Checkpoints(hashes={h: hash_from_hex(node.rpc("getblockhash", h)) for h in heights})


async def fetch(ports: Sequence[int], checkpoints: Checkpoints, tip: bytes) -> float:
    """Fetch all headers; return how long it took, connecting included."""
    done = asyncio.Event()

    async def sink(_event: ChainEvent) -> None:
        reached = backend.tip()
        if reached is not None and reached.hash == tip:
            done.set()

    peers = tuple(PeerAddress("127.0.0.1", port) for port in ports)
    with (
        tempfile.TemporaryDirectory() as folder,
        ChainDb(Path(folder) / "chain.db", REGTEST) as database,
    ):
        backend = P2PBackend(
            REGTEST,
            P2POptions(own_peers=peers, only_own_peers=True),
            database,
            sink,
            checkpoints=checkpoints,
        )
        began = time.perf_counter()
        await backend.start()
        async with asyncio.timeout(600):
            await done.wait()
        taken = time.perf_counter() - began
        await backend.stop()
    return taken


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=40_000)
    arguments.add_argument("--latency", type=float, default=0.075)
    arguments.add_argument("--peers", type=int, default=4)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checks = ["-checkblockindex=0", "-checkmempool=0", "-checkaddrman=0"]
        with Node(find_bitcoind(), Path(folder) / "node", checks) as node:
            to = "bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202"
            for _ in range(0, options.count, 1000):
                node.mine(1000, to)
            tip = hash_from_hex(node.tip)
            known = known_blocks(node)
            for name, checkpoints, peers in (
                ("one answer after the other, one peer", NONE, 1),
                ("ranges, one peer", known, 1),
                (f"ranges, {options.peers} peers", known, options.peers),
            ):
                with throttled(node.p2p_port, peers, latency=options.latency) as ports:
                    taken = asyncio.run(fetch(ports, checkpoints, tip))
                print(f"{name:40} {taken:6.2f} s  {node.height / taken:10,.0f} headers/s")


if __name__ == "__main__":
    main()
