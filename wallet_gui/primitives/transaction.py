"""Transactions as they travel and as they are hashed: outpoints, inputs, outputs, witnesses.

Sources: Core `primitives/transaction.h` (wire format), `consensus/tx_check.cpp` (sanity rules),
BIP141 (weight, virtual size), BIP144 (witness serialization).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from wallet_gui.primitives.amount import MAX_MONEY
from wallet_gui.primitives.hashes import hash_to_hex, sha256d
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes

MAX_BLOCK_WEIGHT: Final = 4_000_000
WITNESS_SCALE_FACTOR: Final = 4
SEQUENCE_FINAL: Final = 0xFFFFFFFF
SEQUENCE_RBF: Final = 0xFFFFFFFD  # BIP125: the highest sequence that opts in to replacement
NULL_OUTPOINT_INDEX: Final = 0xFFFFFFFF

_NULL_HASH: Final = bytes(32)
_MAX_ELEMENT: Final = 0x02000000  # Core's MAX_SIZE, the largest compact size it reads
# The shortest serializations: they bound every count by the bytes that are left.
_MIN_INPUT: Final = 41
_MIN_OUTPUT: Final = 9

_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")
_U16_AT = struct.Struct("<H").unpack_from
_U32_AT = _U32.unpack_from
_U64_AT = struct.Struct("<Q").unpack_from
_I64_AT = _I64.unpack_from


@dataclass(frozen=True, slots=True)
class OutPoint:
    """One output of one transaction: txid (32 bytes in wire order) and output number."""

    txid: bytes
    vout: int

    def serialize(self) -> bytes:
        return self.txid + _U32.pack(self.vout)

    @property
    def is_null(self) -> bool:
        """Whether this is what a coinbase input spends."""
        return self.vout == NULL_OUTPOINT_INDEX and self.txid == _NULL_HASH

    def __str__(self) -> str:
        return f"{hash_to_hex(self.txid)}:{self.vout}"


@dataclass(frozen=True, slots=True)
class TxIn:
    prevout: OutPoint
    script_sig: bytes = b""
    sequence: int = SEQUENCE_FINAL
    witness: tuple[bytes, ...] = ()

    def serialize(self) -> bytes:
        """Return the input without its witness, which travels after all outputs (BIP144)."""
        return self.prevout.serialize() + var_bytes(self.script_sig) + _U32.pack(self.sequence)


@dataclass(frozen=True, slots=True)
class TxOut:
    """An amount (sat) and its locking script.

    The amount is a signed 64-bit number here, as on the wire: signature hashes of transactions
    that could never be mined are defined too. `Transaction.check_sanity` bounds it.
    """

    value_sat: int
    script_pubkey: bytes

    def serialize(self) -> bytes:
        return _I64.pack(self.value_sat) + var_bytes(self.script_pubkey)

    @classmethod
    def parse(cls, data: bytes) -> "TxOut":
        """Read exactly one output; raise ParseError for anything else."""
        output, position = bounded_read(_read_output, bytes(data), 0)
        if position != len(data):
            raise ParseError("The transaction output's length does not fit its script.")
        return output


@dataclass(frozen=True, slots=True)
class _Digest:
    """What is computed from a transaction's bytes once."""

    txid: bytes
    wtxid: bytes
    stripped_size: int
    total_size: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction; `version` is unsigned 32 bit as in Core since 28.0."""

    version: int
    inputs: tuple[TxIn, ...]
    outputs: tuple[TxOut, ...]
    lock_time: int
    _digest: _Digest | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> "Transaction":
        """Read exactly one transaction, with or without witnesses (BIP144).

        Zero inputs are read as the witness marker, as Core does when it expects a witness; use
        `parse_stripped` where the format rules a witness out. Raises ParseError.
        """
        raw = bytes(data)
        return _exactly(raw, *bounded_read(read_transaction, raw, 0))

    @classmethod
    def parse_stripped(cls, data: bytes | bytearray | memoryview) -> "Transaction":
        """Read exactly one transaction in the old format, as in a PSBT (BIP174); or ParseError."""
        raw = bytes(data)
        return _exactly(raw, *bounded_read(read_stripped, raw, 0))

    @classmethod
    def read(cls, reader: Reader) -> "Transaction":
        """Read a transaction where the reader stands and leave it just behind."""
        return reader.take(partial(bounded_read, read_transaction))

    def serialize(self) -> bytes:
        """Return the bytes as they travel: with the witnesses, if there are any (BIP144)."""
        if not self.has_witness:
            return self.serialize_stripped()
        parts = [_U32.pack(self.version & 0xFFFFFFFF), b"\x00\x01"]
        self._append_body(parts)
        for tx_input in self.inputs:
            parts.append(compact_size(len(tx_input.witness)))
            parts.extend(var_bytes(item) for item in tx_input.witness)
        parts.append(_U32.pack(self.lock_time))
        return b"".join(parts)

    def serialize_stripped(self) -> bytes:
        """Return the bytes that the txid commits to."""
        parts = [_U32.pack(self.version & 0xFFFFFFFF)]
        self._append_body(parts)
        parts.append(_U32.pack(self.lock_time))
        return b"".join(parts)

    def _append_body(self, parts: list[bytes]) -> None:
        parts.append(compact_size(len(self.inputs)))
        parts.extend(tx_input.serialize() for tx_input in self.inputs)
        parts.append(compact_size(len(self.outputs)))
        parts.extend(output.serialize() for output in self.outputs)

    def _digested(self) -> _Digest:
        if self._digest is not None:
            return self._digest
        stripped = self.serialize_stripped()
        txid = sha256d(stripped)
        if self.has_witness:
            full = self.serialize()
            digest = _Digest(txid, sha256d(full), len(stripped), len(full))
        else:
            digest = _Digest(txid, txid, len(stripped), len(stripped))
        object.__setattr__(self, "_digest", digest)
        return digest

    @property
    def txid(self) -> bytes:
        """The double SHA-256 without witnesses, 32 bytes in wire order."""
        return self._digested().txid

    @property
    def wtxid(self) -> bytes:
        """The double SHA-256 with witnesses (BIP141), 32 bytes in wire order."""
        return self._digested().wtxid

    @property
    def stripped_size(self) -> int:
        return self._digested().stripped_size

    @property
    def total_size(self) -> int:
        return self._digested().total_size

    @property
    def weight(self) -> int:
        """Three times the stripped size plus the total size (BIP141)."""
        digest = self._digested()
        return digest.stripped_size * (WITNESS_SCALE_FACTOR - 1) + digest.total_size

    @property
    def vsize(self) -> int:
        """The weight divided by four, rounded up: what fees are paid for."""
        return (self.weight + WITNESS_SCALE_FACTOR - 1) // WITNESS_SCALE_FACTOR

    @property
    def has_witness(self) -> bool:
        return any(tx_input.witness for tx_input in self.inputs)

    @property
    def is_coinbase(self) -> bool:
        return len(self.inputs) == 1 and self.inputs[0].prevout.is_null

    @property
    def signals_rbf(self) -> bool:
        """Whether an input opts in to replacement (BIP125)."""
        return any(tx_input.sequence <= SEQUENCE_RBF for tx_input in self.inputs)

    def check_sanity(self) -> None:
        """Apply the rules that need no context (Core `CheckTransaction`); raise ParseError."""
        if not self.inputs:
            raise ParseError("The transaction has no inputs.")
        if not self.outputs:
            raise ParseError("The transaction has no outputs.")
        if self.stripped_size * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT:
            raise ParseError("The transaction is larger than a block.")
        self._check_amounts()
        # CVE-2018-17144: the same coin spent twice within one transaction.
        if len({tx_input.prevout for tx_input in self.inputs}) != len(self.inputs):
            raise ParseError("The transaction spends the same coin twice.")
        if self.is_coinbase:
            if not 2 <= len(self.inputs[0].script_sig) <= 100:
                raise ParseError("The coinbase script is not between 2 and 100 bytes long.")
        elif any(tx_input.prevout.is_null for tx_input in self.inputs):
            raise ParseError("An input of the transaction spends nothing.")

    def _check_amounts(self) -> None:
        total = 0
        for output in self.outputs:
            if not 0 <= output.value_sat <= MAX_MONEY:
                raise ParseError("A transaction output's amount is outside 0 to 21 million BTC.")
            total += output.value_sat
        # CVE-2010-5139: the sum is what overflowed.
        if total > MAX_MONEY:
            raise ParseError("The transaction outputs add up to more than 21 million BTC.")


def read_transaction(data: bytes, start: int) -> tuple[Transaction, int]:
    """Return the transaction at `start` and the position behind it.

    The hot path of block parsing: one pass over plain `bytes`, hashes computed from the slices.
    Raises ParseError, or IndexError and struct.error at the end of the data (`bounded_read`
    turns those into ParseError).
    """
    position = start + 4
    if data[position] != 0:
        return read_stripped(data, start)
    if data[position + 1] == 0:
        # Neither inputs nor outputs: Core takes the flag byte for the output count.
        return read_stripped(data, start)
    if data[position + 1] != 1:
        raise ParseError("The transaction has an unknown flag behind its witness marker.")
    body_start = position + 2
    inputs, position = _read_inputs(data, body_start)
    outputs, position = _read_outputs(data, position)
    body_end = position
    signed: list[TxIn] = []
    has_witness = False
    for tx_input in inputs:
        witness, position = read_witness(data, position)
        if witness:
            has_witness = True
            signed.append(TxIn(tx_input.prevout, tx_input.script_sig, tx_input.sequence, witness))
        else:
            signed.append(tx_input)
    if not has_witness:
        raise ParseError("The transaction announces witnesses but has none.")
    lock_time: int = _U32_AT(data, position)[0]
    position += 4
    stripped = data[start : start + 4] + data[body_start:body_end] + data[position - 4 : position]
    transaction = Transaction(_U32_AT(data, start)[0], tuple(signed), outputs, lock_time)
    digest = _Digest(
        sha256d(stripped), sha256d(data[start:position]), len(stripped), position - start
    )
    object.__setattr__(transaction, "_digest", digest)
    return transaction, position


def read_stripped(data: bytes, start: int) -> tuple[Transaction, int]:
    """Return the transaction without witnesses at `start`, and the position behind it."""
    version: int = _U32_AT(data, start)[0]
    inputs, position = _read_inputs(data, start + 4)
    outputs, position = _read_outputs(data, position)
    lock_time: int = _U32_AT(data, position)[0]
    position += 4
    txid = sha256d(data[start:position])
    size = position - start
    transaction = Transaction(version, tuple(inputs), outputs, lock_time)
    object.__setattr__(transaction, "_digest", _Digest(txid, txid, size, size))
    return transaction, position


def _read_inputs(data: bytes, position: int) -> tuple[list[TxIn], int]:
    # Scripts may be cut short here: the fixed field behind each of them is read at its declared
    # end, which raises. The same holds for outputs and witnesses.
    count, position = _read_count(data, position, _MIN_INPUT)
    inputs = []
    for _ in range(count):
        end = position + 32
        prevout = OutPoint(data[position:end], _U32_AT(data, end)[0])
        length = data[end + 4]
        position = end + 5
        if length >= 0xFD:
            length, position = read_compact_size(data, position - 1)
        end = position + length
        inputs.append(TxIn(prevout, data[position:end], _U32_AT(data, end)[0]))
        position = end + 4
    return inputs, position


def _read_outputs(data: bytes, position: int) -> tuple[tuple[TxOut, ...], int]:
    count, position = _read_count(data, position, _MIN_OUTPUT)
    outputs = []
    for _ in range(count):
        output, position = _read_output(data, position)
        outputs.append(output)
    return tuple(outputs), position


def _read_output(data: bytes, position: int) -> tuple[TxOut, int]:
    value_sat: int = _I64_AT(data, position)[0]
    length = data[position + 8]
    position += 9
    if length >= 0xFD:
        length, position = read_compact_size(data, position - 1)
    end = position + length
    return TxOut(value_sat, data[position:end]), end


def read_witness(data: bytes, position: int) -> tuple[tuple[bytes, ...], int]:
    """Return the witness stack at `position` and the position behind it, maybe behind the data."""
    count, position = _read_count(data, position, 1)
    items = []
    for _ in range(count):
        length = data[position]
        position += 1
        if length >= 0xFD:
            length, position = read_compact_size(data, position - 1)
        end = position + length
        items.append(data[position:end])
        position = end
    return tuple(items), position


def _read_count(data: bytes, position: int, min_size: int) -> tuple[int, int]:
    """Read how many items follow, of at least `min_size` bytes each."""
    count, position = read_compact_size(data, position)
    if count * min_size > len(data) - position:
        raise ParseError(
            f"{count} items are announced, but only {len(data) - position} bytes left."
        )
    return count, position


def read_compact_size(data: bytes, position: int) -> tuple[int, int]:
    """Return the canonical compact size at `position` and the position behind it."""
    first = data[position]
    if first < 0xFD:
        return first, position + 1
    value: int
    if first == 0xFD:
        value, end, least = _U16_AT(data, position + 1)[0], position + 3, 0xFD
    elif first == 0xFE:
        value, end, least = _U32_AT(data, position + 1)[0], position + 5, 0x10000
    else:
        value, end, least = _U64_AT(data, position + 1)[0], position + 9, 0x100000000
    if value < least:
        raise ParseError("A length is not written in its shortest form.")
    if value > _MAX_ELEMENT:
        raise ParseError(f"A length of {value} is larger than any message may be.")
    return value, end


_T = TypeVar("_T")


def bounded_read(
    read: Callable[[bytes, int], tuple[_T, int]],
    data: bytes,
    start: int,
    what: str = "transaction",
) -> tuple[_T, int]:
    """Call one of the readers above; the end of the data becomes a ParseError."""
    try:
        return read(data, start)
    except (IndexError, struct.error) as error:
        raise ParseError(f"The {what} ends too early.") from error


def _exactly(data: bytes, transaction: Transaction, position: int) -> Transaction:
    if position != len(data):
        raise ParseError(f"{len(data) - position} bytes follow the transaction.")
    return transaction
