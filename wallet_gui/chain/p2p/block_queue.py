"""Matched blocks: which to fetch, from whom, and those that wait for their turn.

Several are fetched ahead and from several peers, checked away from the loop, and kept until every
wallet that wants them has them. The lowest heights come first, since blocks are delivered in
height order.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.messages import GetData, InventoryType, RawBlock
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError

LOOK_AHEAD: Final = 8
MAX_PER_PEER: Final = 8
MAX_KEPT_BYTES: Final = 40_000_000  # more than LOOK_AHEAD blocks of the largest size
SILENCE: Final = 10.0  # seconds after which another peer is asked
MAX_FORGIVEN: Final = 1000
WITHHELD: Final = (
    "No peer sends block {height}, which may hold a payment of yours. It is asked for again and "
    "again; another peer may help."
)


@dataclass(slots=True)
class _Request:
    height: int
    peer: int
    sent: float


class BlockQueue:
    """Fetches, checks and holds the blocks that filters pointed at."""

    def __init__(self, state: SyncState, watches: Watches) -> None:
        self._state = state
        self._watches = watches
        self._requests: dict[bytes, _Request] = {}
        self._checking: set[bytes] = set()
        self._blocks: OrderedDict[bytes, tuple[Block, int]] = OrderedDict()
        self._forgiven: OrderedDict[bytes, None] = OrderedDict()
        self._shunned: dict[bytes, set[int]] = {}  # who was asked in vain
        self._warned: set[bytes] = set()
        self.received = 0

    def block_at(self, height: int) -> Block | None:
        """Give the block of the active chain at `height` if it is at hand."""
        block_hash = self._state.headers.hash_at(height)
        found = self._blocks.get(block_hash)
        if found is None:
            return None
        self._blocks.move_to_end(block_hash)
        return found[0]

    def wanted(self) -> list[int]:
        """List the lowest heights that wallets wait for, ascending."""
        heights = {h for scan in self._watches.all_scans() for h in scan.pending(LOOK_AHEAD)}
        return sorted(heights)[:LOOK_AHEAD]

    def plan(self, now: Instant) -> None:
        """Ask for blocks that are wanted and neither here nor on their way."""
        headers = self._state.headers
        for height in self.wanted():
            if height > headers.height:
                continue
            block_hash = headers.hash_at(height)
            known = block_hash in self._blocks or block_hash in self._checking
            if known or block_hash in self._requests:
                continue
            peer = self._pick(height, self._shunned.get(block_hash, set()), now)
            if peer is None:
                continue
            request = _Request(height, peer.number, now.monotonic)
            self._requests[block_hash] = request
            self._forgiven.pop(block_hash, None)
            self._state.send(peer, GetData(((InventoryType.WITNESS_BLOCK, block_hash),)))

    def _pick(self, height: int, shunned: set[int], now: Instant) -> Peer | None:
        able = [
            p
            for p in self._state.peers.values()
            if p.serves_blocks
            and p.is_usable(now)
            and p.shown_height >= height
            and self._load(p) < MAX_PER_PEER
        ]
        fresh = [p for p in able if p.number not in shunned]
        return min(fresh or able, key=self._load, default=None)

    def _load(self, peer: Peer) -> int:
        return sum(request.peer == peer.number for request in self._requests.values())

    def on_block(self, peer: Peer, message: RawBlock, now: Instant) -> None:
        """Take a block that a peer sent."""
        block_hash = sha256d(message.header)
        request = self._requests.pop(block_hash, None)
        if request is None:
            known = block_hash in self._forgiven or block_hash in self._blocks
            if not known and block_hash not in self._checking:
                self._state.disconnect(peer, "It sent a block nobody asked for.", is_fault=True)
            return
        peer.last_answer = now.monotonic
        self._checking.add(block_hash)
        self._forgive(block_hash)  # a second copy may be on its way
        segwit_active = request.height >= self._state.params.segwit_height
        raw = message.raw

        def run() -> Block | ParseError:
            try:
                block = Block.parse(raw)
                block.check(segwit_active=segwit_active)
            except ParseError as error:
                return error
            return block

        def done(result: Block | ParseError, now: Instant) -> None:
            self._checking.discard(block_hash)
            if isinstance(result, ParseError):
                self._shunned.setdefault(block_hash, set()).add(peer.number)
                if peer.number in self._state.peers:
                    self._state.disconnect(peer, f"It sent a bad block: {result}", is_fault=True)
                self.plan(now)
                return
            self._shunned.pop(block_hash, None)
            self.received += 1
            self._keep(block_hash, result, len(raw))

        self._state.work(Lane.BLOCKS, run, done)

    def _keep(self, block_hash: bytes, block: Block, size: int) -> None:
        self._blocks[block_hash] = (block, size)
        total = sum(kept for _, kept in self._blocks.values())
        if total <= MAX_KEPT_BYTES:
            return
        headers = self._state.headers
        wanted = {headers.hash_at(h) for h in self.wanted() if h <= headers.height}
        for candidate in [h for h in self._blocks if h not in wanted]:
            if total <= MAX_KEPT_BYTES:
                return
            total -= self._blocks.pop(candidate)[1]

    def _forgive(self, block_hash: bytes) -> None:
        self._forgiven[block_hash] = None
        while len(self._forgiven) > MAX_FORGIVEN:
            self._forgiven.popitem(last=False)

    def rewind(self, height: int) -> None:
        """Stop waiting for blocks that have left the chain."""
        for block_hash, request in list(self._requests.items()):
            if request.height > height:
                del self._requests[block_hash]
                self._forgive(block_hash)

    def on_disconnected(self, peer: Peer) -> None:
        """Ask others for what this peer was asked."""
        for block_hash, request in list(self._requests.items()):
            if request.peer == peer.number:
                del self._requests[block_hash]
                self._forgive(block_hash)

    def tick(self, now: Instant) -> None:
        """Ask another peer, or the only one again, for what does not come."""
        for block_hash, request in list(self._requests.items()):
            peer = self._state.peers.get(request.peer)
            last = request.sent if peer is None else max(request.sent, peer.last_answer)
            if now.monotonic - last >= SILENCE:
                shunned = self._shunned.setdefault(block_hash, set())
                shunned.add(request.peer)
                del self._requests[block_hash]
                self._forgive(block_hash)
                if block_hash not in self._warned and shunned.issuperset(self._state.peers):
                    self._warned.add(block_hash)
                    self._state.emit(BackendWarning(WITHHELD.format(height=request.height)))
