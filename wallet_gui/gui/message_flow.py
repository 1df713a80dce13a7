"""MessageFlow: from the page of messages through the vault and back; and the way to that page."""

import asyncio
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout

from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.message_page import MessagePage
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.transfer.messages import MessageSigned
    from wallet_gui.wallet.messages import MessageCheck


class MessageFlow(QObject):
    """Signs in the vault and verifies in the engine; both end when the wallet is locked."""

    page_wanted = Signal()

    def __init__(
        self, engine: Engine, wallet: WalletModel, page: MessagePage, params: ChainParams
    ) -> None:
        super().__init__(page)
        self._engine = engine
        self._wallet = wallet
        self._page = page
        self._params = params
        self._online: Online | None = None
        self._signing: Call | None = None
        self.card = card()
        self.card.setObjectName("messages_card")
        layout = QVBoxLayout(self.card)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Messages", 120))
        layout.addWidget(
            text_label(
                "Sign a text with an address of yours, or check a signature that you were given.",
                role="muted",
            )
        )
        self.button = QPushButton("Sign or &verify a message")
        self.button.setObjectName("settings_messages")
        self.button.setAccessibleName("Sign or verify a message")
        self.button.clicked.connect(self.page_wanted.emit)
        row = FlowLayout(spacing=10)
        row.addWidget(self.button)
        layout.addLayout(row)
        page.sign_wanted.connect(self._sign)
        page.check_wanted.connect(self._check)
        wallet.wallet_changed.connect(self._follow)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    @property
    def is_signing(self) -> bool:
        """Whether the vault is open, where the person may be reading or typing."""
        return self._signing is not None

    def begin(self, address: str) -> None:
        """Prepare to sign with an address, and show the page."""
        self._page.begin(address)
        self.page_wanted.emit()

    def _follow(self, wallet_id: str) -> None:
        if self._signing is not None:
            self._signing.cancel()
            self._signing = None
        self._page.set_wallet_open(is_open=bool(wallet_id))

    def _sign(self, address: str, message: str, wanted: str, partial: str) -> None:
        wallet_id = self._wallet.wallet_id
        if self._online is None or not wallet_id:
            return
        # Loaded with the first message: it brings what the window starts without.
        from wallet_gui.app.messages import sign_message  # noqa: PLC0415
        from wallet_gui.wallet.messages import MessageFormat  # noqa: PLC0415

        def signed(made: "MessageSigned") -> None:
            if wallet_id == self._wallet.wallet_id:
                self._signing = None
                self._page.show_signed(made.signature, made.partial)

        def failed(error: BaseException) -> None:
            if wallet_id == self._wallet.wallet_id:
                self._signing = None
                self._page.show_failure(sentence(error))

        self._page.set_busy("The vault shows the message in a window of its own.")
        self._signing = self._engine.call(
            sign_message(
                self._online,
                wallet_id,
                address,
                message,
                MessageFormat(wanted) if wanted else None,
                partial,
            ),
            self,
            signed,
            failed,
        )

    def _check(self, address: str, message: str, signature: str) -> None:
        def judge() -> "MessageCheck":
            # As above, and in a thread: the first one loads the curve.
            from wallet_gui.wallet.messages import verify  # noqa: PLC0415

            return verify(address, message, signature, self._params)

        asked = (address, message, signature)

        def checked(found: "MessageCheck") -> None:
            if asked == self._shown():
                self._page.show_check(found.verdict.value, found.sentence)

        def failed(error: BaseException) -> None:
            self._page.show_failure(sentence(error))

        self._page.set_busy("Checking the signature.")
        self._engine.call(
            asyncio.to_thread(judge),
            self,
            checked,
            failed,
        )

    def _shown(self) -> tuple[str, str, str]:
        page = self._page
        return (
            "".join(page.address.text().split()),
            page.message.toPlainText(),
            page.signature.toPlainText(),
        )
