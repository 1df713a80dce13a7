"""NodeTestPanel: the test of a connection: thirteen ticks, the first red one, the result."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.published import NodeTestResult
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.steps import STEPS, Status, StepResult, first_failure
from wallet_gui.gui.problem_box import ProblemBox
from wallet_gui.gui.step_list import StepList
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, set_role, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.text import plain

_LOOK = (
    "This is all that would be copied. Host, user, paths, addresses and keys are taken out: read "
    "it before you give it to anybody."
)


class NodeTestPanel(QFrame):
    """Hidden until a test begins. `prefix` begins the names of its objects."""

    cancel_wanted = Signal()
    retry_wanted = Signal()
    change_wanted = Signal()
    port_wanted = Signal(object, int)
    use_wanted = Signal()

    def __init__(self, prefix: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"{prefix}_test_panel")
        self.setProperty("role", "inset")
        self._results: dict[int, StepResult] = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 16)
        layout.setSpacing(12)
        layout.addWidget(heading("Test of the connection", 110))
        self.progress = text_label(role="muted")
        self.progress.setObjectName(f"{prefix}_test_progress")
        layout.addWidget(self.progress)
        self.steps = StepList(self)
        layout.addWidget(self.steps)
        self.problem = ProblemBox(f"{prefix}_problem", self)
        self.problem.retry_wanted.connect(self.retry_wanted.emit)
        self.problem.change_wanted.connect(self.change_wanted.emit)
        self.problem.port_wanted.connect(self.port_wanted.emit)
        layout.addWidget(self.problem)
        self.result = Notice(self)
        self.result.setObjectName(f"{prefix}_test_result")
        layout.addWidget(self.result)
        self.learns = text_label(role="muted")
        self.learns.setObjectName(f"{prefix}_test_learns")
        layout.addWidget(self.learns)
        self.offer = ProblemBox(f"{prefix}_offer", self)
        layout.addWidget(self.offer)
        row = FlowLayout(spacing=10)
        self.use_button = QPushButton("Use this node")
        self.use_button.setProperty("role", "primary")
        self.again_button = QPushButton("Test again")
        self.cancel_button = QPushButton("Stop the test")
        self.report_button = QPushButton("Look at the report")
        self.report_button.setProperty("role", "plain")
        for button, name, act in (
            (self.use_button, "use", self.use_wanted.emit),
            (self.again_button, "again", self.retry_wanted.emit),
            (self.cancel_button, "stop", self.cancel_wanted.emit),
            (self.report_button, "report", self._show_report),
        ):
            button.setObjectName(f"{prefix}_test_{name}")
            button.setAccessibleName(button.text())
            button.clicked.connect(act)
            row.addWidget(button)
        layout.addLayout(row)
        self.report_note = text_label(_LOOK, role="muted")
        layout.addWidget(self.report_note)
        self.report = CopyLine(f"{prefix}_report", "Report of the test", self, lines=20)
        layout.addWidget(self.report)
        self._report_text = ""
        self.clear()

    # --- what is shown

    def clear(self) -> None:
        """Forget the last test."""
        self._results = {}
        self.steps.clear()
        self.problem.show_problem(None)
        self.offer.show_problem(None)
        self.result.clear()
        self._say_learns("")
        self._hide_report("")
        self._show_buttons(is_running=False, is_ready=False)
        self.hide()

    def begin(self) -> None:
        """A test begins."""
        self.clear()
        self._show_buttons(is_running=True, is_ready=False)
        self.progress.setText("The connection is being made.")
        self.show()

    def show_result(self, result: StepResult) -> None:
        """Show how one step stands."""
        self._results[result.step.number] = result
        self.steps.show_result(result)
        if result.status is Status.RUNNING:
            place = f"Step {result.step.number} of {len(STEPS)}"
            self.progress.setText(f"{place}: {result.step.name}.")
        if result.status is Status.FAIL:
            self.problem.show_problem(result.problem)

    def finish(self, result: NodeTestResult) -> None:
        """The test has ended."""
        failed = first_failure(tuple(self._results.values()))
        passed = sum(r.status in {Status.OK, Status.WARN} for r in self._results.values())
        took = sum(r.milliseconds for r in self._results.values()) / 1000
        self._show_buttons(is_running=False, is_ready=result.is_ready)
        if result.is_ready:
            self.progress.setText(f"All {passed} steps passed in {took:.1f} seconds.")
            self.result.say(plain(result.sentence, 400), INFORMATION)
            self._say_learns(result.learns)
            self.offer.show_problem(result.offer or self._warned(), is_warning=True)
        elif failed is not None:
            self.progress.setText(
                f"{passed} of {len(STEPS)} steps passed. Step {failed.step.number} did not: "
                f"{failed.step.name}."
            )
        else:
            self.progress.setText("The test was not finished.")
        self._hide_report(result.report)

    def fail(self, sentence: str) -> None:
        """The test could not be made, or was stopped ("")."""
        self._show_buttons(is_running=False, is_ready=False)
        self.progress.setText("The test was stopped." if not sentence else "")
        self.progress.setVisible(bool(self.progress.text()))
        if sentence:
            self.result.say(sentence, ERROR)

    @property
    def is_stop(self) -> bool:
        """Whether the server is not the one that was there before."""
        problem = self.problem.problem
        return problem is not None and problem.code is Code.HOST_KEY_CHANGED

    def _warned(self) -> NodeProblem | None:
        warned = (r.problem for r in self._results.values() if r.status is Status.WARN)
        return next((problem for problem in warned if problem is not None), None)

    def _say_learns(self, text: str) -> None:
        words = plain(text, 400)
        self.learns.setText(words)
        self.learns.setVisible(bool(words))

    def _show_buttons(self, *, is_running: bool, is_ready: bool) -> None:
        self.progress.show()
        self.cancel_button.setVisible(is_running)
        self.use_button.setVisible(is_ready)
        self.again_button.setVisible(not is_running)
        set_role(self.problem.act, "primary")

    def _hide_report(self, text: str) -> None:
        self._report_text = text
        self.report_button.setVisible(bool(text))
        self.report_note.hide()
        self.report.hide()

    def _show_report(self) -> None:
        self.report.show_line(self._report_text, "Copy the report")
        self.report_note.show()
        self.report.show()
        self.report_button.hide()
        self.report.field.setFocus()
