"""An older wallet joins: the chains are extended downwards, from peers of every kind."""

import random
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.checkpoints import CLOCK_SLACK, Checkpoints
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.chain_start import BIRTHDAY_MARGIN
from wallet_gui.chain.p2p.filter_messages import CFHeaders, GetCFHeaders
from wallet_gui.chain.p2p.messages import GetHeaders, Message
from wallet_gui.chain.p2p.sync_state import Work
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.script import p2wpkh

EPOCHS = 4
LENGTH = EPOCHS * 2016 + 40
FILTER_HEIGHTS = (2100, 4100, 8060)
BTC = 10**8


class SeedWallet(ScriptWallet):
    """Wallets of one seed: whatever their name, their scripts are the same."""

    def script(self, index: int) -> bytes:
        return p2wpkh(hash160(f"seed/{index}".encode()))


@cache
def paid_chain() -> FakeChain:
    """One payment in each epoch and one above all that is known beforehand."""
    wallet = SeedWallet()
    chain = FakeChain()
    for height in range(1, LENGTH + 1):
        epoch, place = divmod(height, 2016)
        is_payment = place == 1000 or height == LENGTH - 5
        chain.mine(to=wallet.script(epoch) if is_payment else b"\x51")
    return chain


@cache
def known() -> Checkpoints:
    return paid_chain().checkpoints(EPOCHS, FILTER_HEIGHTS)


def time_of(height: int) -> int:
    """A birthday for which exactly the anchors below `height` are old enough."""
    return paid_chain().blocks[height].header.time + BIRTHDAY_MARGIN + CLOCK_SLACK


def born_late(name: str = "young") -> ScriptWallet:
    wallet = SeedWallet(name)
    wallet.birthday_time = time_of(LENGTH - 20)
    return wallet


def network(*wallets: ScriptWallet, **options: object) -> Network:
    stores = MemoryStores(is_new=True)
    return Network(list(wallets), stores, checkpoints=known(), **options)  # type: ignore[arg-type]


def join(net: Network, wallet: ScriptWallet) -> None:
    net.wallets.append(wallet)
    net._perform(net.sync.watch(wallet.name, wallet.scripts, [], wallet.birthday_time, net.instant))


def check_whole(net: Network, start: int, filter_start: int) -> None:
    chain = paid_chain()
    state = net.sync.state
    assert state.headers.start_height == net.stores.headers.start == start, net.describe()
    assert state.filter_headers.start_height == net.stores.filter_headers.start == filter_start
    raw = b"".join(block.header.serialize() for block in chain.blocks[start:])
    assert net.stores.headers.raw == raw
    assert net.stores.filter_headers.raw == b"".join(chain.filter_headers[filter_start:])
    assert net.sync.is_synced()
    # What is in memory is what a chain from the stores would be.
    anchor = known().anchor_at_or_below(start - 1)
    again = HeaderChain.load(net.params, start, raw, anchor=anchor)
    assert again.chain_work == state.headers.chain_work
    for height in (start, (start + LENGTH) // 2, LENGTH):
        block_hash = chain.blocks[height].header.hash
        assert state.headers.hash_at(height) == block_hash
        assert state.headers.height_of(block_hash) == height


def test_a_young_wallet_starts_at_the_newest_checkpoint() -> None:
    wallet = born_late()
    net = network(wallet)
    net.connect(FakeNode(paid_chain()))
    net.run(1)
    check_whole(net, 3 * 2016, 8061)
    assert wallet.balance == 50 * BTC


@pytest.mark.parametrize(
    ("birth", "start", "filter_start", "payments"),
    [(6500, 4032, 4101, 2), (4500, 2016, 2101, 3), (50, 0, 0, 5), (None, 0, 0, 5)],
)
def test_an_older_wallet_joins(
    birth: int | None, start: int, filter_start: int, payments: int
) -> None:
    young, old = born_late(), SeedWallet("old")
    old.birthday_time = None if birth is None else time_of(birth)
    net = network(young)
    for _ in range(2):
        net.connect(FakeNode(paid_chain()))
    net.run(1)
    join(net, old)
    net.run(3)
    check_whole(net, start, filter_start)
    # Below the birthday nothing is looked for; all the rest is found.
    assert old.balance == payments * 50 * BTC
    assert young.balance == 50 * BTC
    assert not net.faults
    assert not [e for e in net.events if isinstance(e, BackendWarning)]
    # It goes on as ever, and a restart finds it all.
    net.open()
    assert net.sync.state.headers.start_height == start
    assert net.sync.state.filter_headers.start_height == filter_start


def lying(kind: str) -> FakeNode:
    """A peer that lies about filter headers below the first start."""

    def rewrite(message: Message, answers: list[Message]) -> list[Message]:
        if not isinstance(message, GetCFHeaders) or message.start >= 8061:
            return answers
        return [_lie(a, kind) if isinstance(a, CFHeaders) else a for a in answers]

    return FakeNode(paid_chain(), rewrite=rewrite)


def _lie(message: CFHeaders, kind: str) -> CFHeaders:
    hashes = list(message.filter_hashes)
    if kind == "hash":
        hashes[len(hashes) // 2] = bytes(32)
    elif kind == "previous":
        return CFHeaders(message.stop, bytes(32), message.filter_hashes)
    elif kind == "short":
        hashes.pop()
    return CFHeaders(message.stop, message.previous, tuple(hashes))


@pytest.mark.parametrize("kind", ["hash", "previous", "short"])
@pytest.mark.parametrize("liar_first", [True, False])
def test_a_lie_about_filter_headers_below_is_proven(kind: str, liar_first: bool) -> None:  # noqa: FBT001
    young, old = born_late(), SeedWallet("old")
    old.birthday_time = time_of(50)
    net = network(young)
    nodes = [lying(kind), FakeNode(paid_chain())]
    for node in nodes if liar_first else nodes[::-1]:
        net.connect(node)
    net.run(1)
    join(net, old)
    net.run(20)
    check_whole(net, 0, 0)
    assert old.balance == 250 * BTC
    assert len(net.faults) == 1, net.faults


def test_a_liar_alone_extends_nothing_and_confirms_nothing() -> None:
    young, old = born_late(), SeedWallet("old")
    old.birthday_time = time_of(50)
    net = network(young)
    net.connect(lying("hash"))
    net.run(1)
    join(net, old)
    net.run(10)
    assert net.faults
    assert net.sync.state.filter_headers.start_height == 8061
    assert not net.sync.is_synced()
    assert old.balance == 0
    net.connect(FakeNode(paid_chain()))
    net.run(10)
    check_whole(net, 0, 0)
    assert old.balance == 250 * BTC


def test_silence_below_is_passed_by() -> None:
    def silent(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetCFHeaders) and message.start < 8061:
            return []
        return [] if isinstance(message, GetHeaders) and any(message.stop) else answers

    young, old = born_late(), SeedWallet("old")
    old.birthday_time = time_of(50)
    net = network(young)
    net.connect(FakeNode(paid_chain(), rewrite=silent))
    net.run(1)
    net.connect(FakeNode(paid_chain()))
    net.run(1)
    join(net, old)
    net.run(60)
    check_whole(net, 0, 0)
    assert old.balance == 250 * BTC
    assert not net.faults


@settings(deadline=None, max_examples=3)
@given(st.randoms(use_true_random=False), st.integers(0, 300))
def test_an_end_at_any_moment_loses_nothing(shuffle: random.Random, steps: int) -> None:
    young, old = born_late(), SeedWallet("old")
    old.birthday_time = time_of(50)
    net = network(young, shuffle=shuffle)
    net.connect(FakeNode(paid_chain()))
    net.run(1)
    join(net, old)
    net.connect(FakeNode(paid_chain()))
    for _ in range(steps):
        if not net._todo:
            break
        kind, item = net._todo.popleft()
        if kind == "exchange":
            assert isinstance(item, int)
            net._exchange(item)
        else:
            assert isinstance(item, Work)
            net._perform(net.sync.work_done(item, item.run(), net.instant))
    # As after kill -9: nothing but the stores is left.
    headers, filters = net.stores.headers, net.stores.filter_headers
    chain = paid_chain()
    assert headers.raw == b"".join(
        b.header.serialize()
        for b in chain.blocks[headers.start : headers.start + len(headers.raw) // 80]
    )
    assert filters.raw == b"".join(
        chain.filter_headers[filters.start : filters.start + len(filters.raw) // 32]
    )
    for wallet in (young, old):
        wallet.marks.clear()
    net.open()
    net.connect(FakeNode(chain))
    net.run(3)
    check_whole(net, 0, 0)
