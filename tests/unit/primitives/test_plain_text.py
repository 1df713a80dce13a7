import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.primitives.plain_text import plain_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Coffee", "Coffee"),
        ("  two\tlines\r\nbecome  one\u2028line ", "two lines become one line"),
        ("pay\x00\x1b[31m\x07 me\x7f\x9b", "pay[31m me"),
        ("abc\u202egpj.exe\u2066x\u2069", "abcgpj.exex"),
        ("zero\u200bwidth\ufeff\u00ad\u2060", "zerowidth"),
        ("tag\U000e0041\U000e007f", "tag"),
        ("private \ue000 use", "private use"),
        ("lone \ud800 surrogate", "lone surrogate"),
        ("\u3164hidden\u2800", "hidden"),
        ("e\u0301", "\u00e9"),
        ("a" + "\u0300" * 40, "\u00e0" + "\u0300" * 3),
        ("<b>bold</b> &amp;", "<b>bold</b> &amp;"),
        ("", ""),
        ("\u200b\n", ""),
    ],
)
def test_one_line_of_visible_characters(text: str, shown: str) -> None:
    assert plain_text(text, 100) == shown


def test_the_limit_shows_that_something_was_cut() -> None:
    assert plain_text("abcdef", 6) == "abcdef"
    assert plain_text("abcdefg", 6) == "abcde\u2026"
    assert plain_text("abcd  fg", 6) == "abcd\u2026"
    assert len(plain_text("x" * 10_000_000, 50)) == 50


@settings(deadline=None)
@given(st.text(st.characters(), max_size=60), st.integers(1, 40))
def test_any_text_is_made_safe_and_stays_so(text: str, limit: int) -> None:
    shown = plain_text(text, limit)
    assert len(shown) <= limit
    assert shown == shown.strip()
    assert plain_text(shown, limit) == shown
    for character in shown:
        assert unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    shown.encode()
