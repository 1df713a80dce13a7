"""Attack PSBTs, B1 to B12 of the catalogue: each as bytes, each with the sentence of its refusal.

An attack goes the way that a payment goes: read, judged, signed by the vault; or, where it comes
after the signing, through what takes signed PSBTs back. Each is tried in both versions.
"""

import dataclasses
import time
from collections.abc import Iterator

import pytest

from tests.hostile.attack_psbts import (
    ATTACKS,
    PAYEE,
    THIEF,
    WALLET,
    WPKH,
    Attack,
    changed,
    honest,
    output_to,
)
from tests.unit.keys.spending import ALL_TYPES, Coin, spend
from tests.unit.wallet.test_psbt_roles import high_s
from wallet_gui import curve
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys.errors import PolicyRefused
from wallet_gui.keys.policy import Limits, OutputKind, assess, digest
from wallet_gui.keys.signer import sign
from wallet_gui.primitives import script
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.params import MAINNET
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.serialize import ParseError, compact_size
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.wallet import psbt_roles, review
from wallet_gui.wallet.errors import WalletError, WrongSignature, WrongSignedPsbt
from wallet_gui.wallet.signed import finish


def judged(raw: bytes, limits: Limits | None = None) -> Psbt:
    """Do what the vault does with bytes from outside."""
    psbt = Psbt.parse(raw)
    assess(psbt, WALLET.descriptors, MAINNET, limits)
    return sign(psbt, WALLET.root, WALLET.descriptors, MAINNET)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
@pytest.mark.parametrize("version", [0, 2])
def test_the_vault_refuses(attack: Attack, version: int) -> None:
    raw = attack.make().serialize(version)
    with pytest.raises((ParseError, PolicyRefused)) as caught:
        judged(raw)
    said = str(caught.value)
    assert attack.sentence in said
    assert said.endswith(".")
    assert len(said) < 300


@pytest.mark.parametrize("kind", ALL_TYPES)
@pytest.mark.parametrize("version", [0, 2])
def test_the_honest_one_is_signed(kind: DescriptorType, version: int) -> None:
    signed = judged(honest(kind).serialize(version))
    assert signed.version == version
    assert psbt_roles.extract(psbt_roles.finalize(signed)) == finish(honest(kind), signed)


# B5: an output is change only if it is derived again.


def hostile_change() -> Iterator[tuple[str, Psbt, OutputKind]]:
    ours = WALLET.descriptor(WPKH).derive(4, 1)
    right = ours.key_path
    thief_key = curve.public_key(b"\x66" * 32)
    psbt = output_to(honest(), 1, TxOut(49_000, THIEF))
    yield "our path, the thief's script", psbt, OutputKind.PAYMENT
    psbt = output_to(honest(), 1, TxOut(49_000, script.p2wpkh(hash160(thief_key))))
    psbt.outputs[1].bip32_derivations = {thief_key: right}
    yield "our fingerprint and path for the thief's key", psbt, OutputKind.PAYMENT
    for name, steps in {
        "hardened index": (*right.path[:-1], right.path[-1] + HARDENED),
        "hardened chain": (*right.path[:-2], 1 + HARDENED, 4),
        "largest index": (*right.path[:-1], 0xFFFFFFFF),
        "a step too many": (*right.path, 0),
        "no steps": (),
        "another account": (*right.path[:2], 5 + HARDENED, *right.path[3:]),
    }.items():
        psbt = output_to(honest(), 1, TxOut(49_000, THIEF))
        psbt.outputs[1].bip32_derivations = {thief_key: KeyPath(right.fingerprint, steps)}
        yield name, psbt, OutputKind.PAYMENT
    wrapped = script.p2sh(hash160(ours.script_pubkey))
    psbt = output_to(honest(), 1, TxOut(49_000, wrapped))
    psbt.outputs[1].redeem_script = ours.script_pubkey
    yield "our key, wrapped in p2sh", psbt, OutputKind.PAYMENT
    psbt = output_to(honest(), 1, TxOut(49_000, script.multisig(1, [ours.public_key, thief_key])))
    yield "our key beside the thief's", psbt, OutputKind.PAYMENT
    far = WALLET.descriptor(WPKH).derive(2**31 - 1, 1)
    psbt = output_to(honest(), 1, TxOut(49_000, far.script_pubkey))
    psbt.outputs[1].bip32_derivations = {far.public_key: far.key_path}
    yield "ours, where nobody looks", psbt, OutputKind.OWN_UNUSUAL


@pytest.mark.parametrize(
    ("psbt", "kind"), [pytest.param(psbt, kind, id=name) for name, psbt, kind in hostile_change()]
)
@pytest.mark.parametrize("version", [0, 2])
def test_b5_change_is_what_we_derive(psbt: Psbt, kind: OutputKind, version: int) -> None:
    read = Psbt.parse(psbt.serialize(version))
    result = assess(read, WALLET.descriptors, MAINNET)
    assert result.outputs[1] is kind
    shown = review.of(read, WALLET.descriptors, MAINNET)
    assert shown.payments[1].kind.value == kind.value
    assert shown.payments[1] in shown.outgoing


# B7: bytes that are not what they claim to be.


@pytest.mark.parametrize("version", [0, 2])
def test_b7_no_truncation_is_a_psbt(version: int) -> None:
    raw = honest().serialize(version)
    for size in range(len(raw)):
        with pytest.raises(ParseError):
            Psbt.parse(raw[:size])
    with pytest.raises(ParseError, match="1 bytes follow the PSBT"):
        Psbt.parse(raw + b"\x00")


@pytest.mark.parametrize(
    "raw",
    [
        b"psbt\xff\x01\x00" + b"\xfe\xff\xff\xff\x01",
        b"psbt\xff" + b"\xff" * 9,
        b"psbt\xff\x01\x00\x0a\x02\x00\x00\x00\xfe\xff\xff\xff\x00\x00\x00",
        bytes.fromhex("70736274ff 01020402000000 010405feffffff01 01050101 01fb0402000000 00"),
        bytes.fromhex("70736274ff 01020402000000 01040101 010505feffffff01 01fb0402000000 00"),
        b"psbt\xff" + b"\x01\xf0\x00" * 3_000_000,
        b"psbt\xff" + b"".join(b"\x05\xf0" + n.to_bytes(4, "big") + b"\0" for n in range(900_000)),
    ],
    ids=["value", "key", "inputs", "inputs v2", "outputs v2", "the same key", "many keys"],
)
def test_b7_huge_counts_cost_nothing(raw: bytes) -> None:
    start = time.process_time()
    with pytest.raises(ParseError):
        Psbt.parse(raw)
    assert time.process_time() - start < 1


# B8: what combining must neither lose nor swallow.


def test_b8_combining_loses_no_signature_and_mixes_no_transactions() -> None:
    psbt = honest()
    signed = judged(psbt.serialize())
    one, two = signed.copy(), signed.copy()
    one.inputs[0].partial_sigs.clear()
    two.inputs[1].partial_sigs.clear()
    for parts in ([one, two], [two, one], [one, psbt, two], [two.to_version(2), one]):
        combined = psbt_roles.combine(parts)
        assert combined.to_version(0) == signed
    evil = changed(honest(), lock_time=1)
    with pytest.raises(ParseError, match="The two PSBTs are about different transactions"):
        psbt_roles.combine([signed, evil])


# B9: what comes back is what was asked for.


def swapped(psbt: Psbt) -> Iterator[tuple[str, Psbt]]:
    yield "lock time", changed(psbt.copy(), lock_time=psbt.tx.lock_time + 1)
    yield "version", changed(psbt.copy(), version=1)
    first, second = psbt.tx.inputs
    later = dataclasses.replace(first, sequence=0)
    yield "sequence", changed(psbt.copy(), inputs=(later, second))
    yield "recipient", output_to(psbt.copy(), 0, TxOut(100_000, THIEF))
    yield "amount", output_to(psbt.copy(), 1, TxOut(48_000, psbt.tx.outputs[1].script_pubkey))


@pytest.mark.parametrize("version", [0, 2])
def test_b9_a_change_after_the_review_is_not_signed_and_not_sent(version: int) -> None:
    psbt = honest()
    approved = Limits(approved_digest=digest(psbt))
    judged(psbt.serialize(version), approved)
    for name, evil in swapped(psbt):
        with pytest.raises(PolicyRefused) as caught:
            judged(evil.serialize(version), approved)
        assert "This is not the transaction that was shown. Nothing was signed" in str(caught.value)
        # Signed elsewhere, it comes back all the same.
        signed = sign(evil, WALLET.root, WALLET.descriptors, MAINNET)
        with pytest.raises(
            WrongSignedPsbt, match=r"not the one that was asked for. It was not sent"
        ):
            finish(psbt, Psbt.parse(signed.serialize(version)))
        assert name


def test_b9_version_2_cannot_change_the_lock_time_through_its_fields() -> None:
    psbt = honest().to_version(2)
    approved = Limits(approved_digest=digest(psbt))
    psbt.modifiable = 3
    judged(psbt.serialize(), approved)
    psbt.inputs[0].required_height = 900_000
    changed(psbt, lock_time=900_000)
    with pytest.raises(PolicyRefused, match="not the transaction that was shown"):
        judged(psbt.serialize(), approved)


def test_b9_an_input_added_through_the_modifiable_flags_is_another_transaction() -> None:
    psbt = honest().to_version(2)
    psbt.modifiable = 3
    signed = judged(psbt.serialize())
    assert signed.modifiable == 0
    more = spend(
        WALLET,
        [Coin(WPKH, 100_000, 0, 3), Coin(WPKH, 50_000, 1, 2), Coin(WPKH, 70_000, 0, 9)],
        [(PAYEE, 100_000)],
        [Coin(WPKH, 49_000, 1, 4)],
    ).to_version(2)
    with pytest.raises(ParseError, match="different transactions"):
        psbt_roles.combine([signed, more])
    with pytest.raises(WrongSignedPsbt, match="not the one that was asked for"):
        finish(honest(), more)


# B11: signatures of others.


@pytest.mark.parametrize("kind", ALL_TYPES)
def test_b11_a_wrong_or_malleated_signature_is_not_taken(kind: DescriptorType) -> None:
    psbt = honest(kind)
    signed = judged(psbt.serialize())
    for evil in forged(signed):
        with pytest.raises((WrongSignature, ParseError)):
            psbt_roles.finalize(evil)
        with pytest.raises((WrongSignature, ParseError)):
            psbt_roles.combine([psbt, evil])
        with pytest.raises(WrongSignedPsbt):
            finish(psbt, evil)


def forged(signed: Psbt) -> Iterator[Psbt]:
    schnorr = signed.inputs[0].tap_key_sig
    if schnorr is not None:
        for value in (bytes(64), schnorr[::-1], schnorr + b"\x01", schnorr + b"\x00"):
            evil = signed.copy()
            evil.inputs[0].tap_key_sig = value
            yield evil
        return
    ((key, good),) = signed.inputs[0].partial_sigs.items()
    ((_, other),) = signed.inputs[1].partial_sigs.items()
    for value in (other, high_s(good), good[:-1] + b"\x83", good[:-1] + b"\x00"):
        evil = signed.copy()
        evil.inputs[0].partial_sigs[key] = value
        yield evil


def test_b11_a_final_input_is_judged_too() -> None:
    psbt = honest()
    final = psbt_roles.finalize(judged(psbt.serialize()))
    witness = final.inputs[0].final_script_witness or ()
    final.inputs[0].final_script_witness = (high_s(witness[0]), witness[1])
    with pytest.raises(WrongSignature, match="The signature of input 1 is not valid"):
        psbt_roles.extract(Psbt.parse(final.serialize()))
    with pytest.raises(WrongSignedPsbt, match="signature of input 1 is not valid"):
        finish(psbt, final)


# B12: what is paid to is shown as what it is.


@pytest.mark.parametrize(
    ("script_pubkey", "warning"),
    [
        (script.witness_program(2, bytes(32)), "of a kind that has no rules yet"),
        (script.witness_program(1, bytes(20)), "of a kind that has no rules yet"),
        (script.witness_program(16, bytes(2)), "of a kind that has no rules yet"),
        (b"\x00\x10" + bytes(16), "goes to a script that has no address"),
        (b"", "goes to a script that has no address"),
        (b"\x51", "goes to a script that has no address"),
        (script.op_return(b"x"), "nobody can ever spend it"),
    ],
)
def test_b12_strange_destinations_are_warned_of(script_pubkey: bytes, warning: str) -> None:
    psbt = output_to(honest(), 0, TxOut(100_000, script_pubkey))
    shown = review.of(Psbt.parse(psbt.serialize()), WALLET.descriptors, MAINNET)
    assert any(warning in sentence for sentence in shown.warnings)


def test_unknown_fields_are_passed_on_and_change_nothing() -> None:
    for version in (0, 2):
        psbt = honest()
        plain = judged(psbt.serialize(version))
        records = {
            b"\xfc\x04evil\x00": b"<b>pay me</b>",
            b"\xf0" + bytes(30): bytes(5_000),
            b"\xfd\x00\x02": b"\x00",
        }
        for part in (psbt, *psbt.inputs, *psbt.outputs):
            part.unknown.update(records)  # type: ignore[attr-defined]
        signed = judged(psbt.serialize(version))
        assert signed.unknown == records
        assert [item.unknown for item in signed.inputs] == [records] * 2
        assert [item.unknown for item in signed.outputs] == [records] * 2
        assert finish(psbt, signed) == finish(honest(), plain)


def test_an_impossible_psbt_is_not_even_shown() -> None:
    psbt = changed(honest(), outputs=(TxOut(-1, PAYEE),))
    psbt.outputs.pop()
    with pytest.raises(WalletError, match="cannot be checked, so it is not signed"):
        review.of(psbt, WALLET.descriptors, MAINNET)


def test_a_count_is_bounded_by_what_is_left() -> None:
    tx = Transaction(2, (), (), 0).serialize_stripped()
    for count in (1, 0xFC, 0xFFFF, 0x2000000):
        raw = tx[:4] + compact_size(count) + tx[5:]
        with pytest.raises(ParseError):
            Psbt.parse(b"psbt\xff\x01\x00" + compact_size(len(raw)) + raw + b"\x00")
