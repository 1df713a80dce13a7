"""What every source of blocks has in common: its events, its protocol, the stores it is given.

Two backends stand behind `ChainBackend`: compact filters over P2P, and the user's own node. The
wallet sees only the events below and cannot tell which one runs, so switching needs no rescan.
All of it is plain values: no socket, no clock, no disk.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, TypeAlias

from wallet_gui.chain.filter_runs import Buffer, Offsets
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, ScanPlan, SeenBy
from wallet_gui.primitives.block import ScannedBlock
from wallet_gui.primitives.transaction import OutPoint, Transaction


class ChainError(Exception):
    """Something about the chain or its source; the message is one sentence for a person."""


class NoPeers(ChainError):
    """Nobody to ask: the request was not sent to anyone."""


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block named by height and by hash (32 bytes, wire order); the hash decides.

    A scan mark also says which `filter_header` (BIP157, 32 bytes) was agreed on there when it was
    made: if that turns out to have been a lie, the mark says nothing. Empty where it is unknown.
    """

    height: int
    hash: bytes
    filter_header: bytes = field(default=b"", compare=False)


class Phase(Enum):
    """What the backend is busy with, in the order in which a first sync goes through it."""

    PEERS = "peers"
    HEADERS = "headers"
    FILTER_HEADERS = "filter headers"
    FILTERS = "filters"
    BLOCKS = "blocks"
    SYNCED = "synced"


class ConnectionState(Enum):
    """Whether the backend can reach its source."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"


class BroadcastStage(Enum):
    """The ladder of evidence that a transaction spreads; `FAILED` ends it."""

    SENT = "sent"
    REQUESTED = "requested"
    ECHOED = "echoed"  # a node has it: one announced it, or gave it back when asked
    SPREAD = "spread"  # nodes of two netgroups have it that did not get it from us
    FAILED = "failed"


# --- events, in the order in which a wallet meets them -------------------------------------------


@dataclass(frozen=True, slots=True)
class TipChanged:
    """The most-work header chain ends here; `time` is the tip header's own time."""

    ref: BlockRef
    time: int


@dataclass(frozen=True, slots=True)
class BlockMatched:
    """A checked block that may concern this wallet.

    Within one pass over the chain heights ascend. After the watch set grew, an earlier height, or
    the same one, may come again: applying a block twice changes nothing.
    """

    wallet_id: str
    height: int
    block: ScannedBlock


@dataclass(frozen=True, slots=True)
class Reorganized:
    """Every block above `fork_height` left the active chain; comes before the new branch does."""

    wallet_id: str
    fork_height: int


@dataclass(frozen=True, slots=True)
class Scanned:
    """All blocks up to here were matched against the whole watch set, and the hits delivered.

    The mark may fall: when the watch set grows, the new scripts start again at an earlier height.
    It is stored as it comes, so that a crash during the second look loses nothing.
    """

    wallet_id: str
    height: int
    hash: bytes
    filter_header: bytes = b""


@dataclass(frozen=True, slots=True)
class PreviewMatched:
    """A checked block of the newest ones, read ahead of a long scan so that there is an answer.

    Heights ascend within one preview. What it shows is partial: coins of earlier blocks are not
    known yet, so it never becomes part of the wallet; the scan brings the same block again.
    """

    wallet_id: str
    height: int
    block: ScannedBlock


@dataclass(frozen=True, slots=True)
class PreviewDone:
    """Every block from `from_height` to the tip of that moment was looked through in a preview."""

    wallet_id: str
    from_height: int
    to_height: int


@dataclass(frozen=True, slots=True)
class TxSeen:
    """An unconfirmed transaction that `peer` (address text) relayed; its inputs are unverified."""

    tx: Transaction
    peer: str


@dataclass(frozen=True, slots=True)
class PendingChanged:
    """`seen_by` tells something new of a payment that was asked about, or `minimum_fee_rates`."""


@dataclass(frozen=True, slots=True)
class SyncProgress:
    """How far a phase is, in heights (peers in `Phase.PEERS`); droppable, unlike other events.

    Speeds are per second and for display only: `speed` counts what `done` counts.
    """

    phase: Phase
    done: int
    total: int
    speed: float = 0.0
    bytes_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class BackendState:
    """The connection as a whole; `detail` is a sentence for a person, or empty."""

    state: ConnectionState
    peers: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class BackendWarning:
    """Something a person should know, as one sentence; the sync goes on."""

    sentence: str


@dataclass(frozen=True, slots=True)
class BroadcastProgress:
    """One more rung for `txid` (wire order); `peers` is how many stand for this stage."""

    txid: bytes
    stage: BroadcastStage
    peers: int


class CheckState(Enum):
    """How a wallet's confirmed coins compare with the node's own set of unspent outputs."""

    CHECKING = "checking"
    AGREES = "agrees"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class BalanceChecked:
    """A wallet's coins were, or are to be, compared with the node's set of unspent outputs.

    While they differ the balance is not to be shown as a number. `sentence` is for a person;
    `height` is the block at which both were compared, None unless they were.
    """

    wallet_id: str
    state: CheckState
    sentence: str = ""
    height: int | None = None


@dataclass(frozen=True, slots=True)
class OwnCoins:
    """What a wallet takes for its own at one moment.

    `coins` are the outputs to `scripts` that the chain has unspent as far as the wallet was told
    (confirmed, and spent by no confirmed transaction): amount in sat, and height.
    """

    scripts: Collection[bytes]
    coins: Mapping[OutPoint, tuple[int, int]]


CoinsOf: TypeAlias = Callable[[], OwnCoins]
"""Gives a wallet's coins; called on the engine's loop, between two events."""

ChainEvent = (
    TipChanged
    | BlockMatched
    | Reorganized
    | Scanned
    | PreviewMatched
    | PreviewDone
    | TxSeen
    | PendingChanged
    | SyncProgress
    | BackendState
    | BackendWarning
    | BroadcastProgress
    | BalanceChecked
)

EventSink = Callable[[ChainEvent], Awaitable[None]]
"""Where a backend delivers its events, one at a time; it awaits each before it sends the next."""


@dataclass(frozen=True, slots=True)
class BroadcastResult:
    """How a broadcast ended: the highest stage reached, by how many peers, and a sentence.

    `was_missing`: nobody who was asked whether it has it, before being told of it, had it.
    """

    txid: bytes
    stage: BroadcastStage
    peers: int
    detail: str = ""
    was_missing: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether somebody other than us is known to have taken it."""
        return self.stage in {
            BroadcastStage.REQUESTED,
            BroadcastStage.ECHOED,
            BroadcastStage.SPREAD,
        }


class ChainBackend(Protocol):
    """A source of blocks. Lives on the engine's loop; nothing here may be called from elsewhere."""

    async def start(self) -> None:
        """Begin to connect and to sync; returns at once, news comes as events."""
        ...

    async def stop(self) -> None:
        """Close every connection; no event comes after this returns. Idempotent."""
        ...

    def watch(
        self,
        wallet_id: str,
        scripts: Sequence[bytes],
        *,
        checkpoints: Sequence[BlockRef],
        birthday_time: int | None,
        anchors: Sequence[BlockRef] = (),
        preview_scripts: Callable[[], Sequence[bytes]] | None = None,
        coins: CoinsOf | None = None,
    ) -> None:
        """Scan for a wallet's scripts.

        `checkpoints` are its scan marks, newest first: the scan goes on above the newest one that
        is on the active chain. Without any it starts at `birthday_time` (unix time; two days'
        margin is added here), and without that at the chain's start. `anchors` are blocks above
        the newest checkpoint in which the wallet has seen transactions: when one of them is not
        on the active chain any more, `Reorganized` tells so before the scan begins.

        Before a long scan the newest blocks may be looked through for a preview;
        `preview_scripts`, called in a worker thread, gives what to look for there besides:
        addresses far beyond the window, since a preview cannot grow it.

        A source that knows all unspent outputs compares them with `coins` (`BalanceChecked`).
        """
        ...

    def extend_watch(
        self, wallet_id: str, scripts: Sequence[bytes], *, from_height: int | None = None
    ) -> None:
        """Add scripts and match them again from `from_height`, by default the wallet's start.

        May be called while a `BlockMatched` is being delivered. Higher blocks that wait for
        delivery go on waiting until the new scripts were matched up to them.
        """
        ...

    def unwatch(self, wallet_id: str) -> None:
        """Forget a wallet: no event names it any more."""
        ...

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Send a transaction and wait for evidence; `BroadcastProgress` events tell the way.

        `parents` are unconfirmed ancestors of ours, given to a node that lacks them.
        Raises `NoPeers` when there was nobody to send it to.
        """
        ...

    def withdraw(self, txid: bytes) -> None:
        """Send a transaction no more and give it to nobody who has not got it."""
        ...

    def suspect_block(self, height: int) -> None:
        """Read a block in full, whatever its filter says: a payment is thought to be in it."""
        ...

    def tip(self) -> BlockRef | None:
        """Tell the tip of the most-work chain; None before the first headers."""
        ...

    def minimum_fee_rates(self) -> list[int]:
        """List below which rate, in sat/kvB, each connected peer takes no transaction (BIP133)."""
        ...

    def is_synced(self) -> bool:
        """Whether every wallet was scanned up to the tip that peers show."""
        ...

    def peers(self) -> list[PeerInfo]:
        """List the connections of this moment."""
        ...

    def ledger(self) -> list[LedgerEntry]:
        """List every contact with another host since the start, the newest first."""
        ...

    def scan_plans(self) -> list[ScanPlan]:
        """Tell for each wallet that is not scanned to the tip what is left to do."""
        ...

    def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        ...

    def pause_scans(self, *, paused: bool) -> None:
        """Hold back, or let go on, what scans download; headers are followed all the same."""
        ...

    def fee_advice(self) -> FeeAdvice | None:
        """Tell usual fee rates as far as the source knows them; None when it knows nothing."""
        ...

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Tell how many peers announced an unconfirmed transaction; None when that is unknown."""
        ...

    def set_receiving(self, *, is_receiving: bool) -> None:
        """Say whether a person waits for a payment: relaying may depend on it."""
        ...


# --- stores: implemented by the storage floor, injected, synchronous, called in order -------------


class HeaderStore(Protocol):
    """The active header chain from some height on, without gaps."""

    def load(self) -> tuple[int, bytes]:
        """Give the height of the first header and all headers (80 bytes each, concatenated).

        An empty store gives `(0, b"")`.
        """
        ...

    def append(self, height: int, raw_headers: bytes) -> None:
        """Store headers of which the first has `height`: the next one, or any in an empty store."""
        ...

    def prepend(self, height: int, raw_headers: bytes) -> None:
        """Store headers of which the last is just below the lowest one stored."""
        ...

    def truncate(self, height: int) -> None:
        """Drop every header above `height`; that one and those below stay."""
        ...


class FilterHeaderStore(Protocol):
    """The agreed BIP157 filter headers of the active chain (32 bytes each), without gaps."""

    def load(self) -> tuple[int, bytes]:
        """Give the height of the first filter header and all of them, concatenated."""
        ...

    def append(self, height: int, raw: bytes) -> None:
        """Store filter headers of which the first has `height`."""
        ...

    def prepend(self, height: int, raw: bytes) -> None:
        """Store filter headers of which the last is just below the lowest one stored."""
        ...

    def truncate(self, height: int) -> None:
        """Drop every filter header above `height`."""
        ...


StoredFilters: TypeAlias = tuple[int, bytes, Buffer, Offsets, Offsets]
"""Filters of consecutive blocks: the first height, the block hashes (32 bytes each, wire order),
one buffer, and where each filter begins and ends in it (`array("Q")`)."""


class FilterStore(Protocol):
    """A cache of serialized BIP158 filters; it may forget any of them."""

    def get_runs(self, height: int, hashes: bytes) -> list[StoredFilters]:
        """Give what there is of the filters of these blocks, of which the first has `height`.

        The runs ascend and do not overlap.
        """
        ...

    def put_runs(self, runs: Sequence[StoredFilters]) -> None:
        """Store filters; the least recently used ones make room."""
        ...


class PeerStore(Protocol):
    """The address book between sessions."""

    def load(self) -> bytes:
        """Give what was saved last, b"" when nothing was; it may be damaged."""
        ...

    def save(self, data: bytes) -> None:
        """Replace the book."""
        ...


class ChainStores(Protocol):
    """The three stores of one network, as the chain database offers them."""

    @property
    def headers(self) -> HeaderStore:
        """Block headers."""
        ...

    @property
    def filter_headers(self) -> FilterHeaderStore:
        """Filter headers."""
        ...

    @property
    def filters(self) -> FilterStore:
        """The filter cache."""
        ...
