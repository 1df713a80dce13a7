import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p import onion
from wallet_gui.primitives.serialize import ParseError

# A fixed seed of signet (Bitcoin Core, kernel/chainparams.cpp).
SIGNET_SEED = "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion"


def test_an_address_in_use() -> None:
    key = onion.decode(SIGNET_SEED)
    assert len(key) == 32
    assert onion.encode(key) == SIGNET_SEED
    assert onion.decode(SIGNET_SEED.upper()) == key


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_round_trip(key: bytes) -> None:
    host = onion.encode(key)
    assert len(host) == 62
    assert onion.is_onion(host)
    assert onion.decode(host) == key


@settings(deadline=None)
@given(st.integers(0, 55), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_typing_errors_are_noticed(position: int, letter: str) -> None:
    wrong = SIGNET_SEED[:position] + letter + SIGNET_SEED[position + 1 :]
    if wrong != SIGNET_SEED:
        with pytest.raises(ParseError, match="typing error"):
            onion.decode(wrong)


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("example.com", "56 letters"),
        ("expyuzz4wqqyqhjn.onion", "56 letters"),  # version 2
        (SIGNET_SEED[1:], "56 letters"),
        ("www." + SIGNET_SEED, "56 letters"),
        ("1" + SIGNET_SEED[1:], "a-z"),
        ("\u00e9" + SIGNET_SEED[1:], "a-z"),
        (".onion", "56 letters"),
    ],
)
def test_what_is_no_onion_address(host: str, words: str) -> None:
    with pytest.raises(ParseError, match=words):
        onion.decode(host)


def test_anything_that_ends_in_onion_is_kept_from_the_resolver() -> None:
    for host in (SIGNET_SEED, "x.onion", "X.ONION", "x.onion."):
        assert onion.is_onion(host)
    for host in ("onion", "example.com", "127.0.0.1", "x.onion.example.com"):
        assert not onion.is_onion(host)


def test_a_key_has_32_bytes() -> None:
    with pytest.raises(ValueError, match="32"):
        onion.encode(bytes(31))
