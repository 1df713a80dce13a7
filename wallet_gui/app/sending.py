"""Sending the payments of one wallet, and noting how it went.

A payment that nodes had in their memory pool, and that nobody has any more after a new block, is
probably in that block. When the wallet did not see it there, then somebody hides it: the filter
that all connected peers tell may be a lie (BIP157 cannot exclude that). So the blocks since it was
last seen are read in full, a few of them: a payment may also leave a pool because it is old or
pays little, and then nothing but some download was lost.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from wallet_gui.app.rebroadcast import due_again
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage, ChainBackend
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.changes import Attempts, Evidence
from wallet_gui.wallet.wallet import Wallet

MAX_SUSPECTS: Final = 6
"""Blocks that are read in full for one payment, in one run of the program."""

_SEEN_STAGES: Final = frozenset({BroadcastStage.ECHOED, BroadcastStage.SPREAD})
_SEEN: Final = frozenset({Evidence.ECHOED, Evidence.SPREAD})


class Sending:
    """Which payments are being sent at this moment, and when which was."""

    def __init__(self, wallet: Wallet, clock: Callable[[], int], rng: Random) -> None:
        self._wallet = wallet
        self._clock = clock
        self._rng = rng
        self._now: set[bytes] = set()
        self._seen: dict[bytes, int | None] = {}  # txid -> height of the tip when nodes had it last
        self._suspected: dict[bytes, set[int]] = {}  # txid -> heights that were read for it

    async def send(self, backend: ChainBackend, tx: Transaction) -> BroadcastResult:
        """Send a stored payment, with what it builds on; raises ChainError."""
        before = self._tip_height
        self._forget_settled()
        self._now.add(tx.txid)
        try:
            result = await backend.broadcast(tx, self._wallet.graph.unconfirmed_ancestors(tx))
        finally:
            self._now.discard(tx.txid)
        if result.was_missing:
            self._suspect(backend, tx.txid)
        if result.stage in _SEEN_STAGES:
            self._seen[tx.txid] = before  # a block that came meanwhile may hold it
        return result

    def _forget_settled(self) -> None:
        """Remember nothing of payments that a block holds."""
        anchor = self._wallet.graph.anchor
        self._seen = {t: height for t, height in self._seen.items() if anchor(t) is None}
        self._suspected = {t: done for t, done in self._suspected.items() if anchor(t) is None}

    @property
    def _tip_height(self) -> int:
        tip = self._wallet.tip
        return 0 if tip is None else tip.height

    def _suspect(self, backend: ChainBackend, txid: bytes) -> None:
        """Have the blocks read that may hold a payment which no memory pool holds any more."""
        tried = self.attempts(txid)
        if tried is None or self._wallet.graph.anchor(txid) is not None or not backend.is_synced():
            return
        known = tried.height if tried.evidence in _SEEN else None
        seen = self._seen.get(txid, known)
        self._seen[txid] = None  # where it is not seen again, later blocks are above suspicion
        if seen is None:
            return
        # Nodes also give away what the newest block holds, so it may have been in that one already;
        # but none holds it that was there before the payment.
        done = self._suspected.setdefault(txid, set())
        for height in range(max(seen, tried.height + 1), self._tip_height + 1):
            if len(done) < MAX_SUSPECTS and height not in done:
                done.add(height)
                backend.suspect_block(height)

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
