"""PsbtPage: the place of the page Sign (PSBT); what is on it is made when it is first wanted.

What it shows needs the code that reads descriptors and verifies signatures, for which the first
window does not wait.
"""

from PySide6.QtCore import Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget


class PsbtPage(QWidget):
    """Emits `opened` whenever it comes into sight."""

    opened = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("psbt_page")
        self.setProperty("role", "page")
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)

    def set_content(self, content: QWidget) -> None:
        """Show this from now on."""
        self._layout.addWidget(content)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.opened.emit()
