"""Filter headers: long stretches from one peer each, the newest from all, compared with everybody.

What is missing in bulk is fetched in ranges of 2000, in parallel, and chained in order, no further
than all peers' checkpoints agree (`checkpoint_vectors`). The newest are asked of every peer and
taken when two networks say the same, or from one after a while. Each peer is then compared with
what is stored, from the start: by checkpoints (every 1000th header) where they agree, hash by hash
where they do not and at the end. Heights at which it differs are its *disputes*; what becomes of
them is the matter of `conflicts`. Packaged filter headers are known to be right: who contradicts
one lies, and a store that does is rewound.

Sources: BIP157; design notes on filter headers and conflicts.
"""

from collections.abc import Callable
from typing import Final

from wallet_gui.chain.p2p.checkpoint_vectors import CheckpointVector, CheckpointVectors
from wallet_gui.chain.p2p.filter_header_chain import chain
from wallet_gui.chain.p2p.filter_messages import (
    MAX_FILTER_HEADERS,
    CFCheckpt,
    CFHeaders,
    GetCFHeaders,
)
from wallet_gui.chain.p2p.newest_filter_headers import Ballot, FilterHeaderRequest
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState

MAX_IN_FLIGHT: Final = 16
MAX_PER_PEER: Final = 8
MAX_DISPUTES: Final = 100  # of one peer; it is compared no further before they are settled


class FilterHeaderSync:
    """Builds the chain of filter headers and notices when peers disagree about it."""

    def __init__(
        self,
        state: SyncState,
        *,
        on_extended: Callable[[int, int], None],
        on_rewound: Callable[[int], None],
        on_refuted: Callable[[Peer, int], None],
    ) -> None:
        """Set what is called.

        `on_extended(first, last)` when headers were added, `on_rewound(height)` when everything
        above turned out to be wrong, `on_refuted(peer, height)` when a peer tells what was proven
        false.
        """
        self._state = state
        self._on_extended = on_extended
        self._on_rewound = on_rewound
        self._on_refuted = on_refuted
        self._requests: list[FilterHeaderRequest] = []
        self._checks: dict[int, FilterHeaderRequest] = {}  # by peer; cfheaders to compare
        self._vectors = CheckpointVectors(state)
        self._forgiven: set[bytes] = set()  # stop hashes of requests that lost their meaning
        self._ballot: Ballot | None = None  # on the newest ones
        self._forks: dict[int, int] = {}  # peer -> height of a checkpoint that differs from ours
        self._was_agreed = False
        self.was_wrong_above: int | None = None  # what was stored; scan marks above are void
        self._check_store()

    @property
    def is_silent(self) -> bool:
        """Whether somebody was asked more than once and has said nothing."""
        asked = list(self._requests)
        if self._ballot is not None and not any(r.answer for r in self._ballot.requests.values()):
            asked += self._ballot.requests.values()
        return any(request.tries > 1 for request in asked)

    def sources(self, height: int) -> int:
        """Count the networks that stand by the stored filter header at `height`."""
        peers = self._state.peers.values()
        return len({p.netgroup for p in peers if p.serves_filters and p.vouches_for(height)})

    def is_agreed(self, now: Instant) -> bool:
        """Whether all that was stored was compared with three networks, or all that answer."""
        top = self._state.filter_headers.height
        peers = [p for p in self._state.filter_peers(now) if p.headers_done]
        compared = {p.netgroup for p in peers if p.agreed_through >= min(top, p.shown_height)}
        able = compared
        if not self._was_agreed:
            # Later arrivals take nothing back; who was silent before may be so again.
            able = compared | {p.netgroup for p in peers if not p.stalled_until}
        is_agreed = len(compared) >= min(3, len(able))
        self._was_agreed = is_agreed and bool(compared)
        return is_agreed

    def _check_store(self) -> None:
        """Drop what was stored from where it contradicts a packaged header on."""
        ours = self._state.filter_headers
        known = self._state.filter_checkpoints
        held = [height for height in sorted(known) if ours.start_height <= height <= ours.height]
        wrong = next((height for height in held if ours.header_at(height) != known[height]), None)
        if wrong is not None:
            good = max((h for h in held if h < wrong), default=ours.start_height - 1)
            ours.truncate(good)
            self.was_wrong_above = good
            store = self._state.stores.filter_headers
            self._state.work(Lane.STORE, lambda: store.truncate(good), lambda _r, _now: None)

    # --- asking -----------------------------------------------------------------------------------

    def plan(self, now: Instant) -> None:
        """Send what is due: the next ranges, and comparisons."""
        state = self._state
        if not state.headers.has_minimum_work:
            return  # nothing is built on a chain that may be made up
        peers = state.filter_peers(now)
        self._vectors.plan(peers, state.filter_headers.height + 1, MAX_FILTER_HEADERS, now)
        if not self._ask_for_newest(peers, now):
            self._ask_for_more(peers, now)
        for peer in peers:
            if peer.headers_done or peer.is_doubted:
                # Before it has shown all there would be no end of small comparisons.
                self._check(peer, now)

    def _next_start(self) -> int:
        if self._requests:
            return self._requests[-1].stop + 1
        return self._state.filter_headers.height + 1

    def _ask_for_newest(self, peers: list[Peer], now: Instant) -> bool:
        """Ask all peers at once; False when the ordinary way is to be taken."""
        state = self._state
        start = state.filter_headers.height + 1
        if self._requests:
            return False
        if self._ballot is None:
            stop = max((p.shown_height for p in peers), default=-1)
            if start > stop or stop - start >= Ballot.LONGEST:
                return False
            ballot = Ballot(start, stop, state.headers.hash_at(stop), now.monotonic)
            if len({p.netgroup for p in ballot.voters(peers)}) < 2:
                return False  # no second source to wait for
            self._ballot = ballot
        for peer in self._ballot.invite(peers, now):
            state.send(peer, GetCFHeaders(self._ballot.start, self._ballot.stop_hash))
        self._count(peers, now)
        return True

    def _count(self, peers: list[Peer], now: Instant) -> None:
        """Take what two networks say, or what there is when nobody else will say anything."""
        ballot = self._ballot
        if ballot is None:
            return
        winner = ballot.winner(self._state.peers, peers, now)
        if winner is None:
            return
        self._ballot = None
        for request in ballot.requests.values():
            if request.answer is None:
                self._forgive(request.stop_hash)
        if ballot.start != self._state.filter_headers.height + 1:
            return
        self._state.filter_headers.append(winner)
        for number, request in ballot.requests.items():
            peer = self._state.peers.get(number)
            if peer is not None and request.answer is not None:
                if peer.agreed_through >= request.start - 1:
                    self._compare(peer, request, request.answer)
                elif request.answer.previous != self._state.filter_headers.header_at(
                    request.start - 1
                ):
                    peer.is_doubted = True
        self._on_extended(ballot.start, ballot.stop)

    def _ask_for_more(self, peers: list[Peer], now: Instant) -> None:
        state = self._state
        limit = self._keep_to_limit(now)
        start = self._next_start()
        while len(self._requests) < MAX_IN_FLIGHT and (limit is None or start <= limit):
            able = [
                p
                for p in peers
                if p.shown_height >= start and not p.is_doubted and self._load(p) < MAX_PER_PEER
            ]
            if not able:
                return
            # Someone has to be asked, even if all were found to differ from us somewhere.
            peer = min(able, key=lambda p: self._demerits(p, start))
            stop = min(start + MAX_FILTER_HEADERS - 1, peer.shown_height)
            stop = stop if limit is None else min(stop, limit)
            stop_hash = state.headers.hash_at(stop)
            self._requests.append(
                FilterHeaderRequest(peer.number, start, stop, stop_hash, now.monotonic)
            )
            state.send(peer, GetCFHeaders(start, stop_hash))
            start = stop + 1

    def _demerits(self, peer: Peer, start: int) -> tuple[bool, int, int, int]:
        rank = self._vectors.rank(peer, start + MAX_FILTER_HEADERS - 1)
        return peer.has_lost, rank, len(peer.disputes), self._load(peer)

    def _keep_to_limit(self, now: Instant) -> int | None:
        """Want nothing above the first checkpoint that peers differ at; give its height."""
        limit = self._vectors.limit(now)
        if limit is not None:
            for index, request in enumerate(self._requests):
                peer = self._state.peers.get(request.peer)
                is_minor = peer is not None and self._vectors.rank(peer, request.stop) > 0
                if request.stop > limit or is_minor:
                    self._drop_requests(index)
                    break
        return limit

    def _load(self, peer: Peer) -> int:
        return sum(r.peer == peer.number and r.answer is None for r in self._requests)

    def _check(self, peer: Peer, now: Instant) -> None:
        state = self._state
        top = min(peer.shown_height, state.filter_headers.height)
        start = max(peer.agreed_through + 1, state.filter_headers.start_height)
        if start > top or peer.number in self._checks or self._vectors.is_asked(peer):
            return
        if len(peer.disputes) >= MAX_DISPUTES:
            return
        if any(r.peer == peer.number for r in self._requests):
            return  # its own answer may be what we compare with
        vector = None if peer.compares_hashes else self._vectors.of(peer)
        if vector is not None:
            self._compare_checkpoints(peer, vector)
            start = max(peer.agreed_through + 1, start)
            is_covered = not peer.compares_hashes and vector.last > top
            if start > top:
                peer.is_doubted = False
            if start > top or (is_covered and not peer.is_doubted):
                return  # the next checkpoint stands for what is between
        if top - start >= MAX_FILTER_HEADERS and not peer.compares_hashes:
            self._vectors.ask(peer, top, now)
            return
        stop = min(top, start + MAX_FILTER_HEADERS - 1)
        stop_hash = state.headers.hash_at(stop)
        request = FilterHeaderRequest(peer.number, start, stop, stop_hash, now.monotonic)
        self._checks[peer.number] = request
        state.send(peer, GetCFHeaders(start, stop_hash))

    # --- answers ----------------------------------------------------------------------------------

    def on_headers(self, peer: Peer, message: CFHeaders, now: Instant) -> None:
        """Take filter headers: as the next ones, or to compare."""
        check = self._checks.get(peer.number)
        if check is not None and check.is_answered_by(message):
            del self._checks[peer.number]
            peer.last_answer = now.monotonic
            if self._is_sound(peer, check, message):
                self._compare(peer, check, message)
            return
        vote = None if self._ballot is None else self._ballot.requests.get(peer.number)
        if vote is not None and vote.answer is None and vote.is_answered_by(message):
            peer.last_answer = now.monotonic
            if self._is_sound(peer, vote, message):
                vote.answer = message
                self._count(self._state.filter_peers(now), now)
            return
        mine = [r for r in self._requests if r.peer == peer.number]
        for request in mine:
            if request.is_answered_by(message):
                peer.last_answer = now.monotonic
                if self._is_sound(peer, request, message):
                    request.answer = message
                    self._apply(now)
                return
        due = [*mine, *(request for request in (check, vote) if request is not None)]
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

    def _is_sound(self, peer: Peer, request: FilterHeaderRequest, message: CFHeaders) -> bool:
        """Hold an answer against all that is known for certain; False when it is of no use."""
        for height, refuted in self._state.refuted.items():
            if not request.start <= height <= request.stop:
                continue
            if message.filter_hashes[height - request.start] in refuted:
                self._on_refuted(peer, height)
                return False
        return self._meets_packaged(peer, request, message)

    def _meets_packaged(self, peer: Peer, request: FilterHeaderRequest, message: CFHeaders) -> bool:
        """Hold an answer against the packaged headers; False when it is of no more use.

        It chains from what the peer says comes before, so a wrong end is the peer's own lie. Where
        the end is right and the beginning is not ours, our store is what is wrong.
        """
        ours = self._state.filter_headers
        known = self._state.filter_checkpoints
        inside = [height for height in known if request.start <= height <= request.stop]
        anchored = ours.start_height == request.start > 0
        if anchored and message.previous != ours.header_at(request.start - 1):
            self._state.convict(peer, "It contradicts a known filter header.")
            return False
        if not inside:
            return True
        header, height = message.previous, request.start - 1
        for filter_hash in message.filter_hashes:
            header, height = chain(filter_hash, header), height + 1
            if known.get(height, header) != header:
                self._state.convict(peer, "It contradicts a known filter header.")
                return False
        before = request.start - 1
        if before <= ours.height and ours.header_at(before) != message.previous:
            self._rebuild(max((h for h in known if ours.start_height <= h < before), default=-1))
            return False
        return True

    def _apply(self, now: Instant) -> None:
        """Chain the answers that are next in line."""
        state = self._state
        filter_headers = state.filter_headers
        while self._requests and self._requests[0].answer is not None:
            request = self._requests[0]
            message = request.answer
            if message is None or request.start != filter_headers.height + 1:
                break
            if self._vectors.is_awaited(request.stop, now):
                break  # also looked at again when the clock ticks
            peer = state.peers.get(request.peer)
            differs = message.previous != filter_headers.header_at(request.start - 1)
            if differs and peer is not None and not peer.disputes:
                self._drop_requests()
                if peer.agreed_through >= request.start - 1:
                    self._state.convict(peer, "Its filter headers contradict one another.")
                    return
                # It differs from us somewhere below; the comparison finds out where.
                peer.is_doubted = True
                peer.agreed_through = -1
                self._check(peer, now)
                return
            if differs and peer is None:
                self._drop_requests()
                return
            # Where it is known to differ, its hashes still say what these filters are.
            del self._requests[0]
            if not self._append(message):
                return
            if peer is not None and not differs and self._breaks_its_word(peer, request):
                return
            if peer is not None and peer.agreed_through >= request.start - 1:
                peer.agreed_through = request.stop
            self._on_extended(request.start, request.stop)

    def _breaks_its_word(self, peer: Peer, request: FilterHeaderRequest) -> bool:
        """Drop what was just chained if the peer that sent it had other checkpoints."""
        if not self._vectors.contradicts(peer, request.start, request.stop):
            return False
        self._state.filter_headers.truncate(request.start - 1)
        self._drop_requests()
        self._state.convict(peer, "Its filter headers contradict its checkpoints.")
        return True

    def _append(self, message: CFHeaders) -> bool:
        """Chain filter hashes; False when what comes of it contradicts a packaged header."""
        ours = self._state.filter_headers
        before = ours.height
        ours.append(message.filter_hashes)
        wrong = [
            height
            for height, header in self._state.filter_checkpoints.items()
            if before < height <= ours.height and ours.header_at(height) != header
        ]
        if wrong:
            # The answer was right by itself: what it was chained to is not.
            known = self._state.filter_checkpoints
            self._rebuild(max((h for h in known if ours.start_height <= h <= before), default=-1))
        return not wrong

    def _rebuild(self, height: int) -> None:
        """Build again what is above `height`: what was stored contradicts what is known."""
        height = max(height, self._state.filter_headers.start_height - 1)
        self.rewind(height)
        self._on_rewound(height)

    def on_checkpoints(self, peer: Peer, message: CFCheckpt, now: Instant) -> None:
        """Compare every 1000th header; what is equal needs no closer look."""
        if not self._vectors.is_asked(peer, message.stop):
            self._check_forgiven(peer, message.stop)
        elif self._vectors.take(peer, message, now):
            self._keep_to_limit(now)
            self._apply(now)
            self._check(peer, now)

    def _compare_checkpoints(self, peer: Peer, vector: CheckpointVector) -> None:
        """Take every 1000th header that is equal to ours; from a difference on look at all."""
        ours = self._state.filter_headers
        first = max(peer.agreed_through + 1, ours.start_height)
        for height, header in vector.between(first, ours.height):
            if ours.header_at(height) != header:
                self._forks[peer.number] = height
                peer.compares_hashes = True
                return
            peer.agreed_through = height

    def _compare(self, peer: Peer, request: FilterHeaderRequest, message: CFHeaders) -> None:
        ours = self._state.filter_headers
        if request.stop > ours.height:
            return  # a reorganisation came between; it is asked again
        is_next = request.start == peer.agreed_through + 1 and not peer.disputes
        if is_next and message.previous != ours.header_at(request.start - 1):
            self._state.convict(peer, "Its filter headers contradict one another.")
            return
        through = request.stop
        for height in ours.differing(request.start, message.filter_hashes):
            if len(peer.disputes) >= MAX_DISPUTES:
                through = height - 1
                break
            peer.disputes[height] = message.filter_hashes[height - request.start]
        peer.agreed_through = max(peer.agreed_through, through)
        claimed = self._forks.get(peer.number, through + 1)
        if claimed <= through:
            del self._forks[peer.number]
            if not any(height <= claimed for height in peer.disputes):
                self._state.convict(peer, "Its filter headers contradict its checkpoints.")
                return
        if peer.agreed_through >= min(peer.shown_height, ours.height):
            peer.is_doubted = False
            peer.compares_hashes = bool(peer.disputes)

    # --- changes ----------------------------------------------------------------------------------

    def rewind(self, height: int) -> None:
        """Forget what is above `height`: the chain was reorganised there."""
        for stop_hash in self._vectors.cancel():
            self._forgive(stop_hash)
        for request in [*self._requests, *self._checks.values()]:
            self._forgive(request.stop_hash)
        self._requests.clear()
        self._checks.clear()
        self._forks.clear()
        if self._ballot is not None:
            self._forgive(self._ballot.stop_hash)
            self._ballot = None
        self._state.filter_headers.truncate(height)
        for peer in self._state.peers.values():
            peer.agreed_through = min(peer.agreed_through, height)
            peer.disputes = {h: claim for h, claim in peer.disputes.items() if h <= height}
            peer.is_doubted = False

    def _drop_requests(self, index: int = 0) -> None:
        """Want nothing any more of the requests from the one at `index` on."""
        for request in self._requests[index:]:
            self._forgive(request.stop_hash)
        del self._requests[index:]

    def _forgive(self, stop_hash: bytes) -> None:
        if len(self._forgiven) >= 1000:
            self._forgiven.clear()
        self._forgiven.add(stop_hash)

    def on_disconnected(self, peer: Peer) -> None:
        """Ask somebody else; what comes behind in line is asked again too."""
        self._checks.pop(peer.number, None)
        self._forks.pop(peer.number, None)
        self._vectors.forget(peer)
        if self._ballot is not None:
            self._ballot.requests.pop(peer.number, None)
        for index, request in enumerate(self._requests):
            if request.peer == peer.number and request.answer is None:
                self._drop_requests(index)
                break

    def tick(self, now: Instant) -> None:
        """Repeat requests that met with silence, and let another peer have them in the end."""
        state = self._state
        self._apply(now)
        silent = self._vectors.repeat(now)
        if silent is not None:
            silent.stalled_until = now.monotonic + 60
            self.on_disconnected(silent)
            return
        votes = [] if self._ballot is None else list(self._ballot.requests.values())
        asked = [*self._requests, *self._checks.values(), *votes]
        for request in asked:
            peer = state.peers.get(request.peer)
            if peer is None or request.answer is not None:
                continue
            if not state.retry_is_due(request.sent, request.tries, peer, now):
                continue
            request.tries += 1
            request.sent = now.monotonic
            others = [p for p in state.filter_peers(now) if p.number != peer.number]
            if request.tries > 1 and others:
                peer.stalled_until = now.monotonic + 60
                self.on_disconnected(peer)
                return
            state.send(peer, GetCFHeaders(request.start, request.stop_hash))
