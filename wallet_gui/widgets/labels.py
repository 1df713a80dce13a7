"""Labels that cannot be tricked: plain text always, and names that never hide their value."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QSizePolicy, QWidget

from wallet_gui.primitives.amount import format_btc
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.text import chunked


def text_label(text: str = "", *, role: str = "", wrap: bool = True) -> QLabel:
    """A label of plain text. `role` picks its colour in the style sheet: muted, warning, ..."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(wrap)
    if role:
        set_role(label, role)
    return label


def heading(text: str, percent: int = 160) -> QLabel:
    """A heading in the text font at `percent` of its size."""
    return resized_label(text, percent)


def caption(text: str, field: QWidget, *, beside: bool = False) -> QLabel:
    """The label of a field, above or `beside` it; "&" marks the letter that leads to it."""
    label = text_label(text, wrap=not beside)
    if beside:
        # As high as the field, whose text it then stands level with.
        label.setContentsMargins(0, 8, 0, 8)
    label.setBuddy(field)
    return label


def resized_label(text: str, percent: int) -> QLabel:
    """A wrapped label in the semi-bold text font at `percent` of its size."""
    label = text_label(text)
    use_font(label, percent=percent, bold=True)
    return label


def set_role(widget: QWidget, role: str) -> None:
    """Change the style-sheet role of a widget that may already be on screen."""
    if widget.property("role") == role:
        return
    widget.setProperty("role", role)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def line() -> QFrame:
    """A thin horizontal rule."""
    frame = QFrame()
    frame.setProperty("role", "line")
    return frame


def card() -> QFrame:
    """A rounded surface that holds things that belong together."""
    frame = QFrame()
    frame.setProperty("role", "card")
    return frame


class MoneyLabel(QLabel):
    """An amount in BTC with aligned digits; a screen reader hears its caption and its value."""

    def __init__(
        self, caption: str, *, percent: int = 100, bold: bool = False, align_right: bool = False
    ) -> None:
        super().__init__()
        self._caption = caption
        self._is_hidden = False
        self._instead = ""
        self._sat: int | None = None
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        use_font(self, percent=percent, bold=bold, monospace=True)
        if align_right:
            self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.set_amount(None)

    @property
    def amount_sat(self) -> int | None:
        return self._sat

    def set_amount(self, sat: int | None) -> None:
        """Show an amount in satoshis, or a dash while it is not known."""
        self._sat = sat
        self._show()

    def set_instead(self, words: str) -> None:
        """Show words in place of an amount that must not be believed; "" shows it again."""
        self._instead = words
        self._show()

    def set_hidden(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        """Mask the amount, on screen and for screen readers."""
        self._is_hidden = hidden
        self._show()

    def _show(self) -> None:
        if self._is_hidden:
            text = "\u2022\u2022\u2022\u2022 BTC"
            spoken = "hidden"
        elif self._instead:
            text = spoken = self._instead
        elif self._sat is None:
            text, spoken = "\u2013", "not known yet"
        else:
            text = spoken = f"{format_btc(self._sat)} BTC"
        self.setText(text)
        self.setAccessibleName(f"{self._caption}: {spoken}")


class AddressLabel(QLabel):
    """An address in groups of four, monospace, selectable; copying gives it whole."""

    def __init__(self, caption: str = "Address") -> None:
        super().__init__()
        self._caption = caption
        self.address = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        use_font(self, monospace=True)
        self.set_address("")

    def set_address(self, address: str) -> None:
        self.address = address
        self.setText(chunked(address))
        self.setAccessibleName(f"{self._caption}: {address or 'none yet'}")
