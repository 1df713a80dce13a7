"""CopyLine: a line to be pasted elsewhere, with the button that copies it and looks after it."""

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import set_role, text_label

_CHECK_MS = 400
_LINES, _LONGEST = 6, 20_000


def copy_text(text: str) -> bool:
    """Put a text on the clipboard; whether the clipboard then holds exactly it."""
    clipboard = QGuiApplication.clipboard()
    clipboard.setText(text)
    return clipboard.text() == text


class CopyLine(QWidget):
    """Shows the line whole, in letters that can be told apart; it can be selected, not changed."""

    copied = Signal(str)

    def __init__(
        self, name: str, spoken: str, parent: QWidget | None = None, *, lines: int = _LINES
    ) -> None:
        """`name` is that of the objects, `spoken` what is heard; more than `lines` scroll."""
        super().__init__(parent)
        self._lines = lines
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self._spoken = spoken
        self.setObjectName(name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.field = QPlainTextEdit()
        self.field.setObjectName(f"{name}_text")
        self.field.setAccessibleName(spoken)
        self.field.setReadOnly(True)
        self.field.setTabChangesFocus(True)
        use_font(self.field, percent=92, monospace=True)
        layout.addWidget(self.field)
        row = FlowLayout(spacing=10)
        self.button = QPushButton("Copy")
        self.button.setObjectName(f"{name}_copy")
        self.button.clicked.connect(self._copy)
        row.addWidget(self.button)
        self.said = text_label(role="muted")
        self.said.setContentsMargins(0, 8, 0, 8)
        row.addWidget(self.said)
        layout.addLayout(row)
        self.show_line("")

    @property
    def line(self) -> str:
        return self.field.toPlainText()

    def show_line(self, text: str, button: str = "Copy") -> None:
        """Show another line; `button` says what copying it is good for."""
        self.field.setPlainText(text[:_LONGEST])
        self.button.setText(button.replace("&", "&&"))
        self.button.setAccessibleName(button)
        self._say("")
        self._fit()

    def _say(self, text: str, role: str = "muted") -> None:
        self.said.setText(text)
        self.said.setVisible(bool(text))
        set_role(self.said, role)

    def _fit(self) -> None:
        """As high as its lines, up to a few: then it scrolls."""
        metrics = self.field.fontMetrics()
        # QPlainTextEdit measures its document in lines.
        lines = max(1, round(self.field.document().size().height()))
        margins = self.field.contentsMargins()
        inside = round(2 * self.field.document().documentMargin())
        height = min(lines, self._lines) * metrics.lineSpacing() + inside
        self.field.setFixedHeight(height + margins.top() + margins.bottom() + 10)

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def _copy(self) -> None:
        text = self.line
        copy_text(text)
        # Another program may replace it right after: that is looked for.
        QTimer.singleShot(_CHECK_MS, self, lambda: self._check(text))

    def _check(self, text: str) -> None:
        if QGuiApplication.clipboard().text() == text:
            self._say("Copied.")
            self.copied.emit(text)
        else:
            self._say("The clipboard did not keep it. Try again.", "negative")
