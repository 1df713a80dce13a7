"""ElligatorSwift and x-only Diffie-Hellman on secp256k1 in plain Python (BIP324).

Stands in where libsecp256k1 was built without its module, and is the readable reference that the
library is compared with. It takes time that depends on the numbers, so it is for keys that live as
long as one connection, never for a wallet's.
"""

from hashlib import sha256
from typing import Final

from wallet_gui.primitives.hashes import tagged_hash

_P: Final = 2**256 - 2**32 - 977
_HALF: Final = (_P + 1) // 2  # 1/2 in the field
_ROOT: Final = 0xA2D2BA93507F1DF233770C2A797962CC61F6D15DA14ECD47D8D27AE1CD5F852  # of -3
_GENERATOR_X: Final = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798

_Jacobian = tuple[int, int, int]  # X/Z^2, Y/Z^3; the point at infinity has Z = 0


def create(secret: bytes, entropy: bytes) -> bytes:
    """Return 64 bytes that stand for the key of `secret`; `entropy` (32 bytes) chooses which."""
    x = _multiply(_GENERATOR_X, int.from_bytes(secret, "big"))
    counter = 0
    while True:
        seed = secret + entropy + counter.to_bytes(4, "big")
        u = int.from_bytes(sha256(b"u" + seed).digest(), "big") % _P
        case = sha256(b"case" + seed).digest()[0] & 7
        t = inverse(x, u, case) if u else None
        if t is not None:
            return u.to_bytes(32, "big") + t.to_bytes(32, "big")
        counter += 1


def decode(encoding: bytes) -> bytes:
    """Return the x coordinate (32 bytes) that 64 bytes stand for; there is always one."""
    u = int.from_bytes(encoding[:32], "big") % _P
    t = int.from_bytes(encoding[32:], "big") % _P
    return _forward(u, t).to_bytes(32, "big")


def shared_secret(secret: bytes, ours: bytes, theirs: bytes, *, is_initiator: bool) -> bytes:
    """Return what both sides compute from their secret and the other's 64 bytes: 32 bytes."""
    x = _multiply(int.from_bytes(decode(theirs), "big"), int.from_bytes(secret, "big"))
    first, second = (ours, theirs) if is_initiator else (theirs, ours)
    return tagged_hash("bip324_ellswift_xonly_ecdh", first + second + x.to_bytes(32, "big"))


def _forward(u: int, t: int) -> int:
    """Map two field elements to an x coordinate on the curve (XSwiftEC)."""
    u = u or 1
    t = t or 1
    cube = (u * u * u + 7) % _P
    if (cube + t * t) % _P == 0:
        t = 2 * t % _P
    x = (cube - t * t) * _invert(2 * t) % _P
    y = (x + t) * _invert(_ROOT * u) % _P
    ratio = x * _invert(y) % _P
    for candidate in (u + 4 * y * y, (-ratio - u) * _HALF, (ratio - u) * _HALF):
        if _is_on_curve(candidate % _P):
            return candidate % _P
    raise AssertionError("one of the three is always on the curve")


def inverse(x: int, u: int, case: int) -> int | None:
    """Return the t for which (u, t) maps to x in one of eight ways, None if there is none."""
    cube = (u * u * u + 7) % _P
    if case & 2 == 0:
        if _is_on_curve((-x - u) % _P):
            return None
        v = x
        s = -cube * _invert(u * u + u * v + v * v) % _P
    else:
        s = (x - u) % _P
        if s == 0:
            return None
        r = _square_root(-s * (4 * cube + 3 * s * u * u))
        if r is None or (case & 1 and r == 0):
            return None
        v = (r * _invert(s) - u) * _HALF % _P
    w = _square_root(s)
    if w is None:
        return None
    if (case & 5) in (0, 5):
        w = -w
    sign = 1 if case & 1 else -1
    return w * (u * (1 + sign * _ROOT) * _HALF + v) % _P


def _invert(value: int) -> int:
    """Return 1/value in the field, and 0 for 0."""
    return pow(value % _P, _P - 2, _P)


def _square_root(value: int) -> int | None:
    root = pow(value % _P, (_P + 1) // 4, _P)
    return root if root * root % _P == value % _P else None


def _is_on_curve(x: int) -> bool:
    return _square_root(x * x * x + 7) is not None


def _multiply(x: int, factor: int) -> int:
    """Return the x coordinate of `factor` (1..n-1) times a point that has this x coordinate."""
    y = _square_root(x * x * x + 7)
    if y is None:
        raise ValueError("the x coordinate is not on the curve")
    total: _Jacobian = (1, 1, 0)
    for bit in f"{factor:b}":
        total = _double(total)
        if bit == "1":
            total = _add(total, x, y)
    inverse_z = _invert(total[2])
    return total[0] * inverse_z * inverse_z % _P


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    s = 4 * x * y * y % _P
    m = 3 * x * x % _P
    new_x = (m * m - 2 * s) % _P
    return new_x, (m * (s - new_x) - 8 * pow(y, 4, _P)) % _P, 2 * y * z % _P


def _add(point: _Jacobian, x: int, y: int) -> _Jacobian:
    """Add the point that is being multiplied.

    The total is 2k times it with 2k + 1 < n, so it is neither that point nor its negative.
    """
    x1, y1, z1 = point
    if z1 == 0:
        return x, y, 1
    square = z1 * z1 % _P
    h = (x * square - x1) % _P
    r = (y * square * z1 - y1) % _P
    h2 = h * h % _P
    h3 = h2 * h % _P
    v = x1 * h2 % _P
    new_x = (r * r - h3 - 2 * v) % _P
    return new_x, (r * (v - new_x) - y1 * h3) % _P, h * z1 % _P
