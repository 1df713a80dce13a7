"""HandedOver: the link or PSBT file that the program was started with, kept until it is used."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from wallet_gui.gui.psbt_flow import PsbtFlow
from wallet_gui.gui.send_page import SendPage
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.uri import PaymentUri

_OPEN_TO_PAY = "Open a wallet to make the payment of the link."
_OPEN_TO_LOOK = "Open a wallet to look at the payment of the file."


class HandedOver(QObject):
    """Fills the page that it is for, now or once a wallet is open; the last one counts.

    `say` tells a person that a wallet has to be open first, `show_page` shows one by its key.
    """

    def __init__(
        self,
        wallet: WalletModel,
        send: SendPage,
        psbt: PsbtFlow,
        say: Callable[[str], None],
        show_page: Callable[[str], None],
    ) -> None:
        super().__init__(psbt)
        self._wallet = wallet
        self._send = send
        self._psbt = psbt
        self._say = say
        self._show_page = show_page
        self._waiting: PaymentUri | Path | None = None

    def pay(self, uri: PaymentUri) -> None:
        """Fill the send page from a bitcoin: link."""
        self._take(uri, _OPEN_TO_PAY)

    def open_file(self, path: str) -> None:
        """Show a PSBT file on the page for payments that are signed elsewhere."""
        self._take(Path(path), _OPEN_TO_LOOK)

    def deliver(self) -> None:
        """Use what waits; a wallet is open now."""
        given, self._waiting = self._waiting, None
        if isinstance(given, PaymentUri):
            self._send.fill(given)
            self._show_page("send")
        elif given is not None:
            self._show_page("psbt")
            self._psbt.board.given.emit(given)

    def _take(self, given: PaymentUri | Path, open_first: str) -> None:
        self._waiting = given
        if self._wallet.wallet_id:
            self.deliver()
        else:
            self._say(open_first)
