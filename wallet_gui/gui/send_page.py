"""Send: who gets how much at which fee; the review itself is drawn by the vault."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.gui.payee_row import PayeeRow
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.amount import FeeRate, format_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.wallet.draft import SpendPlan
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.wallet.spend import Recipient
from wallet_gui.widgets.labels import MoneyLabel, card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice

MAX_RECIPIENTS = 100
_PREVIEW_DELAY_MS = 250
# Without a source of fee advice these are starting points; an own rate can always be typed.
_FEE_CHOICES = (
    ("Whenever there is room", FeeRate(1_000)),
    ("Within hours", FeeRate(3_000)),
    ("Soon", FeeRate(10_000)),
)
_DEFAULT_CHOICE = 1


class SendPage(QWidget):
    """Collects a payment; `preview_wanted` as it is typed, `review_wanted` when it is ready."""

    preview_wanted = Signal(object, object)
    review_wanted = Signal(object, object)

    def __init__(self, wallet: WalletModel, params: ChainParams, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("send_page")
        self.setProperty("role", "page")
        self._params = params
        self._is_busy = False
        self._plan: SpendPlan | None = None
        self.rows: list[PayeeRow] = []
        outer = QVBoxLayout(self)
        outer.setContentsMargins(28, 24, 28, 24)
        outer.setSpacing(14)
        outer.addLayout(self._make_title(wallet))
        self.notice = Notice(self)
        outer.addWidget(self.notice)
        outer.addWidget(self._make_recipients(), 1)
        outer.addWidget(self._make_fee_card())
        outer.addLayout(self._make_buttons())
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PREVIEW_DELAY_MS)
        self._timer.timeout.connect(self._ask_preview)
        wallet.balance_changed.connect(self._show_balance)
        wallet.privacy_changed.connect(self.available.set_hidden)
        wallet.wallet_changed.connect(lambda _: self.clear())
        self.add_row()

    def _make_title(self, wallet: WalletModel) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(heading("Send"))
        row.addStretch(1)
        row.addWidget(text_label("Spendable", role="muted", wrap=False))
        self.available = MoneyLabel("Spendable")
        self.available.setObjectName("send_available")
        self.available.set_hidden(wallet.hides_amounts)
        row.addWidget(self.available)
        return row

    def _make_recipients(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(4, 4, 4, 4)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        inner = QWidget()
        self._list = QVBoxLayout(inner)
        self._list.setContentsMargins(16, 14, 16, 14)
        self._list.setSpacing(22)
        self._list.addStretch(1)
        scroll.setWidget(inner)
        layout.addWidget(scroll)
        return frame

    def _make_fee_card(self) -> QWidget:
        frame = card()
        row = QHBoxLayout(frame)
        row.setContentsMargins(20, 12, 20, 12)
        row.setSpacing(12)
        row.addWidget(text_label("Fee", wrap=False))
        self.fee_choice = QComboBox()
        self.fee_choice.setObjectName("send_fee_choice")
        self.fee_choice.setAccessibleName("How soon it should confirm")
        for words, rate in _FEE_CHOICES:
            self.fee_choice.addItem(f"{words} ({rate} sat/vB)", rate.sat_per_kvb)
        self.fee_choice.addItem("Own rate", None)
        self.fee_choice.setCurrentIndex(_DEFAULT_CHOICE)
        row.addWidget(self.fee_choice)
        self.fee_rate = QLineEdit(str(_FEE_CHOICES[_DEFAULT_CHOICE][1]))
        self.fee_rate.setObjectName("send_fee_rate")
        self.fee_rate.setAccessibleName("Fee rate in satoshis per virtual byte")
        self.fee_rate.setMaxLength(12)
        self.fee_rate.setMaximumWidth(110)
        row.addWidget(self.fee_rate)
        row.addWidget(text_label("sat/vB", role="muted", wrap=False))
        row.addStretch(1)
        self.fee_text = text_label(role="muted", wrap=False)
        self.fee_text.setObjectName("send_fee")
        row.addWidget(self.fee_text)
        self.fee_choice.currentIndexChanged.connect(self._choose_fee)
        self.fee_rate.textEdited.connect(self._type_fee)
        return frame

    def _make_buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for text, name, slot, role in (
            ("&Add recipient", "send_add", self.add_row, ""),
            ("&Clear", "send_clear", self.clear, "plain"),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text.replace("&", ""))
            button.setProperty("role", role)
            button.clicked.connect(slot)
            row.addWidget(button)
        self.missing = text_label(role="muted")
        self.missing.setObjectName("send_missing")
        row.addWidget(self.missing, 1)
        self.review_button = QPushButton("Re&view and sign")
        self.review_button.setObjectName("send_review")
        self.review_button.setAccessibleName("Review and sign")
        self.review_button.setProperty("role", "primary")
        self.review_button.clicked.connect(self._ask_review)
        row.addWidget(self.review_button)
        return row

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
        self.rows.append(row)
        self._list.insertWidget(self._list.count() - 1, row)
        self._renumber()
        row.payee.setFocus()
        self._changed()

    def _remove(self, row: PayeeRow) -> None:
        if len(self.rows) == 1:
            row.clear()
            return
        self.rows.remove(row)
        row.deleteLater()
        self._renumber()
        self._changed()

    def _renumber(self) -> None:
        for number, row in enumerate(self.rows, 1):
            row.set_number(number)
            row.remove.setVisible(len(self.rows) > 1)

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
        self.fee_choice.setCurrentIndex(_DEFAULT_CHOICE)
        self._is_busy = False
        self._changed()

    # --- the fee

    def _choose_fee(self, index: int) -> None:
        rate = self.fee_choice.itemData(index)
        if rate is None:
            self.fee_rate.setFocus()
            self.fee_rate.selectAll()
        else:
            self.fee_rate.setText(str(FeeRate(rate)))
        self._changed()

    def _type_fee(self, _text: str) -> None:
        self.fee_choice.blockSignals(True)
        self.fee_choice.setCurrentIndex(self.fee_choice.count() - 1)
        self.fee_choice.blockSignals(False)
        self._changed()

    def _read_rate(self) -> tuple[FeeRate | None, str]:
        text = self.fee_rate.text().strip()
        if not text:
            return None, "Enter a fee rate in sat/vB, such as 2.5."
        try:
            rate = FeeRate.parse(text)
        except ParseError as error:
            return None, str(error)
        if rate.sat_per_kvb == 0:
            return None, "Without a fee nobody would confirm the payment: enter a rate above 0."
        return rate, ""

    # --- what is missing, the preview, the review

    @property
    def problem(self) -> str:
        """What keeps the payment from being reviewed, as one sentence."""
        for row in self.rows:
            if row.problem:
                return row.problem
        return self._read_rate()[1]

    def _changed(self) -> None:
        self._plan = None
        self.fee_text.clear()
        self.missing.setText("" if all(row.is_empty for row in self.rows) else self.problem)
        self._timer.start()

    def _payment(self) -> tuple[tuple[Recipient, ...], FeeRate] | None:
        rate, problem = self._read_rate()
        if rate is None or problem or any(row.problem for row in self.rows):
            return None
        return tuple(row.recipient() for row in self.rows), rate

    def _ask_preview(self) -> None:
        payment = self._payment()
        if payment is not None and not self._is_busy:
            self.preview_wanted.emit(*payment)

    def show_preview(self, plan: SpendPlan) -> None:
        """Show what the payment would cost."""
        self._plan = plan
        change = "" if plan.change_sat is None else f", {format_btc(plan.change_sat)} BTC change"
        self.fee_text.setText(f"{format_btc(plan.fee_sat)} BTC for {plan.vsize} vB")
        self.fee_text.setToolTip(f"Spends {len(plan.inputs)} coins{change}.")
        self.missing.clear()

    def show_preview_failure(self, sentence: str) -> None:
        """Say why the payment cannot be made as it is."""
        self.fee_text.clear()
        self.missing.setText(sentence)

    def _ask_review(self) -> None:
        payment = self._payment()
        if payment is None:
            # Never just grey: the button says what is missing.
            self.notice.say(self.problem, ERROR)
            return
        if self._is_busy:
            return
        self.set_busy("Opening the review. It is drawn by the vault, which holds the keys.")
        self.review_wanted.emit(*payment)

    def set_busy(self, sentence: str) -> None:
        """Say what is going on and hold the review button back."""
        self._is_busy = True
        self.review_button.setEnabled(False)
        self.notice.say(sentence, INFORMATION)

    def set_ready(self) -> None:
        """Let the person go on."""
        self._is_busy = False
        self.review_button.setEnabled(True)

    def show_sent(self, sentence: str) -> None:
        """The payment is out: empty the form and say how far it got."""
        self.clear()
        self.set_ready()
        self.notice.say(sentence, INFORMATION)

    def show_failure(self, sentence: str) -> None:
        """The payment was not made; the form keeps everything."""
        self.set_ready()
        self.notice.say(sentence, ERROR)

    def show_cancelled(self) -> None:
        """The person closed the review."""
        self.set_ready()
        self.notice.say("Nothing was signed and nothing was sent.", INFORMATION)

    def _show_balance(self, balance: Balance) -> None:
        self.available.set_amount(balance.spendable)
        self._timer.start()
