"""UpdateCard: the card of the settings page about newer versions; it downloads nothing."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import heading, line, resized_label, set_role, text_label
from wallet_gui.widgets.notice import ERROR, WARNING, Notice
from wallet_gui.widgets.text import chunked, plain

if TYPE_CHECKING:
    from wallet_gui.app.updates import UpdateStatus

_WORDS = 700


class UpdateCard(QFrame):
    """Hidden until it is known that a notice can be fetched and verified in this copy.

    `shown` comes each time that a person gets to see it.
    """

    switch_wanted = Signal(bool)
    check_wanted = Signal()
    cancel_wanted = Signal()
    open_wanted = Signal(str)
    shown = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("update_card")
        self.setProperty("role", "card")
        self._body: _Body | None = None
        self.hide()

    @property
    def body(self) -> "_Body":
        """What is in the card; made when it is first needed."""
        if self._body is None:
            self._body = _Body(self)
            layout = QVBoxLayout(self)
            layout.setContentsMargins(0, 0, 0, 0)
            layout.addWidget(self._body)
        return self._body

    def show_status(self, status: "UpdateStatus") -> None:
        """Show what is known; everything from the notice is plain text."""
        self.body.show_status(status)
        self.show()

    def say(self, sentence: str) -> None:
        """Say why something could not be done."""
        self.body.notice.say(sentence, ERROR)
        self.show()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.shown.emit()


class _Body(QWidget):
    def __init__(self, card: UpdateCard) -> None:
        super().__init__(card)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Updates", 120))
        self.intro = text_label(role="muted")
        layout.addWidget(self.intro)
        self.weekly = QCheckBox("Look for a newer version about once a week")
        self.weekly.setObjectName("update_weekly")
        self.weekly.setAccessibleName(self.weekly.text())
        self.weekly.toggled.connect(card.switch_wanted.emit)
        layout.addWidget(self.weekly)
        self.state = text_label()
        self.state.setObjectName("update_state")
        layout.addWidget(self.state)
        row = FlowLayout(spacing=10)
        self.check = QPushButton("Check now")
        self.check.setObjectName("update_check")
        self.check.setAccessibleName("Check now for a newer version")
        self.check.clicked.connect(card.check_wanted.emit)
        row.addWidget(self.check)
        self.cancel = QPushButton("Cancel the check")
        self.cancel.setObjectName("update_cancel")
        self.cancel.setAccessibleName(self.cancel.text())
        self.cancel.clicked.connect(card.cancel_wanted.emit)
        row.addWidget(self.cancel)
        layout.addLayout(row)
        self.notice = Notice(self)
        self.notice.setObjectName("update_notice")
        layout.addWidget(self.notice)
        self.found = _Found(card)
        layout.addWidget(self.found)
        # Until there is a check that they could be for: damaged release keys allow none.
        self.weekly.setEnabled(False)
        self.check.setEnabled(False)
        self.cancel.hide()

    def show_status(self, status: "UpdateStatus") -> None:
        from wallet_gui.app import update_words  # noqa: PLC0415 - not for the first window

        self.intro.setText(plain(update_words.intro(status), _WORDS))
        self.weekly.blockSignals(True)
        self.weekly.setChecked(status.is_on)
        self.weekly.blockSignals(False)
        self.weekly.setEnabled(True)
        self.check.setEnabled(not status.is_checking)
        self.cancel.setVisible(status.is_checking)
        _say(self.state, update_words.state(status))
        if status.problem and not status.is_checking:
            self.notice.say(status.problem, ERROR if status.is_refused else WARNING)
        else:
            self.notice.clear()
        self.found.show_status(status)


class _Found(QWidget):
    """The newer version, or the warning, and how to go on by hand."""

    def __init__(self, card: UpdateCard) -> None:
        super().__init__(card)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(line())
        self.headline = resized_label("", 108)
        self.headline.setObjectName("update_headline")
        layout.addWidget(self.headline)
        self.urgency = text_label(role="warning")
        self.urgency.setObjectName("update_urgency")
        layout.addWidget(self.urgency)
        self.withdrawn = text_label()
        self.withdrawn.setObjectName("update_withdrawn")
        layout.addWidget(self.withdrawn)
        self.text = text_label()
        self.text.setObjectName("update_text")
        layout.addWidget(self.text)
        layout.addWidget(text_label("Its page", role="muted"))
        self.page = CopyLine("update_page", "Address of the page", lines=3)
        layout.addWidget(self.page)
        row = FlowLayout(spacing=10)
        self.open = QPushButton("Open the page in the browser")
        self.open.setObjectName("update_open")
        self.open.setAccessibleName(self.open.text())
        self.open.clicked.connect(lambda: card.open_wanted.emit(self.page.line))
        row.addWidget(self.open)
        layout.addLayout(row)
        self.how = text_label(role="muted")
        layout.addWidget(self.how)
        self.command = _selectable("update_verify")
        layout.addWidget(self.command)
        self.sums_caption = text_label("The SHA-256 of SHA256SUMS itself is", role="muted")
        layout.addWidget(self.sums_caption)
        self.sums = _selectable("update_sums")
        layout.addWidget(self.sums)
        self.hide()

    def show_status(self, status: "UpdateStatus") -> None:
        from wallet_gui.app import update_words  # noqa: PLC0415 - see above

        headline, notice = update_words.headline(status), status.notice
        self.setVisible(bool(headline))
        if notice is None or not headline:
            return
        _say(self.headline, headline)
        _say(self.urgency, update_words.urgency(status))
        _say(self.withdrawn, update_words.withdrawn(notice))
        _say(self.text, plain(notice.text, _WORDS))
        if self.page.line != notice.page:
            self.page.show_line(notice.page)
        self.how.setText(update_words.HOW_TO_VERIFY)
        _say(self.command, update_words.VERIFY_COMMAND)
        self.sums_caption.setVisible(bool(notice.sha256sums))
        _say(self.sums, chunked(notice.sha256sums, 8))


def _selectable(name: str) -> QLabel:
    label = text_label()
    label.setObjectName(name)
    label.setTextInteractionFlags(
        Qt.TextInteractionFlag.TextSelectableByMouse
        | Qt.TextInteractionFlag.TextSelectableByKeyboard
    )
    use_font(label, percent=92, monospace=True)
    return label


def _say(label: QLabel, text: str) -> None:
    label.setText(text)
    label.setAccessibleName(text)
    label.setVisible(bool(text))


def mark(button: QPushButton, *, is_urgent: bool) -> None:
    """Colour the line of the sidebar by how much it matters."""
    set_role(button, "danger" if is_urgent else "plain")
