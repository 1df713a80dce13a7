"""HistoryModel: the payments of the open wallet as a table, newest first."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QBrush, QColor, QFont

from wallet_gui.app.network_words import seen_text
from wallet_gui.app.published import PendingReport
from wallet_gui.gui.wallet_model import WalletModel, masked
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.wallet.snapshot import HistoryEntry, WalletSnapshot
from wallet_gui.widgets import theme
from wallet_gui.widgets.fonts import monospace_font
from wallet_gui.widgets.text import plain, shortened, tooltip

AnyIndex = QModelIndex | QPersistentModelIndex
_ROOT = QModelIndex()
SETTLED_CONFIRMATIONS = 6


class Column(IntEnum):
    DATE = 0
    STATE = 1
    LABEL = 2
    AMOUNT = 3


_TITLES = ("Date", "State", "Label or address", "Amount (BTC)")
ENTRY_ROLE = Qt.ItemDataRole.UserRole + 1


class HistoryModel(QAbstractTableModel):
    """Rows are HistoryEntry values; `ENTRY_ROLE` gives the entry of a row."""

    count_changed = Signal(int)

    def __init__(self, wallet: WalletModel) -> None:
        super().__init__(wallet)
        self._wallet = wallet
        self._entries: tuple[HistoryEntry, ...] = ()
        self._snapshot: WalletSnapshot | None = None
        self._money_font: QFont | None = None
        self._search_texts: dict[int, str] = {}
        wallet.history_changed.connect(self._show)
        wallet.wallet_changed.connect(lambda _: self._forget())
        wallet.privacy_changed.connect(lambda _: self._refresh())

    def entry(self, row: int) -> HistoryEntry | None:
        return self._entries[row] if 0 <= row < len(self._entries) else None

    def row_of(self, txid: bytes) -> int | None:
        return next((row for row, e in enumerate(self._entries) if e.txid == txid), None)

    def search_text(self, row: int) -> str:
        """All that a payment can be found by, in lower case; made once for each state."""
        text = self._search_texts.get(row)
        if text is None:
            entry = self._entries[row]
            columns = (self._text(entry, column) for column in Column)
            words = (*columns, hash_to_hex(entry.txid), *entry.addresses)
            text = self._search_texts[row] = " ".join(words).casefold()
        return text

    def confirmations(self, entry: HistoryEntry) -> int:
        return 0 if self._snapshot is None else self._snapshot.confirmations(entry)

    def sentence(self, entry: HistoryEntry) -> str:
        """The state of a payment in full."""
        return state_sentence(
            entry, self.confirmations(entry), self._wallet.pending.get(entry.txid)
        )

    def rowCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(self._entries)

    def columnCount(self, parent: AnyIndex = _ROOT) -> int:
        return 0 if parent.isValid() else len(Column)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        if orientation is not Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return _TITLES[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        entry = self.entry(index.row())
        if entry is None:
            return None
        column = Column(index.column())
        value: object = None
        match role:
            case Qt.ItemDataRole.DisplayRole:
                value = self._text(entry, column)
            case Qt.ItemDataRole.TextAlignmentRole:
                value = _alignment(column)
            case Qt.ItemDataRole.FontRole if column is Column.AMOUNT:
                value = self._money_font
            case Qt.ItemDataRole.ForegroundRole if not self._is_masked(column):
                value = _colour(entry, column, self.confirmations(entry))
            case Qt.ItemDataRole.ToolTipRole if column is Column.STATE:
                value = tooltip(self.sentence(entry))
            case Qt.ItemDataRole.AccessibleTextRole:
                value = f"{_TITLES[column]}: {self._text(entry, column)}"
            case _ if role == ENTRY_ROLE:
                value = entry
        return value

    def _is_masked(self, column: Column) -> bool:
        """Whether even the colour, which tells what came in, would tell too much."""
        return column is Column.AMOUNT and self._wallet.hides_amounts

    def set_font(self, font: QFont) -> None:
        """Use the table's font size for the aligned digits of amounts."""
        self._money_font = monospace_font(font)

    def _text(self, entry: HistoryEntry, column: Column) -> str:
        match column:
            case Column.DATE:
                return date_text(entry.time)
            case Column.STATE:
                said = self._wallet.pending.get(entry.txid)
                return state_text(entry, self.confirmations(entry), said)
            case Column.LABEL:
                return label_text(entry)
            case _:
                return masked(self._wallet, signed(entry))

    def _show(self, snapshot: WalletSnapshot) -> None:
        self._snapshot = snapshot
        if [e.txid for e in snapshot.history] == [e.txid for e in self._entries]:
            # Only states changed: the selection and the scroll position stay.
            self._entries = snapshot.history
            self._refresh()
        else:
            self._reset(snapshot.history)

    def _forget(self) -> None:
        self._snapshot = None
        self._reset(())

    def _refresh(self) -> None:
        self._search_texts.clear()
        if self._entries:
            last = self.index(len(self._entries) - 1, len(Column) - 1)
            self.dataChanged.emit(self.index(0, 0), last)

    def _reset(self, entries: tuple[HistoryEntry, ...]) -> None:
        self.beginResetModel()
        self._search_texts.clear()
        self._entries = entries
        self.endResetModel()
        self.count_changed.emit(len(entries))


def _colour(entry: HistoryEntry, column: Column, confirmations: int) -> QBrush | None:
    """Colour only repeats what the text says: what no longer counts, what came in, what waits."""
    colours = theme.current()
    if not entry.is_live:
        return QBrush(QColor(colours.muted))
    if column is Column.AMOUNT and entry.net_sat > 0:
        return QBrush(QColor(colours.positive))
    if column is Column.STATE and confirmations == 0:
        return QBrush(QColor(colours.warning))
    if column in {Column.DATE, Column.STATE}:
        return QBrush(QColor(colours.muted))
    return None


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column == Column.AMOUNT else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def signed(entry: HistoryEntry) -> str:
    """The net effect on the balance with its sign."""
    return f"{'+' if entry.net_sat >= 0 else ''}{format_btc(entry.net_sat)}"


def date_text(moment: int) -> str:
    """Local date and time, the same form in every locale so that rows sort by eye."""
    return datetime.fromtimestamp(moment, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def label_text(entry: HistoryEntry) -> str:
    """What the person called it, else whom it paid or where it came in."""
    if entry.label:
        return plain(entry.label)
    if entry.is_coinbase:
        return "Mined"
    if not entry.addresses:
        return "Moved within the wallet" if entry.is_own else shortened(hash_to_hex(entry.txid))
    first = shortened(entry.addresses[0], 12)
    more = len(entry.addresses) - 1
    return f"{first} and {more} more" if more else first


def state_text(entry: HistoryEntry, confirmations: int, said: PendingReport | None = None) -> str:
    """The state in a few words."""
    if entry.abandoned:
        return "Abandoned"
    if entry.replaced_by is not None and not entry.is_live:
        return "Replaced"
    if not entry.is_live:
        return "Dropped"
    if confirmations == 0:
        return _waiting_text(entry, said)
    if confirmations >= SETTLED_CONFIRMATIONS:
        return "Confirmed"
    word = "confirmation" if confirmations == 1 else "confirmations"
    return f"{confirmations} {word}"


def _waiting_text(entry: HistoryEntry, said: PendingReport | None) -> str:
    if entry.conflicts and not entry.is_own:
        return "Waiting, disputed"
    if said is not None and said.seen is not None and said.seen.of:
        return seen_text(said.seen)
    return "Waiting" if entry.is_own else "Seen, unconfirmed"


def state_sentence(
    entry: HistoryEntry, confirmations: int, said: PendingReport | None = None
) -> str:
    """The state in a sentence or two that say what it means."""
    if entry.abandoned:
        return "You gave this payment up. If somebody still has it, it can confirm all the same."
    if entry.replaced_by is not None and not entry.is_live:
        return "This payment was replaced: the one below spends its coins and counts instead."
    if not entry.is_live:
        return "This payment no longer counts: another one spent its coins, or it was given up."
    if confirmations > 0:
        return f"In block {entry.height:,}, with {confirmations:,} confirmations."
    return " ".join(_waiting_sentences(entry, said or PendingReport()))


def _waiting_sentences(entry: HistoryEntry, said: PendingReport) -> Iterator[str]:
    """What is known of a payment without a block."""
    seen = said.seen
    if seen is not None and seen.of:
        yield f"{seen_text(seen)}, not provable yet: it is certain once a block holds it."
        if not entry.is_own and not seen.is_backed:
            yield "So far a single peer says so, who may have made it up."
    elif entry.is_own:
        yield "Sent, and not in a block yet." if said.attempts else "Not in a block yet."
    else:
        yield "A peer announced this payment. It cannot be proved before a block holds it."
    if entry.conflicts and entry.is_own:
        yield "It spends the same coins as another payment: only one of them can confirm."
    elif entry.conflicts:
        yield (
            "Another payment spends the same coins. Only one of them can confirm: do not count on "
            "this one before it has."
        )
    if said.is_below_minimum:
        advice = " Raising its fee helps." if entry.can_bump else ""
        yield f"It pays less than most peers take at present, so it may not spread.{advice}"
    elif entry.fee_sat is None:
        yield "Its fee is unknown, since not all that it spends was seen."
    if entry.signals_rbf and not entry.is_own and not said.is_below_minimum:
        yield "Its sender can still replace it."
    if said.attempts is not None:
        times = "once" if said.attempts.count == 1 else f"{said.attempts.count} times"
        yield f"Sent {times}, the last time at {date_text(said.attempts.last)}."
