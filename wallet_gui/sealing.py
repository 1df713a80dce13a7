"""Authenticated boxes: the two boxes of a wallet file and the rows of its cache.

A box carries everything needed to open it but the password: Argon2id parameters and salt in an
authenticated header, then the padded payload. Its layout, all integers little endian::

    magic 8 | format u16 | kdf u16 | kind 4 | memory_kib u32 | iterations u32 | lanes u32
    | salt 16 | save_salt 32 | length u32 | HMAC-SHA256 of all that 32 | payload `length`

`kdf` 1 is Argon2id version 1.3. With K the 32 bytes that Argon2id made of the password::

    header key  = HKDF-SHA256(K, salt=save_salt, info="wallet-gui box header " + kind)
    payload key = HKDF-SHA256(K, salt=save_salt, info="wallet-gui box payload " + kind)
    payload     = ChaCha20-Poly1305(payload key, nonce=0, AD=header + HMAC,
                                    u32 plaintext length + plaintext + zeros to 4 KiB)

`save_salt` is new with each sealing, so each payload key seals one message and the constant nonce
is never reused; the Argon2 salt stays, so K can be kept while a wallet is open. Only standard
algorithms are used: a box can be opened without this program.
"""

import hashlib
import hmac
import secrets
import struct
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_SIZE: Final = 32
SALT_SIZE: Final = 16
SAVE_SALT_SIZE: Final = 32
VIEW: Final = b"view"
SECRET: Final = b"secr"
KINDS: Final = (VIEW, SECRET)

_MAGIC: Final = b"WGUI-BOX"
_FORMAT: Final = 1
_ARGON2ID: Final = 1
_HEADER: Final = struct.Struct("<8sHH4sIII16s32sI")
_TAG_SIZE: Final = 32
_AEAD_TAG_SIZE: Final = 16
_PAD_TO: Final = 4096
_ROW_PAD_TO: Final = 256
_MAX_PLAINTEXT: Final = 64 * 1024 * 1024
_NONCE: Final = bytes(12)

# Bounds that hold before any memory is asked for: a damaged or hostile header must not be able to
# make Argon2id run for hours or take the machine's memory.
MAX_MEMORY_KIB: Final = 4 * 1024 * 1024
MAX_ITERATIONS: Final = 64
MAX_LANES: Final = 16


class SealError(ValueError):
    """A box or row could not be opened; the message is one sentence without any secret."""


class WrongKeyOrHeader(SealError):
    """The header's tag does not match: the password is wrong, or the header is damaged."""


class DamagedBox(SealError):
    """The box is not what was sealed: truncated, altered, or not a box at all."""


class NewerFormat(SealError):
    """The box was written by a newer program; it must be left untouched."""


class KdfRefused(DamagedBox):
    """The Argon2id parameters are out of bounds or weaker than this program accepts."""


@dataclass(frozen=True, slots=True)
class KdfParameters:
    """Argon2id cost: memory in KiB, passes over it, parallel lanes (RFC 9106)."""

    memory_kib: int
    iterations: int
    lanes: int

    def validate_for_reading(self, minimum: "KdfParameters | None" = None) -> None:
        """Raise KdfRefused unless the parameters are within bounds and not below `minimum`.

        `minimum` (default: FLOOR) compares memory and iterations; lanes buy no security.
        """
        if not (
            0 < self.iterations <= MAX_ITERATIONS
            and 0 < self.lanes <= MAX_LANES
            and 8 * self.lanes <= self.memory_kib <= MAX_MEMORY_KIB
        ):
            raise KdfRefused(
                "The file asks for an impossible amount of work to check its password; "
                "it is damaged. Open an older copy of it."
            )
        floor = FLOOR if minimum is None else minimum
        if self.memory_kib < floor.memory_kib or self.iterations < floor.iterations:
            raise KdfRefused(
                "The file protects its password less than this program accepts; "
                "it is damaged or was tampered with. Open an older copy of it."
            )


DEFAULT: Final = KdfParameters(512 * 1024, 4, 4)
REDUCED: Final = KdfParameters(256 * 1024, 4, 4)
FLOOR: Final = KdfParameters(64 * 1024, 3, 1)


@dataclass(frozen=True, slots=True)
class BoxHeader:
    """The clear part of a box.

    `kind` is b"view" or b"secr", `salt` (16 bytes) belongs to Argon2id, `save_salt` (32 bytes) to
    this one sealing; `length` is the size in bytes of the sealed payload that follows.
    """

    kind: bytes
    kdf: KdfParameters
    salt: bytes
    save_salt: bytes
    length: int

    def serialize(self) -> bytes:
        return _HEADER.pack(
            _MAGIC,
            _FORMAT,
            _ARGON2ID,
            self.kind,
            self.kdf.memory_kib,
            self.kdf.iterations,
            self.kdf.lanes,
            self.salt,
            self.save_salt,
            self.length,
        )


HEADER_SIZE: Final = _HEADER.size + _TAG_SIZE


def new_salt() -> bytes:
    """Return 16 random bytes for the Argon2id salt of a new box."""
    return secrets.token_bytes(SALT_SIZE)


def seal_box(
    key: bytes,
    kind: bytes,
    kdf: KdfParameters,
    salt: bytes,
    plaintext: bytes,
    *,
    minimum: KdfParameters | None = None,
) -> bytes:
    """Seal `plaintext` (at most 64 MiB) under `key`, the Argon2id output for `kdf` and `salt`.

    Each call draws a new one-time key, so equal contents give unrelated boxes.
    Raises KdfRefused for parameters that reading would refuse, ValueError for wrong sizes.
    """
    _check_key(key)
    if kind not in KINDS:
        raise ValueError("a box is either of kind view or of kind secr")
    if len(salt) != SALT_SIZE:
        raise ValueError("the salt of a box has 16 bytes")
    if len(plaintext) > _MAX_PLAINTEXT:
        raise ValueError("the contents of a box are limited to 64 MiB")
    kdf.validate_for_reading(minimum)
    padded = _pad(plaintext, _PAD_TO)
    save_salt = _one_time_salt(key, kind, plaintext)
    header = BoxHeader(kind, kdf, salt, save_salt, len(padded) + _AEAD_TAG_SIZE).serialize()
    clear = header + _header_tag(key, kind, save_salt, header)
    cipher = ChaCha20Poly1305(_subkey(key, b"payload", kind, save_salt))
    return clear + cipher.encrypt(_NONCE, padded, clear)


def parse_box(data: bytes, *, minimum: KdfParameters | None = None) -> tuple[BoxHeader, int]:
    """Read the header at the start of `data`; return it with the box's total length in bytes.

    More may follow the box; less than the announced length is DamagedBox. Nothing is
    authenticated yet: bounds are checked so that Argon2id may be run with the parameters.
    Raises DamagedBox, KdfRefused, or NewerFormat.
    """
    if len(data) < HEADER_SIZE:
        raise DamagedBox("The file is cut off. Open an older copy of it.")
    magic, version, kdf_id, kind, memory, iterations, lanes, salt, save_salt, length = (
        _HEADER.unpack_from(data)
    )
    if magic != _MAGIC or version == 0:
        raise DamagedBox("This is not a wallet file, or its beginning is damaged.")
    if version > _FORMAT:
        raise NewerFormat(
            "The file was written by a newer version of this program. Update the program to open "
            "it; the file was left as it is."
        )
    if kdf_id != _ARGON2ID or kind not in KINDS:
        raise DamagedBox("The beginning of the file is damaged. Open an older copy of it.")
    kdf = KdfParameters(memory, iterations, lanes)
    kdf.validate_for_reading(minimum)
    padded = length - _AEAD_TAG_SIZE
    if not 0 < padded <= _MAX_PLAINTEXT + _PAD_TO or padded % _PAD_TO:
        raise DamagedBox("The beginning of the file is damaged. Open an older copy of it.")
    total = HEADER_SIZE + length
    if len(data) < total:
        raise DamagedBox("The file is cut off. Open an older copy of it.")
    return BoxHeader(kind, kdf, salt, save_salt, length), total


def open_box(key: bytes, data: bytes, *, minimum: KdfParameters | None = None) -> bytes:
    """Return what seal_box was given. `data` is exactly one box.

    Raises WrongKeyOrHeader when the header's tag fails (another key, or the header was altered
    in a way that bounds do not show), DamagedBox when the payload was altered.
    """
    _check_key(key)
    header, total = parse_box(data, minimum=minimum)
    if len(data) != total:
        raise DamagedBox("The file has bytes after its end. Open an older copy of it.")
    authenticated = data[: _HEADER.size]
    clear = data[:HEADER_SIZE]
    tag = _header_tag(key, header.kind, header.save_salt, authenticated)
    if not hmac.compare_digest(tag, clear[_HEADER.size :]):
        raise WrongKeyOrHeader(
            "The password is wrong, or the beginning of the file is damaged. "
            "Try the password again, or open an older copy of the file."
        )
    cipher = ChaCha20Poly1305(_subkey(key, b"payload", header.kind, header.save_salt))
    try:
        padded = cipher.decrypt(_NONCE, data[HEADER_SIZE:], clear)
    except InvalidTag:
        raise DamagedBox(
            "The password is right, but the file is damaged. Open an older copy of it."
        ) from None
    return _unpad(padded, _PAD_TO)


def seal_row(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    """Seal one row of the cache: 32-byte salt, ciphertext padded to 256 bytes, 16-byte tag.

    `context` names the place of the row (table and primary key): a row moved elsewhere does not
    open there. Each row has its own one-time key, so any number of rows may be sealed under `key`.
    """
    _check_key(key)
    salt = _one_time_salt(key, context, plaintext)
    cipher = ChaCha20Poly1305(_row_key(key, salt))
    return salt + cipher.encrypt(_NONCE, _pad(plaintext, _ROW_PAD_TO), context)


def open_row(key: bytes, context: bytes, sealed: bytes) -> bytes:
    """Return what seal_row was given; raise DamagedBox for another key, context or content."""
    _check_key(key)
    if len(sealed) < SAVE_SALT_SIZE + _ROW_PAD_TO + _AEAD_TAG_SIZE:
        raise DamagedBox("A row of the cache is cut off.")
    cipher = ChaCha20Poly1305(_row_key(key, sealed[:SAVE_SALT_SIZE]))
    try:
        padded = cipher.decrypt(_NONCE, sealed[SAVE_SALT_SIZE:], context)
    except InvalidTag:
        raise DamagedBox("A row of the cache is damaged.") from None
    return _unpad(padded, _ROW_PAD_TO)


def _check_key(key: bytes) -> None:
    if len(key) != KEY_SIZE:
        raise ValueError("a sealing key has 32 bytes")


def _subkey(key: bytes, purpose: bytes, kind: bytes, save_salt: bytes) -> bytes:
    info = b"wallet-gui box " + purpose + b" " + kind
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=save_salt, info=info).derive(key)


def _header_tag(key: bytes, kind: bytes, save_salt: bytes, header: bytes) -> bytes:
    return hmac.digest(_subkey(key, b"header", kind, save_salt), header, hashlib.sha256)


def _row_key(key: bytes, salt: bytes) -> bytes:
    return hmac.digest(key, b"wallet-gui row key" + salt, hashlib.sha256)


def _one_time_salt(key: bytes, context: bytes, plaintext: bytes) -> bytes:
    # The random bytes alone would do. Mixing in the contents under the key means that even a
    # broken random source never has one key seal two different messages.
    content = hashlib.sha256(struct.pack("<I", len(context)) + context + plaintext).digest()
    fresh = secrets.token_bytes(SAVE_SALT_SIZE)
    return hmac.digest(key, b"wallet-gui salt" + fresh + content, hashlib.sha256)


def _pad(plaintext: bytes, step: int) -> bytes:
    framed = struct.pack("<I", len(plaintext)) + plaintext
    return framed + bytes(-len(framed) % step)


def _unpad(padded: bytes, step: int) -> bytes:
    (length,) = struct.unpack_from("<I", padded)
    end = 4 + length
    if end > len(padded) or len(padded) - end >= step or any(padded[end:]):
        raise DamagedBox("The file was sealed wrongly. Open an older copy of it.")
    return padded[4:end]
