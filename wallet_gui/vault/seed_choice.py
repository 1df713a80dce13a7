"""What can be chosen about new words: how many, and in which language."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QWidget

from wallet_gui.keys.seed import LANGUAGES, WORD_COUNTS, language_name

_BITS_PER_THREE_WORDS = 32


class _Choice(QWidget):
    """A caption and a list beside it."""

    changed = Signal()

    def __init__(self, name: str, caption: str) -> None:
        super().__init__()
        self.combo = QComboBox()
        self.combo.setObjectName(name)
        self.combo.setAccessibleName(caption.replace("&", ""))
        self.label = QLabel(caption)
        self.label.setBuddy(self.combo)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        row.addWidget(self.label)
        row.addWidget(self.combo)
        self.setFocusProxy(self.combo)


class WordCountChoice(_Choice):
    """12, 15, 18, 21 or 24 words."""

    def __init__(self, name: str, word_count: int) -> None:
        super().__init__(name, "&Number of words")
        for count in WORD_COUNTS:
            bits = count * _BITS_PER_THREE_WORDS // 3
            self.combo.addItem(f"{count} words ({bits} bits)", count)
        self.combo.setCurrentIndex(WORD_COUNTS.index(word_count))
        self.combo.currentIndexChanged.connect(self.changed)

    @property
    def word_count(self) -> int:
        return int(self.combo.currentData())


class LanguageChoice(_Choice):
    """One of the word lists of BIP39."""

    def __init__(self, name: str, language: str) -> None:
        super().__init__(name, "&Language")
        for known in LANGUAGES:
            self.combo.addItem(language_name(known), known)
        self.combo.setCurrentIndex(LANGUAGES.index(language))
        self.combo.currentIndexChanged.connect(self.changed)

    @property
    def language(self) -> str:
        return str(self.combo.currentData())
