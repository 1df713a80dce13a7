"""How many calls go into one batch, so that its answer passes a tunnel quickly.

Answers of 45 to 125 kB stall by 40 ms in OpenSSH's forwarding; below a few requests in flight, and
above 130 kB, that does not show. What one answer takes is measured as the batches come in.
"""

from typing import Final

TARGET_BYTES: Final = 256 * 1024
MOST_CALLS: Final = 1000
# Bytes of one answer before any was measured; mainnet's filters have 20 kB, twice that in hex.
_FIRST_GUESS: Final = {"getblockhash": 110, "getblockheader": 210, "getblockfilter": 45_000}
_OTHERWISE: Final = 2_000


class BatchSize:
    """The size of the next batch of calls of one method."""

    def __init__(self, method: str) -> None:
        self._bytes_per_call = float(_FIRST_GUESS.get(method, _OTHERWISE))
        self._was_measured = False

    @property
    def calls(self) -> int:
        return max(1, min(MOST_CALLS, int(TARGET_BYTES / self._bytes_per_call)))

    def answered(self, calls: int, length: int) -> None:
        """Take into account that `calls` answers were `length` bytes long."""
        measured = max(1.0, length / max(1, calls))
        weight = 0.5 if self._was_measured else 1.0
        self._bytes_per_call += weight * (measured - self._bytes_per_call)
        self._was_measured = True
