"""Addresses that a person might take for one another.

Poisoners make an address with the ends of one from the history and pay from or to it a dust
amount, so that somebody who compares only the ends copies it the next time.
"""

from collections.abc import Iterable

_COMPARED = 4
# Everything before these characters is the same for all addresses of a kind.
_PREFIXES = ("bcrt1q", "bcrt1p", "bc1q", "bc1p", "tb1q", "tb1p")


def _ends(address: str) -> tuple[str, str, str]:
    lower = address.lower()
    prefix = next((p for p in _PREFIXES if lower.startswith(p)), "")
    if prefix:
        address = lower
    body = address[len(prefix) :]
    return prefix, body[:_COMPARED], body[-_COMPARED:]


def find_lookalike(address: str, known: Iterable[str]) -> str | None:
    """Find a known address that differs, but not in its first and last four characters.

    Returns the first in sorted order; None when there is none.
    """
    ends = _ends(address)
    return min(
        (k for k in known if _ends(k) == ends and k.lower() != address.lower()), default=None
    )
