"""Blocks whose hashes are known beforehand, by height: what a chain must meet on its way."""

from bisect import bisect_right
from collections.abc import Mapping
from types import MappingProxyType

from wallet_gui.chain.difficulty import InvalidHeader
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE


class KnownHashes:
    """Hashes (32 bytes, wire order) by height."""

    def __init__(self, hashes: Mapping[int, bytes]) -> None:
        self.by_height = MappingProxyType(dict(sorted(hashes.items())))
        self._heights = list(self.by_height)

    def at_or_below(self, height: int) -> int | None:
        """Give the highest known height at `height` or below."""
        passed = bisect_right(self._heights, height)
        return self._heights[passed - 1] if passed else None

    def above(self, height: int) -> tuple[int, bytes] | None:
        """Give the lowest known height above `height`, with its hash."""
        passed = bisect_right(self._heights, height)
        if passed == len(self._heights):
            return None
        return self._heights[passed], self.by_height[self._heights[passed]]

    def check(self, parent_height: int, raw: bytes, last_hash: bytes) -> None:
        """Compare headers that follow one at `parent_height`; InvalidHeader where one differs.

        `raw` has 80 bytes for each and `last_hash` is that of the last.
        """
        last = parent_height + len(raw) // HEADER_SIZE
        for height in self._heights[bisect_right(self._heights, parent_height) :]:
            if height > last:
                break
            offset = (height - parent_height) * HEADER_SIZE + PREV_OFFSET
            found = last_hash if height == last else raw[offset : offset + HASH_SIZE]
            if found != self.by_height[height]:
                raise InvalidHeader(f"Header {height} differs from the known one.")
