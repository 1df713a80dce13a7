"""Sizes and marks of version 2 of the peer-to-peer transport (BIP324), without its ciphers.

They are known before anybody has answered; the ciphers are loaded when somebody has.
"""

from typing import Final

LENGTH_SIZE: Final = 3
HEADER_SIZE: Final = 1
TAG_SIZE: Final = 16
EXPANSION: Final = LENGTH_SIZE + HEADER_SIZE + TAG_SIZE
"""How much longer a packet is than its contents."""

DECOY: Final = 0x80  # in the header: to be ignored
KEY_SIZE: Final = 64
TERMINATOR_SIZE: Final = 16
MAX_GARBAGE: Final = 4095
