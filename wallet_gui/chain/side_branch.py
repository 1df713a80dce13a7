"""A branch that left the active chain, held in case that it gets more work."""

from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.difficulty import HeaderCursor
from wallet_gui.primitives.block import HEADER_SIZE

HASH_SIZE: Final = 32
PREV_OFFSET: Final = 4  # of prev_blockhash in a header


@dataclass(slots=True)
class SideBranch:
    """A side branch: `raw` holds its headers above the active chain's block at `fork_height`."""

    fork_height: int
    raw: bytearray
    cursor: HeaderCursor  # at its end

    def hash_at(self, height: int) -> bytes:
        if height == self.cursor.height:
            return self.cursor.hash
        offset = (height - self.fork_height) * HEADER_SIZE + PREV_OFFSET
        return bytes(self.raw[offset : offset + HASH_SIZE])

    def height_of(self, block_hash: bytes) -> int | None:
        if block_hash == self.cursor.hash:
            return self.cursor.height
        offset = self.raw.find(block_hash, HEADER_SIZE)
        while offset >= 0:
            index, within = divmod(offset, HEADER_SIZE)
            if within == PREV_OFFSET:
                return self.fork_height + index
            offset = self.raw.find(block_hash, offset + 1)
        return None
