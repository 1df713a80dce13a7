import itertools
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p.socks5 import REFUSALS, Credentials, Socks5Client, SocksFailed

ONION: Final = "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion"
LOGIN: Final = Credentials("user", "secret")
GREETING: Final = b"\x05\x02\x00\x02"
BOUND: Final = b"\x05\x00\x00\x01" + bytes(6)


def asked(host: str, port: int = 8333) -> bytes:
    """The request that goes out for a host, after a login."""
    client = Socks5Client(host, port, LOGIN)
    assert client.data_to_send() == GREETING
    assert client.receive_data(b"\x05\x02") == b""
    assert client.data_to_send() == b"\x01\x04user\x06secret"
    assert client.receive_data(b"\x01\x00") == b""
    return client.data_to_send()


def test_names_go_out_as_names() -> None:
    for host in (ONION, "seed.example.com"):
        name = host.encode()
        assert asked(host) == b"\x05\x01\x00\x03" + bytes([len(name)]) + name + b"\x20\x8d"


def test_addresses_go_out_as_addresses() -> None:
    assert asked("203.0.113.5", 1) == b"\x05\x01\x00\x01\xcb\x00\x71\x05\x00\x01"
    assert asked("2001:db8::1", 65535) == (
        b"\x05\x01\x00\x04" + bytes.fromhex("20010db8" + 22 * "0" + "01") + b"\xff\xff"
    )


def test_a_proxy_that_wants_no_login() -> None:
    client = Socks5Client("203.0.113.5", 1, LOGIN)
    client.data_to_send()
    client.receive_data(b"\x05\x00")
    assert client.data_to_send().startswith(b"\x05\x01\x00\x01")
    assert client.receive_data(BOUND) == b""
    assert client.is_done
    assert not client.is_isolated


def test_without_credentials_none_are_offered() -> None:
    client = Socks5Client("203.0.113.5", 1)
    assert client.data_to_send() == b"\x05\x01\x00"
    with pytest.raises(SocksFailed, match="logging in"):
        client.receive_data(b"\x05\x02")


def test_credentials_are_random_and_fit() -> None:
    made = {Credentials.random() for _ in range(50)}
    assert len(made) == 50
    assert len({each.user for each in made}) == 50
    assert all(0 < len(text.encode()) < 256 for each in made for text in each)


@pytest.mark.parametrize(
    "bound",
    [
        BOUND,
        b"\x05\x00\x00\x04" + bytes(18),
        b"\x05\x00\x00\x03\x04name\x00\x00",
        BOUND[:3] + b"\x03\0\0\0",
    ],
)
@settings(deadline=None)
@given(cuts=st.lists(st.integers(0, 60), max_size=8))
def test_answers_in_any_pieces(bound: bytes, cuts: list[int]) -> None:
    answers = [b"\x05\x02", b"\x01\x00", bound + b"the peer's"]
    client = Socks5Client(ONION, 8333, LOGIN)
    sent, rest = client.data_to_send(), b""
    for answer in answers:
        edges = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
        for start, stop in itertools.pairwise(edges):
            rest += client.receive_data(answer[start:stop])
            sent += client.data_to_send()
    assert client.is_done
    assert client.is_isolated
    assert rest == b"the peer's"
    assert sent == GREETING + b"\x01\x04user\x06secret" + asked(ONION)


@pytest.mark.parametrize("code", [*REFUSALS, 0x09, 0xEE, 0xFF])
def test_refusals_are_sentences(code: int) -> None:
    client = Socks5Client("203.0.113.5", 1)
    client.receive_data(b"\x05\x00")
    with pytest.raises(SocksFailed) as refused:
        client.receive_data(b"\x05" + bytes([code]) + b"\x00\x01" + bytes(6))
    assert refused.value.reply == code
    assert str(refused.value)[0].isupper()
    assert str(refused.value).endswith(".")
    assert str(refused.value) == REFUSALS.get(code, f"The proxy refused with code {code}.")


@pytest.mark.parametrize(
    "answers",
    [
        [b"HTTP/1.1 400 Bad Request\r\n"],
        [b"\x04\x5a"],
        [b"\x05\xff"],
        [b"\x05\x01"],  # GSSAPI
        [b"\x05\x02", b"\x01\x01"],
        [b"\x05\x00", b"\x04\x00\x00\x01" + bytes(6)],
        [b"\x05\x00", b"\x05\x00\x00\x02" + bytes(6)],
    ],
)
def test_what_is_no_proxy_for_us(answers: list[bytes]) -> None:
    client = Socks5Client("203.0.113.5", 1, LOGIN)
    for answer in answers[:-1]:
        client.receive_data(answer)
    with pytest.raises(SocksFailed) as failed:
        client.receive_data(answers[-1])
    assert failed.value.reply is None


@pytest.mark.parametrize("host", ["", "x" * 256, "b\u00fccher.example", "a?b"])
def test_hosts_that_cannot_be_asked_for(host: str) -> None:
    with pytest.raises(SocksFailed):
        Socks5Client(host, 1)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=20), max_size=10))
def test_any_answer_is_a_failure_or_not(answers: list[bytes]) -> None:
    client = Socks5Client(ONION, 8333, LOGIN)
    total = 0
    try:
        for answer in answers:
            client.receive_data(answer)
            total += len(answer)
    except SocksFailed:
        return
    assert not client.is_done or total >= 12
