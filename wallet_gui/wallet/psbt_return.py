"""What comes back from another signer, compared with what was asked of it.

Only signatures are taken over, into the PSBT that was asked for: whatever else came back is
compared where it matters to what is signed, and otherwise left behind. Sources: BIP174 (Combiner),
BIP370.
"""

from collections import Counter

from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt, PsbtInput
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.sighash import ALL, DEFAULT
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut
from wallet_gui.wallet.errors import WrongSignature, WrongSignedPsbt
from wallet_gui.wallet.psbt_roles import check_signatures, signing_keys, unverified_inputs

_ASKED_FOR = frozenset({None, DEFAULT, ALL})


def returned(asked: Psbt, back: Psbt | Transaction, params: ChainParams) -> Psbt:
    """Return `asked` with the signatures that came back; `asked` itself stays as it is.

    Some devices give the finished transaction back instead of a PSBT: it is taken as well. Raises
    WrongSignedPsbt with a sentence for everything that differs from what was asked, for a signature
    that is not valid or leaves something open, and when nothing was signed.
    """
    theirs = from_transaction(back) if isinstance(back, Transaction) else back
    difference = compare(asked.tx, theirs.tx, params)
    if difference:
        raise WrongSignedPsbt(
            f"What came back is another payment than the one that was asked for. {difference} It "
            "is not used: find out what changed it before you pay."
        )
    merged = asked.copy()
    for index, (ours, part) in enumerate(zip(merged.inputs, theirs.inputs, strict=True)):
        _check_statements(ours, part, index)
        # Our own copy comes first: a second signature of a key adds nothing.
        ours.partial_sigs = {**part.partial_sigs, **ours.partial_sigs}
        ours.tap_key_sig = ours.tap_key_sig or part.tap_key_sig
        if not ours.is_final:
            ours.final_script_sig = part.final_script_sig
            ours.final_script_witness = part.final_script_witness
    if not any(map(_is_signed, theirs.inputs)):
        raise WrongSignedPsbt(
            "It came back without a signature. Sign it on the other computer, then bring back what "
            "that one gives you."
        )
    _check_merged(asked, merged)
    merged.record_signature(ALL)
    return merged


def compare(asked: Transaction, back: Transaction, params: ChainParams) -> str:
    """Say in one sentence what an unsigned transaction changed; "" when it is the same."""
    if asked.serialize_stripped() == back.serialize_stripped():
        return ""
    return (
        _coins(asked, back)
        or _payments(asked, back, params)
        or _order(asked, back)
        or _time(asked, back)
    )


def _coins(asked: Transaction, back: Transaction) -> str:
    wanted = {tx_in.prevout for tx_in in asked.inputs}
    found = {tx_in.prevout for tx_in in back.inputs}
    added = [prevout for prevout in found if prevout not in wanted]
    if wanted.isdisjoint(found):
        return "It spends other coins."
    if added:
        return f"It spends a coin that was not asked for: {added[0]}."
    if len(found) < len(wanted):
        left = next(prevout for prevout in wanted if prevout not in found)
        return f"It leaves out a coin: {left}."
    return ""


def _payments(asked: Transaction, back: Transaction, params: ChainParams) -> str:
    wanted, found = Counter(asked.outputs), Counter(back.outputs)
    added, lost = list((found - wanted).elements()), list((wanted - found).elements())
    for output in added:
        before = [other for other in lost if other.script_pubkey == output.script_pubkey]
        if before:
            return (
                f"It pays {format_btc(output.value_sat)} BTC instead of "
                f"{format_btc(before[0].value_sat)} BTC to {_where(output, params)}."
            )
    if added and lost:
        return f"It pays {_paid(added[0], params)} instead of {_paid(lost[0], params)}."
    if added:
        return f"It pays {_paid(added[0], params)} besides."
    if lost:
        return f"It does not pay {_paid(lost[0], params)}."
    return ""


def _paid(output: TxOut, params: ChainParams) -> str:
    return f"{format_btc(output.value_sat)} BTC to {_where(output, params)}"


def _where(output: TxOut, params: ChainParams) -> str:
    address = address_from_script(output.script_pubkey, params)
    return address or f"the script {output.script_pubkey[:40].hex()}"


def _order(asked: Transaction, back: Transaction) -> str:
    before = [tx_in.prevout for tx_in in asked.inputs], asked.outputs
    after = [tx_in.prevout for tx_in in back.inputs], back.outputs
    return "" if before == after else "Its coins or its outputs are in another order."


def _time(asked: Transaction, back: Transaction) -> str:
    if asked.lock_time != back.lock_time:
        return f"Its lock time is {back.lock_time} instead of {asked.lock_time}."
    if asked.version != back.version:
        return f"Its version is {back.version} instead of {asked.version}."
    return "A sequence number was changed: that decides when it is valid and what may replace it."


def _check_statements(ours: PsbtInput, theirs: PsbtInput, index: int) -> None:
    """Refuse what would make a signer sign something else than was asked; nothing is no statement.

    The previous transaction is not among it: its own txid ties it to the coin.
    """
    if theirs.sighash_type not in _ASKED_FOR:
        raise WrongSignedPsbt(
            f"Input {index + 1} came back with another kind of signature asked for, one that "
            "leaves parts of the payment open to change. It is not used."
        )
    for name, what in (
        ("witness_utxo", "the amount or the address of the coin"),
        ("redeem_script", "the script of the coin"),
        ("witness_script", "the script of the coin"),
    ):
        before, after = getattr(ours, name), getattr(theirs, name)
        if before is not None and after is not None and before != after:
            raise WrongSignedPsbt(
                f"Input {index + 1} came back with a change in {what}. It is not used."
            )


def _is_signed(part: PsbtInput) -> bool:
    return bool(part.partial_sigs or part.tap_key_sig or part.is_final)


def _check_merged(asked: Psbt, merged: Psbt) -> None:
    try:
        check_signatures(merged)
        unjudged = set(unverified_inputs(merged)) - set(unverified_inputs(asked))
    except WrongSignature as error:
        raise WrongSignedPsbt(str(error)) from error
    except ParseError as error:
        raise WrongSignedPsbt(f"What came back cannot be verified. {error}") from error
    if unjudged:
        raise WrongSignedPsbt(
            f"The signature of input {min(unjudged) + 1} is of a kind that cannot be verified "
            "here. It is not used."
        )
    for index, part in enumerate(merged.inputs):
        # Verified, but perhaps by somebody whom the coin does not ask.
        if not part.is_final and set(part.partial_sigs) - signing_keys(merged, index):
            raise WrongSignedPsbt(
                f"A signature of input {index + 1} is by a key that this coin does not ask for. "
                "It is not used."
            )


def from_transaction(tx: Transaction) -> Psbt:
    """Wrap a signed transaction as a PSBT with final inputs, as far as they are signed."""
    inputs = tuple(TxIn(tx_in.prevout, b"", tx_in.sequence) for tx_in in tx.inputs)
    psbt = Psbt.from_unsigned_tx(Transaction(tx.version, inputs, tx.outputs, tx.lock_time))
    for psbt_input, tx_in in zip(psbt.inputs, tx.inputs, strict=True):
        psbt_input.final_script_sig = tx_in.script_sig or None
        psbt_input.final_script_witness = tx_in.witness or None
    return psbt
