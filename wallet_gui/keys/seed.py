"""Entropy and BIP39 seed words.

A wallet keeps the entropy and the language; the words are made from them when they are shown, and
whatever was typed is turned into entropy first. So a stray space, a capital or a composed accent
can never lead to another seed, as it does where typed text is stretched as it stands.
"""

import functools
import itertools
import secrets
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mnemonic import Mnemonic

from wallet_gui.keys.errors import BrokenRandomSource, SeedError
from wallet_gui.primitives.hashes import sha256

ENTROPY_BITS: Final = (128, 160, 192, 224, 256)
WORD_COUNTS: Final = (12, 15, 18, 21, 24)

# The order in which equally good guesses are tried and languages are offered.
LANGUAGES: Final = (
    "english",
    "spanish",
    "french",
    "italian",
    "portuguese",
    "czech",
    "turkish",
    "russian",
    "japanese",
    "korean",
    "chinese_simplified",
    "chinese_traditional",
)
# Lists in which no two words differ by accents only, so that accents may be left out in typing.
_ACCENTS_OPTIONAL: Final = frozenset({"spanish", "french"})


@dataclass(frozen=True, slots=True, repr=False)
class Seed:
    """What a wallet is made of: entropy (16 to 32 bytes), word list, optional passphrase."""

    entropy: bytes
    language: str = "english"
    passphrase: str = ""

    def __repr__(self) -> str:
        return "<Seed>"

    @property
    def words(self) -> str:
        return words_from_entropy(self.entropy, self.language)

    def stretched(self) -> bytes:
        """Return the 64 bytes from which BIP32 starts."""
        return bip39_seed(self.entropy, self.language, self.passphrase)


def new_entropy(bits: int = 128, source: Callable[[int], bytes] = secrets.token_bytes) -> bytes:
    """Return fresh entropy of 128, 160, 192, 224 or 256 bits, exactly as `source` gave it.

    Raises BrokenRandomSource when the source repeats itself, counts, or gives constant bytes. That
    finds dead generators, not weak ones: the source must be the system's.
    """
    if bits not in ENTROPY_BITS:
        raise ValueError("entropy has 128, 160, 192, 224 or 256 bits")
    size = bits // 8
    entropy, probe = source(size), source(64)
    broken = (
        len(entropy) != size
        or len(probe) != 64
        or probe.startswith(entropy)
        or _has_pattern(entropy)
        or _has_pattern(probe)
    )
    if broken:
        raise BrokenRandomSource(
            "This computer's random numbers are not random, so a new wallet would not be safe. "
            "Restart the computer, or create the wallet on another one."
        )
    return entropy


def _has_pattern(data: bytes) -> bool:
    if len(set(data)) < len(data) // 4:
        return True
    steps = {(after - before) % 256 for before, after in itertools.pairwise(data)}
    if len(steps) == 1:
        return True
    return any(data[:-period] == data[period:] for period in range(1, len(data) // 2 + 1))


def is_guessable(entropy: bytes) -> bool:
    """Whether entropy follows a pattern, as published examples do ("abandon abandon ...").

    What is paid to such words is taken at once. Random entropy is never called so.
    """
    return _has_pattern(entropy)


def canonical_words(text: str) -> str:
    """Return NFKD, lower-case words with single spaces between, whatever space was typed.

    Invisible characters that copying may bring along (zero-width space, marks of direction) are
    dropped, the zero-width space separates.
    """
    text = unicodedata.normalize("NFKD", text).replace("\u200b", " ").lower()
    text = unicodedata.normalize("NFKD", text)
    visible = (character for character in text if unicodedata.category(character) != "Cf")
    return " ".join("".join(visible).split())


@functools.cache
def _mnemonic(language: str) -> Mnemonic:
    if language not in LANGUAGES:
        raise ValueError("there is no BIP39 word list of that name")
    return Mnemonic(language)


@functools.cache
def word_list(language: str) -> tuple[str, ...]:
    """Return the 2048 words in NFKD; ValueError for an unknown language."""
    words = _mnemonic(language).wordlist
    return tuple(unicodedata.normalize("NFKD", word) for word in words)


@functools.cache
def _word_indexes(language: str) -> dict[str, int]:
    words = word_list(language)
    indexes: dict[str, int] = {}
    if language in _ACCENTS_OPTIONAL:
        indexes = {_without_accents(word): index for index, word in enumerate(words)}
    indexes.update((word, index) for index, word in enumerate(words))
    return indexes


def _without_accents(word: str) -> str:
    return "".join(character for character in word if not unicodedata.combining(character))


def words_from_entropy(entropy: bytes, language: str = "english") -> str:
    """Return the BIP39 phrase of 16, 20, 24, 28 or 32 bytes; Japanese is joined by U+3000."""
    if len(entropy) * 8 not in ENTROPY_BITS:
        raise ValueError("entropy has 128, 160, 192, 224 or 256 bits")
    return _mnemonic(language).to_mnemonic(entropy)


def bip39_seed(entropy: bytes, language: str = "english", passphrase: str = "") -> bytes:
    """Return the 64-byte seed of the canonical phrase and the passphrase (NFKD, BIP39).

    Blanks and capitals of the passphrase count.
    """
    return Mnemonic.to_seed(words_from_entropy(entropy, language), passphrase)


def entropy_from_words(text: str, language: str | None = None) -> tuple[bytes, str]:
    """Return the entropy and the language of a BIP39 phrase, however it was typed.

    Without `language` it is recognised. Raises SeedError with one sentence: how many words there
    should be, at which positions words are in no list, that the checksum is wrong, or that the
    language has to be chosen. The sentence never repeats a word.
    """
    words = canonical_words(text).split(" ")
    if words == [""]:
        raise SeedError("Type the seed words.")
    if len(words) not in WORD_COUNTS:
        count = f"{len(words)} word" + "s" * (len(words) != 1)
        raise SeedError(f"This is {count}; a seed phrase has 12, 15, 18, 21 or 24.")
    candidates = LANGUAGES if language is None else (language,)
    unknown = {
        candidate: tuple(
            position
            for position, word in enumerate(words, start=1)
            if word not in _word_indexes(candidate)
        )
        for candidate in candidates
    }
    complete = [candidate for candidate in candidates if not unknown[candidate]]
    if not complete:
        best = min(candidates, key=lambda candidate: len(unknown[candidate]))
        if language is None and len(unknown[best]) == len(words):
            raise SeedError(
                "None of the words is in a BIP39 word list. Compare them with your backup.",
                unknown[best],
            )
        raise SeedError(_unknown_words(unknown[best], best), unknown[best])
    found = {
        candidate: entropy
        for candidate in complete
        if (entropy := _decode(words, candidate)) is not None
    }
    if not found:
        raise SeedError(
            "All the words are known, but together they are no seed phrase: one of them is wrong, "
            "or two have changed places. Compare them with your backup."
        )
    # The seed comes from the words alone, so two lists that hold the very same words lead to the
    # same wallet. Only words typed without their accents can stand for two different phrases.
    phrases = {
        canonical_words(words_from_entropy(entropy, candidate)): (entropy, candidate)
        for candidate, entropy in reversed(found.items())
    }
    exact = phrases.get(" ".join(words))
    if exact is not None:
        return exact
    if len(phrases) > 1:
        names = " or ".join(language_name(candidate) for candidate in found)
        raise SeedError(f"These words could be {names}; choose the language.")
    return next(iter(phrases.values()))


def language_name(language: str) -> str:
    """Return the name for people: "Chinese (simplified)" for "chinese_simplified"."""
    name, _, script = language.partition("_")
    return name.capitalize() + (f" ({script})" if script else "")


def _unknown_words(positions: tuple[int, ...], language: str) -> str:
    name = language_name(language)
    if len(positions) == 1:
        return f"Word {positions[0]} is not in the {name} word list. Compare it with your backup."
    listed = f"{', '.join(map(str, positions[:-1]))} and {positions[-1]}"
    return f"Words {listed} are not in the {name} word list. Compare them with your backup."


def _decode(words: list[str], language: str) -> bytes | None:
    indexes = _word_indexes(language)
    number = 0
    for word in words:
        number = number << 11 | indexes[word]
    checksum_bits = len(words) // 3
    entropy = (number >> checksum_bits).to_bytes(len(words) * 4 // 3, "big")
    expected = sha256(entropy)[0] >> (8 - checksum_bits)
    return entropy if number & ((1 << checksum_bits) - 1) == expected else None
