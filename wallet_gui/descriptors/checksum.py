"""The checksum of output descriptors (BIP380)."""

from typing import Final

from wallet_gui.primitives.serialize import ParseError

# Characters in groups of 32, so that upper and lower case differ in the group only.
_INPUT_CHARSET: Final = (
    "0123456789()[],'/*abcdefgh@:$%{}"
    "IJKLMNOPQRSTUVWXYZ&+-.;<=>?!^_|~"
    'ijklmnopqrstuvwxyzABCDEFGH`#"\\ '
)
_CHECKSUM_CHARSET: Final = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR: Final = (0xF5DEE51989, 0xA9FDCA3312, 0x1BAB10E32D, 0x3706B1677A, 0x644D626FFD)


def checksum(text: str) -> str:
    """Return the 8 characters that follow # (BIP380); raise ParseError for foreign characters."""
    symbols: list[int] = []
    groups: list[int] = []
    for character in text:
        position = _INPUT_CHARSET.find(character)
        if position < 0:
            raise ParseError("A descriptor has only printable ASCII characters.")
        symbols.append(position & 31)
        groups.append(position >> 5)
        if len(groups) == 3:
            symbols.append(groups[0] * 9 + groups[1] * 3 + groups[2])
            groups.clear()
    if len(groups) == 1:
        symbols.append(groups[0])
    elif groups:
        symbols.append(groups[0] * 3 + groups[1])
    state = 1
    for symbol in (*symbols, 0, 0, 0, 0, 0, 0, 0, 0):
        top = state >> 35
        state = (state & 0x7FFFFFFFF) << 5 ^ symbol
        for bit, generator in enumerate(_GENERATOR):
            if top >> bit & 1:
                state ^= generator
    state ^= 1
    return "".join(_CHECKSUM_CHARSET[state >> 5 * (7 - n) & 31] for n in range(8))
