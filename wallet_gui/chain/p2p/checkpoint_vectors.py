"""What peers say every 1000th filter header is, compared between them before any is believed.

A peer's `cfcheckpt` is some thirty kilobytes for the whole chain, so all are asked at once. Before
a long stretch the answers of three networks are awaited for a moment; while headers still come in
the stretches are short, and chained as they come. Where
two of them differ, filter headers are chained no further than the first checkpoint that they differ
at, the side that more networks stand by first; the comparison with each peer then finds the block,
and the block decides (`conflicts`). What lies above waits for that, but not for ever: who disputes
without being refuted delays nothing a second time.

Filter headers commit to all below, so of two peers only the first difference means anything.

Sources: BIP157 (`cfcheckpt`); design notes on filter headers.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.p2p.filter_messages import (
    FILTER_CHECKPOINT_INTERVAL,
    CFCheckpt,
    GetCFCheckpt,
)
from wallet_gui.chain.p2p.newest_filter_headers import FilterHeaderRequest
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState

ENOUGH: Final = 3  # networks that say the same; nobody else is waited for then
GRACE: Final = 3.0  # seconds in which a vector comes, or is not waited for
LONG_STRETCH: Final = 8000  # heights; for more, peers that have not shown the chain are awaited
HOLD: Final = 30.0  # seconds for the dispute at a fork; it goes on afterwards, in the background
MAX_SET_ASIDE: Final = 1000


@dataclass(frozen=True, slots=True)
class CheckpointVector:
    """The filter headers at 1000, 2000, ... up to block `stop`, by one peer's word."""

    stop: int
    stop_hash: bytes
    filter_headers: tuple[bytes, ...]

    @property
    def last(self) -> int:
        """The height of the last checkpoint, 0 when there is none."""
        return len(self.filter_headers) * FILTER_CHECKPOINT_INTERVAL

    def at(self, height: int) -> bytes | None:
        """Give what is claimed at a height, None where nothing is."""
        index, rest = divmod(height, FILTER_CHECKPOINT_INTERVAL)
        is_claimed = rest == 0 and 0 < index <= len(self.filter_headers)
        return self.filter_headers[index - 1] if is_claimed else None

    def between(self, first: int, last: int) -> Iterable[tuple[int, bytes]]:
        """Give checkpoints at heights `first..last`, upwards."""
        start = max(first + FILTER_CHECKPOINT_INTERVAL - 1, 1) // FILTER_CHECKPOINT_INTERVAL
        for index in range(max(start, 1), min(last, self.last) // FILTER_CHECKPOINT_INTERVAL + 1):
            yield index * FILTER_CHECKPOINT_INTERVAL, self.filter_headers[index - 1]


class CheckpointVectors:
    """The vectors of all connected peers, and what is asked to get them."""

    def __init__(self, state: SyncState) -> None:
        self._state = state
        self._vectors: dict[int, CheckpointVector] = {}  # by peer
        self._requests: dict[int, FilterHeaderRequest] = {}  # by peer
        self._set_aside: set[bytes] = set()  # networks that are believed, or not, without this
        self._held_since: tuple[int, float] | None = None  # at which fork
        self._waits_since: float | None = None  # for peers that are to show their chain
        self._fork: int | None = None
        self._is_compared = True  # `_fork` is up to date

    # --- asking -----------------------------------------------------------------------------------

    def plan(self, peers: Iterable[Peer], start: int, least: int, now: Instant) -> None:
        """Ask before `start` and more than `least` heights above it are fetched.

        Nobody is asked where there is no second network to compare with. The answer comes before
        what the same peer is asked for next, so that nothing waits for it.
        """
        able = [p for p in self._voters(peers) if p.shown_height >= start + least]
        if len({p.netgroup for p in able}) < 2:
            return
        for peer in able:
            vector = self.of(peer)
            covered = 0 if vector is None else vector.stop
            is_short = covered < start + least <= peer.shown_height
            if is_short and peer.shown_height >= covered + least and not self.is_asked(peer):
                self.ask(peer, peer.shown_height, now)

    def ask(self, peer: Peer, stop: int, now: Instant) -> None:
        """Ask a peer for the checkpoints up to block `stop` of the active chain."""
        stop_hash = self._state.headers.hash_at(stop)
        request = FilterHeaderRequest(peer.number, 0, stop, stop_hash, now.monotonic)
        self._requests[peer.number] = request
        self._state.send(peer, GetCFCheckpt(stop_hash))

    def is_asked(self, peer: Peer, stop_hash: bytes | None = None) -> bool:
        """Whether an answer is due, to the question about one block or any."""
        request = self._requests.get(peer.number)
        return request is not None and stop_hash in {None, request.stop_hash}

    def take(self, peer: Peer, message: CFCheckpt, now: Instant) -> bool:
        """Take an answer that is due; False when the peer is parted with because of it."""
        request = self._requests.pop(peer.number)
        peer.last_answer = now.monotonic
        if len(message.filter_headers) != request.stop // FILTER_CHECKPOINT_INTERVAL:
            self._state.disconnect(
                peer, "It sent too few or too many filter checkpoints.", is_fault=True
            )
            return False
        vector = CheckpointVector(request.stop, request.stop_hash, message.filter_headers)
        known = self._state.filter_checkpoints.items()
        if any(vector.at(height) not in {None, header} for height, header in known):
            self._state.convict(peer, "It contradicts a known filter header.")
            return False
        self._vectors[peer.number] = vector
        self._is_compared = False
        return True

    def repeat(self, now: Instant) -> Peer | None:
        """Ask again who was silent; give one who has been asked twice, if there are others."""
        state = self._state
        for request in self._requests.values():
            peer = state.peers.get(request.peer)
            if peer is None or not state.retry_is_due(request.sent, request.tries, peer, now):
                continue
            request.tries += 1
            request.sent = now.monotonic
            if request.tries > 1 and any(p is not peer for p in state.filter_peers(now)):
                return peer
            state.send(peer, GetCFCheckpt(request.stop_hash))
        return None

    def cancel(self) -> list[bytes]:
        """Want no answer any more, since the chain changed; give the blocks that were named."""
        stops = [request.stop_hash for request in self._requests.values()]
        self._requests.clear()
        self._is_compared = False
        return stops

    def of(self, peer: Peer) -> CheckpointVector | None:
        """Give what a peer said, unless the chain has left its last block."""
        vector = self._vectors.get(peer.number)
        if vector is None:
            return None
        if self._state.headers.height_of(vector.stop_hash) != vector.stop:
            del self._vectors[peer.number]
            return None
        return vector

    def is_awaited(self, height: int, now: Instant) -> bool:
        """Whether to wait for more vectors before the chain is extended up to `height`."""
        state = self._state
        checkpoint = height - height % FILTER_CHECKPOINT_INTERVAL
        ours = state.filter_headers.height
        if ours >= checkpoint or height <= max(state.filter_checkpoints, default=-1):
            return False  # nothing to compare, or it is known to be right
        is_long = state.headers.height - ours >= LONG_STRETCH
        if is_long and self._waits_since is None:
            self._waits_since = now.monotonic
        come: set[bytes] = set()
        awaited: set[bytes] = set()
        for peer in self._voters(state.peers.values()):
            vector = self.of(peer)
            if vector is not None and vector.last >= checkpoint:
                come.add(peer.netgroup)
            elif peer.shown_height >= checkpoint:
                since = self._asked_at(peer)
                if since is not None and now.monotonic - since < GRACE:
                    awaited.add(peer.netgroup)
            elif (
                is_long
                and peer.version.start_height >= checkpoint
                and now.monotonic - (self._waits_since or 0.0) < GRACE
            ):
                awaited.add(peer.netgroup)
        return len(come) < ENOUGH and bool(awaited - come)

    def _asked_at(self, peer: Peer) -> float | None:
        request = self._requests.get(peer.number)
        return None if request is None or request.tries else request.sent

    # --- comparing --------------------------------------------------------------------------------

    def first_fork(self) -> int | None:
        """Give the first checkpoint at which two peers differ."""
        if not self._is_compared:
            self._fork = self._find_fork()
            self._is_compared = True
        return self._fork

    def _find_fork(self) -> int | None:
        vectors = self._usable_vectors()
        start = self._state.filter_headers.start_height
        forks = []
        reference = max((v for _, v in vectors), key=lambda v: v.last, default=None)
        if reference is None:
            return None
        for _, vector in vectors:
            if vector.filter_headers == reference.filter_headers[: len(vector.filter_headers)]:
                continue
            pairs = zip(vector.filter_headers, reference.filter_headers, strict=False)
            index = next(i for i, (ours, theirs) in enumerate(pairs) if ours != theirs)
            forks.append((index + 1) * FILTER_CHECKPOINT_INTERVAL)
        fork = min(forks, default=None)
        return None if fork is None or fork < start else fork

    def limit(self, now: Instant) -> int | None:
        """Give the height to which filter headers may be chained now, None for any."""
        fork = self.first_fork()
        while fork is not None and self._is_over(fork, now):
            self._put_aside(fork)
            fork = self.first_fork()
        return fork

    def _is_over(self, fork: int, now: Instant) -> bool:
        """Whether what could be found out about a fork was."""
        ours = self._state.filter_headers
        if ours.height < fork:
            self._held_since = None
            return False
        if self._held_since is None or self._held_since[0] != fork:
            self._held_since = (fork, now.monotonic)
        if now.monotonic - self._held_since[1] >= HOLD:
            return True
        header = ours.header_at(fork)
        others = [p for p, v in self._usable_vectors() if v.at(fork) not in {None, header}]
        return all(
            any(h <= fork for h in peer.disputes)
            and all(self._state.is_judged(h) for h in peer.disputes if h <= fork)
            for peer in others
        )

    def _put_aside(self, fork: int) -> None:
        """Go on without those who differ from what is believed."""
        header = self._state.filter_headers.header_at(fork)
        if len(self._set_aside) >= MAX_SET_ASIDE:
            self._set_aside.clear()
        for peer, vector in self._usable_vectors():
            if vector.at(fork) not in {None, header}:
                self._set_aside.add(peer.netgroup)
        self._held_since = None
        self._is_compared = False

    def rank(self, peer: Peer, stop: int) -> int:
        """Tell how good a peer is to fetch heights up to `stop` from: 0 for the best side."""
        fork = self.first_fork()
        if fork is None or stop <= fork - FILTER_CHECKPOINT_INTERVAL:
            return 0
        camps: dict[bytes | None, list[Peer]] = {}
        for other, vector in self._usable_vectors():
            camps.setdefault(vector.at(fork), []).append(other)
        camps.pop(None, None)

        def strength(members: Collection[Peer]) -> tuple[bool, int]:
            return any(p.is_own for p in members), len({p.netgroup for p in members})

        order = sorted(camps.values(), key=strength, reverse=True)
        return next((i for i, camp in enumerate(order) if peer in camp), len(order))

    def contradicts(self, peer: Peer, first: int, last: int) -> bool:
        """Whether our headers `first..last`, which are a peer's, are not what it said before."""
        vector = self.of(peer)
        if vector is None:
            return False
        ours = self._state.filter_headers
        return any(ours.header_at(h) != header for h, header in vector.between(first, last))

    def forget(self, peer: Peer) -> None:
        """Let a peer go, or ask it anew."""
        self._vectors.pop(peer.number, None)
        self._requests.pop(peer.number, None)
        self._is_compared = False

    def _voters(self, peers: Iterable[Peer]) -> list[Peer]:
        return [
            p
            for p in peers
            if p.serves_filters
            and not p.has_lost
            and p.netgroup not in self._set_aside
            and p.stalled_until != float("inf")
        ]

    def _usable_vectors(self) -> list[tuple[Peer, CheckpointVector]]:
        found = []
        for peer in self._voters(self._state.peers.values()):
            vector = self.of(peer)
            if vector is not None:
                found.append((peer, vector))
        return found
