"""Partially signed Bitcoin transactions: parse, serialize, convert, combine, finalize, extract.

Sources: BIP174 (version 0), BIP370 (version 2), BIP371, Core `psbt.h` and `psbt.cpp`. Nothing here
judges a signature: there is no curve on this floor. Whoever takes a PSBT from outside verifies its
signatures before using them (`wallet/psbt_roles.py`).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from wallet_gui.primitives import psbt_v2
from wallet_gui.primitives.amount import MAX_MONEY, check_money
from wallet_gui.primitives.psbt_combine import (
    common_transaction,
    merge_fallback,
    merge_fields,
    merge_input,
    merge_output,
    open_sequences,
)
from wallet_gui.primitives.psbt_fields import (
    GLOBAL_FIELDS,
    INPUT_FIELDS,
    OUTPUT_FIELDS,
    PsbtInput,
    PsbtOutput,
)
from wallet_gui.primitives.psbt_finalize import check_scripts, finalized, hash_types
from wallet_gui.primitives.psbt_records import (
    MAX_RECORDS,
    PROPRIETARY,
    Field,
    KeyPath,
    Record,
    check_proprietary,
    read_map,
)
from wallet_gui.primitives.psbt_text import MAGIC, MAX_SIZE, decode, decode_any, encode
from wallet_gui.primitives.serialize import ParseError, var_bytes
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    SEQUENCE_FINAL,
    WITNESS_SCALE_FACTOR,
    Transaction,
    TxIn,
    TxOut,
    bounded_read,
)

__all__ = ["MAGIC", "MAX_SIZE", "KeyPath", "Psbt", "PsbtInput", "PsbtOutput"]

VERSIONS: Final = (0, 2)

_UNSIGNED_TX: Final = 0x00
_VERSION: Final = 0xFB
_INPUT_TABLE: Final = {entry.key_type: entry for entry in INPUT_FIELDS}
_OUTPUT_TABLE: Final = {entry.key_type: entry for entry in OUTPUT_FIELDS}
_GLOBAL_TABLE: Final = {entry.key_type: entry for entry in GLOBAL_FIELDS}
_BLOCK_SIZE: Final = MAX_BLOCK_WEIGHT // WITNESS_SCALE_FACTOR


@dataclass(slots=True)
class Psbt:
    """An unsigned transaction and what is known about each input and output.

    `tx` is the unsigned transaction in both versions; `version` says how it is written. `xpubs`
    maps 78-byte extended public keys to where they come from. Only version 2 has
    `fallback_lock_time`, which holds where no input needs another, and `modifiable`, the flags of
    what may still be added (`psbt_v2`); nobody here adds anything.
    """

    tx: Transaction
    inputs: list[PsbtInput]
    outputs: list[PsbtOutput]
    xpubs: dict[bytes, KeyPath] = field(default_factory=dict)
    unknown: dict[bytes, bytes] = field(default_factory=dict)
    version: int = 0
    fallback_lock_time: int | None = None
    modifiable: int | None = None

    @classmethod
    def from_unsigned_tx(cls, tx: Transaction) -> "Psbt":
        """Wrap a transaction without any signature; raise ParseError if it has one."""
        if any(tx_input.script_sig or tx_input.witness for tx_input in tx.inputs):
            raise ParseError("The transaction inside a PSBT must not carry signatures.")
        return cls(tx, [PsbtInput() for _ in tx.inputs], [PsbtOutput() for _ in tx.outputs])

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview | str) -> "Psbt":
        """Read a PSBT of version 0 or 2 from its bytes, or from base64 text.

        Base64 must be canonical; blank space around it is forgiven. Raises ParseError.
        """
        raw = decode(data) if isinstance(data, str) else bytes(data)
        if len(raw) > MAX_SIZE:
            raise ParseError(f"The PSBT has {len(raw)} bytes; {MAX_SIZE} are allowed.")
        if not raw.startswith(MAGIC):
            raise ParseError("This is not a PSBT: it does not begin with its magic bytes.")
        return bounded_read(cls._read, raw, len(MAGIC), "PSBT")[0]

    @classmethod
    def read_any(cls, data: bytes | str) -> "Psbt":
        """Read what a person has: the bytes, or base64 or hex text, wrapped as it may be.

        Raises ParseError.
        """
        return cls.parse(decode_any(data))

    @classmethod
    def _read(cls, raw: bytes, position: int) -> tuple["Psbt", int]:
        records, position = read_map(raw, position)
        version, records = _take_version(records)
        left = MAX_RECORDS - len(records)
        if version == 0:
            tx, records = _unsigned_tx(records)
            _refuse_types(records, psbt_v2.GLOBAL_TYPES, _GLOBAL_MAP)
            psbt = cls.from_unsigned_tx(tx)
        else:
            psbt, records = cls._begun(records, len(raw) - position)
        _store(psbt, _GLOBAL_TABLE, records, _GLOBAL_MAP)
        parts = psbt_v2.Parts(psbt.tx) if version == 2 else None
        for number, psbt_input in enumerate(psbt.inputs):
            records, position = read_map(raw, position)
            left = _spend(left, records)
            where = f"Input {number} of the PSBT"
            if parts is None:
                _refuse_types(records, psbt_v2.INPUT_TYPES, where)
            else:
                records = parts.take_input(records, psbt_input, where)
            _store(psbt_input, _INPUT_TABLE, records, where)
        for number, psbt_output in enumerate(psbt.outputs):
            records, position = read_map(raw, position)
            left = _spend(left, records)
            where = f"Output {number} of the PSBT"
            if parts is None:
                _refuse_types(records, psbt_v2.OUTPUT_TYPES, where)
            else:
                records = parts.take_output(records, where)
            _store(psbt_output, _OUTPUT_TABLE, records, where)
        if position != len(raw):
            raise ParseError(f"{len(raw) - position} bytes follow the PSBT.")
        if parts is not None:
            psbt.tx = parts.transaction(psbt.inputs, psbt.fallback_lock_time)
            if psbt.tx.stripped_size > _BLOCK_SIZE:
                raise ParseError(_TOO_LARGE)
        for number, psbt_input in enumerate(psbt.inputs):
            _check_previous(psbt_input, psbt.tx.inputs[number], f"Input {number} of the PSBT")
        return psbt, position

    @classmethod
    def _begun(cls, records: list[Record], size: int) -> tuple["Psbt", list[Record]]:
        """Make a PSBT of version 2 with maps to fill; `size` bytes are left for them."""
        if any(record.key_type == _UNSIGNED_TX for record in records):
            raise ParseError("A PSBT of version 2 must not hold an unsigned transaction.")
        part, records = psbt_v2.read_global(records)
        inputs, outputs = part.counts(size)
        psbt = cls(
            Transaction(part.tx_version or 0, (), (), 0),
            [PsbtInput() for _ in range(inputs)],
            [PsbtOutput() for _ in range(outputs)],
            version=2,
            fallback_lock_time=part.fallback_lock_time,
            modifiable=part.modifiable,
        )
        return psbt, records

    def serialize(self, version: int | None = None) -> bytes:
        """Return the bytes, in `version` (by default its own), with the records in Core's order.

        Records that are not known follow in the order in which they came. Raises ParseError in
        version 2 where the lock time is not what the inputs need.
        """
        if version not in (None, self.version):
            return self.to_version(version).serialize()
        is_v2 = self.version == 2
        parts = [MAGIC]
        if is_v2:
            parts += psbt_v2.global_records(
                self.tx, self.inputs, self.fallback_lock_time, self.modifiable
            )
        else:
            stripped = self.tx.serialize_stripped()
            parts += [var_bytes(bytes((_UNSIGNED_TX,))), var_bytes(stripped)]
        parts += _known(self, GLOBAL_FIELDS)
        if is_v2:
            parts += [var_bytes(bytes((_VERSION,))), var_bytes(self.version.to_bytes(4, "little"))]
        parts += _unknown(self)
        for tx_input, psbt_input in zip(self.tx.inputs, self.inputs, strict=True):
            parts += _known(psbt_input, INPUT_FIELDS)
            if is_v2:
                parts += psbt_v2.input_records(tx_input, psbt_input)
            parts += _unknown(psbt_input)
        for tx_output, psbt_output in zip(self.tx.outputs, self.outputs, strict=True):
            parts += _known(psbt_output, OUTPUT_FIELDS)
            if is_v2:
                parts += psbt_v2.output_records(tx_output)
            parts += _unknown(psbt_output)
        return b"".join(parts)

    def to_base64(self) -> str:
        return encode(self.serialize())

    def to_version(self, version: int | None) -> "Psbt":
        """Return the same PSBT to be written as version 0 or 2; nothing is lost on the way.

        What only version 2 can say travels through version 0 in proprietary records of our own;
        flags that a signature forbids do not come back (BIP370, Signer).
        Raises ParseError for another version.
        """
        if version not in VERSIONS:
            raise ParseError(f"There is no PSBT of version {version}; there are 0 and 2.")
        converted = self.copy()
        if version == self.version:
            return converted
        converted.version = version
        if version == 0:
            _carry(converted)
        else:
            _restore(converted)
        return converted

    def record_signature(self, hash_type: int) -> None:
        """Note in `modifiable` what a new signature of `hash_type` no longer allows (BIP370)."""
        if self.modifiable is not None:
            self.modifiable = psbt_v2.flags_after(self.modifiable, hash_type)

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
        key among them, raise ParseError, as another unsigned transaction does. Of two versions,
        the higher one results.
        """
        mine = open_sequences(self.version, self.tx, self.inputs)
        theirs = open_sequences(other.version, other.tx, other.inputs)
        tx = common_transaction(self.tx, other.tx, mine, theirs)
        combined = self.copy()
        combined.tx = tx
        combined.version = max(self.version, other.version)
        combined.fallback_lock_time = merge_fallback(
            self.fallback_lock_time, other.fallback_lock_time
        )
        combined.modifiable = psbt_v2.flags_of_both(self.modifiable, other.modifiable)
        merge_fields(combined, other, GLOBAL_FIELDS, "The PSBTs' global maps")
        for number, (ours, added) in enumerate(zip(combined.inputs, other.inputs, strict=True)):
            merge_input(ours, added, f"The PSBTs' records about input {number}")
            if self.version != other.version:
                # Version 0 states every number; version 2 may leave out the final one.
                ours.states_sequence = tx.inputs[number].sequence == SEQUENCE_FINAL
        for number, (here, there) in enumerate(zip(combined.outputs, other.outputs, strict=True)):
            merge_output(here, there, f"The PSBTs' records about output {number}")
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

        Knows p2pkh, p2sh-p2wpkh, p2wpkh, the taproot key path and multisig in p2sh, p2wsh and
        p2sh-p2wsh; other inputs stay as they are, and so do those that lack signatures.
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


_GLOBAL_MAP: Final = "The PSBT's global map"
_TOO_LARGE: Final = "The transaction inside the PSBT is larger than a block."


def _take_version(records: list[Record]) -> tuple[int, list[Record]]:
    """Return the version and the other records."""
    version = 0
    for record in records:
        if record.key_type == _VERSION:
            if record.key_data or len(record.value) != 4:
                raise ParseError("The PSBT's version number is malformed.")
            version = int.from_bytes(record.value, "little")
    if version not in VERSIONS:
        raise ParseError(f"The PSBT has version {version}; only versions 0 and 2 can be read.")
    return version, [record for record in records if record.key_type != _VERSION]


def _unsigned_tx(records: list[Record]) -> tuple[Transaction, list[Record]]:
    tx = None
    for record in records:
        if record.key_type == _UNSIGNED_TX:
            if record.key_data:
                raise ParseError("The PSBT's key for the unsigned transaction is too long.")
            if len(record.value) > _BLOCK_SIZE:
                raise ParseError(_TOO_LARGE)
            tx = Transaction.parse_stripped(record.value)
    if tx is None:
        raise ParseError("The PSBT has no unsigned transaction.")
    return tx, [record for record in records if record.key_type != _UNSIGNED_TX]


def _refuse_types(records: Iterable[Record], types: Iterable[int], where: str) -> None:
    if any(record.key_type in types for record in records):
        raise ParseError(f"{where} has a field of PSBT version 2.")


def _spend(left: int, records: list[Record]) -> int:
    if len(records) > left:
        raise ParseError(f"The PSBT has more than {MAX_RECORDS} records.")
    return left - len(records)


def _store(
    target: Psbt | PsbtInput | PsbtOutput,
    table: dict[int, Field],
    records: list[Record],
    where: str,
) -> None:
    for record in records:
        entry = table.get(record.key_type)
        name = "proprietary" if entry is None else entry.attribute
        try:
            if entry is not None:
                entry.store(target, record)
                continue
            if record.key_type == PROPRIETARY:
                check_proprietary(record.key_data)
        except ParseError as error:
            raise ParseError(f"{where}, {name}: {error}") from error
        target.unknown[record.key] = record.value


def _check_previous(psbt_input: PsbtInput, tx_input: TxIn, where: str) -> None:
    previous = psbt_input.non_witness_utxo
    if previous is None:
        return
    if previous.txid != tx_input.prevout.txid:
        raise ParseError(f"{where} spends another transaction than the one that comes with it.")
    if tx_input.prevout.vout >= len(previous.outputs):
        raise ParseError(f"{where} spends an output that its transaction does not have.")


def _known(source: Psbt | PsbtInput | PsbtOutput, table: Iterable[Field]) -> Iterator[bytes]:
    for entry in table:
        yield from entry.records(source)


def _unknown(source: Psbt | PsbtInput | PsbtOutput) -> Iterator[bytes]:
    for key, value in source.unknown.items():
        yield var_bytes(key)
        yield var_bytes(value)
    yield b"\x00"


_Map = TypeVar("_Map", Psbt, PsbtInput, PsbtOutput)


def _copied(source: _Map) -> _Map:
    mappings: dict[str, Any] = {
        entry.name: dict(getattr(source, entry.name))
        for entry in fields(source)
        if isinstance(getattr(source, entry.name), dict)
    }
    return replace(source, **mappings)


def _carry(psbt: Psbt) -> None:
    usual = None if psbt_v2.needs_lock(psbt.inputs) else psbt.tx.lock_time or None
    fallback = None if psbt.fallback_lock_time == usual else psbt.fallback_lock_time
    psbt_v2.carry_global(psbt.unknown, fallback, psbt.modifiable)
    psbt.fallback_lock_time = psbt.modifiable = None
    for psbt_input in psbt.inputs:
        psbt_v2.carry_input(psbt_input)


def _restore(psbt: Psbt) -> None:
    fallback, flags = psbt_v2.carried_global(psbt.unknown)
    for tx_input, psbt_input in zip(psbt.tx.inputs, psbt.inputs, strict=True):
        psbt_v2.restore_input(psbt_input, tx_input.sequence)
    if not psbt_v2.needs_lock(psbt.inputs) and fallback is None:
        fallback = psbt.tx.lock_time or None
    if psbt_v2.is_lock_time(psbt.tx.lock_time, psbt.inputs, fallback):
        for unknown in (psbt.unknown, *(psbt_input.unknown for psbt_input in psbt.inputs)):
            psbt_v2.drop_carried(unknown)
    else:
        # Somebody changed what was carried: it stays what it is, and is not acted on.
        flags, fallback = None, psbt.tx.lock_time or None
        for psbt_input in psbt.inputs:
            psbt_input.required_time = psbt_input.required_height = None
    psbt.fallback_lock_time, psbt.modifiable = fallback, flags
    for psbt_input in psbt.inputs:
        for hash_type in hash_types(psbt_input):
            psbt.record_signature(hash_type)
