"""Filters: from the cache or from peers, checked against the agreed headers, matched in batches.

A height goes through these stations: looked up in the cache; asked for from a peer
(`filter_ranges`); verified (the hash must chain to the agreed filter header); matched against the
scripts of every wallet that needs it. Filters stay in the buffers in which they arrived. The
engine takes whatever is there in one call; the more waits, the larger its next turn. What is due
and what waits to be matched shares one budget of bytes; the lowest height wanted always has a
place, so that a scan which begins anew below never waits for one that is ahead.
"""

from typing import Final

from wallet_gui.chain.backend import StoredFilters
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.p2p.filter_match import (
    Batch,
    Check,
    EngineJob,
    MatchJob,
    ScriptCache,
)
from wallet_gui.chain.p2p.filter_messages import FilterRun
from wallet_gui.chain.p2p.filter_ranges import FilterRanges
from wallet_gui.chain.p2p.height_spans import HeightSpans, gaps
from wallet_gui.chain.p2p.held_filters import HeldFilters
from wallet_gui.chain.p2p.receive_buffers import SHARED
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.hashes import sha256d

STUCK: Final = 0.5  # seconds after which matching that waits for a block stands still
READ_AHEAD: Final = 12_000_000  # up to which such are read again
RUN_AHEAD: Final = 64_000_000  # bytes that are fetched into the cache before they can be matched
LOOKUP: Final = 4000  # heights that are looked up in the cache in one go
LOOKUP_BYTES: Final = 4_000_000
MAX_LOOKUPS: Final = 3
PLENTY: Final = 512_000  # bytes due from one peer of which some may wait to be read
STORE_BYTES: Final = 2_000_000  # that are stored in one go
LEAST_CHECK: Final = 1_000_000  # bytes that are worth a turn of the engine
CHECK_BYTES: Final = 8_000_000  # of one turn of it
MATCH_FILTERS: Final = 20_000
MATCH_BYTES: Final = 16_000_000
NEW_BYTES: Final = 4_000_000  # of new filters in one go: what they hit may widen a window
HOLD: Final = 1.0  # seconds for which matching waits for a block
LEAD_BYTES: Final = 8_000_000  # by which it may be ahead of the blocks found
SHORT_LEAD_BYTES: Final = 3_000_000  # where windows grow
WAITING_BYTES: Final = 6_000_000  # of filters up to which it waits rather than to get further
MAX_SOURCES: Final = 10_000


class FilterSync:
    """Brings every filter that a wallet needs to the engine."""

    def __init__(
        self,
        state: SyncState,
        watches: Watches,
        engine: FilterEngine,
    ) -> None:
        self._state = state
        self._watches = watches
        self._engine = engine
        self._budget = state.byte_budget
        self._ranges = FilterRanges(state, self._budget * 3 // 4)
        self._held = HeldFilters()
        self._lookups: dict[int, int] = {}  # start -> stop of what is being looked up
        # The cache can have filters only up to here: those of earlier sessions, and ours.
        self._cached_through = state.filter_headers.height
        self._missing = HeightSpans()  # heights below that the cache does not have
        self._prepared = ScriptCache()
        self._is_working = False
        self._held_since: float | None = None
        self._reached = (-1, 0.0)  # the lowest height wanted, and since when it is that
        self._generation = 0  # of the chain: outcomes from before a reorganisation are void
        self._unstored: list[StoredFilters] = []
        self._unstored_bytes = 0
        self._storing = 0  # bytes that were handed to the store
        self._has_dropped = False  # filters that only the cache has
        self._is_forgetful = False  # it had not kept them
        self.paused = ""
        """A sentence that says why no peer is asked for filters; empty while they are."""

    # --- what is needed ---------------------------------------------------------------------------

    def lowest_wanted(self) -> int | None:
        """The lowest height whose filter a wallet needs and that has an agreed header."""
        return self._lowest(self._watches.filter_targets())

    def _lowest(self, scans: list[WalletScan]) -> int | None:
        tip = self._tip()
        ranges = (scan.wanted_range(1, tip) for scan in scans)
        return min((r.start for r in ranges if r is not None), default=None)

    @property
    def is_silent(self) -> bool:
        """Whether somebody was asked more than once and has sent nothing."""
        return self._ranges.is_silent

    @property
    def received(self) -> int:
        """How many filters peers have sent."""
        return self._ranges.received

    @property
    def received_bytes(self) -> int:
        """How many bytes of filters peers have sent."""
        return self._ranges.received_bytes

    @property
    def mean_size(self) -> float:
        """Mean bytes of the filters received lately, 0 before the first."""
        return self._ranges.mean_size

    def is_plenty_due(self, number: int) -> bool:
        """Whether a peer owes so many filters, and nothing before them, that they may gather."""
        return not self._ranges.is_hurried and self._ranges.due_from(number) >= PLENTY

    def is_fast(self, number: int) -> bool:
        """Whether a peer's line is so fast that small reads are rare and cost little."""
        return self._ranges.throughput.is_fast(number)

    def speed(self, now: Instant) -> float:
        """Bytes of filters a second that came from all peers together, lately."""
        return self._ranges.throughput.total(now.monotonic)

    @property
    def unverified_bytes(self) -> int:
        """Bytes that wait for the engine; where they pile up the sockets are to be read slower."""
        return sum(batch.size for batch in self._held if not batch.is_verified)

    def _tip(self) -> int:
        return min(self._state.filter_headers.height, self._state.headers.height)

    def plan(self, now: Instant) -> None:
        """Look up and ask for what is needed next, as far as the budget goes; then match."""
        wanted = self.lowest_wanted()
        headers = self._state.headers.height
        # Headers and blocks come through the same lines, and are waited for: no long queues.
        self._ranges.is_hurried = (
            self._state.filter_headers.height < headers
            or any(peer.headers_asked is not None for peer in self._state.peers.values())
            or any(scan.pending(1) for scan in self._watches.all_scans())
        )
        if wanted != self._reached[0]:
            self._reached = (-1 if wanted is None else wanted, now.monotonic)
        self._forget(wanted, now)
        # What is on its way for a scan that waits behind another is not thrown away.
        self._ranges.keep(self._lowest(self._watches.all_scans()))
        if wanted is None:
            SHARED.clear()
        else:
            for first, last in self._gaps(wanted, self._horizon(wanted)):
                if not self._fill(first, last, wanted, now):
                    break
            if not self.paused:
                self._ranges.steal(now)
        self._work(now)

    def _horizon(self, wanted: int) -> int:
        """Give the highest height that is fetched for now."""
        ahead = int(RUN_AHEAD / self.mean_size) if self.mean_size else self._tip()
        return min(self._tip(), wanted + ahead)

    def _fill(self, first: int, last: int, wanted: int, now: Instant) -> bool:
        """Ask for the heights of a gap; False when it has to stop before the end."""
        height = first
        while height <= last:
            is_missing, until = self._missing_from(height, last)
            if not is_missing:
                # What cannot be matched next is better off on the disk.
                frontier, at_hand = self._frontier(wanted)
                is_full = self._waiting(wanted) >= self._budget
                is_next = height == frontier and at_hand < (LOOKUP_BYTES if is_full else READ_AHEAD)
                if is_next or height == wanted:
                    until = self._look_up(height, until)
            elif self.paused or (self._spent(wanted) >= self._budget and height != wanted):
                return False
            else:
                until = self._ranges.ask(height, until, now)
            if until < height:
                return False
            height = until + 1
        return True

    def _gaps(self, first: int, last: int) -> list[tuple[int, int]]:
        """List the spans between `first` and `last` that nobody works on, ascending."""
        spans = self._ranges.spans()
        spans += self._held.spans()
        spans += self._lookups.items()
        return gaps(sorted(spans), first, last)

    def _frontier(self, wanted: int) -> tuple[int, int]:
        """Give the first height from `wanted` on that is not at hand, and the bytes before it."""
        spans = [(b.start, b.stop, b.size) for b in self._held if b.stop >= wanted]
        spans += [
            (start, stop, round((stop + 1 - start) * self.mean_size))
            for start, stop in self._lookups.items()
            if stop >= wanted
        ]
        at_hand = 0
        for start, stop, size in sorted(spans):
            if start > wanted:
                break
            wanted = stop + 1
            at_hand += size
        return wanted, at_hand

    def _waiting(self, wanted: int) -> int:
        """Count the bytes that wait to be matched, and those that are being looked up."""
        looked_up = sum(stop + 1 - start for start, stop in self._lookups.items())
        return self._held.size(wanted) + round(looked_up * self.mean_size)

    def _spent(self, wanted: int) -> int:
        # What was handed to the store stays in memory until it is written.
        unstored = self._unstored_bytes + self._storing
        kept = self._held.size() - self._held.size(wanted)
        return max(self._waiting(wanted) + kept, unstored) + self._ranges.due()

    def _forget(self, wanted: int | None, now: Instant) -> None:
        """Let go what need not stay in memory.

        Of what waits to be matched though the cache has it, some goes only where matching stands
        still: for a moment it is better to ask for less than to read all of it again.
        """
        lowest = self._tip() + 1 if wanted is None else wanted
        self._held.forget_matched(lowest)
        if self._is_forgetful or now.monotonic - self._reached[1] < STUCK:
            return  # the cache does not keep what it is given; or matching goes on
        self._has_dropped |= self._held.forget_waiting(lowest)

    def _missing_from(self, height: int, last: int) -> tuple[bool, int]:
        """Tell whether the cache lacks the filter at `height`, and up to where that is so."""
        if height > self._cached_through:
            return True, last
        is_missing, stop = self._missing.run_from(height, min(last, self._cached_through))
        if is_missing and stop == self._cached_through:
            stop = last
        return is_missing, stop

    # --- the cache --------------------------------------------------------------------------------

    def _look_up(self, start: int, stop: int) -> int:
        if len(self._lookups) >= MAX_LOOKUPS:
            return start - 1
        stop = min(stop, start + LOOKUP - 1)
        if self.mean_size:
            stop = min(stop, start + max(1, int(LOOKUP_BYTES / self.mean_size)))
        else:
            stop = min(stop, start + LOOKUP // 10)  # they may be large
        hashes = b"".join(self._state.headers.hashes(start, stop))
        self._store()  # what is looked up may be among it
        generation = self._generation
        store = self._state.stores.filters
        self._lookups[start] = stop

        def run() -> list[StoredFilters]:
            return store.get_runs(start, hashes)

        def done(found: list[StoredFilters], _now: Instant) -> None:
            if generation == self._generation:
                self._lookups.pop(start, None)
                self._found(start, stop, hashes, found)

        self._state.work(Lane.STORE, run, done)
        return stop

    def _found(self, start: int, stop: int, hashes: bytes, found: list[StoredFilters]) -> None:
        """Take what the cache had; what it did not have is to be fetched."""
        count = sum(len(run[3]) for run in found)
        self._is_forgetful |= self._has_dropped and count <= stop - start
        height = start
        for first, _, data, starts, ends in found:
            self._missing.add(height, first - 1)
            height = first + len(starts)
            some = hashes[32 * (first - start) : 32 * (height - start)]
            self._held.take(Batch(first, some, data, starts, ends, None))
        self._missing.add(height, stop)
        if found and not self._ranges.mean_size:
            _, _, _, starts, ends = found[0]
            self._ranges.mean_size = max((ends[-1] - starts[0]) / len(starts), 1.0)

    def flush(self) -> None:
        """Hand to the cache what waits to be stored, before the program ends."""
        self._store()

    def _store(self) -> None:
        """Hand filters to the cache."""
        runs, size = self._unstored, self._unstored_bytes
        if not runs:
            return
        store = self._state.stores.filters
        self._unstored, self._unstored_bytes = [], 0
        self._storing += size

        def run() -> None:
            store.put_runs(runs)

        def done(_result: None, _now: Instant) -> None:
            self._storing -= size

        self._state.work(Lane.STORE, run, done)

    # --- what peers send --------------------------------------------------------------------------

    def on_filters(self, peer: Peer, run: FilterRun, now: Instant) -> None:
        """Take filters from a peer."""
        for batch in self._ranges.on_filters(peer, run, now):
            self._held.take(batch)

    # --- the engine -------------------------------------------------------------------------------

    def _work(self, now: Instant, *, is_due: bool = False) -> None:
        """Give the engine its next turn: all that is not verified, and the lowest to match."""
        if self._is_working:
            return
        checks: list[Check] = []
        size = 0
        for batch in self._held:
            if not batch.is_verified and size < CHECK_BYTES:
                checks.append(self._check(batch))
                size += batch.size
        if size < LEAST_CHECK and not is_due and self._ranges.due():
            checks = []  # more is coming, and each turn costs something
        match = None if self._is_held(now) else self._next_match({c.batch for c in checks})
        if not checks and match is None:
            return
        job = EngineJob(checks, match)
        generation = self._generation
        engine = self._engine
        self._is_working = True
        self._held.in_work = {check.batch for check in checks}
        if match is not None:
            self._held.in_work.update(match.batches)

        def done(found: list[list[int]] | None, now: Instant) -> None:
            self._is_working = False
            self._held.in_work = set()
            if generation == self._generation:
                self._done(job, found, now)

        self._state.work(Lane.ENGINE, lambda: job.run(engine), done)

    def _check(self, batch: Batch) -> Check:
        headers = self._state.filter_headers
        return Check(
            batch,
            headers.raw(batch.start, batch.stop),
            headers.header_at(batch.start - 1),
            frozenset(h for h in self._state.disputed if batch.start <= h <= batch.stop),
        )

    def _done(self, job: EngineJob, found: list[list[int]] | None, now: Instant) -> None:
        for check, verdict in zip(job.checks, job.verdicts, strict=True):
            batch = check.batch
            if verdict.wrong is not None:
                self._wrong(batch, verdict.wrong)
                continue
            batch.is_verified = True
            if batch.peer is not None:
                self._keep(batch, verdict.tolerated)
        if self._unstored_bytes >= STORE_BYTES:
            self._store()
        if job.match is not None and found is not None:
            self._matched(job.match, found)
        self._held.join_small()
        self._work(now)

    def _wrong(self, batch: Batch, height: int) -> None:
        """Drop a batch in which a filter is not the one that was agreed on."""
        self._held.drop(batch)
        if batch.peer is None:
            self._missing.add(batch.start, batch.stop)  # the cache is damaged
            return
        # Either its sender lies or those who told the header did: `conflicts` finds out.
        peer = self._state.peers.get(batch.peer)
        if peer is not None:
            index = height - batch.start
            data = bytes(batch.data[batch.starts[index] : batch.ends[index]])
            self._state.contest(peer, height, sha256d(data))

    def _keep(self, batch: Batch, skipped: frozenset[int]) -> None:
        """Have a verified batch cached, but for some heights."""
        if batch.stop > self._cached_through:
            self._missing.add(self._cached_through + 1, batch.start - 1)
            self._cached_through = batch.stop
        self._missing.discard(batch.start, batch.stop)
        spans = [(height, height) for height in sorted(skipped)]
        for first, last in gaps(spans, batch.start, batch.stop):
            part = batch.part(first, last)
            self._unstored.append((first, part.hashes, part.data, part.starts, part.ends))
            self._unstored_bytes += part.size

    # --- matching ---------------------------------------------------------------------------------

    def _is_held(self, now: Instant) -> bool:
        """Wait a moment for blocks that may widen a window, rather than match twice.

        Matching may be so far ahead of them that the line stays busy, and goes on when too much
        waits for it.
        """
        if not self._is_ahead():
            self._held_since = None
            return False
        if self._held_since is None:
            self._held_since = now.monotonic
        return now.monotonic - self._held_since < HOLD

    def _is_ahead(self) -> bool:
        is_quiet = self._watches.is_quiet
        if is_quiet and not self._ranges.due():
            return False
        lead = (LEAD_BYTES if is_quiet else SHORT_LEAD_BYTES) / max(self.mean_size, 1.0)
        for scan in self._watches.scans():
            pending = scan.pending(1)
            if pending and scan.matched_through - pending[0] > lead:
                return self._waiting(scan.matched_through + 1) < WAITING_BYTES
        return False

    def _next_match(self, new: set[Batch]) -> MatchJob | None:
        """Find the lowest batch that some wallet waits for, and those that follow without a gap."""
        scans = self._watches.all_scans()
        is_slow = self._engine.name == "numpy"  # one that needs many filters side by side
        chosen: list[Batch] = []
        count = size = 0
        for batch in self._held:
            is_ready = batch.is_verified or batch in new
            if chosen:
                follows = is_ready and batch.start == chosen[-1].stop + 1
                most = MATCH_BYTES if chosen[0].peer is None or is_slow else NEW_BYTES
                if not follows or count > MATCH_FILTERS or size > most:
                    break
            elif not is_ready or all(
                scan.range_within(batch.start, batch.stop) is None for scan in scans
            ):
                continue
            chosen.append(batch)
            count += batch.count
            size += batch.size
        if not chosen:
            return None
        first, last = chosen[0].start, chosen[-1].stop
        wanted = [
            (scan, scanned)
            for scan in scans
            if (scanned := scan.range_within(first, last)) is not None
        ]
        return MatchJob(chosen, wanted, self._prepared)

    def _matched(self, job: MatchJob, found: list[list[int]]) -> None:
        sources = self._state.filter_sources
        for (scan, scanned), heights in zip(job.scans, found, strict=True):
            scan.results(scanned, heights)
            for height in heights:
                server = next(b.peer for b in job.batches if b.start <= height <= b.stop)
                if server is not None:
                    sources[height] = server
        while len(sources) > MAX_SOURCES:
            del sources[next(iter(sources))]

    # --- changes ----------------------------------------------------------------------------------

    def rewind(self, height: int) -> None:
        """Forget everything above `height`; what is still on its way is ignored when it comes."""
        self._generation += 1
        self._lookups.clear()
        self._missing.discard(height + 1, self._cached_through)
        self._cached_through = min(self._cached_through, max(height, 0))
        self._ranges.keep(None)
        self._held.rewind(height)

    def on_disconnected(self, peer: Peer) -> None:
        """Ask others for what this peer was asked."""
        self._ranges.on_disconnected(peer)

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, or let other peers have them."""
        self._work(now, is_due=True)
        self._store()
        self._ranges.tick(now)
