"""Matched blocks: which to fetch, from whom, and those that wait for their turn.

Several are fetched ahead and from several peers, checked away from the loop, and kept until every
wallet that wants them has them. The lowest heights come first, since blocks are delivered in
height order. Which blocks are asked for tells something about the wallet, so no peer is asked for
more than two fifths of them where there are others, and rather not the one that sent the filter.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain import signet
from wallet_gui.chain.backend import BackendWarning, BlockRef
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.p2p.messages import GetData, InventoryType, RawBlock
from wallet_gui.chain.p2p.sync_state import Instant, Lane, Peer, SyncState
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.primitives.block import MAX_BLOCK_SIZE, Block, ScannedBlock
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError

LOOK_AHEAD_BYTES: Final = 12_000_000
LOOK_AHEAD: Final = 4  # blocks, whatever their size
MAX_LOOK_AHEAD: Final = 32
MAX_PER_PEER: Final = 8
PER_PEER_BYTES: Final = 4_000_000  # up to which a peer may owe more, where blocks are small
MAX_SHARE: Final = 0.4  # of all blocks, for one peer
MAX_KEPT_BYTES: Final = 4_000_000  # of blocks that nobody waits for any more
SILENCE: Final = 10.0  # seconds without a byte after which the only peer is asked again
STALL: Final = 3.0  # and after which another is asked where there is one
DOUBLE: Final = 1.0  # and after which another is asked as well, without blame
STALLED: Final = 30.0  # seconds for which the silent one then is asked last
LIMIT: Final = 30.0  # seconds for a block that has not begun to come
SLOWEST: Final = 100_000  # bytes a second that a block is to come at
REST: Final = 120.0  # seconds in which who kept us waiting is asked for no block others have
MAX_FORGIVEN: Final = 1000
WITHHELD: Final = (
    "Waiting for block {height}, which may hold a payment of yours, from {peers}. "
    "It is asked for again and again; another peer may help."
)
PRUNED_PATIENCE: Final = 10.0
PRUNED: Final = (
    "Block {height}, which may hold a payment of yours, is too old for the connected nodes: they "
    "are pruned and keep only the newest blocks. The wallet goes on when a node that keeps all "
    "blocks is connected."
)

Evidence = Callable[[Block, Instant], None]
"""Takes a block that was asked for as evidence, checked, and the time."""


@dataclass(slots=True)
class _Request:
    height: int
    peer: int
    sent: float
    rival: int | None = None  # who was asked as well
    rival_sent: float = 0.0


class BlockQueue:
    """Fetches, checks and holds the blocks that filters pointed at."""

    def __init__(self, state: SyncState, watches: Watches, engine: FilterEngine) -> None:
        self._state = state
        self._watches = watches
        self._engine = engine
        self._requests: dict[bytes, _Request] = {}
        self._checking: set[bytes] = set()
        self._blocks: OrderedDict[bytes, tuple[ScannedBlock, int]] = OrderedDict()
        self._forgiven: OrderedDict[bytes, None] = OrderedDict()
        self._shunned: dict[bytes, set[int]] = {}  # who was asked in vain
        self._resting: dict[int, float] = {}  # peer that kept us waiting -> until when
        self._warned: set[bytes] = set()
        self._has_told_of_signet = False
        self._only_pruned_since: float | None = None
        self._evidence: dict[int, list[Evidence]] = {}  # height -> who waits for the block
        self._asked: Counter[int] = Counter()  # blocks by peer
        self._asked_before = 0  # blocks of this session, of peers that are gone
        self._last_block: dict[int, float] = {}  # peer -> when it last finished one
        self._stalled: dict[int, float] = {}  # peer -> until when it is asked last
        self._silent: dict[int, float] = {}  # peer -> when somebody else was asked for its blocks
        self._mean_size = 0.0
        self.received = 0
        self.received_bytes = 0

    def block_at(self, height: int) -> ScannedBlock | None:
        """Give the block of the active chain at `height` if it is at hand."""
        block_hash = self._state.headers.hash_at(height)
        found = self._blocks.get(block_hash)
        if found is None:
            return None
        self._blocks.move_to_end(block_hash)
        return found[0]

    def wanted(self) -> list[int]:
        """List the lowest heights that wallets wait for, ascending, and those of evidence."""
        ahead = LOOK_AHEAD
        if self._mean_size:
            ahead = min(max(ahead, int(LOOK_AHEAD_BYTES / self._mean_size)), MAX_LOOK_AHEAD)
        heights = {h for scan in self._watches.block_targets() for h in scan.pending(ahead)}
        return sorted({*sorted(heights)[:ahead], *self._evidence})

    def request_evidence(self, height: int, callback: Evidence) -> None:
        """Fetch the block of the active chain at `height` whatever its filter says.

        `callback` gets it parsed in full and checked against its header. It is not called any more
        when a reorganisation replaces the block; ask again then. Asking twice is no harm.
        """
        waiting = self._evidence.setdefault(height, [])
        if callback not in waiting:
            waiting.append(callback)

    def lacking(self) -> list[BlockRef]:
        """List the wanted blocks that no connected node keeps, though somebody is connected."""
        headers, peers = self._state.headers, list(self._state.peers.values())
        if not any(p.serves_blocks for p in peers):
            return []
        return [
            BlockRef(height, headers.hash_at(height))
            for height in self.wanted()
            if not self._is_at_hand(height)
            and not any(p.keeps_block(height, headers.height) for p in peers)
        ]

    def give(self, ref: BlockRef, raw: bytes) -> None:
        """Take a block that came from elsewhere; it was checked against its header."""
        headers = self._state.headers
        is_active = headers.start_height <= ref.height <= headers.height
        if is_active and headers.hash_at(ref.height) == ref.hash:
            self._state.work(
                Lane.BLOCKS,
                lambda: self._engine.scan_block(raw),
                lambda block, _now: self._keep(ref.hash, block, len(raw)),
            )

    def plan(self, now: Instant) -> None:
        """Ask for blocks that are wanted and neither here nor on their way."""
        headers = self._state.headers
        loads = self._loads()
        silent = self._silent_peers(now)
        most = self._most()
        for height in self.wanted():
            if height > headers.height:
                continue
            block_hash = headers.hash_at(height)
            if block_hash in self._blocks and height in self._evidence:
                self._give_evidence(height, block_hash)
            known = block_hash in self._blocks or block_hash in self._checking
            if known or block_hash in self._requests:
                continue
            if loads.total() >= most * len(self._state.peers):
                continue  # everybody is busy
            peer = self._pick(height, self._shunned.get(block_hash, set()), loads, silent, now)
            if peer is None:
                continue
            loads[peer.number] += 1
            request = _Request(height, peer.number, now.monotonic)
            self._requests[block_hash] = request
            self._asked[peer.number] += 1
            self._forgiven.pop(block_hash, None)
            self._state.send(peer, GetData(((InventoryType.WITNESS_BLOCK, block_hash),)))

        self._double(silent, now)

    def _double(self, silent: set[int], now: Instant) -> None:
        """Ask somebody else as well for what a peer that fell silent owes; the first one wins.

        A line that died is told from a slow one only after a while. Blocks are what everything
        waits for, and few.
        """
        if not silent:
            return
        peers = self._state.peers
        loads = self._loads()
        for block_hash, request in self._requests.items():
            if request.rival is not None or request.peer not in silent:
                continue
            able = [
                p
                for p in peers.values()
                if p.number not in silent
                and p.keeps_block(request.height, self._state.headers.height)
                and p.shown_height >= request.height
                and p.is_usable(now)
                and p.number not in self._shunned.get(block_hash, ())
                and not self._is_stalled(p, now)
                and loads[p.number] < self._most()
            ]
            if able:
                rival = min(able, key=lambda p: (loads[p.number], self._asked[p.number]))
                request.rival, request.rival_sent = rival.number, now.monotonic
                self._silent[request.peer] = now.monotonic
                self._asked[rival.number] += 1
                loads[rival.number] += 1
                self._forgive(block_hash)
                message = GetData(((InventoryType.WITNESS_BLOCK, block_hash),))
                self._state.send(rival, message)

    def _silent_peers(self, now: Instant) -> set[int]:
        """Tell which peers owe a block and say nothing, or have said nothing since they did."""
        oldest: dict[int, float] = {}
        for request in self._requests.values():
            oldest.setdefault(request.peer, request.sent)
            if request.rival is not None:
                oldest.setdefault(request.rival, request.rival_sent)
        silent = set()
        for peer in self._state.peers.values():
            marked = self._silent.get(peer.number)
            if marked is not None and (
                peer.last_answer <= marked <= now.monotonic < marked + STALLED
            ):
                silent.add(peer.number)
            sent = oldest.get(peer.number)
            if sent is not None and (
                now.monotonic - max(sent, peer.last_answer) >= DOUBLE or not peer.is_usable(now)
            ):
                silent.add(peer.number)
        return silent

    def _loads(self) -> Counter[int]:
        """Count what each peer owes."""
        requests = self._requests.values()
        loads = Counter(request.peer for request in requests)
        loads.update(request.rival for request in requests if request.rival is not None)
        return loads

    def _most(self) -> int:
        """Give how many blocks a peer may owe."""
        return max(MAX_PER_PEER, int(PER_PEER_BYTES / self._mean_size) if self._mean_size else 0)

    def _pick(
        self,
        height: int,
        shunned: set[int],
        loads: Counter[int],
        silent: set[int],
        now: Instant,
    ) -> Peer | None:
        serving = [
            p
            for p in self._state.peers.values()
            if p.keeps_block(height, self._state.headers.height) and p.shown_height >= height
        ]
        serving = self._state.usable(serving, now)
        live = [p for p in serving if not self._is_stalled(p, now)] or serving
        live = [p for p in live if p.number not in silent] or live
        fresh = [p for p in live if p.number not in shunned] or live
        # Who is busy is waited for, rather than to ask who has failed or lets us wait each time.
        fresh = [p for p in fresh if self._resting.get(p.number, 0.0) <= now.monotonic] or fresh
        most = self._most()
        able = [p for p in fresh if loads[p.number] < most]
        if len(able) < 2:
            return able[0] if able else None
        server = self._state.filter_sources.get(height)
        able = [p for p in able if p.number != server]
        least = min(self._asked[p.number] for p in able)
        share = MAX_SHARE * (self._asked_before + self._asked.total() + 1)
        fair = [p for p in able if self._asked[p.number] == least]
        fair = [p for p in able if self._asked[p.number] + 1 <= share] or fair
        return min(fair, key=lambda p: (loads[p.number], self._asked[p.number]))

    def is_due_from(self, number: int) -> bool:
        """Whether a peer owes a block."""
        return any(number in {r.peer, r.rival} for r in self._requests.values())

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
        self._last_block[peer.number] = now.monotonic
        self._checking.add(block_hash)
        self._forgive(block_hash)  # a second copy may be on its way
        height = request.height
        segwit_active = height >= self._state.params.segwit_height
        raw = message.raw
        size = len(raw)
        self.received_bytes += size
        self._mean_size = size if not self._mean_size else 0.8 * self._mean_size + 0.2 * size

        engine, params = self._engine, self._state.params
        notes: list[str] = []

        def run() -> ScannedBlock | ParseError:
            try:
                block = engine.scan_block(raw)
                block.check(segwit_active=segwit_active)
                notes.extend(signet.check_or_explain(block, params))
            except ParseError as error:
                return error
            return block

        def done(result: ScannedBlock | ParseError, now: Instant) -> None:
            self._checking.discard(block_hash)
            for note in notes[: not self._has_told_of_signet]:
                self._has_told_of_signet = True
                self._state.emit(BackendWarning(note))
            if isinstance(result, ParseError):
                self._shunned.setdefault(block_hash, set()).add(peer.number)
                if peer.number in self._state.peers:
                    self._state.disconnect(peer, f"It sent a bad block: {result}", is_fault=True)
                if isinstance(result, signet.Unsigned):
                    self._state.refuse_block(block_hash)
                self.plan(now)
                return
            self._shunned.pop(block_hash, None)
            self._resting.pop(peer.number, None)
            self.received += 1
            self._keep(block_hash, result, size)

        self._state.work(Lane.BLOCKS, run, done)

    def _give_evidence(self, height: int, block_hash: bytes) -> None:
        callbacks = self._evidence.pop(height, [])
        block = self._blocks[block_hash][0]

        def run() -> Block:
            return block if isinstance(block, Block) else Block.parse(block.serialize())

        def done(parsed: Block, now: Instant) -> None:
            headers = self._state.headers
            if height <= headers.height and headers.hash_at(height) == block_hash:
                for callback in callbacks:
                    callback(parsed, now)

        self._state.work(Lane.BLOCKS, run, done)

    def _keep(self, block_hash: bytes, block: ScannedBlock, size: int) -> None:
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

    def tolerate(self, block_hash: bytes) -> None:
        """Let a peer send a block in full that it was asked for in another form."""
        if block_hash not in self._requests:
            self._forgive(block_hash)

    def _forgive(self, block_hash: bytes) -> None:
        self._forgiven[block_hash] = None
        while len(self._forgiven) > MAX_FORGIVEN:
            self._forgiven.popitem(last=False)

    def rewind(self, height: int) -> None:
        """Stop waiting for blocks that have left the chain."""
        self._evidence = {h: waiting for h, waiting in self._evidence.items() if h <= height}
        for block_hash, request in list(self._requests.items()):
            if request.height > height:
                del self._requests[block_hash]
                self._forgive(block_hash)

    def on_disconnected(self, peer: Peer) -> None:
        """Ask others for what this peer was asked."""
        self._last_block.pop(peer.number, None)
        self._stalled.pop(peer.number, None)
        self._silent.pop(peer.number, None)
        self._resting.pop(peer.number, None)
        self._asked_before += self._asked.pop(peer.number, 0)
        self._free(peer.number)
        for block_hash in [h for h, peers in self._shunned.items() if peers == {peer.number}]:
            del self._shunned[block_hash]
        for shunned in self._shunned.values():
            shunned.discard(peer.number)

    def _free(self, number: int) -> None:
        """Let others be asked for what a peer owes."""
        for block_hash, request in list(self._requests.items()):
            if request.rival == number:
                request.rival = None
            if request.peer == number and request.rival is not None:
                request.peer, request.sent = request.rival, request.rival_sent
                request.rival = None
            elif request.peer == number:
                del self._requests[block_hash]
                self._forgive(block_hash)

    def _is_stalled(self, peer: Peer, now: Instant) -> bool:
        return now.monotonic < self._stalled.get(peer.number, 0.0)

    def tick(self, now: Instant) -> None:
        """Ask another peer, or the only one again, for what does not come."""
        for block_hash, request in list(self._requests.items()):
            if self._requests.get(block_hash) is not request or not self._is_overdue(request, now):
                continue
            self._stalled[request.peer] = now.monotonic + STALLED
            shunned = self._shunned.setdefault(block_hash, set())
            shunned.add(request.peer)
            self._resting[request.peer] = now.monotonic + REST
            self._free(request.peer)
            tip = self._state.headers.height
            able = {
                p.number for p in self._state.peers.values() if p.keeps_block(request.height, tip)
            }
            if able and block_hash not in self._warned and shunned.issuperset(able):
                self._warned.add(block_hash)
                count = len(able)
                peers = "the only peer" if count == 1 else f"{count} peers"
                self._state.emit(
                    BackendWarning(WITHHELD.format(height=request.height, peers=peers))
                )

        self._notice_pruned(now)

    def _notice_pruned(self, now: Instant) -> None:
        """Say why a block does not come that every connected node has thrown away."""
        peers = [p for p in self._state.peers.values() if p.serves_blocks]
        tip = self._state.headers.height
        missing = next(
            (h for h in self.wanted()[:1] if not any(p.keeps_block(h, tip) for p in peers)), None
        )
        if missing is None or not peers or self._is_at_hand(missing):
            self._only_pruned_since = None
        elif self._only_pruned_since is None:
            self._only_pruned_since = now.monotonic
        elif now.monotonic - self._only_pruned_since >= PRUNED_PATIENCE:
            self._only_pruned_since = float("inf")  # once is enough
            self._state.emit(BackendWarning(PRUNED.format(height=missing)))

    def _is_at_hand(self, height: int) -> bool:
        headers = self._state.headers
        return height > headers.height or headers.hash_at(height) in self._blocks

    def _is_overdue(self, request: _Request, now: Instant) -> bool:
        """Tell whether a block is late: no byte came, or it comes too slowly.

        A block comes in its turn, so the time of each begins when the one before it was complete.
        """
        peer = self._state.peers.get(request.peer)
        if peer is None:
            return True
        others = (p for p in self._state.peers.values() if p.number != peer.number)
        tip = self._state.headers.height
        is_alone = all(
            not p.keeps_block(request.height, tip) or self._is_stalled(p, now) for p in others
        )
        if now.monotonic - max(request.sent, peer.last_answer) >= (SILENCE if is_alone else STALL):
            return True
        limit = LIMIT + (MAX_BLOCK_SIZE / SLOWEST if peer.is_sending_block else 0)
        return now.monotonic - max(request.sent, self._last_block.get(peer.number, 0.0)) >= limit
