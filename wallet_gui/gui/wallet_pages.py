"""WalletPages: the pages of an open wallet and the settings, and what stands behind them.

They are made with the first need, when a wallet is opened or a page is asked for: the first window
shows none of them, and neither waits for them nor holds the memory that they take.
"""

from typing import TYPE_CHECKING

from PySide6.QtWidgets import QStackedWidget, QWidget

from wallet_gui.gui.backup_flow import BackupFlow
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.export_card import ExportCard
from wallet_gui.gui.history_model import HistoryModel
from wallet_gui.gui.history_page import HistoryPage
from wallet_gui.gui.message_flow import MessageFlow
from wallet_gui.gui.network_flow import NetworkFlow
from wallet_gui.gui.overview_page import OverviewPage
from wallet_gui.gui.peers_page import PeersPage
from wallet_gui.gui.psbt_flow import PsbtFlow
from wallet_gui.gui.psbt_page import PsbtPage
from wallet_gui.gui.receive_page import ReceivePage
from wallet_gui.gui.request_flow import RequestFlow
from wallet_gui.gui.scan_again_card import ScanAgainCard
from wallet_gui.gui.send_flow import SendFlow
from wallet_gui.gui.send_page import SendPage
from wallet_gui.gui.settings_page import SettingsPage
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.message_page import MessagePage

if TYPE_CHECKING:
    from wallet_gui.app.online import Online


class WalletPages:
    """Makes every page in a stack, and connects what is between the pages; one per window."""

    def __init__(
        self,
        window: QWidget,
        stack: QStackedWidget,
        engine: Engine,
        params: ChainParams,
        wallet: WalletModel,
        sync: SyncModel,
    ) -> None:
        """Make the pages, which show at once what the models have heard."""
        self.history_model = HistoryModel(wallet)
        self.overview = OverviewPage(wallet, sync, self.history_model, window)
        self.receive = ReceivePage(wallet, params, window)
        self.send = SendPage(wallet, params, window)
        self.history = HistoryPage(wallet, self.history_model, window)
        self.psbt = PsbtPage(window)
        self.peers = PeersPage(sync, window)
        self.settings = SettingsPage(params, window)
        self.messages = MessagePage(window)
        self.by_key: dict[str, QWidget] = {
            "overview": self.overview,
            "receive": self.receive,
            "send": self.send,
            "history": self.history,
            "psbt": self.psbt,
            "peers": self.peers,
            "settings": self.settings,
        }
        for page in (*self.by_key.values(), self.messages):
            stack.addWidget(page)
        self.export_card = ExportCard(engine, wallet, stack)
        self.message_flow = MessageFlow(engine, wallet, self.messages, params)
        self.scan_again = ScanAgainCard(wallet, window)
        for card in (self.export_card, self.message_flow.card, self.scan_again):
            self.settings.add_card(card)
        self.backup_flow = BackupFlow(engine, wallet, self.overview, self.settings)
        self.send_flow = SendFlow(engine, wallet, self.send, self.history)
        self.request_flow = RequestFlow(engine, wallet, self.receive, self.history)
        self.psbt_flow = PsbtFlow(engine, wallet, self.psbt, self.send, self.send_flow)
        self.network_flow = NetworkFlow(
            engine, wallet, sync, self.settings.network, self.overview.plan
        )
        self.receive.sign_wanted.connect(self.message_flow.begin)
        wallet.check_changed.connect(self.peers.node.show_check)
        sync.changed.connect(lambda snapshot: self.send.fees.show_advice(snapshot.fee_advice))
        # What was said before the pages were there.
        if wallet.hides_amounts:
            wallet.privacy_changed.emit(True)
        if sync.snapshot is not None:
            sync.changed.emit(sync.snapshot)

    def attach(self, online: "Online") -> None:
        """Take the online side, once both are there."""
        for part in (
            *(self.backup_flow, self.request_flow, self.send_flow, self.psbt_flow),
            *(self.network_flow, self.message_flow, self.export_card),
        ):
            part.attach(online)
