"""NodeStatusCard: what is known of the person's node at this moment, in plain words."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QVBoxLayout, QWidget

from wallet_gui.app.node_words import node_lines
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.backend import CheckState
from wallet_gui.gui.problem_box import ProblemBox
from wallet_gui.widgets.labels import heading, set_role, text_label
from wallet_gui.widgets.text import plain

_CHECKED = "Last check against its coins"
_CHECKS = {
    CheckState.CHECKING: "It is being made",
    CheckState.AGREES: "Every coin of this wallet is there, and no other",
    CheckState.DIFFERS: "They differ; what is missing is being read again",
}


class NodeStatusCard(QFrame):
    """Hidden unless the node is in use or is being tried."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("node_status")
        self.setProperty("role", "card")
        self._check: CheckState | None = None
        self._sentence = ""
        self._shown: SyncSnapshot | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 14, 20, 14)
        layout.setSpacing(8)
        layout.addWidget(heading("My node", 115))
        self.source = text_label()
        self.source.setObjectName("node_status_source")
        layout.addWidget(self.source)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        layout.addLayout(self._grid)
        self._rows: list[tuple[QLabel, QLabel]] = []
        self.problem = ProblemBox("node_status_problem", self, has_action=False)
        layout.addWidget(self.problem)
        self.hide()

    def show_check(self, check: CheckState | None, sentence: str) -> None:
        """Say how the open wallet's coins compare with the node's."""
        self._check, self._sentence = check, sentence
        self._show()

    def show_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Show what the last snapshot tells of the node."""
        self._shown = snapshot
        self._show()

    def lines(self) -> tuple[tuple[str, str], ...]:
        """What is on screen: captions and values."""
        return tuple(
            (name.text(), value.text()) for name, value in self._rows if not value.isHidden()
        )

    def _show(self) -> None:
        snapshot = self._shown
        status = None if snapshot is None else snapshot.node
        self.setVisible(status is not None)
        if snapshot is None or status is None:
            return
        self.source.setText(plain(snapshot.source_words, 400))
        set_role(self.source, "" if status.is_ready else "warning")
        lines = list(node_lines(status))
        if self._check is not None and status.is_ready:
            lines.append((_CHECKED, plain(self._sentence, 300) or _CHECKS[self._check]))
        while len(self._rows) < len(lines):
            self._add_row()
        for number, (name, value) in enumerate(self._rows):
            is_used = number < len(lines)
            title, text = lines[number] if is_used else ("", "")
            name.setText(title)
            value.setText(text)
            value.setAccessibleName(f"{title}: {text}" if is_used else "")
            name.setVisible(is_used)
            value.setVisible(is_used)
        # Shown once: the same problem, told again each second, keeps its details open.
        if self.problem.problem is not status.problem:
            self.problem.show_problem(status.problem)

    def _add_row(self) -> None:
        row = len(self._rows)
        name, value = text_label(role="muted"), text_label()
        name.setMinimumWidth(150)
        for label in (name, value):
            label.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        value.setObjectName(f"node_status_value_{row}")
        self._grid.addWidget(name, row, 0)
        self._grid.addWidget(value, row, 1)
        self._rows.append((name, value))
