"""Preview: a wallet that is thrown away, fed with the newest blocks while a long scan goes on.

It answers "is anything there?" within seconds. Nothing of it is stored or becomes part of the
wallet: coins of earlier blocks are unknown to it, and it cannot grow its window, so it looks for
addresses far beyond that from the start.
"""

from collections.abc import Sequence

from wallet_gui.app.published import PreviewSnapshot
from wallet_gui.chain.backend import (
    ChainEvent,
    PreviewDone,
    PreviewMatched,
    Reorganized,
    Scanned,
)
from wallet_gui.primitives.block import ScannedBlock
from wallet_gui.wallet.changes import ViewChange, WalletState
from wallet_gui.wallet.wallet import Wallet

_REACH = 980
"""Indexes looked for beyond the highest known one: with the gap of twenty, 1,000 on each chain."""


class Preview:
    """What the newest blocks show of one wallet; `scripts` is called in a worker thread, once."""

    def __init__(self, wallet_id: str, original: Wallet) -> None:
        self._wallet_id = wallet_id
        self._description = original.description
        self._params = original.params
        self._known = original.known_indexes()
        self._wallet: Wallet | None = None
        self._from_height: int | None = None
        self._from_time: int | None = None
        self._to_height = 0
        self._is_done = False
        self._is_overtaken = False

    def take(self, event: ChainEvent) -> bool:
        """Take an event of the chain; returns whether there is something new to show."""
        if self._wallet is None or self._is_overtaken:
            return False
        wallet_id = self._wallet_id
        match event:
            case PreviewMatched(w, height, block) if w == wallet_id:
                self._apply_block(self._wallet, block, height)
            case PreviewDone(w, from_height, to_height) if w == wallet_id:
                self._finish(from_height, to_height)
            case Reorganized(w, fork_height) if w == wallet_id:
                self._wallet.rollback_to(fork_height)
            case Scanned(w, height) if w == wallet_id and self._is_done:
                self._is_overtaken = height >= self._to_height
            case _:
                return False
        # Nobody stores this: what was staged is let go.
        self._wallet.take_staged()
        return True

    def scripts(self) -> Sequence[bytes]:
        """Derive what to look for; takes long (some thousand keys)."""
        reach = {key: max(index, 0) + _REACH for key, index in self._known.items()}
        state = WalletState(view=ViewChange(revealed=reach))
        wallet = Wallet(self._description, self._params, state)
        self._wallet = wallet
        return wallet.watch_scripts()

    def _apply_block(self, wallet: Wallet, block: ScannedBlock, height: int) -> None:
        wallet.apply_block(block, height)
        if self._from_height is None:
            self._from_height, self._from_time = height, block.header.time
        self._to_height = max(self._to_height, height)

    def _finish(self, from_height: int, to_height: int) -> None:
        if self._from_height != from_height:
            self._from_height, self._from_time = from_height, None
        self._to_height = to_height
        self._is_done = True

    def snapshot(self) -> PreviewSnapshot | None:
        """What to show; None before the first block, and once the scan has come as far."""
        if self._wallet is None or self._from_height is None or self._is_overtaken:
            return None
        balance = self._wallet.balance()
        return PreviewSnapshot(
            self._from_height,
            self._from_time,
            self._to_height,
            balance.confirmed + balance.immature,
            sum(entry.height is not None for entry in self._wallet.history()),
            self._is_done,
        )
