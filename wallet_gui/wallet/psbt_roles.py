"""Combiner, finalizer and extractor of PSBTs from outside: nothing unverified goes through them.

`Psbt.combine`, `finalize` and `extract` put records together; here each signature is judged first,
against a signature hash computed from what the PSBT itself proves. Sources: BIP174, 143, 341.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from wallet_gui.curve import CurveError, ecdsa_verify, schnorr_verify
from wallet_gui.primitives import script, sighash
from wallet_gui.primitives.hashes import hash160
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.psbt_fields import PsbtInput
from wallet_gui.primitives.script import ScriptType
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.wallet.errors import WrongSignature
from wallet_gui.wallet.signatures import Verdict, check_input, hash_types

_ACCEPTED: Final = frozenset({sighash.DEFAULT, sighash.ALL})
_ECDSA_ACCEPTED: Final = frozenset({sighash.ALL})


def combine(psbts: Sequence[Psbt]) -> Psbt:
    """Put together what several people signed; the order does not matter.

    Raises WrongSignature for a signature that is not valid, in whichever it is, and ParseError for
    different transactions or contradictions.
    """
    if not psbts:
        raise ParseError("There is no PSBT to combine.")
    combined = psbts[0]
    for other in psbts[1:]:
        combined = combined.combine(other)
    # The one may lack what proves the signatures of the other: they are judged together.
    check_signatures(combined)
    return combined


def finalize(psbt: Psbt) -> Psbt:
    """Return a copy in which every input that has all its signatures is final.

    Raises WrongSignature for one that is not valid or leaves parts of the transaction open, and
    ParseError for scripts that do not belong to the spent output.
    """
    check_signatures(psbt)
    final = psbt.finalize()
    check_signatures(final)
    return final


def extract(psbt: Psbt) -> Transaction:
    """Return the signed transaction of a final PSBT.

    Each input is verified where the PSBT says what it spends. Raises WrongSignature, or ParseError
    when an input is not final.
    """
    tx = psbt.extract()
    _check_final(psbt, tx)
    return tx


def unverified_inputs(psbt: Psbt) -> tuple[int, ...]:
    """Return the numbers of the final inputs that could not be judged, from 0.

    Their script is of a kind that is not known here, or what they spend is not told.
    """
    tx = _signed_so_far(psbt)
    spent = _spent(psbt)
    return tuple(
        index
        for index, psbt_input in enumerate(psbt.inputs)
        if psbt_input.is_final and check_input(tx, index, spent) is Verdict.UNKNOWN
    )


def signing_keys(psbt: Psbt, index: int) -> frozenset[bytes]:
    """Return the keys of which input `index` carries a valid signature that commits to everything.

    Public keys have 33 bytes, the output key of taproot 32. Signatures that do not count (another
    key's, not valid, of another hash type) are left out, and so are those that cannot be judged.
    """
    spent = _spent(psbt)
    coin = spent[index]
    if coin is None:
        return frozenset()
    psbt_input = psbt.inputs[index]
    if psbt_input.is_final:
        return _final_keys(psbt, index, coin, spent)
    try:
        psbt.check_scripts(index)
        found = _signatures(psbt_input, coin)
        return frozenset(
            key for signature, key in found if _counts(psbt, index, spent, signature, key)
        )
    except ParseError:
        return frozenset()


def _counts(
    psbt: Psbt, index: int, spent: Sequence[TxOut | None], signature: bytes, key: bytes
) -> bool:
    kind = _kind(signature, key)
    accepted = _ACCEPTED if len(key) == 32 else _ECDSA_ACCEPTED
    if kind not in accepted or not _may_sign(psbt.inputs[index], spent[index], key):
        return False
    return _verifies(key, _digest(psbt, index, spent, kind), signature)


def _may_sign(psbt_input: PsbtInput, coin: TxOut | None, key: bytes) -> bool:
    """Tell whether the script, which was checked to belong to the coin, asks for this key."""
    if coin is None or len(key) == 32:
        return coin is not None
    code = psbt_input.witness_script or psbt_input.redeem_script or coin.script_pubkey
    asked = script.parse_multisig(code)
    if asked is not None:
        return key in asked[1]
    return code in (script.p2wpkh(hash160(key)), script.p2pkh(hash160(key)))


def _final_keys(
    psbt: Psbt, index: int, coin: TxOut, spent: Sequence[TxOut | None]
) -> frozenset[bytes]:
    tx = _signed_so_far(psbt)
    tx_input = tx.inputs[index]
    if check_input(tx, index, spent) is not Verdict.VALID:
        return frozenset()
    if not _ACCEPTED.issuperset(hash_types(tx_input)):
        return frozenset()
    if script.classify(coin.script_pubkey) is ScriptType.P2TR:
        return frozenset({coin.script_pubkey[2:]})
    pushed = script.parse_pushes(tx_input.script_sig)
    items = tx_input.witness or tuple(pushed)
    asked = script.parse_multisig(items[-1])
    if asked is None:
        return frozenset({items[-1]})
    # The scripts are in what was put together; with them it is judged as before that.
    opened = psbt.copy()
    signed = opened.inputs[index]
    signed.witness_script = items[-1] if tx_input.witness else None
    signed.redeem_script = pushed[-1] if pushed else None
    return frozenset(
        key
        for key in asked[1]
        for signature in items[1:-1]
        if signature
        and _verifies(key, _ecdsa_digest(opened, index, coin, signature[-1]), signature)
    )


def check_signatures(psbt: Psbt) -> None:
    """Verify every signature of inputs of our kinds; raise WrongSignature or ParseError."""
    spent = _spent(psbt)
    for index, psbt_input in enumerate(psbt.inputs):
        if spent[index] is None:
            continue
        if not psbt_input.is_final and (psbt_input.partial_sigs or psbt_input.tap_key_sig):
            psbt.check_scripts(index)
        digest = None
        for signature, key in _signatures(psbt_input, spent[index]):
            # First the kind: then there is one signature hash for all of an input.
            _check_kinds((_kind(signature, key),), index, is_ecdsa=len(key) != 32)
            if digest is None:
                digest = _digest(psbt, index, spent, _kind(signature, key))
            if not _verifies(key, digest, signature):
                raise WrongSignature(
                    f"A signature of input {index + 1} is not valid. Ask for it again from the "
                    "one who made it."
                )
    _check_final(psbt, _signed_so_far(psbt))


def _check_final(psbt: Psbt, tx: Transaction) -> None:
    spent = _spent(psbt)
    for index, psbt_input in enumerate(psbt.inputs):
        if not psbt_input.is_final:
            continue
        verdict = check_input(tx, index, spent)
        if verdict is Verdict.INVALID:
            raise WrongSignature(
                f"The signature of input {index + 1} is not valid. Sign the transaction again."
            )
        if verdict is Verdict.VALID:
            _check_kinds(hash_types(tx.inputs[index]), index)


def _check_kinds(kinds: Iterable[int], index: int, *, is_ecdsa: bool = False) -> None:
    if not (_ECDSA_ACCEPTED if is_ecdsa else _ACCEPTED).issuperset(kinds):
        raise WrongSignature(
            f"A signature of input {index + 1} leaves parts of the transaction open to change (its "
            "hash type is not ALL). It is not used."
        )


def _spent(psbt: Psbt) -> list[TxOut | None]:
    return [
        psbt.utxo(index) if psbt_input.has_utxo else None
        for index, psbt_input in enumerate(psbt.inputs)
    ]


def _signed_so_far(psbt: Psbt) -> Transaction:
    copy = psbt.copy()
    for psbt_input in copy.inputs:
        if not psbt_input.is_final:
            psbt_input.final_script_sig = b""
    return copy.extract()


def _signatures(psbt_input: PsbtInput, coin: TxOut | None) -> list[tuple[bytes, bytes]]:
    """Return each signature with the key that should have made it."""
    if coin is None:
        return []
    if script.classify(coin.script_pubkey) is ScriptType.P2TR:
        signature = psbt_input.tap_key_sig
        return [] if signature is None else [(signature, coin.script_pubkey[2:])]
    return [(signature, key) for key, signature in psbt_input.partial_sigs.items()]


def _verifies(key: bytes, digest: bytes, signature: bytes) -> bool:
    try:
        if len(key) != 32:
            return ecdsa_verify(key, digest, signature[:-1])
        # BIP341: the default hash type has no byte of its own.
        spelt_out = signature[64:] == bytes((sighash.DEFAULT,))
        return not spelt_out and schnorr_verify(key, digest, signature[:64])
    except CurveError:
        return False


def _digest(psbt: Psbt, index: int, spent: Sequence[TxOut | None], kind: int) -> bytes:
    coin = spent[index]
    if coin is not None and script.classify(coin.script_pubkey) is not ScriptType.P2TR:
        return _ecdsa_digest(psbt, index, coin, kind)
    known = [output for output in spent if output is not None]
    if len(known) != len(spent):
        # It commits to the amounts of all inputs.
        raise ParseError(
            "The PSBT does not say what each input spends, so its signatures cannot be verified."
        )
    return sighash.taproot(psbt.tx, index, known, kind)


def _kind(signature: bytes, key: bytes) -> int:
    return sighash.DEFAULT if len(key) == 32 and len(signature) == 64 else signature[-1]


def _ecdsa_digest(psbt: Psbt, index: int, coin: TxOut, kind: int) -> bytes:
    psbt_input = psbt.inputs[index]
    program = coin.script_pubkey
    if psbt_input.redeem_script is not None:
        program = psbt_input.redeem_script
    witness = script.parse_witness_program(program)
    if witness is None:
        return sighash.legacy(psbt.tx, index, program, kind)
    code = psbt_input.witness_script
    if code is None:
        code = script.p2pkh(witness[1]) if len(witness[1]) == 20 else b""
    return sighash.segwit_v0(psbt.tx, index, code, coin.value_sat, kind)
