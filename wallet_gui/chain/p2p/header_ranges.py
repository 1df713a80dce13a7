"""Headers between two blocks whose hashes are known, fetched in ranges from all peers at once.

Each range ends at a known hash, so whoever answers is checked by the links alone: the whole range
is committed to by its last hash, and one false header is proof. Several ranges are on their way to
each peer, which hides the time that a message takes to it and back. What fails or comes slowly
goes to another peer as well; the first right answer wins.

A `headers` message does not name its request. It is told by the hash that its first header follows.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final

from wallet_gui.chain.difficulty import LINK_TIME_BITS
from wallet_gui.chain.p2p.messages import MAX_HEADERS, GetHeaders
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE

MAX_PER_PEER: Final = 16
MAX_OPEN: Final = 64
"""Ranges that are asked for or wait to be used: ten megabytes at 2016 headers each."""

STEAL_AFTER: Final = 2.0  # seconds after which an idle peer is asked for the same
SILENCE: Final = 8.0
STALL: Final = 60.0  # seconds for which a silent peer gets nothing new, while there are others
ASK_ANYBODY_AFTER: Final = 10.0
MAX_ANNOUNCED: Final = 8  # headers that a node announces without being asked (Core)
MAX_OWED: Final = 4096

WRONG: Final = "Its headers up to {height} differ from the known ones."


@dataclass(slots=True)
class HeaderRange:
    """The headers `first..last`. `before` is the hash below them, `end` that of the last."""

    first: int
    last: int
    before: bytes
    end: bytes
    raw: bytearray = field(default_factory=bytearray)
    tip: bytes = b""  # what the next header must follow
    peer: int | None = None  # who is asked now
    sent: float = 0.0
    asked: set[int] = field(default_factory=set)  # who was asked since it began
    failed: set[int] = field(default_factory=set)
    senders: set[int] = field(default_factory=set)
    suspects: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    failed_at: float | None = None  # or when it was first looked at

    @property
    def missing(self) -> int:
        """How many headers are still to come."""
        return self.last + 1 - self.first - len(self.raw) // HEADER_SIZE

    def restart(self) -> None:
        """Drop what has come; what one peer sent alone is compared with the truth later."""
        if len(self.senders) == 1 and self.raw:
            (sender,) = self.senders
            self.suspects[sender] = (len(self.raw), sha256(self.raw).digest())
        self.raw.clear()
        self.senders.clear()
        self.asked.clear()
        self.tip = self.before
        self.peer = None


class HeaderRanges:
    """Ranges in the order in which they are wanted; `on_done` gets each when it is whole."""

    def __init__(self, state: SyncState, on_done: Callable[[HeaderRange], None]) -> None:
        self._state = state
        self._on_done = on_done
        self._open: list[HeaderRange] = []
        self._by_tip: dict[bytes, HeaderRange] = {}
        # Who is to send what follows which hash; also where somebody else was quicker.
        self._owed: OrderedDict[tuple[int, bytes], None] = OrderedDict()
        self.held = 0  # ranges that are whole and not used yet, by their owner's count

    @property
    def is_idle(self) -> bool:
        """Whether nothing is asked for."""
        return not self._open

    @property
    def room(self) -> int:
        """How many ranges may be added, memory being bounded."""
        return max(0, MAX_OPEN - len(self._open) - self.held)

    def missing(self) -> int:
        """Count the headers still to come of the ranges that are open."""
        return sum(each.missing for each in self._open)

    def add(self, wanted: HeaderRange) -> None:
        """Want one more range, after those that were added before."""
        wanted.tip = wanted.before
        self._open.append(wanted)
        self._by_tip[wanted.tip] = wanted

    def clear(self) -> None:
        """Want nothing any more; answers that still come are passed over."""
        self._open.clear()
        self._by_tip.clear()

    # --- asking -----------------------------------------------------------------------------------

    def plan(self, now: Instant) -> None:
        """Spread what nobody is asked for over the peers, then what comes slowly over the idle."""
        loads = dict.fromkeys(self._state.peers, 0)
        for each in self._open:
            if each.peer in loads:
                loads[each.peer] += 1
        for each in self._open:
            if each.peer is None:
                self._assign(each, loads, now)
        for each in self._open:
            is_late = each.peer is not None and now.monotonic - each.sent >= STEAL_AFTER
            if is_late and len(each.asked) == 1:
                idle = {number: 0 for number, load in loads.items() if load == 0}
                if self._assign(each, idle, now):
                    loads.update(idle)

    def _assign(self, wanted: HeaderRange, loads: dict[int, int], now: Instant) -> bool:
        peers = self._state.peers
        usable = [peers[n] for n, load in loads.items() if load < MAX_PER_PEER]
        usable = [p for p in usable if p.is_usable(now) and p.number != wanted.peer]
        fresh = [p for p in usable if p.number not in wanted.failed]
        able = [p for p in fresh if claimed_height(p) >= wanted.last]
        if wanted.failed_at is None:
            wanted.failed_at = now.monotonic
        if not able and now.monotonic - wanted.failed_at >= ASK_ANYBODY_AFTER:
            # What a peer said about its height at first is old by now, and may never be true.
            able = fresh or usable
            wanted.failed_at = now.monotonic
            wanted.failed.clear()
        if not able:
            return False
        peer = min(able, key=lambda p: loads[p.number])
        loads[peer.number] += 1
        wanted.asked.add(peer.number)
        self._send(wanted, peer, now)
        return True

    def _send(self, wanted: HeaderRange, peer: Peer, now: Instant) -> None:
        wanted.peer = peer.number
        wanted.sent = now.monotonic
        self._owed[peer.number, wanted.tip] = None
        while len(self._owed) > MAX_OWED:
            self._owed.popitem(last=False)
        self._state.send(peer, GetHeaders((wanted.tip,), wanted.end))

    # --- answers ----------------------------------------------------------------------------------

    def take(self, peer: Peer, raw: bytes, now: Instant, *, is_alone: bool = True) -> bool:
        """Take a `headers` message if it answers one of these ranges; tell whether it did.

        With `is_alone` nothing else was asked of the peer, so that headers which lead from
        elsewhere are a refusal.
        """
        before = raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE]
        if (peer.number, before) in self._owed:
            del self._owed[peer.number, before]
            wanted = self._by_tip.get(before)
            if wanted is not None:
                self._extend(wanted, peer, raw, now)
            return True
        is_announcement = 0 < len(raw) // HEADER_SIZE <= MAX_ANNOUNCED
        return is_alone and not is_announcement and self._refused(peer, now)

    def _refused(self, peer: Peer, now: Instant) -> bool:
        """The peer does not know where its oldest range starts: it has another chain, or less."""
        for each in self._open:
            if each.peer == peer.number:
                self._owed.pop((peer.number, each.tip), None)
                self._fail(each, peer, now)
                return True
        return False

    def _fail(self, wanted: HeaderRange, peer: Peer, now: Instant) -> None:
        """Let somebody else begin with this range anew."""
        if wanted.senders <= {peer.number}:
            wanted.failed.add(peer.number)  # else it may be what others sent that leads nowhere
            wanted.failed_at = now.monotonic
        self._restart(wanted)

    def _extend(self, wanted: HeaderRange, peer: Peer, raw: bytes, now: Instant) -> None:
        peer.last_answer = now.monotonic
        count = min(len(raw) // HEADER_SIZE, wanted.missing)
        raw = raw[: count * HEADER_SIZE]
        hashes = self._state.headers.hasher(raw)
        links = b"".join([prev for prev, _, _ in LINK_TIME_BITS.iter_unpack(raw)])
        if links[HASH_SIZE:] != hashes[:-HASH_SIZE]:
            self._blame(wanted, peer, "It sent headers that do not follow one another.")
            return
        del self._by_tip[wanted.tip]
        wanted.raw += raw
        wanted.senders.add(peer.number)
        wanted.tip = hashes[-HASH_SIZE:]
        if not wanted.missing:
            # What follows the end of one range is the beginning of the next.
            if wanted.tip == wanted.end:
                self._open.remove(wanted)
                self._blame_suspects(wanted)
                self._on_done(wanted)
            else:
                self._blame(wanted, peer, WRONG.format(height=wanted.last))
            return
        self._by_tip[wanted.tip] = wanted
        if count < MAX_HEADERS:
            # Its chain ends before the known block: it has another one, or is still loading.
            self._fail(wanted, peer, now)
        else:
            wanted.asked = {peer.number}
            self._send(wanted, peer, now)

    def _blame(self, wanted: HeaderRange, peer: Peer, sentence: str) -> None:
        """Begin anew. Where one peer sent all of it, it sent what no honest node has."""
        others = wanted.senders - {peer.number}
        self._restart(wanted)
        wanted.failed.add(peer.number)
        if not others:
            peer.stalled_until = float("inf")
            self._state.disconnect(peer, sentence, is_fault=True)

    def _blame_suspects(self, whole: HeaderRange) -> None:
        """Now that the truth is known, whoever sent something else is a liar."""
        for number, (length, digest) in whole.suspects.items():
            peer = self._state.peers.get(number)
            if peer is not None and sha256(whole.raw[:length]).digest() != digest:
                self._state.disconnect(peer, WRONG.format(height=whole.last), is_fault=True)

    def _restart(self, wanted: HeaderRange) -> None:
        if self._by_tip.get(wanted.tip) is wanted:
            del self._by_tip[wanted.tip]
        wanted.restart()
        self._by_tip[wanted.tip] = wanted

    # --- changes ----------------------------------------------------------------------------------

    def on_disconnected(self, peer: Peer) -> None:
        """Let others have what this peer was asked for."""
        for owed in [owed for owed in self._owed if owed[0] == peer.number]:
            del self._owed[owed]
        for each in self._open:
            each.asked.discard(peer.number)
            if each.peer == peer.number:
                each.peer = None

    def tick(self, now: Instant) -> None:
        """Take from silent peers what they were asked for, if there is anybody else."""
        peers = self._state.peers
        for each in self._open:
            if each.peer is None:
                continue
            peer = peers.get(each.peer)
            last = each.sent if peer is None else max(each.sent, peer.last_answer)
            if now.monotonic - last < SILENCE:
                continue
            if peer is not None and any(p.is_usable(now) for p in peers.values() if p is not peer):
                peer.stalled_until = now.monotonic + STALL
                each.failed.add(peer.number)
            each.peer = None  # also the only peer is asked again


def claimed_height(peer: Peer) -> int:
    """Tell up to where a peer has the chain by its own word or by what it has shown."""
    return max(peer.version.start_height, peer.shown_height)
