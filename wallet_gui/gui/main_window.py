"""The main window: sidebar, pages and status bar; wires signals of pages to the engine's calls."""

from collections.abc import Callable, Coroutine
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QMainWindow,
    QPushButton,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.backend_selector import SyncSnapshot
from wallet_gui.app.online import NewWallet, Online, OpenedWallet
from wallet_gui.app.session import RevealedAddress, SessionUpdate
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.history_model import HistoryModel
from wallet_gui.gui.history_page import HistoryPage
from wallet_gui.gui.overview_page import OverviewPage
from wallet_gui.gui.receive_page import ReceivePage
from wallet_gui.gui.send_flow import SendFlow
from wallet_gui.gui.send_page import SendPage
from wallet_gui.gui.settings_page import SettingsPage
from wallet_gui.gui.setup_wizard import SetupWizard
from wallet_gui.gui.status_bar import StatusBar
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

_TITLE = "Wallet GUI"
_NETWORK_NAMES = {
    "mainnet": "Bitcoin",
    "testnet4": "testnet4",
    "signet": "signet",
    "regtest": "regtest",
}


class MainWindow(QMainWindow):
    """One window on one network, with at most one wallet open."""

    closing = Signal()
    # Emitted from the engine thread; Qt queues it into this one.
    link_received = Signal(str)

    def __init__(self, engine: Engine, online: Online, params: ChainParams) -> None:
        super().__init__()
        self.setObjectName("main_window")
        self._engine = engine
        self._online = online
        self._params = params
        self._pending_uri: PaymentUri | None = None
        self.wallet_model = WalletModel(self)
        self.sync_model = SyncModel(self)
        self.history_model = HistoryModel(self.wallet_model)
        self.setMinimumSize(820, 560)
        self.resize(1120, 760)
        self._build()
        engine.published.connect(self._take)
        self.wallet_model.changed.connect(lambda _: self._show_title())
        self.show_wizard()
        self._show_title()

    # --- building

    def _build(self) -> None:
        central = QWidget()
        outer = QVBoxLayout(central)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        if self._params.is_test:
            outer.addWidget(self._make_banner())
        middle = QHBoxLayout()
        middle.setSpacing(0)
        self.sidebar = self._make_sidebar()
        middle.addWidget(self.sidebar)
        right = QVBoxLayout()
        right.setSpacing(0)
        self.notice = Notice(self)
        self.notice.button.setText("Close")
        self.notice.button.setObjectName("notice_close")
        self.notice.button.setAccessibleName("Close the message")
        self.notice.button.show()
        self.notice.button.clicked.connect(self.notice.clear)
        holder = QVBoxLayout()
        holder.setContentsMargins(28, 12, 28, 0)
        holder.addWidget(self.notice)
        right.addLayout(holder)
        self.pages = QStackedWidget()
        right.addWidget(self.pages, 1)
        middle.addLayout(right, 1)
        outer.addLayout(middle, 1)
        self.status = StatusBar(self.sync_model, self)
        outer.addWidget(self.status)
        self.setCentralWidget(central)
        self.wizard = SetupWizard(self._params, self)
        self.overview = OverviewPage(self.wallet_model, self.sync_model, self.history_model, self)
        self.receive = ReceivePage(self.wallet_model, self._params, self)
        self.send = SendPage(self.wallet_model, self._params, self)
        self.history = HistoryPage(self.wallet_model, self.history_model, self)
        self.settings = SettingsPage(self.sync_model, self._params, self)
        for page in (
            self.wizard,
            self.overview,
            self.receive,
            self.send,
            self.history,
            self.settings,
        ):
            self.pages.addWidget(page)
        self.send_flow = SendFlow(
            self._engine, self._online, self.wallet_model, self.send, self.history
        )
        self._connect()

    def _make_banner(self) -> QFrame:
        banner = QFrame()
        banner.setObjectName("play_banner")
        banner.setProperty("role", "play-banner")
        row = QHBoxLayout(banner)
        row.setContentsMargins(16, 5, 16, 5)
        name = _NETWORK_NAMES[self._params.name]
        label = text_label(f"Play money ({name}): these coins are worth nothing.", wrap=False)
        label.setAccessibleName(label.text())
        row.addWidget(label)
        return banner

    def _make_sidebar(self) -> QFrame:
        frame = QFrame()
        frame.setObjectName("sidebar")
        frame.setProperty("role", "sidebar")
        frame.setMinimumWidth(190)
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(12, 18, 12, 12)
        layout.setSpacing(4)
        self.wallet_name = heading("", 115)
        self.wallet_name.setObjectName("wallet_name")
        self.wallet_name.setContentsMargins(12, 0, 0, 10)
        layout.addWidget(self.wallet_name)
        self._navigation = QButtonGroup(self)
        self.navigation: dict[str, QPushButton] = {}
        for number, (key, text) in enumerate(
            (
                ("overview", "Overview"),
                ("receive", "Receive"),
                ("send", "Send"),
                ("history", "History"),
                ("settings", "Settings"),
            ),
            1,
        ):
            button = QPushButton(text)
            button.setObjectName(f"navigation_{key}")
            button.setAccessibleName(text)
            button.setProperty("role", "navigation")
            button.setCheckable(True)
            button.setToolTip(f"{text} (Ctrl+{number})")
            button.clicked.connect(lambda _=False, key=key: self.show_page(key))
            shortcut = QShortcut(QKeySequence(f"Ctrl+{number}"), self)
            shortcut.activated.connect(lambda key=key: self._go(key))
            self._navigation.addButton(button)
            self.navigation[key] = button
            layout.addWidget(button)
        layout.addStretch(1)
        return frame

    def _connect(self) -> None:
        self.wizard.open_wanted.connect(self.open_wallet)
        self.wizard.create_wanted.connect(self._create)
        self.wizard.restore_wanted.connect(self._restore)
        self.overview.receive_wanted.connect(lambda: self.show_page("receive"))
        self.overview.send_wanted.connect(lambda: self.show_page("send"))
        self.overview.history_wanted.connect(lambda: self.show_page("history"))
        self.overview.table.opened.connect(lambda _: self.show_page("history"))
        self.receive.request_wanted.connect(self._new_request)
        self.history.label_wanted.connect(self._set_label)
        self.settings.peers_wanted.connect(self._set_peers)
        self.status.lock_wanted.connect(self.lock)
        self.status.hide_wanted.connect(self.wallet_model.hide_amounts)
        self.sync_model.warned.connect(lambda text: self.notice.say(plain(text, 400), WARNING))

    # --- pages

    def show_wizard(self) -> None:
        """Show the pages before a wallet is open."""
        self.sidebar.hide()
        self.status.set_wallet_open(is_open=False)
        self.pages.setCurrentWidget(self.wizard)

    def show_page(self, key: str) -> None:
        """Show one of the pages of an open wallet."""
        pages = {
            "overview": self.overview,
            "receive": self.receive,
            "send": self.send,
            "history": self.history,
            "settings": self.settings,
        }
        self.navigation[key].setChecked(True)
        self.pages.setCurrentWidget(pages[key])

    def _go(self, key: str) -> None:
        if self.sidebar.isVisible():
            self.show_page(key)

    def _show_title(self) -> None:
        snapshot = self.wallet_model.snapshot
        name = plain(snapshot.name, 60) if snapshot is not None else ""
        parts = [name] if name else []
        parts.append(_TITLE)
        if self._params.is_test:
            parts.append(f"play money ({self._params.name})")
        self.setWindowTitle(" \u2013 ".join(parts))
        self.wallet_name.setText(name)
        self.wallet_name.setAccessibleName(f"Wallet: {name or 'none open'}")

    # --- what the engine publishes

    def _take(self, value: object) -> None:
        match value:
            case SessionUpdate():
                self.wallet_model.update(value)
            case SyncSnapshot():
                self.sync_model.update(value)
            case _:
                self.send_flow.take(value)

    def _call(
        self,
        coroutine: Coroutine[Any, Any, Any],
        on_success: Callable[[Any], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self._engine.call(coroutine, self, on_success, lambda error: on_failure(sentence(error)))

    # --- opening, creating, locking

    def list_wallets(self) -> None:
        """Read which wallets there are and show them."""
        self._call(self._online.wallets(), self.wizard.show_wallets, self._fail)

    def open_wallet(self, path: str) -> None:
        """Unlock a wallet file; the vault asks for its password."""
        self.wizard.set_busy("The vault asks for the password in a window of its own.")
        self._call(self._online.open_wallet(path), self._opened, self._wizard_failed)

    def _create(self, wanted: NewWallet) -> None:
        self.wizard.set_busy("Go on in the vault window: it shows your words.")
        self._call(self._online.create_wallet(wanted), self._opened, self._wizard_failed)

    def _restore(self, wanted: NewWallet) -> None:
        self.wizard.set_busy("Go on in the vault window: type your words there.")
        self._call(self._online.restore_wallet(wanted), self._opened, self._wizard_failed)

    def _wizard_failed(self, text: str) -> None:
        self.wizard.set_busy("")
        if text:
            self.wizard.say(text, ERROR)

    def _opened(self, opened: OpenedWallet) -> None:
        self.wizard.set_busy("")
        self.wallet_model.show_wallet(opened.wallet_id)
        self.wallet_model.update(SessionUpdate(opened.wallet_id, opened.snapshot))
        self.sidebar.show()
        self.status.set_wallet_open(is_open=True)
        self.show_page("overview")
        if opened.notices:
            self.notice.say(" ".join(opened.notices), WARNING)
        if self._pending_uri is not None:
            self.pay(self._pending_uri)

    def lock(self) -> None:
        """Close the wallet: what is on screen goes, and the password is asked again."""
        wallet_id = self.wallet_model.wallet_id
        if not wallet_id:
            return
        self.wallet_model.show_wallet("")
        self.notice.clear()
        self.show_wizard()
        self._show_title()
        self._call(self._online.close_wallet(wallet_id), lambda _: self.list_wallets(), self._fail)

    def pay(self, uri: PaymentUri) -> None:
        """Fill the send page from a bitcoin: link, now or once a wallet is open."""
        if not self.wallet_model.wallet_id:
            self._pending_uri = uri
            self.wizard.say("Open a wallet to make the payment of the link.", INFORMATION)
            return
        self._pending_uri = None
        self.send.fill(uri)
        self.show_page("send")

    # --- what pages ask for

    def _new_request(self, label: str, amount_sat: int | None) -> None:
        def shown(request: RevealedAddress) -> None:
            self.receive.show_request(request.descriptor_index, request.index)

        self._call(
            self._online.new_request(self.wallet_model.wallet_id, label, amount_sat),
            shown,
            self.receive.show_failure,
        )

    def _set_label(self, txid: bytes, text: str) -> None:
        self._call(
            self._online.set_tx_label(self.wallet_model.wallet_id, txid, text),
            lambda _: None,
            self._fail,
        )

    def _set_peers(self, peers: tuple[PeerAddress, ...]) -> None:
        self._call(self._online.set_peers(peers), lambda _: None, self._fail)

    def _fail(self, text: str) -> None:
        if text:
            self.notice.say(text, ERROR)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.closing.emit()
        event.accept()
