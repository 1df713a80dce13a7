"""What a signature commits to: the message digests of legacy, segwit v0 and taproot inputs.

Sources: Core `script/interpreter.cpp` (`SignatureHash`, `SignatureHashSchnorr`), BIP143, BIP341,
BIP342.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from wallet_gui.primitives.hashes import sha256, sha256d, tagged_hash
from wallet_gui.primitives.serialize import ParseError, compact_size, var_bytes
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut

DEFAULT: Final = 0x00  # taproot only: ALL without a byte of its own (BIP341)
ALL: Final = 0x01
NONE: Final = 0x02
SINGLE: Final = 0x03
ANYONECANPAY: Final = 0x80

_TAPROOT_TYPES: Final = frozenset({0x00, 0x01, 0x02, 0x03, 0x81, 0x82, 0x83})
_OUTPUT_MASK: Final = 0x1F
_TAPROOT_OUTPUT_MASK: Final = 0x03
_ANNEX_TAG: Final = b"\x50"
_NO_CODESEPARATOR: Final = 0xFFFFFFFF

_OP_PUSHDATA1: Final = 0x4C
_OP_PUSHDATA4: Final = 0x4E
_OP_CODESEPARATOR: Final = 0xAB

# Consensus, not an error: signing SINGLE without a matching output signs this constant.
_ONE: Final = b"\x01" + bytes(31)
_ZERO: Final = bytes(32)

_U32 = struct.Struct("<I")
_I64 = struct.Struct("<q")


@dataclass(frozen=True, slots=True)
class TapLeaf:
    """A script path spend (BIP342): the leaf's hash and the last executed OP_CODESEPARATOR."""

    leaf_hash: bytes
    codeseparator_position: int = _NO_CODESEPARATOR


def legacy(tx: Transaction, index: int, script_code: bytes, hash_type: int) -> bytes:
    """Return the 32-byte digest of an input before segwit, for any 32-bit `hash_type`.

    `script_code` is the script being executed, from behind the last executed OP_CODESEPARATOR;
    the ones left in it are removed here, signatures in it (FindAndDelete) are the caller's task.
    An `index` without an input, or SINGLE without an output, yields the number one, as consensus
    has it.
    """
    if not 0 <= index < len(tx.inputs):
        return _ONE
    output_type = hash_type & _OUTPUT_MASK
    if output_type == SINGLE and index >= len(tx.outputs):
        return _ONE
    script = _legacy_script(script_code)
    parts = [_u32(tx.version)]
    if hash_type & ANYONECANPAY:
        parts += [compact_size(1), _legacy_input(tx.inputs[index], script)]
    else:
        parts.append(compact_size(len(tx.inputs)))
        others_sequence = 0 if output_type in (NONE, SINGLE) else None
        parts += [
            _legacy_input(tx_input, script)
            if position == index
            else _legacy_input(tx_input, b"\x00", others_sequence)
            for position, tx_input in enumerate(tx.inputs)
        ]
    parts += _legacy_outputs(tx, index, output_type)
    parts += [_u32(tx.lock_time), _u32(hash_type)]
    return sha256d(b"".join(parts))


def _legacy_input(tx_input: TxIn, script: bytes, sequence: int | None = None) -> bytes:
    if sequence is None:
        sequence = tx_input.sequence
    return tx_input.prevout.serialize() + script + _u32(sequence)


def _legacy_outputs(tx: Transaction, index: int, output_type: int) -> Iterator[bytes]:
    if output_type == NONE:
        yield compact_size(0)
    elif output_type == SINGLE:
        # The outputs before the matching one are blank: amount -1, no script.
        yield compact_size(index + 1)
        yield TxOut(-1, b"").serialize() * index
        yield tx.outputs[index].serialize()
    else:
        yield compact_size(len(tx.outputs))
        for output in tx.outputs:
            yield output.serialize()


def _legacy_script(script: bytes) -> bytes:
    """Serialize a script code with its size but without its OP_CODESEPARATORs.

    Reading stops at a push that is cut short, just behind its opcode and length bytes. Core then
    hashes no further either, although the size it hashed counts the rest. Nothing can depend on
    that: such a script fails.
    """
    kept = []
    start = position = removed = 0
    while position < len(script):
        opcode = script[position]
        position += 1
        if opcode == _OP_CODESEPARATOR:
            kept.append(script[start : position - 1])
            start = position
            removed += 1
        elif opcode <= _OP_PUSHDATA4:
            size = opcode
            if opcode >= _OP_PUSHDATA1:
                width = 1 << (opcode - _OP_PUSHDATA1)
                if position + width > len(script):
                    break
                size = int.from_bytes(script[position : position + width], "little")
                position += width
            if position + size > len(script):
                break
            position += size
    kept.append(script[start:position])
    return compact_size(len(script) - removed) + b"".join(kept)


def segwit_v0(
    tx: Transaction, index: int, script_code: bytes, amount_sat: int, hash_type: int
) -> bytes:
    """Return the 32-byte digest of a witness v0 input (BIP143), for any 32-bit `hash_type`.

    `script_code` is the P2PKH script of the key hash for P2WPKH, or the witness script from
    behind the last executed OP_CODESEPARATOR. Raises ParseError without an input `index`.
    """
    tx_input = _input_at(tx, index)
    output_type = hash_type & _OUTPUT_MASK
    anyone_can_pay = bool(hash_type & ANYONECANPAY)
    prevouts = sequences = outputs = _ZERO
    if not anyone_can_pay:
        prevouts = sha256(_prevouts_hash(tx))
        if output_type not in (NONE, SINGLE):
            sequences = sha256(_sequences_hash(tx))
    if output_type not in (NONE, SINGLE):
        outputs = sha256(_outputs_hash(tx))
    elif output_type == SINGLE and index < len(tx.outputs):
        outputs = sha256d(tx.outputs[index].serialize())
    return sha256d(
        b"".join(
            (
                _u32(tx.version),
                prevouts,
                sequences,
                tx_input.prevout.serialize(),
                var_bytes(script_code),
                _I64.pack(amount_sat),
                _u32(tx_input.sequence),
                outputs,
                _u32(tx.lock_time),
                _u32(hash_type),
            )
        )
    )


def taproot(
    tx: Transaction,
    index: int,
    prevouts: Sequence[TxOut],
    hash_type: int,
    *,
    annex: bytes | None = None,
    leaf: TapLeaf | None = None,
) -> bytes:
    """Return the 32-byte digest of a taproot input (BIP341; with `leaf`, BIP342).

    `prevouts` are the outputs that all inputs spend, in their order. `annex` includes its leading
    0x50. Raises ParseError for what consensus calls an invalid signature: an unknown hash type,
    SINGLE without a matching output; and for a wrong number of prevouts or a false annex.
    """
    tx_input = _input_at(tx, index)
    if hash_type not in _TAPROOT_TYPES:
        raise ParseError(f"Hash type {hash_type:#x} is not defined for taproot.")
    if len(prevouts) != len(tx.inputs):
        raise ParseError("Taproot needs the spent output of every input.")
    output_type = hash_type & _TAPROOT_OUTPUT_MASK
    parts = [b"\x00", bytes([hash_type]), _u32(tx.version), _u32(tx.lock_time)]
    if not hash_type & ANYONECANPAY:
        parts += _all_inputs(tx, prevouts)
    if output_type not in (NONE, SINGLE):
        parts.append(_outputs_hash(tx))
    parts.append(bytes([2 * (leaf is not None) + (annex is not None)]))
    if hash_type & ANYONECANPAY:
        spent = prevouts[index].serialize()
        parts += [tx_input.prevout.serialize(), spent, _u32(tx_input.sequence)]
    else:
        parts.append(_u32(index))
    if annex is not None:
        parts.append(_annex_hash(annex))
    if output_type == SINGLE:
        if index >= len(tx.outputs):
            raise ParseError("SIGHASH_SINGLE needs an output with the input's number.")
        parts.append(sha256(tx.outputs[index].serialize()))
    if leaf is not None:
        parts += [leaf.leaf_hash, b"\x00", _u32(leaf.codeseparator_position)]
    return tagged_hash("TapSighash", b"".join(parts))


def _annex_hash(annex: bytes) -> bytes:
    if annex[:1] != _ANNEX_TAG:
        raise ParseError("A taproot annex begins with 0x50.")
    return sha256(var_bytes(annex))


def _all_inputs(tx: Transaction, prevouts: Sequence[TxOut]) -> list[bytes]:
    return [
        _prevouts_hash(tx),
        sha256(b"".join(_I64.pack(prevout.value_sat) for prevout in prevouts)),
        sha256(b"".join(var_bytes(prevout.script_pubkey) for prevout in prevouts)),
        _sequences_hash(tx),
    ]


def _input_at(tx: Transaction, index: int) -> TxIn:
    if not 0 <= index < len(tx.inputs):
        raise ParseError(f"The transaction has no input {index}.")
    return tx.inputs[index]


# Single SHA-256, as BIP341 has them; BIP143 hashes them once more.
def _prevouts_hash(tx: Transaction) -> bytes:
    return sha256(b"".join(tx_input.prevout.serialize() for tx_input in tx.inputs))


def _sequences_hash(tx: Transaction) -> bytes:
    return sha256(b"".join(_u32(tx_input.sequence) for tx_input in tx.inputs))


def _outputs_hash(tx: Transaction) -> bytes:
    return sha256(b"".join(output.serialize() for output in tx.outputs))


def _u32(number: int) -> bytes:
    return _U32.pack(number & 0xFFFFFFFF)
