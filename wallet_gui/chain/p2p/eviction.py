"""Who makes way for another peer: the stalled, the slow, and those too many. Never the last two.

Slow is only who is slow while others are fast: when all are, it is our own line, and nothing is
gained by letting go of any. Peers that the person named stay. Nobody is blamed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from wallet_gui.chain.p2p.connections import BIG_SCAN_PEERS, FILTER_PEERS
from wallet_gui.chain.p2p.links import Demand, Link, Role
from wallet_gui.chain.p2p.sync_state import Instant

LEAST: Final = 2
STALLED_FOR: Final = 30.0
TOO_SLOW: Final = 20_000.0  # bytes/s over ten seconds
FASTER: Final = 4.0  # how many times faster the others have to be
PAUSE: Final = 5.0  # between two evictions
SURPLUS_AFTER: Final = 60.0

STALLED: Final = "It did not answer for too long; another peer takes its place."
SLOW: Final = "It was much slower than the others; another peer takes its place."
SURPLUS: Final = "So many peers are not needed any more."


@dataclass(frozen=True, slots=True)
class PeerView:
    """What an eviction goes by. `speed` (bytes/s) is None unless it served all the time."""

    link: Link
    is_stalled: bool = False
    speed: float | None = None
    average: float = 0.0


class Eviction:
    """Looks at all peers now and then."""

    def __init__(self) -> None:
        self._stalled_since: dict[int, float] = {}
        self._surplus_since: float | None = None
        self._last = float("-inf")

    def look(
        self, views: Sequence[PeerView], demand: Demand, now: Instant
    ) -> list[tuple[int, str]]:
        """Give at most one `(number, reason)` of a peer that goes."""
        peers = [view for view in views if view.link.role.is_sync]
        stalled = {view.link.number for view in peers if view.is_stalled}
        self._stalled_since = {
            number: self._stalled_since.get(number, now.monotonic) for number in stalled
        }
        if now.monotonic - self._last < PAUSE or len(peers) <= LEAST:
            return []
        evictable = [view for view in peers if not view.link.is_own]
        found = (
            self._stalled(evictable, now)
            or self._slow(evictable, peers)
            or self._surplus(evictable, demand, now)
        )
        if found is None:
            return []
        self._last = now.monotonic
        return [found]

    def _stalled(self, views: list[PeerView], now: Instant) -> tuple[int, str] | None:
        for view in views:
            since = self._stalled_since.get(view.link.number)
            if since is not None and now.monotonic - since >= STALLED_FOR:
                return view.link.number, STALLED
        return None

    def _slow(self, views: list[PeerView], peers: list[PeerView]) -> tuple[int, str] | None:
        speeds = [view.speed for view in peers if view.speed is not None]
        serving = [view for view in views if view.speed is not None]
        if not serving or len(speeds) <= LEAST:
            return None
        slowest = min(serving, key=lambda view: view.speed or 0.0)
        speed = slowest.speed or 0.0
        if speed < TOO_SLOW and median(speeds) >= FASTER * max(speed, 1.0):
            return slowest.link.number, SLOW
        return None

    def _surplus(
        self, views: list[PeerView], demand: Demand, now: Instant
    ) -> tuple[int, str] | None:
        most = BIG_SCAN_PEERS if demand.is_big_scan else FILTER_PEERS
        filters = [view for view in views if view.link.role is Role.FILTER]
        if len(filters) <= most + 1:  # one to spare: an extra peer was asked for, perhaps
            self._surplus_since = None
            return None
        if self._surplus_since is None:
            self._surplus_since = now.monotonic
        if now.monotonic - self._surplus_since < SURPLUS_AFTER:
            return None
        idle = [view for view in filters if not view.link.relay] or filters
        slowest = min(idle, key=lambda view: (view.average, -view.link.number))
        return slowest.link.number, SURPLUS
