"""What other programs export is read as they mean it; secrets and nonsense are refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.descriptors.cosigners import COSIGNERS, ROOTS, wallet_of
from wallet_gui.descriptors.account_import import (
    CosignerOnly,
    ScriptTypeNeeded,
    SecretsInside,
    WalletImport,
)
from wallet_gui.descriptors.checksum import checksum
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.exporters import EXPORTERS, branch
from wallet_gui.descriptors.importers import read_cosigner, read_wallet
from wallet_gui.descriptors.xpub import ExtendedKeyFields
from wallet_gui.keys.accounts import account_descriptors, cosigner_key
from wallet_gui.keys.seed import bip39_seed, words_from_entropy
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.serialize import ParseError

ROOT = ROOTS[0]
ACCOUNTS = account_descriptors(ROOT, REGTEST)
WPKH = ACCOUNTS[DescriptorType.WPKH]
SHARED = wallet_of(MultisigType.WSH, 2, 3)
FINGERPRINT = ROOT.fingerprint.hex()
SLIP132 = {"upub": "044a5262", "vpub": "045f1cf6", "Upub": "024289ef", "Vpub": "02575483"}


def read(data: Any, kind: DescriptorType | None = None) -> WalletImport:
    text = data if isinstance(data, (str, bytes)) else json.dumps(data)
    return read_wallet(text, REGTEST, kind)


def slip132(xpub: str, form: str) -> str:
    fields = ExtendedKeyFields.from_base58(xpub)
    return fields._replace(version=bytes.fromhex(SLIP132[form])).to_base58()


def cosigner_path(number: int) -> str:
    origin = COSIGNERS[number][0]
    return f"m/{str(origin)[10:-1]}".replace("h", "'")


@pytest.mark.parametrize("name", EXPORTERS)
@pytest.mark.parametrize(
    "wallet",
    [*ACCOUNTS.values(), *(wallet_of(kind, 2, 3) for kind in MultisigType)],
    ids=lambda wallet: wallet.type.name,
)
def test_what_we_export_we_import(name: str, wallet: Descriptor) -> None:
    if name == "coldcard" and not wallet.is_multisig:
        with pytest.raises(ParseError, match="describes multisig"):
            EXPORTERS[name]([wallet], "My wallet", None)
        return
    text = EXPORTERS[name]([wallet], "My wallet", 1_700_000_000)
    found = read(text)
    assert found.descriptors == (wallet,)
    if name in ("specter", "sparrow", "coldcard"):
        assert found.name == "My wallet"
    if name in ("sparrow", "core"):
        assert found.birthday_time == 1_700_000_000


def test_formats_that_cannot_say_it_refuse() -> None:
    both = list(ACCOUNTS.values())
    for name in ("specter", "sparrow", "coldcard"):
        with pytest.raises(ParseError, match="4 kinds of addresses"):
            EXPORTERS[name](both, "x", None)
    assert read(EXPORTERS["core"](both, "x", None)).descriptors == tuple(both)
    assert read(EXPORTERS["descriptor"](both, "x", None)).descriptors == tuple(both)
    as_written = Descriptor.parse(
        SHARED.to_string().partition("#")[0].replace("sortedmulti", "multi"), REGTEST
    )
    for name in ("sparrow", "coldcard"):
        with pytest.raises(ParseError, match="sorted keys"):
            EXPORTERS[name]([as_written], "x", None)


@pytest.mark.parametrize(
    "notation", ["/<0;1>/*", "/{0,1}/*", "/**", "/0/*", ""], ids=lambda text: text or "nothing"
)
@pytest.mark.parametrize("marks", ["h", "'"])
@pytest.mark.parametrize("wallet", [WPKH, SHARED], ids=["single", "multisig"])
def test_descriptors_in_every_notation(wallet: Descriptor, notation: str, marks: str) -> None:
    body = wallet.to_string().partition("#")[0].replace("/<0;1>/*", notation)
    origins = body.replace("h/", f"{marks}/").replace("h]", f"{marks}]")
    for text in (origins, f"{origins}#{checksum(origins)}"):
        assert read(text).descriptors == (wallet,)
        assert read(f"# a comment\n\n{text}\n").descriptors == (wallet,)
    with pytest.raises(ParseError, match="checksum"):
        read(f"{origins}#qqqqqqqq")


def test_receive_and_change_make_one_account() -> None:
    pair = f"{branch(SHARED, 0)}\n{branch(SHARED, 1)}"
    assert read(pair).descriptors == (SHARED,)
    assert read(branch(WPKH, 0)).descriptors == (WPKH,)
    with pytest.raises(ParseError, match="change descriptor without"):
        read(branch(WPKH, 1))
    with pytest.raises(ParseError, match="change descriptor without"):
        read(f"{branch(WPKH, 0)}\n{branch(SHARED, 1)}")


def test_sparrows_output_descriptor_file() -> None:
    text = (
        f"# Receive and change descriptor (BIP389):\n{SHARED}\n\n"
        f"# Receive descriptor (Bitcoin Core):\n{branch(SHARED, 0)}\n\n"
        f"# Change descriptor (Bitcoin Core):\n{branch(SHARED, 1)}\n"
    )
    assert read(text).descriptors == (SHARED,)


def test_bsms_of_bip129() -> None:
    body = SHARED.to_string().partition("#")[0].replace("/<0;1>/*", "/**")
    text = f"BSMS 1.0\n{body}\n/0/*,/1/*\n{SHARED.first_address}\n"
    assert read(text).descriptors == (SHARED,)
    assert read(text.replace("\n", "\r\n").encode()).descriptors == (SHARED,)
    with pytest.raises(ParseError, match="first address"):
        read(text.replace(SHARED.first_address, WPKH.first_address))
    with pytest.raises(ParseError, match="other chains"):
        read(text.replace("/0/*,/1/*", "/2/*,/3/*"))
    with pytest.raises(CosignerOnly):
        read(f"BSMS 1.0\n00\n{COSIGNERS[0][0]}{COSIGNERS[0][1]}\nmine\n")


def test_extended_keys_with_and_without_their_script_type() -> None:
    xpub = str(WPKH.xpub)
    with pytest.raises(ScriptTypeNeeded):
        read(xpub)
    for kind in DescriptorType:
        (found,) = read(xpub, kind).descriptors
        assert found == Descriptor.account(kind, REGTEST, None, WPKH.xpub)
    for kind, account in ACCOUNTS.items():
        assert read(f"{account.origin}{account.xpub}").descriptors == (account,)
        assert account.type is kind
    (found,) = read(slip132(xpub, "vpub")).descriptors
    assert (found.type, found.xpub) == (DescriptorType.WPKH, WPKH.xpub)
    (found,) = read(f"{WPKH.origin}{slip132(xpub, 'vpub')}/<0;1>/*").descriptors
    assert found == WPKH
    assert read(slip132(xpub, "upub")).descriptors[0].type is DescriptorType.SH_WPKH
    with pytest.raises(CosignerOnly):
        read(slip132(xpub, "Vpub"))
    with pytest.raises(CosignerOnly):
        read(f"{COSIGNERS[0][0]}{COSIGNERS[0][1]}")
    with pytest.raises(ParseError, match="does not fit the key"):
        read(f"[{FINGERPRINT}/84h/1h]{xpub}")
    with pytest.raises(ParseError, match="test networks"):
        read_wallet(slip132(xpub, "vpub"), MAINNET)


def test_the_zpub_of_bip84() -> None:
    words = words_from_entropy(bytes(16))
    root = ExtendedPrivateKey.from_seed(bip39_seed(bytes(16)))
    zpub = (  # BIP84, test vectors
        "zpub6rFR7y4Q2AijBEqTUquhVz398htDFrtymD9xYYfG1m4wAcvPhXNfE3EfH1r1ADqtfSdVCToUG868RvUUkgDKf3"
        "1mGDtKsAYz2oz2AGutZYs"
    )
    assert words.startswith("abandon")
    (found,) = read_wallet(zpub, MAINNET).descriptors
    assert found.xpub == root.derive("84h/0h/0h").neuter()
    assert found.first_address == "bc1qcr8te4kr609gcawutmrza0j4xv80jy8z306fyu"


def test_specter() -> None:
    value = {
        "label": "Vault",
        "blockheight": 481824,
        "descriptor": branch(SHARED, 0),
        "devices": [{"type": "coldcard", "label": "One"}],
    }
    found = read(value)
    assert (found.source, found.name, found.descriptors) == ("Specter", "Vault", (SHARED,))
    assert found.birthday_time is None  # heights are known on the main network only
    key = ACCOUNTS[DescriptorType.WPKH].xpub
    main = Descriptor.account(
        DescriptorType.WPKH, MAINNET, None, key.__class__(b"\x04\x88\xb2\x1e", *key_fields(key))
    )
    born = read_wallet(json.dumps({"descriptor": str(main), "blockheight": 900_000}), MAINNET)
    # Block 900,000 was mined on 6 June 2025.
    assert born.birthday_time is not None
    assert 1_700_000_000 < born.birthday_time < 1_749_171_831


def key_fields(key: Any) -> tuple[Any, ...]:
    return (
        key.depth,
        key.parent_fingerprint,
        key.child_number,
        key.chain_code,
        key.public_key,
    )


def test_electrum_single_key() -> None:
    keystore = {
        "type": "bip32",
        "xpub": slip132(str(WPKH.xpub), "vpub"),
        "xprv": None,
        "derivation": "m/84h/1h/0h",
        "root_fingerprint": FINGERPRINT,
        "pw_hash_version": 1,
    }
    labels = {"aa" * 32: "rent", WPKH.first_address: "Anna", "junk!": "x"}
    value = {"keystore": keystore, "wallet_type": "standard", "seed_version": 59, "labels": labels}
    found = read(value)
    assert found.descriptors == (WPKH,)
    assert found.labels == (("tx", "aa" * 32, "rent"), ("addr", WPKH.first_address, "Anna"))
    # Changes that Electrum appended to its file.
    assert read(json.dumps(value) + ',\n{"op": "add"}').descriptors == (WPKH,)
    # Electrum's own seeds: the path does not fit the key, so nothing is said of the origin.
    (own,) = read({**value, "keystore": {**keystore, "derivation": "m"}}).descriptors
    assert own.origin is None
    # An xpub is for legacy addresses there.
    legacy = {**keystore, "xpub": str(WPKH.xpub)}
    assert read({**value, "keystore": legacy}).descriptors[0].type is DescriptorType.PKH
    with pytest.raises(SecretsInside):
        read({**value, "keystore": {**keystore, "seed": "x y z"}})
    with pytest.raises(SecretsInside):
        read({**value, "keystore": {**keystore, "xprv": "encrypted base64"}})
    with pytest.raises(ParseError, match="before version 2"):
        read({**value, "keystore": {"type": "old", "mpk": "00"}})
    with pytest.raises(ParseError, match="imported addresses"):
        read({"wallet_type": "imported", "addresses": {}})
    with pytest.raises(ParseError, match="encrypted by Electrum"):
        read("QklFMQO" + "A" * 100)


@pytest.mark.parametrize(
    ("form", "kind"),
    [("Vpub", MultisigType.WSH), ("Upub", MultisigType.SH_WSH), ("", MultisigType.SH)],
)
def test_electrum_multisig(form: str, kind: MultisigType) -> None:
    value: dict[str, Any] = {"wallet_type": "2of3", "seed_version": 59}
    for number in range(3):
        origin, xpub = COSIGNERS[number]
        value[f"x{number + 1}/"] = {
            "type": "hardware",
            "xpub": slip132(str(xpub), form) if form else str(xpub),
            "derivation": cosigner_path(number),
            "root_fingerprint": origin.fingerprint.hex(),
        }
    assert read(value).descriptors == (wallet_of(kind, 2, 3),)
    del value["x3/"]
    with pytest.raises(ParseError, match="lacks a master public key"):
        read(value)


def test_core_listdescriptors() -> None:
    items = [
        {
            "desc": branch(account, keychain),
            "timestamp": 1_700_000_000 + number,
            "active": True,
            "internal": keychain == 1,
            "range": [0, 999],
            "next": 0,
        }
        for number, account in enumerate(ACCOUNTS.values())
        for keychain in range(2)
    ]
    items.append(
        {"desc": f"pk({'02' + '79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798'})"}
    )
    found = read({"wallet_name": "savings", "descriptors": items})
    assert found.descriptors == tuple(ACCOUNTS.values())
    assert found.descriptors[found.active].type is DescriptorType.WPKH
    assert found.name == "savings"
    assert found.birthday_time == 1_700_000_000
    assert "1 descriptors of other kinds" in found.notices[0]
    with pytest.raises(ParseError, match="None of these"):
        read({"descriptors": items[-1:]})
    command = f"# for Core\nimportdescriptors '{json.dumps(items[:2])}'\n"
    assert len(read(command).descriptors) == 1
    secret = items[0]["desc"].replace(  # type: ignore[attr-defined]
        str(ACCOUNTS[DescriptorType.PKH].xpub), ROOT.derive("44h/1h/0h").serialize()
    )
    with pytest.raises(SecretsInside):
        read({"descriptors": [{"desc": secret}]})


def test_coldcard_generic_json() -> None:
    names = {"bip44": "PKH", "bip49": "SH_WPKH", "bip84": "WPKH"}
    value: dict[str, Any] = {"chain": "XRT", "xfp": FINGERPRINT.upper(), "account": 0}
    for name, kind in names.items():
        account = ACCOUNTS[DescriptorType[kind]]
        value[name] = {
            "deriv": f"m/{name[3:]}'/1'/0'",
            "xpub": str(account.xpub),
            "first": account.first_address,
        }
    value["bip48_2"] = {"deriv": cosigner_path(0), "xpub": str(COSIGNERS[0][1]), "name": "p2wsh"}
    found = read(value)
    assert {d.type.name for d in found.descriptors} == {"WPKH", "SH_WPKH", "PKH"}
    assert found.descriptors[0] == WPKH
    assert read(value, DescriptorType.PKH).descriptors == (ACCOUNTS[DescriptorType.PKH],)
    ours = read_cosigner(json.dumps(value), REGTEST, MultisigType.WSH)
    assert ours == cosigner_key(ROOT, REGTEST, MultisigType.WSH)
    with pytest.raises(ParseError, match="no account of that kind"):
        read(value, DescriptorType.TR)
    value["bip84"]["first"] = SHARED.first_address
    with pytest.raises(ParseError, match="first address"):
        read(value)


@pytest.mark.parametrize("kind", list(MultisigType))
def test_cosigners_keys_of_devices(kind: MultisigType) -> None:
    key = cosigner_key(ROOT, REGTEST, kind)
    assert read_cosigner(str(key), REGTEST, kind) == key
    origin = key.origin
    assert origin is not None
    name = {"WSH": "p2wsh", "SH_WSH": "p2sh_p2wsh", "SH": "p2sh"}[kind.name]
    form = {"WSH": "Vpub", "SH_WSH": "Upub"}.get(kind.name)
    text = str(key.key)
    value = {
        f"{name}_deriv": f"m/{str(origin)[10:-1]}",
        name: slip132(text, form) if form else text,
        "xfp": FINGERPRINT,
    }
    assert read_cosigner(json.dumps(value), REGTEST, kind) == key
    with pytest.raises(CosignerOnly):
        read({"p2sh_deriv": "m/45'", **value})
    others = [other for other in MultisigType if other is not kind]
    for other in others:
        with pytest.raises(ParseError, match="another kind of multisig"):
            read_cosigner(str(key), REGTEST, other)
    with pytest.raises(ParseError, match="where it comes from"):
        read_cosigner(text, REGTEST, kind)


def test_coldcard_multisig_text() -> None:
    keys = "\n".join(
        f"{origin.fingerprint.hex().upper()}: {slip132(str(xpub), 'Vpub')}"
        for origin, xpub in COSIGNERS[:3]
    )
    head = "# BlueWallet Multisig setup file\n#\nName: Vault\nPolicy: 2 of 3\n"
    text = f"{head}Derivation: {cosigner_path(0)}\nFormat: P2WSH\n\n{keys}\n"
    found = read(text)
    assert (found.descriptors, found.name) == ((SHARED,), "Vault")
    nested = text.replace("P2WSH", "P2SH-P2WSH").replace("Vault", "<b>x</b>\u202e")
    assert read(nested).descriptors == (wallet_of(MultisigType.SH_WSH, 2, 3),)
    for wrong, sentence in (
        (text.replace("2 of 3", "2 of 4"), "as many keys"),
        (text.replace("2 of 3", "4 of 3"), "takes 1 to 3"),
        (text.replace("2 of 3", "many"), "2 of 3"),
        (text.replace("Format: P2WSH", "Format: P2TR"), "unknown format"),
        (text + "Something: else\n", "not understood"),
        (text.replace("/1'/0'", "/1'"), "does not fit"),
    ):
        with pytest.raises(ParseError, match=sentence):
            read(wrong)


def test_caravan_and_wasabi() -> None:
    value: dict[str, Any] = {
        "name": "Together",
        "addressType": "P2WSH",
        "network": "regtest",
        "client": {"type": "public"},
        "quorum": {"requiredSigners": 2, "totalSigners": 3},
        "extendedPublicKeys": [
            {
                "name": f"key{number}",
                "bip32Path": cosigner_path(number),
                "xpub": str(COSIGNERS[number][1]),
                "xfp": COSIGNERS[number][0].fingerprint.hex(),
            }
            for number in range(3)
        ],
        "startingAddressIndex": 0,
    }
    found = read(value)
    assert (found.descriptors, found.name) == ((SHARED,), "Together")
    value["extendedPublicKeys"][0]["bip32Path"] = "Unknown"
    assert read(value).descriptors[0].keys[0].origin is None
    with pytest.raises(ParseError, match="as many keys"):
        read({**value, "quorum": {"requiredSigners": 2, "totalSigners": 4}})
    skeleton = {
        "ExtPubKey": str(WPKH.xpub),
        "MasterFingerprint": FINGERPRINT.upper(),
        "AccountKeyPath": "84'/1'/0'",
    }
    assert read(skeleton).descriptors == (WPKH,)


@pytest.mark.parametrize(
    "secret",
    [
        ROOT.serialize(),
        f"wpkh({ROOT.derive('84h/1h/0h').serialize()}/0/*)",
        words_from_entropy(bytes(16)),
        words_from_entropy(bytes(32), "spanish"),
        "\n".join(f"{n}. {w}" for n, w in enumerate(words_from_entropy(bytes(16)).split(), 1)),
        json.dumps({"descriptor": str(WPKH), "mnemonic": "some words"}),
        json.dumps({"keystores": [{"seed": {"type": "BIP39"}}], "scriptType": "P2WPKH"}),
    ],
    ids=range(7),
)
def test_secrets_are_refused_and_never_repeated(secret: str) -> None:
    with pytest.raises(SecretsInside, match="secret keys or seed words") as caught:
        read(secret)
    assert not any(word in str(caught.value) for word in ("abandon", "tprv", "some words"))
    with pytest.raises(SecretsInside):
        read_cosigner(secret, REGTEST, MultisigType.WSH)


@pytest.mark.parametrize(
    "text", ["", "hello", "{}", "[{}]", "{", "[1]", "null", "wsh(", "xpub", "\x00", "[" * 9999]
)
def test_nonsense_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        read(text)


SAMPLES = [
    json.dumps({"label": "x", "blockheight": 5, "descriptor": str(SHARED)}).encode(),
    EXPORTERS["core"]([WPKH], "x", 1).encode(),
    EXPORTERS["sparrow"]([SHARED], "x", 1).encode(),
    EXPORTERS["coldcard"]([SHARED], "x", 1).encode(),
    EXPORTERS["descriptor"]([SHARED], "x", 1).encode(),
]


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(SAMPLES), st.data())
def test_any_change_is_a_value_or_a_parse_error(sample: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(sample) - 1))
    removed = data.draw(st.integers(0, 12))
    added = data.draw(
        st.binary(max_size=8) | st.sampled_from([b"null", b"{}", b"[]", b"1e9", b'"'])
    )
    changed = sample[:position] + added + sample[position + removed :]
    try:
        found = read_wallet(changed, REGTEST)
    except ParseError:
        return
    assert all(descriptor.is_account for descriptor in found.descriptors)
    assert 0 <= found.active < len(found.descriptors)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300) | st.text(max_size=200))
def test_any_bytes_are_a_value_or_a_parse_error(data: bytes | str) -> None:
    try:
        read_wallet(data, REGTEST)
    except ParseError:
        return
