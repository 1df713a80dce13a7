"""The vault's pages for backups: the words from paper typed in, and what a check found."""

from wallet_gui.keys.seed import canonical_words
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.secret_edit import WordsEdit
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION

_LINES = 6


class DrillPage(VaultPage):
    """Takes the words from paper; says how many there are, and nothing about which are right."""

    def __init__(self, wallet_name: str) -> None:
        super().__init__(
            "drill",
            "Type the words from your paper",
            f"They are compared with the words of {wallet_name} inside this window. Those are not "
            "shown, what you type is not kept, and nothing is changed.",
            primary="&Compare",
        )
        self.words_edit = WordsEdit("drill_words", "Words")
        self.words_edit.setPlaceholderText("In their order, with blanks between")
        self.words_edit.setFixedHeight(self.words_edit.fontMetrics().lineSpacing() * _LINES + 30)
        self.body.addWidget(self.words_edit)
        self.state_label = text_label(role="muted")
        self.state_label.setObjectName("drill_state")
        self.body.addWidget(self.state_label)
        self.body.addWidget(
            text_label(
                "Read them from the paper itself, not from memory and not from a file: it is the "
                "paper that is tried.",
                role="muted",
            )
        )
        self.words_edit.textChanged.connect(self._count)
        self.first_field = self.words_edit
        self._count()

    def typed_words(self) -> str:
        return self.words_edit.toPlainText()

    def forget(self) -> None:
        super().forget()
        self.words_edit.clear()

    def _count(self) -> None:
        count = len(canonical_words(self.words_edit.toPlainText()).split())
        self.state_label.setText(f"{count} word{'s' * (count != 1)} so far." if count else "")


class CheckedPage(VaultPage):
    """What a check found, and what follows from it."""

    def __init__(self, title: str, sentence: str, more: tuple[str, ...], *, is_good: bool) -> None:
        super().__init__("checked", title, "", primary="&Done", secondary="")
        self.notice.say(sentence, INFORMATION if is_good else ERROR)
        for number, text in enumerate(more, 1):
            label = text_label(text)
            label.setObjectName(f"checked_more_{number}")
            self.body.addWidget(label)
