"""A page of a window: its content scrolls when the window is too small or the text too large."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from wallet_gui.widgets.steady_scroll import SteadyScrollArea


class Page(SteadyScrollArea):
    """Add what it shows to `body`."""

    def __init__(self, name: str, parent: QWidget | None = None, *, spacing: int = 16) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setProperty("role", "page")
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        self.body = QVBoxLayout(inner)
        self.body.setContentsMargins(28, 24, 28, 24)
        self.body.setSpacing(spacing)
        self.setWidget(inner)
