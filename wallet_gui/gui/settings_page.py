"""Settings: whom the wallet asks for the chain, and how the window looks."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.peer_address import parse_peer
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.text import plain

_THEMES = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))
_LOCKS = (
    (1, "After a minute without use"),
    (5, "After 5 minutes without use"),
    (15, "After 15 minutes without use"),
    (60, "After an hour without use"),
    (0, "Never"),
)
_SCALES = (80, 90, 100, 110, 125, 150, 175, 200)


class SettingsPage(Page):
    """Changes leave as signals; the application stores and applies them."""

    peers_wanted = Signal(object)
    theme_wanted = Signal(str)
    scale_wanted = Signal(int)
    lock_minutes_wanted = Signal(int)
    back_wanted = Signal()

    def __init__(self, sync: SyncModel, params: ChainParams, parent: QWidget) -> None:
        super().__init__("settings_page", parent)
        self._params = params
        layout = self.body
        self.back_button = QPushButton("&Back")
        self.back_button.setObjectName("settings_back")
        self.back_button.setAccessibleName("Back")
        self.back_button.setProperty("role", "plain")
        self.back_button.clicked.connect(self.back_wanted.emit)
        self.back_button.hide()
        layout.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(heading("Settings"))
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        layout.addWidget(self._make_connection())
        layout.addWidget(self._make_look())
        layout.addWidget(self._make_lock())
        layout.addStretch(1)
        sync.changed.connect(self._show_peers)

    def _make_connection(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Connection", 120))
        layout.addWidget(
            text_label(
                "The wallet reads the chain directly from these peers, over the same protocol that "
                f"every Bitcoin node speaks (port {self._params.default_port}). They must serve "
                "compact block filters (in bitcoin.conf: blockfilterindex=1 and "
                "peerblockfilters=1). A peer sees your address on the network, never your "
                "addresses or your balance.",
                role="muted",
            )
        )
        self.peers_edit = QPlainTextEdit()
        self.peers_edit.setObjectName("settings_peers")
        self.peers_edit.setAccessibleName("Peers, one host or host:port on each line")
        self.peers_edit.setPlaceholderText(
            f"one on each line: 192.0.2.7:{self._params.default_port}"
        )
        self.peers_edit.setTabChangesFocus(True)
        self.peers_edit.setMaximumHeight(110)
        layout.addWidget(self.peers_edit)
        row = QHBoxLayout()
        self.connected = text_label("Not connected.", role="muted")
        self.connected.setObjectName("settings_connected")
        row.addWidget(self.connected, 1)
        self.apply_button = QPushButton("&Connect")
        self.apply_button.setObjectName("settings_connect")
        self.apply_button.setAccessibleName("Connect to these peers")
        self.apply_button.setProperty("role", "primary")
        self.apply_button.clicked.connect(self._apply)
        row.addWidget(self.apply_button)
        layout.addLayout(row)
        return frame

    def _make_look(self) -> QWidget:
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 18, 22, 18)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setHorizontalSpacing(18)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.addRow(heading("Look", 120))
        self.theme_box = QComboBox()
        self.theme_box.setObjectName("settings_theme")
        self.theme_box.setAccessibleName("Colours")
        for key, text in _THEMES:
            self.theme_box.addItem(text, key)
        self.theme_box.currentIndexChanged.connect(
            lambda index: self.theme_wanted.emit(self.theme_box.itemData(index))
        )
        self.scale_box = QComboBox()
        self.scale_box.setObjectName("settings_scale")
        self.scale_box.setAccessibleName("Text size")
        for percent in _SCALES:
            self.scale_box.addItem(f"{percent} %", percent)
        self.scale_box.currentIndexChanged.connect(
            lambda index: self.scale_wanted.emit(self.scale_box.itemData(index))
        )
        self.scale_box.setCurrentIndex(_SCALES.index(100))
        form.addRow(caption("C&olours", self.theme_box, beside=True), self.theme_box)
        form.addRow(caption("&Text size", self.scale_box, beside=True), self.scale_box)
        return frame

    def _make_lock(self) -> QWidget:
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 18, 22, 18)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapLongRows)
        form.setHorizontalSpacing(18)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.FieldsStayAtSizeHint)
        form.addRow(heading("Lock", 120))
        form.addRow(
            text_label(
                "A locked wallet is closed: what is on screen goes, and its password is asked "
                "again. The program goes on reading the chain.",
                role="muted",
            )
        )
        self.lock_box = QComboBox()
        self.lock_box.setObjectName("settings_lock")
        self.lock_box.setAccessibleName("Lock by itself")
        for minutes, text in _LOCKS:
            self.lock_box.addItem(text, minutes)
        self.lock_box.setCurrentIndex(1)
        self.lock_box.currentIndexChanged.connect(
            lambda index: self.lock_minutes_wanted.emit(self.lock_box.itemData(index))
        )
        form.addRow(caption("Lock by &itself", self.lock_box, beside=True), self.lock_box)
        return frame

    def show_settings(
        self, peers: Sequence[PeerAddress], theme: str, scale: int, lock_minutes: int
    ) -> None:
        """Show what is stored, without announcing it as a change."""
        for box, value, words in (
            (self.theme_box, theme, theme),
            (self.scale_box, scale, f"{scale} %"),
            (self.lock_box, lock_minutes, f"After {lock_minutes} minutes without use"),
        ):
            box.blockSignals(True)
            if box.findData(value) < 0:
                # A value from a settings file that somebody wrote by hand.
                box.addItem(words, value)
            box.setCurrentIndex(box.findData(value))
            box.blockSignals(False)
        self.peers_edit.setPlainText("\n".join(str(peer) for peer in peers))

    def _apply(self) -> None:
        peers = []
        for number, text in enumerate(self.peers_edit.toPlainText().splitlines(), 1):
            if not text.strip():
                continue
            try:
                peers.append(parse_peer(text, self._params))
            except ParseError as error:
                self.notice.say(f"Line {number}: {error}", ERROR)
                self.peers_edit.setFocus()
                return
        self.notice.say("Connecting." if peers else "Disconnected: no peer is named.", INFORMATION)
        self.peers_wanted.emit(tuple(peers))

    def _show_peers(self, snapshot: SyncSnapshot) -> None:
        names = [
            f"{plain(peer.address, 80)} ({plain(peer.user_agent, 60)})" for peer in snapshot.peers
        ]
        text = "Connected to " + ", ".join(names) if names else "Not connected."
        if snapshot.warning:
            text = f"{text} {plain(snapshot.warning, 300)}"
        self.connected.setText(text)
