"""A coloured strip with one sentence, and perhaps the button that mends what it says."""

from PySide6.QtGui import QAccessible, QAccessibleEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from wallet_gui.widgets.labels import set_role, text_label
from wallet_gui.widgets.text import plain

_LIMIT = 600
INFORMATION, WARNING, ERROR = "notice", "warning-notice", "error-notice"


class Notice(QFrame):
    """Hidden until it has something to say; a screen reader hears its text as its name."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._label = text_label()
        self.button = QPushButton()
        self.button.hide()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(12)
        layout.addWidget(self._label, 1)
        layout.addWidget(self.button)
        self.hide()

    @property
    def text(self) -> str:
        return self._label.text()

    def say(self, sentence: str, kind: str = INFORMATION) -> None:
        """Show one sentence; what it quotes from outside is made plain here once more."""
        sentence = plain(sentence, _LIMIT)
        set_role(self, kind)
        self._label.setText(sentence)
        self._label.setAccessibleName(sentence)
        self.setAccessibleName(sentence)
        self.show()
        if QAccessible.isActive():
            # A screen reader reads it out at once, wherever the keyboard is.
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    @property
    def kind(self) -> str:
        """What kind of sentence was said last: INFORMATION, WARNING or ERROR."""
        return str(self.property("role") or "")

    def clear(self) -> None:
        """Hide the strip and forget its sentence."""
        self._label.clear()
        self.setAccessibleName("")
        self.hide()
