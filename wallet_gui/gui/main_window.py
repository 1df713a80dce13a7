"""The main window: sidebar, pages and status bar; wires signals of pages to the engine's calls."""

from collections.abc import Callable, Coroutine
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent
from PySide6.QtWidgets import (
    QApplication,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.locking import lock_wallet
from wallet_gui.app.published import (
    NewWallet,
    OpenedWallet,
    SessionUpdate,
    SyncSnapshot,
    WalletEntry,
)
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.handed_over import HandedOver
from wallet_gui.gui.import_flow import ImportFlow
from wallet_gui.gui.paged_window import PagedWindow
from wallet_gui.gui.play_banner import PlayBanner
from wallet_gui.gui.play_flow import PlayFlow
from wallet_gui.gui.setup_wizard import SetupWizard
from wallet_gui.gui.source_flow import SourceFlow
from wallet_gui.gui.status_bar import StatusBar
from wallet_gui.gui.update_flow import UpdateFlow
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.widgets.clipboard import clipboard
from wallet_gui.widgets.lock_flow import LockFlow
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page_sidebar import PageSidebar
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.gui.node_prompts import NodePrompts
    from wallet_gui.gui.source_card import SourceCard
    from wallet_gui.gui.wallet_pages import WalletPages
    from wallet_gui.wallet.snapshot import HistoryEntry

_TITLE = "Wallet GUI"
_PAGES = (
    ("overview", "Overview"),
    ("receive", "Receive"),
    ("send", "Send"),
    ("history", "History"),
    ("psbt", "Sign (PSBT)"),
    ("peers", "Peers"),
    ("settings", "Settings"),
)
_VAULT_CLOSED = (
    "The vault was closed, because the screen was locked or the computer went to sleep. Nothing "
    "was changed; begin again."
)


class MainWindow(PagedWindow):
    """One window on one network, with at most one wallet open."""

    closing = Signal()
    # Emitted from the engine thread; Qt queues it into this one.
    link_received = Signal(str)
    # The path of a PSBT file that a person opened with the program.
    psbt_file_wanted = Signal(str)

    def __init__(self, engine: Engine, params: ChainParams) -> None:
        """Draw the window; it does nothing before `attach` gives it the online side."""
        super().__init__(engine, params)
        self.setObjectName("main_window")
        self._opening: Call | None = None
        self.play_flow: PlayFlow | None = None
        self._wizard_words = ""
        self._locked_meanwhile = ""  # why the wallet that is being opened is not to be shown
        self.setMinimumSize(820, 560)
        self.resize(1120, 760)
        self._build()
        self.lock_flow = LockFlow(self, self._is_in_vault)
        self.lock_flow.wanted.connect(self.lock)
        self.idle_lock = self.lock_flow.idle
        engine.published.connect(self._take, Qt.ConnectionType.QueuedConnection)
        self.wallet_model.changed.connect(lambda _: self._show_title())
        self.show_wizard()
        self._show_title()

    def come_to_front(self) -> None:
        """Show the window to a person who started the program again."""
        if self.isMinimized():
            self.showNormal()
        self.raise_()
        self.activateWindow()
        # Where the desktop does not let a window come by itself, its entry asks for attention.
        QApplication.alert(self)

    def attach(self, online: "Online") -> None:
        """Take the online side, once it is loaded."""
        self._attached = online
        for part in (self.source_flow, self.import_flow, self.update_flow):
            part.attach(online)
        self.attach_pages()
        if self.play_flow is not None:
            self.play_flow.attach(online)

    # --- what is made when it is needed

    @cached_property
    def prompts(self) -> "NodePrompts":
        from wallet_gui.gui.node_prompts import NodePrompts  # noqa: PLC0415 - not for the first window

        return NodePrompts(self)

    @cached_property
    def source_flow(self) -> SourceFlow:
        return SourceFlow(self.engine, self.sync_model, self.prompts)

    def _make_pages(self) -> "WalletPages":
        from wallet_gui.gui.wallet_pages import WalletPages  # noqa: PLC0415 - see there

        made = WalletPages(
            self, self.pages, self.engine, self.params, self.wallet_model, self.sync_model
        )
        made.settings.back_wanted.connect(self.show_wizard)
        made.settings.network.peers_wanted.connect(self._show_peers)
        made.peers.back_wanted.connect(self.show_settings_alone)
        made.message_flow.page_wanted.connect(lambda: self.pages.setCurrentWidget(made.messages))
        made.messages.back_wanted.connect(self._leave_messages)
        made.scan_again.wanted.connect(self._look_from)
        made.overview.settings_wanted.connect(lambda: self.show_page("settings"))
        made.overview.receive_wanted.connect(lambda: self.show_page("receive"))
        made.overview.send_wanted.connect(lambda: self.show_page("send"))
        made.overview.history_wanted.connect(lambda: self.show_page("history"))
        made.overview.table.opened.connect(self._show_payment)
        made.psbt_flow.page_wanted.connect(lambda: self.show_page("psbt"))
        made.request_flow.failed.connect(self.fail)
        self.source_flow.add_card(made.settings.source)
        self.update_flow.add_card(made.settings)
        return made

    def _serve_source(self, card: "SourceCard") -> None:
        self.source_flow.add_card(card)

    # --- building

    def _build(self) -> None:
        central = QWidget()
        outer = QVBoxLayout(central)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        if self.params.is_test:
            banner = PlayBanner(self.params.name, self)
            self.play_flow = PlayFlow(self.engine, self.wallet_model, banner, self._say)
            outer.addWidget(banner)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        self.sidebar = PageSidebar("sidebar", _PAGES, self)
        self.sidebar.chosen.connect(self.show_page)
        self.navigation = self.sidebar.buttons
        middle.addWidget(self.sidebar)
        self.wizard = SetupWizard(self.params, self)
        self.pages.addWidget(self.wizard)
        right = QVBoxLayout()
        right.setSpacing(0)
        right.addLayout(self._make_notice())
        right.addWidget(self.pages, 1)
        middle.addLayout(right, 1)
        outer.addLayout(middle, 1)
        self.status = StatusBar(self.sync_model, self)
        outer.addWidget(self.status)
        self.setCentralWidget(central)
        self.import_flow = ImportFlow(self.engine, self.params, self.wizard, self._open_with)
        self.handed = HandedOver(self.wallet_model, self._say_open_first, self._deliver)
        self.update_flow = UpdateFlow(self.engine, self.sidebar, self._say, self.show_page)
        self._connect()

    def _make_notice(self) -> QVBoxLayout:
        self.notice = Notice(self)
        self.notice.button.setText("Close")
        self.notice.button.setObjectName("notice_close")
        self.notice.button.setAccessibleName("Close the message")
        self.notice.button.show()
        self.notice.button.clicked.connect(self.notice.clear)
        holder = QVBoxLayout()
        # As wide as the cards of the pages, which keep the place of their scroll bar free.
        holder.setContentsMargins(28, 12, 28 + self.wizard.welcome.gutter, 0)
        holder.addWidget(self.notice)
        return holder

    def _connect(self) -> None:
        self.wizard.open_wanted.connect(self.open_wallet)
        self.wizard.create_wanted.connect(self._create)
        self.wizard.restore_wanted.connect(self._restore)
        self.wizard.source_wanted.connect(
            lambda choice: self.source_flow.use(self.wizard.source, choice)
        )
        self.wizard.source_made.connect(self._serve_source)
        self.wizard.cancel_wanted.connect(self._cancel_opening)
        self.wizard.settings_wanted.connect(self.show_settings_alone)
        self.psbt_file_wanted.connect(self.handed.open_file)
        self.pages.currentChanged.connect(lambda _: self._say_what_is_shown())
        self.wallet_model.wallet_changed.connect(lambda _: self._say_what_is_shown())
        self.status.lock_wanted.connect(self.lock)
        self.status.hide_wanted.connect(self.wallet_model.hide_amounts)
        self.sync_model.warned.connect(lambda text: self.notice.say(plain(text, 400), WARNING))

    # --- pages

    def show_wizard(self) -> None:
        """Show the pages before a wallet is open."""
        self.sidebar.hide()
        self.status.set_wallet_open(is_open=False)
        self.pages.setCurrentWidget(self.wizard)

    def show_settings_alone(self) -> None:
        """Show the settings while no wallet is open."""
        self.settings.back_button.show()
        self.pages.setCurrentWidget(self.settings)

    def _leave_messages(self) -> None:
        if self.wallet_model.wallet_id:
            self.show_page("settings")
        else:
            self.show_settings_alone()

    def _show_payment(self, entry: "HistoryEntry") -> None:
        self.show_page("history")
        self.history.show_payment(entry)

    def show_page(self, key: str) -> None:
        """Show one of the pages of an open wallet."""
        if self.notice.kind == INFORMATION:
            # What was done on another page is no news on this one; a warning stays.
            self.notice.clear()
        self.navigation[key].setChecked(True)
        self.pages.setCurrentWidget(self.wallet_pages.by_key[key])
        if key == "send":
            self.send.rows[0].payee.setFocus()
        elif key == "receive":
            self.receive.label_edit.setFocus()

    def _show_peers(self) -> None:
        """Show the peers, also while no wallet is open."""
        if self.wallet_model.wallet_id:
            self.show_page("peers")
            return
        self.peers.back_button.show()
        self.pages.setCurrentWidget(self.peers)

    def _say_what_is_shown(self) -> None:
        if self._made is None:
            return
        page = self.pages.currentWidget() if self.wallet_model.wallet_id else None
        self.network_flow.set_busy_with(
            is_receiving=page is self.receive, is_paying=page is self.send
        )

    def _show_title(self) -> None:
        snapshot = self.wallet_model.snapshot
        name = plain(snapshot.name, 60) if snapshot is not None else ""
        parts = [name] if name else []
        parts.append(_TITLE)
        if self.params.is_test:
            parts.append(f"play money ({self.params.name})")
        self.setWindowTitle(" \u2013 ".join(parts))
        self.sidebar.show_name(name)

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
        self.engine.call(coroutine, self, on_success, lambda error: on_failure(sentence(error)))

    def _open_with(self, coroutine: Coroutine[Any, Any, OpenedWallet], words: str) -> None:
        """Open a wallet through the vault; the person may cancel while its window is there."""
        self.wizard.set_busy(words, can_cancel=True)
        # While the vault starts, nobody waits for this window.
        QTimer.singleShot(0, self, lambda: self.wallet_pages)
        call = self.engine.call(
            coroutine, self, self._opened, lambda error: self._wizard_failed(sentence(error))
        )
        call.cancelled.connect(lambda: self._wizard_failed(""))
        self._opening = call

    def _cancel_opening(self) -> None:
        if self._opening is not None:
            self._opening.cancel()

    # --- opening, creating, locking

    def list_wallets(self) -> None:
        """Read which wallets there are and show them."""
        self._call(self._online.wallets(), self._show_wallets, self._list_failed)

    def _show_wallets(self, entries: tuple[WalletEntry, ...]) -> None:
        if not self.wallet_model.wallet_id:
            self.wizard.show_wallets(entries)
            if self._wizard_words:
                self.wizard.say(self._wizard_words)
                self._wizard_words = ""

    def open_wallet(self, path: str) -> None:
        """Unlock a wallet file; the vault asks for its password."""
        self._open_with(
            self._online.open_wallet(path),
            "The vault asks for the password in a window of its own.",
        )

    def _create(self, wanted: NewWallet) -> None:
        self._open_with(
            self._online.create_wallet(wanted), "Go on in the vault window: it shows your words."
        )

    def _restore(self, wanted: NewWallet) -> None:
        self._open_with(
            self._online.restore_wallet(wanted),
            "Go on in the vault window: type your words there.",
        )

    def _wizard_failed(self, text: str) -> None:
        self._opening = None
        self._locked_meanwhile = ""
        self.wizard.set_busy("")
        if text:
            self.wizard.say(text, ERROR)
        elif self._wizard_words:
            self.wizard.say(self._wizard_words, INFORMATION)

    def _opened(self, opened: OpenedWallet) -> None:
        if self._locked_meanwhile:
            # The vault had answered already when the screen was locked.
            self._opening = None
            self._wizard_words, self._locked_meanwhile = self._locked_meanwhile, ""
            self.import_flow.forget()
            self._close(opened.wallet_id)
            return
        # Before anything of the wallet is told: pages show what they hear from their models.
        pages = self.wallet_pages
        self._opening = None
        self._wizard_words = ""
        self.wizard.set_busy("")
        self.import_flow.forget()
        self.wallet_model.show_wallet(opened.wallet_id)
        self.wallet_model.update(SessionUpdate(opened.wallet_id, opened.snapshot))
        self.sidebar.show()
        pages.settings.back_button.hide()
        pages.peers.back_button.hide()
        self.status.set_wallet_open(is_open=True)
        self.idle_lock.watch(is_open=True)
        self.show_page("overview")
        self._say_what_is_shown()
        if opened.notices:
            self.notice.say(" ".join(opened.notices), WARNING)
        self.handed.deliver()

    def _leave_wallet(self) -> None:
        """Take what is on screen of the open wallet away."""
        self.idle_lock.watch(is_open=False)
        focus = self.focusWidget()
        if focus is not None:
            # A label that was being typed is kept: leaving its field saves it.
            focus.clearFocus()
        self.wallet_model.show_wallet("")
        clipboard().forget()
        self.notice.clear()
        self.show_wizard()
        self._show_title()

    def _look_from(self, birthday_time: int | None) -> None:
        """Close the wallet and open it anew, to look for payments from an earlier day on."""
        from wallet_gui.app.birthday_change import look_from  # noqa: PLC0415 - not for the first window

        wallet_id = self.wallet_model.wallet_id
        self._leave_wallet()
        self._open_with(
            look_from(self._online, wallet_id, birthday_time),
            "The vault asks for the password; then the chain is looked through again.",
        )

    def lock(self, reason: str = "") -> None:
        """Close the wallet: what is on screen goes, and the password is asked again.

        Vault windows end too. `reason` is told where the wallet may be opened again.
        """
        wallet_id = self.wallet_model.wallet_id
        if wallet_id:
            self._wizard_words = reason
            self._leave_wallet()
        elif self._opening is not None and reason:
            self._wizard_words = _VAULT_CLOSED
            self._locked_meanwhile = reason
        if self._attached is not None:
            self._close(wallet_id)

    def _close(self, wallet_id: str) -> None:
        """Close a wallet, or with "" only what is open in the vault."""
        if wallet_id:
            # Its file is free for another opening once it is closed.
            self.wizard.set_busy("Closing the wallet.")
        self._call(
            lock_wallet(self._online, wallet_id),
            lambda _: self.list_wallets() if wallet_id else None,
            self._list_failed,
        )

    def _list_failed(self, text: str) -> None:
        if self._opening is None:
            self.wizard.set_busy("")
        self.fail(text)

    def _is_in_vault(self) -> bool:
        """Whether the person may be busy in a window of the vault, which this one does not see."""
        if self._made is not None:
            flows = (self._made.send_flow, self._made.message_flow)
            if any(flow.is_signing for flow in flows) or self._made.backup_flow.is_asking:
                return True
        return self._attached is not None and self._attached.vault.is_asking

    def pay(self, uri: PaymentUri) -> None:
        """Fill the send page from a bitcoin: link, now or once a wallet is open."""
        self.handed.pay(uri)

    def _deliver(self, given: PaymentUri | Path) -> None:
        """Show what the program was started with, now that a wallet is open."""
        if isinstance(given, PaymentUri):
            self.send.fill(given)
            self.show_page("send")
        else:
            self.show_page("psbt")
            self.psbt_flow.board.given.emit(given)

    def _say_open_first(self, words: str) -> None:
        # Said again with the list of wallets, which may not be there yet.
        self._wizard_words = words
        self.wizard.say(words, INFORMATION)

    # --- what is said

    def _say(self, text: str, kind: str) -> None:
        self.notice.say(text, kind)

    def fail(self, text: str) -> None:
        """Show a sentence about what went wrong; "" is nothing to show."""
        if text:
            self.notice.say(text, ERROR)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.notice.isVisible():
            self.notice.clear()
            return
        super().keyPressEvent(event)

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._attached is not None:
            self.prompts.close_all()
        self.closing.emit()
        event.accept()
