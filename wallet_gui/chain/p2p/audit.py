"""Random checks of filters that everybody agrees on.

Where all connected peers tell the same lie, no two of them differ. So one in two hundred of the
newest blocks that were scanned is fetched whole and held against its agreed filter, unforeseeably.
Whoever hides payments from many blocks is found out soon; who hides one is found with that chance.
The checks wait until the wallets are in sync and come one at a time, since they are work.
"""

import random
from collections.abc import Callable
from typing import Final

SHARE: Final = 200  # one in so many
DEPTH: Final = 2016  # blocks below the tip; below that lie packaged filter headers, or years
PAUSE: Final = 2.0  # seconds between two


class Audit:
    """Draws the heights to check. To be told what was scanned, and of reorganisations."""

    def __init__(self, chance: Callable[[], float] | None = None) -> None:
        """Draw from `chance`, which gives numbers from 0 up to 1; from the system by default."""
        self._chance = random.SystemRandom().random if chance is None else chance
        self._drawn_through: int | None = None
        self._seen: dict[str, int] = {}  # wallet -> its first mark of this session
        self._queue: list[int] = []
        self._next = float("-inf")

    def note_scan(self, wallet_id: str, mark: int) -> None:
        """Note where the scan of a wallet begins in this session."""
        if wallet_id not in self._seen:
            self._seen[wallet_id] = mark
            if self._drawn_through is None or mark < self._drawn_through:
                self._drawn_through = mark

    def due(self, scanned_through: int, now: float) -> int | None:
        """Give the height to check now, if any; all up to `scanned_through` has been scanned."""
        drawn = self._drawn_through
        if drawn is None:
            return None
        first = max(drawn, scanned_through - DEPTH) + 1
        share = 1 / SHARE
        self._queue += [h for h in range(first, scanned_through + 1) if self._chance() < share]
        self._drawn_through = max(drawn, scanned_through)
        if not self._queue or now < self._next:
            return None
        self._next = now + PAUSE
        return self._queue.pop(0)

    def rewind(self, height: int) -> None:
        """Draw anew above `height`: the chain, or what its filters are, changed there."""
        self._queue = [h for h in self._queue if h <= height]
        if self._drawn_through is not None:
            self._drawn_through = min(self._drawn_through, height)
