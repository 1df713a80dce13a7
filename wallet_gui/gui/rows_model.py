"""RowsModel: a read-only table of texts that changes often without losing the selection."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from wallet_gui.widgets.text import tooltip

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what it is the row of, its cells, and what a filter finds it by."""

    key: Hashable
    cells: tuple[str, ...]

    @property
    def search_text(self) -> str:
        return " ".join(self.cells).casefold()


class RowsModel(QAbstractTableModel):
    """Cells are plain text already when they come in; tool tips are escaped here."""

    def __init__(self, titles: Sequence[str], right: frozenset[int], parent: QObject) -> None:
        """Prepare an empty table; the columns in `right` are aligned to the right."""
        super().__init__(parent)
        self._titles = tuple(titles)
        self._right = right
        self._rows: tuple[Row, ...] = ()

    def row(self, number: int) -> Row | None:
        """The row, or None where there is none."""
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def row_of(self, key: Hashable) -> int | None:
        """Where the row of `key` stands."""
        return next((n for n, row in enumerate(self._rows) if row.key == key), None)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; where the same ones stay, only their cells change."""
        before, after = self._rows, tuple(rows)
        if before == after:
            return
        if [row.key for row in after] == [row.key for row in before]:
            self._rows = after
            last = self.index(len(after) - 1, len(self._titles) - 1)
            self.dataChanged.emit(self.index(0, 0), last)
            return
        # Not beginInsertRows: Qt's bridge to screen readers crashes at rows that are inserted.
        self.beginResetModel()
        self._rows = after
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._titles)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._titles[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self._alignment(section)
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        row = self.row(index.row())
        if row is None:
            return None
        text = row.cells[index.column()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return text
            case Qt.ItemDataRole.TextAlignmentRole:
                return self._alignment(index.column())
            case Qt.ItemDataRole.ToolTipRole:
                return tooltip(text)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{self._titles[index.column()]}: {text}"
            case _:
                return None

    def _alignment(self, column: int) -> Qt.AlignmentFlag:
        is_right = column in self._right
        side = Qt.AlignmentFlag.AlignRight if is_right else Qt.AlignmentFlag.AlignLeft
        return side | Qt.AlignmentFlag.AlignVCenter
