"""How much goes into a QR code: the sizes that the standard calls versions (ISO/IEC 18004)."""

from typing import Final

from wallet_gui.primitives.serialize import ParseError

# Characters of the alphanumeric mode in versions 1 to 40 at error correction level L (table 7).
# fmt: off
_CAPACITIES: Final = (
    25, 47, 77, 114, 154, 195, 224, 279, 335, 395,
    468, 535, 619, 667, 758, 854, 938, 1046, 1153, 1249,
    1352, 1460, 1588, 1704, 1853, 1990, 2132, 2223, 2369, 2520,
    2677, 2840, 3009, 3183, 3351, 3537, 3729, 3927, 4087, 4296,
)
# fmt: on
MAX_ALPHANUMERIC: Final = _CAPACITIES[-1]

MAX_BYTES: Final = 2953
"""What version 40 holds in byte mode, for text with small letters."""


def qr_version(characters: int) -> int:
    """Return the smallest version, 1 to 40, that holds so many alphanumeric characters.

    Raises ParseError when none does.
    """
    for version, capacity in enumerate(_CAPACITIES, start=1):
        if characters <= capacity:
            return version
    raise ParseError("This is too much for one QR code. Choose smaller codes.")


def modules(version: int) -> int:
    """Return how many modules a code of a version has on each side, without the quiet zone."""
    return 17 + 4 * version
