import pytest

from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.netgroup import Network, group_text, is_routable, netgroup, network_of
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.routes import has_tor, may_resolve, route_to
from wallet_gui.chain.reports import Route

ONION = onion.encode(bytes(range(32)))
TOR = PeerAddress("127.0.0.1", 9050)


def group(host: str) -> bytes:
    return netgroup(PeerAddress(host, 8333))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("93.184.1.1", "93.184.200.9", True),
        ("93.184.1.1", "93.185.1.1", False),
        ("2a01:4f8::1", "2a01:4f8:ffff::2", True),
        ("2a01:4f8::1", "2a01:4f9::1", False),
        ("::ffff:93.184.1.1", "93.184.9.9", True),  # IPv4 in the dress of IPv6
        ("2002:5db8:0101::1", "93.184.9.9", True),  # 6to4
        ("64:ff9b::5db8:101", "93.184.9.9", True),  # NAT64
        (ONION, "93.184.1.1", False),
        ("fc00::1", "2a01:4f8::1", False),
        ("node.example.org", "NODE.example.org", True),
        ("node.example.org", "other.example.org", False),
    ],
)
def test_who_counts_as_one(one: str, other: str, *, same: bool) -> None:
    assert (group(one) == group(other)) is same


def test_onions_fall_into_sixteen_groups() -> None:
    groups = {group(onion.encode(bytes([i]) + bytes(31))) for i in range(256)}
    assert len(groups) == 16


@pytest.mark.parametrize(
    ("host", "kind", "text"),
    [
        ("93.184.216.34", Network.IPV4, "93.184.0.0/16"),
        ("2a01:4f8:1::2", Network.IPV6, "2a01:4f8::/32"),
        ("fc12::1", Network.CJDNS, "CJDNS"),
        ("200:1::1", Network.YGGDRASIL, "Yggdrasil"),
        (ONION, Network.ONION, "onion"),
        ("a" * 52 + ".b32.i2p", Network.I2P, "I2P"),
        ("seed.example.org", Network.NAME, "seed.example.org"),
    ],
)
def test_kinds_and_what_a_person_reads(host: str, kind: Network, text: str) -> None:
    address = PeerAddress(host, 8333)
    assert network_of(address) is kind
    assert group_text(address) == text


def test_what_strangers_may_tell() -> None:
    assert is_routable(PeerAddress("93.184.216.34", 8333))
    assert is_routable(PeerAddress("2a01:4f8::1", 8333))
    assert is_routable(PeerAddress(ONION, 8333))
    for host in ("127.0.0.1", "192.168.0.1", "fe80::1", "fc12::1", "a.b32.i2p", "x.onion", "name"):
        assert not is_routable(PeerAddress(host, 8333))


def test_ways_to_an_address() -> None:
    clear, hidden = PeerAddress("93.184.216.34", 8333), PeerAddress(ONION, 8333)
    plain = P2POptions()
    assert route_to(clear, plain) is Route.DIRECT
    assert route_to(hidden, plain) is None
    some = P2POptions(proxy=TOR, proxy_use=ProxyUse.ONION_AND_PAYMENTS)
    assert route_to(clear, some) is Route.DIRECT
    assert route_to(clear, some, is_payment=True) is Route.TOR
    assert route_to(hidden, some) is Route.TOR
    all_of_it = P2POptions(proxy=TOR, proxy_use=ProxyUse.EVERYTHING)
    assert route_to(clear, all_of_it) is Route.TOR
    assert not may_resolve(all_of_it)
    assert may_resolve(some)
    assert route_to(PeerAddress("fc12::1", 8333), plain) is None


def test_without_its_proxy_everything_is_nothing() -> None:
    closed = P2POptions(proxy_use=ProxyUse.EVERYTHING)
    assert route_to(PeerAddress("93.184.216.34", 8333), closed) is None
    assert route_to(PeerAddress(ONION, 8333), closed) is None
    assert not has_tor(closed)


def test_a_proxy_that_is_not_tor_leads_to_no_onion() -> None:
    options = P2POptions(proxy=TOR, is_tor=False, proxy_use=ProxyUse.EVERYTHING)
    assert route_to(PeerAddress("93.184.216.34", 8333), options) is Route.PROXY
    assert route_to(PeerAddress(ONION, 8333), options) is None
    assert not has_tor(options)
