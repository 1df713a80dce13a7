"""Bytewords, minimal style (BCR-2020-012): two letters a byte, and a CRC-32 at the end.

Each of the 256 words has four letters, and its first and last letter are enough to know it.
"""

import zlib
from typing import Final

from wallet_gui.primitives.serialize import ParseError

CHECKSUM_SIZE: Final = 4

_LIST: Final = """
    able acid also apex aqua arch atom aunt away axis back bald barn belt beta bias
    blue body brag brew bulb buzz calm cash cats chef city claw code cola cook cost
    crux curl cusp cyan dark data days deli dice diet door down draw drop drum dull
    duty each easy echo edge epic even exam exit eyes fact fair fern figs film fish
    fizz flap flew flux foxy free frog fuel fund gala game gear gems gift girl glow
    good gray grim guru gush gyro half hang hard hawk heat help high hill holy hope
    horn huts iced idea idle inch inky into iris iron item jade jazz join jolt jowl
    judo jugs jump junk jury keep keno kept keys kick kiln king kite kiwi knob lamb
    lava lazy leaf legs liar limp lion list logo loud love luau luck lung main many
    math maze memo menu meow mild mint miss monk nail navy need news next noon note
    numb obey oboe omit onyx open oval owls paid part peck play plus poem pool pose
    puff puma purr quad quiz race ramp real redo rich road rock roof ruby ruin runs
    rust safe saga scar sets silk skew slot soap solo song stub surf swan taco task
    taxi tent tied time tiny toil tomb toys trip tuna twin ugly undo unit urge user
    vast very veto vial vibe view visa void vows wall wand warm wasp wave waxy webs
    what when whiz wolf work yank yawn yell yoga yurt zaps zero zest zinc zone zoom
"""
WORDS: Final = tuple(_LIST.split())
_PAIRS: Final = tuple(word[0] + word[3] for word in WORDS)
_VALUES: Final = {pair: value for value, pair in enumerate(_PAIRS)}


def encode(data: bytes) -> str:
    """Write bytes and their CRC-32 as lower-case letter pairs."""
    checked = data + zlib.crc32(data).to_bytes(CHECKSUM_SIZE, "big")
    return "".join(_PAIRS[value] for value in checked)


def decode(text: str) -> bytes:
    """Read letter pairs of either case, and check the CRC-32; raise ParseError."""
    text = text.lower()
    if len(text) % 2 or len(text) <= 2 * CHECKSUM_SIZE:
        raise ParseError("A part of this code is missing. Scan it again.")
    try:
        checked = bytes(map(_VALUES.__getitem__, map(str.__add__, text[::2], text[1::2])))
    except KeyError:
        raise ParseError("This code has letters that its format does not know.") from None
    data, checksum = checked[:-CHECKSUM_SIZE], checked[-CHECKSUM_SIZE:]
    if zlib.crc32(data).to_bytes(CHECKSUM_SIZE, "big") != checksum:
        raise ParseError("This code was read with a mistake: its checksum is wrong. Scan it again.")
    return data
