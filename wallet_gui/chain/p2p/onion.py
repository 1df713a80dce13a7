"""Addresses of onion services, version 3: a public key, a checksum and a version in base32.

Source: Tor's rend-spec-v3, section 6 (encoding onion addresses); BIP155 carries the key alone.
"""

import base64
import hashlib
from typing import Final

from wallet_gui.primitives.serialize import ParseError

SUFFIX: Final = ".onion"
KEY_SIZE: Final = 32
_NAME_LENGTH: Final = 56
_VERSION: Final = b"\x03"


def is_onion(host: str) -> bool:
    """Whether a host is (or wants to be) an onion service, for which no name may be looked up."""
    return host.lower().rstrip(".").endswith(SUFFIX)


def encode(public_key: bytes) -> str:
    """Write the host name of an onion service's public key (32 bytes)."""
    if len(public_key) != KEY_SIZE:
        raise ValueError("the public key of an onion service has 32 bytes")
    raw = public_key + _checksum(public_key) + _VERSION
    return base64.b32encode(raw).decode("ascii").lower() + SUFFIX


def decode(host: str) -> bytes:
    """Read the public key (32 bytes) from a host name; raise ParseError with a sentence."""
    name = host.lower().removesuffix(SUFFIX)
    if not is_onion(host) or len(name) != _NAME_LENGTH:
        raise ParseError("An onion address has 56 letters and digits before .onion.")
    try:
        raw = base64.b32decode(name.upper())
    except ValueError:
        raise ParseError("An onion address has only the letters a-z and the digits 2-7.") from None
    key, checksum, version = raw[:KEY_SIZE], raw[KEY_SIZE:-1], raw[-1:]
    if version != _VERSION or checksum != _checksum(key):
        raise ParseError("The onion address has a typing error: its checksum is wrong.")
    return key


def _checksum(public_key: bytes) -> bytes:
    return hashlib.sha3_256(b".onion checksum" + public_key + _VERSION).digest()[:2]
