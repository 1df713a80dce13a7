"""Unconfirmed transactions that peers announce: each is fetched once and handed on.

A peer announces by wtxid (BIP339) on a random trickle. Which transactions matter is for the
wallets to say, so that no peer learns it: all are fetched. Memory is bounded: what was seen is
kept in two sets of which the older is dropped when the newer is full.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.primitives.transaction import Transaction

SEEN_PER_SET: Final = 100_000
MAX_WANTED: Final = 5_000
MAX_PER_PEER: Final = 500
MAX_ANNOUNCERS: Final = 4
ANSWER_TIMEOUT: Final = 30.0

_ASKED_AS: Final = {
    InventoryType.WTX: InventoryType.WTX,
    InventoryType.TX: InventoryType.WITNESS_TX,
}


class RotatingSet:
    """Remembers at least the last `size` hashes, and never more than twice as many."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._new: set[bytes] = set()
        self._old: set[bytes] = set()

    def __contains__(self, item: bytes) -> bool:
        return item in self._new or item in self._old

    def add(self, item: bytes) -> None:
        """Remember a hash."""
        if len(self._new) >= self._size:
            self._old, self._new = self._new, set()
        self._new.add(item)

    def discard(self, item: bytes) -> None:
        """Forget a hash."""
        self._new.discard(item)
        self._old.discard(item)


@dataclass(slots=True)
class _Wanted:
    kind: InventoryType
    peer: int
    since: float
    others: list[int] = field(default_factory=list)


class Relay:
    """Asks for each announced transaction once, of one announcer after the other."""

    def __init__(self) -> None:
        self._seen = RotatingSet(SEEN_PER_SET)
        self._wanted: OrderedDict[bytes, _Wanted] = OrderedDict()

    def ignore(self, tx: Transaction) -> None:
        """Do not fetch a transaction: it is our own."""
        self._seen.add(tx.wtxid)
        self._seen.add(tx.txid)

    def on_inv(self, peer: int, inv: Inv, now: Instant) -> list[Action]:
        """Ask for what is new among the transactions announced."""
        ask: list[tuple[int, bytes]] = []
        load = sum(wanted.peer == peer for wanted in self._wanted.values())
        for number, tx_hash in inv.entries:
            if number not in _ASKED_AS or tx_hash in self._seen:
                continue
            kind = _ASKED_AS[InventoryType(number)]
            wanted = self._wanted.get(tx_hash)
            if wanted is not None:
                if wanted.peer != peer and len(wanted.others) < MAX_ANNOUNCERS:
                    wanted.others.append(peer)
                continue
            if load >= MAX_PER_PEER or len(self._wanted) >= MAX_WANTED:
                break
            load += 1
            self._wanted[tx_hash] = _Wanted(kind, peer, now.monotonic)
            ask.append((kind, tx_hash))
        return [Send(peer, GetData(tuple(ask)))] if ask else []

    def on_tx(self, tx: Transaction) -> bool:
        """Take a transaction; return whether it was not seen before."""
        self._wanted.pop(tx.wtxid, None)
        self._wanted.pop(tx.txid, None)
        if tx.wtxid in self._seen:
            return False
        self._seen.add(tx.wtxid)
        return True

    def on_notfound(self, peer: int, message: NotFound, now: Instant) -> list[Action]:
        """Ask the next announcer."""
        missing = [h for _, h in message.entries if self._is_asked(h, peer)]
        return self._ask_others(missing, now)

    def on_disconnected(self, peer: int, now: Instant) -> list[Action]:
        """Ask others for what this peer was asked."""
        for wanted in self._wanted.values():
            wanted.others = [other for other in wanted.others if other != peer]
        return self._ask_others([h for h, w in self._wanted.items() if w.peer == peer], now)

    def tick(self, now: Instant) -> list[Action]:
        """Ask the next announcer where one does not answer."""
        late = [h for h, w in self._wanted.items() if now.monotonic - w.since >= ANSWER_TIMEOUT]
        return self._ask_others(late, now)

    def _is_asked(self, tx_hash: bytes, peer: int) -> bool:
        wanted = self._wanted.get(tx_hash)
        return wanted is not None and wanted.peer == peer

    def _ask_others(self, hashes: list[bytes], now: Instant) -> list[Action]:
        asks: dict[int, list[tuple[int, bytes]]] = {}
        for tx_hash in hashes:
            wanted = self._wanted[tx_hash]
            if not wanted.others:
                del self._wanted[tx_hash]  # it is asked for again when announced again
                continue
            wanted.peer = wanted.others.pop(0)
            wanted.since = now.monotonic
            asks.setdefault(wanted.peer, []).append((wanted.kind, tx_hash))
        return [Send(peer, GetData(tuple(entries))) for peer, entries in asks.items()]
