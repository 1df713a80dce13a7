"""Long scans: what they cost is told, they wait and pause, and a preview of the newest comes first.

The limits are shrunk to chains of some hundred blocks; nothing else differs from life.
"""

from dataclasses import replace

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import balance, is_synced
from wallet_gui.chain.backend import BlockMatched, PreviewDone, PreviewMatched
from wallet_gui.chain.p2p import filter_ranges, long_scans
from wallet_gui.chain.p2p.filter_messages import GetCFilters
from wallet_gui.chain.p2p.options import P2POptions

BTC = 10**8
BLOCKS = 20


@pytest.fixture(autouse=True)
def _small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_scans, "PREVIEW_BLOCKS", BLOCKS)
    monkeypatch.setattr(long_scans, "PREVIEW_ABOVE", 100)
    monkeypatch.setattr(long_scans, "FOLLOWING", 10)


def long_chain(wallet: ScriptWallet) -> FakeChain:
    """Payments at heights 6, 50 and 195 to 197 of 200 blocks."""
    chain = FakeChain()
    for height in range(1, 201):
        index = {6: 0, 50: 1, 195: 2, 196: 3, 197: 60}.get(height)
        chain.mine(to=b"\x51" if index is None else wallet.script(index))
    return chain


def with_options(network: Network, **changes: object) -> None:
    state = network.sync.state
    state.options = replace(P2POptions(), **changes)  # type: ignore[arg-type]


def filter_requests(node: FakeNode) -> list[int]:
    return [message.start for message in node.asked if isinstance(message, GetCFilters)]


def test_the_newest_blocks_come_first_and_become_no_part_of_the_wallet() -> None:
    wallet = ScriptWallet()
    node = FakeNode(long_chain(wallet))
    network = Network([wallet])
    network.connect(node)
    network.run(10)
    assert is_synced(network, node)
    matched = [e for e in network.events if isinstance(e, PreviewMatched | BlockMatched)]
    kinds = [(type(e).__name__, e.height) for e in matched]
    assert kinds[:2] == [("PreviewMatched", 195), ("PreviewMatched", 196)]
    assert {h for kind, h in kinds if kind == "BlockMatched"} == {6, 50, 195, 196}
    done = next(e for e in network.events if isinstance(e, PreviewDone))
    assert (done.from_height, done.to_height) == (181, 200)
    order = [e for e in network.events if isinstance(e, PreviewDone | BlockMatched)]
    assert order[0] is done, "the preview is through before the long scan finds its first block"
    assert wallet.balance == 200 * BTC
    assert min(filter_requests(node)) == 0


def test_a_preview_looks_for_scripts_beyond_the_window() -> None:
    wallet = ScriptWallet()
    node = FakeNode(long_chain(wallet))
    network = Network([])
    network.connect(node)
    network._perform(
        network.sync.watch(
            wallet.name,
            wallet.scripts,
            [],
            None,
            network.instant,
            preview_scripts=lambda: [wallet.script(60)],
        )
    )
    network.run(10)
    found = [e.height for e in network.events if isinstance(e, PreviewMatched)]
    assert found == [195, 196, 197]


def test_a_reorganization_during_a_preview() -> None:
    wallet = ScriptWallet()
    chain = long_chain(wallet)
    node = FakeNode(chain)
    network = Network([wallet])
    network.connect(node)
    fork = chain.copy(190)
    fork.mine(to=wallet.script(4), salt=1)
    fork.mine_empty(20, salt=1)
    node.switch(fork)
    network.announce(node)
    network.run(30)
    assert is_synced(network, node)
    assert wallet.balance == balance(fork, wallet) == 150 * BTC
    assert any(isinstance(e, PreviewDone) for e in network.events)


def test_a_scan_above_the_limit_waits_for_approval() -> None:
    wallet = ScriptWallet()
    node = FakeNode(long_chain(wallet))
    network = Network([wallet])
    with_options(network, ask_above=200)
    network.connect(node)
    network.run(10)
    assert not network.sync.is_synced()
    assert wallet.balance == 0
    assert min(filter_requests(node)) == 181, "only the preview was read"
    (plan,) = network.sync.watches.long.plans()
    assert plan.is_waiting
    assert not plan.held_back
    assert (plan.from_height, plan.to_height) == (0, 200)
    assert plan.from_time == node.chain.blocks[0].header.time
    assert plan.filters == 201
    assert plan.download_bytes > 200
    assert (plan.sources, plan.networks) == (1, 1)
    network._perform(network.sync.approve_scan(wallet.name, network.instant))
    network.run(10)
    assert is_synced(network, node)
    assert wallet.balance == 200 * BTC
    assert not network.sync.watches.long.plans()
    # What comes later is small and asks nobody.
    node.chain.mine(to=wallet.script(5))
    network.announce(node)
    network.run(5)
    assert is_synced(network, node)
    assert wallet.balance == 250 * BTC


def test_pause_holds_back_filters_and_nothing_else() -> None:
    wallet = ScriptWallet()
    node = FakeNode(long_chain(wallet))
    network = Network([wallet])
    network._perform(network.sync.pause_scans(network.instant, paused=True))
    network.connect(node)
    network.run(10)
    assert filter_requests(node) == []
    assert network.sync.state.filter_headers.height == 200
    assert network.sync.watches.long.plans()[0].held_back == long_scans.PAUSED
    network._perform(network.sync.pause_scans(network.instant, paused=False))
    network.run(10)
    assert is_synced(network, node)
    assert wallet.balance == 200 * BTC


def test_the_data_limit_stops_a_long_scan_and_not_the_tip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_scans, "PREVIEW_ABOVE", 10**9)
    monkeypatch.setattr(filter_ranges, "FIRST_RANGE", 20)  # or all would come in one go
    old, new = ScriptWallet("old"), ScriptWallet("new")
    node = FakeNode(long_chain(old))
    tip = node.chain.blocks[-1].header
    network = Network([])
    with_options(network, data_cap=1)
    new.birthday_time = None
    network.connect(node)
    network.run(5)
    network.wallets.extend([old, new])
    for wallet, start in ((old, None), (new, (200, tip.hash))):
        checkpoints = [] if start is None else [type(network.sync.state.headers.tip)(*start)]
        network._perform(
            network.sync.watch(wallet.name, wallet.scripts, checkpoints, None, network.instant)
        )
    network.run(5)
    node.chain.mine(to=new.script(0))
    network.announce(node)
    network.run(10)
    assert new.balance == 50 * BTC
    assert not network.sync.is_synced()
    plan = next(p for p in network.sync.watches.long.plans() if p.wallet_id == "old")
    assert "data limit" in plan.held_back
    with_options(network, data_cap=None)
    network.run(10)
    assert is_synced(network, node)
    assert old.balance == 200 * BTC


def test_blocks_count_towards_the_data_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The filters of this chain are some five kilobytes; its blocks, all ours, are fifty."""
    monkeypatch.setattr(long_scans, "PREVIEW_ABOVE", 10**9)
    monkeypatch.setattr(filter_ranges, "FIRST_RANGE", 20)
    wallet = ScriptWallet()
    chain = FakeChain()
    for _ in range(200):
        chain.mine(to=wallet.script(0))
    filters = sum(len(each.data) for each in chain.filters)
    blocks = sum(len(block.serialize()) for block in chain.blocks)
    cap = blocks // 2
    assert filters < cap
    node = FakeNode(chain)
    network = Network([wallet])
    with_options(network, data_cap=cap)
    network.connect(node)
    network.run(10)
    sync = network.sync
    assert cap <= sync.filters.received_bytes + sync.blocks.received_bytes < blocks
    assert "data limit" in sync.watches.long.plans()[0].held_back
    assert 0 < wallet.balance < 200 * 50 * BTC
    with_options(network, data_cap=None)
    network.run(10)
    assert is_synced(network, node)
    assert wallet.balance == 200 * 50 * BTC
