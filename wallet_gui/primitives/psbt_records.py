"""The records of a PSBT: reading a map, and how each kind of value travels and is checked.

Sources: BIP174, BIP370, BIP371, Core `psbt.h` (order, limits).
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    WITNESS_SCALE_FACTOR,
    Transaction,
    TxOut,
    bounded_read,
    read_compact_size,
    read_witness,
)

MAX_RECORDS: Final = 100_000  # of all maps together; the largest standard spend needs 20,000
PROPRIETARY: Final = 0xFC
LOCK_TIME_IS_TIME: Final = 500_000_000
"""From here on a lock time is a Unix time, not a height (BIP65)."""

_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_MAX_TAPROOT_DEPTH: Final = 128
_LEAF_VERSION_MASK: Final = 0xFE


class Record(NamedTuple):
    """One key and its value; `key` is the whole key, type included."""

    key: bytes
    key_type: int
    key_data: bytes
    value: bytes


def read_map(data: bytes, position: int) -> tuple[list[Record], int]:
    """Return the records of one map and the position behind its separator.

    Raises ParseError for a repeated key or too many records; IndexError or struct.error at the
    end of the data (see `transaction.bounded_read`).
    """
    records: list[Record] = []
    seen: set[bytes] = set()
    while True:
        size, position = read_compact_size(data, position)
        if size == 0:
            return records, position
        key = data[position : position + size]
        position += size
        size, position = read_compact_size(data, position)  # fails if the key was cut short
        value = data[position : position + size]
        position += size
        if len(value) != size:
            raise ParseError("The PSBT ends too early.")
        if key in seen:
            raise ParseError(f"The PSBT has the key {key[:40].hex()} twice.")
        if len(records) == MAX_RECORDS:
            raise ParseError(f"The PSBT has more than {MAX_RECORDS} records.")
        seen.add(key)
        try:
            key_type, end = read_compact_size(key, 0)
        except (IndexError, struct.error) as error:
            raise ParseError("A PSBT key is cut short.") from error
        records.append(Record(key, key_type, key[end:], value))


@dataclass(frozen=True, slots=True)
class KeyPath:
    """Where a key comes from: the master key's fingerprint (4 bytes) and child numbers."""

    fingerprint: bytes
    path: tuple[int, ...]

    @classmethod
    def parse(cls, data: bytes) -> "KeyPath":
        if len(data) < 4 or len(data) % 4:
            raise ParseError(f"A key path has 4 bytes a step, not {len(data)} in all.")
        return cls(data[:4], struct.unpack(f"<{len(data) // 4 - 1}I", data[4:]))

    def serialize(self) -> bytes:
        return self.fingerprint + struct.pack(f"<{len(self.path)}I", *self.path)


@dataclass(frozen=True, slots=True)
class Codec:
    """How a value travels; `decode` raises ParseError."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]


@dataclass(frozen=True, slots=True)
class Field:
    """One record type. With `check_key` it is a mapping by key data, else a single value.

    `check_pair` judges key data and decoded value together; like `check_key` it raises ParseError.
    """

    key_type: int
    attribute: str
    codec: Codec
    check_key: Callable[[bytes], None] | None = None
    may_differ: bool = False
    order: Callable[[bytes, bytes], Any] = lambda key_data, _value: key_data
    check_pair: Callable[[bytes, Any], None] | None = None

    def store(self, target: object, record: Record) -> None:
        value = self.codec.decode(record.value)
        if self.check_key is None:
            if record.key_data:
                raise ParseError("The key is longer than its type.")
            setattr(target, self.attribute, value)
        else:
            self.check_key(record.key_data)
            if self.check_pair is not None:
                self.check_pair(record.key_data, value)
            getattr(target, self.attribute)[record.key_data] = value

    def records(self, source: object) -> Iterator[bytes]:
        """Yield the serialized records in Core's order."""
        value = getattr(source, self.attribute)
        if self.check_key is not None:
            encoded = [(key, self.codec.encode(item)) for key, item in value.items()]
            encoded.sort(key=lambda pair: self.order(*pair))
        else:
            encoded = [] if value is None else [(b"", self.codec.encode(value))]
        prefix = compact_size(self.key_type)
        for key_data, data in encoded:
            yield var_bytes(prefix + key_data) + var_bytes(data)


def check_proprietary(key_data: bytes) -> None:
    """Check that a proprietary key names its owner and a type of theirs (BIP174)."""
    try:
        reader = Reader(key_data)
        reader.var_bytes(len(key_data))
        reader.compact_size()
    except ParseError as error:
        raise ParseError("The key of a proprietary record does not name its owner.") from error


def sized(*sizes: int) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        if len(data) not in sizes:
            expected = " or ".join(map(str, sizes))
            raise ParseError(f"{expected} bytes are expected, not {len(data)}.")

    return check


def _checked(check: Callable[[bytes], None]) -> Codec:
    def decode(data: bytes) -> bytes:
        check(data)
        return data

    return Codec(decode, bytes)


def check_public_key(key: bytes) -> None:
    # Only the form: whether the point is on the curve is for those who use it.
    if not (len(key) == 33 and key[0] in (2, 3)) and not (len(key) == 65 and key[0] in (4, 6, 7)):
        raise ParseError("The key does not hold a public key.")


def check_xpub(key: bytes) -> None:
    sized(78)(key)
    if key[45] not in (2, 3):
        raise ParseError("The key does not hold an extended public key.")


def check_depth(xpub: bytes, key_path: KeyPath) -> None:
    """Check that as many steps lead to the key as it says itself (BIP174)."""
    if xpub[4] != len(key_path.path):
        raise ParseError("The extended public key is not as deep as its path is long.")


def check_control_block(key: bytes) -> None:
    if not 33 <= len(key) <= 33 + 32 * _MAX_TAPROOT_DEPTH or (len(key) - 33) % 32:
        raise ParseError(f"A control block does not have {len(key)} bytes.")


def _check_ecdsa_signature(signature: bytes) -> None:
    """Accept strict DER (BIP66) followed by a hash type byte."""
    size = len(signature)
    if not 9 <= size <= 73 or signature[0] != 0x30 or signature[1] != size - 3:
        raise ParseError("The signature is not DER encoded.")
    r_size = signature[3]
    if r_size + 7 > size or signature[5 + r_size] + r_size + 7 != size:
        raise ParseError("The signature is not DER encoded.")
    for number in (signature[2 : 4 + r_size], signature[4 + r_size : -1]):
        content = number[2:]
        if number[0] != 0x02 or not content or content[0] & 0x80:
            raise ParseError("The signature is not DER encoded.")
        if len(content) > 1 and content[0] == 0 and not content[1] & 0x80:
            raise ParseError("The signature is not DER encoded.")


def _check_leaf_script(value: bytes) -> None:
    if not value:
        raise ParseError("The leaf has no version.")


def _decode_u32(data: bytes) -> int:
    sized(4)(data)
    number: int = _U32.unpack(data)[0]
    return number


def _decode_time_lock(data: bytes) -> int:
    number = _decode_u32(data)
    if number < LOCK_TIME_IS_TIME:
        raise ParseError("A lock time by date is 500000000 or more.")
    return number


def _decode_height_lock(data: bytes) -> int:
    number = _decode_u32(data)
    if not 0 < number < LOCK_TIME_IS_TIME:
        raise ParseError("A lock time by height lies between 1 and 499999999.")
    return number


def _decode_i64(data: bytes) -> int:
    sized(8)(data)
    number: int = _I64.unpack(data)[0]
    return number


def _decode_u8(data: bytes) -> int:
    sized(1)(data)
    return data[0]


def _decode_count(data: bytes) -> int:
    reader = Reader(data)
    count = reader.compact_size()
    reader.check_end()
    return count


def _decode_transaction(data: bytes) -> Transaction:
    # Judged before it is read: a previous transaction was in a block.
    has_witness = data[4:5] == b"\x00"
    if len(data) * (1 if has_witness else WITNESS_SCALE_FACTOR) > MAX_BLOCK_WEIGHT:
        raise ParseError("The previous transaction is larger than a block.")
    return Transaction.parse(data)


def _decode_witness(data: bytes) -> tuple[bytes, ...]:
    if len(data) > MAX_BLOCK_WEIGHT:
        raise ParseError("The witness is larger than a block.")
    stack, position = bounded_read(read_witness, data, 0, "witness")
    if position != len(data):
        raise ParseError("The witness does not have the length of its items.")
    return stack


def _encode_witness(stack: tuple[bytes, ...]) -> bytes:
    return compact_size(len(stack)) + b"".join(map(var_bytes, stack))


def _decode_tap_origin(data: bytes) -> tuple[tuple[bytes, ...], KeyPath]:
    reader = Reader(data)
    count = reader.compact_size(maximum=len(data) // 32)
    leaf_hashes = tuple(reader.read(32) for _ in range(count))
    return leaf_hashes, KeyPath.parse(reader.read(reader.remaining))


def _encode_tap_origin(origin: tuple[tuple[bytes, ...], KeyPath]) -> bytes:
    leaf_hashes, key_path = origin
    return compact_size(len(leaf_hashes)) + b"".join(leaf_hashes) + key_path.serialize()


def _decode_tap_tree(data: bytes) -> tuple[tuple[int, int, bytes], ...]:
    """Return (depth, leaf version, script) of each leaf, if they form one complete tree."""
    reader = Reader(data)
    leaves = []
    open_depths: list[int] = []
    while reader.remaining:
        depth, version = reader.u8(), reader.u8()
        leaves.append((depth, version, reader.var_bytes(len(data))))
        if depth > _MAX_TAPROOT_DEPTH or version & ~_LEAF_VERSION_MASK:
            raise ParseError("A taproot leaf has an impossible depth or version.")
        if open_depths and (open_depths == [0] or depth < open_depths[-1]):
            raise ParseError("The taproot tree is not complete.")
        open_depths.append(depth)
        while len(open_depths) > 1 and open_depths[-1] == open_depths[-2] > 0:
            open_depths[-2:] = [depth := depth - 1]
    if open_depths != [0]:
        raise ParseError("The taproot tree is not complete.")
    return tuple(leaves)


def _encode_tap_tree(leaves: Iterable[tuple[int, int, bytes]]) -> bytes:
    return b"".join(
        bytes((depth, version)) + var_bytes(script) for depth, version, script in leaves
    )


SCRIPT = Codec(bytes, bytes)
TRANSACTION = Codec(_decode_transaction, Transaction.serialize)
OUTPUT = Codec(TxOut.parse, TxOut.serialize)
KEY_PATH = Codec(KeyPath.parse, KeyPath.serialize)
HASH = _checked(sized(32))
SCHNORR = _checked(sized(64, 65))
ECDSA = _checked(_check_ecdsa_signature)
NUMBER = Codec(_decode_u32, _U32.pack)
FLAGS = Codec(_decode_u8, lambda flags: bytes((flags,)))
AMOUNT = Codec(_decode_i64, _I64.pack)
COUNT = Codec(_decode_count, compact_size)
WITNESS = Codec(_decode_witness, _encode_witness)
TAP_ORIGIN = Codec(_decode_tap_origin, _encode_tap_origin)
TAP_TREE = Codec(_decode_tap_tree, _encode_tap_tree)
TIME_LOCK = Codec(_decode_time_lock, _U32.pack)
HEIGHT_LOCK = Codec(_decode_height_lock, _U32.pack)
TAP_LEAF = _checked(_check_leaf_script)


def by_key_hash(key: bytes, _value: bytes) -> bytes:
    return hash160(key)


def by_leaf(control_block: bytes, value: bytes) -> tuple[bytes, int, int, bytes]:
    return value[:-1], value[-1], len(control_block), control_block


def by_origin(xpub: bytes, value: bytes) -> tuple[bytes, int, tuple[int, ...], bytes]:
    origin = KeyPath.parse(value)
    return origin.fingerprint, len(origin.path), origin.path, xpub
