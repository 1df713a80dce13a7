"""A large button with a title and a sentence that says what happens when it is pressed."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy, QVBoxLayout, QWidget

from wallet_gui.widgets.labels import resized_label, text_label


class ChoiceButton(QPushButton):
    """Both lines wrap, and the button grows with them. `title` may hold a mnemonic ("&Create")."""

    def __init__(
        self, title: str, text: str, *, mnemonic: str = "", parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setProperty("role", "choice")
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)
        if mnemonic:
            self.setShortcut(f"Alt+{mnemonic}")
        self._column = layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 14)
        layout.setSpacing(3)
        self._labels = (resized_label(title, 108), text_label(text, role="muted"))
        for label in self._labels:
            label.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
            layout.addWidget(label)
        layout.addStretch(1)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def hasHeightForWidth(self) -> bool:
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Return presses it, too: outside of dialogs Qt knows only the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
            return
        super().keyPressEvent(event)

    def heightForWidth(self, width: int) -> int:
        margins = self._column.contentsMargins()
        inner = max(1, width - margins.left() - margins.right())
        height = sum(label.heightForWidth(inner) for label in self._labels)
        return height + margins.top() + margins.bottom() + self._column.spacing()

    def sizeHint(self) -> QSize:
        width = max(self.width(), 320)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(200, self.heightForWidth(max(self.width(), 200)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.updateGeometry()
