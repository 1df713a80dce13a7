"""An honest guess at how hard a password is to guess, and what that means in time."""

import math
import re
import string
from dataclasses import dataclass
from typing import Final

from wallet_gui.keys.seed import word_list
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
_YEARS: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_COMMON_BITS: Final = 6.0
_WORD_BITS: Final = 12.0
"""For one word among several: between BIP39's 11 bits and Diceware's 12.9."""
_STEP_BITS: Final = 1.5
_SPOKEN_BITS: Final = 2.5
"""For a letter of a word that is in no list here; English has about that many per letter."""
_VOWELS: Final = "aeiouy"
_HEAP: Final = re.compile(rf"[{_VOWELS}]{{4}}|[^{_VOWELS}]{{4}}")
# The words that people meet when they meet wallets, the longest first.
_LISTED: Final = re.compile(
    "|".join(sorted((w for w in word_list("english") if len(w) > 3), key=len, reverse=True))
)


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
    """Count what each character adds: little in a word, a repetition, a row of keys, at the end."""
    each = math.log2(_alphabet(password))
    parts = _parts(password)
    end = len(password.rstrip(string.digits + string.punctuation))
    bits = 0.0
    position = 0
    while position < len(password):
        part = parts.get(position)
        if part is not None:
            bits += part.bits
            position += part.length
            continue
        letter = password[position]
        step = each
        if position >= end > 0:
            # Where people put a digit and a sign when they are asked for one.
            step = min(each, math.log2(10))
        if position and _follows(password[position - 1], letter):
            step = min(step, _STEP_BITS)
        elif letter in password[:position]:
            step = min(step, 3.0)
        bits += step
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


@dataclass(frozen=True, slots=True)
class _Part:
    length: int
    bits: float


def _parts(password: str) -> dict[int, _Part]:
    """Find years, known words and what sounds like a word; by position, without overlaps."""
    # One character each, so that positions stay: some letters grow when they are lowered.
    lowered = "".join(letter.lower()[0] for letter in password)
    plain = lowered.translate(_LOOKALIKES)
    parts: dict[int, _Part] = {}
    taken: set[int] = set()

    def take(start: int, length: int, bits: float) -> None:
        span = range(start, start + length)
        if not taken.isdisjoint(span):
            return
        exchanged = sum(lowered[index] != plain[index] for index in span)
        capitals = sum(password[index] != lowered[index] for index in span)
        disguise = min(exchanged + capitals, 4) * 1.0
        taken.update(span)
        parts[start] = _Part(length, bits + disguise)

    for match in _YEARS.finditer(password):
        taken.update(range(match.start(), match.end()))
        parts[match.start()] = _Part(4, _COMMON_BITS)
    for word in _COMMON:
        for match in re.finditer(word, plain):
            take(match.start(), len(word), _COMMON_BITS)
    for match in _LISTED.finditer(plain):
        take(match.start(), len(match[0]), _WORD_BITS)
    for match in re.finditer(
        r"[a-z]{2,}",
        "".join(" " if index in taken else letter for index, letter in enumerate(plain)),
    ):
        if _sounds_like_a_word(match[0]):
            take(match.start(), len(match[0]), len(match[0]) * _SPOKEN_BITS)
    return parts


def _sounds_like_a_word(text: str) -> bool:
    """Tell letters that somebody may have read from drawn ones: vowels, and no heaps of either."""
    share = sum(letter in _VOWELS for letter in text) / len(text)
    return 0.2 <= share <= 0.7 and not _HEAP.search(text)


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
