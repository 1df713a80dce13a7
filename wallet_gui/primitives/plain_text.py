"""Text from outside made fit to be shown: labels, messages, names that peers give themselves.

Such text may try to reorder or hide what stands beside it. What remains is one line of visible
characters of bounded length; escaping for a mark-up language is left to whoever uses one.
"""

import unicodedata

# Controls (Cc), bidirectional and zero-width formatting (Cf), unpaired surrogates (Cs), characters
# without an agreed look (Co, Cn); Zl and Zp break lines and become blanks.
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_BLANK = frozenset({"Zs", "Zl", "Zp"})
_LINE_CONTROLS = frozenset("\t\n\v\f\r\x85")
# Blanks by their looks only: Hangul fillers and the empty Braille cell.
_BLANK_LOOKING = frozenset("\u115f\u1160\u3164\uffa0\u2800")
_COMBINING = frozenset({"Mn", "Me"})

# A letter may carry two accents (Vietnamese) or three points (Hebrew); taller piles cover the
# lines above and below.
_MAX_COMBINING = 4


def plain_text(text: str, limit: int) -> str:
    """Return `text` as one line without invisible characters, at most `limit` characters long.

    Composed (NFC), blanks collapsed and trimmed; what is cut off is shown by an ellipsis.
    """
    kept: list[str] = []
    pile = 0
    for character in text[: 16 * limit]:  # bounds the work
        category = unicodedata.category(character)
        if category in _BLANK or character in _LINE_CONTROLS or character in _BLANK_LOOKING:
            kept.append(" ")
        elif category not in _DROPPED:
            pile = pile + 1 if category in _COMBINING else 0
            if pile <= _MAX_COMBINING:
                kept.append(character)
    line = " ".join(unicodedata.normalize("NFC", "".join(kept)).split())
    if len(line) <= limit:
        return line
    return line[: limit - 1].rstrip() + "\u2026"
