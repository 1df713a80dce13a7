"""Every time that a person's own node was contacted, and how it ended. Pure."""

from dataclasses import replace
from typing import Final

from wallet_gui.chain.reports import LedgerEntry, Purpose, Route

MOST: Final = 200


class Contacts:
    """The newest contacts with one host; times are Unix times.

    Attempts that fail in the same way one after the other are one entry, from the first to the
    last, so that a night without the node does not push everything else out.
    """

    def __init__(self, host: str) -> None:
        self._host = host
        self._entries: list[LedgerEntry] = []
        self._times = 0  # how often the newest entry's failure has happened in a row
        self._is_open = False

    def entries(self) -> list[LedgerEntry]:
        """List them, the newest first."""
        return self._entries[::-1]

    def begin(self, now: int) -> None:
        """An attempt is made."""
        self._entries.append(
            LedgerEntry(self._host, Purpose.SYNC, Route.SSH, began=now, transport="SSH")
        )
        del self._entries[:-MOST]
        self._is_open = True

    def connected(self, server: str) -> None:
        """The attempt of this moment succeeded; `server` is what it calls itself."""
        self._times = 0
        self._change(outcome=server)

    def moved(self, inbound: int, outbound: int) -> None:
        """So many bytes went over the present connection, in all."""
        if self._is_open:
            self._change(inbound_bytes=inbound, outbound_bytes=outbound)

    def failed(self, now: int, why: str) -> None:
        """The attempt of this moment came to nothing."""
        self._is_open = False
        before = self._entries[-2] if len(self._entries) > 1 else None
        if self._times and before is not None and before.outcome == self._said(why):
            self._entries.pop()
            self._times += 1
            self._change(ended=now, outcome=self._said(why))
            return
        self._times = 1
        self._change(ended=now, outcome=why)

    def ended(self, now: int, why: str) -> None:
        """The connection is over."""
        if self._is_open:
            self._is_open = False
            self._change(ended=now, outcome=why)

    def _said(self, why: str) -> str:
        return why if self._times <= 1 else f"{why} ({self._times} times)"

    def _change(self, **changes: int | str) -> None:
        self._entries[-1] = replace(self._entries[-1], **changes)  # type: ignore[arg-type]
