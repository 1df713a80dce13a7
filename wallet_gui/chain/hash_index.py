"""Heights by block hash, at ten to twenty bytes a header.

A dict would cost a hundred: at full chain length that is more than the headers themselves.
"""

from array import array
from typing import Protocol


class HashSource(Protocol):
    """A gapless run of hashes by height."""

    @property
    def height(self) -> int:
        """The highest height, below `start_height` when there is none."""
        ...

    start_height: int

    def hash_at(self, height: int) -> bytes:
        """Give the hash at one height."""
        ...

    def hashes(self, first: int, last: int) -> list[bytes]:
        """Give the hashes of the heights `first..last`."""
        ...


class HashIndex:
    """An open-addressed table of heights that reads the hashes themselves from their source.

    It is filled when it is first asked. A slot whose height has another hash by now is passed
    over, so a reorganisation needs no deletion.
    """

    def __init__(self) -> None:
        self._slots = array("I")
        self._mask = -1
        self._used = 0
        self._next = 0  # the lowest height not entered yet

    def forget_above(self, height: int) -> None:
        """Enter the heights above `height` again: the source has others there."""
        self._next = min(self._next, height + 1)

    def find(self, source: HashSource, block_hash: bytes) -> int | None:
        """Return the height whose hash this is, or None."""
        self._fill(source)
        slots, mask = self._slots, self._mask
        slot = int.from_bytes(block_hash[:8], "little") & mask
        while entry := slots[slot]:
            height = source.start_height + entry - 1
            if height <= source.height and source.hash_at(height) == block_hash:
                return height
            slot = (slot + 1) & mask
        return None

    def _fill(self, source: HashSource) -> None:
        start = source.start_height
        self._next = max(self._next, start)
        if (self._used + source.height + 1 - self._next) * 2 > self._mask:
            size = 1 << max(10, ((source.height + 1 - start) * 3).bit_length())
            self._slots = array("I", bytes(4 * size))
            self._mask = size - 1
            self._used = 0
            self._next = start
        slots, mask = self._slots, self._mask
        entry = self._next - start + 1
        for block_hash in source.hashes(self._next, source.height):
            slot = int.from_bytes(block_hash[:8], "little") & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = entry
            entry += 1
            self._used += 1
        self._next = source.height + 1
