"""The status bar: source of blocks, height, peers, sync in five phases, and the lock."""

from PySide6.QtCore import Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from wallet_gui.app.network_words import sources_text, speed_text
from wallet_gui.app.published import PHASES, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.gui.sync_model import (
    PHASE_NAMES,
    SyncModel,
    current,
    percent_of,
    phase_name,
    summary,
)
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import set_role, text_label
from wallet_gui.widgets.text import plain, tooltip


class StatusBar(QFrame):
    """Every part is also its own accessible name; what does not fit goes to a second line."""

    lock_wanted = Signal()
    hide_wanted = Signal(bool)

    def __init__(self, sync: SyncModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("status_bar")
        self.setProperty("role", "status-bar")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 4, 10, 4)
        row.setSpacing(10)
        parts = FlowLayout(spacing=18, row_spacing=0)
        row.addLayout(parts, 1)
        self.backend = self._part(parts, "status_backend")
        self.state = self._part(parts, "status_sync")
        self.bar = QProgressBar()
        self.bar.setObjectName("status_progress")
        self.bar.setAccessibleName("Sync: not started")
        self.bar.setFixedWidth(140)
        self.bar.setTextVisible(False)
        self.bar.hide()
        parts.addWidget(self.bar)
        self.height_label = self._part(parts, "status_height")
        self.peers = self._part(parts, "status_peers")
        self.hide_button = QPushButton("Hide amounts")
        self.hide_button.setObjectName("status_hide")
        self.hide_button.setAccessibleName("Hide amounts")
        self.hide_button.setProperty("role", "plain")
        self.hide_button.setCheckable(True)
        # A shortcut of the button itself would take the keyboard from where somebody types.
        QShortcut(QKeySequence("Ctrl+H"), self).activated.connect(self._hide_or_show)
        self.hide_button.setToolTip("Hide or show all amounts (Ctrl+H)")
        self.hide_button.toggled.connect(self._toggle_amounts)
        row.addWidget(self.hide_button)
        self.lock_button = QPushButton("Lock")
        self.lock_button.setObjectName("status_lock")
        self.lock_button.setAccessibleName("Lock the wallet")
        self.lock_button.setProperty("role", "plain")
        self.lock_button.setShortcut("Ctrl+L")
        self.lock_button.setToolTip("Close this wallet (Ctrl+L)")
        self.lock_button.clicked.connect(self.lock_wanted.emit)
        row.addWidget(self.lock_button)
        _say(self.state, "Sync", "Starting")
        for label, caption in (
            (self.backend, "Source"),
            (self.height_label, "Height"),
            (self.peers, "Sources"),
        ):
            _say(label, caption, "")
        sync.changed.connect(self._show)
        self.set_wallet_open(is_open=False)

    def _part(self, row: FlowLayout, name: str) -> QLabel:
        label = text_label(role="muted", wrap=False)
        label.setObjectName(name)
        label.setContentsMargins(0, 7, 0, 7)
        row.addWidget(label)
        return label

    def set_wallet_open(self, *, is_open: bool) -> None:
        """Offer the lock and the mask only while there is something to lock and to mask."""
        self.lock_button.setVisible(is_open)
        self.hide_button.setVisible(is_open)

    def _hide_or_show(self) -> None:
        if self.hide_button.isVisible():
            self.hide_button.toggle()

    def _toggle_amounts(self, hidden: bool) -> None:  # noqa: FBT001 - a Qt slot
        text = "Show amounts" if hidden else "Hide amounts"
        self.hide_button.setText(text)
        self.hide_button.setAccessibleName(text)
        self.hide_wanted.emit(hidden)

    def _show(self, snapshot: SyncSnapshot) -> None:
        _say(self.backend, "Source", snapshot.backend)
        is_away = snapshot.node is not None and not snapshot.node.is_ready
        set_role(self.backend, "warning" if is_away else "muted")
        words = plain(snapshot.source_words, 400)
        self.backend.setToolTip(tooltip(words))
        self.backend.setAccessibleDescription(words)
        _say(self.state, "Sync", summary(snapshot))
        role = "positive" if snapshot.is_synced else "muted"
        if snapshot.state is ConnectionState.OFFLINE:
            role = "warning"
        set_role(self.state, role)
        self.state.setToolTip(phases_text(snapshot))
        height = "" if snapshot.tip_height is None else f"Block {snapshot.tip_height:,}"
        _say(self.height_label, "Height", height)
        is_own = snapshot.node is not None and len(snapshot.peers) <= 1
        is_silent = snapshot.state is ConnectionState.STOPPED or is_own
        sources = "" if is_silent else sources_text(snapshot)
        if snapshot.doubt:
            sources = f"{sources}, possibly stale" if sources else "Possibly stale"
        _say(self.peers, "Sources", sources)
        set_role(self.peers, "warning" if snapshot.doubt else "muted")
        self.peers.setToolTip(tooltip(plain(snapshot.doubt, 400)))
        progress = current(snapshot)
        busy = snapshot.state is ConnectionState.ONLINE and not snapshot.is_synced
        self.bar.setVisible(busy and progress is not None and progress.total > 0)
        if progress is not None:
            percent = percent_of(progress)
            self.bar.setValue(percent)
            self.bar.setAccessibleName(f"{PHASE_NAMES[progress.phase]}: {percent} percent")


def _say(label: QLabel, caption: str, text: str) -> None:
    label.setText(text)
    label.setVisible(bool(text))
    label.setAccessibleName(f"{caption}: {text or 'not known yet'}")


def phases_text(snapshot: SyncSnapshot) -> str:
    """The five phases, one on each line."""
    reached = PHASES.index(snapshot.phase) if snapshot.phase in PHASES else len(PHASES)
    lines = []
    for number, item in enumerate(snapshot.phases):
        if number < reached:
            words = "done"
        elif item.total:
            words = f"{item.done:,} of {item.total:,}"
            if number == reached and speed_text(item):
                words = f"{words}, {speed_text(item)}"
        else:
            words = "waiting"
        lines.append(f"{phase_name(snapshot, item.phase)}: {words}")
    return "\n".join(lines)
