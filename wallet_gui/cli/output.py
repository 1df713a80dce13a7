"""Writes results: text for people, one JSON document or CSV for programs. Amounts are exact."""

import csv
import io
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from wallet_gui.app.network_words import (
    LEDGER_TITLES,
    NOTHING_ELSE,
    PEER_TITLES,
    ledger_cells,
    ledger_summary,
    peer_cells,
    sources_text,
)
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.peer_group import NO_FILTERS
from wallet_gui.chain.reports import LedgerEntry, PeerInfo
from wallet_gui.cli.printing import table
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.wallet.snapshot import Balance, HistoryEntry, WalletSnapshot

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_LABEL = 60
_BY_RPC = "RPC"  # a node of one's own, which is asked for more than filters
_AGENT = 256
_CSV_LABEL = 1000


def balance_json(balance: Balance) -> dict[str, int]:
    """The balance in satoshis."""
    return {
        "confirmed": balance.confirmed,
        "trusted_pending": balance.trusted_pending,
        "incoming": balance.incoming,
        "immature": balance.immature,
        "frozen": balance.frozen,
        "spendable": balance.spendable,
        "total": balance.total,
    }


def balance_lines(balance: Balance) -> list[str]:
    """The balance in BTC, one part a line; parts that are nothing are left out."""
    rows = [("confirmed", balance.confirmed)]
    rows += [
        (name, amount)
        for name, amount in (
            ("own change, waiting", balance.trusted_pending),
            ("incoming, unconfirmed", balance.incoming),
            ("mined, maturing", balance.immature),
            ("frozen", balance.frozen),
        )
        if amount
    ]
    rows.append(("total", balance.total))
    return table([(name, format_btc(amount), "BTC") for name, amount in rows], right={1})


def entry_json(snapshot: WalletSnapshot, entry: HistoryEntry) -> dict[str, object]:
    """One payment; amounts in satoshis, times in Unix seconds."""
    return {
        "txid": hash_to_hex(entry.txid),
        "height": entry.height,
        "confirmations": snapshot.confirmations(entry),
        "time": entry.time,
        "net": entry.net_sat,
        "received": entry.received_sat,
        "sent": entry.sent_sat,
        "fee": entry.fee_sat,
        "label": entry.label,
        "addresses": list(entry.addresses),
        "live": entry.is_live,
        "abandoned": entry.abandoned,
        "replaced_by": None if entry.replaced_by is None else hash_to_hex(entry.replaced_by),
    }


def state_of(snapshot: WalletSnapshot, entry: HistoryEntry) -> str:
    """The state of a payment in a word or two."""
    if entry.abandoned:
        return "abandoned"
    if not entry.is_live:
        return "replaced" if entry.replaced_by is not None else "dropped"
    count = snapshot.confirmations(entry)
    return f"{count} conf." if count else "unconfirmed"


def history_lines(snapshot: WalletSnapshot, entries: Iterable[HistoryEntry]) -> list[str]:
    """Payments as an aligned table."""
    rows = [
        (
            moment(entry.time),
            state_of(snapshot, entry),
            f"{'+' if entry.net_sat >= 0 else ''}{format_btc(entry.net_sat)}",
            hash_to_hex(entry.txid),
            plain_text(entry.label, _LABEL),
        )
        for entry in entries
    ]
    return table(rows, right={2})


def csv_lines(snapshot: WalletSnapshot, entries: Iterable[HistoryEntry]) -> list[str]:
    """Payments as CSV whose cells no spreadsheet takes for formulas (CWE-1236)."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["date", "state", "net_btc", "fee_btc", "txid", "label"])
    for entry in entries:
        writer.writerow(
            [
                moment(entry.time),
                state_of(snapshot, entry),
                format_btc(entry.net_sat),
                "" if entry.fee_sat is None else format_btc(entry.fee_sat),
                hash_to_hex(entry.txid),
                harmless(plain_text(entry.label, _CSV_LABEL)),
            ]
        )
    return text.getvalue().splitlines()


def harmless(text: str) -> str:
    """A cell that begins like a formula gets an apostrophe in front."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def moment(when: int) -> str:
    """Local date and time."""
    return datetime.fromtimestamp(when, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def peer_json(peer: PeerInfo) -> dict[str, object]:
    """One peer; what it says of itself is plain text and capped."""
    return {
        "address": peer.address,
        "network": peer.network,
        "user_agent": plain_text(peer.user_agent, _AGENT),
        "services": peer.services,
        "route": peer.route.name.lower(),
        "transport": peer.transport,
        "purposes": [purpose.name.lower() for purpose in peer.purposes],
        "height": peer.best_height,
        "ping_ms": peer.ping_ms,
        "received": peer.inbound_bytes,
        "sent": peer.outbound_bytes,
        "since": peer.connected_since,
        "own": peer.is_own,
        "note": plain_text(peer.note or _advice_about(peer), _CSV_LABEL),
    }


def _advice_about(peer: PeerInfo) -> str:
    """Tell what to do about a named node that is of no use for a sync."""
    if (
        not peer.is_own
        or peer.services & Services.COMPACT_FILTERS
        or peer.transport.startswith(_BY_RPC)
    ):
        return ""
    return NO_FILTERS.format(address=peer.address)


def peer_advice(snapshot: SyncSnapshot) -> list[str]:
    """What to do about named nodes that serve no filters, a sentence each."""
    advice = [_advice_about(peer) for peer in snapshot.peers]
    return ["", *dict.fromkeys(text for text in advice if text)] if any(advice) else []


def peer_lines(snapshot: SyncSnapshot) -> list[str]:
    """Peers as an aligned table, with how many networks they are in."""
    now = int(time.time())
    rows = [peer_cells(peer, now) for peer in snapshot.peers]
    if not rows:
        return []
    summary = f"{sources_text(snapshot)}."
    if snapshot.node is not None:
        summary = " ".join(text for text in (snapshot.source_words, snapshot.node.rung) if text)
    return [*table([PEER_TITLES, *rows], right={6, 7, 8, 9, 10, 11}), "", summary]


def contact_json(entry: LedgerEntry) -> dict[str, object]:
    """One contact; times in Unix seconds, `ended` null while it lasts."""
    return {
        "host": entry.host,
        "purpose": entry.purpose.name.lower(),
        "route": entry.route.name.lower(),
        "began": entry.began,
        "ended": entry.ended,
        "transport": entry.transport,
        "received": entry.inbound_bytes,
        "sent": entry.outbound_bytes,
        "outcome": plain_text(entry.outcome, _CSV_LABEL),
    }


def contact_lines(entries: Sequence[LedgerEntry]) -> list[str]:
    """Every contact as an aligned table, and that there was no other."""
    rows = [ledger_cells(entry) for entry in entries]
    if not rows:
        return [ledger_summary(entries)]
    return [
        *table([LEDGER_TITLES, *rows], right={5, 6, 7}),
        "",
        ledger_summary(entries),
        NOTHING_ELSE,
    ]
