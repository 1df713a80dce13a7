from tests.hostile.fake_chain import FakeChain, coinbase
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from wallet_gui.chain.backend import BroadcastStage, TxSeen
from wallet_gui.chain.p2p.block_fees import ANSWER_TIMEOUT, CHEAP_INTERVAL, MAX_TIP_AGE
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.fees import BLOCKS, FULL_WEIGHT, subsidy
from wallet_gui.chain.p2p.messages import FeeFilter, GetData, Inv, InventoryType, RawBlock, Tx
from wallet_gui.chain.p2p.options import P2POptions, RelayMode
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.chain.p2p.transactions import MAX_WAITING_EVENTS, Transactions
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

RATE = 7_000


def tx(number: int) -> Transaction:
    spent = TxIn(OutPoint(number.to_bytes(32, "big"), 0))
    return Transaction(2, (spent,), (TxOut(1, b"\x51"),), 0)


def inv(number: int) -> Inv:
    return Inv(((InventoryType.WTX, tx(number).wtxid),))


class Client:
    """The transactions of a client that is in sync with fake nodes, each its own network."""

    def __init__(self, nodes: int = 2, relay: RelayMode = RelayMode.ALWAYS) -> None:
        self.chain = FakeChain()
        self.chain.mine_empty(8)
        self.node = FakeNode(self.chain)
        self.network = Network([])
        self.peers = [self.network.connect(self.node) for _ in range(nodes)]
        self.network.run(5)
        sync = self.network.sync
        assert sync.state.headers.height == 8
        self.state = sync.state
        self.state.options = P2POptions(relay=relay)
        self.seconds = 1000.0
        self.transactions = Transactions(sync.state, sync.blocks)
        for peer in self.peers:
            netgroup = sync.state.peers[peer].netgroup
            self.transactions.on_ready(peer, netgroup, self.now)

    @property
    def now(self) -> Instant:
        return Instant(self.seconds, self.chain.blocks[-1].header.time + 100)

    def tick(self) -> list[tuple[int, bytes]]:
        """Let time be looked at; return which peers are asked for which compact blocks."""
        return asked(self.transactions.tick(self.now))

    def give(self, peer: int, block_hash: bytes) -> None:
        """Let a peer send a full block's compact form that pays `RATE`."""
        height = self.chain.height_of(block_hash)
        assert height is not None
        fees = RATE * FULL_WEIGHT // 4000
        reward = coinbase(height, (TxOut(subsidy(REGTEST, height) + fees, b"\x51"),), 0)
        header = self.chain.blocks[height].header.serialize()
        message = CompactBlock(header, 1, bytes(6 * 3000), ((0, reward),))
        self.transactions.on_event(peer, message, self.now)

    def learn_all(self) -> None:
        """Let all peers answer until nobody is asked any more."""
        for _ in range(20):
            for peer, block_hash in self.tick():
                self.give(peer, block_hash)

    def advice(self) -> FeeAdvice | None:
        return self.transactions.fee_advice(self.now)


def asked(actions: list[Action]) -> list[tuple[int, bytes]]:
    return [
        (action.peer, name)
        for action in actions
        if isinstance(action, Send) and isinstance(action.message, GetData)
        for kind, name in action.message.entries
        if kind == InventoryType.COMPACT_BLOCK
    ]


# --- fees -----------------------------------------------------------------------------------------


def test_nothing_is_asked_while_nobody_wants_to_know() -> None:
    client = Client()
    assert client.tick() == []
    assert client.advice() is None
    assert len(client.tick()) == 2


def test_each_network_is_asked_for_each_of_the_newest_blocks_one_at_a_time() -> None:
    client = Client()
    assert client.advice() is None
    first = client.tick()
    assert first == [(peer, client.chain.tip) for peer in client.peers]
    assert client.tick() == [], "an answer is due"
    for peer, block_hash in first:
        client.give(peer, block_hash)
    client.learn_all()
    advice = client.advice()
    assert advice is not None
    assert (advice.slow, advice.normal, advice.fast) == (RATE, RATE, RATE)
    assert advice.source == (
        f"The average fees of {BLOCKS} of the last blocks, as 2 networks tell them."
    )
    assert advice.learned == client.chain.blocks[-BLOCKS].header.time
    assert client.network.faults == []


def test_what_was_not_asked_for_is_not_believed() -> None:
    client = Client()
    assert client.advice() is None
    client.tick()
    client.give(client.peers[0], client.chain.blocks[-2].header.hash)
    client.give(99, client.chain.tip)
    assert client.advice() is None


def test_a_peer_that_answers_nothing_is_not_asked_about_it_again() -> None:
    client = Client(1)
    assert client.advice() is None
    (first,) = client.tick()
    client.seconds += ANSWER_TIMEOUT
    (second,) = client.tick()
    assert second != first
    client.transactions.on_disconnected(client.peers[0], client.now)
    assert client.tick() != [], "what it was asked is forgotten"


def test_a_whole_block_instead_is_tolerated() -> None:
    client = Client(1)
    assert client.advice() is None
    ((peer, block_hash),) = client.tick()
    assert block_hash == client.chain.tip
    raw = RawBlock(client.chain.blocks[-1].serialize())
    actions = client.network.sync.handle(peer, raw, client.network.instant)
    client.transactions.on_event(peer, raw, client.now)
    assert actions == []
    assert peer in client.state.peers
    broadcasts = client.transactions.broadcasts
    assert not broadcasts._peers[peer].has_served, "no block of ours"


def test_an_old_tip_is_not_asked_about() -> None:
    client = Client()
    assert client.advice() is None
    late = Instant(client.seconds, client.chain.blocks[-1].header.time + MAX_TIP_AGE + 1)
    assert asked(client.transactions.tick(late)) == []


def test_where_the_line_is_spared_new_blocks_are_asked_about_now_and_then() -> None:
    client = Client(relay=RelayMode.RECEIVING)
    assert client.advice() is None
    client.learn_all()
    client.chain.mine()
    client.network.announce(client.node)
    client.network.run(5)
    assert client.state.headers.height == 9
    assert client.tick() == []
    client.seconds += CHEAP_INTERVAL
    assert client.advice() is not None
    assert [name for _, name in client.tick()] == [client.chain.tip] * 2


def test_fee_filters_are_of_networks_and_leave_with_their_peers() -> None:
    client = Client(3)
    client.transactions._netgroups[client.peers[2]] = client.transactions._netgroups[
        client.peers[1]
    ]
    for peer, rate in zip(client.peers, (1000, 3000, 2000), strict=True):
        client.transactions.on_event(peer, FeeFilter(rate), client.now)
    assert client.transactions.fee_filters() == [1000, 2000]
    client.transactions.on_disconnected(client.peers[0], client.now)
    assert client.transactions.fee_filters() == [2000]


# --- transactions ---------------------------------------------------------------------------------


def test_a_reorganisation_lets_everything_be_fetched_again() -> None:
    client = Client()
    peer, wanted = client.peers[0], tx(1)
    client.tick()
    ask = client.transactions.on_event(peer, inv(1), client.now)
    assert ask == [Send(peer, GetData(inv(1).entries))]
    client.transactions.on_event(peer, Tx(wanted), client.now)
    assert client.state.events.pop() == TxSeen(wanted, f"fake{peer}")
    assert client.transactions.on_event(peer, inv(1), client.now) == []
    fork = client.chain.copy(6)
    fork.mine_empty(4, salt=1)
    client.node.switch(fork)
    client.network.announce(client.node)
    client.network.run(5)
    assert client.state.headers.height == 10
    client.tick()
    assert client.transactions.on_event(peer, inv(1), client.now) == ask


def test_announcements_pass_by_while_the_wallets_cannot_keep_up() -> None:
    client = Client()
    client.state.events.extend([TxSeen(tx(9), "")] * MAX_WAITING_EVENTS)
    assert client.transactions.on_event(client.peers[0], inv(1), client.now) == []


def test_our_own_payment_is_counted_and_given_to_the_wallets_like_any_other() -> None:
    client = Client()
    client.transactions.broadcast(tx(1), client.now)
    first, second = client.peers
    told = next(iter(client.transactions.broadcasts._by_txid[tx(1).txid].told.targets))
    other = second if told == first else first
    client.transactions.on_event(other, inv(1), client.now)
    client.transactions.on_event(other, Tx(tx(1)), client.now)
    seen = client.transactions.seen_by(tx(1).txid)
    assert seen is not None
    assert seen.peers == 1
    assert client.transactions.broadcasts.news[-1].stage is BroadcastStage.ECHOED
    assert client.state.events.pop() == TxSeen(tx(1), f"fake{other}")
