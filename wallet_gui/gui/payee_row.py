"""One recipient of a payment: an address or bitcoin: link, an amount, a label."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QGridLayout,
    QLineEdit,
    QPushButton,
    QWidget,
)

from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.widgets.amount_edit import AmountEdit
from wallet_gui.widgets.clipboard import clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import resized_label, set_role, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.text import chunked, plain

if TYPE_CHECKING:
    from wallet_gui.wallet.spend import Recipient

_SCHEME = "bitcoin:"


class PayeeRow(QFrame):
    """Reads one recipient; `problem` says in a sentence what is missing."""

    changed = Signal()
    remove_wanted = Signal()
    max_wanted = Signal(bool)

    def __init__(self, params: ChainParams, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self._params = params
        self._script: bytes | None = None
        self._address_problem = ""
        layout = QGridLayout(self)
        layout.setContentsMargins(20, 14, 20, 16)
        layout.setHorizontalSpacing(14)
        layout.setVerticalSpacing(9)
        self.title = resized_label("", 100)
        self.remove = QPushButton("Remove")
        self.remove.setProperty("role", "plain")
        self.payee = QLineEdit()
        self.payee.setPlaceholderText("Address or bitcoin: link")
        self.payee.setMaxLength(4096)
        self.payee.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self.payee, monospace=True)
        self.amount = AmountEdit()
        self.label = QLineEdit()
        self.label.setPlaceholderText("What it is for (only you see it)")
        self.label.setMaxLength(200)
        self.max_box = QCheckBox("Everything that is left")
        self.echo = text_label(role="muted")
        self.echo.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self.echo, monospace=True)
        layout.addWidget(self.title, 0, 0, 1, 2)
        layout.addWidget(self.remove, 0, 2)
        layout.addWidget(text_label("Pay to", role="muted", wrap=False), 1, 0)
        layout.addWidget(self.payee, 1, 1, 1, 2)
        layout.addWidget(self.echo, 2, 1, 1, 2)
        layout.addWidget(text_label("Amount (BTC)", role="muted", wrap=False), 3, 0)
        amounts = FlowLayout(spacing=12)
        self.amount.setMinimumWidth(220)
        amounts.addWidget(self.amount)
        amounts.addWidget(self.max_box)
        layout.addLayout(amounts, 3, 1, 1, 2)
        layout.addWidget(text_label("Label", role="muted", wrap=False), 4, 0)
        layout.addWidget(self.label, 4, 1, 1, 2)
        layout.setColumnStretch(1, 1)
        self.payee.textChanged.connect(self._read_payee)
        self.amount.textChanged.connect(lambda _: self.changed.emit())
        self.label.textChanged.connect(lambda _: self.changed.emit())
        self.max_box.toggled.connect(self._toggle_max)
        self.remove.clicked.connect(self.remove_wanted.emit)
        self._show_echo("", "muted")
        self.set_number(number, 1)

    def set_number(self, number: int, count: int) -> None:
        """Name the controls after the place in the list, counted from 1."""
        for widget, name, spoken in (
            (self.payee, "payee", "Pay to: address or bitcoin link"),
            (self.amount, "amount", "Amount in BTC"),
            (self.label, "label", "Label"),
            (self.max_box, "max", "Send everything that is left"),
            (self.remove, "remove", "Remove recipient"),
        ):
            widget.setObjectName(f"send_{name}_{number}")
            suffix = f", recipient {number}" if count > 1 else ""
            widget.setAccessibleName(f"{spoken}{suffix}")
        self.title.setText(f"Recipient {number}")
        self.title.setVisible(count > 1)
        self.remove.setVisible(count > 1)

    @property
    def is_empty(self) -> bool:
        return not self.payee.text().strip() and not self.amount.text().strip()

    @property
    def problem(self) -> str:
        """What is missing or wrong, as one sentence; empty when the row is complete."""
        if not self.payee.text().strip():
            return "Enter the address to pay to."
        if self._script is None:
            return self._address_problem
        if self.max_box.isChecked():
            return ""
        if self.amount.problem:
            return self.amount.problem
        if not self.amount.amount_sat:
            return "Enter the amount to send."
        return ""

    @property
    def first_wrong(self) -> QWidget:
        """The field that `problem` speaks of."""
        return self.payee if self._script is None else self.amount

    def recipient(self) -> "Recipient":
        """The recipient; only when `problem` is empty."""
        # Loaded with the first payment: it brings the whole wallet, which the window starts without
        from wallet_gui.wallet.spend import Recipient  # noqa: PLC0415

        if self._script is None:
            raise ParseError(self._address_problem)
        amount = None if self.max_box.isChecked() else self.amount.amount_sat
        return Recipient(self._script, amount, plain(self.label.text()))

    def set_uri(self, uri: PaymentUri) -> None:
        """Fill the row from a bitcoin: link."""
        show_text(self.payee, uri.address)
        if uri.amount_sat is not None:
            self.max_box.setChecked(False)
            self.amount.set_amount(uri.amount_sat)
        if uri.label or uri.message:
            show_text(self.label, plain(uri.label or uri.message))

    def clear(self) -> None:
        """Empty every field."""
        self.max_box.setChecked(False)
        for edit in (self.payee, self.amount, self.label):
            edit.clear()

    def _toggle_max(self, checked: bool) -> None:  # noqa: FBT001 - a Qt slot
        self.amount.setEnabled(not checked)
        if checked:
            self.amount.clear()
        self.max_wanted.emit(checked)
        self.changed.emit()

    def _read_payee(self, text: str) -> None:
        # What is pasted may be broken over lines or in groups of four, as this program shows it.
        is_link = text.strip()[: len(_SCHEME)].lower() == _SCHEME
        text = text.strip() if is_link else "".join(text.split())
        self._script, self._address_problem = None, ""
        if is_link:
            try:
                uri = PaymentUri.parse(text, self._params)
            except ParseError as error:
                self._address_problem = str(error)
            else:
                self.set_uri(uri)
                self.payee.end(False)  # whoever types goes on there
                return
        elif text:
            try:
                self._script = script_from_address(text, self._params)
            except ParseError as error:
                self._address_problem = str(error)
        is_wrong = bool(text) and self._script is None
        self.payee.setProperty("invalid", "true" if is_wrong else "false")
        self.payee.style().unpolish(self.payee)
        self.payee.style().polish(self.payee)
        self.payee.setAccessibleDescription(self._address_problem)
        doubt = "" if is_wrong else clipboard().doubt_about(text)
        # The address as it was understood, in groups of four to compare with its source.
        if is_wrong:
            self._show_echo(self._address_problem, "negative")
        elif doubt:
            self._show_echo(f"{doubt} {chunked(text)}", "negative")
        else:
            self._show_echo(chunked(text), "muted")
        self.changed.emit()

    def _show_echo(self, text: str, role: str) -> None:
        self.echo.setText(text)
        self.echo.setVisible(bool(text))
        set_role(self.echo, role)
        use_font(self.echo, monospace=role == "muted")
