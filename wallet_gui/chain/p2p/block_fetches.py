"""Single blocks that somebody else needs, by hash: those that the user's pruned node threw away.

No filter pointed at them and no header chain has to hold them: whoever asks knows the hash from a
header chain of its own. A peer that sends a block whose contents do not belong to its header is
hung up on; one that is silent is asked last. No peer is asked for many, since which blocks are
asked for tells something about a wallet.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.p2p.messages import GetData, InventoryType, RawBlock
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError

SILENCE: Final = 8.0  # seconds without a byte after which another peer is asked
LIMIT: Final = 60.0  # and for the block as a whole
MAX_PER_PEER: Final = 2
MAX_FORGIVEN: Final = 100

Taken = Callable[[bytes], None]


@dataclass(slots=True)
class _Fetch:
    ref: BlockRef
    callbacks: list[Taken]
    peer: int | None = None
    sent: float = 0.0
    tried: set[int] = field(default_factory=set)
    is_checking: bool = False


class BlockFetches:
    """Asks for blocks by hash until somebody gives them."""

    def __init__(self, state: SyncState, engine: FilterEngine) -> None:
        self._state = state
        self._engine = engine
        self._fetches: dict[bytes, _Fetch] = {}
        self._asked: Counter[int] = Counter()
        self._forgiven: dict[bytes, None] = {}

    def request(self, ref: BlockRef, callback: Taken) -> None:
        """Fetch a block; `callback` gets its bytes, which belong to the header of that hash."""
        fetch = self._fetches.get(ref.hash)
        if fetch is None:
            self._fetches[ref.hash] = _Fetch(ref, [callback])
        else:
            fetch.callbacks.append(callback)

    def cancel(self, ref: BlockRef, callback: Taken) -> None:
        """Nobody waits there any more."""
        fetch = self._fetches.get(ref.hash)
        if fetch is not None and callback in fetch.callbacks:
            fetch.callbacks.remove(callback)
            if not fetch.callbacks:
                del self._fetches[ref.hash]
                self._forgive(ref.hash)

    def plan(self, now: Instant) -> None:
        """Ask somebody for each block that nobody is asked for."""
        for fetch in self._fetches.values():
            if fetch.peer is not None or fetch.is_checking:
                continue
            peer = self._pick(fetch, now)
            if peer is not None:
                fetch.peer, fetch.sent = peer.number, now.monotonic
                fetch.tried.add(peer.number)
                self._asked[peer.number] += 1
                entry = (InventoryType.WITNESS_BLOCK, fetch.ref.hash)
                self._state.send(peer, GetData((entry,)))

    def _pick(self, fetch: _Fetch, now: Instant) -> Peer | None:
        peers = self._state.peers.values()
        able = self._state.usable(
            (
                p
                for p in peers
                if p.keeps_block(fetch.ref.height, max(p.shown_height, p.version.start_height))
            ),
            now,
        )
        fresh = [p for p in able if p.number not in fetch.tried]
        if able and not fresh:
            fetch.tried.clear()  # everybody had a turn: from the beginning
            fresh = able
        free = [p for p in fresh if self._load(p.number) < MAX_PER_PEER]
        return min(free, key=lambda p: self._asked[p.number], default=None)

    def _load(self, number: int) -> int:
        return sum(fetch.peer == number for fetch in self._fetches.values())

    def on_block(self, peer: Peer, message: RawBlock, now: Instant) -> bool:
        """Take a block; False when it was not asked for here."""
        block_hash = sha256d(message.header)
        fetch = self._fetches.get(block_hash)
        if fetch is None or fetch.is_checking:
            return block_hash in self._forgiven or fetch is not None
        peer.last_answer = now.monotonic
        fetch.peer = None
        fetch.is_checking = True
        raw = bytes(message.raw)
        segwit_active = fetch.ref.height >= self._state.params.segwit_height

        def run() -> ParseError | None:
            try:
                self._engine.scan_block(raw).check(segwit_active=segwit_active)
            except ParseError as error:
                return error
            return None

        def done(error: ParseError | None, now: Instant) -> None:
            fetch.is_checking = False
            if error is not None:
                if peer.number in self._state.peers:
                    self._state.disconnect(peer, f"It sent a bad block: {error}", is_fault=True)
                self.plan(now)
                return
            self._fetches.pop(block_hash, None)
            self._forgive(block_hash)
            for callback in fetch.callbacks:
                callback(raw)

        self._state.work(Lane.BLOCKS, run, done)
        return True

    def _forgive(self, block_hash: bytes) -> None:
        """Let a second copy come without blame."""
        self._forgiven[block_hash] = None
        while len(self._forgiven) > MAX_FORGIVEN:
            del self._forgiven[next(iter(self._forgiven))]

    def on_disconnected(self, peer: Peer) -> None:
        """Ask others for what this peer was asked."""
        self._asked.pop(peer.number, None)
        for fetch in self._fetches.values():
            fetch.tried.discard(peer.number)
            if fetch.peer == peer.number:
                fetch.peer = None

    def tick(self, now: Instant) -> None:
        """Ask another peer for what does not come."""
        for fetch in self._fetches.values():
            peer = None if fetch.peer is None else self._state.peers.get(fetch.peer)
            if peer is None:
                continue
            quiet = now.monotonic - max(fetch.sent, peer.last_answer)
            if quiet >= SILENCE or now.monotonic - fetch.sent >= LIMIT:
                fetch.peer = None
