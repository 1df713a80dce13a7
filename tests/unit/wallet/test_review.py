from dataclasses import replace
from random import Random

import pytest

from tests.unit.wallet.chain_world import ALL_TYPES, COIN, DESCRIPTORS, foreign_script, sign
from tests.unit.wallet.test_spend import TIP, funded
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives import script
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST, TESTNET4
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.sighash import ALL, NONE
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.wallet import review
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.review import OutputKind, Review
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

PAYEE = foreign_script(0)
LIST = [DESCRIPTORS[kind] for kind in ALL_TYPES]


def payment(wallet: Wallet | None = None, *recipients: Recipient) -> Psbt:
    return create(
        wallet or funded(COIN, COIN, COIN, COIN),
        recipients or [Recipient(PAYEE, 3 * COIN + 10**6)],
        FeeRate(2_500),
        rng=Random(0),
        tip_height=TIP,
        allow_high_fee=True,
    ).psbt


def reviewed(psbt: Psbt, **known: dict[tuple[int, Keychain], int]) -> Review:
    return review.of(psbt, LIST, REGTEST, known_indexes=known.get("known_indexes"))


def kinds(found: Review) -> set[OutputKind]:
    return {output.kind for output in found.payments}


def with_outputs(psbt: Psbt, *outputs: TxOut) -> Psbt:
    """Rebuild with other outputs; those that are kept keep their records."""
    records = dict(zip(psbt.tx.outputs, psbt.outputs, strict=True))
    changed = Psbt.from_unsigned_tx(replace(psbt.tx, outputs=outputs))
    changed.inputs = [replace(psbt_input) for psbt_input in psbt.inputs]
    changed.outputs = [
        records.get(output, blank) for output, blank in zip(outputs, changed.outputs, strict=True)
    ]
    return changed


def with_tx(psbt: Psbt, tx: Transaction) -> Psbt:
    changed = psbt.copy()
    changed.tx = tx
    return changed


def change_of(psbt: Psbt) -> int:
    return next(n for n, output in enumerate(psbt.tx.outputs) if output.script_pubkey != PAYEE)


def test_a_usual_payment_has_no_warnings() -> None:
    wallet = funded(COIN, COIN, COIN, COIN)
    psbt = payment(wallet)
    found = review.of(psbt, wallet.descriptors, REGTEST, known_indexes=wallet.known_indexes())
    assert found.warnings == ()
    assert kinds(found) == {OutputKind.PAYMENT, OutputKind.CHANGE}
    (outgoing,) = found.outgoing
    assert (outgoing.script_pubkey, outgoing.amount) == (PAYEE, 3 * COIN + 10**6)
    assert found.sent_sat == 3 * COIN + 10**6
    assert found.total_in == found.own_in == 4 * COIN
    assert found.fee_sat == psbt.fee()
    assert FeeRate(2_480) < found.feerate <= FeeRate(2_500)
    assert found.locktime == psbt.tx.lock_time
    assert {coin.place is not None for coin in found.inputs} == {True}


def test_the_same_psbt_has_the_same_digest_in_both_processes() -> None:
    psbt = payment()
    again = [Descriptor.parse(d.to_string(), REGTEST) for d in LIST]
    assert review.of(Psbt.parse(psbt.serialize()), again, REGTEST).digest == reviewed(psbt).digest
    digests = {reviewed(psbt).digest}
    tx = psbt.tx
    digests.add(reviewed(with_tx(psbt, replace(tx, lock_time=tx.lock_time - 1))).digest)
    digests.add(reviewed(with_tx(psbt, replace(tx, version=1))).digest)
    inputs = (replace(tx.inputs[0], sequence=0xFFFFFFFE), *tx.inputs[1:])
    digests.add(reviewed(with_tx(psbt, replace(tx, inputs=inputs))).digest)
    digests.add(review.of(psbt, LIST, TESTNET4).digest)
    stripped = psbt.copy()
    stripped.outputs[change_of(psbt)].bip32_derivations.clear()
    digests.add(reviewed(stripped).digest)
    assert len(digests) == 6


def test_a_foreign_output_that_claims_to_be_change_is_a_payment() -> None:
    psbt = payment()
    position = change_of(psbt)
    thief = TxOut(psbt.tx.outputs[position].value_sat, foreign_script(7))
    outputs = list(psbt.tx.outputs)
    outputs[position] = thief
    stolen = with_outputs(psbt, *outputs)
    stolen.outputs[position] = replace(psbt.outputs[position])
    found = reviewed(stolen)
    assert kinds(found) == {OutputKind.PAYMENT}
    assert len(found.outgoing) == 2


@pytest.mark.parametrize(
    "path",
    [
        (84 + 2**31, 1 + 2**31, 2**31, 2, 0),
        (84 + 2**31, 1 + 2**31, 2**31, 1, 2**31),
        (84 + 2**31, 1 + 2**31, 1 + 2**31, 1, 0),
        (84 + 2**31, 1 + 2**31, 2**31, 1, 1),
        (1, 0),
        (),
    ],
)
def test_wrong_claims_about_an_own_output_make_it_a_payment(path: tuple[int, ...]) -> None:
    psbt = payment()
    records = psbt.outputs[change_of(psbt)].bip32_derivations
    for public_key in records:
        records[public_key] = KeyPath(LIST[0].fingerprint, path)
    assert kinds(reviewed(psbt)) == {OutputKind.PAYMENT}


def with_own_output(place: ScriptPlace) -> Psbt:
    psbt = payment()
    position = change_of(psbt)
    derived = LIST[place.descriptor_index].derive(place.index, place.keychain)
    outputs = list(psbt.tx.outputs)
    outputs[position] = TxOut(outputs[position].value_sat, derived.script_pubkey)
    changed = with_outputs(psbt, *outputs)
    records = {derived.public_key: derived.key_path}
    changed.outputs[position] = replace(psbt.outputs[position], bip32_derivations=records)
    return changed


def test_an_own_output_far_beyond_the_known_ones_is_unusual() -> None:
    far = with_own_output(ScriptPlace(2, Keychain.CHANGE, 5_000_000))
    found = reviewed(far)
    assert OutputKind.OWN_UNUSUAL in kinds(found)
    assert any("so far beyond" in warning for warning in found.warnings)
    assert len(found.outgoing) == 2
    near = with_own_output(ScriptPlace(2, Keychain.CHANGE, 130))
    assert OutputKind.CHANGE in kinds(reviewed(near))
    known = {(2, Keychain.CHANGE): 29}
    assert OutputKind.OWN_UNUSUAL in kinds(reviewed(near, known_indexes=known))
    known = {(2, Keychain.CHANGE): 30}
    assert OutputKind.CHANGE in kinds(reviewed(near, known_indexes=known))


def test_an_own_receive_address_is_shown_as_own() -> None:
    found = reviewed(with_own_output(ScriptPlace(2, Keychain.RECEIVE, 8)))
    assert kinds(found) == {OutputKind.OWN, OutputKind.PAYMENT}
    assert found.sent_sat == 3 * COIN + 10**6


def test_high_fees_are_warned_of() -> None:
    psbt = payment()
    lost = with_outputs(psbt, TxOut(COIN, PAYEE))
    found = reviewed(lost)
    assert any("25 %" in warning for warning in found.warnings)
    assert any("0.1 BTC" in warning for warning in found.warnings)
    small = payment(None, Recipient(PAYEE, 20_000))
    assert reviewed(small).warnings == ("The fee is more than 1 % of the amount.",)


def test_missing_previous_transactions_are_warned_of_unless_all_is_taproot() -> None:
    psbt = payment()
    for psbt_input in psbt.inputs:
        if psbt_input.witness_utxo is not None:
            psbt_input.non_witness_utxo = None
    assert any("cannot be proved" in warning for warning in reviewed(psbt).warnings)
    taproot = funded(COIN, types=(ALL_TYPES[3],), active=0)
    psbt = payment(taproot, Recipient(PAYEE, 10**6))
    psbt.inputs[0].non_witness_utxo = None
    found = review.of(psbt, taproot.descriptors, REGTEST)
    assert found.warnings == ()


def test_unknown_or_impossible_amounts_are_refused() -> None:
    psbt = payment()
    for psbt_input in psbt.inputs:
        psbt_input.non_witness_utxo = psbt_input.witness_utxo = None
    with pytest.raises(WalletError, match="cannot be checked"):
        reviewed(psbt)
    psbt = payment()
    for outputs in ((), (TxOut(5 * COIN, PAYEE),), (TxOut(-1, PAYEE),), (TxOut(2**62, PAYEE),)):
        with pytest.raises(WalletError, match="cannot be checked"):
            reviewed(with_outputs(psbt, *outputs))
    twice = with_tx(psbt, replace(psbt.tx, inputs=(psbt.tx.inputs[0],) * len(psbt.inputs)))
    with pytest.raises(WalletError, match="same coin twice"):
        reviewed(twice)


def test_unusual_things_are_warned_of() -> None:
    psbt = payment()
    tx = psbt.tx
    cases = {
        "locked until a date": with_tx(psbt, replace(tx, lock_time=1_800_000_000)),
        "unusual sequence": with_tx(
            psbt, replace(tx, inputs=tuple(replace(i, sequence=144) for i in tx.inputs))
        ),
        "open to change": psbt.copy(),
        "already carries a signature": sign(psbt),
        "data output": with_outputs(psbt, *tx.outputs, TxOut(1, script.op_return(b"x"))),
        "no rules yet": with_outputs(
            psbt, *tx.outputs, TxOut(1, script.witness_program(2, bytes(32)))
        ),
        "no address": with_outputs(psbt, *tx.outputs, TxOut(1, b"\x51")),
    }
    cases["open to change"].inputs[0] = replace(psbt.inputs[0], sighash_type=NONE)
    for words, changed in cases.items():
        assert any(words in warning for warning in reviewed(changed).warnings), words
    usual = psbt.copy()
    usual.inputs[0] = replace(psbt.inputs[0], sighash_type=ALL)
    assert reviewed(usual).warnings == ()


def test_foreign_coins_are_told() -> None:
    psbt = payment()
    assert reviewed(psbt).warnings == ()
    found = review.of(psbt, LIST[:1], REGTEST)
    assert any("of the" in warning for warning in found.warnings)
    stranger = psbt.copy()
    for psbt_input in stranger.inputs:
        psbt_input.bip32_derivations.clear()
        psbt_input.tap_bip32_derivations.clear()
    assert any("None of the coins" in warning for warning in reviewed(stranger).warnings)
    assert reviewed(stranger).own_in == 0
