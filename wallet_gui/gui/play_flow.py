"""PlayFlow: the buttons of the playground, from the banner to the engine and back."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from wallet_gui.gui.engine import Engine
from wallet_gui.gui.play_banner import PlayBanner
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.notice import ERROR, INFORMATION
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online

Say = Callable[[str, str], None]


class PlayFlow(QObject):
    """Offers what the playground can do now; `say` tells how it went."""

    def __init__(self, engine: Engine, wallet: WalletModel, banner: PlayBanner, say: Say) -> None:
        super().__init__(banner)
        self._engine = engine
        self._wallet = wallet
        self.banner = banner
        self._say = say
        self._online: Online | None = None
        banner.wanted.connect(self._ask)
        wallet.wallet_changed.connect(lambda _: self.follow())

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online
        self.follow()

    def follow(self) -> None:
        """Show the buttons that can do something."""
        self.banner.offer(
            has_playground=self._online is not None and self._online.playground is not None,
            has_wallet=bool(self._wallet.wallet_id),
        )

    def _ask(self, key: str) -> None:
        if self._online is None:
            return
        if key == "get":
            self._play(
                key,
                self._online.get_play_money(self._wallet.wallet_id),
                "Play money is on its way. It is confirmed with the next block.",
            )
        else:
            self._play(key, self._online.mine_block(), "A block was mined.")

    def _play(self, key: str, coroutine: Coroutine[Any, Any, None], words: str) -> None:
        button = self.banner.buttons[key]
        button.setEnabled(False)

        def done(_: object) -> None:
            button.setEnabled(True)
            self._say(words, INFORMATION)

        def failed(error: BaseException) -> None:
            button.setEnabled(True)
            text = sentence(error)
            if text:
                self._say(text, ERROR)

        self._engine.call(coroutine, self, done, failed)
