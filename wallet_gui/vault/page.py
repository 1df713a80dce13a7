"""What all pages of the vault share: a title, a notice, a column of reading width, two buttons."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import ERROR, Notice
from wallet_gui.widgets.steady_scroll import SteadyScrollArea

_WIDTH_IN_EM = 37


class VaultPage(QWidget):
    """A page with one way on (`submitted`) and one way back or out (`left`).

    `name` begins the object names: NAME_page, NAME_continue, NAME_cancel. Return goes on (unless
    `return_goes_on` is False: then only on the button itself), Escape goes back.
    """

    submitted = Signal()
    left = Signal()

    def __init__(
        self, name: str, title: str, text: str, *, primary: str, secondary: str = "Cancel"
    ) -> None:
        super().__init__()
        self.setObjectName(f"{name}_page")
        self.setProperty("role", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.name = name
        self.first_field: QWidget | None = None
        self.return_goes_on = True
        self.title = heading(title)
        self.title.setObjectName(f"{name}_title")
        self.explanation = text_label(text, role="muted")
        self.explanation.setVisible(bool(text))
        self.notice = Notice(self)
        self.notice.setObjectName(f"{name}_notice")
        self.body = QVBoxLayout()
        self.body.setSpacing(14)
        self.primary = _button(f"{name}_continue", primary)
        self.primary.setProperty("role", "primary")
        self.primary.clicked.connect(self.submitted)
        self.secondary = _button(f"{name}_cancel", secondary)
        self.secondary.setVisible(bool(secondary))
        self.secondary.clicked.connect(self.left)
        self._lay_out()

    def _lay_out(self) -> None:
        column = QWidget()
        width = _WIDTH_IN_EM * self.fontMetrics().height()
        column.setMaximumWidth(width)
        inner = QVBoxLayout(column)
        inner.setContentsMargins(4, 24, 4, 24)
        inner.setSpacing(14)
        inner.addWidget(self.title)
        inner.addWidget(self.explanation)
        inner.addWidget(self.notice)
        inner.addLayout(self.body)
        inner.addStretch(1)
        self.scroll_area = SteadyScrollArea()
        self.scroll_area.setObjectName(f"{self.name}_scroll")
        self.scroll_area.setAccessibleName("Page")
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll_area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.scroll_area.setWidget(_centred(column))
        buttons = QWidget()
        buttons.setMaximumWidth(width)
        row = QHBoxLayout(buttons)
        row.setContentsMargins(4, 12, 4, 16)
        row.addWidget(self.secondary)
        row.addStretch(1)
        row.addWidget(self.primary)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.scroll_area, 1)
        footer = _centred(buttons)
        layout.addWidget(footer)
        bar = self.scroll_area.verticalScrollBar()
        bar.rangeChanged.connect(lambda _, highest: self._make_scrollable(footer, highest))
        self._footer = footer

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        # On a page that never scrolls, no range changes.
        self._make_scrollable(self._footer, self.scroll_area.verticalScrollBar().maximum())

    def _make_scrollable(self, footer: QWidget, highest: int) -> None:
        # The buttons stay under the column, which the place of the scroll bar moves to the left.
        footer.setContentsMargins(0, 0, self.scroll_area.gutter, 0)
        # Reached by Tab only where there is something to scroll with the arrow keys.
        policy = Qt.FocusPolicy.TabFocus if highest else Qt.FocusPolicy.NoFocus
        self.scroll_area.setFocusPolicy(policy)

    # --- what flows call

    def opened(self) -> None:
        """Called when the page comes on screen."""
        field = self.first_field or (self.primary if self.primary.isEnabled() else self.secondary)
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def refuse(self, sentence: str, field: QWidget | None = None) -> None:
        """Say what is wrong, above the fields, and put the cursor where to mend it."""
        self.notice.say(sentence, ERROR)
        self.scroll_area.ensureWidgetVisible(self.notice)
        if field is not None:
            field.setFocus(Qt.FocusReason.OtherFocusReason)
            if isinstance(field, QLineEdit):
                field.selectAll()

    def forget(self) -> None:
        """Clear every field; called when the page is left for good."""
        for edit in self.findChildren(QLineEdit):
            edit.clear()

    # --- Qt's overrides

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            focused = self.focusWidget()
            if event.isAutoRepeat():
                return  # a key that is held is no second answer
            if isinstance(focused, QPushButton):
                focused.click()
            elif self.return_goes_on:
                self.primary.click()
        elif event.key() == Qt.Key.Key_Escape and self.secondary.isVisible():
            self.secondary.click()
        else:
            super().keyPressEvent(event)


def _button(name: str, text: str) -> QPushButton:
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAccessibleName(text.replace("&", ""))
    button.setAutoDefault(False)
    return button


def _centred(widget: QWidget) -> QWidget:
    outer = QWidget()
    row = QHBoxLayout(outer)
    row.setContentsMargins(20, 0, 20, 0)
    row.addStretch(1)
    row.addWidget(widget, 100)
    row.addStretch(1)
    return outer
