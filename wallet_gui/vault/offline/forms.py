"""Small parts that the forms of the offline window are made of."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import QPoint, QTimer
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.widgets.animated_qr import AnimatedQr
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.page import Page

_AROUND_CODE_IN_EM: Final = 3
_BESIDE_BOX: Final = 29
"""Pixels: a note begins below the words of its box, not below the box."""


def button(name: str, words: str, pressed: Callable[[], object], *, role: str = "") -> QPushButton:
    """A button; "&" in its words marks the letter that leads to it."""
    made = QPushButton(words)
    made.setObjectName(name)
    made.setAccessibleName(words.replace("&", ""))
    made.setAutoDefault(False)
    if role:
        made.setProperty("role", role)
    made.clicked.connect(lambda _=False: pressed())
    return made


def section(name: str, title: str, text: str = "") -> tuple[QFrame, QVBoxLayout]:
    """A card with a heading and a line below it."""
    frame = card()
    frame.setObjectName(name)
    layout = QVBoxLayout(frame)
    layout.setContentsMargins(22, 18, 22, 18)
    layout.setSpacing(10)
    layout.addWidget(heading(title, 120))
    if text:
        layout.addWidget(text_label(text, role="muted"))
    return frame, layout


def line_edit(name: str, words: str, layout: QVBoxLayout) -> QLineEdit:
    """A field of one line under its caption."""
    edit = QLineEdit()
    edit.setObjectName(name)
    edit.setAccessibleName(words.replace("&", ""))
    layout.addWidget(caption(words, edit))
    layout.addWidget(edit)
    return edit


def combo(
    name: str, words: str, choices: Sequence[tuple[str, object]], layout: QVBoxLayout
) -> QComboBox:
    """A choice under its caption: what is read, and what is meant."""
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(words.replace("&", ""))
    for text, value in choices:
        box.addItem(text, value)
    layout.addWidget(caption(words, box))
    layout.addWidget(box)
    return box


def choice(name: str, words: str, hint: str, layout: QVBoxLayout) -> QCheckBox:
    """Something to switch on, with a line below it that says what it does."""
    box = QCheckBox(words)
    box.setObjectName(name)
    box.setAccessibleName(words.replace("&", ""))
    box.setAccessibleDescription(hint)
    note = text_label(hint, role="muted")
    note.setContentsMargins(_BESIDE_BOX, 0, 0, 4)
    layout.addWidget(box)
    layout.addWidget(note)
    return box


def clear(layout: QVBoxLayout) -> None:
    """Take every widget out of a layout, at once."""
    while (item := layout.takeAt(0)) is not None:
        widget: QWidget | None = item.widget()
        if widget is not None:
            widget.setParent(None)
            widget.deleteLater()


def fit_codes(page: Page, codes: AnimatedQr) -> None:
    """Keep a code as large as the page shows at once: one that has to be scrolled is not read."""
    room = page.viewport().height() - _AROUND_CODE_IN_EM * page.fontMetrics().height()
    side = max(room, codes.qr.minimumHeight())
    codes.qr.setMaximumSize(side, side)


def scroll_to(page: Page, widget: QWidget) -> None:
    """Bring the top of a widget to the top of the page, once it has its place."""

    def scroll() -> None:
        inner = page.widget()
        if inner is not None and widget.isVisible():
            page.verticalScrollBar().setValue(widget.mapTo(inner, QPoint(0, 0)).y())

    QTimer.singleShot(0, page, scroll)
