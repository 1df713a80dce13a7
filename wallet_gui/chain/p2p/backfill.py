"""Extends the chains downwards, for a wallet older than where they begin.

Headers come in ranges between packaged checkpoints, filter headers between packaged filter
headers, from all peers at once and from the top down. Both ends of each stretch are known, so each
is checked as a whole before it is used: a stretch of filter headers that does not lead from one
known header to the next is fetched again from one peer alone, and then it is proven who lied. What
is checked is prepended to the chains and stored, so that the program may end at any time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.checkpoints import Checkpoints, FilterAnchor
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.chain.p2p.filter_header_chain import chain
from wallet_gui.chain.p2p.filter_messages import MAX_FILTER_HEADERS, CFHeaders, GetCFHeaders
from wallet_gui.chain.p2p.header_ranges import HeaderRange, HeaderRanges
from wallet_gui.chain.p2p.messages import Headers
from wallet_gui.chain.p2p.sync_state import Ban, Instant, Lane, Peer, SyncState
from wallet_gui.primitives.block import HEADER_SIZE

BATCH: Final = 16 * EPOCH
"""Headers that are prepended in one go: each time the whole chain is moved in memory."""

MAX_PER_PEER: Final = 4
GIVE_UP_AFTER: Final = 3  # times a request is repeated before another peer gets it
LIE: Final = "Its filter headers contradict those that are known."
_GENESIS_BEFORE: Final = bytes(32)


@dataclass(slots=True)
class _Part:
    """The filter headers `start..stop` of a stretch."""

    start: int
    stop: int
    stop_hash: bytes
    peer: int | None = None
    sent: float = 0.0
    tries: int = 0
    answer: CFHeaders | None = None
    sender: int | None = None


class _Stretch:
    """Filter headers above the known one at `anchor` (None: genesis), up to the known `end`."""

    def __init__(
        self, anchor: FilterAnchor | None, last: int, end: bytes, hash_at: Callable[[int], bytes]
    ) -> None:
        self.anchor = anchor
        self.first = 0 if anchor is None else anchor.height + 1
        self.last = last
        self.end = end
        self.suspects: list[_Part] = []  # answers of which one is false
        self.only: int | None = None  # the one peer that is asked for all of it
        self.refuted: set[int] = set()  # peers that were asked alone, in vain
        self.parts = [
            _Part(start, stop, hash_at(stop))
            for start in range(self.first, last + 1, MAX_FILTER_HEADERS)
            for stop in (min(start + MAX_FILTER_HEADERS - 1, last),)
        ]

    def check(self) -> bytes | None:
        """Chain all answers; give the filter headers, or None where they do not fit together."""
        header = _GENESIS_BEFORE if self.anchor is None else self.anchor.filter_header
        made: list[bytes] = []
        for part in self.parts:
            if part.answer is None or part.answer.previous != header:
                return None
            for filter_hash in part.answer.filter_hashes:
                header = chain(filter_hash, header)
                made.append(header)
        return b"".join(made) if header == self.end else None

    def begin_anew(self, only: int | None) -> None:
        """Ask for everything again, from one peer."""
        self.only = only
        for part in self.parts:
            part.peer = part.answer = part.sender = None
            part.tries = 0

    def liars(self) -> set[int]:
        """Tell who sent something else than the answers that are now known to be right."""
        return {
            old.sender
            for old in self.suspects
            for part in self.parts
            if old.sender is not None and part.start == old.start and part.answer != old.answer
        }


class Backfill:
    """Fetches what lies below the chains, once `SyncState.request_start` asks for it."""

    def __init__(self, state: SyncState, on_extended: Callable[[int], None]) -> None:
        """Call `on_extended(start)` when filter headers begin at a lower height."""
        self._state = state
        self._on_extended = on_extended
        self._ranges = HeaderRanges(state, self._on_range)
        self._whole: dict[int, HeaderRange] = {}  # by `last`
        self._queued: int | None = None  # the lowest height that a range was added for
        self._stretch: _Stretch | None = None
        self._old_stops: set[bytes] = set()

    @property
    def _checkpoints(self) -> Checkpoints:
        return self._state.checkpoints

    @property
    def is_active(self) -> bool:
        """Whether something below is still to come."""
        wanted = self._state.wanted_start
        return wanted is not None and wanted < self._state.filter_headers.start_height

    def missing_headers(self) -> int:
        """Count the headers that are still to come."""
        if not self.is_active:
            return 0
        return max(0, self._state.headers.start_height - self._lowest_header())

    def missing_filter_headers(self) -> int:
        """Count the filter headers that are still to come."""
        wanted = self._state.wanted_start
        if wanted is None:
            return 0
        return max(0, self._state.filter_headers.start_height - wanted)

    def _lowest_header(self) -> int:
        anchor, _ = self._checkpoints.start_at(self._state.wanted_start or 0)
        return 0 if anchor is None else anchor.height + 1

    def plan(self, now: Instant) -> None:
        """Keep requests on their way."""
        if not self.is_active:
            return
        self._queue_headers()
        self._ranges.plan(now)
        self._plan_filter_headers(now)

    # --- headers ----------------------------------------------------------------------------------

    def _queue_headers(self) -> None:
        headers = self._state.headers
        lowest = self._lowest_header()
        if self._queued is None:
            self._queued = headers.start_height
        self._ranges.held = len(self._whole)
        for _ in range(self._ranges.room):
            if self._queued <= lowest:
                return
            last = self._queued - 1
            below = self._checkpoints.anchor_at_or_below(last - 1)
            end = self._checkpoints.hashes[last]
            if below is None:
                # Nobody sends the genesis block; the range begins with the one after it.
                wanted = HeaderRange(1, last, self._state.params.genesis_hash, end)
                self._queued = 0
            else:
                wanted = HeaderRange(below.height + 1, last, below.hash, end)
                self._queued = wanted.first
            self._ranges.add(wanted)

    def _on_range(self, whole: HeaderRange) -> None:
        self._whole[whole.last] = whole
        headers = self._state.headers
        parts: list[bytes] = []
        first = headers.start_height
        while (part := self._whole.get(first - 1)) is not None:
            parts.append(bytes(part.raw))
            first = part.first
        if first == 1:
            parts.append(self._state.params.genesis_header)
            first = 0
        count = sum(len(part) for part in parts) // HEADER_SIZE
        if not parts or (count < BATCH and first > self._lowest_header()):
            return
        raw = b"".join(reversed(parts))
        for last in [last for last in self._whole if last < headers.start_height]:
            if last >= first:
                del self._whole[last]
        headers.prepend(raw, self._checkpoints.anchor_at_or_below(first - 1))
        store = self._state.stores.headers
        self._state.work(Lane.STORE, lambda: store.prepend(first, raw), _nothing_more)

    def on_headers(self, peer: Peer, message: Headers, now: Instant) -> bool:
        """Take headers if they are some of those asked for here; tell whether they were."""
        if self._ranges.is_idle:
            return False
        is_alone = not message.raw and peer.headers_asked is None
        return self._ranges.take(peer, message.raw, now, is_alone=is_alone)

    # --- filter headers ---------------------------------------------------------------------------

    def _plan_filter_headers(self, now: Instant) -> None:
        state = self._state
        start = state.filter_headers.start_height
        if self._stretch is None:
            anchor = self._checkpoints.filter_anchor_at_or_below(start - 2)
            first = 0 if anchor is None else anchor.height + 1
            if state.headers.start_height > first:
                return  # the headers come first: their hashes name what is asked for
            end = state.filter_headers.header_at(start - 1)
            self._stretch = _Stretch(anchor, start - 1, end, state.headers.hash_at)
        stretch = self._stretch
        if stretch.only is not None and stretch.only not in state.peers:
            self._ask_one(stretch, now)
        loads: dict[int, int] = {}
        for part in stretch.parts:
            if part.peer is not None and part.answer is None:
                loads[part.peer] = loads.get(part.peer, 0) + 1
        for part in stretch.parts:
            if part.peer is None:
                peer = self._pick(part, loads, now)
                if peer is None:
                    return
                loads[peer.number] = loads.get(peer.number, 0) + 1
                self._send(part, peer, now)

    def _pick(self, part: _Part, loads: dict[int, int], now: Instant) -> Peer | None:
        only = None if self._stretch is None else self._stretch.only
        able = [
            p
            for p in self._state.filter_peers(now)
            if p.shown_height >= part.stop
            and loads.get(p.number, 0) < MAX_PER_PEER
            and only in {None, p.number}
        ]
        return min(able, key=lambda p: loads.get(p.number, 0), default=None)

    def _send(self, part: _Part, peer: Peer, now: Instant) -> None:
        part.peer = peer.number
        part.sent = now.monotonic
        self._state.send(peer, GetCFHeaders(part.start, part.stop_hash))

    def on_filter_headers(self, peer: Peer, message: CFHeaders, now: Instant) -> bool:
        """Take filter headers if they are some of those asked for here; tell whether they were."""
        stretch = self._stretch
        for part in [] if stretch is None else stretch.parts:
            if part.stop_hash != message.stop or part.peer != peer.number or part.answer:
                continue
            peer.last_answer = now.monotonic
            if len(message.filter_hashes) != part.stop + 1 - part.start:
                sentence = "It sent too few or too many filter headers."
                self._state.disconnect(peer, sentence, is_fault=True)
                return True
            part.answer = message
            part.sender = peer.number
            self._settle(now)
            return True
        return message.stop in self._old_stops

    def _settle(self, now: Instant) -> None:
        """Use the stretch when all of it has come, or find out who lied."""
        stretch = self._stretch
        if stretch is None or any(part.answer is None for part in stretch.parts):
            return
        state = self._state
        raw = stretch.check()
        senders = {part.sender for part in stretch.parts}
        if raw is None:
            if len(senders) == 1:
                liar = senders.pop()
                stretch.refuted.add(-1 if liar is None else liar)
                self._blame({liar})
            else:
                stretch.suspects += [
                    _Part(p.start, p.stop, p.stop_hash, answer=p.answer, sender=p.sender)
                    for p in stretch.parts
                ]
            self._ask_one(stretch, now)
            return
        self._blame(stretch.liars())
        for part in stretch.parts:
            self._old_stops.add(part.stop_hash)
        state.filter_headers.prepend(raw, stretch.anchor)
        store, first = state.stores.filter_headers, stretch.first
        state.work(Lane.STORE, lambda: store.prepend(first, raw), _nothing_more)
        self._stretch = None
        self._on_extended(first)

    def _ask_one(self, stretch: _Stretch, now: Instant) -> None:
        able = [
            p
            for p in self._state.filter_peers(now)
            if p.number not in stretch.refuted and p.shown_height >= stretch.last
        ]
        stretch.begin_anew(able[0].number if able else None)

    def _blame(self, liars: set[int | None] | set[int]) -> None:
        for number in liars:
            peer = None if number is None else self._state.peers.get(number)
            if peer is not None:
                peer.stalled_until = float("inf")
                self._state.disconnect(peer, LIE, is_fault=True, ban=Ban.NETGROUP)

    # --- changes ----------------------------------------------------------------------------------

    def on_disconnected(self, peer: Peer) -> None:
        """Let others have what this peer was asked for."""
        self._ranges.on_disconnected(peer)
        for part in [] if self._stretch is None else self._stretch.parts:
            if part.peer == peer.number and part.answer is None:
                part.peer = None

    def tick(self, now: Instant) -> None:
        """Repeat what met with silence; in the end another peer gets it."""
        self._ranges.tick(now)
        state = self._state
        stretch = self._stretch
        for part in [] if stretch is None else stretch.parts:
            peer = None if part.peer is None else state.peers.get(part.peer)
            if peer is None or part.answer is not None:
                continue
            if not state.retry_is_due(part.sent, part.tries, peer, now):
                continue
            part.tries += 1
            others = [p for p in state.filter_peers(now) if p is not peer]
            if part.tries >= GIVE_UP_AFTER and others:
                peer.stalled_until = now.monotonic + 60
                part.peer = None
                part.tries = 0
                if stretch is not None and stretch.only == peer.number:
                    self._ask_one(stretch, now)
            else:
                self._send(part, peer, now)


def _nothing_more(_result: object, _now: Instant) -> None:
    """Nothing waits for a store."""
