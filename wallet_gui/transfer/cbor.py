"""The part of CBOR (RFC 8949) that uniform resources use, read strictly and within bounds.

There are whole numbers, byte strings, text, arrays, maps with whole numbers as keys, tags and the
two truth values; no floats, no null, no indefinite lengths. As BCR-2020-005 asks for the
deterministic form, a length that is not the shortest and a key that stands twice are refused. The
order of keys is not checked: devices are careless with it, and nothing hangs on it.
"""

from dataclasses import dataclass
from typing import Final

from wallet_gui.primitives.serialize import ParseError

MAX_DEPTH: Final = 24
"""A multisig output in an account has 15 levels."""

MAX_ITEMS: Final = 20_000
"""Numbers, strings, containers and tags together; 15 cosigners of 7 scripts have under 3,000."""

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_FALSE, _TRUE = 20, 21


@dataclass(frozen=True, slots=True)
class Tagged:
    """A value with the number that says what it is (RFC 8949 section 3.4)."""

    tag: int
    value: "Value"


Value = int | bool | bytes | str | list["Value"] | dict[int, "Value"] | Tagged


def dumps(value: Value) -> bytes:  # noqa: PLR0911 - one for each type
    """Write a value in deterministic form: shortest lengths, keys in ascending order."""
    match value:
        case bool():
            return bytes([_SIMPLE << 5 | (_TRUE if value else _FALSE)])
        case int() if value >= 0:
            return _head(_UNSIGNED, value)
        case int():
            return _head(_NEGATIVE, -1 - value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            data = value.encode()
            return _head(_TEXT, len(data)) + data
        case list():
            return _head(_ARRAY, len(value)) + b"".join(map(dumps, value))
        case dict():
            pairs = sorted((dumps(key), dumps(each)) for key, each in value.items())
            return _head(_MAP, len(pairs)) + b"".join(key + each for key, each in pairs)
        case Tagged(tag, inner):
            return _head(_TAG, tag) + dumps(inner)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in enumerate((1, 2, 4, 8), start=24):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise ValueError("CBOR has no whole numbers of more than 64 bits here")


def loads(data: bytes) -> Value:
    """Read exactly one value; raise ParseError for anything else, in time linear in `data`."""
    reader = _Reader(data)
    value = reader.read(0)
    if not reader.is_at_end:
        raise ParseError("This code holds more than one piece of data. Scan it again.")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
        self._left = MAX_ITEMS

    @property
    def is_at_end(self) -> bool:
        return self._position == len(self._data)

    def _take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise ParseError("The data of this code end too early. Scan it again.")
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def _read_head(self) -> tuple[int, int]:
        first = self._take(1)[0]
        major, code = first >> 5, first & 31
        if code < 24:
            return major, code
        if code > 27 or major == _SIMPLE:
            raise _foreign()
        size = 1 << (code - 24)
        number = int.from_bytes(self._take(size), "big")
        if number < (24 if size == 1 else 1 << 4 * size):
            raise ParseError("The data of this code are not in the one form that the format has.")
        return major, number

    def read(self, depth: int) -> Value:
        self._left -= 1
        if depth > MAX_DEPTH or self._left < 0:
            raise ParseError("The data of this code are nested too deeply or have too many parts.")
        major, number = self._read_head()
        match major:
            case 4:
                self._check_count(number)
                return [self.read(depth + 1) for _ in range(number)]
            case 5:
                self._check_count(2 * number)
                return self._read_map(number, depth)
            case 6:
                return Tagged(number, self.read(depth + 1))
            case _:
                return self._read_scalar(major, number)

    def _read_scalar(self, major: int, number: int) -> Value:
        match major:
            case 0:
                return number
            case 1:
                return -1 - number
            case 2:
                return self._take(number)
            case 3:
                return self._read_text(number)
            case _ if number in (_FALSE, _TRUE):
                return number == _TRUE
            case _:
                raise _foreign()

    def _read_text(self, size: int) -> str:
        try:
            return self._take(size).decode()
        except UnicodeDecodeError:
            raise ParseError("A text in this code is not valid Unicode.") from None

    def _check_count(self, count: int) -> None:
        # Each item has at least one byte: a count beyond what is left is a lie, and cheap to tell.
        if count > len(self._data) - self._position:
            raise ParseError("The data of this code end too early. Scan it again.")

    def _read_map(self, count: int, depth: int) -> dict[int, Value]:
        found: dict[int, Value] = {}
        for _ in range(count):
            key = self.read(depth + 1)
            if not isinstance(key, int) or isinstance(key, bool):
                raise _foreign()
            if key in found:
                raise ParseError("The data of this code say the same thing twice.")
            found[key] = self.read(depth + 1)
        return found


def _foreign() -> ParseError:
    return ParseError("The data of this code are of a kind that no Bitcoin wallet uses.")
