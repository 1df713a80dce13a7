"""The review of a payment as plain text, for a terminal."""

from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.vault.signing import Payment
from wallet_gui.wallet.review import OutputKind, ReviewOutput

_CAPTIONS = {
    OutputKind.PAYMENT: "Pays",
    OutputKind.OWN: "Stays yours",
    OutputKind.OWN_UNUSUAL: "Stays yours, at an unusual address",
    OutputKind.DATA: "Data",
    OutputKind.CHANGE: "Change, comes back to you",
}


def review_text(payment: Payment, params: ChainParams) -> str:
    """Return what a person has to check before saying yes; addresses whole and in groups of four.

    Everything in it is derived from the transaction's bytes; no text of the PSBT is repeated.
    """
    review = payment.review
    play = " (play money)" if params.is_test else ""
    lines = [f"Payment on {params.name}{play}"]
    for output in (*review.outgoing, *_change(payment)):
        lines += ["", f"  {_CAPTIONS[output.kind]}", f"    {format_btc(output.amount_sat)} BTC"]
        lines += [f"    {destination(output)}"]
    count = len(review.inputs)
    fee = f"{review.fee_sat} sat ({format_btc(review.fee_sat)} BTC), {review.feerate} sat/vB"
    lines += [
        "",
        f"  Fee {fee}, {payment.fee_share} of the amount",
        f"  Spends {count} coin{'s' * (count != 1)}, {format_btc(review.total_in)} BTC in all",
    ]
    lines += [f"  ! {warning}" for warning in payment.warnings]
    return "\n".join(lines)


def destination(output: ReviewOutput) -> str:
    """Return the address in groups of four, or the script where there is none."""
    text = output.address or output.script_pubkey.hex()
    grouped = " ".join(text[start : start + 4] for start in range(0, len(text), 4))
    return grouped if output.address else f"script {grouped}"


def _change(payment: Payment) -> tuple[ReviewOutput, ...]:
    return tuple(o for o in payment.review.payments if o.kind is OutputKind.CHANGE)
