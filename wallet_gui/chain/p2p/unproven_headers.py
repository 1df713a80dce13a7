"""Headers whose chain does not claim enough work yet: checked, held apart, and bounded.

Making headers of low difficulty costs nothing, so a chain is stored, or becomes a side branch, only
when it claims the work that the real chain has at least (Core: `headerssync.cpp`, anti-DoS work
threshold). Until then its headers wait here, of one peer at a time, at most 200,000 of them; a
chain that ends below is dropped, and one that cannot be real names its sender.
"""

from collections.abc import Iterator
from typing import Final

from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.difficulty import (
    HeaderCursor,
    InvalidHeader,
    median_time,
)
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE

MAX_HEADERS_HELD: Final = 200_000  # 16 MB
MAX_BLOCKS_A_SECOND: Final = 6
"""The median of eleven times rises by a second at least every six blocks."""

FRESH_BLOCKS: Final = 144
"""A fork this far behind the tip is taken as a side branch at once."""

MAX_TURN: Final = 60.0  # seconds one peer may take while others wait


def work_wanted(headers: HeaderChain, tip_work: int) -> int:
    """Tell what a chain has to claim to be stored: the minimum, or nearly what the tip has.

    `tip_work` is that of one block at the tip.
    """
    if not headers.has_minimum_work:
        return headers.minimum_work
    return max(headers.minimum_work, headers.chain_work - FRESH_BLOCKS * tip_work)


class UnprovenHeaders:
    """The one chain that is being looked at."""

    def __init__(self) -> None:
        self.owner: int | None = None
        self._cursor: HeaderCursor | None = None
        self._chunks: list[bytes] = []
        self._longest = 0
        self._began = 0.0
        self._count = 0

    @property
    def tip(self) -> BlockRef:
        """The last header held."""
        if self._cursor is None:
            raise ValueError("nothing is held")
        return BlockRef(self._cursor.height, self._cursor.hash)

    @property
    def count(self) -> int:
        """How many headers are held."""
        return self._count

    def is_followed_by(self, owner: int, raw: bytes) -> bool:
        """Whether these headers go on where those of this peer ended."""
        cursor = self._cursor
        return (
            owner == self.owner
            and cursor is not None
            and raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE] == cursor.hash
        )

    def begin(self, owner: int, cursor: HeaderCursor, now: Instant) -> None:
        """Look at what a peer has above a known block."""
        self.drop()
        self.owner = owner
        self._cursor = cursor
        self._began = now.monotonic
        elapsed = None
        if cursor.times:
            elapsed = max(0, now.unix + 7200 - median_time(cursor.times))
        most = MAX_HEADERS_HELD if elapsed is None else MAX_BLOCKS_A_SECOND * elapsed
        self._longest = min(MAX_HEADERS_HELD, most)

    def extend(self, headers: HeaderChain, raw: bytes, now: Instant) -> None:
        """Check and hold headers.

        Raises InvalidHeader for what no honest peer sends: drop everything then.
        """
        cursor = self._cursor
        if cursor is None:
            raise ValueError("nothing was begun")
        cursor.advance(raw, now.unix, headers.hasher)
        self._count += len(raw) // HEADER_SIZE
        if self._count > self._longest:
            raise InvalidHeader(
                f"Its chain goes on for over {self._longest} headers with too little work."
            )
        self._chunks.append(raw)

    @property
    def chain_work(self) -> int:
        """The work of the chain that is held, from the first block on."""
        return 0 if self._cursor is None else self._cursor.chain_work

    def overstays(self, now: Instant) -> bool:
        """Whether it is somebody else's turn, if anybody waits."""
        return self.owner is not None and now.monotonic - self._began >= MAX_TURN

    def release(self) -> Iterator[bytes]:
        """Give the headers away, as they came; nothing is held afterwards."""
        chunks, self._chunks = self._chunks[::-1], []
        self.drop()
        while chunks:
            yield chunks.pop()

    def drop(self) -> None:
        """Hold nothing."""
        self.owner = None
        self._cursor = None
        self._chunks = []
        self._count = 0
