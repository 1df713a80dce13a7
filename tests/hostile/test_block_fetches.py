"""Blocks by hash for somebody else: liars are hung up on, and silence is got round."""

from dataclasses import replace

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.p2p.messages import GetData, Message, RawBlock, Services
from wallet_gui.primitives.block import Block


def chain_of(count: int) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(count)
    return chain


def ref(chain: FakeChain, height: int) -> BlockRef:
    return BlockRef(height, chain.blocks[height].header.hash)


def fetch(network: Network, wanted: BlockRef) -> list[bytes]:
    came: list[bytes] = []
    network._perform(network.sync.fetch_block(wanted, came.append, network.instant))
    return came


def withhold(message: Message, answers: list[Message]) -> list[Message]:
    return [] if isinstance(message, GetData) else answers


def mutate(message: Message, answers: list[Message]) -> list[Message]:
    """Another transaction under the same header."""
    if not isinstance(message, GetData):
        return answers
    changed: list[Message] = []
    for answer in answers:
        assert isinstance(answer, RawBlock)
        block = Block.parse(bytes(answer.raw))
        coinbase = replace(block.transactions[0], lock_time=7)
        changed.append(RawBlock(Block(block.header, (coinbase,)).serialize()))
    return changed


def test_a_block_comes_once_to_everybody_who_asked() -> None:
    chain = chain_of(10)
    node = FakeNode(chain)
    network = Network([])
    network.connect(node)
    network.run(1)
    first, second = fetch(network, ref(chain, 4)), fetch(network, ref(chain, 4))
    network.run(1)
    assert first == second == [chain.blocks[4].serialize()]
    assert sum(isinstance(message, GetData) for message in node.asked) == 1
    assert network.farewells == []


def test_a_mutated_block_ends_the_connection_and_another_peer_is_asked() -> None:
    chain = chain_of(10)
    liar, honest = FakeNode(chain, rewrite=mutate), FakeNode(chain)
    network = Network([])
    network.connect(liar)
    network.run(1)
    came = fetch(network, ref(chain, 4))
    network.connect(honest)
    network.run(2)
    assert came == [chain.blocks[4].serialize()]
    assert network.connected == [honest]


def test_silence_costs_seconds_and_no_peer() -> None:
    chain = chain_of(10)
    silent, honest = FakeNode(chain, rewrite=withhold), FakeNode(chain)
    network = Network([])
    network.connect(silent)
    network.run(1)
    came = fetch(network, ref(chain, 4))
    network.connect(honest)
    network.run(5)
    assert came == []
    network.run(5)
    assert came == [chain.blocks[4].serialize()]
    assert network.connected == [silent, honest]


def test_when_all_were_silent_they_are_asked_again() -> None:
    chain = chain_of(10)
    node = FakeNode(chain, rewrite=withhold)
    network = Network([])
    network.connect(node)
    network.run(1)
    came = fetch(network, ref(chain, 4))
    network.run(10)
    node.rewrite = None
    network.run(10)
    assert came == [chain.blocks[4].serialize()]


def test_a_pruned_peer_is_not_asked_for_an_old_block() -> None:
    chain = chain_of(200)
    services = Services.NETWORK_LIMITED | Services.WITNESS | Services.COMPACT_FILTERS
    node = FakeNode(chain, services)
    network = Network([])
    network.connect(node)
    network.run(1)
    old, new = fetch(network, ref(chain, 20)), fetch(network, ref(chain, 199))
    network.run(3)
    assert (old, new) == ([], [chain.blocks[199].serialize()])


def test_a_block_that_nobody_waits_for_any_more_is_taken_without_blame() -> None:
    chain = chain_of(10)
    node = FakeNode(chain)
    network = Network([])
    network.connect(node)
    network.run(1)
    came: list[bytes] = []
    actions = network.sync.fetch_block(ref(chain, 4), came.append, network.instant)
    network.sync.fetches.cancel(ref(chain, 4), came.append)
    network._perform(actions)
    network.run(2)
    assert network.connected == [node]
