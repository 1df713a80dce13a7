"""What a scan still costs: bytes by era of the chain, time by the speed of the last seconds.

The figures for mainnet are averages of what block filters really take; they only feed an estimate
that a person sees before a long scan, never a decision about money.
"""

from collections import deque
from typing import Final

from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.params import MAINNET, ChainParams

# (first height, mean bytes of a basic filter from there on), from published totals: 2.4 GB below
# segwit, 2.63 GB to height 620,831, 8.3 GB to 976,500.
_MAINNET_ERAS: Final = ((0, 50), (100_000, 1_500), (200_000, 8_600), (481_824, 18_900))
_MAINNET_RECENT: Final = (620_832, 23_300)
_ELSEWHERE: Final = 2_000  # bytes, before one filter was seen
_FALSE_MATCHES_PER: Final = 784_931  # BIP158's M: one filter in so many matches a script by chance
_BLOCK_BYTES: Final = {MAINNET.name: 1_700_000}
SPEED_SECONDS: Final = 15.0


def filter_bytes(params: ChainParams, first: int, last: int, mean_size: float) -> int:
    """Estimate the bytes of the filters `first..last`; `mean_size` is what was measured, or 0."""
    if last < first:
        return 0
    if params.name != MAINNET.name:
        return round((last + 1 - first) * (mean_size or _ELSEWHERE))
    eras = [*_MAINNET_ERAS, _MAINNET_RECENT]
    total = 0
    for index, (start, mean) in enumerate(eras):
        stop = eras[index + 1][0] - 1 if index + 1 < len(eras) else last
        total += max(0, min(last, stop) - max(first, start) + 1) * mean
    return total


def block_bytes(params: ChainParams, filters: int, scripts: int, mean_size: float) -> int:
    """Estimate the bytes of blocks that match by chance alone."""
    return filters * scripts * mean_block_bytes(params, mean_size) // _FALSE_MATCHES_PER


def mean_block_bytes(params: ChainParams, mean_size: float) -> int:
    """Estimate the bytes of a block, from those of a filter where nothing else is known."""
    return _BLOCK_BYTES.get(params.name, round(15 * (mean_size or _ELSEWHERE)))


class Speed:
    """Bytes a second over the last `SPEED_SECONDS`, from a counter that only rises."""

    def __init__(self) -> None:
        self._history: deque[tuple[float, int]] = deque()

    def note(self, received: int, now: Instant) -> None:
        """Take the counter's value of this moment."""
        history = self._history
        if history and now.monotonic - history[-1][0] < 1.0:
            return
        history.append((now.monotonic, received))
        while now.monotonic - history[0][0] > SPEED_SECONDS and len(history) > 2:
            history.popleft()

    def restart(self) -> None:
        """Forget what was measured: nothing was asked for meanwhile."""
        self._history.clear()

    def seconds_for(self, count: int) -> int | None:
        """Estimate the time that `count` bytes take; None while nothing came in."""
        if len(self._history) < 2:
            return None
        (began, first), (ended, last) = self._history[0], self._history[-1]
        if last <= first or ended <= began:
            return None
        return round(count * (ended - began) / (last - first))
