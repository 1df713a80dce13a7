"""How long to wait before the next attempt: longer each time, never two programs in step. Pure."""

import random
from typing import Final

FIRST: Final = 0.5
LAST: Final = 30.0


class RetryDelay:
    """0.5 s, doubled with each failure up to `last`, and up to a quarter more by chance."""

    def __init__(self, rng: random.Random, *, first: float = FIRST, last: float = LAST) -> None:
        self._rng = rng
        self._first = first
        self._last = last
        self._failures = 0

    def next(self) -> float:
        """Return the seconds to wait after one more failure."""
        delay = min(self._last, self._first * 2.0**self._failures)
        if delay < self._last:  # does not grow for ever
            self._failures += 1
        return min(self._last, delay * (1 + self._rng.random() / 4))

    def reset(self) -> None:
        """Begin anew: something worked."""
        self._failures = 0
