"""How fast peers send filters, and how much to ask of each.

A speed is measured only while something is due from a peer, so that waiting for us does not make
it slow. What is asked for at once covers a few seconds of a peer's speed, within its share of the
common budget of bytes: enough to keep a fast peer busy over a long line, and little enough that a
slow one does not hold up the others at the end.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

ASSUMED_SPEED: Final = 500_000.0  # bytes a second of a peer that has sent nothing yet
MOST_DUE: Final = 8_000_000  # bytes from one peer: 50 MB/s at a round trip of 150 ms
FAST: Final = 10_000_000.0  # bytes a second that are read in large pieces anyway
LEAST_DUE: Final = 128_000
SLOW: Final = 20_000.0  # bytes a second below which a peer counts as stalled
SLOW_AFTER: Final = 10.0  # seconds over which that is judged
QUIET: Final = 0.5  # seconds without a byte after which an answer is to the last request
_INTERVAL: Final = 0.1  # seconds between two measurements
_FIRST_INTERVAL: Final = 0.02  # until the first, from the first bytes on
_WEIGHT: Final = 0.3  # of the newest measurement
_WINDOW: Final = 3.0  # seconds of the speed that is shown
_LEAST_SCALE: Final = 1 / 8


@dataclass(slots=True)
class _Meter:
    """One peer. `busy_since` is None while nothing is due from it."""

    busy_since: float | None = None
    mark: float = 0.0  # when the present measurement began
    count: int = 0  # bytes since then
    speed: float | None = None
    asked: float | None = None  # when something was asked that has not begun to come
    delay: float | None = None  # the least between such a request and the first bytes
    has_failed: bool = False  # it lost its work, and nothing was measured since
    heard: float = float("-inf")  # when bytes came last
    recent: deque[tuple[float, int]] = field(default_factory=deque)


class Throughput:
    """The speeds of all peers, in bytes a second."""

    def __init__(self) -> None:
        self._meters: dict[int, _Meter] = {}
        self._total: deque[tuple[float, int]] = deque()
        self._scale = 1.0
        self._scaled = float("-inf")

    # --- measuring --------------------------------------------------------------------------------

    def asked(self, number: int, now: float) -> None:
        """Note that something is due from a peer."""
        meter = self._meters.setdefault(number, _Meter())
        if meter.busy_since is None:
            # What still comes of what was given up would pass for a quick answer.
            meter.asked = now if now - meter.heard >= QUIET else None
            meter.busy_since = meter.mark = meter.heard = now
            meter.count = 0
            meter.recent.clear()

    def idle(self, number: int) -> None:
        """Note that nothing is due any more."""
        meter = self._meters.get(number)
        if meter is not None:
            meter.busy_since = None

    def received(self, number: int, count: int, now: float) -> None:
        """Note that `count` bytes came from a peer."""
        meter = self._meters.setdefault(number, _Meter(mark=now))
        meter.heard = now
        if meter.asked is not None:
            delay, meter.asked = now - meter.asked, None
            if meter.speed is None and meter.delay is None:
                meter.mark, meter.count = now, -count  # the wait for the first bytes is no speed
            meter.delay = delay if meter.delay is None else min(delay, meter.delay)
        meter.count += count
        _add(meter.recent, count, now, SLOW_AFTER)
        _add(self._total, count, now, _WINDOW)
        seconds = now - meter.mark
        if seconds >= (_FIRST_INTERVAL if meter.speed is None else _INTERVAL):
            speed = meter.count / seconds
            old = meter.speed
            meter.speed = speed if old is None else old + _WEIGHT * (speed - old)
            meter.mark, meter.count = now, 0
            meter.has_failed = False

    def failed(self, number: int) -> None:
        """Note that a peer lost its work: it counts as slow until it shows otherwise."""
        meter = self._meters.get(number)
        if meter is not None:
            meter.speed = SLOW
            meter.has_failed = True

    def forget(self, number: int) -> None:
        """Let a peer go."""
        self._meters.pop(number, None)

    # --- what is known ----------------------------------------------------------------------------

    def speed(self, number: int) -> float:
        """Tell a peer's speed; for a new peer the mean of the others, or a guess."""
        known = self._known(number)
        if known is not None:
            return known
        others = [
            meter.speed
            for meter in self._meters.values()
            if meter.speed is not None and not meter.has_failed
        ]
        return max(sum(others) / len(others), SLOW) if others else ASSUMED_SPEED

    def is_fast(self, number: int) -> bool:
        """Whether small reads come from the end of an answer, not from a slow line."""
        known = self._known(number)
        return known is None or known >= FAST

    def delay(self, number: int) -> float | None:
        """Tell how many seconds a peer's answers take to begin; None before the first."""
        meter = self._meters.get(number)
        return None if meter is None else meter.delay

    def total(self, now: float) -> float:
        """Tell what all peers together sent a second, lately."""
        while self._total and now - self._total[0][0] > _WINDOW:
            self._total.popleft()
        if not self._total:
            return 0.0
        return sum(count for _, count in self._total) / max(now - self._total[0][0], 0.25)

    def silence(self, number: int, now: float) -> float:
        """Tell for how many seconds a peer has sent none of what is due; 0 when nothing is."""
        meter = self._meters.get(number)
        if meter is None or meter.busy_since is None:
            return 0.0
        return now - max(meter.heard, meter.busy_since)

    def is_slow(self, number: int, now: float) -> bool:
        """Tell whether less than 20 KB/s came over ten seconds in which something was due."""
        meter = self._meters.get(number)
        if meter is None or meter.busy_since is None or now - meter.busy_since < SLOW_AFTER:
            return False
        while meter.recent and now - meter.recent[0][0] > SLOW_AFTER:
            meter.recent.popleft()
        return sum(count for _, count in meter.recent) < SLOW * SLOW_AFTER

    def _known(self, number: int) -> float | None:
        meter = self._meters.get(number)
        return None if meter is None else meter.speed

    # --- how much to ask for ----------------------------------------------------------------------

    def most_due(self, number: int, others: list[int], budget: int, seconds: float) -> int:
        """Give how many bytes may be due from a peer at once: what it sends in so many seconds.

        At most it is its share of `budget`, by speed, among `others`.
        """
        mine = self.speed(number)
        everybody = mine + sum(self.speed(other) for other in others if other != number)
        share = budget * mine / max(everybody, 1.0)
        return int(max(min(seconds * mine, share, MOST_DUE), LEAST_DUE) * self._scale)

    def judge(self, numbers: list[int], now: float) -> list[int]:
        """List who is stalled while others are faster; ask for less where everybody is.

        To be called now and then. `numbers` are those of whom something is due. If all are slow it
        is our own line: nobody is blamed, and what is asked for at once is halved.
        """
        slow = [number for number in numbers if self.is_slow(number, now)]
        if slow and len(slow) == len(numbers):
            if now - self._scaled >= SLOW_AFTER:
                self._scale = max(self._scale / 2, _LEAST_SCALE)
                self._scaled = now
            return []
        if numbers and not slow and self._scale < 1 and now - self._scaled >= SLOW_AFTER:
            self._scale = min(2 * self._scale, 1.0)
            self._scaled = now
        return slow


def _add(bins: deque[tuple[float, int]], count: int, now: float, window: float) -> None:
    """Add to a list of (when, bytes) of a limited length, a few a second."""
    if bins and now - bins[-1][0] < _INTERVAL:
        bins[-1] = (bins[-1][0], bins[-1][1] + count)
    else:
        bins.append((now, count))
        while now - bins[0][0] > window:
            bins.popleft()
