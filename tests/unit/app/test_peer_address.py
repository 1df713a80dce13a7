import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_gui.app.peer_address import parse_peer
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("192.0.2.7", "192.0.2.7", 8333),
        (" node.example.org:1234 ", "node.example.org", 1234),
        ("[2001:db8::1]:8334", "2001:db8::1", 8334),
        ("[2001:db8::1]", "2001:db8::1", 8333),
        ("2001:db8::1", "2001:db8::1", 8333),
    ],
)
def test_peers_as_people_write_them(text: str, host: str, port: int) -> None:
    assert parse_peer(text, MAINNET) == PeerAddress(host, port)


@pytest.mark.parametrize(
    "text", ["", ":8333", "a b", "host:0", "host:65536", "host:x", "[::1", "-x"]
)
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match=r"\.$"):
        parse_peer(text, MAINNET)


def test_the_port_of_commands_is_recognised() -> None:
    with pytest.raises(ParseError, match="JSON-RPC"):
        parse_peer("127.0.0.1:18443", REGTEST)


@given(st.text(max_size=40))
def test_any_text_is_a_peer_or_a_parse_error(text: str) -> None:
    try:
        peer = parse_peer(text, REGTEST)
    except ParseError:
        return
    assert 1 <= peer.port <= 65535
    assert peer.host.isascii()
