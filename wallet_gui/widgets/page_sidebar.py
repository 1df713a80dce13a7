"""The sidebar of a window: the wallet's name, and one button for each page."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.widgets.labels import heading
from wallet_gui.widgets.text import plain, tooltip

_WIDTH = 190
_AIR = 16


class _PageButton(QPushButton):
    """Gives its air away, and none of its text, where the window is too low for all buttons."""

    def sizeHint(self) -> QSize:
        return super().sizeHint() + QSize(0, _AIR)

    def minimumSizeHint(self) -> QSize:
        return super().sizeHint()


class PageSidebar(QFrame):
    """Emits `chosen` with the key of a page; Ctrl and its number lead there, too."""

    chosen = Signal(str)

    def __init__(
        self, name: str, pages: tuple[tuple[str, str], ...], parent: QWidget, *, nobody: str = ""
    ) -> None:
        """`pages` are (key, words); `nobody` stands where no wallet is open."""
        super().__init__(parent)
        self.setObjectName(name)
        self._nobody = nobody
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
        for number, (key, text) in enumerate(pages, 1):
            button = _PageButton(text)
            button.setObjectName(f"navigation_{key}")
            button.setAccessibleName(text)
            button.setProperty("role", "navigation")
            button.setCheckable(True)
            button.setToolTip(f"{text} (Ctrl+{number})")
            # Not `clicked`: a screen reader may toggle the button, which is no click.
            button.toggled.connect(lambda on, key=key: self.chosen.emit(key) if on else None)
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), parent)
            shortcut.activated.connect(lambda key=key: self.go(key) if self.isVisible() else None)
            group.addButton(button)
            self.buttons[key] = button
            layout.addWidget(button)
        layout.addStretch(1)
        self.show_name("")

    def go(self, key: str) -> None:
        """Show a page."""
        if self.buttons[key].isChecked():
            self.chosen.emit(key)
        else:
            self.buttons[key].setChecked(True)

    def show_name(self, name: str) -> None:
        """Show whose pages these are; "" for none."""
        label = self.wallet_name
        shown = plain(name, 60) or self._nobody
        width = label.maximumWidth() - 2 * label.contentsMargins().left()
        label.setText(label.fontMetrics().elidedText(shown, Qt.TextElideMode.ElideRight, width))
        label.setToolTip(tooltip(name))
        label.setAccessibleName(f"Wallet: {name or 'none open'}")
