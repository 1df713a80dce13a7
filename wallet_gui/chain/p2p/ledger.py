"""Every contact with another host since the program began; what is not in here did not happen."""

import itertools
from collections import OrderedDict
from dataclasses import replace
from typing import Final

from wallet_gui.chain.reports import LedgerEntry, Purpose, Route

MAX_ENTRIES: Final = 2000


class Ledger:
    """The newest contacts; those that last are never forgotten."""

    def __init__(self, limit: int = MAX_ENTRIES) -> None:
        self._limit = limit
        self._numbers = itertools.count()
        self._entries: OrderedDict[int, LedgerEntry] = OrderedDict()
        self._open: set[int] = set()

    def begin(self, host: str, purpose: Purpose, route: Route, unix: int) -> int:
        """Note that a contact begins; return its number for `update` and `end`."""
        number = next(self._numbers)
        self._entries[number] = LedgerEntry(host, purpose, route, unix)
        self._open.add(number)
        while len(self._entries) > max(self._limit, len(self._open)):
            oldest = next(n for n in self._entries if n not in self._open)
            del self._entries[oldest]
        return number

    def update(
        self,
        number: int,
        *,
        inbound_bytes: int,
        outbound_bytes: int,
        transport: str | None = None,
        purpose: Purpose | None = None,
    ) -> None:
        """Note how much a contact has carried so far, and by what."""
        entry = self._entries[number]
        self._entries[number] = replace(
            entry,
            inbound_bytes=inbound_bytes,
            outbound_bytes=outbound_bytes,
            transport=entry.transport if transport is None else transport,
            purpose=entry.purpose if purpose is None else purpose,
        )

    def end(self, number: int, outcome: str, unix: int) -> None:
        """Note how a contact ended."""
        if number in self._open:
            self._open.discard(number)
            self._entries[number] = replace(self._entries[number], ended=unix, outcome=outcome)

    def entries(self) -> list[LedgerEntry]:
        """List all contacts, the newest first."""
        return list(reversed(self._entries.values()))
