"""Ranges of filters: which peer is asked for which, who takes over, and who loses its work.

The lowest heights go to those who will have them soonest. A peer that has nothing left to do asks
for the oldest unfinished range of another too, and what comes first counts; the rest is ignored
when it comes. So a peer that dies costs no more than the moment until somebody is idle.
"""

import math
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.p2p.filter_match import Batch
from wallet_gui.chain.p2p.filter_messages import MAX_FILTERS, FilterRun, GetCFilters
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState
from wallet_gui.chain.p2p.throughput import LEAST_DUE, Throughput

FIRST_RANGE: Final = 100  # before a filter's size is known
FIRST_DUE: Final = 2 * FIRST_RANGE  # from one peer
MAX_PER_PEER: Final = 8
MAX_RIVALS: Final = 2  # who ask for the same range beside the first
SILENCE: Final = 1.0  # seconds without a byte after which a peer's work may be done by any other
STALL: Final = 3.0  # and after which it loses its work, where others go on
STALLED: Final = 30.0  # seconds for which it then gets nothing new
SOON: Final = 0.5  # seconds that headers of a peer which is near may take
LEAST_GAIN: Final = 0.5  # seconds to win before a range is asked for twice
MAX_UNASKED: Final = 20_000  # filters in a row that were forgiven; more is a nuisance
MAX_FORGIVEN: Final = 20_000
SPAN: Final = 3.0  # seconds of a peer's speed that are asked for at once
HURRIED_SPAN: Final = 0.5  # at most, where something else is waited for
LEAST_SPAN: Final = 0.03  # even to a peer that answers at once
RANGES: Final = 3  # in how many pieces
HASH: Final = 32


@dataclass(slots=True, eq=False)
class Request:
    """Heights `next..stop` are still due from a peer; `hashes` begins at height `start`."""

    peer: int
    start: int
    stop: int
    hashes: bytes
    sent: float
    next: int
    tries: int = 0
    rivals: int = 0

    @property
    def left(self) -> int:
        """How many filters are due."""
        return self.stop + 1 - self.next

    def expected(self, count: int = 1) -> bytes:
        """Give the hashes of the next `count` blocks."""
        offset = HASH * (self.next - self.start)
        return self.hashes[offset : offset + HASH * count]


class FilterRanges:
    """All requests for filters that are under way."""

    def __init__(self, state: SyncState, budget: int) -> None:
        self._state = state
        self._budget = budget
        self._requests: list[Request] = []
        self._forgiven: dict[bytes, None] = {}
        self._unasked: dict[int, int] = {}  # peer -> forgiven filters in a row
        self._silent: dict[int, float] = {}  # peer -> when others took over what it owed
        self.throughput = Throughput()
        self.is_hurried = False  # other answers are waited for that come through the same lines
        self.mean_size = 0.0
        self.received = 0
        self.received_bytes = 0

    @property
    def is_silent(self) -> bool:
        """Whether somebody was asked more than once and has sent nothing."""
        return any(request.tries > 1 for request in self._requests)

    def spans(self) -> list[tuple[int, int]]:
        """List the heights that are due, first and last of each request."""
        return [(request.next, request.stop) for request in self._requests]

    def due(self) -> int:
        """Estimate how many bytes are due; what is due twice counts twice."""
        return round(sum(request.left for request in self._requests) * self.mean_size)

    def due_from(self, number: int) -> float:
        """Estimate how many bytes are due from a peer."""
        return sum(r.left for r in self._requests if r.peer == number) * self.mean_size

    # --- asking -----------------------------------------------------------------------------------

    def ask(self, start: int, stop: int, now: Instant) -> int:
        """Ask a peer for filters from `start` on; return how far, `start - 1` if nobody can."""
        peers = self._state.filter_peers(now)
        numbers = [peer.number for peer in peers]
        able = [p for p in peers if p.shown_height >= start and self._has_room(p, numbers)]
        if not any(p.headers_done for p in peers):
            is_alone = len(peers) == 1
            # Who sends the headers is left alone, so that the rest can begin.
            able = [p for p in able if not self._sends_headers(p, now, is_alone=is_alone)]
        if not able:
            return start - 1
        able = [p for p in able if not p.disputes] or able
        able = [p for p in able if not self._fell_silent(p, now)]
        if not able:
            return start - 1  # the others have room again before long
        peer = min(able, key=lambda p: self._wait(p.number))
        size = MAX_FILTERS if self.mean_size else FIRST_RANGE
        if self.mean_size:
            most = self._most_due(peer.number, numbers) / RANGES
            room = self._most_filters(numbers) - self._left_of(peer.number)
            size = max(1, min(size, int(most / self.mean_size), room))
        stop = min(stop, peer.shown_height, start + size - 1)
        self._request(peer, start, stop, now)
        return stop

    def _fell_silent(self, peer: Peer, now: Instant) -> bool:
        """Whether others had to take over from a peer, which has said nothing since.

        What it was asked for next would hold up everybody again.
        """
        since = self._silent.get(peer.number)
        if since is None:
            return False
        if peer.last_answer > since or now.monotonic - since >= STALLED:
            del self._silent[peer.number]
            return False
        return any(
            p is not peer and p.number not in self._silent for p in self._state.filter_peers(now)
        )

    def _sends_headers(self, peer: Peer, now: Instant, *, is_alone: bool) -> bool:
        """Whether headers are on their way from a peer, and soon there if there is nobody else."""
        if peer.headers_asked is None:
            return False
        is_soon = now.monotonic - peer.headers_asked < SOON
        return not is_alone or (self._state.headers_come_fast and is_soon)

    def _request(self, peer: Peer, start: int, stop: int, now: Instant) -> None:
        hashes = self._state.headers.hashes(start, stop)
        joined = b"".join(hashes)
        self._requests.append(Request(peer.number, start, stop, joined, now.monotonic, start))
        self.throughput.asked(peer.number, now.monotonic)
        self._state.send(peer, GetCFilters(start, hashes[-1]))

    def _has_room(self, peer: Peer, numbers: list[int]) -> bool:
        mine = [request for request in self._requests if request.peer == peer.number]
        if not self.mean_size:
            return len(mine) < 2
        if len(mine) >= MAX_PER_PEER or self._left_of(peer.number) >= self._most_filters(numbers):
            return False
        return self.due_from(peer.number) < self._most_due(peer.number, numbers)

    def _most_due(self, number: int, numbers: list[int]) -> float:
        seconds = SPAN
        if self.is_hurried:
            # As long as a few answers take to begin: the line stays busy, the queue short.
            delay = self.throughput.delay(number)
            seconds = HURRIED_SPAN if delay is None else min(4 * delay, HURRIED_SPAN)
            seconds = max(seconds, LEAST_SPAN)
        return self.throughput.most_due(number, numbers, self._budget, seconds)

    def _most_filters(self, numbers: list[int]) -> int:
        """Give how many filters may be due from a peer at once: more and more as they come.

        Those near the genesis block are tiny. What is asked for cannot be taken back, and to think
        all of them so small would bury the first blocks under minutes of filters.
        """
        return FIRST_DUE + 2 * self.received // max(len(numbers), 1)

    def _left_of(self, number: int) -> int:
        return sum(request.left for request in self._requests if request.peer == number)

    def _wait(self, number: int) -> float:
        """Estimate in how many seconds a peer would have sent a little more than what is due."""
        return (self.due_from(number) + LEAST_DUE) / self.throughput.speed(number)

    # --- answers ----------------------------------------------------------------------------------

    def on_filters(self, peer: Peer, run: FilterRun, now: Instant) -> list[Batch]:
        """Take filters from a peer: usually the next ones of the oldest request to it."""
        peer.last_answer = now.monotonic
        number, count = peer.number, len(run)
        size = run.ends[-1] - run.starts[0]
        self.throughput.received(number, size, now.monotonic)
        self.received += count
        self.received_bytes += size
        self._measure(size, count)
        batches = []
        position = 0
        while position < count:
            rest = run.hashes[HASH * position :] if position else run.hashes
            request = self._expecting(number, rest[:HASH])
            if request is None:
                if not self._forgives(number, rest[:HASH]):
                    self._state.disconnect(peer, "It sent filters nobody asked for.", is_fault=True)
                    break
                position += 1
                continue
            self._unasked.pop(number, None)
            taken = _equal_hashes(rest, request.expected(min(request.left, count - position)))
            stop = position + taken
            batches.append(
                Batch(
                    request.next,
                    rest[: HASH * taken],
                    run.data,
                    run.starts[position:stop],
                    run.ends[position:stop],
                    number,
                )
            )
            request.next += taken
            request.tries = 0
            position = stop
            if not request.left:
                self._drop(request)
        return batches

    def _measure(self, size: int, count: int) -> None:
        mean = max(size / count, 1.0)
        weight = min(1.0, count / 300) if self.mean_size else 1.0
        self.mean_size += weight * (mean - self.mean_size)

    def _expecting(self, number: int, block_hash: bytes) -> Request | None:
        for request in self._requests:
            if request.peer == number and request.expected() == block_hash:
                return request
        return None

    def _forgives(self, number: int, block_hash: bytes) -> bool:
        count = self._unasked[number] = self._unasked.get(number, 0) + 1
        if count > MAX_UNASKED:
            return False
        return block_hash in self._forgiven or self._state.headers.height_of(block_hash) is not None

    # --- who loses its work -----------------------------------------------------------------------

    def steal(self, now: Instant) -> None:
        """Let who has nothing to do ask for what others are late with."""
        peers = self._state.filter_peers(now)
        for thief in peers:
            if any(request.peer == thief.number for request in self._requests):
                continue
            for victim in sorted(self._requests, key=lambda request: request.next):
                if self._steal_from(victim, thief, now):
                    break

    def _steal_from(self, victim: Request, thief: Peer, now: Instant) -> bool:
        if victim.rivals >= MAX_RIVALS or thief.shown_height < victim.stop:
            return False
        size = max(self.mean_size, 1.0)
        theirs = self.throughput.speed(thief.number)
        first = victim.next
        eta = self._eta(victim, now)
        if eta < math.inf:
            # The first one goes on meanwhile: only what lies further back is worth asking for.
            ours = self.throughput.speed(victim.peer)
            first += int(victim.left * ours / (ours + theirs))
        seconds = (victim.stop + 1 - first) * size / theirs
        if first > victim.stop or eta - seconds < LEAST_GAIN:
            return False
        if eta == math.inf:
            self.throughput.failed(victim.peer)  # it is asked last from now on
            self._silent.setdefault(victim.peer, now.monotonic)
        victim.rivals += 1
        self._request(thief, first, victim.stop, now)
        self._requests[-1].rivals = MAX_RIVALS  # nobody asks for it a third time on its account
        return True

    def _eta(self, request: Request, now: Instant) -> float:
        """Estimate in how many seconds a request is complete."""
        if self._silence(request.peer, now) > SILENCE:
            return math.inf
        due = 0
        for each in self._requests:
            if each.peer == request.peer:
                due += each.left
                if each is request:
                    break
        return due * max(self.mean_size, 1.0) / self.throughput.speed(request.peer)

    def _silence(self, number: int, now: Instant) -> float:
        peer = self._state.peers.get(number)
        heard = now.monotonic if peer is None else now.monotonic - peer.last_answer
        return min(self.throughput.silence(number, now.monotonic), heard)

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, or let other peers have them."""
        state = self._state
        numbers = list(dict.fromkeys(request.peer for request in self._requests))
        slow = self.throughput.judge(numbers, now.monotonic)
        for number in numbers:
            peer = state.peers.get(number)
            if peer is None:
                continue
            if number in slow:
                self._lose(peer, 2 * STALLED, now)
            elif self._silence(number, now) >= STALL and self._others_go_on(number, now):
                self._lose(peer, STALLED, now)
            else:
                self._repeat(peer, now)

    def _others_go_on(self, number: int, now: Instant) -> bool:
        return any(
            p.number != number and self._silence(p.number, now) < STALL
            for p in self._state.filter_peers(now)
        )

    def _lose(self, peer: Peer, seconds: float, now: Instant) -> None:
        peer.stalled_until = now.monotonic + seconds
        self.throughput.failed(peer.number)
        self.on_disconnected(peer)

    def _repeat(self, peer: Peer, now: Instant) -> None:
        oldest = next(r for r in self._requests if r.peer == peer.number)
        if not self._state.retry_is_due(oldest.sent, oldest.tries, peer, now):
            return
        oldest.tries += 1
        oldest.sent = now.monotonic
        self._state.send(peer, GetCFilters(oldest.next, oldest.expected(oldest.left)[-HASH:]))

    # --- changes ----------------------------------------------------------------------------------

    def keep(self, first: int | None) -> None:
        """Give up what is due below `first` only; everything if it is None."""
        for request in list(self._requests):
            if first is None or request.stop < first:
                self._give_up(request)

    def on_disconnected(self, peer: Peer) -> None:
        """Give up what a peer owes; the heights are free to be asked of others."""
        for request in [r for r in self._requests if r.peer == peer.number]:
            self._give_up(request)
        if peer.number not in self._state.peers:
            self.throughput.forget(peer.number)
            self._silent.pop(peer.number, None)
            self._unasked.pop(peer.number, None)

    def _give_up(self, request: Request) -> None:
        if len(self._forgiven) > MAX_FORGIVEN:
            self._forgiven.clear()
        due = request.expected(request.left)
        for offset in range(0, len(due), HASH):
            self._forgiven[due[offset : offset + HASH]] = None
        self._drop(request)

    def _drop(self, request: Request) -> None:
        self._requests.remove(request)
        if not any(each.peer == request.peer for each in self._requests):
            self.throughput.idle(request.peer)


def _equal_hashes(theirs: bytes, ours: bytes) -> int:
    """Count how many hashes at the beginning are equal; at least the first is known to be."""
    if theirs.startswith(ours):
        return len(ours) // HASH
    count = 1
    while theirs[HASH * count : HASH * count + HASH] == ours[HASH * count : HASH * count + HASH]:
        count += 1
    return count
