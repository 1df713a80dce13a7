"""ExportCard: the public side of the open wallet, on the page of the settings."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.gui.engine import Engine
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import ERROR, Notice
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.exports import Export
    from wallet_gui.app.online import Online
    from wallet_gui.gui.export_panel import ExportPanel

_SHOW, _HIDE = "Show the export", "Hide the export"


class ExportCard(QFrame):
    """There while a wallet is open; what it shows goes when the wallet is locked."""

    def __init__(self, engine: Engine, wallet: WalletModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export_card")
        self.setProperty("role", "card")
        self._engine = engine
        self._wallet = wallet
        self._online: Online | None = None
        self.panel: ExportPanel | None = None
        self._layout = layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Export this wallet", 120))
        layout.addWidget(
            text_label(
                "Its descriptor and extended public key, for cosigners, other programs and "
                "devices. Whoever has them sees all its payments, past and future. No coin can be "
                "moved with them.",
                role="muted",
            )
        )
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        row = FlowLayout(spacing=10)
        self.button = QPushButton(_SHOW)
        self.button.setObjectName("export_show")
        self.button.setAccessibleName(_SHOW)
        self.button.clicked.connect(self._toggle)
        row.addWidget(self.button)
        layout.addLayout(row)
        wallet.wallet_changed.connect(self._follow)
        self._follow(wallet.wallet_id)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    def _follow(self, wallet_id: str) -> None:
        self._close()
        self.setVisible(bool(wallet_id))

    def _toggle(self) -> None:
        if self.panel is not None:
            self._close()
            return
        if self._online is None or not self._wallet.wallet_id:
            return
        # Loaded with the first export, so that the first window does not wait for it.
        from wallet_gui.app.exports import exports_of  # noqa: PLC0415

        online, wallet_id = self._online, self._wallet.wallet_id

        async def written() -> "tuple[Export, ...]":
            return await asyncio.to_thread(exports_of, online.session(wallet_id).wallet)

        self._engine.call(
            written(),
            self,
            lambda found: self._show(wallet_id, found),
            lambda error: self.notice.say(sentence(error), ERROR),
        )

    def _show(self, wallet_id: str, found: "tuple[Export, ...]") -> None:
        if wallet_id != self._wallet.wallet_id:
            return
        from wallet_gui.gui.export_panel import ExportPanel  # noqa: PLC0415

        self._close()
        self.panel = ExportPanel(self._engine, "export")
        self._layout.addWidget(self.panel)
        self.panel.show_exports(found)
        self._name_button(_HIDE)

    def _close(self) -> None:
        panel, self.panel = self.panel, None
        if panel is not None:
            panel.clear()
            panel.hide()
            self._layout.removeWidget(panel)
            panel.deleteLater()
        self.notice.clear()
        self._name_button(_SHOW)

    def _name_button(self, words: str) -> None:
        self.button.setText(words)
        self.button.setAccessibleName(words)
