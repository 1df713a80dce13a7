"""Text shown character by character: nothing that is in it stays unseen.

`plain_text` makes foreign text fit to be shown beside other text and drops what hides; here
nothing may be dropped, because somebody signs exactly these characters.
"""

import unicodedata
from typing import Final

LINE_END: Final = "\u21b5\n"
# Printable by their category, but without a look of their own.
_UNSEEN: Final = frozenset(
    (0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10))
)
_VARIATION_SELECTORS: Final = range(0xE0100, 0xE01F0)
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})


def visible(text: str) -> str:
    """Return the text with every hidden character as its code, as in [U+202E].

    Line ends stay, with a sign before them; blanks become a code where they would not be seen,
    that is at the ends of a line and side by side.
    """
    return LINE_END.join(map(_visible_line, text.split("\n")))


def is_plain(text: str) -> bool:
    """Whether `visible` shows the text as it is, line ends aside."""
    return visible(text).replace(LINE_END, "\n") == text


def _visible_line(line: str) -> str:
    shown = []
    for position, character in enumerate(line):
        if character == " ":
            neighbours = line[position - 1 : position], line[position + 1 : position + 2]
            is_seen = position > 0 and all(part not in {"", " "} for part in neighbours)
        else:
            is_seen = not _hides(character)
        shown.append(character if is_seen else f"[U+{ord(character):04X}]")
    return "".join(shown)


def _hides(character: str) -> bool:
    code = ord(character)
    if code in _UNSEEN or code in _VARIATION_SELECTORS:
        return True
    return unicodedata.category(character) in _HIDDEN
