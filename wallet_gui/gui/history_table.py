"""The table in which payments are shown, on the overview and on the history page."""

from PySide6.QtCore import QEvent, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from wallet_gui.gui.history_model import ENTRY_ROLE, AnyIndex, Column, HistoryModel
from wallet_gui.wallet.snapshot import HistoryEntry

_ROW_PADDING = 16
_MEASURED_ROWS = 200
_FULL_WIDTH_LETTERS = 76
_LEAST_HEIGHT = 170
# The frame of a table that has the keyboard, above and below.
_FRAME = 4


class HistoryFilter(QSortFilterProxyModel):
    """Keeps rows whose label, address, state or transaction id holds the words searched for."""

    def __init__(self, source: HistoryModel, rows: int | None, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows = rows
        self._words: list[str] = []
        self._payments = source
        self.setSourceModel(source)

    def search(self, text: str) -> None:
        """Show only what holds every word of `text`."""
        self.beginResetModel()
        self._words = text.casefold().split()
        self.endResetModel()

    def filterAcceptsRow(self, row: int, _parent: AnyIndex) -> bool:
        if self._rows is not None:
            return row < self._rows
        if not self._words:
            return True
        text = self._payments.search_text(row)
        return all(word in text for word in self._words)


class HistoryTable(QTableView):
    """Read-only rows; Return or a double click opens one.

    With `rows` it shows so many of them at most, and is as high as they are.
    """

    opened = Signal(object)
    selected = Signal(object)

    def __init__(self, model: HistoryModel, parent: QWidget, rows: int | None = None) -> None:
        super().__init__(parent)
        self.filter = HistoryFilter(model, rows, self)
        self.setModel(self.filter)
        self._payments = model
        model.set_font(self.font())
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setShowGrid(False)
        self.setMinimumHeight(_LEAST_HEIGHT)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.verticalHeader().hide()
        # All rows are one line: measuring each of thousands would hold the window up.
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self._fit_rows()
        header = self.horizontalHeader()
        header.setResizeContentsPrecision(_MEASURED_ROWS)
        header.setHighlightSections(False)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(Column.LABEL, QHeaderView.ResizeMode.Stretch)
        if rows is not None:
            # A few rows are all there: nothing to scroll, and no empty space below them.
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            for changed in (
                self.filter.rowsInserted,
                self.filter.rowsRemoved,
                self.filter.modelReset,
            ):
                changed.connect(self._fit_height)
            self._fit_height()
        self.doubleClicked.connect(self._open)
        self.selectionModel().currentRowChanged.connect(self._select)

    def select_payment(self, txid: bytes) -> None:
        """Put the selection on a payment, without asking for its details again."""
        row = self._payments.row_of(txid)
        index = self.filter.mapFromSource(self._payments.index(row, 0)) if row is not None else None
        if index is not None and index.isValid() and index.row() != self.currentIndex().row():
            self.setCurrentIndex(index)
            self.scrollTo(index)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_columns()

    def _fit_columns(self) -> None:
        """Where not everything fits, amounts come before dates, which the details tell too."""
        needed = self.fontMetrics().averageCharWidth() * _FULL_WIDTH_LETTERS
        self.setColumnHidden(Column.DATE, self.viewport().width() < needed)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._payments.set_font(self.font())
            self._fit_rows()
            self._fit_columns()

    def _fit_rows(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self.fontMetrics().height() + _ROW_PADDING)
        if self.verticalScrollBarPolicy() is Qt.ScrollBarPolicy.ScrollBarAlwaysOff:
            self._fit_height()

    def _fit_height(self) -> None:
        rows = self.filter.rowCount() * self.verticalHeader().defaultSectionSize()
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows + _FRAME)

    def current_entry(self) -> HistoryEntry | None:
        """The payment of the selected row."""
        entry = self.currentIndex().data(ENTRY_ROLE)
        return entry if isinstance(entry, HistoryEntry) else None

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._open(self.currentIndex())
            return
        super().keyPressEvent(event)

    def _open(self, index: QModelIndex) -> None:
        entry = index.data(ENTRY_ROLE)
        if isinstance(entry, HistoryEntry):
            self.opened.emit(entry)

    def _select(self, index: QModelIndex) -> None:
        self.selected.emit(index.data(ENTRY_ROLE))
