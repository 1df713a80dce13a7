"""Amounts and fee rates of the node's JSON as integer satoshis, exactly or not at all.

`int(float * 1e8)` is wrong for 8 % of all amounts; numbers with a point arrive as Decimal and
become integers by shifting the point. Whatever is not a whole number of satoshis is refused.
"""

from decimal import Decimal
from typing import Any, Final

from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.serialize import ParseError

_COIN: Final = Decimal(100_000_000)
_MAX_BTC: Final = Decimal(21_000_000)
# 1000 BTC/kvB: what is above is not a rate of this world.
_MAX_RATE_BTC: Final = Decimal(1000)


def sats(amount: Any) -> int:
    """Turn an amount in BTC into satoshis; negative ones are possible (sent amounts).

    Raises ParseError for a ninth decimal, above 21 million BTC, NaN, and what is no number.
    """
    btc = _number(amount)
    if not -_MAX_BTC <= btc <= _MAX_BTC:
        raise ParseError("The node named an amount above 21 million BTC.")
    sat = btc * _COIN
    whole = int(sat)
    if sat != whole or not -MAX_MONEY <= whole <= MAX_MONEY:
        raise ParseError("The node named an amount that is not a whole number of satoshis.")
    return whole


def sat_per_kvb(rate: Any) -> int:
    """Turn a fee rate in BTC/kvB into sat/kvB, rounded up; raise ParseError as `sats` does.

    Estimates are averages and may have fractions of a satoshi; rounding up stays above a minimum.
    """
    btc = _number(rate)
    if not 0 <= btc <= _MAX_RATE_BTC:
        raise ParseError("The node named an impossible fee rate.")
    sat = btc * _COIN
    whole = int(sat)
    return whole + (sat > whole)


def _number(value: Any) -> Decimal:
    """Accept int and Decimal as they come from the strict JSON reader; bool is not a number."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ParseError("The node named an amount that is not a number.")
    number = Decimal(value)
    if not number.is_finite():
        raise ParseError("The node named an amount that is not a number.")
    return number
