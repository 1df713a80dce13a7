"""RowsTable: how a RowsModel is shown: one line a row, columns that make room for each other."""

from collections.abc import Hashable, Sequence

from PySide6.QtCore import QEvent, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from wallet_gui.gui.rows_model import AnyIndex, Row, RowsModel

_ROW_PADDING = 16
_MEASURED_ROWS = 100


class RowsFilter(QSortFilterProxyModel):
    """Keeps rows that hold every word searched for."""

    def __init__(self, source: RowsModel, parent: QWidget) -> None:
        super().__init__(parent)
        self._source = source
        self._words: list[str] = []
        self.setSourceModel(source)

    def search(self, text: str) -> None:
        """Show only what holds every word of `text`."""
        words = text.casefold().split()
        if words != self._words:
            self.beginResetModel()
            self._words = words
            self.endResetModel()

    def filterAcceptsRow(self, row: int, _parent: AnyIndex) -> bool:
        if not self._words:
            return True
        found = self._source.row(row)
        return found is not None and all(word in found.search_text for word in self._words)


class RowsTable(QTableView):
    """`stretch` is the column that takes what is left.

    `spare` names columns with the number of letters that the table must be wide to show them: what
    is left out stands in the details of a row.
    """

    selected = Signal(object)

    def __init__(
        self,
        model: RowsModel,
        parent: QWidget,
        *,
        stretch: int,
        spare: Sequence[tuple[int, int]] = (),
    ) -> None:
        super().__init__(parent)
        self._rows = model
        self._spare = tuple(spare)
        self._stretch = stretch
        self.filter = RowsFilter(model, self)
        self.setModel(self.filter)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setMinimumHeight(170)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.verticalHeader().hide()
        # All rows are one line: measuring each of thousands would hold the window up.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(_MEASURED_ROWS)
        header.setHighlightSections(False)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(stretch, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(60)
        self._fit_rows()
        self.selectionModel().currentRowChanged.connect(self._select)

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show these rows; the selected one stays selected wherever it has gone."""
        selected = self.selected_key()
        scrolled = self.verticalScrollBar().value()
        self._rows.show_rows(rows)
        if selected is None or self.selected_key() == selected:
            self.verticalScrollBar().setValue(scrolled)
            return
        number = self._rows.row_of(selected)
        if number is not None:
            self.setCurrentIndex(self.filter.mapFromSource(self._rows.index(number, 0)))
        else:
            self.selected.emit(None)
        self.verticalScrollBar().setValue(scrolled)

    def selected_key(self) -> Hashable | None:
        """What the selected row is the row of."""
        row = self._rows.row(self.filter.mapToSource(self.currentIndex()).row())
        return None if row is None else row.key

    def shown_rows(self) -> list[Row]:
        """The rows that the filter lets through."""
        sources = (
            self.filter.mapToSource(self.filter.index(number, 0)).row()
            for number in range(self.filter.rowCount())
        )
        return [row for row in map(self._rows.row, sources) if row is not None]

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_rows()
            self._fit_columns()

    def _fit_columns(self) -> None:
        letter = max(1, self.fontMetrics().averageCharWidth())
        for column, letters in self._spare:
            self.setColumnHidden(column, self.viewport().width() < letters * letter)
        if self._stretch:
            # Where there is no place for the column that stretches, the first one does.
            mode = QHeaderView.ResizeMode
            is_left_out = self.isColumnHidden(self._stretch)
            self.horizontalHeader().setSectionResizeMode(
                0, mode.Stretch if is_left_out else mode.ResizeToContents
            )

    def _fit_rows(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)

    def _select(self, index: QModelIndex) -> None:
        row = self._rows.row(self.filter.mapToSource(index).row())
        self.selected.emit(None if row is None else row.key)
