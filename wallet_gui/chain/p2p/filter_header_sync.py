"""Filter headers: fetched from one peer, compared with what every other peer says.

The chain is built from whoever answers, in ranges of 2000. Each further peer is then compared
with it: by checkpoints (every 1000th header) where they agree, hash by hash where they do not and
at the end. A height at which a peer differs is *disputed*: its block is scanned whatever any
filter says, so that a lie on either side hides nothing and the sync never stops. Where nobody
connected stands by what we have stored, our store is wrong: it is rewound and built again.

Sources: BIP157; design notes on conflicts. Finding out who lied comes after the wallet is safe.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.filter_messages import (
    FILTER_CHECKPOINT_INTERVAL,
    MAX_FILTER_HEADERS,
    CFCheckpt,
    CFHeaders,
    GetCFCheckpt,
    GetCFHeaders,
)
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState

MAX_IN_FLIGHT: Final = 4
MAX_PER_PEER: Final = 2
MAX_DISPUTES: Final = 50  # blocks that one peer can make us fetch per session


@dataclass(slots=True)
class _Request:
    peer: int
    start: int
    stop: int
    stop_hash: bytes
    sent: float
    tries: int = 0
    answer: CFHeaders | None = None

    def is_answered_by(self, message: CFHeaders) -> bool:
        """Tell whether this answers it, and not an earlier request that ended at the same block."""
        count = self.stop - self.start + 1
        return self.stop_hash == message.stop and len(message.filter_hashes) == count


class FilterHeaderSync:
    """Builds the chain of filter headers and notices when peers disagree about it."""

    def __init__(
        self,
        state: SyncState,
        *,
        on_extended: Callable[[int, int], None],
        on_disputed: Callable[[int], None],
        on_rewound: Callable[[int], None],
    ) -> None:
        """Set what is called.

        `on_extended(first, last)` when headers were added, `on_disputed(height)` when a
        peer differs, `on_rewound(height)` when everything above turned out to be wrong.
        """
        self._state = state
        self._on_extended = on_extended
        self._on_disputed = on_disputed
        self._on_rewound = on_rewound
        self._requests: list[_Request] = []
        self._checks: dict[int, _Request] = {}  # by peer; cfheaders to compare
        self._checkpoints: dict[int, _Request] = {}  # by peer
        self._forgiven: set[bytes] = set()  # stop hashes of requests that lost their meaning
        self._warned = False

    @property
    def is_silent(self) -> bool:
        """Whether somebody was asked more than once and has said nothing."""
        return any(request.tries > 1 for request in self._requests)

    # --- asking -----------------------------------------------------------------------------------

    def plan(self, now: Instant) -> None:
        """Send what is due: the next ranges, and comparisons."""
        state = self._state
        if not state.headers.has_minimum_work:
            return  # nothing is built on a chain that may be made up
        peers = state.filter_peers(now)
        self._ask_for_more(peers, now)
        for peer in peers:
            self._check(peer, now)

    def _ask_for_more(self, peers: list[Peer], now: Instant) -> None:
        state = self._state
        start = state.filter_headers.height + 1
        if self._requests:
            start = self._requests[-1].stop + 1
        while len(self._requests) < MAX_IN_FLIGHT:
            able = [
                p
                for p in peers
                if p.shown_height >= start and not p.is_doubted and self._load(p) < MAX_PER_PEER
            ]
            if not able:
                return
            # Someone has to be asked, even if all were found to differ from us somewhere.
            peer = min(able, key=lambda p: (len(p.disputes), self._load(p)))
            stop = min(start + MAX_FILTER_HEADERS - 1, peer.shown_height)
            stop_hash = state.headers.hash_at(stop)
            self._requests.append(_Request(peer.number, start, stop, stop_hash, now.monotonic))
            state.send(peer, GetCFHeaders(start, stop_hash))
            start = stop + 1

    def _load(self, peer: Peer) -> int:
        return sum(r.peer == peer.number and r.answer is None for r in self._requests)

    def _check(self, peer: Peer, now: Instant) -> None:
        state = self._state
        top = min(peer.shown_height, state.filter_headers.height)
        start = max(peer.agreed_through + 1, state.filter_headers.start_height)
        if start > top or peer.number in self._checks or peer.number in self._checkpoints:
            return
        if any(r.peer == peer.number for r in self._requests):
            return  # its own answer may be what we compare with
        if top - start >= MAX_FILTER_HEADERS and not peer.compares_hashes:
            stop_hash = state.headers.hash_at(top)
            request = _Request(peer.number, start, top, stop_hash, now.monotonic)
            self._checkpoints[peer.number] = request
            state.send(peer, GetCFCheckpt(stop_hash))
            return
        stop = min(top, start + MAX_FILTER_HEADERS - 1)
        stop_hash = state.headers.hash_at(stop)
        request = _Request(peer.number, start, stop, stop_hash, now.monotonic)
        self._checks[peer.number] = request
        state.send(peer, GetCFHeaders(start, stop_hash))

    # --- answers ----------------------------------------------------------------------------------

    def on_headers(self, peer: Peer, message: CFHeaders, now: Instant) -> None:
        """Take filter headers: as the next ones, or to compare."""
        check = self._checks.get(peer.number)
        if check is not None and check.is_answered_by(message):
            del self._checks[peer.number]
            peer.last_answer = now.monotonic
            self._compare(peer, check, message)
            return
        mine = [r for r in self._requests if r.peer == peer.number]
        for request in mine:
            if request.is_answered_by(message):
                peer.last_answer = now.monotonic
                request.answer = message
                self._apply(now)
                return
        due = [*mine, check] if check is not None else mine
        is_due = any(request.stop_hash == message.stop for request in due)
        if is_due and message.stop not in self._forgiven:
            self._state.disconnect(
                peer, "It sent too few or too many filter headers.", is_fault=True
            )
            return
        self._check_forgiven(peer, message.stop)

    def _check_forgiven(self, peer: Peer, stop_hash: bytes) -> None:
        # Answers to repeated requests, and to those about blocks that have left the chain.
        known = stop_hash in self._forgiven or self._state.headers.height_of(stop_hash) is not None
        if not known:
            self._state.disconnect(peer, "It sent filter headers nobody asked for.", is_fault=True)

    def _apply(self, now: Instant) -> None:
        """Chain the answers that are next in line."""
        state = self._state
        filter_headers = state.filter_headers
        while self._requests and self._requests[0].answer is not None:
            request = self._requests[0]
            message = request.answer
            if message is None or request.start != filter_headers.height + 1:
                break
            peer = state.peers.get(request.peer)
            differs = message.previous != filter_headers.header_at(request.start - 1)
            if differs and peer is not None and not peer.disputes:
                # It differs from us somewhere below; the comparison finds out where.
                self._drop_requests()
                peer.is_doubted = True
                peer.agreed_through = -1
                self._check(peer, now)
                return
            if differs and peer is None:
                self._drop_requests()
                return
            # Where it is known to differ, its hashes still say what these filters are.
            del self._requests[0]
            filter_headers.append(message.filter_hashes)
            if peer is not None and peer.agreed_through >= request.start - 1:
                peer.agreed_through = request.stop
            self._on_extended(request.start, request.stop)

    def on_checkpoints(self, peer: Peer, message: CFCheckpt, now: Instant) -> None:
        """Compare every 1000th header; what is equal needs no closer look."""
        request = self._checkpoints.get(peer.number)
        if request is None or request.stop_hash != message.stop:
            self._check_forgiven(peer, message.stop)
            return
        del self._checkpoints[peer.number]
        peer.last_answer = now.monotonic
        if len(message.filter_headers) != request.stop // FILTER_CHECKPOINT_INTERVAL:
            self._state.disconnect(
                peer, "It sent too few or too many filter checkpoints.", is_fault=True
            )
            return
        ours = self._state.filter_headers
        equal = request.start - 1
        for index, header in enumerate(message.filter_headers):
            height = (index + 1) * FILTER_CHECKPOINT_INTERVAL
            if height < request.start or height > ours.height:
                continue
            if ours.header_at(height) != header:
                break
            equal = height
        peer.agreed_through = max(peer.agreed_through, equal)
        # From the first difference on, or above the last checkpoint, single hashes are compared.
        peer.compares_hashes = True
        self._check(peer, now)

    def _compare(self, peer: Peer, request: _Request, message: CFHeaders) -> None:
        ours = self._state.filter_headers
        if request.stop > ours.height:
            return  # a reorganisation came between; it is asked again
        for height in ours.differing(request.start, message.filter_hashes):
            if height not in peer.disputes:
                peer.disputes.add(height)
                self._warn()
                self._on_disputed(height)
        peer.agreed_through = max(peer.agreed_through, request.stop)
        self._settle()
        if peer.agreed_through >= min(peer.shown_height, ours.height):
            peer.is_doubted = False
            peer.compares_hashes = bool(peer.disputes)
        if len(peer.disputes) > MAX_DISPUTES:
            self._state.disconnect(
                peer, "It disagrees with the others about too many filters.", is_fault=True
            )

    def _settle(self) -> None:
        """Where nobody who is connected stands by our chain, believe those who are."""
        peers = [p for p in self._state.peers.values() if p.serves_filters]
        ours = self._state.filter_headers
        disputed = sorted({h for p in peers for h in p.disputes if ours.start_height <= h})
        for height in disputed:
            if height > ours.height:
                return
            against = [p for p in peers if height in p.disputes]
            for_us = [p for p in peers if p.vouches_for(height)]
            undecided = len(peers) - len(against) - len(for_us)
            if for_us or undecided:
                continue
            self.rewind(height - 1)
            for peer in peers:
                peer.disputes.clear()
                peer.agreed_through = min(peer.agreed_through, height - 1)
            self._on_rewound(height - 1)
            return

    def _warn(self) -> None:
        if not self._warned:
            self._warned = True
            self._state.emit(
                BackendWarning(
                    "Two sources disagree about a block filter; the blocks in question are read "
                    "in full, so your balance is right either way."
                )
            )

    # --- changes ----------------------------------------------------------------------------------

    def rewind(self, height: int) -> None:
        """Forget what is above `height`: the chain was reorganised there."""
        for request in [*self._requests, *self._checks.values(), *self._checkpoints.values()]:
            self._forgive(request.stop_hash)
        self._requests.clear()
        self._checks.clear()
        self._checkpoints.clear()
        self._state.filter_headers.truncate(height)
        for peer in self._state.peers.values():
            peer.agreed_through = min(peer.agreed_through, height)
            peer.disputes = {h for h in peer.disputes if h <= height}

    def _drop_requests(self) -> None:
        for request in self._requests:
            self._forgive(request.stop_hash)
        self._requests.clear()

    def _forgive(self, stop_hash: bytes) -> None:
        if len(self._forgiven) >= 1000:
            self._forgiven.clear()
        self._forgiven.add(stop_hash)

    def on_disconnected(self, peer: Peer) -> None:
        """Ask somebody else; what comes behind in line is asked again too."""
        self._checks.pop(peer.number, None)
        self._checkpoints.pop(peer.number, None)
        for index, request in enumerate(self._requests):
            if request.peer == peer.number and request.answer is None:
                for later in self._requests[index:]:
                    self._forgive(later.stop_hash)
                del self._requests[index:]
                break
        self._settle()

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, and let another peer have them in the end."""
        state = self._state
        for request in [*self._requests, *self._checks.values(), *self._checkpoints.values()]:
            peer = state.peers.get(request.peer)
            if peer is None or request.answer is not None:
                continue
            if not state.retry_is_due(request.sent, request.tries, peer, now):
                continue
            request.tries += 1
            request.sent = now.monotonic
            others = [p for p in state.filter_peers(now) if p.number != peer.number]
            if request.tries > 2 and others and request in self._requests:
                peer.stalled_until = now.monotonic + 60
                self.on_disconnected(peer)
                return
            if self._checkpoints.get(peer.number) is request:
                state.send(peer, GetCFCheckpt(request.stop_hash))
            else:
                state.send(peer, GetCFHeaders(request.start, request.stop_hash))
