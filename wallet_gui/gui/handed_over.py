"""HandedOver: the link or PSBT file that the program was started with, kept until it is used."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.uri import PaymentUri

_OPEN_TO_PAY = "Open a wallet to make the payment of the link."
_OPEN_TO_LOOK = "Open a wallet to look at the payment of the file."


class HandedOver(QObject):
    """Keeps the last one that was given, and gives it to `deliver` once a wallet is open.

    `say` tells a person that a wallet has to be open first.
    """

    def __init__(
        self,
        wallet: WalletModel,
        say: Callable[[str], None],
        deliver: Callable[[PaymentUri | Path], None],
    ) -> None:
        super().__init__(wallet)
        self._wallet = wallet
        self._say = say
        self._deliver = deliver
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
        if given is not None:
            self._deliver(given)

    def _take(self, given: PaymentUri | Path, open_first: str) -> None:
        self._waiting = given
        if self._wallet.wallet_id:
            self.deliver()
        else:
            self._say(open_first)
