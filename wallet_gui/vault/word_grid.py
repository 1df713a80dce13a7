"""The words of a new wallet, painted: to be read and written down, and in no other way had.

They are drawn instead of put into labels, so that neither the clipboard nor the accessibility
interface, which any program of the person may read, ever holds them.
"""

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QSizePolicy, QWidget

from wallet_gui.widgets.fonts import monospace_font, resized

_GAP = 10
_PADDING = 10
_NARROWEST_COLUMNS = 2
_COLUMNS = 3


class WordGrid(QWidget):
    """Numbered words, read down the columns."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.setObjectName("words_grid")
        self.setAccessibleName(
            f"{len(words)} words, shown on the screen only. They are not given to screen readers, "
            "because other programs could listen."
        )
        self._words = tuple(words)
        self._word_font = monospace_font(resized(self.font(), 115), bold=True)
        self._number_font = monospace_font(resized(self.font(), 90))
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

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
            painter.drawText(rest, Qt.AlignmentFlag.AlignLeft | middle, word)
        painter.end()
