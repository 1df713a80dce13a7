"""Payments that wait for a block: what peers say about them, and at which rates they take any."""

from collections.abc import Callable, Sequence
from typing import Final

from wallet_gui.app.published import PendingReport
from wallet_gui.chain.backend import ChainBackend
from wallet_gui.chain.p2p.fees import believable_filters
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.wallet.errors import FeeTooLow
from wallet_gui.wallet.snapshot import HistoryEntry
from wallet_gui.wallet.wallet import Wallet

LIKELY_MINIMUM: Final = 100_000
"""Above 100 sat/vB what a peer asks for as its minimum is not believed: it syncs, or it lies."""


class PendingReports:
    """Keeps an eye on what peers say about the payments of one wallet."""

    def __init__(self, wallet: Wallet, on_changed: Callable[[], None]) -> None:
        """Have `on_changed` called on the loop when something is said that was not collected."""
        self._wallet = wallet
        self._on_changed = on_changed
        self._entries: list[HistoryEntry] = []
        self._collected: dict[bytes, PendingReport] = {}

    def collect(self, backend: ChainBackend | None) -> dict[bytes, PendingReport]:
        """Tell what is said now of the payments that wait, by txid."""
        self._entries = [
            entry
            for entry in self._wallet.history()
            if entry.height is None and (entry.is_live or self._rival(entry) is not None)
        ]
        self._collected = self._reports(backend)
        return self._collected

    def look(self, backend: ChainBackend | None) -> None:
        """See whether peers say something new of what was collected (`PendingChanged`).

        Changes of the wallet itself are collected by whoever shows them.
        """
        if self._entries and self._reports(backend) != self._collected:
            self._on_changed()

    def look_at(self, txid: bytes, backend: ChainBackend | None) -> None:
        """See what is said of a payment that was known before and was relayed to us now."""
        if txid in self._collected:
            self.look(backend)

    def _reports(self, backend: ChainBackend | None) -> dict[bytes, PendingReport]:
        return {entry.txid: self._report(entry, backend) for entry in self._entries}

    def _rival(self, entry: HistoryEntry) -> bytes | None:
        """Give the unconfirmed transaction that pushed this one out, if there is one."""
        rival = entry.replaced_by
        return None if rival is None or self._wallet.graph.anchor(rival) is not None else rival

    def _report(self, entry: HistoryEntry, backend: ChainBackend | None) -> PendingReport:
        attempts = self._wallet.own.attempts(entry.txid)
        if backend is None:
            return PendingReport(attempts=attempts)
        filters = believable_filters(backend.minimum_fee_rates())
        rate = entry.fee_rate
        median = filters[(len(filters) - 1) // 2] if filters else 0
        is_below = rate is not None and rate.sat_per_kvb < median
        rival = self._rival(entry)
        rival_seen = None if rival is None else backend.seen_by(rival)
        return PendingReport(backend.seen_by(entry.txid), is_below, attempts, rival_seen)


def check_fee_rate(rate: FeeRate, minimum_rates: Sequence[int]) -> tuple[str, ...]:
    """Warn of a rate that only some peers take.

    `minimum_rates` are those of the peers in sat/kvB. Raises FeeTooLow for one that none takes.
    """
    likely = [least for least in minimum_rates if least <= LIKELY_MINIMUM]
    if likely and rate.sat_per_kvb < min(likely):
        raise FeeTooLow(rate, FeeRate(min(likely)))
    filters = believable_filters(likely)
    above = [least for least in filters if least > rate.sat_per_kvb]
    if not above:
        return ()
    sentence = (
        f"{len(above)} of {len(filters)} connected networks take no payment below "
        f"{FeeRate(max(above))} sat/vB: at {rate} sat/vB it may spread slowly."
    )
    return (sentence,)
