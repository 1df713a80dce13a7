"""Signatures of releases and update notices, in minisign's format, and the keys that may make them.

A signature file has four lines, the second and fourth in base64::

    untrusted comment: anything
    algorithm 2 | key id 8 | Ed25519 signature 64
    trusted comment: text
    Ed25519 signature 64 over the first signature and the text

`ED` signs the BLAKE2b-512 of the file, `Ed` (older) the file itself. So anybody can check the same
files with `minisign -Vm FILE -P KEY` (https://jedisct1.github.io/minisign/). Nothing in here reads
a file or reaches a network: bytes and text come in as arguments.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final, Self

from wallet_gui.primitives.serialize import ParseError

MAX_SIGNATURE_FILE: Final = 4096
"""Characters of a signature file, comments included; minisign writes some 300."""
MAX_TRUSTED_COMMENT: Final = 1024
MAX_KEYS: Final = 16

_LEGACY: Final = b"Ed"
_PREHASHED: Final = b"ED"
_KEY_ID_SIZE: Final = 8
_KEY_SIZE: Final = 32
_SIGNATURE_SIZE: Final = 64
_UNTRUSTED: Final = "untrusted comment: "
_TRUSTED: Final = "trusted comment: "
_NO_SIGNATURE_FILE: Final = (
    "This is not a signature file, or it is damaged. Fetch the file whose name ends with .minisig "
    "again."
)
_WRONG: Final = (
    "The signature does not match: this is not what the release key signed. Do not use the file; "
    "it was damaged or tampered with."
)
_NOT_A_KEY: Final = "This is not a public key of minisign."
# A scheme, a host, an optional port and a path, of characters that need no escaping anywhere. The
# name of an onion service is its key, so that Tor encrypts to nobody else and TLS adds nothing.
_NOTICE_URL: Final = re.compile(
    r"(https://[a-z0-9.-]{1,253}|http://[a-z2-7]{56}\.onion)(:[0-9]{1,5})?/[A-Za-z0-9._~/-]{1,200}"
)


class BadSignature(ValueError):
    """What was signed may not be trusted; the message is one sentence for the person."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key: its id (8 bytes, little endian) and 32 bytes of Ed25519."""

    key_id: bytes
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the line in base64, alone or as minisign's file of two lines; ParseError."""
        lines = text.strip().splitlines()
        if len(lines) == 2 and lines[0].startswith(_UNTRUSTED):
            del lines[0]
        if len(lines) != 1:
            raise ParseError(_NOT_A_KEY)
        data = _decode(lines[0], len(_LEGACY) + _KEY_ID_SIZE + _KEY_SIZE)
        if data is None or not data.startswith(_LEGACY):
            raise ParseError(_NOT_A_KEY)
        rest = data[len(_LEGACY) :]
        return cls(rest[:_KEY_ID_SIZE], rest[_KEY_ID_SIZE:])

    def to_text(self) -> str:
        """Return the line that `minisign -P` takes."""
        return base64.b64encode(_LEGACY + self.key_id + self.key).decode("ascii")

    @property
    def name(self) -> str:
        """The id in 16 hexadecimal digits; minisign itself leaves zeros at its beginning out."""
        return _id_text(self.key_id)


@dataclass(frozen=True, slots=True)
class Verified:
    """Whose signature held (`PublicKey.name`), and the words that were signed with it.

    `trusted_comment` has no control characters and at most MAX_TRUSTED_COMMENT characters.
    """

    key_id: str
    trusted_comment: str


def verify(data: bytes, signature_text: str, keys: tuple[PublicKey, ...]) -> Verified:
    """Check that one of `keys` signed `data` and the trusted comment.

    Raises BadSignature with a sentence: nothing else of the two may then be shown or used.
    """
    # The keys are read at every start, a signature hardly ever.
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
        Ed25519PublicKey,
    )

    algorithm, key_id, signature, comment, global_signature = _parse_signature(signature_text)
    candidates = [key for key in keys if key.key_id == key_id]
    if not candidates:
        raise BadSignature(
            f"The signature was made with the key {_id_text(key_id)}, which is none of those that "
            "this program trusts. Do not use the file."
        )
    signed = hashlib.blake2b(data).digest() if algorithm == _PREHASHED else data
    for key in candidates:
        try:
            public = Ed25519PublicKey.from_public_bytes(key.key)
            public.verify(signature, signed)
            public.verify(global_signature, signature + comment.encode())
        except InvalidSignature:
            continue
        return Verified(key.name, comment)
    raise BadSignature(_WRONG)


def _parse_signature(text: str) -> tuple[bytes, bytes, bytes, str, bytes]:
    """Split a signature file into algorithm, key id, signature, comment and global signature."""
    if len(text) > MAX_SIGNATURE_FILE:
        raise BadSignature(_NO_SIGNATURE_FILE)
    lines = text.removesuffix("\n").split("\n")
    if len(lines) != 4:
        raise BadSignature(_NO_SIGNATURE_FILE)
    untrusted, first, trusted, second = (line.removesuffix("\r") for line in lines)
    packed = _decode(first, len(_LEGACY) + _KEY_ID_SIZE + _SIGNATURE_SIZE)
    global_signature = _decode(second, _SIGNATURE_SIZE)
    if (
        packed is None
        or global_signature is None
        or packed[:2] not in {_LEGACY, _PREHASHED}
        or not untrusted.startswith(_UNTRUSTED)
        or not trusted.startswith(_TRUSTED)
    ):
        raise BadSignature(_NO_SIGNATURE_FILE)
    comment = trusted.removeprefix(_TRUSTED)
    # minisign puts a tab between its words; nothing else may move what is printed about it.
    if len(comment) > MAX_TRUSTED_COMMENT or not comment.replace("\t", " ").isprintable():
        raise BadSignature(_NO_SIGNATURE_FILE)
    packed_id = packed[2 : 2 + _KEY_ID_SIZE]
    return packed[:2], packed_id, packed[2 + _KEY_ID_SIZE :], comment, global_signature


def _decode(text: str, size: int) -> bytes | None:
    """Decode base64 that stands for exactly `size` bytes in its one canonical spelling."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return None
    if len(data) != size or base64.b64encode(data).decode("ascii") != text:
        return None
    return data


def _id_text(key_id: bytes) -> str:
    return key_id[::-1].hex().upper()


@dataclass(frozen=True, slots=True)
class ReleaseKeys:
    """Whom this copy of the program believes about releases, and where their notice lies.

    With no key nothing can be verified; with no `notice_url` there is nothing to fetch.
    """

    notice_url: str = ""
    keys: tuple[PublicKey, ...] = ()

    @property
    def offers_updates(self) -> bool:
        """Whether an update notice can be fetched and verified."""
        return bool(self.notice_url and self.keys)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `release-keys.txt`: `#` comments, at most one `notice URL`, any `key BASE64 NAME`.

        Raises ParseError with the line's number; nothing is skipped silently, since a key that
        cannot be read must not look like one that was withdrawn.
        """
        notice_url = ""
        keys: list[PublicKey] = []
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if not line or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            value = rest.strip()
            if word == "notice" and not notice_url and _NOTICE_URL.fullmatch(value):
                notice_url = value
            elif word == "key" and value and len(keys) < MAX_KEYS:
                try:
                    keys.append(PublicKey.parse(value.split()[0]))
                except ParseError as error:
                    raise ParseError(f"Line {number} of the release keys: {error}") from None
            else:
                raise ParseError(
                    f"Line {number} of the release keys is neither a comment, nor the one notice "
                    "with an address, nor a key."
                )
        return cls(notice_url, tuple(keys))
