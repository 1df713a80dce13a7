"""The words of a new wallet, painted: to be read and written down, and in no other way had.

They are drawn instead of put into labels, so that neither the clipboard nor the accessibility
interface, which any program of the person may read, ever holds them.
"""

import unicodedata
from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from wallet_gui.keys.seed import language_name
from wallet_gui.widgets.fonts import has_glyphs, monospace_font, resized

_GAP = 10
_PADDING = 10
_NARROWEST_COLUMNS = 2
_COLUMNS = 3
_IDEOGRAPHIC = ("japanese", "korean", "chinese_simplified", "chinese_traditional")
_DOTS = "\u2022" * 6


class WordGrid(QWidget):
    """Numbered words, read down the columns."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.setObjectName("words_grid")
        self._words: tuple[str, ...] = ()
        self._is_hidden = False
        self._word_font = monospace_font(resized(self.font(), 115), bold=True)
        self._number_font = monospace_font(resized(self.font(), 90))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.show_words(words)

    def show_words(self, words: Sequence[str]) -> None:
        """Draw these words from now on."""
        # The lists hold letters apart from their marks; on paper they stand together.
        self._words = tuple(unicodedata.normalize("NFC", word) for word in words)
        self.setAccessibleName(
            f"{len(words)} words, shown on the screen only. They are not given to screen readers, "
            "because other programs could listen."
        )
        self.updateGeometry()
        self.update()

    @property
    def is_hidden(self) -> bool:
        """Whether dots stand in the place of the words."""
        return self._is_hidden

    def hide_words(self, is_hidden: bool) -> None:  # noqa: FBT001 - one state, as Qt's setters
        """Draw dots in the place of the words, or the words."""
        self._is_hidden = is_hidden
        self.update()

    def can_be_drawn(self) -> bool:
        """Whether the fonts of this computer have every letter of the words."""
        return has_glyphs(self._word_font, " ".join(self._words))

    def forget(self) -> None:
        """Stop drawing the words."""
        self._words = ()
        self.update()

    def _cell(self) -> QSize:
        metrics = QFontMetrics(self._word_font)
        longest = max((metrics.horizontalAdvance(word) for word in self._words), default=60)
        number = QFontMetrics(self._number_font).horizontalAdvance("00")
        return QSize(number + longest + 3 * _PADDING, metrics.height() + 2 * _PADDING)

    def _columns(self, width: int) -> int:
        fitting = (width + _GAP) // (self._cell().width() + _GAP)
        return max(1, min(_COLUMNS, fitting))

    def _rows(self, width: int) -> int:
        return -(-len(self._words) // self._columns(width))

    # --- Qt's overrides

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._rows(width) * (self._cell().height() + _GAP) - _GAP

    def sizeHint(self) -> QSize:
        width = _COLUMNS * (self._cell().width() + _GAP) - _GAP
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        width = _NARROWEST_COLUMNS * (self._cell().width() + _GAP) - _GAP
        return QSize(width, self.heightForWidth(self.width()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.translate(0.5, 0.5)  # lines of one pixel, not two halves
        columns, rows = self._columns(self.width()), self._rows(self.width())
        height = self._cell().height()
        width = (self.width() - (columns - 1) * _GAP) // columns
        number_width = QFontMetrics(self._number_font).horizontalAdvance("00") + _PADDING
        palette = self.palette()
        middle = Qt.AlignmentFlag.AlignVCenter
        for index, word in enumerate(self._words):
            column, row = divmod(index, rows)
            cell = QRect(column * (width + _GAP), row * (height + _GAP), width, height)
            painter.setPen(palette.color(QPalette.ColorRole.Mid))
            painter.setBrush(palette.color(QPalette.ColorRole.Base))
            painter.drawRoundedRect(cell.adjusted(0, 0, -1, -1), 7, 7)
            painter.setFont(self._number_font)
            painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
            numbers = QRect(cell.left() + 4, cell.top(), number_width - 2, height)
            painter.drawText(numbers, Qt.AlignmentFlag.AlignRight | middle, str(index + 1))
            painter.setFont(self._word_font)
            painter.setPen(palette.color(QPalette.ColorRole.Text))
            rest = cell.adjusted(4 + number_width + _PADDING, 0, -4, 0)
            shown = _DOTS if self._is_hidden else word
            painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | middle, shown)
        painter.end()


def no_font(language: str) -> str:
    """Say that words of a language cannot be drawn on this computer."""
    name = language_name(language)
    fonts = "Noto Sans CJK" if language in _IDEOGRAPHIC else "Noto Sans"
    return (
        f"This computer has no font for the {name} words, so they cannot be shown. Install one "
        f"that has {name} letters, such as {fonts}, and try again."
    )
