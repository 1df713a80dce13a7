"""What the scripts and signatures of a PSBT input add up to: checks, final scriptSig, witness.

Sources: BIP174 (signer checks, finalizer), BIP371 (taproot), Core `script/sign.cpp`.
"""

from collections.abc import Iterator

from wallet_gui.primitives import sighash
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.psbt_fields import PsbtInput
from wallet_gui.primitives.script import (
    ScriptType,
    classify,
    p2pkh,
    p2sh,
    p2wpkh,
    p2wsh,
    parse_multisig,
    parse_witness_program,
    push,
)
from wallet_gui.primitives.serialize import ParseError


def check_scripts(psbt_input: PsbtInput, script_pubkey: bytes) -> None:
    """Check that redeem and witness script belong to the spent output; raise ParseError.

    An input without a witness must come with its whole previous transaction: its signature does
    not commit to the amount.
    """
    program = script_pubkey
    if psbt_input.redeem_script is not None:
        if script_pubkey != p2sh(hash160(psbt_input.redeem_script)):
            raise ParseError("The redeem script does not belong to the spent output.")
        program = psbt_input.redeem_script
    if psbt_input.witness_script is not None and program != p2wsh(
        sha256(psbt_input.witness_script)
    ):
        raise ParseError("The witness script does not belong to the spent output.")
    if psbt_input.non_witness_utxo is None and parse_witness_program(program) is None:
        raise ParseError("The previous transaction is missing, and the amount cannot be trusted.")


def finalized(psbt_input: PsbtInput, script_pubkey: bytes) -> PsbtInput:
    """Return the input with its final scripts and cleared, or as it is if signatures are missing.

    Raises ParseError for a signature whose hash type is not the one asked for.
    """
    unlocked = _unlock(psbt_input, script_pubkey)
    if unlocked is None:
        return psbt_input
    script_sig, witness = unlocked
    final = psbt_input.without_signing_data()
    final.final_script_sig = script_sig or None
    final.final_script_witness = witness or None
    return final


def _unlock(psbt_input: PsbtInput, script_pubkey: bytes) -> tuple[bytes, tuple[bytes, ...]] | None:
    if classify(script_pubkey) is ScriptType.P2TR:
        signature = psbt_input.tap_key_sig
        if signature is None:
            return None
        _check_schnorr_hash_type(signature, psbt_input.sighash_type)
        return b"", (signature,)
    unlocked = _unlock_multisig(psbt_input)
    if unlocked is not None:
        return unlocked
    for key, signature in psbt_input.partial_sigs.items():
        key_hash = hash160(key)
        if script_pubkey == p2pkh(key_hash):
            _check_ecdsa_hash_type(signature, psbt_input.sighash_type)
            return push(signature) + push(key), ()
        program = p2wpkh(key_hash)
        if len(key) != 33 or program not in (script_pubkey, psbt_input.redeem_script):
            continue
        _check_ecdsa_hash_type(signature, psbt_input.sighash_type)
        script_sig = b"" if program == script_pubkey else push(program)
        return script_sig, (signature, key)
    return None


def _unlock_multisig(psbt_input: PsbtInput) -> tuple[bytes, tuple[bytes, ...]] | None:
    redeem_script, witness_script = psbt_input.redeem_script, psbt_input.witness_script
    inner = witness_script if witness_script is not None else redeem_script
    if inner is None:
        return None
    asked = parse_multisig(inner)
    if asked is None:
        return None
    required, keys = asked
    present = [psbt_input.partial_sigs[key] for key in keys if key in psbt_input.partial_sigs]
    for signature in present:
        _check_ecdsa_hash_type(signature, psbt_input.sighash_type)
    # Exactly so many as are required, in the order of the keys: more would not be valid.
    signatures = present[:required]
    if len(signatures) < required:
        return None
    # CHECKMULTISIG takes one item too many from the stack; it has to be empty (BIP147).
    if witness_script is None:
        return b"\x00" + b"".join(map(push, signatures)) + push(inner), ()
    if any(len(key) != 33 for key in keys):
        return None  # relayed by nobody (BIP143)
    script_sig = b"" if redeem_script is None else push(redeem_script)
    return script_sig, (b"", *signatures, inner)


def hash_types(psbt_input: PsbtInput) -> Iterator[int]:
    """Yield the hash type of each signature of an input; a final one is taken to sign all."""
    if psbt_input.is_final:
        yield sighash.ALL
    for signature in psbt_input.partial_sigs.values():
        yield signature[-1]
    schnorr = [*psbt_input.tap_script_sigs.values()]
    if psbt_input.tap_key_sig is not None:
        schnorr.append(psbt_input.tap_key_sig)
    for signature in schnorr:
        yield sighash.DEFAULT if len(signature) == 64 else signature[64]


def _check_ecdsa_hash_type(signature: bytes, expected: int | None) -> None:
    if signature[-1] != (sighash.ALL if expected is None else expected):
        raise ParseError("A signature does not have the hash type that was asked for.")


def _check_schnorr_hash_type(signature: bytes, expected: int | None) -> None:
    hash_type = sighash.DEFAULT if len(signature) == 64 else signature[64]
    if len(signature) == 65 and hash_type == sighash.DEFAULT:
        raise ParseError("A taproot signature spells out the default hash type (BIP341).")
    # Without a wish, both ways to sign everything are right.
    allowed = (sighash.DEFAULT, sighash.ALL) if expected is None else (expected,)
    if hash_type not in allowed:
        raise ParseError("A signature does not have the hash type that was asked for.")
