"""Restores a wallet with bdkpython's compact-filter client; run by `bench_sync.py`.

    python -m tests.benchmarks.sync_kyoto PORTS DESCRIPTOR DIRECTORY [--used 100] [--v2]

It is told how far the wallet was used and looks further ahead, since it finds nothing beyond.
"""

import asyncio
import time
from typing import Any

import bdkpython as bdk  # type: ignore[import-untyped]

from tests.benchmarks.sync_report import LIMIT, Job, parse, report

MARGIN = 20


async def sync(job: Job) -> dict[str, Any]:
    """Sync with Kyoto."""
    began = time.perf_counter()
    public = bdk.Descriptor(job.descriptor, bdk.NetworkKind.TEST)
    wallet = bdk.Wallet.create_from_two_path_descriptor(
        two_path_descriptor=public,
        network=bdk.Network.REGTEST,
        persister=bdk.Persister.new_in_memory(),
        lookahead=job.lookahead,
    )
    peers = [
        bdk.Peer(
            address=bdk.IpAddress.from_ipv4(127, 0, 0, 1), port=port, v2_transport=job.is_encrypted
        )
        for port in job.ports
    ]
    genesis = bdk.RecoveryPoint.GENESIS_BLOCK()
    components = (
        bdk.CbfBuilder()
        .connections(len(peers))
        .data_dir(str(job.directory))
        .only_configured_peers()
        .peers(peers)
        .configure_timeout_millis(5000, 60000)
        .scan_type(bdk.ScanType.RECOVERY(used_script_index=job.used + MARGIN, checkpoint=genesis))
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
    report(sync, parse())
