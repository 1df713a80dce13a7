"""Partially signed Bitcoin transactions, version 0: parse, serialize, combine, finalize, extract.

Sources: BIP174, BIP371, Core `psbt.h` and `psbt.cpp`. Nothing here judges a signature: there is no
curve on this floor. Whoever takes a PSBT from outside verifies its signatures before using them.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from wallet_gui.primitives.amount import MAX_MONEY, check_money
from wallet_gui.primitives.psbt_fields import (
    GLOBAL_FIELDS,
    INPUT_FIELDS,
    MAX_RECORDS,
    OUTPUT_FIELDS,
    PROPRIETARY,
    Field,
    KeyPath,
    PsbtInput,
    PsbtOutput,
    Record,
    read_map,
)
from wallet_gui.primitives.psbt_finalize import check_scripts, finalized
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    WITNESS_SCALE_FACTOR,
    Transaction,
    TxIn,
    TxOut,
    bounded_read,
)

__all__ = ["KeyPath", "Psbt", "PsbtInput", "PsbtOutput"]

MAGIC: Final = b"psbt\xff"
MAX_SIZE: Final = 10_000_000  # bytes; the largest standard transaction with its past fits

_UNSIGNED_TX: Final = 0x00
_VERSION: Final = 0xFB
_INPUT_TABLE: Final = {entry.key_type: entry for entry in INPUT_FIELDS}
_OUTPUT_TABLE: Final = {entry.key_type: entry for entry in OUTPUT_FIELDS}
_GLOBAL_TABLE: Final = {entry.key_type: entry for entry in GLOBAL_FIELDS}
# Only in version 2 (BIP370): what they say would contradict the unsigned transaction.
_GLOBAL_V2: Final = frozenset(range(0x02, 0x07))
_INPUT_V2: Final = frozenset(range(0x0E, 0x13))
_OUTPUT_V2: Final = frozenset({0x03, 0x04})


@dataclass(slots=True)
class Psbt:
    """An unsigned transaction and what is known about each input and output.

    `xpubs` maps 78-byte extended public keys to where they come from.
    """

    tx: Transaction
    inputs: list[PsbtInput]
    outputs: list[PsbtOutput]
    xpubs: dict[bytes, KeyPath] = field(default_factory=dict)
    unknown: dict[bytes, bytes] = field(default_factory=dict)

    @classmethod
    def from_unsigned_tx(cls, tx: Transaction) -> "Psbt":
        """Wrap a transaction without any signature; raise ParseError if it has one."""
        if any(tx_input.script_sig or tx_input.witness for tx_input in tx.inputs):
            raise ParseError("The transaction inside a PSBT must not carry signatures.")
        return cls(tx, [PsbtInput() for _ in tx.inputs], [PsbtOutput() for _ in tx.outputs])

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview | str) -> "Psbt":
        """Read a PSBT of version 0 from its bytes, or from base64 text.

        Base64 must be canonical; blank space around it is forgiven. Raises ParseError.
        """
        raw = _decode_base64(data) if isinstance(data, str) else bytes(data)
        if len(raw) > MAX_SIZE:
            raise ParseError(f"The PSBT has {len(raw)} bytes; {MAX_SIZE} are allowed.")
        if not raw.startswith(MAGIC):
            raise ParseError("This is not a PSBT: it does not begin with its magic bytes.")
        return bounded_read(cls._read, raw, len(MAGIC), "PSBT")[0]

    @classmethod
    def _read(cls, raw: bytes, position: int) -> tuple["Psbt", int]:
        records, position = read_map(raw, position)
        psbt = cls.from_unsigned_tx(_unsigned_tx(records))
        left = MAX_RECORDS - len(records)
        others = [record for record in records if record.key_type not in (_UNSIGNED_TX, _VERSION)]
        _store(psbt, _GLOBAL_TABLE, _GLOBAL_V2, others, "The PSBT's global map")
        for number, psbt_input in enumerate(psbt.inputs):
            records, position = read_map(raw, position)
            left = _spend(left, records)
            where = f"Input {number} of the PSBT"
            _store(psbt_input, _INPUT_TABLE, _INPUT_V2, records, where)
            _check_previous(psbt_input, psbt.tx.inputs[number], where)
        for number, psbt_output in enumerate(psbt.outputs):
            records, position = read_map(raw, position)
            left = _spend(left, records)
            where = f"Output {number} of the PSBT"
            _store(psbt_output, _OUTPUT_TABLE, _OUTPUT_V2, records, where)
        if position != len(raw):
            raise ParseError(f"{len(raw) - position} bytes follow the PSBT.")
        return psbt, position

    def serialize(self) -> bytes:
        """Return the bytes, with the records in Core's order."""
        parts = [MAGIC, var_bytes(bytes([_UNSIGNED_TX])), var_bytes(self.tx.serialize_stripped())]
        parts += _records(self, GLOBAL_FIELDS)
        for psbt_input in self.inputs:
            parts += _records(psbt_input, INPUT_FIELDS)
        for psbt_output in self.outputs:
            parts += _records(psbt_output, OUTPUT_FIELDS)
        return b"".join(parts)

    def to_base64(self) -> str:
        return base64.b64encode(self.serialize()).decode("ascii")

    def copy(self) -> "Psbt":
        """Return a PSBT that shares no mapping with this one."""
        return replace(
            _copied(self),
            inputs=[_copied(psbt_input) for psbt_input in self.inputs],
            outputs=[_copied(psbt_output) for psbt_output in self.outputs],
        )

    def combine(self, other: "Psbt") -> "Psbt":
        """Return a PSBT with the records of both; the order of the two does not matter.

        Nothing is dropped: records that contradict each other, two different signatures of one
        key among them, raise ParseError, as another unsigned transaction does.
        """
        if self.tx.serialize_stripped() != other.tx.serialize_stripped():
            raise ParseError("The two PSBTs are about different transactions.")
        combined = self.copy()
        _merge(combined, other, GLOBAL_FIELDS, "The PSBTs' global maps")
        for number, (mine, theirs) in enumerate(zip(combined.inputs, other.inputs, strict=True)):
            _merge(mine, theirs, INPUT_FIELDS, f"The PSBTs' records about input {number}")
        for number, (ours, yours) in enumerate(zip(combined.outputs, other.outputs, strict=True)):
            _merge(ours, yours, OUTPUT_FIELDS, f"The PSBTs' records about output {number}")
        return combined

    def utxo(self, index: int) -> TxOut:
        """Return what input `index` spends.

        The amount is proven only if the input has `non_witness_utxo`. Raises ParseError when it
        is not known, impossible, or when witness and non-witness statement contradict each other.
        """
        try:
            return self.inputs[index].spent_output(self.tx.inputs[index].prevout.vout)
        except ParseError as error:
            raise ParseError(f"Input {index} of the PSBT: {error}") from error

    def check_scripts(self, index: int) -> None:
        """Check that the scripts of input `index` belong to what it spends (BIP174, signer).

        Raises ParseError also where a legacy input comes without its previous transaction.
        """
        spent = self.utxo(index)
        try:
            check_scripts(self.inputs[index], spent.script_pubkey)
        except ParseError as error:
            raise ParseError(f"Input {index} of the PSBT: {error}") from error

    def fee(self) -> int:
        """Return inputs minus outputs (sat); raise ParseError if unknown or impossible."""
        spent = sum(self.utxo(index).value_sat for index in range(len(self.inputs)))
        paid = sum(check_money(output.value_sat) for output in self.tx.outputs)
        if max(spent, paid) > MAX_MONEY:
            raise ParseError("The amounts add up to more than 21 million BTC.")
        if spent < paid:
            raise ParseError("The transaction pays out more than it spends.")
        return spent - paid

    def finalize(self) -> "Psbt":
        """Return a copy in which every input that has all its signatures is final.

        Knows p2pkh, p2sh-p2wpkh, p2wpkh and the taproot key path; other inputs stay as they are.
        Raises ParseError for a signature of another hash type than asked for, and for scripts that
        do not belong to the spent output.
        """
        final = self.copy()
        for index, psbt_input in enumerate(final.inputs):
            if psbt_input.is_final:
                final.inputs[index] = psbt_input.without_signing_data()
            elif psbt_input.has_utxo:
                self.check_scripts(index)
                spent = self.utxo(index).script_pubkey
                try:
                    final.inputs[index] = finalized(psbt_input, spent)
                except ParseError as error:
                    raise ParseError(f"Input {index} of the PSBT: {error}") from error
        return final

    def extract(self) -> Transaction:
        """Return the signed transaction; raise ParseError if an input is not final.

        The signatures are not verified.
        """
        signed = []
        for index, (tx_input, psbt_input) in enumerate(
            zip(self.tx.inputs, self.inputs, strict=True)
        ):
            if not psbt_input.is_final:
                raise ParseError(f"Input {index} of the PSBT is not signed completely.")
            script_sig = psbt_input.final_script_sig or b""
            witness = psbt_input.final_script_witness or ()
            signed.append(TxIn(tx_input.prevout, script_sig, tx_input.sequence, witness))
        return Transaction(self.tx.version, tuple(signed), self.tx.outputs, self.tx.lock_time)


def _decode_base64(text: str) -> bytes:
    text = text.strip()
    if len(text) > (MAX_SIZE + 2) // 3 * 4:
        raise ParseError(f"The PSBT has more than {MAX_SIZE} bytes.")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ParseError("The PSBT is not valid base64 text.") from error
    if base64.b64encode(raw).decode("ascii") != text:
        raise ParseError("The PSBT is not valid base64 text.")
    return raw


def _unsigned_tx(records: Iterable[Record]) -> Transaction:
    tx = None
    for record in records:
        if record.key_type == _UNSIGNED_TX:
            if record.key_data:
                raise ParseError("The PSBT's key for the unsigned transaction is too long.")
            if len(record.value) * WITNESS_SCALE_FACTOR > MAX_BLOCK_WEIGHT:
                raise ParseError("The transaction inside the PSBT is larger than a block.")
            tx = Transaction.parse_stripped(record.value)
        elif record.key_type == _VERSION:
            if record.key_data or len(record.value) != 4:
                raise ParseError("The PSBT's version number is malformed.")
            version = int.from_bytes(record.value, "little")
            if version:
                raise ParseError(f"The PSBT has version {version}; only version 0 can be read.")
    if tx is None:
        raise ParseError("The PSBT has no unsigned transaction.")
    return tx


def _spend(left: int, records: list[Record]) -> int:
    if len(records) > left:
        raise ParseError(f"The PSBT has more than {MAX_RECORDS} records.")
    return left - len(records)


def _store(
    target: Psbt | PsbtInput | PsbtOutput,
    table: dict[int, Field],
    version_2: frozenset[int],
    records: list[Record],
    where: str,
) -> None:
    for record in records:
        if record.key_type in version_2:
            raise ParseError(f"{where} has a field of PSBT version 2.")
        entry = table.get(record.key_type)
        if entry is None:
            target.unknown[record.key] = record.value
            continue
        try:
            entry.store(target, record)
        except ParseError as error:
            raise ParseError(f"{where}, {entry.attribute}: {error}") from error


def _check_previous(psbt_input: PsbtInput, tx_input: TxIn, where: str) -> None:
    previous = psbt_input.non_witness_utxo
    if previous is None:
        return
    if previous.txid != tx_input.prevout.txid:
        raise ParseError(f"{where} spends another transaction than the one that comes with it.")
    if tx_input.prevout.vout >= len(previous.outputs):
        raise ParseError(f"{where} spends an output that its transaction does not have.")


def _records(source: Psbt | PsbtInput | PsbtOutput, table: tuple[Field, ...]) -> Iterable[bytes]:
    for entry in table:
        yield from entry.records(source)
    # Core keeps proprietary records apart and writes them first.
    for key in sorted(source.unknown, key=lambda key: (key[0] != PROPRIETARY, key)):
        yield var_bytes(key)
        yield var_bytes(source.unknown[key])
    yield b"\x00"


_Map = TypeVar("_Map", Psbt, PsbtInput, PsbtOutput)


def _copied(source: _Map) -> _Map:
    mappings: dict[str, Any] = {
        entry.name: dict(getattr(source, entry.name))
        for entry in fields(source)
        if isinstance(getattr(source, entry.name), dict)
    }
    return replace(source, **mappings)


def _merge(mine: _Map, theirs: _Map, table: tuple[Field, ...], where: str) -> None:
    for entry in table:
        ours, added = getattr(mine, entry.attribute), getattr(theirs, entry.attribute)
        if entry.check_key is None:
            ours = _merged({} if ours is None else {b"": ours}, b"", added, entry, where)
            setattr(mine, entry.attribute, ours.get(b""))
        else:
            for key, value in added.items():
                _merged(ours, key, value, entry, where)
    for key, data in theirs.unknown.items():
        if mine.unknown.setdefault(key, data) != data:
            raise ParseError(f"{where} contradict each other in the record {key[:40].hex()}.")


def _merged(
    ours: dict[bytes, Any], key: bytes, value: Any, entry: Field, where: str
) -> dict[bytes, Any]:
    """Add `value`, if there is one, under `key`."""
    if value is None:
        return ours
    known = ours.setdefault(key, value)
    if known != value:
        if not entry.may_differ:
            raise ParseError(f"{where} contradict each other in {entry.attribute}.")
        ours[key] = min(known, value, key=entry.codec.encode)
    return ours
