"""The words of a review, the same in the window, in the vault and on a terminal. No Qt here."""

from wallet_gui.primitives.amount import format_btc
from wallet_gui.wallet.review import OutputKind, Review, ReviewOutput
from wallet_gui.widgets.text import chunked

CAPTIONS = {
    OutputKind.PAYMENT: "Pays",
    OutputKind.OWN: "Stays yours",
    OutputKind.OWN_UNUSUAL: "Stays yours, at an unusual address",
    OutputKind.DATA: "Data",
    OutputKind.CHANGE: "Change, comes back to you",
}


def destination(output: ReviewOutput) -> str:
    """The address in groups of four, or the whole script where there is none."""
    if output.address:
        return chunked(output.address)
    return f"script {chunked(output.script_pubkey.hex())}"


def compared_amount(review: Review) -> int:
    """What the fee is measured by, in sat: what is sent; in a move to oneself all that is moved."""
    moved = sum(o.amount_sat for o in review.payments if o.kind is not OutputKind.CHANGE)
    return moved or sum(output.amount_sat for output in review.payments)


def fee_share(review: Review) -> str:
    """The fee in per cent of what is sent, rounded up: "0.35 %"."""
    compared = compared_amount(review)
    if not compared or review.fee_sat > 10 * compared:
        return "more than 1000 %"
    hundredths = -(-review.fee_sat * 10_000 // compared)
    return f"{hundredths // 100}.{hundredths % 100:02} %"


def fee_detail(review: Review) -> str:
    """The fee as it is compared: "705 sat, 5 sat/vB, 0.01 % of the amount"."""
    return f"{review.fee_sat} sat, {review.feerate} sat/vB, {fee_share(review)} of the amount"


def coins_spent(review: Review) -> str:
    """What goes in: "Spends 2 coins of this wallet, 1.00000000 BTC in all"."""
    count = len(review.inputs)
    own = sum(coin.place is not None for coin in review.inputs)
    whose = "of this wallet" if own == count else f"({own} of this wallet)"
    plural = "s" if count != 1 else ""
    return f"Spends {count} coin{plural} {whose}, {format_btc(review.total_in)} BTC in all"
