"""ReceiveFlow: from the wish for an address to the request that is stored and shown."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from wallet_gui.app.published import RevealedAddress
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.receive_page import ReceivePage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online


class ReceiveFlow(QObject):
    """An answer that comes when another wallet is open is not shown."""

    def __init__(self, engine: Engine, wallet: WalletModel, page: ReceivePage) -> None:
        super().__init__(page)
        self._engine = engine
        self._wallet = wallet
        self._page = page
        self._online: Online | None = None
        page.request_wanted.connect(self._new_request)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    def _new_request(self, label: str, amount_sat: int | None) -> None:
        if self._online is None:
            return
        wallet_id = self._wallet.wallet_id

        def shown(request: RevealedAddress) -> None:
            if wallet_id == self._wallet.wallet_id:
                self._page.show_request(request.descriptor_index, request.index)

        def failed(error: BaseException) -> None:
            if wallet_id == self._wallet.wallet_id:
                self._page.show_failure(sentence(error))

        asked = self._online.new_request(wallet_id, label, amount_sat)
        self._engine.call(asked, self, shown, failed)
