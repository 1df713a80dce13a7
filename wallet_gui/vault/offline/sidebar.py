"""The sidebar of the offline window: the wallet's name, a button for each page, hidden amounts."""

from typing import Final

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QButtonGroup, QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.widgets.labels import heading
from wallet_gui.widgets.text import plain, tooltip

_WIDTH: Final = 190
_HIDE, _SHOW = "Hide amounts", "Show amounts"
_HIDE_KEY: Final = "Ctrl+H"


class OfflineSidebar(QFrame):
    """Emits `chosen` with the key of a page; `pages` are (key, words).

    `hide_wanted` tells whether amounts are to be hidden.
    """

    chosen = Signal(str)
    hide_wanted = Signal(bool)

    def __init__(self, pages: tuple[tuple[str, str], ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("offline_sidebar")
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
            button = QPushButton(text)
            button.setObjectName(f"navigation_{key}")
            button.setAccessibleName(text)
            button.setProperty("role", "navigation")
            button.setCheckable(True)
            button.setToolTip(f"{text} (Ctrl+{number})")
            # Not `clicked`: a screen reader may toggle the button, which is no click.
            button.toggled.connect(lambda on, key=key: self.chosen.emit(key) if on else None)
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), parent)
            shortcut.activated.connect(lambda key=key: self.go(key))
            group.addButton(button)
            self.buttons[key] = button
            layout.addWidget(button)
        layout.addStretch(1)
        self.hide_button = QPushButton(_HIDE)
        self.hide_button.setObjectName("offline_hide")
        self.hide_button.setAccessibleName(_HIDE)
        self.hide_button.setProperty("role", "plain")
        self.hide_button.setCheckable(True)
        self.hide_button.setShortcut(_HIDE_KEY)
        self.hide_button.setToolTip(f"Hide or show all amounts ({_HIDE_KEY})")
        self.hide_button.toggled.connect(self._toggle_amounts)
        layout.addWidget(self.hide_button)
        self.show_name("")

    def _toggle_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        words = _SHOW if hidden else _HIDE
        self.hide_button.setText(words)
        self.hide_button.setAccessibleName(words)
        # A changed text takes the shortcut with it.
        self.hide_button.setShortcut(_HIDE_KEY)
        self.hide_wanted.emit(hidden)

    def go(self, key: str) -> None:
        """Show a page."""
        if self.buttons[key].isChecked():
            self.chosen.emit(key)
        else:
            self.buttons[key].setChecked(True)

    def show_name(self, name: str) -> None:
        """Show whose pages these are; "" for none."""
        label = self.wallet_name
        shown = plain(name, 60) or "No wallet"
        width = label.maximumWidth() - 2 * label.contentsMargins().left()
        label.setText(label.fontMetrics().elidedText(shown, Qt.TextElideMode.ElideRight, width))
        label.setToolTip(tooltip(name))
        label.setAccessibleName(f"Wallet: {name or 'none open'}")
