"""Words for what a source tells about itself, the same in the window and on the command line.

Text from peers is made plain and capped here once more, whatever was done to it before.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from wallet_gui.app.published import PhaseProgress, PreviewSnapshot, SyncSnapshot
from wallet_gui.chain.backend import Phase
from wallet_gui.chain.reports import FeeAdvice, LedgerEntry, PeerInfo, Purpose, ScanPlan, SeenBy
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.plain_text import plain_text

NOTHING_ELSE: Final = (
    "Nothing else was contacted. This list holds every connection and every name look-up of this "
    "program since it was started."
)
PEER_TITLES: Final = (
    "Address",
    "Network",
    "Says it is",
    "Route",
    "Encrypted",
    "Used for",
    "Block",
    "Ping",
    "Received",
    "Speed",
    "Sent",
    "Connected",
    "Note",
)
LEDGER_TITLES: Final = (
    "Began",
    "Host",
    "Why",
    "Route",
    "Encrypted",
    "Received",
    "Sent",
    "Lasted",
    "Outcome",
)
_ADDRESS, _NAME, _NOTE = 80, 60, 200
_USED_FOR: Final = {
    Purpose.SEED: "addresses",
    Purpose.SYNC: "chain",
    Purpose.RELAY: "payments",
    Purpose.FEELER: "test",
    Purpose.ADDRESSES: "addresses",
    Purpose.BROADCAST: "sending",
    Purpose.NODE_TEST: "test",
    Purpose.UPDATE: "newer version",
}
_STEP: Final = 1_000
_TWO_DAYS: Final = 2 * 24 * 3600
_WEEK: Final = 7 * 24 * 3600


def bytes_text(count: float) -> str:
    """An amount of data as people say it, in decimal units."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < _STEP:
            return (
                f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
            )
        amount /= _STEP
    return f"{amount:.1f} GB"


def duration_text(seconds: int) -> str:
    """A time span in words, rounded as a person would."""
    if seconds < 60:
        return f"{max(1, seconds)} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < _TWO_DAYS:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86_400} days"


def moment_text(moment: int) -> str:
    """Local date and time to the second."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def day_text(moment: int) -> str:
    """Local date."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d")


def count_text(count: int, one: str, many: str = "") -> str:
    """A count with its noun, such as "1 peer" or "2 peers"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def sources_text(snapshot: SyncSnapshot) -> str:
    """How many there are to compare: peers, and the networks they are in."""
    peers, networks = len(snapshot.peers), snapshot.networks
    if not peers:
        return "No source"
    if peers == 1:
        return "One source"
    return f"{peers} sources in {count_text(networks, 'network')}"


def encrypted_text(transport: str) -> str:
    """Whether what is said on a connection can be read on the way."""
    return {"": "", "v2": "yes (v2)", "v1": "no (v1)"}.get(transport, plain_text(transport, 20))


def purposes_text(purposes: Sequence[Purpose]) -> str:
    """What a peer is used for, in few words."""
    return ", ".join(dict.fromkeys(_USED_FOR[purpose] for purpose in purposes))


def peer_cells(peer: PeerInfo, now: int) -> tuple[str, ...]:
    """One peer as in `PEER_TITLES`."""
    speed = f"{bytes_text(peer.bytes_per_second)}/s" if peer.bytes_per_second >= 1 else ""
    own = " (yours)" if peer.is_own else ""
    since = duration_text(max(0, now - peer.connected_since)) if peer.connected_since else ""
    return (
        plain_text(peer.address, _ADDRESS) + own,
        plain_text(peer.network, _ADDRESS),
        plain_text(peer.user_agent, _NAME) or "nothing",
        peer.route.value,
        encrypted_text(peer.transport),
        purposes_text(peer.purposes),
        f"{peer.best_height:,}" if peer.best_height >= 0 else "",
        "" if peer.ping_ms is None else f"{peer.ping_ms:,} ms",
        bytes_text(peer.inbound_bytes),
        speed,
        bytes_text(peer.outbound_bytes),
        since,
        plain_text(peer.note, _NOTE),
    )


def ledger_cells(entry: LedgerEntry) -> tuple[str, ...]:
    """One contact as in `LEDGER_TITLES`."""
    lasted = "open" if entry.ended is None else duration_text(max(0, entry.ended - entry.began))
    return (
        moment_text(entry.began),
        plain_text(entry.host, _ADDRESS),
        entry.purpose.value,
        entry.route.value,
        encrypted_text(entry.transport),
        bytes_text(entry.inbound_bytes) if entry.inbound_bytes else "",
        bytes_text(entry.outbound_bytes) if entry.outbound_bytes else "",
        lasted,
        plain_text(entry.outcome, _NOTE),
    )


def ledger_text(entries: Sequence[LedgerEntry]) -> str:
    """Every contact as tab-separated text, with what it does not hold said at the end."""
    lines = ["\t".join(LEDGER_TITLES)]
    lines += ["\t".join(ledger_cells(entry)) for entry in entries]
    return "\n".join((*lines, NOTHING_ELSE)) + "\n"


def ledger_summary(entries: Sequence[LedgerEntry]) -> str:
    """How many hosts, how many contacts, how much data."""
    if not entries:
        return "Nothing was contacted yet."
    hosts = len({entry.host for entry in entries})
    received = sum(entry.inbound_bytes for entry in entries)
    sent = sum(entry.outbound_bytes for entry in entries)
    return (
        f"{count_text(hosts, 'host')}, {count_text(len(entries), 'contact')}, "
        f"{bytes_text(received)} received, {bytes_text(sent)} sent."
    )


def plan_sentences(plan: ScanPlan) -> tuple[str, str]:
    """What a scan still reads, and what that costs."""
    since = (
        f"{day_text(plan.from_time)} (block {plan.from_height:,})"
        if plan.from_time
        else (f"block {plan.from_height:,}")
    )
    what = f"From {since} to block {plan.to_height:,}: the filters of {plan.filters:,} blocks."
    cost = f"About {bytes_text(plan.download_bytes)} to download"
    if plan.seconds is not None:
        cost += f", about {duration_text(plan.seconds)} at the present speed"
    if plan.sources and not plan.networks:
        if not plan.download_bytes:
            return what, "Your node looks them up; only blocks with payments of yours are fetched."
        cost += ", from your node"
    elif plan.sources:
        cost += (
            f", from {count_text(plan.sources, 'peer')} in {count_text(plan.networks, 'network')}"
        )
    else:
        cost += "; no peer that serves filters is connected yet"
    return what, f"{cost}."


def preview_sentence(preview: PreviewSnapshot, amount: str, now: int) -> str:
    """What the newest blocks show so far; `amount` is the text of what is held."""
    blocks = preview.to_height - preview.from_height + 1
    span = f"Newest {blocks:,} blocks"
    if preview.from_time is not None and now - preview.from_time >= _WEEK:
        weeks = round((now - preview.from_time) / _WEEK)
        span = "Newest week" if weeks == 1 else f"Newest {_number(weeks)} weeks"
    payments = count_text(preview.payments, "payment")
    if not preview.payments:
        found = "nothing found" if preview.is_done else "nothing found so far"
        return f"{span}: {found}; older blocks follow."
    so_far = "" if preview.is_done else " so far"
    return f"{span}: +{amount} BTC in {payments}{so_far}; older ones follow."


def _number(count: int) -> str:
    return {2: "two", 3: "three", 4: "four"}.get(count, f"{count:,}")


def seen_text(seen: SeenBy) -> str:
    """By how many peers a payment was announced."""
    return f"Seen by {seen.peers} of {count_text(seen.of, 'peer')}"


def advice_age(advice: FeeAdvice, now: int) -> str:
    """How old the oldest fact is that the advice rests on."""
    age = max(0, now - advice.learned)
    return "just now" if age < 60 else f"{duration_text(age)} ago"


def rate_text(rate: int) -> str:
    """A rate in sat/kvB as people write it."""
    return f"{FeeRate(rate)} sat/vB"


def speed_text(progress: PhaseProgress) -> str:
    """How fast a phase goes and when it will be through, as far as that is known."""
    if progress.phase is Phase.PEERS or progress.done >= progress.total:
        return ""
    parts = []
    if progress.speed >= 1:
        parts.append(f"{progress.speed:,.0f} a second")
    if progress.bytes_per_second >= 1:
        parts.append(f"{bytes_text(progress.bytes_per_second)}/s")
    left = seconds_left(progress)
    if left is not None:
        parts.append(f"about {duration_text(left)} left")
    return ", ".join(parts)


def seconds_left(progress: PhaseProgress) -> int | None:
    """Time left at the present speed; None while that says nothing."""
    if progress.speed <= 0 or progress.done >= progress.total:
        return None
    return round((progress.total - progress.done) / progress.speed)
