"""WizardStep: one page before a wallet is open, with its notice and the way back and on."""

from PySide6.QtCore import Qt, QTimer, Signal, SignalInstance
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from wallet_gui.widgets.choice_button import ChoiceButton
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import INFORMATION, Notice
from wallet_gui.widgets.steady_scroll import SteadyScrollArea

_PAGE_WIDTH = 620
_MARGIN = 24


class _StepNotice(Notice):
    """Tells when it has something to say, so that the page scrolls to it."""

    said = Signal()

    def say(self, sentence: str, kind: str = INFORMATION) -> None:
        super().say(sentence, kind)
        self.said.emit()


class WizardStep(SteadyScrollArea):
    """A column of reading width that scrolls when it is too small.

    Add what it shows to `column`, then call `add_bottom`. `cancel_wanted` comes from the button
    in the notice, which is there while something can be cancelled.
    """

    back_wanted = Signal()
    next_wanted = Signal()
    cancel_wanted = Signal()

    def __init__(
        self, name: str, title: str = "", text: str = "", *, width: int = _PAGE_WIDTH
    ) -> None:
        """`name` begins the names of its objects."""
        super().__init__()
        self.name = name
        self.setObjectName(f"{name}_page")
        self.setWidgetResizable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        inner = QWidget()
        row = QHBoxLayout(inner)
        row.addStretch(1)
        holder = QWidget()
        holder.setMaximumWidth(width)
        self.column = QVBoxLayout(holder)
        self.column.setContentsMargins(12, 40, 12, 24)
        self.column.setSpacing(16)
        row.addWidget(holder, 6)
        row.addStretch(1)
        self.setWidget(inner)
        self.title = heading(title, 180)
        self.column.addWidget(self.title)
        self.text = text_label(text, role="muted")
        self.column.addWidget(self.text)
        self.notice = _StepNotice(self)
        self.notice.said.connect(lambda: self.reveal(self.notice))
        self.notice.button.setText("Cancel")
        self.notice.button.setObjectName(f"{name}_cancel")
        self.notice.button.setAccessibleName("Cancel")
        self.notice.button.clicked.connect(self.cancel_wanted.emit)
        self.column.addWidget(self.notice)
        self.back_button = self._button("back", "&Back")
        self.back_button.clicked.connect(self.back_wanted.emit)
        self.next_button = self._button("continue", "&Continue")
        self.next_button.setProperty("role", "primary")
        self.next_button.clicked.connect(self.next_wanted.emit)
        for button in (self.back_button, self.next_button):
            button.setParent(self)
            button.hide()

    def add_bottom(self, primary: str = "") -> None:
        """Add the last row: the way back, and the way on where there is one."""
        row = FlowLayout(spacing=10, spread=True)
        row.addWidget(self.back_button)
        self.back_button.show()
        if primary:
            row.addWidget(self.next_button)
            self.next_button.setText(primary)
            self.next_button.setAccessibleName(primary.replace("&", ""))
            self.next_button.show()
        self.column.addLayout(row)
        self.column.addStretch(1)

    def _button(self, name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(f"{self.name}_{name}")
        button.setAccessibleName(words.replace("&", ""))
        return button

    def reveal(self, widget: QWidget) -> None:
        """Scroll to a part of the page, once it has its place."""
        QTimer.singleShot(0, widget, lambda: self.ensureWidgetVisible(widget, 0, _MARGIN))

    def first_field(self) -> QWidget | None:
        """What takes the keyboard when the page comes up."""
        return self.back_button if self.next_button.isHidden() else self.next_button


class ChoiceStep(WizardStep):
    """A page that asks one thing; each answer is a large button. End with `add_bottom`."""

    def add_choice(
        self, name: str, title: str, text: str, mnemonic: str, wanted: SignalInstance
    ) -> None:
        """Add the answer `title`, explained by `text`; Alt and `mnemonic` press it, too."""
        button = ChoiceButton(title, text, mnemonic=mnemonic)
        button.setObjectName(f"{self.name}_{name}")
        button.clicked.connect(wanted.emit)
        self.column.addWidget(button)

    def first_field(self) -> QWidget | None:
        return self.findChild(ChoiceButton)
