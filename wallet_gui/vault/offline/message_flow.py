"""Messages in the offline window: the page of both windows, with the vault behind it."""

from PySide6.QtCore import QObject

from wallet_gui.custody.message_signing import message_request
from wallet_gui.primitives.params import ChainParams
from wallet_gui.transfer.messages import MessageSigned
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.wallet.messages import MessageFormat, verify
from wallet_gui.widgets.message_page import MessagePage
from wallet_gui.widgets.sentences import sentence


class OfflineMessageFlow(QObject):
    """Signs in the vault and verifies in the background."""

    def __init__(self, bench: Bench, page: MessagePage, params: ChainParams) -> None:
        super().__init__(page)
        self._bench = bench
        self._page = page
        self._params = params
        page.back_button.hide()  # it has its own place in the sidebar
        page.sign_wanted.connect(self._sign)
        page.check_wanted.connect(self._check)
        bench.wallet_changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        self._page.set_wallet_open(is_open=self._bench.opened is not None)

    def _sign(self, address: str, message: str, wanted: str, partial: str) -> None:
        opened = self._bench.opened
        if opened is None:
            return
        keeper = self._bench.keeper

        def work() -> MessageSigned:
            chosen = MessageFormat(wanted) if wanted else None
            request = message_request(
                opened.path, opened.wallet, address, message, chosen, partial, keeper.look()
            )
            return keeper.ask(request, MessageSigned)

        self._bench.do(
            IN_THE_VAULT,
            work,
            lambda made: self._page.show_signed(made.signature, made.partial),
            self._fail,
        )

    def _check(self, address: str, message: str, signature: str) -> None:
        self._bench.do(
            "Checking the signature.",
            lambda: verify(address, message, signature, self._params),
            lambda found: self._page.show_check(found.verdict.value, found.sentence),
            self._fail,
        )

    def _fail(self, error: BaseException) -> None:
        self._page.show_failure(sentence(error))
