"""Showing the words of a wallet once more: password, warning, words behind a button."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QPushButton

from wallet_gui.keys.errors import SeedError
from wallet_gui.keys.secret_box import NO_WORDS, SecretPayload
from wallet_gui.keys.seed import Seed, language_name
from wallet_gui.transfer.messages import ShowWords, WordsShown
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.shared_flows import SecretsFlow
from wallet_gui.vault.signing import words_note
from wallet_gui.vault.window import VaultWindow
from wallet_gui.vault.word_grid import WordGrid, no_font
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import WARNING
from wallet_gui.widgets.text import plain

SHOWN_SECONDS = 60


class AlonePage(VaultPage):
    """The question before the words."""

    def __init__(self, name: str) -> None:
        super().__init__(
            "alone",
            "Are you alone?",
            f"The next page shows the words of {name}. Whoever sees them, now or on a picture, can "
            "take all of the money at any time, without this computer and without the password.",
            primary="&Go on",
        )
        self.body.addWidget(
            text_label(
                "Nobody who helps you needs them: no support, no website, no program. If somebody "
                "asked you to do this, close this window.",
                role="muted",
            )
        )
        self.return_goes_on = False


class ShownWordsPage(VaultPage):
    """The words, drawn only while they are asked for, a minute at most."""

    def __init__(self, seed: Seed, note: str) -> None:
        words: Sequence[str] = seed.words.split()
        language = "" if seed.language == "english" else f" ({language_name(seed.language)})"
        super().__init__(
            "shown_words",
            f"Your {len(words)} words{language}",
            "Compare them with your paper, or write them down with pen and paper. Do not "
            "photograph them or store them on a computer.",
            primary="&Done",
            secondary="",
        )
        self.grid = WordGrid(words)
        self.grid.hide_words(True)
        self.button = QPushButton()
        self.button.setObjectName("shown_words_reveal")
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._turn)
        self.body.addWidget(self.button)
        self.body.addWidget(self.grid)
        if note:
            self.body.addWidget(text_label(note, role="warning"))
        self.is_drawable = self.grid.can_be_drawn()
        if not self.is_drawable:
            self.button.setEnabled(False)
            self.notice.say(no_font(seed.language), WARNING)
        self.first_field = self.button
        self._seconds = 0
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)
        self._caption()

    def forget(self) -> None:
        self._clock.stop()
        self.grid.forget()

    def _turn(self) -> None:
        self.grid.hide_words(not self.grid.is_hidden)
        self._seconds = SHOWN_SECONDS
        if self.grid.is_hidden:
            self._clock.stop()
        else:
            self._clock.start()
        self._caption()

    def _tick(self) -> None:
        self._seconds -= 1
        if self._seconds <= 0:
            self._clock.stop()
            self.grid.hide_words(True)
        self._caption()

    def _caption(self) -> None:
        if self.grid.is_hidden:
            text = "&Show the words for a minute"
        else:
            text = f"&Hide the words ({self._seconds} s)"
        self.button.setText(text)
        self.button.setAccessibleName(text.replace("&", ""))


class ShowWordsFlow(SecretsFlow):
    """Open the secrets, ask once more, show the words."""

    def __init__(self, window: VaultWindow, request: ShowWords, cost: PasswordCost) -> None:
        self._name = plain(Path(request.path).stem, 60)
        super().__init__(
            window,
            request.path,
            cost,
            f"Show the words of {self._name}",
            "The password opens the words here, in this window only.",
        )

    def _opened(self, payload: SecretPayload) -> None:
        # No passphrase is asked for: the words are what they are without it.
        if payload.is_imported:
            self._refuse(SeedError(NO_WORDS))
            return
        page = AlonePage(self._name)
        page.left.connect(self._window.cancel)
        page.submitted.connect(lambda: self._show(payload))
        self._window.show_page(page)

    def _show(self, payload: SecretPayload) -> None:
        page = ShownWordsPage(payload.seed(), words_note(payload))
        page.submitted.connect(lambda: self._window.finish(WordsShown()))
        self._window.reply = WordsShown()
        self._window.show_page(page)
