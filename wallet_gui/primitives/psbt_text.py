"""How a PSBT travels as text: base64 (BIP174), and what people paste."""

import base64
import binascii
import re
from typing import Final

from wallet_gui.primitives.serialize import ParseError

MAGIC: Final = b"psbt\xff"
MAX_SIZE: Final = 10_000_000
"""Bytes of a PSBT; the largest standard transaction with its past fits."""

_NOT_BASE64: Final = "The PSBT is not valid base64 text."
_NOT_TEXT: Final = "This is not a PSBT: it is neither its bytes nor base64 or hex text."
_MAX_TEXT: Final = 3 * MAX_SIZE  # hex, with line breaks
_BYTE_ORDER_MARKS: Final = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def encode(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def decode(text: str) -> bytes:
    """Read canonical base64, blank space around it forgiven; raise ParseError."""
    text = text.strip()
    if len(text) > (MAX_SIZE + 2) // 3 * 4:
        raise ParseError(f"The PSBT has more than {MAX_SIZE} bytes.")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ParseError(_NOT_BASE64) from error
    if encode(raw) != text:
        raise ParseError(_NOT_BASE64)
    return raw


def decode_any(data: bytes | str) -> bytes:
    """Return the bytes of a PSBT that a person pasted or saved; raise ParseError.

    Taken are the bytes themselves, and base64 or hex text, in lines of any length, in quotation
    marks, or in an editor's encoding. Whether a PSBT is in it is for the parser.
    """
    if isinstance(data, bytes) and data.startswith(MAGIC):
        return data
    if len(data) > _MAX_TEXT:
        raise ParseError(f"The PSBT has more than {MAX_SIZE} bytes.")
    if isinstance(data, bytes):
        try:
            text = data.decode(_BYTE_ORDER_MARKS.get(data[:2], "utf-8"))
        except UnicodeDecodeError as error:
            raise ParseError(_NOT_TEXT) from error
    else:
        text = data
    text = "".join(text.lstrip("\ufeff").split()).strip("\"'")
    if not text:
        raise ParseError("There is no PSBT here: the text is empty.")
    if text[: 2 * len(MAGIC)].lower() == MAGIC.hex():
        if len(text) % 2 or not re.fullmatch("[0-9a-fA-F]+", text):
            raise ParseError("The PSBT is not valid hex text: a character was changed or lost.")
        return bytes.fromhex(text)
    return decode(text)
