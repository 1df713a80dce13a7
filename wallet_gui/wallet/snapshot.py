"""Frozen values that the screens show: balance, coins, history, requests. Amounts are in sat."""

from dataclasses import dataclass
from enum import Enum

from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.wallet.changes import BlockRef, Keychain, PaymentRequest


@dataclass(frozen=True, slots=True)
class Balance:
    """What the wallet holds, each coin in exactly one part.

    `confirmed`: in the chain and spendable. `trusted_pending`: unconfirmed, but made by us from
    our own coins. `incoming`: unconfirmed from others; may never confirm. `immature`: mined, not
    yet spendable. `frozen`: set aside by the person, confirmed or not.
    """

    confirmed: int = 0
    trusted_pending: int = 0
    incoming: int = 0
    immature: int = 0
    frozen: int = 0

    @property
    def total(self) -> int:
        return self.confirmed + self.trusted_pending + self.incoming + self.immature + self.frozen

    @property
    def spendable(self) -> int:
        """What a payment may use without further ado."""
        return self.confirmed + self.trusted_pending


@dataclass(frozen=True, slots=True)
class Coin:
    """An unspent output of ours.

    `height` is None while unconfirmed; then `is_own_change` tells that the transaction is ours
    through and through. `is_suspicious`: a tiny unasked payment to an address that was already
    used, sent to tie our coins together; never spent unless chosen by hand.
    """

    outpoint: OutPoint
    value_sat: int
    script_pubkey: bytes
    keychain: Keychain
    index: int
    descriptor_index: int
    height: int | None
    is_coinbase: bool
    frozen: bool
    is_own_change: bool
    is_mature: bool
    is_suspicious: bool
    address: str
    label: str

    @property
    def is_spendable(self) -> bool:
        """Whether a payment may pick it by itself."""
        return (
            (self.height is not None or self.is_own_change)
            and self.is_mature
            and not self.frozen
            and not self.is_suspicious
        )


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one transaction did to the wallet.

    `received_sat` counts outputs of ours, change included; `sent_sat` our coins that it spends;
    `net_sat` is the difference. `fee_sat` is None unless all coins it spends are known. `is_own`:
    it spends our coins. `is_live`: it counts in the balance. `conflicts`: other known
    transactions that spend a coin of it; `replaced_by`: the one of them that counts instead.
    `addresses`: whom it paid when it spends our coins, else where we were paid; at most ten.
    `signals_rbf`: it waits and says of itself that it may be replaced (BIP125); any other may be
    replaced too, by the rules of most nodes.
    """

    txid: bytes
    height: int | None
    block_time: int | None
    first_seen: int
    received_sat: int
    sent_sat: int
    fee_sat: int | None
    net_sat: int
    label: str
    conflicts: tuple[bytes, ...]
    is_own: bool
    replaced_by: bytes | None
    abandoned: bool
    is_live: bool
    is_coinbase: bool
    can_bump: bool
    vsize: int
    addresses: tuple[str, ...]
    signals_rbf: bool = False

    @property
    def fee_rate(self) -> FeeRate | None:
        """What it pays per size; None unless the fee is known."""
        return (
            None if self.fee_sat is None or not self.vsize else FeeRate.of(self.fee_sat, self.vsize)
        )

    @property
    def time(self) -> int:
        """When it happened: block time, else when it was first seen."""
        return self.first_seen if self.block_time is None else self.block_time


class RequestStatus(Enum):
    """How far a payment request got."""

    WAITING = "waiting"
    EXPIRED = "expired"
    SEEN = "seen"
    CONFIRMED = "confirmed"


@dataclass(frozen=True, slots=True)
class RequestEntry:
    """A payment request with what arrived for it (sat, spent coins included)."""

    request: PaymentRequest
    address: str
    status: RequestStatus
    received_sat: int


@dataclass(frozen=True, slots=True)
class ReceiveState:
    """The address to show next to "receive": the last one shown that nobody paid yet.

    `address` is None when none waits; `can_reveal` tells whether another one may be shown.
    """

    address: str | None
    script_pubkey: bytes | None
    index: int | None
    unused: int
    can_reveal: bool


class Signing(Enum):
    """Where the keys are that sign for a wallet."""

    HERE = "here"
    ELSEWHERE = "elsewhere"
    """The wallet only watches."""
    TOGETHER = "together"
    """Cosigners have to sign, too."""


@dataclass(frozen=True, slots=True)
class WalletSnapshot:
    """All that the screens show of a wallet at one moment. `history` is newest first."""

    name: str
    network: str
    balance: Balance
    history: tuple[HistoryEntry, ...]
    coins: tuple[Coin, ...]
    requests: tuple[RequestEntry, ...]
    receive: ReceiveState
    tip: BlockRef | None
    scan_mark: BlockRef | None
    taken: int
    signing: Signing = Signing.HERE

    def confirmations(self, entry: HistoryEntry | Coin) -> int:
        """Count the blocks that bury a transaction, its own included; 0 when unconfirmed."""
        if entry.height is None or self.tip is None:
            return 0
        return max(0, self.tip.height - entry.height + 1)
