"""Golomb-coded sets as BIP158 has them, read plainly: the reference for the faster engines.

A set of N items is the sorted list of their hashes in the range 0..N*M, each difference written as
a quotient by 2**P in unary (ones, closed by a zero) and a remainder in P bits. Block filters are
sets under the first 16 bytes of the block hash as SipHash key, with P = 19 and M = 784931.

Source: BIP158; Core `blockfilter.cpp` (`GCSFilter`).
"""

from collections.abc import Iterable, Sequence
from typing import Final

from wallet_gui.primitives.hashes import siphash24
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size

P: Final = 19
M: Final = 784_931
MIN_CODEWORD_BITS: Final = P + 1
MAX_FILTER_SIZE: Final = 1_000_000  # a block of nothing but outputs needs about 300 kB
SIPHASH_KEY_SIZE: Final = 16


class MalformedFilter(ParseError):
    """A filter that no block has; `position` is its place in the batch, 0 when there is none."""

    def __init__(self, sentence: str, position: int = 0) -> None:
        super().__init__(sentence)
        self.position = position


class PreparedScripts:
    """Scripts to look for, ready to be hashed in bulk: distinct, in groups of equal length.

    `groups` holds for each length the number of scripts and their SipHash words: for each script
    its bytes, zeros, and the length in the last byte, in `length // 8 + 1` words of eight bytes.
    Empty scripts are left out, since no filter holds one.
    """

    __slots__ = ("groups", "scripts")

    def __init__(self, scripts: Iterable[bytes]) -> None:
        self.scripts: tuple[bytes, ...] = tuple(dict.fromkeys(filter(None, scripts)))
        by_length: dict[int, list[bytes]] = {}
        for script in self.scripts:
            by_length.setdefault(len(script), []).append(script)
        self.groups: tuple[tuple[int, int, bytes], ...] = tuple(
            (length, len(group), b"".join(map(_sip_words, group)))
            for length, group in sorted(by_length.items())
        )

    def __len__(self) -> int:
        return len(self.scripts)


def prepared(scripts: PreparedScripts | Sequence[bytes]) -> PreparedScripts:
    """Return `scripts` prepared, which they may be already."""
    return scripts if isinstance(scripts, PreparedScripts) else PreparedScripts(scripts)


def _sip_words(script: bytes) -> bytes:
    return script + bytes(7 - len(script) % 8) + bytes((len(script) & 0xFF,))


def split(data: bytes) -> tuple[int, int]:
    """Read a filter's item count; return it and the offset of its codewords.

    Raises MalformedFilter for a count that the bytes cannot hold, before anything is allocated.
    """
    if data and data[0] < 0xFD:
        count, offset = data[0], 1
    else:
        reader = Reader(data[:9])
        try:
            count = reader.compact_size(maximum=MAX_FILTER_SIZE * 8 // MIN_CODEWORD_BITS)
        except ParseError as error:
            raise MalformedFilter("The filter's item count is malformed.") from error
        offset = reader.position
    payload = len(data) - offset
    if count * MIN_CODEWORD_BITS > payload * 8 or len(data) > MAX_FILTER_SIZE:
        raise MalformedFilter(f"A filter of {len(data)} bytes cannot hold {count} items.")
    if not count and payload:
        raise MalformedFilter("An empty filter has bytes left over.")
    return count, offset


def decode(data: bytes) -> list[int]:
    """Return the set's values in ascending order; MalformedFilter unless every bit is in place.

    Time and memory are linear in the length of `data`, whatever it says.
    """
    count, offset = split(data)
    bits = bin(int.from_bytes(b"\x01" + data[offset:], "big"))[3:]
    limit = count * M
    values = []
    value = position = 0
    for _ in range(count):
        zero = bits.find("0", position)
        end = zero + MIN_CODEWORD_BITS
        if zero < 0 or end > len(bits):
            raise MalformedFilter("The filter ends inside an item.")
        value += (zero - position << P) + int(bits[zero + 1 : end], 2)
        if value >= limit:
            raise MalformedFilter("The filter has a value out of range.")
        values.append(value)
        position = end
    if len(bits) - position >= 8 or "1" in bits[position:]:
        raise MalformedFilter("The filter has bytes left over.")
    return values


def encode(values: Sequence[int]) -> bytes:
    """Write values (ascending, below their number times M) as a filter's bytes."""
    bits = ["1"]  # kept apart from leading zeros
    last = 0
    for value in values:
        quotient, remainder = divmod(value - last, 1 << P)
        bits.append("1" * quotient + "0" + format(remainder, f"0{P}b"))
        last = value
    text = "".join(bits)
    text += "0" * (-(len(text) - 1) % 8)
    payload = int(text, 2).to_bytes(len(text) // 8 + 1, "big")[1:]
    return compact_size(len(values)) + payload


def hash_items(block_hash: bytes, items: Iterable[bytes], count: int) -> list[int]:
    """Map items into the range of a set of `count` items, in the order given."""
    key = block_hash[:SIPHASH_KEY_SIZE]
    span = count * M
    return [siphash24(key, item) * span >> 64 for item in items]


def build(block_hash: bytes, items: Iterable[bytes]) -> bytes:
    """Make the filter of distinct items."""
    distinct = set(items)
    return encode(sorted(hash_items(block_hash, distinct, len(distinct))))


def match(block_hash: bytes, data: bytes, scripts: Sequence[bytes]) -> bool:
    """Tell whether a filter holds any of the scripts; MalformedFilter."""
    values = set(decode(data))
    if not values or not scripts:
        return False
    return not values.isdisjoint(hash_items(block_hash, scripts, split(data)[0]))
