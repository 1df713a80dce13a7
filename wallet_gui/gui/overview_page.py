"""Overview: the balance in its parts, what the sync is doing, and the last payments."""

import time

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.network_words import preview_sentence, speed_text
from wallet_gui.app.node_words import MY_NODE
from wallet_gui.app.published import PHASES, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.gui.history_model import HistoryModel
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.scan_plan_card import ScanPlanCard
from wallet_gui.gui.sync_model import (
    PHASE_NAMES,
    SyncModel,
    current,
    percent_of,
    phase_name,
)
from wallet_gui.gui.wallet_model import CHECKING_AGAIN, WalletModel, masked
from wallet_gui.primitives.amount import format_btc
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import MoneyLabel, card, heading, text_label
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.text import breakable, plain

DIFFERS = (
    "The coins found so far are not those that your node counts. What is missing is being read "
    "again; until both agree no balance is shown."
)
_SHOWN_PAYMENTS = 6
_PARTS = (
    ("confirmed", "Confirmed"),
    ("trusted_pending", "Own change, waiting"),
    ("incoming", "Incoming, unconfirmed"),
    ("immature", "Mined, maturing"),
    ("frozen", "Frozen"),
)


class OverviewPage(Page):
    """The first page of an open wallet."""

    receive_wanted = Signal()
    send_wanted = Signal()
    history_wanted = Signal()
    settings_wanted = Signal()

    def __init__(
        self, wallet: WalletModel, sync: SyncModel, history: HistoryModel, parent: QWidget
    ) -> None:
        super().__init__("overview_page", parent, spacing=18)
        layout = self.body
        layout.addWidget(self._make_balance_card())
        self.plan = ScanPlanCard(self)
        layout.addWidget(self.plan)
        self.sync_card = SyncCard(self)
        self.sync_card.settings_wanted.connect(self.settings_wanted.emit)
        layout.addWidget(self.sync_card)
        layout.addLayout(self._make_payments_header())
        self.table = HistoryTable(history, rows=_SHOWN_PAYMENTS, parent=self)
        self.table.setObjectName("recent_payments")
        self.table.setAccessibleName("Last payments")
        layout.addWidget(self.table)
        self.empty = text_label(
            "Nothing has been paid to this wallet yet. Press Receive for an address.", role="muted"
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.empty, 1)
        layout.addStretch()
        self._wallet = wallet
        history.count_changed.connect(self._show_count)
        self._show_count(history.rowCount())
        self._show_balance(None)
        wallet.balance_changed.connect(self._show_balance)
        wallet.preview_changed.connect(lambda _: self._show_preview())
        wallet.check_changed.connect(lambda *_: self._show_check())
        wallet.privacy_changed.connect(self._hide_amounts)
        wallet.wallet_changed.connect(lambda _: self._show_balance(None))
        sync.changed.connect(self.sync_card.show_snapshot)

    def _make_balance_card(self) -> QFrame:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(24, 20, 24, 20)
        layout.setSpacing(14)
        top = FlowLayout(spacing=18, spread=True)
        total = QWidget()
        column = QVBoxLayout(total)
        column.setContentsMargins(0, 0, 24, 0)
        column.setSpacing(2)
        column.addWidget(text_label("Balance", role="muted", wrap=False))
        self.total = MoneyLabel("Balance", percent=185, bold=True)
        self.total.setObjectName("balance_total")
        column.addWidget(self.total)
        top.addWidget(total)
        buttons = QWidget()
        row = QHBoxLayout(buttons)
        row.setContentsMargins(0, 14, 0, 0)
        row.setSpacing(10)
        for text, name, signal, role in (
            ("&Receive", "overview_receive", self.receive_wanted, "primary"),
            ("&Send", "overview_send", self.send_wanted, ""),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text.replace("&", ""))
            button.setProperty("role", role)
            button.setMinimumWidth(110)
            button.clicked.connect(signal.emit)
            row.addWidget(button)
        top.addWidget(buttons)
        layout.addLayout(top)
        parts = FlowLayout(spacing=26, row_spacing=14)
        self.parts: dict[str, MoneyLabel] = {}
        self._parts: dict[str, QWidget] = {}
        for key, caption in _PARTS:
            amount = MoneyLabel(caption)
            amount.setObjectName(f"balance_{key}")
            part = QWidget()
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(2)
            column.addWidget(text_label(caption, role="muted", wrap=False))
            column.addWidget(amount)
            self._parts[key], self.parts[key] = part, amount
            parts.addWidget(part)
        layout.addLayout(parts)
        self.preview = text_label(role="accent")
        self.preview.setObjectName("overview_preview")
        self.preview.hide()
        layout.addWidget(self.preview)
        self.check = text_label(role="warning")
        self.check.setObjectName("overview_check")
        self.check.hide()
        layout.addWidget(self.check)
        return frame

    def _make_payments_header(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(heading("Last payments", 120), 1)
        button = QPushButton("All &payments")
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
            shown = key == "confirmed" or bool(amount)
            self._parts[key].setVisible(shown and not self._wallet.is_doubted)

    def _show_check(self) -> None:
        """While the coins contradict those of the node, words stand where the number was."""
        wallet = self._wallet
        words = CHECKING_AGAIN if wallet.is_doubted else ""
        for label in (self.total, *self.parts.values()):
            label.set_instead(words)
        for key, part in self._parts.items():
            shown = key == "confirmed" or bool(self.parts[key].amount_sat)
            part.setVisible(shown and not words)
        text = plain(wallet.check_sentence, 400) or DIFFERS if words else ""
        self.check.setText(text)
        self.check.setAccessibleName(text)
        self.check.setVisible(bool(text))
        self._show_preview()

    def _hide_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        for label in (self.total, *self.parts.values()):
            label.set_hidden(hidden)
        self._show_preview()

    def _show_preview(self) -> None:
        """What the newest blocks show while older ones are still to be read."""
        preview = None if self._wallet.is_doubted else self._wallet.preview
        self.preview.setVisible(preview is not None)
        text = ""
        if preview is not None:
            amount = masked(self._wallet, format_btc(preview.held_sat))
            text = preview_sentence(preview, amount, int(time.time()))
        self.preview.setText(text)
        self.preview.setAccessibleName(text)

    def _show_count(self, count: int) -> None:
        self.table.setVisible(count > 0)
        self.empty.setVisible(count == 0)


class SyncCard(QFrame):
    """Five phases with their amounts, and what the missing part means for the balance."""

    settings_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("sync_card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(12)
        top = QHBoxLayout()
        self.sentence = text_label()
        self.sentence.setObjectName("sync_sentence")
        top.addWidget(self.sentence, 1)
        self.settings_button = QPushButton("&Connection settings")
        self.settings_button.setObjectName("sync_settings")
        self.settings_button.setAccessibleName("Connection settings")
        self.settings_button.clicked.connect(self.settings_wanted.emit)
        top.addWidget(self.settings_button)
        layout.addLayout(top)
        cells = FlowLayout(spacing=16, equal=True)
        layout.addLayout(cells)
        self._bars: dict[Phase, QProgressBar] = {}
        self._details: dict[Phase, QLabel] = {}
        self._names: dict[Phase, QLabel] = {}
        for phase in PHASES:
            cell = QWidget()
            column = QVBoxLayout(cell)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(5)
            bar = QProgressBar()
            bar.setTextVisible(False)
            bar.setObjectName(f"phase_{phase.name.lower()}")
            detail = text_label("waiting", role="muted", wrap=False)
            name = text_label(PHASE_NAMES[phase], wrap=False)
            for widget in (name, bar, detail):
                column.addWidget(widget)
            self._names[phase] = name
            cells.addWidget(cell)
            self._bars[phase], self._details[phase] = bar, detail
        self.hide()

    def show_snapshot(self, snapshot: SyncSnapshot) -> None:
        """Draw the state of the sync; a wallet in sync needs no card."""
        self.setVisible(not snapshot.is_synced)
        self.settings_button.setVisible(
            snapshot.state is not ConnectionState.ONLINE and not snapshot.peers
        )
        self.sentence.setText(sync_sentence(snapshot))
        reached = PHASES.index(snapshot.phase) if snapshot.phase in PHASES else len(PHASES)
        for number, item in enumerate(snapshot.phases):
            percent = 100 if number < reached else percent_of(item)
            bar = self._bars[item.phase]
            bar.setValue(percent)
            name = phase_name(snapshot, item.phase)
            self._names[item.phase].setText(name)
            bar.setAccessibleName(f"{name}: {percent} percent")
            if item.phase is Phase.PEERS:
                text = self._who(snapshot)
            elif item.total:
                text = f"{item.done:,} of {item.total:,}"
            else:
                text = "done" if number < reached else "waiting"
            self._details[item.phase].setText(text)

    @staticmethod
    def _who(snapshot: SyncSnapshot) -> str:
        """Who is connected, in a word or two."""
        if snapshot.node is not None and snapshot.backend == MY_NODE:
            return "connected" if snapshot.node.is_ready else "not yet"
        count = len(snapshot.peers)
        return f"{count} connected" if count else "none yet"


def sync_sentence(snapshot: SyncSnapshot) -> str:
    """What the state of the sync means for the balance on screen."""
    if snapshot.state is ConnectionState.STOPPED:
        return snapshot.detail or "Not connected: the balance is the last one that was stored."
    if snapshot.state is not ConnectionState.ONLINE:
        return (
            breakable(plain(snapshot.detail, 300), 18)
            or "Connecting. Until then the balance is the last one that was stored."
        )
    progress = current(snapshot)
    text = (
        "Reading the chain. Payments in blocks that are not read yet are missing from the balance."
    )
    speed = "" if progress is None else speed_text(progress)
    return f"{text} {PHASE_NAMES[snapshot.phase]}: {speed}." if speed else text
