"""Overview: the balance in its parts, what the sync is doing, and the last payments."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.backend_selector import PHASES, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.gui.history_model import HistoryModel
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.sync_model import (
    PHASE_NAMES,
    SyncModel,
    current,
    duration_text,
    percent_of,
    seconds_left,
)
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.widgets.labels import MoneyLabel, card, heading, text_label

_SHOWN_PAYMENTS = 6


class OverviewPage(QWidget):
    """The first page of an open wallet."""

    receive_wanted = Signal()
    send_wanted = Signal()
    history_wanted = Signal()

    def __init__(
        self, wallet: WalletModel, sync: SyncModel, history: HistoryModel, parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setObjectName("overview_page")
        self.setProperty("role", "page")
        self._sync = sync
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(18)
        layout.addWidget(self._make_balance_card())
        self.sync_card = SyncCard(self)
        layout.addWidget(self.sync_card)
        layout.addLayout(self._make_payments_header())
        self.table = HistoryTable(history, rows=_SHOWN_PAYMENTS, parent=self)
        self.table.setObjectName("recent_payments")
        self.table.setAccessibleName("Last payments")
        layout.addWidget(self.table, 1)
        self.empty = text_label(
            "Nothing has been paid to this wallet yet. Press Receive for an address.", role="muted"
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.empty, 1)
        history.count_changed.connect(self._show_count)
        self._show_count(history.rowCount())
        wallet.balance_changed.connect(self._show_balance)
        wallet.privacy_changed.connect(self._hide_amounts)
        wallet.wallet_changed.connect(lambda _: self._show_balance(None))
        sync.changed.connect(self._show_sync)

    def _make_balance_card(self) -> QFrame:
        frame = card()
        grid = QGridLayout(frame)
        grid.setContentsMargins(24, 20, 24, 20)
        grid.setHorizontalSpacing(28)
        grid.addWidget(text_label("Balance", role="muted"), 0, 0, 1, 4)
        self.total = MoneyLabel("Balance", percent=230, bold=True)
        self.total.setObjectName("balance_total")
        grid.addWidget(self.total, 1, 0, 1, 4)
        self.parts: dict[str, MoneyLabel] = {}
        self._captions: dict[str, QLabel] = {}
        for column, (key, caption) in enumerate(
            (
                ("confirmed", "Confirmed"),
                ("trusted_pending", "Own change, waiting"),
                ("incoming", "Incoming, unconfirmed"),
                ("immature", "Mined, maturing"),
                ("frozen", "Frozen"),
            )
        ):
            label = text_label(caption, role="muted", wrap=False)
            amount = MoneyLabel(caption)
            amount.setObjectName(f"balance_{key}")
            self._captions[key], self.parts[key] = label, amount
            grid.addWidget(label, 2, column)
            grid.addWidget(amount, 3, column)
        grid.setRowMinimumHeight(1, 52)
        buttons = QVBoxLayout()
        for text, name, signal, role in (
            ("&Receive", "overview_receive", self.receive_wanted, "primary"),
            ("&Send", "overview_send", self.send_wanted, ""),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text.replace("&", ""))
            button.setProperty("role", role)
            button.clicked.connect(signal.emit)
            buttons.addWidget(button)
        grid.addLayout(buttons, 0, 5, 2, 1)
        grid.setColumnStretch(4, 1)
        return frame

    def _make_payments_header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(heading("Last payments", 120))
        row.addStretch(1)
        button = QPushButton("All payments")
        button.setObjectName("overview_history")
        button.setAccessibleName("All payments")
        button.setProperty("role", "plain")
        button.clicked.connect(self.history_wanted.emit)
        row.addWidget(button)
        return row

    def _show_balance(self, balance: Balance | None) -> None:
        self.total.set_amount(None if balance is None else balance.total)
        for key, label in self.parts.items():
            amount = None if balance is None else getattr(balance, key)
            label.set_amount(amount)
            # Parts that are nothing for most people appear only when there is something in them.
            visible = key == "confirmed" or bool(amount)
            label.setVisible(visible)
            self._captions[key].setVisible(visible)

    def _hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        for label in (self.total, *self.parts.values()):
            label.set_hidden(hidden)

    def _show_sync(self, snapshot: SyncSnapshot) -> None:
        self.sync_card.show_snapshot(snapshot)

    def _show_count(self, count: int) -> None:
        self.table.setVisible(count > 0)
        self.empty.setVisible(count == 0)


class SyncCard(QFrame):
    """Five phases with their amounts, and what the missing part means for the balance."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("sync_card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        self._sentence = text_label()
        layout.addWidget(self._sentence)
        grid = QGridLayout()
        grid.setHorizontalSpacing(14)
        layout.addLayout(grid)
        self._bars: dict[Phase, QProgressBar] = {}
        self._details: dict[Phase, QLabel] = {}
        for column, phase in enumerate(PHASES):
            caption = text_label(PHASE_NAMES[phase], wrap=False)
            bar = QProgressBar()
            bar.setTextVisible(False)
            bar.setObjectName(f"phase_{phase.name.lower()}")
            detail = text_label("", role="muted", wrap=False)
            for row, widget in enumerate((caption, bar, detail)):
                grid.addWidget(widget, row, column)
            grid.setColumnStretch(column, 1)
            self._bars[phase], self._details[phase] = bar, detail
        self.hide()

    def show_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Draw the state of the sync; a wallet in sync needs no card."""
        self.setVisible(not snapshot.is_synced)
        self._sentence.setText(_sync_sentence(snapshot))
        reached = PHASES.index(snapshot.phase) if snapshot.phase in PHASES else len(PHASES)
        for number, item in enumerate(snapshot.phases):
            percent = 100 if number < reached else percent_of(item)
            bar = self._bars[item.phase]
            bar.setValue(percent)
            bar.setAccessibleName(f"{PHASE_NAMES[item.phase]}: {percent} percent")
            if item.phase is Phase.PEERS:
                count = len(snapshot.peers)
                text = f"{count} connected"
            elif item.total:
                text = f"{item.done:,} of {item.total:,}"
            else:
                text = "done" if number < reached else ""
            self._details[item.phase].setText(text)


def _sync_sentence(snapshot: SyncSnapshot) -> str:
    if snapshot.state is ConnectionState.STOPPED:
        return "Not connected: the balance is the last one that was stored."
    if snapshot.state is not ConnectionState.ONLINE:
        return (
            snapshot.detail or "Connecting. Until then the balance is the last one that was stored."
        )
    progress = current(snapshot)
    text = (
        "Reading the chain. Payments in blocks that are not read yet are missing from the balance."
    )
    left = None if progress is None else seconds_left(progress)
    return text if left is None else f"{text} About {duration_text(left)} left in this step."
