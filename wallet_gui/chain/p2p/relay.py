"""Unconfirmed transactions that peers announce: each is fetched once and handed on.

A peer announces by wtxid (BIP339) on a random trickle. Which transactions matter is for the
wallets to say, so that no peer learns it: all are fetched. A peer can make up a transaction whose
inputs do not exist, so it is counted how many networks announced each one (`sightings`). Memory is
bounded: what was seen is kept in two sets of which the older is dropped when the newer is full or
half an hour old. What is announced again after that is fetched again, for it may have come back
where a rival or another branch of the chain had pushed it out.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound
from wallet_gui.chain.p2p.sightings import RotatingSet, Sightings
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.chain.reports import SeenBy
from wallet_gui.primitives.transaction import Transaction

SEEN_PER_SET: Final = 100_000
SEEN_SECONDS: Final = 1800.0
REFETCH_AFTER: Final = 60.0
"""Seconds after which a transaction that concerns a wallet is fetched again when announced anew."""

BACKED_BY: Final = 2
MAX_WANTED: Final = 5_000
MAX_PER_PEER: Final = 500
MAX_ANNOUNCERS: Final = 4
ANSWER_TIMEOUT: Final = 30.0

BYTES_PER_SECOND: Final = 200_000
"""What one peer may make us download in the long run: some thirty times the network's average."""

BYTES_AT_ONCE: Final = 10_000_000

_ASKED_AS: Final = {
    InventoryType.WTX: InventoryType.WTX,
    InventoryType.TX: InventoryType.WITNESS_TX,
}


@dataclass(slots=True)
class _Wanted:
    kind: InventoryType
    peer: int
    since: float
    others: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Announcer:
    """A peer that announces transactions. `credit` is in bytes and grows with time."""

    netgroup: bytes
    credit: float
    since: float


class Relay:
    """Asks for each announced transaction once, of one announcer after the other."""

    def __init__(self) -> None:
        self._seen = RotatingSet(SEEN_PER_SET)
        self._seen_since = 0.0
        self._wanted: OrderedDict[bytes, _Wanted] = OrderedDict()
        self._peers: dict[int, _Announcer] = {}
        self._sightings = Sightings()

    def on_ready(self, peer: int, netgroup: bytes, now: Instant) -> None:
        """A peer more that announces transactions."""
        self._peers[peer] = _Announcer(netgroup, BYTES_AT_ONCE, now.monotonic)

    def hold(self, tx: Transaction, now: Instant) -> None:
        """Count who announces a transaction that was not fetched: it is our own."""
        self._sightings.link(tx, now.monotonic)

    def forget_seen(self) -> None:
        """Let every transaction be fetched again that is announced anew: the chain has changed."""
        self._seen = RotatingSet(SEEN_PER_SET)

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Count the networks whose peers announced a transaction; None when nobody did.

        Peers of one netgroup may be one person's and count once. Who asks is taken to care about
        the transaction: it is remembered longer than others.
        """
        groups = self._sightings.of(txid)
        if groups is None:
            return None
        present = {peer.netgroup for peer in self._peers.values()}
        return SeenBy(len(groups), len(groups | present))

    def stamp(self) -> tuple[int, frozenset[bytes]]:
        """Give what is another value whenever `seen_by` answers another thing than before."""
        return self._sightings.changes, frozenset(p.netgroup for p in self._peers.values())

    def is_backed(self, txid: bytes) -> bool:
        """Whether two networks announced a transaction, or one where there is no other."""
        present = {peer.netgroup for peer in self._peers.values()}
        return len(self._sightings.peek(txid)) >= min(BACKED_BY, max(1, len(present)))

    def on_inv(self, peer: int, inv: Inv, now: Instant) -> list[Action]:
        """Ask for what is new among the transactions announced.

        Our own are asked for like any other: who is not would show whose they are.
        """
        announcer = self._peers.get(peer)
        if announcer is None:
            return []  # it was not asked to announce anything
        ask: list[tuple[int, bytes]] = []
        load = sum(wanted.peer == peer for wanted in self._wanted.values())
        may_ask = self._credit(announcer, now) > 0
        for number, tx_hash in inv.entries:
            if number not in _ASKED_AS:
                continue
            if self._is_known(tx_hash, now):
                self._sightings.note(tx_hash, announcer.netgroup)
                continue
            wanted = self._wanted.get(tx_hash)
            if wanted is not None:
                self._sightings.note(tx_hash, announcer.netgroup)
                if wanted.peer != peer and len(wanted.others) < MAX_ANNOUNCERS:
                    wanted.others.append(peer)
                continue
            if not may_ask or load >= MAX_PER_PEER or len(self._wanted) >= MAX_WANTED:
                continue
            load += 1
            kind = _ASKED_AS[InventoryType(number)]
            self._sightings.note(tx_hash, announcer.netgroup)
            self._wanted[tx_hash] = _Wanted(kind, peer, now.monotonic)
            ask.append((kind, tx_hash))
        return [Send(peer, GetData(tuple(ask)))] if ask else []

    def _credit(self, announcer: _Announcer, now: Instant) -> float:
        earned = (now.monotonic - announcer.since) * BYTES_PER_SECOND
        announcer.credit = min(BYTES_AT_ONCE, announcer.credit + earned)
        announcer.since = now.monotonic
        return announcer.credit

    def _is_known(self, tx_hash: bytes, now: Instant) -> bool:
        if tx_hash not in self._seen:
            return False
        fetched = self._sightings.fetched(tx_hash)
        return fetched is None or now.monotonic - fetched < REFETCH_AFTER

    def on_tx(self, peer: int, tx: Transaction, now: Instant) -> bool:
        """Take a transaction; return whether it was asked for, which nodes wait for."""
        wanted = self._wanted.pop(tx.wtxid, None) or self._wanted.pop(tx.txid, None)
        announcer = self._peers.get(peer)
        if announcer is not None:
            announcer.credit -= tx.total_size
        if wanted is None:
            return False
        self._wanted.pop(tx.txid, None)
        if announcer is not None:
            self._sightings.note(tx.wtxid, announcer.netgroup)
        self._sightings.link(tx, now.monotonic)
        if now.monotonic - self._seen_since >= SEEN_SECONDS:
            self._seen_since = now.monotonic
            self._seen.rotate()
        self._seen.add(tx.wtxid)
        self._seen.add(tx.txid)
        return True

    def on_notfound(self, peer: int, message: NotFound, now: Instant) -> list[Action]:
        """Ask the next announcer."""
        missing = [h for _, h in message.entries if self._is_asked(h, peer)]
        return self._ask_others(missing, now)

    def on_disconnected(self, peer: int, now: Instant) -> list[Action]:
        """Ask others for what this peer was asked."""
        self._peers.pop(peer, None)
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
        for tx_hash in dict.fromkeys(hashes):
            wanted = self._wanted[tx_hash]
            if not wanted.others:
                del self._wanted[tx_hash]  # it is asked for again when announced again
                continue
            wanted.peer = wanted.others.pop(0)
            wanted.since = now.monotonic
            asks.setdefault(wanted.peer, []).append((wanted.kind, tx_hash))
        return [Send(peer, GetData(tuple(entries))) for peer, entries in asks.items()]
