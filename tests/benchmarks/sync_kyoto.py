"""Restores a wallet with bdkpython's compact-filter client; run by `bench_sync.py`.

    python -m tests.benchmarks.sync_kyoto PORT DESCRIPTOR DIRECTORY

It is told how far the wallet was used and looks far ahead, since it finds nothing beyond.
"""

import asyncio
import sys
import time
from typing import Any

import bdkpython as bdk  # type: ignore[import-untyped]

from tests.benchmarks.sync_report import LIMIT, report


async def sync(port: int, text: str, directory: str) -> dict[str, Any]:
    """Sync with Kyoto."""
    began = time.perf_counter()
    public = bdk.Descriptor(text, bdk.NetworkKind.TEST)
    wallet = bdk.Wallet.create_from_two_path_descriptor(
        two_path_descriptor=public,
        network=bdk.Network.REGTEST,
        persister=bdk.Persister.new_in_memory(),
        lookahead=150,
    )
    peer = bdk.Peer(address=bdk.IpAddress.from_ipv4(127, 0, 0, 1), port=port, v2_transport=False)
    genesis = bdk.RecoveryPoint.GENESIS_BLOCK()
    components = (
        bdk.CbfBuilder()
        .connections(1)
        .data_dir(directory)
        .only_configured_peers()
        .peers([peer])
        .configure_timeout_millis(5000, 60000)
        .scan_type(bdk.ScanType.RECOVERY(used_script_index=120, checkpoint=genesis))
        .build(wallet)
    )
    components.node.run()
    async with asyncio.timeout(LIMIT):
        update = await components.client.update()
    wallet.apply_update(update)
    result = {
        "wall": time.perf_counter() - began,
        "balance": wallet.balance().total.to_sat(),
        "transactions": len(wallet.transactions()),
    }
    components.client.shutdown()
    return result


if __name__ == "__main__":
    report(sync, *sys.argv[1:4])
