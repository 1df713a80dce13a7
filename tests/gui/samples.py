"""Snapshots as the engine would publish them, for tests of single pages."""

from wallet_gui.app.published import PHASES, PhaseProgress, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.chain.reports import (
    FeeAdvice,
    LedgerEntry,
    PeerInfo,
    Purpose,
    Route,
    ScanPlan,
)
from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import BlockRef, Keychain, PaymentRequest
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.snapshot import (
    Balance,
    HistoryEntry,
    ReceiveState,
    RequestEntry,
    RequestStatus,
    WalletSnapshot,
)

NOW = 1_760_000_000
TIP = 208


def address(number: int) -> str:
    found = address_from_script(p2wpkh(number.to_bytes(20)), REGTEST)
    assert found is not None
    return found


def entry(number: int, **changes: object) -> HistoryEntry:
    values: dict[str, object] = {
        "txid": number.to_bytes(32),
        "height": 100,
        "block_time": NOW - number * 600,
        "first_seen": NOW - number * 600,
        "received_sat": 50_000,
        "sent_sat": 0,
        "fee_sat": None,
        "net_sat": 50_000,
        "label": f"Payment {number}",
        "conflicts": (),
        "is_own": False,
        "replaced_by": None,
        "abandoned": False,
        "is_live": True,
        "is_coinbase": False,
        "can_bump": False,
        "vsize": 141,
        "addresses": (address(number + 1),),
    }
    return HistoryEntry(**{**values, **changes})  # type: ignore[arg-type]


WAITING = entry(
    2,
    height=None,
    block_time=None,
    is_own=True,
    can_bump=True,
    fee_sat=423,
    received_sat=50_000,
    sent_sat=150_423,
    net_sat=-100_423,
)
INCOMING = entry(1, height=None, block_time=None, net_sat=12_345)


def request(number: int, **changes: object) -> RequestEntry:
    values: dict[str, object] = {
        "request": PaymentRequest(
            Keychain.RECEIVE, number, 0, f"Invoice {number}", 250_000, "", NOW + number, None
        ),
        "address": address(100 + number),
        "status": RequestStatus.WAITING,
        "received_sat": 0,
    }
    return RequestEntry(**{**values, **changes})  # type: ignore[arg-type]


def snapshot(
    *,
    name: str = "Savings",
    balance: Balance | None = None,
    history: tuple[HistoryEntry, ...] | None = None,
    requests: tuple[RequestEntry, ...] | None = None,
    tip: int = TIP,
) -> WalletSnapshot:
    ref = BlockRef(tip, tip.to_bytes(32))
    return WalletSnapshot(
        name,
        "regtest",
        Balance(199_900_000, 49_577, 12_345, 5_000_000_000, 1_000) if balance is None else balance,
        (INCOMING, WAITING, *(entry(n) for n in range(3, 9))) if history is None else history,
        (),
        tuple(request(n) for n in range(3)) if requests is None else requests,
        ReceiveState(None, None, None, 0, can_reveal=True),
        ref,
        ref,
        NOW,
    )


EMPTY = snapshot(balance=Balance(), history=(), requests=())


ADVICE = FeeAdvice(10_000, 3_000, 1_000, 1_000, "From the last 5 blocks and 8 peers.", NOW)


def peer(number: int, **changes: object) -> PeerInfo:
    """A peer of a network of its own."""
    values: dict[str, object] = {
        "address": f"203.0.{number}.7:8333" if number != 4 else f"{'k7v2' * 14}.onion:8333",
        "user_agent": "/Satoshi:29.0.0/",
        "services": 0xC49,
        "best_height": 120_000,
        "inbound_bytes": 8_123_456 * number,
        "outbound_bytes": 65_432,
        "connected_since": NOW - 600 * number,
        "ping_ms": 40 + number,
        "transport": "v1" if number == 3 else "v2",
        "network": f"203.0.{number}.0/24",
        "route": Route.TOR if number == 4 else Route.DIRECT,
        "purposes": (Purpose.SYNC, Purpose.RELAY) if number < 3 else (Purpose.SYNC,),
        "bytes_per_second": 1_250_000.0 if number == 1 else 0.0,
    }
    return PeerInfo(**{**values, **changes})  # type: ignore[arg-type]


def contact(number: int, **changes: object) -> LedgerEntry:
    """One entry of the ledger."""
    values: dict[str, object] = {
        "host": f"203.0.{number}.7:8333",
        "purpose": Purpose.SYNC,
        "route": Route.DIRECT,
        "began": NOW - 60 * number,
        "transport": "v2",
        "inbound_bytes": 8_123_456,
        "outbound_bytes": 65_432,
    }
    return LedgerEntry(**{**values, **changes})  # type: ignore[arg-type]


LEDGER = (
    contact(1),
    contact(2, ended=NOW, outcome="It was silent for too long."),
    contact(
        3, host="x849.seed.example", purpose=Purpose.SEED, transport="", inbound_bytes=0,
        outbound_bytes=0, ended=NOW, outcome="25 addresses came.",
    ),
)  # fmt: skip


def scan_plan(**changes: object) -> ScanPlan:
    """A long scan of the wallet "id"."""
    values: dict[str, object] = {
        "wallet_id": "id",
        "from_height": 567_000,
        "from_time": 1_552_300_000,
        "to_height": 953_567,
        "filters": 386_568,
        "download_bytes": 8_100_000_000,
        "seconds": 1_500,
        "sources": 4,
        "networks": 4,
    }
    return ScanPlan(**{**values, **changes})  # type: ignore[arg-type]


def sync(
    phase: Phase = Phase.FILTERS,
    state: ConnectionState = ConnectionState.ONLINE,
    *,
    peers: int = 1,
    detail: str = "",
    warning: str = "",
    user_agent: str = "/Satoshi:29.0/",
) -> SyncSnapshot:
    reached = PHASES.index(phase) if phase in PHASES else len(PHASES)
    phases = tuple(
        PhaseProgress(item, 61_234 if n == reached else 120_000, 120_000, 3_000.0)
        if n <= reached
        else PhaseProgress(item)
        for n, item in enumerate(PHASES)
    )
    return SyncSnapshot(
        "regtest",
        "Directly (P2P)",
        state,
        phase,
        phases,
        120_000,
        NOW,
        tuple(PeerInfo(f"127.0.0.1:{18444 + n}", user_agent, 9, 120_000) for n in range(peers)),
        detail,
        warning,
        fee_advice=ADVICE,
    )


def transaction(number: int = 7, value_sat: int = 50_000) -> Transaction:
    script = script_from_address(address(number), REGTEST)
    return Transaction(2, (TxIn(OutPoint(number.to_bytes(32), 0)),), (TxOut(value_sat, script),), 0)


def plan(payments_sat: int = 50_000, **changes: object) -> SpendPlan:
    tx = transaction(value_sat=payments_sat)
    values: dict[str, object] = {
        "psbt": Psbt.from_unsigned_tx(tx),
        "fee_sat": 423,
        "vsize": 141,
        "change_sat": 99_577,
        "change_place": None,
        "inputs": (tx.inputs[0].prevout,),
        "fee_rate": FeeRate(3_000),
        "payments_sat": payments_sat,
    }
    return SpendPlan(**{**values, **changes})  # type: ignore[arg-type]
