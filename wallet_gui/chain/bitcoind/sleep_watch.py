"""Notices that the computer has slept. Pure: the clocks' times come in as arguments."""

from typing import Final

SLEPT_SECONDS: Final = 12.0
"""Far more than lies between two looks at the clocks."""


class SleepWatch:
    """Looked at every few seconds.

    While a computer sleeps the monotonic clock stands still on Linux and macOS and goes on on
    Windows; the wall clock goes on everywhere.
    """

    def __init__(self, monotonic: float, wall: float) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def has_slept(self, monotonic: float, wall: float) -> bool:
        """Whether one of the clocks jumped since the last look."""
        jump = max(monotonic - self._monotonic, abs(wall - self._wall))
        self._monotonic, self._wall = monotonic, wall
        return jump > SLEPT_SECONDS
