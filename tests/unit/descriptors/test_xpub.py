"""Extended public keys: BIP32's vectors, paths, origins."""

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.descriptors.xpub import (
    HARDENED,
    ExtendedPublicKey,
    KeyOrigin,
    format_path,
    parse_path,
    path_steps,
)
from wallet_gui.primitives import base58
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, TESTNET4
from wallet_gui.primitives.serialize import ParseError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bip32.json").read_text())
XPUB = VECTORS["valid"][0]["keys"][0]["xpub"]
XPRV = VECTORS["valid"][0]["keys"][0]["xprv"]
STEPS = st.integers(0, 2 * HARDENED - 1)


@pytest.mark.parametrize("chain", VECTORS["valid"])
def test_bip32_public_derivation(chain: dict[str, list[dict[str, str]]]) -> None:
    keys = chain["keys"]
    compared = 0
    for parent, child in itertools.pairwise(keys):
        step = parse_path(child["path"])[-1]
        parsed = ExtendedPublicKey.parse(parent["xpub"])
        assert parsed.serialize() == str(parsed) == parent["xpub"]
        if step < HARDENED:
            derived = parsed.derive(step)
            assert derived.serialize() == child["xpub"]
            assert parsed.child_public_key(step) == derived.public_key
            compared += 1
        else:
            with pytest.raises(ParseError, match="hardened"):
                parsed.derive(step)
    assert ExtendedPublicKey.parse(keys[-1]["xpub"]).serialize() == keys[-1]["xpub"]
    assert compared or all("h" in key["path"] for key in keys[1:])


@pytest.mark.parametrize(("reason", "text"), VECTORS["invalid"])
def test_bip32_invalid_keys(reason: str, text: str) -> None:
    if reason != "invalid checksum":
        assert len(base58.decode_check(text)) == 78, "the vector itself was typed wrongly"
    with pytest.raises(ParseError):
        ExtendedPublicKey.parse(text)


def test_the_network_is_checked() -> None:
    test_key = ExtendedPublicKey.parse(XPUB)
    tpub = ExtendedPublicKey(REGTEST.xpub_version, *list_fields(test_key)[1:]).serialize()
    assert tpub.startswith("tpub")
    for params in (TESTNET4, SIGNET, REGTEST):
        assert ExtendedPublicKey.parse(tpub, params).serialize() == tpub
        with pytest.raises(ParseError, match=f"main network, and the wallet is on {params.name}"):
            ExtendedPublicKey.parse(XPUB, params)
    with pytest.raises(ParseError, match="test networks, and the wallet is on mainnet"):
        ExtendedPublicKey.parse(tpub, MAINNET)
    assert ExtendedPublicKey.parse(XPUB, MAINNET) == test_key
    assert ExtendedPublicKey.parse(f" {XPUB}\n") == test_key


def list_fields(key: ExtendedPublicKey) -> tuple[bytes, int, bytes, int, bytes, bytes]:
    return (
        key.version,
        key.depth,
        key.parent_fingerprint,
        key.child_number,
        key.chain_code,
        key.public_key,
    )


def test_private_keys_and_slip132_are_named_and_not_repeated() -> None:
    with pytest.raises(ParseError, match="private key") as caught:
        ExtendedPublicKey.parse(XPRV)
    assert XPRV[8:20] not in str(caught.value)
    payload = base58.decode_check(XPUB)
    zpub = base58.encode_check(bytes.fromhex("04b24746") + payload[4:])
    with pytest.raises(ParseError, match="zpub are not supported"):
        ExtendedPublicKey.parse(zpub)


@given(st.text(max_size=130))
def test_any_text_is_a_key_or_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        ExtendedPublicKey.parse(text)


@settings(deadline=None, max_examples=100)
@given(st.binary(min_size=78, max_size=78))
def test_any_payload_is_a_key_or_a_parse_error(payload: bytes) -> None:
    text = base58.encode_check(MAINNET.xpub_version + payload[4:])
    try:
        key = ExtendedPublicKey.parse(text)
    except ParseError:
        return
    assert key.serialize() == text


@given(st.lists(STEPS, max_size=255))
def test_paths_round_trip(steps: list[int]) -> None:
    path = tuple(steps)
    text = format_path(path)
    assert parse_path(text) == parse_path(f"m/{text}" if text else "m") == path
    assert parse_path(text.replace("h", "'")) == parse_path(text.replace("h", "H")) == path
    assert path_steps(text) == path_steps(path) == path_steps(iter(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        "/",
        "m/",
        "m//0",
        "0/",
        "x",
        "0x",
        "-1",
        "+1",
        "1.0",
        "2147483648",
        "2147483648h",
        "0hh",
        "h",
        "m/0 /1",
        "1_0",
        "\u0661",
        "99999999999",
        "/".join("0" * 256),
        "0''",
        "*",
        "m/m",
    ],
)
def test_malformed_paths(text: str) -> None:
    with pytest.raises(ParseError):
        parse_path(text)


def test_numbers_as_paths() -> None:
    assert path_steps(5) == (5,)
    for wrong in (-1, 2 * HARDENED):
        with pytest.raises(ValueError, match="32 bits"):
            path_steps(wrong)
        with pytest.raises(ValueError, match="32 bits"):
            format_path([wrong])


@given(st.binary(min_size=4, max_size=4), st.lists(STEPS, max_size=6))
def test_origins_round_trip(fingerprint: bytes, steps: list[int]) -> None:
    origin = KeyOrigin(fingerprint, tuple(steps))
    assert KeyOrigin.parse(str(origin)) == origin


def test_origins_look_as_in_bip380() -> None:
    origin = KeyOrigin(bytes.fromhex("d34db33f"), parse_path("84h/0h/0h"))
    assert str(origin) == "[d34db33f/84h/0h/0h]"
    assert KeyOrigin.parse("[D34DB33F/84'/0H/0h]") == origin
    assert str(KeyOrigin(bytes(4), ())) == "[00000000]"
    with pytest.raises(ValueError, match="4 bytes"):
        KeyOrigin(b"abc", ())


def test_keys_end_at_depth_255() -> None:
    key = ExtendedPublicKey.parse(XPUB)
    deepest = key.derive([0] * 255)
    assert deepest.depth == 255
    with pytest.raises(ParseError, match="255"):
        deepest.derive(0)
