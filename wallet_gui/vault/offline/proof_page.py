"""The page that shows that there is no network: everything on it is tried when it is shown."""

from collections.abc import Callable, Sequence

from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QVBoxLayout

from wallet_gui.vault.offline.bench import Bench
from wallet_gui.vault.offline.proof import Check, Finding
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.sentences import sentence

_SIGNS = {
    Finding.HOLDS: ("\u2713", "Holds", "positive"),
    Finding.FAILS: ("\u2717", "Does not hold", "negative"),
    Finding.CANNOT: ("\u2013", "Cannot be had on this system", "warning"),
}
_LIMITS = (
    "What this shows and what it does not: the checks are about this program and the vault that it "
    "starts. They say nothing about other programs on this computer. For that, use a computer that "
    "has no network at all."
)


class ProofPage(Page):
    """Runs `look` in the background, again at each press of the button."""

    def __init__(self, bench: Bench, look: Callable[[], Sequence[Check]]) -> None:
        super().__init__("proof_page")
        self._bench = bench
        self._look = look
        self.checks: Sequence[Check] = ()
        self.body.addWidget(heading("Proof that there is no network"))
        self.body.addWidget(
            text_label(
                "Each line was tried when this page was opened, in the process that draws it.",
                role="muted",
            )
        )
        self.notice = Notice()
        self.notice.setObjectName("proof_notice")
        self.body.addWidget(self.notice)
        self._list = QVBoxLayout()
        self._list.setSpacing(10)
        self.body.addLayout(self._list)
        row = QHBoxLayout()
        self.again = QPushButton("&Try again")
        self.again.setObjectName("proof_again")
        self.again.setAccessibleName("Try again")
        self.again.clicked.connect(self.refresh)
        row.addWidget(self.again)
        row.addStretch(1)
        self.body.addLayout(row)
        self.body.addWidget(text_label(_LIMITS, role="muted"))
        self.body.addStretch(1)

    def refresh(self) -> None:
        """Try everything anew."""
        self._bench.do("Trying to reach a network.", self._look, self._show, self._fail)

    def _fail(self, error: BaseException) -> None:
        self.notice.say(sentence(error), ERROR)

    def _show(self, checks: Sequence[Check]) -> None:
        self.checks = checks
        while (item := self._list.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.setParent(None)
                widget.deleteLater()
        for number, check in enumerate(checks, 1):
            self._list.addWidget(_row(check, number))
        failed = [check.title for check in checks if check.finding is Finding.FAILS]
        missing = [check.title for check in checks if check.finding is Finding.CANNOT]
        if failed:
            self.notice.say(f"Look at: {'; '.join(failed)}.", WARNING)
        elif missing:
            self.notice.say(
                "What this system can do holds. What it cannot do is marked below.", INFORMATION
            )
        else:
            self.notice.say("Everything holds: this program cannot reach a network.", INFORMATION)


def _row(check: Check, number: int) -> QFrame:
    frame = card()
    frame.setObjectName(f"proof_{number}")
    sign, spoken, role = _SIGNS[check.finding]
    row = QHBoxLayout(frame)
    row.setContentsMargins(18, 12, 18, 12)
    row.setSpacing(14)
    mark = text_label(sign, role=role, wrap=False)
    mark.setAccessibleName(f"{check.title}: {spoken}")
    mark.setFixedWidth(mark.fontMetrics().height())
    row.addWidget(mark)
    column = QVBoxLayout()
    column.setSpacing(2)
    title = text_label(check.title)
    title.setAccessibleName(f"{check.title}: {spoken}")
    column.addWidget(title)
    detail = text_label(check.detail, role="muted")
    detail.setAccessibleName(check.detail)
    column.addWidget(detail)
    row.addLayout(column, 1)
    return frame
