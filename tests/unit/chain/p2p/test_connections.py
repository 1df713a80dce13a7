"""The planner with a clock that a test turns: who is dialled for what, and what follows."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connections import (
    BIG_SCAN_PEERS,
    FEELER_INTERVAL,
    FILTER_PEERS,
    MAX_DIALING,
    OFFLINE_PAUSE,
    Connections,
)
from wallet_gui.chain.p2p.links import Demand, Link, Role
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.chain.p2p.netgroup import Network, netgroup, network_of
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse, RelayMode
from wallet_gui.chain.p2p.seed_names import SeedAddress
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, ChainParams

UNIX = 1_800_000_000
PLAIN = Services.NETWORK | Services.WITNESS
FILTERS = PLAIN | Services.COMPACT_FILTERS
TOR = PeerAddress("127.0.0.1", 9050)
OWN = PeerAddress("192.168.1.7", 8333)


def public(number: int) -> PeerAddress:
    """Every number is a netgroup of its own."""
    return PeerAddress(f"{11 + number // 250}.{number % 250}.3.3", 8333)


class World:
    """A planner, its clock, and peers that answer as a test says."""

    def __init__(
        self,
        *,
        options: P2POptions | None = None,
        params: ChainParams = MAINNET,
        book: AddressBook | None = None,
    ) -> None:
        self.now = Instant(1000.0, UNIX)
        self.book = book or AddressBook(bytes(32), rng=random.Random(1))
        self.connections = Connections(
            params, options or P2POptions(), self.book, netgroup, self.now, random.Random(2)
        )
        self.demand = Demand()
        self.dialed: list[Link] = []

    def know(self, numbers: Iterable[int], services: Services = FILTERS) -> None:
        for number in numbers:
            self.book.add(public(number), b"seed:%d" % (number % 7), UNIX, services=int(services))

    def wait(self, seconds: float) -> None:
        self.now = Instant(self.now.monotonic + seconds, self.now.unix + int(seconds))

    def plan(self) -> list[Link]:
        planned = self.connections.plan(self.now, self.demand)
        self.dialed += planned
        return planned

    def answer(
        self, link: Link, services: Services = FILTERS, *, serves_filters: bool | None = True
    ) -> bool:
        kept = self.connections.on_ready(
            link, services, self.now, self.demand, serves_filters=serves_filters
        )
        if not kept:
            self.connections.on_closed(link, self.now, by_us=True)
        return kept

    def settle(self, services: Services = FILTERS, rounds: int = 20) -> None:
        """Let everybody answer until the plan is fulfilled."""
        for _ in range(rounds):
            self.plan()
            for link in list(self.connections.links.values()):
                if not link.is_ready:
                    self.answer(link, services)
            self.wait(1.0)

    def ready(self, *roles: Role) -> list[Link]:
        return self.connections.ready(*roles)


def test_four_serve_filters_two_announce_one_is_spare() -> None:
    world = World()
    world.know(range(200))
    world.settle()
    assert len(world.ready(Role.FILTER)) == FILTER_PEERS
    assert len(world.ready(Role.BLOCKS)) == 1
    links = world.ready()
    assert sum(link.relay for link in links) == 2
    assert not any(link.relay for link in world.ready(Role.BLOCKS))
    assert len(links) == 5
    assert len({link.netgroup for link in links}) == 5
    assert world.plan() == []


def test_no_more_than_eight_are_dialled_at_a_time() -> None:
    world = World()
    world.know(range(200))
    for _ in range(10):
        world.plan()
        world.wait(1)
    assert len(world.connections.links) == MAX_DIALING


def test_one_netgroup_one_peer() -> None:
    world = World()
    for number in range(60):
        world.book.add(
            PeerAddress(f"99.7.{number}.1", 8333), b"s%d" % number, UNIX, services=int(FILTERS)
        )
    world.settle()
    assert len(world.ready()) == 1


def test_a_big_scan_and_doubts_want_more() -> None:
    world = World()
    world.know(range(300))
    world.demand = Demand(is_big_scan=True)
    world.settle()
    assert len(world.ready(Role.FILTER)) == BIG_SCAN_PEERS
    doubting = World()
    doubting.know(range(300))
    doubting.demand = Demand(wants_extra_peer=True)
    doubting.settle()
    assert len(doubting.ready(Role.FILTER)) == FILTER_PEERS + 1


@pytest.mark.parametrize("mode", RelayMode)
def test_who_is_asked_to_announce(mode: RelayMode) -> None:
    world = World(options=P2POptions(relay=mode))
    world.know(range(200))
    world.settle()
    relays = sum(link.relay for link in world.ready())
    assert relays == (0 if mode is RelayMode.OFF else 2)


def test_switching_announcements_off_closes_those_who_announce() -> None:
    world = World()
    world.know(range(200))
    world.settle()
    relaying = [link for link in world.ready() if link.relay]
    dropped = world.connections.set_options(P2POptions(relay=RelayMode.OFF))
    assert set(dropped) == set(relaying)


def test_who_does_not_serve_what_it_claims() -> None:
    world = World()
    world.know(range(200))
    (first, *_) = world.plan()
    assert first.needs_probe
    world.answer(first, serves_filters=False)
    record = world.book.record(first.address)
    assert record is not None
    assert not record.claims_filters(world.now.unix + 3600)
    assert record.claims_filters(world.now.unix + 7 * 3600), "it may build its index meanwhile"
    assert not first.serves_filters
    assert first not in world.connections.filter_links()
    world.settle()
    assert len(world.ready(Role.FILTER)) == FILTER_PEERS


def test_anyone_is_asked_for_addresses_when_nobody_claims_filters() -> None:
    world = World()
    world.know(range(30), PLAIN)
    planned = world.plan()
    assert [link.role for link in planned] == [Role.ADDRESSES]
    world.answer(planned[0], PLAIN, serves_filters=None)
    assert planned[0].purposes() == (Purpose.ADDRESSES,)


# --- seeds ----------------------------------------------------------------------------------------


def seeded(world: World, seed: str, numbers: Iterable[int]) -> list[SeedAddress]:
    return [SeedAddress(public(number), FILTERS, seed) for number in numbers]


def test_seeds_are_asked_at_once_when_nobody_is_known_and_then_not_for_an_hour() -> None:
    world = World()
    assert world.connections.wants_seeds(world.now)
    assert world.connections.begin_seeds(world.now)
    assert not world.connections.wants_seeds(world.now), "while they are being asked"
    world.connections.on_seeds([], world.now)
    world.wait(3500)
    assert not world.connections.wants_seeds(world.now)
    world.wait(200)
    assert world.connections.wants_seeds(world.now)


def test_a_book_that_works_needs_no_seeds() -> None:
    world = World()
    world.know(range(100))
    assert not world.connections.wants_seeds(world.now)
    world.settle()
    world.wait(7200)
    assert not world.connections.wants_seeds(world.now)


def test_a_book_whose_addresses_do_not_answer_does() -> None:
    world = World()
    world.know(range(100))
    for _ in range(11):
        for link in world.plan():
            world.connections.on_failed(link, world.now, was_reached=False)
        world.wait(1)
    assert world.connections.wants_seeds(world.now)


def test_a_lying_seed_is_no_majority() -> None:
    """It names hundreds, the others a few: two of the four at most are its."""
    for attempt in range(10):
        world = World(book=AddressBook(bytes([attempt]) * 32, rng=random.Random(attempt)))
        world.connections.begin_seeds(world.now)
        world.connections.on_seeds(
            [
                *seeded(world, "liar", range(1000, 1064)),
                *seeded(world, "a", range(8)),
                *seeded(world, "b", range(10, 18)),
            ],
            world.now,
        )
        world.settle()
        assert len(world.ready(Role.FILTER)) == FILTER_PEERS
        liars = sum(link.source == b"seed:liar" for link in world.ready())
        assert liars <= len(world.ready()) / 2


def test_a_lone_seed_is_better_than_nobody() -> None:
    world = World()
    world.connections.begin_seeds(world.now)
    world.connections.on_seeds(seeded(world, "only", range(30)), world.now)
    world.settle()
    assert len(world.ready(Role.FILTER)) == FILTER_PEERS


def test_under_tor_seeds_are_dialled_and_never_looked_up() -> None:
    options = P2POptions(proxy=TOR, proxy_use=ProxyUse.EVERYTHING)
    world = World(options=options, params=replace(MAINNET, fixed_peers=()))
    assert world.connections.wants_seeds(world.now)
    assert not world.connections.begin_seeds(world.now), "a look-up was wanted"
    planned = world.plan()
    world.wait(1)
    planned += world.plan()
    assert {link.role for link in planned} == {Role.ADDRESSES}
    assert {link.route for link in planned} == {Route.TOR}
    assert {link.address.host for link in planned} <= set(MAINNET.dns_seeds)


def test_packaged_peers_come_last() -> None:
    world = World(params=SIGNET)
    assert [link.role for link in world.plan()] == []
    world.connections.begin_seeds(world.now)
    world.wait(1)
    assert world.plan() == []
    world.connections.on_seeds([], world.now)
    world.wait(1)
    (link,) = world.plan()
    assert str(link.address) == "178.128.221.177:38333"
    assert link.route is Route.DIRECT
    with_tor = World(
        params=SIGNET, options=P2POptions(proxy=TOR, proxy_use=ProxyUse.ONION_AND_PAYMENTS)
    )
    with_tor.wait(61)
    assert {network_of(link.address) for link in with_tor.plan()} == {Network.IPV4, Network.ONION}


# --- own peers ------------------------------------------------------------------------------------


def test_only_own_peers_fails_closed() -> None:
    world = World(options=P2POptions(own_peers=(OWN,), only_own_peers=True))
    world.know(range(200))
    world.book.anchors = [public(3)]
    for _ in range(200):
        for link in world.plan():
            world.connections.on_failed(link, world.now, was_reached=False)
        assert not world.connections.wants_seeds(world.now)
        world.wait(30)
    assert {link.address for link in world.dialed} == {OWN}
    assert len(world.dialed) > 50, "it is tried again and again"


def test_only_own_peers_without_any_dials_nobody() -> None:
    world = World(options=P2POptions(only_own_peers=True), params=SIGNET)
    world.know(range(200))
    for _ in range(50):
        assert world.plan() == []
        assert not world.connections.wants_seeds(world.now)
        world.wait(60)


def test_own_peers_count_among_the_four_and_are_dialled_as_such_only() -> None:
    world = World(options=P2POptions(own_peers=(OWN,)))
    world.know(range(200))
    world.settle()
    assert [link.address for link in world.ready(Role.OWN)] == [OWN]
    assert len(world.connections.filter_links()) == FILTER_PEERS


def test_an_own_peer_that_broke_a_rule_rests_longer() -> None:
    world = World(options=P2POptions(own_peers=(OWN,), only_own_peers=True))
    (link,) = world.plan()
    world.answer(link)
    world.connections.on_closed(link, world.now, is_fault=True)
    world.wait(10)
    assert world.plan() == []
    world.wait(20)
    assert len(world.plan()) == 1


def test_options_may_change_while_it_runs() -> None:
    world = World()
    world.know(range(200))
    world.settle()
    dropped = world.connections.set_options(P2POptions(own_peers=(OWN,), only_own_peers=True))
    assert len(dropped) == 5
    for link in dropped:
        world.connections.on_closed(link, world.now, by_us=True)
    assert [link.address for link in world.plan()] == [OWN]
    through_tor = P2POptions(proxy=TOR, proxy_use=ProxyUse.EVERYTHING, own_peers=(OWN,))
    assert len(world.connections.set_options(through_tor)) == 1, "it was dialled directly"


# --- Tor ------------------------------------------------------------------------------------------


def test_with_tor_one_at_least_is_an_onion() -> None:
    world = World(options=P2POptions(proxy=TOR, proxy_use=ProxyUse.ONION_AND_PAYMENTS))
    world.know(range(300))
    for number in range(3):
        host = onion.encode(bytes([number * 16]) * 32)
        world.book.add(PeerAddress(host, 8333), b"p", UNIX, services=int(FILTERS))
    world.settle()
    kinds = [network_of(link.address) for link in world.ready()]
    assert Network.ONION in kinds
    assert {link.route for link in world.ready() if network_of(link.address) is Network.ONION} == {
        Route.TOR
    }


def test_payments_go_through_tor_and_to_somebody_else() -> None:
    world = World(options=P2POptions(proxy=TOR, proxy_use=ProxyUse.ONION_AND_PAYMENTS))
    world.know(range(300))
    world.settle()
    world.demand = Demand(broadcasts=1)
    (link,) = world.plan()
    assert (link.role, link.route, link.relay) == (Role.BROADCAST, Route.TOR, True)
    assert link.netgroup not in {other.netgroup for other in world.ready()}
    world.wait(1)
    assert world.plan() == [], "one was wanted"


def test_everything_without_a_proxy_dials_nobody() -> None:
    world = World(options=P2POptions(own_peers=(OWN,), proxy_use=ProxyUse.EVERYTHING))
    world.know(range(200))
    for _ in range(20):
        assert world.plan() == []
        world.wait(5)


# --- the next start -------------------------------------------------------------------------------


def test_those_of_the_last_session_come_first() -> None:
    world = World()
    world.know(range(300))
    world.settle()
    anchors = list(world.book.anchors)
    assert len(anchors) == 2
    assert world.ready(Role.BLOCKS)[0].address in anchors
    assert not any(link.relay for link in world.ready() if link.address in anchors)
    for link in world.ready():
        world.connections.on_closed(link, world.now, by_us=True)
    assert set(world.book.anchors) == set(anchors), "the end of all is no news about them"
    again = World(book=world.book)
    assert {link.address for link in again.plan()[:2]} == set(anchors)


def test_an_anchor_that_lied_is_none_any_more() -> None:
    world = World()
    world.know(range(300))
    world.settle()
    liar = next(link for link in world.ready() if link.address in world.book.anchors)
    world.connections.on_closed(liar, world.now, is_fault=True)
    assert liar.address not in world.book.anchors


# --- feelers --------------------------------------------------------------------------------------


def test_feelers_while_the_book_is_young() -> None:
    world = World()
    world.know(range(300))
    world.wait(FEELER_INTERVAL)
    assert Role.FEELER not in {link.role for link in world.plan()}, "nobody is there"
    world.settle()
    tried = world.book.tried
    world.wait(FEELER_INTERVAL)
    (feeler,) = world.plan()
    assert feeler.role is Role.FEELER
    assert not world.answer(feeler), "a feeler is not kept"
    assert world.book.tried >= tried
    world.wait(10)
    assert world.plan() == []


# --- failures -------------------------------------------------------------------------------------


def fails(world: World, link: Link) -> int:
    record = world.book.record(link.address)
    assert record is not None
    return record.fails


def test_failures_count_only_while_somebody_is_there() -> None:
    world = World()
    world.know(range(300))
    (first, *rest) = world.plan()
    for link in rest:
        world.connections.on_failed(link, world.now, was_reached=False)
    world.wait(6)
    world.plan()
    assert all(fails(world, link) == 0 for link in rest), "perhaps we are offline"
    world.answer(first)
    dialing = [link for link in world.connections.links.values() if not link.is_ready]
    for link in dialing:
        world.connections.on_failed(link, world.now, was_reached=False)
    world.wait(6)
    world.plan()
    assert all(fails(world, link) == 1 for link in dialing)


def test_when_many_die_at_once_the_line_is_to_blame() -> None:
    world = World()
    world.know(range(300))
    world.settle()
    dying = world.ready()
    for link in dying:
        world.connections.on_closed(link, world.now)
        world.wait(0.5)
    assert world.connections.is_offline(world.now)
    for _ in range(20):
        assert len(world.plan()) <= 1, "one attempt at a time finds out"
        for link in [k for k in world.connections.links.values() if not k.is_ready]:
            world.connections.on_failed(link, world.now, was_reached=False)
        world.wait(1)
    assert all(fails(world, link) == 0 for link in dying)
    world.wait(OFFLINE_PAUSE)
    assert not world.connections.is_offline(world.now)
    (found, *_) = world.plan()
    world.answer(found)
    assert not world.connections.is_offline(world.now)


def test_one_that_dies_alone_is_scored() -> None:
    world = World()
    world.know(range(300))
    world.settle()
    link = world.ready(Role.FILTER)[0]
    world.connections.on_closed(link, world.now)
    world.wait(6)
    world.plan()
    assert fails(world, link) == 1
    assert not world.connections.is_offline(world.now)


def test_where_there_is_no_ipv6_it_is_left_alone() -> None:
    world = World()
    for number in range(50):
        six = PeerAddress(f"2a0{number % 10}:{number + 1:x}::1", 8333)
        world.book.add(six, b"s%d" % number, UNIX, services=int(FILTERS))
    (link, *_) = world.plan()
    world.connections.on_failed(link, world.now, was_reached=False, has_no_route=True)
    world.wait(1)
    dialing = len(world.connections.links)
    world.plan()
    assert len(world.connections.links) <= dialing
    world.know(range(50))
    world.wait(1)
    assert {network_of(link.address) for link in world.plan()} <= {Network.IPV4}


def test_regtest_has_nowhere_to_look() -> None:
    world = World(params=REGTEST)
    assert (world.connections.has_sources(), world.plan()) == (False, [])
