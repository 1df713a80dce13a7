"""An honest guess at how hard a password is to guess, and what that means in time."""

import math
import re
import string
from dataclasses import dataclass
from typing import Final

from wallet_gui.vault.password_cost import PasswordCost

WEAK_BITS: Final = 40
STRONG_BITS: Final = 60

_REFERENCE_KIB_PASSES: Final = 512 * 1024 * 4
_REFERENCE_SECONDS: Final = 2.75
"""Core seconds of one guess at 512 MiB and four passes, as measured; memory times passes scales."""

_ATTACKER_CORES: Final = 1000
_YEAR: Final = 365.25 * 24 * 3600

# The beginnings of every published list of leaked passwords, as stems: digits around them and
# letters exchanged for look-alikes add a few bits only.
_COMMON: Final = tuple(
    re.findall(
        r"\w+",
        """
        password passwort qwerty qwertz azerty asdf iloveyou letmein welcome admin monkey dragon
        football baseball sunshine princess master shadow superman batman michael jordan hunter
        trustno login starwars whatever freedom secret bitcoin satoshi nakamoto wallet crypto money
        changeme default summer winter spring autumn hallo hello computer internet charlie abc
        hodl lambo moon test schatz geheim motdepasse contrasena access passw pass
        """,
    )
)
_LOOKALIKES: Final = str.maketrans("013457@$!|", "oleastasil")
_ROWS: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "yxcvbnm",
    "zxcvbnm",
    "azertyuiop",
)
_COMMON_BITS: Final = 6.0
_WORD_BITS: Final = 12.0
"""For one word among several: between BIP39's 11 bits and Diceware's 12.9."""
_STEP_BITS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Strength:
    """`bits` of the estimate, capped at 128, and what to say about it."""

    bits: float
    verdict: str
    explanation: str

    @property
    def is_weak(self) -> bool:
        return self.bits < WEAK_BITS


def estimate(password: str, cost: PasswordCost) -> Strength:
    """Estimate the entropy of a password that a person made up, low rather than high."""
    bits = min(128.0, _bits(password))
    if bits < WEAK_BITS:
        verdict = "Weak"
    elif bits < STRONG_BITS:
        verdict = "Good"
    else:
        verdict = "Strong"
    memory = cost.preferred.memory_kib * cost.preferred.iterations
    guess = _REFERENCE_SECONDS * memory / _REFERENCE_KIB_PASSES
    # On average half of the possibilities have to be tried.
    seconds = 2 ** (bits - 1) * guess / _ATTACKER_CORES
    explanation = (
        f"About {bits:.0f} bits. Somebody who has the file and {_ATTACKER_CORES} processor cores "
        f"needs {_duration(seconds)} on average."
    )
    return Strength(bits, verdict, explanation)


def _bits(password: str) -> float:
    if not password:
        return 0.0
    words = password.replace("-", " ").replace("_", " ").replace(".", " ").split()
    by_letters = _letters(password)
    if len(words) >= 3 and all(word.isalpha() and len(word) >= 3 for word in words):
        distinct = len({word.casefold() for word in words})
        return min(by_letters, distinct * _WORD_BITS)
    return by_letters


def _letters(password: str) -> float:
    """Count what each character adds: little within a known word, a repetition or a row of keys."""
    alphabet = _alphabet(password)
    # One character each, so that positions stay: some letters grow when they are lowered.
    plain = "".join(letter.lower()[0] for letter in password).translate(_LOOKALIKES)
    known = _known_parts(plain)
    each = math.log2(alphabet)
    bits = 0.0
    position = 0
    while position < len(password):
        length = known.get(position)
        if length:
            bits += _COMMON_BITS
            position += length
            continue
        if position and _follows(password[position - 1], password[position]):
            bits += _STEP_BITS
        elif password[position] in password[:position] and alphabet > 10:
            bits += min(each, 3.0)
        else:
            bits += each
        position += 1
    period = _period(password)
    return min(bits, _bits(password[:period]) + 3.0) if period < len(password) else bits


def _alphabet(password: str) -> int:
    classes = (
        (string.ascii_lowercase, 26),
        (string.ascii_uppercase, 26),
        (string.digits, 10),
        (string.punctuation + " ", 33),
    )
    size = sum(
        weight for members, weight in classes if any(letter in members for letter in password)
    )
    return max(10, size + (64 if any(ord(letter) > 127 for letter in password) else 0))


def _known_parts(plain: str) -> dict[int, int]:
    """Return start -> length of common words, the longest ones, without overlaps."""
    found: dict[int, int] = {}
    taken: set[int] = set()
    for word in sorted(_COMMON, key=len, reverse=True):
        start = plain.find(word)
        while start >= 0:
            span = range(start, start + len(word))
            if taken.isdisjoint(span):
                found[start] = len(word)
                taken.update(span)
            start = plain.find(word, start + 1)
    return found


def _follows(before: str, after: str) -> bool:
    pair = (before + after).casefold()
    return pair[0] == pair[-1] or any(pair in row or pair[::-1] in row for row in _ROWS)


def _period(password: str) -> int:
    for period in range(1, len(password) // 2 + 1):
        if password == (password[:period] * len(password))[: len(password)]:
            return period
    return len(password)


def _duration(seconds: float) -> str:
    for limit, unit, name in (
        (60, 1, "second"),
        (3600, 60, "minute"),
        (86_400, 3600, "hour"),
        (_YEAR, 86_400, "day"),
    ):
        if seconds < limit:
            count = max(1, round(seconds / unit))
            return f"{count} {name}{'s' * (count != 1)}"
    years = seconds / _YEAR
    if years < 1000:
        count = max(1, round(years))
        return f"{count} year{'s' * (count != 1)}"
    for power, name in ((3, "thousand"), (6, "million"), (9, "billion")):
        if years < 10 ** (power + 3):
            return f"{round(years / 10**power)} {name} years"
    return "longer than the universe exists"
