"""The offline window: a strip that says so, the pages, and what the vault is busy with."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.offline.backup_page import BackupPage
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.vault.offline.forms import button
from wallet_gui.vault.offline.message_flow import OfflineMessageFlow
from wallet_gui.vault.offline.pair_page import PairPage
from wallet_gui.vault.offline.proof import Check
from wallet_gui.vault.offline.proof_page import ProofPage
from wallet_gui.vault.offline.sidebar import OfflineSidebar
from wallet_gui.vault.offline.sign_page import SignPage
from wallet_gui.vault.offline.wallets_page import WalletsPage
from wallet_gui.widgets.clipboard import clipboard
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.lock_flow import LockFlow
from wallet_gui.widgets.message_page import MessagePage
from wallet_gui.widgets.notice import INFORMATION

TITLE: Final = "Wallet GUI \u2013 Offline"
PAGES: Final = (
    ("wallets", "Wallets"),
    ("sign", "Sign"),
    ("pair", "Pair"),
    ("backup", "Backups"),
    ("messages", "Messages"),
    ("proof", "Proof"),
)
_WIDTH_IN_EM, _HEIGHT_IN_EM = 66, 50
_VAULT_CLOSED = (
    "The vault was closed, because the screen was locked or the computer went to sleep. Nothing "
    "was changed; begin again."
)


class OfflineStrip(QFrame):
    """Always on top: that there is no network, and who sees to that."""

    def __init__(self, protections: Protections, network: str, *, is_test: bool) -> None:
        super().__init__()
        self.setObjectName("offline_strip")
        self.setProperty("role", "vault-header")
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 10, 16, 10)
        row.setSpacing(12)
        title = heading("Offline: no network", 125)
        title.setObjectName("offline_title")
        title.setAccessibleName("Offline: no network")
        title.setWordWrap(False)
        row.addWidget(title)
        badge = text_label(f"Play money ({network})", role="play-badge", wrap=False)
        badge.setVisible(is_test)
        row.addWidget(badge, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        blocked = protections.is_network_blocked_by_kernel
        words = "Network blocked by the system" if blocked else "Network blocked in Python only"
        self.state = text_label(
            f"\u25cf {words}", role="positive" if blocked else "warning", wrap=False
        )
        self.state.setObjectName("offline_state")
        self.state.setAccessibleName(words)
        row.addWidget(self.state)


class OfflineWindow(QWidget):
    """Shows the pages; they are disabled while something is under way.

    `ready` comes once the wallets are listed and the first picture is on screen.
    """

    ready = Signal()

    def __init__(
        self, bench: Bench, protections: Protections, look: Callable[[], Sequence[Check]]
    ) -> None:
        super().__init__()
        self.setObjectName("offline_window")
        self.setProperty("role", "page")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        params = bench.keeper.params
        self.setWindowTitle(f"{TITLE}, {params.name}" if params.is_test else TITLE)
        self._bench = bench
        self._lock_words = ""
        self.lock_flow = LockFlow(self, lambda: bench.is_busy)
        self.lock_flow.wanted.connect(self.lock)
        self.idle_lock = self.lock_flow.idle
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        self.strip = OfflineStrip(protections, params.name, is_test=params.is_test)
        layout.addWidget(self.strip)
        middle = QHBoxLayout()
        middle.setSpacing(0)
        self.sidebar = OfflineSidebar(PAGES, self)
        self.sidebar.chosen.connect(self.show_page)
        middle.addWidget(self.sidebar)
        self.wallets = WalletsPage(bench, params)
        self.sign = SignPage(bench)
        self.pair = PairPage(bench, params)
        self.backup = BackupPage(bench)
        self.messages = MessagePage(self)
        self.message_flow = OfflineMessageFlow(bench, self.messages, params)
        self.proof = ProofPage(bench, look)
        self.pages: dict[str, QWidget] = {
            "wallets": self.wallets,
            "sign": self.sign,
            "pair": self.pair,
            "backup": self.backup,
            "messages": self.messages,
            "proof": self.proof,
        }
        self.stack = QStackedWidget()
        for page in self.pages.values():
            self.stack.addWidget(page)
        middle.addWidget(self.stack, 1)
        layout.addLayout(middle, 1)
        layout.addWidget(self._build_busy())
        self.sidebar.hide_wanted.connect(self.sign.hide_amounts)
        self.sign.wallet_wanted.connect(lambda: self.sidebar.go("wallets"))
        bench.busy_changed.connect(self._show_busy)
        bench.wallet_changed.connect(self._follow)
        lock = QShortcut(QKeySequence("Ctrl+L"), self)
        lock.activated.connect(self.lock)
        self._fit_to_screen()

    def _build_busy(self) -> QFrame:
        self.busy = QFrame()
        self.busy.setObjectName("offline_busy")
        self.busy.setProperty("role", "bottom-bar")
        row = QHBoxLayout(self.busy)
        row.setContentsMargins(24, 10, 16, 10)
        self.busy_words = text_label()
        self.busy_words.setObjectName("offline_busy_words")
        row.addWidget(self.busy_words, 1)
        self.cancel = button("offline_cancel", "&Cancel", self._bench.cancel)
        row.addWidget(self.cancel)
        self.busy.hide()
        return self.busy

    def _fit_to_screen(self) -> None:
        em = self.fontMetrics().height()
        room = self.screen().availableSize()
        self.resize(min(_WIDTH_IN_EM * em, room.width()), min(_HEIGHT_IN_EM * em, room.height()))

    def start(self) -> None:
        """List the wallets, and show the first page."""
        self.wallets.show_start()
        self.sidebar.go("wallets")
        QTimer.singleShot(0, self, self._say_ready)

    def _say_ready(self) -> None:
        self.lock_flow.start()
        self.ready.emit()

    def show_page(self, key: str) -> None:
        """Put a page on screen; the proof is tried anew each time."""
        self.stack.setCurrentWidget(self.pages[key])
        if key == "proof":
            self.proof.refresh()

    def lock(self, reason: str = "") -> None:
        """Close the wallet, and the vault with it; `reason` is told where it may be opened again.

        What was copied here does not stay on the clipboard either.
        """
        clipboard().forget()
        was_open = self._bench.opened is not None
        self._lock_words = reason if was_open or not reason else _VAULT_CLOSED
        self._bench.lock()

    def _follow(self) -> None:
        opened = self._bench.opened
        self.sidebar.show_name("" if opened is None else opened.wallet.description.name)
        self.idle_lock.watch(is_open=opened is not None)
        if opened is not None:
            return
        self.sidebar.go("wallets")
        words, self._lock_words = self._lock_words, ""
        if words:
            self.wallets.notice.say(words, INFORMATION)

    def _show_busy(self, what: str) -> None:
        self.idle_lock.touch()
        self.stack.setEnabled(not what)
        self.sidebar.setEnabled(not what)
        self.busy_words.setText(what)
        self.busy_words.setAccessibleName(what)
        self.cancel.setVisible(what == IN_THE_VAULT)
        if not what:
            self.busy.hide()
            return
        # What takes no time is not worth a strip that comes and goes.
        QTimer.singleShot(300, self, self._show_strip)

    def _show_strip(self) -> None:
        self.busy.setVisible(self._bench.is_busy)

    def closeEvent(self, event: QCloseEvent) -> None:
        self._bench.cancel()
        event.accept()
