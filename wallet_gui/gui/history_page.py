"""History: every payment with its state, searchable, with its details below."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.gui.history_model import (
    HistoryModel,
    date_text,
    signed,
    state_sentence,
)
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.amount import FeeRate, format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.wallet.snapshot import HistoryEntry, WalletSnapshot
from wallet_gui.widgets.fonts import monospace_font
from wallet_gui.widgets.labels import card, heading, text_label
from wallet_gui.widgets.notice import Notice
from wallet_gui.widgets.text import plain


class HistoryPage(QWidget):
    """Shows the payments; what a person wants done with one leaves as a signal."""

    label_wanted = Signal(bytes, str)
    rebroadcast_wanted = Signal(bytes)
    bump_wanted = Signal(bytes)
    abandon_wanted = Signal(bytes)

    def __init__(self, wallet: WalletModel, history: HistoryModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("history_page")
        self.setProperty("role", "page")
        self._wallet = wallet
        self._history = history
        self._entry: HistoryEntry | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 24, 28, 24)
        layout.setSpacing(14)
        top = QHBoxLayout()
        top.addWidget(heading("History"))
        top.addStretch(1)
        self.search = QLineEdit()
        self.search.setObjectName("history_search")
        self.search.setAccessibleName("Search payments")
        self.search.setPlaceholderText("Search label, address, transaction id")
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(280)
        top.addWidget(self.search)
        layout.addLayout(top)
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self.table = HistoryTable(history, self)
        self.table.setObjectName("history_table")
        self.table.setAccessibleName("Payments")
        layout.addWidget(self.table, 1)
        self.empty = text_label("No payments yet.", role="muted")
        layout.addWidget(self.empty, 1)
        layout.addWidget(self._make_details())
        self.search.textChanged.connect(self.table.filter.search)
        self.table.selected.connect(self._show_entry)
        self.table.opened.connect(self._show_entry)
        history.count_changed.connect(self._show_count)
        wallet.history_changed.connect(self._refresh)
        wallet.wallet_changed.connect(lambda _: self._show_entry(None))
        self._show_count(history.rowCount())
        self._show_entry(None)

    def _make_details(self) -> QWidget:
        self.details = card()
        self.details.setObjectName("history_details")
        layout = QVBoxLayout(self.details)
        layout.setContentsMargins(20, 16, 20, 16)
        self.sentence = text_label()
        layout.addWidget(self.sentence)
        form = QFormLayout()
        self._values: dict[str, QLabel] = {}
        for key, caption in (
            ("date", "Date"),
            ("net", "Effect on the balance"),
            ("fee", "Fee"),
            ("addresses", "Addresses"),
            ("txid", "Transaction id"),
        ):
            label = text_label()
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            if key != "date":
                label.setFont(monospace_font(label.font()))
            self._values[key] = label
            form.addRow(text_label(caption, role="muted", wrap=False), label)
        layout.addLayout(form)
        row = QHBoxLayout()
        self.label_edit = QLineEdit()
        self.label_edit.setObjectName("history_label")
        self.label_edit.setAccessibleName("Label of this payment")
        self.label_edit.setPlaceholderText("Label of this payment")
        self.label_edit.setMaxLength(200)
        self.label_edit.editingFinished.connect(self._save_label)
        row.addWidget(self.label_edit, 1)
        self.buttons: dict[str, QPushButton] = {}
        for name, text, slot in (
            ("copy", "Copy transaction id", self._copy_txid),
            ("bump", "Raise the fee", lambda: self._emit(self.bump_wanted)),
            ("rebroadcast", "Send again", lambda: self._emit(self.rebroadcast_wanted)),
            ("abandon", "Give up", lambda: self._emit(self.abandon_wanted)),
        ):
            button = QPushButton(text)
            button.setObjectName(f"history_{name}")
            button.setAccessibleName(text)
            button.clicked.connect(slot)
            row.addWidget(button)
            self.buttons[name] = button
        layout.addLayout(row)
        return self.details

    def _show_count(self, count: int) -> None:
        self.table.setVisible(count > 0)
        self.empty.setVisible(count == 0)

    def _refresh(self, snapshot: WalletSnapshot) -> None:
        if self._entry is None:
            return
        txid = self._entry.txid
        for entry in snapshot.history:
            if entry.txid == txid:
                self._show_entry(entry)
                return
        self._show_entry(None)

    def _show_entry(self, entry: HistoryEntry | None) -> None:
        is_other = self._entry is None or entry is None or self._entry.txid != entry.txid
        self._entry = entry
        self.details.setVisible(entry is not None)
        if entry is None:
            return
        confirmations = self._history.confirmations(entry)
        self.sentence.setText(state_sentence(entry, confirmations))
        hidden = self._wallet.hides_amounts
        fee = "not known"
        if entry.fee_sat is not None and entry.vsize:
            fee = (
                f"{format_btc(entry.fee_sat)} BTC, {FeeRate.of(entry.fee_sat, entry.vsize)} sat/vB"
            )
        texts = {
            "date": date_text(entry.time),
            "net": "\u2022\u2022\u2022\u2022" if hidden else f"{signed(entry)} BTC",
            "fee": fee,
            "addresses": "\n".join(entry.addresses) or "none",
            "txid": hash_to_hex(entry.txid),
        }
        for key, text in texts.items():
            self._values[key].setText(text)
        if is_other or not self.label_edit.hasFocus():
            self.label_edit.setText(plain(entry.label))
            self.label_edit.setModified(False)
        waiting = entry.is_live and entry.height is None
        self.buttons["bump"].setVisible(entry.can_bump)
        self.buttons["rebroadcast"].setVisible(waiting and entry.is_own)
        self.buttons["abandon"].setVisible(waiting and entry.is_own)

    def _save_label(self) -> None:
        if self._entry is not None and self.label_edit.isModified():
            self.label_edit.setModified(False)
            self.label_wanted.emit(self._entry.txid, plain(self.label_edit.text()))

    def _copy_txid(self) -> None:
        if self._entry is not None:
            QGuiApplication.clipboard().setText(hash_to_hex(self._entry.txid))
            self.notice.say("The transaction id is copied.")

    def _emit(self, signal: object) -> None:
        if self._entry is not None:
            signal.emit(self._entry.txid)  # type: ignore[attr-defined]
