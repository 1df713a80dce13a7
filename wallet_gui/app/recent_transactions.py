"""The newest unconfirmed transactions that a source told of, for wallets that are opened later."""

from collections import deque

from wallet_gui.primitives.transaction import Transaction

# Ten thousand ordinary transactions: some twenty minutes of what the network relays. They are held
# as objects, which take about ten times as much.
_RECENT_BYTES = 3_000_000


class RecentTransactions:
    """The newest unconfirmed transactions that peers relayed, up to a number of bytes."""

    def __init__(self, limit: int = _RECENT_BYTES) -> None:
        self._limit = limit
        self._sizes = 0
        self._kept: deque[Transaction] = deque()

    def add(self, tx: Transaction) -> None:
        """Keep one more; the oldest ones make room."""
        self._kept.append(tx)
        self._sizes += tx.total_size
        while self._sizes > self._limit:
            self._sizes -= self._kept.popleft().total_size

    def transactions(self) -> list[Transaction]:
        """List them, the oldest first."""
        return list(self._kept)
