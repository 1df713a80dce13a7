"""Passwords to keys: Argon2id version 1.3 (RFC 9106)."""

import unicodedata
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from wallet_gui.keys.errors import NotEnoughMemory
from wallet_gui.sealing import DEFAULT, KEY_SIZE, REDUCED, SALT_SIZE, KdfParameters

# Only the bounds against damage: whether a file is too weak was decided when it was parsed.
_ANY_STRENGTH: Final = KdfParameters(8, 1, 1)


@dataclass(frozen=True, slots=True, repr=False)
class NewKey:
    """A key for a box to be written, and the parameters it was made with.

    `reduced` says that the system refused the usual memory; the person should be told.
    """

    key: bytes
    parameters: KdfParameters
    reduced: bool

    def __repr__(self) -> str:
        return f"<NewKey {self.parameters}>"


def derive_key(password: str, salt: bytes, parameters: KdfParameters) -> bytes:
    """Return the 32-byte key of a password (NFC, UTF-8) and a 16-byte salt.

    Takes seconds and `parameters.memory_kib` of memory; releases the GIL. Raises NotEnoughMemory,
    KdfRefused for impossible parameters, ValueError for a salt of another size or a password that
    is no Unicode text.
    """
    parameters.validate_for_reading(_ANY_STRENGTH)
    if len(salt) != SALT_SIZE:
        raise ValueError("the salt of a box has 16 bytes")
    kdf = Argon2id(
        salt=salt,
        length=KEY_SIZE,
        iterations=parameters.iterations,
        lanes=parameters.lanes,
        memory_cost=parameters.memory_kib,
    )
    try:
        return kdf.derive(encode_password(password))
    except MemoryError:
        needed = parameters.memory_kib // 1024
        raise NotEnoughMemory(
            f"Checking the password needs {needed} MiB of memory, and the system has not that much "
            "to give. Close other programs and try again."
        ) from None


def derive_new_key(
    password: str,
    salt: bytes,
    preferred: KdfParameters = DEFAULT,
    fallback: KdfParameters = REDUCED,
) -> NewKey:
    """Return a key for a new box; with less memory when the system refuses the usual amount.

    Raises NotEnoughMemory when even `fallback` is refused.
    """
    try:
        return NewKey(derive_key(password, salt, preferred), preferred, reduced=False)
    except NotEnoughMemory:
        return NewKey(derive_key(password, salt, fallback), fallback, reduced=True)


def encode_password(password: str) -> bytes:
    """Return the NFC form in UTF-8: the same bytes for the same password on every keyboard."""
    try:
        return unicodedata.normalize("NFC", password).encode("utf-8")
    except UnicodeEncodeError:
        # The original error would carry the password.
        raise ValueError("The password contains characters that cannot be stored.") from None
