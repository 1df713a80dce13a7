"""The review of a payment as plain text, for a terminal."""

from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.vault.signing import Payment
from wallet_gui.wallet.review import OutputKind
from wallet_gui.widgets.review_text import CAPTIONS, coins_spent, destination, fee_detail


def review_text(payment: Payment, params: ChainParams) -> str:
    """Return what a person has to check before saying yes; addresses whole and in groups of four.

    Everything in it is derived from the transaction's bytes; no text of the PSBT is repeated.
    """
    review = payment.review
    play = " (play money)" if params.is_test else ""
    change = [output for output in review.payments if output.kind is OutputKind.CHANGE]
    lines = [f"Payment on {params.name}{play}"]
    for output in (*review.outgoing, *change):
        lines += ["", f"  {CAPTIONS[output.kind]}", f"    {format_btc(output.amount_sat)} BTC"]
        lines += [f"    {destination(output)}"]
    lines += ["", f"  Fee {fee_detail(review)}", f"  {coins_spent(review)}"]
    lines += [f"  ! {warning}" for warning in payment.warnings]
    return "\n".join(lines)
