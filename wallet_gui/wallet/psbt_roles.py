"""Combiner, finalizer and extractor of PSBTs from outside: nothing unverified goes through them.

`Psbt.combine`, `finalize` and `extract` put records together; here each signature is judged first,
against a signature hash computed from what the PSBT itself proves. Sources: BIP174, 143, 341.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from wallet_gui.curve import CurveError, ecdsa_verify, schnorr_verify
from wallet_gui.primitives import script, sighash
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
