"""The whole sync with all peers, as one machine without I/O.

`handle` takes what a peer sent and returns what is to be done; `work_done` takes the outcome of
work that was done elsewhere; `next_event` and `delivered` hand events to the wallets, one at a
time, so that a wallet may widen its watch before the next block reaches it. The parts have files
of their own; this one connects them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from wallet_gui.chain.audit import ChainView
from wallet_gui.chain.backend import (
    BlockMatched,
    BlockRef,
    ChainEvent,
    ChainStores,
    Phase,
    PreviewMatched,
    SyncProgress,
    TipChanged,
)
from wallet_gui.chain.checkpoints import NONE as NO_CHECKPOINTS
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.header_chain import HeaderChain, HeadersAccepted
from wallet_gui.chain.p2p.audit import Audit
from wallet_gui.chain.p2p.backfill import Backfill
from wallet_gui.chain.p2p.block_fetches import BlockFetches
from wallet_gui.chain.p2p.block_queue import BlockQueue
from wallet_gui.chain.p2p.conflicts import Conflicts
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.filter_header_sync import FilterHeaderSync
from wallet_gui.chain.p2p.filter_messages import CFCheckpt, CFHeaders
from wallet_gui.chain.p2p.filter_sync import FilterSync
from wallet_gui.chain.p2p.header_sync import HeaderSync, update_shown
from wallet_gui.chain.p2p.long_scans import PreviewScripts
from wallet_gui.chain.p2p.messages import Headers, Inv, InventoryType, RawBlock
from wallet_gui.chain.p2p.protocol import Event, FilterRun, Ready
from wallet_gui.chain.p2p.sync_state import Action, Instant, Lane, Peer, SyncState, Work
from wallet_gui.chain.p2p.tips import TipReport, Tips
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import OutPoint

MAX_OWN_COINS = 100_000


class ChainSync:
    """Headers, filter headers, filters and blocks from several peers, for several wallets."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        headers: HeaderChain,
        filter_headers: FilterHeaderChain,
        engine: FilterEngine,
        filter_checkpoints: Mapping[int, bytes] | None = None,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> None:
        headers.hasher = engine.header_hashes
        filter_headers.chainer = engine.header_chain
        self.state = SyncState(params, stores, headers, filter_headers, checkpoints)
        known = checkpoints.filter_headers if filter_checkpoints is None else filter_checkpoints
        self.state.filter_checkpoints = dict(known)
        self.watches = Watches(self.state)
        self.headers = HeaderSync(self.state, self._on_chain_changed)
        self.tips = Tips(self.state, self.headers.ask)
        self.filter_headers = FilterHeaderSync(
            self.state,
            on_extended=self._on_filter_headers,
            on_rewound=self._on_filter_headers_rewound,
            on_refuted=self._on_refuted,
        )
        self.backfill = Backfill(self.state, self._on_extended_down)
        self.filters = FilterSync(self.state, self.watches, engine)
        self.blocks = BlockQueue(self.state, self.watches, engine)
        self.fetches = BlockFetches(self.state, engine)
        self.conflicts = Conflicts(
            self.state,
            request_block=self.blocks.request_evidence,
            is_deliverable=self.watches.is_deliverable,
            on_opened=self._on_disputed,
            on_overturned=lambda height: self._on_overturned(height - 1),
        )
        self.audit = Audit()
        self.state.refuse_block = self._refuse_block
        self.state.contest = self.conflicts.contest
        self.state.is_judged = self.conflicts.is_judged
        self._now = Instant(0.0, 0)
        self._is_plan_due = False  # events were taken whose consequences were put off

    # --- peers ------------------------------------------------------------------------------------

    def connected(
        self,
        number: int,
        address: str,
        ready: Ready,
        now: Instant,
        *,
        netgroup: bytes | None = None,
        is_own: bool = False,
    ) -> list[Action]:
        """Take in a peer whose handshake is done; without a netgroup it is a source of its own."""
        self.state.peers[number] = Peer(
            number,
            address,
            ready.version,
            last_answer=now.monotonic,
            netgroup=address.encode() if netgroup is None else netgroup,
            is_own=is_own,
        )
        return self._plan(now)

    def disconnected(self, number: int, now: Instant) -> list[Action]:
        """Let a peer go; others are asked for what it owed."""
        peer = self.state.peers.pop(number, None)
        if peer is None:
            return []
        self.headers.on_disconnected(peer)
        self.backfill.on_disconnected(peer)
        self.filter_headers.on_disconnected(peer)
        self.conflicts.on_disconnected(peer)
        self.tips.on_disconnected(peer)
        self.filters.on_disconnected(peer)
        self.blocks.on_disconnected(peer)
        self.fetches.on_disconnected(peer)
        return self._plan(now)

    def ahead(self, number: int, event: Event, now: Instant) -> list[Action]:
        """Tell what can be asked before an event is handled; `handle` is to follow at once."""
        peer = self.state.peers.get(number)
        if peer is not None and isinstance(event, Headers):
            self.headers.ask_ahead(peer, event, now)
            return self.state.take_actions()
        return []

    def handle(
        self, number: int, event: Event, now: Instant, *, has_more: bool = False
    ) -> list[Action]:
        """Take one event of a connected peer; return what is to be done.

        `has_more` is whether more events of the peer follow at once, so that what to ask for next
        is found out when all of them were taken.
        """
        self._now = now
        peer = self.state.peers.get(number)
        if peer is None:
            return []
        peer.is_sending_block = False
        if not self._take(peer, event, now) and (has_more or not self._is_plan_due):
            return []
        self._is_plan_due = has_more and isinstance(event, FilterRun | RawBlock)
        return self.state.take_actions() if self._is_plan_due else self._plan(now)

    def _take(self, peer: Peer, event: Event, now: Instant) -> bool:
        """Take an event; False when it is not about blocks."""
        match event:
            case FilterRun():
                self.conflicts.on_filters(peer, event)
                self.filters.on_filters(peer, event, now)
            case RawBlock():
                self._on_block(peer, event, now)
            case Headers():
                self._on_headers(peer, event, now)
            case CFHeaders():
                self._on_cfheaders(peer, event, now)
            case CFCheckpt():
                self.filter_headers.on_checkpoints(peer, event, now)
            case Inv():
                for kind, block_hash in event.entries:
                    if kind in {InventoryType.BLOCK, InventoryType.WITNESS_BLOCK}:
                        self.headers.on_block_announced(peer, block_hash, now)
            case _:
                return False
        return True

    def _on_block(self, peer: Peer, message: RawBlock, now: Instant) -> None:
        if not self.fetches.on_block(peer, message, now):
            self.blocks.on_block(peer, message, now)

    def _on_headers(self, peer: Peer, message: Headers, now: Instant) -> None:
        if not self.backfill.on_headers(peer, message, now):
            self.headers.on_headers(peer, message, now)

    def _on_cfheaders(self, peer: Peer, message: CFHeaders, now: Instant) -> None:
        if not self.backfill.on_filter_headers(peer, message, now):
            self.filter_headers.on_headers(peer, message, now)

    def progressed(self, number: int, now: Instant, command: str | None = None) -> None:
        """Note that part of a long message came from a peer: it is slow, not silent."""
        peer = self.state.peers.get(number)
        if peer is not None:
            peer.last_answer = now.monotonic
            peer.is_sending_block = command == "block"

    def is_urgent(self, number: int) -> bool:
        """Whether a peer owes something that is waited for, not merely more and more filters."""
        is_waited_for = self.blocks.is_due_from(number) or not self.filters.is_plenty_due(number)
        return is_waited_for and self.filters.is_fast(number)

    def tick(self, now: Instant) -> list[Action]:
        """Look at the clock: repeat what met with silence. To be called about once a second."""
        self.headers.tick(now)
        self.backfill.tick(now)
        self.filter_headers.tick(now)
        self.conflicts.tick(now)
        self.tips.tick(now)
        self._audit(now)
        self.filters.tick(now)
        self.blocks.tick(now)
        self.fetches.tick(now)
        return self._plan(now)

    def work_done(self, work: Work, outcome: Any, now: Instant) -> list[Action]:
        """Take the outcome of work that `handle` asked for."""
        work.done(outcome, now)
        return self._plan(now)

    def _plan(self, now: Instant) -> list[Action]:
        self._now = now
        self.headers.plan(now)
        self.watches.begin(is_synced=self.headers.is_synced)
        self.backfill.plan(now)
        self.filter_headers.plan(now)
        self.watches.long.supervise(
            received_bytes=self.filters.received_bytes + self.blocks.received_bytes,
            mean_size=self.filters.mean_size,
            is_synced=self.headers.is_synced,
            now=now,
        )
        for watch in self.watches:
            if watch.scan is not None:
                self.audit.note_scan(watch.wallet_id, watch.scan.mark)
        self.conflicts.plan(now)
        self.filters.plan(now)
        self.blocks.plan(now)
        self.fetches.plan(now)
        return self.state.take_actions()

    def _audit(self, now: Instant) -> None:
        """Check some of what was scanned, once there is nothing else to do."""
        self._now = now
        if self.is_synced():
            height = self.audit.due(self.state.headers.height, now.monotonic)
            if height is not None:
                self.conflicts.audit(height)

    def flush(self) -> list[Action]:
        """Give what is to be written before the program ends."""
        self.filters.flush()
        return [each for each in self.state.take_actions() if isinstance(each, Work)]

    # --- wallets ----------------------------------------------------------------------------------

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        now: Instant,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: PreviewScripts | None = None,
    ) -> list[Action]:
        """Scan for a wallet; see `ChainBackend.watch`."""
        wrong_above = self.filter_headers.was_wrong_above
        if wrong_above is not None:
            # What was matched there was matched against filters that nobody should have believed.
            checkpoints = [ref for ref in checkpoints if ref.height <= wrong_above]
        self.watches.watch(wallet_id, scripts, checkpoints, birthday_time, anchors, preview_scripts)
        return self._plan(now)

    def extend_watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        now: Instant,
        from_height: int | None = None,
    ) -> list[Action]:
        """Match more scripts, from the wallet's start on; KeyError when it is not watched."""
        self.watches.extend(wallet_id, scripts, from_height)
        return self._plan(now)

    def approve_scan(self, wallet_id: str, now: Instant) -> list[Action]:
        """Begin a scan that waits because it is long."""
        self.watches.long.approve(wallet_id)
        return self._plan(now)

    def pause_scans(self, now: Instant, *, paused: bool) -> list[Action]:
        """Hold back what scans download, or let it go on."""
        self.watches.long.pause(paused=paused)
        return self._plan(now)

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet."""
        self.watches.unwatch(wallet_id)

    def suspect_block(self, height: int, now: Instant) -> list[Action]:
        """Read a block in full, and check its filter: a payment is known to be in it.

        For what is known by other means than filters: our own payment, say, that left every
        mempool when this block came.
        """
        if 0 <= height <= self.state.headers.height:
            self.watches.include(height)
            self.conflicts.audit(height)
        return self._plan(now)

    def fetch_block(
        self, ref: BlockRef, callback: Callable[[bytes], None], now: Instant
    ) -> list[Action]:
        """Fetch a block by its hash; `callback` gets its bytes once somebody gave them."""
        self.fetches.request(ref, callback)
        return self._plan(now)

    def give_block(self, ref: BlockRef, raw: bytes, now: Instant) -> list[Action]:
        """Take a block that came from elsewhere."""
        self.blocks.give(ref, raw)
        return self._plan(now)

    def next_event(self, now: Instant) -> ChainEvent | None:
        """Give the event to deliver now; call `delivered` when the sink has taken it."""
        if self.state.events:
            return self.state.events.popleft()
        return self.watches.next_event(self.blocks.block_at, now)

    def delivered(self, event: ChainEvent, now: Instant) -> list[Action]:
        """Note that an event was taken, which makes way for the next."""
        if not isinstance(event, BlockMatched | PreviewMatched):
            return []  # nothing waits for it
        self._remember_coins(event)
        self.watches.delivered(event)
        return self._plan(now)

    def _remember_coins(self, event: ChainEvent) -> None:
        """Note which coins of a block are the wallet's: what spends them is evidence."""
        if not isinstance(event, BlockMatched) or len(self.state.own_coins) >= MAX_OWN_COINS:
            return
        watch = next((w for w in self.watches if w.wallet_id == event.wallet_id), None)
        if watch is None or watch.scan is None:
            return
        # As a collection: what can only be asked item by item has the whole block parsed.
        for _, transaction in event.block.candidates(frozenset(watch.scan.scripts), ()):
            for vout, output in enumerate(transaction.outputs):
                if output.script_pubkey in watch.scan:
                    coin = OutPoint(transaction.txid, vout)
                    self.state.own_coins[coin] = output.script_pubkey

    # --- the chain --------------------------------------------------------------------------------

    def _on_chain_changed(self, accepted: HeadersAccepted) -> None:
        state = self.state
        fork = accepted.fork_height
        if fork is not None:
            self.filter_headers.rewind(fork)
            self.conflicts.rewind(fork)
            self.audit.rewind(fork)
            self.filters.rewind(fork)
            self.blocks.rewind(fork)
            state.disputed = {h for h in state.disputed if h <= fork}
            for peer in state.peers.values():
                peer.shown_height = min(peer.shown_height, fork)
                update_shown(state, peer)
            self.watches.rewind(fork, is_reorganization=True)
        self.tips.on_new_tip(self._now)
        self._persist_headers(accepted)
        if accepted.tip.height >= state.headers.start_height:
            time = state.headers.header_at(accepted.tip.height).time
            state.emit(TipChanged(accepted.tip, time))

    def _refuse_block(self, block_hash: bytes) -> None:
        """A block is not valid though its header is: leave its chain, and ask everybody anew."""
        changed = self.state.headers.refuse(block_hash)
        if changed is not None:
            for peer in self.state.peers.values():
                peer.headers_done = False
            self._on_chain_changed(changed)

    def _persist_headers(self, accepted: HeadersAccepted) -> None:
        first = accepted.first_changed
        if first is None:
            return
        raw = self.state.headers.raw_headers(first, accepted.tip.height)
        stores = self.state.stores
        fork = accepted.fork_height

        def run() -> None:
            if fork is not None:
                # In this order a crash between leaves no filter header of the old branch.
                stores.filter_headers.truncate(fork)
                stores.headers.truncate(fork)
            stores.headers.append(first, raw)

        self.state.work(Lane.STORE, run, lambda _result, _now: None)

    def _on_filter_headers(self, first: int, last: int) -> None:
        raw = self.state.filter_headers.raw(first, last)
        store = self.state.stores.filter_headers
        self.state.work(Lane.STORE, lambda: store.append(first, raw), lambda _result, _now: None)

    def _on_extended_down(self, _start: int) -> None:
        """Wallets that waited for lower heights may begin."""
        self.watches.begin(is_synced=self.headers.is_synced)

    def _on_disputed(self, height: int) -> None:
        if height not in self.state.disputed:
            self.state.disputed.add(height)
            self.watches.include(height)

    def _on_refuted(self, peer: Peer, height: int) -> None:
        self.conflicts.convict(peer, height)

    def _on_overturned(self, height: int) -> None:
        self.filter_headers.rewind(height)
        self.audit.rewind(height)
        self._on_filter_headers_rewound(height)

    def _on_filter_headers_rewound(self, height: int) -> None:
        """Our filter headers above `height` were wrong: so may be what was matched there."""
        self.filters.rewind(height)
        self.watches.rewind(height, is_reorganization=False)
        for disputed in sorted(self.state.disputed):
            self.watches.include(disputed)
        store = self.state.stores.filter_headers
        self.state.work(Lane.STORE, lambda: store.truncate(height), lambda _result, _now: None)

    # --- what to show -----------------------------------------------------------------------------

    def is_synced(self) -> bool:
        """Whether everything was matched and delivered up to the tip that peers show."""
        height = self.state.headers.height
        return (
            self.headers.is_synced
            and self.tips.report(self._now).is_agreed
            and not self.conflicts.is_pending
            and self.filter_headers.is_agreed(self._now)
            and self.state.filter_headers.height >= height
            and all(w.scan is not None and w.scan.mark >= height for w in self.watches)
        )

    def tip_report(self, now: Instant) -> TipReport:
        """Tell whether the tip can be the newest there is, and who says so."""
        return self.tips.report(now)

    def view(self, now: Instant) -> ChainView:
        """Tell what peers show of the chain, to be compared with another source."""
        headers, filter_headers = self.state.headers, self.state.filter_headers

        def hash_at(height: int) -> bytes | None:
            held = max(headers.start_height - 1, 0) <= height <= headers.height
            return headers.hash_at(height) if held else None

        def filter_header_at(height: int) -> bytes | None:
            if not filter_headers.start_height <= height <= filter_headers.height:
                return None
            return filter_headers.header_at(height) if self.filter_headers.sources(height) else None

        networks = self.tips.report(now).agreeing if self.headers.is_synced else 0
        return ChainView(headers.tip, headers.chain_work, networks, hash_at, filter_header_at)

    def progress(self) -> SyncProgress:  # noqa: PLR0911 (one per phase)
        """Tell what the sync is busy with, as counts of heights."""
        state = self.state
        height = state.headers.height
        claimed = max((p.version.start_height for p in state.peers.values()), default=0)
        if not state.peers:
            return SyncProgress(Phase.PEERS, 0, 1)
        if not self.headers.is_synced:
            return SyncProgress(Phase.HEADERS, height, max(height, claimed))
        if state.filter_headers.height < height:
            return SyncProgress(Phase.FILTER_HEADERS, max(state.filter_headers.height, 0), height)
        if self.backfill.is_active:
            below = self.backfill.missing_headers()
            phase = Phase.HEADERS if below else Phase.FILTER_HEADERS
            below = below or self.backfill.missing_filter_headers()
            return SyncProgress(phase, height - below, height)
        scans = self.watches.scans()
        wanted = min((scan.matched_through + 1 for scan in scans), default=height + 1)
        if wanted <= height:
            start = min(scan.start_height for scan in scans)
            return SyncProgress(Phase.FILTERS, max(wanted - start, 0), height + 1 - start)
        waiting = sum(len(scan.pending(1000)) for scan in scans)
        if waiting:
            done = self.blocks.received
            return SyncProgress(Phase.BLOCKS, done, done + waiting)
        return SyncProgress(Phase.SYNCED, height, height)
