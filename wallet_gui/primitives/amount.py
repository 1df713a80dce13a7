"""Money as integers: satoshis, their text form in BTC, and fee rates.

No float and no Decimal: text goes to satoshis digit by digit and back.
"""

import re
from dataclasses import dataclass
from typing import Self

from wallet_gui.primitives.serialize import ParseError

COIN = 100_000_000
MAX_MONEY = 21_000_000 * COIN

_BTC = re.compile(r"([0-9]{1,8})(?:\.([0-9]{1,8}))?")
_FEE_RATE = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")


def format_btc(sat: int, *, trim: bool = False) -> str:
    """Write satoshis as BTC with eight decimals ("0.00010000"); `trim` drops ending zeros."""
    whole, fraction = divmod(abs(sat), COIN)
    text = f"{'-' if sat < 0 else ''}{whole}.{fraction:08d}"
    return text.rstrip("0").rstrip(".") if trim else text


def parse_btc(text: str) -> int:
    """Read an amount in BTC, plain ASCII digits with at most eight decimals, into satoshis.

    The grammar is BIP21's without its loopholes: no sign, exponent, grouping, comma or digits of
    other scripts. Raises `ParseError`, also above 21 million BTC.
    """
    if "," in text:
        raise ParseError("Write the amount with a point, not a comma, before the decimals.")
    match = _BTC.fullmatch(text)
    if match is None:
        raise ParseError(
            "An amount in BTC is written with digits and at most eight decimals, like 0.05."
        )
    whole, fraction = match.group(1), match.group(2) or ""
    return check_money(int(whole) * COIN + int(fraction.ljust(8, "0")))


def check_money(sat: int) -> int:
    """Return `sat` when it lies within 0 and `MAX_MONEY`, else raise `ParseError`."""
    if not 0 <= sat <= MAX_MONEY:
        raise ParseError("An amount lies between 0 and 21 million BTC.")
    return sat


@dataclass(frozen=True, slots=True, order=True)
class FeeRate:
    """A fee rate as an exact integer of satoshis per 1000 virtual bytes.

    People read and write sat/vB with up to three decimals, which is the same number.
    """

    sat_per_kvb: int

    def __post_init__(self) -> None:
        if self.sat_per_kvb < 0:
            raise ValueError("A fee rate is not negative.")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read sat/vB such as "1.25"; raises `ParseError`."""
        if "," in text:
            raise ParseError("Write the fee rate with a point, not a comma, before the decimals.")
        match = _FEE_RATE.fullmatch(text)
        if match is None:
            raise ParseError(
                "A fee rate in sat/vB is written with digits and at most three decimals, like 2.5."
            )
        whole, fraction = match.group(1), match.group(2) or ""
        return cls(int(whole) * 1000 + int(fraction.ljust(3, "0")))

    @classmethod
    def of(cls, fee_sat: int, vsize: int) -> Self:
        """Return the rate that a fee makes over a size, rounded down as Core's CFeeRate does."""
        if vsize <= 0:
            raise ValueError("A transaction has a size above zero.")
        return cls(fee_sat * 1000 // vsize)

    def fee(self, vsize: int) -> int:
        """Return the fee in satoshis for `vsize` virtual bytes, rounded up."""
        if vsize < 0:
            raise ValueError("A size is not negative.")
        return -(-self.sat_per_kvb * vsize // 1000)

    def __str__(self) -> str:
        whole, fraction = divmod(self.sat_per_kvb, 1000)
        return f"{whole}.{fraction:03d}".rstrip("0").rstrip(".")
