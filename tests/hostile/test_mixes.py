"""Hostile peers of every kind together: with one honest one all is exact, with none nothing false.

The threat table's row 7 and the lists of issue 3 (gap limit, spends, reorganisations), too.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.fuzz.messages import spoil_message
from tests.hostile.fake_chain import FakeChain, payment
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_blocks import asked_blocks
from tests.hostile.test_conflicts import LIES, OTHER, Lie, liar
from tests.hostile.test_sync import BTC, balance, is_synced
from wallet_gui.chain.backend import Reorganized
from wallet_gui.chain.p2p.filter_messages import GetCFHeaders, GetCFilters
from wallet_gui.chain.p2p.messages import GetData, GetHeaders, Headers, Message
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut

MIXES = 20
"""In every run of the tests; for a long one, raise it."""
GAP = 20


def says_nothing(_rng: random.Random, chain: FakeChain) -> FakeNode:
    return FakeNode(chain, rewrite=lambda _message, _answers: [])


def falls_silent(rng: random.Random, chain: FakeChain) -> FakeNode:
    left = [rng.randrange(1, 30)]

    def tire(_message: Message, answers: list[Message]) -> list[Message]:
        left[0] -= 1
        return answers if left[0] > 0 else []

    return FakeNode(chain, rewrite=tire)


def is_behind(rng: random.Random, chain: FakeChain) -> FakeNode:
    return FakeNode(chain.copy(rng.randrange(chain.height)))


def is_on_a_branch(rng: random.Random, chain: FakeChain) -> FakeNode:
    """A chain of less work, on which the wallet is paid what it never was."""
    fork = rng.randrange(chain.height - 2)
    branch = chain.copy(fork)
    while branch.height < chain.height - 1:
        branch.mine(to=ScriptWallet().script(rng.randrange(20)), salt=rng.randrange(2**40))
    return FakeNode(branch)


def breaks_headers(rng: random.Random, chain: FakeChain) -> FakeNode:
    """Headers without work, unconnected, doubled or cut short."""

    def bend(_message: Message, answers: list[Message]) -> list[Message]:
        return [
            Headers(
                rng.choice(
                    [
                        a.raw[:-4] + rng.randbytes(4),
                        a.raw[80:],
                        a.raw + a.raw,
                        a.raw[:80] * 3,
                        b"",
                        rng.randbytes(80),
                    ]
                )
            )
            if isinstance(a, Headers) and a.raw
            else a
            for a in answers
        ]

    return FakeNode(chain, rewrite=bend)


def spoils(rng: random.Random, chain: FakeChain) -> FakeNode:
    def bend(_message: Message, answers: list[Message]) -> list[Message]:
        return [spoil_message(rng, a, list(answers)) if rng.random() < 0.3 else a for a in answers]

    return FakeNode(chain, rewrite=bend)


def claims_a_great_height(_rng: random.Random, chain: FakeChain) -> FakeNode:
    return FakeNode(chain.copy(1), claimed_height=2_000_000)


KINDS: list[Lie] = [
    *LIES,
    says_nothing,
    falls_silent,
    is_behind,
    is_on_a_branch,
    breaks_headers,
    spoils,
    claims_a_great_height,
]


def lived_chain(rng: random.Random, wallet: ScriptWallet, length: int) -> FakeChain:
    """Payments as far off as the gap allows, spends with and without change, chains of them."""
    chain = FakeChain()
    chain.mine_empty(2)
    highest = -1
    free: list[OutPoint] = []
    while chain.height < length:
        index = rng.randrange(0, min(highest + GAP + 1, 200))
        transactions: list[Transaction] = []
        if free and rng.random() < 0.5:
            coin = free.pop(rng.randrange(len(free)))
            for _ in range(rng.randrange(1, 4)):  # each spends the one before, in one block
                back = wallet.script(rng.randrange(max(highest, 0) + 1))
                transactions.append(payment([coin], [TxOut(rng.randrange(1, 9999), back)]))
                coin = OutPoint(transactions[-1].txid, 0)
            if rng.random() < 0.5:
                transactions.append(payment([coin], [TxOut(1, OTHER)]))
            else:
                free.append(coin)
        is_paid = rng.random() < 0.4
        to = wallet.script(index) if is_paid else OTHER
        chain.mine(*transactions, to=to, salt=rng.randrange(2**40))
        if is_paid:
            highest = max(highest, index)
            free.append(chain.coin(chain.height))
    return chain


def true_coins(chain: FakeChain, wallet: ScriptWallet) -> set[tuple[OutPoint, int]]:
    """All coins that the wallet ever got, with their heights."""
    mine = {wallet.script(index) for index in range(400)}
    return {
        (OutPoint(tx.txid, vout), height)
        for height, block in enumerate(chain.blocks)
        for tx in block.transactions
        for vout, output in enumerate(tx.outputs)
        if output.script_pubkey in mine
    }


def found_coins(wallet: ScriptWallet) -> set[tuple[OutPoint, int]]:
    return {(coin, height) for coin, (_, _, height) in wallet.coins.items()}


def hostile(rng: random.Random, chain: FakeChain, count: int) -> list[FakeNode]:
    shared = liar(chain, *rng.sample(range(1, chain.height + 1), 2))
    return [shared if rng.random() < 0.2 else rng.choice(KINDS)(rng, chain) for _ in range(count)]


@pytest.mark.parametrize("seed", range(MIXES))
def test_seven_of_eight_are_hostile(seed: int) -> None:
    rng = random.Random(f"mixes {seed}")
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(rng, wallet, rng.randrange(10, 60))
    honest = FakeNode(chain)
    nodes = [honest, *hostile(rng, chain, 7)]
    rng.shuffle(nodes)
    network = Network([wallet], shuffle=rng)
    for node in nodes:
        network.connect(node)
        if rng.random() < 0.5:
            network.run(rng.choice([0, 0.5, 2]))
    network.run(120)
    # New blocks, and a reorganisation, while all of them are there.
    chain = chain.copy(chain.height - rng.randrange(0, 4))
    for _ in range(6):
        chain.mine(to=wallet.script(rng.randrange(3)), salt=rng.randrange(2**40))
    honest.switch(chain)
    network.announce(honest)
    network.run(120)
    assert honest not in network.banned
    assert honest in network.connected, (network.faults, network.farewells)
    assert is_synced(network, honest), network.describe()
    assert wallet.balance == balance(chain, wallet)
    assert found_coins(wallet) == true_coins(chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)


@pytest.mark.parametrize("seed", range(MIXES))
def test_all_are_hostile(seed: int) -> None:
    """Nothing false is ever confirmed. What is missing is told, or the program says it waits."""
    rng = random.Random(f"hostile {seed}")
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(rng, wallet, rng.randrange(10, 40))
    kinds = [kind for kind in KINDS if kind is not is_on_a_branch]
    network = Network([wallet], shuffle=rng, audit_chance=lambda: 0.0)
    for _ in range(8):
        network.connect(rng.choice(kinds)(rng, chain))
        network.run(rng.choice([0, 0.5, 2]))
        assert found_coins(wallet) <= true_coins(chain, wallet)
    for _ in range(20):
        network.run(20)
        assert found_coins(wallet) <= true_coins(chain, wallet)
    told = bool(network.warnings) or not network.sync.is_synced()
    assert told or wallet.balance == balance(chain, wallet), network.describe()


# --- payments that are easily missed


@pytest.mark.parametrize(
    "indexes", [(20, 40), (0, 19, 20, 21, 99), (99, 78, 57, 36, 15), (0, 0, 0), (20,), (19, 39)]
)
@pytest.mark.parametrize("forgets", [False, True])
def test_payments_at_the_edges_of_the_window(indexes: Sequence[int], *, forgets: bool) -> None:
    """At index 20 and then 40 (Kyoto finds the first only), and in any order of height."""
    wallet = ScriptWallet(gap=GAP + 1)
    chain = FakeChain()
    chain.mine_empty(3)
    reached = -1
    for index in sorted(indexes):  # what makes the farther ones reachable, later in the chain
        while index > reached + GAP + 1:
            reached += GAP + 1
            chain.mine(to=wallet.script(reached))
        reached = max(reached, index)
    for index in indexes:
        chain.mine(to=wallet.script(index), salt=7)
        chain.mine_empty(1)
    node = FakeNode(chain)
    network = Network([wallet], stores=MemoryStores(forgets=forgets))
    network.connect(node)
    network.run(5)
    assert is_synced(network, node), network.describe()
    assert set(indexes) <= wallet.used
    assert wallet.balance == balance(chain, wallet)
    assert found_coins(wallet) == true_coins(chain, wallet)


def test_a_changeless_spend_and_a_chain_of_payments_in_one_block() -> None:
    wallet = ScriptWallet()
    chain = FakeChain()
    chain.mine(to=wallet.script(0))
    chain.mine(to=wallet.script(1))
    changeless = payment([chain.coin(1)], [TxOut(BTC, OTHER)])
    first = payment([chain.coin(2)], [TxOut(5, wallet.script(2)), TxOut(6, OTHER)])
    second = payment([OutPoint(first.txid, 0)], [TxOut(4, wallet.script(3))])
    third = payment([OutPoint(second.txid, 0)], [TxOut(3, OTHER)])
    foreign = payment([OutPoint(first.txid, 1)], [TxOut(2, wallet.script(4))])
    chain.mine(changeless, first, second, third, foreign)
    chain.mine_empty(2)
    node = FakeNode(chain)
    network = Network([wallet])
    network.connect(node)
    network.run(5)
    assert is_synced(network, node)
    assert wallet.spent[chain.coin(1)] == 3
    assert wallet.balance == balance(chain, wallet) == 2
    assert found_coins(wallet) == true_coins(chain, wallet)


# --- reorganisations

DEEPEST = 100


@cache
def branches() -> tuple[FakeChain, list[FakeChain]]:
    """A chain, and one that leaves it so many blocks below its tip for each depth."""
    wallet = ScriptWallet()
    trunk = FakeChain()
    trunk.mine_empty(8)
    for index in range(DEEPEST + 4):
        trunk.mine(to=wallet.script(index % 7) if index % 9 == 0 else OTHER)
    made = []
    for depth in range(1, DEEPEST + 1):
        branch = trunk.copy(trunk.height - depth)
        for index in range(depth + 1):
            branch.mine(to=wallet.script(index % 5) if index % 11 == 0 else OTHER, salt=1)
        made.append(branch)
    return trunk, made


def right(network: Network, node: FakeNode) -> None:
    (wallet,) = network.wallets
    assert is_synced(network, node), network.describe()
    assert wallet.balance == balance(node.chain, wallet)
    assert found_coins(wallet) == true_coins(node.chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(node.chain.filter_headers)
    assert not network.faults
    assert not network.bans


Moment = Callable[[Network, FakeNode, FakeChain], None]


def online(network: Network, node: FakeNode, branch: FakeChain) -> None:
    network.connect(node)
    network.run()
    right(network, node)
    node.switch(branch)
    network.announce(node)
    network.run(5)
    assert any(isinstance(event, Reorganized) for event in network.events)


def offline(network: Network, node: FakeNode, branch: FakeChain) -> None:
    number = network.connect(node)
    network.run()
    network.disconnect(number)
    node.switch(branch)
    network.open()  # a new start, from what is stored
    network.connect(node)
    network.run(5)


def amid_filters(network: Network, node: FakeNode, branch: FakeChain) -> None:
    """The chain changes when filters, or blocks, were asked for; the answers come late."""
    held: list[Message] = []

    def hold(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetCFilters | GetCFHeaders | GetData) and len(held) < 40:
            held.extend(answers)
            return answers[: len(answers) // 2] if isinstance(message, GetCFilters) else answers
        return answers

    node.rewrite = hold
    network.connect(node)
    network.run()
    node.rewrite = None
    node.switch(branch)
    network.announce(node)
    for number, link in list(network._links.items()):
        for late in held:  # of the branch that is gone
            if number in network._links:
                network._receive(number, link.server.frame(late.command, late.serialize()))
    network.run(60)


@pytest.mark.parametrize("moment", [online, offline, amid_filters])
@pytest.mark.parametrize("depth", range(1, DEEPEST + 1))
def test_reorganisations_of_every_depth(depth: int, moment: Moment) -> None:
    trunk, made = branches()
    node = FakeNode(trunk)
    network = Network([ScriptWallet()])
    moment(network, node, made[depth - 1])
    right(network, node)


# --- who falls silent


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("kind", [GetHeaders, GetCFHeaders, GetCFilters, GetData])
def test_silence_costs_less_than_fifteen_seconds(kind: type[Message], *, first: bool) -> None:
    """Threat table, row 9: the one who is silent in this phase is passed by."""
    rng = random.Random(5)
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(rng, wallet, 60)

    def mute(message: Message, answers: list[Message]) -> list[Message]:
        return [] if isinstance(message, kind) else answers

    nodes = [FakeNode(chain, rewrite=mute), FakeNode(chain)]
    network = Network([wallet])
    for node in nodes if first else reversed(nodes):
        network.connect(node)
    began = network.now
    while found_coins(wallet) != true_coins(chain, wallet):
        network.run(0.5)
        assert network.now - began < 15, network.describe()


# --- what a peer learns


@pytest.mark.parametrize("seed", range(5))
def test_no_peer_learns_of_more_than_two_fifths_of_our_blocks(seed: int) -> None:
    """Threat table, row 20, over a whole life with disconnections and new blocks."""
    rng = random.Random(f"privacy {seed}")
    wallet = ScriptWallet(gap=GAP + 1)
    chain = lived_chain(rng, wallet, 80)
    count = rng.randrange(4, 9)
    nodes = [FakeNode(chain) for _ in range(count)]
    network = Network([wallet])
    numbers = [network.connect(node) for node in nodes]
    network.run(5)
    network.disconnect(numbers[0])
    network.connect(nodes[0])
    for _ in range(20):
        chain.mine(to=wallet.script(rng.randrange(3)), salt=rng.randrange(2**40))
        for node in nodes:
            network.announce(node)
        network.run(1)
    assert is_synced(network, nodes[1]), network.describe()
    asked = [asked_blocks(node) for node in nodes]
    assert sum(asked) >= 20
    assert max(asked) <= 0.4 * sum(asked), asked
