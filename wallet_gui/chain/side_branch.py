"""A branch that left the active chain, held in case that it gets more work."""

from collections.abc import Callable, Sequence
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

    def trim(self, height: int, hash_at: Callable[[int], bytes]) -> None:
        """Take off the headers that are now on the active chain, which ends at `height`."""
        fork = self.fork_height
        top = min(height, self.cursor.height)
        while fork < top and self.hash_at(fork + 1) == hash_at(fork + 1):
            fork += 1
        del self.raw[: (fork - self.fork_height) * HEADER_SIZE]
        self.fork_height = fork


def split_hashes(hashes: bytes) -> list[bytes]:
    """List hashes (32 bytes each) that lie one after the other."""
    return [hashes[i : i + HASH_SIZE] for i in range(0, len(hashes), HASH_SIZE)]


def bounded(
    branches: Sequence[SideBranch], final_height: int, most: int, most_bytes: int
) -> list[SideBranch]:
    """Keep the branches of most work, so many and so large at most, that may still win."""
    kept = [
        branch
        for branch in branches
        if branch.fork_height >= final_height and 0 < len(branch.raw) <= most_bytes
    ]
    kept.sort(key=lambda branch: branch.cursor.chain_work)
    while len(kept) > most or sum(len(branch.raw) for branch in kept) > most_bytes:
        del kept[0]
    return kept
