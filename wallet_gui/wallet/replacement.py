"""Speeding up and taking back what is not confirmed yet: RBF bump, cancel, child pays for parent.

The rules are those of BIP125 as Core applies them (doc/policy/mempool-replacements.md): a
replacement pays a higher rate, at least the fees of everything it evicts plus the incremental
relay fee for its own size, and adds only confirmed coins. Core 28 and later replace whether or not
the old transaction signals it.
"""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.script import dust_threshold
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut
from wallet_gui.wallet.changes import Keychain
from wallet_gui.wallet.draft import (
    Frame,
    SpendPlan,
    anti_sniping_lock_time,
    check_fee,
    check_fee_rate,
    owned,
    unsigned_psbt,
)
from wallet_gui.wallet.errors import InsufficientFunds, NotReplaceable, WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.ledger import OwnedOutput
from wallet_gui.wallet.tx_graph import Standing
from wallet_gui.wallet.wallet import Wallet

INCREMENTAL_RELAY_FEE = FeeRate(1_000)


def bump(
    wallet: Wallet,
    txid: bytes,
    fee_rate: FeeRate,
    *,
    rng: Random,
    tip_height: int,
    allow_high_fee: bool = False,
) -> SpendPlan:
    """Plan the same payments at a higher fee rate.

    What others get does not change. The fee comes out of our change (without change: out of an
    output to ourselves); when that does not suffice, confirmed coins are added. Raises
    NotReplaceable, InsufficientFunds, FeeTooHigh, WalletError.
    """
    tx, old_fee = _replaceable(wallet, txid)
    check_fee_rate(fee_rate)
    _check_faster(tx, old_fee, fee_rate)
    flexible = _flexible_output(wallet, tx)
    fixed = [o for position, o in enumerate(tx.outputs) if position != flexible]
    if flexible is not None:
        script, place = tx.outputs[flexible].script_pubkey, None
    else:
        place = wallet.next_change()
        script = wallet.script_at(place)
    outgoing = [o for o in fixed if wallet.place_of(o.script_pubkey) is None]
    plan = _replacement(
        wallet, tx, old_fee, fee_rate, fixed, script, rng=rng, tip_height=tip_height
    )
    payments_sat = sum(o.value_sat for o in outgoing)
    notes = check_fee(plan.fee_sat, plan.vsize, payments_sat, allow_high_fee=allow_high_fee)
    used_place = place if plan.change_sat is not None else None
    return replace(plan, payments_sat=payments_sat, notes=notes, change_place=used_place)


def cancel(
    wallet: Wallet,
    txid: bytes,
    fee_rate: FeeRate,
    *,
    rng: Random,
    tip_height: int,
    allow_high_fee: bool = False,
) -> SpendPlan:
    """Plan a transaction that spends the same coins back to us at a higher fee rate.

    Raises NotReplaceable, InsufficientFunds, FeeTooHigh, WalletError.
    """
    tx, old_fee = _replaceable(wallet, txid)
    check_fee_rate(fee_rate)
    _check_faster(tx, old_fee, fee_rate)
    place: ScriptPlace | None = None
    script = _change_script(wallet, tx)
    if script is None:
        place = wallet.next_change()
        script = wallet.script_at(place)
    plan = _replacement(wallet, tx, old_fee, fee_rate, [], script, rng=rng, tip_height=tip_height)
    back = plan.change_sat or 0
    notes = check_fee(plan.fee_sat, plan.vsize, back, allow_high_fee=allow_high_fee)
    return replace(plan, notes=notes, change_place=place)


def accelerate(
    wallet: Wallet,
    txid: bytes,
    fee_rate: FeeRate,
    *,
    rng: Random,
    tip_height: int,
    allow_high_fee: bool = False,
) -> SpendPlan:
    """Plan a child that pays for its parent: one that lifts both together to `fee_rate`.

    It spends our outputs of the pending transaction to our change. Unconfirmed ancestors are paid
    for too; one whose fee is unknown is taken to have paid none. Raises NotReplaceable,
    InsufficientFunds, FeeTooHigh, WalletError.
    """
    check_fee_rate(fee_rate)
    if txid not in wallet.graph or wallet.graph.standing(txid) is not Standing.PENDING:
        raise NotReplaceable("Only a payment that waits for its first block can be sped up.")
    coins = [c for c in wallet.coins() if c.outpoint.txid == txid and not c.frozen]
    if not coins:
        raise NotReplaceable("Nothing of this payment is left to be spent by a child.")
    spent = [owned(wallet, coin.outpoint) for coin in coins]
    place = wallet.next_change()
    script = wallet.script_at(place)
    vsize = Frame(wallet.descriptors).vsize(spent, [TxOut(0, script)])
    ancestors_vsize, ancestors_fee = _ancestors(wallet, txid)
    fee = fee_rate.fee(vsize + ancestors_vsize) - ancestors_fee
    if fee < fee_rate.fee(vsize):
        raise NotReplaceable("This payment already pays at least that fee rate.")
    total = sum(coin.value_sat for coin in coins)
    least = dust_threshold(script)
    if total - fee < least:
        raise InsufficientFunds(fee + least, total)
    notes = check_fee(fee, vsize, total, allow_high_fee=allow_high_fee)
    lock_time = anti_sniping_lock_time(tip_height, rng)
    return SpendPlan(
        psbt=unsigned_psbt(wallet, spent, [TxOut(total - fee, script)], lock_time),
        fee_sat=fee,
        vsize=vsize,
        change_sat=total - fee,
        change_place=place,
        inputs=tuple(coin.outpoint for coin in coins),
        fee_rate=FeeRate.of(fee, vsize),
        payments_sat=0,
        notes=notes,
    )


def least_bump_rate(wallet: Wallet, txid: bytes) -> FeeRate:
    """Propose the lowest fee rate that a replacement may have. Raises NotReplaceable."""
    tx, old_fee = _replaceable(wallet, txid)
    least_fee = old_fee + INCREMENTAL_RELAY_FEE.fee(tx.vsize)
    return FeeRate(-(-least_fee * 1000 // tx.vsize))


def _replaceable(wallet: Wallet, txid: bytes) -> tuple[Transaction, int]:
    tx = wallet.transaction(txid)
    if tx is None:
        raise NotReplaceable("This transaction is not in the wallet.")
    standing = wallet.graph.standing(txid)
    if standing is Standing.CONFIRMED:
        raise NotReplaceable("This payment is already confirmed; its fee cannot be changed.")
    if standing is Standing.DEAD:
        raise NotReplaceable("This payment was already replaced or taken back.")
    coins = [wallet.owned_output(tx_in.prevout) for tx_in in tx.inputs]
    if any(coin is None for coin in coins):
        raise NotReplaceable("This payment spends coins of others; they cannot be spent anew here.")
    if any(wallet.graph.counts(child) for child in wallet.graph.children(txid)):
        raise NotReplaceable(
            "Another payment spends the change of this one. Speed that one up instead."
        )
    total = sum(coin.value_sat for coin in coins if coin is not None)
    return tx, total - sum(output.value_sat for output in tx.outputs)


def _check_faster(tx: Transaction, old_fee: int, fee_rate: FeeRate) -> None:
    if fee_rate <= FeeRate.of(old_fee, tx.vsize):
        raise NotReplaceable(
            f"The payment already pays {FeeRate.of(old_fee, tx.vsize)} sat/vB. "
            "Choose a higher fee rate."
        )


def _flexible_output(wallet: Wallet, tx: Transaction) -> int | None:
    """Find the output that gives way: our change, else another one to ourselves."""
    own: dict[Keychain, int] = {}
    for position, output in enumerate(tx.outputs):
        place = wallet.place_of(output.script_pubkey)
        if place is not None:
            own.setdefault(place.keychain, position)
    return own.get(Keychain.CHANGE, own.get(Keychain.RECEIVE))


def _change_script(wallet: Wallet, tx: Transaction) -> bytes | None:
    for output in tx.outputs:
        place = wallet.place_of(output.script_pubkey)
        if place is not None and place.keychain is Keychain.CHANGE:
            return output.script_pubkey
    return None


def _replacement(
    wallet: Wallet,
    old: Transaction,
    old_fee: int,
    fee_rate: FeeRate,
    fixed: Sequence[TxOut],
    change_script: bytes,
    *,
    rng: Random,
    tip_height: int,
) -> SpendPlan:
    frame = Frame(wallet.descriptors)
    spent = [owned(wallet, tx_in.prevout) for tx_in in old.inputs]
    extra = _extra_coins(wallet, {coin.outpoint for coin in spent})
    fixed_sat = sum(output.value_sat for output in fixed)
    least = dust_threshold(change_script)
    outputs: list[TxOut] = []
    change = 0
    while not outputs:
        total = sum(coin.value_sat for coin in spent)
        with_change = (*fixed, TxOut(0, change_script))
        fee = _replacing_fee(frame.vsize(spent, with_change), old_fee, fee_rate)
        change = total - fixed_sat - fee
        if change >= least:
            outputs = _placed(old, fixed, TxOut(change, change_script), rng)
            break
        if fixed:
            fee = _replacing_fee(frame.vsize(spent, fixed), old_fee, fee_rate)
            if total - fixed_sat >= fee:
                outputs, change = list(fixed), 0
                break
        if not extra:
            raise InsufficientFunds(fixed_sat + fee + (0 if fixed else least), total)
        spent.append(extra.pop())
    fee = sum(coin.value_sat for coin in spent) - sum(output.value_sat for output in outputs)
    vsize = frame.vsize(spent, outputs)
    if vsize > 100_000:
        raise WalletError("The replacement would be larger than the network carries.")
    lock_time = anti_sniping_lock_time(tip_height, rng)
    return SpendPlan(
        psbt=unsigned_psbt(wallet, spent, outputs, lock_time),
        fee_sat=fee,
        vsize=vsize,
        change_sat=change or None,
        change_place=None,
        inputs=tuple(coin.outpoint for coin in spent),
        fee_rate=FeeRate.of(fee, vsize),
        payments_sat=fixed_sat,
        excess_sat=fee - _replacing_fee(vsize, old_fee, fee_rate),
        replaces=old.txid,
    )


def _replacing_fee(vsize: int, old_fee: int, fee_rate: FeeRate) -> int:
    return max(fee_rate.fee(vsize), old_fee + INCREMENTAL_RELAY_FEE.fee(vsize))


def _placed(old: Transaction, fixed: Sequence[TxOut], change: TxOut, rng: Random) -> list[TxOut]:
    """Keep the change where it was, so that the replacement tells observers nothing new."""
    scripts = [output.script_pubkey for output in old.outputs]
    outputs = list(fixed)
    if change.script_pubkey in scripts and fixed:
        outputs.insert(scripts.index(change.script_pubkey), change)
    else:
        outputs.insert(rng.randrange(len(outputs) + 1), change)
    return outputs


def _extra_coins(wallet: Wallet, taken: set[OutPoint]) -> list[OwnedOutput]:
    """List confirmed coins that may be added, the largest last."""
    coins = [c for c in wallet.coins() if c.is_spendable and c.height is not None]
    coins.sort(key=lambda coin: (coin.value_sat, coin.outpoint.txid, coin.outpoint.vout))
    return [owned(wallet, coin.outpoint) for coin in coins if coin.outpoint not in taken]


def _ancestors(wallet: Wallet, txid: bytes) -> tuple[int, int]:
    """Sum virtual sizes and known fees of a pending transaction and its pending ancestors."""
    fees = {entry.txid: entry.fee_sat or 0 for entry in wallet.history()}
    vsize = fee = 0
    queue, seen = [txid], {txid}
    while queue:
        current = queue.pop()
        tx = wallet.transaction(current)
        if tx is None or wallet.graph.standing(current) is not Standing.PENDING:
            continue
        vsize += tx.vsize
        fee += fees.get(current, 0)
        parents = {tx_in.prevout.txid for tx_in in tx.inputs} - seen
        parents = {parent for parent in parents if parent in wallet.graph}
        seen |= parents
        queue.extend(parents)
    return vsize, fee
