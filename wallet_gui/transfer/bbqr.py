"""BBQr (Coinkite's specification of 2023): a file in up to 1,295 QR codes, in any order.

Each code is `B$`, one letter for the encoding, one for the type of file, two digits of base 36 for
how many codes there are and two for which one this is, and then its share of the data.
"""

import base64
import binascii
import re
import zlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.qr_capacity import MAX_ALPHANUMERIC, qr_version

PREFIX: Final = "B$"
HEADER_SIZE: Final = 8
MAX_CODES: Final = 36 * 36 - 1
MAX_DATA: Final = 10_000_000
"""Bytes of a file, unpacked."""

WINDOW_BITS: Final = 10
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_HEADER = re.compile(r"B\$([A-Z0-9])([A-Z])([0-9A-Z]{2})([0-9A-Z]{2})", re.ASCII)
_BASE32 = re.compile(r"[A-Z2-7]*", re.ASCII)


class Encoding(StrEnum):
    """How bytes become characters."""

    HEX = "H"
    BASE32 = "2"
    ZLIB = "Z"


class FileType(StrEnum):
    """What the bytes are."""

    PSBT = "P"
    TRANSACTION = "T"
    JSON = "J"
    CBOR = "C"
    UNICODE = "U"
    BINARY = "B"
    EXECUTABLE = "X"


@dataclass(frozen=True, slots=True)
class Code:
    """One QR code taken apart; `data` is still in characters."""

    encoding: Encoding
    file_type: FileType
    total: int
    index: int
    data: str


def is_bbqr(text: str) -> bool:
    return text.startswith(PREFIX)


def parse(text: str) -> Code:
    """Read one code; raise ParseError."""
    text = text.strip()
    header = _HEADER.match(text)
    if header is None:
        raise ParseError("This code begins like a BBQr and does not go on like one. Scan it again.")
    if len(text) > MAX_ALPHANUMERIC:
        raise ParseError("This part of a message is larger than a QR code can be.")
    try:
        encoding, file_type = Encoding(header[1]), FileType(header[2])
    except ValueError:
        raise ParseError(
            "This BBQr code is of a kind that this program does not know. A newer version may."
        ) from None
    total, index = int(header[3], 36), int(header[4], 36)
    if index >= total:
        raise ParseError("The numbers in this part of the message are impossible.")
    code = Code(encoding, file_type, total, index, text[HEADER_SIZE:])
    if not code.data and total > 1:
        raise ParseError("This part of the message is empty. Scan it again.")
    return code


def _base36(number: int) -> str:
    return _DIGITS[number // 36] + _DIGITS[number % 36]


def _to_text(data: bytes, encoding: Encoding) -> str:
    if encoding is Encoding.HEX:
        return data.hex().upper()
    return base64.b32encode(data).decode().rstrip("=")


def _from_text(text: str, encoding: Encoding) -> bytes:
    """Read the characters of one code, which hold whole bytes; raise ParseError."""
    try:
        if encoding is Encoding.HEX:
            if text != text.upper() or not text.isalnum():
                raise ParseError("This code has letters that its format does not know.")
            return bytes.fromhex(text)
        if not _BASE32.fullmatch(text):
            raise ParseError("This code has letters that its format does not know.")
        data = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError) as error:
        if isinstance(error, ParseError):
            raise
        raise ParseError("A character of this code is missing. Scan it again.") from None
    if _to_text(data, encoding) != text:
        raise ParseError("This code ends in the middle of a byte. Scan it again.")
    return data


def deflate(data: bytes) -> bytes:
    """Compress as the specification asks: a raw stream with a window of 1,024 bytes."""
    packer = zlib.compressobj(level=9, wbits=-WINDOW_BITS)
    return packer.compress(data) + packer.flush()


def inflate(data: bytes) -> bytes:
    """Unpack at most MAX_DATA bytes; raise ParseError.

    Any window is accepted: some writers use a library that cannot limit it to 1,024 bytes, and it
    costs 32 kB.
    """
    unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, MAX_DATA + 1)
    except zlib.error:
        raise ParseError("The compressed data of this message are damaged. Start over.") from None
    if len(unpacked) > MAX_DATA:
        raise ParseError("This message is too large. Bring the data over in a file instead.")
    if not unpacker.eof or unpacker.unused_data:
        raise ParseError("The compressed data of this message are damaged. Start over.")
    return unpacked


class Frames:
    """The codes of one file, to be shown in turn, again and again.

    `max_fragment` is in bytes, as many as one code carries at most. The file is compressed if that
    makes it smaller, unless an `encoding` is asked for. Raises ParseError when more than 1,295
    codes would be needed.
    """

    def __init__(
        self,
        file_type: FileType,
        data: bytes,
        max_fragment: int,
        encoding: Encoding | None = None,
    ) -> None:
        if not data:
            raise ParseError("There is nothing to show as a QR code.")
        packed = deflate(data) if encoding in (None, Encoding.ZLIB) else data
        if encoding is None:
            encoding = Encoding.ZLIB if len(packed) < len(data) else Encoding.BASE32
        if encoding is not Encoding.ZLIB:
            packed = data
        # Whole groups: five bytes are eight characters of base32, and one byte two of hex.
        group = 1 if encoding is Encoding.HEX else 5
        most = max(group, max_fragment - max_fragment % group)
        count = 1 if len(packed) <= max_fragment else -(-len(packed) // most)
        # All about the same size, so that the last code is not a runt and none is larger than it
        # need be.
        share = -(-len(packed) // count)
        share += -share % group if count > 1 else 0
        self._pieces = [
            _to_text(packed[i : i + share], encoding) for i in range(0, len(packed), share)
        ]
        self.count = len(self._pieces)
        if len(data) > MAX_DATA or self.count > MAX_CODES:
            raise ParseError(
                "This is too large for QR codes of this density. Choose larger codes or a file."
            )
        self._start = f"{PREFIX}{encoding}{file_type}{_base36(self.count)}"
        self.version = qr_version(HEADER_SIZE + max(map(len, self._pieces)))

    def frame(self, number: int) -> str:
        """Return the code with a number from 0 on; after the last one comes the first again."""
        index = number % self.count
        return f"{self._start}{_base36(index)}{self._pieces[index]}"


class Decoder:
    """Takes the codes of one file in any order."""

    def __init__(self, first: Code) -> None:
        self._header = (first.encoding, first.file_type, first.total)
        self.file_type = first.file_type
        self.total = first.total
        self._pieces: dict[int, str] = {}
        self._data: bytes | None = None

    @property
    def received(self) -> int:
        return len(self._pieces)

    @property
    def data(self) -> bytes | None:
        """The file once it is complete."""
        return self._data

    def belongs(self, code: Code) -> bool:
        """Whether a code can be of this file: the same header, and the same data where known."""
        if (code.encoding, code.file_type, code.total) != self._header:
            return False
        known = self._pieces.get(code.index)
        if known is not None:
            return known == code.data
        return self._fits(code)

    def _fits(self, code: Code) -> bool:
        """All codes but the last have the same length, and the last is not longer."""
        last = self.total - 1
        sizes = {len(piece) for index, piece in self._pieces.items() if index != last}
        size = sizes.pop() if sizes else None
        if code.index == last:
            return size is None or len(code.data) <= size
        ending = len(self._pieces.get(last, ""))
        return len(code.data) == size if size is not None else len(code.data) >= ending

    def receive(self, code: Code) -> None:
        """Take a code that belongs here.

        Raises ParseError when its characters are wrong, and then it is not kept; or when the
        finished file cannot be unpacked, and nothing can be made of this decoder then.
        """
        if self._data is not None or code.index in self._pieces:
            return
        _from_text(code.data, code.encoding)
        self._pieces[code.index] = code.data
        if len(self._pieces) == self.total:
            self._finish(code.encoding)

    def _finish(self, encoding: Encoding) -> None:
        joined = b"".join(_from_text(self._pieces[i], encoding) for i in range(self.total))
        self._data = inflate(joined) if encoding is Encoding.ZLIB else joined
