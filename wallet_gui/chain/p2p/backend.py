"""`P2PBackend`: the light client as a `ChainBackend`, on asyncio.

It owns the tasks, the worker threads and the clock; all decisions are made by the machines without
I/O (`sync`, `relay`, `broadcast`). Everything here runs on one loop.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from wallet_gui.chain.audit import ChainView
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BlockRef,
    BroadcastResult,
    ChainEvent,
    ChainStores,
    CoinsOf,
    ConnectionState,
    EventSink,
    NoPeers,
    PeerStore,
    SyncProgress,
    TipChanged,
)
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.checkpoints import load as load_checkpoints
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.chain_start import earliest_height, open_chains
from wallet_gui.chain.p2p.connect import TunnelDial
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.filter_match import LazyEngine
from wallet_gui.chain.p2p.long_scans import PreviewScripts
from wallet_gui.chain.p2p.netgroup import Netgroup
from wallet_gui.chain.p2p.netgroup import netgroup as default_netgroup
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.peer_finder import PeerFinder, PeerSources
from wallet_gui.chain.p2p.peer_group import PeerGroup
from wallet_gui.chain.p2p.progress import ProgressMeter
from wallet_gui.chain.p2p.seeds import Resolver, system_resolver
from wallet_gui.chain.p2p.sync import ChainSync
from wallet_gui.chain.p2p.sync_state import Action, Disconnect, Instant, Lane, Send, Work
from wallet_gui.chain.p2p.tips import TipReport
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, ScanPlan, SeenBy
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

TICK: Final = 0.25
SILENT_AFTER: Final = 20.0

SILENT: Final = (
    "The node does not answer requests for filters. It may still be building its filter index; "
    "the wallet keeps asking."
)


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
    extensions: list[tuple[list[bytes], int | None]] = field(default_factory=list)


class P2PBackend:
    """Reads the chain from peers by BIP157 filters, and relays transactions with them."""

    def __init__(
        self,
        params: ChainParams,
        options: P2POptions,
        stores: ChainStores,
        sink: EventSink,
        *,
        peer_store: PeerStore | None = None,
        resolver: Resolver | None = None,
        netgroup: Netgroup | None = None,
        tunnel: TunnelDial | None = None,
        checkpoints: Checkpoints | None = None,
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
        self._stores = stores
        self._sink = sink
        self._checkpoints = checkpoints
        self._engine: FilterEngine = LazyEngine() if engine is None else engine
        self._clock = clock
        self._on_failure = on_failure
        self._sync: ChainSync | None = None
        self._group: PeerGroup | None = None
        self._pending: dict[str, _PendingWatch] = {}
        self._news: deque[ChainEvent] = deque()  # of the backend itself
        sources = PeerSources(
            peer_store, resolver or system_resolver, netgroup or default_netgroup, tunnel
        )
        self._finder = PeerFinder(params, options, sources, clock, self._news)
        self._meter = ProgressMeter()
        self._tasks: set[asyncio.Task[None]] = set()
        self._jobs: set[asyncio.Future[Any]] = set()
        self._lanes: dict[Lane, ThreadPoolExecutor] = {}
        self._wake = asyncio.Event()
        self._broadcast_news = asyncio.Condition()
        self._is_running = self._has_failed = False
        self._is_receiving = False
        self._silent_since: float | None = None

    # --- the ChainBackend protocol ----------------------------------------------------------------

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
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sync is not None:
            for work in self._sync.flush():
                if isinstance(work, Work) and work.lane is Lane.STORE:
                    self._lanes[Lane.STORE].submit(work.run)
        # What was handed to the stores is written; what only computes is given up.
        for lane in (Lane.ENGINE, Lane.BLOCKS):
            self._lanes[lane].shutdown(wait=False, cancel_futures=True)
        if self._jobs:
            await asyncio.wait(self._jobs)
        if (save := self._finder.save_later()) is not None:
            self._lanes[Lane.STORE].submit(save)
        for executor in self._lanes.values():
            executor.shutdown(wait=True)
        self._sync = self._group = None
        self._news.clear()
        await self._tell_senders()

    def set_options(self, options: P2POptions) -> None:
        """Apply what a person decided: connections that it does not allow any more are closed."""
        self._finder.set_options(options)
        if self._group is not None:
            self._group.set_options(options)
            self._wake.set()

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: PreviewScripts | None = None,
        coins: CoinsOf | None = None,  # noqa: ARG002 (peers have no set of coins to compare)
    ) -> None:
        """Scan for a wallet's scripts; see `ChainBackend.watch`."""
        if self._sync is None:
            self._pending[wallet_id] = _PendingWatch(
                list(scripts), tuple(checkpoints), birthday_time, tuple(anchors), preview_scripts
            )
            return
        self._perform(
            self._sync.watch(
                wallet_id,
                scripts,
                checkpoints,
                birthday_time,
                self._clock(),
                anchors,
                preview_scripts,
            )
        )

    def extend_watch(
        self, wallet_id: str, scripts: Sequence[bytes], *, from_height: int | None = None
    ) -> None:
        """Add scripts, matched from the wallet's start, or from `from_height` where that is given.

        Raises KeyError when the wallet is not watched.
        """
        if self._sync is None:
            self._pending[wallet_id].extensions.append((list(scripts), from_height))
        else:
            now = self._clock()
            self._perform(self._sync.extend_watch(wallet_id, scripts, now, from_height))

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self._pending.pop(wallet_id, None)
        if self._sync is not None:
            self._sync.unwatch(wallet_id)

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Announce a transaction and wait for evidence; raise NoPeers when nobody is there."""
        group = self._group
        if group is None or not group.sessions:
            raise NoPeers("There is no connection to the network; the payment was not sent.")
        self._perform(group.transactions.broadcast(tx, self._clock(), parents))
        async with self._broadcast_news:
            while (result := group.transactions.result(tx.txid)) is None:
                if not self._is_running or self._has_failed:
                    raise NoPeers("The program stopped before the network confirmed the payment.")
                await self._broadcast_news.wait()
        return result

    def withdraw(self, txid: bytes) -> None:
        """Send a transaction no more."""
        if self._group is not None:
            self._group.transactions.broadcasts.forget(txid)

    def suspect_block(self, height: int) -> None:
        """Read a block in full, whatever its filter says: a payment is thought to be in it."""
        if self._sync is not None:
            self._perform(self._sync.suspect_block(height, self._clock()))

    def tip(self) -> BlockRef | None:
        """Tell the tip of the most-work chain; None while it is being loaded."""
        return None if self._sync is None else self._sync.state.headers.tip

    def is_synced(self) -> bool:
        """Whether every wallet was scanned up to the tip that peers show."""
        return self._sync is not None and self._sync.is_synced()

    def peers(self) -> list[PeerInfo]:
        """List the connections."""
        return [] if self._group is None else self._group.infos()

    def minimum_fee_rates(self) -> list[int]:
        """List below which rate, in sat/kvB, each peer takes no transaction (BIP133)."""
        return [] if self._group is None else self._group.transactions.fee_filters()

    def ledger(self) -> list[LedgerEntry]:
        """List every contact with another host since the start, the newest first."""
        if self._group is not None:
            self._group.count_bytes()
        return self._finder.entries()

    def scan_plans(self) -> list[ScanPlan]:
        """Tell what is left to scan, wallet by wallet."""
        return [] if self._sync is None else self._sync.watches.long.plans()

    def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        if self._sync is not None:
            self._perform(self._sync.approve_scan(wallet_id, self._clock()))

    def pause_scans(self, *, paused: bool) -> None:
        """Hold back what scans download, or let it go on."""
        if self._sync is not None:
            self._perform(self._sync.pause_scans(self._clock(), paused=paused))

    def fee_advice(self) -> FeeAdvice | None:
        """Tell usual fee rates; None while nothing is known."""
        return None if self._group is None else self._group.transactions.fee_advice(self._clock())

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Count the networks whose peers announced a transaction; None when nobody did."""
        return None if self._group is None else self._group.transactions.seen_by(txid)

    def tip_report(self) -> TipReport | None:
        """Tell whether the tip can be the newest there is; None before the chain is loaded."""
        return None if self._sync is None else self._sync.tip_report(self._clock())

    async def fetch_block(self, ref: BlockRef) -> bytes:
        """Fetch a block by hash, from any peer that keeps it; waits until one came.

        The bytes belong to the header of that hash (merkle root and witness commitment checked);
        whether that header is in a chain is for whoever asks to know. Raises NoPeers when the
        backend does not run.
        """
        sync = self._sync
        if sync is None:
            raise NoPeers("There is no connection to the network yet.")
        taken: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def take(raw: bytes) -> None:
            if not taken.done():
                taken.set_result(raw)

        self._perform(sync.fetch_block(ref, take, self._clock()))
        try:
            return await taken
        finally:
            sync.fetches.cancel(ref, take)

    def lacking_blocks(self) -> list[BlockRef]:
        """List the blocks that are waited for and that no connected node keeps."""
        return [] if self._sync is None else self._sync.blocks.lacking()

    def give_block(self, ref: BlockRef, raw: bytes) -> None:
        """Take a block from elsewhere, checked against its header (`fetch_block` did)."""
        if self._sync is not None:
            self._perform(self._sync.give_block(ref, raw, self._clock()))

    def view(self) -> ChainView | None:
        """Tell what peers show of the chain, to be compared with another source of it."""
        return None if self._sync is None else self._sync.view(self._clock())

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Say whether a person waits for a payment."""
        self._is_receiving = is_receiving
        if self._group is not None:
            self._group.set_receiving(is_receiving=is_receiving)

    # --- tasks ------------------------------------------------------------------------------------

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._news.append(BackendState(ConnectionState.CONNECTING, 0))
        if self._finder.options.own_peers or self._params.dns_seeds:
            # Picking an engine imports NumPy: begun now, needed only when the first filters arrive.
            warm = loop.run_in_executor(self._lanes[Lane.ENGINE], self._engine.prepare, ())
            self._jobs.add(warm)
            warm.add_done_callback(self._jobs.discard)
        headers, filter_headers, checkpoints = await loop.run_in_executor(
            self._lanes[Lane.STORE], self._load
        )
        sync = ChainSync(
            self._params,
            self._stores,
            headers,
            filter_headers,
            self._engine,
            checkpoints=checkpoints,
        )
        book = await loop.run_in_executor(self._lanes[Lane.STORE], self._finder.read)
        group = self._finder.start(sync, book, self._perform, self._spawn)
        group.set_receiving(is_receiving=self._is_receiving)
        self._sync, self._group = sync, group
        if headers.height >= max(headers.start_height, 1):  # else it stands on an anchor
            self._news.append(TipChanged(headers.tip, headers.header_at(headers.height).time))
        now = self._clock()
        pending, self._pending = self._pending, {}
        for wallet_id, watch in pending.items():
            self._perform(
                sync.watch(
                    wallet_id,
                    watch.scripts,
                    watch.checkpoints,
                    watch.birthday_time,
                    now,
                    watch.anchors,
                    watch.preview_scripts,
                )
            )
            for scripts, from_height in watch.extensions:
                self._perform(sync.extend_watch(wallet_id, scripts, now, from_height))
        self._spawn(self._deliver(sync, group))
        self._spawn(self._tick(sync, group))

    def _load(self) -> tuple[HeaderChain, FilterHeaderChain, Checkpoints]:
        """Read the stores and choose where the chains start."""
        known = load_checkpoints(self._params) if self._checkpoints is None else self._checkpoints
        # A copy: wallets may join while this runs in its thread.
        wallets = [
            (w.scripts, w.checkpoints, w.birthday_time) for w in self._pending.copy().values()
        ]
        earliest = earliest_height(self._params, known, wallets)
        hasher = self._engine.header_hashes
        return *open_chains(self._params, self._stores, known, earliest, hasher), known

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
        if self._is_running and not self._has_failed:
            self._has_failed = True
            self._spawn(self._tell_senders())
        if self._on_failure is not None:
            self._on_failure(error)
        else:
            asyncio.get_running_loop().call_exception_handler(
                {"message": "The chain backend failed.", "exception": error}
            )

    async def _tell_senders(self) -> None:
        async with self._broadcast_news:
            self._broadcast_news.notify_all()

    async def _deliver(self, sync: ChainSync, group: PeerGroup) -> None:
        """Hand events to the sink, one at a time."""
        while True:
            self._wake.clear()
            event = self._next_event(sync, group)
            if event is None:
                await self._wake.wait()
                continue
            await self._sink(event)
            self._perform(sync.delivered(event, self._clock()))

    def _next_event(self, sync: ChainSync, group: PeerGroup) -> ChainEvent | None:
        if self._news:
            return self._news.popleft()
        if group.transactions.broadcasts.news:
            return group.transactions.broadcasts.news.popleft()
        now = self._clock()
        progress: SyncProgress | None = None
        if self._meter.is_due(now):
            progress = self._meter.measure(sync.progress(), group.received_bytes(), now)
        return progress or sync.next_event(now)

    async def _tick(self, sync: ChainSync, group: PeerGroup) -> None:
        while True:
            self._finder.tick(self._clock(), self._perform)
            await asyncio.sleep(TICK)
            now = self._clock()
            self._perform(sync.tick(now))
            group.tick(now)
            self._notice_silence(sync, now)
            await self._tell_senders()

    def _notice_silence(self, sync: ChainSync, now: Instant) -> None:
        if not (sync.filter_headers.is_silent or sync.filters.is_silent):
            self._silent_since = None
        elif self._silent_since is None:
            self._silent_since = now.monotonic
        elif now.monotonic - self._silent_since >= SILENT_AFTER:
            self._silent_since = float("inf")  # once is enough
            self._news.append(BackendWarning(SILENT))

    # --- what the machines want done --------------------------------------------------------------

    def _perform(self, actions: Iterable[Action]) -> None:
        sessions = {} if self._group is None else self._group.sessions
        todo = deque(actions)
        touched: set[int] = set()
        while todo:
            match todo.popleft():
                case Send(number, message):
                    if number in sessions:
                        sessions[number].connection.protocol.send(message)
                        touched.add(number)
                case Disconnect() as farewell:
                    if self._group is not None:
                        todo.extend(self._group.disconnect(farewell))
                case Work() as work:
                    self._submit(work)
        for number in touched:
            if number in sessions:
                sessions[number].connection.flush()
        self._wake.set()

    def _submit(self, work: Work) -> None:
        if not self._is_running:
            return
        job = asyncio.get_running_loop().run_in_executor(self._lanes[work.lane], work.run)
        self._jobs.add(job)
        job.add_done_callback(lambda done: self._job_done(work, done))

    def _job_done(self, work: Work, job: asyncio.Future[Any]) -> None:
        self._jobs.discard(job)
        if job.cancelled():
            return
        error = job.exception()
        if error is not None:
            self._fail(error)
        elif self._sync is not None and self._group is not None and self._is_running:
            self._perform(self._sync.work_done(work, job.result(), self._clock()))
            self._group.control_flow()
