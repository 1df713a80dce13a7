"""PagedWindow: the models of the main window, and its pages, which are made with the first need."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QMainWindow, QStackedWidget

from wallet_gui.gui.engine import Engine
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.params import ChainParams

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.gui.backup_flow import BackupFlow
    from wallet_gui.gui.export_card import ExportCard
    from wallet_gui.gui.history_page import HistoryPage
    from wallet_gui.gui.message_flow import MessageFlow
    from wallet_gui.gui.network_flow import NetworkFlow
    from wallet_gui.gui.overview_page import OverviewPage
    from wallet_gui.gui.peers_page import PeersPage
    from wallet_gui.gui.psbt_flow import PsbtFlow
    from wallet_gui.gui.psbt_page import PsbtPage
    from wallet_gui.gui.receive_page import ReceivePage
    from wallet_gui.gui.scan_again_card import ScanAgainCard
    from wallet_gui.gui.send_flow import SendFlow
    from wallet_gui.gui.send_page import SendPage
    from wallet_gui.gui.settings_page import SettingsPage
    from wallet_gui.gui.wallet_pages import WalletPages
    from wallet_gui.widgets.message_page import MessagePage


class PagedWindow(QMainWindow):
    """Asking for a page makes all of them; until then only what `pages` was given is there."""

    # The pages of a wallet and the settings are there from now on.
    pages_made = Signal()

    def __init__(self, engine: Engine, params: ChainParams) -> None:
        """Make the models and an empty stack."""
        super().__init__()
        self.engine = engine
        self.params = params
        self.wallet_model = WalletModel(self)
        self.sync_model = SyncModel(self)
        self.pages = QStackedWidget()
        self._attached: Online | None = None
        self._made: WalletPages | None = None

    @property
    def _online(self) -> "Online":
        if self._attached is None:
            raise RuntimeError("The window has no online side yet.")
        return self._attached

    def attach_pages(self) -> None:
        """Give the pages that are there the online side."""
        if self._made is not None and self._attached is not None:
            self._made.attach(self._attached)

    def _make_pages(self) -> "WalletPages":
        raise NotImplementedError

    @property
    def wallet_pages(self) -> "WalletPages":
        if self._made is None:
            self._made = self._make_pages()
            self.attach_pages()
            self.pages_made.emit()
        return self._made

    @property
    def has_pages(self) -> bool:
        return self._made is not None

    @property
    def overview(self) -> "OverviewPage":
        return self.wallet_pages.overview

    @property
    def receive(self) -> "ReceivePage":
        return self.wallet_pages.receive

    @property
    def send(self) -> "SendPage":
        return self.wallet_pages.send

    @property
    def history(self) -> "HistoryPage":
        return self.wallet_pages.history

    @property
    def psbt(self) -> "PsbtPage":
        return self.wallet_pages.psbt

    @property
    def peers(self) -> "PeersPage":
        return self.wallet_pages.peers

    @property
    def settings(self) -> "SettingsPage":
        return self.wallet_pages.settings

    @property
    def messages(self) -> "MessagePage":
        return self.wallet_pages.messages

    @property
    def export_card(self) -> "ExportCard":
        return self.wallet_pages.export_card

    @property
    def scan_again(self) -> "ScanAgainCard":
        return self.wallet_pages.scan_again

    @property
    def backup_flow(self) -> "BackupFlow":
        return self.wallet_pages.backup_flow

    @property
    def message_flow(self) -> "MessageFlow":
        return self.wallet_pages.message_flow

    @property
    def network_flow(self) -> "NetworkFlow":
        return self.wallet_pages.network_flow

    @property
    def psbt_flow(self) -> "PsbtFlow":
        return self.wallet_pages.psbt_flow

    @property
    def send_flow(self) -> "SendFlow":
        return self.wallet_pages.send_flow
