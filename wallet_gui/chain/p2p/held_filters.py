"""Filters at hand: those that wait for the engine, and those that may be matched once more."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from wallet_gui.chain.p2p.filter_match import Batch, join
from wallet_gui.chain.p2p.height_spans import gaps

KEPT_BYTES: Final = 6_000_000  # of filters that were matched
KEPT_BATCHES: Final = 32
HELD_BYTES: Final = 16_000_000  # of filters that wait to be matched though the cache has them
SMALL: Final = 256_000  # bytes of a batch up to which it is joined with the next


class HeldFilters:
    """Batches of filters, ascending by height, not overlapping."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.in_work: set[Batch] = set()
        """What the engine has."""

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)

    def spans(self) -> list[tuple[int, int]]:
        """List the first and the last height of each batch."""
        return [(batch.start, batch.stop) for batch in self.batches]

    def size(self, first: int = 0) -> int:
        """Count the bytes of the batches that reach up to `first` or above."""
        return sum(batch.size for batch in self.batches if batch.stop >= first)

    def take(self, batch: Batch) -> None:
        """Hold filters; of those that two peers were asked for, the first to come."""
        for first, last in gaps(self.spans(), batch.start, batch.stop):
            part = batch.part(first, last)
            index = bisect_left(self.batches, first, key=lambda each: each.start)
            below = self.batches[index - 1] if index else None
            if below is None or below in self.in_work or not below.take(part):
                self.batches.insert(index, part)

    def drop(self, batch: Batch) -> None:
        """Let go of a batch, if it is still held."""
        if batch in self.batches:
            self.batches.remove(batch)

    def rewind(self, height: int) -> None:
        """Keep what was verified up to `height` only.

        Those that were not would be found in the cache, but the outcome of their check is void.
        """
        self.batches = [b for b in self.batches if b.is_verified and b.stop <= height]

    def forget_matched(self, lowest: int) -> None:
        """Keep of what was matched the newest: a window that grows may need it again at once.

        `lowest` is the lowest height that is still to be matched.
        """
        size = count = 0
        for index in range(len(self.batches) - 1, -1, -1):
            batch = self.batches[index]
            if batch.is_verified and batch.stop < lowest:
                size += batch.size
                count += 1
                if size > KEPT_BYTES or count > KEPT_BATCHES:
                    del self.batches[index]

    def forget_waiting(self, lowest: int) -> bool:
        """Keep of what waits, though the cache has it, the lowest; tell whether any was let go."""
        size = 0
        has_dropped = False
        for batch in list(self.batches):
            if batch.stop >= lowest:
                size += batch.size
                is_due = not batch.is_verified or batch.start <= lowest or batch in self.in_work
                if size > HELD_BYTES and not is_due:
                    self.batches.remove(batch)
                    has_dropped = True
        return has_dropped

    def join_small(self) -> None:
        """Make fewer batches of many small ones, as slow peers send them."""
        joined: list[Batch] = []
        for batch in self.batches:
            below = joined[-1] if joined else None
            if (
                below is not None
                and below.is_verified
                and batch.is_verified
                and below.peer == batch.peer
                and below.stop + 1 == batch.start
                and below.size + batch.size <= SMALL
            ):
                joined[-1] = join([below, batch])
            else:
                joined.append(batch)
        self.batches = joined
