"""Pings, speeds, evictions, bans, the ledger and the sentence about it all."""

import itertools
import random

import pytest

from wallet_gui.chain.backend import ConnectionState
from wallet_gui.chain.p2p import status
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.bans import BAN_SECONDS, BanVerdict, ban_peer
from wallet_gui.chain.p2p.connections import Connections
from wallet_gui.chain.p2p.eviction import SLOW, STALLED, SURPLUS, Eviction, PeerView
from wallet_gui.chain.p2p.keep_alive import (
    AWAKE_AFTER,
    LINE_DEAD_AFTER,
    PING_INTERVAL,
    SILENCE,
    KeepAlive,
)
from wallet_gui.chain.p2p.ledger import Ledger
from wallet_gui.chain.p2p.links import Demand, Link, Role
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import netgroup
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.speeds import Speeds
from wallet_gui.chain.p2p.status import Status
from wallet_gui.chain.p2p.sync_state import Ban, Instant
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams

UNIX = 1_800_000_000


def at(seconds: float, *, asleep: float = 0.0) -> Instant:
    """`asleep`: how long the computer slept, with a clock that stood still meanwhile."""
    return Instant(1000.0 + seconds, UNIX + int(seconds + asleep))


def make_book() -> AddressBook:
    return AddressBook(bytes(32), rng=random.Random(1))


# --- pings ----------------------------------------------------------------------------------------


def run(alive: KeepAlive, start: float, seconds: float, *, answering: set[int]) -> dict[int, float]:
    """Let time pass; return when each peer was dropped, -1 for the line."""
    dropped: dict[int, float] = {}
    for step in range(int(seconds)):
        now = at(start + step)
        verdict = alive.tick(now)
        for peer, nonce in verdict.pings:
            if peer in answering:
                alive.heard(peer, now)
                alive.on_pong(peer, nonce, at(start + step + 0.05))
        for peer in verdict.silent:
            dropped.setdefault(peer, start + step)
            alive.on_disconnected(peer)
        if verdict.is_line_dead:
            dropped.setdefault(-1, start + step)
            return dropped
    return dropped


def test_who_answers_stays_and_its_distance_is_known() -> None:
    alive = KeepAlive()
    alive.on_ready(1, at(0))
    assert run(alive, 0, 3600, answering={1}) == {}
    assert alive.milliseconds(1) == 50
    assert alive.milliseconds(2) is None


def test_one_silent_peer_of_several_goes_after_twenty_minutes() -> None:
    alive = KeepAlive()
    for peer in (1, 2):
        alive.on_ready(peer, at(0))
    assert run(alive, 0, 3600, answering={1}) == {2: SILENCE}


def test_when_nobody_answers_it_is_the_line() -> None:
    alive = KeepAlive()
    for peer in (1, 2, 3):
        alive.on_ready(peer, at(0))
    assert run(alive, 0, 600, answering=set()) == {-1: LINE_DEAD_AFTER}


def test_a_pong_for_another_ping_counts_for_nothing() -> None:
    alive = KeepAlive()
    alive.on_ready(1, at(0))
    alive.tick(at(0))
    alive.on_pong(1, 12345, at(1))
    assert alive.milliseconds(1) is None


@pytest.mark.parametrize("stood_still", [True, False])
def test_after_sleep_dead_connections_are_found_at_once(*, stood_still: bool) -> None:
    alive = KeepAlive()
    for peer in (1, 2):
        alive.on_ready(peer, at(0))
    assert run(alive, 0, 30, answering={1, 2}) == {}
    awake = 30.0 if stood_still else 4000.0
    asleep = 4000.0 if stood_still else 0.0
    verdict = alive.tick(at(awake, asleep=asleep))
    assert {peer for peer, _ in verdict.pings} == {1, 2}
    for step in range(1, 60):
        if alive.tick(at(awake + step, asleep=asleep)).is_line_dead:
            assert step == AWAKE_AFTER
            return
    raise AssertionError("nobody noticed")


def test_pings_are_two_minutes_apart() -> None:
    alive = KeepAlive()
    alive.on_ready(1, at(0))
    sent = []
    for step in range(600):
        for _, nonce in alive.tick(at(step)).pings:
            sent.append(step)
            alive.heard(1, at(step))
            alive.on_pong(1, nonce, at(step))
    assert {b - a for a, b in itertools.pairwise(sent)} == {int(PING_INTERVAL)}


# --- speeds ---------------------------------------------------------------------------------------


def test_speed_is_of_bulk_data_while_it_flows() -> None:
    speeds = Speeds()
    received = 0
    for step in range(120):
        received += 5_000
        speeds.note(1, received, step / 10, is_bulk=True)
    assert speeds.average(1) == pytest.approx(50_000, rel=0.1)
    assert speeds.sustained(1, 11.9) == pytest.approx(50_000, rel=0.1)
    assert speeds.sustained(1, 15.0) is None, "it does not serve any more"


def test_what_trickles_in_beside_is_no_speed() -> None:
    speeds = Speeds()
    for step in range(60):
        speeds.note(1, step * 300, float(step), is_bulk=False)
    assert speeds.average(1) == 0.0
    assert speeds.sustained(1, 59.0) is None


# --- evictions ------------------------------------------------------------------------------------


def link(number: int, role: Role = Role.FILTER, *, relay: bool = False) -> Link:
    address = PeerAddress(f"{10 + number}.1.1.1", 8333)
    made = Link(number, address, Route.DIRECT, role, relay, b"%d" % number, b"s", 0.0)
    made.ready_at = 0.0
    made.services = Services.COMPACT_FILTERS | Services.NETWORK
    return made


def look(
    views: list[PeerView], seconds: int, demand: Demand | None = None
) -> list[tuple[int, str]]:
    """Look every second for so long; whoever is evicted is gone."""
    eviction, gone = Eviction(), []
    for second in range(seconds):
        for number, reason in eviction.look(views, demand or Demand(), at(second)):
            gone.append((number, reason))
            views = [view for view in views if view.link.number != number]
    return gone


def test_the_stalled_make_way_but_never_the_last_two() -> None:
    views = [PeerView(link(n), is_stalled=True) for n in range(4)]
    gone = look(views, 600)
    assert len(gone) == 2
    assert {reason for _, reason in gone} == {STALLED}
    assert look([PeerView(link(1), is_stalled=True), PeerView(link(2))], 600) == []


def test_a_short_stall_is_forgiven() -> None:
    eviction = Eviction()
    views = [PeerView(link(n), is_stalled=n == 1) for n in range(4)]
    well = [PeerView(link(n)) for n in range(4)]
    for second in range(200):
        shown = views if second % 20 < 15 else well
        assert eviction.look(shown, Demand(), at(second)) == []


def test_own_peers_stay_whatever_they_do() -> None:
    views = [PeerView(link(n), speed=1e6) for n in range(4)]
    views.append(PeerView(link(9, Role.OWN), is_stalled=True, speed=10.0))
    assert look(views, 600) == []


def test_slow_is_only_who_is_slower_than_the_others() -> None:
    fast = [PeerView(link(n), speed=500_000.0) for n in range(3)]
    assert look([*fast, PeerView(link(7), speed=15_000.0)], 60) == [(7, SLOW)]
    assert look([*fast, PeerView(link(7), speed=25_000.0)], 60) == []
    all_slow = [PeerView(link(n), speed=15_000.0 + n) for n in range(4)]
    assert look(all_slow, 60) == [], "that is our own line"
    assert look([*fast, PeerView(link(7), speed=None)], 60) == [], "it was asked for nothing"


def test_after_a_big_scan_the_slowest_go() -> None:
    views = [PeerView(link(n, relay=n < 2), average=1000.0 * n) for n in range(12)]
    gone = look(views, 600)
    assert [number for number, _ in gone] == [2, 3, 4, 5, 6, 7, 8]
    assert {reason for _, reason in gone} == {SURPLUS}
    assert look(views, 600, Demand(is_big_scan=True)) == []


# --- bans -----------------------------------------------------------------------------------------


OTHERS = tuple(PeerAddress(f"{30 + n}.7.1.1", 8333) for n in range(3))


def test_a_ban_is_for_a_day_and_may_be_of_a_group() -> None:
    book = make_book()
    liar, neighbour = PeerAddress("99.7.1.1", 8333), PeerAddress("99.7.2.2", 8333)
    for address in (liar, neighbour):
        book.add(address, b"s", UNIX)
    assert ban_peer(book, netgroup, liar, Ban.ADDRESS, OTHERS, UNIX) is BanVerdict.BANNED
    assert book.is_banned(liar, UNIX)
    assert not book.is_banned(neighbour, UNIX)
    assert ban_peer(book, netgroup, liar, Ban.NETGROUP, OTHERS, UNIX) is BanVerdict.BANNED
    assert book.is_banned(neighbour, UNIX + BAN_SECONDS - 1)
    assert not book.is_banned(neighbour, UNIX + BAN_SECONDS)


@pytest.mark.parametrize("ban", [Ban.ADDRESS, Ban.NETGROUP])
def test_nobody_is_banned_when_fewer_than_two_others_are_left(ban: Ban) -> None:
    book = make_book()
    liar = PeerAddress("99.7.1.1", 8333)
    book.add(liar, b"s", UNIX)
    book.succeeded(liar, 9, UNIX, is_v2=False)
    hearsay = PeerAddress("98.7.1.1", 8333)
    book.add(hearsay, b"s", UNIX)
    assert ban_peer(book, netgroup, liar, ban, OTHERS[:1], UNIX) is BanVerdict.SPARED
    book.succeeded(hearsay, 9, UNIX, is_v2=False)
    assert ban_peer(book, netgroup, liar, ban, OTHERS[:1], UNIX) is BanVerdict.BANNED
    assert ban_peer(book, netgroup, liar, Ban.NOBODY, OTHERS, UNIX) is BanVerdict.NONE


@pytest.mark.parametrize("online", [0, 1, 5])
def test_a_chain_of_bans_leaves_two(online: int) -> None:
    book = make_book()
    addresses = [PeerAddress(f"{20 + n}.7.1.1", 8333) for n in range(10)]
    connected = addresses[-online:] if online else []
    for address in addresses:
        book.add(address, b"s%d" % address.port, UNIX)
        book.succeeded(address, 9, UNIX, is_v2=False)
    for address in addresses:
        ban_peer(book, netgroup, address, Ban.ADDRESS, connected, UNIX)
        connected = [other for other in connected if other != address]
    assert sum(not book.is_banned(address, UNIX) for address in addresses) == 2


# --- the ledger -----------------------------------------------------------------------------------


def test_the_ledger_tells_all_of_a_contact() -> None:
    ledger = Ledger()
    first = ledger.begin("a:1", Purpose.SYNC, Route.TOR, 10)
    second = ledger.begin("x9.seed", Purpose.SEED, Route.DIRECT, 11)
    ledger.end(second, "25 addresses", 12)
    ledger.update(first, inbound_bytes=100, outbound_bytes=7, transport="v2")
    newest, oldest = ledger.entries()
    assert (newest.host, newest.ended, newest.outcome) == ("x9.seed", 12, "25 addresses")
    assert (oldest.inbound_bytes, oldest.outbound_bytes, oldest.transport) == (100, 7, "v2")
    assert oldest.ended is None
    ledger.end(first, "It hung up.", 20)
    assert ledger.entries()[1].ended == 20


def test_the_ledger_is_bounded_and_keeps_what_lasts() -> None:
    ledger = Ledger(limit=10)
    lasting = ledger.begin("long:1", Purpose.SYNC, Route.DIRECT, 0)
    for n in range(100):
        ledger.end(ledger.begin(f"{n}:1", Purpose.FEELER, Route.DIRECT, n), "", n)
    entries = ledger.entries()
    assert len(entries) == 10
    assert entries[-1].host == "long:1"
    assert entries[0].host == "99:1"
    ledger.update(lasting, inbound_bytes=1, outbound_bytes=1)


# --- the sentence ---------------------------------------------------------------------------------


def make_status(options: P2POptions, params: ChainParams = MAINNET) -> Status:
    return Status(Connections(params, options, make_book(), netgroup, at(0)))


OWN = PeerAddress("192.168.1.7", 8333)
PROXY = PeerAddress("127.0.0.1", 9050)


def detail(shown: Status, seconds: float) -> str:
    shown.state(0, at(0))
    state = shown.state(0, at(seconds))
    assert state.state is (ConnectionState.OFFLINE if state.detail else ConnectionState.CONNECTING)
    return state.detail


def test_sentences() -> None:
    assert detail(make_status(P2POptions()), 5) == ""
    assert detail(make_status(P2POptions()), 25) == status.NONE_FOUND
    assert detail(make_status(P2POptions(only_own_peers=True)), 0) == status.ONLY_OWN
    assert detail(make_status(P2POptions(), REGTEST), 0) == status.NO_PUBLIC_PEERS
    closed = P2POptions(proxy_use=ProxyUse.EVERYTHING)
    assert detail(make_status(closed), 0) == status.NO_PROXY
    tor = P2POptions(proxy=PROXY, proxy_use=ProxyUse.EVERYTHING)
    assert detail(make_status(tor), 25) == status.NONE_THROUGH_PROXY
    own = make_status(P2POptions(own_peers=(OWN,), only_own_peers=True))
    assert detail(own, 100) == ""
    own.on_unreachable("192.168.1.7:8333: Nothing listens at this address.", is_own=True)
    assert "Nothing listens" in detail(own, 100)
    online = own.state(3, at(101))
    assert (online.state, online.peers, online.detail) == (ConnectionState.ONLINE, 3, "")
    assert own.state(0, at(102)).detail == ""
