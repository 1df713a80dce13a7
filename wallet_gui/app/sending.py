"""Sending the payments of one wallet, and noting how it went."""

from collections.abc import Callable
from random import Random

from wallet_gui.app.rebroadcast import due_again
from wallet_gui.chain.backend import BroadcastResult, ChainBackend
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.changes import Attempts, Evidence
from wallet_gui.wallet.wallet import Wallet


class Sending:
    """Which payments are being sent at this moment, and when which was."""

    def __init__(self, wallet: Wallet, clock: Callable[[], int], rng: Random) -> None:
        self._wallet = wallet
        self._clock = clock
        self._rng = rng
        self._now: set[bytes] = set()

    async def send(self, backend: ChainBackend, tx: Transaction) -> BroadcastResult:
        """Send a stored payment, with what it builds on; raises ChainError."""
        self._now.add(tx.txid)
        try:
            return await backend.broadcast(tx, self._wallet.graph.unconfirmed_ancestors(tx))
        finally:
            self._now.discard(tx.txid)

    def note(self, result: BroadcastResult) -> None:
        """Note an attempt in the wallet; the change is to be stored."""
        now, tip = self._clock(), self._wallet.tip
        self._wallet.own.note_attempt(
            result.txid,
            Evidence[result.stage.name],
            now=now,
            due=due_again(now, self._rng),
            height=0 if tip is None else tip.height,
        )

    def is_sending(self, txid: bytes) -> bool:
        """Whether a payment is being sent at this moment."""
        return txid in self._now

    def attempts(self, txid: bytes) -> Attempts | None:
        """Tell how often and when a payment of ours was sent; None when never."""
        return self._wallet.own.attempts(txid)
