"""The agreed BIP157 filter headers of the active chain.

A filter header commits to a filter and to all before it: `sha256d(filter_hash + previous)`. What
a peer says about a filter is compared with the header agreed here, height by height.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Final

from wallet_gui.chain.checkpoints import FilterAnchor
from wallet_gui.chain.filter_hashes import header_chain

__all__ = ["FilterAnchor", "FilterHeaderChain", "chain"]

_SIZE: Final = 32
_NOTHING: Final = bytes(_SIZE)


class FilterHeaderChain:
    """Filter headers from `start_height` on, without gaps, in one bytearray."""

    def __init__(self, anchor: FilterAnchor | None = None) -> None:
        """Start at genesis, or above `anchor`."""
        self.start_height = 0 if anchor is None else anchor.height + 1
        self._before = _NOTHING if anchor is None else anchor.filter_header
        self._raw = bytearray()
        self.chainer: Callable[[Sequence[bytes], bytes], list[bytes]] = header_chain
        """Chains filter hashes above a filter header; an engine may do it faster."""

    def load(self, start_height: int, raw: bytes, tip_height: int) -> bool:
        """Take what a store kept, no further than `tip_height`; False when it does not fit."""
        if not raw:
            return True
        if start_height != self.start_height or len(raw) % _SIZE:
            return False
        most = max(0, tip_height + 1 - start_height) * _SIZE
        self._raw = bytearray(raw[:most])
        return len(raw) <= most

    @property
    def height(self) -> int:
        """The highest height with a filter header; `start_height - 1` when there is none."""
        return self.start_height + len(self._raw) // _SIZE - 1

    def header_at(self, height: int) -> bytes:
        """Give the filter header at `height`, or the one before the first; or IndexError."""
        if height == self.start_height - 1:
            return self._before
        if not self.start_height <= height <= self.height:
            raise IndexError(f"there is no filter header at height {height}")
        offset = (height - self.start_height) * _SIZE
        return bytes(self._raw[offset : offset + _SIZE])

    def raw(self, first: int, last: int) -> bytes:
        """Give the filter headers `first..last`, concatenated, as a store takes them."""
        start = (first - self.start_height) * _SIZE
        return bytes(self._raw[start : (last + 1 - self.start_height) * _SIZE])

    def append(self, filter_hashes: Iterable[bytes]) -> None:
        """Chain the hashes of the next filters."""
        self._raw += b"".join(self.chainer(list(filter_hashes), self.header_at(self.height)))

    def prepend(self, raw: bytes, anchor: FilterAnchor | None) -> None:
        """Extend downwards to above `anchor`, or to genesis, by filter headers (32 bytes each).

        Raises ValueError, and changes nothing, unless the last of them is the one known to lie
        before the first.
        """
        start = 0 if anchor is None else anchor.height + 1
        if len(raw) != (self.start_height - start) * _SIZE or raw[-_SIZE:] != self._before:
            raise ValueError("these filter headers do not end below the first one held")
        self._raw[:0] = raw
        self.start_height = start
        self._before = _NOTHING if anchor is None else anchor.filter_header

    def truncate(self, height: int) -> bool:
        """Drop what is above `height`; return whether there was anything."""
        keep = max(0, height + 1 - self.start_height) * _SIZE
        if keep >= len(self._raw):
            return False
        del self._raw[keep:]
        return True

    def differing(self, start: int, filter_hashes: Sequence[bytes]) -> list[int]:
        """List the heights, from `start` on, where a filter with this hash is not the agreed one.

        Each height is judged by itself, against the agreed header before it, so one difference
        does not make all later heights differ.
        """
        agreed = self.raw(start, start + len(filter_hashes) - 1)
        previous = self.header_at(start - 1)
        wrong = []
        for index, filter_hash in enumerate(filter_hashes):
            header = agreed[index * _SIZE : (index + 1) * _SIZE]
            if sha256(sha256(filter_hash + previous).digest()).digest() != header:
                wrong.append(start + index)
            previous = header
        return wrong


def chain(filter_hash: bytes, previous: bytes) -> bytes:
    """Give the filter header of a filter, from its hash and the filter header before it."""
    return sha256(sha256(filter_hash + previous).digest()).digest()
