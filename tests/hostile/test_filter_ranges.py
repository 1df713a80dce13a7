"""Who is asked for filters, who takes over, and that small memory makes nothing wrong."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import balance, is_synced, paid_chain
from wallet_gui.chain.p2p import filter_ranges, filter_sync, held_filters
from wallet_gui.chain.p2p.filter_messages import CFilter, GetCFilters
from wallet_gui.chain.p2p.messages import Message

BTC = 10**8


def chain_of(wallet: ScriptWallet, height: int) -> FakeChain:
    chain = FakeChain()
    for h in range(1, height + 1):
        chain.mine(to=wallet.script(h // 37 - 1) if h % 37 == 0 else b"\x51")
    return chain


def asked_filters(node: FakeNode) -> list[int]:
    return [message.start for message in node.asked if isinstance(message, GetCFilters)]


def mute(message: Message, answers: list[Message]) -> list[Message]:
    return [] if isinstance(message, GetCFilters) else answers


@pytest.fixture(name="small_ranges")
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filter_ranges, "FIRST_RANGE", 10)
    monkeypatch.setattr(filter_ranges, "MAX_FILTERS", 10)


@pytest.mark.usefixtures("small_ranges")
def test_the_work_is_shared() -> None:
    wallet = ScriptWallet()
    chain = chain_of(wallet, 300)
    nodes = [FakeNode(chain) for _ in range(3)]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run(5)
    assert is_synced(network, nodes[0])
    assert wallet.balance == balance(chain, wallet)
    assert all(len(asked_filters(node)) >= 3 for node in nodes)


@pytest.mark.usefixtures("small_ranges")
def test_a_peer_that_falls_silent_costs_less_than_three_seconds() -> None:
    wallet = ScriptWallet()
    chain = chain_of(wallet, 300)
    nodes = [FakeNode(chain), FakeNode(chain), FakeNode(chain, rewrite=mute)]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run()
    assert asked_filters(nodes[2])
    assert not is_synced(network, nodes[0])
    network.run(2.5)
    assert is_synced(network, nodes[0])
    assert wallet.balance == balance(chain, wallet)
    assert not network.faults
    assert not network.farewells, "to be silent is no crime"


def test_few_filters_are_asked_for_while_their_size_is_not_known() -> None:
    """Those of the first blocks are tiny: all others would be asked for at once otherwise."""
    chain = FakeChain()
    chain.mine_empty(1900)
    answered = 0

    def stop_soon(message: Message, answers: list[Message]) -> list[Message]:
        nonlocal answered
        if isinstance(message, GetCFilters):
            answered += 1
            return answers if answered == 1 else []
        return answers

    node = FakeNode(chain, rewrite=stop_soon)
    network = Network([ScriptWallet()])
    network.connect(node)
    network.run(0.5)
    heights = {
        height
        for message in node.asked
        if isinstance(message, GetCFilters)
        for height in range(message.start, (chain.height_of(message.stop) or 0) + 1)
    }
    received = network.sync.filters.received
    assert received == filter_ranges.FIRST_RANGE
    assert received < len(heights) <= received + filter_ranges.FIRST_DUE + 2 * received


@pytest.mark.usefixtures("small_ranges")
def test_who_fell_silent_is_given_no_more_until_it_says_something() -> None:
    """Else each of its new ranges would hold up what comes after it for another second."""
    wallet = ScriptWallet()
    chain = chain_of(wallet, 900)
    network = Network([wallet])
    network.sync.filters._budget = 4000
    silent = FakeNode(chain, rewrite=mute)
    nodes = [FakeNode(chain), FakeNode(chain), silent]
    for node in nodes:
        network.connect(node)
    network.run(1.5)
    asked = len(asked_filters(silent))
    assert asked > 0
    network.run(20)
    assert is_synced(network, nodes[0]), network.describe()
    repeated = asked_filters(silent)[asked:]
    assert set(repeated) <= set(asked_filters(silent)[:asked]), "only what it owes is repeated"
    assert not network.faults


@pytest.mark.usefixtures("small_ranges")
def test_what_comes_twice_is_forgiven() -> None:
    wallet = ScriptWallet()
    chain = chain_of(wallet, 100)
    kept: list[Message] = []

    def keep(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetCFilters):
            kept.extend(answers)
            return []
        return answers

    late = FakeNode(chain, rewrite=keep)
    honest = FakeNode(chain)
    network = Network([wallet])
    number = network.connect(late)
    network.run(0.5)
    network.connect(honest)
    network.run(10)
    assert is_synced(network, honest)
    link = network._links[number]
    assert kept
    for message in kept:
        assert isinstance(message, CFilter)
        network._receive(number, link.server.frame("cfilter", message.serialize()))
    network.run(5)
    assert not network.faults
    assert is_synced(network, honest)


def test_endless_filters_that_nobody_asked_for_end_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(filter_ranges, "MAX_UNASKED", 50)
    chain = chain_of(ScriptWallet(), 60)
    network = Network([ScriptWallet()])
    number = network.connect(FakeNode(chain))
    network.run(5)
    link = network._links[number]
    message = CFilter(chain.filters[7].block_hash, chain.filters[7].data).serialize()
    network._receive(number, link.server.frame("cfilter", message) * 51)
    assert any("nobody asked" in fault for fault in network.faults)


def test_paused_filters_wait_and_headers_go_on() -> None:
    wallet = ScriptWallet()
    node = FakeNode(chain_of(wallet, 80))
    network = Network([wallet])
    network.sync.filters.paused = "Paused."
    network.connect(node)
    network.run(5)
    assert asked_filters(node) == []
    assert network.sync.state.filter_headers.height == 80
    network.sync.filters.paused = ""
    network.run(5)
    assert is_synced(network, node)


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, 2**32), st.integers(1, 4), st.sampled_from([True, False]))
def test_little_memory_slows_down_but_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    peers: int,
    forgets: bool,  # noqa: FBT001 (drawn)
) -> None:
    """Filters leave memory for the cache, are read again, asked for twice, come in any order."""
    rng = random.Random(seed)
    monkeypatch.setattr(filter_ranges, "MAX_FILTERS", rng.choice([3, 20]))
    monkeypatch.setattr(filter_ranges, "FIRST_RANGE", rng.choice([3, 20]))
    kept: dict[str, list[int]] = {
        "KEPT_BYTES": [0, 500],
        "HELD_BYTES": [3000, 8000],
        "SMALL": [0, 700],
    }
    for name, sizes in kept.items():
        monkeypatch.setattr(held_filters, name, rng.choice(sizes))
    limits: dict[str, list[float]] = {
        "READ_AHEAD": [1, 1000],
        "RUN_AHEAD": [1000, 10_000],
        "LOOKUP_BYTES": [100, 1000],
        "STUCK": [0.0, 0.5],
        "LEAD_BYTES": [0, 2000],
        "SHORT_LEAD_BYTES": [0, 500],
        "WAITING_BYTES": [0, 5000],
        "NEW_BYTES": [100, 5000],
        "STORE_BYTES": [0, 2000],
        "LEAST_CHECK": [0, 1000],
        "MATCH_FILTERS": [2, 50],
    }
    for name, choices in limits.items():
        monkeypatch.setattr(filter_sync, name, rng.choice(choices))
    wallet = ScriptWallet(gap=rng.choice([1, 3, 20]))
    chain = chain_of(wallet, 120)
    network = Network([wallet], stores=MemoryStores(forgets=forgets), shuffle=rng)
    network.sync.filters._budget = rng.choice([500, 3000, 32_000_000])
    nodes = [FakeNode(chain) for _ in range(peers)]
    if peers > 1 and rng.random() < 0.5:
        nodes[0].rewrite = mute
    numbers = [network.connect(node) for node in nodes]
    for _ in range(3):
        network.run(rng.random())
        if peers > 2 and rng.random() < 0.3:
            network.disconnect(numbers[-1])
    network.run(60)
    assert not network.faults
    assert is_synced(network, nodes[0]), network.describe()
    assert wallet.balance == balance(chain, wallet)


def test_when_all_were_silent_the_first_to_be_trusted_again_is_asked() -> None:
    """A minute in which nothing is asked of anybody helps nobody."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    nodes = [FakeNode(chain, rewrite=mute) for _ in range(2)]
    network = Network([wallet])
    numbers = [network.connect(node) for node in nodes]
    network.run(1)
    for number, pause in zip(numbers, (60, 30), strict=True):
        peer = network.sync.state.peers[number]
        peer.stalled_until = network.now + pause
        network.sync.filters.on_disconnected(peer)
    for node in nodes:
        node.rewrite = None
        node.asked.clear()
    network.run(5)
    assert wallet.balance == 100 * BTC
    asked = [len(asked_filters(node)) for node in nodes]
    assert asked[0] == 0
    assert asked[1] > 0


def test_who_is_on_the_way_out_is_not_asked_even_if_it_is_the_last() -> None:
    network = Network([ScriptWallet()])
    node = FakeNode(FakeChain())
    state, peer = network.sync.state, network.connect(node)
    state.peers[peer].stalled_until = float("inf")
    assert state.filter_peers(network.instant) == []
