"""Filter checkpoints of several peers are compared before filter headers are believed."""

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import BITS, FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_conflicts import OTHER, liar
from tests.hostile.test_sync import balance, is_synced
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.p2p.checkpoint_vectors import CheckpointVector, CheckpointVectors
from wallet_gui.chain.p2p.filter_messages import CFCheckpt, GetCFCheckpt, GetCFHeaders
from wallet_gui.chain.p2p.messages import Message
from wallet_gui.primitives.block import work_from_bits

HEIGHT = 9400
PAID = 3457


@pytest.fixture(scope="module")
def chain() -> FakeChain:
    chain = FakeChain()
    wallet = ScriptWallet()
    for height in range(1, HEIGHT + 1):
        chain.mine(to=wallet.script(0) if height == PAID else OTHER)
    return chain


def stops(node: FakeNode) -> list[int]:
    """The last heights of the stretches of filter headers that a node was asked for."""
    heights = (
        node.chain.height_of(message.stop)
        for message in node.asked
        if isinstance(message, GetCFHeaders)
    )
    return [height for height in heights if height is not None]


def network_of(*nodes: FakeNode, wallet: ScriptWallet) -> Network:
    """A client that knows how much work the chain has, so that headers come first."""
    known = Checkpoints((), (), minimum_work=HEIGHT * work_from_bits(BITS))
    network = Network([wallet], checkpoints=known)
    for node in nodes:
        network.connect(node)
    return network


def test_checkpoints_are_asked_of_all_before_any_filter_header_is_chained(chain: FakeChain) -> None:
    heights: list[int] = []

    def watch(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetCFCheckpt):
            heights.append(network.sync.state.filter_headers.height)
        return answers

    nodes = [FakeNode(chain, rewrite=watch) for _ in range(3)]
    network = network_of(*nodes, wallet=ScriptWallet())
    network.run(20)
    assert is_synced(network, nodes[0]), network.describe()
    assert heights == [-1, -1, -1]
    # Equal checkpoints spare the comparison of every hash.
    assert sum(len(stops(node)) for node in nodes) < 20


@pytest.mark.parametrize("liar_first", [True, False])
def test_nothing_above_the_first_difference_is_fetched_before_it_is_settled(
    chain: FakeChain, *, liar_first: bool
) -> None:
    """The wallet's payment is hidden in block 3457: the checkpoints at 4000 differ first."""
    wallet = ScriptWallet()
    bad, good, other = liar(chain, PAID), FakeNode(chain), FakeNode(chain)
    chained: list[int] = []

    def watch(message: Message, answers: list[Message]) -> list[Message]:
        chained.append(network.sync.state.filter_headers.height)
        return answers

    order = (bad, good, other) if liar_first else (good, other, bad)
    network = network_of(*order, wallet=wallet)
    bad.rewrite = watch
    network.run(30)
    assert network.banned == [bad]
    assert is_synced(network, good), network.describe()
    assert wallet.balance == balance(chain, wallet) > 0
    # While the liar was there, nothing was chained above, and nothing of it was the liar's.
    assert max(chained) <= 4000
    assert network.stores.filter_headers.raw == b"".join(chain.filter_headers)


def test_a_difference_found_late_stops_what_is_still_to_be_fetched(chain: FakeChain) -> None:
    """The liar was alone and chained already: others show up, and are believed in the end."""
    wallet = ScriptWallet()
    bad, good = liar(chain, PAID), FakeNode(chain)
    network = Network([wallet])
    network.connect(bad)
    network.run(1)
    network.connect(good)
    network.run(30)
    assert network.banned == [bad]
    assert is_synced(network, good), network.describe()
    assert wallet.balance == balance(chain, wallet) > 0


def test_checkpoints_and_filter_headers_of_one_peer_must_be_the_same_chain(
    chain: FakeChain,
) -> None:
    """One that shows right checkpoints and sends other filter headers is a liar by itself."""
    wallet = ScriptWallet()
    bad, good = liar(chain, PAID), FakeNode(chain)

    def two_faced(message: Message, answers: list[Message]) -> list[Message]:
        return good._answer(message) if isinstance(message, GetCFCheckpt) else answers

    bad.rewrite = two_faced
    network = network_of(bad, good, FakeNode(chain), wallet=wallet)
    network.run(30)
    assert bad in network.banned
    assert good not in network.banned
    assert is_synced(network, good), network.describe()
    assert wallet.balance == balance(chain, wallet) > 0


def test_made_up_checkpoints_cost_their_sender_the_connection_and_nobody_the_sync(
    chain: FakeChain,
) -> None:
    wallet = ScriptWallet()
    bad, good = FakeNode(chain), FakeNode(chain)

    def invents(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetCFCheckpt):
            said = answers[0]
            assert isinstance(said, CFCheckpt)
            return [CFCheckpt(said.stop, (*said.filter_headers[:-2], b"\1" * 32, b"\2" * 32))]
        return answers

    bad.rewrite = invents
    network = network_of(bad, good, wallet=wallet)
    network.run(60)
    assert is_synced(network, good), network.describe()
    assert wallet.balance == balance(chain, wallet) > 0
    assert bad in network.banned


def test_silence_about_checkpoints_holds_nothing_up_for_long(chain: FakeChain) -> None:
    wallet = ScriptWallet()
    bad, good, other = FakeNode(chain), FakeNode(chain), FakeNode(chain)
    bad.rewrite = lambda message, answers: [] if isinstance(message, GetCFCheckpt) else answers
    network = network_of(bad, good, other, wallet=wallet)
    network.run(10)
    assert network.sync.state.filter_headers.height == HEIGHT
    assert wallet.balance == balance(chain, wallet) > 0


def test_a_dispute_that_nobody_settles_is_waited_for_once(chain: FakeChain) -> None:
    """The peer that differs never sends the hashes that would tell where."""
    wallet = ScriptWallet()
    bad, good = liar(chain, PAID), FakeNode(chain)
    bad.rewrite = lambda message, answers: [] if isinstance(message, GetCFHeaders) else answers
    network = network_of(bad, good, FakeNode(chain), wallet=wallet)
    network.run(100)
    assert network.sync.state.filter_headers.height == HEIGHT, network.describe()
    assert wallet.balance == balance(chain, wallet) > 0


def test_a_reorganisation_voids_what_was_said_about_the_old_branch(chain: FakeChain) -> None:
    wallet = ScriptWallet()
    nodes = [FakeNode(chain), FakeNode(chain)]
    network = network_of(*nodes, wallet=wallet)
    network.run(10)
    vectors = network.sync.filter_headers._vectors
    assert isinstance(vectors, CheckpointVectors)
    peers = list(network.sync.state.peers.values())
    assert all(vectors.of(peer) is not None for peer in peers)
    longer = chain.copy(HEIGHT - 1)
    longer.mine_empty(3, salt=1)
    for node in nodes:
        node.switch(longer)
        network.announce(node)
    network.run(20)
    assert is_synced(network, nodes[0]), network.describe()
    assert all(vectors.of(peer) is None for peer in peers)
    assert not network.banned


def test_a_vector_tells_what_is_claimed_where() -> None:
    vector = CheckpointVector(2999, bytes(32), (b"a" * 32, b"b" * 32))
    assert vector.last == 2000
    assert [vector.at(height) for height in (0, 999, 1000, 2000, 3000)] == [
        None,
        None,
        b"a" * 32,
        b"b" * 32,
        None,
    ]
    assert list(vector.between(0, 5000)) == [(1000, b"a" * 32), (2000, b"b" * 32)]
    assert list(vector.between(1001, 2000)) == [(2000, b"b" * 32)]
    assert list(vector.between(2001, 5000)) == []
