"""The maps of a PSBT: their records, the table of what each record type means, their values.

Sources: BIP174 (records and fields), BIP371 (taproot fields), Core `psbt.h` (order, limits).
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from wallet_gui.primitives.amount import check_money
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    Transaction,
    TxOut,
    bounded_read,
    read_compact_size,
    read_witness,
)

MAX_RECORDS: Final = 100_000  # of all maps together; the largest standard spend needs 20,000
PROPRIETARY: Final = 0xFC

_U32 = struct.Struct("<I")
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
    """One record type. With `check_key` it is a mapping by key data, else a single value."""

    key_type: int
    attribute: str
    codec: Codec
    check_key: Callable[[bytes], None] | None = None
    may_differ: bool = False
    order: Callable[[bytes, bytes], Any] = lambda key_data, _value: key_data

    def store(self, target: object, record: Record) -> None:
        value = self.codec.decode(record.value)
        if self.check_key is None:
            if record.key_data:
                raise ParseError("The key is longer than its type.")
            setattr(target, self.attribute, value)
        else:
            self.check_key(record.key_data)
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


def _sized(*sizes: int) -> Callable[[bytes], None]:
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


def _check_public_key(key: bytes) -> None:
    # Only the form: whether the point is on the curve is for those who use it.
    if not (len(key) == 33 and key[0] in (2, 3)) and not (len(key) == 65 and key[0] in (4, 6, 7)):
        raise ParseError("The key does not hold a public key.")


def _check_xpub(key: bytes) -> None:
    _sized(78)(key)
    if key[45] not in (2, 3):
        raise ParseError("The key does not hold an extended public key.")


def _check_control_block(key: bytes) -> None:
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
    _sized(4)(data)
    number: int = _U32.unpack(data)[0]
    return number


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


_SCRIPT = Codec(bytes, bytes)
_TRANSACTION = Codec(Transaction.parse, Transaction.serialize)
_OUTPUT = Codec(TxOut.parse, TxOut.serialize)
_KEY_PATH = Codec(KeyPath.parse, KeyPath.serialize)
_HASH = _checked(_sized(32))
_SCHNORR = _checked(_sized(64, 65))
_ECDSA = _checked(_check_ecdsa_signature)
_NUMBER = Codec(_decode_u32, _U32.pack)
_WITNESS = Codec(_decode_witness, _encode_witness)
_TAP_ORIGIN = Codec(_decode_tap_origin, _encode_tap_origin)
_TAP_TREE = Codec(_decode_tap_tree, _encode_tap_tree)
_TAP_LEAF = _checked(_check_leaf_script)


def _by_key_hash(key: bytes, _value: bytes) -> bytes:
    return hash160(key)


def _by_leaf(control_block: bytes, value: bytes) -> tuple[bytes, int, int, bytes]:
    return value[:-1], value[-1], len(control_block), control_block


def _by_origin(xpub: bytes, value: bytes) -> tuple[bytes, int, tuple[int, ...], bytes]:
    origin = KeyPath.parse(value)
    return origin.fingerprint, len(origin.path), origin.path, xpub


# The order of these tables is the order of serialization: Core's.
GLOBAL_FIELDS: Final = (Field(0x01, "xpubs", _KEY_PATH, _check_xpub, order=_by_origin),)
INPUT_FIELDS: Final = (
    # Two copies may differ in their witness, which the txid does not cover.
    Field(0x00, "non_witness_utxo", _TRANSACTION, may_differ=True),
    Field(0x01, "witness_utxo", _OUTPUT),
    Field(0x02, "partial_sigs", _ECDSA, _check_public_key, order=_by_key_hash),
    Field(0x03, "sighash_type", _NUMBER),
    Field(0x04, "redeem_script", _SCRIPT),
    Field(0x05, "witness_script", _SCRIPT),
    Field(0x06, "bip32_derivations", _KEY_PATH, _check_public_key),
    Field(0x0A, "ripemd160_preimages", _SCRIPT, _sized(20)),
    Field(0x0B, "sha256_preimages", _SCRIPT, _sized(32)),
    Field(0x0C, "hash160_preimages", _SCRIPT, _sized(20)),
    Field(0x0D, "hash256_preimages", _SCRIPT, _sized(32)),
    Field(0x13, "tap_key_sig", _SCHNORR),
    Field(0x14, "tap_script_sigs", _SCHNORR, _sized(64)),
    Field(0x15, "tap_leaf_scripts", _TAP_LEAF, _check_control_block, order=_by_leaf),
    Field(0x16, "tap_bip32_derivations", _TAP_ORIGIN, _sized(32)),
    Field(0x17, "tap_internal_key", _HASH),
    Field(0x18, "tap_merkle_root", _HASH),
    Field(0x07, "final_script_sig", _SCRIPT),
    Field(0x08, "final_script_witness", _WITNESS),
)
OUTPUT_FIELDS: Final = (
    Field(0x00, "redeem_script", _SCRIPT),
    Field(0x01, "witness_script", _SCRIPT),
    Field(0x02, "bip32_derivations", _KEY_PATH, _check_public_key),
    Field(0x05, "tap_internal_key", _HASH),
    Field(0x06, "tap_tree", _TAP_TREE),
    Field(0x07, "tap_bip32_derivations", _TAP_ORIGIN, _sized(32)),
)

TapOrigin = tuple[tuple[bytes, ...], KeyPath]


@dataclass(slots=True)
class PsbtInput:
    """What is known about one input. Keys of the mappings are the records' raw key data.

    `tap_leaf_scripts` maps control blocks to the script followed by its leaf version;
    `tap_script_sigs` has x-only key and leaf hash (32 bytes each) as key; `unknown` holds whole
    keys, with their type, and the proprietary records too.
    """

    non_witness_utxo: Transaction | None = None
    witness_utxo: TxOut | None = None
    partial_sigs: dict[bytes, bytes] = field(default_factory=dict)
    sighash_type: int | None = None
    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    bip32_derivations: dict[bytes, KeyPath] = field(default_factory=dict)
    ripemd160_preimages: dict[bytes, bytes] = field(default_factory=dict)
    sha256_preimages: dict[bytes, bytes] = field(default_factory=dict)
    hash160_preimages: dict[bytes, bytes] = field(default_factory=dict)
    hash256_preimages: dict[bytes, bytes] = field(default_factory=dict)
    final_script_sig: bytes | None = None
    final_script_witness: tuple[bytes, ...] | None = None
    tap_key_sig: bytes | None = None
    tap_script_sigs: dict[bytes, bytes] = field(default_factory=dict)
    tap_leaf_scripts: dict[bytes, bytes] = field(default_factory=dict)
    tap_bip32_derivations: dict[bytes, TapOrigin] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_merkle_root: bytes | None = None
    unknown: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def is_final(self) -> bool:
        return self.final_script_sig is not None or self.final_script_witness is not None

    @property
    def has_utxo(self) -> bool:
        return self.non_witness_utxo is not None or self.witness_utxo is not None

    def without_signing_data(self) -> "PsbtInput":
        """Return what BIP174 keeps of a final input: what it spends and unknown records."""
        return PsbtInput(
            non_witness_utxo=self.non_witness_utxo,
            witness_utxo=self.witness_utxo,
            final_script_sig=self.final_script_sig,
            final_script_witness=self.final_script_witness,
            unknown=dict(self.unknown),
        )

    def spent_output(self, outpoint_index: int) -> TxOut:
        """Return the output that is spent, checked as far as the records allow; or ParseError."""
        spent = self.witness_utxo
        if self.non_witness_utxo is not None:
            outputs = self.non_witness_utxo.outputs
            if outpoint_index >= len(outputs):
                raise ParseError("The spent transaction has no such output.")
            if spent is not None and spent != outputs[outpoint_index]:
                raise ParseError("The two statements about the spent output contradict each other.")
            spent = outputs[outpoint_index]
        if spent is None:
            raise ParseError("The PSBT does not say what the input spends.")
        check_money(spent.value_sat)
        return spent


@dataclass(slots=True)
class PsbtOutput:
    """What is known about one output; `tap_tree` lists (depth, leaf version, script)."""

    redeem_script: bytes | None = None
    witness_script: bytes | None = None
    bip32_derivations: dict[bytes, KeyPath] = field(default_factory=dict)
    tap_internal_key: bytes | None = None
    tap_tree: tuple[tuple[int, int, bytes], ...] | None = None
    tap_bip32_derivations: dict[bytes, TapOrigin] = field(default_factory=dict)
    unknown: dict[bytes, bytes] = field(default_factory=dict)
