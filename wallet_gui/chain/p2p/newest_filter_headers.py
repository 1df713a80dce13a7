"""The newest filter headers: every peer is asked, and what two networks say is taken.

A single peer must not be able to feed us the filter of a new block; nor may one that is slow hold
up the rest for long. So an answer counts at once when a second network confirms it, and after ten
seconds, or when nobody else is left to ask, by itself.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from wallet_gui.chain.p2p.filter_messages import CFHeaders
from wallet_gui.chain.p2p.sync_state import Instant, Peer

AGREEING: Final = 2  # networks
WAIT: Final = 10.0  # seconds for a second network


@dataclass(slots=True)
class FilterHeaderRequest:
    """Filter headers `start..stop` that a peer was asked for."""

    peer: int
    start: int
    stop: int
    stop_hash: bytes
    sent: float
    tries: int = 0
    answer: CFHeaders | None = None

    def is_answered_by(self, message: CFHeaders) -> bool:
        """Tell whether this answers it, and not an earlier request that ended at the same block."""
        count = self.stop - self.start + 1
        return self.stop_hash == message.stop and len(message.filter_hashes) == count


@dataclass(slots=True)
class Ballot:
    """The question what the filter hashes of `start..stop` are, put to all peers."""

    LONGEST: ClassVar[int] = 1000  # heights; more is fetched in ranges

    start: int
    stop: int
    stop_hash: bytes
    began: float
    requests: dict[int, FilterHeaderRequest] = field(default_factory=dict)

    def voters(self, peers: Iterable[Peer]) -> list[Peer]:
        """List who has the last block, or all but that: it may be on its way to them."""
        able = [p for p in peers if p.shown_height >= self.stop - 1 and not p.is_doubted]
        return [p for p in able if not p.has_lost] or able

    def invite(self, peers: Iterable[Peer], now: Instant) -> list[Peer]:
        """Note that those who have shown the last block are asked; list them."""
        invited = [
            p
            for p in self.voters(peers)
            if p.shown_height >= self.stop and p.number not in self.requests
        ]
        for peer in invited:
            self.requests[peer.number] = FilterHeaderRequest(
                peer.number, self.start, self.stop, self.stop_hash, now.monotonic
            )
        return invited

    def winner(
        self, known: Mapping[int, Peer], peers: Iterable[Peer], now: Instant
    ) -> tuple[bytes, ...] | None:
        """Give the filter hashes to take, None while more answers are awaited."""
        camps: dict[tuple[bytes, ...], list[Peer]] = {}
        for number, request in self.requests.items():
            if request.answer is not None and number in known:
                camps.setdefault(request.answer.filter_hashes, []).append(known[number])
        if not camps:
            return None

        def strength(hashes: tuple[bytes, ...]) -> tuple[bool, int, bool]:
            camp = camps[hashes]
            return (
                not all(p.has_lost for p in camp),
                len({p.netgroup for p in camp}),
                any(p.is_own for p in camp),
            )

        best = max(camps, key=strength)
        if strength(best)[1] >= AGREEING or now.monotonic - self.began >= WAIT:
            return best
        awaited = (
            p
            for p in self.voters(peers)
            if p.number not in self.requests or self.requests[p.number].answer is None
        )
        groups = {p.netgroup for p in camps[best]}
        return None if any(p.netgroup not in groups for p in awaited) else best
