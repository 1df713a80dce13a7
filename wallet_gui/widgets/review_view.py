"""The review of a payment, drawn from a Review and from nothing else."""

from collections.abc import Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from wallet_gui.primitives.amount import format_btc
from wallet_gui.wallet.review import OutputKind, Review, ReviewOutput
from wallet_gui.widgets.labels import AddressLabel, MoneyLabel, card, line, text_label
from wallet_gui.widgets.notice import WARNING, Notice
from wallet_gui.widgets.review_text import CAPTIONS, coins_spent, destination, fee_detail


class ReviewView(QWidget):
    """Shows where every satoshi goes: payments first, then the fee, then what comes back.

    Addresses are whole, in groups of four. `set_review` takes the warnings apart, since the vault
    adds those of its policy.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("review_view")
        self.review: Review | None = None
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(14)

    def set_review(self, review: Review, warnings: Sequence[str] | None = None) -> None:
        """Draw a review; `warnings` (default: the review's own) stand above it."""
        self.clear()
        self.review = review
        for number, sentence in enumerate(review.warnings if warnings is None else warnings, 1):
            notice = Notice(self)
            notice.setObjectName(f"review_warning_{number}")
            notice.say(sentence, WARNING)
            self._layout.addWidget(notice)
        self._layout.addWidget(self._payments(review))
        self._layout.addWidget(self._fee(review))
        change = [output for output in review.payments if output.kind is OutputKind.CHANGE]
        if change:
            self._layout.addWidget(self._change(change))
        spent = text_label(coins_spent(review), role="muted")
        spent.setObjectName("review_coins")
        self._layout.addWidget(spent)

    def clear(self) -> None:
        """Show nothing any more."""
        self.review = None
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                # At once: a review that is no longer true must not stay on the screen.
                widget.setParent(None)
                widget.deleteLater()

    def _payments(self, review: Review) -> QFrame:
        frame, layout = _card("review_payments")
        outgoing = review.outgoing
        if not outgoing:
            layout.addWidget(
                text_label("Nothing leaves this wallet: every amount but the fee comes back to it.")
            )
        for number, output in enumerate(outgoing, 1):
            if number > 1:
                layout.addWidget(line())
            caption = CAPTIONS[output.kind]
            if len(outgoing) > 1:
                caption = f"{number} of {len(outgoing)}: {caption}"
            _add_output(layout, output, caption, f"review_payment_{number}", percent=150)
        return frame

    def _fee(self, review: Review) -> QFrame:
        frame, layout = _card("review_fee_card")
        row = QHBoxLayout()
        row.addWidget(text_label("Network fee", role="muted", wrap=False))
        row.addStretch(1)
        fee = MoneyLabel("Network fee")
        fee.setObjectName("review_fee")
        fee.set_amount(review.fee_sat)
        row.addWidget(fee)
        layout.addLayout(row)
        detail = text_label(fee_detail(review), role="muted")
        detail.setObjectName("review_fee_detail")
        layout.addWidget(detail)
        layout.addWidget(line())
        row = QHBoxLayout()
        row.addWidget(text_label("Leaves the wallet in all", wrap=False))
        row.addStretch(1)
        total = MoneyLabel("Leaves the wallet in all", bold=True)
        total.setObjectName("review_total")
        total.set_amount(review.sent_sat + review.fee_sat)
        row.addWidget(total)
        layout.addLayout(row)
        return frame

    def _change(self, change: Sequence[ReviewOutput]) -> QFrame:
        frame, layout = _card("review_change")
        for number, output in enumerate(change, 1):
            if number > 1:
                layout.addWidget(line())
            _add_output(layout, output, CAPTIONS[output.kind], f"review_change_{number}")
        return frame


def _card(name: str) -> tuple[QFrame, QVBoxLayout]:
    frame = card()
    frame.setObjectName(name)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(20, 16, 20, 16)
    layout.setSpacing(8)
    return frame, layout


def _add_output(
    layout: QVBoxLayout, output: ReviewOutput, caption: str, name: str, *, percent: int = 100
) -> None:
    role = "warning" if output.kind is OutputKind.OWN_UNUSUAL else "muted"
    layout.addWidget(text_label(caption, role=role))
    if output.amount_sat or output.kind is not OutputKind.DATA:
        amount = MoneyLabel(caption, percent=percent, bold=percent > 100)
        amount.setObjectName(f"{name}_amount")
        amount.set_amount(output.amount_sat)
        layout.addWidget(amount)
    if output.address:
        address = AddressLabel(f"{caption} {format_btc(output.amount_sat)} BTC to address")
        address.set_address(output.address)
        address.setObjectName(f"{name}_address")
        layout.addWidget(address)
    else:
        script = text_label(destination(output))
        script.setObjectName(f"{name}_script")
        layout.addWidget(script)
