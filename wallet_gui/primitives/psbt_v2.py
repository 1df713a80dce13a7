"""What version 2 of PSBT has instead of an unsigned transaction (BIP370).

Each map states its part of the transaction; the lock time is worked out from what the inputs need.
Version 0 has no place for some of that: on the way there it is put into proprietary records, and
taken from them on the way back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from wallet_gui.primitives.psbt_fields import PsbtInput
from wallet_gui.primitives.psbt_records import (
    AMOUNT,
    COUNT,
    FLAGS,
    HASH,
    HEIGHT_LOCK,
    NUMBER,
    PROPRIETARY,
    SCRIPT,
    TIME_LOCK,
    Field,
    Record,
)
from wallet_gui.primitives.serialize import ParseError, compact_size, var_bytes
from wallet_gui.primitives.sighash import ANYONECANPAY, NONE, SINGLE
from wallet_gui.primitives.transaction import SEQUENCE_FINAL, OutPoint, Transaction, TxIn, TxOut

INPUTS_MODIFIABLE: Final = 0x01
OUTPUTS_MODIFIABLE: Final = 0x02
HAS_SIGHASH_SINGLE: Final = 0x04

# The shortest maps, separator included: they bound the counts by the bytes that are left.
MIN_INPUT_MAP: Final = 3 + 32 + 3 + 4 + 1
MIN_OUTPUT_MAP: Final = 3 + 8 + 3 + 1

_OUTPUT_TYPE_MASK: Final = 0x1F
_CARRIED: Final = bytes((PROPRIETARY,)) + var_bytes(b"wallet-gui/psbt2")

_FALLBACK = Field(0x03, "fallback_lock_time", NUMBER)
_MODIFIABLE = Field(0x06, "modifiable", FLAGS)
_SEQUENCE = Field(0x10, "sequence", NUMBER)
_REQUIRED_TIME = Field(0x11, "required_time", TIME_LOCK)
_REQUIRED_HEIGHT = Field(0x12, "required_height", HEIGHT_LOCK)
_GLOBAL_FIELDS: Final = (
    Field(0x02, "tx_version", NUMBER),
    _FALLBACK,
    Field(0x04, "input_count", COUNT),
    Field(0x05, "output_count", COUNT),
    _MODIFIABLE,
)
_INPUT_FIELDS: Final = (
    Field(0x0E, "previous_txid", HASH),
    Field(0x0F, "output_index", NUMBER),
    _SEQUENCE,
    _REQUIRED_TIME,
    _REQUIRED_HEIGHT,
)
_OUTPUT_FIELDS: Final = (Field(0x03, "amount_sat", AMOUNT), Field(0x04, "script", SCRIPT))
GLOBAL_TYPES: Final = {entry.key_type: entry for entry in _GLOBAL_FIELDS}
INPUT_TYPES: Final = {entry.key_type: entry for entry in _INPUT_FIELDS}
OUTPUT_TYPES: Final = {entry.key_type: entry for entry in _OUTPUT_FIELDS}


@dataclass(slots=True)
class GlobalPart:
    """What the global map says of the transaction."""

    tx_version: int | None = None
    fallback_lock_time: int | None = None
    input_count: int | None = None
    output_count: int | None = None
    modifiable: int | None = None

    def counts(self, size: int) -> tuple[int, int]:
        """Return the numbers of inputs and outputs, whose maps must fit into `size` bytes."""
        if self.tx_version is None or self.input_count is None or self.output_count is None:
            raise ParseError(
                "The PSBT of version 2 does not state its transaction's version or how many "
                "inputs and outputs it has."
            )
        if self.input_count * MIN_INPUT_MAP + self.output_count * MIN_OUTPUT_MAP > size:
            raise ParseError("The PSBT announces more inputs and outputs than it has bytes for.")
        return self.input_count, self.output_count


@dataclass(slots=True)
class InputPart:
    """What an input map says of the transaction."""

    previous_txid: bytes | None = None
    output_index: int | None = None
    sequence: int | None = None
    required_time: int | None = None
    required_height: int | None = None

    def tx_input(self, where: str) -> TxIn:
        if self.previous_txid is None or self.output_index is None:
            raise ParseError(f"{where} does not say which coin it spends.")
        sequence = SEQUENCE_FINAL if self.sequence is None else self.sequence
        return TxIn(OutPoint(self.previous_txid, self.output_index), sequence=sequence)

    def apply(self, psbt_input: PsbtInput) -> None:
        """Hand over what a `TxIn` has no place for."""
        psbt_input.required_time = self.required_time
        psbt_input.required_height = self.required_height
        psbt_input.states_sequence = self.sequence == SEQUENCE_FINAL


@dataclass(slots=True)
class OutputPart:
    """What an output map says of the transaction."""

    amount_sat: int | None = None
    script: bytes | None = None

    def tx_output(self, where: str) -> TxOut:
        if self.amount_sat is None or self.script is None:
            raise ParseError(f"{where} does not say what is paid, or to whom.")
        return TxOut(self.amount_sat, self.script)


class Parts:
    """Gathers the transaction of a PSBT of version 2 from its maps."""

    def __init__(self, begun: Transaction) -> None:
        self._begun = begun
        self._inputs: list[TxIn] = []
        self._outputs: list[TxOut] = []

    def take_input(
        self, records: Sequence[Record], psbt_input: PsbtInput, where: str
    ) -> list[Record]:
        """Take what an input map says of the transaction; return the other records."""
        part = InputPart()
        others = _read_part(part, INPUT_TYPES, records, where)
        self._inputs.append(part.tx_input(where))
        part.apply(psbt_input)
        return others

    def take_output(self, records: Sequence[Record], where: str) -> list[Record]:
        part = OutputPart()
        others = _read_part(part, OUTPUT_TYPES, records, where)
        self._outputs.append(part.tx_output(where))
        return others

    def transaction(self, inputs: Sequence[PsbtInput], fallback: int | None) -> Transaction:
        """Return the transaction; raise ParseError if its lock time cannot be determined."""
        return Transaction(
            self._begun.version,
            tuple(self._inputs),
            tuple(self._outputs),
            lock_time(inputs, fallback),
        )


def read_global(records: Sequence[Record]) -> tuple[GlobalPart, list[Record]]:
    """Return what the global map says of the transaction, and the other records."""
    part = GlobalPart()
    return part, _read_part(part, GLOBAL_TYPES, records, "The PSBT's global map")


def _read_part(
    target: object, types: dict[int, Field], records: Sequence[Record], where: str
) -> list[Record]:
    """Take the records that are of `types` into `target`; return the others. Raises ParseError."""
    others = []
    for record in records:
        entry = types.get(record.key_type)
        if entry is None:
            others.append(record)
        else:
            try:
                entry.store(target, record)
            except ParseError as error:
                raise ParseError(f"{where}, {entry.attribute}: {error}") from error
    return others


def lock_time(inputs: Iterable[PsbtInput], fallback: int | None) -> int:
    """Work out the transaction's lock time (BIP370, "Determining Lock Time").

    Raises ParseError where one input needs a height and another a date.
    """
    locking = [
        (item.required_height, item.required_time)
        for item in inputs
        if item.required_height is not None or item.required_time is not None
    ]
    if not locking:
        return fallback or 0
    # A height is preferred where both are possible.
    for kind in zip(*locking, strict=True):
        if None not in kind:
            return int(max(kind))
    raise ParseError(
        "The PSBT cannot be used: one input is locked until a height, another until a date."
    )


def is_lock_time(number: int, inputs: Sequence[PsbtInput], fallback: int | None) -> bool:
    """Tell whether the inputs and the fallback give exactly this lock time."""
    try:
        return lock_time(inputs, fallback) == number
    except ParseError:
        return False


def needs_lock(inputs: Iterable[PsbtInput]) -> bool:
    """Tell whether an input has a lock time of its own, so that the fallback does not count."""
    return any(
        item.required_height is not None or item.required_time is not None for item in inputs
    )


# --- writing


def global_records(
    tx: Transaction, inputs: Sequence[PsbtInput], fallback: int | None, modifiable: int | None
) -> Iterator[bytes]:
    """Yield the records; raise ParseError where the inputs' lock times are not those of `tx`."""
    if not needs_lock(inputs):
        fallback = tx.lock_time if tx.lock_time or fallback is not None else None
    if not is_lock_time(tx.lock_time, inputs, fallback):
        raise ParseError("The transaction's lock time is not the one that its inputs need.")
    part = GlobalPart(
        tx.version & 0xFFFFFFFF, fallback, len(tx.inputs), len(tx.outputs), modifiable
    )
    return _part_records(part, _GLOBAL_FIELDS)


def input_records(tx_input: TxIn, psbt_input: PsbtInput) -> Iterator[bytes]:
    is_stated = psbt_input.states_sequence or tx_input.sequence != SEQUENCE_FINAL
    part = InputPart(
        tx_input.prevout.txid,
        tx_input.prevout.vout,
        tx_input.sequence if is_stated else None,
        psbt_input.required_time,
        psbt_input.required_height,
    )
    return _part_records(part, _INPUT_FIELDS)


def output_records(tx_output: TxOut) -> Iterator[bytes]:
    return _part_records(OutputPart(tx_output.value_sat, tx_output.script_pubkey), _OUTPUT_FIELDS)


def _part_records(part: object, fields: Iterable[Field]) -> Iterator[bytes]:
    for entry in fields:
        yield from entry.records(part)


# --- from one version to the other


def carry(entry: Field, value: Any, unknown: dict[bytes, bytes]) -> None:
    """Keep `value` among the records that version 0 passes on."""
    if value is not None:
        unknown[_CARRIED + compact_size(entry.key_type)] = entry.codec.encode(value)


def carried(entry: Field, unknown: dict[bytes, bytes]) -> Any:
    """Return what `carry` kept, or None, also where somebody else spoilt it."""
    value = unknown.get(_CARRIED + compact_size(entry.key_type))
    try:
        return None if value is None else entry.codec.decode(value)
    except ParseError:
        return None


def drop_carried(unknown: dict[bytes, bytes]) -> None:
    for key in [key for key in unknown if key.startswith(_CARRIED)]:
        del unknown[key]


def carry_global(unknown: dict[bytes, bytes], fallback: int | None, modifiable: int | None) -> None:
    carry(_FALLBACK, fallback, unknown)
    carry(_MODIFIABLE, modifiable, unknown)


def carried_global(unknown: dict[bytes, bytes]) -> tuple[int | None, int | None]:
    """Return the fallback lock time and the modifiable flags that `carry_global` kept."""
    return carried(_FALLBACK, unknown), carried(_MODIFIABLE, unknown)


def carry_input(psbt_input: PsbtInput) -> None:
    stated = SEQUENCE_FINAL if psbt_input.states_sequence else None
    carry(_SEQUENCE, stated, psbt_input.unknown)
    carry(_REQUIRED_TIME, psbt_input.required_time, psbt_input.unknown)
    carry(_REQUIRED_HEIGHT, psbt_input.required_height, psbt_input.unknown)
    psbt_input.required_time = psbt_input.required_height = None
    psbt_input.states_sequence = False


def restore_input(psbt_input: PsbtInput, sequence: int) -> None:
    psbt_input.required_time = carried(_REQUIRED_TIME, psbt_input.unknown)
    psbt_input.required_height = carried(_REQUIRED_HEIGHT, psbt_input.unknown)
    stated = carried(_SEQUENCE, psbt_input.unknown)
    psbt_input.states_sequence = sequence == stated == SEQUENCE_FINAL


# --- the flags


def flags_after(flags: int, hash_type: int) -> int:
    """Return the modifiable flags once a signature of `hash_type` is there (BIP370, Signer)."""
    output_type = hash_type & _OUTPUT_TYPE_MASK
    if not hash_type & ANYONECANPAY:
        flags &= ~INPUTS_MODIFIABLE
    if output_type != NONE:
        flags &= ~OUTPUTS_MODIFIABLE
    if output_type == SINGLE:
        flags |= HAS_SIGHASH_SINGLE
    return flags


def flags_of_both(one: int | None, other: int | None) -> int | None:
    """Return the flags of two PSBTs put together: what either forbids is forbidden."""
    if one is None and other is None:
        return None
    mine, theirs = one or 0, other or 0
    may = INPUTS_MODIFIABLE | OUTPUTS_MODIFIABLE
    return (mine & theirs & may) | ((mine | theirs) & ~may)
