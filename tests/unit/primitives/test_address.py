import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives import base58, bech32, script
from wallet_gui.primitives.address import address_from_script, script_from_address
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4, ChainParams
from wallet_gui.primitives.serialize import ParseError

VECTORS = json.loads(
    (Path(__file__).parents[2] / "vectors" / "bech32.json").read_text(encoding="utf-8")
)
HASH20 = bytes.fromhex("751e76e8199196d454941c45d1b3a323f1433bd6")


@pytest.mark.parametrize(("address", "expected"), VECTORS["valid_addresses"])
def test_official_segwit_addresses(address: str, expected: str) -> None:
    params = MAINNET if address.lower().startswith("bc") else TESTNET4
    data = script_from_address(address, params)
    assert data.hex() == expected
    assert address_from_script(data, params) == address.lower()


@pytest.mark.parametrize("params", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize(("address", "reason"), VECTORS["invalid_addresses"])
def test_official_invalid_segwit_addresses(address: str, reason: str, params: ChainParams) -> None:
    with pytest.raises(ParseError):
        script_from_address(address, params)


# The generator point's key hash, known from BIP173, under every version byte.
@pytest.mark.parametrize(
    ("params", "address", "expected"),
    [
        (MAINNET, "1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", script.p2pkh(HASH20)),
        (TESTNET4, "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r", script.p2pkh(HASH20)),
        (
            MAINNET,
            "3JvL6Ymt8MVWiCNHC7oWU6nLeHNJKLZGLN",
            script.p2sh(bytes.fromhex("bcfeb728b584253d5f3f70bcb780e9ef218a68f4")),
        ),
        (REGTEST, "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", script.p2wpkh(HASH20)),
        (SIGNET, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", script.p2wpkh(HASH20)),
    ],
)
def test_known_addresses(params: ChainParams, address: str, expected: bytes) -> None:
    assert script_from_address(address, params) == expected
    assert address_from_script(expected, params) == address


@pytest.mark.parametrize(
    ("address", "params", "sentence"),
    [
        (
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
            SIGNET,
            "belongs to mainnet, but this wallet is on signet",
        ),
        (
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            REGTEST,
            "belongs to mainnet, but this wallet is on regtest",
        ),
        (
            "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
            MAINNET,
            "belongs to testnet4 or signet, but this wallet is on mainnet",
        ),
        (
            "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080",
            MAINNET,
            "belongs to regtest, but this wallet is on mainnet",
        ),
        (
            "mrCDrCybB6J1vRfbwM5hemdJz73FwDBC8r",
            MAINNET,
            "belongs to testnet4, signet or regtest, but this wallet is on mainnet",
        ),
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", SIGNET, "belongs to mainnet"),
    ],
)
def test_an_address_of_another_network_is_named(
    address: str, params: ChainParams, sentence: str
) -> None:
    with pytest.raises(ParseError, match=sentence):
        script_from_address(address, params)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "address is missing"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "not a valid address. The checksum"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kV8F3T4", "Capital and small letters"),
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMh", "not a valid address. The checksum"),
        ("1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAM0", "position 34"),
        ("hello world", "not a valid address"),
        (" 1BgGZ9tcN4rm9KBzDn7KprQz87SZ26SAMH", "position 1 "),
        ("LNBC2500u1pvjluezpp5qqqsyq", "for Lightning"),
        ("lnurl1dp68gurn8ghj7um9wfmxjcm99e3k7mf0", "for Lightning"),
        ("sp1qqgste7k9hx0qftg6qmwlkqtwuy6cycyavzmzj85c6qdfhjdpdjtdgqjuexzk6mur", "silent payment"),
        ("5HueCGU8rMjxEXxiPuD5BDku4MkFqeZyd4dZ1jvhTVqvbTLvyTJ", "private key, not an address"),
        ("KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "private key, not an address"),
        (
            (
                "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqse"
                "fD265TMg7usUDFdp6W1EGMcet8"
            ),
            "extended key, not an address",
        ),
        (
            (
                "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejM"
                "RNNU3TGtRBeJgk33yuGBxrMPHi"
            ),
            "extended private key, not an address",
        ),
        (base58.encode_check(b"\x30" + HASH20), "another currency"),
        (base58.encode_check(b"\x00" + HASH20[:-1]), "not a Bitcoin address"),
        (base58.encode_check(b""), "not a Bitcoin address"),
        (bech32.encode_segwit("ltc", 0, HASH20), "another currency"),
        (bech32.encode_segwit("tc", 1, bytes(32)), "another currency"),
        (bech32.encode_segwit("bt", 1, bytes(32)), "another currency"),
    ],
)
def test_each_mistake_gets_its_sentence(text: str, sentence: str) -> None:
    with pytest.raises(ParseError, match=sentence) as caught:
        script_from_address(text, MAINNET)
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("head", ["1", "bc1"])
def test_endless_text_is_refused_at_once(head: str) -> None:
    with pytest.raises(ParseError, match="too long"):
        script_from_address(head + "q" * 5_000_000, MAINNET)


def test_scripts_without_an_address() -> None:
    key = bytes.fromhex("0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    for data in (b"", script.op_return(b"x"), script.push(key) + b"\xac", b"\x00\x03abc"):
        assert address_from_script(data, MAINNET) is None


destinations = st.one_of(
    st.binary(min_size=20, max_size=20).map(script.p2pkh),
    st.binary(min_size=20, max_size=20).map(script.p2sh),
    st.binary(min_size=20, max_size=20).map(script.p2wpkh),
    st.binary(min_size=32, max_size=32).map(script.p2wsh),
    st.builds(script.witness_program, st.integers(1, 16), st.binary(min_size=2, max_size=40)),
)


@settings(deadline=None)
@given(destinations, st.sampled_from(list(NETWORKS.values())))
def test_round_trip_and_no_other_kind_of_network(data: bytes, params: ChainParams) -> None:
    address = address_from_script(data, params)
    assert address is not None
    assert script_from_address(address, params) == data
    for other in NETWORKS.values():
        if other.is_test != params.is_test:
            with pytest.raises(ParseError, match=f"this wallet is on {other.name}"):
                script_from_address(address, other)


@settings(deadline=None)
@given(
    st.text(max_size=100)
    | st.text("qpzry9x8gf2tvdw0s3jn54khce6mua7l1", max_size=90).map("bc1".__add__)
    | st.binary(max_size=80).map(base58.encode_check)
)
def test_any_text_is_a_script_or_a_parse_error(text: str) -> None:
    try:
        data = script_from_address(text, MAINNET)
    except ParseError:
        return
    assert address_from_script(data, MAINNET) in (text, text.lower())


def test_bdk_reads_and_writes_the_same_addresses() -> None:
    bdk = pytest.importorskip("bdkpython", reason="the oracle is not installed")
    networks = {
        "mainnet": bdk.Network.BITCOIN,
        "testnet4": bdk.Network.TESTNET4,
        "signet": bdk.Network.SIGNET,
        "regtest": bdk.Network.REGTEST,
    }
    rng = random.Random(350)
    for name, network in networks.items():
        for _ in range(20):
            for data in (
                script.p2pkh(rng.randbytes(20)),
                script.p2sh(rng.randbytes(20)),
                script.p2wpkh(rng.randbytes(20)),
                script.p2wsh(rng.randbytes(32)),
                script.p2tr(rng.randbytes(32)),
                script.witness_program(rng.randint(2, 16), rng.randbytes(rng.randint(2, 40))),
            ):
                address = address_from_script(data, NETWORKS[name])
                assert str(bdk.Address.from_script(bdk.Script(data), network)) == address
                assert bytes(bdk.Address(address, network).script_pubkey().to_bytes()) == data
