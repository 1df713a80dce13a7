import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet_gui.primitives.visible_text import LINE_END, is_plain, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("I owe you 5 €", "I owe you 5 €"),
        ("测试文本 😄", "测试文本 😄"),
        ("a\nb", f"a{LINE_END}b"),
        ("a\r\nb", f"a[U+000D]{LINE_END}b"),
        ("pay \u202e1 to me", "pay [U+202E]1 to me"),
        ("a\tb\x00", "a[U+0009]b[U+0000]"),
        (" a  b ", "[U+0020]a[U+0020][U+0020]b[U+0020]"),
        ("a\u00a0b\u200b\u3164\u2800", "a[U+00A0]b[U+200B][U+3164][U+2800]"),
        ("x\u034f\ufe00\U000e0101", "x[U+034F][U+FE00][U+E0101]"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_every_character_is_seen(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_whether_it_stands_there_as_it_is() -> None:
    assert is_plain("two words\nand a line")
    assert not is_plain("two  words")
    assert not is_plain("x\u200b")


@given(st.text(max_size=80))
def test_nothing_hidden_is_left_and_nothing_is_lost(text: str) -> None:
    shown = visible(text)
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not {unicodedata.category(c) for c in shown.replace(LINE_END, "")} & hidden
    assert shown.count(LINE_END) == text.count("\n")
    assert len(shown) >= len(text)
