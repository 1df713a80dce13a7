"""What the receive and history pages ask for: a new request, a label of a payment."""

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from wallet_gui.app.published import RevealedAddress
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.history_page import HistoryPage
from wallet_gui.gui.receive_page import ReceivePage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online


class RequestFlow(QObject):
    """Stores what both pages were told; `failed` carries a sentence for the window."""

    failed = Signal(str)

    def __init__(
        self, engine: Engine, wallet: WalletModel, receive: ReceivePage, history: HistoryPage
    ) -> None:
        super().__init__(receive)
        self._engine = engine
        self._wallet = wallet
        self._receive = receive
        self._attached: Online | None = None
        receive.request_wanted.connect(self._new_request)
        history.label_wanted.connect(self._set_label)

    def attach(self, online: "Online") -> None:
        """Take the online side, once it is loaded."""
        self._attached = online

    def _new_request(self, label: str, amount_sat: int | None) -> None:
        if self._attached is None:
            return
        wallet_id = self._wallet.wallet_id

        def shown(request: RevealedAddress) -> None:
            if wallet_id == self._wallet.wallet_id:
                self._receive.show_request(request.descriptor_index, request.index)

        def failed(error: BaseException) -> None:
            if wallet_id == self._wallet.wallet_id:
                self._receive.show_failure(sentence(error))

        asked: Coroutine[Any, Any, RevealedAddress] = self._attached.new_request(
            wallet_id, label, amount_sat
        )
        self._engine.call(asked, self, shown, failed)

    def _set_label(self, txid: bytes, text: str) -> None:
        if self._attached is None or not self._wallet.wallet_id:
            return
        self._engine.call(
            self._attached.set_tx_label(self._wallet.wallet_id, txid, text),
            self,
            on_failure=lambda error: self.failed.emit(sentence(error)),
        )
