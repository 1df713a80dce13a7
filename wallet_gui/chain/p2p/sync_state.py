"""What the parts of the sync share: the chain as known, the peers, and what is to be done next.

The parts (`header_sync`, `filter_header_sync`, `filter_sync`, `block_queue`, `watches`) are state
machines without I/O. They read and change a `SyncState` and leave actions in its outbox; work that
takes long, or touches a store, is an action too and its outcome comes back as a call.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NamedTuple

from wallet_gui.chain.backend import BlockRef, ChainEvent, ChainStores
from wallet_gui.chain.checkpoints import NONE as NO_CHECKPOINTS
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.messages import Message, Services, Version
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import OutPoint

BYTE_BUDGET: Final = 18_000_000
"""Bytes of filters that are due or wait, and of the receive buffers, all together."""

RETRY_DELAYS: Final = (1.0, 3.0, 10.0)
"""Seconds of silence after which a request is repeated to the same peer, then the last for ever.

A node whose filter index lags behind its chain does not answer at all (p2p.md 1.6).
"""

# Plain numbers: these are asked for often, and flags cost.
_FILTERS: Final = int(Services.COMPACT_FILTERS)
_BLOCKS: Final = int(Services.NETWORK | Services.NETWORK_LIMITED)
_ALL_BLOCKS: Final = int(Services.NETWORK)
LIMITED_DEPTH: Final = 144
"""How deep a block may lie to be asked of a pruned node, which keeps the last 288 (BIP159)."""
_WITNESS: Final = int(Services.WITNESS)


class Instant(NamedTuple):
    """Now: seconds of a clock that never jumps, and Unix time for what headers say."""

    monotonic: float
    unix: int


class Lane(Enum):
    """Work of one lane is done one after the other, in order; lanes run beside each other."""

    STORE = "store"
    ENGINE = "engine"
    BLOCKS = "blocks"


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a peer."""

    peer: int
    message: Message


class Ban(Enum):
    """Who is not connected to again for a day; only ever on proof, never for being slow."""

    NOBODY = "nobody"
    ADDRESS = "address"
    NETGROUP = "netgroup"  # for lies about filters, which cost its owner nothing to repeat


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Hang up. `is_fault` is set when the peer broke a rule, not when it merely was of no use."""

    peer: int
    reason: str
    is_fault: bool
    ban: Ban = Ban.NOBODY


@dataclass(frozen=True, slots=True)
class Work:
    """Call `run` away from the loop, then `done` with its outcome and the time, on the loop."""

    lane: Lane
    run: Callable[[], Any]
    done: Callable[[Any, Instant], None]


Action = Send | Disconnect | Work


@dataclass(slots=True)
class Peer:
    """A peer after its handshake.

    `shown` is the last header it has shown us and `shown_height` the highest block of the active
    chain that it is known to have: only that and those below may be named to it as a stop hash,
    for a node hangs up on one that it does not know. -1 while nothing was shown.
    """

    number: int
    address: str
    version: Version
    shown: BlockRef | None = None
    shown_height: int = -1
    headers_asked: float | None = None  # when; None while no answer is due
    headers_done: bool = False  # it had nothing more to tell
    unconnected: int = 0  # announcements in a row that connected to nothing
    agreed_through: int = -1  # its filter headers were compared with ours up to here
    # Heights whose filter it sees differently, with the filter hash that it claims.
    disputes: dict[int, bytes] = field(default_factory=dict)
    has_lost: bool = False  # others were believed where it disputed something
    netgroup: bytes = b""  # those who share it count as one source
    is_own: bool = False  # named by the person
    is_doubted: bool = False  # it contradicts us below: compared again before it adds anything
    compares_hashes: bool = False  # its checkpoints differ from ours: every hash is looked at
    last_answer: float = 0.0  # when it last sent part of something that was asked for
    stalled_until: float = 0.0  # it was silent: it gets nothing new before
    is_sending_block: bool = False  # what is on its way from it is part of a block

    @property
    def serves_filters(self) -> bool:
        """Whether it offers compact filters."""
        return bool(self.version.services & _FILTERS)

    @property
    def serves_blocks(self) -> bool:
        """Whether it offers whole blocks with witnesses, recent ones at least."""
        services = self.version.services
        return bool(services & _BLOCKS and services & _WITNESS)

    def keeps_block(self, height: int, tip: int) -> bool:
        """Whether it offers the block at a height; a pruned node hangs up when asked for more."""
        is_kept = self.version.services & _ALL_BLOCKS or tip - height <= LIMITED_DEPTH
        return bool(is_kept and self.serves_blocks)

    def vouches_for(self, height: int) -> bool:
        """Whether it told the same filter header as the agreed one at `height`."""
        return self.agreed_through >= height and height not in self.disputes

    def is_usable(self, now: Instant) -> bool:
        """Whether it may be asked for something new."""
        return now.monotonic >= self.stalled_until


class SyncState:
    """The shared state. Events for the wallets are queued here in the order they are delivered."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        headers: HeaderChain,
        filter_headers: FilterHeaderChain,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
    ) -> None:
        self.params = params
        self.checkpoints = checkpoints
        self.wanted_start: int | None = None  # where filter headers are to begin; see `backfill`
        self.stores = stores
        self.headers = headers
        self.filter_headers = filter_headers
        self.peers: dict[int, Peer] = {}
        self.events: deque[ChainEvent] = deque()
        self.options = P2POptions()
        self.wants_extra_peer = False  # set while what peers tell is not agreed on enough
        self.headers_come_fast = True  # so that nothing else need be asked for meanwhile
        self.disputed: set[int] = set()  # heights at which peers disagree about the filter
        self.filter_checkpoints: Mapping[int, bytes] = {}  # packaged filter headers by height
        self.refuted: dict[int, set[bytes]] = {}  # height -> filter hashes that the block refutes
        self.own_coins: dict[OutPoint, bytes] = {}  # scripts of coins of the wallets, where known
        self.wants_extra_peer = False  # those connected may be keeping something from us
        self.refuse_block: Callable[[bytes], None] = lambda _hash: None
        self.contest: Callable[[Peer, int, bytes], None] = lambda _peer, _height, _hash: None
        self.is_judged: Callable[[int], bool] = lambda _height: True  # a dispute at a height
        self.byte_budget = BYTE_BUDGET
        self.filter_sources: dict[int, int] = {}  # matched height -> who sent its filter
        self._actions: list[Action] = []

    # --- what a source of blocks has, which differs where it is a node of one's own ---------------

    @property
    def lowest_height(self) -> int:
        """The lowest height that can be scanned."""
        return self.filter_headers.start_height

    @property
    def scannable_height(self) -> int:
        """The highest height that can be scanned."""
        return self.filter_headers.height

    def can_judge(self, mark: BlockRef) -> bool:
        """Whether it is known already what the filters up to a scan mark are."""
        return not mark.filter_header or mark.height <= self.filter_headers.height

    def claimed_height(self) -> int:
        """Tell how high the chain is said to be; the height of ours where nobody says."""
        claims = sorted(peer.version.start_height for peer in self.peers.values())
        return claims[len(claims) // 2] if claims else self.headers.height

    def sources(self) -> tuple[int, int]:
        """Count who serves a scan, and in how many networks they are."""
        serving = [p for p in self.peers.values() if p.serves_filters]
        return len(serving), len({p.netgroup for p in serving})

    def send(self, peer: Peer, message: Message) -> None:
        """Send a message."""
        self._actions.append(Send(peer.number, message))

    def disconnect(
        self, peer: Peer, reason: str, *, is_fault: bool, ban: Ban | None = None
    ) -> None:
        """Hang up on a peer. A fault is proof, so its address is banned where nothing else is said.

        The book of peers decides what a ban means: peers named by the person are never banned,
        and nobody is while fewer than two others can be reached.
        """
        if ban is None:
            ban = Ban.ADDRESS if is_fault else Ban.NOBODY
        self._actions.append(Disconnect(peer.number, reason, is_fault, ban))

    def convict(self, peer: Peer, reason: str) -> None:
        """Hang up on a peer that provably lied about filters; its whole network is banned."""
        self._silence(peer)
        self.disconnect(peer, reason, is_fault=True, ban=Ban.NETGROUP)

    def dismiss(self, peer: Peer, reason: str) -> None:
        """Hang up on a peer that is of no use, without blame."""
        self._silence(peer)
        self.disconnect(peer, reason, is_fault=False)

    def _silence(self, peer: Peer) -> None:
        """Count nothing that a peer said, while it is on its way out."""
        peer.disputes.clear()
        peer.agreed_through = -1
        peer.stalled_until = float("inf")

    def packaged_through(self) -> int:
        """Give the highest height at which the filter headers are known to be right, or -1.

        Those held always meet the packaged ones, and each stands for all below it.
        """
        top = self.filter_headers.height
        known = (height for height in self.filter_checkpoints if height <= top)
        return max(known, default=-1)

    def work(
        self, lane: Lane, run: Callable[[], Any], done: Callable[[Any, Instant], None]
    ) -> None:
        """Have something done elsewhere."""
        self._actions.append(Work(lane, run, done))

    def emit(self, event: ChainEvent) -> None:
        """Queue an event for delivery; it is never lost."""
        self.events.append(event)

    def take_actions(self) -> list[Action]:
        """Give what is to be done, once."""
        actions, self._actions = self._actions, []
        return actions

    def request_start(self, height: int) -> bool:
        """Have the chains extended downwards until `height` can be scanned.

        False where they cannot be: no known block leads there. Headers and filter headers then
        begin lower by and by (`backfill`).
        """
        anchor, filter_anchor = self.checkpoints.start_at(height)
        start = 0 if filter_anchor is None else filter_anchor.height + 1
        lowest = 0 if anchor is None else anchor.height + 1
        known = self.headers.anchor
        if self.headers.start_height > lowest and (
            known is None or self.checkpoints.hashes.get(known.height) != known.hash
        ):
            return False
        self.wanted_start = start if self.wanted_start is None else min(self.wanted_start, start)
        return True

    def filter_peers(self, now: Instant) -> list[Peer]:
        """List the peers that may be asked for filters now."""
        return self.usable((p for p in self.peers.values() if p.serves_filters), now)

    def usable(self, peers: Iterable[Peer], now: Instant) -> list[Peer]:
        """List those of these peers that may be asked for something new.

        If all of them were silent it is the one who may be asked first: better than nobody.
        """
        able = list(peers)
        usable = [peer for peer in able if peer.is_usable(now)]
        if usable or not able:
            return usable
        first = min(able, key=lambda peer: peer.stalled_until)
        return [] if first.stalled_until == float("inf") else [first]

    def retry_is_due(self, sent: float, tries: int, peer: Peer, now: Instant) -> bool:
        """Tell whether a request has met with silence for long enough to be repeated."""
        delay = RETRY_DELAYS[min(tries, len(RETRY_DELAYS) - 1)]
        return now.monotonic - max(sent, peer.last_answer) >= delay
