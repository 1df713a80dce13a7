"""Links and files that macOS hands to a running program as events, and not as arguments."""

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtGui import QFileOpenEvent


class FileOpenFilter(QObject):
    """An event filter for the application; `opened` gives a link, or the path of a file."""

    opened = Signal(str)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent):
            # The text as it came: what an address is made of is for whoever reads it to judge.
            self.opened.emit(event.file() or event.url().toEncoded().toStdString())
            return True
        return super().eventFilter(watched, event)
