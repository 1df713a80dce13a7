from dataclasses import replace
from functools import cache
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    COIN,
    DESCRIPTORS,
    START,
    foreign_script,
    foreign_tx,
    new_wallet,
    sign,
    signed_tx,
)
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives import script
from wallet_gui.primitives.amount import MAX_MONEY, FeeRate
from wallet_gui.primitives.block import Block, BlockHeader
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.script import dust_threshold
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import BlockRef, Keychain
from wallet_gui.wallet.draft import SpendPlan, anti_sniping_lock_time
from wallet_gui.wallet.errors import (
    DustOutput,
    FeeTooHigh,
    InsufficientFunds,
    UnknownCoin,
    WalletError,
    WrongSignedPsbt,
)
from wallet_gui.wallet.signatures import Verdict, check_input
from wallet_gui.wallet.signed import finish
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

TIP = 500
RATE = FeeRate(2_500)
PAYEE = foreign_script(0)


def funded(*amounts: int, types: tuple[DescriptorType, ...] = ALL_TYPES, active: int = 2) -> Wallet:
    """Make a wallet with confirmed coins, their types in turn."""
    wallet = new_wallet(types, active)
    outputs = [
        TxOut(amount, DESCRIPTORS[types[n % len(types)]].script_pubkey(n))
        for n, amount in enumerate(amounts)
    ]
    block = Block(BlockHeader(4, bytes(32), bytes(32), START, 0, 0), (foreign_tx(1, outputs),))
    wallet.apply_block(block, 1)
    wallet.set_tip(BlockRef(TIP, bytes(32)))
    wallet.take_staged()
    return wallet


def plan_of(
    wallet: Wallet, *recipients: Recipient, rate: FeeRate = RATE, seed: int = 0
) -> SpendPlan:
    return create(wallet, recipients, rate, rng=Random(seed), tip_height=TIP)


def test_a_payment_with_change() -> None:
    wallet = funded(COIN)
    plan = plan_of(wallet, Recipient(PAYEE, 10_000_000))
    tx = plan.psbt.tx
    assert TxOut(10_000_000, PAYEE) in tx.outputs
    assert plan.change_sat == COIN - 10_000_000 - plan.fee_sat
    assert plan.fee_sat == RATE.fee(plan.vsize)
    assert plan.excess_sat == 0
    assert (tx.version, tx.inputs[0].sequence) == (2, 0xFFFFFFFD)
    place = plan.change_place
    assert place is not None
    assert (place.descriptor_index, place.keychain, place.index) == (2, Keychain.CHANGE, 0)
    assert wallet.take_staged().is_empty


def test_the_size_is_that_of_the_signed_transaction() -> None:
    for number, kind in enumerate(ALL_TYPES):
        wallet = funded(COIN, types=(kind,), active=0)
        plan = plan_of(wallet, Recipient(foreign_script(number), 10_000_000))
        # A signature is a byte shorter now and then, never longer.
        assert plan.vsize - 1 <= signed_tx(plan.psbt).vsize <= plan.vsize
    mixed = funded(*[COIN] * 8)
    plan = plan_of(mixed, Recipient(PAYEE, None))
    assert plan.vsize - 3 <= signed_tx(plan.psbt).vsize <= plan.vsize


def test_everything_goes_to_one_recipient() -> None:
    wallet = funded(COIN, COIN, 100)
    plan = plan_of(wallet, Recipient(PAYEE, None), Recipient(foreign_script(1), 5_000))
    assert plan.change_sat is None
    # The coin that costs more than it brings stays behind.
    assert len(plan.inputs) == 2
    assert plan.fee_sat == RATE.fee(plan.vsize)
    assert plan.payments_sat == 2 * COIN - plan.fee_sat


def test_chosen_coins_are_all_spent_and_no_others() -> None:
    wallet = funded(COIN, COIN, 2_000, 3_000)
    chosen = [coin.outpoint for coin in wallet.coins() if coin.value_sat < COIN]
    plan = create(
        wallet, [Recipient(PAYEE, 1_000)], FeeRate(1_000), coins=chosen, rng=Random(0),
        tip_height=TIP, allow_high_fee=True,
    )  # fmt: skip
    assert set(plan.inputs) == set(chosen)
    everything = create(
        wallet, [Recipient(PAYEE, None)], FeeRate(1_000), coins=chosen, rng=Random(0),
        tip_height=TIP, allow_high_fee=True,
    )  # fmt: skip
    assert set(everything.inputs) == set(chosen)
    with pytest.raises(InsufficientFunds):
        create(wallet, [Recipient(PAYEE, 5_000)], RATE, coins=chosen, rng=Random(0), tip_height=TIP)


def test_wrong_choices_are_refused() -> None:
    wallet = funded(COIN, COIN)
    first = wallet.coins()[0].outpoint

    def choose(*coins: OutPoint) -> None:
        create(wallet, [Recipient(PAYEE, 1_000)], RATE, coins=coins, rng=Random(0), tip_height=TIP)

    for coins, words in (
        ((), "at least one"),
        ((first, first), "twice"),
        ((OutPoint(bytes(32), 0),), "not in the wallet"),
    ):
        with pytest.raises(UnknownCoin, match=words):
            choose(*coins)
    wallet.set_frozen(first, frozen=True)
    with pytest.raises(UnknownCoin, match="frozen"):
        choose(first)


def test_frozen_immature_incoming_and_suspicious_coins_are_not_picked() -> None:
    wallet = funded(1_000_000)
    spare = foreign_tx(5, [TxOut(COIN, DESCRIPTORS[DescriptorType.TR].script_pubkey(5))])
    wallet.apply_unconfirmed(spare, START)
    mined = Transaction(
        2,
        (TxIn(OutPoint(bytes(32), 0xFFFFFFFF), b"\x01\x02"),),
        (TxOut(COIN, DESCRIPTORS[DescriptorType.TR].script_pubkey(6)),),
        0,
    )
    header = BlockHeader(4, bytes(32), bytes(32), START, 0, 1)
    wallet.apply_block(Block(header, (mined,)), TIP - 50)
    with pytest.raises(InsufficientFunds) as caught:
        plan_of(wallet, Recipient(PAYEE, 2_000_000))
    assert caught.value.available <= 1_000_000
    wallet.set_frozen(wallet.coins()[0].outpoint, frozen=True)
    with pytest.raises(InsufficientFunds):
        plan_of(wallet, Recipient(PAYEE, 1_000))
    with pytest.raises(UnknownCoin, match="100 blocks"):
        create(
            wallet, [Recipient(PAYEE, 1_000)], RATE, coins=[OutPoint(mined.txid, 0)],
            rng=Random(0), tip_height=TIP,
        )  # fmt: skip


def test_own_unconfirmed_change_is_spent() -> None:
    wallet = funded(1_000_000)
    first = signed_tx(plan_of(wallet, Recipient(PAYEE, 100_000)).psbt)
    wallet.insert_own(first, START)
    second = plan_of(wallet, Recipient(PAYEE, 200_000))
    assert second.psbt.inputs[0].non_witness_utxo == first
    assert second.change_place is not None
    assert second.change_place.index == 1


def test_reserved_change_is_not_taken_by_the_next_plan() -> None:
    wallet = funded(COIN)
    for index in range(20):
        place = plan_of(wallet, Recipient(PAYEE, 1_000_000)).change_place
        assert place is not None
        assert place.index == index
        wallet.reserve_change(place)
    # Plans that were never sent do not push change beyond the gap.
    place = plan_of(wallet, Recipient(PAYEE, 1_000_000)).change_place
    assert place is not None
    assert place.index == 0


def test_wrong_recipients_are_refused() -> None:
    wallet = funded(COIN)
    for recipients, words in (
        ([], "at least one"),
        ([Recipient(PAYEE, 1_000)] * 1_001, "at most"),
        ([Recipient(PAYEE, None)] * 2, "Only one"),
        ([Recipient(PAYEE, MAX_MONEY)] * 2, "more bitcoins"),
    ):
        with pytest.raises(WalletError, match=words):
            plan_of(wallet, *recipients)
    for amount in (0, -1, dust_threshold(PAYEE) - 1):
        with pytest.raises(DustOutput):
            plan_of(wallet, Recipient(PAYEE, amount))
    with pytest.raises(WalletError, match=r"at least 0\.1 sat/vB"):
        plan_of(wallet, Recipient(PAYEE, 1_000), rate=FeeRate(99))
    with pytest.raises(InsufficientFunds):
        plan_of(wallet, Recipient(PAYEE, COIN))
    with pytest.raises(InsufficientFunds):
        plan_of(funded(200), Recipient(PAYEE, None))


def test_data_outputs_may_be_empty_of_value() -> None:
    plan = plan_of(funded(COIN), Recipient(script.op_return(b"hi"), 0), Recipient(PAYEE, 10**6))
    assert TxOut(0, script.op_return(b"hi")) in plan.psbt.tx.outputs


def test_high_fees_need_the_override() -> None:
    wallet = funded(COIN)
    small = Recipient(PAYEE, 1_000)
    with pytest.raises(FeeTooHigh, match="25 %"):
        plan_of(wallet, small)
    plan = create(wallet, [small], RATE, rng=Random(0), tip_height=TIP, allow_high_fee=True)
    assert plan.notes == ("The fee is more than 1 % of the amount.",)
    with pytest.raises(FeeTooHigh, match=r"0\.1 BTC"):
        plan_of(wallet, Recipient(PAYEE, COIN // 2), rate=FeeRate(10_000_001))
    assert plan_of(wallet, Recipient(PAYEE, COIN // 2)).notes == ()


def test_change_that_is_not_worth_its_cost_goes_to_the_fee_and_is_told() -> None:
    wallet = funded(1_000_000, types=(DescriptorType.WPKH,), active=0)
    plan = plan_of(wallet, Recipient(PAYEE, 1_000_000 - 700))
    assert plan.change_sat is None
    assert plan.fee_sat == 700
    assert plan.excess_sat == 700 - RATE.fee(plan.vsize)


def test_change_takes_any_position() -> None:
    wallet = funded(COIN)
    positions = set()
    for seed in range(20):
        plan = plan_of(wallet, Recipient(PAYEE, 10**6), Recipient(PAYEE, 10**6), seed=seed)
        scripts = [output.script_pubkey for output in plan.psbt.tx.outputs]
        positions.add(next(n for n, found in enumerate(scripts) if found != PAYEE))
    assert positions == {0, 1, 2}


def test_lookalikes_of_addresses_in_the_history_are_noted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wallet = funded(COIN)
    known = wallet.coins()[0].script_pubkey
    plan = plan_of(wallet, Recipient(known, 10**6))
    assert plan.notes == ()
    # A real pair would take 2**40 tries to find; the comparison itself has its own test.
    monkeypatch.setattr(Wallet, "lookalike", lambda _self, address: f"alike {address}")
    (note,) = plan_of(wallet, Recipient(known, 10**6)).notes
    assert "Compare every character" in note


def test_the_lock_time_is_the_tip_or_a_little_back() -> None:
    rng = Random(7)
    drawn = [anti_sniping_lock_time(1_000, rng) for _ in range(2_000)]
    assert max(drawn) == 1_000
    assert min(drawn) > 1_000 - 100
    assert 0.07 < sum(height < 1_000 for height in drawn) / 2_000 < 0.13
    assert {anti_sniping_lock_time(0, rng) for _ in range(50)} == {0}
    assert min(anti_sniping_lock_time(5, rng) for _ in range(500)) == 0


def test_the_psbt_lets_any_signer_check_everything() -> None:
    wallet = funded(COIN, COIN, COIN, COIN)
    psbt = plan_of(wallet, Recipient(PAYEE, 4 * COIN - 20_000_000)).psbt
    again = Psbt.parse(psbt.serialize())
    assert again == psbt
    kinds = set()
    for index, psbt_input in enumerate(psbt.inputs):
        psbt.check_scripts(index)
        kind = script.classify(psbt.utxo(index).script_pubkey)
        kinds.add(kind)
        assert psbt_input.non_witness_utxo is not None
        assert (psbt_input.witness_utxo is None) == (kind is script.ScriptType.P2PKH)
        assert bool(psbt_input.tap_bip32_derivations) == (kind is script.ScriptType.P2TR)
        assert bool(psbt_input.bip32_derivations) != (kind is script.ScriptType.P2TR)
    assert len(kinds) == 4
    own = [output.bip32_derivations for output in psbt.outputs]
    assert sorted(map(len, own)) == [0, 1]


def test_a_signed_payment_is_checked_and_finished() -> None:
    wallet = funded(COIN, COIN, COIN, COIN)
    plan = plan_of(wallet, Recipient(PAYEE, 4 * COIN - 20_000_000))
    tx = finish(plan.psbt, Psbt.parse(sign(plan.psbt).to_base64()))
    assert tx.outputs == plan.psbt.tx.outputs
    finalized = finish(plan.psbt, sign(plan.psbt).finalize())
    assert finalized == tx
    wallet.insert_own(tx, START)
    assert wallet.balance().total == plan.change_sat


def test_another_payment_than_asked_for_is_refused() -> None:
    wallet = funded(COIN)
    plan = plan_of(wallet, Recipient(PAYEE, 10**6))
    other = plan_of(wallet, Recipient(PAYEE, 10**6 + 1))
    with pytest.raises(WrongSignedPsbt, match="not the one"):
        finish(plan.psbt, sign(other.psbt))
    with pytest.raises(WrongSignedPsbt, match="not completely signed"):
        finish(plan.psbt, plan.psbt)


def test_wrong_signatures_are_refused() -> None:
    wallet = funded(COIN, COIN, COIN, COIN)
    plan = plan_of(wallet, Recipient(PAYEE, None))
    good = sign(plan.psbt)
    for index, psbt_input in enumerate(good.inputs):
        bad = good.copy()
        broken = bad.inputs[index]
        if psbt_input.tap_key_sig is not None:
            broken.tap_key_sig = bytes(32) + psbt_input.tap_key_sig[32:]
        else:
            ((key, signature),) = psbt_input.partial_sigs.items()
            flipped = signature[:20] + bytes([signature[20] ^ 1]) + signature[21:]
            broken.partial_sigs = {key: flipped}
        with pytest.raises(WrongSignedPsbt):
            finish(plan.psbt, bad)


def test_signatures_that_leave_parts_open_are_refused() -> None:
    wallet = funded(COIN, types=(DescriptorType.WPKH,), active=0)
    plan = plan_of(wallet, Recipient(PAYEE, 10**6))
    bad = sign(plan.psbt)
    ((key, signature),) = bad.inputs[0].partial_sigs.items()
    final = sign(plan.psbt).finalize()
    final.inputs[0].final_script_witness = (signature[:-1] + b"\x81", key)
    with pytest.raises(WrongSignedPsbt, match="open to change"):
        finish(plan.psbt, final)


def test_inputs_of_other_kinds_are_not_judged() -> None:
    tx = foreign_tx(1, [TxOut(1, PAYEE)])
    assert check_input(tx, 0, [None]) is Verdict.UNKNOWN
    assert check_input(tx, 0, [TxOut(1, b"\x51")]) is Verdict.UNKNOWN
    odd = replace(tx, inputs=(replace(tx.inputs[0], script_sig=b"\x01\x51", witness=()),))
    assert check_input(odd, 0, [TxOut(1, script.p2sh(hash160(b"\x51")))]) is Verdict.UNKNOWN
    # Its script must hash to what the coin says (BIP16), whatever it does.
    assert check_input(odd, 0, [TxOut(1, script.p2sh(bytes(20)))]) is Verdict.INVALID
    assert check_input(tx, 0, [TxOut(1, script.p2sh(bytes(20)))]) is Verdict.INVALID
    assert check_input(tx, 0, [TxOut(1, script.p2wpkh(bytes(20)))]) is Verdict.INVALID
    assert check_input(tx, 0, [TxOut(1, script.p2pkh(bytes(20)))]) is Verdict.INVALID
    assert check_input(tx, 0, [TxOut(1, script.p2tr(bytes(32)))]) is Verdict.UNKNOWN
    bare = Transaction(2, (replace(tx.inputs[0], witness=()),), tx.outputs, 0)
    assert check_input(bare, 0, [TxOut(1, script.p2tr(bytes(32)))]) is Verdict.INVALID
    short = Transaction(2, (replace(tx.inputs[0], witness=(b"x",)),), tx.outputs, 0)
    assert check_input(short, 0, [TxOut(1, script.p2tr(bytes(32)))]) is Verdict.INVALID


@cache
def random_wallet(seed: int) -> Wallet:
    rng = Random(seed)
    return funded(*[rng.randrange(200, 10**7) for _ in range(30)])


@settings(deadline=None, max_examples=120)
@given(
    seed=st.integers(0, 2),
    amounts=st.lists(st.integers(330, 4 * 10**6), min_size=1, max_size=6),
    rate=st.integers(100, 150_000),
    rest=st.sampled_from(([], [Recipient(PAYEE, None)])),
    draw=st.integers(0, 9),
)
def test_amounts_add_up_exactly_and_the_fee_is_what_was_asked_for(
    seed: int,
    amounts: list[int],
    rate: int,
    rest: list[Recipient],
    draw: int,
) -> None:
    wallet = random_wallet(seed)
    recipients = [Recipient(foreign_script(3 * n + 1), a) for n, a in enumerate(amounts)]
    recipients += rest
    spendable = sum(coin.value_sat for coin in wallet.coins())
    try:
        plan = create(
            wallet, recipients, FeeRate(rate), rng=Random(draw), tip_height=TIP,
            allow_high_fee=True,
        )  # fmt: skip
    except InsufficientFunds:
        # Nothing is said to lack while every coin could pay its own way thrice over.
        assert sum(amounts) + 30 * 3 * FeeRate(rate).fee(148) > spendable
        return
    tx = plan.psbt.tx
    values = {coin.outpoint: coin.value_sat for coin in wallet.coins()}
    total_in = sum(values[tx_in.prevout] for tx_in in tx.inputs)
    total_out = sum(output.value_sat for output in tx.outputs)
    assert total_in == total_out + plan.fee_sat == plan.psbt.fee() + total_out
    assert plan.fee_sat == FeeRate(rate).fee(plan.vsize) + plan.excess_sat
    assert plan.excess_sat >= 0
    if plan.change_sat is not None:
        assert plan.excess_sat == 0
    paid = [output.value_sat for output in tx.outputs]
    for amount in amounts:
        paid.remove(amount)
    assert len(paid) == len(rest) + int(plan.change_sat is not None)
    for output in tx.outputs:
        assert output.value_sat >= dust_threshold(output.script_pubkey)
        assert type(output.value_sat) is int


def test_more_coins_than_a_payment_carries_are_refused() -> None:
    wallet = funded(*[10_000] * 1_800, types=(DescriptorType.WPKH,), active=0)
    with pytest.raises(WalletError, match="cannot carry them all"):
        plan_of(wallet, Recipient(PAYEE, None))
    with pytest.raises(WalletError, match="Choose fewer"):
        create(
            wallet,
            [Recipient(PAYEE, 10_000)],
            FeeRate(1_000),
            coins=[coin.outpoint for coin in wallet.coins()],
            rng=Random(0),
            tip_height=TIP,
        )
    largest = plan_of(wallet, Recipient(PAYEE, 10_000 * 1_300))
    assert largest.vsize <= 100_000
