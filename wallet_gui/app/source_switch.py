"""SourceSwitch: makes the one backend that runs, ends it, and knows which of the two it is to be.

It holds who may be asked (public peers, a person's node), what both contacted, and the fail-over
between them; what a backend tells, and the wallets, are the selector's.
"""

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from wallet_gui.app.contacts import Contacts
from wallet_gui.app.fail_over import FailOver, FailOverTimes, InUse
from wallet_gui.app.node_source import NodeChain, NodePlan, NodeWatch, news_of
from wallet_gui.app.p2p_choice import why_not_connect
from wallet_gui.app.source_words import (
    direct_words,
    doubt_words,
    node_doubt_words,
    node_words,
    reserve_words,
    source_label,
)
from wallet_gui.chain.backend import ChainBackend, ChainStores, EventSink, PeerStore
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.tips import TipReport
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.chain.unbroken import to_the_end
from wallet_gui.primitives.params import ChainParams


class PeerBackend(ChainBackend, Protocol):
    """A source of blocks whose peers a person decides about."""

    def set_options(self, options: P2POptions) -> None:
        """Apply other options while it runs."""
        ...

    def tip_report(self) -> TipReport | None:
        """Tell whether the tip can be the newest there is; None while that is not known."""
        ...


class BackendFactory(Protocol):
    """Makes the P2P backend of a network; tests give one with scripted peers."""

    def __call__(
        self,
        params: ChainParams,
        options: P2POptions,
        stores: ChainStores,
        sink: EventSink,
        *,
        peer_store: PeerStore | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> PeerBackend:
        """Make a backend that is not started yet; `on_failure` hears of an error that ended it."""
        ...


class SourceSwitch:
    """At most one backend exists at a time; whoever calls sees to the order of the calls."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        make_peers: BackendFactory,
        sink: EventSink,
        on_failure: Callable[[BaseException], None],
        *,
        peer_store: PeerStore | None = None,
        clock: Callable[[], int] = lambda: int(time.time()),
        monotonic: Callable[[], float] = time.monotonic,
        times: FailOverTimes | None = None,
    ) -> None:
        self._params = params
        self._stores = stores
        self._make_peers = make_peers
        self._sink = sink
        self._on_failure = on_failure
        self._peer_store = peer_store
        self._clock = clock
        self._monotonic = monotonic
        self._times = times
        self._contacts = Contacts()
        self._watch: NodeWatch | None = None
        self._fail_over: FailOver | None = None
        self.options: P2POptions | None = P2POptions()
        self.plan: NodePlan | None = None
        self.peers: PeerBackend | None = None
        self.node: NodeChain | None = None
        self.why_not = ""
        """Why there is no backend, as a sentence for the person."""

    @property
    def backend(self) -> ChainBackend | None:
        """The one that runs."""
        return self.node if self.node is not None else self.peers

    @property
    def in_use(self) -> InUse:
        """Which kind of source is in use, or would be if it could."""
        if self._fail_over is not None:
            return self._fail_over.in_use
        plan = self.plan
        is_node = plan is not None and (plan.source is not None or not plan.may_go_direct)
        return InUse.NODE if is_node else InUse.DIRECT

    @property
    def serves_from_node(self) -> bool:
        """Whether the person's node is in use, and answers."""
        return self.node is not None and self.node.node_status().is_ready

    # --- who may be asked

    def choose(self, options: P2POptions | None, plan: NodePlan | None) -> None:
        """Take what a person decided; the node comes first where both may be asked."""
        self.options, self.plan = options, plan
        self._fail_over = None
        if plan is not None and plan.source is not None and plan.may_go_direct:
            self._fail_over = FailOver(self._monotonic(), self._times)

    def take_on(self, options: P2POptions | None, plan: NodePlan | None) -> bool:
        """Apply it to the backend that runs; False when it needs another one."""
        if self.backend is None or not self._is_same_node(plan):
            return False
        if self.node is not None and options != self.options:
            return False  # public peers beside it are asked as the options say
        if self.peers is not None:
            if self._why_not_peers(options, plan) or options is None:
                return False
            self.peers.set_options(options)
        self.options, self.plan = options, plan
        return True

    def _is_same_node(self, plan: NodePlan | None) -> bool:
        old = self.plan
        if plan is None or old is None or plan.source is None or old.source is None:
            return plan == old
        return plan.may_go_direct == old.may_go_direct and plan.source.is_same(old.source)

    def _why_not_peers(self, options: P2POptions | None, plan: NodePlan | None) -> str:
        if options is None:
            return "" if plan is None else plan.why_not_direct
        return why_not_connect(options, self._params)

    # --- the backend

    def make(self) -> ChainBackend | None:
        """Make the backend that is to be used now, not started; None with `why_not`."""
        self.why_not = ""
        plan = self.plan
        if self.in_use is InUse.NODE:
            if plan is None or plan.source is None:
                self.why_not = "" if plan is None else plan.why_not
                return None
            self.node = plan.source.make_backend(
                self._stores,
                self._sink,
                options=None if plan.why_not_direct else self.options,
                peer_store=self._peer_store,
                on_failure=self._on_failure,
            )
            return self.node
        if self._fail_over is not None and plan is not None and plan.source is not None:
            self._watch = plan.source.make_watch()
            self._watch.start()
        self.why_not = self._why_not_peers(self.options, plan)
        if self.options is None or self.why_not:
            return None
        self.peers = self._make_peers(
            self._params,
            self.options,
            self._stores,
            self._sink,
            peer_store=self._peer_store,
            on_failure=self._on_failure,
        )
        return self.peers

    async def end(self) -> None:
        """Stop what runs, also when this is cancelled; what it contacted is kept."""
        await to_the_end(self._end())

    async def _end(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await watch.stop()
            self._contacts.keep(watch.ledger(), self._clock())
        backend = self.backend
        self.peers = self.node = None
        if backend is not None:
            contacts = backend.ledger()
            await backend.stop()
            self._contacts.keep(backend.ledger() or contacts, self._clock())

    # --- the node goes away and comes back

    def look(self, *, is_online: bool) -> bool:
        """Look at the node; True when the other source is to take over (`end`, then `make`).

        `is_online`: the backend that runs is connected and serves.
        """
        fail_over, plan, status = self._fail_over, self.plan, self.node_status()
        if fail_over is None or plan is None or plan.source is None or status is None:
            return False
        before = fail_over.in_use
        news = news_of(status, is_asking=plan.source.is_asking)
        direct_serves = self.peers is not None and is_online
        return fail_over.look(self._monotonic(), news, direct_serves=direct_serves) is not before

    def node_status(self) -> NodeStatus | None:
        """Where the connection to the node stands; None unless it is used or tried."""
        told = self.node or self._watch
        return None if told is None else told.node_status()

    # --- words and contacts

    def words(self) -> tuple[str, str]:
        """A few words on which source is in use, and a sentence that says why."""
        plan, fail_over, in_use = self.plan, self._fail_over, self.in_use
        if plan is None:
            words = direct_words()
        elif plan.source is None:
            words = reserve_words(plan.why_not, None) if plan.may_go_direct else plan.why_not
        elif in_use is InUse.DIRECT and fail_over is not None:
            until_back = fail_over.seconds_until_back(self._monotonic())
            words = reserve_words(fail_over.reason, until_back)
        else:
            status = self.node_status() or NodeStatus(address=plan.source.address)
            words = node_words(status, has_reserve=plan.may_go_direct)
        return source_label(in_use, wants_node=plan is not None), words

    def doubt(self, *, is_synced: bool) -> str:
        """Why the tip may not be the newest one, as a sentence; "" without a reason."""
        if self.node is not None:
            return node_doubt_words(self.node.node_status(), self._params)
        report = None if self.peers is None else self.peers.tip_report()
        return doubt_words(report, self._params, is_synced=is_synced)

    def ledger(self) -> tuple[LedgerEntry, ...]:
        """Every contact since the program began, the newest first."""
        backend = self.backend
        present = [] if backend is None else backend.ledger()
        watched = [] if self._watch is None else self._watch.ledger()
        return self._contacts.all([*watched, *present])

    def keep_contacts(self, entries: Sequence[LedgerEntry]) -> None:
        """Take over what was contacted outside of a backend, by a test of the connection."""
        self._contacts.keep(entries, self._clock())
