"""Payments that wait for a block: what peers say about them, and at which rates they take any."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from wallet_gui.app.published import PendingReport
from wallet_gui.chain.backend import ChainBackend
from wallet_gui.chain.p2p.fees import believable_filters
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.wallet.errors import FeeTooLow
from wallet_gui.wallet.snapshot import HistoryEntry
from wallet_gui.wallet.wallet import Wallet

LOOK_SECONDS: Final = 2.0
LIKELY_MINIMUM: Final = 100_000
"""Above 100 sat/vB what a peer asks for as its minimum is not believed: it syncs, or it lies."""


class PendingReports:
    """Keeps an eye on what peers say about the payments of one wallet."""

    def __init__(self, wallet: Wallet, on_changed: Callable[[], None]) -> None:
        """Have `on_changed` called on the loop when something is said that was not collected."""
        self._wallet = wallet
        self._on_changed = on_changed
        self._collected: dict[bytes, PendingReport] = {}
        self._timer: asyncio.TimerHandle | None = None

    def collect(self, backend: ChainBackend | None) -> dict[bytes, PendingReport]:
        """Tell what is said now, by txid, and begin to look for changes."""
        self.stop()
        self._collected = self._reports(backend)
        if self._collected and backend is not None:
            self._look_later(backend)
        return self._collected

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_later(self, backend: ChainBackend) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(LOOK_SECONDS, self._look, backend)

    def _look(self, backend: ChainBackend) -> None:
        if self._reports(backend) == self._collected:
            self._look_later(backend)
        else:
            self._timer = None
            self._on_changed()

    def _reports(self, backend: ChainBackend | None) -> dict[bytes, PendingReport]:
        return {
            entry.txid: self._report(entry, backend)
            for entry in self._wallet.history()
            if entry.height is None and (entry.is_live or self._rival(entry) is not None)
        }

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
