"""The field in which an amount of money is typed; its value is an integer of satoshis."""

from PySide6.QtCore import QLocale, Qt, Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from wallet_gui.primitives.amount import format_btc, parse_btc
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.fonts import use_font


class AmountEdit(QLineEdit):
    """Takes BTC with up to eight decimals, ASCII digits and a point, in every locale."""

    amount_changed = Signal(object)

    def __init__(self, caption: str = "Amount in BTC", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._caption = caption
        self.setLocale(QLocale.c())
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self, monospace=True)
        self.setPlaceholderText("0.00000000")
        self.setMaxLength(24)
        self.setAccessibleName(caption)
        self.textChanged.connect(self._check)

    @property
    def amount_sat(self) -> int | None:
        """The amount in satoshis; None while the field is empty or not an amount."""
        text = self.text().strip()
        if not text:
            return None
        try:
            return parse_btc(text)
        except ParseError:
            return None

    @property
    def problem(self) -> str:
        """What is wrong with the text, as one sentence; empty when it is fine or empty."""
        text = self.text().strip()
        if not text or self.amount_sat is not None:
            return ""
        if "," in text:
            return "Write the amount with a point, not a comma: 0.5"
        return "Write the amount in BTC with digits and a point, up to eight decimals: 0.00125"

    def set_amount(self, sat: int | None) -> None:
        """Show an amount in satoshis; None empties the field."""
        self.setText("" if sat is None else format_btc(sat, trim=True))

    def _check(self) -> None:
        problem = self.problem
        self.setProperty("invalid", "true" if problem else "false")
        self.style().unpolish(self)
        self.style().polish(self)
        self.setAccessibleDescription(problem)
        self.amount_changed.emit(self.amount_sat)
