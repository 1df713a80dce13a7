from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.wallet.coin_selection import (
    UNITS,
    Algorithm,
    Candidate,
    ChangeCost,
    Need,
    measure,
    select,
)
from wallet_gui.wallet.errors import InsufficientFunds, WalletError

CHANGE = ChangeCost(output_weight=124, spend_weight=271, least_sat=680)


def coins(*values: int, weight: int = 271) -> list[Candidate]:
    return [Candidate(OutPoint(n.to_bytes(32, "big"), 0), v, weight) for n, v in enumerate(values)]


def need(target: int, rate: int = 1_000, limit: int = 400_000) -> Need:
    return Need(target, 168, FeeRate(rate), FeeRate(10_000), CHANGE, limit)


def total(chosen: tuple[Candidate, ...]) -> int:
    return sum(c.value_sat for c in chosen)


def test_an_exact_match_needs_no_change() -> None:
    fees = (168 + 3 + 2 * 271) // 4 + 2
    chosen = select(coins(70_000, 41_000, 30_000 + fees, 9_000), need(100_000), Random(0))
    assert chosen.algorithm is Algorithm.BRANCH_AND_BOUND
    assert not chosen.has_change
    assert total(chosen.coins) == 100_000 + fees


def test_a_search_that_finds_nothing_leaves_it_to_the_others() -> None:
    chosen = select(coins(500_000, 300_000), need(100_000), Random(0))
    assert chosen.algorithm in {Algorithm.SINGLE_RANDOM_DRAW, Algorithm.LARGEST_FIRST}
    assert chosen.has_change


def test_at_low_rates_more_coins_waste_less_and_at_high_rates_fewer() -> None:
    pool = coins(*[30_000] * 20, 200_000)
    cheap = [len(select(pool, need(90_000, 500), Random(n)).coins) for n in range(20)]
    dear = [len(select(pool, need(90_000, 90_000), Random(n)).coins) for n in range(20)]
    assert sum(cheap) > sum(dear)
    assert max(dear) == 1


def test_coins_that_cost_more_than_they_bring_are_left_out() -> None:
    chosen = select(coins(100, 200, 50_000), need(10_000, 5_000), Random(0))
    assert total(chosen.coins) == 50_000
    with pytest.raises(InsufficientFunds) as caught:
        select(coins(*[100] * 1000), need(10_000, 5_000), Random(0))
    assert caught.value.available == 0
    assert caught.value.needed > 10_000


def test_a_weight_limit_holds() -> None:
    pool = coins(*[1_000] * 50, 100_000)
    chosen = select(pool, need(30_000, limit=271 * 5), Random(0))
    assert total(chosen.coins) >= 100_000
    assert sum(c.weight for c in chosen.coins) <= 271 * 5
    with pytest.raises(WalletError, match="smaller amount"):
        select(coins(*[1_000] * 50), need(30_000, limit=271 * 5), Random(0))


def test_twins_are_not_searched_twice() -> None:
    # Without skipping equal coins this search visits far more branches than are tried.
    chosen = select(coins(*[10_000] * 60, 4_321), need(304_321 - 2_200), Random(0))
    assert total(chosen.coins) >= 302_121


def test_change_is_only_left_when_it_is_worth_having() -> None:
    pool = coins(100_000)
    assert not measure(pool, need(100_000 - 700), Algorithm.CHOSEN).has_change
    assert measure(pool, need(100_000 - 2_000), Algorithm.CHOSEN).has_change


@settings(deadline=None, max_examples=200)
@given(
    values=st.lists(st.integers(1, 5_000_000), min_size=1, max_size=40),
    target=st.integers(300, 10_000_000),
    rate=st.integers(100, 200_000),
    seed=st.integers(0, 5),
    kinds=st.lists(st.sampled_from((230, 271, 363, 589)), min_size=40, max_size=40),
)
def test_what_is_selected_pays_and_nothing_is_said_to_lack_that_is_there(
    values: list[int], target: int, rate: int, seed: int, kinds: list[int]
) -> None:
    pool = [
        Candidate(OutPoint(n.to_bytes(32, "big"), 0), value, kinds[n])
        for n, value in enumerate(values)
    ]
    wanted = need(target, rate)
    affordable = sum(max(0, c.effective(FeeRate(rate))) for c in pool) >= wanted.target
    if not affordable:
        with pytest.raises(InsufficientFunds) as caught:
            select(pool, wanted, Random(seed))
        assert caught.value.needed > caught.value.available
        return
    chosen = select(pool, wanted, Random(seed))
    assert len(set(chosen.coins)) == len(chosen.coins)
    assert set(chosen.coins) <= set(pool)
    effective = sum(c.effective(FeeRate(rate)) for c in chosen.coins)
    assert effective >= wanted.target
    if chosen.has_change:
        rest = effective - wanted.target - wanted.change_fee
        assert rest >= CHANGE.least_sat * UNITS
    else:
        assert effective - wanted.target <= max(
            wanted.cost_of_change, wanted.change_fee + CHANGE.least_sat * UNITS
        )
    assert select(pool, wanted, Random(seed)) == chosen
