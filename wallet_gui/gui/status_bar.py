"""The status bar: source of blocks, height, peers, sync in five phases, and the lock."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QProgressBar, QPushButton, QWidget

from wallet_gui.app.backend_selector import PHASES, SyncSnapshot
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.gui.sync_model import PHASE_NAMES, SyncModel, current, percent_of, summary
from wallet_gui.widgets.labels import set_role, text_label


class StatusBar(QFrame):
    """One line; every part is also its own accessible name."""

    lock_wanted = Signal()
    hide_wanted = Signal(bool)

    def __init__(self, sync: SyncModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("status_bar")
        self.setProperty("role", "card")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 6, 16, 6)
        row.setSpacing(18)
        self.backend = self._part(row, "status_backend")
        self.state = self._part(row, "status_sync")
        self.bar = QProgressBar()
        self.bar.setObjectName("status_progress")
        self.bar.setMaximumWidth(180)
        self.bar.setTextVisible(False)
        self.bar.hide()
        row.addWidget(self.bar)
        self.height_label = self._part(row, "status_height")
        self.peers = self._part(row, "status_peers")
        row.addStretch(1)
        self.hide_button = QPushButton("Hide amounts")
        self.hide_button.setObjectName("status_hide")
        self.hide_button.setAccessibleName("Hide amounts")
        self.hide_button.setProperty("role", "plain")
        self.hide_button.setCheckable(True)
        self.hide_button.setShortcut("Ctrl+H")
        self.hide_button.setToolTip("Hide or show all amounts (Ctrl+H)")
        self.hide_button.toggled.connect(self.hide_wanted.emit)
        row.addWidget(self.hide_button)
        self.lock_button = QPushButton("Lock")
        self.lock_button.setObjectName("status_lock")
        self.lock_button.setAccessibleName("Lock the wallet")
        self.lock_button.setProperty("role", "plain")
        self.lock_button.setShortcut("Ctrl+L")
        self.lock_button.setToolTip("Close this wallet (Ctrl+L)")
        self.lock_button.clicked.connect(self.lock_wanted.emit)
        row.addWidget(self.lock_button)
        sync.changed.connect(self._show)
        self.set_wallet_open(is_open=False)

    def _part(self, row: QHBoxLayout, name: str) -> QLabel:
        label = text_label(role="muted", wrap=False)
        label.setObjectName(name)
        row.addWidget(label)
        return label

    def set_wallet_open(self, *, is_open: bool) -> None:
        """Offer the lock and the mask only while there is something to lock and to mask."""
        self.lock_button.setVisible(is_open)
        self.hide_button.setVisible(is_open)

    def _show(self, snapshot: SyncSnapshot) -> None:
        _say(self.backend, "Source", snapshot.backend)
        _say(self.state, "Sync", summary(snapshot))
        role = "positive" if snapshot.is_synced else "muted"
        if snapshot.state is ConnectionState.OFFLINE:
            role = "warning"
        set_role(self.state, role)
        self.state.setToolTip(_phases_text(snapshot))
        height = "" if snapshot.tip_height is None else f"Block {snapshot.tip_height:,}"
        _say(self.height_label, "Height", height)
        count = len(snapshot.peers)
        _say(self.peers, "Peers", f"{count} peer" if count == 1 else f"{count} peers")
        progress = current(snapshot)
        busy = snapshot.state is ConnectionState.ONLINE and not snapshot.is_synced
        self.bar.setVisible(busy and progress is not None and progress.total > 0)
        if progress is not None:
            percent = percent_of(progress)
            self.bar.setValue(percent)
            self.bar.setAccessibleName(f"{PHASE_NAMES[progress.phase]}: {percent} percent")


def _say(label: QLabel, caption: str, text: str) -> None:
    label.setText(text)
    label.setAccessibleName(f"{caption}: {text or 'not known yet'}")


def _phases_text(snapshot: SyncSnapshot) -> str:
    reached = PHASES.index(snapshot.phase) if snapshot.phase in PHASES else len(PHASES)
    lines = []
    for number, item in enumerate(snapshot.phases):
        if number < reached:
            words = "done"
        elif item.total:
            words = f"{item.done:,} of {item.total:,}"
        else:
            words = "waiting"
        lines.append(f"{PHASE_NAMES[item.phase]}: {words}")
    return "\n".join(lines)
