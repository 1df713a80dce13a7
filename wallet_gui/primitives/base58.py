"""Base58Check: the text form of old addresses, extended keys and exported private keys."""

from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES = {character: value for value, character in enumerate(_ALPHABET)}

# An extended key is the longest thing written so: 82 bytes, 111 or 112 characters.
MAX_LENGTH = 112


def encode_check(payload: bytes) -> str:
    """Write `payload` and the first four bytes of its double SHA256."""
    data = payload + sha256d(payload)[:4]
    number = int.from_bytes(data, "big")
    digits: list[str] = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    # The number loses leading zero bytes; each is written as one "1".
    zeros = len(data) - len(data.lstrip(b"\x00"))
    return _ALPHABET[0] * zeros + "".join(reversed(digits))


def decode_check(text: str, max_len: int = MAX_LENGTH) -> bytes:
    """Return the payload of at most `max_len` characters of Base58Check.

    The length is looked at first: decoding takes quadratic time. No message repeats the text,
    which may be a private key. Raises `ParseError`.
    """
    if len(text) > max_len:
        raise ParseError(f"The text is too long: {len(text)} characters, at most {max_len} fit.")
    number = 0
    for position, character in enumerate(text, start=1):
        value = _VALUES.get(character)
        if value is None:
            raise ParseError(f"The character at position {position} is not used in Base58.")
        number = number * 58 + value
    zeros = len(text) - len(text.lstrip(_ALPHABET[0]))
    data = bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(data) < 4:
        raise ParseError("The text is too short to carry a checksum.")
    payload, checksum = data[:-4], data[-4:]
    if sha256d(payload)[:4] != checksum:
        raise ParseError("The checksum does not match: a character is wrong, missing or extra.")
    return payload
