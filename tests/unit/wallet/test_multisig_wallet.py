"""A multisig wallet watches, weighs and describes its payments; cosigners complete them."""

from dataclasses import replace

import pytest

from tests.unit.descriptors.cosigners import COSIGNERS, ROOTS, wallet_of
from tests.unit.wallet.chain_world import COIN, DESCRIPTORS, block_of, coinbase, foreign_script
from tests.unit.wallet.shared_wallet import describe, funded, plan, sign_as
from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType, MultisigType
from wallet_gui.primitives import base58
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.wallet import psbt_roles, review
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.draft import check_signs_alone
from wallet_gui.wallet.errors import CosignersNeeded
from wallet_gui.wallet.review import OutputKind
from wallet_gui.wallet.signatures import Verdict, check_input
from wallet_gui.wallet.signed import finish
from wallet_gui.wallet.wallet import Wallet

KINDS = list(MultisigType)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("required", "total"), [(1, 2), (2, 3), (3, 5), (15, 15)])
def test_cosigners_complete_a_payment(kind: MultisigType, required: int, total: int) -> None:
    descriptor = wallet_of(kind, required, total)
    wallet = funded(descriptor)
    planned = plan(wallet)
    asked = planned.psbt
    signers = range(total - required, total)
    in_turn = asked
    for number in signers:
        assert number == signers[0] or not any(p.is_final for p in in_turn.inputs)
        in_turn = sign_as(in_turn, number, wallet.descriptors)
    apart = psbt_roles.combine([sign_as(asked, n, wallet.descriptors) for n in reversed(signers)])
    assert apart.serialize() == in_turn.serialize()
    tx = finish(asked, in_turn)
    spent = [asked.utxo(index) for index in range(len(asked.inputs))]
    assert all(check_input(tx, i, spent) is Verdict.VALID for i in range(len(tx.inputs)))
    # The plan is for signatures of 72 bytes; ours have 71 or, rarely, a little less.
    spare = planned.vsize * 4 - tx.weight
    per_signature = 4 if kind is MultisigType.SH else 1
    signatures = required * len(tx.inputs)
    assert per_signature * signatures <= spare <= per_signature * signatures * 3 + 3 + 8
    assert wallet.apply_unconfirmed(tx, 5)
    assert wallet.balance().total == 3 * COIN - planned.payments_sat - planned.fee_sat


@pytest.mark.parametrize("kind", KINDS)
def test_a_psbt_describes_everything_that_cosigners_check(kind: MultisigType) -> None:
    descriptor = wallet_of(kind, 2, 3)
    wallet = funded(descriptor)
    psbt = Psbt.parse(plan(wallet).psbt.serialize())
    for part, tx_in in zip(psbt.inputs, psbt.tx.inputs, strict=True):
        coin = wallet.owned_output(tx_in.prevout)
        assert coin is not None
        derived = descriptor.derive(coin.place.index, coin.place.keychain)
        assert part.bip32_derivations == dict(derived.keys)
        assert part.redeem_script == derived.redeem_script
        assert part.witness_script == derived.witness_script
        assert part.non_witness_utxo is not None
        assert (part.witness_utxo is None) is (kind is MultisigType.SH)
    change = [part for part in psbt.outputs if part.bip32_derivations]
    assert len(change) == 1
    assert len(change[0].bip32_derivations) == 3
    assert change[0].witness_script or change[0].redeem_script
    expected = {
        base58.decode_check(str(xpub)): (origin.fingerprint, origin.path)
        for origin, xpub in COSIGNERS[:3]
    }
    assert {k: (v.fingerprint, v.path) for k, v in psbt.xpubs.items()} == expected


def test_keys_without_an_origin_are_watched_and_named_by_themselves() -> None:
    descriptor = Descriptor.multisig(
        MultisigType.WSH, REGTEST, 2, [(None, COSIGNERS[0][1]), *COSIGNERS[1:3]]
    )
    wallet = funded(descriptor)
    psbt = plan(wallet).psbt
    assert len(psbt.xpubs) == 2
    fingerprints = {path.fingerprint for path in psbt.inputs[0].bip32_derivations.values()}
    assert COSIGNERS[0][1].fingerprint in fingerprints
    assert review.of(psbt, wallet.descriptors, REGTEST).own_in == sum(
        psbt.utxo(i).value_sat for i in range(len(psbt.inputs))
    )


def test_the_review_finds_change_by_deriving_it() -> None:
    wallet = funded(wallet_of(MultisigType.WSH, 2, 3))
    psbt = plan(wallet).psbt
    found = review.of(psbt, wallet.descriptors, REGTEST)
    kinds = sorted(output.kind.value for output in found.payments)
    assert kinds == ["change", "payment"]
    assert found.warnings == ()
    # Another threshold, another key: the same claims are worth nothing.
    for other in (wallet_of(MultisigType.WSH, 1, 3), wallet_of(MultisigType.WSH, 2, 4)):
        foreign = review.of(psbt, [other], REGTEST)
        assert {output.kind for output in foreign.payments} == {OutputKind.PAYMENT}
        assert "None of the coins" in foreign.warnings[0]


def test_a_spend_of_an_unknown_coin_is_recognised_by_its_script() -> None:
    descriptor = wallet_of(MultisigType.WSH, 2, 3)
    payer = funded(descriptor)
    asked = plan(payer).psbt
    tx = finish(asked, sign_as(sign_as(asked, 0, (descriptor,)), 1, (descriptor,)))
    stranger = Transaction(2, tx.inputs, (TxOut(1, foreign_script(3)),), 0)
    fresh = Wallet(describe(descriptor), REGTEST)
    assert fresh.is_relevant(stranger)
    block = block_of([coinbase(5, 0, [TxOut(0, foreign_script(0))]), stranger], bytes(32), 5)
    assert [
        tx.txid
        for _, tx in block.candidates(
            fresh.watch_scripts(), frozenset(), fresh._watch.public_keys()
        )
    ] == [stranger.txid]


def test_single_and_shared_descriptors_in_one_wallet() -> None:
    shared = wallet_of(MultisigType.SH, 2, 2)
    single = DESCRIPTORS[DescriptorType.WPKH]
    wallet = funded(shared, single, coins=2)
    assert wallet.balance().total == 4 * COIN
    # Everything at once: an input without a witness beside those with one.
    planned = plan(wallet, None)
    weight = planned.psbt.tx.stripped_size
    assert planned.vsize > weight
    assert len(planned.psbt.inputs) == 4
    assert wallet.next_change().keychain is Keychain.CHANGE


def test_a_payment_that_needs_cosigners_is_not_signed_alone() -> None:
    for required, own, is_alone in ((2, 1, False), (1, 1, True)):
        descriptor = wallet_of(MultisigType.WSH, required, 3)
        fingerprint = ROOTS[0].fingerprint.hex()
        description = replace(describe(descriptor), has_secrets=True, fingerprint=fingerprint)
        wallet = Wallet(description, REGTEST)
        assert sum(k.fingerprint == ROOTS[0].fingerprint for k in descriptor.keys) == own
        if is_alone:
            check_signs_alone(wallet)
        else:
            with pytest.raises(CosignersNeeded, match="signatures of 2 keys"):
                check_signs_alone(wallet)
    # Whoever only watches is told so by the vault.
    check_signs_alone(funded(wallet_of(MultisigType.WSH, 2, 3)))


def test_labels_name_the_wallet_without_its_keys() -> None:
    wallet = funded(wallet_of(MultisigType.WSH, 2, 3))
    wallet.set_label("tx", "aa" * 32, "rent")
    (line,) = wallet.export_labels()
    assert "sortedmulti(2,[" in line
    assert "tpub" not in line
    assert all(root.fingerprint.hex() in line for root in ROOTS[:3])


def test_descriptors_without_two_chains_are_refused() -> None:
    text = str(wallet_of(MultisigType.WSH, 2, 3)).partition("#")[0].replace("/<0;1>/*", "/0/*", 1)
    with pytest.raises(ValueError, match="receive and a change chain"):
        Wallet(describe(Descriptor.parse(text, REGTEST)), REGTEST)
