"""Reads what `sha256sum` writes: the names of files and the SHA-256 of their contents."""

import re
from collections.abc import Mapping
from typing import Final

from wallet_gui.primitives.serialize import ParseError

Sums = Mapping[str, bytes]
"""A file's name, without any folder -> SHA-256 of its contents, 32 bytes."""

# Two blanks, or a blank and the asterisk of binary mode. Names as ours are: no folder, no escape.
_LINE: Final = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._+~-]{0,127})")
_VERSION: Final = re.compile(r"wallet-gui[-_]([0-9]+(?:\.[0-9]+)+)(?:[-_]|\.[a-z])")


def parse_sums(data: bytes) -> Sums:
    """Read a list of hashes. Raises ParseError."""
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise ParseError("The list of hashes is not a file that sha256sum wrote.") from None
    sums: dict[str, bytes] = {}
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line)
        if found is None or found[2] in sums:
            raise ParseError(
                f"Line {number} of the list of hashes is not one that sha256sum writes, or it "
                "names a file twice."
            )
        sums[found[2]] = bytes.fromhex(found[1])
    if not sums:
        raise ParseError("The list of hashes is empty.")
    return sums


def version_in_name(name: str) -> str:
    """The version that one of our files carries in its name; empty for other files."""
    found = _VERSION.match(name)
    return found[1] if found else ""
