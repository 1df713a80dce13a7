"""Addresses that peers tell, let into the book at a bounded rate (Core `net_processing.cpp`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from wallet_gui.chain.p2p.addr_messages import NodeAddress
from wallet_gui.chain.p2p.address_book import DAY, TIME_PENALTY, AddressBook
from wallet_gui.chain.p2p.sync_state import Instant

RATE: Final = 0.1  # addresses per second and peer
CAPACITY: Final = 1000.0  # what an answer to our getaddr may hold


@dataclass(slots=True)
class _Bucket:
    group: bytes
    tokens: float
    filled: float


class Gossip:
    """One token bucket for each peer."""

    def __init__(self, book: AddressBook) -> None:
        self._book = book
        self._buckets: dict[int, _Bucket] = {}

    def on_ready(self, peer: int, group: bytes, now: Instant) -> None:
        """Listen to a peer, of this netgroup."""
        self._buckets[peer] = _Bucket(group, 1.0, now.monotonic)

    def on_disconnected(self, peer: int) -> None:
        """Let a peer go."""
        self._buckets.pop(peer, None)

    def on_asked(self, peer: int) -> None:
        """Note that a peer was sent our one getaddr."""
        if peer in self._buckets:
            self._buckets[peer].tokens += CAPACITY

    def on_addresses(self, peer: int, entries: Iterable[NodeAddress], now: Instant) -> int:
        """Take what a peer tells; return how many were new. What goes beyond the rate is lost."""
        bucket = self._buckets.get(peer)
        if bucket is None:
            return 0
        if bucket.tokens < CAPACITY:
            waited = max(0.0, now.monotonic - bucket.filled)
            bucket.tokens = min(CAPACITY, bucket.tokens + RATE * waited)
        bucket.filled = now.monotonic
        count = 0
        for entry in entries:
            if bucket.tokens < 1.0:
                break
            bucket.tokens -= 1.0
            # Implausible times are not believed (Core ProcessAddrs).
            seen = entry.time
            if seen <= 100_000_000 or seen > now.unix + 600:
                seen = now.unix - 5 * DAY
            count += self._book.add(
                entry.address,
                bucket.group,
                now.unix,
                services=entry.services,
                last_seen=seen,
                penalty=TIME_PENALTY,
            )
        return count
