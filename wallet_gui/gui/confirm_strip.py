"""ConfirmStrip: asks before something that cannot be taken back, without a dialog."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QLineEdit, QPushButton, QVBoxLayout, QWidget

from wallet_gui.gui.fee_choice import read_fee_rate
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import set_role, text_label


class ConfirmStrip(QFrame):
    """Hidden until it asks; `confirmed(purpose, fee rate or None, second time)` on yes."""

    confirmed = Signal(str, object, bool)
    # It is going away with the keyboard in it: somebody else should take that.
    left = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("confirm_strip")
        self.setProperty("role", "warning-notice")
        self.purpose = ""
        self._is_again = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 12, 16, 12)
        layout.setSpacing(10)
        self.question = text_label()
        self.question.setObjectName("confirm_question")
        layout.addWidget(self.question)
        row = FlowLayout(spacing=10)
        self.rate = QLineEdit()
        self.rate.setObjectName("confirm_rate")
        self.rate.setAccessibleName("New fee rate in satoshis per virtual byte")
        self.rate.setMaxLength(12)
        self.rate.setMaximumWidth(120)
        self.unit = text_label("sat/vB", wrap=False)
        self.unit.setContentsMargins(0, 8, 0, 8)
        self.yes = QPushButton()
        self.yes.setObjectName("confirm_yes")
        self.no = QPushButton("&Keep it as it is")
        self.no.setObjectName("confirm_no")
        self.no.setAccessibleName("Keep it as it is")
        for widget in (self.rate, self.unit, self.yes, self.no):
            row.addWidget(widget)
        layout.addLayout(row)
        self.problem = text_label(role="negative")
        self.problem.setObjectName("confirm_problem")
        layout.addWidget(self.problem)
        self.yes.clicked.connect(self._confirm)
        self.rate.returnPressed.connect(self._confirm)
        self.rate.textEdited.connect(lambda _: self._say(""))
        self.no.clicked.connect(self.dismiss)
        self.dismiss()

    def ask(self, purpose: str, question: str, button: str) -> None:
        """Ask a yes or no question."""
        self._open(purpose, question, button)
        self.rate.hide()
        self.unit.hide()
        self.no.setFocus()

    def ask_rate(self, purpose: str, question: str, suggestion: str, button: str) -> None:
        """Ask for a fee rate."""
        self._open(purpose, question, button)
        self.rate.setText(suggestion)
        self.rate.show()
        self.unit.show()
        self.rate.setFocus()
        self.rate.selectAll()

    def ask_again(self, question: str, button: str) -> None:
        """Ask to confirm what was wanted a moment ago, with the reason to think twice."""
        if not self.purpose:
            return
        self._open(self.purpose, question, button)
        self._is_again = True
        self.no.setFocus()

    def dismiss(self) -> None:
        """Ask nothing any more."""
        self.purpose = ""
        self._is_again = False
        focus = QApplication.focusWidget()
        had_focus = focus is not None and self.isAncestorOf(focus)
        self.hide()
        if had_focus:
            self.left.emit()
        self._say("")

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.dismiss()
            return
        super().keyPressEvent(event)

    def _open(self, purpose: str, question: str, button: str) -> None:
        self.purpose = purpose
        self._is_again = False
        self.question.setText(question)
        self.yes.setText(button)
        self.yes.setAccessibleName(button.replace("&", ""))
        self._say("")
        set_role(self, "warning-notice")
        self.show()

    def _say(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))
        self.rate.setAccessibleDescription(text)

    def _confirm(self) -> None:
        rate: FeeRate | None = None
        if not self.rate.isHidden():
            rate, problem = read_fee_rate(self.rate.text())
            if problem:
                self._say(problem)
                self.rate.setFocus()
                return
        self.confirmed.emit(self.purpose, rate, self._is_again)
        if self.purpose != "bump":
            self.dismiss()
