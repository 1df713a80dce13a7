"""Who has a block, asked by its hash: one header is the answer.

A peer may be asked for filters of a block only when it has shown that block (p2p.md 1.6). While one
peer sends the headers of a long chain the others would have to wait for the end of it; so each is
asked for the newest header alone, with the known block before it as locator, and can serve filters
from then on. An answer that is anything else tells nothing, and is passed over.

Source: Core `net_processing.cpp` (`getheaders` with a stop hash).
"""

from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.p2p.messages import GetHeaders
from wallet_gui.chain.p2p.sync_state import Instant, Peer, SyncState
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE

MAX_ANNOUNCED: Final = 8  # headers that a node announces without being asked (Core)


@dataclass(frozen=True, slots=True)
class _Probe:
    before: bytes
    block: BlockRef
    sent: float


class HeaderProbes:
    """The questions under way, at most one to each peer."""

    def __init__(self, state: SyncState) -> None:
        self._state = state
        self._probes: dict[int, _Probe] = {}
        self._failed: set[int] = set()  # they have another chain, or less of it

    def ask(self, peer: Peer, now: Instant) -> None:
        """Ask a peer for the tip of the active chain, unless it is known or asked already."""
        headers = self._state.headers
        height = headers.height
        is_known = peer.shown_height >= height or peer.headers_asked is not None
        if is_known or peer.number in self._probes or peer.number in self._failed:
            return
        if height <= headers.start_height or peer.version.start_height < height:
            return
        before, block = headers.hash_at(height - 1), headers.hash_at(height)
        self._probes[peer.number] = _Probe(before, BlockRef(height, block), now.monotonic)
        self._state.send(peer, GetHeaders((before,), block))

    def take(self, peer: Peer, raw: bytes) -> bool:
        """Take a `headers` message if it answers a probe; tell whether it did."""
        probe = self._probes.get(peer.number)
        if probe is None:
            return False
        count = len(raw) // HEADER_SIZE
        before = raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE]
        if count == 1 and before == probe.before:
            del self._probes[peer.number]
            if self._state.headers.hasher(raw) == probe.block.hash:
                peer.shown = probe.block
                return True
            self._failed.add(peer.number)  # it has another block there: worth a closer look
            return False
        was_first = peer.headers_asked is None or probe.sent <= peer.headers_asked
        if was_first and not 0 < count <= MAX_ANNOUNCED:
            del self._probes[peer.number]
            self._failed.add(peer.number)
            return True
        return False

    def on_disconnected(self, peer: Peer) -> None:
        """Forget a peer."""
        self._probes.pop(peer.number, None)
        self._failed.discard(peer.number)
