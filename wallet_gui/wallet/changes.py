"""What a wallet is, what it must keep and what it tells: descriptions, change sets and events.

A mutation of the wallet stages a `ChangeSet`. Its two halves go to two files: `ViewChange` to the
small irreplaceable wallet file, `CacheChange` to the cache that the chain can give again. Merging
all change sets of a wallet in order gives its `WalletState`, from which an equal wallet is built.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Self, TypeVar

from wallet_gui.primitives.transaction import OutPoint

K = TypeVar("K")
V = TypeVar("V")


class Keychain(IntEnum):
    """The two chains of an account: addresses given away, and our own change (BIP44)."""

    RECEIVE = 0
    CHANGE = 1


@dataclass(frozen=True, slots=True, order=True)
class BlockRef:
    """A block by height and hash (wire order).

    Scan marks hold the BIP157 filter header beside it that was agreed on when they were made, or
    nothing where the source has none.
    """

    height: int
    hash: bytes
    filter_header: bytes = field(default=b"", compare=False)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The block that confirms a transaction, its header's time and the place inside the block."""

    height: int
    hash: bytes
    time: int
    position: int

    @property
    def block(self) -> BlockRef:
        return BlockRef(self.height, self.hash)


@dataclass(frozen=True, slots=True)
class PaymentRequest:
    """An address that was given away, and what the person noted about it.

    `amount_sat` is None when any amount is welcome; `expires` None when it never ends.
    """

    keychain: Keychain
    index: int
    descriptor_index: int
    label: str = ""
    amount_sat: int | None = None
    message: str = ""
    created: int = 0
    expires: int | None = None

    @property
    def key(self) -> "RequestKey":
        return self.descriptor_index, self.keychain, self.index


@dataclass(frozen=True, slots=True)
class OwnTransaction:
    """A transaction signed by us, in wire form with witness, and the time when it was made."""

    raw: bytes
    created: int


class Evidence(IntEnum):
    """How far the last attempt to send a payment came, as the backend showed it."""

    NONE = 0
    SENT = 1
    REQUESTED = 2
    ECHOED = 3
    SPREAD = 4
    FAILED = 5


@dataclass(frozen=True, slots=True)
class Attempts:
    """The sending of an own transaction so far. Times are Unix times.

    `height` is that of the tip at the first try, `due` when it is to be offered again.
    """

    first: int
    last: int
    due: int
    height: int
    count: int
    evidence: Evidence


ChainKey = tuple[int, Keychain]
"""(descriptor_index, keychain): one of the chains of scripts of a wallet."""

ScriptChunk = tuple[int, Keychain, int]
"""(descriptor_index, keychain, number) of a run of derived scripts of that chain."""

RequestKey = tuple[int, Keychain, int]
"""(descriptor_index, keychain, index) of the address of a payment request."""

LabelKey = tuple[str, str]
"""(BIP329 type such as "tx", "addr", "output"; BIP329 ref, the text that names the thing)."""


@dataclass(frozen=True, slots=True)
class WalletDescription:
    """What a wallet is; stored in the view box and changed only by the person.

    `descriptors` are public multipath account descriptors with checksum; `active` is the one
    whose addresses are handed out. `fingerprint` is the master key's, eight hex digits.
    `birthday_time` is a Unix time before which nothing can have been paid; None when unknown.
    """

    name: str
    network: str
    descriptors: tuple[str, ...]
    active: int
    fingerprint: str
    birthday_time: int | None
    cache_key: bytes = field(repr=False)
    has_secrets: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.active < len(self.descriptors):
            raise ValueError("The wallet names an active descriptor that it does not have.")


def _later(earlier: Mapping[K, V], later: Mapping[K, V]) -> dict[K, V]:
    return {**earlier, **later}


def _highest(earlier: Mapping[K, int], later: Mapping[K, int]) -> dict[K, int]:
    return {key: max(earlier.get(key, -1), later.get(key, -1)) for key in {**earlier, **later}}


@dataclass(frozen=True, slots=True)
class ViewChange:
    """What goes to the wallet file. In a change, None, "" and False take an entry away.

    `revealed`: highest index ever shown per chain (only grows). `labels`: text per `LabelKey`, ""
    for none. `requests`: None removes. `frozen`: coins that are never spent. `own_transactions`:
    signed by us and not yet buried; None once the chain holds them safely or they are abandoned.
    """

    revealed: dict[ChainKey, int] = field(default_factory=dict)
    labels: dict[LabelKey, str] = field(default_factory=dict)
    requests: dict[RequestKey, PaymentRequest | None] = field(default_factory=dict)
    frozen: dict[OutPoint, bool] = field(default_factory=dict)
    own_transactions: dict[bytes, OwnTransaction | None] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, part.name) for part in fields(self))

    def merge(self, later: Self) -> Self:
        return type(self)(
            revealed=_highest(self.revealed, later.revealed),
            labels=_later(self.labels, later.labels),
            requests=_later(self.requests, later.requests),
            frozen=_later(self.frozen, later.frozen),
            own_transactions=_later(self.own_transactions, later.own_transactions),
        )

    def settled(self) -> Self:
        """Leave out the entries that only say "taken away": a total, not a change."""
        return type(self)(
            revealed=dict(self.revealed),
            labels={key: text for key, text in self.labels.items() if text},
            requests={key: item for key, item in self.requests.items() if item is not None},
            frozen={outpoint: True for outpoint, is_frozen in self.frozen.items() if is_frozen},
            own_transactions={
                txid: own for txid, own in self.own_transactions.items() if own is not None
            },
        )


@dataclass(frozen=True, slots=True)
class CacheChange:
    """What goes to the cache, in one database transaction. None and False take an entry away.

    `transactions`: txid -> wire form with witness. `anchors`: where they are confirmed.
    `first_seen`: Unix time. `seen_order`: counts up; of two unconfirmed transactions that spend
    the same coin the network keeps the one seen last; 0 marks the loser. `last_used`: highest
    index paid per chain (only grows). `checkpoints`: height -> hash of blocks up to which
    everything is scanned; the highest is the scan mark. `abandoned`: the person gave up on them.
    `attempts`: own transactions that were sent and are to be sent again until they confirm.
    `scripts`: derived scripts by (descriptor number, keychain, number of the chunk), packed by
    `watched_scripts`; they only spare deriving them again.
    """

    transactions: dict[bytes, bytes | None] = field(default_factory=dict)
    anchors: dict[bytes, Anchor | None] = field(default_factory=dict)
    first_seen: dict[bytes, int | None] = field(default_factory=dict)
    seen_order: dict[bytes, int | None] = field(default_factory=dict)
    last_used: dict[ChainKey, int] = field(default_factory=dict)
    checkpoints: dict[int, bytes | None] = field(default_factory=dict)
    abandoned: dict[bytes, bool] = field(default_factory=dict)
    attempts: dict[bytes, Attempts | None] = field(default_factory=dict)
    scripts: dict[ScriptChunk, bytes] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not any(getattr(self, part.name) for part in fields(self))

    @property
    def scan_mark(self) -> BlockRef | None:
        """The highest checkpoint: all blocks up to it are scanned for every watched script."""
        marks = [BlockRef(height, h[:32]) for height, h in self.checkpoints.items() if h]
        return max(marks, default=None)

    def merge(self, later: Self) -> Self:
        return type(self)(
            transactions=_later(self.transactions, later.transactions),
            anchors=_later(self.anchors, later.anchors),
            first_seen=_later(self.first_seen, later.first_seen),
            seen_order=_later(self.seen_order, later.seen_order),
            last_used=_highest(self.last_used, later.last_used),
            checkpoints=_later(self.checkpoints, later.checkpoints),
            abandoned=_later(self.abandoned, later.abandoned),
            attempts=_later(self.attempts, later.attempts),
            scripts=_later(self.scripts, later.scripts),
        )

    def settled(self) -> Self:
        """Leave out the entries that only say "taken away": a total, not a change."""
        return type(self)(
            transactions={k: v for k, v in self.transactions.items() if v is not None},
            anchors={k: v for k, v in self.anchors.items() if v is not None},
            first_seen={k: v for k, v in self.first_seen.items() if v is not None},
            seen_order={k: v for k, v in self.seen_order.items() if v is not None},
            last_used=dict(self.last_used),
            checkpoints={k: v for k, v in self.checkpoints.items() if v is not None},
            abandoned={k: True for k, v in self.abandoned.items() if v},
            attempts={k: v for k, v in self.attempts.items() if v is not None},
            scripts=dict(self.scripts),
        )


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """What one or more mutations changed; to be stored view first, then cache."""

    view: ViewChange = field(default_factory=ViewChange)
    cache: CacheChange = field(default_factory=CacheChange)

    @property
    def is_empty(self) -> bool:
        return self.view.is_empty and self.cache.is_empty

    def merge(self, later: Self) -> Self:
        """Both in one; where they touch the same entry the later one holds. Associative."""
        return type(self)(self.view.merge(later.view), self.cache.merge(later.cache))


@dataclass(frozen=True, slots=True)
class WalletState:
    """The total of all change sets of a wallet, as its two files hold it."""

    view: ViewChange = field(default_factory=ViewChange)
    cache: CacheChange = field(default_factory=CacheChange)

    def apply(self, change: ChangeSet) -> Self:
        return type(self)(
            self.view.merge(change.view).settled(), self.cache.merge(change.cache).settled()
        )


@dataclass(frozen=True, slots=True)
class TipChanged:
    """The active chain has a new last block."""

    tip: BlockRef


@dataclass(frozen=True, slots=True)
class TxAdded:
    """A transaction that concerns the wallet became known, confirmed or not."""

    txid: bytes


@dataclass(frozen=True, slots=True)
class TxConfirmed:
    """A known transaction is in a block of the active chain."""

    txid: bytes
    height: int
    block_hash: bytes


@dataclass(frozen=True, slots=True)
class TxUnconfirmed:
    """A reorganisation took the block of the transaction away; it waits again."""

    txid: bytes


@dataclass(frozen=True, slots=True)
class TxReplaced:
    """Another transaction, `by`, spends a coin of this one: it no longer counts."""

    txid: bytes
    by: bytes


@dataclass(frozen=True, slots=True)
class TxDropped:
    """The transaction no longer counts: abandoned, or its parent was replaced or lost."""

    txid: bytes


@dataclass(frozen=True, slots=True)
class WindowGrew:
    """Scripts joined the watch set: they must be matched from the block on that brought them."""

    scripts: tuple[bytes, ...]


WalletEvent = (
    TipChanged | TxAdded | TxConfirmed | TxUnconfirmed | TxReplaced | TxDropped | WindowGrew
)


def chains(count: int) -> Iterator[ChainKey]:
    """Every chain of a wallet with `count` descriptors, in a fixed order."""
    for descriptor_index in range(count):
        for keychain in Keychain:
            yield descriptor_index, keychain
