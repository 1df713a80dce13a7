import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import hashes
from wallet_gui.primitives.hashes import (
    hash160,
    hash_from_hex,
    hash_to_hex,
    ripemd160,
    ripemd160_pure,
    sha256,
    sha256d,
    siphash24,
    tagged_hash,
)
from wallet_gui.primitives.serialize import ParseError

# Source: the test values of the authors of RIPEMD-160.
RIPEMD160 = [
    (b"", "9c1185a5c5e9fc54612808977ee8f548b2258d31"),
    (b"a", "0bdc9d2d256b3ee9daae347be6f4dc835a467ffe"),
    (b"abc", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"),
    (b"message digest", "5d0689ef49d2fae572b881b123a85ffa21595f36"),
    (b"abcdefghijklmnopqrstuvwxyz", "f71c27109c692c1b56bbdceb5b9d2865b3708dbc"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "12a053384a9c0c88e405a06c27dcf49ada62eb2b",
    ),
    (
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
        "b0e20b6e3116640286ed3a87a5713079b21f5189",
    ),
    (b"1234567890" * 8, "9b752e45573d4b39f4dbd3323cab82bf63326bfb"),
]

# Source: the reference implementation's vectors.h (first entries and entry 15 of
# vectors_sip64), key 00..0f, message of n bytes 00, 01, ...
SIPHASH24 = {
    0: "310e0edd47db6f72",
    1: "fd67dc93c539f874",
    2: "5a4fa9d909806c0d",
    7: "37d1018bf50002ab",
    8: "6224939a79f5f593",
    15: "e545be4961ca29a1",
}


@pytest.mark.parametrize(("message", "digest"), RIPEMD160)
def test_ripemd160_vectors(message: bytes, digest: str) -> None:
    assert ripemd160_pure(message).hex() == digest
    assert ripemd160(message).hex() == digest


def test_ripemd160_falls_back_where_openssl_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, data: bytes = b"", *, usedforsecurity: bool = True) -> None:
        raise ValueError(f"unsupported hash type {name}")

    hashes._openssl_has_ripemd160.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(hashlib, "new", refuse)
        try:
            assert ripemd160(b"abc").hex() == "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc"
        finally:
            hashes._openssl_has_ripemd160.cache_clear()


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=300))
def test_own_ripemd160_equals_openssl(data: bytes) -> None:
    try:
        expected = hashlib.new("ripemd160", data).digest()
    except ValueError:
        pytest.skip("OpenSSL has no RIPEMD-160 here")
    assert ripemd160_pure(data) == expected


@pytest.mark.parametrize("length", [55, 56, 63, 64, 65, 119, 120])
def test_ripemd160_padding_boundaries(length: int) -> None:
    try:
        expected = hashlib.new("ripemd160", bytes(length)).digest()
    except ValueError:
        pytest.skip("OpenSSL has no RIPEMD-160 here")
    assert ripemd160_pure(bytes(length)) == expected


@pytest.mark.parametrize(("length", "digest"), SIPHASH24.items())
def test_siphash_vectors(length: int, digest: str) -> None:
    result = siphash24(bytes(range(16)), bytes(range(length)))
    assert result.to_bytes(8, "little").hex() == digest


def test_siphash_key_length_is_checked() -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        siphash24(bytes(15), b"")


def test_sha256_and_its_double() -> None:
    assert sha256(b"abc").hex() == hashlib.sha256(b"abc").hexdigest()
    # Source: the Bitcoin wiki, "Protocol documentation", hashes of "hello".
    assert (
        sha256d(b"hello").hex()
        == "9595c9df90075148eb06860365df33584b75bff782a510c6cd4883a419833d50"
    )
    assert hash160(b"hello").hex() == "b6a9c8c230722b7c748331a8b450f05566dc7d0f"


def test_tagged_hash_is_as_bip340_defines_it() -> None:
    tag = hashlib.sha256(b"BIP0340/challenge").digest()
    expected = hashlib.sha256(tag + tag + b"data").digest()
    assert tagged_hash("BIP0340/challenge", b"data") == expected
    assert tagged_hash("BIP0340/challenge", b"data") == expected  # the kept midstate is not used up
    assert tagged_hash("BIP0340/nonce", b"data") != expected


def test_hashes_are_shown_reversed() -> None:
    shown = "000000000019d6689c085ae165831e934ff763ae46a2a6c172b3f1b60a8ce26f"
    assert hash_from_hex(shown).hex().startswith("6fe28c0a")
    assert hash_to_hex(hash_from_hex(shown)) == shown
    assert hash_from_hex(shown.upper()) == hash_from_hex(shown)


@pytest.mark.parametrize(
    "text", ["", "00" * 31, "00" * 33, "g" * 64, " " + "0" * 63, "0" * 64 + "\n", "\u0660" * 64]
)
def test_malformed_hash_text_is_refused(text: str) -> None:
    with pytest.raises(ParseError, match="64 hexadecimal digits"):
        hash_from_hex(text)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_hash_text_round_trip(value: bytes) -> None:
    assert hash_from_hex(hash_to_hex(value)) == value
