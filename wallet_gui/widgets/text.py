"""Text from outside (labels, URIs, peers) made safe to look at: plain, one line, capped."""

import html
from collections.abc import Iterator

from wallet_gui.primitives.plain_text import plain_text

CHUNK = 4
ELLIPSIS = "\u2026"
_MARKS = ".,;:)"


def plain(text: str, limit: int = 200) -> str:
    """One visible line of at most `limit` characters, without control or direction characters."""
    return plain_text(text, limit)


def chunked(text: str, size: int = CHUNK) -> str:
    """An address or hash in groups, as a person compares it; it wraps between them."""
    return " ".join(text[i : i + size] for i in range(0, len(text), size))


def breakable(text: str, longest: int = 32) -> str:
    """The same words, with blanks inside those too long for a line: fingerprints, paths, keys."""
    return " ".join(" ".join(_pieces(word, longest)) for word in text.split(" "))


def _pieces(word: str, longest: int) -> Iterator[str]:
    """Cut behind a separator where there is one in the second half, else in the middle of it."""
    while len(word) > longest:
        place = max(word.rfind(mark, longest // 2, longest) for mark in "/:@,")
        cut = place + 1 if place >= 0 else longest
        if not word[cut:].strip(_MARKS):
            # The full stop of a sentence does not stand alone.
            cut = max(1, longest // 2)
        yield word[:cut]
        word = word[cut:]
    yield word


def tooltip(text: str) -> str:
    """A tool tip that Qt cannot take for markup: it guesses, and has no switch for plain text."""
    return f"<span>{html.escape(text)}</span>" if text else ""


def shortened(text: str, keep: int = 10) -> str:
    """The beginning and the end of a long identifier; only ever a hint, never to be compared."""
    if len(text) <= 2 * keep + 1:
        return text
    return f"{text[:keep]}{ELLIPSIS}{text[-keep:]}"
