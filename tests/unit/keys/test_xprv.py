"""Private derivation: BIP32's five vectors, and accounts of BIP44, 49, 84 and 86."""

import hmac
import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.curve import CurveError
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import HARDENED, ExtendedPublicKey, parse_path
from wallet_gui.keys.accounts import account_descriptors, account_path
from wallet_gui.keys.seed import bip39_seed
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import MAINNET, NETWORKS, REGTEST, SIGNET, TESTNET4
from wallet_gui.primitives.serialize import ParseError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "bip32.json").read_text())
ABANDON = bip39_seed(bytes(16))  # "abandon ... about", the seed of the BIPs' examples


@pytest.mark.parametrize("chain", VECTORS["valid"])
def test_bip32_private_derivation(chain: dict[str, list[dict[str, str]]]) -> None:
    master = ExtendedPrivateKey.from_seed(bytes.fromhex(str(chain["seed"])))
    for key in chain["keys"]:
        derived = master.derive(key["path"])
        assert derived.serialize() == key["xprv"]
        assert derived.neuter().serialize() == key["xpub"]
        assert ExtendedPrivateKey.parse(key["xprv"]) == derived
        assert derived.fingerprint == derived.neuter().fingerprint
    for parent, child in itertools.pairwise(chain["keys"]):
        step = parse_path(child["path"])[-1:]
        assert ExtendedPrivateKey.parse(parent["xprv"]).derive(step).serialize() == child["xprv"]


@pytest.mark.parametrize(("reason", "text"), VECTORS["invalid"])
def test_bip32_invalid_keys(reason: str, text: str) -> None:
    with pytest.raises(ParseError) as caught:
        ExtendedPrivateKey.parse(text)
    assert text[20:40] not in str(caught.value)


@settings(deadline=None, max_examples=30)
@given(st.binary(min_size=16, max_size=64), st.lists(st.integers(0, HARDENED - 1), max_size=4))
def test_public_and_private_derivation_agree(seed: bytes, path: list[int]) -> None:
    master = ExtendedPrivateKey.from_seed(seed)
    assert master.derive(path).neuter() == master.neuter().derive(path)


@pytest.mark.parametrize("size", [0, 15, 65])
def test_seeds_have_16_to_64_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="16 to 64 bytes"):
        ExtendedPrivateKey.from_seed(bytes(size))


def test_networks_do_not_mix() -> None:
    xprv = ExtendedPrivateKey.from_seed(ABANDON).serialize()
    tprv = ExtendedPrivateKey.from_seed(ABANDON, REGTEST).serialize()
    assert tprv.startswith("tprv")
    for params in (TESTNET4, SIGNET, REGTEST):
        assert ExtendedPrivateKey.parse(tprv, params).neuter().serialize().startswith("tpub")
        with pytest.raises(ParseError, match="main network"):
            ExtendedPrivateKey.parse(xprv, params)
    with pytest.raises(ParseError, match="test networks"):
        ExtendedPrivateKey.parse(tprv, MAINNET)
    with pytest.raises(ParseError, match="public key"):
        ExtendedPrivateKey.parse(VECTORS["valid"][0]["keys"][0]["xpub"])


def test_the_repr_hides_the_secret() -> None:
    key = ExtendedPrivateKey.from_seed(ABANDON)
    for text in (repr(key), str(key), f"{key}"):
        assert key.secret.hex() not in text
        assert key.chain_code.hex() not in text
        assert repr(key.secret) not in text
    assert repr(key) == "<ExtendedPrivateKey 73c5da0a depth 0>"


def test_keys_end_at_depth_255() -> None:
    deepest = ExtendedPrivateKey.from_seed(ABANDON).derive([0] * 255)
    with pytest.raises(ParseError, match="255"):
        deepest.derive(0)


def test_a_step_that_gives_no_key_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    key = ExtendedPrivateKey.from_seed(ABANDON)
    monkeypatch.setattr(hmac, "digest", lambda *_: b"\xff" * 64)
    with pytest.raises(CurveError):
        key.derive(0)


# The address of each kind for "abandon ... about": BIP84 and BIP86 test vectors; BIP49's vector is
# on test networks; the BIP44 address is what wallets show for this seed.
@pytest.mark.parametrize(
    ("kind", "keychain", "index", "address"),
    [
        (DescriptorType.PKH, 0, 0, "1LqBGSKuX5yYUonjxT5qGfpUsXKYYWeabA"),
        (DescriptorType.WPKH, 0, 0, "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"),
        (DescriptorType.WPKH, 0, 1, "bc1qnjg0jd8228aq7egyzacy8cys3knf9xvrerkf9g"),
        (DescriptorType.WPKH, 1, 0, "bc1q8c6fshw2dlwun7ekn9qwf37cu2rn755upcp6el"),
        (DescriptorType.TR, 0, 0, "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr"),
        (DescriptorType.TR, 0, 1, "bc1p4qhjn9zdvkux4e44uhx8tc55attvtyu358kutcqkudyccelu0was9fqzwh"),
        (DescriptorType.TR, 1, 0, "bc1p3qkhfews2uk44qtvauqyr2ttdsw7svhkl9nkm9s9c3x4ax5h60wqwruhk7"),
    ],
)
def test_mainnet_accounts(kind: DescriptorType, keychain: int, index: int, address: str) -> None:
    descriptors = account_descriptors(ExtendedPrivateKey.from_seed(ABANDON), MAINNET)
    assert descriptors[kind].address(index, keychain) == address


def test_bip49_vector() -> None:
    root = ExtendedPrivateKey.from_seed(ABANDON, TESTNET4)
    descriptor = account_descriptors(root, TESTNET4)[DescriptorType.SH_WPKH]
    derived = descriptor.derive(0)
    assert descriptor.first_address == "2Mww8dCYPUpKHofjgcXcBCEGmniw9CoaiD2"
    assert derived.public_key.hex() == (
        "03a1af804ac108a8a51782198c2d034b28bf90c8803f5a53f76276fa69a4eae77f"
    )


def test_bip86_keys() -> None:
    root = ExtendedPrivateKey.from_seed(ABANDON)
    descriptor = account_descriptors(root, MAINNET)[DescriptorType.TR]
    assert descriptor.xpub.serialize() == (
        "xpub6BgBgsespWvERF3LHQu6CnqdvfEvtMcQjYrcRzx53QJjSxarj2afYWcLteoGVky7D3UKDP9QyrLprQ3VCECoY"
        "49yfdDEHGCtMMj92pReUsQ"
    )
    first = descriptor.derive(0)
    assert first.tap_internal_key is not None
    assert first.tap_internal_key.hex() == (
        "cc8a4bc64d897bddc5fbc2f670f7a8ba0b386779106cf1223c6fc5d7cd6fc115"
    )
    assert first.script_pubkey.hex() == (
        "5120a60869f0dbcf1dc659c9cecbaf8050135ea9e8cdc487053f1dc6880949dc684c"
    )


@pytest.mark.parametrize("network", list(NETWORKS))
def test_accounts_of_every_network(network: str) -> None:
    params = NETWORKS[network]
    root = ExtendedPrivateKey.from_seed(ABANDON, params)
    descriptors = account_descriptors(root, params, account=3)
    assert list(descriptors) == list(DescriptorType)
    for kind, descriptor in descriptors.items():
        assert descriptor.is_multipath
        assert descriptor.type is kind
        assert descriptor.origin is not None
        assert descriptor.origin.path == account_path(kind, params, 3)
        assert descriptor.origin.path[1] == params.coin_type + HARDENED
        assert descriptor.fingerprint == root.fingerprint
        assert ExtendedPublicKey.parse(descriptor.xpub.serialize(), params) == descriptor.xpub


def test_accounts_start_at_a_master_key_of_the_network() -> None:
    root = ExtendedPrivateKey.from_seed(ABANDON)
    with pytest.raises(ValueError, match="master"):
        account_descriptors(root.derive(0), MAINNET)
    with pytest.raises(ValueError, match="another network"):
        account_descriptors(root, REGTEST)
    for number in (-1, HARDENED):
        with pytest.raises(ValueError, match="account numbers"):
            account_descriptors(root, MAINNET, number)
    only = account_descriptors(root, MAINNET, types=[DescriptorType.TR])
    assert list(only) == [DescriptorType.TR]
