"""The active header chain of one network, its side branches, and how it reorganises.

The active chain is one bytearray of 80-byte headers, from genesis or from above an anchor; a hash
is read from the header that follows. Everything costs time linear in what is added.

Sources: Core `validation.cpp`, `chain.cpp` (`LocatorEntries`), `headerssync.cpp`.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Self

from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.block_locator import locator_heights
from wallet_gui.chain.chain_anchor import ChainAnchor, cursor_on_anchor
from wallet_gui.chain.difficulty import (
    EPOCH,
    LINK_TIME_BITS,
    MEDIAN_SPAN,
    FutureHeader,
    Hasher,
    HeaderCursor,
    InvalidHeader,
    median_time,
    work_claimed,
    work_of,
)
from wallet_gui.chain.filter_runs import header_hashes
from wallet_gui.chain.hash_index import HashIndex
from wallet_gui.chain.headers_accepted import HeadersAccepted, UnknownParent
from wallet_gui.chain.known_hashes import KnownHashes
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET, SideBranch, bounded, split_hashes
from wallet_gui.primitives.block import HEADER_SIZE, BlockHeader
from wallet_gui.primitives.params import ChainParams

__all__ = [
    "ChainAnchor",
    "FutureHeader",
    "HeaderChain",
    "HeadersAccepted",
    "InvalidHeader",
    "UnknownParent",
]

MAX_SIDE_BRANCHES: Final = 32
MAX_SIDE_HEADERS: Final = 200_000  # 16 MB
_END_OF_TIME: Final = 1 << 32  # later than any header can say


class HeaderChain:
    """Validates headers and follows the most work; on a tie, what came first.

    `checkpoints` (hash by height) must be met on the way. Nothing reorganises below the anchor or
    below the highest checkpoint that the active chain has passed. `minimum_work` is what the real
    chain is known to have, at least; the network's own constant holds where that is more.
    """

    def __init__(
        self,
        params: ChainParams,
        anchor: ChainAnchor | None = None,
        checkpoints: Mapping[int, bytes] | None = None,
        minimum_work: int = 0,
    ) -> None:
        self.params = params
        self.anchor = anchor
        self.minimum_work = max(params.minimum_chain_work, minimum_work)
        self._known = KnownHashes(checkpoints or {})
        self._side: list[SideBranch] = []
        self._refused: set[bytes] = set()
        self._index = HashIndex()
        self.hasher: Hasher = header_hashes
        if anchor is None:
            self.start_height = 0
            self._raw = bytearray(params.genesis_header)
            bits = LINK_TIME_BITS.unpack(params.genesis_header)[2]
            self._cursor = self._cursor_at(0, params.genesis_hash, work_of(bits))
        else:
            if (anchor.height + 1) % EPOCH:
                raise ValueError("an anchor is the last block of a difficulty epoch")
            self.start_height = anchor.height + 1
            self._raw = bytearray()
            self._cursor = cursor_on_anchor(params, anchor)

    @classmethod
    def load(
        cls,
        params: ChainParams,
        start_height: int,
        raw: bytes,
        *,
        anchor: ChainAnchor | None = None,
        checkpoints: Mapping[int, bytes] | None = None,
        minimum_work: int = 0,
        hasher: Hasher = header_hashes,
    ) -> Self:
        """Rebuild a chain from what a `HeaderStore` kept, without repeating every rule.

        All links and the tip's proof of work are checked, so a damaged store is found out. Raises
        InvalidHeader then, and ValueError when the headers do not start where the chain does.
        """
        chain = cls(params, anchor, checkpoints, minimum_work)
        chain.hasher = hasher
        if not raw:
            return chain
        if start_height != chain.start_height or len(raw) % HEADER_SIZE:
            raise ValueError("the stored headers do not start where this chain does")
        if anchor is None and raw[:HEADER_SIZE] != params.genesis_header:
            raise InvalidHeader("The stored headers belong to another network.")
        previous = bytes(HASH_SIZE) if anchor is None else anchor.hash
        links = [prev for prev, _, _ in LINK_TIME_BITS.iter_unpack(raw)]
        if b"".join(links) != previous + hasher(raw)[:-HASH_SIZE]:
            raise InvalidHeader("The stored headers are damaged: a link is broken.")
        runs = Counter(bits for _, _, bits in LINK_TIME_BITS.iter_unpack(raw))
        chain._raw = bytearray(raw)
        last = start_height + len(raw) // HEADER_SIZE - 1
        if last > 0:
            # What precedes the tip met every rule when it came; the tip meets them again here.
            tip = bytes(raw[-HEADER_SIZE:])
            runs[LINK_TIME_BITS.unpack(tip)[2]] -= 1
            work = sum(work_of(bits) * count for bits, count in runs.items())
            work += 0 if anchor is None else anchor.chain_work
            cursor = chain._cursor_at(last - 1, LINK_TIME_BITS.unpack(tip)[0], work)
            cursor.advance(tip, _END_OF_TIME)
            chain._cursor = cursor
        chain._known.check(start_height - 1, raw, chain._cursor.hash)
        return chain

    # --- reading ----------------------------------------------------------------------------------

    @property
    def height(self) -> int:
        """The tip's height; the anchor's while nothing is above it."""
        return self._cursor.height

    @property
    def tip(self) -> BlockRef:
        return BlockRef(self._cursor.height, self._cursor.hash)

    @property
    def chain_work(self) -> int:
        """The expected number of hashes in the whole active chain, the anchor's included."""
        return self._cursor.chain_work

    @property
    def has_minimum_work(self) -> bool:
        """Whether this can be the real chain: it has the work known at the time of release."""
        return self._cursor.chain_work >= self.minimum_work

    @property
    def final_height(self) -> int:
        """No block at or below this height can be reorganised away."""
        lowest = max(self.start_height - 1, 0)
        return max(lowest, self._known.at_or_below(self.height) or 0)

    @property
    def checkpoints(self) -> Mapping[int, bytes]:
        """The hashes that must be met on the way, by height."""
        return self._known.by_height

    def next_checkpoint(self, height: int) -> tuple[int, bytes] | None:
        """Give the first checkpoint above `height`, and its hash."""
        return self._known.above(height)

    def hash_at(self, height: int) -> bytes:
        """Return the hash of the active block at `height`, the anchor included; or IndexError."""
        cursor = self._cursor
        if height == cursor.height:
            return cursor.hash
        if not self.start_height - 1 <= height < cursor.height or height < 0:
            raise IndexError(f"height {height} is not on the chain held here")
        offset = (height + 1 - self.start_height) * HEADER_SIZE + PREV_OFFSET
        return bytes(self._raw[offset : offset + HASH_SIZE])

    def hashes(self, first: int, last: int) -> list[bytes]:
        """List the hashes of the active heights `first..last`; IndexError outside the chain."""
        if last < first:
            return []
        raw = self.raw_headers(first, last)
        found = [
            raw[offset : offset + HASH_SIZE]
            for offset in range(HEADER_SIZE + PREV_OFFSET, len(raw), HEADER_SIZE)
        ]
        found.append(self.hash_at(last))
        return found

    def raw_headers(self, first: int, last: int) -> bytes:
        """Return the active headers `first..last`, 80 bytes each, as a `HeaderStore` takes them."""
        if not self.start_height <= first <= last + 1 <= self.height + 1:
            raise IndexError(f"heights {first} to {last} are not on the chain held here")
        start = (first - self.start_height) * HEADER_SIZE
        return bytes(self._raw[start : (last + 1 - self.start_height) * HEADER_SIZE])

    def header_at(self, height: int) -> BlockHeader:
        """Return the active header at `height`; IndexError outside what is held."""
        return BlockHeader.parse(self.raw_headers(height, height))

    def height_of(self, block_hash: bytes) -> int | None:
        """Return the height of an active block, None for any other hash."""
        if block_hash == self._cursor.hash:
            return self._cursor.height
        if self.anchor is not None and block_hash == self.anchor.hash:
            return self.anchor.height
        return self._index.find(self, block_hash)

    def fork_height_of(self, block_hash: bytes) -> int | None:
        """Return the height of the last active block that a known block's branch has.

        That is its own height when it is active itself; None when it is not known.
        """
        height = self.height_of(block_hash)
        if height is not None:
            return height
        holding = (b for b in self._side if b.height_of(block_hash) is not None)
        branch = next(holding, None)
        return None if branch is None else branch.fork_height

    def median_time_past(self, height: int) -> int:
        """Return the median time of the last eleven blocks through `height` (BIP113).

        Fewer are taken just above the start, as Core does above genesis.
        """
        first = max(self.start_height, height - MEDIAN_SPAN + 1)
        return median_time(
            [time for _, time, _ in LINK_TIME_BITS.iter_unpack(self.raw_headers(first, height))]
        )

    def height_at_or_before(self, time: int) -> int:
        """Return the highest block whose median time past is `time` or earlier.

        Median times only ascend, so no block above was mined before. Where every block held is
        later, the height below the lowest held is returned (0 at genesis).
        """
        heights = range(self.start_height, self.height + 1)
        count = bisect_right(heights, time, key=self.median_time_past)
        return max(self.start_height - 1 + count, 0)

    def locator(self) -> list[bytes]:
        """List hashes from the tip down: ten one by one, then in doubling steps, then the start."""
        lowest = max(self.start_height - 1, 0)
        return [self.hash_at(height) for height in locator_heights(self.height, lowest)]

    # --- adding -----------------------------------------------------------------------------------

    def accept(
        self, headers: Sequence[BlockHeader] | bytes | bytearray, now: int
    ) -> HeadersAccepted:
        """Add headers that follow one another, as objects or as 80 bytes each.

        Known ones at the front are stepped over. Nothing changes when one breaks a rule
        (InvalidHeader) or the first has no known parent (UnknownParent).
        """
        if isinstance(headers, bytes | bytearray):
            raw = bytes(headers)
        else:
            raw = b"".join(header.serialize() for header in headers)
        if len(raw) % HEADER_SIZE:
            raise ValueError("headers have 80 bytes each")
        # The genesis block has no parent to be found by, and every chain has it.
        raw = raw.removeprefix(self.params.genesis_header)
        if not raw:
            return HeadersAccepted(0, None, None, self.tip, self.tip)
        branch, height = self._locate(raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE])
        branch, height, new = self._step_over_known(branch, height, raw)
        if not new:
            known = self.hash_at(height) if branch is None else branch.hash_at(height)
            return HeadersAccepted(0, None, None, self.tip, BlockRef(height, known))
        if self._refused and not self._refused.isdisjoint(split_hashes(self.hasher(new))):
            raise InvalidHeader("The headers contain a block that is not valid.")
        if branch is None and height == self.height:
            cursor = self._cursor.copy()
            cursor.advance(new, now, self.hasher)
            self._known.check(height, new, cursor.hash)
            self._raw += new
            self._cursor = cursor
            return HeadersAccepted(len(new) // HEADER_SIZE, None, height + 1, self.tip, self.tip)
        return self._accept_aside(branch, height, new, now)

    def refuse(self, block_hash: bytes) -> HeadersAccepted | None:
        """Never follow a block whose header is right, and which itself is not.

        Returns what that changed; None when the block was not on the active chain, or is known
        beforehand and cannot be wrong.
        """
        height = self.height_of(block_hash)
        if height is not None and height <= self.final_height:
            return None
        self._refused.add(block_hash)
        self._side = [b for b in self._side if b.height_of(block_hash) is None]
        if height is None:
            return None
        fork = height - 1
        cursor = self._cursor_at(fork, self.hash_at(fork), self._work_at(fork))
        self._side = [b for b in self._side if b.fork_height <= fork]
        del self._raw[(height - self.start_height) * HEADER_SIZE :]
        self._cursor = cursor
        self._index.forget_above(fork)
        best = max(self._side, key=lambda b: b.cursor.chain_work, default=None)
        if best is not None and best.cursor.chain_work > self.chain_work:
            return self._follow(best)
        return HeadersAccepted(0, fork, fork + 1, self.tip, self.tip)

    def prefer(self, block_hash: bytes) -> HeadersAccepted | None:
        """Follow the side branch that ends with this block, if it has as much work as ours.

        Returns what that changed; None when there is no such branch.
        """
        for branch in self._side:
            is_equal = branch.cursor.chain_work >= self.chain_work
            if is_equal and branch.cursor.hash == block_hash:
                return None if branch.fork_height < self.final_height else self._follow(branch)
        return None

    def claimed_work(self, raw: bytes) -> int:
        """Tell the work of the chain that ends with these headers, as they claim it, unchecked.

        Headers have 80 bytes each and follow one another. UnknownParent when the first does not
        connect, InvalidHeader when the bits are not those of any target.
        """
        raw = raw.removeprefix(self.params.genesis_header)
        if not raw:
            return self.chain_work
        branch, height = self._locate(raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE])
        if branch is None:
            work = self._work_at(height)
        else:
            above = branch.raw[(height - branch.fork_height) * HEADER_SIZE :]
            work = branch.cursor.chain_work - work_claimed(above)
        return work + work_claimed(raw)

    def cursor_on(self, block_hash: bytes) -> HeaderCursor:
        """Stand on a known block, to check headers that are not added; or UnknownParent."""
        branch, height = self._locate(block_hash)
        if branch is not None and height == branch.cursor.height:
            return branch.cursor.copy()
        if branch is None and height == self.height:
            return self._cursor.copy()
        fork = height if branch is None else branch.fork_height
        if fork < self.final_height:
            raise InvalidHeader("The headers leave the chain below its last checkpoint.")
        cursor = self._cursor_at(fork, self.hash_at(fork), self._work_at(fork))
        if branch is not None:
            way = bytes(branch.raw[: (height - fork) * HEADER_SIZE])
            cursor.advance(way, _END_OF_TIME, self.hasher)
        return cursor

    def prepend(self, raw: bytes, anchor: ChainAnchor | None) -> None:
        """Extend downwards to above `anchor`, or to genesis, which is then the first header.

        The last one is the present anchor's. InvalidHeader or ValueError: nothing has changed.
        """
        old = self.anchor
        start = 0 if anchor is None else anchor.height + 1
        if old is None or len(raw) != (self.start_height - start) * HEADER_SIZE or not raw:
            raise ValueError("these headers do not end below the first one held")
        if anchor is None:
            if not raw.startswith(self.params.genesis_header):
                raise InvalidHeader("The headers do not begin with this network's first block.")
            below = type(self)(self.params)._cursor  # noqa: SLF001 (stands on genesis)
            below.advance(raw[HEADER_SIZE:], _END_OF_TIME, self.hasher)
        else:
            below = cursor_on_anchor(self.params, anchor)
            below.advance(raw, _END_OF_TIME, self.hasher)
        if (below.hash, below.chain_work) != (old.hash, old.chain_work):
            raise InvalidHeader(f"Header {old.height} differs from the known one.")
        self._raw[:0] = raw
        self.start_height, self.anchor = start, anchor
        self._index = HashIndex()
        self._cursor = self._cursor_at(self.height, self._cursor.hash, self._cursor.chain_work)

    def _locate(self, block_hash: bytes) -> tuple[SideBranch | None, int]:
        height = self.height_of(block_hash)
        if height is not None:
            return None, height
        for branch in self._side:
            height = branch.height_of(block_hash)
            if height is not None:
                return branch, height
        raise UnknownParent("The headers do not connect to any that are known.")

    def _step_over_known(
        self, branch: SideBranch | None, height: int, raw: bytes
    ) -> tuple[SideBranch | None, int, bytes]:
        for offset in range(0, len(raw), HEADER_SIZE):
            header = raw[offset : offset + HEADER_SIZE]
            if branch is None:
                offset_here = (height + 1 - self.start_height) * HEADER_SIZE
                here = self._raw[offset_here : offset_here + HEADER_SIZE]
            else:
                offset_here = (height - branch.fork_height) * HEADER_SIZE
                here = branch.raw[offset_here : offset_here + HEADER_SIZE]
            if here == header:
                height += 1
                continue
            # Branches that fork from one another each hold their whole way from the active chain.
            fork = height if branch is None else branch.fork_height
            way = b"" if branch is None else bytes(branch.raw[: (height - fork) * HEADER_SIZE])
            for side in self._side:
                if side.fork_height == fork and side.raw.startswith(way + header):
                    branch = side
                    break
            else:
                return branch, height, raw[offset:]
            height += 1
        return branch, height, b""

    def _accept_aside(
        self, branch: SideBranch | None, height: int, new: bytes, now: int
    ) -> HeadersAccepted:
        fork = height if branch is None else branch.fork_height
        if fork < self.final_height:
            raise InvalidHeader("The headers leave the chain below its last checkpoint.")
        grows = branch is not None and height == branch.cursor.height
        if branch is not None and grows:
            cursor, inherited = branch.cursor.copy(), b""
        else:
            cursor = self._cursor_at(fork, self.hash_at(fork), self._work_at(fork))
            way = b"" if branch is None else branch.raw[: (height - fork) * HEADER_SIZE]
            inherited = bytes(way)
            cursor.advance(inherited, _END_OF_TIME, self.hasher)
        cursor.advance(new, now, self.hasher)
        self._known.check(height, new, cursor.hash)
        if branch is not None and grows:
            branch.raw += new  # in place: a long branch is not copied for each message
            branch.cursor = cursor
            self._side.remove(branch)
        else:
            branch = SideBranch(fork, bytearray(inherited) + new, cursor)
        added = len(new) // HEADER_SIZE
        last = BlockRef(cursor.height, cursor.hash)
        if cursor.chain_work > self.chain_work:
            self._reorganise(branch)
            return HeadersAccepted(added, fork, fork + 1, self.tip, last)
        self._side.append(branch)
        self._bound_side_branches()
        return HeadersAccepted(added, None, None, self.tip, last)

    def _follow(self, branch: SideBranch) -> HeadersAccepted:
        fork = branch.fork_height
        self._side.remove(branch)
        self._reorganise(branch)
        return HeadersAccepted(0, fork, fork + 1, self.tip, self.tip)

    def _reorganise(self, candidate: SideBranch) -> None:
        fork = candidate.fork_height
        offset = (fork + 1 - self.start_height) * HEADER_SIZE
        removed = SideBranch(fork, self._raw[offset:], self._cursor)
        del self._raw[offset:]
        self._raw += candidate.raw
        self._cursor = candidate.cursor
        self._index.forget_above(fork)
        for branch in self._side:
            if branch.fork_height > fork:  # it grew out of what was removed
                branch.raw[:0] = removed.raw[: (branch.fork_height - fork) * HEADER_SIZE]
                branch.fork_height = fork
            elif branch.fork_height == fork:
                branch.trim(self.height, self.hash_at)
        self._side.append(removed)
        self._bound_side_branches()

    def _bound_side_branches(self) -> None:
        self._side = bounded(
            self._side, self.final_height, MAX_SIDE_BRANCHES, MAX_SIDE_HEADERS * HEADER_SIZE
        )

    def _work_at(self, height: int) -> int:
        """Return the chain work through an active height, in time linear in its depth."""
        if height == self.height:
            return self.chain_work
        return self.chain_work - work_claimed(self.raw_headers(height + 1, self.height))

    def _cursor_at(self, height: int, block_hash: bytes, chain_work: int) -> HeaderCursor:
        """Stand on an active block: on the anchor, or on a header that is held."""
        if self.anchor is not None and height == self.anchor.height:
            return cursor_on_anchor(self.params, self.anchor)
        offset = (height - height % EPOCH - self.start_height) * HEADER_SIZE
        _, epoch_time, epoch_bits = LINK_TIME_BITS.unpack_from(self._raw, offset)
        end = (height + 1 - self.start_height) * HEADER_SIZE
        tail = self._raw[max(0, end - MEDIAN_SPAN * HEADER_SIZE) : end]
        recent = list(LINK_TIME_BITS.iter_unpack(tail))
        normal_bits = bits = recent[-1][2]
        if self.params.allow_min_difficulty:
            while end - HEADER_SIZE > offset and normal_bits == self.params.pow_limit_bits:
                end -= HEADER_SIZE
                normal_bits = LINK_TIME_BITS.unpack_from(self._raw, end - HEADER_SIZE)[2]
        return HeaderCursor(
            self.params,
            height=height,
            hash=block_hash,
            chain_work=chain_work,
            bits=bits,
            epoch_time=epoch_time,
            epoch_bits=epoch_bits,
            normal_bits=normal_bits,
            times=[time for _, time, _ in recent],
            all_times=self.anchor is None,
        )
