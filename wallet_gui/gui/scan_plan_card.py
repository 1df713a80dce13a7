"""ScanPlanCard: what reading the past of a wallet will cost, told before it is paid."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.network_words import plan_sentences
from wallet_gui.chain.reports import ScanPlan
from wallet_gui.gui.network_card import DATA_LIMITS, limit_text
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.text import plain

_WAITING = (
    "The wallet can receive already. What it received before is shown once this is read; it can be "
    "paused at any time and goes on where it stopped."
)
_RUNNING = "Being read. Payments in blocks that are not read yet are missing from the balance."


class ScanPlanCard(QFrame):
    """Hidden while there is nothing long to read."""

    start_wanted = Signal()
    # True to pause, False to go on.
    pause_wanted = Signal(bool)
    limit_wanted = Signal(int)

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("scan_plan")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(8)
        layout.addWidget(heading("The past of this wallet", 120))
        self.what = text_label()
        self.what.setObjectName("plan_what")
        self.cost = text_label()
        self.cost.setObjectName("plan_cost")
        self.meaning = text_label(role="muted")
        self.meaning.setObjectName("plan_meaning")
        for label in (self.what, self.cost, self.meaning):
            layout.addWidget(label)
        layout.addSpacing(4)
        row = FlowLayout(spacing=10)
        self.start_button = QPushButton("S&tart reading")
        self.start_button.setProperty("role", "primary")
        self.pause_button = QPushButton("Pa&use")
        self.continue_button = QPushButton("Co&ntinue")
        self.continue_button.setProperty("role", "primary")
        for button, name, signal in (
            (self.start_button, "plan_start", self.start_wanted.emit),
            (self.pause_button, "plan_pause", lambda: self.pause_wanted.emit(True)),
            (self.continue_button, "plan_continue", lambda: self.pause_wanted.emit(False)),
        ):
            button.setObjectName(name)
            button.setAccessibleName(button.text().replace("&", ""))
            button.clicked.connect(signal)
            row.addWidget(button)
        label = text_label("Data &limit", role="muted", wrap=False)
        label.setContentsMargins(8, 8, 0, 8)
        row.addWidget(label)
        self.limit = QComboBox()
        self.limit.setObjectName("plan_limit")
        self.limit.setAccessibleName("Data limit of this session")
        for megabytes in DATA_LIMITS:
            self.limit.addItem(limit_text(megabytes), megabytes)
        label.setBuddy(self.limit)
        row.addWidget(self.limit)
        layout.addLayout(row)
        self.limit.currentIndexChanged.connect(
            lambda index: self.limit_wanted.emit(self.limit.itemData(index))
        )
        self.hide()

    def show_plan(self, plan: ScanPlan | None, *, is_paused: bool) -> None:
        """Show what is left to read, and what can be decided about it."""
        self.setVisible(plan is not None)
        if plan is None:
            return
        what, cost = plan_sentences(plan)
        self.what.setText(what)
        self.cost.setText(cost)
        self.meaning.setText(
            plain(plan.held_back, 300) or (_WAITING if plan.is_waiting else _RUNNING)
        )
        self.start_button.setVisible(plan.is_waiting and not is_paused)
        self.pause_button.setVisible(not plan.is_waiting and not is_paused)
        self.continue_button.setVisible(is_paused)

    def show_limit(self, megabytes: int) -> None:
        """Show the limit that is stored, without announcing it."""
        self.limit.blockSignals(True)
        if self.limit.findData(megabytes) < 0:
            self.limit.addItem(limit_text(megabytes), megabytes)
        self.limit.setCurrentIndex(self.limit.findData(megabytes))
        self.limit.blockSignals(False)
