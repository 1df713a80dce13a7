"""What a backend tells about itself when it is asked: values for screens, not events.

Peers, every connection that was made, what a long scan will cost, what fees are usual, how many
peers know a payment. Text from outside is plain, escaped and capped before it comes in here.
"""

from dataclasses import dataclass
from enum import Enum


class Route(Enum):
    """How a host was reached."""

    DIRECT = "direct"
    PROXY = "proxy"
    TOR = "Tor"
    SSH = "SSH"


class Purpose(Enum):
    """Why a host was contacted."""

    SEED = "look up addresses of peers"
    SYNC = "read the chain"
    RELAY = "see payments before they confirm"
    FEELER = "test whether a stored address answers"
    ADDRESSES = "ask for addresses of peers"
    BROADCAST = "send a payment"
    NODE_TEST = "test your node"
    UPDATE = "look for a newer version"


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """One connection, for the peers page. Text from the peer is plain, escaped and capped."""

    address: str
    user_agent: str
    services: int
    best_height: int
    inbound_bytes: int = 0
    outbound_bytes: int = 0
    connected_since: int = 0
    ping_ms: int | None = None
    transport: str = "v1"
    network: str = ""  # the netgroup as text, "93.184.0.0/16": peers of one may be one person's
    route: Route = Route.DIRECT
    is_own: bool = False  # named by the person: never evicted, and believed no more than others
    purposes: tuple[Purpose, ...] = ()
    bytes_per_second: float = 0.0  # of filters and blocks, while it served some
    note: str = ""  # what it did that others do not, as a sentence


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One contact with a host since the program began; what is not in here was not contacted.

    Times are Unix times; `ended` is None while it lasts. For a name look-up `host` is the name
    that was asked for and `outcome` tells how many addresses came.
    """

    host: str
    purpose: Purpose
    route: Route
    began: int
    ended: int | None = None
    transport: str = ""
    inbound_bytes: int = 0
    outbound_bytes: int = 0
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """What the scan of one wallet still costs, told before it is paid.

    `seconds` is None while no speed is known. `is_waiting`: the scan is long and begins when
    `approve_scan` is called; `held_back` says in a sentence why a scan does not go on (paused by
    the person, data cap reached), empty while it does.
    """

    wallet_id: str
    from_height: int
    from_time: int | None
    to_height: int
    filters: int
    download_bytes: int
    seconds: int | None
    sources: int  # peers that serve filters
    networks: int  # netgroups among them; none where the only source is the person's own node
    is_waiting: bool = False
    held_back: str = ""


@dataclass(frozen=True, slots=True)
class FeeAdvice:
    """Fee rates in sat/kvB, where they come from and when they were learned.

    A rate is None where nothing is known; nothing is ever made up or fetched from a website.
    `minimum` is what peers take at all (BIP133), `source` a sentence for a person, `learned` the
    Unix time of the oldest fact it rests on.
    """

    fast: int | None
    normal: int | None
    slow: int | None
    minimum: int | None
    source: str
    learned: int


@dataclass(frozen=True, slots=True)
class SeenBy:
    """How many of the peers that relay transactions announced one, and how many there are.

    Peers of one netgroup may be one person's and count as one.
    """

    peers: int
    of: int

    @property
    def is_backed(self) -> bool:
        """Whether more than one peer says so, where there is more than one to say it.

        One alone may have made the transaction up: nobody can check its inputs before a block does.
        """
        return self.peers >= min(2, max(1, self.of))
