import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.serialize import (
    MAX_SIZE,
    ParseError,
    Reader,
    compact_size,
    var_bytes,
)

ENCODED = [
    (0, "00"),
    (1, "01"),
    (0xFC, "fc"),
    (0xFD, "fdfd00"),
    (0xFFFF, "fdffff"),
    (0x10000, "fe00000100"),
    (0xFFFFFFFF, "feffffffff"),
    (0x100000000, "ff0000000001000000"),
    (0xFFFFFFFFFFFFFFFF, "ffffffffffffffffff"),
]


@pytest.mark.parametrize(("value", "encoded"), ENCODED)
def test_compact_size_is_written_and_read_in_its_shortest_form(value: int, encoded: str) -> None:
    data = bytes.fromhex(encoded)
    assert compact_size(value) == data
    reader = Reader(data)
    assert reader.compact_size(maximum=value) == value
    reader.check_end()


@pytest.mark.parametrize("value", [-1, 1 << 64])
def test_compact_size_out_of_range_is_a_value_error(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        compact_size(value)


@pytest.mark.parametrize(
    "encoded",
    ["fd0000", "fdfc00", "fe00000000", "feffff0000", "ff0000000000000000", "ffffffffff00000000"],
)
def test_longer_form_of_a_compact_size_is_refused(encoded: str) -> None:
    reader = Reader(bytes.fromhex(encoded))
    with pytest.raises(ParseError, match="shortest form"):
        reader.compact_size(maximum=1 << 64)
    assert reader.position == 0


def test_compact_size_above_the_maximum_is_refused() -> None:
    reader = Reader(compact_size(MAX_SIZE + 1))
    with pytest.raises(ParseError, match="at most 33554432"):
        reader.compact_size()
    assert reader.position == 0
    assert Reader(compact_size(MAX_SIZE)).compact_size() == MAX_SIZE


def test_numbers_are_little_endian_but_for_ports() -> None:
    reader = Reader(
        bytes.fromhex("01 0201 04030201 0807060504030201 feffffff fdffffffffffffff 208d")
    )
    assert reader.u8() == 1
    assert reader.u16() == 0x0102
    assert reader.u32() == 0x01020304
    assert reader.u64() == 0x0102030405060708
    assert reader.i32() == -2
    assert reader.i64() == -3
    assert reader.u16_be() == 8333
    assert reader.remaining == 0
    reader.check_end()


@pytest.mark.parametrize(
    ("method", "size"),
    [("u8", 1), ("u16", 2), ("u32", 4), ("u64", 8), ("i32", 4), ("i64", 8), ("u16_be", 2)],
)
def test_short_numbers_are_refused_and_leave_the_cursor(method: str, size: int) -> None:
    for length in range(size):
        reader = Reader(bytes(length))
        with pytest.raises(ParseError, match="end too early"):
            getattr(reader, method)()
        assert reader.position == 0
        assert reader.remaining == length


@pytest.mark.parametrize("data", [b"", b"\xfd", b"\xfd\xfd", b"\xfe\0\0\1", b"\xff" + bytes(7)])
def test_short_compact_size_is_refused_and_leaves_the_cursor(data: bytes) -> None:
    reader = Reader(data)
    with pytest.raises(ParseError, match="end too early"):
        reader.compact_size()
    assert reader.position == 0


def test_var_bytes_never_returns_fewer_bytes_than_promised() -> None:
    reader = Reader(b"\x03ab")
    with pytest.raises(ParseError, match="end too early"):
        reader.var_bytes(10)
    assert reader.position == 0
    with pytest.raises(ParseError, match="at most 2"):
        reader.var_bytes(2)
    assert Reader(b"\x03abc").var_bytes(3) == b"abc"


def test_a_negative_read_is_refused() -> None:
    with pytest.raises(ParseError):
        Reader(b"abc").read(-1)


def test_trailing_bytes_are_refused() -> None:
    reader = Reader(b"ab")
    reader.read(1)
    with pytest.raises(ParseError, match="1 unexpected bytes"):
        reader.check_end()


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_every_buffer_type_is_read_as_bytes(kind: type) -> None:
    value = Reader(kind(b"abc")).read(2)
    assert value == b"ab"
    assert type(value) is bytes


def test_a_reader_does_not_follow_changes_of_its_buffer() -> None:
    buffer = bytearray(b"abc")
    reader = Reader(buffer)
    buffer[0] = 0
    assert reader.read(3) == b"abc"


@settings(deadline=None)
@given(st.binary(max_size=600))
def test_var_bytes_round_trip(data: bytes) -> None:
    reader = Reader(var_bytes(data))
    assert reader.var_bytes(600) == data
    reader.check_end()


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=(1 << 64) - 1))
def test_compact_size_round_trip(value: int) -> None:
    assert Reader(compact_size(value)).compact_size((1 << 64) - 1) == value


@settings(deadline=None)
@given(st.binary(max_size=20), st.integers(min_value=0, max_value=30))
def test_any_bytes_are_a_value_or_a_parse_error(data: bytes, maximum: int) -> None:
    reader = Reader(data)
    try:
        value = reader.var_bytes(maximum)
    except ParseError:
        assert reader.position == 0
    else:
        assert len(value) <= maximum
        assert data.startswith(var_bytes(value))
