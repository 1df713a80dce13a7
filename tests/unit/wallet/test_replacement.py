from random import Random

import pytest

from tests.unit.wallet.chain_world import (
    COIN,
    START,
    foreign_script,
    foreign_tx,
    new_wallet,
    signed_tx,
)
from tests.unit.wallet.test_spend import TIP, funded
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.block import Block, BlockHeader
from wallet_gui.primitives.script import dust_threshold
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.changes import BlockRef, Keychain, TxReplaced
from wallet_gui.wallet.errors import FeeTooHigh, InsufficientFunds, NotReplaceable
from wallet_gui.wallet.replacement import accelerate, bump, cancel, least_bump_rate
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

PAYEE = foreign_script(0)
SLOW, FAST = FeeRate(2_000), FeeRate(10_000)
WPKH_ONLY = (DescriptorType.WPKH,)


def sent(
    wallet: Wallet, *recipients: Recipient, coins: list[OutPoint] | None = None
) -> Transaction:
    plan = create(
        wallet, recipients, SLOW, coins=coins, rng=Random(0), tip_height=TIP, allow_high_fee=True
    )
    tx = signed_tx(plan.psbt)
    wallet.insert_own(tx, START)
    return tx


def test_a_bump_keeps_the_payments_and_takes_the_fee_from_the_change() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 10**6), Recipient(foreign_script(1), 10**6))
    plan = bump(wallet, old.txid, FAST, rng=Random(0), tip_height=TIP)
    new = plan.psbt.tx
    assert [o.script_pubkey for o in new.outputs] == [o.script_pubkey for o in old.outputs]
    changed = [n for n, o in enumerate(new.outputs) if o != old.outputs[n]]
    assert len(changed) == 1
    assert plan.inputs == tuple(i.prevout for i in old.inputs)
    assert plan.fee_sat == FAST.fee(plan.vsize)
    assert (plan.replaces, plan.payments_sat, plan.change_place) == (old.txid, 2 * 10**6, None)
    signed = signed_tx(plan.psbt)
    assert TxReplaced(old.txid, signed.txid) in wallet.insert_own(signed, START + 1)
    assert wallet.balance().total == COIN - 2 * 10**6 - plan.fee_sat


def test_a_bump_pays_at_least_the_relay_fee_for_itself() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 10**6))
    old_fee = COIN - sum(o.value_sat for o in old.outputs)
    plan = bump(wallet, old.txid, FeeRate(2_050), rng=Random(0), tip_height=TIP)
    assert plan.fee_sat >= old_fee + plan.vsize
    least = least_bump_rate(wallet, old.txid)
    assert bump(wallet, old.txid, least, rng=Random(0), tip_height=TIP).fee_sat <= (
        least.fee(plan.vsize) + 1
    )
    with pytest.raises(NotReplaceable, match="already pays"):
        bump(wallet, old.txid, FeeRate(1_999), rng=Random(0), tip_height=TIP)


def test_a_bump_adds_confirmed_coins_when_the_change_does_not_suffice() -> None:
    wallet = funded(100_000, 500_000, types=WPKH_ONLY, active=0)
    small = next(c.outpoint for c in wallet.coins() if c.value_sat == 100_000)
    wallet.apply_unconfirmed(
        foreign_tx(9, [TxOut(COIN, wallet.descriptors[0].script_pubkey(9))]), START
    )
    old = sent(wallet, Recipient(PAYEE, 98_000), coins=[small])
    plan = bump(wallet, old.txid, FeeRate(20_000), rng=Random(0), tip_height=TIP)
    assert len(plan.inputs) == 2
    assert TxOut(98_000, PAYEE) in plan.psbt.tx.outputs
    assert plan.change_sat == 600_000 - 98_000 - plan.fee_sat
    place = plan.change_place
    assert place is None or place.keychain is Keychain.CHANGE


def test_change_too_small_to_keep_goes_to_the_fee_of_the_bump() -> None:
    wallet = funded(100_000, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 95_000))
    plan = bump(wallet, old.txid, FeeRate(40_000), rng=Random(0), tip_height=TIP)
    assert plan.change_sat is None
    assert plan.fee_sat == 5_000
    assert 0 <= plan.excess_sat < 40 * 40
    with pytest.raises(InsufficientFunds):
        bump(wallet, old.txid, FeeRate(60_000), rng=Random(0), tip_height=TIP)


def test_a_consolidation_gives_way_itself() -> None:
    wallet = funded(100_000, 200_000, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(wallet.next_address()[1], None))
    plan = bump(wallet, old.txid, FAST, rng=Random(0), tip_height=TIP)
    assert len(plan.psbt.tx.outputs) == 1
    assert plan.payments_sat == 0
    assert plan.fee_sat == FAST.fee(plan.vsize)


def test_what_cannot_be_replaced_is_refused() -> None:
    wallet = funded(COIN, COIN, types=WPKH_ONLY, active=0)
    incoming = foreign_tx(3, [TxOut(70_000, wallet.descriptors[0].script_pubkey(7))])
    wallet.apply_unconfirmed(incoming, START)
    old = sent(wallet, Recipient(PAYEE, 10**6), coins=[wallet.coins()[0].outpoint])
    change = next(c.outpoint for c in wallet.coins() if c.is_own_change)
    child = sent(wallet, Recipient(PAYEE, 10**6), coins=[change])
    for txid, words in (
        (bytes(32), "not in the wallet"),
        (incoming.txid, "coins of others"),
        (old.txid, "spends the change"),
    ):
        for act in (bump, cancel):
            with pytest.raises(NotReplaceable, match=words):
                act(wallet, txid, FAST, rng=Random(0), tip_height=TIP)
    replacement = signed_tx(bump(wallet, child.txid, FAST, rng=Random(0), tip_height=TIP).psbt)
    wallet.insert_own(replacement, START)
    with pytest.raises(NotReplaceable, match="already replaced"):
        bump(wallet, child.txid, FAST, rng=Random(0), tip_height=TIP)
    header = BlockHeader(4, bytes(32), bytes(32), START, 0, 5)
    wallet.apply_block(Block(header, (old, replacement)), 2)
    with pytest.raises(NotReplaceable, match="already confirmed"):
        bump(wallet, replacement.txid, FAST, rng=Random(0), tip_height=TIP)
    with pytest.raises(NotReplaceable, match="waits for its first block"):
        accelerate(wallet, replacement.txid, FAST, rng=Random(0), tip_height=TIP)


def test_a_fee_that_looks_like_a_mistake_needs_the_override() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 10_000))
    for act in (bump, accelerate):
        with pytest.raises(FeeTooHigh):
            act(wallet, old.txid, FeeRate(10**8 + 1), rng=Random(0), tip_height=TIP)
    plan = bump(
        wallet, old.txid, FeeRate(30_000), rng=Random(0), tip_height=TIP, allow_high_fee=True
    )
    assert plan.notes


def test_a_cancelled_payment_comes_back_to_our_change() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 10**6))
    plan = cancel(wallet, old.txid, FAST, rng=Random(0), tip_height=TIP)
    (output,) = plan.psbt.tx.outputs
    assert output.script_pubkey in {o.script_pubkey for o in old.outputs}
    assert plan.change_sat == output.value_sat == COIN - plan.fee_sat
    wallet.insert_own(signed_tx(plan.psbt), START + 1)
    assert wallet.balance().total == COIN - plan.fee_sat
    everything = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(everything, Recipient(PAYEE, None))
    plan = cancel(everything, old.txid, FAST, rng=Random(0), tip_height=TIP)
    place = plan.change_place
    assert place is not None
    assert everything.script_at(place) == plan.psbt.tx.outputs[0].script_pubkey


def test_a_payment_too_small_to_come_back_cannot_be_cancelled() -> None:
    wallet = funded(2_000, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, None))
    with pytest.raises(InsufficientFunds):
        cancel(
            wallet, old.txid, FeeRate(20_000), rng=Random(0), tip_height=TIP, allow_high_fee=True
        )


def test_a_child_pays_for_its_parent() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    parent = sent(wallet, Recipient(PAYEE, 10**6))
    parent_fee = COIN - sum(o.value_sat for o in parent.outputs)
    plan = accelerate(wallet, parent.txid, FAST, rng=Random(0), tip_height=TIP)
    together = FeeRate.of(plan.fee_sat + parent_fee, plan.vsize + parent.vsize)
    assert FAST <= together < FeeRate(10_010)
    assert all(o.value_sat >= dust_threshold(o.script_pubkey) for o in plan.psbt.tx.outputs)
    wallet.insert_own(signed_tx(plan.psbt), START)
    grandchild_parent = wallet.pending_own()[1]
    again = accelerate(
        wallet, grandchild_parent.txid, FeeRate(20_000), rng=Random(0), tip_height=TIP
    )
    package = parent.vsize + grandchild_parent.vsize + again.vsize
    fees = parent_fee + plan.fee_sat + again.fee_sat
    assert FeeRate(20_000) <= FeeRate.of(fees, package) < FeeRate(20_020)


def test_a_child_lifts_an_incoming_payment_whose_fee_is_unknown() -> None:
    wallet = new_wallet()
    incoming = foreign_tx(3, [TxOut(70_000, wallet.descriptors[0].script_pubkey(7))])
    wallet.apply_unconfirmed(incoming, START)
    plan = accelerate(wallet, incoming.txid, FAST, rng=Random(0), tip_height=TIP)
    assert plan.fee_sat == FAST.fee(plan.vsize + incoming.vsize)
    tiny = foreign_tx(4, [TxOut(1_000, wallet.descriptors[0].script_pubkey(8))])
    wallet.apply_unconfirmed(tiny, START)
    with pytest.raises(InsufficientFunds):
        accelerate(wallet, tiny.txid, FAST, rng=Random(0), tip_height=TIP)
    wallet.set_frozen(OutPoint(incoming.txid, 0), frozen=True)
    with pytest.raises(NotReplaceable, match="left to be spent"):
        accelerate(wallet, incoming.txid, FAST, rng=Random(0), tip_height=TIP)


def test_a_fast_payment_needs_no_child() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    parent = sent(wallet, Recipient(PAYEE, 10**6))
    with pytest.raises(NotReplaceable, match="already pays at least"):
        accelerate(wallet, parent.txid, FeeRate(1_000), rng=Random(0), tip_height=TIP)


def test_a_confirmed_rival_keeps_its_place_when_the_tip_moves() -> None:
    wallet = funded(COIN, types=WPKH_ONLY, active=0)
    old = sent(wallet, Recipient(PAYEE, 10**6))
    new = signed_tx(bump(wallet, old.txid, FAST, rng=Random(0), tip_height=TIP).psbt)
    wallet.insert_own(new, START)
    header = BlockHeader(4, bytes(32), bytes(32), START, 0, 5)
    # The miner had not seen the replacement.
    wallet.apply_block(Block(header, (old,)), 2)
    wallet.set_tip(BlockRef(TIP + 1, bytes(32)))
    by_id = {entry.txid: entry for entry in wallet.history()}
    assert by_id[new.txid].replaced_by == old.txid
    assert by_id[old.txid].height == 2
