"""The sidebar of the offline window: the wallet's name, a button for each page, hidden amounts."""

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QPushButton, QWidget

from wallet_gui.widgets.page_sidebar import PageSidebar

_HIDE, _SHOW = "Hide amounts", "Show amounts"
_HIDE_KEY: Final = "Ctrl+H"


class OfflineSidebar(PageSidebar):
    """Emits `chosen` with the key of a page; `pages` are (key, words).

    `hide_wanted` tells whether amounts are to be hidden.
    """

    hide_wanted = Signal(bool)

    def __init__(self, pages: tuple[tuple[str, str], ...], parent: QWidget) -> None:
        super().__init__("offline_sidebar", pages, parent, nobody="No wallet")
        self.hide_button = QPushButton(_HIDE)
        self.hide_button.setObjectName("offline_hide")
        self.hide_button.setAccessibleName(_HIDE)
        self.hide_button.setProperty("role", "plain")
        self.hide_button.setCheckable(True)
        # A shortcut of the button itself would take the keyboard from where somebody types.
        QShortcut(QKeySequence(_HIDE_KEY), self).activated.connect(self.hide_button.toggle)
        self.hide_button.setToolTip(f"Hide or show all amounts ({_HIDE_KEY})")
        self.hide_button.toggled.connect(self._toggle_amounts)
        box = self.layout()
        if box is not None:
            box.addWidget(self.hide_button)

    def _toggle_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        words = _SHOW if hidden else _HIDE
        self.hide_button.setText(words)
        self.hide_button.setAccessibleName(words)
        self.hide_wanted.emit(hidden)
