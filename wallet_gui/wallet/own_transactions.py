"""The transactions signed here: the wallet file keeps them until the chain holds them for good.

Until a block holds one it is sent again and again. When is noted in the cache: what would be lost
with that is only that it was tried lately.
"""

from collections.abc import Iterator, Mapping

from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.changes import Attempts, Evidence, OwnTransaction
from wallet_gui.wallet.tx_graph import Standing, TxGraph

BURIED = 100
"""An own transaction this deep in the chain leaves the wallet file: the chain holds it."""


class OwnTransactions:
    """Own transactions by txid. Changes go to `staged` (None for one that left)."""

    def __init__(
        self,
        staged: dict[bytes, OwnTransaction | None],
        stored: Mapping[bytes, OwnTransaction | None],
        graph: TxGraph,
        staged_attempts: dict[bytes, Attempts | None],
        stored_attempts: Mapping[bytes, Attempts | None],
    ) -> None:
        self._staged = staged
        self._staged_attempts = staged_attempts
        self._attempts = {t: tried for t, tried in stored_attempts.items() if tried is not None}
        self._own = {txid: own for txid, own in stored.items() if own is not None}
        self._graph = graph

    def __contains__(self, txid: bytes) -> bool:
        return txid in self._own

    def missing(self) -> Iterator[tuple[Transaction, int]]:
        """List those that the graph lacks, oldest first, each with the time of its making.

        Raises ParseError for one that cannot be read.
        """
        for txid, own in sorted(self._own.items(), key=lambda item: (item[1].created, item[0])):
            if txid not in self._graph:
                yield Transaction.parse(own.raw), own.created

    def add(self, tx: Transaction, now: int) -> None:
        self._own[tx.txid] = self._staged[tx.txid] = OwnTransaction(tx.serialize(), now)

    def drop(self, txid: bytes) -> None:
        """Let go of one, if it is here."""
        if self._own.pop(txid, None) is not None:
            self._staged[txid] = None
        if self._attempts.pop(txid, None) is not None:
            self._staged_attempts[txid] = None

    def attempts(self, txid: bytes) -> Attempts | None:
        """Tell how often and when one was sent; None when never."""
        return self._attempts.get(txid)

    def note_attempt(
        self, txid: bytes, evidence: Evidence, *, now: int, due: int, height: int
    ) -> None:
        """Note that one was sent, with what success, and when it is due again."""
        if txid not in self._own:
            return
        before = self._attempts.get(txid)
        if before is None:
            tried = Attempts(now, now, due, height, 1, evidence)
        else:
            count = before.count + 1
            tried = Attempts(before.first, now, due, before.height, count, evidence)
        self._attempts[txid] = self._staged_attempts[txid] = tried

    def drop_buried(self, tip_height: int) -> None:
        """Let go of those that are buried, or whose rival is."""
        for txid in list(self._own):
            anchor = self._graph.anchor(txid)
            if anchor is None:
                rival = self._graph.replaced_by(txid)
                anchor = None if rival is None else self._graph.anchor(rival)
            if anchor is not None and anchor.height + BURIED <= tip_height:
                self.drop(txid)

    def pending(self) -> list[Transaction]:
        """List those that wait for a block, parents first."""
        waiting = [txid for txid in self._own if self._graph.standing(txid) is Standing.PENDING]
        found = [self._graph.transaction(t) for t in sorted(waiting, key=self._graph.seen_order)]
        return [tx for tx in found if tx is not None]
