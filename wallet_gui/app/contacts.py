"""Contacts: every host that was contacted since the program began, across changes of the source.

A backend knows its own connections only, and a change of settings may replace it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from wallet_gui.chain.reports import LedgerEntry

MAX_PAST: Final = 4000
"""A backend that a full disk ends again and again must not fill the memory; the oldest go."""


class Contacts:
    """Keeps what earlier backends told."""

    def __init__(self) -> None:
        self._past: tuple[LedgerEntry, ...] = ()

    def keep(self, entries: Sequence[LedgerEntry], now: int) -> None:
        """Take over the contacts of a backend that has ended; none of them lasts any more."""
        ended = tuple(
            entry if entry.ended is not None else replace(entry, ended=now) for entry in entries
        )
        self._past = (ended + self._past)[:MAX_PAST]

    def all(self, present: Sequence[LedgerEntry]) -> tuple[LedgerEntry, ...]:
        """List every contact, the newest first; `present` are those of the running backend."""
        return tuple(sorted((*present, *self._past), key=lambda entry: -entry.began))
