"""Reads the chain from one node for all wallets: headers, matches, blocks, and the cross-check.

Each of these goes on by itself while a connection lasts (`run`); what they know outlives it, so
the next connection goes on where the last one ended. The rules of what is matched, and of the
order in which a wallet is told, are those of the P2P client (`watches`).
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Final

from wallet_gui.chain.backend import (
    ChainEvent,
    ChainStores,
    Phase,
    SyncProgress,
    TipChanged,
)
from wallet_gui.chain.bitcoind.cross_check import CrossCheck
from wallet_gui.chain.bitcoind.in_order import together
from wallet_gui.chain.bitcoind.matchers import (
    ChainMoved,
    CoinMatcher,
    FilterMatcher,
    Matcher,
    Wanted,
    WholeBlockMatcher,
    span_of,
)
from wallet_gui.chain.bitcoind.node_blocks import NodeBlocks
from wallet_gui.chain.bitcoind.node_chain import NodeChain, NodeScans, ScanMode
from wallet_gui.chain.bitcoind.node_headers import NodeHeaders
from wallet_gui.chain.bitcoind.node_payments import NodePayments
from wallet_gui.chain.bitcoind.node_scan import ScanMatcher
from wallet_gui.chain.bitcoind.node_session import NodeCalls, NodeUse, PublicPeers
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError, not_synced
from wallet_gui.chain.bitcoind.rpc import CALL_SECONDS
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.header_chain import HeaderChain, HeadersAccepted
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.sync_state import Instant, Lane
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.chain.scan import ScanRange, WalletScan
from wallet_gui.primitives.params import ChainParams

NEW_BLOCKS: Final = 16
"""Up to so many blocks are matched here by their filters: quicker, and no scan is disturbed."""
HOLD: Final = 1.0  # seconds for which matching waits for a block that may widen a window
POLL: Final = 25_000  # milliseconds that the node waits for a block before it answers
FIRST_POLL: Final = 1_000
LOOK_AGAIN: Final = 5.0  # seconds between looks where a node does not tell of new blocks
FAREWELL: Final = 2.0
RETRY: Final = (0.1, 0.5, 2.0, 10.0, 30.0)

Clock = Callable[[], Instant]


class NodeSync:
    """Everything that is known of the chain and the wallets, and how it goes on."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        headers: HeaderChain,
        filter_headers: FilterHeaderChain,
        engine: FilterEngine,
        checkpoints: Checkpoints,
        *,
        lanes: WorkerLanes,
        clock: Clock,
        on_change: Callable[[], None],
        on_failure: Callable[[BaseException], None],
        public: PublicPeers | None = None,
    ) -> None:
        """Stand on the chains as they were stored; `run` reads on."""
        headers.hasher = engine.header_hashes
        self.chain = NodeChain(params, stores, headers, filter_headers, checkpoints)
        self.watches = Watches(self.chain, NodeScans(self.chain))
        self.headers = NodeHeaders(self.chain, self._on_chain_changed, lambda: clock().unix)
        self.blocks = NodeBlocks(self.chain, self.watches, engine, lanes, public)
        self.blocks.on_change = self.changed
        self.filters = FilterMatcher(self.chain, engine, lanes)
        self.scans = ScanMatcher(self.chain, self.filters, lanes)
        self.check = CrossCheck(
            self.chain, self.watches, self._repeat_here, lambda: clock().monotonic
        )
        self.payments = NodePayments(
            self._all_scripts, self._emit, lambda: clock().unix, lambda: clock().monotonic
        )
        self._whole = WholeBlockMatcher()
        self._coins = CoinMatcher()
        self._clock = clock
        self._lanes = lanes
        self._on_change = on_change
        self._on_failure = on_failure
        self._here: dict[WalletScan, int] = {}  # scans, and from where on they are matched here
        self._match_wake = asyncio.Event()
        self._check_wake = asyncio.Event()
        self._look_wake = asyncio.Event()
        self.is_online = False
        self.problem: NodeProblem | None = None  # what holds up headers or matching
        self.tip_time = 0

    # --- what outlives a connection ---------------------------------------------------------------

    def changed(self) -> None:
        """Something is new: plan, and wake whatever may go on."""
        now = self._clock()
        chain = self.chain
        self.watches.begin(is_synced=chain.is_synced and self.is_online)
        self.watches.long.supervise(
            received_bytes=self.received_bytes,
            mean_size=self.filters.mean_size,
            is_synced=chain.is_synced,
            now=now,
        )
        for action in chain.take_actions():
            self._work(action)
        self.blocks.wake()
        self._match_wake.set()
        self._check_wake.set()
        if self.headers.wants_more_below:
            self._look_wake.set()
        if self.is_synced():
            self.payments.chain_is_read()
        self._on_change()

    def _work(self, action: Any) -> None:
        job = self._lanes.submit(action.lane, action.run)
        job.add_done_callback(lambda done: self._work_done(action, done))

    def _work_done(self, action: Any, job: "asyncio.Future[Any]") -> None:
        if job.cancelled():
            return
        error = job.exception()
        if error is not None:
            self._on_failure(error)
            return
        action.done(job.result(), self._clock())
        self.changed()

    def _emit(self, event: ChainEvent) -> None:
        self.chain.emit(event)
        self._on_change()

    def _all_scripts(self) -> set[bytes]:
        """Collect what unconfirmed payments are looked for."""
        scripts = {script for watch in self.watches for script in watch.scripts}
        return scripts.union(*(scan.scripts for scan in self.watches.scans()))

    @property
    def received_bytes(self) -> int:
        """How many bytes of filters and blocks have come."""
        return self.filters.received + self.blocks.received_bytes

    def next_event(self) -> ChainEvent | None:
        """Give the event to deliver now; `delivered` when the sink has taken it."""
        if self.chain.events:
            return self.chain.events.popleft()
        return self.watches.next_event(self.blocks.block_at, self._clock())

    def delivered(self, event: ChainEvent) -> None:
        """Note that an event was taken, which makes way for the next."""
        self.watches.delivered(event)
        self.changed()

    def is_synced(self) -> bool:
        """Whether every wallet was told everything up to the node's tip, and nothing differs."""
        height = self.chain.headers.height
        return (
            self.is_online
            and self.chain.is_synced
            and not self.check.differs
            and all(w.scan is not None and w.scan.mark >= height for w in self.watches)
        )

    def progress(self) -> SyncProgress:
        """Tell what the sync is busy with, as counts of heights."""
        chain = self.chain
        height = chain.headers.height
        if not self.is_online:
            return SyncProgress(Phase.PEERS, 0, 1)
        if not chain.is_at_tip:
            return SyncProgress(Phase.HEADERS, height, max(height, chain.node_height))
        scans = self.watches.scans()
        wanted = min((scan.matched_through + 1 for scan in scans), default=height + 1)
        if wanted <= height:
            start = min(scan.start_height for scan in scans)
            return SyncProgress(Phase.FILTERS, max(wanted - start, 0), height + 1 - start)
        waiting = sum(len(scan.pending(1000)) for scan in scans)
        if waiting or self.check.differs:
            done = self.blocks.received
            return SyncProgress(Phase.BLOCKS, done, done + max(waiting, 1))
        return SyncProgress(Phase.SYNCED, height, height)

    # --- the chain --------------------------------------------------------------------------------

    def _on_chain_changed(self, accepted: HeadersAccepted) -> None:
        chain = self.chain
        fork = accepted.fork_height
        if fork is not None:
            chain.filter_headers.truncate(fork)
            chain.disputed = {height for height in chain.disputed if height <= fork}
            self._here = {scan: min(h, fork + 1) for scan, h in self._here.items()}
            self.check.rewind(fork)
            self.watches.rewind(fork, is_reorganization=True)
        self._persist(accepted)
        self.tip_time = chain.headers.header_at(accepted.tip.height).time
        chain.emit(TipChanged(accepted.tip, self.tip_time))
        self.payments.look_soon()
        self.changed()

    def _persist(self, accepted: HeadersAccepted) -> None:
        first, fork = accepted.first_changed, accepted.fork_height
        if first is None:
            return
        raw = self.chain.headers.raw_headers(first, accepted.tip.height)
        stores = self.chain.stores

        def run() -> None:
            if fork is not None:
                # In this order a crash between leaves no filter header of the old branch.
                stores.filter_headers.truncate(fork)
                stores.headers.truncate(fork)
            stores.headers.append(first, raw)

        self.chain.work(Lane.STORE, run, lambda _result, _now: None)

    def _repeat_here(self, scan: WalletScan, height: int) -> None:
        """What was matched from `height` on missed something: match it here, by filters."""
        scan.repeat(height)
        self._here[scan] = min(height, self._here.get(scan, height))
        self.changed()

    def present_problem(self) -> NodeProblem | None:
        """Tell what is waited for, or does not come."""
        blocks = next(iter(self.blocks.problems.values()), None)
        return self.problem or self.scans.problem or blocks or self._how_far_behind()

    def _how_far_behind(self) -> NodeProblem | None:
        """Say that the node has not read the chain that is known here, if that is so."""
        chain = self.chain
        total = max(chain.headers.height, chain.checkpoints.last_height)
        behind = total - chain.node_height
        if not self.is_online or chain.is_synced or behind <= 0:
            return None
        return not_synced(f"{100 * chain.node_height // total} %", behind)

    # --- while a connection lasts -----------------------------------------------------------------

    async def farewell(self, node: NodeCalls) -> None:
        """End a scan that we have running at the node, so that nobody has to wait for it."""
        with contextlib.suppress(NodeProblem, TimeoutError):
            async with asyncio.timeout(FAREWELL):
                await self.scans.abort(node)
                await self.check.scan.give_way(node.rpc)

    async def run(self, use: NodeUse) -> None:
        """Go on until the connection ends; raises the NodeProblem that ended it."""
        self.problem = None
        self.chain.mode = use.mode
        self.chain.may_ask_for_coins = use.may_ask_for_coins
        self.chain.sorts_out = use.calls.has_activity
        node = use.calls
        try:
            await together(
                self._follow(node),
                self._match(node),
                self.blocks.run(node),
                self._compare(node),
                self.payments.run(use),
            )
        finally:
            self.is_online = False
            self.chain.is_at_tip = False

    async def _follow(self, node: NodeCalls) -> None:
        """Follow the node's tip: it is looked at first, and then whenever a block comes."""
        wait = FIRST_POLL
        polling: asyncio.Task[bool] | None = None
        loop = asyncio.get_running_loop()
        try:
            while True:
                # Asked for before the look, so that no block comes between the two unnoticed.
                if polling is None:
                    polling = loop.create_task(self._news(node, wait))
                self._look_wake.clear()
                await self._look(node)
                looking = loop.create_task(self._look_wake.wait())
                try:
                    await asyncio.wait([polling, looking], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    looking.cancel()
                if polling.done():
                    is_new = polling.result()
                    polling = None
                    wait = FIRST_POLL if is_new else POLL
        finally:
            if polling is not None:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)

    async def _news(self, node: NodeCalls, milliseconds: int) -> bool:
        """Wait until the node has a new block, or for so long; tells whether it has one."""
        tip = self.chain.headers.tip.hash
        patience = milliseconds / 1000 + CALL_SECONDS
        try:
            found = await node.poll.call("waitfornewblock", milliseconds, seconds=patience)
        except RpcError:
            await asyncio.sleep(LOOK_AGAIN)  # not permitted, say
            return False
        except NodeProblem as problem:
            if problem.code is not Code.NODE_SILENT:
                raise
            return False  # the look that follows tells whether the node is there at all
        return bool(isinstance(found, dict) and found.get("hash") != tip[::-1].hex())

    async def _look(self, node: NodeCalls) -> None:
        changed = await self.headers.follow(node.rpc)
        if self.headers.wants_more_below:
            await self.headers.extend_down(node.rpc)
            changed = True
            self._look_wake.set()
        if changed or not self.is_online:
            self.is_online = True
        self.changed()

    async def _match(self, node: NodeCalls) -> None:
        failures = 0
        while True:
            self._match_wake.clear()
            wanted = self._next_match()
            if not wanted:
                await self._match_wake.wait()
                continue
            if await self._hold():
                continue  # what is wanted may be another by now
            matcher = self._matcher_for(wanted)
            try:
                if matcher is self.scans:
                    await self.check.scan.give_way(node.rpc)  # it may take minutes
                found = await matcher.match(node, wanted)
            except ChainMoved:
                failures += 1
                self._look_wake.set()
                await asyncio.sleep(RETRY[min(failures, len(RETRY)) - 1])
                continue
            except NodeProblem as problem:
                if problem.code not in _HOLDS_UP:
                    raise
                failures += 1
                self.problem = problem
                self._on_change()
                await asyncio.sleep(RETRY[min(failures, len(RETRY)) - 1])
                continue
            failures = 0
            self.problem = None
            for (scan, scanned), heights in zip(wanted, found, strict=True):
                if scan.results(scanned, heights) and matcher is self.scans:
                    self.check.scanned_by_node(scan.wallet_id)
            self.changed()

    def _next_match(self) -> Wanted:
        """Find the lowest range that a scan waits for, and what others want matched there."""
        chain = self.chain
        if not chain.is_synced:
            return []
        targets = self.watches.filter_targets()
        top = chain.headers.height
        ranges = [
            (scan, found) for scan in targets if (found := self._range(scan, top)) is not None
        ]
        if not ranges:
            return []
        scan, lowest = min(ranges, key=lambda pair: pair[1].start)
        if self._is_preview(scan):
            return [(scan, lowest)]
        wanted = [(scan, lowest)]
        for other in targets:
            if other is scan or self._is_preview(other):
                continue
            found = other.range_within(lowest.start, lowest.stop)
            if found is not None and self._is_here(other, found.start) == self._is_here(
                scan, lowest.start
            ):
                wanted.append((other, found))
        return wanted

    def _range(self, scan: WalletScan, top: int) -> ScanRange | None:
        """Give what a scan wants next, either below or above where it is to be matched here."""
        limit = self._limit(top)
        found = scan.wanted_range(limit, top)
        here = self._here.get(scan)
        if found is not None and here is not None and found.start < here <= found.stop:
            return scan.wanted_range(here - found.start, top)
        return found

    def _limit(self, top: int) -> int:
        if self.chain.mode is ScanMode.BLOCKS:
            return top + 1 if self.watches.long.previews() else WholeBlockMatcher.limit
        return ScanMatcher.limit if self.chain.mode is ScanMode.NODE else FilterMatcher.limit

    def _is_preview(self, scan: WalletScan) -> bool:
        return any(scan is preview for preview in self.watches.long.previews())

    def _is_here(self, scan: WalletScan, height: int) -> bool:
        return height >= self._here.get(scan, 1 << 62)

    def _matcher_for(self, wanted: Wanted) -> Matcher:
        mode = self.chain.mode
        scan, scanned = wanted[0]
        if mode is ScanMode.BLOCKS:
            return self._coins if self._is_preview(scan) else self._whole
        first, last = span_of(wanted)
        if (
            mode is ScanMode.FILTERS
            or last - first < NEW_BLOCKS
            or self._is_here(scan, scanned.start)
        ):
            return self.filters
        return self.scans

    async def _hold(self) -> bool:
        """Wait a moment for a block that may widen a window, rather than match twice."""
        if not self.watches.may_widen() or self.blocks.problems:
            return False
        deadline = self._clock().monotonic + HOLD
        while self.watches.may_widen() and (left := deadline - self._clock().monotonic) > 0:
            self._match_wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._match_wake.wait()
        return not self.watches.may_widen()

    async def _compare(self, node: NodeCalls) -> None:
        failures = 0
        while True:
            self._check_wake.clear()
            checks: Sequence[Any] = self.check.due() if self.chain.may_ask_for_coins else []
            if checks:
                try:
                    await self.check.run(node, checks)
                    failures = 0
                except NodeProblem as problem:
                    if problem.code not in _HOLDS_UP:
                        raise
                    failures += 1
                    await asyncio.sleep(RETRY[min(failures, len(RETRY)) - 1])
                for watch in self.watches:
                    if watch.scan is not None and self.check.agrees(watch.wallet_id):
                        self._here.pop(watch.scan, None)
                self.changed()
                if not self.check.due():
                    continue
                await asyncio.sleep(0.05)  # the wallets were not at the set's block
                continue
            try:
                async with asyncio.timeout(self.check.seconds_until_due()):
                    await self._check_wake.wait()
            except TimeoutError:
                continue

    def watch_ended(self, wallet_id: str) -> None:
        """Forget a wallet."""
        for watch in self.watches:
            if watch.wallet_id == wallet_id and watch.scan is not None:
                self._here.pop(watch.scan, None)
        self.watches.unwatch(wallet_id)
        self.check.unwatch(wallet_id)


_HOLDS_UP: Final = frozenset(
    {
        Code.BAD_REPLY,
        Code.RPC_ERROR,
        Code.SCAN_BUSY,
        Code.SCAN_LOST,
        Code.SCAN_INCOMPLETE,
        Code.NO_FILTER_INDEX,
        Code.INDEX_BUILDING,
        Code.PRUNED_BLOCK,
        Code.WARMING_UP,
        Code.RPC_WHITELIST,
        Code.METHOD_MISSING,
        Code.REPLY_TOO_BIG,
    }
)
"""What does not end a connection: it is shown, and tried again."""
