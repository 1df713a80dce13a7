"""Who is asked for which block, and what happens when it does not come."""

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.messages import GetData, Message, Services
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.block import Block

BTC = 10**8


def chain_with_payments(wallet: ScriptWallet, count: int) -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(3)
    for index in range(count):
        chain.mine(to=wallet.script(index % 5))
        chain.mine_empty(1)
    return chain


def asked_blocks(node: FakeNode) -> int:
    return sum(len(m.entries) for m in node.asked if isinstance(m, GetData))


def withhold(message: Message, answers: list[Message]) -> list[Message]:
    return [] if isinstance(message, GetData) else answers


def test_no_peer_is_asked_for_more_than_two_fifths() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 50)
    nodes = [FakeNode(chain) for _ in range(4)]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run(2)
    assert wallet.balance == 50 * 50 * BTC
    counts = [asked_blocks(node) for node in nodes]
    assert sum(counts) == 50
    assert max(counts) <= 20


def test_the_sender_of_the_filter_is_not_asked_for_the_block() -> None:
    chain = chain_with_payments(ScriptWallet(), 1)
    nodes = [FakeNode(chain), FakeNode(chain)]
    network = Network([ScriptWallet()])
    numbers = [network.connect(node) for node in nodes]
    network.run(2)
    assert network.sync.is_synced()
    (source,) = network.sync.state.filter_sources.values()
    asked = [n for n, node in zip(numbers, nodes, strict=True) if asked_blocks(node)]
    assert asked == [n for n in numbers if n != source]


def test_a_block_withheld_by_all_is_named_and_the_rest_goes_on() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 1)
    network = Network([wallet])
    nodes = [FakeNode(chain, rewrite=withhold) for _ in range(3)]
    for node in nodes:
        network.connect(node)
    network.run(60)
    (warning,) = [e for e in network.events if isinstance(e, BackendWarning)]
    assert "block 4," in warning.sentence
    assert "3 peers" in warning.sentence
    chain.mine_empty(5)
    network.announce(nodes[0])
    network.run(5)
    assert network.sync.state.filter_headers.height == chain.height
    assert network.sync.filters.lowest_wanted() is None
    for node in nodes:
        node.rewrite = None
    network.run(60)
    assert wallet.balance == 50 * BTC
    assert network.sync.is_synced()
    assert not network.faults
    assert not network.farewells


def test_a_peer_that_falls_silent_delays_blocks_for_little_more_than_a_second() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 30)
    silent = FakeNode(chain, rewrite=withhold)
    nodes = [FakeNode(chain), silent, FakeNode(chain), FakeNode(chain)]
    network = Network([wallet])
    for node in nodes:  # the first one serves the filters, and so is not asked for blocks
        network.connect(node)
    network.run(0.5)
    asked = asked_blocks(silent)
    assert asked > 0
    assert wallet.balance < 30 * 50 * BTC
    network.run(2.5)
    assert wallet.balance == 30 * 50 * BTC, network.describe()
    assert asked_blocks(silent) == asked, "it is not asked again before it says something"
    assert network.sync.is_synced()
    assert not network.faults
    assert not network.farewells


def test_a_block_that_comes_from_both_that_were_asked_is_taken_once() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 1)
    kept: list[Message] = []

    def keep(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetData):
            kept.extend(answers)
            return []
        return answers

    nodes = [FakeNode(chain, rewrite=keep), FakeNode(chain, rewrite=keep)]
    network = Network([wallet])
    numbers = [network.connect(node) for node in nodes]
    network.run(2.5)
    assert [asked_blocks(node) for node in nodes] == [1, 1]
    for number in numbers:
        network._receive(number, network._links[number].server.frame("block", kept[0].serialize()))
    network.run(2)
    assert wallet.balance == 50 * BTC
    assert wallet.heights == [4]
    assert not network.faults


def test_evidence_is_fetched_whatever_the_filter_says() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 1)
    network = Network([wallet])
    network.connect(FakeNode(chain))
    network.run(1)
    got: list[Block] = []

    def take(block: Block, now: Instant) -> None:
        del now
        got.append(block)

    network.sync.blocks.request_evidence(2, take)
    network.sync.blocks.request_evidence(2, take)
    network.sync.blocks.request_evidence(4, take)
    network.run(1)
    assert [block.header.hash for block in got] == [chain.blocks[h].header.hash for h in (4, 2)]
    assert wallet.heights == [4], "evidence is nothing for the wallet"


def test_evidence_of_a_block_that_left_the_chain_is_not_given() -> None:
    chain = chain_with_payments(ScriptWallet(), 1)
    node = FakeNode(chain, rewrite=withhold)
    network = Network([ScriptWallet()])
    network.connect(node)
    network.run(1)
    got: list[Block] = []
    network.sync.blocks.request_evidence(3, lambda block, _now: got.append(block))
    network.run(1)
    other = chain.copy(2)
    other.mine_empty(8, salt=3)
    node.rewrite = None
    node.switch(other)
    network.announce(node)
    network.run(20)
    assert network.sync.is_synced()
    assert got == []


PRUNED = Services.WITNESS | Services.NETWORK_LIMITED | Services.COMPACT_FILTERS


def test_a_pruned_node_is_asked_for_the_newest_blocks_only() -> None:
    wallet = ScriptWallet()
    chain = chain_with_payments(wallet, 2)
    chain.mine_empty(150)
    chain.mine(to=wallet.script(1))
    pruned = FakeNode(chain, services=PRUNED)
    network = Network([wallet])
    network.connect(pruned)
    network.run(2)
    (request,) = [m for m in pruned.asked if isinstance(m, GetData)]
    assert [block_hash for _, block_hash in request.entries] == [chain.tip]
    assert not network.sync.is_synced()
    network.run(30)
    (warning,) = [e for e in network.events if isinstance(e, BackendWarning)]
    assert "pruned" in warning.sentence
    full = FakeNode(chain)
    network.connect(full)
    network.run(5)
    assert wallet.balance == 3 * 50 * BTC
    assert network.sync.is_synced()
    assert asked_blocks(full) >= 2


def test_a_pruned_node_alone_serves_a_new_payment() -> None:
    wallet = ScriptWallet()
    chain = FakeChain()
    chain.mine_empty(200)
    chain.mine(to=wallet.script(0))
    network = Network([wallet])
    network.connect(FakeNode(chain, services=PRUNED))
    network.run(2)
    assert wallet.balance == 50 * BTC
    assert network.sync.is_synced()
