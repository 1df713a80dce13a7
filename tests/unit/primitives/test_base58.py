import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.base58 import decode_check, encode_check
from wallet_gui.primitives.serialize import ParseError

# Sources: the genesis block's address; BIP16; BIP32 test vector 1; all zeros.
KNOWN = [
    ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "0062e907b15cbf27d5425399ebf6f0fb50ebb88f18"),
    ("1111111111111111111114oLvT2", "00" * 21),
    (
        (
            "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265"
            "TMg7usUDFdp6W1EGMcet8"
        ),
        (
            "0488b21e000000000000000000873dff81c02f525623fd1fe5167eac3a55a049de3d314bb42ee227ffed37d508"
            "0339a36013301597daef41fbe593a02cc513d0b55527ec2df1050e2e8ff49c85c2"
        ),
    ),
]


@pytest.mark.parametrize(("text", "payload"), KNOWN)
def test_known_texts(text: str, payload: str) -> None:
    assert decode_check(text).hex() == payload
    assert encode_check(bytes.fromhex(payload)) == text


def test_empty_payload() -> None:
    assert decode_check(encode_check(b"")) == b""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "too short"),
        ("1", "too short"),
        ("111", "too short"),
        ("1111", "checksum"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "checksum"),
        ("A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "checksum"),
        ("11A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "checksum"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0", "position 34 "),
        ("lA1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "position 1 "),
        (" 1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "position 1 "),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa\n", "position 35 "),
        ("\u0410", "position 1 "),
    ],
)
def test_malformed_text_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        decode_check(text)


def test_errors_never_repeat_the_text() -> None:
    key = "5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ"
    for wrong in (key[:-1] + "K", key[:-1] + "0", key * 3):
        with pytest.raises(ParseError) as caught:
            decode_check(wrong)
        assert key[5:15] not in str(caught.value)


def test_length_is_capped_before_the_work() -> None:
    started = time.process_time()
    with pytest.raises(ParseError, match="too long"):
        decode_check("z" * 10_000_000)
    assert time.process_time() - started < 1
    with pytest.raises(ParseError, match="at most 30 fit"):
        decode_check("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", max_len=30)


def test_no_single_wrong_character_is_accepted() -> None:
    text = KNOWN[0][0]
    for i in range(len(text)):
        for character in "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz":
            wrong = text[:i] + character + text[i + 1 :]
            if wrong != text:
                with pytest.raises(ParseError):
                    decode_check(wrong)


@settings(deadline=None)
@given(st.binary(max_size=78))
def test_round_trip(payload: bytes) -> None:
    assert decode_check(encode_check(payload)) == payload


@settings(deadline=None)
@given(
    st.text(max_size=120)
    | st.text("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", max_size=120)
)
def test_any_text_is_a_payload_or_a_parse_error(text: str) -> None:
    try:
        payload = decode_check(text)
    except ParseError:
        return
    assert encode_check(payload) == text
