"""SourceFlow: what the window asks about a person's node, and how that went."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING
from wallet_gui.widgets.sentences import sentence

if TYPE_CHECKING:
    from wallet_gui.app.node_choice import NodeChoice
    from wallet_gui.app.online import Online
    from wallet_gui.app.published import NodeTestResult, OwnSshKey
    from wallet_gui.chain.bitcoind.steps import StepResult
    from wallet_gui.gui.node_prompts import NodePrompts
    from wallet_gui.gui.source_card import SourceCard

_STARTING = "The program is still starting. Try again in a moment."


class SourceFlow(QObject):
    """Carries what cards want to the engine; every card shows the same stored choice."""

    # Emitted in the engine's thread: the number of the test, and one of its results.
    _ticked = Signal(int, object)

    def __init__(self, engine: Engine, sync: SyncModel, prompts: "NodePrompts") -> None:
        super().__init__(prompts)
        self._engine = engine
        self._sync = sync
        self._online: Online | None = None
        self._prompts = prompts
        self._cards: list[SourceCard] = []
        self._shows_stored = False
        self._testing: Call | None = None
        self._tests = 0
        self._tested_card: SourceCard | None = None
        self._ticked.connect(self._tick, Qt.ConnectionType.QueuedConnection)

    def add_card(self, card: "SourceCard") -> None:
        """Serve one more card; it shows what the others do."""
        self._cards.append(card)
        card.wanted.connect(lambda choice: self.use(card, choice))
        card.test_wanted.connect(lambda choice: self._test(card, choice))
        card.stop_wanted.connect(self.stop_test)
        card.aliases_wanted.connect(self._ask_aliases)
        card.try_wanted.connect(lambda: self._try_again(card))
        card.forget_wanted.connect(lambda choice: self._forget(card, choice))
        card.make_key_wanted.connect(lambda choice: self._make_key(card, choice))
        card.show_key_wanted.connect(lambda choice: self._show_key(card, choice))
        self._sync.changed.connect(card.show_snapshot)
        self._offer(card)
        if self._shows_stored:
            self._show_stored_on(card)
        if self._sync.snapshot is not None:
            card.show_snapshot(self._sync.snapshot)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online
        online.node_keeper.asker = self._prompts
        for card in self._cards:
            self._offer(card)

    def _offer(self, card: "SourceCard") -> None:
        if self._online is not None:
            # The playground is its own source, and the only one that knows its play money.
            card.setVisible(self._online.playground is None)

    def show_stored(self) -> None:
        """Show what is stored about the source, from now on on every card."""
        self._shows_stored = self._online is not None
        for card in self._cards:
            self._show_stored_on(card)

    def _show_stored_on(self, card: "SourceCard") -> None:
        if self._online is not None:
            choice = self._online.node_choice()
            card.show_choice(choice, has_password=self._online.node_keeper.has_password(choice))

    def _ask_aliases(self) -> None:
        """Read the ssh configuration once somebody is about to name a node, and not before."""
        if self._online is not None:
            self._engine.call(self._online.node_keeper.aliases(), self, self._show_aliases)

    def _show_aliases(self, aliases: tuple[str, ...]) -> None:
        for card in self._cards:
            card.form.show_aliases(aliases)

    # --- the test

    def _test(self, card: "SourceCard", choice: "NodeChoice") -> None:
        if self._online is None:
            card.notice.say(_STARTING, WARNING)
            return
        self.stop_test()
        self._tests += 1
        number = self._tests
        self._tested_card = card
        card.begin_test()

        def done(result: "NodeTestResult") -> None:
            self._ended(card, number, lambda: card.panel.finish(result))

        def failed(error: BaseException) -> None:
            self._ended(card, number, lambda: card.panel.fail(sentence(error)))

        call = self._engine.call(
            self._online.test_node(
                choice, self._prompts, lambda result: self._ticked.emit(number, result)
            ),
            self,
            done,
            failed,
        )
        call.cancelled.connect(lambda: self._ended(card, number, lambda: card.panel.fail("")))
        self._testing = call

    def stop_test(self) -> None:
        """End the test that runs, if one does."""
        call, self._testing = self._testing, None
        if call is not None:
            call.cancel()

    def _tick(self, number: int, result: "StepResult") -> None:
        if number == self._tests and self._tested_card is not None:
            self._tested_card.panel.show_result(result)

    def _ended(self, card: "SourceCard", number: int, show: Callable[[], None]) -> None:
        # A test that another one has replaced has nothing to say any more.
        if number == self._tests:
            self._testing = None
            show()
            card.end_test()

    # --- what else is wanted

    def use(self, card: "SourceCard", choice: "NodeChoice") -> None:
        """Use what was chosen on a card."""
        if self._online is None:
            card.notice.say(_STARTING, WARNING)
            return

        def done(_: object) -> None:
            has_password = bool(choice.node.user)
            card.form.forget_password(is_kept=has_password)
            for other in self._cards:
                if other is not card:
                    other.show_choice(choice.without_password(), has_password=has_password)

        self._call(card, self._online.set_source(choice), done)

    def _try_again(self, card: "SourceCard") -> None:
        if self._online is not None:
            self._call(card, self._online.try_node_again())

    def _forget(self, card: "SourceCard", choice: "NodeChoice") -> None:
        if self._online is None:
            return

        def done(was_known: bool) -> None:  # noqa: FBT001 - a result
            words = (
                "The identity of this server is forgotten. The next connection asks you to compare "
                "its fingerprint."
                if was_known
                else "This server was not known here. If it stands in your own known_hosts file, "
                "Test connection gives the command that takes it out there."
            )
            card.notice.say(words, INFORMATION if was_known else WARNING)

        self._call(card, self._online.forget_server(choice), done)

    def _make_key(self, card: "SourceCard", choice: "NodeChoice") -> None:
        if self._online is None:
            card.form.key_card.show_failure(_STARTING)
            return
        self._engine.call(
            self._online.make_ssh_key(choice),
            self,
            card.form.key_card.show_key,
            lambda error: card.form.key_card.show_failure(sentence(error)),
        )

    def _show_key(self, card: "SourceCard", choice: "NodeChoice") -> None:
        if self._online is None:
            return

        def shown(key: "OwnSshKey | None") -> None:
            card.form.key_card.show_key(key)

        self._call(card, self._online.node_keeper.key(choice), shown)

    def _call(
        self, card: "SourceCard", coroutine: Any, done: Callable[[Any], None] | None = None
    ) -> None:
        self._engine.call(
            coroutine, self, done, lambda error: card.notice.say(sentence(error), ERROR)
        )
