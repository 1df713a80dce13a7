"""Sets of heights as the few spans that they are: a set of single heights costs one step each."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator

Span = tuple[int, int]
"""First and last height, both included."""


def gaps(spans: Iterable[Span], first: int, last: int) -> list[Span]:
    """List what ascending spans leave out between `first` and `last`."""
    found = []
    for start, stop in spans:
        if stop < first:
            continue
        if start > last:
            break
        if start > first:
            found.append((first, start - 1))
        first = stop + 1
    if first <= last:
        found.append((first, last))
    return found


class HeightSpans:
    """A set of heights."""

    def __init__(self) -> None:
        self._spans: list[Span] = []  # ascending, apart from each other

    def __iter__(self) -> Iterator[Span]:
        return iter(self._spans)

    def __contains__(self, height: int) -> bool:
        return self._last_at(height) is not None

    def add(self, first: int, last: int) -> None:
        """Take in the heights `first..last`; nothing if there are none."""
        if first > last:
            return
        apart = []
        for start, stop in self._spans:
            if stop < first - 1 or start > last + 1:
                apart.append((start, stop))
            else:
                first, last = min(first, start), max(last, stop)
        apart.append((first, last))
        self._spans = sorted(apart)

    def discard(self, first: int, last: int) -> None:
        """Leave out the heights `first..last`."""
        kept = []
        for start, stop in self._spans:
            if start < first:
                kept.append((start, min(stop, first - 1)))
            if stop > last:
                kept.append((max(start, last + 1), stop))
        self._spans = sorted(kept) if len(kept) > 1 else kept

    def run_from(self, height: int, last: int) -> tuple[bool, int]:
        """Tell whether `height` is in the set, and up to where, at most `last`, that is so."""
        inside = self._last_at(height)
        if inside is not None:
            return True, min(inside, last)
        position = bisect_right(self._spans, (height, height))
        if position == len(self._spans):
            return False, last
        return False, min(self._spans[position][0] - 1, last)

    def _last_at(self, height: int) -> int | None:
        position = bisect_right(self._spans, height, key=lambda span: span[0]) - 1
        if position < 0 or self._spans[position][1] < height:
            return None
        return self._spans[position][1]
