"""Send: who gets how much at which fee; the review itself is drawn by the vault."""

import itertools
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.gui.broadcast_ladder import BroadcastLadder
from wallet_gui.gui.fee_choice import FeeChoice
from wallet_gui.gui.payee_row import PayeeRow
from wallet_gui.gui.wallet_model import CHECKING_AGAIN, WalletModel
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.wallet.snapshot import Balance, Signing
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import MoneyLabel, card, heading, set_role, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.text import plain

if TYPE_CHECKING:
    from wallet_gui.wallet.draft import SpendPlan
    from wallet_gui.wallet.spend import Recipient

MAX_RECIPIENTS = 100
_PREVIEW_DELAY_MS = 250
_OFFLINE = {
    Signing.HERE: "Sign on my offline co&mputer",
    Signing.ELSEWHERE: "Sign on my offline co&mputer",
    Signing.TOGETHER: "Sign with the cosi&gners",
}


class SendPage(QWidget):
    """Collects a payment; `preview_wanted` as it is typed, `review_wanted` when it is ready.

    With `offline_wanted` it is to be signed on another computer. All three carry the recipients,
    the fee rate, and whether a fee that looks like a mistake was confirmed.
    """

    preview_wanted = Signal(object, object, bool)
    review_wanted = Signal(object, object, bool)
    offline_wanted = Signal(object, object, bool)

    def __init__(self, wallet: WalletModel, params: ChainParams, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("send_page")
        self.setProperty("role", "page")
        self._params = params
        self._is_busy = False
        self._is_complaining = False
        self._signing = Signing.HERE
        self.rows: list[PayeeRow] = []
        self._row_buttons: list[QPushButton] = []
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        page = Page("send_form", self, spacing=14)
        outer.addWidget(page, 1)
        page.body.addLayout(self._make_title(wallet))
        self._list = QVBoxLayout()
        self._list.setSpacing(12)
        page.body.addLayout(self._list)
        page.body.addLayout(self._make_row_buttons())
        page.body.addWidget(self._make_fee_card())
        page.body.addStretch(1)
        outer.addWidget(self._make_bottom(page.gutter))
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PREVIEW_DELAY_MS)
        self._timer.timeout.connect(self._ask_preview)
        wallet.balance_changed.connect(self._show_balance)
        wallet.check_changed.connect(
            lambda *_: self.available.set_instead(CHECKING_AGAIN if wallet.is_doubted else "")
        )
        wallet.privacy_changed.connect(self._hide_amounts)
        wallet.changed.connect(lambda snapshot: self._show_signing(snapshot.signing))
        wallet.wallet_changed.connect(lambda _: self._forget())
        self.add_row()

    # --- building

    def _make_title(self, wallet: WalletModel) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(heading("Send"), 1)
        row.addWidget(text_label("Spendable", role="muted", wrap=False))
        self.available = MoneyLabel("Spendable")
        self.available.setObjectName("send_available")
        self.available.set_hidden(wallet.hides_amounts)
        row.addWidget(self.available)
        return row

    def _make_row_buttons(self) -> FlowLayout:
        row = FlowLayout(spacing=10)
        for text, name, slot in (
            ("&Add recipient", "send_add", self.add_row),
            ("&Clear", "send_clear", self.clear),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text.replace("&", ""))
            button.setProperty("role", "plain")
            button.clicked.connect(slot)
            row.addWidget(button)
            self._row_buttons.append(button)
        return row

    def _make_fee_card(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(20, 14, 20, 16)
        layout.setSpacing(12)
        self.fees = FeeChoice(self)
        self.fee_choice, self.fee_rate = self.fees.choice, self.fees.rate
        self.fees.changed.connect(self._changed)
        layout.addWidget(self.fees)
        layout.addWidget(self._make_costs())
        self.notes = text_label(role="warning")
        self.notes.setObjectName("send_notes")
        self.notes.hide()
        layout.addWidget(self.notes)
        self.high_fee = QCheckBox("Pay this high fee all the same")
        self.high_fee.setObjectName("send_high_fee")
        self.high_fee.setAccessibleName("Pay this high fee all the same")
        self.high_fee.hide()
        self.high_fee.toggled.connect(lambda _: self._ask_preview())
        layout.addWidget(self.high_fee)
        return frame

    def _make_costs(self) -> QWidget:
        """The amounts of the payment under each other, so that their digits align."""
        self.costs = QWidget()
        grid = QGridLayout(self.costs)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        self.amounts: dict[str, MoneyLabel] = {}
        self._captions: dict[str, QLabel] = {}
        for row, (key, text) in enumerate(
            (
                ("payments", "To the recipients"),
                ("fee", "Fee"),
                ("total", "Leaves the wallet"),
                ("change", "Comes back as change"),
            )
        ):
            caption = text_label(text, role="muted", wrap=False)
            amount = MoneyLabel(text, bold=key == "total", align_right=True)
            amount.setObjectName(f"send_{key}")
            grid.addWidget(caption, row, 0)
            grid.addWidget(amount, row, 1)
            self._captions[key], self.amounts[key] = caption, amount
        grid.setColumnStretch(2, 1)
        self.costs.hide()
        return self.costs

    def _make_bottom(self, gutter: int) -> QFrame:
        frame = QFrame()
        frame.setProperty("role", "bottom-bar")
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(28, 10, 28 + gutter, 12)
        layout.setSpacing(8)
        self.ladder = BroadcastLadder("send_ladder", self)
        layout.addWidget(self.ladder)
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        row = QHBoxLayout()
        row.setSpacing(12)
        self.missing = text_label(role="muted")
        self.missing.setObjectName("send_missing")
        row.addWidget(self.missing, 1)
        self.offline_button = QPushButton(_OFFLINE[Signing.HERE])
        self.offline_button.setObjectName("send_offline")
        self.offline_button.setAccessibleName("Sign on my offline computer")
        self.offline_button.clicked.connect(self._ask_offline)
        row.addWidget(self.offline_button)
        self.review_button = QPushButton("Re&view and sign")
        self.review_button.setObjectName("send_review")
        self.review_button.setAccessibleName("Review and sign")
        self.review_button.setProperty("role", "primary")
        self.review_button.clicked.connect(self._ask_review)
        row.addWidget(self.review_button)
        layout.addLayout(row)
        return frame

    # --- recipients

    def add_row(self) -> None:
        """Add an empty recipient."""
        if len(self.rows) >= MAX_RECIPIENTS:
            self.notice.say(f"One payment has at most {MAX_RECIPIENTS} recipients.", WARNING)
            return
        row = PayeeRow(self._params, len(self.rows) + 1, self)
        row.changed.connect(self._changed)
        row.remove_wanted.connect(lambda: self._remove(row))
        row.max_wanted.connect(lambda checked: self._only_one_max(row, checked))
        for edit in (row.payee, row.amount, row.label):
            edit.returnPressed.connect(self._ask_review)
        self.rows.append(row)
        self._list.addWidget(row)
        self._set_tab_order()
        self._renumber()
        if self.isVisible():
            # Not while the pages are made: the keyboard is elsewhere then.
            row.payee.setFocus()
        self._changed()

    def _set_tab_order(self) -> None:
        # Rows are made after the fields below them: without this Tab would reach them last.
        order: list[QWidget] = []
        for row in self.rows:
            order += [row.remove, row.payee, row.amount, row.max_box, row.label]
        order += [
            *self._row_buttons,
            self.fee_choice,
            self.fee_rate,
            self.high_fee,
            self.offline_button,
            self.review_button,
        ]
        for before, after in itertools.pairwise(order):
            QWidget.setTabOrder(before, after)

    def _remove(self, row: PayeeRow) -> None:
        if len(self.rows) == 1:
            row.clear()
            return
        self.rows.remove(row)
        self._list.removeWidget(row)
        row.hide()
        row.deleteLater()
        self._renumber()
        self._changed()

    def _renumber(self) -> None:
        for number, row in enumerate(self.rows, 1):
            row.set_number(number, len(self.rows))

    def _only_one_max(self, row: PayeeRow, checked: bool) -> None:  # noqa: FBT001 - a Qt slot
        if checked:
            for other in self.rows:
                if other is not row:
                    other.max_box.setChecked(False)

    def fill(self, uri: PaymentUri) -> None:
        """Fill the form from a bitcoin: link that the person opened; nothing is sent by itself."""
        self.clear()
        self.rows[0].set_uri(uri)

    def clear(self) -> None:
        """Empty the form."""
        while len(self.rows) > 1:
            self._remove(self.rows[-1])
        self.rows[0].clear()
        self.notice.clear()
        self.fees.reset()
        self.set_ready()
        self._changed()
        self._timer.stop()

    def _forget(self) -> None:
        self.clear()
        self.available.set_amount(None)

    # --- what is missing, the preview, the review

    @property
    def problem(self) -> str:
        """What keeps the payment from being reviewed, as one sentence."""
        for number, row in enumerate(self.rows, 1):
            if row.problem:
                return f"Recipient {number}: {row.problem}" if len(self.rows) > 1 else row.problem
        return self.fees.read()[1]

    def _changed(self) -> None:
        self._forget_plan()
        if self._is_complaining:
            self._is_complaining = False
            self.notice.clear()
        self.high_fee.blockSignals(True)
        self.high_fee.setChecked(False)
        self.high_fee.blockSignals(False)
        self.high_fee.hide()
        self.missing.setText("" if all(row.is_empty for row in self.rows) else self.problem)
        self._timer.start()

    def _forget_plan(self) -> None:
        self.costs.hide()
        for amount in self.amounts.values():
            amount.set_amount(None)
        self.notes.clear()
        self.notes.hide()

    def _payment(self) -> "tuple[tuple[Recipient, ...], FeeRate, bool] | None":
        rate, problem = self.fees.read()
        if rate is None or problem or any(row.problem for row in self.rows):
            return None
        allow = self.high_fee.isChecked() and not self.high_fee.isHidden()
        return tuple(row.recipient() for row in self.rows), rate, allow

    def _ask_preview(self) -> None:
        payment = self._payment()
        if payment is not None and not self._is_busy:
            self.preview_wanted.emit(*payment)

    def show_preview(self, plan: "SpendPlan") -> None:
        """Show what the payment would cost."""
        self._captions["fee"].setText(f"Fee ({plan.vsize:,} vB at {plan.fee_rate} sat/vB)")
        self.amounts["payments"].set_amount(plan.payments_sat)
        self.amounts["fee"].set_amount(plan.fee_sat)
        self.amounts["total"].set_amount(plan.payments_sat + plan.fee_sat)
        self.amounts["change"].set_amount(plan.change_sat)
        for widget in (self._captions["change"], self.amounts["change"]):
            widget.setVisible(plan.change_sat is not None)
        self.costs.show()
        self.notes.setText("\n".join(plain(note, 400) for note in plan.notes))
        self.notes.setVisible(bool(plan.notes))
        self.missing.clear()

    def show_preview_failure(self, sentence: str, *, is_high_fee: bool = False) -> None:
        """Say why the payment cannot be made as it is; a high fee may be confirmed."""
        self._forget_plan()
        self.missing.setText(plain(sentence, 400))
        self.high_fee.setVisible(is_high_fee)

    def _show_signing(self, signing: Signing) -> None:
        """Offer what the keys of this wallet can do."""
        if signing is self._signing:
            return
        self._signing = signing
        self.review_button.setVisible(signing is Signing.HERE)
        words = _OFFLINE[signing]
        self.offline_button.setText(words)
        self.offline_button.setAccessibleName(words.replace("&", ""))
        set_role(self.offline_button, "" if signing is Signing.HERE else "primary")

    def _complete(self) -> "tuple[tuple[Recipient, ...], FeeRate, bool] | None":
        """The payment; None when something is missing, which is then said."""
        payment = None if self._is_busy else self._payment()
        if payment is None and not self._is_busy:
            # Never just grey: the button says what is missing.
            self.notice.say(self.problem, ERROR)
            self._is_complaining = True
            self.missing.clear()
            wrong = next((row for row in self.rows if row.problem), None)
            (self.fee_rate if wrong is None else wrong.first_wrong).setFocus()
        return payment

    def _ask_review(self) -> None:
        if self._signing is not Signing.HERE:
            self._ask_offline()
            return
        payment = self._complete()
        if payment is not None:
            self.set_busy("Opening the review. It is drawn by the vault, which holds the keys.")
            self.review_wanted.emit(*payment)

    def _ask_offline(self) -> None:
        payment = self._complete()
        if payment is not None:
            self.set_busy("Preparing the payment.")
            self.offline_wanted.emit(*payment)

    def set_busy(self, sentence: str) -> None:
        """Say what is going on and hold the review button back."""
        self._is_busy = True
        self.ladder.clear()
        self.review_button.setEnabled(False)
        self.offline_button.setEnabled(False)
        self.notice.say(sentence, INFORMATION)

    def set_ready(self) -> None:
        """Let the person go on."""
        self._is_busy = False
        self.review_button.setEnabled(True)
        self.offline_button.setEnabled(True)

    def show_sent(self) -> None:
        """The payment is signed: empty the form; the ladder says how far it gets."""
        self.clear()

    def show_failure(self, sentence: str, *, is_high_fee: bool = False) -> None:
        """The payment was not made; the form keeps everything."""
        self.set_ready()
        self.notice.say(sentence, ERROR)
        self.high_fee.setVisible(is_high_fee)

    def show_cancelled(self) -> None:
        """The person closed the review."""
        self.set_ready()
        self.notice.say("Nothing was signed and nothing was sent.", INFORMATION)

    def _hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        for label in (self.available, *self.amounts.values()):
            label.set_hidden(hidden)

    def _show_balance(self, balance: Balance) -> None:
        self.available.set_amount(balance.spendable)
        self._timer.start()
