"""CopyLine: a line to be pasted elsewhere, with the button that copies it and looks after it."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPlainTextEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import set_role, text_label

_LINES, _LONGEST = 6, 20_000


class CopyLine(QWidget):
    """Shows the line whole, in letters that can be told apart; it can be selected, not changed."""

    copied = Signal(str)

    def __init__(
        self,
        name: str,
        spoken: str,
        parent: QWidget | None = None,
        *,
        lines: int = _LINES,
        is_private: bool = False,
    ) -> None:
        """`name` is that of the objects, `spoken` what is heard; more than `lines` scroll.

        What `is_private` does not stay on the clipboard.
        """
        super().__init__(parent)
        self._is_private = is_private
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

        def told(outcome: Copied) -> None:
            if outcome is Copied.KEPT:
                self._say(outcome.sentence(is_private=self._is_private))
                self.copied.emit(text)
            else:
                self._say(outcome.sentence(), "negative")

        clipboard().copy(text, self, told, is_private=self._is_private)
