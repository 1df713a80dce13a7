"""`NodeBackend`: the person's own node as a `ChainBackend`, over a tunnel or on this computer.

It owns the tasks, the worker threads and the clock. While there is a connection `NodeSync` reads
the chain over it; when it is lost, what was being done is done again over the next one.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from wallet_gui.chain.audit import ChainView
from wallet_gui.chain.backend import (
    BackendState,
    BlockRef,
    BroadcastResult,
    ChainEvent,
    ChainStores,
    CoinsOf,
    ConnectionState,
    EventSink,
    NoPeers,
    TipChanged,
)
from wallet_gui.chain.bitcoind.in_order import end
from wallet_gui.chain.bitcoind.node_payments import OFFLINE
from wallet_gui.chain.bitcoind.node_session import NodeLink, NodeUse, PublicPeers
from wallet_gui.chain.bitcoind.node_status import NodeStatus
from wallet_gui.chain.bitcoind.node_sync import NodeSync
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.checkpoints import load as load_checkpoints
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.chain_start import earliest_height, open_chains
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.filter_match import LazyEngine
from wallet_gui.chain.p2p.long_scans import PreviewScripts
from wallet_gui.chain.p2p.progress import ProgressMeter
from wallet_gui.chain.p2p.sync_state import Instant, Lane
from wallet_gui.chain.reports import (
    FeeAdvice,
    LedgerEntry,
    PeerInfo,
    Purpose,
    Route,
    ScanPlan,
    SeenBy,
)
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

TICK: Final = 0.5
RETRY: Final = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0)
"""Seconds after which a connection that broke off is used, or made, again."""


def system_clock() -> Instant:
    """Read the system's clocks."""
    return Instant(time.monotonic(), int(time.time()))


@dataclass(slots=True)
class _PendingWatch:
    """A `watch` that came before the chain was loaded."""

    scripts: list[bytes]
    checkpoints: tuple[BlockRef, ...]
    birthday_time: int | None
    anchors: tuple[BlockRef, ...]
    preview_scripts: PreviewScripts | None
    coins: CoinsOf | None
    extensions: list[tuple[list[bytes], int | None]] = field(default_factory=list)


class NodeBackend:
    """Reads the chain from the person's own node."""

    def __init__(
        self,
        params: ChainParams,
        link: NodeLink,
        stores: ChainStores,
        sink: EventSink,
        *,
        public: PublicPeers | None = None,
        checkpoints: Checkpoints | None = None,
        engine: FilterEngine | None = None,
        clock: Callable[[], Instant] = system_clock,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Prepare; `start` connects.

        `stores` are called from one worker thread, in order. Events go to `sink`, one at a time.
        `on_failure` is told of an error that is ours (a full disk, say) and ends the sync.
        """
        self._params = params
        self._link = link
        self._stores = stores
        self._sink = sink
        self._public = public
        self._checkpoints = checkpoints
        self._engine: FilterEngine = LazyEngine() if engine is None else engine
        self._clock = clock
        self._on_failure = on_failure
        self._lanes = WorkerLanes()
        self._sync: NodeSync | None = None
        self._pending: dict[str, _PendingWatch] = {}
        self._news: deque[ChainEvent] = deque()
        self._meter = ProgressMeter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._is_running = False
        self._is_paused = False
        self._is_receiving = False
        self._use: NodeUse | None = None
        self._since = 0
        self._problem: NodeProblem | None = None
        self._state: BackendState | None = None

    # --- the ChainBackend protocol ----------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect and to sync; returns at once."""
        if self._is_running:
            return
        self._is_running = True
        self._lanes.open()
        self._spawn(self._run())

    async def stop(self) -> None:
        """Hang up; no event comes after this. Not to be awaited inside the sink."""
        if not self._is_running:
            return
        self._is_running = False
        use, sync = self._use, self._sync
        await end(self._tasks)
        if use is not None and sync is not None:
            await sync.farewell(use.calls)
        await self._link.close()
        await self._lanes.close()
        self._sync = None
        self._use = None
        self._news.clear()

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: PreviewScripts | None = None,
        coins: CoinsOf | None = None,
    ) -> None:
        """Scan for a wallet's scripts; see `ChainBackend.watch`."""
        if self._sync is None:
            self._pending[wallet_id] = _PendingWatch(
                list(scripts),
                tuple(checkpoints),
                birthday_time,
                tuple(anchors),
                preview_scripts,
                coins,
            )
            return
        self._sync.watch_ended(wallet_id)
        self._sync.watches.watch(
            wallet_id, scripts, checkpoints, birthday_time, anchors, preview_scripts
        )
        self._sync.check.watch(wallet_id, coins)
        self._sync.changed()

    def extend_watch(
        self, wallet_id: str, scripts: Sequence[bytes], *, from_height: int | None = None
    ) -> None:
        """Add scripts, matched from the wallet's start, or from `from_height` where that is given.

        Raises KeyError when the wallet is not watched.
        """
        if self._sync is None:
            self._pending[wallet_id].extensions.append((list(scripts), from_height))
        else:
            self._sync.watches.extend(wallet_id, scripts, from_height)
            self._sync.changed()

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self._pending.pop(wallet_id, None)
        if self._sync is not None:
            self._sync.watch_ended(wallet_id)

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Send a transaction through the node; raises NoPeers while there is no connection."""
        if self._sync is None:
            raise NoPeers(OFFLINE)
        return await self._sync.payments.broadcast(tx, parents)

    def withdraw(self, txid: bytes) -> None:
        """Nothing to do: a node that has a transaction does not give it up."""

    def suspect_block(self, height: int) -> None:
        """Read a block in full, whatever its filter says: a payment is thought to be in it."""
        if self._sync is not None and 0 <= height <= self._sync.chain.headers.height:
            self._sync.watches.include(height)
            self._sync.changed()

    def tip(self) -> BlockRef | None:
        """Tell the tip of the most-work chain; None while it is being loaded."""
        return None if self._sync is None else self._sync.chain.headers.tip

    def minimum_fee_rates(self) -> list[int]:
        """List below which rate, in sat/kvB, the node takes no transaction."""
        return [] if self._sync is None else self._sync.payments.minimum_fee_rates()

    def is_synced(self) -> bool:
        """Whether every wallet was told everything up to the node's tip, and nothing differs."""
        return self._sync is not None and self._sync.is_synced()

    def peers(self) -> list[PeerInfo]:
        """List the node while it is connected."""
        use, sync = self._use, self._sync
        if use is None or sync is None or not sync.is_online:
            return []
        return [
            PeerInfo(
                address=use.via,
                user_agent=use.version,
                services=0,
                best_height=sync.chain.node_height,
                inbound_bytes=sum(rpc.inbound_bytes for rpc in use.calls.all()),
                outbound_bytes=sum(rpc.outbound_bytes for rpc in use.calls.all()),
                connected_since=self._since,
                transport="RPC" if use.route is Route.DIRECT else "RPC over SSH",
                network=use.via,
                route=use.route,
                is_own=True,
                purposes=(Purpose.SYNC, Purpose.RELAY),
            )
        ]

    def ledger(self) -> list[LedgerEntry]:
        """List every contact with another host since the start, the newest first."""
        return self._link.ledger()

    def scan_plans(self) -> list[ScanPlan]:
        """Tell what is left to scan, wallet by wallet."""
        return [] if self._sync is None else self._sync.watches.long.plans()

    def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        if self._sync is not None:
            self._sync.watches.long.approve(wallet_id)
            self._sync.changed()

    def pause_scans(self, *, paused: bool) -> None:
        """Hold back what scans download, or let it go on."""
        self._is_paused = paused
        if self._sync is not None:
            self._sync.watches.long.pause(paused=paused)
            self._sync.changed()

    def fee_advice(self) -> FeeAdvice | None:
        """Tell usual fee rates as the node estimates them; None while nothing is known."""
        return None if self._sync is None else self._sync.payments.fee_advice()

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Tell whether the node has an unconfirmed transaction; None when that is unknown."""
        return None if self._sync is None else self._sync.payments.seen_by(txid)

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Say whether a person waits for a payment."""
        self._is_receiving = is_receiving
        if self._sync is not None:
            self._sync.payments.is_receiving = is_receiving
            self._sync.payments.look_soon()

    def node_status(self) -> NodeStatus:
        """Tell where the connection stands, and what does not come over it."""
        status, sync = self._link.status(), self._sync
        if sync is None:
            return status
        problem = status.problem or self.problem(sync)
        age = None if not sync.tip_time else max(0, self._clock().unix - sync.tip_time)
        return replace(status, problem=problem, tip_age=age)

    def view(self) -> ChainView | None:
        """Tell what the node shows of the chain, to be compared with another source of it."""
        sync = self._sync
        if sync is None or not sync.is_online or not sync.chain.is_at_tip:
            return None
        headers = sync.chain.headers
        lowest = max(headers.start_height - 1, 0)

        def hash_at(height: int) -> bytes | None:
            return headers.hash_at(height) if lowest <= height <= headers.height else None

        return ChainView(headers.tip, headers.chain_work, 1, hash_at, sync.filters.header_at)

    def tip_report(self) -> None:
        """Nothing: what the tips of several peers say together is not known of one node."""

    # --- tasks ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        headers, filter_headers, checkpoints = await self._lanes.run(Lane.STORE, self._load)
        sync = NodeSync(
            self._params,
            self._stores,
            headers,
            filter_headers,
            self._engine,
            checkpoints,
            lanes=self._lanes,
            clock=self._clock,
            on_change=self._wake.set,
            on_failure=self._fail,
            public=self._public,
        )
        sync.watches.long.pause(paused=self._is_paused)
        sync.payments.is_receiving = self._is_receiving
        self._sync = sync
        if headers.height >= max(headers.start_height, 1):  # else it stands on an anchor
            sync.tip_time = headers.header_at(headers.height).time
            self._news.append(TipChanged(headers.tip, sync.tip_time))
        pending, self._pending = self._pending, {}
        for wallet_id, watch in pending.items():
            sync.watches.watch(
                wallet_id,
                watch.scripts,
                watch.checkpoints,
                watch.birthday_time,
                watch.anchors,
                watch.preview_scripts,
            )
            sync.check.watch(wallet_id, watch.coins)
            for scripts, from_height in watch.extensions:
                sync.watches.extend(wallet_id, scripts, from_height)
        self._spawn(self._deliver(sync))
        self._spawn(self._tick(sync))
        await self._read(sync)

    def _load(self) -> tuple[HeaderChain, FilterHeaderChain, Checkpoints]:
        """Read the stores and choose where the chains start."""
        known = load_checkpoints(self._params) if self._checkpoints is None else self._checkpoints
        # A copy: wallets may join while this runs in its thread.
        wallets = [
            (w.scripts, w.checkpoints, w.birthday_time) for w in self._pending.copy().values()
        ]
        earliest = earliest_height(self._params, known, wallets)
        return *open_chains(self._params, self._stores, known, earliest), known

    async def _read(self, sync: NodeSync) -> None:
        """Read over one connection after the other, for as long as the program runs."""
        failures = 0
        while True:
            began = self._clock().monotonic
            try:
                self._use = use = await self._link.ready()
                self._since = self._clock().unix
                began = self._clock().monotonic
                await sync.run(use)
            except NodeProblem as problem:
                self._use = None
                self._problem = problem
                self._link.failed(problem)
                sync.changed()
                if self._clock().monotonic - began > RETRY[-1]:
                    failures = 0
            failures += 1
            await asyncio.sleep(RETRY[min(failures, len(RETRY)) - 1])

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Our own fault: stop working rather than go on with half of the parts."""
        for task in self._tasks:
            task.cancel()
        if self._on_failure is not None:
            self._on_failure(error)
        else:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "The chain backend failed.", "exception": error}
            )

    async def _deliver(self, sync: NodeSync) -> None:
        """Hand events to the sink, one at a time."""
        while True:
            self._wake.clear()
            event = self._next_event(sync)
            if event is None:
                await self._wake.wait()
                continue
            await self._sink(event)
            sync.delivered(event)

    def _next_event(self, sync: NodeSync) -> ChainEvent | None:
        if self._news:
            return self._news.popleft()
        state = self._backend_state(sync)
        if state != self._state:
            self._state = state
            return state
        now = self._clock()
        if self._meter.is_due(now):
            progress = self._meter.measure(sync.progress(), sync.received_bytes, now)
            if progress is not None:
                return progress
        return sync.next_event()

    def _backend_state(self, sync: NodeSync) -> BackendState:
        problem = self.problem(sync)
        detail = "" if problem is None else str(problem)
        if sync.is_online:
            return BackendState(ConnectionState.ONLINE, 1, detail)
        state = ConnectionState.CONNECTING if problem is None else ConnectionState.OFFLINE
        return BackendState(state, 0, detail)

    def problem(self, sync: NodeSync) -> NodeProblem | None:
        """Tell what stands in the way at the moment."""
        if not sync.is_online:
            return self._link.problem or self._problem
        return sync.present_problem()

    async def _tick(self, sync: NodeSync) -> None:
        while True:
            await asyncio.sleep(TICK)
            sync.changed()
