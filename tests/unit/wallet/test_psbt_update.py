"""The updater fills in what a bare PSBT lacks, and finds the lies in one that says too much."""

import dataclasses

import pytest

from tests.unit.wallet.chain_world import COIN, sign
from tests.unit.wallet.test_spend import PAYEE, funded, plan_of
from wallet_gui.primitives.psbt import KeyPath, Psbt
from wallet_gui.primitives.transaction import OutPoint, TxIn, TxOut
from wallet_gui.wallet.errors import WalletError
from wallet_gui.wallet.psbt_update import update
from wallet_gui.wallet.signed import finish
from wallet_gui.wallet.spend import Recipient
from wallet_gui.wallet.wallet import Wallet


def planned() -> tuple[Wallet, Psbt]:
    wallet = funded(COIN, COIN, COIN, COIN)
    return wallet, plan_of(wallet, Recipient(PAYEE, 3 * COIN + COIN // 2)).psbt


def test_a_bare_psbt_gets_all_that_a_signer_needs() -> None:
    wallet, psbt = planned()
    bare = Psbt.from_unsigned_tx(psbt.tx)
    bare.unknown[b"\xf0"] = b"kept"
    updated = update(wallet, bare)
    assert updated.unknown == bare.unknown
    assert (updated.inputs, updated.outputs) == (psbt.inputs, psbt.outputs)
    assert update(wallet, updated) == updated
    assert not bare.inputs[0].has_utxo
    signed = sign(updated)
    assert finish(psbt, signed) == finish(updated, signed)


def test_version_2_stays_as_it_is_but_for_what_is_added() -> None:
    wallet, psbt = planned()
    bare = Psbt.from_unsigned_tx(psbt.tx).to_version(2)
    bare.modifiable = 3
    updated = update(wallet, bare)
    assert (updated.version, updated.modifiable) == (2, 3)
    assert updated.to_version(0).inputs == psbt.inputs
    assert Psbt.parse(updated.serialize()) == updated


def test_others_coins_are_left_as_they_are() -> None:
    wallet, psbt = planned()
    foreign = TxIn(OutPoint(b"\x09" * 32, 3))
    inputs = (*psbt.tx.inputs[:-1], foreign)
    mixed = Psbt.from_unsigned_tx(dataclasses.replace(psbt.tx, inputs=inputs))
    updated = update(wallet, mixed)
    assert not updated.inputs[-1].has_utxo
    assert updated.inputs[:-1] == psbt.inputs[:-1]


def test_a_final_input_gets_only_what_it_spends() -> None:
    wallet, psbt = planned()
    final = sign(psbt).finalize()
    stripped = final.copy()
    stripped.inputs[0].non_witness_utxo = None
    assert update(wallet, stripped).inputs[0] == final.inputs[0]


def test_lies_about_our_coins_are_found() -> None:
    wallet, psbt = planned()
    for lie in (
        {"witness_utxo": TxOut(COIN + 1, psbt.utxo(0).script_pubkey)},
        {"redeem_script": b"\x51", "non_witness_utxo": None},
        {"tap_internal_key": bytes(32)},
        {"bip32_derivations": {key: KeyPath(bytes(4), ()) for key in derivations(psbt)}},
    ):
        evil = psbt.copy()
        for index in range(len(evil.inputs)):
            for name, value in lie.items():
                setattr(evil.inputs[index], name, value)
        with pytest.raises(WalletError, match="says something else about the wallet's coins"):
            update(wallet, evil)


def derivations(psbt: Psbt) -> list[bytes]:
    return [key for item in psbt.inputs for key in item.bip32_derivations]
