"""Entropy from dice, mixed into the system's: it can only add to it, never take its place.

The seed is the beginning of SHA-256 over the system's random bytes followed by the rolls as ASCII
digits. Whoever guesses the rolls still lacks the random bytes, and should the random bytes be bad,
the rolls alone make the seed hard to guess: fifty fair rolls have 129 bits.
"""

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from typing import Final

from wallet_gui.keys.errors import SeedError
from wallet_gui.keys.seed import ENTROPY_BITS
from wallet_gui.primitives.hashes import sha256

SIDES: Final = 6
ROLLS_ASKED: Final = {128: 50, 160: 62, 192: 75, 224: 87, 256: 99}
"""Rolls for a seed of so many bits: log2(6) = 2.585 bits each; 99 have 255.9."""

MAX_ROLLS: Final = 1_000
_SEPARATORS: Final = frozenset(" \t\r\n,.;-")
# Chi-square with 5 degrees of freedom: fair dice exceed this once in 5 million times.
_UNFAIR: Final = 40.0
_NOT_RANDOM: Final = (
    "Roll a real die for each digit: numbers that come from the head can be guessed. Clear the "
    "field and start again."
)


class DiceError(SeedError):
    """Dice rolls are too few, not from 1 to 6, or obviously not rolled."""


def read_rolls(text: str) -> str:
    """Return the digits 1 to 6 of what was typed, without blanks and commas between.

    Raises DiceError at the first character that is neither.
    """
    rolls = []
    for place, character in enumerate(text, start=1):
        if character in _SEPARATORS:
            continue
        if character not in "123456":
            raise DiceError(
                f"Character {place} is no roll of a die. Only the numbers from 1 to 6 count; "
                "blanks and commas may stand between them."
            )
        rolls.append(character)
    if len(rolls) > MAX_ROLLS:
        raise DiceError(f"At most {MAX_ROLLS} rolls are taken; more do not make a seed better.")
    return "".join(rolls)


def check_rolls(rolls: str, bits: int) -> None:
    """Make sure that there are enough rolls for `bits` and that they may be of a die.

    What a die shows once in millions of times is refused; numbers that are merely made up cannot
    be told. Raises DiceError.
    """
    asked = ROLLS_ASKED[bits]
    if len(rolls) < asked:
        missing = asked - len(rolls)
        raise DiceError(
            f"{counted(rolls)}; a seed of {bits} bits needs {asked}. Roll {missing} more."
        )
    if len(set(rolls)) == 1:
        raise DiceError(f"All rolls are the same. {_NOT_RANDOM}")
    numbers = [int(roll) for roll in rolls]
    if _repeats(numbers):
        raise DiceError(f"These rolls repeat a pattern. {_NOT_RANDOM}")
    steps = [(after - before) % SIDES for before, after in itertools.pairwise(numbers)]
    if _is_unfair(numbers):
        raise DiceError(f"Some numbers come far too often or hardly ever. {_NOT_RANDOM}")
    if _is_unfair(steps):
        raise DiceError(f"These rolls count up, down or along. {_NOT_RANDOM}")


def counted(rolls: str) -> str:
    """Say what was counted: "37 rolls"."""
    return f"{len(rolls)} roll{'s' * (len(rolls) != 1)}"


def bits_of(rolls: str) -> int:
    """Return the whole bits that so many fair rolls have."""
    return math.floor(len(rolls) * math.log2(SIDES))


def mix(system_entropy: bytes, rolls: str) -> bytes:
    """Return entropy of the same length: the first bytes of SHA-256(system entropy || rolls).

    `system_entropy` has 16 to 32 bytes. Raises DiceError as `check_rolls` does.
    """
    bits = len(system_entropy) * 8
    if bits not in ENTROPY_BITS:
        raise ValueError("entropy has 128, 160, 192, 224 or 256 bits")
    check_rolls(rolls, bits)
    return sha256(system_entropy + rolls.encode("ascii"))[: len(system_entropy)]


def _repeats(numbers: Sequence[int]) -> bool:
    """Whether the rolls are nearly the same ones shifted by up to half of their length."""
    for shift in range(1, len(numbers) // 2 + 1):
        pairs = list(zip(numbers, numbers[shift:], strict=False))
        if sum(a == b for a, b in pairs) * 10 > len(pairs) * 7:
            return True
    return False


def _is_unfair(values: Sequence[int]) -> bool:
    expected = len(values) / SIDES
    found = Counter(values)
    # One of six faces that never came is in here with its whole expectation.
    excess = sum((count - expected) ** 2 for count in found.values())
    return (excess + (SIDES - len(found)) * expected**2) / expected > _UNFAIR
