"""What comes back from signing: it must be what was asked for, complete and valid."""

from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.sighash import ALL, DEFAULT
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.wallet.errors import WrongSignedPsbt
from wallet_gui.wallet.signatures import Verdict, check_input, hash_types

_ACCEPTED_HASH_TYPES = frozenset({DEFAULT, ALL})


def finish(asked: Psbt, signed: Psbt) -> Transaction:
    """Return the transaction to broadcast.

    The amounts and scripts of the coins are taken from `asked`, never from what came back. Every
    signature is verified against a signature hash computed here. Raises WrongSignedPsbt.
    """
    if asked.tx.serialize_stripped() != signed.tx.serialize_stripped():
        raise WrongSignedPsbt(
            "The signed payment is not the one that was asked for. It was not sent."
        )
    try:
        tx = _with_signatures(asked, signed).finalize().extract()
        spent = [asked.utxo(index) for index in range(len(asked.inputs))]
    except ParseError as error:
        raise WrongSignedPsbt(f"The payment is not completely signed. {error}") from error
    for index, tx_in in enumerate(tx.inputs):
        found = hash_types(tx_in)
        if not found or not _ACCEPTED_HASH_TYPES.issuperset(found):
            raise WrongSignedPsbt(
                f"The signature of input {index + 1} leaves parts of the payment open to change. "
                "It was not sent."
            )
        if check_input(tx, index, spent) is not Verdict.VALID:
            raise WrongSignedPsbt(
                f"The signature of input {index + 1} is not valid. Sign the payment again."
            )
    return tx


def _with_signatures(asked: Psbt, signed: Psbt) -> Psbt:
    # Only signatures are taken over; whatever else came back is not looked at.
    merged = asked.copy()
    for ours, theirs in zip(merged.inputs, signed.inputs, strict=True):
        ours.partial_sigs = {**ours.partial_sigs, **theirs.partial_sigs}
        ours.tap_key_sig = theirs.tap_key_sig or ours.tap_key_sig
        ours.final_script_sig = theirs.final_script_sig
        ours.final_script_witness = theirs.final_script_witness
    return merged
