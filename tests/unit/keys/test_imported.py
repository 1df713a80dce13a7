"""Extended private keys as people paste them: every form, every refusal, no secret repeated."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.xpub import ExtendedKeyFields, KeyOrigin, parse_path
from wallet_gui.keys.accounts import account_descriptors, cosigner_key, own_keys
from wallet_gui.keys.imported import (
    AccountKey,
    ImportedKeys,
    OutsideAccount,
    account_of,
    describe,
    parse_root,
)
from wallet_gui.keys.seed import bip39_seed
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams
from wallet_gui.primitives.serialize import ParseError

SEED = bip39_seed(bytes(16))  # abandon ... about
MASTER = ExtendedPrivateKey.from_seed(SEED, MAINNET)
TEST_MASTER = ExtendedPrivateKey.from_seed(SEED, REGTEST)
ACCOUNT = MASTER.derive("m/84h/0h/0h")
FINGERPRINT = "73c5da0a"  # https://github.com/bitcoin/bips/blob/master/bip-0084.mediawiki's seed
# The account of BIP84's own test vectors.
ZPRV = (
    "zprvAdG4iTXWBoARxkkzNpNh8r6Qag3irQB8PzEMkAFeTRXxHpbF9z4QgEvBRmfvqWvGp42t42nvgGpNgYSJA9iefm1"
    "yYNZKEm7z6qUWCroSQnE"
)
ZPRV_ADDRESS = "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"
VERSIONS = {
    "yprv": ("049d7878", DescriptorType.SH_WPKH, MAINNET),
    "zprv": ("04b2430c", DescriptorType.WPKH, MAINNET),
    "uprv": ("044a4e28", DescriptorType.SH_WPKH, REGTEST),
    "vprv": ("045f18bc", DescriptorType.WPKH, REGTEST),
    "Yprv": ("0295b005", MultisigType.SH_WSH, MAINNET),
    "Zprv": ("02aa7a99", MultisigType.WSH, MAINNET),
    "Uprv": ("024285b5", MultisigType.SH_WSH, REGTEST),
    "Vprv": ("02575048", MultisigType.WSH, REGTEST),
}


def slip132(key: ExtendedPrivateKey, version: str) -> str:
    fields = ExtendedKeyFields.from_base58(key.serialize())
    return fields._replace(version=bytes.fromhex(version)).to_base58()


def with_checksum(text: str) -> str:
    return f"{text}#{checksum(text)}"


def refused(text: str, params: ChainParams = MAINNET) -> str:
    with pytest.raises(ParseError) as error:
        ImportedKeys.parse(text, params)
    sentence = str(error.value)
    assert not any(part in sentence for part in text.split() if len(part) > 12), "repeats the text"
    return sentence


def test_a_master_key() -> None:
    keys = ImportedKeys.parse(f"  {MASTER.serialize()}\n", MAINNET)
    assert keys.root == MASTER
    assert keys.is_whole_wallet
    assert keys.kind is None
    assert keys.notices == ()
    assert describe(keys.root) == f"Master key {FINGERPRINT}"
    assert parse_root(MASTER.serialize(), MAINNET) == MASTER


def test_the_account_of_bip84() -> None:
    keys = ImportedKeys.parse(ZPRV, MAINNET)
    assert isinstance(keys.root, AccountKey)
    assert keys.root.key == ACCOUNT
    assert keys.kind is DescriptorType.WPKH
    (descriptor,) = account_of(keys.root, [DescriptorType.WPKH], MAINNET)
    assert descriptor.first_address == ZPRV_ADDRESS
    # Nothing tells the master: the account key stands for itself.
    assert not keys.root.is_master_known
    assert keys.root.origin == KeyOrigin(ACCOUNT.fingerprint, ())
    assert ACCOUNT.fingerprint.hex() in keys.notices[0]
    assert "unknown master" in describe(keys.root)
    assert own_keys(keys.root, descriptor) == descriptor.keys


@pytest.mark.parametrize("form", VERSIONS)
def test_forms_of_slip132(form: str) -> None:
    version, kind, params = VERSIONS[form]
    account = (MASTER if params is MAINNET else TEST_MASTER).derive("m/48h/0h/0h/2h")
    text = slip132(account, version)
    assert text.startswith(form)
    keys = ImportedKeys.parse(text, params)
    assert isinstance(keys.root, AccountKey)
    assert keys.root.key == account
    assert keys.kind is kind
    other = REGTEST if params is MAINNET else MAINNET
    assert f"This {form} is for" in refused(text, other)
    assert ExtendedPrivateKey.parse_any(text, params)[0] == account


def test_an_origin_says_what_the_addresses_are_and_who_the_master_is() -> None:
    root: AccountKey
    for purpose, kind in ((44, "PKH"), (49, "SH_WPKH"), (84, "WPKH"), (86, "TR")):
        account = MASTER.derive(f"m/{purpose}h/0h/3h")
        text = f"[{FINGERPRINT}/{purpose}'/0'/3']{account.serialize()}"
        for ending in ("", "/<0;1>/*", "/0/*", "/**", "/*"):
            keys = ImportedKeys.parse(text + ending, MAINNET)
            assert isinstance(keys.root, AccountKey)
            assert keys.kind is DescriptorType[kind]
            assert keys.root.fingerprint.hex() == FINGERPRINT
            assert keys.notices == ()
            root = keys.root
        expected = account_descriptors(MASTER, MAINNET, 3, [DescriptorType[kind]])
        assert account_of(root, [DescriptorType[kind]], MAINNET) == tuple(expected.values())
        assert parse_root(root.serialize(), MAINNET) == root
        assert f"{purpose}h/0h/3h of the master key {FINGERPRINT}" in describe(root)


@pytest.mark.parametrize(
    "origin",
    [
        f"[{FINGERPRINT}/84h/0h]",
        f"[{FINGERPRINT}/84h/0h/1h]",
        f"[{FINGERPRINT}/84h/0h/0]",
        f"[{FINGERPRINT}]",
        "[73c5da0]",
        "[]",
        "[73c5da0a/84h/x/0h]",
    ],
)
def test_an_origin_that_does_not_fit_is_refused(origin: str) -> None:
    with pytest.raises(ParseError):
        ImportedKeys.parse(f"{origin}{ACCOUNT.serialize()}", MAINNET)
    if origin != f"[{FINGERPRINT}]":
        with pytest.raises(ParseError):
            ImportedKeys.parse(f"{origin}{MASTER.serialize()}", MAINNET)


def test_the_master_of_a_first_step_must_be_its_parent() -> None:
    child = MASTER.derive("m/45h")
    keys = ImportedKeys.parse(f"[{FINGERPRINT}/45h]{child.serialize()}", MAINNET)
    assert keys.root.fingerprint.hex() == FINGERPRINT
    assert "does not fit" in refused(f"[00000000/45h]{child.serialize()}")


def test_an_account_key_derives_as_its_master_would_and_nothing_else() -> None:
    root = AccountKey(KeyOrigin(bytes.fromhex(FINGERPRINT), parse_path("84h/0h/0h")), ACCOUNT)
    assert root.derive("m/84h/0h/0h/1/7") == MASTER.derive("m/84h/0h/0h/1/7")
    assert root.derive("m/84h/0h/0h") == ACCOUNT
    for path in ("m", "m/84h/0h", "m/84h/0h/1h/0/0", "m/86h/0h/0h", "0/0"):
        with pytest.raises(OutsideAccount):
            root.derive(path)
    assert ACCOUNT.serialize() not in repr(root)
    assert root.version == MAINNET.xprv_version


def test_another_account_is_not_ours() -> None:
    root = AccountKey(KeyOrigin(bytes.fromhex(FINGERPRINT), parse_path("84h/0h/0h")), ACCOUNT)
    found = account_descriptors(MASTER, MAINNET)
    assert own_keys(root, found[DescriptorType.WPKH])
    assert own_keys(root, found[DescriptorType.TR]) == ()
    with pytest.raises(OutsideAccount):
        cosigner_key(root, MAINNET, MultisigType.WSH)
    shared = MASTER.derive("m/48h/0h/0h/2h")
    cosigner = AccountKey(KeyOrigin(bytes.fromhex(FINGERPRINT), parse_path("48h/0h/0h/2h")), shared)
    assert cosigner_key(cosigner, MAINNET, MultisigType.WSH) == cosigner_key(
        MASTER, MAINNET, MultisigType.WSH
    )


# --- descriptors


def test_descriptors_of_bitcoin_core() -> None:
    # listdescriptors true: the master key, with the path after it.
    kinds = {"pkh({})": 44, "sh(wpkh({}))": 49, "wpkh({})": 84, "tr({})": 86}
    items = [
        {
            "desc": with_checksum(
                shape.format(f"{TEST_MASTER.serialize()}/{purpose}h/1h/0h/{chain}/*")
            ),
            "timestamp": 1_700_000_000,
            "active": True,
            "internal": bool(chain),
            "range": [0, 999],
            "next": 0,
        }
        for shape, purpose in kinds.items()
        for chain in (0, 1)
    ]
    keys = ImportedKeys.parse(json.dumps({"wallet_name": "x", "descriptors": items}), REGTEST)
    assert keys.root == TEST_MASTER
    expected = account_descriptors(TEST_MASTER, REGTEST)
    assert set(keys.descriptors) == set(expected.values())
    assert keys.descriptors[keys.active].type is DescriptorType.WPKH
    assert keys.birthday_time == 1_700_000_000
    assert all(own_keys(keys.root, descriptor) for descriptor in keys.descriptors)
    lines = "\n".join(str(item["desc"]) for item in items)
    assert set(ImportedKeys.parse(lines, REGTEST).descriptors) == set(keys.descriptors)
    assert "is for" in refused(lines, MAINNET)


def test_a_descriptor_with_an_account_key() -> None:
    text = f"tr([{FINGERPRINT}/86'/0'/0']{MASTER.derive('m/86h/0h/0h').serialize()}/<0;1>/*)"
    keys = ImportedKeys.parse(with_checksum(text), MAINNET)
    assert isinstance(keys.root, AccountKey)
    assert keys.descriptors == (account_descriptors(MASTER, MAINNET)[DescriptorType.TR],)
    bare = f"wpkh({ACCOUNT.serialize()}/<0;1>/*)"
    (descriptor,) = ImportedKeys.parse(bare, MAINNET).descriptors
    assert descriptor.first_address == ZPRV_ADDRESS
    assert descriptor.fingerprint == ACCOUNT.fingerprint


def test_a_multisig_with_one_private_key() -> None:
    other = ExtendedPrivateKey.from_seed(bytes(range(32)), MAINNET)
    theirs = cosigner_key(other, MAINNET, MultisigType.WSH)
    text = f"wsh(sortedmulti(2,{MASTER.serialize()}/48h/0h/0h/2h/<0;1>/*,{theirs}/<0;1>/*))"
    keys = ImportedKeys.parse(text, MAINNET)
    (descriptor,) = keys.descriptors
    assert own_keys(keys.root, descriptor) == (descriptor.keys[0],)
    both = text.replace(str(theirs), other.serialize())
    assert "several private keys" in refused(both)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Paste or type"),
        ("xprv", "no extended private key"),
        (str(MASTER.neuter()), "public key"),
        (f"wpkh([73c5da0a/84h/0h/0h]{ACCOUNT.neuter()}/<0;1>/*)", "public key"),
        ("abandon " * 11 + "about", "restore the wallet from its words"),
        (MASTER.serialize()[:-1] + "1", "checksum"),
        (MASTER.serialize()[:-3], "checksum"),
        ("x" * 70_000, "too long"),
        (f"wpkh({ACCOUNT.serialize()}/0h/*h)", "Hardened|hardened"),
        (f"wpkh({ACCOUNT.serialize()}/<0;1>/*)#aaaaaaaa", "checksum of a descriptor"),
        (f"wpkh({ACCOUNT.serialize()}/1/*)", "change"),
        (f"wpkh({ACCOUNT.serialize()}/5)", "does not tell"),
        (f"{MASTER.serialize()} {ACCOUNT.serialize()}", "several"),
        ("KwDiBf89QgGbjEhKnhXJuH7LrciVrZi3qYjgd9M7rFU73sVHnoWn", "no extended private key"),
    ],
)
def test_refusals_are_sentences(text: str, sentence: str) -> None:
    with pytest.raises(ParseError, match=sentence) as error:
        ImportedKeys.parse(text, MAINNET)
    assert ACCOUNT.serialize() not in str(error.value)
    assert MASTER.serialize() not in str(error.value)


def test_networks_do_not_mix() -> None:
    assert "is for the main network" in refused(MASTER.serialize(), REGTEST)
    assert "is for test networks" in refused(TEST_MASTER.serialize())


def test_a_multisig_tells_where_a_bare_account_key_comes_from() -> None:
    shared = MASTER.derive("m/48h/0h/0h/2h")
    other = ExtendedPrivateKey.from_seed(bytes(range(32)), MAINNET)
    agreed = Descriptor.parse(
        f"wsh(sortedmulti(1,{cosigner_key(MASTER, MAINNET, MultisigType.WSH)}/<0;1>/*,"
        f"{cosigner_key(other, MAINNET, MultisigType.WSH)}/<0;1>/*))",
        MAINNET,
    )
    keys = ImportedKeys.parse(shared.serialize(), MAINNET)
    assert own_keys(keys.root, agreed) == ()
    told = keys.agreeing_with(agreed)
    assert own_keys(told.root, agreed) == (agreed.keys[0],)
    stranger = ImportedKeys.parse(ACCOUNT.serialize(), MAINNET)
    assert stranger.agreeing_with(agreed) is stranger
    master = ImportedKeys.parse(MASTER.serialize(), MAINNET)
    assert master.agreeing_with(agreed) is master


def test_reprs_show_nothing() -> None:
    for text in (MASTER.serialize(), ACCOUNT.serialize()):
        keys = ImportedKeys.parse(text, MAINNET)
        assert text not in repr(keys) + repr(keys.root)


@given(st.text(max_size=200) | st.text("[]()/*h'<>;0123456789abcdefxprvwktu#,", max_size=80))
@settings(deadline=None)
def test_any_text_is_keys_or_a_parse_error(text: str) -> None:
    try:
        ImportedKeys.parse(text, MAINNET)
    except ParseError:
        return
    raise AssertionError


@given(st.integers(0, 110), st.characters(codec="ascii"))
@settings(deadline=None, max_examples=200)
def test_a_mistyped_key_is_refused(place: int, character: str) -> None:
    text = ZPRV[:place] + character + ZPRV[place + 1 :]
    if text == ZPRV:
        return
    with pytest.raises(ParseError):
        ImportedKeys.parse(text, MAINNET)
