"""Tells what a text or some bytes are: a PSBT, a transaction, a descriptor, an address.

It looks at form, not at worth: whether a descriptor is one of ours, or an address of the right
network, says the page that takes it. What looks like a secret is refused here, once for all ways
in: recovery words and private keys have no business outside the vault.
"""

import base64
import binascii
import json
import re
from enum import StrEnum
from typing import Final

from wallet_gui.descriptors.xpub import is_private_key_text
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.primitives.psbt import MAGIC
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.transfer.ur_keys import MAX_LINES, PRIVATE_DATA_REFUSED

MAX_DATA: Final = 10_000_000
_MAX_JSON: Final = 1_000_000
_MAX_ADDRESS: Final = 120
_MAX_DESCRIPTOR: Final = 10_000
_WORD_COUNTS: Final = (12, 15, 18, 21, 24)
_SEED_DIGITS: Final = tuple(4 * count for count in _WORD_COUNTS)

_BLANK = re.compile(r"\s+")
# One class without a group: a repeated group takes sixty bytes of memory for each letter.
_HEX = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_DESCRIPTOR = re.compile(
    r"(?:pkh|wpkh|sh|wsh|tr|pk|combo|multi|sortedmulti|addr|raw)\([\x20-\x7e]+\)(?:#[a-z0-9]{8})?",
    re.ASCII,
)
_XPUB = re.compile(
    r"(?:\[[0-9a-fA-F]{8}(?:/[0-9]{1,10}[hH']?){0,255}\])?"
    r"[a-zA-Z]pub[1-9A-HJ-NP-Za-km-z]{90,116}(?:/[0-9<>;*hH']{1,40}){0,20}",
    re.ASCII,
)
_PRIVATE = re.compile(r"\b[a-zA-Z]prv[1-9A-HJ-NP-Za-km-z]{20}", re.ASCII)


class Kind(StrEnum):
    """What a message is."""

    PSBT = "psbt"
    TRANSACTION = "transaction"
    ACCOUNT = "account"
    """Descriptors of one master key, one a line."""
    DESCRIPTOR = "descriptor"
    XPUB = "xpub"
    """A key expression: an extended public key, perhaps with its origin and path."""
    PAYMENT = "payment"
    """An address, or a bitcoin: link."""
    JSON = "json"
    TEXT = "text"
    BINARY = "binary"


def check(kind: Kind, data: bytes) -> None:
    """Raise ParseError when data cannot be of a kind; only the form is looked at."""
    if len(data) > MAX_DATA:
        raise ParseError("This message is too large. Bring the data over in a file instead.")
    match kind:
        case Kind.PSBT:
            if not data.startswith(MAGIC):
                raise ParseError("This code says it holds a PSBT, and does not.")
        case Kind.TRANSACTION:
            Transaction.parse(data)
        case Kind.JSON:
            if not _is_json(data):
                raise ParseError("This code says it holds JSON, and does not.")
        case Kind.BINARY:
            pass
        case _:
            try:
                data.decode()
            except UnicodeDecodeError:
                raise ParseError("The text in this code is not valid Unicode.") from None


def _is_json(data: bytes | str) -> bool:
    if len(data) > _MAX_JSON:
        return False
    try:
        json.loads(data)
    except (ValueError, RecursionError):
        return False
    return True


def recognise(text: str) -> tuple[Kind, bytes]:  # noqa: PLR0911 - one for each kind
    """Tell what a text is, and return what it stands for (bytes of a PSBT, or the text itself).

    Raises ParseError for a secret, and for something that is plainly a PSBT or a link, and broken.
    """
    text = text.strip()
    if not text:
        raise ParseError("This code is empty.")
    if text.startswith("cHNidP"):
        return Kind.PSBT, _psbt_from_base64(text)
    # What begins with anything else is not gone through.
    looks_hex = _HEX.fullmatch(_BLANK.sub("", text[:200]))
    joined = _BLANK.sub("", text) if looks_hex else ""
    if len(joined) % 2 == 0 and _HEX.fullmatch(joined):
        _refuse_seed_digits(joined)
        return _from_hex(joined, text)
    _refuse_secret(text)
    data = _utf8(text)
    if text[:8].lower() == "bitcoin:" or _is_address(text):
        return Kind.PAYMENT, data
    lines = text.split("\n") if text.count("\n") < MAX_LINES else []
    if lines and all(
        len(each) <= _MAX_DESCRIPTOR and _DESCRIPTOR.fullmatch(each.strip()) for each in lines
    ):
        return Kind.DESCRIPTOR if len(lines) == 1 else Kind.ACCOUNT, data
    if len(text) <= _MAX_DESCRIPTOR and _XPUB.fullmatch(text):
        return Kind.XPUB, data
    if text[0] == "{" and _is_json(text):
        return Kind.JSON, data
    return Kind.TEXT, data


def _utf8(text: str) -> bytes:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ParseError("The text in this code is not valid Unicode.") from None
    if len(data) > MAX_DATA:
        raise ParseError("This text is too large. Bring the data over in a file instead.")
    return data


def recognise_bytes(data: bytes) -> tuple[Kind, bytes]:
    """Tell what bytes are that nothing was said about; raise ParseError for a secret."""
    if len(data) > MAX_DATA:
        raise ParseError("This message is too large. Bring the data over in a file instead.")
    if data.startswith(MAGIC):
        return Kind.PSBT, data
    try:
        Transaction.parse(data)
    except ParseError:
        pass
    else:
        return Kind.TRANSACTION, data
    try:
        text = data.decode().strip()
    except UnicodeDecodeError:
        return Kind.BINARY, data
    return recognise(text) if text and "\0" not in text else (Kind.BINARY, data)


def _psbt_from_base64(text: str) -> bytes:
    try:
        data = base64.b64decode(_BLANK.sub("", text), validate=True)
    except (binascii.Error, ValueError):
        raise ParseError("This PSBT is damaged: a character of it was changed or lost.") from None
    check(Kind.PSBT, data)
    return data


def _from_hex(digits: str, text: str) -> tuple[Kind, bytes]:
    data = bytes.fromhex(digits)
    if data.startswith(MAGIC):
        check(Kind.PSBT, data)
        return Kind.PSBT, data
    try:
        check(Kind.TRANSACTION, data)
    except ParseError:
        return Kind.TEXT, _utf8(text)
    return Kind.TRANSACTION, data


def _refuse_seed_digits(text: str) -> None:
    """Refuse a SeedQR: each word of the seed as the four digits of its place in the list."""
    if len(text) in _SEED_DIGITS and text.isdigit():
        numbers = [int(text[i : i + 4]) for i in range(0, len(text), 4)]
        if max(numbers) < 2048:
            raise ParseError(PRIVATE_DATA_REFUSED)


def _refuse_secret(text: str) -> None:
    if _PRIVATE.search(text) or (len(text) <= _MAX_ADDRESS and is_private_key_text(text)):
        raise ParseError(PRIVATE_DATA_REFUSED)
    if len(text) > 300:
        return
    words = text.split()
    if len(words) in _WORD_COUNTS and all(2 <= len(w) <= 12 and w.isalpha() for w in words):
        raise ParseError(PRIVATE_DATA_REFUSED)


def _is_address(text: str) -> bool:
    if len(text) > _MAX_ADDRESS or not text.isascii() or not text.isalnum():
        return False
    for params in NETWORKS.values():
        try:
            script_from_address(text, params)
        except ParseError:
            continue
        return True
    return False
