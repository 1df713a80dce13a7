"""Seed words: official vectors, every language, and whatever people type."""

import inspect
import json
import random
import secrets
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnemonic import Mnemonic

from wallet_gui.keys import seed as seed_module
from wallet_gui.keys.errors import BrokenRandomSource, SeedError
from wallet_gui.keys.seed import (
    ENTROPY_BITS,
    LANGUAGES,
    Seed,
    bip39_seed,
    canonical_words,
    entropy_from_words,
    is_guessable,
    language_name,
    new_entropy,
    word_list,
    words_from_entropy,
)
from wallet_gui.keys.xprv import ExtendedPrivateKey

# https://github.com/trezor/python-mnemonic, named by BIP39 as its test vectors.
ENGLISH = Path(__file__).parents[2] / "vectors" / "bip39_english.json"
FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
CASES: tuple[Callable[[str], str], ...] = (str.lower, str.upper, str.capitalize)
ABANDON = "abandon " * 11 + "about"
ENTROPIES = st.sampled_from([bits // 8 for bits in ENTROPY_BITS]).flatmap(
    lambda size: st.binary(min_size=size, max_size=size)
)


def test_bip39_english_vectors() -> None:
    rows = json.loads(ENGLISH.read_text())["english"]
    assert len(rows) == 24
    for entropy, words, stretched, xprv in rows:
        assert words_from_entropy(bytes.fromhex(entropy)) == words
        assert entropy_from_words(words) == (bytes.fromhex(entropy), "english")
        seed = bip39_seed(bytes.fromhex(entropy), "english", "TREZOR")
        assert seed.hex() == stretched
        assert ExtendedPrivateKey.from_seed(seed).serialize() == xprv


def test_a_japanese_vector_with_a_composed_passphrase() -> None:
    # First of the Japanese vectors that BIP39 links to (bip32JP).
    passphrase = "㍍ガバヴァぱばぐゞちぢ十人十色"
    words = "あいこくしん　" * 11 + "あおぞら"
    assert words_from_entropy(bytes(16), "japanese") == unicodedata.normalize(
        "NFKD", words
    ).replace(" ", "\u3000")
    assert entropy_from_words(words) == (bytes(16), "japanese")
    assert bip39_seed(bytes(16), "japanese", passphrase).hex() == (
        "a262d6fb6122ecf45be09c50492b31f92e9beb7d9a845987a02cefda57a15f9c"
        "467a17872029a9e92299b5cbdf306e3a0ee620245cbd508959b6cb7ca637bd55"
    )


def test_every_list_that_mnemonic_ships_is_offered() -> None:
    assert set(LANGUAGES) == set(Mnemonic.list_languages())
    for language in LANGUAGES:
        words = word_list(language)
        assert len(set(words)) == 2048
        assert all(canonical_words(word) == word for word in words)
    assert language_name("chinese_simplified") == "Chinese (simplified)"
    with pytest.raises(ValueError, match="no BIP39 word list"):
        word_list("klingon")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_round_trips_as_the_library_does(language: str) -> None:
    source = random.Random(language)
    for bits in ENTROPY_BITS:
        for _ in range(5):
            entropy = source.randbytes(bits // 8)
            words = words_from_entropy(entropy, language)
            assert len(words.split()) == bits * 3 // 32
            assert ("\u3000" in words) is (language == "japanese")
            assert entropy_from_words(words, language) == (entropy, language)
            library = Mnemonic(language)
            assert library.to_mnemonic(entropy) == words
            if tuple(library.wordlist) == word_list(language):
                # The library cannot find its own words where its list is not in NFKD.
                assert library.check(words)
                assert bytes(library.to_entropy(words.replace("\u3000", " "))) == entropy
            assert bip39_seed(entropy, language, "x") == Mnemonic.to_seed(words, "x")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_is_recognised(language: str) -> None:
    source = random.Random(f"{language} again")
    for _ in range(20):
        entropy = source.randbytes(32)
        found, recognised = entropy_from_words(words_from_entropy(entropy, language))
        assert (found, recognised) == (entropy, language)


def test_words_that_two_lists_share_lead_to_one_wallet() -> None:
    # Each Chinese list has the other's form of a character at the same place.
    simplified, traditional = word_list("chinese_simplified"), word_list("chinese_traditional")
    both = sorted(set(simplified) & set(traditional))
    source = random.Random(5)
    words = next(
        phrase
        for _ in range(1000)
        if Mnemonic("chinese_simplified").check(phrase := " ".join(source.choices(both, k=12)))
    )
    entropy, language = entropy_from_words(words)
    assert language == "chinese_simplified"
    other, _ = entropy_from_words(words, "chinese_traditional")
    assert bip39_seed(entropy, language) == bip39_seed(other, "chinese_traditional")


def test_words_that_could_be_two_phrases_need_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two lists that differ in accents only do not exist yet; the rule must hold if one comes.
    bare, accented = ("spanish", "french")
    entropies = {bare: bytes(16), accented: b"\x01" * 16}
    monkeypatch.setattr(seed_module, "_word_indexes", lambda _: dict.fromkeys(ABANDON.split(), 0))
    monkeypatch.setattr(seed_module, "_decode", lambda _, language: entropies.get(language))
    with pytest.raises(SeedError, match="could be Spanish or French; choose the language"):
        entropy_from_words(ABANDON)
    assert entropy_from_words(ABANDON, "french") == (b"\x01" * 16, "french")


@settings(deadline=None, max_examples=60)
@given(ENTROPIES, st.sampled_from(LANGUAGES), st.data())
def test_however_words_are_typed_the_entropy_is_the_same(
    entropy: bytes, language: str, data: st.DataObject
) -> None:
    words = words_from_entropy(entropy, language).split()
    blanks = st.text(" \t\n\r\u3000\u00a0\u2003\u200b", min_size=1, max_size=4)
    form = data.draw(st.sampled_from(FORMS))
    typed = data.draw(blanks)
    for word in words:
        change = data.draw(st.sampled_from(CASES))
        # Case that does not come back (as in Turkish) is not something that people type.
        changed = change(word) if canonical_words(change(word)) == word else word
        typed += changed + data.draw(blanks)
    assert entropy_from_words(unicodedata.normalize(form, typed), language) == (entropy, language)


def test_blanks_and_marks_from_copying() -> None:
    for text in (
        ABANDON.upper(),
        f"  {ABANDON}\n",
        ABANDON.replace(" ", "  "),
        ABANDON.replace(" ", "\u3000"),
        ABANDON.replace(" ", "\u200b"),
        "\ufeff" + ABANDON,
        ABANDON.replace(" ", " \u200e"),
    ):
        assert entropy_from_words(text) == (bytes(16), "english")


@pytest.mark.parametrize("language", ["spanish", "french"])
def test_accents_may_be_left_out(language: str) -> None:
    def bare(word: str) -> str:
        return "".join(letter for letter in word if not unicodedata.combining(letter))

    words = word_list(language)
    assert len({bare(word) for word in words}) == 2048
    entropy = bytes(range(32))
    typed = bare(words_from_entropy(entropy, language))
    assert entropy_from_words(typed, language) == (entropy, language)


def test_the_position_of_a_wrong_word_is_named_and_the_word_is_not() -> None:
    words = ABANDON.split()
    words[4] = "hunter2"
    with pytest.raises(SeedError, match=r"^Word 5 is not in the English word list") as caught:
        entropy_from_words(" ".join(words))
    assert caught.value.positions == (5,)
    assert "hunter2" not in str(caught.value)
    words[11] = "secretword"
    with pytest.raises(SeedError, match="Words 5 and 12 are not in the English") as caught:
        entropy_from_words(" ".join(words))
    assert caught.value.positions == (5, 12)
    with pytest.raises(SeedError, match="None of the words") as caught:
        entropy_from_words(" ".join(["xyzzy"] * 12))
    assert "xyzzy" not in str(caught.value)
    with pytest.raises(SeedError, match="Spanish"):
        entropy_from_words(ABANDON, "spanish")


def test_wrong_counts_and_checksums() -> None:
    with pytest.raises(SeedError, match="Type the seed words"):
        entropy_from_words(" \n")
    with pytest.raises(SeedError, match="This is 1 word; a seed phrase has 12, 15, 18, 21 or 24"):
        entropy_from_words("abandon")
    with pytest.raises(SeedError, match="13 words"):
        entropy_from_words(ABANDON + " abandon")
    with pytest.raises(SeedError, match="two have changed places"):
        entropy_from_words("abandon " * 12)


def test_one_swap_is_nearly_always_noticed() -> None:
    source = random.Random(1)
    noticed = 0
    for _ in range(100):
        words = words_from_entropy(source.randbytes(32)).split()
        words[3], words[17] = words[17], words[3]
        try:
            entropy_from_words(" ".join(words))
        except SeedError:
            noticed += 1
    assert noticed >= 97


@given(st.text())
def test_any_text_is_a_seed_error(text: str) -> None:
    with pytest.raises(SeedError):
        entropy_from_words(text)


@given(st.text(max_size=40))
def test_composed_and_decomposed_passphrases_are_equal(passphrase: str) -> None:
    forms = {passphrase, *(unicodedata.normalize(form, passphrase) for form in FORMS)}
    assert len({bip39_seed(bytes(16), "english", form) for form in forms}) == 1


def test_passphrases_keep_blanks_and_case() -> None:
    seeds = {bip39_seed(bytes(16), "english", text) for text in ("", "a", "A", " a", "a ", "a  ")}
    assert len(seeds) == 6


@pytest.mark.parametrize("bits", ENTROPY_BITS)
def test_entropy_is_exactly_what_the_source_gave(bits: int) -> None:
    drawn: list[bytes] = []

    def source(size: int) -> bytes:
        drawn.append(secrets.token_bytes(size))
        return drawn[-1]

    assert new_entropy(bits, source) == drawn[0]
    assert len(drawn[0]) * 8 == bits


def test_the_default_source_is_the_systems() -> None:
    assert inspect.signature(new_entropy).parameters["source"].default is secrets.token_bytes
    code = Path(seed_module.__file__).read_text()
    assert "import random" not in code
    assert len({new_entropy() for _ in range(10_000)}) == 10_000


def zeros(size: int) -> bytes:
    return bytes(size)


def counting(size: int) -> bytes:
    return bytes(n % 256 for n in range(size))


def repeating(size: int) -> bytes:
    return (b"\x13\x77\xfe\x02\x9c\xaa\x01\x45" * size)[:size]


def same_start(size: int) -> bytes:
    return random.Random(7).randbytes(size)


def few_values(size: int) -> bytes:
    return (
        random.Random(size).choices([b"\x01", b"\x02", b"\x03"], k=size).__repr__().encode()[:size]
    )


def too_short(size: int) -> bytes:
    return secrets.token_bytes(size - 1)


def empty(size: int) -> bytes:
    return b""


@pytest.mark.parametrize("bits", ENTROPY_BITS)
@pytest.mark.parametrize(
    "source", [zeros, counting, repeating, same_start, few_values, too_short, empty]
)
def test_a_broken_random_source_is_refused(source: Callable[[int], bytes], bits: int) -> None:
    with pytest.raises(BrokenRandomSource, match="not random"):
        new_entropy(bits, source)


@pytest.mark.parametrize("bits", [0, 64, 127, 129, 512])
def test_other_sizes_are_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="128, 160, 192, 224 or 256"):
        new_entropy(bits)
    with pytest.raises(ValueError, match="128, 160, 192, 224 or 256"):
        words_from_entropy(bytes(17))


def test_reprs_hide_everything() -> None:
    seed = Seed(bytes.fromhex("7f" * 16), "english", "my passphrase")
    assert repr(seed) == f"{seed}" == "<Seed>"
    assert seed.words.startswith("legal winner")
    assert seed.stretched() == bip39_seed(seed.entropy, "english", "my passphrase")


def test_published_examples_are_told_from_random_words() -> None:
    rows = json.loads(ENGLISH.read_text())["english"]
    patterns = [entropy for entropy, *_ in rows if len(set(bytes.fromhex(entropy))) == 1]
    assert len(patterns) == 12
    assert all(is_guessable(bytes.fromhex(entropy)) for entropy in patterns)
    for bits in ENTROPY_BITS * 400:
        assert not is_guessable(secrets.token_bytes(bits // 8))
