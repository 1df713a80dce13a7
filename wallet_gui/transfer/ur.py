"""Uniform resources, version 2 (BCR-2020-005): `ur:TYPE/DATA` and `ur:TYPE/3-12/PART`."""

import re
from dataclasses import dataclass
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bytewords, fountain
from wallet_gui.transfer.qr_capacity import qr_version

SCHEME: Final = "ur:"
MAX_PART_TEXT: Final = 2 * (fountain.MAX_FRAGMENT + 64)
"""Characters of one part of several; the largest QR code holds 4,296."""

_TYPE = re.compile(r"[a-z0-9-]{1,60}", re.ASCII)
_SEQUENCE = re.compile(r"([0-9]{1,10})-([0-9]{1,10})", re.ASCII)
_VERSION_1 = re.compile(r"[0-9]+of[0-9]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Whole:
    """A uniform resource in one piece: its type, lower case, and its CBOR."""

    type: str
    message: bytes


@dataclass(frozen=True, slots=True)
class Piece:
    """One part of a uniform resource that was sent in several."""

    type: str
    part: fountain.Part


def is_ur(text: str) -> bool:
    return text[: len(SCHEME)].lower() == SCHEME


def parse(text: str) -> Whole | Piece:
    """Read one code, in either case; raise ParseError."""
    text = text.strip().lower()
    kind, *components = text[len(SCHEME) :].split("/", 4)
    if any(map(_VERSION_1.fullmatch, components)):
        raise ParseError(
            "This code is in the first version of the UR format, which is not used any more. "
            "Update the other device or choose BBQr there."
        )
    if not is_ur(text) or len(components) not in (1, 2) or not _TYPE.fullmatch(kind):
        raise ParseError("This code begins like a UR and does not go on like one. Scan it again.")
    if len(components) == 2:
        return _parse_piece(kind, *components)
    if len(components[0]) > 2 * (fountain.MAX_MESSAGE + bytewords.CHECKSUM_SIZE):
        raise ParseError("This code is too large. Bring the data over in a file instead.")
    return Whole(kind, bytewords.decode(components[0]))


def _parse_piece(kind: str, sequence: str, data: str) -> Piece:
    numbers = _SEQUENCE.fullmatch(sequence)
    if numbers is None:
        raise ParseError("This part of a message does not say which one it is. Scan it again.")
    if len(data) > MAX_PART_TEXT:
        raise ParseError("This part of a message is larger than a QR code can be.")
    part = fountain.Part.parse(bytewords.decode(data))
    if (int(numbers[1]), int(numbers[2])) != (part.sequence, part.count):
        raise ParseError("This part of a message says two different things about its place.")
    return Piece(kind, part)


class Frames:
    """The codes of one message, to be shown in turn: one, or parts without end.

    `max_fragment` is in bytes. The text is in capitals, which a QR code packs closer.
    """

    def __init__(self, kind: str, message: bytes, max_fragment: int) -> None:
        if not _TYPE.fullmatch(kind):
            raise ValueError("a UR type is written in small letters, digits and hyphens")
        self._type = kind
        self._message = message
        self._encoder = fountain.Encoder(message, max_fragment)
        self.count = self._encoder.count
        # The number of the part has five digits and three bytes at most for a long time.
        room = 8 if self.count > 1 else 0
        self.version = qr_version(len(self.frame(0)) + room)

    def frame(self, number: int) -> str:
        """Return the code with a number from 0 on; from `count` on they mix the first ones."""
        if self.count == 1:
            return f"{SCHEME}{self._type}/{bytewords.encode(self._message)}".upper()
        part = self._encoder.part(number + 1)
        data = bytewords.encode(part.serialize())
        return f"{SCHEME}{self._type}/{part.sequence}-{part.count}/{data}".upper()


class Decoder:
    """Takes the codes of one message in any order."""

    def __init__(self, first: Whole | Piece) -> None:
        self.type = first.type
        self._parts = fountain.Decoder(first.part) if isinstance(first, Piece) else None
        self._whole = first.message if isinstance(first, Whole) else None

    @property
    def total(self) -> int:
        return self._parts.count if self._parts else 1

    @property
    def received(self) -> int:
        """Of `total`; only what says something new counts."""
        return self._parts.known if self._parts else 1

    @property
    def message(self) -> bytes | None:
        """The CBOR once it is complete."""
        return self._parts.message if self._parts else self._whole

    def belongs(self, code: Whole | Piece) -> bool:
        if self.type != code.type:
            return False
        if self._parts is None or isinstance(code, Whole):
            return isinstance(code, Whole) and code.message == self._whole
        return self._parts.belongs(code.part)

    def receive(self, code: Whole | Piece) -> None:
        """Take a code that belongs here; raise ParseError when the parts contradict each other."""
        if self._parts is not None and isinstance(code, Piece):
            self._parts.receive(code.part)
