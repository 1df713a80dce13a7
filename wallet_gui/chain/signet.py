"""The signatures of signet blocks (BIP325).

On signet the proof of work is weak by design; a block counts because it is signed. The solution
lies in the coinbase's witness commitment output, behind four marked bytes; it spends a virtual
transaction that commits to the block without the solution, and whose output is the network's
challenge. Sources: BIP325, Core `signet.cpp`.

Scripts are not run here. Challenges of the usual kinds are checked: a key, a key hash, a multisig,
plain or within P2SH, P2WPKH and P2WSH.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from wallet_gui import curve
from wallet_gui.primitives import sighash
from wallet_gui.primitives.block import ScannedBlock, merkle_root
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.script import iterate, p2pkh, parse_pushes, parse_witness_program, push
from wallet_gui.primitives.serialize import ParseError, Reader
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

HEADER: Final = bytes.fromhex("ecc7daa2")
_COMMITMENT: Final = bytes.fromhex("6a24aa21a9ed")
_COMMITMENT_SIZE: Final = 38
_MAX_SOLUTION: Final = 1_000_000
_MAX_STACK: Final = 1000
_BLOCK_DATA = struct.Struct("<i32s32sI")

_OP_TRUE: Final = b"\x51"
_OP_RETURN: Final = b"\x6a"
_OP_CHECKSIG: Final = 0xAC
_OP_CHECKMULTISIG: Final = 0xAE
_OP_1: Final = 0x51
_OP_16: Final = 0x60

_ORDER: Final = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141

UNSUPPORTED: Final = (
    "The signatures of this signet's blocks are of a kind that this program cannot check; its "
    "blocks are taken by their proof of work alone."
)

Digest = Callable[[int], bytes]
"""Gives what a signature with a hash type signs."""


class UnsupportedChallenge(Exception):
    """The challenge is of no kind known here; the message is a sentence for a person."""


class Unsigned(ParseError):
    """The block is not signed as its signet demands, so no block above it is valid either."""


def check_block(block: ScannedBlock, params: ChainParams) -> None:
    """Check that a block of a signet is signed; nothing to do on other networks.

    Raises Unsigned when it is not, UnsupportedChallenge when that cannot be told.
    """
    challenge = params.signet_challenge
    if not challenge or block.header.hash == params.genesis_hash:
        return
    try:
        _, to_sign = virtual_transactions(block, challenge)
    except ParseError as error:
        raise Unsigned(str(error)) from error
    if not _is_satisfied(challenge, to_sign):
        raise Unsigned("The block is not signed as this signet demands.")


def check_or_explain(block: ScannedBlock, params: ChainParams) -> list[str]:
    """Check as `check_block` does; list what a person should know where that cannot be told."""
    try:
        check_block(block, params)
    except UnsupportedChallenge as unsupported:
        return [str(unsupported)]
    return []


def virtual_transactions(block: ScannedBlock, challenge: bytes) -> tuple[Transaction, Transaction]:
    """Make the transaction that commits to the block, and the one that spends it by the solution.

    Raises ParseError when there is no place for a solution, or when it is malformed.
    """
    transactions = block.transactions
    coinbase, solution = _without_solution(transactions[0])
    root, _ = merkle_root([coinbase.txid, *(tx.txid for tx in transactions[1:])])
    header = block.header
    data = _BLOCK_DATA.pack(header.version, header.prev_blockhash, root, header.time)
    script_sig, witness = _read_solution(solution)
    return spending(data, challenge, script_sig, witness)


def spending(
    block_data: bytes, challenge: bytes, script_sig: bytes, witness: Sequence[bytes]
) -> tuple[Transaction, Transaction]:
    """Make the two virtual transactions for 72 bytes of block data."""
    nothing = OutPoint(bytes(32), 0xFFFFFFFF)
    commits = TxIn(nothing, b"\x00" + push(block_data), sequence=0)
    to_spend = Transaction(0, (commits,), (TxOut(0, challenge),), 0)
    spends = TxIn(OutPoint(to_spend.txid, 0), script_sig, 0, tuple(witness))
    return to_spend, Transaction(0, (spends,), (TxOut(0, _OP_RETURN),), 0)


def _without_solution(coinbase: Transaction) -> tuple[Transaction, bytes | None]:
    """Take the solution out of the last witness commitment; None where there is no solution."""
    for index in range(len(coinbase.outputs) - 1, -1, -1):
        script = coinbase.outputs[index].script_pubkey
        if len(script) >= _COMMITMENT_SIZE and script.startswith(_COMMITMENT):
            break
    else:
        raise ParseError("The block has no witness commitment, so it cannot be signed.")
    cleared, solution = _cleared(script)
    outputs = list(coinbase.outputs)
    outputs[index] = TxOut(outputs[index].value_sat, cleared)
    inputs = coinbase.inputs
    return Transaction(coinbase.version, inputs, tuple(outputs), coinbase.lock_time), solution


def _cleared(script: bytes) -> tuple[bytes, bytes | None]:
    parts: list[bytes] = []
    solution: bytes | None = None
    try:
        for opcode, data in iterate(script):
            if not data:
                parts.append(bytes([opcode]))
            elif solution is None and len(data) > len(HEADER) and data.startswith(HEADER):
                solution = data[len(HEADER) :]
                parts.append(_direct_push(HEADER))
            else:
                parts.append(_direct_push(data))
    except ParseError:
        pass  # Core reads as far as it can
    return (script if solution is None else b"".join(parts)), solution


def _direct_push(data: bytes) -> bytes:
    """Push as Core's `CScript << vector` does: by length, whatever the bytes mean as a number."""
    size = len(data)
    if size < 0x4C:
        return bytes([size]) + data
    if size <= 0xFF:
        return b"\x4c" + bytes([size]) + data
    if size <= 0xFFFF:
        return b"\x4d" + size.to_bytes(2, "little") + data
    return b"\x4e" + size.to_bytes(4, "little") + data


def _read_solution(solution: bytes | None) -> tuple[bytes, tuple[bytes, ...]]:
    if solution is None:
        return b"", ()  # a challenge that anybody meets needs none
    reader = Reader(solution)
    script_sig = reader.var_bytes(_MAX_SOLUTION)
    count = reader.compact_size(_MAX_STACK)
    witness = tuple(reader.var_bytes(_MAX_SOLUTION) for _ in range(count))
    reader.check_end()
    return script_sig, witness


# --- the kinds of challenges ---------------------------------------------------------------------


def _is_satisfied(challenge: bytes, tx: Transaction) -> bool:
    spent = tx.inputs[0]
    program = parse_witness_program(challenge)
    if program is not None:
        return not spent.script_sig and _meets_program(*program, tx)
    is_p2sh = len(challenge) == 23 and challenge[:2] == b"\xa9\x14" and challenge[22] == 0x87
    try:
        stack = parse_pushes(spent.script_sig)
    except ParseError:
        return False
    if is_p2sh:
        return _meets_p2sh(challenge[2:22], stack, tx)
    return not spent.witness and _meets(challenge, stack, _legacy_digest(tx, challenge))


def _meets_p2sh(script_hash: bytes, stack: Sequence[bytes], tx: Transaction) -> bool:
    if not stack or hash160(stack[-1]) != script_hash:
        return False
    redeem = stack[-1]
    program = parse_witness_program(redeem)
    if program is not None:
        return tx.inputs[0].script_sig == _direct_push(redeem) and _meets_program(*program, tx)
    return not tx.inputs[0].witness and _meets(redeem, stack[:-1], _legacy_digest(tx, redeem))


def _meets_program(version: int, program: bytes, tx: Transaction) -> bool:
    witness = tx.inputs[0].witness
    if version != 0 or len(program) not in {20, 32}:
        raise UnsupportedChallenge(UNSUPPORTED)
    if len(program) == 20:
        script = p2pkh(program)
        return len(witness) == 2 and _meets(script, witness, _segwit_digest(tx, script))
    if not witness or sha256(witness[-1]) != program:
        return False
    script = witness[-1]
    return _meets(script, witness[:-1], _segwit_digest(tx, script))


def _legacy_digest(tx: Transaction, script: bytes) -> Digest:
    return lambda hash_type: sighash.legacy(tx, 0, script, hash_type)


def _segwit_digest(tx: Transaction, script: bytes) -> Digest:
    return lambda hash_type: sighash.segwit_v0(tx, 0, script, 0, hash_type)


def _meets(script: bytes, stack: Sequence[bytes], digest: Digest) -> bool:
    """Tell whether a stack, bottom first, satisfies a script of a known kind."""
    if script == _OP_TRUE:
        return True
    try:
        parts = list(iterate(script))
    except ParseError as error:
        raise UnsupportedChallenge(UNSUPPORTED) from error
    pushed = [data for _, data in parts]
    if len(parts) == 2 and parts[1][0] == _OP_CHECKSIG and pushed[0]:
        return len(stack) == 1 and _verifies(pushed[0], stack[0], digest)
    if len(script) == 25 and script == p2pkh(script[3:23]):
        is_key = len(stack) == 2 and hash160(stack[1]) == script[3:23]
        return is_key and _verifies(stack[1], stack[0], digest)
    if parts and parts[-1][0] == _OP_CHECKMULTISIG and len(parts) >= 3:
        wanted, total = parts[0][0] + 1 - _OP_1, parts[-2][0] + 1 - _OP_1
        keys = [data for data in pushed[1:-2] if data]
        if 1 <= wanted <= total <= _OP_16 + 1 - _OP_1 and total == len(keys) == len(parts) - 3:
            return _meets_multisig(keys, wanted, stack, digest)
    raise UnsupportedChallenge(UNSUPPORTED)


def _meets_multisig(
    keys: Sequence[bytes], wanted: int, stack: Sequence[bytes], digest: Digest
) -> bool:
    if len(stack) != wanted + 1 or stack[0]:
        return False  # NULLDUMMY
    candidates = iter(keys)
    # Signatures come in the order of their keys.
    return all(any(_verifies(key, each, digest) for key in candidates) for each in stack[1:])


def _verifies(key: bytes, signature: bytes, digest: Digest) -> bool:
    if not signature:
        return False
    if len(key) == 65 and key[0] == 4:
        key = bytes([2 + (key[64] & 1)]) + key[1:33]
    try:
        return curve.ecdsa_verify(key, digest(signature[-1]), _with_low_s(signature[:-1]))
    except curve.CurveError:
        return False


def _with_low_s(der: bytes) -> bytes:
    """Give the equivalent signature with a low S: blocks may have either."""
    if len(der) < 8 or 4 + der[3] + 2 > len(der):
        return der
    start = 6 + der[3]
    s = int.from_bytes(der[start:], "big")
    if der[start - 1] != len(der) - start or not _ORDER // 2 < s < _ORDER:
        return der
    low = (_ORDER - s).to_bytes(33, "big").lstrip(b"\0")
    low = b"\0" + low if low[0] & 0x80 else low
    body = der[2 : start - 1] + bytes([len(low)]) + low
    return b"\x30" + bytes([len(body)]) + body
