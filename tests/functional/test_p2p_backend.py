"""The P2P backend against a real bitcoind."""

from pathlib import Path

from tests.functional.bitcoind import Node
from tests.functional.p2p_wallet import ScriptWallet, run, running

BTC = 100_000_000


def test_first_sync_then_new_blocks(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(3)
    node.fund(wallet.address(5), 2 * BTC)
    node.mine(1)
    node.wait_for_filters()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await client.until_synced(node.height, node.tip)
            assert wallet.balance == 3 * BTC
            node.fund(wallet.address(1), BTC // 2)
            await client.until(lambda: bool(wallet.unconfirmed))
            node.mine(1)
            await client.until_synced(node.height, node.tip)
            assert wallet.balance == 3 * BTC + BTC // 2
            assert wallet.balance == node.scan_balance([wallet.address(i) for i in range(30)])
            assert wallet.heights == sorted(wallet.heights)

    run(scenario)
