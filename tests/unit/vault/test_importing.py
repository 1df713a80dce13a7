"""Wallets from extended private keys: made, opened, signed with, joined, and shown no words."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY_COST,
    WORDS,
    SampleWallet,
    funded_wallet,
    make_wallet,
    read_state,
    restore_request,
    sample_seed,
)
from tests.unit.vault.test_headless import ALL_STDIN, ask
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.keys.accounts import cosigner_key
from wallet_gui.keys.errors import CorruptSecretBox, SeedError
from wallet_gui.keys.imported import AccountKey, ImportedKeys
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import NewerFormat
from wallet_gui.transfer.messages import (
    SOURCE_XPRV,
    ChangePassword,
    CosignerKeyExported,
    ExportCosignerKey,
    JoinMultisig,
    PasswordChanged,
    PsbtSigned,
    ShowWords,
    WalletCreated,
    WordsShown,
)
from wallet_gui.vault import creation, importing, signing
from wallet_gui.vault.errors import BadRequest
from wallet_gui.wallet import signed

ROOT = ExtendedPrivateKey.from_seed(sample_seed().stretched(), REGTEST)
FINGERPRINT = ROOT.fingerprint.hex()
YES = replace(ALL_STDIN, assume_yes=True)


def origin(path: str) -> str:
    return f"[{FINGERPRINT}/{path}]{ROOT.derive(f'm/{path}').serialize()}"


def imported(folder: Path, text: str, **changes: object) -> tuple[SampleWallet, str]:
    request = restore_request(folder, source=SOURCE_XPRV, birthday_time=1, **changes)
    one_line = " ".join(text.split())
    reply, _, notes = ask(request, stdin=f"{PASSWORD}\n{one_line}\n", options=YES)
    assert isinstance(reply, WalletCreated)
    path = Path(reply.path)
    return SampleWallet(path, reply.view_key, funded_wallet(path, reply.view_key)), notes


CORE = json.dumps(
    {
        "wallet_name": "core",
        "descriptors": [
            {
                "desc": f"wpkh({ROOT.serialize()}/84h/1h/0h/{chain}/*)",
                "active": True,
                "internal": bool(chain),
                "timestamp": 1_700_000_000,
            }
            for chain in (0, 1)
        ],
    }
)
TEXTS = {
    "master": ROOT.serialize(),
    "account": origin("84h/1h/0h"),
    "account of nobody": ROOT.derive("m/84h/1h/0h").serialize(),
    "taproot account": origin("86h/1h/0h"),
    "wrapped account": origin("49h/1h/0h"),
    "legacy account": origin("44h/1h/0h"),
    "descriptor": f"wpkh({ROOT.serialize()}/84h/1h/0h/<0;1>/*)",
    "core": CORE,
}


@pytest.mark.parametrize("name", TEXTS)
def test_it_signs_what_its_window_prepares(name: str, tmp_path: Path) -> None:
    sample, notes = imported(tmp_path, TEXTS[name])
    description = sample.wallet.description
    payload = signing.open_payload(sample.path, PASSWORD, TINY_COST)
    assert payload.is_imported
    assert payload.entropy == b""
    keys = signing.keyring(payload)
    assert tuple(map(str, keys.descriptors)) == description.descriptors
    assert keys.root.fingerprint.hex() == description.fingerprint
    assert (description.fingerprint == FINGERPRINT) is (name != "account of nobody")
    assert keys.descriptors[0].first_address in notes
    assert ROOT.serialize()[8:40] not in notes
    plan = sample.plan()
    reply, _, _ = ask(sample.request(plan), stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, PsbtSigned)
    assert signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64)).outputs == plan.psbt.tx.outputs


def test_it_is_the_wallet_of_the_words(tmp_path: Path) -> None:
    from_words = make_wallet(tmp_path / "words")
    sample, _ = imported(tmp_path / "xprv", ROOT.serialize(), script_types=("wpkh", "tr"))
    assert sample.wallet.description.descriptors == from_words.wallet.description.descriptors
    account, _ = imported(tmp_path / "account", origin("84h/1h/0h"), script_types=("tr",))
    # The path says what it is, whatever was asked for.
    assert account.wallet.description.descriptors == from_words.wallet.description.descriptors[:1]


def test_the_password_can_be_changed(tmp_path: Path) -> None:
    sample, _ = imported(tmp_path, origin("84h/1h/0h"))
    before = signing.open_payload(sample.path, PASSWORD, TINY_COST)
    new = "another-long-password-7"
    reply, _, _ = ask(
        ChangePassword(str(sample.path)), stdin=f"{PASSWORD}\n{new}\n", options=ALL_STDIN
    )
    assert isinstance(reply, PasswordChanged)
    assert signing.open_payload(sample.path, new, TINY_COST) == before


def test_the_file_holds_the_key_in_no_readable_form(tmp_path: Path) -> None:
    sample, _ = imported(tmp_path, TEXTS["account"])
    key = ROOT.derive("m/84h/1h/0h")
    for path in tmp_path.iterdir():
        data = path.read_bytes()
        assert key.secret not in data
        assert key.serialize().encode() not in data
    assert key.serialize() not in str(read_state(sample.path, sample.view_key))


def test_there_are_no_words_to_show(tmp_path: Path) -> None:
    sample, _ = imported(tmp_path, TEXTS["account"])
    with pytest.raises(SeedError, match="has no words"):
        ask(ShowWords(str(sample.path)), PASSWORD)
    with pytest.raises(SeedError, match="has no words"):
        signing.open_payload(sample.path, PASSWORD, TINY_COST).seed()


@pytest.mark.parametrize(
    ("changes", "text", "sentence"),
    [
        ({"use_passphrase": True}, TEXTS["master"], "passphrase in it"),
        ({"source": "wif"}, TEXTS["master"], "from words or from an extended"),
        ({"network": "mainnet"}, TEXTS["master"], "is for test networks"),
        ({"script_types": ()}, TEXTS["master"], "Choose the kinds"),
        ({}, "abandon " * 11 + "about", "from its words"),
        ({}, str(ROOT.neuter()), "public key"),
        (
            {},
            ExtendedPrivateKey.from_seed(bytes(32), MAINNET).serialize(),
            "is for the main network",
        ),
    ],
)
def test_refusals(changes: dict[str, object], text: str, sentence: str, tmp_path: Path) -> None:
    request = restore_request(tmp_path, **{"source": SOURCE_XPRV, **changes})
    with pytest.raises(BadRequest, match=sentence) as refused:
        ask(request, stdin=f"{PASSWORD}\n{text}\n", options=YES)
    assert text not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_one_cosigners_key_alone_is_no_wallet(tmp_path: Path) -> None:
    request = restore_request(tmp_path, source=SOURCE_XPRV)
    with pytest.raises(BadRequest, match="one cosigner's key"):
        importing.read_keys(origin("48h/1h/0h/2h"), request)


# --- multisig


def agreed() -> str:
    other = ExtendedPrivateKey.from_seed(bytes(range(32)), REGTEST)
    keys = [cosigner_key(root, REGTEST, MultisigType.WSH) for root in (ROOT, other)]
    return f"wsh(sortedmulti(2,{keys[0]}/<0;1>/*,{keys[1]}/<0;1>/*))"


@pytest.mark.parametrize(
    "text", [ROOT.serialize(), origin("48h/1h/0h/2h")], ids=["root", "account"]
)
def test_restored_with_the_descriptor_of_a_multisig(text: str, tmp_path: Path) -> None:
    sample, notes = imported(tmp_path, text, descriptor=agreed())
    assert "this wallet" in notes
    keys = signing.keyring(signing.open_payload(sample.path, PASSWORD, TINY_COST))
    assert keys.descriptors[0].is_multisig
    plan = sample.plan()
    reply, _, _ = ask(sample.request(plan), stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, PsbtSigned)
    assert len(Psbt.parse(reply.psbt_base64).inputs[0].partial_sigs) == 1


def test_a_bare_account_key_takes_its_origin_from_the_descriptor(tmp_path: Path) -> None:
    bare = ROOT.derive("m/48h/1h/0h/2h").serialize()
    sample, _ = imported(tmp_path, bare, descriptor=agreed())
    root = signing.open_payload(sample.path, PASSWORD, TINY_COST).root(REGTEST)
    assert isinstance(root, AccountKey)
    assert root.fingerprint.hex() == FINGERPRINT


def test_joined_from_an_imported_wallet(tmp_path: Path) -> None:
    source, _ = imported(tmp_path / "source", ROOT.serialize())
    exported, _, _ = ask(ExportCosignerKey(str(source.path)), stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(exported, CosignerKeyExported)
    assert exported.key == str(cosigner_key(ROOT, REGTEST, MultisigType.WSH))
    request = JoinMultisig(str(tmp_path), "Shared", "regtest", str(source.path), agreed())
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, WalletCreated)
    payload = signing.open_payload(Path(reply.path), PASSWORD, TINY_COST)
    assert payload.imported_xprv == ROOT.serialize()
    assert signing.keyring(payload).descriptors[0].is_multisig


def test_an_account_key_does_not_pass_for_another_account(tmp_path: Path) -> None:
    source, _ = imported(tmp_path / "source", origin("84h/1h/0h"))
    with pytest.raises(BadRequest, match="Only one key was imported"):
        ask(ExportCosignerKey(str(source.path)), stdin=f"{PASSWORD}\n", options=YES)
    request = JoinMultisig(str(tmp_path), "Shared", "regtest", str(source.path), agreed())
    with pytest.raises(BadRequest, match="None of the keys"):
        ask(request, stdin=f"{PASSWORD}\n", options=YES)


# --- the box


def payload_of(text: str) -> SecretPayload:
    keys = ImportedKeys.parse(text, REGTEST)
    found = importing.wallet_descriptors(keys, REGTEST, ("wpkh",), 0)
    return SecretPayload(
        b"",
        network="regtest",
        script_types=(),
        descriptors=tuple(map(str, found)),
        imported_xprv=keys.root.serialize(),
    )


def test_the_box_reads_what_it_wrote_and_nothing_mixed() -> None:
    payload = payload_of(TEXTS["account"])
    assert SecretPayload.decode(payload.encode()) == payload
    assert TEXTS["account"] not in repr(payload)
    contents = json.loads(payload.encode())
    changes: tuple[dict[str, object], ...] = (
        {"entropy": "00" * 16},
        {"passphrase_fingerprint": "73c5da0a"},
        {"descriptors": []},
        {"imported_xprv": ""},
        {"imported_xprv": 7},
        {"imported_xprv": "x" * 5_000},
        {"script_types": ["wpkh"]},
    )
    for change in changes:
        with pytest.raises(CorruptSecretBox):
            SecretPayload.decode(json.dumps({**contents, **change}).encode())
    with pytest.raises(NewerFormat):
        SecretPayload.decode(json.dumps({**contents, "format": 4}).encode())


def test_a_box_whose_parts_contradict_each_other_signs_nothing() -> None:
    payload = payload_of(TEXTS["account"])
    other = payload_of(origin("84h/1h/1h"))
    with pytest.raises(CorruptSecretBox, match="differ"):
        signing.keyring(replace(payload, descriptors=other.descriptors))
    with pytest.raises(CorruptSecretBox, match="cannot be read"):
        signing.keyring(replace(payload, imported_xprv="xprv"))


def test_another_wallet_is_made_of_the_same_keys(tmp_path: Path) -> None:
    payload = payload_of(TEXTS["account"])
    keys = creation.keys_of(payload, REGTEST)
    assert isinstance(keys, ImportedKeys)
    assert creation.root_of(keys, REGTEST) == payload.root(REGTEST)
    assert list(tmp_path.iterdir()) == []


def test_a_cosigners_words_are_shown_with_a_note(tmp_path: Path) -> None:
    request = restore_request(tmp_path, descriptor=agreed())
    reply, _, notes = ask(request, stdin=f"{PASSWORD}\n{WORDS}\n", options=YES)
    assert isinstance(reply, WalletCreated)
    assert "follow a pattern" in notes
    shown, _, notes = ask(ShowWords(reply.path), PASSWORD, "yes", "")
    assert shown == WordsShown()
    assert "words of one cosigner" in notes
