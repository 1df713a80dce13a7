"""Connections that were opened for one purpose and come to serve another."""

import pytest

from tests.unit.chain.p2p.test_connections import FILTERS, PLAIN, UNIX, World, public
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connections import FILTER_PEERS
from wallet_gui.chain.p2p.links import Link, Role
from wallet_gui.primitives.params import SIGNET


def of_role(world: World, number: int, role: Role) -> Link:
    """Begin a connection to a peer as if it was picked for a role."""
    link = world.connections._open(public(number), role, world.now)
    assert link is not None
    return link


@pytest.mark.parametrize("role", [Role.ADDRESSES, Role.FEELER])
def test_who_serves_filters_does_so_whatever_it_was_dialled_for(role: Role) -> None:
    world = World()
    world.know(range(1))
    link = of_role(world, 0, role)
    assert world.connections.is_to_be_probed(link, FILTERS, world.demand)
    assert world.answer(link)
    assert link.role is Role.FILTER
    assert world.connections.filter_links() == [link]


def test_who_fails_the_probe_tells_addresses_and_no_more() -> None:
    world = World()
    world.know(range(1))
    link = of_role(world, 0, Role.ADDRESSES)
    assert world.answer(link, serves_filters=False)
    assert link.role is Role.ADDRESSES
    assert world.connections.take_over(world.demand) == []


def test_when_filter_peers_get_lost_others_take_their_place() -> None:
    world = World()
    world.know(range(FILTER_PEERS))
    world.settle()
    filters = world.ready(Role.FILTER)
    assert len(filters) == FILTER_PEERS
    world.know([300])
    late = of_role(world, 300, Role.ADDRESSES)
    assert world.answer(late)
    assert late.role is Role.ADDRESSES
    assert world.connections.take_over(world.demand) == []
    world.connections.on_closed(filters[0], world.now, is_fault=True)
    assert world.connections.take_over(world.demand) == [late]
    assert late in world.connections.filter_links()
    assert world.connections.take_over(world.demand) == []


def test_a_spare_peer_for_blocks_takes_over_too() -> None:
    world = World()
    world.know(range(40))
    world.settle()
    (spare,) = world.ready(Role.BLOCKS)
    world.connections.on_closed(world.ready(Role.FILTER)[0], world.now)
    assert world.connections.take_over(world.demand) == [], "it takes part already"
    assert spare in world.connections.filter_links()


def test_a_seed_dialled_by_name_is_never_taken_over() -> None:
    world = World()
    name = PeerAddress("seed.example", 8333)
    link = world.connections._open(name, Role.ADDRESSES, world.now)
    assert link is not None
    assert not world.connections.is_to_be_probed(link, FILTERS, world.demand)
    assert world.answer(link, serves_filters=None)
    assert link.role is Role.ADDRESSES
    assert world.connections.take_over(world.demand) == []


def test_who_serves_no_filters_tells_addresses_while_they_are_missing() -> None:
    world = World(params=SIGNET)
    world.know(range(1))
    link = of_role(world, 0, Role.FILTER)
    assert link.relay
    assert world.answer(link, PLAIN, serves_filters=None)
    assert link.role is Role.ADDRESSES, "it was to announce transactions, or to give blocks"


def test_who_tells_addresses_takes_no_place_of_its_network() -> None:
    world = World()
    for number in (1, 2):
        address = PeerAddress(f"99.7.{number}.1", 8333)
        services = PLAIN if number == 1 else FILTERS
        world.book.add(address, b"s%d" % number, UNIX, services=int(services))
    telling = world.connections._open(PeerAddress("99.7.1.1", 8333), Role.ADDRESSES, world.now)
    assert telling is not None
    assert world.answer(telling, PLAIN, serves_filters=None)
    assert [(k.address.host, k.role) for k in world.plan()] == [("99.7.2.1", Role.FILTER)]
