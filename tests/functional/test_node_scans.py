"""Where scans through one's own node begin, in which order they show things, and who holds them."""

import time
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.node_wallet import DirectLink, NodeClient, running
from tests.functional.p2p_wallet import ScriptWallet, run
from wallet_gui.chain.backend import PreviewDone, PreviewMatched, Scanned
from wallet_gui.chain.bitcoind import node_chain, node_scan
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.chain_anchor import ChainAnchor
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.chain.p2p import long_scans
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb

BTC = 100_000_000
DAY = 24 * 3600


def checkpoints_of(node: Node, *heights: int) -> Checkpoints:
    """Package what is known of a chain, as a release does."""
    anchors, times, filters = [], [], {}
    for height in heights:
        header = node.rpc("getblockheader", node.block_hash(height))
        block_hash = bytes.fromhex(header["hash"])[::-1]
        work = int(header["chainwork"], 16)
        anchors.append(ChainAnchor(height, block_hash, int(header["bits"], 16), work))
        times.append(header["time"])
        told = node.rpc("getblockfilter", header["hash"])["header"]
        filters[height] = bytes.fromhex(told)[::-1]
    return Checkpoints(tuple(anchors), tuple(times), {}, filters)


@pytest.fixture(scope="module")
def old_chain(module_node: Node) -> Node:
    """Two epochs of blocks, mined a month and ten days ago, and some of today."""
    node = module_node
    now = int(time.time())
    old = ScriptWallet("old")
    for ago, top in ((30, EPOCH + 50), (10, 2 * EPOCH + 50)):
        node.rpc("setmocktime", now - ago * DAY)
        node.mature()
        node.fund(old.address(ago), BTC)
        node.mine(top - node.height)
    node.rpc("setmocktime", 0)
    node.mine(20)
    node.wait_for_filters()
    return node


@pytest.mark.parametrize("mode", [ScanMode.NODE, ScanMode.FILTERS])
def test_headers_are_read_downwards_for_an_older_wallet(
    old_chain: Node, tmp_path: Path, mode: ScanMode
) -> None:
    node = old_chain
    known = checkpoints_of(node, EPOCH - 1, 2 * EPOCH - 1)
    young, old = ScriptWallet("young"), ScriptWallet("old", gap=40)
    young.birthday_time = int(time.time())

    async def scenario() -> None:
        with ChainDb(tmp_path / "chain.db", REGTEST) as database:
            client = NodeClient(database, DirectLink(node, mode), [young], checkpoints=known)
            await client.start()
            await client.until_checked(node)
            assert client.backend._sync is not None
            headers = client.backend._sync.chain.headers
            assert headers.start_height == 2 * EPOCH
            client.watch(old)
            await client.until_checked(node)
            assert old.balance == 2 * BTC
            assert headers.start_height == 0
            await client.backend.stop()
            assert client.failures == []
        with ChainDb(tmp_path / "chain.db", REGTEST) as database:
            start, raw = database.headers.load()
            assert (start, len(raw) // 80) == (0, node.height + 1)

    run(scenario)


def test_the_newest_blocks_are_looked_through_first(
    old_chain: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = old_chain
    monkeypatch.setattr(node_chain, "PREVIEW_ABOVE", 200)
    monkeypatch.setattr(node_chain, "PREVIEW_BLOCKS", 100)
    monkeypatch.setattr(long_scans, "PREVIEW_BLOCKS", 100)
    monkeypatch.setattr(node_scan, "CHUNK", 500)
    wallet = ScriptWallet("previewed")
    node.fund(wallet.address(3), BTC)
    node.mine(40)
    node.wait_for_filters()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            kinds = [type(e) for e in client.events]
            assert kinds.index(PreviewMatched) < kinds.index(PreviewDone)
            first_mark = next(i for i, e in enumerate(client.events) if isinstance(e, Scanned))
            assert kinds.index(PreviewDone) < first_mark
            (done,) = [e for e in client.events if isinstance(e, PreviewDone)]
            assert (done.from_height, done.to_height) == (node.height - 99, node.height)
            assert client.previewed == {"previewed": [node.height - 39]}
            assert wallet.balance == BTC

    run(scenario)


@pytest.mark.parametrize("mode", ScanMode)
def test_a_scan_that_a_person_holds_back(old_chain: Node, tmp_path: Path, mode: ScanMode) -> None:
    node = old_chain
    wallet = ScriptWallet(f"held {mode.name}")
    node.fund(wallet.address(1), BTC)
    node.mine(1)
    node.wait_for_filters()

    async def scenario() -> None:
        link = DirectLink(node, mode, may_ask_for_coins=False)
        async with running(tmp_path, link, wallet) as client:
            client.backend.pause_scans(paused=True)
            await client.until(lambda: bool(client.backend.scan_plans()))
            (plan,) = client.backend.scan_plans()
            assert plan.held_back
            assert (plan.sources, plan.networks) == (1, 0)
            assert plan.to_height == node.height
            assert plan.filters == node.height + 1
            await client.until(lambda: client.tip is not None and client.tip.height == node.height)
            assert wallet.heights == []
            assert not client.backend.is_synced()
            client.backend.pause_scans(paused=False)
            await client.until_synced(node)
            assert wallet.balance == BTC
            assert client.backend.scan_plans() == []

    run(scenario)


def test_a_block_that_is_suspected_is_read(old_chain: Node, tmp_path: Path) -> None:
    node = old_chain
    wallet = ScriptWallet("suspicious")

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.heights == []
            client.backend.suspect_block(77)
            await client.until(lambda: wallet.heights == [77])
            client.backend.suspect_block(node.height + 1000)
            await client.until_checked(node)

    run(scenario)
