"""The wrapper around libsecp256k1: official vectors, exact lengths, traps closed."""

import csv
import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui import curve
from wallet_gui.curve import (
    ORDER,
    CurveError,
    check_public_key,
    check_secret,
    check_x_only,
    ecdsa_recover,
    ecdsa_sign,
    ecdsa_sign_recoverable,
    ecdsa_verify,
    public_key,
    schnorr_sign,
    schnorr_verify,
    self_test,
    taproot_output_key,
    taproot_secret,
    tweak_public_key,
    tweak_secret,
    uncompressed,
    x_only,
)

# BIP340's own file, bip-0340/test-vectors.csv.
BIP340 = Path(__file__).parents[1] / "vectors" / "bip340.csv"
SECRETS = st.integers(1, ORDER - 1).map(lambda n: n.to_bytes(32, "big"))
DIGESTS = st.binary(min_size=32, max_size=32)
ONE = (1).to_bytes(32, "big")

# RFC 6979 signatures on secp256k1 with low S: key, message (hashed once with SHA256), r, s;
# the list that bitcointalk topic 285142 collected and many libraries test with.
RFC6979 = [
    (
        1,
        "Satoshi Nakamoto",
        "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8",
        "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5",
    ),
    (
        1,
        "All those moments will be lost in time, like tears in rain. Time to die...",
        "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b",
        "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21",
    ),
    (
        ORDER - 1,
        "Satoshi Nakamoto",
        "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0",
        "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5",
    ),
    (
        0xF8B8AF8CE3C7CCA5E300D33939540C10D45CE001B8F252BFBC57BA0342904181,
        "Alan Turing",
        "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c",
        "58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea",
    ),
    (
        0xE91671C46231F833A6406CCBEA0E3E392C76C167BAC1CB013F6F1013980455C2,
        (
            "There is a computer disease that anybody who works with computers knows about. It's a "
            "very serious disease and it interferes completely with the work. The trouble with "
            "computers is that you 'play' with them!"
        ),
        "b552edd27580141f3b2a5463048cb7cd3e047b97c9f98076c32dbdf85a68718b",
        "279fa72dd19bfae05577e06c7c0c1900c371fcd5893f7e1d56a37d30174671f6",
    ),
]


def der_parts(der: bytes) -> tuple[int, int]:
    size = der[3]
    return int.from_bytes(der[4 : 4 + size], "big"), int.from_bytes(der[6 + size :], "big")


def test_the_self_test_passes() -> None:
    self_test()


@pytest.mark.parametrize(
    "name",
    [
        "public_key",
        "ecdsa_verify",
        "schnorr_sign",
        "schnorr_verify",
        "tweak_secret",
        "tweak_public_key",
        "taproot_output_key",
        "taproot_secret",
    ],
)
def test_the_self_test_notices_a_broken_function(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = getattr(curve, name)

    def wrong(*arguments: Any, **options: Any) -> Any:
        result = right(*arguments, **options)
        if isinstance(result, bool):
            return not result
        if isinstance(result, tuple):
            return bytes(32), 0
        return result[:-1] + bytes([result[-1] ^ 1])

    monkeypatch.setattr(curve, name, wrong)
    with pytest.raises(CurveError):
        self_test()


@pytest.mark.parametrize(("key", "message", "r", "s"), RFC6979)
def test_nonces_are_those_of_rfc_6979(key: int, message: str, r: str, s: str) -> None:
    secret = key.to_bytes(32, "big")
    digest = hashlib.sha256(message.encode()).digest()
    der = ecdsa_sign(secret, digest, grind_low_r=False)
    assert der_parts(der) == (int(r, 16), int(s, 16))
    assert ecdsa_verify(public_key(secret), digest, der)


def test_bip340_vectors() -> None:
    tested = 0
    with BIP340.open(newline="") as file:
        for row in csv.DictReader(file):
            message, signature = bytes.fromhex(row["message"]), bytes.fromhex(row["signature"])
            key = bytes.fromhex(row["public key"])
            if len(message) != 32:
                with pytest.raises(CurveError):
                    schnorr_verify(key, message, signature)
                continue
            if row["secret key"]:
                secret = bytes.fromhex(row["secret key"])
                assert x_only(public_key(secret)) == key
                assert schnorr_sign(secret, message, bytes.fromhex(row["aux_rand"])) == signature
            if row["comment"].startswith(("public key not", "public key is not a valid")):
                with pytest.raises(CurveError):
                    schnorr_verify(key, message, signature)
            else:
                valid = row["verification result"] == "TRUE"
                assert schnorr_verify(key, message, signature) is valid
            tested += 1
    assert tested == 15


@settings(deadline=None, max_examples=100)
@given(SECRETS, DIGESTS)
def test_ecdsa_signatures_are_low_and_deterministic(secret: bytes, digest: bytes) -> None:
    der = ecdsa_sign(secret, digest)
    r, s = der_parts(der)
    assert r < 2**255
    assert s <= ORDER // 2
    assert len(der) <= 70
    assert ecdsa_sign(secret, digest) == der
    pub = public_key(secret)
    assert ecdsa_verify(pub, digest, der)
    other = bytes([digest[0] ^ 1]) + digest[1:]
    assert not ecdsa_verify(pub, other, der)
    assert not ecdsa_verify(pub, digest, der[:-1])
    assert not ecdsa_verify(pub, digest, der + b"\0")


def test_high_s_and_loose_der_are_not_accepted() -> None:
    digest = hashlib.sha256(b"high").digest()
    r, s = der_parts(ecdsa_sign(ONE, digest))

    def integer(number: int, padding: bytes = b"") -> bytes:
        body = padding + number.to_bytes(number.bit_length() // 8 + 1, "big")
        return bytes([2, len(body)]) + body

    def der(*parts: bytes) -> bytes:
        body = b"".join(parts)
        return bytes([0x30, len(body)]) + body

    assert ecdsa_verify(public_key(ONE), digest, der(integer(r), integer(s)))
    assert not ecdsa_verify(public_key(ONE), digest, der(integer(r), integer(ORDER - s)))
    assert not ecdsa_verify(public_key(ONE), digest, der(integer(r, b"\0"), integer(s)))
    assert not ecdsa_verify(public_key(ONE), digest, b"")


def test_no_nonce_is_used_twice() -> None:
    digests = [hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(1000)]
    assert len({der_parts(ecdsa_sign(ONE, digest))[0] for digest in digests}) == 1000
    assert len({schnorr_sign(ONE, digests[0])[:32] for _ in range(200)}) == 200


@settings(deadline=None, max_examples=50)
@given(SECRETS, DIGESTS, st.integers(0, 511))
def test_schnorr_signatures_verify_and_altered_ones_do_not(
    secret: bytes, digest: bytes, bit: int
) -> None:
    key = x_only(public_key(secret))
    signature = schnorr_sign(secret, digest)
    assert schnorr_verify(key, digest, signature)
    altered = bytearray(signature)
    altered[bit // 8] ^= 1 << bit % 8
    assert not schnorr_verify(key, digest, bytes(altered))
    assert not schnorr_verify(key, digest, signature[:-1])
    assert not schnorr_verify(key, digest, signature + b"\x01")


@settings(deadline=None, max_examples=50)
@given(SECRETS, SECRETS)
def test_tweaks_commute_with_the_public_side(secret: bytes, tweak: bytes) -> None:
    total = (int.from_bytes(secret, "big") + int.from_bytes(tweak, "big")) % ORDER
    if not total:
        with pytest.raises(CurveError):
            tweak_secret(secret, tweak)
        return
    assert int.from_bytes(tweak_secret(secret, tweak), "big") == total
    assert tweak_public_key(public_key(secret), tweak) == public_key(tweak_secret(secret, tweak))


@settings(deadline=None, max_examples=50)
@given(SECRETS, st.one_of(st.just(b""), DIGESTS))
def test_taproot_secrets_sign_for_their_output_key(secret: bytes, root: bytes) -> None:
    output, parity = taproot_output_key(x_only(public_key(secret)), root)
    pub = public_key(taproot_secret(secret, root))
    assert (pub[1:], pub[0] & 1) == (output, parity)


# BIP341 wallet-test-vectors.json, scriptPubKey: internal key, merkle root, output key.
@pytest.mark.parametrize(
    ("internal", "root", "output"),
    [
        (
            "d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d",
            "",
            "53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343",
        ),
        (
            "187791b6f712a8ea41c8ecdd0ee77fab3e85263b37e1ec18a3651926b3a6cf27",
            "5b75adecf53548f3ec6ad7d78383bf84cc57b55a3127c72b9a2481752dd88b21",
            "147c9c57132f6e7ecddba9800bb0c4449251c92a1e60371ee77557b6620f3ea3",
        ),
    ],
)
def test_bip341_output_keys(internal: str, root: str, output: str) -> None:
    key = taproot_output_key(bytes.fromhex(internal), bytes.fromhex(root))[0]
    assert key == bytes.fromhex(output)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_secrets_digests_and_tweaks_have_32_bytes(size: int) -> None:
    wrong = b"\x01" * size
    pub = public_key(ONE)
    for call in (
        lambda: public_key(wrong),
        lambda: check_secret(wrong),
        lambda: ecdsa_sign(wrong, ONE),
        lambda: ecdsa_sign(ONE, wrong),
        lambda: ecdsa_verify(pub, wrong, b""),
        lambda: schnorr_sign(wrong, ONE),
        lambda: schnorr_sign(ONE, wrong),
        lambda: schnorr_sign(ONE, ONE, wrong),
        lambda: schnorr_verify(x_only(pub), wrong, bytes(64)),
        lambda: schnorr_verify(wrong, ONE, bytes(64)),
        lambda: tweak_secret(wrong, ONE),
        lambda: tweak_secret(ONE, wrong),
        lambda: tweak_public_key(pub, wrong),
        lambda: taproot_secret(wrong),
        lambda: taproot_output_key(wrong),
        lambda: check_x_only(wrong),
    ):
        with pytest.raises(CurveError):
            call()
    if size:
        with pytest.raises(CurveError):
            taproot_output_key(x_only(pub), wrong)
        with pytest.raises(CurveError):
            taproot_secret(ONE, wrong)


@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_secrets_out_of_range_are_refused(number: int) -> None:
    secret = number.to_bytes(32, "big")
    for function in (public_key, check_secret, taproot_secret):
        with pytest.raises(CurveError):
            function(secret)
    with pytest.raises(CurveError):
        ecdsa_sign(secret, ONE)
    with pytest.raises(CurveError):
        schnorr_sign(secret, ONE)
    if number:
        with pytest.raises(CurveError):
            tweak_secret(ONE, secret)
        with pytest.raises(CurveError):
            tweak_public_key(public_key(ONE), secret)


def test_a_tweak_to_infinity_is_refused() -> None:
    minus_one = (ORDER - 1).to_bytes(32, "big")
    with pytest.raises(CurveError):
        tweak_secret(ONE, minus_one)
    with pytest.raises(CurveError):
        tweak_public_key(public_key(ONE), minus_one)


def test_only_compressed_points_on_the_curve_are_public_keys() -> None:
    pub = public_key(ONE)
    y = bytes.fromhex("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
    assert check_public_key(pub) == pub
    assert check_x_only(pub[1:]) == pub[1:]
    off_curve = b"\x02" + (5).to_bytes(32, "big")
    for wrong in (
        b"",
        pub[:-1],
        pub + b"\0",
        b"\x04" + pub[1:] + y,
        b"\x06" + pub[1:] + y,
        b"\x05" + pub[1:],
        b"\x00" + pub[1:],
        off_curve,
        b"\x02" + b"\xff" * 32,
    ):
        with pytest.raises(CurveError):
            check_public_key(wrong)
        with pytest.raises(CurveError):
            x_only(wrong)
        with pytest.raises(CurveError):
            tweak_public_key(wrong, ONE)
    with pytest.raises(CurveError):
        check_x_only(off_curve[1:])


def test_messages_hold_no_secret() -> None:
    secret = bytes.fromhex("5e" * 33)
    with pytest.raises(CurveError) as caught:
        public_key(secret)
    assert "5e5e" not in str(caught.value)
    assert "^^" not in str(caught.value)


def test_a_signature_that_does_not_verify_is_never_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(curve, "ecdsa_verify", lambda *_: False)
    monkeypatch.setattr(curve, "schnorr_verify", lambda *_: False)
    with pytest.raises(CurveError, match="not reliable"):
        ecdsa_sign(ONE, ONE)
    with pytest.raises(CurveError, match="not reliable"):
        schnorr_sign(ONE, ONE)


def test_recoverable_signatures_tell_their_key() -> None:
    digest = bytes(range(32))
    recovery_id, compact = ecdsa_sign_recoverable(ONE, digest)
    for n in range(1, 20):
        secret = n.to_bytes(32, "big")
        recovery_id, compact = ecdsa_sign_recoverable(secret, digest)
        assert ecdsa_recover(digest, recovery_id, compact) == public_key(secret)
        assert ecdsa_recover(bytes(32), recovery_id, compact) != public_key(secret)
    for wrong in ((4, compact), (-1, compact), (0, compact[:-1]), (0, bytes(64))):
        with pytest.raises(CurveError):
            ecdsa_recover(digest, *wrong)
    with pytest.raises(CurveError):
        ecdsa_recover(digest[:-1], recovery_id, compact)


def test_the_old_form_of_a_key_is_the_same_point() -> None:
    # 2*G, SEC 2.
    x = "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5"
    y = "1ae168fea63dc339a3c58419466ceaeef7f632653266d0e1236431a950cfe52a"
    assert uncompressed(public_key((2).to_bytes(32, "big"))).hex() == f"04{x}{y}"


def test_a_recoverable_signature_of_another_key_is_never_returned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(curve, "ecdsa_recover", lambda *_: b"")
    with pytest.raises(CurveError, match="not reliable"):
        ecdsa_sign_recoverable(ONE, ONE)
