"""NetworkFlow: what the window asks of the source of blocks, and how that went."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from wallet_gui.app.p2p_choice import NetworkChoice
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.network_card import NetworkCard
from wallet_gui.gui.scan_plan_card import ScanPlanCard
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.notice import ERROR
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.online import Online


class NetworkFlow(QObject):
    """Carries choices to the engine; the settings card and the plan card show the same limit."""

    def __init__(
        self,
        engine: Engine,
        wallet: WalletModel,
        sync: SyncModel,
        card: NetworkCard,
        plan: ScanPlanCard,
    ) -> None:
        super().__init__(card)
        self._engine = engine
        self._online: Online | None = None
        self._wallet = wallet
        self._sync = sync
        self._card = card
        self._plan = plan
        self._busy = (False, False)
        card.wanted.connect(self._set_network)
        card.test_wanted.connect(self._test_proxy)
        plan.start_wanted.connect(self._approve)
        plan.pause_wanted.connect(self._pause)
        plan.limit_wanted.connect(self._limit)
        sync.changed.connect(lambda _: self._show_plan())
        sync.changed.connect(card.show_snapshot)
        wallet.wallet_changed.connect(lambda _: self._show_plan())

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    def show_choice(self, choice: NetworkChoice) -> None:
        """Show what is stored about connections."""
        self._card.show_choice(choice)
        self._plan.show_limit(choice.data_limit_mb)

    def set_busy_with(self, *, is_receiving: bool, is_paying: bool) -> None:
        """Say whether a person waits for a payment or looks at fees; told on when it changes."""
        busy = (is_receiving, is_paying)
        if busy != self._busy and self._online is not None:
            self._busy = busy
            self._call(self._online.set_busy_with(is_receiving=is_receiving, is_paying=is_paying))

    def _show_plan(self) -> None:
        snapshot = self._sync.snapshot
        plan = None if snapshot is None else snapshot.plan(self._wallet.wallet_id)
        self._plan.show_plan(plan, is_paused=snapshot is not None and snapshot.is_paused)

    # --- what is asked for

    def _call(
        self, coroutine: Coroutine[Any, Any, Any], on_failure: Callable[[str], None] | None = None
    ) -> None:
        failed = on_failure or (lambda text: self._card.notice.say(text, ERROR))
        self._engine.call(coroutine, self, on_failure=lambda error: failed(sentence(error)))

    def _set_network(self, choice: NetworkChoice) -> None:
        if self._online is not None:
            self._plan.show_limit(choice.data_limit_mb)
            self._call(self._online.set_network(choice))

    def _limit(self, megabytes: int) -> None:
        if self._online is not None:
            self._card.show_data_limit(megabytes)
            choice = replace(self._online.network_choice(), data_limit_mb=megabytes)
            self._call(self._online.set_network(choice))

    def _test_proxy(self, proxy: PeerAddress | None, is_tor: bool) -> None:  # noqa: FBT001 - a Qt slot
        card = self._card
        if self._online is None:
            card.show_test("The program is still starting. Try again in a moment.", is_failure=True)
            return

        def failed(error: BaseException) -> None:
            card.show_test(sentence(error), is_failure=True)

        if proxy is None:
            self._engine.call(self._online.find_tor(), self, card.show_found, failed)
            return
        self._engine.call(
            self._online.test_proxy(proxy, is_tor=is_tor),
            self,
            lambda words: card.show_test(words, is_failure=False),
            failed,
        )

    def _approve(self) -> None:
        if self._online is not None:
            self._call(self._online.approve_scan(self._wallet.wallet_id))

    def _pause(self, paused: bool) -> None:  # noqa: FBT001 - a Qt slot
        if self._online is not None:
            self._call(self._online.pause_scans(paused=paused))
