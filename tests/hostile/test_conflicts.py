"""Peers that lie about filters, alone and among others: the balance is exact, liars are found."""

import itertools
import random
from collections.abc import Callable

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain, payment
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import BTC, balance, is_synced, paid_chain
from wallet_gui.chain.filters import build, filter_items
from wallet_gui.chain.p2p.filter_messages import CFCheckpt, CFHeaders, CFilter
from wallet_gui.chain.p2p.messages import GetData, Message, RawBlock
from wallet_gui.chain.p2p.sync_state import Ban
from wallet_gui.primitives.script import p2tr
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

OTHER = b"\x51"


def liar(chain: FakeChain, *heights: int, data: bytes | None = None) -> FakeNode:
    """A node whose filters at some heights hold nothing of what they should."""
    lying = chain.copy(chain.height)
    for height in heights:
        wrong = build(FakeChain().blocks[0], [b"\x53" * 5]).data if data is None else data
        lying.lie(height, wrong)
    return FakeNode(lying)


def spending_chain(wallet: ScriptWallet) -> tuple[FakeChain, int]:
    """A chain on which a coin of an earlier block that reveals nothing is spent at some height."""
    chain = FakeChain()
    hidden = p2tr(b"\x07" * 32)
    chain.mine(to=hidden)
    chain.mine_empty(3)
    spend = Transaction(2, (TxIn(chain.coin(1), b""),), (TxOut(5, OTHER),), 0)
    chain.mine(spend)
    chain.mine(to=wallet.script(0))
    return chain, 5


@pytest.mark.parametrize("order", list(itertools.permutations(["liar", "honest", "other"])))
def test_a_proven_liar_is_banned_with_its_network(order: tuple[str, ...]) -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    nodes = {"liar": liar(chain, 6), "honest": FakeNode(chain), "other": FakeNode(chain)}
    network = Network([wallet])
    for name in order:
        network.connect(nodes[name])
        network.run(0.5)
    network.run(8)
    assert is_synced(network, nodes["honest"]), network.describe()
    assert wallet.balance == 100 * BTC
    assert network.bans == [(nodes["liar"], Ban.NETGROUP)]
    assert network.connected.count(nodes["liar"]) == 0
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
    assert len(network.warnings) == 1


@pytest.mark.parametrize("liar_first", [True, False])
def test_one_honest_peer_wins_against_one_liar(*, liar_first: bool) -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    bad, good = liar(chain, 6, 9), FakeNode(chain)
    network = Network([wallet])
    for node in (bad, good) if liar_first else (good, bad):
        network.connect(node)
        network.run(0.5)
    network.run(5)
    assert is_synced(network, good), network.describe()
    assert wallet.balance == 100 * BTC
    assert network.banned == [bad]


def test_a_liar_alone_finds_no_false_payment() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    network = Network([wallet])
    network.connect(liar(chain, 6))
    network.run(5)
    assert wallet.balance in {0, 50 * BTC}
    good = FakeNode(chain)
    network.connect(good)
    network.run(5)
    assert is_synced(network, good)
    assert wallet.balance == 100 * BTC


Lie = Callable[[random.Random, FakeChain], FakeNode]


def omits(rng: random.Random, chain: FakeChain) -> FakeNode:
    return liar(chain, *rng.sample(range(1, chain.height + 1), rng.randrange(1, 5)))


def empties_everything(_rng: random.Random, chain: FakeChain) -> FakeNode:
    return liar(chain, *range(1, chain.height + 1), data=b"\x00")


def adds(rng: random.Random, chain: FakeChain) -> FakeNode:
    height = rng.randrange(1, chain.height + 1)
    block = chain.blocks[height]
    items = filter_items(block, [])
    junk = [rng.randbytes(22) for _ in range(200)]
    return liar(chain, height, data=build(block, [*items, *junk]).data)


def mangles(rng: random.Random, chain: FakeChain) -> FakeNode:
    return liar(chain, rng.randrange(1, chain.height + 1), data=b"\x05\xff\xff")


def claims_without_filters(rng: random.Random, chain: FakeChain) -> FakeNode:
    node = liar(chain, rng.randrange(1, chain.height + 1))

    def keep_silent(_message: Message, answers: list[Message]) -> list[Message]:
        return [a for a in answers if not isinstance(a, CFilter)]

    node.rewrite = keep_silent
    return node


def swaps_filters(rng: random.Random, chain: FakeChain) -> FakeNode:
    def swap(_message: Message, answers: list[Message]) -> list[Message]:
        return [
            CFilter(a.block_hash, b"\x00") if isinstance(a, CFilter) and rng.random() < 0.2 else a
            for a in answers
        ]

    return FakeNode(chain, rewrite=swap)


def invents_headers(rng: random.Random, chain: FakeChain) -> FakeNode:
    def invent(_message: Message, answers: list[Message]) -> list[Message]:
        return [
            CFHeaders(a.stop, rng.randbytes(32), a.filter_hashes)
            if isinstance(a, CFHeaders)
            else CFCheckpt(a.stop, tuple(rng.randbytes(32) for _ in a.filter_headers))
            if isinstance(a, CFCheckpt)
            else a
            for a in answers
        ]

    return FakeNode(chain, rewrite=invent)


def withholds_blocks(rng: random.Random, chain: FakeChain) -> FakeNode:
    node = omits(rng, chain)
    node.rewrite = lambda message, answers: [] if isinstance(message, GetData) else answers
    return node


def mutates_blocks(rng: random.Random, chain: FakeChain) -> FakeNode:
    node = omits(rng, chain)
    node.rewrite = lambda _message, answers: [
        RawBlock(a.raw[:-1] + b"\x77") if isinstance(a, RawBlock) else a for a in answers
    ]
    return node


def is_silent(_rng: random.Random, chain: FakeChain) -> FakeNode:
    return FakeNode(chain, filters_are_silent=True)


LIES: list[Lie] = [
    omits,
    empties_everything,
    adds,
    mangles,
    claims_without_filters,
    swaps_filters,
    invents_headers,
    withholds_blocks,
    mutates_blocks,
    is_silent,
]


@pytest.mark.parametrize("seed", range(25))
def test_seven_hostile_of_eight(seed: int) -> None:
    """With one honest peer balance and history are exact, and it is never banned."""
    rng = random.Random(seed)
    wallet = ScriptWallet()
    chain = FakeChain()
    for _ in range(rng.randrange(8, 40)):
        used = [coin for coin, script in chain.scripts.items() if script in wallet.scripts]
        spent = {i.prevout for b in chain.blocks for t in b.transactions for i in t.inputs}
        free = [coin for coin in used if coin not in spent]
        transactions = []
        if free and rng.random() < 0.4:
            transactions.append(payment([rng.choice(free)], [TxOut(1000, OTHER)]))
        chain.mine(
            *transactions,
            to=rng.choice([OTHER, wallet.script(rng.randrange(20))]),
            salt=rng.randrange(2**40),
        )
    honest = FakeNode(chain)
    same = liar(chain, *rng.sample(range(1, chain.height + 1), 2))  # several who tell one lie
    hostile = [same if rng.random() < 0.3 else rng.choice(LIES)(rng, chain) for _ in range(7)]
    nodes = [honest, *hostile]
    rng.shuffle(nodes)
    network = Network([wallet], shuffle=rng)
    for node in nodes:
        network.connect(node)
        if rng.random() < 0.5:
            network.run(rng.choice([0, 0.5, 2]))
    network.run(120)
    assert honest not in network.banned
    assert honest in network.connected, network.farewells
    assert is_synced(network, honest), network.describe()
    assert wallet.balance == balance(chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)


def test_what_no_block_can_decide_is_counted_by_network() -> None:
    """A taproot key path shows nothing: a filter may lack its script and nobody can tell."""
    wallet = ScriptWallet()
    chain, height = spending_chain(wallet)
    block = chain.blocks[height]
    outputs = filter_items(block, [])
    lying = chain.copy(chain.height)
    lying.lie(height, build(block, [*outputs, b"\x54" * 30]).data)
    network = Network([wallet])
    for _ in range(3):  # one network, however many peers it has
        network.connect(FakeNode(lying), netgroup=b"one")
    network.run(1)
    honest = [FakeNode(chain), FakeNode(chain)]
    for node in honest:
        network.connect(node)
    network.run(5)
    assert is_synced(network, honest[0]), network.describe()
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
    assert not network.bans
    assert any("cannot tell" in sentence for sentence in network.warnings)
    assert network.sync.conflicts.unresolved == {height}
    assert wallet.balance == 50 * BTC


def test_a_packaged_filter_header_needs_no_block() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    bad, good = liar(chain, 6), FakeNode(chain)
    for nodes in ((bad, good), (good, bad)):
        network = Network([ScriptWallet()], packaged={9: chain.filter_headers[9]})
        for node in nodes:
            network.connect(node)
            network.run(0.5)
        network.run(5)
        assert is_synced(network, good), network.describe()
        assert network.bans == [(bad, Ban.NETGROUP)]
        assert network.wallets[0].balance == 100 * BTC


def test_a_majority_cannot_rewrite_what_is_packaged() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    network = Network([wallet], packaged={9: chain.filter_headers[9]})
    good = FakeNode(chain)
    network.connect(good)
    network.run(1)
    for _ in range(7):
        network.connect(liar(chain, 6))
    network.run(30)
    assert network.connected == [good]
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
    assert wallet.balance == 100 * BTC


def test_a_store_that_contradicts_what_is_packaged_is_built_again() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    network = Network([wallet])
    network.connect(liar(chain, 6))
    network.run(1)
    assert wallet.balance == 50 * BTC
    network.packaged = {9: chain.filter_headers[9]}  # a new release
    network.open()
    good = FakeNode(chain)
    network.connect(good)
    network.run(5)
    assert is_synced(network, good), network.describe()
    assert not network.bans
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
    assert wallet.balance == 100 * BTC


def test_a_new_block_waits_for_a_second_network_but_not_for_ever() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    fast, slow = FakeNode(chain), FakeNode(chain)
    network = Network([wallet])
    network.connect(fast)
    network.connect(slow)
    network.run(1)
    chain.mine(to=wallet.script(1))
    network.announce(fast)
    network.run(5)
    assert network.sync.state.filter_headers.height == chain.height - 1
    network.run(6)
    assert wallet.balance == 100 * BTC  # one source is better than none
    assert network.sync.filter_headers.sources(chain.height) == 1
    network.announce(slow)
    network.run(1)
    assert network.sync.filter_headers.sources(chain.height) == 2
    chain.mine(to=wallet.script(2))
    network.announce(fast)
    network.announce(slow)
    network.run(0.5)
    assert wallet.balance == 150 * BTC


def test_stale_store_and_only_liars_never_confirm_anything_false() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0, 1)
    network = Network([wallet], stores=MemoryStores())
    bad = [liar(chain, 6), liar(chain, 9), liar(chain, 6, 9)]
    for node in bad:
        network.connect(node)
        network.run(1)
    network.run(30)
    # Those of different lies refute each other; what is left cannot be worse than one source.
    assert wallet.balance in {50 * BTC, 100 * BTC}
    assert OutPoint(bytes(32), 0) not in wallet.coins
    assert network.warnings


def test_a_lie_that_everybody_tells_is_found_by_audit() -> None:
    """One block in two hundred is checked: who hides payments from all of them is soon found."""
    wallet = ScriptWallet()
    chain = FakeChain()
    for height in range(1, 401):
        chain.mine(to=wallet.script(0) if height == 77 else OTHER)
    found = 0
    for seed in range(4):
        chance = random.Random(seed).random
        network = Network([ScriptWallet()], audit_chance=chance)
        bad = liar(chain, *range(1, 401), data=b"\x00")
        for _ in range(3):
            network.connect(bad)
        network.run(20)
        if network.bans:
            found += 1
            assert {ban for _, ban in network.bans} == {Ban.NETGROUP}
            assert network.connected == []
            assert any("every source agreed on" in sentence for sentence in network.warnings)
            assert not network.sync.is_synced()
            honest = FakeNode(chain)
            network.connect(honest)
            network.run(30)
            assert is_synced(network, honest), network.describe()
            assert network.wallets[0].balance == 50 * BTC
            assert honest not in network.banned
    assert found >= 3  # each misses with a chance of one in seven


def test_an_audit_finds_nothing_where_nobody_lies() -> None:
    wallet = ScriptWallet()
    chain, height = spending_chain(wallet)
    assert height
    nodes = [FakeNode(chain), FakeNode(chain)]
    network = Network([wallet], audit_chance=lambda: 0.0, stores=MemoryStores(forgets=True))
    for node in nodes:
        network.connect(node)
    network.run(60)
    assert is_synced(network, nodes[0])
    read = [m for node in nodes for m in node.asked if isinstance(m, GetData)]
    assert len(read) >= chain.height
    assert not network.bans
    assert not network.warnings
    assert not network.farewells


def test_a_suspected_block_is_read_although_its_filter_says_nothing() -> None:
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    network = Network([wallet])
    network.connect(liar(chain, 6))
    network.run(1)
    assert wallet.balance == 0
    network.suspect(6)
    network.run(5)
    assert wallet.balance == 50 * BTC
    assert len(network.bans) == 1  # and the liar is found out


def test_the_only_node_is_ones_own_and_wrong() -> None:
    """It is not banned, but neither believed; it is said what to do."""
    wallet = ScriptWallet()
    chain = paid_chain(wallet, 0)
    node = liar(chain, 6)
    network = Network([wallet])
    network.connect(node, is_own=True)
    network.run(1)
    network.suspect(6)
    for _ in range(3):
        network.run(5)
        network.connect(node, is_own=True)
    network.run(5)
    assert not network.sync.is_synced()
    assert wallet.balance == 50 * BTC
    sentences = [s for s in network.warnings if "Your node" in s]
    assert sentences
    assert all("block 6" in sentence for sentence in sentences)


@pytest.fixture(scope="module")
def long_chain() -> tuple[FakeChain, ScriptWallet]:
    wallet = ScriptWallet()
    chain = FakeChain()
    for height in range(1, 4600):
        chain.mine(to=wallet.script(height // 900) if height % 450 == 0 else OTHER)
    return chain, wallet


@pytest.mark.parametrize("seed", range(4))
def test_a_chain_of_many_ranges_among_liars(
    long_chain: tuple[FakeChain, ScriptWallet], seed: int
) -> None:
    """Ranges come from several peers at once, and checkpoints tell where to look."""
    rng = random.Random(seed)
    chain, _ = long_chain
    wallet = ScriptWallet()
    honest = FakeNode(chain)
    lies: list[Lie] = [omits, invents_headers, adds, claims_without_filters, is_silent]
    nodes = [honest, *(rng.choice(lies)(rng, chain) for _ in range(3))]
    rng.shuffle(nodes)
    packaged = {2016: chain.filter_headers[2016]} if rng.random() < 0.5 else {}
    network = Network([wallet], shuffle=rng, packaged=packaged)
    for node in nodes:
        network.connect(node)
        if rng.random() < 0.5:
            network.run()
    network.run(100)
    assert honest not in network.banned
    assert honest in network.connected
    assert is_synced(network, honest), network.describe()
    assert wallet.balance == balance(chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)
