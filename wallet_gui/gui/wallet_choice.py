"""WalletChoice: which wallet file on this computer holds a key."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFileDialog, QWidget

from wallet_gui.app.published import WalletEntry
from wallet_gui.widgets.text import plain

_OTHER: Final = "\0other"


class WalletChoice(QComboBox):
    """The wallets of this network and, at the end, any other wallet file; `path` is the choice."""

    chosen = Signal(str)

    def __init__(self, name: str, spoken: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.activated.connect(self._activate)
        self._before = 0

    def show_wallets(
        self, entries: Sequence[WalletEntry], *, first: Sequence[tuple[str, str]] = ()
    ) -> None:
        """Offer these wallets; `first` are (words, path) that come before them."""
        self.clear()
        for words, path in first:
            self.addItem(words, path)
        for entry in entries:
            self.addItem(plain(entry.name), entry.path)
        self.addItem("Another wallet file\u2026", _OTHER)
        self._before = 0
        self.setCurrentIndex(0)

    @property
    def path(self) -> str:
        """The chosen wallet file, "" while none is."""
        data = self.currentData()
        return "" if not isinstance(data, str) or data == _OTHER else data

    def choose(self, path: str) -> None:
        """Choose a wallet file, also one that is not in the list."""
        index = self.findData(path)
        if index < 0:
            index = self.count() - 1
            self.insertItem(index, plain(path.rpartition("/")[2].removesuffix(".wallet")), path)
        self.setCurrentIndex(index)
        self._before = index

    def _activate(self, index: int) -> None:
        if self.itemData(index) != _OTHER:
            self._before = index
            self.chosen.emit(self.path)
            return
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a wallet file", "", "Wallet files (*.wallet)"
        )
        if path:
            self.choose(path)
            self.chosen.emit(path)
        else:
            self.setCurrentIndex(self._before)
