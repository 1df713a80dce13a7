"""Filters: fetched in pipelined ranges, checked against the agreed headers, matched in batches.

A height goes through these stations: looked up in the cache; asked for from a peer; verified (the
hash must chain to the agreed filter header); matched against the scripts of every wallet that
needs it. Verifying and matching are engine calls of many filters at once. What is in flight and
what waits to be matched shares one budget of bytes; the lowest height wanted always has a place,
so that a scan which begins anew below never waits for one that is ahead.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.p2p.filter_match import MatchJob, Verdict, verify
from wallet_gui.chain.p2p.filter_messages import MAX_FILTERS, GetCFilters
from wallet_gui.chain.p2p.protocol import FilterRun
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.primitives.hashes import sha256d

BUDGET: Final = 32_000_000
RANGE_BYTES: Final = 4_000_000  # a slow peer should not hold more than this at the end
FIRST_RANGE: Final = 100  # before a filter's size is known
MAX_PER_PEER: Final = 8
MAX_RANGES: Final = 24
KEPT_BYTES: Final = 12_000_000  # of filters that were matched
OBJECT_BYTES: Final = 150  # what Python adds to each filter
LOOKUP: Final = 1000
MATCH_FILTERS: Final = 1000  # filters per engine call
MATCH_BYTES: Final = 16_000_000
HOLD: Final = 1.0  # seconds for which matching waits for a block


@dataclass(slots=True, eq=False)
class _Request:
    """A range asked for; `filters` holds what has come, in order."""

    peer: int
    start: int
    hashes: list[bytes]
    sent: float
    filters: list[bytes] = field(default_factory=list)
    size: int = 0
    tries: int = 0

    @property
    def stop(self) -> int:
        return self.start + len(self.hashes) - 1


@dataclass(slots=True, eq=False)
class _Batch:
    """Filters at hand, of consecutive heights."""

    start: int
    hashes: list[bytes]
    filters: list[bytes]
    size: int
    peer: int | None  # None: from the cache
    is_verified: bool = False

    @property
    def stop(self) -> int:
        return self.start + len(self.hashes) - 1

    @property
    def weight(self) -> int:
        return self.size + OBJECT_BYTES * len(self.filters)


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
        self._requests: list[_Request] = []
        self._batches: list[_Batch] = []  # ascending, not overlapping
        self._lookups: dict[int, int] = {}  # start -> stop of what is being looked up
        # The cache can have filters only up to here: those of earlier sessions, and ours.
        self._cached_through = state.filter_headers.height
        self._missing: set[int] = set()  # heights below that the cache does not have
        self._forgiven: dict[bytes, None] = {}
        self._is_matching = False
        self._held_since: float | None = None
        self._generation = 0  # of the chain: outcomes from before a reorganisation are void
        self._mean_size = 0.0
        self.received = 0
        self.received_bytes = 0

    # --- what is needed ---------------------------------------------------------------------------

    def lowest_wanted(self) -> int | None:
        """The lowest height whose filter a wallet needs and that has an agreed header."""
        tip = self._tip()
        ranges = (scan.wanted_range(1, tip) for scan in self._watches.filter_targets())
        return min((r.start for r in ranges if r is not None), default=None)

    @property
    def is_silent(self) -> bool:
        """Whether somebody was asked more than once and has sent nothing."""
        return any(request.tries > 1 for request in self._requests)

    @property
    def mean_size(self) -> float:
        """Mean bytes of the filters received lately, 0 before the first."""
        return self._mean_size

    @property
    def unverified_bytes(self) -> int:
        """Bytes that wait for the engine; where they pile up the sockets are to be read slower."""
        return sum(batch.size for batch in self._batches if not batch.is_verified)

    def _tip(self) -> int:
        return min(self._state.filter_headers.height, self._state.headers.height)

    def plan(self, now: Instant) -> None:
        """Look up and ask for what is needed next, as far as the budget goes; then match."""
        wanted = self.lowest_wanted()
        self._forget_matched(wanted)
        if wanted is None:
            return
        for first, last in self._gaps(wanted, self._tip()):
            if not self._fill(first, last, wanted, now):
                break
        self._match_next(now)

    def _fill(self, first: int, last: int, wanted: int, now: Instant) -> bool:
        """Ask for the heights of a gap; False when it has to stop before the end."""
        height = first
        while height <= last:
            if len(self._requests) + len(self._lookups) >= MAX_RANGES:
                return False
            if self._spent(wanted) >= BUDGET and not self._make_room(wanted, height):
                return False
            if self._is_missing(height):
                stop = self._ask(height, last, now)
            else:
                stop = self._look_up(height, last)
            if stop < height:
                return False
            height = stop + 1
        return True

    def _gaps(self, first: int, last: int) -> list[tuple[int, int]]:
        """List the spans between `first` and `last` that nobody works on, ascending."""
        spans = [(r.start, r.stop) for r in self._requests]
        spans += [(b.start, b.stop) for b in self._batches]
        spans += self._lookups.items()
        gaps = []
        for start, stop in sorted(spans):
            if stop < first:
                continue
            if start > last:
                break
            if start > first:
                gaps.append((first, start - 1))
            first = stop + 1
        if first <= last:
            gaps.append((first, last))
        return gaps

    def _spent(self, wanted: int) -> int:
        held = sum(batch.size for batch in self._batches if batch.stop >= wanted)
        due = sum(max(r.size, round(len(r.hashes) * self._mean_size)) for r in self._requests)
        due += sum(
            round((stop + 1 - start) * self._mean_size) for start, stop in self._lookups.items()
        )
        return held + due

    def _make_room(self, wanted: int, height: int) -> bool:
        """Give up the highest batch for a lower height: the cache has it."""
        last = self._batches[-1] if self._batches else None
        if last is not None and last.is_verified and last.start > height:
            del self._batches[-1]
            return True
        return height == wanted

    def _forget_matched(self, wanted: int | None) -> None:
        """Keep the newest of what was matched: a window that grows may need it again at once."""
        lowest = self._tip() + 1 if wanted is None else wanted
        matched = [b for b in self._batches if b.is_verified and b.stop < lowest]
        size = sum(batch.weight for batch in matched)
        for batch in matched:
            if size <= KEPT_BYTES:
                break
            size -= batch.weight
            self._batches.remove(batch)

    def _is_missing(self, height: int) -> bool:
        return height > self._cached_through or height in self._missing

    # --- the cache --------------------------------------------------------------------------------

    def _look_up(self, start: int, stop: int) -> int:
        stop = min(stop, start + LOOKUP - 1)
        if self._mean_size:
            stop = min(stop, start + max(1, int(BUDGET / 4 / self._mean_size)))
        for height in range(start + 1, stop + 1):
            if self._is_missing(height):
                stop = height - 1
                break
        hashes = self._state.headers.hashes(start, stop)
        generation = self._generation
        store = self._state.stores.filters
        self._lookups[start] = stop

        def run() -> list[bytes | None]:
            return store.get_range(hashes)

        def done(found: list[bytes | None], _now: Instant) -> None:
            if generation != self._generation:
                return
            self._lookups.pop(start, None)
            self._found(start, hashes, found)

        self._state.work(Lane.STORE, run, done)
        return stop

    def _found(self, start: int, hashes: Sequence[bytes], found: Sequence[bytes | None]) -> None:
        """Take what the cache had, as one batch for each run of heights without a gap."""
        position = 0
        while position < len(found):
            filters = [
                data
                for data in itertools.takewhile(lambda d: d is not None, found[position:])
                if data is not None
            ]
            if filters:
                end = position + len(filters)
                size = sum(map(len, filters))
                self._take(
                    _Batch(start + position, list(hashes[position:end]), filters, size, None)
                )
                position = end
            else:
                self._missing.add(start + position)
                position += 1

    # --- peers ------------------------------------------------------------------------------------

    def _ask(self, start: int, stop: int, now: Instant) -> int:
        """Ask a peer for filters from `start` on; return how far, `start - 1` if nobody can."""
        able = [
            p
            for p in self._state.filter_peers(now)
            if p.shown_height >= start and self._load(p) < MAX_PER_PEER
        ]
        if not able:
            return start - 1
        able = [p for p in able if not p.disputes] or able
        peer = min(able, key=self._load)
        size = MAX_FILTERS if self._mean_size else FIRST_RANGE
        if self._mean_size:
            size = max(1, min(size, int(RANGE_BYTES / self._mean_size)))
        stop = min(stop, peer.shown_height, start + size - 1)
        for height in range(start + 1, stop + 1):
            if not self._is_missing(height):
                stop = height - 1
                break
        hashes = self._state.headers.hashes(start, stop)
        self._requests.append(_Request(peer.number, start, hashes, now.monotonic))
        for block_hash in hashes:
            self._forgiven.pop(block_hash, None)
        self._state.send(peer, GetCFilters(start, hashes[-1]))
        return stop

    def _load(self, peer: Peer) -> int:
        return sum(request.peer == peer.number for request in self._requests)

    def on_filters(self, peer: Peer, run: FilterRun, now: Instant) -> None:
        """Take filters from a peer: usually the next ones of the oldest request to it."""
        peer.last_answer = now.monotonic
        hashes = [entry[0] for entry in run.entries]
        position = 0
        while position < len(hashes):
            request = self._request_expecting(peer, hashes[position])
            if request is None:
                if not self._is_forgiven(hashes[position]):
                    self._state.disconnect(peer, "It sent filters nobody asked for.", is_fault=True)
                    return
                position += 1
                continue
            have = len(request.filters)
            count = min(len(request.hashes) - have, len(hashes) - position)
            # One comparison of two lists in the usual case, not one step per filter.
            if request.hashes[have : have + count] != hashes[position : position + count]:
                pairs = zip(request.hashes[have:], hashes[position:], strict=False)
                count = next(i for i, (ours, theirs) in enumerate(pairs) if ours != theirs)
            for _, start, stop in run.entries[position : position + count]:
                request.filters.append(run.data[start:stop])
                request.size += stop - start
            position += count
            request.tries = 0
            if len(request.filters) == len(request.hashes):
                self._complete(request)

    def _request_expecting(self, peer: Peer, block_hash: bytes) -> _Request | None:
        for request in self._requests:
            if request.peer == peer.number and request.hashes[len(request.filters)] == block_hash:
                return request
        return None

    def _is_forgiven(self, block_hash: bytes) -> bool:
        return block_hash in self._forgiven or self._state.headers.height_of(block_hash) is not None

    def _forgive(self, hashes: Sequence[bytes]) -> None:
        if len(self._forgiven) > 20_000:
            self._forgiven.clear()
        self._forgiven.update(dict.fromkeys(hashes))

    def _complete(self, request: _Request) -> None:
        self._requests.remove(request)
        count = len(request.filters)
        mean = request.size / count
        self._mean_size = mean if not self._mean_size else (self._mean_size + mean) / 2
        self._mean_size = max(self._mean_size, 1.0)
        self.received += count
        self.received_bytes += request.size
        self._take(
            _Batch(request.start, request.hashes, request.filters, request.size, request.peer)
        )

    # --- verifying --------------------------------------------------------------------------------

    def _take(self, batch: _Batch) -> None:
        """Hold a batch and have it verified."""
        self._batches.append(batch)
        self._batches.sort(key=lambda b: b.start)
        headers = self._state.filter_headers
        agreed = headers.raw(batch.start, batch.stop)
        before = headers.header_at(batch.start - 1)
        disputed = frozenset(self._state.disputed)
        generation = self._generation
        engine = self._engine

        def run() -> Verdict:
            return verify(engine, batch.filters, batch.start, agreed, before, disputed)

        def done(verdict: Verdict, now: Instant) -> None:
            if generation == self._generation:
                self._verified(batch, verdict, now)

        self._state.work(Lane.ENGINE, run, done)

    def _verified(self, batch: _Batch, verdict: Verdict, now: Instant) -> None:
        if verdict.wrong is not None:
            self._batches.remove(batch)
            if batch.peer is None:
                self._missing.update(range(batch.start, batch.stop + 1))  # the cache is damaged
                return
            # The filter is not the one that was agreed on: either its sender lies or those who
            # told the header did. Finding out is the matter of `conflicts`.
            peer = self._state.peers.get(batch.peer)
            if peer is not None:
                data = batch.filters[verdict.wrong - batch.start]
                self._state.contest(peer, verdict.wrong, sha256d(data))
            return
        batch.is_verified = True
        if batch.peer is not None:
            self._missing.difference_update(range(batch.start, batch.stop + 1))
            if batch.stop > self._cached_through:
                skipped = range(self._cached_through + 1, batch.start)
                self._missing.update(skipped)
                self._cached_through = batch.stop
            store = self._state.stores.filters
            skip = verdict.tolerated
            items = [
                (block_hash, data)
                for height, block_hash, data in zip(
                    range(batch.start, batch.stop + 1), batch.hashes, batch.filters, strict=True
                )
                if height not in skip
            ]

            def run() -> None:
                store.put_many(items)

            self._state.work(Lane.STORE, run, lambda _result, _now: None)
        self._match_next(now)

    # --- matching ---------------------------------------------------------------------------------

    def _match_next(self, now: Instant) -> None:
        """Give the engine the lowest batch that some wallet waits for."""
        if self._is_matching or self._is_held(now):
            return
        for index, batch in enumerate(self._batches):
            if batch.is_verified and self._is_wanted(batch.start, batch.stop):
                self._match(self._adjacent(index))
                return

    def _is_held(self, now: Instant) -> bool:
        """Wait a moment for a block that may widen a window, rather than match twice."""
        if not self._watches.may_widen():
            self._held_since = None
            return False
        if self._held_since is None:
            self._held_since = now.monotonic
        return now.monotonic - self._held_since < HOLD

    def _is_wanted(self, first: int, last: int) -> bool:
        return any(s.range_within(first, last) is not None for s in self._watches.all_scans())

    def _adjacent(self, index: int) -> list[_Batch]:
        """Take the batches that follow without a gap too: the engine likes many filters."""
        chosen = [self._batches[index]]
        count, size = len(chosen[0].hashes), chosen[0].size
        for batch in self._batches[index + 1 :]:
            count += len(batch.hashes)
            size += batch.size
            follows = batch.is_verified and batch.start == chosen[-1].stop + 1
            if not follows or count > MATCH_FILTERS or size > MATCH_BYTES:
                break
            chosen.append(batch)
        return chosen

    def _match(self, batches: list[_Batch]) -> None:
        first, last = batches[0].start, batches[-1].stop
        job = MatchJob(
            first,
            [block_hash for batch in batches for block_hash in batch.hashes],
            [data for batch in batches for data in batch.filters],
            [
                (scan, scanned)
                for scan in self._watches.all_scans()
                if (scanned := scan.range_within(first, last)) is not None
            ],
        )
        generation = self._generation
        engine = self._engine
        self._is_matching = True

        def done(found: list[list[int]], _now: Instant) -> None:
            self._is_matching = False
            if generation == self._generation:
                for (scan, scanned), heights in zip(job.scans, found, strict=True):
                    scan.results(scanned, heights)

        self._state.work(Lane.ENGINE, lambda: job.run(engine), done)

    # --- changes ----------------------------------------------------------------------------------

    def rewind(self, height: int) -> None:
        """Forget everything above `height`; what is still on its way is ignored when it comes."""
        self._generation += 1
        self._lookups.clear()
        self._missing = {h for h in self._missing if h <= height}
        for request in self._requests:
            self._forgive(request.hashes)
        self._requests.clear()
        # Those below would be found in the cache, but the outcome of their check is void too.
        self._batches = [b for b in self._batches if b.is_verified and b.stop <= height]

    def on_disconnected(self, peer: Peer) -> None:
        """Ask others for what this peer was asked."""
        self._give_up([r for r in self._requests if r.peer == peer.number])

    def _give_up(self, requests: list[_Request]) -> None:
        for request in requests:
            self._requests.remove(request)
            self._forgive(request.hashes)
            if request.filters:
                count = len(request.filters)
                self._take(
                    _Batch(
                        request.start,
                        request.hashes[:count],
                        request.filters,
                        request.size,
                        request.peer,
                    )
                )

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, or let another peer have them."""
        state = self._state
        for peer in list(state.peers.values()):
            oldest = next((r for r in self._requests if r.peer == peer.number), None)
            if oldest is None or not state.retry_is_due(oldest.sent, oldest.tries, peer, now):
                continue
            oldest.tries += 1
            oldest.sent = now.monotonic
            others = [p for p in state.filter_peers(now) if p.number != peer.number]
            if oldest.tries > 2 and others:
                peer.stalled_until = now.monotonic + 60
                self.on_disconnected(peer)
            else:
                missing = oldest.start + len(oldest.filters)
                state.send(peer, GetCFilters(missing, oldest.hashes[-1]))
