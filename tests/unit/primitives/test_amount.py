import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.amount import (
    COIN,
    MAX_MONEY,
    FeeRate,
    check_money,
    format_btc,
    parse_btc,
)
from wallet_gui.primitives.serialize import ParseError


@pytest.mark.parametrize(
    ("sat", "text", "trimmed"),
    [
        (0, "0.00000000", "0"),
        (1, "0.00000001", "0.00000001"),
        (10_000, "0.00010000", "0.0001"),
        (COIN, "1.00000000", "1"),
        (10 * COIN, "10.00000000", "10"),
        (-1, "-0.00000001", "-0.00000001"),
        (-COIN - 10, "-1.00000010", "-1.0000001"),
        (MAX_MONEY, "21000000.00000000", "21000000"),
    ],
)
def test_satoshis_as_btc(sat: int, text: str, trimmed: str) -> None:
    assert format_btc(sat) == text
    assert format_btc(sat, trim=True) == trimmed


@pytest.mark.parametrize(
    ("text", "sat"),
    [
        ("0", 0),
        ("1", COIN),
        ("0.1", 10_000_000),
        ("50.00", 50 * COIN),
        ("20.3", 2_030_000_000),
        ("00000001", COIN),
        ("0.00000001", 1),
        ("21000000", MAX_MONEY),
        ("20999999.99999999", MAX_MONEY - 1),
    ],
)
def test_btc_as_satoshis(text: str, sat: int) -> None:
    assert parse_btc(text) == sat


@pytest.mark.parametrize(
    "text",
    [
        "", ".", "1.", ".5", "-1", "+1", "1e2", "1E2", "1_000", " 1", "1 ", "1\n", "0x1", "1,5",
        "1.000.000", "0.000000001", "123456789", "21000000.00000001", "21000001", "99999999",
        "nan", "NaN", "inf", "Infinity",
        "\u0661", "\uff11", "1.\uff15", "1\u00b2", "50000000X8", "\u00bd", "1\x00",
    ],
)  # fmt: skip
def test_anything_but_plain_decimals_is_refused(text: str) -> None:
    with pytest.raises(ParseError):
        parse_btc(text)


def test_a_decimal_comma_is_explained() -> None:
    with pytest.raises(ParseError, match="point, not a comma"):
        parse_btc("0,05")
    with pytest.raises(ParseError, match="point, not a comma"):
        FeeRate.parse("1,5")


@settings(deadline=None, max_examples=1000)
@given(st.integers(min_value=0, max_value=MAX_MONEY))
def test_amount_round_trip(sat: int) -> None:
    assert parse_btc(format_btc(sat)) == sat
    assert parse_btc(format_btc(sat, trim=True)) == sat


def test_amounts_that_floats_get_wrong() -> None:
    # int(float("0.00000003") * 1e8) is 2; every one of these must be exact.
    for sat in range(1, 20_000):
        assert parse_btc(f"0.{sat:08d}") == sat


@settings(deadline=None)
@given(st.text(max_size=12))
def test_any_text_is_an_amount_or_a_parse_error(text: str) -> None:
    try:
        sat = parse_btc(text)
    except ParseError:
        return
    assert text.isascii()
    assert 0 <= sat <= MAX_MONEY


def test_check_money_keeps_the_range() -> None:
    assert check_money(0) == 0
    assert check_money(MAX_MONEY) == MAX_MONEY
    for sat in (-1, MAX_MONEY + 1):
        with pytest.raises(ParseError, match="21 million"):
            check_money(sat)


@pytest.mark.parametrize(
    ("text", "sat_per_kvb", "shown"),
    [
        ("1", 1000, "1"),
        ("1.25", 1250, "1.25"),
        ("0.100", 100, "0.1"),
        ("10", 10_000, "10"),
        ("100.001", 100_001, "100.001"),
        ("0", 0, "0"),
    ],
)
def test_fee_rates_as_text(text: str, sat_per_kvb: int, shown: str) -> None:
    rate = FeeRate.parse(text)
    assert rate.sat_per_kvb == sat_per_kvb
    assert str(rate) == shown


@pytest.mark.parametrize(
    "text", ["", "-1", "+1", "1e3", "1.2345", ".5", "1.", " 1", "1\n", "1234567890", "\uff11"]
)
def test_other_fee_rates_are_refused(text: str) -> None:
    with pytest.raises(ParseError, match="three decimals"):
        FeeRate.parse(text)


def test_fees_are_rounded_up() -> None:
    assert FeeRate(1000).fee(141) == 141
    assert FeeRate(1250).fee(141) == 177  # 176.25
    assert FeeRate(1).fee(1) == 1
    assert FeeRate(0).fee(1000) == 0
    assert FeeRate(1).fee(0) == 0


def test_the_rate_of_a_fee_is_rounded_down() -> None:
    assert FeeRate.of(177, 141) == FeeRate(1255)
    assert FeeRate.of(141, 141) == FeeRate(1000)


def test_fee_rates_are_ordered_and_checked() -> None:
    assert FeeRate(999) < FeeRate(1000)
    assert max(FeeRate(5), FeeRate(7)) == FeeRate(7)
    with pytest.raises(ValueError, match="not negative"):
        FeeRate(-1)
    with pytest.raises(ValueError, match="not negative"):
        FeeRate(1).fee(-1)
    with pytest.raises(ValueError, match="above zero"):
        FeeRate.of(1, 0)


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=10**12 - 1))
def test_fee_rate_round_trip(sat_per_kvb: int) -> None:
    assert FeeRate.parse(str(FeeRate(sat_per_kvb))) == FeeRate(sat_per_kvb)


@settings(deadline=None)
@given(
    st.integers(min_value=1, max_value=10**7),
    st.integers(min_value=1, max_value=10**6),
)
def test_a_fee_reaches_its_rate_and_one_satoshi_less_does_not(rate: int, vsize: int) -> None:
    fee = FeeRate(rate).fee(vsize)
    assert fee * 1000 >= rate * vsize
    assert (fee - 1) * 1000 < rate * vsize
    assert FeeRate.of(fee, vsize) >= FeeRate(rate)
