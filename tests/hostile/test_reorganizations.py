"""Reorganisations while offline, in the middle of a sync, and among liars: exact every time."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores, Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_conflicts import liar
from tests.hostile.test_sync import Life, balance, is_synced


def forked(wallet: ScriptWallet, depth: int) -> tuple[FakeChain, FakeChain]:
    """Give two chains, the second longer by one block, that part `depth` blocks below the first."""
    chain = FakeChain()
    chain.mine_empty(10)
    chain.mine(to=wallet.script(0))
    other = chain.copy(chain.height)
    for index in range(depth):
        chain.mine(to=wallet.script(index % 5))
    for index in range(depth + 1):
        other.mine(to=wallet.script(index % 3), salt=1)
    return chain, other


def exact(network: Network, node: FakeNode) -> None:
    (wallet,) = network.wallets
    assert is_synced(network, node), network.describe()
    assert wallet.balance == balance(node.chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(node.chain.filter_headers)
    assert network.faults == []
    assert network.bans == []


@pytest.mark.parametrize("depth", [1, 2, 6, 30, 100])
@pytest.mark.parametrize("peers", [1, 2, 4])
def test_while_offline(depth: int, peers: int) -> None:
    wallet = ScriptWallet()
    chain, other = forked(wallet, depth)
    nodes = [FakeNode(chain) for _ in range(peers)]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run(1)
    exact(network, nodes[0])
    network.open()  # the program ends, and begins again
    for node in nodes:
        node.switch(other)
        network.connect(node)
    network.run(15)
    exact(network, nodes[0])


@pytest.mark.parametrize("depth", [1, 2, 6, 30, 100])
@pytest.mark.parametrize("steps", [3, 8, 15, 25, 40, 70])
def test_in_the_middle_of_a_sync(depth: int, steps: int) -> None:
    """Filters of the branch that was left arrive afterwards; nobody is blamed (kyoto#561)."""
    wallet = ScriptWallet()
    chain, other = forked(wallet, depth)
    nodes = [FakeNode(chain), FakeNode(chain)]
    network = Network([wallet], shuffle=random.Random(steps))
    for node in nodes:
        network.connect(node)
    network.step(steps)
    for node in nodes:
        node.switch(other)
        network.announce(node)
        network.step(steps % 7)
    network.run(15)
    exact(network, nodes[0])


@pytest.mark.parametrize("depth", [1, 6, 30])
def test_one_peer_follows_later_than_the_others(depth: int) -> None:
    wallet = ScriptWallet()
    chain, other = forked(wallet, depth)
    nodes = [FakeNode(chain) for _ in range(3)]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run(1)
    for node in nodes:
        node.switch(other)
        network.announce(node)
        network.run(20)
        exact(network, nodes[0])


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32))
def test_random_lives_among_liars(seed: int) -> None:
    """Payments, reorganisations, restarts and liars who change their lies, all at random."""
    rng = random.Random(seed)
    life = Life(rng)
    honest = FakeNode(life.chain)
    network = Network(life.wallets, stores=MemoryStores(forgets=rng.random() < 0.3), shuffle=rng)
    network.connect(honest)
    for _ in range(8):
        life.step()
        honest.switch(life.chain)
        if rng.random() < 0.2:
            network.open()
            network.connect(honest)
        heights = rng.sample(range(1, life.chain.height + 1), min(3, life.chain.height))
        network.connect(liar(life.chain, *heights[: rng.randrange(4)]))
        network.announce(honest)
        if rng.random() < 0.7:
            network.run(rng.choice([0, 1, 12]))
    network.run(60)
    assert honest not in network.banned
    assert honest in network.connected
    assert is_synced(network, honest), network.describe()
    for wallet in life.wallets:
        assert wallet.balance == balance(life.chain, wallet)
    assert network.stores.filter_headers.raw == b"".join(life.chain.filter_headers)


def tied(wallet: ScriptWallet, depth: int = 1) -> tuple[FakeChain, FakeChain]:
    """Give two chains of the same length that part `depth` blocks below their ends."""
    chain = FakeChain()
    chain.mine_empty(10)
    chain.mine(to=wallet.script(0))
    other = chain.copy(chain.height)
    for index in range(depth):
        chain.mine(to=wallet.script(1 + index))
        other.mine(to=wallet.script(2 + index), salt=1)
    return chain, other


@pytest.mark.parametrize("depth", [1, 3])
def test_two_tips_of_the_same_work_and_who_told_the_first_is_gone(depth: int) -> None:
    """Nobody has its blocks any more, and the others wait for no new block to be believed."""
    wallet = ScriptWallet()
    chain, other = tied(wallet, depth)
    first, others = FakeNode(chain, filters_are_silent=True), [FakeNode(other) for _ in range(3)]
    network = Network([wallet])
    number = network.connect(first)
    network.run(1)
    assert network.sync.state.headers.tip.hash == chain.tip
    for node in others:
        network.connect(node)
    network.run(30)
    assert network.sync.state.headers.tip.hash == chain.tip  # it came first, and somebody has it
    # What all have in common is read, whatever becomes of the rest.
    assert wallet.marks.keys() == {chain.height - depth}
    network.disconnect(number)
    network.run(15)
    exact(network, others[0])
    # The first one wins after all.
    chain.mine(to=wallet.script(5))
    first.filters_are_silent = False
    network.connect(first)
    for node in others:
        node.switch(chain)
        network.announce(node)
    network.run(15)
    exact(network, first)
