"""The byte level of Bitcoin's formats: a bounded reader, CompactSize, length-prefixed bytes.

Everything that arrives from outside is read with `Reader`. It never reads past its end, never
allocates more than it was given and has one way of failing: `ParseError`.
"""

import struct
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")
_I32 = struct.Struct("<i")
_I64 = struct.Struct("<q")
_U16_BE = struct.Struct(">H")

# Core's MAX_SIZE (src/serialize.h): no count or length on the wire is larger.
MAX_SIZE = 0x02000000


class ParseError(ValueError):
    """Text or bytes from outside are not what they claim to be; the message is one sentence."""


class Reader:
    """A cursor over immutable bytes.

    Every method raises `ParseError` when the data end early or break a limit, and leaves the
    cursor where it was.
    """

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = bytes(data)
        self._end = len(self._data)
        self._position = 0

    @property
    def position(self) -> int:
        return self._position

    @property
    def remaining(self) -> int:
        return self._end - self._position

    def read(self, n: int) -> bytes:
        """Return the next `n` bytes."""
        start = self._position
        stop = start + n
        if n < 0 or stop > self._end:
            raise self._short(n)
        self._position = stop
        return self._data[start:stop]

    def u8(self) -> int:
        start = self._position
        if start >= self._end:
            raise self._short(1)
        self._position = start + 1
        return self._data[start]

    def u16(self) -> int:
        return self._number(_U16)

    def u32(self) -> int:
        return self._number(_U32)

    def u64(self) -> int:
        return self._number(_U64)

    def i32(self) -> int:
        return self._number(_I32)

    def i64(self) -> int:
        return self._number(_I64)

    def u16_be(self) -> int:
        """Read a big-endian number: ports in network addresses are written so."""
        return self._number(_U16_BE)

    def compact_size(self, maximum: int = MAX_SIZE) -> int:
        """Read a CompactSize in its shortest form, at most `maximum`.

        Source: Core src/serialize.h ReadCompactSize.
        """
        start = self._position
        first = self.u8()
        if first < 0xFD:
            value = first
        else:
            try:
                if first == 0xFD:
                    value, floor = self.u16(), 0xFD
                elif first == 0xFE:
                    value, floor = self.u32(), 0x10000
                else:
                    value, floor = self.u64(), 0x100000000
            except ParseError:
                self._position = start
                raise
            if value < floor:
                self._position = start
                raise ParseError(f"The length at byte {start} is not written in its shortest form.")
        if value > maximum:
            self._position = start
            raise ParseError(
                f"The length at byte {start} is {value}, and at most {maximum} is allowed."
            )
        return value

    def var_bytes(self, maximum: int) -> bytes:
        """Read a CompactSize length of at most `maximum`, then that many bytes."""
        start = self._position
        length = self.compact_size(maximum)
        try:
            return self.read(length)
        except ParseError:
            self._position = start
            raise

    def check_end(self) -> None:
        """Refuse bytes left over behind the value."""
        if self._position != self._end:
            raise ParseError(f"{self.remaining} unexpected bytes follow the data.")

    def take(self, read: Callable[[bytes, int], tuple[_T, int]]) -> _T:
        """Let `read` get a value from the bytes at a position; it returns the position behind."""
        value, self._position = read(self._data, self._position)
        return value

    def _number(self, layout: struct.Struct) -> int:
        start = self._position
        stop = start + layout.size
        if stop > self._end:
            raise self._short(layout.size)
        self._position = stop
        value: int = layout.unpack_from(self._data, start)[0]
        return value

    def _short(self, wanted: int) -> ParseError:
        return ParseError(
            f"The data end too early: {wanted} bytes wanted at byte {self._position}, "
            f"{self.remaining} left."
        )


def compact_size(n: int) -> bytes:
    """Encode `n` (0 to 2**64-1) as a CompactSize; ValueError outside that range."""
    if 0 <= n < 0xFD:
        return bytes((n,))
    if 0 <= n <= 0xFFFF:
        return b"\xfd" + _U16.pack(n)
    if 0 <= n <= 0xFFFFFFFF:
        return b"\xfe" + _U32.pack(n)
    if 0 <= n <= 0xFFFFFFFFFFFFFFFF:
        return b"\xff" + _U64.pack(n)
    raise ValueError(f"{n} does not fit a CompactSize.")


def var_bytes(data: bytes) -> bytes:
    """Prefix `data` with its length as a CompactSize."""
    return compact_size(len(data)) + data
