"""Bech32 and Bech32m, and segregated witness addresses written in them (BIP173, BIP350)."""

import enum
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from operator import xor

from wallet_gui.primitives.serialize import ParseError

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_LETTERS = bytes.maketrans(bytes(range(32)), _CHARSET.encode())
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_CHECKSUM_LENGTH = 6

# The checksum finds any four wrong characters only up to this length.
MAX_LENGTH = 90


class Encoding(enum.Enum):
    """Which constant the checksum ends in."""

    BECH32 = 1
    BECH32M = 0x2BC830A3


def _feedback(top: int) -> int:
    return reduce(xor, (g for bit, g in enumerate(_GENERATOR) if top >> bit & 1), 0)


# What the five bits that leave the checksum bring back into it.
_FEEDBACK = tuple(_feedback(top) for top in range(32))


def _polymod(values: Iterable[int], checksum: int = 1) -> int:
    for value in values:
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value ^ _FEEDBACK[checksum >> 25]
    return checksum


def _expand(hrp: str) -> list[int]:
    codes = hrp.encode("ascii")
    return [code >> 5 for code in codes] + [0] + [code & 31 for code in codes]


@lru_cache(maxsize=16)
def _begun(hrp: str) -> int:
    return _polymod(_expand(hrp))


def encode(hrp: str, values: Sequence[int], encoding: Encoding) -> str:
    """Write 5-bit values under a lower-case human-readable part, with checksum."""
    checksum = _polymod((*values, 0, 0, 0, 0, 0, 0), _begun(hrp)) ^ encoding.value
    ending = [checksum >> shift & 31 for shift in (25, 20, 15, 10, 5, 0)]
    return hrp + "1" + bytes((*values, *ending)).translate(_LETTERS).decode("ascii")


def decode(text: str, max_length: int = MAX_LENGTH) -> tuple[str, list[int], Encoding]:
    """Return the human-readable part in lower case, the 5-bit values and the kind of checksum.

    Raises `ParseError`.
    """
    if len(text) > max_length:
        raise ParseError(f"The text is too long: {len(text)} characters, at most {max_length} fit.")
    for position, character in enumerate(text, start=1):
        if not "!" <= character <= "~":
            raise ParseError(f"The character at position {position} is not allowed here.")
    if text.lower() != text and text.upper() != text:
        raise ParseError("Capital and small letters are mixed; use only one kind.")
    text = text.lower()
    hrp, separator, data = text.rpartition("1")
    if not separator or not hrp or len(data) < _CHECKSUM_LENGTH:
        raise ParseError("The text is incomplete: its prefix or its checksum is missing.")
    values: list[int] = []
    for position, character in enumerate(data, start=len(hrp) + 2):
        value = _VALUES.get(character)
        if value is None:
            raise ParseError(f"The character at position {position} is not used in Bech32.")
        values.append(value)
    residue = _polymod([*_expand(hrp), *values])
    for encoding in Encoding:
        if residue == encoding.value:
            return hrp, values[:-_CHECKSUM_LENGTH], encoding
    raise ParseError("The checksum does not match: a character is wrong, missing or extra.")


def bytes_to_values(data: bytes) -> list[int]:
    """Cut bytes into 5-bit values, the last one filled up with zero bits."""
    count = -(-len(data) * 8 // 5)
    number = int.from_bytes(data, "big") << (count * 5 - len(data) * 8)
    return [number >> 5 * i & 31 for i in reversed(range(count))]


def values_to_bytes(values: Sequence[int]) -> bytes:
    """Join 5-bit values to bytes; at most four filling bits may be left, all zero."""
    number = 0
    for value in values:
        number = number << 5 | value
    length, filling = divmod(len(values) * 5, 8)
    if filling > 4 or number & ((1 << filling) - 1):
        raise ParseError("The text ends in filling bits that should not be there.")
    return (number >> filling).to_bytes(length, "big")


def _check_program(version: int, program: bytes) -> None:
    if not 0 <= version <= 16:
        raise ParseError(f"{version} is not a witness version; they go from 0 to 16.")
    if not 2 <= len(program) <= 40:
        raise ParseError(f"A witness program has 2 to 40 bytes, and this one has {len(program)}.")
    if version == 0 and len(program) not in (20, 32):
        raise ParseError(
            f"A witness program of version 0 has 20 or 32 bytes, and this one has {len(program)}."
        )


def encode_segwit(hrp: str, version: int, program: bytes) -> str:
    """Write a witness program as an address: version 0 in Bech32, 1 to 16 in Bech32m.

    Raises `ParseError` for a version or length that no address has.
    """
    _check_program(version, program)
    encoding = Encoding.BECH32M if version else Encoding.BECH32
    return encode(hrp, [version, *bytes_to_values(program)], encoding)


def decode_segwit(hrp: str, text: str) -> tuple[int, bytes]:
    """Return witness version and program of an address that starts with `hrp` and "1".

    Raises `ParseError` for everything that BIP173 and BIP350 call invalid.
    """
    found, values, encoding = decode(text)
    if found != hrp:
        raise ParseError(f"The address does not begin with {hrp}1.")
    if not values:
        raise ParseError("The address is empty behind its prefix.")
    version, program = values[0], values_to_bytes(values[1:])
    _check_program(version, program)
    if encoding is not (Encoding.BECH32M if version else Encoding.BECH32):
        raise ParseError(
            "The address carries the wrong kind of checksum; ask for it again, for the program "
            "that wrote it is faulty or outdated."
        )
    return version, program
