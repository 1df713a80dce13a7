"""Which coins to spend: three algorithms, the one that wastes least wins.

Amounts are sat, sizes weight units, rates sat per 1000 vB, and the sums inside are exact: they
count in 1/4000 sat, so that no rounding and no float enters. What a coin adds after paying for its
own input is its effective value.

Waste (Core, coinselection.cpp): what spending these inputs now costs more than at the long-term
fee rate, plus the cost of making and later spending change, or without change the excess that
goes to the fee.

Sources: Murch, "An Evaluation of Coin Selection Strategies" (2016); Core wallet/coinselection.cpp.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from random import Random

from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.wallet.errors import InsufficientFunds, WalletError

UNITS = 4_000
"""Units per sat: a weight unit at one sat per 1000 vB costs exactly one."""

MAX_STANDARD_WEIGHT = 400_000
MAX_TRIES = 50_000
_MIN_CHANGE_SAT = 50_000


class Algorithm(Enum):
    """How the coins were found."""

    BRANCH_AND_BOUND = "branch and bound"
    SINGLE_RANDOM_DRAW = "single random draw"
    LARGEST_FIRST = "largest first"
    CHOSEN = "chosen by hand"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A coin that may be spent; `weight` is that of its input with signature."""

    outpoint: OutPoint
    value_sat: int
    weight: int

    def effective(self, rate: FeeRate) -> int:
        """Return value minus the cost of spending it, in 1/4000 sat."""
        return self.value_sat * UNITS - self.weight * rate.sat_per_kvb


@dataclass(frozen=True, slots=True)
class ChangeCost:
    """What change is like: weight of its output and of spending it later, and the least amount."""

    output_weight: int
    spend_weight: int
    least_sat: int


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen coins. `waste` is in 1/4000 sat; without change the excess goes to the fee."""

    coins: tuple[Candidate, ...]
    algorithm: Algorithm
    has_change: bool
    waste: int


@dataclass(frozen=True, slots=True)
class Need:
    """What the coins have to pay for.

    `target_sat`: the sum of the outputs. `base_weight`: the transaction without inputs and
    without change. `max_input_weight`: what the inputs may weigh together.
    """

    target_sat: int
    base_weight: int
    rate: FeeRate
    long_term_rate: FeeRate
    change: ChangeCost
    max_input_weight: int = MAX_STANDARD_WEIGHT

    @property
    def target(self) -> int:
        """Return what effective values must reach, in 1/4000 sat.

        Weight is rounded up to whole virtual bytes and the fee to whole sat: the slack for both
        makes sure that a selection that reaches the target can pay the exact fee.
        """
        return self.target_sat * UNITS + (self.base_weight + 3) * self.rate.sat_per_kvb + UNITS

    @property
    def change_fee(self) -> int:
        return self.change.output_weight * self.rate.sat_per_kvb

    @property
    def cost_of_change(self) -> int:
        """Return what having change costs now and later, in 1/4000 sat."""
        return self.change_fee + self.change.spend_weight * self.long_term_rate.sat_per_kvb

    @property
    def target_with_change(self) -> int:
        return self.target + self.change_fee + self.change.least_sat * UNITS


def select(candidates: Sequence[Candidate], need: Need, rng: Random) -> Selection:
    """Choose coins for a payment. `rng` decides the random draw; the result is shuffled by it.

    Raises InsufficientFunds, or WalletError when only a transaction too large for the network
    could pay.
    """
    rate = need.rate
    worth = [c for c in candidates if c.effective(rate) > 0]
    worth.sort(key=lambda c: (-c.effective(rate), c.outpoint.txid, c.outpoint.vout))
    available = sum(c.effective(rate) for c in worth)
    if available < need.target:
        fees = -(-(need.target - need.target_sat * UNITS) // UNITS)
        raise InsufficientFunds(need.target_sat + fees, max(0, available // UNITS))
    found = [
        selection
        for selection in (
            _branch_and_bound(worth, need),
            _single_random_draw(worth, need, rng),
            _largest_first(worth, need),
        )
        if selection is not None
    ]
    if not found:
        raise WalletError(
            "The payment needs so many coins that the network would not carry it. "
            "Send a smaller amount first."
        )
    # As in Core, of equal waste the selection with more coins is taken: it tidies up.
    best = min(found, key=lambda s: (s.waste, -len(s.coins)))
    coins = list(best.coins)
    rng.shuffle(coins)
    return Selection(tuple(coins), best.algorithm, best.has_change, best.waste)


def measure(coins: Sequence[Candidate], need: Need, algorithm: Algorithm) -> Selection:
    """Judge given coins: whether they leave change, and their waste. They must reach the target."""
    effective = sum(c.effective(need.rate) for c in coins)
    dearer = need.rate.sat_per_kvb - need.long_term_rate.sat_per_kvb
    waste = sum(c.weight for c in coins) * dearer
    has_change = effective >= need.target_with_change
    waste += need.cost_of_change if has_change else effective - need.target
    return Selection(tuple(coins), algorithm, has_change, waste)


def _fits(coins: Sequence[Candidate], need: Need) -> bool:
    return sum(c.weight for c in coins) <= need.max_input_weight


def _branch_and_bound(worth: Sequence[Candidate], need: Need) -> Selection | None:
    """Search for coins that need no change: within the cost of change above the target.

    Depth first over "with this coin" before "without it", largest effective value first. A branch
    ends when the rest cannot reach the target, when it overshoots, or when it wastes more than the
    best one so far. A coin equal to the one just left out is left out too.
    """
    rate = need.rate
    values = [c.effective(rate) for c in worth]
    dearer = rate.sat_per_kvb - need.long_term_rate.sat_per_kvb
    limit = need.target + need.cost_of_change
    rest = [0] * (len(worth) + 1)
    for position in range(len(worth) - 1, -1, -1):
        rest[position] = rest[position + 1] + values[position]
    best: tuple[int, list[int]] | None = None
    chosen: list[int] = []
    total = weight = position = 0
    for _ in range(MAX_TRIES):
        waste = weight * dearer + max(0, total - need.target)
        backtrack = (
            total + rest[position] < need.target
            or total > limit
            or weight > need.max_input_weight
            or (best is not None and dearer > 0 and waste > best[0])
        )
        if not backtrack and total >= need.target:
            if best is None or waste <= best[0]:
                best = waste, chosen.copy()
            backtrack = True
        if not backtrack and position < len(worth):
            twin_left_out = (
                position > 0
                and values[position] == values[position - 1]
                and worth[position].weight == worth[position - 1].weight
                and (not chosen or chosen[-1] != position - 1)
            )
            if not twin_left_out:
                chosen.append(position)
                total += values[position]
                weight += worth[position].weight
            position += 1
            continue
        if not chosen:
            break
        position = chosen.pop()
        total -= values[position]
        weight -= worth[position].weight
        position += 1
    if best is None:
        return None
    coins = [worth[i] for i in best[1]]
    # Without change by construction: the excess is at most what change would cost.
    return Selection(tuple(coins), Algorithm.BRANCH_AND_BOUND, has_change=False, waste=best[0])


def _single_random_draw(worth: Sequence[Candidate], need: Need, rng: Random) -> Selection | None:
    """Draw coins at random until they pay the target and a change worth having."""
    wanted = need.target + need.change_fee + max(need.change.least_sat, _MIN_CHANGE_SAT) * UNITS
    drawn: list[Candidate] = []
    total = 0
    for coin in rng.sample(worth, len(worth)):
        drawn.append(coin)
        total += coin.effective(need.rate)
        if total >= wanted:
            break
    else:
        return None
    return measure(drawn, need, Algorithm.SINGLE_RANDOM_DRAW) if _fits(drawn, need) else None


def _largest_first(worth: Sequence[Candidate], need: Need) -> Selection | None:
    """Take the largest coins until they pay; the fewest inputs, so the last resort for size."""
    total = 0
    for count, coin in enumerate(worth, 1):
        total += coin.effective(need.rate)
        if total >= need.target:
            taken = worth[:count]
            return measure(taken, need, Algorithm.LARGEST_FIRST) if _fits(taken, need) else None
    return None
