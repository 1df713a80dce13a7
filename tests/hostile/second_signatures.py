"""A second implementation of what a signature commits to and of its verification.

Written from the texts of BIP143, BIP340, BIP341 and SEC 1 with nothing but the standard library:
it shares no line with the product's sighash and curve. Slow, and for tests only.
"""

import hashlib
import struct

from wallet_gui.primitives.transaction import Transaction, TxOut

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
Point = tuple[int, int] | None


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def twice(data: bytes) -> bytes:
    return sha(sha(data))


def tagged(tag: str, data: bytes) -> bytes:
    return sha(sha(tag.encode()) * 2 + data)


def hash160(data: bytes) -> bytes:
    return hashlib.new("ripemd160", sha(data)).digest()


def add(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    if one[0] == two[0] and (one[1] + two[1]) % P == 0:
        return None
    if one == two:
        slope = 3 * one[0] * one[0] * pow(2 * one[1], -1, P) % P
    else:
        slope = (two[1] - one[1]) * pow(two[0] - one[0], -1, P) % P
    x = (slope * slope - one[0] - two[0]) % P
    return x, (slope * (one[0] - x) - one[1]) % P


def multiply(point: Point, factor: int) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = add(result, point)
        point = add(point, point)
        factor >>= 1
    return result


def lift(x: int, *, odd: bool) -> Point:
    y = pow((pow(x, 3, P) + 7) % P, (P + 1) // 4, P)
    if x >= P or (y * y - x * x * x - 7) % P:
        return None
    return x, y if y % 2 == odd else P - y


def ecdsa_is_valid(public_key: bytes, message: bytes, der: bytes) -> bool:
    """Verify a DER signature with a low S (BIP66, BIP146) by a compressed key."""
    if der[:1] != b"\x30" or der[1] != len(der) - 2 or der[2] != 2:
        return False
    first = der[3]
    r = int.from_bytes(der[4 : 4 + first], "big")
    rest = der[4 + first :]
    if rest[0] != 2 or rest[1] != len(rest) - 2:
        return False
    s = int.from_bytes(rest[2:], "big")
    key = lift(int.from_bytes(public_key[1:], "big"), odd=public_key[0] == 3)
    if key is None or not 0 < r < N or not 0 < s <= N // 2:
        return False
    z, inverse = int.from_bytes(message, "big"), pow(s, -1, N)
    point = add(multiply(G, z * inverse % N), multiply(key, r * inverse % N))
    return point is not None and point[0] % N == r


def schnorr_is_valid(x_only: bytes, message: bytes, signature: bytes) -> bool:
    """Verify by BIP340."""
    key = lift(int.from_bytes(x_only, "big"), odd=False)
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if key is None or len(signature) != 64 or r >= P or s >= N:
        return False
    e = int.from_bytes(tagged("BIP0340/challenge", signature[:32] + x_only + message), "big") % N
    point = add(multiply(G, s), multiply(key, N - e))
    return point is not None and point[1] % 2 == 0 and point[0] == r


def string(data: bytes) -> bytes:
    assert len(data) < 0x10000
    length = bytes([len(data)]) if len(data) < 0xFD else b"\xfd" + struct.pack("<H", len(data))
    return length + data


def _outpoints(tx: Transaction) -> list[bytes]:
    return [i.prevout.txid + struct.pack("<I", i.prevout.vout) for i in tx.inputs]


def _outputs(tx: Transaction) -> bytes:
    return b"".join(struct.pack("<q", o.value_sat) + string(o.script_pubkey) for o in tx.outputs)


def legacy(tx: Transaction, index: int, code: bytes) -> bytes:
    """What a signature of type ALL before segwit commits to."""
    data = struct.pack("<I", tx.version) + bytes([len(tx.inputs)])
    for number, (outpoint, tx_in) in enumerate(zip(_outpoints(tx), tx.inputs, strict=True)):
        data += outpoint + string(code if number == index else b"")
        data += struct.pack("<I", tx_in.sequence)
    data += bytes([len(tx.outputs)]) + _outputs(tx)
    return twice(data + struct.pack("<II", tx.lock_time, 1))


def segwit_v0(tx: Transaction, index: int, code: bytes, amount_sat: int) -> bytes:
    """What a signature of type ALL of a version 0 input commits to (BIP143)."""
    outpoints = _outpoints(tx)
    sequences = [struct.pack("<I", i.sequence) for i in tx.inputs]
    data = struct.pack("<I", tx.version) + twice(b"".join(outpoints)) + twice(b"".join(sequences))
    data += outpoints[index] + string(code) + struct.pack("<q", amount_sat) + sequences[index]
    return twice(data + twice(_outputs(tx)) + struct.pack("<II", tx.lock_time, 1))


def taproot(tx: Transaction, index: int, spent: list[TxOut]) -> bytes:
    """What a key-path signature of type DEFAULT commits to (BIP341)."""
    parts = [
        b"".join(_outpoints(tx)),
        b"".join(struct.pack("<q", coin.value_sat) for coin in spent),
        b"".join(string(coin.script_pubkey) for coin in spent),
        b"".join(struct.pack("<I", i.sequence) for i in tx.inputs),
        _outputs(tx),
    ]
    data = b"\x00\x00" + struct.pack("<II", tx.version, tx.lock_time)
    data += b"".join(sha(part) for part in parts) + b"\x00" + struct.pack("<I", index)
    return tagged("TapSighash", data)


def is_spent_validly(tx: Transaction, index: int, spent: list[TxOut]) -> bool:
    """Judge a finished input of ours: pkh, sh(wpkh), wpkh, tr, and multisig in wsh and sh(wsh)."""
    tx_in, coin = tx.inputs[index], spent[index]
    script, stack = coin.script_pubkey, list(tx_in.witness)
    if script[:2] == b"\x51\x20":
        return len(stack) == 1 and schnorr_is_valid(script[2:], taproot(tx, index, spent), stack[0])
    if script[:1] == b"\xa9":  # nested: the one push is the program, and hashes to the script
        redeem = tx_in.script_sig[1:]
        if tx_in.script_sig[0] != len(redeem) or hash160(redeem) != script[2:22]:
            return False
        script = redeem
    if script[:2] == b"\x00\x14":
        signature, key = stack
        code = b"\x76\xa9\x14" + script[2:] + b"\x88\xac"
        message = segwit_v0(tx, index, code, coin.value_sat)
        is_ours = hash160(key) == script[2:]
        return is_ours and signature[-1] == 1 and ecdsa_is_valid(key, message, signature[:-1])
    if script[:2] == b"\x00\x20":
        code = stack[-1]
        message = segwit_v0(tx, index, code, coin.value_sat)
        return sha(code) == script[2:] and _multisig_is_valid(code, stack[:-1], message)
    length = tx_in.script_sig[0]
    signature, rest = tx_in.script_sig[1 : 1 + length], tx_in.script_sig[1 + length :]
    key = rest[1:]
    message = legacy(tx, index, script)
    is_ours = script == b"\x76\xa9\x14" + hash160(key) + b"\x88\xac" and rest[0] == len(key)
    return is_ours and signature[-1] == 1 and ecdsa_is_valid(key, message, signature[:-1])


def _multisig_is_valid(code: bytes, stack: list[bytes], message: bytes) -> bool:
    required, total = code[0] - 0x50, code[-2] - 0x50
    keys = [code[2 + 34 * n : 35 + 34 * n] for n in range(total)]
    if stack[:1] != [b""] or len(stack) != required + 1 or code[-1] != 0xAE:
        return False
    for signature in stack[1:]:
        while keys and not ecdsa_is_valid(keys[0], message, signature[:-1]):
            keys.pop(0)
        if not keys or signature[-1] != 1:
            return False
        keys.pop(0)
    return True
