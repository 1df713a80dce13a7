"""Headers in ranges up to known blocks, from peers of every kind."""

import random
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.p2p.header_ranges import MAX_OPEN, MAX_PER_PEER
from wallet_gui.chain.p2p.messages import GetHeaders, Headers, Message

LENGTH = 6100  # three epochs and some
EPOCHS = 3


@cache
def long_chain() -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(LENGTH)
    return chain


def network(**options: object) -> Network:
    known = long_chain().checkpoints(EPOCHS)
    return Network([], MemoryStores(), checkpoints=known, **options)  # type: ignore[arg-type]


def ranges_asked(node: FakeNode) -> list[GetHeaders]:
    return [m for m in node.asked if isinstance(m, GetHeaders) and any(m.stop)]


def is_whole(net: Network) -> bool:
    chain = long_chain()
    headers = net.sync.state.headers
    stored = b"".join(block.header.serialize() for block in chain.blocks)
    return headers.tip.hash == chain.tip and net.stores.headers.raw == stored


def test_one_peer_is_asked_for_several_ranges_at_once() -> None:
    node = FakeNode(long_chain())
    net = network()
    net.connect(node)
    net.run()
    assert is_whole(net)
    assert not net.faults
    asked = ranges_asked(node)
    # All three before any answer: the time to the peer and back counts once, not three times.
    assert [m.stop for m in asked[:3]] == [
        long_chain().blocks[2016 * n - 1].header.hash for n in (1, 2, 3)
    ]
    assert len(asked) == 2 * EPOCHS  # 2000 headers, then the 16 that are left


def test_ranges_are_spread_over_peers() -> None:
    nodes = [FakeNode(long_chain()) for _ in range(3)]
    net = network()
    for node in nodes:
        net.connect(node)
    net.run(1)
    assert is_whole(net)
    assert not net.faults


def test_a_silent_peer_is_passed_by() -> None:
    def silent(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, GetHeaders) else answers

    nodes = [FakeNode(long_chain(), rewrite=silent), FakeNode(long_chain())]
    net = network()
    for node in nodes:
        net.connect(node)
    net.run(15)
    assert is_whole(net)
    assert not net.faults  # silence is no proof


def test_a_slow_peers_range_goes_to_an_idle_one_within_three_seconds() -> None:
    def silent(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, GetHeaders) else answers

    net = network()
    net.connect(FakeNode(long_chain(), rewrite=silent))
    net.run(0.5)
    net.connect(FakeNode(long_chain()))
    net.run(3)
    assert net.sync.state.headers.height >= EPOCHS * 2016 - 1


def broken(kind: str) -> FakeNode:
    """A peer that answers ranges with something that no honest node has."""
    chain = long_chain()

    def rewrite(message: Message, answers: list[Message]) -> list[Message]:
        if not isinstance(message, GetHeaders) or not any(message.stop):
            return answers
        return [Headers(_spoil(a.raw, kind)) if isinstance(a, Headers) else a for a in answers]

    return FakeNode(chain, rewrite=rewrite)


def _spoil(raw: bytes, kind: str) -> bytes:
    if kind == "links":
        return raw[:80] + bytes(80) + raw[160:]
    if kind == "last":
        return raw[:-1] + bytes([raw[-1] ^ 1])
    if kind == "order":
        return raw[80:160] + raw[:80] + raw[160:]
    return raw[:800]


@pytest.mark.parametrize("kind", ["links", "last", "order", "short"])
def test_wrong_headers_are_proof_and_cost_nothing(kind: str) -> None:
    net = network()
    net.connect(broken(kind))
    net.connect(FakeNode(long_chain()))
    net.run(40)
    assert is_whole(net)
    if kind in {"links", "last"}:
        assert len(net.faults) == 1, net.faults
    if kind == "short":
        assert not net.faults  # a peer may have less than we know of


def test_a_liar_alone_gives_nothing() -> None:
    net = network()
    net.connect(broken("last"))
    net.run(30)
    assert net.sync.state.headers.height == 0
    assert not net.sync.is_synced()


def test_a_peer_on_another_chain_does_not_stop_the_others() -> None:
    other = long_chain().copy(1000)
    other.mine_empty(3000, salt=7)
    net = network()
    net.connect(FakeNode(other))
    net.run(2)
    assert net.sync.state.headers.height == 0
    net.connect(FakeNode(long_chain()))
    net.run(15)
    assert is_whole(net)


def test_what_was_fetched_before_the_program_ended_is_kept() -> None:
    node = FakeNode(long_chain())
    net = network()
    number = net.connect(node)
    for _ in range(40):
        kind, item = net._todo.popleft()
        net._todo.append((kind, item))
        net._settle() if len(net.stores.headers.raw) > 2016 * 80 else None
    net.disconnect(number)
    net.run()
    height = net.sync.state.headers.height
    net.open()
    assert net.sync.state.headers.height == height
    net.connect(node)
    net.run()
    assert is_whole(net)


def test_the_chain_may_not_leave_a_passed_checkpoint() -> None:
    net = network()
    net.connect(FakeNode(long_chain()))
    net.run()
    rival = long_chain().copy(EPOCHS * 2016 - 5)
    rival.mine_empty(200, salt=3)
    net.connect(FakeNode(rival))
    net.run(3)
    assert net.sync.state.headers.tip.hash == long_chain().tip
    assert any("last checkpoint" in fault for fault in net.faults)


def test_memory_for_ranges_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_gui.chain.p2p.header_ranges.MAX_OPEN", 4)
    known = replace(
        long_chain().checkpoints(EPOCHS),
        hashes={h: long_chain().blocks[h].header.hash for h in range(100, LENGTH, 100)},
    )
    first = True

    def hold_back(message: Message, answers: list[Message]) -> list[Message]:
        nonlocal first
        if isinstance(message, GetHeaders) and first:
            first = False
            return []
        return answers

    node = FakeNode(long_chain(), rewrite=hold_back)
    net = Network([], MemoryStores(), checkpoints=known)
    net.connect(node)
    net.run()
    # The first range is missing; what was fetched above it is not more than fits.
    assert net.sync.state.headers.height == 0
    assert len(net.sync.headers._whole) == 3
    net.run(30)
    assert is_whole(net)
    assert MAX_OPEN * 2016 * 80 < 11_000_000
    assert MAX_PER_PEER <= MAX_OPEN


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False), st.lists(st.sampled_from(["links", "last", "short"])))
def test_any_order_of_messages_leads_to_the_chain(shuffle: random.Random, kinds: list[str]) -> None:
    net = network(shuffle=shuffle)
    for kind in kinds[:3]:
        net.connect(broken(kind))
    net.connect(FakeNode(long_chain()))
    net.connect(FakeNode(long_chain()))
    net.run(40)
    assert is_whole(net), net.describe()


def test_a_wallet_sees_its_payments_after_ranges() -> None:
    wallet = ScriptWallet()
    chain = long_chain().copy(LENGTH)
    chain.mine(to=wallet.script(0))
    net = Network([wallet], MemoryStores(), checkpoints=long_chain().checkpoints(EPOCHS))
    net.connect(FakeNode(chain))
    net.run(2)
    assert net.sync.is_synced()
    assert wallet.balance == 50 * 10**8
