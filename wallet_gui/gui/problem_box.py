"""ProblemBox: one problem with the node: what is wrong, what to do, and one button that helps."""

from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import resized_label, set_role, text_label
from wallet_gui.widgets.text import breakable, plain

TITLE_LIMIT, TEXT_LIMIT, DETAIL_LIMIT = 300, 600, 500

# A port that was typed into the wrong field: the button enters the right one.
PORT_CODES: Final = frozenset(
    {Code.RPC_TO_P2P, Code.P2P_TO_RPC, Code.PORT_IS_RPC, Code.PORT_IS_P2P}
)
# What is not tried again by itself, and yet needs no other settings: another answer.
_ANSWER_AGAIN: Final = frozenset(
    {Code.PASSPHRASE_NEEDED, Code.PASSPHRASE_WRONG, Code.PROMPT_DECLINED, Code.REQUEST_TOO_BIG}
)


class ProblemBox(QFrame):
    """Hidden until there is a problem; text of servers and nodes is plain and capped here too."""

    retry_wanted = Signal()
    change_wanted = Signal()
    # The code of the problem and the port that its fix names.
    port_wanted = Signal(object, int)

    def __init__(
        self, name: str, parent: QWidget | None = None, *, has_action: bool = True
    ) -> None:
        """Make it empty; without `has_action` there is nothing to press but a line to copy."""
        super().__init__(parent)
        self.setObjectName(name)
        self._has_action = has_action
        self.problem: NodeProblem | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 14, 18, 14)
        layout.setSpacing(8)
        self.title = resized_label("", 108)
        self.what = text_label(role="in-notice")
        for label in (self.title, self.what):
            layout.addWidget(label)
        self.copy = CopyLine(f"{name}_line", "Line to copy", self)
        layout.addWidget(self.copy)
        row = FlowLayout(spacing=10)
        self.act = QPushButton()
        self.act.setObjectName(f"{name}_act")
        self.act.setProperty("role", "primary")
        self.act.clicked.connect(self._act)
        self.details_button = QPushButton("Details")
        self.details_button.setObjectName(f"{name}_details")
        self.details_button.setProperty("role", "plain")
        self.details_button.setCheckable(True)
        self.details_button.toggled.connect(self._fold)
        for button in (self.act, self.details_button):
            row.addWidget(button)
        layout.addLayout(row)
        self.details = text_label(role="in-notice")
        layout.addWidget(self.details)
        self.show_problem(None)

    def show_problem(self, problem: NodeProblem | None, *, is_warning: bool = False) -> None:
        """Show one, or none. A warning holds nothing up."""
        self.problem = problem
        self.setVisible(problem is not None)
        if problem is None:
            return
        set_role(self, "warning-notice" if is_warning else "error-notice")
        title = breakable(plain(problem.title, TITLE_LIMIT))
        what = breakable(plain(problem.what_to_do, TEXT_LIMIT))
        for label, text in ((self.title, title), (self.what, what)):
            label.setText(text)
            label.setAccessibleName(text)
            label.setVisible(bool(text))
        self.setAccessibleName(title)
        self._show_fix(problem, is_warning=is_warning)
        detail = breakable(plain(problem.detail, DETAIL_LIMIT))
        self.details.setText(detail)
        self.details_button.setVisible(bool(detail))
        self.details_button.setChecked(False)
        self._fold(is_open=False)

    def _show_fix(self, problem: NodeProblem, *, is_warning: bool) -> None:
        fix = problem.fix
        line = "" if fix is None else fix.line.strip()
        is_port = problem.code in PORT_CODES and line.isdecimal()
        self.copy.setVisible(bool(line) and not is_port)
        words = ""
        if line and not is_port:
            self.copy.show_line(
                line, plain(fix.label, 60) if fix and fix.label else "Copy the line"
            )
        elif is_port and fix is not None:
            words = plain(fix.label, 60)
        elif not is_warning:
            words = "Change the settings" if _needs_change(problem) else "Try again"
        # One thing to press: where there is a line, it is the button that copies that.
        self.act.setVisible(bool(words) and self._has_action)
        self.act.setText(words.replace("&", "&&"))
        self.act.setAccessibleName(words)

    def _act(self) -> None:
        problem = self.problem
        if problem is None:
            return
        if problem.code in PORT_CODES and problem.fix is not None:
            line = problem.fix.line.strip()
            if line.isdecimal():
                self.port_wanted.emit(problem.code, int(line))
                return
        if _needs_change(problem):
            self.change_wanted.emit()
        else:
            self.retry_wanted.emit()

    def _fold(self, is_open: bool) -> None:  # noqa: FBT001 - a Qt slot
        self.details.setVisible(is_open and bool(self.details.text()))
        text = "Hide details" if is_open else "Details"
        self.details_button.setText(text)
        self.details_button.setAccessibleName(text)


def _needs_change(problem: NodeProblem) -> bool:
    """Whether trying once more would end alike."""
    return problem.is_final and problem.code not in _ANSWER_AGAIN
