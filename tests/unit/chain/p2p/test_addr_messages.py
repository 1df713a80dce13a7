import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p import messages, onion
from wallet_gui.chain.p2p.addr_messages import MAX_ADDRESSES, Addr, AddrV2, GetAddr, NodeAddress
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.messages import Message
from wallet_gui.primitives.serialize import ParseError, compact_size

ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = (
    st.binary(min_size=16, max_size=16)
    .filter(lambda raw: raw[0] not in {0, 2, 3, 0xFC, 0xFD})
    .map(lambda raw: str(ipaddress.IPv6Address(raw)))
)
onions = st.binary(min_size=32, max_size=32).map(onion.encode)
u32 = st.integers(0, 2**32 - 1)
u64 = st.integers(0, 2**64 - 1)
ports = st.integers(0, 65535)


def entries(hosts: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[NodeAddress, ...]]:
    one = st.builds(NodeAddress, st.builds(PeerAddress, hosts, ports), u64, u32)
    return st.lists(one, max_size=20).map(tuple)


any_message: st.SearchStrategy[Message] = st.one_of(
    st.builds(Addr, entries(st.one_of(ipv4, ipv6))),
    st.builds(AddrV2, entries(st.one_of(ipv4, ipv6, onions))),
    st.just(GetAddr()),
)


@settings(deadline=None)
@given(any_message)
def test_round_trip(message: Message) -> None:
    payload = message.serialize()
    assert messages.parse(message.command, payload) == message
    assert len(payload) <= messages.payload_limit(message.command)


@settings(deadline=None)
@given(st.sampled_from(["addr", "addrv2", "getaddr"]), st.binary(max_size=400))
def test_any_bytes_are_a_message_or_a_parse_error(command: str, payload: bytes) -> None:
    try:
        message = messages.parse(command, payload)
    except ParseError:
        return
    assert message.command == command


def addrv2(network: int, raw: bytes, *, count: int = 1) -> bytes:
    one = (
        (1_700_000_000).to_bytes(4, "little")
        + compact_size(9)
        + bytes((network,))
        + compact_size(len(raw))
        + raw
        + (8333).to_bytes(2, "big")
    )
    return compact_size(count) + one * count


@pytest.mark.parametrize(
    ("network", "raw", "host"),
    [
        (1, bytes((1, 2, 3, 4)), "1.2.3.4"),
        (2, bytes.fromhex("2a0104f8") + bytes(11) + b"\x01", "2a01:4f8::1"),
        # The key and the name of Core's net_tests (cnetaddr_basic).
        (
            4,
            bytes.fromhex("53cd5648488c4707914182655b7664034e09e66f7e8cbf1084e654eb56c5bd88"),
            "kpgvmscirrdqpekbqjsvw5teanhatztpp2gl6eee4zkowvwfxwenqaid.onion",
        ),
        (
            5,
            bytes.fromhex("a2894dabaec08c0051a481a6dac88b64f98232ae42d4b6fd2fa81952dfe36a87"),
            "ukeu3k5oycgaauneqgtnvselmt4yemvoilkln7jpvamvfx7dnkdq.b32.i2p",
        ),
        (6, bytes.fromhex("fc000001000200030004000500060007"), "fc00:1:2:3:4:5:6:7"),
        (7, bytes.fromhex("0201") + bytes(13) + b"\x07", "201::7"),
    ],
)
def test_every_network_of_bip155(network: int, raw: bytes, host: str) -> None:
    (entry,) = AddrV2.parse(addrv2(network, raw)).entries
    assert entry == NodeAddress(PeerAddress(host, 8333), 9, 1_700_000_000)
    assert AddrV2((entry,)).serialize() == addrv2(network, raw)


@pytest.mark.parametrize(
    ("network", "raw"),
    [
        (3, bytes(10)),  # Tor version 2 is gone
        (99, bytes(7)),  # to come
        (200, bytes(512)),
        (2, bytes(10) + b"\xff\xff\x01\x02\x03\x04"),  # IPv4 in IPv6
        (2, bytes.fromhex("fd87d87eeb43") + bytes(10)),  # Tor version 2 in IPv6
        (6, b"\x20" + bytes(15)),  # no CJDNS address
        (7, b"\x20" + bytes(15)),
    ],
)
def test_what_is_skipped(network: int, raw: bytes) -> None:
    assert AddrV2.parse(addrv2(network, raw)).entries == ()


@pytest.mark.parametrize(
    ("network", "size"), [(1, 5), (1, 16), (2, 4), (3, 9), (4, 10), (4, 35), (5, 31), (6, 4)]
)
def test_wrong_lengths_of_known_networks(network: int, size: int) -> None:
    with pytest.raises(ParseError):
        AddrV2.parse(addrv2(network, bytes(size)))


def test_too_many_or_too_long() -> None:
    AddrV2.parse(addrv2(1, bytes(4), count=MAX_ADDRESSES))
    with pytest.raises(ParseError):
        AddrV2.parse(addrv2(1, bytes(4), count=MAX_ADDRESSES + 1))
    with pytest.raises(ParseError):
        AddrV2.parse(addrv2(99, bytes(513)))


def test_the_old_form() -> None:
    # Layout of Core's CAddress: time, services, 16 bytes, port in network order.
    raw = bytes.fromhex(
        "01 e215104d 0100000000000000 00000000000000000000ffff0a000001 208d".replace(" ", "")
    )
    (entry,) = Addr.parse(raw).entries
    assert entry == NodeAddress(PeerAddress("10.0.0.1", 8333), 1, 0x4D1015E2)
    assert Addr((entry,)).serialize() == raw
