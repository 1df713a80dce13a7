"""Filters come from all peers while one of them sends the headers of a long chain."""

from functools import cache

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_sync import is_synced
from wallet_gui.chain.p2p.filter_messages import GetCFilters
from wallet_gui.chain.p2p.messages import GetHeaders, Headers, Message

LENGTH = 4100  # three messages of headers


@cache
def long_chain() -> FakeChain:
    chain = FakeChain()
    chain.mine_empty(LENGTH)
    return chain


class Slow:
    """Answers the first `getheaders`, and others when it is told to."""

    def __init__(self) -> None:
        self.is_slow = True
        self._answered = 0

    def __call__(self, message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetHeaders):
            self._answered += 1
            if self.is_slow and self._answered > 1:
                return []
        return answers


def probes(node: FakeNode) -> list[GetHeaders]:
    return [m for m in node.asked if isinstance(m, GetHeaders) and any(m.stop)]


def is_asked_for_filters(node: FakeNode) -> bool:
    return any(isinstance(message, GetCFilters) for message in node.asked)


def test_the_others_serve_filters_while_one_sends_headers() -> None:
    wallet = ScriptWallet()
    slow = Slow()
    nodes = [FakeNode(long_chain(), rewrite=slow), *(FakeNode(long_chain()) for _ in range(3))]
    network = Network([wallet])
    for node in nodes:
        network.connect(node)
    network.run(0.5)
    assert network.sync.state.headers.height == 2000
    assert not probes(nodes[0]), "it has shown them itself"
    for node in nodes[1:]:
        (probe,) = probes(node)
        assert probe.locator == (long_chain().blocks[1999].header.hash,)
        assert probe.stop == long_chain().blocks[2000].header.hash
        assert is_asked_for_filters(node)
    assert network.sync.filters.lowest_wanted() is None, "all that is known so far was matched"
    slow.is_slow = False
    network.run(40)
    assert is_synced(network, nodes[1]), network.describe()
    assert not network.faults
    assert not network.farewells


def test_who_has_another_chain_is_asked_for_nothing_by_a_hash_it_may_not_know() -> None:
    other = FakeChain()
    other.mine_empty(LENGTH - 10, salt=3)
    slow = Slow()
    first, stranger = FakeNode(long_chain(), rewrite=slow), FakeNode(other)
    network = Network([ScriptWallet()])
    network.connect(first)
    network.connect(stranger)
    network.run(0.5)
    assert len(probes(stranger)) == 1
    assert not is_asked_for_filters(stranger)
    slow.is_slow = False
    network.run(40)
    assert is_synced(network, first), network.describe()
    assert not network.faults
    assert not network.farewells


def test_a_false_answer_shows_nothing() -> None:
    def lie(message: Message, answers: list[Message]) -> list[Message]:
        if isinstance(message, GetHeaders) and any(message.stop):
            header = bytearray(long_chain().blocks[2000].header.serialize())
            header[-1] ^= 1  # another nonce: another block, if it is one
            return [Headers(bytes(header))]
        return answers

    slow = Slow()
    first, liar = FakeNode(long_chain(), rewrite=slow), FakeNode(long_chain(), rewrite=lie)
    network = Network([ScriptWallet()])
    network.connect(first)
    number = network.connect(liar)
    network.run(0.5)
    peer = network.sync.state.peers.get(number)
    assert peer is None or peer.shown_height < 2000
    assert not is_asked_for_filters(liar)
    slow.is_slow = False
    network.run(40)
    assert is_synced(network, first), network.describe()


def test_the_next_headers_are_asked_for_before_those_that_came_are_looked_at() -> None:
    node = FakeNode(long_chain())
    network = Network([])
    network.connect(node)
    network.run(1)
    asked = [m.locator[0] for m in node.asked if isinstance(m, GetHeaders)]
    blocks = long_chain().blocks
    assert asked == [blocks[h].header.hash for h in (0, 2000, 4000)], "each once"
    assert network.sync.state.headers.height == LENGTH


def test_what_is_asked_ahead_is_of_no_use_after_a_bad_message() -> None:
    def forge(message: Message, answers: list[Message]) -> list[Message]:
        if not isinstance(message, GetHeaders):
            return answers
        (answer,) = answers
        assert isinstance(answer, Headers)
        raw = bytearray(answer.raw)
        if len(answer) == 2000:
            raw[80 * 1000 + 4] ^= 1  # the link to the header before it
        return [Headers(bytes(raw))]

    liar, honest = FakeNode(long_chain(), rewrite=forge), FakeNode(long_chain())
    network = Network([])
    network.connect(liar)
    network.run(1)
    assert network.faults
    assert network.sync.state.headers.height == 0
    network.connect(honest)
    network.run(5)
    assert network.sync.state.headers.height == LENGTH
    assert len(network.faults) == 1
