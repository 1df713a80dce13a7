"""The page on which rolls of dice are typed, to be mixed into a new wallet's entropy."""

from collections import Counter

from PySide6.QtWidgets import QHBoxLayout, QLabel

from wallet_gui.keys import dice
from wallet_gui.keys.dice import DiceError
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.secret_edit import WordsEdit
from wallet_gui.vault.seed_choice import WordCountChoice
from wallet_gui.widgets.labels import set_role, text_label


class DicePage(VaultPage):
    """Counts the rolls as they are typed, and says how many are missing."""

    def __init__(self, word_count: int) -> None:
        super().__init__(
            "dice",
            "Roll a die",
            "Roll an ordinary die, again and again, and type each number. The rolls are mixed into "
            "the random numbers of this computer: they can only make the words harder to guess.",
            primary="&Continue",
        )
        self.count_choice = WordCountChoice("dice_word_count", word_count)
        row = QHBoxLayout()
        row.addWidget(self.count_choice)
        row.addStretch(1)
        self.body.addLayout(row)
        self.rolls_edit = WordsEdit("dice_rolls", "Rolls of the die, numbers from 1 to 6")
        self.rolls_edit.setPlaceholderText("1 to 6, for example 52416 …")
        self.rolls_edit.setFixedHeight(self.rolls_edit.fontMetrics().lineSpacing() * 5 + 30)
        self.body.addWidget(self.rolls_edit)
        self.state_label = text_label(role="muted")
        self.state_label.setObjectName("dice_state")
        self.body.addWidget(self.state_label)
        self.faces_label = text_label(role="muted")
        self.faces_label.setObjectName("dice_faces")
        self.body.addWidget(self.faces_label)
        self.body.addWidget(_explanation())
        self.rolls_edit.textChanged.connect(self._follow)
        self.count_choice.changed.connect(self._follow)
        self.first_field = self.rolls_edit
        self._follow()

    @property
    def word_count(self) -> int:
        return self.count_choice.word_count

    def accepted_rolls(self) -> str | None:
        """Return the rolls, or None after saying what is wrong with them."""
        try:
            rolls = dice.read_rolls(self.rolls_edit.toPlainText())
            dice.check_rolls(rolls, self._bits)
        except DiceError as error:
            self.refuse(str(error), self.rolls_edit)
            return None
        self.notice.clear()
        return rolls

    def forget(self) -> None:
        self.rolls_edit.clear()

    @property
    def _bits(self) -> int:
        return self.word_count * 32 // 3

    def _follow(self) -> None:
        try:
            rolls = dice.read_rolls(self.rolls_edit.toPlainText())
        except DiceError as error:
            self.state_label.setText(str(error))
            set_role(self.state_label, "warning")
            self.faces_label.setText("")
            return
        asked = dice.ROLLS_ASKED[self._bits]
        missing = asked - len(rolls)
        text, role = f"{dice.counted(rolls)} counted, {dice.bits_of(rolls)} bits", "muted"
        if missing > 0:
            text += f"; {missing} more to go."
        else:
            try:
                dice.check_rolls(rolls, self._bits)
                text, role = f"{text}: enough. More do no harm.", "positive"
            except DiceError as error:
                text, role = f"{text}. {error}", "warning"
        self.state_label.setText(text)
        set_role(self.state_label, role)
        found = Counter(rolls)
        self.faces_label.setText(
            "   ".join(f"{face}: {found[face]}\u00d7" for face in "123456") if rolls else ""
        )


def _explanation() -> QLabel:
    return text_label(
        "How they are mixed: the seed is the beginning of SHA-256 over this computer's random "
        "bytes followed by your rolls. Neither alone decides it, so whoever sees the dice still "
        "cannot make your words, and nobody has to trust this computer's random numbers alone.",
        role="muted",
    )
