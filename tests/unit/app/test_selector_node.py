"""The selector runs one source or the other, changes between them, and says which and why."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from tests.unit.app.test_selector_options import Source
from wallet_gui.app.backend_selector import BackendSelector, PeerBackend
from wallet_gui.app.fail_over import FailOverTimes
from wallet_gui.app.node_source import NodeChain, NodePlan, NodeSource, NodeWatch
from wallet_gui.app.p2p_choice import ONLY_OWN_BUT_NONE
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import BackendState, ChainStores, ConnectionState, EventSink
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route
from wallet_gui.primitives.params import MAINNET
from wallet_gui.storage.errors import WriteFailed

NOW = 1_800_000_000
GONE = NodeProblem(Code.SSH_SILENT, "No answer from mynode.local in 10 s.", "Is it off?")
CHANGED = NodeProblem(
    Code.HOST_KEY_CHANGED, "mynode.local shows another key than before.", is_final=True
)
READY = NodeStatus(NodeState.READY, "ssh://a@mynode.local", "ssh a@mynode.local", tip_age=60)
AWAY = NodeStatus(NodeState.RECONNECTING, "ssh://a@mynode.local", problem=GONE)


class Node(Source):
    """A node's backend whose connection the test holds in its hand."""

    def __init__(self, owner: "Own", sink: EventSink | None) -> None:
        super().__init__(P2POptions())
        self._owner = owner
        self.sink = sink
        self.is_running = False

    async def start(self) -> None:
        self.is_running = True

    async def stop(self) -> None:
        self.is_running = False

    def node_status(self) -> NodeStatus:
        return self._owner.status

    def ledger(self) -> list[LedgerEntry]:
        return [LedgerEntry("mynode.local", Purpose.SYNC, Route.SSH, NOW)]


class Watch:
    """Tries the node while peers serve."""

    def __init__(self, owner: "Own") -> None:
        self._owner = owner
        self.is_running = False

    def start(self) -> None:
        self.is_running = True

    async def stop(self) -> None:
        self.is_running = False

    def node_status(self) -> NodeStatus:
        return self._owner.status

    def ledger(self) -> list[LedgerEntry]:
        return [LedgerEntry("mynode.local", Purpose.SYNC, Route.SSH, NOW, NOW, outcome="silent")]


class Own:
    """The node of a person."""

    address = "ssh://a@mynode.local"

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.status = NodeStatus(NodeState.CONNECTING, self.address)
        self.is_asking = False
        self.nodes: list[Node] = []
        self.watches: list[Watch] = []
        self.options: list[P2POptions | None] = []

    def is_same(self, other: NodeSource | None) -> bool:
        return isinstance(other, Own) and other.name == self.name

    def make_backend(
        self, stores: object, sink: EventSink, *, options: P2POptions | None, **_: Any
    ) -> NodeChain:
        del stores
        self.options.append(options)
        self.nodes.append(Node(self, sink))
        return cast("NodeChain", self.nodes[-1])

    def make_watch(self) -> NodeWatch:
        self.watches.append(Watch(self))
        return self.watches[-1]


class Wallet:
    """Notes to what it is attached."""

    wallet_id = "w"

    def __init__(self) -> None:
        self.attached: list[str] = []

    def attach(self, backend: object) -> None:
        self.attached.append("node" if isinstance(backend, Node) else "peers")

    def detach(self) -> None:
        self.attached.append("-")

    async def handle(self, event: object) -> None:
        """Events are of no interest here."""


class Rig:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.peers: list[Source] = []
        self.own = Own()
        self.sinks: list[EventSink] = []
        self.selector = BackendSelector(
            MAINNET,
            cast("ChainStores", None),
            self._make,
            lambda _: None,
            clock=lambda: NOW,
            monotonic=lambda: self.now,
            fail_over_times=FailOverTimes(20.0, 60.0, 120.0, 300.0),
        )
        self.wallet = Wallet()
        self.selector._sessions["w"] = cast("WalletSession", self.wallet)

    def _make(
        self, params: object, options: P2POptions, stores: object, sink: EventSink, **_: Any
    ) -> PeerBackend:
        del params, stores
        self.sinks.append(sink)
        self.peers.append(Source(options))
        return self.peers[-1]

    def plan(self, *, may_go_direct: bool = True, why_not_direct: str = "") -> NodePlan:
        return NodePlan(
            cast("NodeSource", self.own), may_go_direct=may_go_direct, why_not_direct=why_not_direct
        )

    @property
    def snapshot(self) -> SyncSnapshot:
        return self.selector.picture()

    async def look(self) -> None:
        """What the selector does each second, at once."""
        source = self.selector._source
        is_online = self.selector.snapshot.state is ConnectionState.ONLINE
        if source.look(is_online=is_online):
            await self.selector._change()


def run(scenario: Callable[[Rig], Any]) -> None:
    async def inner() -> None:
        rig = Rig()
        before = asyncio.all_tasks()
        await scenario(rig)
        await rig.selector.close()
        assert asyncio.all_tasks() == before

    asyncio.run(inner())


def test_the_node_alone_is_used_and_nobody_else_is_asked() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan(may_go_direct=False))
        rig.own.status = AWAY
        rig.now += 10_000
        await rig.look()
        assert rig.peers == []
        assert rig.wallet.attached == ["node"]
        assert rig.snapshot.backend == "My node"
        assert GONE.title in rig.snapshot.source_words
        rig.own.status = READY
        assert rig.snapshot.source_words == "My node (ssh a@mynode.local): it answers."

    run(scenario)


def test_peers_take_over_and_give_back_without_losing_a_wallet() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = AWAY
        rig.now += 19
        await rig.look()
        assert rig.peers == []
        rig.now += 1
        await rig.look()
        assert len(rig.peers) == 1
        assert rig.wallet.attached == ["node", "-", "peers"]
        assert [node.is_running for node in rig.own.nodes] == [False]
        assert [watch.is_running for watch in rig.own.watches] == [True]
        assert rig.snapshot.backend == "Directly, my node is away"
        assert GONE.title in rig.snapshot.source_words
        # Peers serve; the node answers again, and five minutes have to pass.
        await rig.sinks[0](BackendState(ConnectionState.ONLINE, 3))
        rig.own.status = READY
        rig.now += 100
        await rig.look()
        assert len(rig.own.nodes) == 1
        assert "is used in 3 min" in rig.snapshot.source_words
        rig.now += 200
        await rig.look()
        assert rig.wallet.attached == ["node", "-", "peers", "-", "node"]
        assert [watch.is_running for watch in rig.own.watches] == [False]
        assert [node.is_running for node in rig.own.nodes] == [False, True]
        assert rig.snapshot.backend == "My node"
        assert {entry.outcome for entry in rig.snapshot.ledger} >= {"silent", ""}

    run(scenario)


def test_a_changed_key_is_never_passed_over_in_silence() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = replace(AWAY, state=NodeState.STOPPED, problem=CHANGED)
        await rig.look()
        assert len(rig.peers) == 1
        assert CHANGED.title in rig.snapshot.source_words
        assert rig.snapshot.node is not None
        assert rig.snapshot.node.problem is CHANGED

    run(scenario)


def test_where_peers_may_not_be_asked_nothing_is_contacted() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(only_own_peers=True), rig.plan())
        rig.own.status = AWAY
        rig.now += 20
        await rig.look()
        assert rig.peers == []
        assert rig.snapshot.state is ConnectionState.STOPPED
        assert rig.snapshot.detail == ONLY_OWN_BUT_NONE
        # The node goes on being tried, and comes back at once: nothing would be interrupted.
        rig.own.status = READY
        rig.now += 1
        await rig.look()
        assert rig.wallet.attached[-1] == "node"

    run(scenario)


def test_a_node_that_cannot_be_used_is_said_and_peers_only_where_allowed() -> None:
    async def scenario(rig: Rig) -> None:
        locked = NodePlan(None, why_not="Its password is in a wallet.")
        await rig.selector.start(P2POptions(), locked)
        assert rig.peers == []
        assert rig.snapshot.detail == "Its password is in a wallet."
        await rig.selector.start(P2POptions(), replace(locked, may_go_direct=True))
        assert len(rig.peers) == 1
        assert "Its password is in a wallet." in rig.snapshot.source_words

    run(scenario)


def test_the_same_node_is_not_connected_to_anew() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        again = replace(rig.plan(), source=cast("NodeSource", Own()))
        await rig.selector.use(P2POptions(), again)
        assert len(rig.own.nodes) == 1
        other = replace(rig.plan(), source=cast("NodeSource", Own("two")))
        await rig.selector.use(P2POptions(), other)
        assert not rig.own.nodes[0].is_running

    run(scenario)


def test_other_rules_for_public_peers_reach_those_beside_the_node() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan(may_go_direct=False))
        await rig.selector.use(P2POptions(encrypted_only=True), rig.plan(may_go_direct=False))
        assert rig.own.options == [P2POptions(), P2POptions(encrypted_only=True)]
        await rig.selector.use(None, rig.plan(may_go_direct=False, why_not_direct="No proxy."))
        assert rig.own.options[-1] is None

    run(scenario)


def test_what_a_person_asks_for_is_tried_at_once_however_it_stands() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = replace(AWAY, state=NodeState.STOPPED, problem=CHANGED)
        # Other rules for peers do not wake up what was given up.
        await rig.selector.use(P2POptions(), rig.plan())
        assert len(rig.own.nodes) == 1
        await rig.selector.use(P2POptions(), rig.plan(), is_wish=True)
        assert len(rig.own.nodes) == 2
        # A node that answers is left alone, also when it is asked for once more.
        rig.own.status = READY
        await rig.selector.use(P2POptions(), rig.plan(), is_wish=True)
        assert len(rig.own.nodes) == 2

    run(scenario)


def test_a_node_that_is_asked_for_does_not_wait_for_the_end_of_the_stay() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = AWAY
        rig.now += 20
        await rig.look()
        await rig.sinks[0](BackendState(ConnectionState.ONLINE, 3))
        rig.own.status = READY
        await rig.selector.use(P2POptions(), rig.plan(), is_wish=True)
        assert rig.wallet.attached[-1] == "node"

    run(scenario)


def test_trying_again_is_at_once() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = AWAY
        rig.now += 20
        await rig.look()
        await rig.selector.try_node_again()
        assert rig.wallet.attached[-1] == "node"

    run(scenario)


def test_directly_again_forgets_the_node() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        await rig.selector.use(P2POptions())
        assert rig.wallet.attached == ["node", "-", "peers"]
        assert rig.snapshot.node is None
        assert rig.snapshot.backend == "Directly (P2P)"

    run(scenario)


def test_a_stale_node_and_what_peers_contradict_are_doubted_aloud() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = READY
        assert rig.selector._doubt() == ""
        rig.own.status = replace(READY, tip_age=18_000)
        assert "your node is 5 hours old" in rig.selector._doubt()
        rig.own.status = replace(READY, tip_age=18_000, blocks_behind=2)
        assert "5 hours old" in rig.selector._doubt()
        rig.own.status = replace(READY, tip_age=9_000_000, blocks_behind=81_234)
        assert rig.selector._doubt().startswith("Your node has 81,234 blocks still to read.")
        rig.own.status = replace(READY, doubt="Three public peers show another chain.")
        assert rig.selector._doubt() == "Three public peers show another chain."

    run(scenario)


def test_a_disk_that_refuses_while_the_source_changes_is_said(monkeypatch: Any) -> None:
    async def refuse(_: Source) -> None:
        raise WriteFailed("The disk is full.")

    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        monkeypatch.setattr(Source, "start", refuse)
        rig.own.status = AWAY
        rig.now += 20
        await rig.look()
        assert rig.snapshot.warning == "The disk is full."

    run(scenario)


def test_stopping_while_it_changes_leaves_nothing_behind() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.status = AWAY
        rig.now += 20
        assert rig.selector._source.look(is_online=False)
        changing = asyncio.get_running_loop().create_task(rig.selector._change())
        rig.selector._change_task = changing
        await rig.selector.stop()
        assert rig.selector.backend is None
        assert changing.done()

    run(scenario)


def test_fees_name_the_node_as_their_source() -> None:
    async def scenario(rig: Rig) -> None:
        await rig.selector.start(P2POptions(), rig.plan())
        rig.own.nodes[0].minimum_rates = [1_000]
        advice = rig.selector.fee_advice()
        assert advice is not None
        assert advice.minimum == 1_000
        assert "your node asks for" in advice.source

    run(scenario)
