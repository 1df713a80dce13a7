"""From recipients to an unsigned payment."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from wallet_gui.primitives.amount import MAX_MONEY, FeeRate
from wallet_gui.primitives.script import dust_threshold, is_op_return
from wallet_gui.primitives.transaction import OutPoint, TxOut
from wallet_gui.wallet.coin_selection import (
    MAX_STANDARD_WEIGHT,
    UNITS,
    Algorithm,
    Candidate,
    ChangeCost,
    Need,
    Selection,
    measure,
    select,
)
from wallet_gui.wallet.draft import (
    Frame,
    SpendPlan,
    anti_sniping_lock_time,
    check_fee,
    check_fee_rate,
    lookalike_notes,
    owned,
    unsigned_psbt,
)
from wallet_gui.wallet.errors import DustOutput, InsufficientFunds, UnknownCoin, WalletError
from wallet_gui.wallet.keychain import ScriptPlace
from wallet_gui.wallet.snapshot import Coin
from wallet_gui.wallet.wallet import Wallet

LONG_TERM_FEE_RATE = FeeRate(10_000)
"""What spending a coin is taken to cost one day (Core's -consolidatefeerate)."""

MAX_RECIPIENTS = 1_000


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom to pay. `amount_sat` None means everything that is left ("max")."""

    script_pubkey: bytes
    amount_sat: int | None
    label: str = ""


def create(
    wallet: Wallet,
    recipients: Sequence[Recipient],
    fee_rate: FeeRate,
    *,
    rng: Random,
    tip_height: int,
    coins: Sequence[OutPoint] | None = None,
    now: int = 0,
    allow_high_fee: bool = False,
) -> SpendPlan:
    """Plan a payment; the wallet is not changed.

    Without `coins` it picks among the spendable ones (confirmed, or our own change; neither frozen
    nor suspicious). With `coins` it spends exactly these; then only frozen and immature ones are
    refused. `tip_height` is that of the verified chain. `rng` decides draws, order and lock time:
    pass a cryptographic one.

    Raises InsufficientFunds, DustOutput, FeeTooHigh (unless `allow_high_fee`), UnknownCoin,
    WalletError.
    """
    del now  # no rule depends on the clock; callers pass it to all mutations and plans alike
    check_fee_rate(fee_rate)
    _check_recipients(recipients)
    pool = _chosen(wallet, coins) if coins is not None else _spendable(wallet)
    frame = Frame(wallet.descriptors)
    candidates = [
        Candidate(coin.outpoint, coin.value_sat, frame.input_weight(coin.descriptor_index))
        for coin in pool
    ]
    if any(recipient.amount_sat is None for recipient in recipients):
        draft = _everything(wallet, recipients, candidates, fee_rate, by_hand=coins is not None)
    else:
        draft = _exact(wallet, recipients, candidates, fee_rate, rng, by_hand=coins is not None)
    return _plan(wallet, draft, fee_rate, rng, tip_height, allow_high_fee=allow_high_fee)


@dataclass(frozen=True, slots=True)
class _Draft:
    inputs: tuple[OutPoint, ...]
    payments: tuple[TxOut, ...]
    change: TxOut | None
    change_place: ScriptPlace | None


def _check_recipients(recipients: Sequence[Recipient]) -> None:
    if not recipients:
        raise WalletError("Add at least one recipient.")
    if len(recipients) > MAX_RECIPIENTS:
        raise WalletError(f"A payment has at most {MAX_RECIPIENTS} recipients.")
    if sum(recipient.amount_sat is None for recipient in recipients) > 1:
        raise WalletError("Only one recipient can get everything that is left.")
    total = 0
    for recipient in recipients:
        amount = recipient.amount_sat
        if amount is None:
            continue
        least = dust_threshold(recipient.script_pubkey)
        if amount < least or (amount <= 0 and not is_op_return(recipient.script_pubkey)):
            raise DustOutput(amount, least)
        total += amount
    if total > MAX_MONEY:
        raise WalletError("The amounts add up to more bitcoins than there are.")


def _spendable(wallet: Wallet) -> list[Coin]:
    return [coin for coin in wallet.coins() if coin.is_spendable]


def _chosen(wallet: Wallet, outpoints: Sequence[OutPoint]) -> list[Coin]:
    if not outpoints:
        raise UnknownCoin("Choose at least one coin to spend.")
    if len(set(outpoints)) != len(outpoints):
        raise UnknownCoin("A coin is chosen twice.")
    known = {coin.outpoint: coin for coin in wallet.coins()}
    chosen = []
    for outpoint in outpoints:
        coin = known.get(outpoint)
        if coin is None:
            raise UnknownCoin("A chosen coin is not in the wallet or is already spent.")
        if coin.frozen:
            raise UnknownCoin("A chosen coin is frozen. Unfreeze it to spend it.")
        if not coin.is_mature:
            raise UnknownCoin("A chosen coin was mined less than 100 blocks ago.")
        chosen.append(coin)
    return chosen


def _everything(
    wallet: Wallet,
    recipients: Sequence[Recipient],
    candidates: Sequence[Candidate],
    rate: FeeRate,
    *,
    by_hand: bool,
) -> _Draft:
    # A coin that costs more than it brings stays behind, unless it was chosen by hand.
    taken = [c for c in candidates if by_hand or c.effective(rate) > 0]
    fixed = sum(recipient.amount_sat or 0 for recipient in recipients)
    blank = [TxOut(0, r.script_pubkey) for r in recipients]
    vsize = Frame(wallet.descriptors).vsize([owned(wallet, c.outpoint) for c in taken], blank)
    if vsize > MAX_STANDARD_WEIGHT // 4:
        raise WalletError(
            "The wallet has so many coins that one payment cannot carry them all. "
            "Send a smaller amount first, or choose fewer coins."
        )
    total = sum(c.value_sat for c in taken)
    fee = rate.fee(vsize)
    rest = total - fee - fixed
    target = next(r for r in recipients if r.amount_sat is None)
    least = dust_threshold(target.script_pubkey)
    if rest < max(least, 1):
        raise InsufficientFunds(fixed + fee + max(least, 1), total)
    payments = tuple(
        TxOut(rest if r.amount_sat is None else r.amount_sat, r.script_pubkey) for r in recipients
    )
    return _Draft(tuple(c.outpoint for c in taken), payments, None, None)


def _exact(
    wallet: Wallet,
    recipients: Sequence[Recipient],
    candidates: Sequence[Candidate],
    rate: FeeRate,
    rng: Random,
    *,
    by_hand: bool,
) -> _Draft:
    frame = Frame(wallet.descriptors)
    change_place = wallet.next_change()
    payments = tuple(TxOut(r.amount_sat or 0, r.script_pubkey) for r in recipients)
    change_script = wallet.script_at(change_place)
    need = need_of(frame, payments, change_script, change_place, rate, len(candidates))
    chosen = _all_of(candidates, need) if by_hand else select(candidates, need, rng)
    change = None
    if chosen.has_change:
        spent = [owned(wallet, coin.outpoint) for coin in chosen.coins]
        blank = TxOut(0, change_script)
        fee = rate.fee(frame.vsize(spent, (*payments, blank)))
        total = sum(coin.value_sat for coin in chosen.coins)
        change = TxOut(total - need.target_sat - fee, change_script)
    return _Draft(
        tuple(coin.outpoint for coin in chosen.coins),
        payments,
        change,
        change_place if change is not None else None,
    )


def need_of(
    frame: Frame,
    outputs: Sequence[TxOut],
    change_script: bytes,
    change_place: ScriptPlace,
    rate: FeeRate,
    input_count: int,
) -> Need:
    """Say what the coins of a payment have to pay for, change being possible."""
    spend_weight = frame.input_weight(change_place.descriptor_index)
    base_weight = frame.base_weight((output.script_pubkey for output in outputs), input_count)
    # Change that costs more to spend one day than it is worth is left to the fee.
    worth_it = LONG_TERM_FEE_RATE.fee((spend_weight + 3) // 4)
    return Need(
        target_sat=sum(output.value_sat for output in outputs),
        base_weight=base_weight,
        rate=rate,
        long_term_rate=LONG_TERM_FEE_RATE,
        change=ChangeCost(
            output_weight=frame.output_weight(change_script),
            spend_weight=spend_weight,
            least_sat=max(dust_threshold(change_script), worth_it),
        ),
        max_input_weight=MAX_STANDARD_WEIGHT - base_weight - frame.output_weight(change_script),
    )


def _all_of(candidates: Sequence[Candidate], need: Need) -> Selection:
    available = sum(c.effective(need.rate) for c in candidates)
    if available < need.target:
        fees = -(-(need.target - need.target_sat * UNITS) // UNITS)
        raise InsufficientFunds(need.target_sat + fees, max(0, available // UNITS))
    if sum(c.weight for c in candidates) > need.max_input_weight:
        raise WalletError("These are more coins than one payment can carry. Choose fewer.")
    return measure(candidates, need, Algorithm.CHOSEN)


def _plan(
    wallet: Wallet,
    draft: _Draft,
    rate: FeeRate,
    rng: Random,
    tip_height: int,
    *,
    allow_high_fee: bool,
) -> SpendPlan:
    outputs = list(draft.payments)
    if draft.change is not None:
        outputs.insert(rng.randrange(len(outputs) + 1), draft.change)
    inputs = list(draft.inputs)
    rng.shuffle(inputs)
    spent = [owned(wallet, outpoint) for outpoint in inputs]
    fee = sum(coin.value_sat for coin in spent) - sum(output.value_sat for output in outputs)
    vsize = Frame(wallet.descriptors).vsize(spent, outputs)
    payments_sat = sum(output.value_sat for output in draft.payments)
    notes = check_fee(fee, vsize, payments_sat, allow_high_fee=allow_high_fee)
    notes += lookalike_notes(wallet, draft.payments)
    lock_time = anti_sniping_lock_time(tip_height, rng)
    return SpendPlan(
        psbt=unsigned_psbt(wallet, spent, outputs, lock_time),
        fee_sat=fee,
        vsize=vsize,
        change_sat=None if draft.change is None else draft.change.value_sat,
        change_place=draft.change_place,
        inputs=tuple(inputs),
        fee_rate=FeeRate.of(fee, vsize),
        payments_sat=payments_sat,
        excess_sat=fee - rate.fee(vsize),
        notes=notes,
    )
