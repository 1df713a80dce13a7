"""The fountain code of multi-part uniform resources (BCR-2020-005), both ways.

A message is cut into `count` fragments. The first `count` parts are the fragments themselves; each
later part is the XOR of some of them, chosen by a generator that both sides seed alike, so that a
reader who missed a part needs *any* later one instead of waiting for just that one.
"""

import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import cbor

MAX_MESSAGE: Final = 10_000_000
"""Bytes. Beyond what anybody has the patience to scan, and what this side is ready to hold."""

MAX_FRAGMENTS: Final = 4_000
"""At five a second, a quarter of an hour; the tables that a decoder holds grow with its square."""

MAX_FRAGMENT: Final = 4_096
"""Bytes in one part; the largest QR code holds 2,100 in two letters each."""

MIN_FRAGMENT: Final = 10
_MAX_SEQUENCE: Final = 0xFFFFFFFF
_MASK: Final = 0xFFFFFFFFFFFFFFFF


class Xoshiro256:
    """Blackman and Vigna's xoshiro256**, seeded with the SHA-256 of something."""

    def __init__(self, seed: bytes) -> None:
        digest = hashlib.sha256(seed).digest()
        self._a, self._b, self._c, self._d = (
            int.from_bytes(digest[i : i + 8], "big") for i in range(0, 32, 8)
        )

    def next(self) -> int:
        """Return 64 random bits."""
        a, b, c, d = self._a, self._b, self._c, self._d
        result = b * 5 & _MASK
        result = (result << 7 | result >> 57) * 9 & _MASK
        shifted = b << 17 & _MASK
        c ^= a
        d ^= b
        self._b = b ^ c
        self._a = a ^ d
        self._c = c ^ shifted
        self._d = (d << 45 | d >> 19) & _MASK
        return result

    def next_double(self) -> float:
        return self.next() / 18446744073709551616.0

    def next_int(self, low: int, high: int) -> int:
        """Return a number from `low` to `high`, both included."""
        return int(self.next_double() * (high - low + 1)) + low


class RandomSampler:
    """Draws 0, 1, 2... with given weights: Walker's alias method in Vose's form.

    The order in which the tables are filled is part of the format: both sides must draw alike.
    """

    def __init__(self, weights: Iterable[float]) -> None:
        given = list(weights)
        total = sum(given)
        count = len(given)
        scaled = [weight * count / total for weight in given]
        self._chances = [1.0] * count
        self._aliases = [0] * count
        small = [i for i in reversed(range(count)) if scaled[i] < 1]
        large = [i for i in reversed(range(count)) if scaled[i] >= 1]
        while small and large:
            less, more = small.pop(), large.pop()
            self._chances[less] = scaled[less]
            self._aliases[less] = more
            scaled[more] += scaled[less] - 1
            (small if scaled[more] < 1 else large).append(more)

    def next(self, random: Xoshiro256) -> int:
        first, second = random.next_double(), random.next_double()
        index = int(len(self._chances) * first)
        return index if second < self._chances[index] else self._aliases[index]


@lru_cache(maxsize=8)
def _degree_sampler(count: int) -> RandomSampler:
    return RandomSampler(1 / degree for degree in range(1, count + 1))


def choose_degree(count: int, random: Xoshiro256) -> int:
    """Draw how many of `count` fragments a part mixes: few far more often than many."""
    return _degree_sampler(count).next(random) + 1


def shuffled(items: Iterable[int], random: Xoshiro256, wanted: int) -> list[int]:
    """Return the first `wanted` of a shuffle; what would come after them draws nothing."""
    left = list(items)
    return [left.pop(random.next_int(0, len(left) - 1)) for _ in range(wanted)]


def choose_fragments(sequence: int, count: int, checksum: int) -> list[int]:
    """Tell which fragments the part number `sequence` (from 1) of a message is made of."""
    if 1 <= sequence <= count:
        return [sequence - 1]
    random = Xoshiro256(sequence.to_bytes(4, "big") + checksum.to_bytes(4, "big"))
    degree = choose_degree(count, random)
    return shuffled(range(count), random, degree)


def fragment_size(message_size: int, maximum: int, minimum: int = MIN_FRAGMENT) -> int:
    """Return the size of equal fragments: the largest that is not above `maximum`."""
    most = max(1, message_size // minimum)
    count = min(most, -(-message_size // maximum))
    return -(-message_size // count)


@dataclass(frozen=True, slots=True)
class Part:
    """One part as it is sent: five numbers and strings in a CBOR array."""

    sequence: int
    count: int
    message_size: int
    checksum: int
    data: bytes

    def serialize(self) -> bytes:
        return cbor.dumps([self.sequence, self.count, self.message_size, self.checksum, self.data])

    @classmethod
    def parse(cls, data: bytes) -> "Part":
        """Read a part and check that its numbers go together; raise ParseError."""
        match cbor.loads(data):
            case [
                int() as sequence,
                int() as count,
                int() as message_size,
                int() as checksum,
                bytes() as fragment,
            ]:
                part = cls(sequence, count, message_size, checksum, fragment)
            case _:
                raise ParseError("This code is not a part of a longer message. Scan it again.")
        if not (
            0 <= sequence <= _MAX_SEQUENCE
            and 0 <= checksum <= _MAX_SEQUENCE
            and count >= 1
            and message_size >= 1
        ):
            raise ParseError("The numbers in this part of the message are impossible.")
        if message_size > MAX_MESSAGE or count > MAX_FRAGMENTS or len(fragment) > MAX_FRAGMENT:
            raise ParseError(
                "This message is too large for QR codes. Bring it over in a file instead."
            )
        if not (count - 1) * len(fragment) < message_size <= count * len(fragment):
            raise ParseError("The sizes in this part of the message do not go together.")
        return part


class Encoder:
    """Cuts a message and hands out its parts, by number, as many as anybody wants."""

    def __init__(self, message: bytes, max_fragment: int) -> None:
        if not message:
            raise ParseError("There is nothing to show as a QR code.")
        self._message_size = len(message)
        self.checksum = zlib.crc32(message)
        size = fragment_size(len(message), max_fragment)
        self._size = size
        self._fragments = [
            int.from_bytes(message[i : i + size].ljust(size, b"\0"), "big")
            for i in range(0, len(message), size)
        ]
        if len(message) > MAX_MESSAGE or self.count > MAX_FRAGMENTS or size > MAX_FRAGMENT:
            raise ParseError(
                "This is too large for QR codes of this density. Choose larger codes or a file."
            )

    @property
    def count(self) -> int:
        """The number of fragments: so many parts are the least that carry the message."""
        return len(self._fragments)

    def part(self, sequence: int) -> Part:
        """Return the part with a number from 1 on; it wraps at 2**32."""
        sequence &= _MAX_SEQUENCE
        mixed = 0
        for index in choose_fragments(sequence, self.count, self.checksum):
            mixed ^= self._fragments[index]
        data = mixed.to_bytes(self._size, "big")
        return Part(sequence, self.count, self._message_size, self.checksum, data)


class Decoder:
    """Puts a message together from parts in any order, with as few as can be enough.

    Each part is a linear equation over GF(2); the equations are kept solved as far as they go
    (Gauss-Jordan), so there are never more than `count` of them, whatever is sent: a part that
    says nothing new is not kept, and one that contradicts what is known is refused.
    """

    def __init__(self, first: Part) -> None:
        self._count = first.count
        self._message_size = first.message_size
        self._checksum = first.checksum
        self._size = len(first.data)
        self._solved: dict[int, int] = {}
        # Pivot -> which unsolved fragments are mixed, the pivot among them, and their XOR. A pivot
        # stands in no other equation.
        self._mixed: dict[int, tuple[int, int]] = {}
        self.message: bytes | None = None

    @property
    def count(self) -> int:
        return self._count

    @property
    def known(self) -> int:
        """How many of the `count` equations that are needed are there."""
        if self.message is not None:
            return self._count
        return len(self._solved) + len(self._mixed)

    def belongs(self, part: Part) -> bool:
        """Whether a part says it is of this message."""
        return (part.count, part.message_size, part.checksum, len(part.data)) == (
            self._count,
            self._message_size,
            self._checksum,
            self._size,
        )

    def receive(self, part: Part) -> None:
        """Take a part that belongs to the message.

        Raises ParseError when it contradicts the others, or the finished message is not the one
        that was announced; nothing can be made of this decoder then.
        """
        if self.message is not None:
            return
        mask, data = 0, int.from_bytes(part.data, "big")
        for index in choose_fragments(part.sequence, self._count, self._checksum):
            if index in self._solved:
                data ^= self._solved[index]
            else:
                mask ^= 1 << index
        for pivot, (other, mixed) in self._mixed.items():
            if mask >> pivot & 1:
                mask ^= other
                data ^= mixed
        if mask:
            self._add(mask, data)
        elif data:
            raise ParseError("The parts of this message contradict each other. Start over.")
        if len(self._solved) == self._count:
            self._finish()

    def _add(self, mask: int, data: int) -> None:
        pivot = mask.bit_length() - 1
        for key, (other, mixed) in list(self._mixed.items()):
            if other >> pivot & 1:
                self._keep(key, other ^ mask, mixed ^ data)
        self._keep(pivot, mask, data)

    def _keep(self, pivot: int, mask: int, data: int) -> None:
        if mask == 1 << pivot:
            self._mixed.pop(pivot, None)
            self._solved[pivot] = data
        else:
            self._mixed[pivot] = mask, data

    def _finish(self) -> None:
        joined = b"".join(self._solved[i].to_bytes(self._size, "big") for i in range(self._count))
        message, padding = joined[: self._message_size], joined[self._message_size :]
        if zlib.crc32(message) != self._checksum or any(padding):
            raise ParseError("The parts of this message do not fit together. Start over.")
        self.message = message
        self._solved.clear()
