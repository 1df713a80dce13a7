import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import cbor
from wallet_gui.transfer.cbor import Tagged

# RFC 8949, appendix A: those of the examples that are in our part of the format.
EXAMPLES = [
    (0, "00"),
    (1, "01"),
    (10, "0a"),
    (23, "17"),
    (24, "1818"),
    (25, "1819"),
    (100, "1864"),
    (1000, "1903e8"),
    (1000000, "1a000f4240"),
    (1000000000000, "1b000000e8d4a51000"),
    (18446744073709551615, "1bffffffffffffffff"),
    (-1, "20"),
    (-10, "29"),
    (-100, "3863"),
    (-1000, "3903e7"),
    (False, "f4"),
    (True, "f5"),
    (b"", "40"),
    (b"\x01\x02\x03\x04", "4401020304"),
    ("", "60"),
    ("a", "6161"),
    ("IETF", "6449455446"),
    ("\u00fc", "62c3bc"),
    ("\u6c34", "63e6b0b4"),
    (Tagged(1, 1363896240), "c11a514b67b0"),
    (Tagged(23, b"\x01\x02\x03\x04"), "d74401020304"),
    ([], "80"),
    ([1, 2, 3], "83010203"),
    ([1, [2, 3], [4, 5]], "8301820203820405"),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819"),
    ({}, "a0"),
    ({1: 2, 3: 4}, "a201020304"),
]

REFUSED = [
    ("", "nothing"),
    ("f97c00", "a float"),
    ("fb7ff8000000000000", "a float of 64 bits"),
    ("f6", "null"),
    ("f7", "undefined"),
    ("f820", "an unassigned simple value"),
    ("5f42010243030405ff", "an indefinite length"),
    ("9fff", "an indefinite array"),
    ("ff", "a lone break"),
    ("1c", "a reserved length"),
    ("1817", "a number that is too long"),
    ("190018", "a number that is too long"),
    ("1a0000ffff", "a number that is too long"),
    ("1b00000000ffffffff", "a number that is too long"),
    ("0000", "two values"),
    ("43ffff", "a string that ends early"),
    ("61ff", "text that is not UTF-8"),
    ("a161610a", "a map with text as key"),
    ("a1f500", "a map with a truth value as key"),
    ("a201020103", "a key that stands twice"),
    ("9bffffffffffffffff", "a count without the items"),
    ("bb7fffffffffffffff", "a count without the pairs"),
    ("5bffffffffffffffff", "a size without the bytes"),
    ("81" * 26 + "00", "too deep"),
    ("c1" * 26 + "00", "too many tags"),
]


@pytest.mark.parametrize(("value", "written"), EXAMPLES)
def test_examples_of_the_rfc(value: cbor.Value, written: str) -> None:
    assert cbor.dumps(value) == bytes.fromhex(written)
    read = cbor.loads(bytes.fromhex(written))
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("written", "why"), REFUSED)
def test_what_is_not_ours_is_refused(written: str, why: str) -> None:
    with pytest.raises(ParseError):
        cbor.loads(bytes.fromhex(written))


def test_a_bomb_costs_nothing() -> None:
    began = time.process_time()
    for bomb in (b"\x99\xff\xff" + b"\x00" * 70_000, b"\x84" * 20 + b"\x00" * 100_000):
        with pytest.raises(ParseError):
            cbor.loads(bomb)
    assert time.process_time() - began < 0.5


def test_keys_may_stand_in_any_order() -> None:
    assert cbor.loads(bytes.fromhex("a203040102")) == {1: 2, 3: 4}


numbers = st.integers(-(2**64), 2**64 - 1)
values = st.recursive(
    numbers | st.booleans() | st.binary(max_size=40) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(numbers, inner, max_size=5)
        | st.builds(Tagged, st.integers(0, 2**64 - 1), inner)
    ),
    max_leaves=20,
)


@given(values)
@settings(deadline=None)
def test_values_come_back(value: cbor.Value) -> None:
    try:
        assert cbor.loads(cbor.dumps(value)) == value
    except ParseError as error:
        assert "deeply" in str(error)  # noqa: PT017 - the one reason that a value may have


@given(st.binary(max_size=80))
@settings(deadline=None)
def test_any_bytes_are_a_value_or_a_parse_error(data: bytes) -> None:
    try:
        value = cbor.loads(data)
    except ParseError:
        return
    assert cbor.loads(cbor.dumps(value)) == value
