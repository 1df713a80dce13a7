"""Which networks announced which unconfirmed transaction, within bounded memory."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from wallet_gui.primitives.transaction import Transaction

RECENT: Final = 10_000
"""Transactions whose announcers are remembered though nobody asked about them."""

PINNED: Final = 5_000
"""Transactions that somebody asked about: those of open wallets."""

MAX_GROUPS: Final = 64

V = TypeVar("V")


class RotatingSet:
    """Remembers at least the last `size` hashes, and never more than twice as many.

    Eight bytes stand for each (Python's keyed SipHash), which halves the memory.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: set[int] = set()
        self._old: set[int] = set()

    def __contains__(self, item: bytes) -> bool:
        short = hash(item)
        return short in self._new or short in self._old

    def add(self, item: bytes) -> None:
        """Remember a hash."""
        if len(self._new) >= self._size:
            self.rotate()
        self._new.add(hash(item))

    def rotate(self) -> None:
        """Drop the older half and begin a new one."""
        self._old, self._new = self._new, set()


class RotatingMap(Generic[V]):
    """As `RotatingSet`, with a value for each hash."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: dict[bytes, V] = {}
        self._old: dict[bytes, V] = {}

    def get(self, key: bytes) -> V | None:
        """Give the value, or None."""
        found = self._new.get(key)
        return self._old.get(key) if found is None else found

    def set(self, key: bytes, value: V) -> None:
        """Remember a value."""
        if key not in self._new and len(self._new) >= self._size:
            self._old, self._new = self._new, {}
        self._new[key] = value


@dataclass(slots=True)
class _Pinned:
    wtxid: bytes
    fetched: float
    groups: set[bytes] = field(default_factory=set)


class Sightings:
    """Counts netgroups per transaction, by whichever id it was announced."""

    def __init__(self) -> None:
        self._groups: RotatingMap[tuple[bytes, ...]] = RotatingMap(RECENT)
        self._linked: RotatingMap[tuple[bytes, float]] = RotatingMap(RECENT)  # txid -> wtxid, when
        self._pinned: OrderedDict[bytes, _Pinned] = OrderedDict()
        self._pinned_by_wtxid: dict[bytes, bytes] = {}
        self.changes = 0  # how often there was news about what somebody asked about

    def note(self, tx_hash: bytes, netgroup: bytes) -> None:
        """Note that somebody of a netgroup announced a transaction, by wtxid or txid."""
        pinned = self._pinned.get(self._pinned_by_wtxid.get(tx_hash, tx_hash))
        if pinned is not None:
            if netgroup not in pinned.groups and len(pinned.groups) < MAX_GROUPS:
                pinned.groups.add(netgroup)
                self.changes += 1
            return
        groups = self._groups.get(tx_hash) or ()
        if netgroup not in groups and len(groups) < MAX_GROUPS:
            self._groups.set(tx_hash, (*groups, netgroup))

    def link(self, tx: Transaction, now: float) -> None:
        """Note what a transaction is called by both ids, and when it was fetched."""
        pinned = self._pinned.get(tx.txid)
        if pinned is None:
            self._linked.set(tx.txid, (tx.wtxid, now))
            return
        self._pinned_by_wtxid.pop(pinned.wtxid, None)
        pinned.wtxid, pinned.fetched = tx.wtxid, now
        self._pinned_by_wtxid[tx.wtxid] = tx.txid

    def fetched(self, tx_hash: bytes) -> float | None:
        """Tell when a transaction that somebody asked about was fetched last."""
        pinned = self._pinned.get(self._pinned_by_wtxid.get(tx_hash, tx_hash))
        return None if pinned is None else pinned.fetched

    def peek(self, txid: bytes) -> frozenset[bytes]:
        """Give the netgroups that announced a transaction; it may be forgotten afterwards."""
        pinned = self._pinned.get(txid)
        if pinned is not None:
            return frozenset(pinned.groups)
        linked = self._linked.get(txid)
        names = (txid,) if linked is None else (txid, linked[0])
        return frozenset(group for name in names for group in self._groups.get(name) or ())

    def of(self, txid: bytes) -> frozenset[bytes] | None:
        """Give the netgroups that announced a transaction, and keep it from being forgotten."""
        pinned = self._pinned.get(txid)
        if pinned is None:
            linked = self._linked.get(txid)
            if linked is None:
                return None
            wtxid, fetched = linked
            pinned = _Pinned(wtxid, fetched, set(self.peek(txid)))
            self._pinned[txid] = pinned
            self._pinned_by_wtxid[wtxid] = txid
            if len(self._pinned) > PINNED:
                _, dropped = self._pinned.popitem(last=False)
                self._pinned_by_wtxid.pop(dropped.wtxid, None)
        else:
            self._pinned.move_to_end(txid)
        return frozenset(pinned.groups) or None
