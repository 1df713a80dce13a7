"""UpdateFlow: what stands between the card about newer versions and the check in the engine."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QPushButton, QSizePolicy

from wallet_gui.gui.engine import Engine
from wallet_gui.widgets.notice import WARNING
from wallet_gui.widgets.page_sidebar import PageSidebar
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import tooltip

if TYPE_CHECKING:
    from wallet_gui.app.online import Online
    from wallet_gui.app.updates import Updates, UpdateStatus
    from wallet_gui.gui.settings_page import SettingsPage
    from wallet_gui.gui.update_card import UpdateCard

_AFTER_START = 1.0  # seconds: whatever is on screen first comes first


class UpdateFlow(QObject):
    """Asks nobody by itself: `Updates` does, and only after the person switched it on."""

    # Emitted from the engine thread.
    _told = Signal(object)

    def __init__(
        self,
        engine: Engine,
        sidebar: PageSidebar,
        say: Callable[[str, str], None],
        show_page: Callable[[str], None],
    ) -> None:
        """`say` tells what must not be overlooked, `show_page` leads to a page by its key."""
        super().__init__(sidebar)
        self._engine = engine
        self._settings: SettingsPage | None = None
        self._sidebar = sidebar
        self._say = say
        self._show_page = show_page
        self._updates: Updates | None = None
        self._status: UpdateStatus | None = None
        self._failure = ""
        self._warned = ""
        self.line: QPushButton | None = None
        self._card: UpdateCard | None = None
        self._told.connect(self.show_status, Qt.ConnectionType.QueuedConnection)

    def add_card(self, settings: "SettingsPage") -> None:
        """Add the card to the page of the settings, which is made when it is needed."""
        from wallet_gui.gui.update_card import UpdateCard  # noqa: PLC0415 - not for the first window

        self._settings = settings
        self._card = card = UpdateCard(settings)
        settings.add_card(card)
        card.switch_wanted.connect(self._switch)
        card.check_wanted.connect(self._check)
        card.cancel_wanted.connect(self._cancel)
        card.open_wanted.connect(self._open)
        card.shown.connect(self._look_again)
        if self._status is not None:
            card.show_status(self._status)
        if self._failure:
            card.say(self._failure)

    @property
    def card(self) -> "UpdateCard":
        if self._card is None:
            raise RuntimeError("The page of the settings is not there yet.")
        return self._card

    def _fail(self, error: BaseException) -> None:
        self._failure = sentence(error)
        if self._card is not None:
            self._card.say(self._failure)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on; the playground contacts nobody but its own node."""
        if online.playground is None:
            self._engine.call(self._run(online), self, on_failure=self._fail)

    async def _run(self, online: "Online") -> None:
        await asyncio.sleep(_AFTER_START)
        updates = await asyncio.to_thread(_load, online, self._told.emit)
        if updates is not None:
            self._updates = updates
            await updates.run()

    # --- what is shown

    def show_status(self, status: "UpdateStatus") -> None:
        """Show what is known, in the card and where it is seen without looking for it."""
        from wallet_gui.app import update_words  # noqa: PLC0415 - not for the first window
        from wallet_gui.gui.update_card import mark  # noqa: PLC0415

        self._status, self._failure = status, ""
        if self._card is not None:
            self._card.show_status(status)
        short = update_words.short(status)
        if short and self.line is None:
            self.line = self._make_line()
        if self.line is None:
            return
        headline, is_urgent = update_words.headline(status), update_words.is_urgent(status)
        self.line.setText(short)
        self.line.setAccessibleName(headline)
        self.line.setToolTip(tooltip(headline))
        self.line.setVisible(bool(short))
        mark(self.line, is_urgent=is_urgent)
        if is_urgent and headline != self._warned:
            self._warned = headline
            self._say(f"{headline}. {update_words.urgency(status)} See Settings, Updates.", WARNING)

    def _make_line(self) -> QPushButton:
        button = QPushButton()
        button.setObjectName("update_line")
        # However large the text, the pages keep their width; the whole is in the name.
        button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        button.clicked.connect(self.show_card)
        layout = self._sidebar.layout()
        if layout is not None:
            layout.addWidget(button)
        return button

    def show_card(self) -> None:
        """Lead to the card."""
        self._show_page("settings")
        if self._settings is not None:
            self._settings.ensureWidgetVisible(self.card)
        self.card.body.check.setFocus()

    # --- what is asked for

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._engine.call(coroutine, self, on_failure=self._fail)

    def _switch(self, on: bool) -> None:  # noqa: FBT001 - a Qt slot
        if self._updates is not None:
            self._call(self._updates.switch(is_on=on))

    def _check(self) -> None:
        if self._updates is not None:
            self._call(self._updates.check())

    def _cancel(self) -> None:
        if self._updates is not None:
            self._call(self._updates.cancel())

    def _look_again(self) -> None:
        """Say by which way it would go now: the proxy may have changed."""
        if self._updates is not None:
            self._call(self._updates.tell())

    def _open(self, page: str) -> None:
        if not QDesktopServices.openUrl(QUrl(page)):
            self.card.say("No browser could be opened. Copy the address into yours.")


def _load(online: "Online", publish: "Callable[[UpdateStatus], None]") -> "Updates | None":
    """Read the release keys and make the check; None where this copy has none. Blocking."""
    from wallet_gui.storage.release_keys import built_in  # noqa: PLC0415 - not for the first window

    keys = built_in()
    if not keys.offers_updates:
        return None
    from wallet_gui.app.updates import Updates  # noqa: PLC0415

    return Updates(online, online.data_directory.root, keys, publish)
