"""How fast a sync is: turns counts into rates, and limits how often a screen is told."""

from collections import deque
from dataclasses import replace
from typing import Final

from wallet_gui.chain.backend import SyncProgress
from wallet_gui.chain.p2p.sync_state import Instant

INTERVAL: Final = 0.1  # seconds between two reports, at least
WINDOW: Final = 3.0  # seconds over which a rate is taken


class ProgressMeter:
    """Remembers the last few seconds."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, int, int]] = deque()  # when, done, bytes
        self._last: SyncProgress | None = None
        self._last_time = float("-inf")

    def is_due(self, now: Instant) -> bool:
        """Whether a report may be made already."""
        return now.monotonic - self._last_time >= INTERVAL

    def measure(self, progress: SyncProgress, received: int, now: Instant) -> SyncProgress | None:
        """Add rates to `progress`; None when nothing is new since the last report.

        `received` is the number of bytes received so far.
        """
        history = self._history
        last = self._last
        if last is not None and last.phase != progress.phase:
            history.clear()
        is_same = last is not None and (last.phase, last.done, last.total) == (
            progress.phase,
            progress.done,
            progress.total,
        )
        if is_same:
            return None
        self._last_time = now.monotonic
        if history and progress.done < history[-1][1]:
            history.clear()  # a second look began
        history.append((now.monotonic, progress.done, received))
        while now.monotonic - history[0][0] > WINDOW and len(history) > 2:
            history.popleft()
        began, done, count = history[0]
        seconds = now.monotonic - began
        if seconds > 0:
            progress = replace(
                progress,
                speed=max(0.0, (progress.done - done) / seconds),
                bytes_per_second=max(0.0, (received - count) / seconds),
            )
        self._last = progress
        return progress
