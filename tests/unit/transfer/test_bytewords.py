import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.transfer.ur_vectors import vectors
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bytewords


@pytest.mark.parametrize(("data", "text"), vectors()["bytewords"])
def test_official_words(data: str, text: str) -> None:
    assert bytewords.encode(bytes.fromhex(data)) == text
    assert bytewords.decode(text) == bytes.fromhex(data)
    assert bytewords.decode(text.upper()) == bytes.fromhex(data)


@pytest.mark.parametrize("text", [*vectors()["bytewords_bad"], "aeadaolazmjendeot", "xxxxxxxxxxxx"])
def test_bad_words_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        bytewords.decode(text)


def test_words_can_be_told_apart_as_the_paper_says() -> None:
    assert len(bytewords.WORDS) == 256
    assert list(bytewords.WORDS) == sorted(bytewords.WORDS)
    for part in (slice(0, 3), slice(1, 4), slice(0, 4, 3)):
        assert len({word[part] for word in bytewords.WORDS}) == 256


@pytest.mark.parametrize(("text", "checksum"), vectors()["crc32"].items())
def test_the_checksum_is_the_one_of_the_papers(text: str, checksum: str) -> None:
    assert f"{zlib.crc32(text.encode()):x}" == checksum


@given(st.binary(min_size=1, max_size=200), st.data())
@settings(deadline=None)
def test_one_changed_letter_is_always_found(data: bytes, draw: st.DataObject) -> None:
    text = bytewords.encode(data)
    assert bytewords.decode(text) == data
    place = draw.draw(st.integers(0, len(text) - 1))
    letter = draw.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz"))
    if letter != text[place]:
        with pytest.raises(ParseError):
            bytewords.decode(text[:place] + letter + text[place + 1 :])


@given(st.text(max_size=60))
@settings(deadline=None)
def test_any_text_is_bytes_or_a_parse_error(text: str) -> None:
    try:
        data = bytewords.decode(text)
    except ParseError:
        return
    assert bytewords.encode(data) == text.lower()
