"""secp256k1: the only importer of coincurve.

libsecp256k1 is called with arguments whose exact lengths were checked here first, because
coincurve itself pads short secrets, uses the first 32 bytes of long ones, hashes what it signs
unless told not to, and accepts hybrid public keys. Only compressed public keys, x-only keys and
32-byte digests pass. Every signature is verified before it is returned: a fault of the machine
must not give a key away.
"""

import secrets
from typing import Any, Final

from coincurve._libsecp256k1 import ffi, lib  # type: ignore[import-not-found]
from coincurve.context import GLOBAL_CONTEXT
from coincurve.flags import EC_COMPRESSED, EC_UNCOMPRESSED

from wallet_gui.primitives import ellswift
from wallet_gui.primitives.hashes import tagged_hash

ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

_CONTEXT: Final[Any] = GLOBAL_CONTEXT.ctx
# The module is optional when libsecp256k1 is built; without it Python does the same, slowly.
_HAS_ELLSWIFT: Final = hasattr(lib, "secp256k1_ellswift_xdh")


class CurveError(ValueError):
    """A key, tweak or signature is not a valid one; the message never contains it."""


def public_key(secret: bytes) -> bytes:
    """Return the compressed public key (33 bytes) of a secret (32 bytes, big endian, 1..n-1)."""
    point = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_create(_CONTEXT, point, _checked_secret(secret)):
        raise CurveError("the private key is not valid")
    return _serialize(point)


def check_secret(secret: bytes) -> bytes:
    """Return `secret` if it is 32 bytes between 1 and n-1; raise CurveError otherwise."""
    return _checked_secret(secret)


def check_public_key(pub: bytes) -> bytes:
    """Return `pub` if it is a compressed key (33 bytes, 02 or 03) of a point on the curve."""
    _parse(pub)
    return pub


def x_only(pub: bytes) -> bytes:
    """Return the x coordinate (32 bytes) of a compressed public key, checked (BIP340)."""
    _parse(pub)
    return pub[1:]


def check_x_only(key: bytes) -> bytes:
    """Return `key` if it is the x coordinate (32 bytes) of a point on the curve (BIP340)."""
    _parse_x_only(key)
    return key


def ecdsa_sign(secret: bytes, digest: bytes, *, grind_low_r: bool = True) -> bytes:
    """Sign a 32-byte digest; return strict DER (at most 71 bytes, 70 with low R).

    Nonces are RFC 6979; S is low. With `grind_low_r` a counter in the extra entropy (32 bytes,
    little endian, none at first) is raised until R is below 2^255, as in CKey::Sign of Bitcoin
    Core's key.cpp, so the result is byte-equal to Core's.
    """
    _checked_secret(secret)
    _checked_digest(digest)
    signature = ffi.new("secp256k1_ecdsa_signature *")
    compact = ffi.new("unsigned char[64]")
    entropy = ffi.NULL
    counter = 0
    while True:
        if not lib.secp256k1_ecdsa_sign(_CONTEXT, signature, digest, secret, ffi.NULL, entropy):
            raise CurveError("signing failed")
        lib.secp256k1_ecdsa_signature_serialize_compact(_CONTEXT, compact, signature)
        if not grind_low_r or compact[0] < 0x80:
            break
        counter += 1
        entropy = ffi.new("unsigned char[32]", counter.to_bytes(32, "little"))
    der = _signature_der(signature)
    if not ecdsa_verify(public_key(secret), digest, der):
        raise CurveError("a new signature does not verify; this computer is not reliable")
    return der


def ecdsa_verify(pub: bytes, digest: bytes, der: bytes) -> bool:
    """Tell whether `der` is a strict DER, low-S signature of the digest by `pub` (33 bytes).

    Raises CurveError for an invalid key or a digest of another length than 32.
    """
    point = _parse(pub)
    _checked_digest(digest)
    signature = ffi.new("secp256k1_ecdsa_signature *")
    if not lib.secp256k1_ecdsa_signature_parse_der(_CONTEXT, signature, der, len(der)):
        return False
    # Parsing forgives some encodings that BIP66 does not; writing it again does not.
    if _signature_der(signature) != der:
        return False
    return bool(lib.secp256k1_ecdsa_verify(_CONTEXT, signature, digest, point))


def ecdsa_sign_recoverable(secret: bytes, digest: bytes) -> tuple[int, bytes]:
    """Sign a 32-byte digest so that the key can be recovered; return recovery id and r, s.

    The id is 0 to 3, r and s are 64 bytes, big endian; S is low. Nonces are plain RFC 6979, as in
    CKey::SignCompact of Bitcoin Core's key.cpp, so the result is byte-equal to Core's.
    """
    _checked_secret(secret)
    _checked_digest(digest)
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    if not lib.secp256k1_ecdsa_sign_recoverable(
        _CONTEXT, signature, digest, secret, ffi.NULL, ffi.NULL
    ):
        raise CurveError("signing failed")
    compact = ffi.new("unsigned char[64]")
    recovery_id = ffi.new("int *")
    lib.secp256k1_ecdsa_recoverable_signature_serialize_compact(
        _CONTEXT, compact, recovery_id, signature
    )
    result = int(recovery_id[0]), bytes(ffi.buffer(compact))
    if ecdsa_recover(digest, *result) != public_key(secret):
        raise CurveError("a new signature does not verify; this computer is not reliable")
    return result


def ecdsa_recover(digest: bytes, recovery_id: int, compact: bytes) -> bytes:
    """Return the compressed public key that made a recoverable signature (r, s: 64 bytes).

    Raises CurveError when there is none. High S is accepted, as in Bitcoin Core.
    """
    _checked_digest(digest)
    if len(compact) != 64 or not 0 <= recovery_id <= 3:
        raise CurveError("a recoverable signature has 64 bytes and an id from 0 to 3")
    signature = ffi.new("secp256k1_ecdsa_recoverable_signature *")
    point = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ecdsa_recoverable_signature_parse_compact(
        _CONTEXT, signature, compact, recovery_id
    ) or not lib.secp256k1_ecdsa_recover(_CONTEXT, point, signature, digest):
        raise CurveError("no public key belongs to this signature")
    return _serialize(point)


def uncompressed(pub: bytes) -> bytes:
    """Return a public key (33 bytes) in its old form of 65 bytes, which early addresses hash."""
    output = ffi.new("unsigned char[65]")
    size = ffi.new("size_t *", 65)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, output, size, _parse(pub), EC_UNCOMPRESSED)
    return bytes(ffi.buffer(output))


def schnorr_sign(secret: bytes, digest: bytes, aux: bytes | None = None) -> bytes:
    """Sign a 32-byte digest by BIP340; return 64 bytes. `aux` (32 bytes) is drawn when None."""
    _checked_digest(digest)
    if aux is None:
        aux = secrets.token_bytes(32)
    if len(aux) != 32:
        raise CurveError("auxiliary randomness has 32 bytes")
    keypair = _keypair(secret)
    signature = ffi.new("unsigned char[64]")
    if not lib.secp256k1_schnorrsig_sign32(_CONTEXT, signature, digest, keypair, aux):
        raise CurveError("signing failed")
    result = bytes(ffi.buffer(signature))
    if not schnorr_verify(public_key(secret)[1:], digest, result):
        raise CurveError("a new signature does not verify; this computer is not reliable")
    return result


def schnorr_verify(key: bytes, digest: bytes, signature: bytes) -> bool:
    """Tell whether `signature` (64 bytes) of the digest by the x-only `key` is valid (BIP340).

    Raises CurveError for an invalid key or a digest of another length than 32.
    """
    point = _parse_x_only(key)
    _checked_digest(digest)
    if len(signature) != 64:
        return False
    return bool(lib.secp256k1_schnorrsig_verify(_CONTEXT, signature, digest, 32, point))


def tweak_public_key(pub: bytes, tweak: bytes) -> bytes:
    """Return `pub` + `tweak`*G as 33 bytes (BIP32 public derivation).

    Raises CurveError when the tweak (32 bytes) is n or more, or the sum is no key.
    """
    point = _parse(pub)
    if not lib.secp256k1_ec_pubkey_tweak_add(_CONTEXT, point, _checked_tweak(tweak)):
        raise CurveError("the tweak gives no valid public key")
    return _serialize(point)


def tweak_secret(secret: bytes, tweak: bytes) -> bytes:
    """Return (`secret` + `tweak`) mod n as 32 bytes (BIP32 private derivation).

    Raises CurveError when the tweak (32 bytes) is n or more, or the sum is zero.
    """
    result = ffi.new("unsigned char[32]", _checked_secret(secret))
    if not lib.secp256k1_ec_seckey_tweak_add(_CONTEXT, result, _checked_tweak(tweak)):
        raise CurveError("the tweak gives no valid private key")
    return bytes(ffi.buffer(result))


def taproot_output_key(internal_key: bytes, merkle_root: bytes = b"") -> tuple[bytes, int]:
    """Return the x-only output key (32 bytes) and its parity for an x-only internal key (BIP341).

    `merkle_root` is empty for outputs that only the key can spend (BIP86), else 32 bytes.
    """
    internal = _parse_x_only(internal_key)
    point = ffi.new("secp256k1_pubkey *")
    tweak = _taproot_tweak(internal_key, merkle_root)
    if not lib.secp256k1_xonly_pubkey_tweak_add(_CONTEXT, point, internal, tweak):
        raise CurveError("the internal key gives no valid output key")
    serialized = _serialize(point)
    return serialized[1:], serialized[0] & 1


def taproot_secret(secret: bytes, merkle_root: bytes = b"") -> bytes:
    """Return the secret (32 bytes) that signs for taproot_output_key of this secret's key."""
    keypair = _keypair(secret)
    tweak = _taproot_tweak(public_key(secret)[1:], merkle_root)
    if not lib.secp256k1_keypair_xonly_tweak_add(_CONTEXT, keypair, tweak):
        raise CurveError("the internal key gives no valid output key")
    result = ffi.new("unsigned char[32]")
    lib.secp256k1_keypair_sec(_CONTEXT, result, keypair)
    return bytes(ffi.buffer(result))


def ellswift_create(secret: bytes, entropy: bytes | None = None) -> bytes:
    """Return the public key of a secret as 64 bytes that look random (ElligatorSwift, BIP324).

    A key has many such forms; `entropy` (32 bytes, drawn when None) chooses one.
    """
    _checked_secret(secret)
    entropy = secrets.token_bytes(32) if entropy is None else entropy
    if len(entropy) != 32:
        raise CurveError("the entropy of an ElligatorSwift key has 32 bytes")
    if not _HAS_ELLSWIFT:
        return ellswift.create(secret, entropy)
    encoding = ffi.new("unsigned char[64]")
    if not lib.secp256k1_ellswift_create(_CONTEXT, encoding, secret, entropy):
        raise CurveError("the private key is not valid")
    return bytes(ffi.buffer(encoding))


def ellswift_decode(encoding: bytes) -> bytes:
    """Return the x coordinate (32 bytes) that an ElligatorSwift key (any 64 bytes) stands for."""
    _checked_ellswift(encoding)
    if not _HAS_ELLSWIFT:
        return ellswift.decode(encoding)
    point = ffi.new("secp256k1_pubkey *")
    lib.secp256k1_ellswift_decode(_CONTEXT, point, encoding)  # every encoding is a key
    return _serialize(point)[1:]


def ellswift_shared_secret(
    secret: bytes, ours: bytes, theirs: bytes, *, is_initiator: bool
) -> bytes:
    """Return the secret (32 bytes) shared with the owner of the key `theirs` (64 bytes).

    `ours` is the encoding that they were sent; the secret commits to both (BIP324,
    v2_ecdh). Raises CurveError for an invalid secret or length.
    """
    _checked_secret(secret)
    first, second = (ours, theirs) if is_initiator else (theirs, ours)
    _checked_ellswift(first)
    _checked_ellswift(second)
    if not _HAS_ELLSWIFT:
        return ellswift.shared_secret(secret, ours, theirs, is_initiator=is_initiator)
    output = ffi.new("unsigned char[32]")
    party = 0 if is_initiator else 1
    hash_function = lib.secp256k1_ellswift_xdh_hash_function_bip324
    if not lib.secp256k1_ellswift_xdh(
        _CONTEXT, output, first, second, secret, party, hash_function, ffi.NULL
    ):
        raise CurveError("there is no shared secret with this key")
    return bytes(ffi.buffer(output))


def self_test() -> None:
    """Compare the library with published vectors; raise CurveError at the first difference.

    To be called at the start of every process, before any key is used: a wallet must not run on a
    library or a machine that computes wrongly.
    """
    three = (3).to_bytes(32, "big")
    x_of_three = bytes.fromhex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9")
    # BIP340 test vector 0.
    schnorr = bytes.fromhex(
        "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca8215"
        "25f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f477df4900d310536c0"
    )
    # RFC 6979 on secp256k1: key 1, SHA256("Satoshi Nakamoto"), as widely published.
    satoshi = bytes.fromhex("a0dc65ffca799873cbea0ac274015b9526505daaaed385155425f7337704883e")
    ecdsa = bytes.fromhex(
        "3045022100934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
        "02202442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"
    )
    # BIP341 wallet-test-vectors.json: first scriptPubKey case and first key path spending.
    internal = bytes.fromhex("d6889cb081036e0faefa3a35157ad71086b123b2b144b649798b494c300a961d")
    output = bytes.fromhex("53a1f6e454df1aa2776a2814a721372d6258050de330b3c6d10ee8f4e0dda343")
    secret = bytes.fromhex("6b973d88838f27366ed61c9ad6367663045cb456e28335c109e30717ae0c6baa")
    tweaked = bytes.fromhex("2405b971772ad26915c8dcdf10f238753a9b837e5f8e6a86fd7c0cce5b7296d9")
    one, two = (1).to_bytes(32, "big"), (2).to_bytes(32, "big")
    # BIP324 ellswift_decode_test_vectors.csv, first case.
    zero = bytes.fromhex("edd1fd3e327ce90cc7a3542614289aee9682003e9cf7dcc9cf2ca9743be5aa0c")
    ours, theirs = ellswift_create(one), ellswift_create(three)
    checks = (
        public_key(three) == b"\x02" + x_of_three,
        schnorr_sign(three, bytes(32), bytes(32)) == schnorr,
        schnorr_verify(x_of_three, bytes(32), schnorr),
        not schnorr_verify(x_of_three, b"\x01" + bytes(31), schnorr),
        ecdsa_sign(one, satoshi, grind_low_r=False) == ecdsa,
        ecdsa_verify(public_key(one), satoshi, ecdsa_sign(one, satoshi)),
        not ecdsa_verify(public_key(two), satoshi, ecdsa),
        tweak_secret(one, two) == three,
        tweak_public_key(public_key(one), two) == public_key(three),
        taproot_output_key(internal)[0] == output,
        public_key(secret)[1:] == internal,
        taproot_secret(secret) == tweaked,
        ellswift_decode(bytes(64)) == zero,
        ellswift_decode(theirs) == x_of_three,
        ellswift_shared_secret(one, ours, theirs, is_initiator=True)
        == ellswift_shared_secret(three, theirs, ours, is_initiator=False),
    )
    if not all(checks):
        raise CurveError("the secp256k1 library gives wrong results; nothing was signed")


def _checked_secret(secret: bytes) -> bytes:
    if len(secret) != 32:
        raise CurveError("a private key has 32 bytes")
    if not lib.secp256k1_ec_seckey_verify(_CONTEXT, secret):
        raise CurveError("the private key is not valid")
    return secret


def _checked_tweak(tweak: bytes) -> bytes:
    if len(tweak) != 32:
        raise CurveError("a tweak has 32 bytes")
    return tweak


def _checked_ellswift(encoding: bytes) -> None:
    if len(encoding) != 64:
        raise CurveError("an ElligatorSwift key has 64 bytes")


def _checked_digest(digest: bytes) -> None:
    if len(digest) != 32:
        raise CurveError("a digest has 32 bytes")


def _parse(pub: bytes) -> Any:
    if len(pub) != 33 or pub[0] not in (2, 3):
        raise CurveError("a public key has 33 bytes and starts with 02 or 03")
    point = ffi.new("secp256k1_pubkey *")
    if not lib.secp256k1_ec_pubkey_parse(_CONTEXT, point, pub, 33):
        raise CurveError("the public key is not a point on the curve")
    return point


def _parse_x_only(key: bytes) -> Any:
    if len(key) != 32:
        raise CurveError("an x-only public key has 32 bytes")
    point = ffi.new("secp256k1_xonly_pubkey *")
    if not lib.secp256k1_xonly_pubkey_parse(_CONTEXT, point, key):
        raise CurveError("the public key is not a point on the curve")
    return point


def _serialize(point: Any) -> bytes:
    output = ffi.new("unsigned char[33]")
    size = ffi.new("size_t *", 33)
    lib.secp256k1_ec_pubkey_serialize(_CONTEXT, output, size, point, EC_COMPRESSED)
    return bytes(ffi.buffer(output))


def _keypair(secret: bytes) -> Any:
    keypair = ffi.new("secp256k1_keypair *")
    if not lib.secp256k1_keypair_create(_CONTEXT, keypair, _checked_secret(secret)):
        raise CurveError("the private key is not valid")
    return keypair


def _signature_der(signature: Any) -> bytes:
    output = ffi.new("unsigned char[72]")
    size = ffi.new("size_t *", 72)
    lib.secp256k1_ecdsa_signature_serialize_der(_CONTEXT, output, size, signature)
    return bytes(ffi.buffer(output, size[0]))


def _taproot_tweak(internal_key: bytes, merkle_root: bytes) -> bytes:
    if len(merkle_root) not in (0, 32):
        raise CurveError("a merkle root has 32 bytes")
    return tagged_hash("TapTweak", internal_key + merkle_root)
