"""One way to write and one to read what crosses the air gap, whatever the format.

`encode` makes codes to be shown in turn; `Decoder` takes what a scanner reads, one text at a time,
and tells how far it is. It holds no more than one message of ten megabytes.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer import bbqr, cbor, ur, ur_keys
from wallet_gui.transfer.qr_capacity import MAX_ALPHANUMERIC, MAX_BYTES
from wallet_gui.transfer.recognition import Kind, check, recognise, recognise_bytes

MAX_TEXT: Final = 21_000_000
"""Characters of one text: a message of ten megabytes in the least dense writing, in one piece."""

DEFAULT_FRAGMENT: Final = 200
"""Bytes in one code: what an old webcam still reads."""

__all__ = ["DEFAULT_FRAGMENT", "Decoder", "Format", "Frames", "Kind", "OtherMessage", "Progress"]
__all__ += ["encode"]


class Format(StrEnum):
    """How a message is written into codes; `PLAIN` is one code that anything can read."""

    BBQR = "bbqr"
    UR = "ur"
    PLAIN = "plain"


class OtherMessage(ParseError):
    """A code is in order and of another message than the one begun; what was read is kept."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a message is: `received` of `total` codes that say something new.

    `kind` and `data` are there once `is_done`: the bytes of a PSBT or transaction, UTF-8 text for
    all else but `Kind.BINARY`.
    """

    received: int
    total: int
    kind: Kind | None = None
    data: bytes | None = None

    @property
    def is_done(self) -> bool:
        return self.data is not None

    @property
    def fraction(self) -> float:
        return 1.0 if self.is_done else self.received / max(1, self.total)


class Frames(Iterator[str]):
    """The codes of one message without end: each text is one code.

    `count` codes are the least that carry it. `version` is the QR version that all of them fit
    into, or None where the code alone decides.
    """

    def __init__(self, source: "bbqr.Frames | ur.Frames | str") -> None:
        self._source = source
        self._next = 0
        self.count = 1 if isinstance(source, str) else source.count
        self.version = None if isinstance(source, str) else source.version

    def frame(self, number: int) -> str:
        """Return the code with a number from 0 on."""
        return self._source if isinstance(self._source, str) else self._source.frame(number)

    def __next__(self) -> str:
        self._next += 1
        return self.frame(self._next - 1)


_BBQR_TYPES: Final = {
    Kind.PSBT: bbqr.FileType.PSBT,
    Kind.TRANSACTION: bbqr.FileType.TRANSACTION,
    Kind.JSON: bbqr.FileType.JSON,
    Kind.BINARY: bbqr.FileType.BINARY,
}


def encode(
    kind: Kind,
    data: bytes,
    *,
    format: Format,  # noqa: A002 - the word for it
    max_fragment: int = DEFAULT_FRAGMENT,
) -> Frames:
    """Write a message as codes that carry at most `max_fragment` bytes each.

    `data` is as in `Progress`. Raises ParseError when it cannot be shown: it is too large for
    codes of this size, or not of its kind.
    """
    if max_fragment < 1:
        raise ValueError("a code carries at least one byte")
    if not data:
        raise ParseError("There is nothing to show as a QR code.")
    check(kind, data)
    if format is Format.BBQR:
        return Frames(bbqr.Frames(_BBQR_TYPES.get(kind, bbqr.FileType.UNICODE), data, max_fragment))
    if format is Format.UR:
        type_name, value = _ur_value(kind, data)
        return Frames(ur.Frames(type_name, cbor.dumps(value), max_fragment))
    return Frames(_plain(kind, data))


def _ur_value(kind: Kind, data: bytes) -> tuple[str, cbor.Value]:
    match kind:
        case Kind.PSBT:
            return "crypto-psbt", data
        case Kind.DESCRIPTOR:
            return "crypto-output", ur_keys.output_value(data.decode())
        case Kind.ACCOUNT:
            return "crypto-account", ur_keys.account_value(data.decode())
        case Kind.XPUB:
            return "crypto-hdkey", ur_keys.key_value(data.decode())
        case _:
            return "bytes", data


def _plain(kind: Kind, data: bytes) -> str:
    match kind:
        case Kind.PSBT:
            text = base64.b64encode(data).decode()
        case Kind.TRANSACTION | Kind.BINARY:
            text = data.hex().upper()
        case _:
            text = data.decode()
    is_hex = kind in (Kind.TRANSACTION, Kind.BINARY)
    if len(text.encode()) > (MAX_ALPHANUMERIC if is_hex else MAX_BYTES):
        raise ParseError("This is too large for one QR code. Show it as BBQr or UR.")
    return text


class Decoder:
    """Takes texts of scanned codes in any order, repeated, and with gaps.

    A code of another message than the one begun raises OtherMessage; whatever else is wrong
    raises ParseError. Where the codes of a message contradict each other, it begins anew.
    """

    def __init__(self) -> None:
        self._bbqr: bbqr.Decoder | None = None
        self._ur: ur.Decoder | None = None
        self._plain = ""
        self._progress = Progress(0, 0)

    @property
    def progress(self) -> Progress:
        return self._progress

    def reset(self) -> None:
        """Forget the message that was begun."""
        self._bbqr = self._ur = None
        self._plain = ""
        self._progress = Progress(0, 0)

    def receive(self, text: str) -> Progress:
        """Take the text of one code."""
        if len(text) > MAX_TEXT:
            raise ParseError("This text is too large. Bring the data over in a file instead.")
        text = text.strip()
        if bbqr.is_bbqr(text):
            return self._receive_bbqr(bbqr.parse(text))
        if ur.is_ur(text):
            return self._receive_ur(ur.parse(text))
        if not text:
            raise ParseError("This code is empty.")
        if self._plain != text:
            self._refuse_other(is_same=False)
            kind, data = recognise(text)
            self._plain = text
            self._progress = Progress(1, 1, kind, data)
        return self._progress

    def _refuse_other(self, *, is_same: bool) -> None:
        if is_same or self._progress.total == 0:
            return
        done = self._progress
        how_far = "is complete" if done.is_done else f"has {done.received} of {done.total} parts"
        raise OtherMessage(
            f"This code belongs to another message than the one begun, which {how_far}. "
            "Go on with the first one, or start over."
        )

    def _receive_bbqr(self, code: bbqr.Code) -> Progress:
        self._refuse_other(is_same=self._bbqr is not None and self._bbqr.belongs(code))
        decoder = self._bbqr or bbqr.Decoder(code)
        if self._progress.is_done:
            return self._progress
        try:
            decoder.receive(code)
            self._bbqr = decoder
            kind, data = (None, None)
            if decoder.data is not None:
                kind, data = _from_bbqr(decoder.file_type, decoder.data)
        except ParseError:
            if decoder.received == decoder.total:
                self.reset()
            raise
        self._progress = Progress(decoder.received, decoder.total, kind, data)
        return self._progress

    def _receive_ur(self, code: ur.Whole | ur.Piece) -> Progress:
        self._refuse_other(is_same=self._ur is not None and self._ur.belongs(code))
        decoder = self._ur or ur.Decoder(code)
        if self._progress.is_done:
            return self._progress
        try:
            decoder.receive(code)
            self._ur = decoder
            kind, data = (None, None)
            if decoder.message is not None:
                kind, data = _from_ur(decoder.type, decoder.message)
        except ParseError:
            self.reset()
            raise
        self._progress = Progress(decoder.received, decoder.total, kind, data)
        return self._progress


def _from_bbqr(file_type: bbqr.FileType, data: bytes) -> tuple[Kind, bytes]:
    match file_type:
        case bbqr.FileType.PSBT:
            kind = Kind.PSBT
        case bbqr.FileType.TRANSACTION:
            kind = Kind.TRANSACTION
        case bbqr.FileType.JSON:
            kind = Kind.JSON
        case bbqr.FileType.UNICODE:
            return recognise(_text(data))
        case bbqr.FileType.EXECUTABLE:
            raise ParseError("This code holds a program. It was not kept.")
        case _:
            return recognise_bytes(data)
    check(kind, data)
    return kind, data


def _text(data: bytes) -> str:
    try:
        return data.decode().strip()
    except UnicodeDecodeError:
        raise ParseError("The text in this code is not valid Unicode.") from None


_SECRET_TYPES: Final = ("seed", "bip39", "sskr", "slip39")


def _from_ur(name: str, message: bytes) -> tuple[Kind, bytes]:
    plain_name = name.removeprefix("crypto-")
    if plain_name in _SECRET_TYPES:
        raise ParseError(ur_keys.PRIVATE_DATA_REFUSED)
    value = cbor.loads(message)
    match plain_name:
        case "psbt" | "bytes":
            inner = value.value if isinstance(value, cbor.Tagged) else value
            if not isinstance(inner, bytes):
                raise ParseError("This code does not hold what it says. Scan it again.")
            if plain_name == "bytes":
                return recognise_bytes(inner)
            check(Kind.PSBT, inner)
            return Kind.PSBT, inner
        case "output" | "output-descriptor":
            return Kind.DESCRIPTOR, ur_keys.output_text(value).encode()
        case "account" | "account-descriptor":
            return Kind.ACCOUNT, ur_keys.account_text(value).encode()
        case "hdkey":
            return Kind.XPUB, ur_keys.key_text(value).encode()
        case _:
            raise ParseError(f"Codes of the type {name} are not for this wallet.")
