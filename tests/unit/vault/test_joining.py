"""Joining a multisig, watching, handing out keys; the agreed descriptor stays the agreed one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.descriptors.cosigners import COSIGNERS, wallet_of
from tests.unit.vault.samples import (
    PASSWORD,
    TINY,
    TINY_COST,
    WORDS,
    SampleWallet,
    make_wallet,
    read_state,
    restore_request,
    sample_seed,
)
from tests.unit.vault.test_headless import ALL_STDIN, ask
from tests.unit.wallet.shared_wallet import describe, funded, plan
from wallet_gui.descriptors.descriptor import Descriptor, MultisigType
from wallet_gui.keys import secret_box
from wallet_gui.keys.accounts import cosigner_key
from wallet_gui.keys.errors import PolicyRefused
from wallet_gui.keys.kdf import derive_key
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.sealing import SECRET, VIEW, new_salt, seal_box
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    Cancelled,
    ChangePassword,
    CosignerKeyExported,
    ExportCosignerKey,
    JoinMultisig,
    PasswordChanged,
    PsbtSigned,
    WalletCreated,
    WatchWallet,
)
from wallet_gui.vault import signing
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, WatchOnly
from wallet_gui.wallet import review
from wallet_gui.wallet.wallet import Wallet

YES = replace(ALL_STDIN, assume_yes=True)
KINDS = list(MultisigType)


def our_key(kind: MultisigType, passphrase: str = "") -> str:
    root = ExtendedPrivateKey.from_seed(sample_seed(passphrase).stretched(), REGTEST)
    return str(cosigner_key(root, REGTEST, kind))


def agreed(kind: MultisigType = MultisigType.WSH, passphrase: str = "") -> Descriptor:
    root = ExtendedPrivateKey.from_seed(sample_seed(passphrase).stretched(), REGTEST)
    key = cosigner_key(root, REGTEST, kind)
    assert key.origin is not None
    assert not isinstance(key.key, bytes)
    return Descriptor.multisig(kind, REGTEST, 2, [(key.origin, key.key), *COSIGNERS[:2]])


def join_request(source: SampleWallet, descriptor: object, **changes: object) -> JoinMultisig:
    fields: dict[str, object] = {
        "directory": str(source.path.parent),
        "name": "Together",
        "network": "regtest",
        "source": str(source.path),
        "descriptor": str(descriptor),
        **changes,
    }
    return JoinMultisig(**fields)  # type: ignore[arg-type]


def joined(source: SampleWallet, descriptor: Descriptor) -> tuple[Path, bytes]:
    reply, _, _ = ask(join_request(source, descriptor), stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, WalletCreated)
    return Path(reply.path), reply.view_key


@pytest.fixture
def source(tmp_path: Path) -> SampleWallet:
    return make_wallet(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_the_public_key_for_a_multisig_is_handed_out(
    source: SampleWallet, kind: MultisigType
) -> None:
    request = ExportCosignerKey(str(source.path), kind.name.lower())
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=ALL_STDIN)
    assert reply == CosignerKeyExported(our_key(kind))
    with pytest.raises(BadRequest, match="kind of multisig"):
        ask(replace(request, script_type="wpkh"), stdin=f"{PASSWORD}\n", options=ALL_STDIN)
    with pytest.raises(BadRequest, match="Account numbers"):
        ask(replace(request, account=-1), stdin=f"{PASSWORD}\n", options=ALL_STDIN)


@pytest.mark.parametrize("kind", KINDS)
def test_joining_makes_a_wallet_of_its_own(source: SampleWallet, kind: MultisigType) -> None:
    descriptor = agreed(kind)
    before = source.path.read_bytes()
    path, view_key = joined(source, descriptor)
    assert source.path.read_bytes() == before
    description = read_state(path, view_key).description
    assert description.descriptors == (str(descriptor),)
    assert description.has_secrets
    payload = signing.open_payload(path, PASSWORD, TINY_COST)
    assert payload.descriptors == (str(descriptor),)
    assert payload.script_types == ()
    assert payload.seed() == sample_seed()
    keys = signing.keyring(payload)
    assert keys.descriptors == (descriptor,)


def test_the_person_sees_the_cosigners_and_may_say_no(source: SampleWallet) -> None:
    descriptor = agreed()
    reply, terminal, _ = ask(join_request(source, descriptor), PASSWORD, "no")
    assert reply == Cancelled()
    for key in descriptor.keys:
        assert str(key) in terminal.written
    assert terminal.written.count("(this wallet)") == 1
    assert "2 of 3 signatures" in terminal.written
    assert descriptor.first_address in terminal.written
    assert not (source.path.parent / "Together.wallet").exists()
    reply, _, _ = ask(join_request(source, descriptor), PASSWORD, "yes")
    assert isinstance(reply, WalletCreated)


def test_what_cannot_be_joined_is_refused_before_a_password(source: SampleWallet) -> None:
    fixed_order = str(agreed()).partition("#")[0].replace("sortedmulti", "multi")
    single = source.wallet.description.descriptors[0]
    for text, sentence in (
        (fixed_order, "fixed order"),
        (single, "is of one key"),
        ("wsh(andor(x))", "no multisig wallet that can be joined"),
        (str(agreed())[:-1], "checksum"),
    ):
        with pytest.raises(BadRequest, match=sentence):
            ask(join_request(source, text))
    strangers = wallet_of(MultisigType.WSH, 2, 3)
    with pytest.raises(BadRequest, match="None of the keys"):
        ask(join_request(source, strangers), stdin=f"{PASSWORD}\n", options=YES)
    assert sorted(p.name for p in source.path.parent.glob("*.wallet")) == ["Savings.wallet"]


def test_words_of_one_cosigner_restore_the_multisig(tmp_path: Path) -> None:
    descriptor = agreed()
    request = restore_request(tmp_path, descriptor=str(descriptor))
    reply, _, notes = ask(request, stdin=f"{PASSWORD}\n{WORDS}\n", options=YES)
    assert isinstance(reply, WalletCreated)
    assert "(this wallet)" in notes
    payload = signing.open_payload(Path(reply.path), PASSWORD, TINY_COST)
    assert payload.descriptors == (str(descriptor),)
    other = restore_request(
        tmp_path, name="Other", descriptor=str(wallet_of(MultisigType.WSH, 2, 3))
    )
    with pytest.raises(BadRequest, match="None of the keys"):
        ask(other, stdin=f"{PASSWORD}\n{WORDS}\n", options=YES)


def test_a_passphrase_belongs_to_the_cosigners_key(tmp_path: Path) -> None:
    hidden = make_wallet(tmp_path, passphrase="quiet harbour")
    descriptor = agreed(passphrase="quiet harbour")
    request = join_request(hidden, descriptor)
    with pytest.raises(PassphraseWrong):
        ask(request, stdin=f"{PASSWORD}\nloud harbour\n", options=YES)
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\nquiet harbour\n", options=YES)
    assert isinstance(reply, WalletCreated)
    payload = signing.open_payload(Path(reply.path), PASSWORD, TINY_COST)
    assert payload.needs_passphrase
    with pytest.raises(PassphraseWrong):
        signing.keyring(payload, "loud harbour")
    assert signing.keyring(payload, "quiet harbour").descriptors == (descriptor,)


def signed_by_vault(path: Path, wallet: Wallet, psbt: Psbt) -> Psbt:
    sample = SampleWallet(path, b"", wallet)
    request = sample.request(replace(plan(wallet), psbt=psbt))
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, PsbtSigned)
    return Psbt.parse(reply.psbt_base64)


@pytest.mark.parametrize("kind", KINDS)
def test_the_vault_signs_its_share(source: SampleWallet, kind: MultisigType) -> None:
    descriptor = agreed(kind)
    path, _ = joined(source, descriptor)
    wallet = funded(descriptor)
    asked = plan(wallet).psbt
    signed = signed_by_vault(path, wallet, asked)
    assert all(len(part.partial_sigs) == 1 for part in signed.inputs)


def test_a_view_with_an_exchanged_cosigner_deceives_nobody(source: SampleWallet) -> None:
    """The window's side was tampered with: its receive addresses are an attacker's."""
    path, _ = joined(source, agreed())
    key = agreed().keys[0]
    assert not isinstance(key.key, bytes)
    for false in (
        Descriptor.multisig(
            MultisigType.WSH,
            REGTEST,
            2,
            [(key.origin, key.key), COSIGNERS[0], (COSIGNERS[1][0], COSIGNERS[9][1])],
        ),
        Descriptor.multisig(MultisigType.WSH, REGTEST, 1, [(key.origin, key.key), *COSIGNERS[:2]]),
    ):
        tampered = funded(false)
        psbt = plan(tampered).psbt
        with pytest.raises(PolicyRefused, match=r"another key for a cosigner|does not come from"):
            signed_by_vault(path, tampered, psbt)
        psbt.xpubs.clear()
        with pytest.raises(PolicyRefused, match="does not come from the wallet's keys"):
            signed_by_vault(path, tampered, psbt)


def test_change_that_only_the_window_takes_for_change_is_refused(source: SampleWallet) -> None:
    descriptor = agreed()
    path, _ = joined(source, descriptor)
    wallet = funded(descriptor)
    psbt = plan(wallet).psbt
    # In a view with this second descriptor it would be change.
    (number,) = [n for n, part in enumerate(psbt.outputs) if part.bip32_derivations]
    outputs = list(psbt.tx.outputs)
    false = wallet_of(MultisigType.WSH, 1, 3)
    outputs[number] = replace(outputs[number], script_pubkey=false.script_pubkey(0, 1))
    psbt.tx = replace(psbt.tx, outputs=tuple(outputs))
    psbt.outputs[number].bip32_derivations = dict(false.derive(0, 1).keys)
    psbt.outputs[number].witness_script = None
    seen = review.of(psbt, (descriptor, false), REGTEST)
    request = replace(
        SampleWallet(path, b"", wallet).request(plan(wallet)),
        psbt_base64=psbt.to_base64(),
        request_digest=seen.digest,
        known_indexes=(),
    )
    with pytest.raises(PolicyRefused, match="claims to come back to this wallet"):
        ask(request, stdin=f"{PASSWORD}\n", options=YES)


def test_a_new_password_keeps_what_was_agreed(source: SampleWallet) -> None:
    descriptor = agreed()
    path, _ = joined(source, descriptor)
    new = "another-long-password-7"
    reply, _, _ = ask(ChangePassword(str(path)), stdin=f"{PASSWORD}\n{new}\n", options=ALL_STDIN)
    assert isinstance(reply, PasswordChanged)
    assert signing.open_payload(path, new, TINY_COST).descriptors == (str(descriptor),)


def test_a_file_of_format_1_opens_signs_and_is_upgraded_with_its_password(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path / "now", script_types=("wpkh",))
    payload = signing.open_payload(sample.path, PASSWORD, TINY_COST)
    contents = json.loads(payload.encode())
    del contents["descriptors"], contents["imported_xprv"]
    contents["format"] = 1
    old = json.dumps(contents, sort_keys=True, separators=(",", ":")).encode()

    def sealed(kind: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        salt = new_salt()
        key = derive_key(PASSWORD, salt, TINY)
        return key, seal_box(key, kind, TINY, salt, plaintext, minimum=TINY)

    view_key, view = sealed(VIEW, ViewState(sample.wallet.description).encode())
    _, secret = sealed(SECRET, old)
    path = tmp_path / "Old.wallet"
    WalletFile.create(path, view, secret, view_key=view_key, minimum=TINY)
    before = path.read_bytes()
    assert signing.open_payload(path, PASSWORD, TINY_COST) == payload
    assert path.read_bytes() == before
    planned = sample.plan()
    request = replace(sample.request(planned), path=str(path))
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=YES)
    assert isinstance(reply, PsbtSigned)
    new = "another-long-password-7"
    ask(ChangePassword(str(path)), stdin=f"{PASSWORD}\n{new}\n", options=ALL_STDIN)
    again = signing.open_payload(path, new, TINY_COST)
    assert again == payload
    assert json.loads(again.encode())["format"] == secret_box.FORMAT == 3


# --- watching


def watch_request(folder: Path, *descriptors: object, **changes: object) -> WatchWallet:
    fields: dict[str, object] = {
        "directory": str(folder),
        "name": "Watch",
        "network": "regtest",
        "descriptors": tuple(map(str, descriptors)),
        **changes,
    }
    return WatchWallet(**fields)  # type: ignore[arg-type]


def test_a_wallet_that_watches_has_no_secret_box(source: SampleWallet, tmp_path: Path) -> None:
    descriptors = (agreed(), *source.wallet.descriptors)
    request = watch_request(tmp_path / "w", *descriptors, active=1, birthday_time=1_700_000_000)
    reply, _, _ = ask(request, stdin=f"{PASSWORD}\n", options=ALL_STDIN)
    assert isinstance(reply, WalletCreated)
    path = Path(reply.path)
    assert WalletFile.read(path, minimum=TINY_COST.minimum).secret_box is None
    description = read_state(path, reply.view_key).description
    assert not description.has_secrets
    assert description.descriptors == tuple(map(str, descriptors))
    assert (description.active, description.birthday_time) == (1, 1_700_000_000)
    assert description.fingerprint == ""
    with pytest.raises(WatchOnly):
        signing.open_payload(path, PASSWORD, TINY_COST)
    with pytest.raises(WatchOnly):
        ask(ExportCosignerKey(str(path)), stdin=f"{PASSWORD}\n", options=ALL_STDIN)
    new = "another-long-password-7"
    ask(ChangePassword(str(path)), stdin=f"{PASSWORD}\n{new}\n", options=ALL_STDIN)


def test_one_account_keeps_its_fingerprint(source: SampleWallet, tmp_path: Path) -> None:
    one = source.wallet.descriptors[0]
    reply, _, _ = ask(watch_request(tmp_path / "w", one), stdin=f"{PASSWORD}\n", options=ALL_STDIN)
    assert isinstance(reply, WalletCreated)
    description = read_state(Path(reply.path), reply.view_key).description
    assert description.fingerprint == one.fingerprint.hex()


def test_what_cannot_be_watched_is_refused(source: SampleWallet, tmp_path: Path) -> None:
    one = source.wallet.descriptors[0]
    text = str(one).partition("#")[0]
    for descriptors, sentence in (
        ((), "needs a descriptor"),
        ((one, one), "only once"),
        ((text.replace("<0;1>", "0"),), r"end in /<0;1>/\*"),
        ((text.replace("tpub", "tprv"),), "cannot be watched"),
        (("nonsense",), "cannot be watched"),
    ):
        with pytest.raises(BadRequest, match=sentence):
            ask(watch_request(tmp_path / "w", *descriptors))
    with pytest.raises(BadRequest, match="active descriptor"):
        ask(watch_request(tmp_path / "w", one, active=1))
    with pytest.raises(BadRequest, match="before 1970"):
        ask(watch_request(tmp_path / "w", one, birthday_time=-1))
    assert not (tmp_path / "w").exists()


def test_the_description_of_a_joined_wallet_gives_the_window_the_same_wallet(
    source: SampleWallet,
) -> None:
    descriptor = agreed()
    path, view_key = joined(source, descriptor)
    description = read_state(path, view_key).description
    window = Wallet(description, REGTEST)
    assert window.descriptors == Wallet(describe(descriptor), REGTEST).descriptors
