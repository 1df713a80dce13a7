"""The page on which a payment is checked and signed."""

from PySide6.QtWidgets import QCheckBox, QLineEdit

from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.signing import FeeConcern, Payment
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import WARNING, Notice
from wallet_gui.widgets.review_view import ReviewView


class ReviewPage(VaultPage):
    """Shows what the vault itself read from the bytes; an unusual fee is confirmed apart."""

    def __init__(self, payment: Payment) -> None:
        super().__init__(
            "review",
            "Check this payment",
            "Compare each address with the one you were given, on paper or on another device. "
            "What you see here is what will be signed, and nothing else.",
            primary="&Sign",
        )
        self.payment = payment
        # A Return that was meant for the password must not sign.
        self.return_goes_on = False
        self.view = ReviewView()
        self.view.set_review(payment.review, payment.warnings)
        self.body.addWidget(self.view)
        self.fee_box: QCheckBox | None = None
        self.fee_edit: QLineEdit | None = None
        if payment.fee_concern is FeeConcern.UNUSUAL:
            self.body.addWidget(_question(payment))
            self.fee_box = QCheckBox("Pay this &fee all the same")
            self.fee_box.setObjectName("review_accept_fee")
            self.fee_box.setAccessibleName("Pay this fee all the same")
            self.body.addWidget(self.fee_box)
        elif payment.fee_concern is FeeConcern.EXTREME:
            self.body.addWidget(_question(payment))
            self.body.addWidget(
                text_label("This is almost surely a mistake. To pay it all the same, type the fee:")
            )
            self.fee_edit = QLineEdit()
            self.fee_edit.setObjectName("review_type_fee")
            self.fee_edit.setAccessibleName("The fee in satoshis, typed")
            self.fee_edit.setPlaceholderText("The fee in sat")
            self.body.addWidget(self.fee_edit)

    def opened(self) -> None:
        self.scroll_area.setFocus()

    def is_fee_confirmed(self) -> bool:
        """Whether the fee is usual or was confirmed; says what is missing otherwise."""
        if self.fee_box is not None and not self.fee_box.isChecked():
            self.refuse(
                "The fee is unusual. Lower it, or tick that it is to be paid all the same.",
                self.fee_box,
            )
            return False
        if self.fee_edit is not None:
            typed = "".join(c for c in self.fee_edit.text() if c not in " ,._'\u202f")
            if typed != str(self.payment.review.fee_sat):
                self.refuse(
                    f"To pay this fee, type it: {self.payment.review.fee_sat}. To lower it, press "
                    "Cancel.",
                    self.fee_edit,
                )
                return False
        self.notice.clear()
        return True


def _question(payment: Payment) -> Notice:
    notice = Notice()
    notice.setObjectName("review_fee_question")
    notice.say(payment.fee_question, WARNING)
    return notice
