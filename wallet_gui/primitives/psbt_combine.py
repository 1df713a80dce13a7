"""Puts together what two PSBTs know about one transaction (BIP174, BIP370, Combiner).

Nothing is dropped and the order of the two does not matter; records that contradict each other
are refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from wallet_gui.primitives.psbt_fields import (
    INPUT_FIELDS,
    OUTPUT_FIELDS,
    PsbtInput,
    PsbtOutput,
)
from wallet_gui.primitives.psbt_records import PROPRIETARY, Field
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import SEQUENCE_FINAL, Transaction, TxIn

_DIFFERENT = "The two PSBTs are about different transactions."


def is_signed(inputs: Sequence[PsbtInput]) -> bool:
    """Tell whether there is any signature."""
    return any(
        item.partial_sigs or item.tap_key_sig or item.tap_script_sigs or item.is_final
        for item in inputs
    )


def in_core_order(unknown: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Sort as Core writes them: proprietary records first, each kind by its key."""
    keys = sorted(unknown, key=lambda key: (key[0] != PROPRIETARY, key))
    return {key: unknown[key] for key in keys}


def common_transaction(
    mine: Transaction,
    theirs: Transaction,
    my_open: Sequence[bool],
    their_open: Sequence[bool],
) -> Transaction:
    """Return the transaction of both; raise ParseError unless they are one.

    `my_open` and `their_open` tell which sequence numbers are still open (`open_sequences`): they
    do not make it another transaction (BIP370, "Unique Identification").
    """
    if len(mine.inputs) != len(theirs.inputs):
        raise ParseError(_DIFFERENT)
    inputs = tuple(map(_common_input, mine.inputs, theirs.inputs, my_open, their_open))
    common = replace(mine, inputs=inputs)
    if common.serialize_stripped() != replace(theirs, inputs=inputs).serialize_stripped():
        raise ParseError(_DIFFERENT)
    return common


def _common_input(
    mine: TxIn,
    theirs: TxIn,
    mine_is_open: bool,  # noqa: FBT001 - two of one kind, side by side
    theirs_is_open: bool,  # noqa: FBT001
) -> TxIn:
    if mine.prevout != theirs.prevout:
        raise ParseError(_DIFFERENT)
    if mine.sequence == theirs.sequence or theirs_is_open:
        return mine
    if mine_is_open:
        return theirs
    raise ParseError(_DIFFERENT)


def open_sequences(version: int, tx: Transaction, inputs: Sequence[PsbtInput]) -> tuple[bool, ...]:
    """Tell which sequence numbers may still be set: none in version 0, none once it is signed."""
    may = version == 2 and not is_signed(inputs)
    return tuple(
        may and tx_input.sequence == SEQUENCE_FINAL and not psbt_input.states_sequence
        for tx_input, psbt_input in zip(tx.inputs, inputs, strict=True)
    )


def merge_input(mine: PsbtInput, theirs: PsbtInput, where: str) -> None:
    """Add what `theirs` knows to `mine`; raise ParseError where they contradict each other."""
    merge_fields(mine, theirs, INPUT_FIELDS, where)
    mine.required_time = _either(mine.required_time, theirs.required_time, where)
    mine.required_height = _either(mine.required_height, theirs.required_height, where)
    mine.states_sequence |= theirs.states_sequence


def merge_output(mine: PsbtOutput, theirs: PsbtOutput, where: str) -> None:
    merge_fields(mine, theirs, OUTPUT_FIELDS, where)


def merge_fallback(mine: int | None, theirs: int | None) -> int | None:
    return _either(mine, theirs, "The PSBTs' global maps")


def _either(mine: int | None, theirs: int | None, where: str) -> int | None:
    if mine is not None and theirs is not None and mine != theirs:
        raise ParseError(f"{where} contradict each other in the lock time.")
    return theirs if mine is None else mine


def merge_fields(mine: Any, theirs: Any, table: Sequence[Field], where: str) -> None:
    """Add the fields of `table` and the unknown records of one map to another of its kind."""
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
    mine.unknown = in_core_order(mine.unknown)


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
