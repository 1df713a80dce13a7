"""The pages about seed words: shown once, typed back, or typed in to restore a wallet."""

import unicodedata
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Final

from PySide6.QtWidgets import QFormLayout, QHBoxLayout, QPushButton

from wallet_gui.keys.errors import SeedError
from wallet_gui.keys.seed import (
    LANGUAGES,
    WORD_COUNTS,
    Seed,
    canonical_words,
    entropy_from_words,
    is_guessable,
    language_name,
    word_list,
)
from wallet_gui.vault.creation import EXAMPLE_WORDS, is_same_word, words_asked
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.secret_edit import WordEdit, WordsEdit
from wallet_gui.vault.seed_choice import LanguageChoice, WordCountChoice
from wallet_gui.vault.word_grid import WordGrid, no_font
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import card, set_role, text_label
from wallet_gui.widgets.notice import ERROR, WARNING

_UNSEEN: Final = (
    "Make sure that nobody and no camera sees the screen. Do not photograph the words or store "
    "them on a computer."
)
_SUGGESTIONS: Final = 5
_SHORTEST_PREFIX: Final = 2


class WordsPage(VaultPage):
    """Shows the words of a new wallet, whose language and number can be chosen here.

    `draw` makes other entropy for so many words; without it their number is fixed. `seed` is what
    the words on screen stand for.
    """

    def __init__(self, seed: Seed, draw: Callable[[int], Seed | None] | None = None) -> None:
        words = seed.words.split()
        super().__init__(
            "words",
            "",
            "With pen and paper, in this order. They are the wallet: they bring it back when this "
            "computer is lost, and whoever else has them has the money.",
            primary="I have &written them down",
        )
        self.seed = seed
        self._draw = draw
        self.count_choice = WordCountChoice("words_count", len(words))
        self.language_choice = LanguageChoice("words_language", seed.language)
        choices = FlowLayout(spacing=18)
        if draw is not None:
            choices.addWidget(self.count_choice)
        choices.addWidget(self.language_choice)
        self.body.addLayout(choices)
        self.grid = WordGrid(words)
        self.body.addWidget(self.grid)
        self.language_note = text_label(role="muted")
        self.language_note.setObjectName("words_language_note")
        self.body.addWidget(self.language_note)
        self.body.addWidget(
            text_label(
                "The words cannot be copied, and screen readers do not get them. If you cannot see "
                "the screen, create the wallet with “wallet-gui create” and a file for the words.",
                role="muted",
            )
        )
        self.count_choice.changed.connect(self._choose)
        self.language_choice.changed.connect(self._choose)
        self._show()

    def forget(self) -> None:
        self.grid.forget()
        self._draw = None

    def all_were_in_view(self) -> bool:
        """Whether the last word can be seen; scrolls down to it where a small window hides it."""
        view = self.scroll_area.viewport()
        bottom = self.grid.mapTo(view, self.grid.rect().bottomLeft()).y()
        if bottom <= view.height():
            return True
        bar = self.scroll_area.verticalScrollBar()
        bar.setValue(bar.value() + min(bottom - view.height() + 8, view.height() - 40))
        return False

    def _choose(self) -> None:
        seed: Seed | None = self.seed
        count = self.count_choice.word_count
        if self._draw is not None and count != len(self.seed.words.split()):
            seed = self._draw(count)
        if seed is not None:
            self.seed = Seed(seed.entropy, self.language_choice.language, seed.passphrase)
            self._show()

    def _show(self) -> None:
        words = self.seed.words.split()
        self.title.setText(f"Write down these {len(words)} words")
        self.grid.show_words(words)
        is_drawable = self.grid.can_be_drawn()
        self.grid.setVisible(is_drawable)
        self.primary.setEnabled(is_drawable)
        language = self.seed.language
        self.first_field = self.primary if is_drawable else self.language_choice.combo
        self.language_note.setVisible(is_drawable and language != "english")
        self.language_note.setText(
            f"Note “{language_name(language)}” with them. Some other programs know English words "
            "only; this one recognises every language."
        )
        if is_drawable:
            self.notice.say(_UNSEEN, WARNING)
        else:
            self.notice.say(no_font(language), ERROR)


class ConfirmWordsPage(VaultPage):
    """Asks for a few of the words, at positions that are drawn anew for each wallet."""

    def __init__(self, seed: Seed) -> None:
        super().__init__(
            "confirm",
            "Check what you wrote",
            "Read these words from your paper.",
            primary="&Continue",
            secondary="&Back to the words",
        )
        self.seed: Seed | None = seed
        self._words = seed.words.split()
        count = len(self._words)
        self.positions = sorted(SystemRandom().sample(range(count), words_asked(count)))
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 20, 22, 20)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        self.edits: list[WordEdit] = []
        for number, position in enumerate(self.positions, 1):
            edit = WordEdit(f"confirm_word_{number}", f"Word {position + 1}")
            form.addRow(f"Word {position + 1}", edit)
            self.edits.append(edit)
        self.body.addWidget(frame)
        self.first_field = self.edits[0]

    def is_confirmed(self) -> bool:
        """Whether all words are right; says which one is missing or wrong otherwise."""
        for edit, position in zip(self.edits, self.positions, strict=True):
            if not edit.text().strip():
                # Return in one field goes on to the next; only a second press complains.
                if edit.hasFocus() or self.notice.text:
                    self.refuse(f"Type word {position + 1}.", edit)
                edit.setFocus()
                return False
            if not is_same_word(edit.text(), self._words[position]):
                self.refuse(
                    f"This is not word {position + 1}. Compare your paper with the words: go back "
                    "to see them once more.",
                    edit,
                )
                return False
        self.notice.clear()
        return True

    def forget(self) -> None:
        super().forget()
        self._words = []
        self.seed = None


class RestorePage(VaultPage):
    """Takes the words of an existing wallet, and says what is wrong with them as they are typed."""

    def __init__(self) -> None:
        super().__init__(
            "restore",
            "Type the words of your wallet",
            "12, 15, 18, 21 or 24 words, with blanks between, in the order in which you wrote them "
            "down. Capitals do not matter, and the language is recognised.",
            primary="&Continue",
        )
        self.words_edit = WordsEdit("restore_words", "Words")
        self.words_edit.setPlaceholderText("abandon ability able …")
        lines = self.words_edit.fontMetrics().lineSpacing() * 6
        self.words_edit.setFixedHeight(lines + 30)
        self.body.addWidget(self.words_edit)
        row = QHBoxLayout()
        row.setSpacing(6)
        self.suggestion_buttons: list[QPushButton] = []
        for number in range(1, _SUGGESTIONS + 1):
            button = QPushButton()
            button.setObjectName(f"restore_suggestion_{number}")
            button.setAccessibleName("Suggested word")
            button.clicked.connect(lambda _=False, b=button: self._take_suggestion(b.text()))
            button.hide()
            row.addWidget(button)
            self.suggestion_buttons.append(button)
        row.addStretch(1)
        self.body.addLayout(row)
        self.state_label = text_label(role="muted")
        self.state_label.setObjectName("restore_state")
        self.body.addWidget(self.state_label)
        self.words_edit.textChanged.connect(self._follow)
        self.first_field = self.words_edit
        self._follow()

    def accepted_seed(self) -> Seed | None:
        """Return the seed without passphrase, or None after saying what is wrong."""
        try:
            entropy, language = entropy_from_words(self.words_edit.toPlainText())
        except SeedError as error:
            self.refuse(str(error), self.words_edit)
            return None
        self.notice.clear()
        return Seed(entropy, language)

    def forget(self) -> None:
        self.words_edit.clear()

    def _follow(self) -> None:
        text = self.words_edit.toPlainText()
        words = canonical_words(text).split()
        is_typing = bool(words) and not text[-1:].isspace()
        finished = words[:-1] if is_typing else words
        language = _likely_language(finished or words)
        known = frozenset(word_list(language))
        unknown = [number for number, word in enumerate(finished, 1) if word not in known]
        self._suggest(words[-1] if is_typing else "", language)
        if not words:
            text, role = "No words yet.", "muted"
        elif unknown:
            text, role = _not_in_list(unknown), "warning"
        elif len(words) in WORD_COUNTS and (entropy := _entropy(words)) is not None:
            text, role = f"{len(words)} words, and their checksum is right.", "positive"
            if is_guessable(entropy):
                text, role = f"{text} {EXAMPLE_WORDS}", "warning"
        else:
            text, role = f"{len(words)} word{'s' * (len(words) != 1)} so far.", "muted"
        self.state_label.setText(text)
        set_role(self.state_label, role)

    def _suggest(self, prefix: str, language: str) -> None:
        found: Sequence[str] = ()
        if len(prefix) >= _SHORTEST_PREFIX:
            found = [word for word in word_list(language) if word.startswith(prefix)]
            if found == [prefix]:
                found = ()
        for number, button in enumerate(self.suggestion_buttons):
            word = unicodedata.normalize("NFC", found[number]) if number < len(found) else ""
            button.setText(word)
            button.setAccessibleName(f"Complete to {word}" if word else "Suggested word")
            button.setVisible(bool(word))

    def _take_suggestion(self, word: str) -> None:
        text = self.words_edit.toPlainText()
        kept = text[: len(text) - len(text.split()[-1])] if text.split() else ""
        self.words_edit.setPlainText(f"{kept}{word} ")
        cursor = self.words_edit.textCursor()
        cursor.movePosition(cursor.MoveOperation.End)
        self.words_edit.setTextCursor(cursor)
        self.words_edit.setFocus()


def _likely_language(words: Sequence[str]) -> str:
    def misses(language: str) -> int:
        known = frozenset(word_list(language))
        return sum(word not in known for word in words)

    if misses("english") == 0:
        return "english"
    return min(LANGUAGES, key=misses)


def _entropy(words: Sequence[str]) -> bytes | None:
    try:
        return entropy_from_words(" ".join(words))[0]
    except SeedError:
        return None


def _not_in_list(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"Word {numbers[0]} is in no word list; look at your paper."
    listed = ", ".join(map(str, numbers[:-1]))
    return f"Words {listed} and {numbers[-1]} are in no word list; look at your paper."
