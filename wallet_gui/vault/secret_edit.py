"""Fields for what nobody else may see: nothing in them can be copied, dragged or predicted."""

from PySide6.QtCore import QEvent, QMimeData, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QLineEdit, QPlainTextEdit

_HINTS = (
    Qt.InputMethodHint.ImhNoPredictiveText
    | Qt.InputMethodHint.ImhNoAutoUppercase
    | Qt.InputMethodHint.ImhSensitiveData
)


_TAKING_AWAY = (QKeySequence.StandardKey.Copy, QKeySequence.StandardKey.Cut)
# With these Qt's line edit puts what it deletes on the clipboard (Ctrl+K and Ctrl+U under X11).
_DELETING_TO_END = QKeySequence.StandardKey.DeleteEndOfLine
_DELETING_ALL = QKeySequence.StandardKey.DeleteCompleteLine


class SecretLine(QLineEdit):
    """One line that lets nothing out, whether it is hidden or shown as it is typed."""

    def __init__(self, name: str, caption: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(caption)
        self.setInputMethodHints(_HINTS)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.setDragEnabled(False)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if any(event.matches(key) for key in _TAKING_AWAY):
            event.accept()
            return
        if event.matches(_DELETING_TO_END) or event.matches(_DELETING_ALL):
            self.delete(all_of_it=event.matches(_DELETING_ALL))
            event.accept()
            return
        super().keyPressEvent(event)

    def delete(self, *, all_of_it: bool) -> None:
        """Delete from the cursor on, or everything, and give it to nobody."""
        if all_of_it:
            self.selectAll()
        else:
            self.end(True)
        self.insert("")  # takes the place of what is selected

    def event(self, event: QEvent) -> bool:
        is_taken = super().event(event)
        # Qt makes what is selected the X11 selection, be it by keys or by the mouse. Nobody can
        # have asked for it yet: it is this thread that would answer.
        clipboard = QGuiApplication.clipboard()
        if clipboard.ownsSelection() and self.hasSelectedText():
            clipboard.clear(clipboard.Mode.Selection)
        return is_taken


class PasswordEdit(SecretLine):
    """Hides what is typed; `take` hands it over once."""

    def __init__(self, name: str, caption: str) -> None:
        super().__init__(name, caption)
        self.setEchoMode(QLineEdit.EchoMode.Password)
        self.setInputMethodHints(_HINTS | Qt.InputMethodHint.ImhHiddenText)
        self.setMaxLength(1024)

    def take(self) -> str:
        """Return the text and clear the field."""
        text = self.text()
        self.clear()
        return text


class WordEdit(SecretLine):
    """One word of a seed phrase, shown as it is typed, since it is on the person's paper too."""

    def __init__(self, name: str, caption: str) -> None:
        super().__init__(name, caption)
        self.setMaxLength(64)


class WordsEdit(QPlainTextEdit):
    """All words of a seed phrase. They go in by typing or pasting, and never out."""

    def __init__(self, name: str, caption: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(caption)
        self.setInputMethodHints(_HINTS)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)

    def createMimeDataFromSelection(self) -> QMimeData:
        # Copy, cut, drag and the X11 selection all take what this returns.
        return QMimeData()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            event.ignore()  # the page's: go on
            return
        if any(event.matches(key) for key in _TAKING_AWAY):
            event.accept()
            return
        super().keyPressEvent(event)
