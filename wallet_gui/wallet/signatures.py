"""Whether an input of a signed transaction may spend its coin, for the scripts of our wallets.

Known are p2pkh, p2sh-p2wpkh, p2wpkh and the taproot key path, with the rules of consensus and of
relay policy (strict DER, low S, compressed keys). Sources: BIP141, 143, 146, 341.
"""

from collections.abc import Sequence
from enum import Enum

from wallet_gui.curve import CurveError, ecdsa_verify, schnorr_verify
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut


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
        pushed = script.parse_pushes(tx_in.script_sig)
        if len(pushed) != 1 or script.classify(pushed[0]) is not ScriptType.P2WPKH:
            return Verdict.UNKNOWN
        belongs = script.p2sh(hash160(pushed[0])) == coin.script_pubkey
        return _judge(belongs and _witness_holds(tx, index, pushed[0], coin.value_sat))
    if kind is ScriptType.P2WPKH:
        unsigned = not tx_in.script_sig
        return _judge(unsigned and _witness_holds(tx, index, coin.script_pubkey, coin.value_sat))
    if kind is ScriptType.P2TR:
        return _check_taproot(tx, index, coin, spent)
    return Verdict.UNKNOWN


def _judge(holds: bool) -> Verdict:  # noqa: FBT001 - one truth value in, one verdict out
    return Verdict.VALID if holds else Verdict.INVALID


def _legacy_holds(tx: Transaction, index: int, script_pubkey: bytes) -> bool:
    pushed = script.parse_pushes(tx.inputs[index].script_sig)
    if len(pushed) != 2 or script.p2pkh(hash160(pushed[1])) != script_pubkey or not pushed[0]:
        return False
    signature, public_key = pushed
    digest = sighash.legacy(tx, index, script_pubkey, signature[-1])
    return ecdsa_verify(public_key, digest, signature[:-1])


def _witness_holds(tx: Transaction, index: int, program: bytes, amount_sat: int) -> bool:
    witness = tx.inputs[index].witness
    if len(witness) != 2 or script.p2wpkh(hash160(witness[1])) != program or not witness[0]:
        return False
    signature, public_key = witness
    script_code = script.p2pkh(hash160(public_key))
    digest = sighash.segwit_v0(tx, index, script_code, amount_sat, signature[-1])
    return ecdsa_verify(public_key, digest, signature[:-1])


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
    digest = sighash.taproot(tx, index, known, hash_type(tx_in) or sighash.DEFAULT)
    return _judge(schnorr_verify(coin.script_pubkey[2:], digest, signature[:64]))


def hash_type(tx_in: TxIn) -> int | None:
    """Return the hash type of the signature in an input of our kinds; None without a signature."""
    items = tx_in.witness or script.parse_pushes(tx_in.script_sig)
    if not items or not items[0]:
        return None
    is_key_path = len(tx_in.witness) == 1 and len(items[0]) == 64
    return sighash.DEFAULT if is_key_path else items[0][-1]


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
