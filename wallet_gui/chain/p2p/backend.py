"""`P2PBackend`: the light client as a `ChainBackend`, on asyncio.

It owns the connections, the worker threads and the clock; all decisions are made by the machines
without I/O (`sync`, `relay`, `broadcast`). Everything here runs on one loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BlockRef,
    BroadcastResult,
    ChainEvent,
    ChainStores,
    ConnectionState,
    EventSink,
    NoPeers,
    PeerInfo,
    SyncProgress,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.filters import FilterEngine, pick_engine
from wallet_gui.chain.header_chain import ChainAnchor, HeaderChain, InvalidHeader
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.broadcast import Broadcasts
from wallet_gui.chain.p2p.dialer import Dialer, Session
from wallet_gui.chain.p2p.filter_header_chain import FilterAnchor, FilterHeaderChain
from wallet_gui.chain.p2p.messages import (
    FeeFilter,
    GetData,
    Inv,
    NotFound,
    Ping,
    Pong,
    Services,
    Tx,
)
from wallet_gui.chain.p2p.progress import ProgressMeter
from wallet_gui.chain.p2p.protocol import Event
from wallet_gui.chain.p2p.relay import Relay
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Disconnect, Instant, Lane, Send, Work
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

TICK: Final = 0.25
PING_INTERVAL: Final = 30.0
PONG_TIMEOUT: Final = 40.0
SILENT_AFTER: Final = 20.0
PAUSE_AT: Final = 32_000_000  # bytes that wait for the engine

NO_FILTERS: Final = (
    "The node {address} does not serve compact filters. If it is yours, start it with "
    "-blockfilterindex=1 -peerblockfilters=1."
)
SILENT: Final = (
    "The node does not answer requests for filters. It may still be building its filter index; "
    "the wallet keeps asking."
)


def system_clock() -> Instant:
    """Read the system's clocks."""
    return Instant(time.monotonic(), int(time.time()))


class _PendingWatch:
    """A `watch` that came before the chain was loaded."""

    def __init__(
        self, scripts: list[bytes], checkpoints: tuple[BlockRef, ...], birthday_time: int | None
    ) -> None:
        self.scripts = scripts
        self.checkpoints = checkpoints
        self.birthday_time = birthday_time


class P2PBackend:
    """Reads the chain from peers by BIP157 filters, and relays transactions with them."""

    def __init__(
        self,
        params: ChainParams,
        peers: Sequence[PeerAddress],
        stores: ChainStores,
        sink: EventSink,
        *,
        anchor: ChainAnchor | None = None,
        filter_anchor: FilterAnchor | None = None,
        checkpoints: Mapping[int, bytes] | None = None,
        engine: FilterEngine | None = None,
        clock: Callable[[], Instant] = system_clock,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Prepare; `start` connects.

        `stores` are called from one worker thread, in order. Events go to `sink`, one at a time.
        `on_failure` is told of an error that is ours (a full disk, say) and ends the sync; without
        it the loop's exception handler is.
        """
        self._params = params
        self._addresses = tuple(peers)
        self._stores = stores
        self._sink = sink
        self._anchor = anchor
        self._filter_anchor = filter_anchor
        self._checkpoints = checkpoints
        self._engine = engine
        self._clock = clock
        self._on_failure = on_failure
        self._sync: ChainSync | None = None
        self._relay = Relay()
        self._broadcasts = Broadcasts()
        self._sessions: dict[int, Session] = {}
        self._fee_filters: dict[int, int] = {}
        self._pings: dict[int, tuple[int, float]] = {}  # nonce and when, while no pong came
        self._ping_times: dict[int, int] = {}
        self._pinged: dict[int, float] = {}
        self._pending: dict[str, _PendingWatch] = {}
        self._news: deque[ChainEvent] = deque()  # of the backend itself
        self._meter = ProgressMeter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: set[asyncio.Future[Any]] = set()
        self._lanes: dict[Lane, ThreadPoolExecutor] = {}
        self._nonces: set[int] = set()
        self._wake = asyncio.Event()
        self._broadcast_news = asyncio.Condition()
        self._is_running = False
        self._unreachable = ""
        self._silent_since: float | None = None

    # --- the ChainBackend protocol ------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to connect and to sync; returns at once."""
        if self._is_running:
            return
        self._is_running = True
        self._lanes = {
            lane: ThreadPoolExecutor(1, thread_name_prefix=f"chain-{lane.value}") for lane in Lane
        }
        self._spawn(self._run())

    async def stop(self) -> None:
        """Close every connection; no event comes after this. Not to be awaited inside the sink."""
        if not self._is_running:
            return
        self._is_running = False
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        # What was handed to the stores is written; what only computes is given up.
        for lane in (Lane.ENGINE, Lane.BLOCKS):
            self._lanes[lane].shutdown(wait=False, cancel_futures=True)
        if self._jobs:
            await asyncio.wait(self._jobs)
        for executor in self._lanes.values():
            executor.shutdown(wait=True)
        self._sync = None
        self._sessions.clear()
        async with self._broadcast_news:
            self._broadcast_news.notify_all()

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
    ) -> None:
        """Scan for a wallet's scripts; see `ChainBackend.watch`."""
        if self._sync is None:
            self._pending[wallet_id] = _PendingWatch(
                list(scripts), tuple(checkpoints), birthday_time
            )
            return
        now = self._clock()
        self._perform(self._sync.watch(wallet_id, scripts, checkpoints, birthday_time, now))

    def extend_watch(self, wallet_id: str, scripts: Sequence[bytes]) -> None:
        """Add scripts; KeyError when the wallet is not watched."""
        if self._sync is None:
            self._pending[wallet_id].scripts.extend(scripts)
        else:
            self._perform(self._sync.extend_watch(wallet_id, scripts, self._clock()))

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self._pending.pop(wallet_id, None)
        if self._sync is not None:
            self._sync.unwatch(wallet_id)

    async def broadcast(self, tx: Transaction) -> BroadcastResult:
        """Announce a transaction and wait for evidence; raise NoPeers when nobody is there."""
        if not self._sessions:
            raise NoPeers("There is no connection to the network; the payment was not sent.")
        self._relay.ignore(tx)
        self._perform(self._broadcasts.start(tx, self._clock()))
        async with self._broadcast_news:
            while (result := self._broadcasts.result(tx.txid)) is None:
                if not self._is_running:
                    raise NoPeers("The program stopped before the network confirmed the payment.")
                await self._broadcast_news.wait()
        return result

    def tip(self) -> BlockRef | None:
        """Tell the tip of the most-work chain."""
        return None if self._sync is None else self._sync.state.headers.tip

    def is_synced(self) -> bool:
        """Whether every wallet was scanned up to the tip that peers show."""
        return self._sync is not None and self._sync.is_synced()

    def peers(self) -> list[PeerInfo]:
        """List the connections."""
        return [
            PeerInfo(
                address=str(session.address),
                user_agent=session.ready.version.user_agent,
                services=session.ready.version.services,
                best_height=self._best_height(session),
                inbound_bytes=session.connection.received_bytes,
                outbound_bytes=session.connection.sent_bytes,
                connected_since=session.since.unix,
                ping_ms=self._ping_times.get(session.number),
            )
            for session in self._sessions.values()
        ]

    def minimum_fee_rates(self) -> list[int]:
        """List below which rate, in sat/kvB, each peer takes no transaction (BIP133)."""
        return sorted(self._fee_filters.values())

    def _best_height(self, session: Session) -> int:
        peer = None if self._sync is None else self._sync.state.peers.get(session.number)
        return max(session.ready.version.start_height, -1 if peer is None else peer.shown_height)

    # --- running ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        if self._engine is None:
            # Picking imports NumPy, which takes longer than a screen should wait.
            self._engine = await loop.run_in_executor(self._lanes[Lane.ENGINE], pick_engine)
        headers, filter_headers = await loop.run_in_executor(self._lanes[Lane.STORE], self._load)
        sync = ChainSync(self._params, self._stores, headers, filter_headers, self._engine)
        self._sync = sync
        time_of_tip = headers.header_at(headers.height).time if headers.height > 0 else 0
        if time_of_tip:
            self._news.append(TipChanged(headers.tip, time_of_tip))
        now = self._clock()
        pending, self._pending = self._pending, {}
        for wallet_id, watch in pending.items():
            self._perform(
                sync.watch(wallet_id, watch.scripts, watch.checkpoints, watch.birthday_time, now)
            )
        self._tell_state()
        self._spawn(self._deliver(sync))
        self._spawn(self._tick(sync))
        for address in self._addresses:
            dialer = Dialer(address, self._params.magic, self, self._nonces)
            self._spawn(dialer.run())

    def _load(self) -> tuple[HeaderChain, FilterHeaderChain]:
        """Read the stores; what is damaged or does not fit is dropped and fetched again."""
        stores = self._stores
        start, raw = stores.headers.load()
        try:
            headers = HeaderChain.load(
                self._params, start, raw, anchor=self._anchor, checkpoints=self._checkpoints
            )
        except (InvalidHeader, ValueError):
            stores.filter_headers.truncate(-1)
            stores.headers.truncate(-1)
            raw = b""
            headers = HeaderChain(self._params, self._anchor, self._checkpoints)
        if not raw and headers.start_height == 0:
            stores.headers.append(0, self._params.genesis_header)
        filter_headers = FilterHeaderChain(self._filter_anchor)
        if not filter_headers.load(*stores.filter_headers.load(), headers.height):
            stores.filter_headers.truncate(filter_headers.height)
        return headers, filter_headers

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

    async def _deliver(self, sync: ChainSync) -> None:
        """Hand events to the sink, one at a time."""
        while True:
            self._wake.clear()
            event = self._next_event(sync)
            if event is None:
                await self._wake.wait()
                continue
            await self._sink(event)
            self._perform(sync.delivered(event, self._clock()))

    def _next_event(self, sync: ChainSync) -> ChainEvent | None:
        if self._news:
            return self._news.popleft()
        if self._broadcasts.news:
            return self._broadcasts.news.pop(0)
        now = self._clock()
        return self._progress(sync, now) or sync.next_event(now)

    def _progress(self, sync: ChainSync, now: Instant) -> SyncProgress | None:
        if not self._meter.is_due(now):
            return None
        received = sum(s.connection.received_bytes for s in self._sessions.values())
        return self._meter.measure(sync.progress(), received, now)

    async def _tick(self, sync: ChainSync) -> None:
        while True:
            await asyncio.sleep(TICK)
            now = self._clock()
            self._perform(sync.tick(now))
            self._perform(self._relay.tick(now))
            self._perform(self._broadcasts.tick(now))
            self._keep_alive(now)
            self._notice_silence(sync, now)
            self._wake.set()
            async with self._broadcast_news:
                self._broadcast_news.notify_all()

    def _keep_alive(self, now: Instant) -> None:
        for number, session in list(self._sessions.items()):
            waiting = self._pings.get(number)
            if waiting is not None:
                if now.monotonic - waiting[1] >= PONG_TIMEOUT:
                    session.reason = "The peer does not answer any more."
                    session.connection.hang_up()
            elif now.monotonic - self._pinged.get(number, float("-inf")) >= PING_INTERVAL:
                nonce = (number << 32) | (int(now.monotonic * 1000) & 0xFFFFFFFF)
                self._pings[number] = (nonce, now.monotonic)
                self._pinged[number] = now.monotonic
                self._perform([Send(number, Ping(nonce))])

    def _notice_silence(self, sync: ChainSync, now: Instant) -> None:
        if not (sync.filter_headers.is_silent or sync.filters.is_silent):
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now.monotonic
        elif now.monotonic - self._silent_since >= SILENT_AFTER:
            self._silent_since = float("inf")  # once is enough
            self._news.append(BackendWarning(SILENT))

    # --- what the machines want done ----------------------------------------------------------------

    def _perform(self, actions: Iterable[Action]) -> None:
        todo = deque(actions)
        touched: dict[int, Session] = {}
        while todo:
            action = todo.popleft()
            match action:
                case Send(number, message):
                    session = self._sessions.get(number)
                    if session is not None:
                        session.connection.protocol.send(message)
                        touched[number] = session
                case Disconnect(number, reason, is_fault):
                    session = self._sessions.get(number)
                    if session is not None:
                        session.reason = reason
                        session.hung_up_for_fault = is_fault
                        session.connection.hang_up()
                        todo.extend(self._drop(session))
                case Work():
                    self._submit(action)
        for session in touched.values():
            session.connection.flush()
        self._wake.set()

    def _submit(self, work: Work) -> None:
        if not self._is_running:
            return
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._lanes[work.lane], work.run)
        self._jobs.add(job)
        job.add_done_callback(lambda done: self._job_done(work, done))

    def _job_done(self, work: Work, job: asyncio.Future[Any]) -> None:
        self._jobs.discard(job)
        if job.cancelled():
            return
        error = job.exception()
        if error is not None:
            self._fail(error)
        elif self._sync is not None and self._is_running:
            self._perform(self._sync.work_done(work, job.result(), self._clock()))
            self._control_flow(self._sync)

    def _control_flow(self, sync: ChainSync) -> None:
        is_full = sync.filters.unverified_bytes >= PAUSE_AT
        for session in self._sessions.values():
            session.connection.pause(wanted=is_full)

    # --- what dialers report (`dialer.Host`) --------------------------------------------------------

    def now(self) -> Instant:
        """Tell the time."""
        return self._clock()

    def height(self) -> int:
        """Tell the height to claim: none, for it would tell peers where a wallet was left."""
        return 0

    def on_ready(self, session: Session) -> None:
        """Let a new peer take part."""
        if self._sync is None:
            return
        self._sessions[session.number] = session
        self._unreachable = ""
        if not session.ready.services & Services.COMPACT_FILTERS:
            self._news.append(BackendWarning(NO_FILTERS.format(address=session.address)))
        now = self._clock()
        self._tell_state()
        self._perform(
            self._sync.connected(session.number, str(session.address), session.ready, now)
        )
        self._perform(self._broadcasts.on_ready(session.number, now))

    def on_events(self, session: Session, events: list[Event]) -> None:
        """Hand on what was received."""
        sync = self._sync
        if sync is None:
            return
        now = self._clock()
        number = session.number
        for event in events:
            if number not in self._sessions:
                return  # hung up on meanwhile
            self._perform(sync.handle(number, event, now))
            self._perform(self._on_message(sync, session, event, now))
        self._control_flow(sync)

    def _on_message(
        self, sync: ChainSync, session: Session, event: Event, now: Instant
    ) -> list[Action]:
        """Deal with what is not about blocks: transactions, pings, fees."""
        number = session.number
        match event:
            case Inv():
                self._broadcasts.on_inv(number, event)
                return self._relay.on_inv(number, event, now)
            case Tx(tx):
                if self._broadcasts.is_ours(tx.wtxid):
                    self._broadcasts.on_tx(number, tx)
                elif self._relay.on_tx(tx):
                    sync.state.emit(TxSeen(tx, str(session.address)))
            case NotFound():
                self._broadcasts.on_notfound(number, event, now)
                return self._relay.on_notfound(number, event, now)
            case GetData():
                return self._broadcasts.on_getdata(number, event, now)
            case FeeFilter(rate):
                self._fee_filters[number] = rate
            case Pong(nonce):
                self._on_pong(number, nonce, now)
            case _:
                pass
        return []

    def _on_pong(self, number: int, nonce: int, now: Instant) -> None:
        waiting = self._pings.get(number)
        if waiting is not None and waiting[0] == nonce:
            del self._pings[number]
            self._ping_times[number] = round((now.monotonic - waiting[1]) * 1000)

    def on_progress(self, session: Session) -> None:
        """Note that a peer is slow, not silent."""
        if self._sync is not None:
            self._sync.progressed(session.number, self._clock())

    def on_closed(self, session: Session) -> None:
        """Let a peer go."""
        if session.number in self._sessions:
            self._perform(self._drop(session))
        if not self._sessions and self._is_running:
            self._unreachable = session.reason
            self._tell_state()

    def on_unreachable(self, address: PeerAddress, reason: str) -> None:
        """Show why nobody can be reached, if that is so."""
        if not self._sessions and self._is_running:
            sentence = f"{address}: {reason}"
            if sentence != self._unreachable:
                self._unreachable = sentence
                self._tell_state()

    def _drop(self, session: Session) -> list[Action]:
        number = session.number
        self._sessions.pop(number, None)
        for table in (self._fee_filters, self._pings, self._ping_times, self._pinged):
            table.pop(number, None)  # type: ignore[attr-defined]
        self._broadcasts.on_disconnected(number)
        now = self._clock()
        actions = self._relay.on_disconnected(number, now)
        if self._sync is not None:
            actions += self._sync.disconnected(number, now)
        self._tell_state()
        return actions

    def _tell_state(self) -> None:
        if self._sessions:
            state, detail = ConnectionState.ONLINE, ""
        elif self._unreachable:
            state, detail = ConnectionState.OFFLINE, self._unreachable
        else:
            state, detail = ConnectionState.CONNECTING, ""
        self._news.append(BackendState(state, len(self._sessions), detail))
        self._wake.set()
