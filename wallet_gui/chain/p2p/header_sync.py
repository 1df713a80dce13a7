"""Block headers from several peers: who is asked when, and what an answer leads to.

Up to the last known checkpoint headers come in ranges from all peers at once (`header_ranges`).
Above it one peer at a time leads; the others are asked when it is through, so that what they have
on top, or instead, is found without fetching the chain from each. Meanwhile they only show that
they have the same blocks (`header_probes`), and begin to serve filters. Every announcement of a
block, by header or by inv, leads to `getheaders` where it does not connect by itself. What claims
too little work to be the real chain waits apart (`unproven_headers`).
"""

from collections.abc import Callable
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.difficulty import work_of
from wallet_gui.chain.header_chain import (
    FutureHeader,
    HeadersAccepted,
    InvalidHeader,
    UnknownParent,
)
from wallet_gui.chain.p2p.header_probes import HeaderProbes
from wallet_gui.chain.p2p.header_ranges import HeaderRange, HeaderRanges
from wallet_gui.chain.p2p.messages import MAX_HEADERS, MAX_LOCATOR, GetHeaders, Headers
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState
from wallet_gui.chain.p2p.unproven_headers import UnprovenHeaders, work_wanted
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE

ANSWER_TIMEOUT: Final = 20.0
PATIENCE: Final = 3.0  # seconds of silence after which somebody else leads, if there is anybody
CLOCK: Final = (
    "A block is dated more than two hours ahead of this computer's clock. Check the computer's "
    "date and time; if they are right, the peer is wrong."
)
FAST_ANSWER: Final = 0.05  # seconds for a full answer of a node that is near
MAX_UNCONNECTED: Final = 10  # Core's MAX_NUM_UNCONNECTING_HEADERS_MSGS
BEHIND: Final = 10  # blocks; a peer that far behind is no judge of the tip
ASK_AGAIN: Final = 30.0  # seconds until a peer that is behind, or has too little work, is asked


class HeaderSync:
    """Follows the most work that any peer shows."""

    def __init__(self, state: SyncState, on_change: Callable[[HeadersAccepted], None]) -> None:
        """Call `on_change` whenever the active chain changed."""
        self._state = state
        self._on_change = on_change
        self._leader: int | None = None
        self._unproven = UnprovenHeaders()
        self._ranges = HeaderRanges(state, self._on_range)
        self._probes = HeaderProbes(state)
        self._asked_ahead: dict[int, bytes] = {}  # peer -> the hash after which it was asked
        self._whole: dict[int, HeaderRange] = {}  # ranges that wait for those below, by `first`
        self._queued = -1  # the highest checkpoint that a range was added for

    @property
    def is_synced(self) -> bool:
        """Whether a connected peer has nothing more to tell, and the chain can be the real one."""
        return self._state.headers.has_minimum_work and any(
            peer.headers_done for peer in self._state.peers.values()
        )

    def plan(self, now: Instant) -> None:
        """Ask whoever has not been asked: in ranges first, then one leader, then all."""
        peers = self._state.peers
        if self._leader is not None and self._leader not in peers:
            self._leader = None
        if self._plan_ranges(now):
            return
        for peer in peers.values():
            if peer.headers_done or peer.headers_asked is not None or not peer.is_usable(now):
                continue
            if self._leader is None:
                self._leader = peer.number
            if self.is_synced or peer.number == self._leader:
                self.ask(peer, now)
            elif self._state.headers.has_minimum_work:
                self._probes.ask(peer, now)

    def ask(self, peer: Peer, now: Instant) -> None:
        """Ask for what comes after our chain; the answer shows our own tip too, if it has it."""
        locator = self._state.headers.locator()
        if len(locator) > 1:
            # From the tip's parent on: an empty answer would not show that the peer has our tip.
            locator = locator[1:]
        self._request(peer, locator, now)

    # --- ranges up to the last checkpoint ---------------------------------------------------------

    def _plan_ranges(self, now: Instant) -> bool:
        """Keep ranges on their way; tell whether there are checkpoints ahead."""
        headers = self._state.headers
        if headers.next_checkpoint(headers.height) is None and self._ranges.is_idle:
            return False
        base = max(self._queued, headers.final_height)
        before = headers.hash_at(base) if base <= headers.height else headers.checkpoints[base]
        self._ranges.held = len(self._whole)
        for _ in range(self._ranges.room):
            following = headers.next_checkpoint(base)
            if following is None:
                break
            height, block_hash = following
            self._ranges.add(HeaderRange(base + 1, height, before, block_hash))
            base, before = height, block_hash
        self._queued = base
        self._ranges.plan(now)
        return True

    def _on_range(self, whole: HeaderRange) -> None:
        self._whole[whole.first] = whole

    def _use_ranges(self, now: Instant) -> None:
        """Add to the chain what lies next; all of it is vouched for by a known hash."""
        state = self._state
        while (ready := self._whole.pop(state.headers.final_height + 1, None)) is not None:
            try:
                accepted = state.headers.accept(ready.raw, now.unix)
            except FutureHeader as error:
                # The hash is known, so it is our clock that is wrong.
                state.emit(BackendWarning(CLOCK))
                for number in ready.senders & state.peers.keys():
                    state.disconnect(state.peers[number], str(error), is_fault=False)
                self._whole.clear()
                self._ranges.clear()
                self._queued = -1
                return
            if accepted.first_changed is not None:
                self._on_change(accepted)

    # --- answers and announcements ----------------------------------------------------------------

    def ask_ahead(self, peer: Peer, message: Headers, now: Instant) -> None:
        """Ask for what follows a full answer before that is looked at: most often it is right.

        So the line is not idle meanwhile.
        """
        if peer.headers_asked is None or len(message) != MAX_HEADERS or not self._ranges.is_idle:
            return
        self._state.headers_come_fast = now.monotonic - peer.headers_asked < FAST_ANSWER
        headers, raw = self._state.headers, message.raw
        before = raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE]
        known = headers.hash_at(headers.height) if peer.shown is None else peer.shown.hash
        if before == known:
            last = headers.hasher(raw[-HEADER_SIZE:])
            self._asked_ahead[peer.number] = last
            self._request(peer, [last, *headers.locator()][:MAX_LOCATOR], now)

    def on_headers(self, peer: Peer, message: Headers, now: Instant) -> None:
        """Take an answer or an announcement."""
        if not self._ranges.is_idle:
            if self._ranges.take(peer, message.raw, now):
                self._use_ranges(now)
                return
            if peer.headers_asked is None:
                return  # an announcement far above what is known so far
        if self._probes.take(peer, message.raw):
            peer.last_answer = now.monotonic
            update_shown(self._state, peer)
        else:
            self._on_more(peer, message, now)
            self._asked_ahead.pop(peer.number, None)  # what comes then is no answer any more

    def _on_more(self, peer: Peer, message: Headers, now: Instant) -> None:
        """Take what leads on from our chain, or beside it."""
        was_asked = peer.headers_asked is not None
        peer.headers_asked = None
        if not message.raw:
            self._on_nothing(peer, now)
            return
        peer.last_answer = now.monotonic
        try:
            done = self._take(peer, message, now)
        except UnknownParent:
            self._drop_unproven(peer)
            peer.unconnected += 1
            if peer.unconnected > MAX_UNCONNECTED:
                self._state.disconnect(peer, "Its headers connect to nothing.", is_fault=True)
            else:
                self._request(peer, self._state.headers.locator(), now)
            return
        except FutureHeader as error:
            # Our clock may be the one that is wrong: no blame, but no use either.
            self._drop_unproven(peer)
            self._state.emit(BackendWarning(CLOCK))
            self._state.disconnect(peer, str(error), is_fault=False)
            return
        except InvalidHeader as error:
            self._drop_unproven(peer)
            self._state.disconnect(peer, str(error), is_fault=True)
            return
        peer.unconnected = 0
        update_shown(self._state, peer)
        if done and was_asked:
            self._finish(peer)

    def _take(self, peer: Peer, message: Headers, now: Instant) -> bool:
        """Add headers, or hold them apart; tell whether the peer has no more of them."""
        state = self._state
        headers, raw = state.headers, message.raw
        is_full = len(message) == MAX_HEADERS
        unproven = self._unproven
        wanted = work_wanted(headers, work_of(self._tip_bits()))
        if not unproven.is_followed_by(peer.number, raw):
            last = headers.hasher(raw[-HEADER_SIZE:])
            if headers.height_of(last) is not None or headers.claimed_work(raw) >= wanted:
                self._drop_unproven(peer)
                self._accept(peer, raw, now)
                if is_full:
                    self._go_on(peer, now)
                return not is_full
            if unproven.owner not in {None, peer.number}:
                # One at a time; it is asked again later.
                peer.stalled_until = now.monotonic + ASK_AGAIN
                return False
            unproven.begin(peer.number, headers.cursor_on(raw[4:36]), now)
        unproven.extend(headers, raw, now)
        if unproven.chain_work >= wanted:
            for chunk in unproven.release():
                self._accept(peer, chunk, now)
        else:
            peer.shown = unproven.tip
            if not is_full:
                unproven.drop()
                return self._is_too_weak(peer, now)
        if is_full:
            self._go_on(peer, now)
        return not is_full

    def _tip_bits(self) -> int:
        headers = self._state.headers
        if headers.height < headers.start_height:
            return headers.params.pow_limit_bits
        return headers.header_at(headers.height).bits

    def _accept(self, peer: Peer, raw: bytes, now: Instant) -> None:
        accepted = self._state.headers.accept(raw, now.unix)
        peer.shown = accepted.last
        if accepted.first_changed is not None:
            self._on_change(accepted)

    def _go_on(self, peer: Peer, now: Instant) -> None:
        # It may stand on a side branch, so it is named first, before our own chain.
        last = [] if peer.shown is None else [peer.shown.hash]
        if last and self._asked_ahead.pop(peer.number, None) == last[0]:
            peer.headers_asked = now.monotonic
            return
        self._request(peer, [*last, *self._state.headers.locator()][:MAX_LOCATOR], now)

    def _is_too_weak(self, peer: Peer, now: Instant) -> bool:
        """A chain that ended with too little work: beside ours a dead branch, alone no chain."""
        if self._state.headers.has_minimum_work:
            return True
        peer.stalled_until = now.monotonic + ASK_AGAIN
        if self._leader == peer.number:
            self._leader = None
        return False

    def _on_nothing(self, peer: Peer, now: Instant) -> None:
        """An empty answer: our tip is the peer's, or the peer knows less than we do.

        Core also says nothing while its own chain has too little work; that is no tip to agree on.
        """
        headers = self._state.headers
        is_behind = max(peer.version.start_height, peer.shown_height) < headers.height - BEHIND
        if is_behind or not headers.has_minimum_work:
            peer.stalled_until = now.monotonic + ASK_AGAIN
            if self._leader == peer.number:
                self._leader = None
            return
        self._finish(peer)

    def _drop_unproven(self, peer: Peer) -> None:
        if self._unproven.owner == peer.number:
            self._unproven.drop()

    def on_block_announced(self, peer: Peer, block_hash: bytes, now: Instant) -> None:
        """A peer has a block: if it is new to us, ask what leads there."""
        if not self._ranges.is_idle:
            return
        if self._state.headers.height_of(block_hash) is None and peer.headers_asked is None:
            self.ask(peer, now)

    def on_disconnected(self, peer: Peer) -> None:
        """Let others have what this peer was asked for."""
        self._ranges.on_disconnected(peer)
        self._probes.on_disconnected(peer)
        self._drop_unproven(peer)

    def tick(self, now: Instant) -> None:
        """Find peers that do not answer; another one leads then."""
        self._ranges.tick(now)
        for peer in list(self._state.peers.values()):
            asked = peer.headers_asked
            if asked is None:
                continue
            silence = now.monotonic - max(asked, peer.last_answer)
            if silence >= PATIENCE and self._leader == peer.number:
                self._leader = None  # it may still answer
            if silence < ANSWER_TIMEOUT:
                continue
            self.ask(peer, now)
        self._leave_lonely_tip()
        owner = self._state.peers.get(self._unproven.owner or -1)
        others = len(self._state.peers) > 1
        if owner is not None and others and self._unproven.overstays(now):
            self._unproven.drop()
            self._pass_on(owner, now)

    def _leave_lonely_tip(self) -> None:
        """Of branches with the same work take one that somebody has.

        Who told ours, which came first, may be gone, and nobody left has its last blocks.
        """
        headers, peers = self._state.headers, self._state.peers.values()
        if any(peer.shown_height >= headers.height for peer in peers):
            return
        for peer in peers:
            changed = None if peer.shown is None else headers.prefer(peer.shown.hash)
            if changed is not None:
                self._on_change(changed)
                return

    def _pass_on(self, peer: Peer, now: Instant) -> None:
        if self._leader == peer.number:
            self._leader = None
        peer.stalled_until = now.monotonic + 3 * ANSWER_TIMEOUT
        peer.headers_asked = None

    def _request(self, peer: Peer, locator: list[bytes], now: Instant) -> None:
        peer.headers_asked = now.monotonic
        self._state.send(peer, GetHeaders(tuple(locator)))

    def _finish(self, peer: Peer) -> None:
        peer.headers_done = True
        if self._leader == peer.number:
            self._leader = None


def update_shown(state: SyncState, peer: Peer) -> None:
    """Work out how far up the active chain the peer is known to have it."""
    shown = peer.shown
    if shown is None:
        return
    headers = state.headers
    is_held = headers.start_height - 1 <= shown.height <= headers.height
    if is_held and headers.hash_at(shown.height) == shown.hash:
        peer.shown_height = max(peer.shown_height, shown.height)
        return
    fork = headers.fork_height_of(shown.hash)  # who has a branch has what it stands on
    known = peer.shown_height if fork is None else max(peer.shown_height, fork)
    peer.shown_height = min(known, headers.height)
