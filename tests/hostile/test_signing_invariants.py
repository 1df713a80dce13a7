"""The twelve invariants of signing, each as a test, against the real vault process.

A wallet of all four single-key types on mainnet, made from words by the vault itself; the attack
PSBTs of the catalogue are aimed at it. What is signed is judged by a second implementation of the
signature hash and of both signature schemes.
"""

import asyncio
import base64
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile import attack_psbts, second_signatures
from tests.hostile.attack_psbts import (
    ATTACKS,
    PAYEE,
    PKH,
    SH_WPKH,
    THIEF,
    TR,
    WPKH,
    Attack,
    changed,
    honest,
    output_to,
)
from tests.hostile.vault_line import VaultLine
from tests.unit.descriptors.cosigners import COSIGNERS
from tests.unit.keys.spending import ALL_TYPES, Coin, Wallet, previous_transaction, spend
from tests.unit.vault.samples import PASSWORD, TINY_COST, WORDS
from tests.unit.wallet.shared_wallet import funded, plan, sign_as
from wallet_gui import curve
from wallet_gui.app.session import WalletSession
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.descriptors.xpub import KeyOrigin
from wallet_gui.keys import policy, signer
from wallet_gui.keys.accounts import cosigner_path
from wallet_gui.keys.errors import PolicyRefused, SigningFailed
from wallet_gui.keys.seed import bip39_seed, entropy_from_words
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives import script
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.transfer.messages import (
    Failed,
    FailureKind,
    KnownIndex,
    PsbtSigned,
    RestoreWallet,
    SignPsbt,
    WalletCreated,
)
from wallet_gui.vault import signing
from wallet_gui.wallet import psbt_roles, review
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.errors import WalletError, WrongSignedPsbt
from wallet_gui.wallet.signed import finish

REFUSED = {FailureKind.POLICY, FailureKind.BAD_REQUEST}


def root_of_words(params: object = MAINNET) -> ExtendedPrivateKey:
    seed = bip39_seed(*entropy_from_words(WORDS))
    return ExtendedPrivateKey.from_seed(seed, params)  # type: ignore[arg-type]


@dataclasses.dataclass
class Signer:
    """The vault process with its wallet file, asked as a window asks."""

    line: VaultLine
    path: Path
    wallet: Wallet

    def ask(self, psbt: Psbt | bytes, *, accept_high_fee: bool = False) -> PsbtSigned | Failed:
        raw = psbt if isinstance(psbt, bytes) else psbt.serialize()
        request = SignPsbt(
            str(self.path),
            base64.b64encode(raw).decode(),
            self._digest(raw),
            tuple(KnownIndex(n, chain, 10) for n in range(4) for chain in (0, 1)),
            headless=dataclasses.replace(self.line.options, accept_high_fee=accept_high_fee),
        )
        reply = self.line.ask(request)
        assert isinstance(reply, (PsbtSigned, Failed))
        return reply

    def _digest(self, raw: bytes) -> bytes:
        known = {(n, Keychain(chain)): 10 for n in range(4) for chain in (0, 1)}
        try:
            psbt = Psbt.parse(raw)
            seen = review.of(psbt, self.wallet.descriptors, MAINNET, known_indexes=known)
        except (ParseError, WalletError):
            return bytes(32)  # the window would not get as far
        return seen.digest

    def signed(self, psbt: Psbt, *, accept_high_fee: bool = False) -> Psbt:
        reply = self.ask(psbt, accept_high_fee=accept_high_fee)
        assert isinstance(reply, PsbtSigned), reply
        return Psbt.parse(reply.psbt_base64)

    def refusal(self, psbt: Psbt | bytes) -> str:
        reply = self.ask(psbt)
        assert isinstance(reply, Failed), "it was signed"
        assert reply.kind in REFUSED, reply
        assert reply.sentence.endswith("."), reply
        return reply.sentence


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signer]:
    folder = tmp_path_factory.mktemp("vault")
    wallet = Wallet(root_of_words(), MAINNET)
    with pytest.MonkeyPatch.context() as patch, VaultLine(folder, PASSWORD, WORDS) as line:
        # The attacks are made for this wallet instead of the one they have by themselves.
        patch.setattr(attack_psbts, "WALLET", wallet)
        kinds = tuple(kind.name.lower() for kind in ALL_TYPES)
        made = line.ask(RestoreWallet(str(folder), "All", "mainnet", kinds, headless=line.options))
        assert isinstance(made, WalletCreated), made
        yield Signer(line, Path(made.path), wallet)


def final(signed: Psbt) -> Transaction:
    return psbt_roles.extract(psbt_roles.finalize(signed))


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_the_honest_payment_is_signed(vault: Signer, kind: DescriptorType) -> None:
    asked = honest(kind)
    signed = vault.signed(asked)
    assert finish(asked, signed) == final(signed)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_the_attacks_of_the_catalogue_are_refused(vault: Signer, attack: Attack) -> None:
    raw = attack.make().serialize()
    try:
        Psbt.parse(raw)
    except ParseError:
        assert "This is no payment that can be signed." in vault.refusal(raw)
        return
    said = vault.refusal(raw)
    # The fee is judged by the vault's own steps, which have their own words.
    assert attack.sentence in said or "That is much more than usual" in said


def test_invariant_1_what_is_spent_is_what_our_descriptor_derives(vault: Signer) -> None:
    for kind in ALL_TYPES:
        psbt = honest(kind)
        tx = previous_transaction(THIEF, 100_000, 99)
        psbt.inputs[0].non_witness_utxo = tx
        psbt.inputs[0].witness_utxo = None if kind is PKH else tx.outputs[1]
        second = psbt.tx.inputs[1]
        changed(psbt, inputs=(TxIn(OutPoint(tx.txid, 1), b"", 0xFFFFFFFD), second))
        assert "claims to be this wallet's, but its script does not" in vault.refusal(psbt)
    # Hints may be wrong or missing altogether: what is derived decides.
    bare = honest()
    for each in [*bare.inputs, *bare.outputs]:
        each.bip32_derivations.clear()  # type: ignore[attr-defined]
    assert finish(honest(), vault.signed(bare)) == finish(honest(), vault.signed(honest()))
    wrapped = honest(SH_WPKH)
    wrapped.inputs[1].redeem_script = script.p2wpkh(b"\x66" * 20)
    assert "comes with a script that is not this wallet's" in vault.refusal(wrapped)


def test_invariant_2_every_v0_input_has_its_previous_transaction(vault: Signer) -> None:
    for kind in (WPKH, SH_WPKH):
        for number in (0, 1):
            psbt = honest(kind)
            psbt.inputs[number].non_witness_utxo = None
            said = vault.refusal(psbt)
            assert f"Input {number + 1} comes without its previous transaction" in said
    psbt = honest()
    psbt.inputs[1].non_witness_utxo = previous_transaction(
        psbt.utxo(1).script_pubkey, 50_000, 12345
    )
    raw = psbt.serialize()
    assert "another transaction" in vault.refusal(raw)
    # Taproot commits to all amounts: there it may be left out, but only if all are taproot.
    taproot = honest(TR)
    for part in taproot.inputs:
        part.non_witness_utxo = None
    assert finish(honest(TR), vault.signed(taproot)).txid == taproot.tx.txid
    mixed = honest(TR, WPKH)
    mixed.inputs[0].non_witness_utxo = None
    assert "comes without its previous transaction" in vault.refusal(mixed)


def test_invariant_3_amounts_and_fee_are_computed_anew(vault: Signer) -> None:
    for lie in (99_999, 100_001, 10_000_000):
        psbt = honest()
        psbt.inputs[0].witness_utxo = TxOut(lie, psbt.utxo(0).script_pubkey)
        assert "missing or contradicts itself" in vault.refusal(psbt.serialize())
    vault.signed(honest())
    assert "Fee 1000 sat" in vault.line.shown
    assert "0.00150000 BTC in all" in vault.line.shown


def test_invariant_4_no_hash_type_but_all_and_default(vault: Signer) -> None:
    for kind in (PKH, WPKH, TR):
        for hash_type in (2, 3, 0x81, 0x82, 0x83, 4, 0x41, 0x101):
            psbt = honest(kind)
            psbt.inputs[0].sighash_type = hash_type
            assert "its hash type is not ALL" in vault.refusal(psbt)
    psbt = honest()
    psbt.inputs[0].sighash_type = 0
    assert "only taproot coins can have" in vault.refusal(psbt)
    for kind, hash_type, ending in ((WPKH, 1, 1), (TR, 1, 1), (TR, 0, None)):
        psbt = honest(kind)
        psbt.inputs[0].sighash_type = hash_type
        first = vault.signed(psbt).inputs[0]
        signature = first.tap_key_sig or next(iter(first.partial_sigs.values()))
        assert len(signature) == 64 if ending is None else signature[-1] == ending


def test_invariant_5_outputs_are_ours_only_if_we_derive_them(vault: Signer) -> None:
    ours = vault.wallet.descriptor(WPKH).derive(4, 1)
    thief_key = curve.public_key(b"\x66" * 32)
    psbt = output_to(honest(), 1, TxOut(49_000, script.p2wpkh(hash160(thief_key))))
    psbt.outputs[1].bip32_derivations = {thief_key: ours.key_path}
    vault.signed(psbt)
    shown = vault.line.shown
    assert shown.count("  Pays\n") == 2
    assert "Change" not in shown
    assert "Output 2 claims to come back to this wallet, but it does not" in shown
    # True change is known as such; far beyond the others it is called unusual.
    vault.signed(honest())
    assert "Change, comes back to you\n    0.00049000 BTC" in vault.line.shown
    far = vault.wallet.descriptor(WPKH).derive(100_000, 1)
    psbt = output_to(honest(), 1, TxOut(49_000, far.script_pubkey))
    psbt.outputs[1].bip32_derivations = {far.public_key: far.key_path}
    vault.signed(psbt)
    assert "Stays yours, at an unusual address" in vault.line.shown


def test_invariant_6_fees_have_limits(vault: Signer) -> None:
    for left in (1, 10_000):
        psbt = output_to(honest(), 1, TxOut(left, PAYEE))
        assert "That is much more than usual" in vault.refusal(psbt)
        # Only an express yes to this one fee lifts it.
        assert vault.signed(psbt, accept_high_fee=True).tx == psbt.tx
    noted = output_to(honest(), 1, TxOut(40_000, honest().tx.outputs[1].script_pubkey))
    assert "more than usual" in vault.refusal(noted)


def test_invariant_7_no_coin_twice_no_impossible_amount_no_empty_payment(vault: Signer) -> None:
    psbt = honest()
    psbt.inputs[1] = psbt.inputs[0]
    changed(psbt, inputs=(psbt.tx.inputs[0],) * 2)
    assert "the same coin twice" in vault.refusal(psbt)
    for pair in ((2_100_000_000_000_001, 0), (2**63 - 1, 2**63 - 1), (-1, 1), (1 << 62, 1 << 62)):
        psbt = changed(honest(), outputs=tuple(TxOut(amount, PAYEE) for amount in pair))
        assert "more than the 21 million" in vault.refusal(psbt)
    psbt = honest()
    psbt.outputs.clear()
    assert "no inputs or no outputs" in vault.refusal(changed(psbt, outputs=()))
    psbt = honest()
    psbt.inputs.clear()
    assert "no inputs or no outputs" in vault.refusal(changed(psbt, inputs=()))
    assert "pays out more than it spends" in vault.refusal(
        output_to(honest(), 0, TxOut(150_000, PAYEE))
    )


def test_invariant_8_unusual_times_are_shown(vault: Signer) -> None:
    vault.signed(honest())
    assert "!" not in vault.line.shown
    now = int(time.time())
    highest = policy.latest_height(MAINNET, now)
    assert highest is not None
    for fields, words in (
        ({"lock_time": 1_900_000_000}, "valid only from a certain date on"),
        ({"lock_time": highest + 2_000}, f"locked until block {highest + 2_000}"),
        ({"lock_time": 499_999_999}, "locked until block 499999999"),
    ):
        vault.signed(changed(honest(), **fields))
        assert words in vault.line.shown
    psbt = honest()
    delayed = tuple(dataclasses.replace(i, sequence=0x0040_0010) for i in psbt.tx.inputs)
    vault.signed(changed(psbt, inputs=delayed))
    assert "unusual sequence number" in vault.line.shown
    # What wallets do all the time is not worth a word.
    psbt = changed(honest(), lock_time=930_000)
    vault.signed(psbt)
    assert "!" not in vault.line.shown


def test_the_latest_height_is_beyond_the_chain_and_not_far(vault: Signer) -> None:
    # Two blocks as they were: Bitcoin Core's assumed-valid blocks of 0.20 and 28.0.
    for height, when in ((623_950, 1_585_766_000), (856_760, 1_723_600_000)):
        bound = policy.latest_height(MAINNET, when)
        assert bound is not None
        assert height < bound < height + 60_000, height
    assert policy.latest_height(REGTEST, 2**31) is None
    assert vault.path.exists()


def test_invariant_9_what_was_approved_is_what_is_signed_and_sent(vault: Signer) -> None:
    asked = honest()
    evil = output_to(honest(), 0, TxOut(100_000, THIEF))
    request = SignPsbt(
        str(vault.path),
        evil.to_base64(),
        vault._digest(asked.serialize()),
        headless=vault.line.options,
    )
    reply = vault.line.ask(request)
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.REVIEW_DIFFERS
    # Inside the vault the same again, between the review and the signature.
    payload = signing.open_payload(vault.path, PASSWORD, TINY_COST)
    keys = signing.keyring(payload)
    known = tuple(KnownIndex(n, chain, 10) for n in range(4) for chain in (0, 1))
    request = SignPsbt("", asked.to_base64(), vault._digest(asked.serialize()), known)
    payment = signing.review_payment(request, asked, keys)
    with pytest.raises(PolicyRefused, match="not the transaction that was shown"):
        signing.sign(dataclasses.replace(payment, psbt=evil), keys)
    # What comes back and differs is neither stored nor sent.
    signed_evil = vault.signed(evil)
    with pytest.raises(WrongSignedPsbt, match="not the one that was asked for"):
        finish(asked, signed_evil)
    sent = finish(asked, vault.signed(asked))
    assert sent.serialize_stripped() != b""
    bare = tuple(dataclasses.replace(i, script_sig=b"", witness=()) for i in sent.inputs)
    assert dataclasses.replace(sent, inputs=bare) == asked.tx


def test_invariant_9_the_session_sends_nothing_else() -> None:
    """The window's side: a signed payment is taken only if it is the planned one, and valid."""
    wallet = funded(shared_descriptor(MultisigType.WSH))
    session = WalletSession.__new__(WalletSession)
    session.wallet = wallet
    session._is_closed = False
    asked = plan(wallet)
    evil = dataclasses.replace(asked, psbt=asked.psbt.copy())
    changed(evil.psbt, lock_time=77)
    other = sign_as(sign_as(evil.psbt, 0, wallet.descriptors), 1, wallet.descriptors)
    before = wallet.own.pending()
    with pytest.raises(WrongSignedPsbt):
        asyncio.run(session.accept_signed(asked, other))
    assert wallet.own.pending() == before


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_invariant_10_signatures_hold_by_a_second_implementation(
    vault: Signer, kind: DescriptorType
) -> None:
    for number in range(3):
        coins = [Coin(kind, 100_000 + number, 0, 3), Coin(WPKH, 50_000, 1, 2)]
        psbt = spend(vault.wallet, coins, [(PAYEE, 149_000)], lock_time=number)
        tx = final(vault.signed(psbt))
        spent = [psbt.utxo(index) for index in range(2)]
        for index in range(2):
            assert second_signatures.is_spent_validly(tx, index, spent)
            # It is no second opinion if it says yes to everything.
            other = dataclasses.replace(tx, lock_time=tx.lock_time + 1)
            assert not second_signatures.is_spent_validly(other, index, spent)


def shared_descriptor(kind: MultisigType, required: int = 2) -> Descriptor:
    """A multisig on regtest of the words' key and of two others."""
    root = root_of_words(REGTEST)
    path = cosigner_path(kind, REGTEST)
    ours = (KeyOrigin(root.fingerprint, path), root.derive(path).neuter())
    return Descriptor.multisig(kind, REGTEST, required, [*COSIGNERS[:2], ours])


@pytest.mark.parametrize("kind", [MultisigType.WSH, MultisigType.SH_WSH])
def test_invariant_10_holds_for_multisig_too(tmp_path: Path, kind: MultisigType) -> None:
    descriptor = shared_descriptor(kind)
    psbt = plan(funded(descriptor)).psbt
    seen = review.of(psbt, [descriptor], REGTEST)
    with VaultLine(tmp_path, PASSWORD, WORDS) as line:
        request = RestoreWallet(
            str(tmp_path), "Shared", "regtest", descriptor=str(descriptor), headless=line.options
        )
        made = line.ask(request)
        assert isinstance(made, WalletCreated), made
        reply = line.ask(
            SignPsbt(made.path, psbt.to_base64(), seen.digest, (), headless=line.options)
        )
    assert isinstance(reply, PsbtSigned), reply
    both = sign_as(Psbt.parse(reply.psbt_base64), 0, (descriptor,))
    tx = final(both)
    spent = [psbt.utxo(index) for index in range(len(tx.inputs))]
    for index in range(len(tx.inputs)):
        assert second_signatures.is_spent_validly(tx, index, spent)


@pytest.mark.parametrize("kind", [WPKH, TR])
def test_invariant_10_a_faulty_signature_is_not_handed_out(
    vault: Signer, kind: DescriptorType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault while signing, of the machine or the library, must not leave the vault."""
    name = "schnorr_sign" if kind is TR else "ecdsa_sign"
    true = getattr(signer, name)

    def faulty(secret: bytes, message: bytes) -> bytes:
        return bytes(true(secret, bytes([message[0] ^ 1]) + message[1:]))

    monkeypatch.setattr(signer, name, faulty)
    with pytest.raises(SigningFailed):
        signer.sign(honest(kind), vault.wallet.root, vault.wallet.descriptors, MAINNET)


def test_invariant_11_the_network_is_the_wallets(vault: Signer) -> None:
    psbt = honest()
    ((key, path),) = psbt.inputs[0].bip32_derivations.items()
    steps = (path.path[0], path.path[1] + 1, *path.path[2:])
    psbt.inputs[0].bip32_derivations[key] = KeyPath(path.fingerprint, steps)
    assert "made for another network than mainnet" in vault.refusal(psbt)
    # The same words on another network are another wallet: its payment is nobody's here.
    foreign = Wallet(root_of_words(REGTEST), REGTEST)
    psbt = spend(foreign, [Coin(WPKH, 100_000)], [(PAYEE, 99_000)])
    assert "another network" in vault.refusal(psbt)
    psbt = spend(foreign, [Coin(WPKH, 100_000)], [(PAYEE, 99_000)], hints=False)
    assert "None of the coins that this transaction spends" in vault.refusal(psbt)
    with pytest.raises(SigningFailed, match="not a master key for mainnet"):
        signer.sign(honest(), root_of_words(REGTEST), vault.wallet.descriptors, MAINNET)


def test_invariant_12_unknown_fields_are_kept_and_change_nothing(vault: Signer) -> None:
    plain = vault.signed(honest())
    shown = vault.line.shown
    records = {
        b"\xfc\x06wallet\x00": b"sighash=NONE",
        b"\xf0" + bytes(40): b"\x1b[2JPays nobody",
        b"\xfd\x00\x02": b"\x00" * 1_000,
        b"\x7f\x01": THIEF,
    }
    psbt = honest()
    for part in (psbt, *psbt.inputs, *psbt.outputs):
        part.unknown.update(records)  # type: ignore[attr-defined]
    signed = vault.signed(psbt)
    assert vault.line.shown == shown
    for part in (signed, *signed.inputs, *signed.outputs):
        assert part.unknown == records  # type: ignore[attr-defined]
    assert finish(psbt, signed) == finish(honest(), plain)
