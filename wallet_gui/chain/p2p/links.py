"""One connection as it is planned: to whom, which way, what for."""

from dataclasses import dataclass
from enum import Enum

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.reports import Purpose, Route


class Role(Enum):
    """What a connection is for."""

    OWN = "own"  # named by the person: for everything
    FILTER = "filter"
    BLOCKS = "blocks"
    RELAY = "relay"
    FEELER = "feeler"
    ADDRESSES = "addresses"
    BROADCAST = "broadcast"

    @property
    def is_sync(self) -> bool:
        """Whether the peer takes part in reading the chain."""
        return self in {Role.OWN, Role.FILTER, Role.BLOCKS, Role.RELAY}


@dataclass(slots=True, eq=False)
class Link:
    """One attempt, and the connection that came of it."""

    number: int
    address: PeerAddress
    route: Route
    role: Role
    relay: bool
    netgroup: bytes
    source: bytes
    began: float
    prefer_v2: bool | None = None  # None: nothing is known
    needs_probe: bool = True  # whether it serves filters was never seen
    ready_at: float | None = None
    services: Services = Services.NONE

    @property
    def is_own(self) -> bool:
        return self.role is Role.OWN

    @property
    def is_ready(self) -> bool:
        return self.ready_at is not None

    @property
    def serves_filters(self) -> bool:
        return bool(self.services & Services.COMPACT_FILTERS)

    def purposes(self) -> tuple[Purpose, ...]:
        """Say for a person what it is for."""
        match self.role:
            case Role.FEELER:
                return (Purpose.FEELER,)
            case Role.ADDRESSES:
                return (Purpose.ADDRESSES,)
            case Role.BROADCAST:
                return (Purpose.BROADCAST,)
            case _:
                return (Purpose.SYNC, Purpose.RELAY) if self.relay else (Purpose.SYNC,)


@dataclass(frozen=True, slots=True)
class Demand:
    """What the rest of the client wants of the connections now."""

    is_big_scan: bool = False
    wants_extra_peer: bool = False
    broadcasts: int = 0  # connections for nothing but sending a payment
