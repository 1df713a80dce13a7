"""Block headers from several peers: who is asked when, and what an answer leads to.

One peer at a time leads the download; the others are asked when it is through, so that what they
have on top, or instead, is found without fetching the chain from each. Every announcement of a
block, by header or by inv, leads to `getheaders` where it does not connect by itself.
"""

from collections.abc import Callable
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.header_chain import (
    FutureHeader,
    HeadersAccepted,
    InvalidHeader,
    UnknownParent,
)
from wallet_gui.chain.p2p.messages import MAX_HEADERS, MAX_LOCATOR, GetHeaders, Headers
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState

ANSWER_TIMEOUT: Final = 20.0
CLOCK: Final = (
    "A block is dated more than two hours ahead of this computer's clock. Check the computer's "
    "date and time; if they are right, the peer is wrong."
)
MAX_UNCONNECTED: Final = 10  # Core's MAX_NUM_UNCONNECTING_HEADERS_MSGS


class HeaderSync:
    """Follows the most work that any peer shows."""

    def __init__(self, state: SyncState, on_change: Callable[[HeadersAccepted], None]) -> None:
        """Call `on_change` whenever the active chain changed."""
        self._state = state
        self._on_change = on_change
        self._leader: int | None = None

    @property
    def is_synced(self) -> bool:
        """Whether a connected peer has nothing more to tell."""
        return any(peer.headers_done for peer in self._state.peers.values())

    def plan(self, now: Instant) -> None:
        """Ask whoever has not been asked: one leader first, then all."""
        peers = self._state.peers
        if self._leader is not None and self._leader not in peers:
            self._leader = None
        for peer in peers.values():
            if peer.headers_done or peer.headers_asked is not None or not peer.is_usable(now):
                continue
            if self._leader is None:
                self._leader = peer.number
            if self.is_synced or peer.number == self._leader:
                self.ask(peer, now)

    def ask(self, peer: Peer, now: Instant) -> None:
        """Ask for what comes after our chain; the answer shows our own tip too, if it has it."""
        locator = self._state.headers.locator()
        if len(locator) > 1:
            # From the tip's parent on: an empty answer would not show that the peer has our tip.
            locator = locator[1:]
        self._request(peer, locator, now)

    def on_headers(self, peer: Peer, message: Headers, now: Instant) -> None:
        """Take an answer or an announcement."""
        state = self._state
        was_asked = peer.headers_asked is not None
        peer.headers_asked = None
        if not message.raw:
            self._finish(peer)
            return
        peer.last_answer = now.monotonic
        try:
            accepted = state.headers.accept(message.raw, now.unix)
        except UnknownParent:
            peer.unconnected += 1
            if peer.unconnected > MAX_UNCONNECTED:
                state.disconnect(peer, "Its headers connect to nothing.", is_fault=True)
            else:
                self._request(peer, state.headers.locator(), now)
            return
        except FutureHeader as error:
            # Our clock may be the one that is wrong: no blame, but no use either.
            state.emit(BackendWarning(CLOCK))
            state.disconnect(peer, str(error), is_fault=False)
            return
        except InvalidHeader as error:
            state.disconnect(peer, str(error), is_fault=True)
            return
        peer.unconnected = 0
        peer.shown = accepted.last
        update_shown(state, peer)
        if accepted.first_changed is not None:
            self._on_change(accepted)
        if len(message) == MAX_HEADERS:
            # It may stand on a side branch, so it is named first, before our own chain.
            self._request(peer, [accepted.last.hash, *state.headers.locator()][:MAX_LOCATOR], now)
        elif was_asked:
            self._finish(peer)

    def on_block_announced(self, peer: Peer, block_hash: bytes, now: Instant) -> None:
        """A peer has a block: if it is new to us, ask what leads there."""
        if self._state.headers.height_of(block_hash) is None and peer.headers_asked is None:
            self.ask(peer, now)

    def tick(self, now: Instant) -> None:
        """Find peers that do not answer; another one leads then."""
        for peer in list(self._state.peers.values()):
            asked = peer.headers_asked
            if asked is None or now.monotonic - max(asked, peer.last_answer) < ANSWER_TIMEOUT:
                continue
            if self._leader == peer.number and len(self._state.peers) > 1:
                self._leader = None
                peer.stalled_until = now.monotonic + 3 * ANSWER_TIMEOUT
                peer.headers_asked = None
            else:
                self.ask(peer, now)

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
    if shown.height <= headers.height and headers.hash_at(shown.height) == shown.hash:
        peer.shown_height = max(peer.shown_height, shown.height)
    else:
        peer.shown_height = min(peer.shown_height, headers.height)
