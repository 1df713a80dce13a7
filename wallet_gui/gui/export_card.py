"""ExportCard on the page of the settings, and the page that it opens: the wallet's public side."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QPushButton, QStackedWidget, QVBoxLayout, QWidget

from wallet_gui.gui.engine import Engine
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.notice import ERROR, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.custody.exports import Export

WHAT_IT_SHOWS = (
    "For cosigners, other programs and devices. Whoever has it sees all payments of this wallet, "
    "past and future. No coin can be moved with it."
)


class ExportPage(Page):
    """The formats of one wallet; it is made when it is asked for, and goes with the wallet."""

    back_wanted = Signal()

    def __init__(self, engine: Engine, found: "tuple[Export, ...]") -> None:
        # Loaded with the first export, so that the first window does not wait for it.
        from wallet_gui.gui.export_panel import ExportPanel  # noqa: PLC0415

        super().__init__("export_page")
        back = QPushButton("&Back")
        back.setObjectName("export_back")
        back.setAccessibleName("Back")
        back.setProperty("role", "plain")
        back.clicked.connect(self.back_wanted.emit)
        self.body.addWidget(back, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addWidget(heading("Export this wallet"))
        self.body.addWidget(text_label(WHAT_IT_SHOWS, role="muted"))
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        self.panel = ExportPanel(engine, "export")
        layout.addWidget(self.panel)
        self.body.addWidget(frame)
        self.body.addStretch(1)
        self.panel.show_exports(found)


class ExportCard(QFrame):
    """There while a wallet is open; its page is one of `pages` while it is shown."""

    def __init__(self, engine: Engine, wallet: WalletModel, pages: QStackedWidget) -> None:
        super().__init__(pages)
        self.setObjectName("export_card")
        self.setProperty("role", "card")
        self._engine = engine
        self._wallet = wallet
        self._pages = pages
        self._behind: QWidget | None = None
        self._online: Online | None = None
        self.page: ExportPage | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Export this wallet", 120))
        layout.addWidget(
            text_label(f"Its descriptor and extended public key. {WHAT_IT_SHOWS}", role="muted")
        )
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        row = FlowLayout(spacing=10)
        self.button = QPushButton("Show the export")
        self.button.setObjectName("export_show")
        self.button.setAccessibleName("Show the export")
        self.button.clicked.connect(self._ask)
        row.addWidget(self.button)
        layout.addLayout(row)
        wallet.wallet_changed.connect(self._follow)
        pages.currentChanged.connect(lambda _: self._leave())
        self._follow(wallet.wallet_id)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    def _follow(self, wallet_id: str) -> None:
        self._close()
        self.notice.clear()
        self.setVisible(bool(wallet_id))

    def _ask(self) -> None:
        if self._online is None or not self._wallet.wallet_id:
            return
        from wallet_gui.custody.exports import exports_of  # noqa: PLC0415

        online, wallet_id = self._online, self._wallet.wallet_id

        async def written() -> "tuple[Export, ...]":
            return await asyncio.to_thread(exports_of, online.session(wallet_id).wallet)

        self._engine.call(
            written(),
            self,
            lambda found: self.show_exports(wallet_id, found),
            lambda error: self.notice.say(sentence(error), ERROR),
        )

    def show_exports(self, wallet_id: str, found: "tuple[Export, ...]") -> None:
        """Show the page, unless the wallet was locked meanwhile."""
        if wallet_id != self._wallet.wallet_id:
            return
        self._close()
        self._behind = self._pages.currentWidget()
        page = ExportPage(self._engine, found)
        page.back_wanted.connect(self._close)
        self._pages.addWidget(page)
        self._pages.setCurrentWidget(page)
        self.page = page

    def _leave(self) -> None:
        """Forget the page as soon as another one is shown."""
        if self.page is not None and self._pages.currentWidget() is not self.page:
            self._close()

    def _close(self) -> None:
        page, self.page = self.page, None
        if page is None:
            return
        page.panel.clear()
        if self._pages.currentWidget() is page and self._behind is not None:
            self._pages.setCurrentWidget(self._behind)
        self._pages.removeWidget(page)
        page.deleteLater()
