"""The sidebar: the wallet's name, and one button for each page of an open wallet."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from wallet_gui.widgets.labels import heading
from wallet_gui.widgets.text import tooltip

PAGES = (
    ("overview", "Overview"),
    ("receive", "Receive"),
    ("send", "Send"),
    ("history", "History"),
    ("psbt", "Sign (PSBT)"),
    ("peers", "Peers"),
    ("settings", "Settings"),
)
_WIDTH = 190


class Sidebar(QFrame):
    """Emits `chosen` with the key of a page."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("sidebar")
        self.setProperty("role", "sidebar")
        self.setMinimumWidth(_WIDTH)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 18, 12, 12)
        layout.setSpacing(4)
        self.wallet_name = heading("", 115)
        self.wallet_name.setObjectName("wallet_name")
        self.wallet_name.setMaximumWidth(_WIDTH)
        self.wallet_name.setContentsMargins(12, 0, 0, 10)
        layout.addWidget(self.wallet_name)
        group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        for number, (key, text) in enumerate(PAGES, 1):
            button = QPushButton(text)
            button.setObjectName(f"navigation_{key}")
            button.setAccessibleName(text)
            button.setProperty("role", "navigation")
            button.setCheckable(True)
            button.setToolTip(f"{text} (Ctrl+{number})")
            # Not `clicked`: a screen reader may toggle the button, which is no click.
            button.toggled.connect(lambda on, key=key: self.chosen.emit(key) if on else None)
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), parent)
            shortcut.activated.connect(lambda key=key: self._go(key))
            group.addButton(button)
            self.buttons[key] = button
            layout.addWidget(button)
        layout.addStretch(1)

    def show_name(self, name: str) -> None:
        """Show whose pages these are."""
        label = self.wallet_name
        label.setText(_elided(label, name))
        label.setToolTip(tooltip(name))
        label.setAccessibleName(f"Wallet: {name or 'none open'}")

    def _go(self, key: str) -> None:
        if self.isVisible():
            self.buttons[key].setChecked(True)
            self.chosen.emit(key)


def _elided(label: QLabel, text: str) -> str:
    width = label.maximumWidth() - 2 * label.contentsMargins().left()
    return label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, width)
