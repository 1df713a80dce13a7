"""How fast each peer serves filters and blocks, from what its connection receives."""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 10.0
GAP: Final = 2.0  # it does not serve any more when nothing came for so long
SMOOTHING: Final = 0.3


@dataclass(slots=True)
class _Meter:
    received: int = 0
    began: float = 0.0  # of the present stretch of serving
    last: float = float("-inf")
    samples: deque[tuple[float, int]] = field(default_factory=deque)
    average: float = 0.0


class Speeds:
    """Bytes per second of bulk data; what trickles in while a peer is idle does not count."""

    def __init__(self) -> None:
        self._meters: dict[int, _Meter] = {}

    def note(self, peer: int, received: int, now: float, *, is_bulk: bool) -> None:
        """Note how many bytes a connection has received, and whether the last were bulk data."""
        meter = self._meters.setdefault(peer, _Meter())
        count, meter.received = received - meter.received, received
        if not is_bulk:
            return
        if now - meter.last > GAP:
            meter.began = now
            meter.samples.clear()
        meter.last = now
        meter.samples.append((now, count))
        while meter.samples[0][0] < now - WINDOW:
            meter.samples.popleft()
        if now - meter.began >= 1.0:
            speed = self._over_window(meter, now)
            weight = SMOOTHING if meter.average else 1.0
            meter.average += weight * (speed - meter.average)

    def forget(self, peer: int) -> None:
        """Let a peer go."""
        self._meters.pop(peer, None)

    def average(self, peer: int) -> float:
        """Give the moving average of a peer's speed in bytes/s; 0 while it served too little."""
        meter = self._meters.get(peer)
        return 0.0 if meter is None else meter.average

    def sustained(self, peer: int, now: float) -> float | None:
        """Give the speed over the last ten seconds; None when it did not serve all the time."""
        meter = self._meters.get(peer)
        if meter is None or now - meter.last > GAP or now - meter.began < WINDOW:
            return None
        return self._over_window(meter, now)

    @staticmethod
    def _over_window(meter: _Meter, now: float) -> float:
        start = max(meter.began, now - WINDOW)
        total = sum(count for when, count in meter.samples if when > start)
        return total / max(now - start, 0.001)
