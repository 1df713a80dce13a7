"""Payments that wait for signatures elsewhere: kept in the wallet file, so that nothing is lost.

They are settings of the view box, one list of JSON objects: the end of the program, however it
comes, interrupts nothing. One that is too large is kept for the session only, and says so.
"""

import asyncio
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError

KEPT_AS: Final = "waiting_psbts"
MAX_KEPT: Final = 50
MAX_KEPT_BYTES: Final = 2_000_000
"""Of all of them in base64; the wallet file is written anew at each change."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One payment with what was signed of it so far. `created` is a Unix time.

    `is_asked`: it was made here; otherwise it came from somebody else and was signed here.
    `is_kept` is False for one that is too large for the wallet file.
    """

    psbt: Psbt
    created: int
    is_asked: bool
    is_kept: bool = True

    @property
    def txid(self) -> bytes:
        """Of the unsigned transaction (wire order): what stays the same while it is signed."""
        return self.psbt.tx.txid


class _Keeper(Protocol):
    def kept_setting(self, key: str) -> Any: ...

    async def keep_setting(self, key: str, value: Any) -> None: ...


class WaitingList:
    """The list of one open wallet. Raises StorageError where the wallet file refuses."""

    def __init__(self, keeper: _Keeper) -> None:
        self._keeper = keeper
        self._changing = asyncio.Lock()
        self._items = {item.txid: item for item in _read(keeper.kept_setting(KEPT_AS))}

    def items(self) -> tuple[Waiting, ...]:
        """List them, the newest first."""
        return tuple(sorted(self._items.values(), key=lambda item: (-item.created, item.txid)))

    def get(self, txid: bytes) -> Waiting | None:
        return self._items.get(txid)

    async def put(self, item: Waiting) -> Waiting:
        """Keep an item in place of the one of the same transaction; returns it as it is kept."""
        async with self._changing:
            others = [other for other in self._items.values() if other.txid != item.txid]
            room = MAX_KEPT_BYTES - sum(_size(other) for other in others if other.is_kept)
            is_kept = _size(item) <= room and len(others) < MAX_KEPT
            item = replace(item, is_kept=is_kept)
            items = {other.txid: other for other in (*others, item)}
            await self._store(items)
            self._items = items
            return item

    async def drop(self, txid: bytes) -> None:
        """Forget one; nothing happens when it is not there."""
        async with self._changing:
            if txid in self._items:
                items = {key: item for key, item in self._items.items() if key != txid}
                await self._store(items)
                self._items = items

    async def _store(self, items: dict[bytes, Waiting]) -> None:
        kept = [
            {"psbt": item.psbt.to_base64(), "created": item.created, "is_asked": item.is_asked}
            for item in items.values()
            if item.is_kept
        ]
        if kept != (self._keeper.kept_setting(KEPT_AS) or []):
            await self._keeper.keep_setting(KEPT_AS, kept or None)


def _size(item: Waiting) -> int:
    return len(item.psbt.serialize()) * 4 // 3


def _read(value: Any) -> list[Waiting]:
    """Read what was kept; what a newer version wrote differently is left out."""
    found = []
    for entry in value if isinstance(value, list) else []:
        match entry:
            case {"psbt": str(text), "created": int(created), "is_asked": bool(is_asked)}:
                try:
                    found.append(Waiting(Psbt.parse(text), created, is_asked))
                except ParseError:
                    continue
    return found
