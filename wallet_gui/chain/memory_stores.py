"""Chain stores that live as long as the process: for a second look at the chain, kept nowhere."""

from collections.abc import Sequence

from wallet_gui.chain.backend import StoredFilters


class Rows:
    """Equal rows from some height on without gaps: headers (80 bytes) or filter headers (32)."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._start = 0
        self._raw = bytearray()

    def load(self) -> tuple[int, bytes]:
        """Give the height of the first row and all rows."""
        return self._start, bytes(self._raw)

    def append(self, height: int, raw: bytes) -> None:
        """Add rows above; ValueError when there would be a gap."""
        if not self._raw:
            self._start = height
        if height != self._start + len(self._raw) // self._size:
            raise ValueError("rows would not be consecutive")
        self._raw += raw

    def prepend(self, height: int, raw: bytes) -> None:
        """Add rows below; ValueError when there would be a gap."""
        if self._raw and height + len(raw) // self._size != self._start:
            raise ValueError("rows would not be consecutive")
        self._start = height
        self._raw[:0] = raw

    def truncate(self, height: int) -> None:
        """Drop every row above `height`."""
        kept = max(height + 1 - self._start, 0) * self._size
        del self._raw[kept:]


class NoFilters:
    """A filter cache that remembers nothing."""

    def get_runs(self, height: int, hashes: bytes) -> list[StoredFilters]:
        """Give nothing."""
        del height, hashes
        return []

    def put_runs(self, runs: Sequence[StoredFilters]) -> None:
        """Keep nothing."""


class MemoryStores:
    """The stores of one network, in memory."""

    def __init__(self) -> None:
        self._headers = Rows(80)
        self._filter_headers = Rows(32)
        self._filters = NoFilters()

    @property
    def headers(self) -> Rows:
        """Block headers."""
        return self._headers

    @property
    def filter_headers(self) -> Rows:
        """Filter headers."""
        return self._filter_headers

    @property
    def filters(self) -> NoFilters:
        """Nothing."""
        return self._filters
