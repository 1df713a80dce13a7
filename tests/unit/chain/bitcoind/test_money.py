from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.json_rpc import loads
from wallet_gui.chain.bitcoind.money import sat_per_kvb, sats
from wallet_gui.primitives.amount import MAX_MONEY, format_btc
from wallet_gui.primitives.serialize import ParseError


@settings(deadline=None)
@given(st.integers(-MAX_MONEY, MAX_MONEY))
def test_every_amount_survives(sat: int) -> None:
    assert sats(loads(format_btc(sat).encode())) == sat


def test_the_amount_that_a_float_gets_wrong() -> None:
    assert int(4.59123743 * 1e8) == 459123742
    assert sats(loads(b"4.59123743")) == 459123743


@pytest.mark.parametrize(
    "amount",
    [
        True,
        None,
        "1.0",
        2.0,
        Decimal("NaN"),
        Decimal("sNaN"),
        Decimal("Infinity"),
        Decimal("0.000000001"),
        Decimal("1.123456789"),
        Decimal("21000000.00000001"),
        21_000_001,
        Decimal("1e400"),
        Decimal("1e999999"),
        Decimal("1e-999999"),
    ],
)
def test_no_amounts_are_refused(amount: Any) -> None:
    with pytest.raises(ParseError):
        sats(amount)


def test_rates_are_rounded_up() -> None:
    assert sat_per_kvb(Decimal("0.00001000")) == 1000
    assert sat_per_kvb(Decimal("0.000010001")) == 1001
    assert sat_per_kvb(0) == 0
    for bad in (Decimal(-1), Decimal(1001), False, Decimal("NaN"), None):
        with pytest.raises(ParseError):
            sat_per_kvb(bad)
