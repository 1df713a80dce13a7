"""Starting above known blocks of a real node's chain, and extending downwards afterwards."""

import time
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import ScriptWallet, Setup, run, running_with
from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.chain_anchor import ChainAnchor
from wallet_gui.chain.checkpoints import Checkpoints, FilterAnchor
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.hashes import hash_from_hex

pytestmark = pytest.mark.slow

DAY = 24 * 3600
EPOCHS = 2
FILTER_HEIGHTS = (900, 2500, 4000)
PAID = (501, 1501, 2501, 3501)
SUBSIDY = 50 * 100_000_000


def mined_over_a_month(node: Node, wallet: ScriptWallet) -> int:
    """Mine 4,200 blocks ten minutes apart, four of them to the wallet; return when it began."""
    began = int(time.time()) - 40 * DAY
    nowhere = ScriptWallet("nowhere").address(0)
    for height in range(0, 4200, 100):
        node.rpc("setmocktime", began + height * 600)
        to = wallet.address(height // 1000) if height % 1000 == 500 else nowhere
        node.mine(1, to)
        node.mine(99, nowhere)
    node.rpc("setmocktime", 0)
    return began


def known(node: Node) -> Checkpoints:
    anchors, times = [], []
    for number in range(1, EPOCHS + 1):
        header = node.rpc("getblockheader", node.rpc("getblockhash", 2016 * number - 1))
        anchors.append(
            ChainAnchor(
                header["height"],
                hash_from_hex(header["hash"]),
                int(header["bits"], 16),
                int(header["chainwork"], 16),
            )
        )
        times.append(header["time"] + 600)
    filters = {
        height: hash_from_hex(
            node.rpc("getblockfilter", node.rpc("getblockhash", height))["header"]
        )
        for height in FILTER_HEIGHTS
    }
    return Checkpoints(tuple(anchors), tuple(times), filter_headers=filters)


def test_new_and_old_wallets_of_a_real_chain(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = node_factory("-checkblockindex=0", "-maxtipage=999999999")
    old, young = ScriptWallet("old"), ScriptWallet("young")
    old.birthday_time = mined_over_a_month(node, old)
    young.birthday_time = int(time.time())
    checkpoints = known(node)
    node.wait_for_filters()
    assert checkpoints.start_at(checkpoints.height_before(young.birthday_time) + 1) == (
        checkpoints.anchors[0],
        FilterAnchor(4000, checkpoints.filter_headers[4000]),
    )
    setup = Setup(
        P2POptions(own_peers=(PeerAddress("127.0.0.1", node.p2p_port),)), checkpoints=checkpoints
    )

    async def scenario() -> None:
        async with running_with(tmp_path, setup, young) as client:
            await client.until_synced(node.height, node.tip)
            sync = client.backend._sync
            assert sync is not None
            assert sync.state.headers.start_height == 2016
            assert sync.state.filter_headers.start_height == 4001
            client.watch(old)
            await client.until_synced(node.height, node.tip)
            assert sync.state.headers.start_height == 0
            assert sync.state.filter_headers.start_height == 0
            assert old.balance == sum(SUBSIDY >> (height // 150) for height in PAID)
            assert not [e for e in client.events if isinstance(e, BackendWarning)]
        # Everything is on disk, from the first block on.
        async with running_with(tmp_path, setup, young, old) as client:
            await client.until_synced(node.height, node.tip)
            node.mine(1)
            await client.until_synced(node.height, node.tip)
            assert client.backend._sync is not None
            assert client.backend._sync.state.headers.start_height == 0

    run(scenario)
