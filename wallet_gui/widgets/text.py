"""Text from outside (labels, URIs, peers) made safe to look at: plain, one line, capped."""

import unicodedata

# Cf holds the bidirectional overrides and zero-width characters, Cc the control characters,
# Zl and Zp the Unicode line breaks.
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
CHUNK = 4
ELLIPSIS = "\u2026"


def plain(text: str, limit: int = 200) -> str:
    """One visible line of at most `limit` characters, without control or direction characters."""
    kept = "".join(
        " " if character in "\t\r\n" else character
        for character in text[: limit * 4]
        if character in "\t\r\n" or unicodedata.category(character) not in _HIDDEN_CATEGORIES
    )
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + ELLIPSIS


def chunked(address: str) -> str:
    """An address in groups of four, as a person compares it."""
    return " ".join(address[i : i + CHUNK] for i in range(0, len(address), CHUNK))


def shortened(text: str, keep: int = 10) -> str:
    """The beginning and the end of a long identifier; only ever a hint, never to be compared."""
    if len(text) <= 2 * keep + 1:
        return text
    return f"{text[:keep]}{ELLIPSIS}{text[-keep:]}"
