"""Whether an input of a signed transaction may spend its coin, for the scripts of our wallets.

Known are p2pkh, p2sh-p2wpkh, p2wpkh, the taproot key path and multisig in p2sh, p2wsh and
p2sh-p2wsh, with the rules of consensus and of relay policy (strict DER, low S, compressed keys,
empty dummy). Sources: BIP11, 16, 141, 143, 146, 147, 341.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from wallet_gui.curve import CurveError, ecdsa_verify, schnorr_verify
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut

_WITNESS_V0: Final = frozenset({ScriptType.P2WPKH, ScriptType.P2WSH})
_DEFINED: Final = frozenset({sighash.ALL, sighash.NONE, sighash.SINGLE})


class Verdict(Enum):
    """What the check of one input found."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"
    """Another kind of script or spend, or a coin that the signature commits to is not known."""


def check_input(tx: Transaction, index: int, spent: Sequence[TxOut | None]) -> Verdict:
    """Verify the signature of input `index`; `spent` are the outputs that all inputs spend."""
    coin = spent[index]
    if coin is None:
        return Verdict.UNKNOWN
    try:
        return _check(tx, index, coin, spent)
    except (ParseError, CurveError):
        return Verdict.INVALID


def _check(tx: Transaction, index: int, coin: TxOut, spent: Sequence[TxOut | None]) -> Verdict:
    tx_in = tx.inputs[index]
    kind = script.classify(coin.script_pubkey)
    if kind is ScriptType.P2PKH:
        return _judge(not tx_in.witness and _legacy_holds(tx, index, coin.script_pubkey))
    if kind is ScriptType.P2SH:
        return _check_script_hash(tx, index, coin)
    if kind in _WITNESS_V0:
        if tx_in.script_sig:
            return Verdict.INVALID
        return _check_program(tx, index, coin.script_pubkey, coin.value_sat)
    if kind is ScriptType.P2TR:
        return _check_taproot(tx, index, coin, spent)
    return Verdict.UNKNOWN


def _check_script_hash(tx: Transaction, index: int, coin: TxOut) -> Verdict:
    tx_in = tx.inputs[index]
    pushed = script.parse_pushes(tx_in.script_sig)
    if not pushed or script.p2sh(hash160(pushed[-1])) != coin.script_pubkey:
        return Verdict.INVALID
    *items, redeem_script = pushed
    kind = script.classify(redeem_script)
    if kind in _WITNESS_V0:
        # Nothing but the one push, in its shortest form (BIP141).
        if tx_in.script_sig != script.push(redeem_script):
            return Verdict.INVALID
        return _check_program(tx, index, redeem_script, coin.value_sat)
    if kind is not ScriptType.MULTISIG:
        return Verdict.UNKNOWN
    if tx_in.witness or len(redeem_script) > script.MAX_PUSH:
        return Verdict.INVALID

    def digest(hash_type: int) -> bytes:
        return sighash.legacy(tx, index, redeem_script, hash_type)

    return _judge(_multisig_holds(redeem_script, items, digest))


def _check_program(tx: Transaction, index: int, program: bytes, amount_sat: int) -> Verdict:
    """Judge the witness of a program of version 0."""
    if script.classify(program) is ScriptType.P2WPKH:
        return _judge(_witness_holds(tx, index, program, amount_sat))
    witness = tx.inputs[index].witness
    if not witness or script.p2wsh(sha256(witness[-1])) != program:
        return Verdict.INVALID
    *items, witness_script = witness
    if script.classify(witness_script) is not ScriptType.MULTISIG:
        return Verdict.UNKNOWN

    def digest(hash_type: int) -> bytes:
        return sighash.segwit_v0(tx, index, witness_script, amount_sat, hash_type)

    return _judge(_multisig_holds(witness_script, items, digest))


def _multisig_holds(
    multisig: bytes, items: Sequence[bytes], digest: Callable[[int], bytes]
) -> bool:
    """Do what CHECKMULTISIG does: signatures in the order of the keys, each key used once."""
    required, keys = script.parse_multisig(multisig) or (0, ())
    if len(items) != required + 1 or items[0]:
        return False
    candidates = iter(keys)
    for signature in items[1:]:
        if not signature:
            return False
        message = digest(signature[-1])
        if not any(_ecdsa_holds(key, message, signature) for key in candidates):
            return False
    return True


def _ecdsa_holds(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    is_defined = signature[-1] & ~sighash.ANYONECANPAY in _DEFINED
    return is_defined and ecdsa_verify(public_key, digest, signature[:-1])


def _judge(holds: bool) -> Verdict:  # noqa: FBT001 - one truth value in, one verdict out
    return Verdict.VALID if holds else Verdict.INVALID


def _legacy_holds(tx: Transaction, index: int, script_pubkey: bytes) -> bool:
    pushed = script.parse_pushes(tx.inputs[index].script_sig)
    if len(pushed) != 2 or script.p2pkh(hash160(pushed[1])) != script_pubkey or not pushed[0]:
        return False
    signature, public_key = pushed
    digest = sighash.legacy(tx, index, script_pubkey, signature[-1])
    return _ecdsa_holds(public_key, digest, signature)


def _witness_holds(tx: Transaction, index: int, program: bytes, amount_sat: int) -> bool:
    witness = tx.inputs[index].witness
    if len(witness) != 2 or script.p2wpkh(hash160(witness[1])) != program or not witness[0]:
        return False
    signature, public_key = witness
    script_code = script.p2pkh(hash160(public_key))
    digest = sighash.segwit_v0(tx, index, script_code, amount_sat, signature[-1])
    return _ecdsa_holds(public_key, digest, signature)


def _check_taproot(
    tx: Transaction, index: int, coin: TxOut, spent: Sequence[TxOut | None]
) -> Verdict:
    tx_in = tx.inputs[index]
    if tx_in.script_sig or not tx_in.witness:
        return Verdict.INVALID
    known = [output for output in spent if output is not None]
    if len(tx_in.witness) != 1 or len(known) != len(tx.inputs):
        return Verdict.UNKNOWN
    signature = tx_in.witness[0]
    if len(signature) not in {64, 65} or signature[64:] == b"\x00":
        return Verdict.INVALID
    digest = sighash.taproot(tx, index, known, hash_types(tx_in)[0])
    return _judge(schnorr_verify(coin.script_pubkey[2:], digest, signature[:64]))


def hash_type(tx_in: TxIn) -> int | None:
    """Return the hash type of the first signature in an input of our kinds; None without one."""
    return next(iter(hash_types(tx_in)), None)


def hash_types(tx_in: TxIn) -> tuple[int, ...]:
    """Return the hash types of the signatures in an input of our kinds, in their order."""
    pushed = () if tx_in.witness else script.parse_pushes(tx_in.script_sig)
    items = tx_in.witness or pushed
    if not items:
        return ()
    if len(items) > 1 and script.parse_multisig(items[-1]) is not None:
        return tuple(item[-1] for item in items[1:-1] if item)
    if len(tx_in.witness) == 1 and len(items[0]) == 64:
        return (sighash.DEFAULT,)
    return (items[0][-1],) if items[0] else ()


def spent_script(tx_in: TxIn) -> bytes | None:
    """Infer the script of a coin from how it is spent; None where it does not show.

    It shows for p2pkh, p2sh, p2wpkh and p2wsh, not for the taproot key path.
    """
    try:
        pushed = script.parse_pushes(tx_in.script_sig)
    except ParseError:
        return None
    if not tx_in.witness and len(pushed) == 2 and len(pushed[1]) == 33:
        return script.p2pkh(hash160(pushed[1]))
    if pushed:
        return script.p2sh(hash160(pushed[-1]))
    if len(tx_in.witness) == 2 and len(tx_in.witness[1]) == 33 and tx_in.witness[1][0] in {2, 3}:
        return script.p2wpkh(hash160(tx_in.witness[1]))
    # Script path spends of taproot end with their control block, which begins with 0xc0 or more.
    if len(tx_in.witness) > 1 and tx_in.witness[-1] and tx_in.witness[-1][0] < 0xC0:
        return script.p2wsh(sha256(tx_in.witness[-1]))
    return None
