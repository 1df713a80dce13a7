"""Hash functions of the consensus formats, and hashes as text.

Hashes are bytes in wire order everywhere in this program; only `hash_to_hex` and `hash_from_hex`
know that people write block hashes and transaction ids backwards.
"""

import functools
import hashlib
import re
import struct

from wallet_gui.primitives.serialize import ParseError

_HASH_TEXT = re.compile(r"[0-9a-fA-F]{64}")
_MASK64 = 0xFFFFFFFFFFFFFFFF
_MASK32 = 0xFFFFFFFF


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def sha256d(data: bytes) -> bytes:
    """SHA256 of SHA256: block hashes, transaction ids, checksums."""
    return hashlib.sha256(hashlib.sha256(data).digest()).digest()


def hash160(data: bytes) -> bytes:
    """RIPEMD160 of SHA256: public key and script hashes, key fingerprints."""
    return ripemd160(hashlib.sha256(data).digest())


@functools.lru_cache(maxsize=64)
def _tag_midstate(tag: str) -> "hashlib._Hash":
    tag_hash = hashlib.sha256(tag.encode()).digest()
    return hashlib.sha256(tag_hash + tag_hash)


def tagged_hash(tag: str, data: bytes) -> bytes:
    """SHA256(SHA256(tag) || SHA256(tag) || data), 32 bytes. Source: BIP340."""
    state = _tag_midstate(tag).copy()
    state.update(data)
    return state.digest()


def ripemd160(data: bytes) -> bytes:
    """RIPEMD-160, 20 bytes; computed here where OpenSSL was built without it."""
    if _openssl_has_ripemd160():
        return hashlib.new("ripemd160", data, usedforsecurity=False).digest()
    return ripemd160_pure(data)


@functools.cache
def _openssl_has_ripemd160() -> bool:
    # `algorithms_available` may list an algorithm whose provider is not loaded (OpenSSL 3).
    try:
        hashlib.new("ripemd160", b"", usedforsecurity=False)
    except ValueError:
        return False
    return True


# Source of the tables: Dobbertin, Bosselaers, Preneel, "RIPEMD-160: A Strengthened Version of
# RIPEMD" (1996), appendix A: word order, rotations and constants of the left and right lines.
_RHO = (7, 4, 13, 1, 10, 6, 15, 3, 12, 0, 9, 5, 2, 14, 11, 8)
_ROTATIONS = (
    (11, 14, 15, 12, 5, 8, 7, 9, 11, 13, 14, 15, 6, 7, 9, 8),
    (12, 13, 11, 15, 6, 9, 9, 7, 12, 15, 11, 13, 7, 8, 7, 7),
    (13, 15, 14, 11, 7, 7, 6, 8, 13, 14, 13, 12, 5, 5, 6, 9),
    (14, 11, 12, 14, 8, 6, 5, 5, 15, 12, 15, 14, 9, 9, 8, 6),
    (15, 12, 13, 13, 9, 5, 8, 6, 14, 11, 12, 11, 8, 6, 5, 5),
)
_LEFT_CONSTANTS = (0x00000000, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E)
_RIGHT_CONSTANTS = (0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0x00000000)


def _word_orders() -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    # Each round permutes the order of the one before by rho; the right line starts at 9i+5.
    left = [tuple(range(16))]
    right = [tuple((9 * i + 5) % 16 for i in range(16))]
    for _ in range(4):
        left.append(tuple(_RHO[i] for i in left[-1]))
        right.append(tuple(_RHO[i] for i in right[-1]))
    return tuple(left), tuple(right)


_LEFT_ORDER, _RIGHT_ORDER = _word_orders()


def _mix(function: int, x: int, y: int, z: int) -> int:
    match function:
        case 0:
            return x ^ y ^ z
        case 1:
            return (x & y) | (~x & z)
        case 2:
            return (x | ~y) ^ z
        case 3:
            return (x & z) | (y & ~z)
        case _:
            return x ^ (y | ~z)


def _rotate_left32(value: int, count: int) -> int:
    value &= _MASK32
    return ((value << count) | (value >> (32 - count))) & _MASK32


def _ripemd160_line(
    state: tuple[int, ...],
    words: tuple[int, ...],
    orders: tuple[tuple[int, ...], ...],
    constants: tuple[int, ...],
    functions: tuple[int, ...],
) -> tuple[int, int, int, int, int]:
    a, b, c, d, e = state
    rounds = zip(orders, _ROTATIONS, constants, functions, strict=True)
    for order, rotations, constant, function in rounds:
        for word in order:
            mixed = a + _mix(function, b, c, d) + words[word] + constant
            t = _rotate_left32(mixed, rotations[word]) + e
            a, e, d, c, b = e, d, _rotate_left32(c, 10), b, t & _MASK32
    return a, b, c, d, e


def ripemd160_pure(data: bytes) -> bytes:
    """RIPEMD-160 without OpenSSL (about a hundred times slower); public data only."""
    state: tuple[int, ...] = (0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0)
    padding = b"\x80" + b"\x00" * ((55 - len(data)) % 64)
    padded = data + padding + struct.pack("<Q", (len(data) * 8) & _MASK64)
    for words in struct.iter_unpack("<16I", padded):
        left = _ripemd160_line(state, words, _LEFT_ORDER, _LEFT_CONSTANTS, (0, 1, 2, 3, 4))
        right = _ripemd160_line(state, words, _RIGHT_ORDER, _RIGHT_CONSTANTS, (4, 3, 2, 1, 0))
        state = tuple(
            (state[(i + 1) % 5] + left[(i + 2) % 5] + right[(i + 3) % 5]) & _MASK32
            for i in range(5)
        )
    return struct.pack("<5I", *state)


def siphash24(key: bytes, data: bytes) -> int:
    """SipHash-2-4 of `data` under a 16-byte key, as an unsigned 64-bit number (BIP158 uses it).

    Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF".
    """
    if len(key) != 16:
        raise ValueError(f"A SipHash key has 16 bytes, not {len(key)}.")
    k0, k1 = struct.unpack("<2Q", key)
    v0 = k0 ^ 0x736F6D6570736575
    v1 = k1 ^ 0x646F72616E646F6D
    v2 = k0 ^ 0x6C7967656E657261
    v3 = k1 ^ 0x7465646279746573
    # The last word holds the bytes left over and, on top, the length modulo 256.
    padded = data + b"\x00" * (7 - len(data) % 8) + bytes((len(data) & 0xFF,))
    for (word,) in struct.iter_unpack("<Q", padded):
        v3 ^= word
        v0, v1, v2, v3 = _sip_rounds(2, v0, v1, v2, v3)
        v0 ^= word
    v0, v1, v2, v3 = _sip_rounds(4, v0, v1, v2 ^ 0xFF, v3)
    return v0 ^ v1 ^ v2 ^ v3


def _sip_rounds(count: int, v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    for _ in range(count):
        v0 = (v0 + v1) & _MASK64
        v1 = ((v1 << 13 | v1 >> 51) & _MASK64) ^ v0
        v0 = (v0 << 32 | v0 >> 32) & _MASK64
        v2 = (v2 + v3) & _MASK64
        v3 = ((v3 << 16 | v3 >> 48) & _MASK64) ^ v2
        v0 = (v0 + v3) & _MASK64
        v3 = ((v3 << 21 | v3 >> 43) & _MASK64) ^ v0
        v2 = (v2 + v1) & _MASK64
        v1 = ((v1 << 17 | v1 >> 47) & _MASK64) ^ v2
        v2 = (v2 << 32 | v2 >> 32) & _MASK64
    return v0, v1, v2, v3


def hash_to_hex(value: bytes) -> str:
    """Write a hash the way people know it: 64 hexadecimal digits, byte order reversed."""
    return value[::-1].hex()


def hash_from_hex(text: str) -> bytes:
    """Read 64 hexadecimal digits in display order into 32 bytes in wire order."""
    if not _HASH_TEXT.fullmatch(text):
        raise ParseError("A transaction id or block hash has 64 hexadecimal digits.")
    return bytes.fromhex(text)[::-1]
