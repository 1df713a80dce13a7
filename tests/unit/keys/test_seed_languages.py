"""Seed words of every language against vectors that other programs published."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.keys.seed import (
    LANGUAGES,
    bip39_seed,
    canonical_words,
    entropy_from_words,
    word_list,
    words_from_entropy,
)

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "bip39_languages.json").read_text(encoding="utf-8")
)
SHARED = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "bip-0039"
ROWS = [
    (language, VECTORS[language]["passphrase"], *row)
    for language in LANGUAGES
    if language in VECTORS
    for row in VECTORS[language]["rows"]
]


def test_nine_languages_besides_english_have_vectors() -> None:
    assert len({row[0] for row in ROWS}) == 9
    # No program has published any for these two; the library's lists are all there is.
    assert set(LANGUAGES) - {row[0] for row in ROWS} == {"english", "russian", "turkish"}


@pytest.mark.parametrize(("language", "passphrase", "entropy", "words", "stretched"), ROWS)
def test_published_vectors(
    language: str, passphrase: str, entropy: str, words: str, stretched: str
) -> None:
    raw = bytes.fromhex(entropy)
    made = words_from_entropy(raw, language)
    assert canonical_words(made) == canonical_words(words)
    assert bip39_seed(raw, language, passphrase).hex() == stretched
    for form in ("NFC", "NFD"):
        typed = unicodedata.normalize(form, words)
        found, recognised = entropy_from_words(typed)
        assert found == raw
        assert bip39_seed(found, recognised, passphrase).hex() == stretched
        assert entropy_from_words(typed, language) == (raw, language)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the folder of official vectors is not there")
def test_the_typed_english_vectors_are_the_official_ones() -> None:
    official = json.loads((SHARED / "english.json").read_text())
    rows = official["english"] if isinstance(official, dict) else official
    for row in rows:
        entropy, words, stretched = row[:3]
        assert words_from_entropy(bytes.fromhex(entropy)) == words
        assert bip39_seed(bytes.fromhex(entropy), "english", "TREZOR").hex() == stretched


@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from([16, 20, 24, 28, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n)),
    st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]),
    st.lists(
        st.sampled_from([" ", "  ", "\t", "\n", "\u3000", "\u00a0", "\u2009", "\r\n", "\u200b"]),
        min_size=25,
        max_size=25,
    ),
    st.sampled_from(["upper", "lower"]),
)
@settings(deadline=None, max_examples=150)
def test_canonical_words_do_not_depend_on_how_they_were_typed(
    language: str, entropy: bytes, form: str, blanks: list[str], case: str
) -> None:
    words = words_from_entropy(entropy, language).replace("\u3000", " ").split(" ")
    # Upper case is not undone for Turkish i: its list is typed as it is printed.
    if case == "upper" and language != "turkish":
        words = [word.upper() for word in words]
    typed = blanks[-1] + "".join(
        word + blank for word, blank in zip(words, blanks[: len(words)], strict=True)
    )
    canonical = canonical_words(unicodedata.normalize(form, typed))  # type: ignore[arg-type]
    assert canonical == canonical_words(words_from_entropy(entropy, language))
    assert canonical_words(canonical) == canonical
    assert set(canonical.split()) <= set(word_list(language))


@given(st.text(max_size=60))
@settings(deadline=None)
def test_canonical_words_are_stable(text: str) -> None:
    once = canonical_words(text)
    assert canonical_words(once) == once
    assert unicodedata.normalize("NFKD", once) == once
    assert once == once.strip()
    assert "  " not in once
