from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.primitives.psbt_samples import (
    KEY,
    OTHER_KEY,
    PSBTS,
    PSBTS_2,
    SIGNATURE,
    a_psbt,
)
from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.psbt import KeyPath, Psbt, PsbtInput, PsbtOutput
from wallet_gui.primitives.script import p2pkh, p2sh, p2tr, p2wpkh
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut


def halves(psbt: Psbt, choices: Iterator[bool]) -> tuple[Psbt, Psbt]:
    """Distribute the records over two PSBTs; some go to both."""
    pair = psbt.copy(), psbt.copy()
    for half in pair:
        targets: list[Psbt | PsbtInput | PsbtOutput] = [half, *half.inputs, *half.outputs]
        for target in targets:
            for name in target.__slots__:
                value = getattr(target, name)
                if isinstance(value, dict):
                    for key in list(value):
                        if next(choices):
                            del value[key]
    return pair


@settings(deadline=None)
@given(PSBTS, st.randoms(use_true_random=False))
def test_combining_is_commutative_and_loses_nothing(psbt: Psbt, random: Any) -> None:
    def choose() -> Iterator[bool]:
        while True:
            yield random.random() < 0.5

    first, second = halves(psbt, choose())
    together = first.combine(second)
    assert together == second.combine(first)
    assert together.serialize() == second.combine(first).serialize()
    for half in (first, second):
        assert together.combine(half) == together
        pairs = zip(half.inputs, together.inputs, strict=True)
        for part, whole in pairs:
            assert part.partial_sigs.items() <= whole.partial_sigs.items()
            assert part.tap_script_sigs.items() <= whole.tap_script_sigs.items()
            assert part.unknown.items() <= whole.unknown.items()


@settings(deadline=None)
@given(PSBTS | PSBTS_2, st.randoms(use_true_random=False))
def test_combining_is_associative_and_in_any_order(psbt: Psbt, random: Any) -> None:
    def choose() -> Iterator[bool]:
        while True:
            yield random.random() < 0.4

    parts = [
        part.to_version(random.choice([0, 2]))
        for part in (*halves(psbt, choose()), *halves(psbt, choose()))
    ]
    forward, backward = parts[0], parts[-1]
    for part in parts[1:]:
        forward = forward.combine(part)
    for part in reversed(parts[:-1]):
        backward = part.combine(backward)
    paired = parts[2].combine(parts[0]).combine(parts[3].combine(parts[1]))
    assert forward == backward == paired
    assert forward.serialize() == backward.serialize() == paired.serialize()
    for version in (0, 2):
        assert Psbt.parse(forward.serialize(version)).tx == psbt.tx


def test_the_previous_transaction_must_be_the_one_that_is_spent() -> None:
    psbt = a_psbt(p2wpkh(bytes(20)))
    Psbt.parse(psbt.serialize())
    wrong = psbt.copy()
    wrong.inputs[0].non_witness_utxo = Transaction(2, psbt.tx.inputs, psbt.tx.outputs, 9)
    with pytest.raises(ParseError, match="another transaction"):
        Psbt.parse(wrong.serialize())
    previous = psbt.inputs[0].non_witness_utxo
    assert previous is not None
    missing = Psbt.from_unsigned_tx(
        Transaction(2, (TxIn(OutPoint(previous.txid, 1)),), (TxOut(1, b""),), 0)
    )
    missing.inputs[0].non_witness_utxo = previous
    with pytest.raises(ParseError, match="does not have"):
        Psbt.parse(missing.serialize())
    with pytest.raises(ParseError, match="no such output"):
        missing.utxo(0)


def test_utxo_trusts_no_contradiction() -> None:
    psbt = a_psbt(p2wpkh(bytes(20)))
    assert psbt.utxo(0) == TxOut(1000, p2wpkh(bytes(20)))
    psbt.inputs[0].witness_utxo = TxOut(1000, p2wpkh(bytes(20)))
    assert psbt.utxo(0).value_sat == 1000
    for lie in (TxOut(1001, p2wpkh(bytes(20))), TxOut(1000, p2wpkh(b"\x01" * 20))):
        psbt.inputs[0].witness_utxo = lie
        assert Psbt.parse(psbt.serialize()) == psbt
        for use in (lambda: psbt.utxo(0), psbt.fee, psbt.finalize, lambda: psbt.check_scripts(0)):
            with pytest.raises(ParseError, match="contradict"):
                use()
    empty = Psbt.from_unsigned_tx(psbt.tx)
    with pytest.raises(ParseError, match="does not say"):
        empty.utxo(0)


def test_fee() -> None:
    assert a_psbt(p2wpkh(bytes(20)), p2wpkh(b"\x01" * 20)).fee() == 1500
    with pytest.raises(ParseError, match="pays out more"):
        a_psbt(p2wpkh(bytes(20)), value=499).fee()
    for value in (-1, MAX_MONEY + 1, 2**63 - 1):
        with pytest.raises(ParseError):
            a_psbt(p2wpkh(bytes(20)), value=value).fee()
    with pytest.raises(ParseError, match="21 million"):
        a_psbt(p2wpkh(bytes(20)), p2wpkh(b"\x01" * 20), value=MAX_MONEY).fee()


def test_an_unsigned_transaction_has_no_signatures() -> None:
    for tx_input in (
        TxIn(OutPoint(bytes(32), 0), b"\x51"),
        TxIn(OutPoint(bytes(32), 0), witness=(b"",)),
    ):
        with pytest.raises(ParseError, match="signatures"):
            Psbt.from_unsigned_tx(Transaction(2, (tx_input,), (TxOut(1, b""),), 0))


def test_combining_refuses_contradictions() -> None:
    first = a_psbt(p2wpkh(hash160(KEY)))
    other = a_psbt(p2wpkh(hash160(OTHER_KEY)))
    with pytest.raises(ParseError, match="different transactions"):
        first.combine(other)
    second_signature = bytes.fromhex("300602010102010201")
    changes: list[tuple[str, Any, Any]] = [
        ("partial_sigs", {KEY: SIGNATURE}, {KEY: second_signature}),
        ("tap_key_sig", b"\x01" * 64, b"\x02" * 64),
        ("sighash_type", 1, 2),
        ("redeem_script", b"\x51", b"\x52"),
        ("witness_utxo", TxOut(1, b""), TxOut(2, b"")),
        ("bip32_derivations", {KEY: KeyPath(bytes(4), ())}, {KEY: KeyPath(bytes(4), (1,))}),
        ("final_script_witness", (b"\x01",), (b"\x02",)),
        ("unknown", {b"\xf0": b""}, {b"\xf0": b"\x01"}),
    ]
    for attribute, mine, theirs in changes:
        one, two = first.copy(), first.copy()
        setattr(one.inputs[0], attribute, mine)
        setattr(two.inputs[0], attribute, theirs)
        for left, right in ((one, two), (two, one)):
            with pytest.raises(ParseError, match="contradict"):
                left.combine(right)
        assert one.combine(first) == first.combine(one) == one


def test_combining_takes_either_witness_of_the_previous_transaction() -> None:
    first = a_psbt(p2wpkh(bytes(20)))
    second = first.copy()
    previous = first.inputs[0].non_witness_utxo
    assert previous is not None
    signed = TxIn(previous.inputs[0].prevout, witness=(b"\x01",))
    second.inputs[0].non_witness_utxo = Transaction(2, (signed,), previous.outputs, 0)
    assert first.combine(second) == second.combine(first)


def signed_inputs() -> Psbt:
    """One input of each kind that can be finalized, all signed with KEY."""
    key_hash = hash160(KEY)
    scripts = (p2pkh(key_hash), p2sh(hash160(p2wpkh(key_hash))), p2wpkh(key_hash), p2tr(KEY[1:]))
    psbt = a_psbt(*scripts)
    for psbt_input in psbt.inputs[:3]:
        psbt_input.partial_sigs = {KEY: SIGNATURE}
        psbt_input.bip32_derivations = {KEY: KeyPath(b"\x01\x02\x03\x04", (1,))}
        psbt_input.unknown = {b"\xf0": b"kept"}
    psbt.inputs[1].redeem_script = p2wpkh(key_hash)
    psbt.inputs[3].tap_key_sig = b"\x05" * 64
    psbt.inputs[3].tap_internal_key = KEY[1:]
    return psbt


def test_finalize_and_extract() -> None:
    psbt = signed_inputs()
    before = psbt.serialize()
    final = psbt.finalize()
    assert psbt.serialize() == before
    tx = final.extract()
    pushed = bytes([len(SIGNATURE)]) + SIGNATURE + bytes([33]) + KEY
    redeem = p2wpkh(hash160(KEY))
    assert [tx_input.script_sig for tx_input in tx.inputs] == [
        pushed,
        bytes([22]) + redeem,
        b"",
        b"",
    ]
    assert [tx_input.witness for tx_input in tx.inputs] == [
        (),
        (SIGNATURE, KEY),
        (SIGNATURE, KEY),
        (b"\x05" * 64,),
    ]
    assert tx.txid == Transaction.parse(tx.serialize()).txid
    assert [i.sequence for i in tx.inputs] == [i.sequence for i in psbt.tx.inputs]
    assert (tx.version, tx.outputs, tx.lock_time) == (2, psbt.tx.outputs, 7)
    for psbt_input in final.inputs:
        assert psbt_input.is_final
        assert psbt_input.non_witness_utxo is not None
        assert not psbt_input.partial_sigs
        assert not psbt_input.bip32_derivations
        assert psbt_input.tap_key_sig is None
        assert psbt_input.redeem_script is None
    assert final.inputs[0].unknown == {b"\xf0": b"kept"}
    # BIP174: empty final scripts are left out, not written as empty.
    assert final.inputs[0].final_script_witness is None
    assert final.inputs[2].final_script_sig is None
    assert final.finalize() == final
    assert Psbt.parse(final.serialize()).extract() == tx
    assert psbt.combine(final).finalize() == final


@pytest.mark.parametrize("index", range(4))
def test_inputs_without_their_signature_stay_as_they_are(index: int) -> None:
    psbt = signed_inputs()
    psbt.inputs[index].partial_sigs = {OTHER_KEY: SIGNATURE}
    psbt.inputs[index].tap_key_sig = None
    final = psbt.finalize()
    assert final.inputs[index] == psbt.inputs[index]
    assert [psbt_input.is_final for psbt_input in final.inputs].count(False) == 1
    with pytest.raises(ParseError, match=f"Input {index}"):
        final.extract()


def test_inputs_that_are_not_known_stay_as_they_are() -> None:
    psbt = signed_inputs()
    psbt.inputs[2].non_witness_utxo = None
    final = psbt.finalize()
    assert final.inputs[2] == psbt.inputs[2]


@pytest.mark.parametrize("hash_type", [0, 2, 3, 0x81, 0x82, 0x83, 0x41])
def test_signatures_of_another_hash_type_are_refused(hash_type: int) -> None:
    for index in range(3):
        psbt = signed_inputs()
        psbt.inputs[index].partial_sigs = {KEY: SIGNATURE[:-1] + bytes([hash_type])}
        with pytest.raises(ParseError, match=f"Input {index}.*hash type"):
            psbt.finalize()
        psbt.inputs[index].sighash_type = hash_type
        assert psbt.finalize().inputs[index].is_final
        psbt = signed_inputs()
        psbt.inputs[index].sighash_type = hash_type
        with pytest.raises(ParseError, match="hash type"):
            psbt.finalize()


@pytest.mark.parametrize(
    ("signature", "asked", "right"),
    [
        (b"\x05" * 64, None, True),
        (b"\x05" * 64, 0, True),
        (b"\x05" * 64, 1, False),
        (b"\x05" * 64 + b"\x01", None, True),
        (b"\x05" * 64 + b"\x01", 1, True),
        (b"\x05" * 64 + b"\x01", 0, False),
        (b"\x05" * 64 + b"\x00", None, False),
        (b"\x05" * 64 + b"\x00", 0, False),
        (b"\x05" * 64 + b"\x02", None, False),
        (b"\x05" * 64 + b"\x83", 0x83, True),
    ],
)
def test_taproot_hash_types(signature: bytes, asked: int | None, *, right: bool) -> None:
    psbt = signed_inputs()
    psbt.inputs[3].tap_key_sig = signature
    psbt.inputs[3].sighash_type = asked
    if right:
        assert psbt.finalize().inputs[3].final_script_witness == (signature,)
    else:
        with pytest.raises(ParseError, match="Input 3"):
            psbt.finalize()


def test_finalize_refuses_scripts_of_something_else() -> None:
    psbt = signed_inputs()
    psbt.inputs[1].redeem_script = p2wpkh(hash160(OTHER_KEY))
    with pytest.raises(ParseError, match="redeem script"):
        psbt.finalize()
    psbt = signed_inputs()
    psbt.inputs[2].redeem_script = p2wpkh(hash160(KEY))
    with pytest.raises(ParseError, match="redeem script"):
        psbt.finalize()
    psbt = signed_inputs()
    psbt.inputs[2].witness_script = b"\x51"
    with pytest.raises(ParseError, match="witness script"):
        psbt.finalize()


def test_legacy_inputs_need_their_previous_transaction() -> None:
    psbt = a_psbt(p2pkh(hash160(KEY)), prove=False)
    with pytest.raises(ParseError, match="previous transaction"):
        psbt.check_scripts(0)
    a_psbt(p2wpkh(hash160(KEY)), prove=False).check_scripts(0)
    a_psbt(p2tr(KEY[1:]), prove=False).check_scripts(0)


def test_an_uncompressed_key_cannot_spend_a_witness_program() -> None:
    key = b"\x04" + b"\x11" * 64
    psbt = a_psbt(p2wpkh(hash160(key)), p2pkh(hash160(key)))
    for psbt_input in psbt.inputs:
        psbt_input.partial_sigs = {key: SIGNATURE}
    assert [i.is_final for i in psbt.finalize().inputs] == [False, True]
