"""A layout that fills rows and wraps, so that nothing is cut off at large text sizes."""

from PySide6.QtCore import QMargins, QPoint, QRect, QSize, Qt
from PySide6.QtWidgets import QLayout, QLayoutItem, QWidget


class FlowLayout(QLayout):
    """Puts widgets side by side and goes on in the next row where they do not fit.

    With `equal` all of them get the width of the widest, the columns share the row and the cells
    its height. With `spread` the last one goes to the far end where all fit into one row.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        spacing: int = 12,
        row_spacing: int | None = None,
        equal: bool = False,
        spread: bool = False,
    ) -> None:
        """`spacing` in points between widgets, and between rows, too, without `row_spacing`."""
        super().__init__(parent)
        self._items: list[QLayoutItem] = []
        self._row_gap = spacing if row_spacing is None else row_spacing
        self._equal = equal
        self._spread = spread
        self.setContentsMargins(QMargins(0, 0, 0, 0))
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem:
        # Qt asks one past the end and takes a null for "no more", which the stub does not say.
        return self._items[index] if 0 <= index < len(self._items) else None  # type: ignore[return-value]

    def takeAt(self, index: int) -> QLayoutItem:
        return self._items.pop(index) if 0 <= index < len(self._items) else None  # type: ignore[return-value]

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), move=False)

    def sizeHint(self) -> QSize:
        shown = self._shown()
        width = sum(item.sizeHint().width() for item in shown)
        width += self.spacing() * max(0, len(shown) - 1)
        height = max((item.sizeHint().height() for item in shown), default=0)
        return QSize(width, height)

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._shown():
            size = size.expandedTo(item.minimumSize())
        return size

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, move=True)

    def _shown(self) -> list[QLayoutItem]:
        return [item for item in self._items if not item.isEmpty()]

    def _arrange(self, rect: QRect, *, move: bool) -> int:
        """Place the items into rows; returns the height that they take."""
        y = rect.y()
        rows = self._rows(rect.width())
        for row in rows:
            height = max(size.height() for _, size in row)
            x = rect.x()
            slack = rect.width() - sum(size.width() + self.spacing() for _, size in row)
            for number, (item, size) in enumerate(row):
                if self._spread and len(rows) == 1 and 0 < number == len(row) - 1:
                    x += max(0, slack + self.spacing())
                if self._equal:
                    place = QRect(x, y, size.width(), height)
                else:
                    place = QRect(QPoint(x, y + (height - size.height()) // 2), size)
                if move:
                    item.setGeometry(place)
                x += size.width() + self.spacing()
            y += height + self._row_gap
        return max(0, y - self._row_gap - rect.y()) if rows else 0

    def _rows(self, width: int) -> list[list[tuple[QLayoutItem, QSize]]]:
        """Tell which items share a row, each with its size."""
        shown = self._shown()
        gap = self.spacing()
        widest = max((item.sizeHint().width() for item in shown), default=0)
        columns = max(1, min(len(shown), (width + gap) // max(1, widest + gap)))
        cell = (width - gap * (columns - 1)) // columns
        rows: list[list[tuple[QLayoutItem, QSize]]] = []
        used = width + 1
        for item in shown:
            own = cell if self._equal else min(item.sizeHint().width(), width)
            height = item.sizeHint().height()
            if item.hasHeightForWidth():
                height = max(item.minimumSize().height(), item.heightForWidth(own))
            if used + own > width:
                rows.append([])
                used = 0
            rows[-1].append((item, QSize(own, height)))
            used += own + gap
        return rows
