"""What comes back is compared with what was asked, for every kind of coin and every deviation."""

import random
from dataclasses import replace

import pytest

from tests.unit.wallet.test_psbt_roles import KINDS, MULTI, PAYEE, SECRETS, SINGLE, Spend, by_kind
from wallet_gui import curve
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.errors import WrongSignedPsbt
from wallet_gui.wallet.psbt_return import compare, returned
from wallet_gui.wallet.psbt_roles import extract, finalize, signing_keys

THIEF = script.p2wpkh(b"\x08" * 20)
WPKH = SINGLE[2]
WSH = MULTI[1]


def back_for(asked: Psbt, back: Psbt | Transaction) -> Psbt:
    return returned(asked, back, REGTEST)


@pytest.mark.parametrize("spend", KINDS, ids=by_kind)
@pytest.mark.parametrize("version", [0, 2])
def test_only_signatures_are_taken_over(spend: Spend, version: int) -> None:
    asked = spend.psbt()
    before = asked.serialize()
    signed = spend.sign(asked, range(spend.required))
    theirs = signed.to_version(version)
    theirs.unknown[b"\xfc\x01x\x00"] = b"tracked"
    theirs.inputs[0].unknown[b"\xf0"] = b"more"
    merged = back_for(asked, theirs)
    assert merged == signed
    assert asked.serialize() == before
    # Finished by the device, as a PSBT or as a transaction: the same in the end.
    final = finalize(signed)
    tx = extract(final)
    assert extract(finalize(merged)) == tx
    assert extract(finalize(back_for(asked, final.to_version(version)))) == tx
    assert extract(finalize(back_for(asked, Transaction.parse(tx.serialize())))) == tx
    assert len(signing_keys(merged, 0)) == spend.required
    assert signing_keys(back_for(asked, tx), 0) == signing_keys(merged, 0)


def test_signers_come_one_after_the_other_in_any_order() -> None:
    asked = WSH.psbt()
    copies = [WSH.sign(asked, [signer]) for signer in (2, 0)]
    merged = asked
    for copy in copies:
        merged = back_for(merged, copy)
    assert len(signing_keys(merged, 0)) == 2
    # The same copy once more changes nothing.
    assert back_for(merged, copies[0]) == merged
    extract(finalize(merged))


def changed(psbt: Psbt, **fields: object) -> Psbt:
    other = psbt.copy()
    other.tx = replace(psbt.tx, **fields)  # type: ignore[arg-type]
    return other


@pytest.fixture
def asked() -> Psbt:
    psbt = WPKH.psbt(WPKH)
    outputs = (TxOut(100_000, PAYEE), TxOut(98_000, script.p2tr(curve.public_key(SECRETS[5])[1:])))
    psbt.tx = replace(psbt.tx, outputs=outputs)
    psbt.outputs.append(type(psbt.outputs[0])())
    return psbt


def test_every_change_of_the_transaction_has_its_sentence(asked: Psbt) -> None:
    tx = asked.tx
    home = address_from_script(PAYEE, REGTEST)
    thief = address_from_script(THIEF, REGTEST)
    first, second = tx.outputs
    more = replace(tx.inputs[0], prevout=OutPoint(b"\x07" * 32, 3))
    cases: list[tuple[Transaction, str]] = [
        (
            replace(tx, outputs=(TxOut(100_000, THIEF), second)),
            f"It pays 0.00100000 BTC to {thief} instead of 0.00100000 BTC to {home}.",
        ),
        (
            replace(tx, outputs=(TxOut(99_999, PAYEE), second)),
            f"It pays 0.00099999 BTC instead of 0.00100000 BTC to {home}.",
        ),
        (
            replace(tx, outputs=(*tx.outputs, TxOut(1, THIEF))),
            f"It pays 0.00000001 BTC to {thief} besides.",
        ),
        (replace(tx, outputs=(first,)), "It does not pay 0.00098000 BTC to"),
        (replace(tx, outputs=(second, first)), "in another order"),
        (replace(tx, outputs=(TxOut(100_000, b"\x6a\x01x"), second)), "to the script 6a0178"),
        (replace(tx, inputs=(*tx.inputs, more)), "It spends a coin that was not asked for"),
        (replace(tx, inputs=tx.inputs[:1]), "It leaves out a coin"),
        (replace(tx, inputs=(more,)), "It spends other coins"),
        (replace(tx, inputs=tx.inputs[::-1]), "in another order"),
        (replace(tx, lock_time=700_000), "lock time is 700000 instead of 0"),
        (replace(tx, version=1), "version is 1 instead of 2"),
        (
            replace(tx, inputs=(replace(tx.inputs[0], sequence=0xFFFFFFFF), tx.inputs[1])),
            "A sequence number was changed",
        ),
    ]
    assert compare(tx, tx, REGTEST) == ""
    for other, words in cases:
        assert words in compare(tx, other, REGTEST)
        with pytest.raises(WrongSignedPsbt, match="another payment than the one"):
            back_for(asked, Psbt.from_unsigned_tx(other))


def test_any_changed_byte_of_the_transaction_is_noticed(asked: Psbt) -> None:
    rng = random.Random(1)
    raw = asked.tx.serialize_stripped()
    for _ in range(300):
        place = rng.randrange(len(raw))
        spoilt = bytearray(raw)
        spoilt[place] ^= 1 << rng.randrange(8)
        try:
            other = Transaction.parse_stripped(spoilt)
        except ValueError:
            continue
        if any(tx_in.script_sig for tx_in in other.inputs):
            continue
        assert compare(asked.tx, other, REGTEST)


@pytest.mark.parametrize("kind", [sighash.NONE, sighash.SINGLE, sighash.ALL | 0x80])
@pytest.mark.parametrize("is_final", [False, True])
def test_a_signature_that_leaves_something_open_is_refused(kind: int, *, is_final: bool) -> None:
    asked = WPKH.psbt()
    theirs = WPKH.sign(asked, kind=kind)
    if is_final:
        theirs.inputs[0].sighash_type = kind
        theirs = theirs.finalize()
    with pytest.raises(WrongSignedPsbt, match="open to change"):
        back_for(asked, theirs)


def test_asking_for_another_kind_of_signature_is_refused() -> None:
    asked = WSH.psbt()
    theirs = WSH.sign(asked, [0])
    theirs.inputs[0].sighash_type = sighash.SINGLE
    with pytest.raises(WrongSignedPsbt, match="another kind of signature"):
        back_for(asked, theirs)
    theirs.inputs[0].sighash_type = sighash.ALL
    back_for(asked, theirs)


def test_a_wrong_signature_is_refused() -> None:
    asked = WSH.psbt()
    theirs = WSH.sign(asked, [0, 1])
    (one, first), (two, second) = theirs.inputs[0].partial_sigs.items()
    theirs.inputs[0].partial_sigs = {one: second, two: first}
    with pytest.raises(WrongSignedPsbt, match="not valid"):
        back_for(asked, theirs)


def test_a_key_that_the_coin_does_not_ask_for_is_refused() -> None:
    for spend in (WSH, WPKH):
        asked = spend.psbt()
        digest = spend.digest(asked)
        theirs = spend.sign(asked)
        stranger = SECRETS[9]
        signature = curve.ecdsa_sign(stranger, digest) + bytes([sighash.ALL])
        theirs.inputs[0].partial_sigs[curve.public_key(stranger)] = signature
        with pytest.raises(WrongSignedPsbt, match="by a key that this coin does not ask for"):
            back_for(asked, theirs)


def test_statements_about_the_coin_may_be_missing_but_not_changed() -> None:
    asked = WSH.psbt()
    asked.inputs[0].witness_utxo = asked.utxo(0)
    theirs = WSH.sign(asked, [0])
    theirs.inputs[0].witness_utxo = None
    theirs.inputs[0].witness_script = None
    back_for(asked, theirs)
    theirs.inputs[0].witness_script = script.multisig(1, [curve.public_key(SECRETS[0])] * 2)
    with pytest.raises(WrongSignedPsbt, match="the script of the coin"):
        back_for(asked, theirs)
    theirs.inputs[0].witness_script = None
    theirs.inputs[0].witness_utxo = TxOut(1, asked.utxo(0).script_pubkey)
    with pytest.raises(WrongSignedPsbt, match="the amount or the address"):
        back_for(asked, theirs)


def test_nothing_signed_is_said() -> None:
    asked = WPKH.psbt()
    with pytest.raises(WrongSignedPsbt, match="came back without a signature"):
        back_for(asked, asked)
    with pytest.raises(WrongSignedPsbt, match="came back without a signature"):
        back_for(WSH.sign(WSH.psbt(), [0]), WSH.psbt())


def test_what_cannot_be_verified_is_refused() -> None:
    asked = WPKH.psbt()
    theirs = asked.copy()
    bare = script.push(b"\x51")
    asked.inputs[0].non_witness_utxo = None
    asked.inputs[0].witness_utxo = TxOut(100_000, script.p2wsh(b"\x03" * 32))
    theirs.inputs[0].non_witness_utxo = None
    theirs.inputs[0].final_script_sig = bare
    with pytest.raises(WrongSignedPsbt, match="not valid"):
        back_for(asked, theirs)


def test_new_claims_about_change_are_left_behind() -> None:
    asked = WPKH.psbt()
    theirs = WPKH.sign(asked)
    theirs.outputs[0].bip32_derivations[WPKH.key] = KeyPath(b"\x01\x02\x03\x04", (1, 2))
    assert not back_for(asked, theirs).outputs[0].bip32_derivations
