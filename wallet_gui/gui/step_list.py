"""StepList: the thirteen steps of a test, ticking as they pass, with their times."""

from typing import Final

from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QAccessibleEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from wallet_gui.chain.bitcoind.steps import STEPS, Status, Step, StepResult
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import set_role, text_label
from wallet_gui.widgets.text import breakable, plain

WORDS_LIMIT = 200
_SECOND = 1_000
_NARROW = 74  # letters in a line

_MARKS: Final = {
    None: ("\N{MIDDLE DOT}", "muted", "waiting"),
    Status.RUNNING: ("\N{HORIZONTAL ELLIPSIS}", "accent", "running"),
    Status.OK: ("\N{CHECK MARK}", "positive", "passed"),
    Status.WARN: ("!", "warning", "passed, with a warning"),
    Status.FAIL: ("\N{BALLOT X}", "negative", "failed"),
    Status.SKIPPED: ("\N{EN DASH}", "muted", "not tried"),
}


class _Row:
    """Three labels of one step, of which a screen reader hears one sentence."""

    def __init__(self, step: Step, grid: QGridLayout) -> None:
        self.step = step
        self.mark = text_label(wrap=False)
        use_font(self.mark, percent=108, bold=True)
        self.mark.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignHCenter)
        self.mark.setMinimumWidth(24)
        self.name = text_label(f"{step.number}  {step.name}", wrap=False)
        self.name.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.words = text_label(role="muted")
        self.words.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.time = text_label(role="muted", wrap=False)
        use_font(self.time, percent=92, monospace=True)
        self.time.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        for label, part in zip(self.labels(), ("mark", "name", "words", "time"), strict=True):
            label.setObjectName(f"step_{step.number}_{part}")
        self._grid = grid
        row = 2 * step.number
        grid.addWidget(self.mark, row, 0)
        grid.addWidget(self.name, row, 1)
        grid.addWidget(self.time, row, 3)

    def arrange(self, *, is_narrow: bool) -> None:
        """Put the words beside the name, or below it."""
        row = 2 * self.step.number
        self._grid.removeWidget(self.words)
        if is_narrow:
            self._grid.addWidget(self.words, row + 1, 1, 1, 3)
        else:
            self._grid.addWidget(self.words, row, 2)

    def labels(self) -> tuple[QLabel, QLabel, QLabel, QLabel]:
        return self.mark, self.name, self.words, self.time

    def show_result(self, result: StepResult | None) -> None:
        mark, role, spoken = _MARKS[None if result is None else result.status]
        words = "" if result is None else breakable(plain(result.words, WORDS_LIMIT))
        is_settled = result is not None and result.status in {Status.OK, Status.WARN, Status.FAIL}
        took = time_text(result.milliseconds) if result is not None and is_settled else ""
        self.mark.setText(mark)
        set_role(self.mark, role)
        self.mark.setAccessibleName(f"{mark} {self.step.name}: {spoken}")
        set_role(self.name, "muted" if result is None or mark == _MARKS[Status.SKIPPED][0] else "")
        self.words.setText(words)
        self.words.setVisible(bool(words))
        set_role(self.words, "negative" if role == "negative" else "muted")
        self.time.setText(took)


class StepList(QWidget):
    """Shows one result per step; a later result of a step replaces the one before."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("node_steps")
        self._is_narrow: bool | None = None
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(5)
        grid.setColumnStretch(2, 1)
        self._rows = {step.number: _Row(step, grid) for step in STEPS}
        self._arrange()
        self.clear()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        is_narrow = self.width() < _NARROW * self.fontMetrics().averageCharWidth()
        if is_narrow is not self._is_narrow:
            self._is_narrow = is_narrow
            for row in self._rows.values():
                row.arrange(is_narrow=is_narrow)

    def clear(self) -> None:
        """Show every step as waiting."""
        for row in self._rows.values():
            row.show_result(None)

    def show_result(self, result: StepResult) -> None:
        """Show how one step stands."""
        row = self._rows.get(result.step.number)
        if row is None:
            return
        row.show_result(result)
        if result.status is not Status.RUNNING and QAccessible.isActive():
            # A screen reader reads each step out as it passes.
            QAccessible.updateAccessibility(
                QAccessibleEvent(row.mark, QAccessible.Event.NameChanged)
            )

    def texts(self, number: int) -> tuple[str, ...]:
        """What is on screen of a step: mark, name, words, time."""
        return tuple(label.text() for label in self._rows[number].labels())


def time_text(milliseconds: int) -> str:
    """A duration as it is read at a glance."""
    if milliseconds < _SECOND:
        return f"{max(0, milliseconds)} ms"
    return f"{milliseconds / _SECOND:.1f} s"
