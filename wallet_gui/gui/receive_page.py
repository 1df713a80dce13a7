"""Receive: a new address only when asked for, its QR code, and the requests made so far."""

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtGui import QResizeEvent, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.gui.history_model import date_text
from wallet_gui.gui.wallet_model import WalletModel, masked
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.wallet.snapshot import RequestEntry, RequestStatus, WalletSnapshot
from wallet_gui.widgets.amount_edit import AmountEdit
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import monospace_font
from wallet_gui.widgets.labels import AddressLabel, caption, card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.qr_code import QrCode
from wallet_gui.widgets.text import plain, shortened

_STATUS = {
    RequestStatus.WAITING: "Waiting",
    RequestStatus.EXPIRED: "Expired",
    RequestStatus.SEEN: "Seen, unconfirmed",
    RequestStatus.CONFIRMED: "Paid",
}
_ENTRY = Qt.ItemDataRole.UserRole + 1
_FULL_WIDTH_LETTERS = 76


class _RequestsTable(QTableView):
    """Where not everything fits, labels and amounts come before dates."""

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        needed = self.fontMetrics().averageCharWidth() * _FULL_WIDTH_LETTERS
        self.setColumnHidden(0, self.viewport().width() < needed)


class ReceivePage(Page):
    """Asks for addresses with `request_wanted` and shows them once they are stored."""

    request_wanted = Signal(str, object)
    sign_wanted = Signal(str)

    def __init__(self, wallet: WalletModel, params: ChainParams, parent: QWidget) -> None:
        super().__init__("receive_page", parent)
        self._wallet = wallet
        self._params = params
        self._shown: RequestEntry | None = None
        self._expected_index: tuple[int, int] | None = None
        layout = self.body
        layout.addWidget(heading("Receive"))
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        columns = FlowLayout(spacing=18, equal=True)
        columns.addWidget(self._make_form())
        columns.addWidget(self._make_address_card())
        layout.addLayout(columns)
        layout.addWidget(heading("Requests", 120))
        self.empty = text_label(
            "Addresses that you make appear here, with what was paid to them.", role="muted"
        )
        layout.addWidget(self.empty)
        layout.addWidget(self._make_table(), 100)
        layout.addStretch(1)
        wallet.requests_changed.connect(self._show_requests)
        wallet.wallet_changed.connect(self._clear)
        wallet.privacy_changed.connect(lambda _: self._show_again())
        self._clear("")

    def _make_form(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(20, 18, 20, 18)
        layout.setSpacing(12)
        self.label_edit = QLineEdit()
        self.label_edit.setObjectName("receive_label")
        self.label_edit.setAccessibleName("Label: who pays, and for what")
        self.label_edit.setPlaceholderText("Who pays, and for what")
        self.label_edit.setMaxLength(200)
        self.amount_edit = AmountEdit("Amount in BTC, optional")
        self.amount_edit.setObjectName("receive_amount")
        for text, field in (
            ("&Label (the payer sees it in the QR code)", self.label_edit),
            ("Amo&unt in BTC (optional)", self.amount_edit),
        ):
            layout.addWidget(caption(text, field))
            layout.addWidget(field)
        self.new_button = QPushButton("&New address")
        self.new_button.setObjectName("receive_new")
        self.new_button.setAccessibleName("New address")
        self.new_button.setProperty("role", "primary")
        self.new_button.clicked.connect(self._ask)
        self.label_edit.returnPressed.connect(self._ask)
        self.amount_edit.returnPressed.connect(self._ask)
        layout.addWidget(self.new_button)
        layout.addWidget(
            text_label(
                "Give each payer an address of their own: an address used twice ties the payments "
                "together for everyone to see.",
                role="muted",
            )
        )
        layout.addStretch(1)
        return frame

    def _make_address_card(self) -> QWidget:
        self.address_card = card()
        layout = QVBoxLayout(self.address_card)
        layout.setContentsMargins(20, 18, 20, 18)
        layout.setSpacing(12)
        self.qr = QrCode("QR code of the payment request", side=250)
        self.qr.setObjectName("receive_qr")
        layout.addWidget(self.qr)
        self.address_label = AddressLabel("Receive address")
        self.address_label.setObjectName("receive_address")
        layout.addWidget(self.address_label)
        self.caption = text_label(role="muted")
        self.caption.setObjectName("receive_caption")
        layout.addWidget(self.caption)
        self.copy_buttons = QWidget()
        row = FlowLayout(self.copy_buttons, spacing=10)
        for text, name, slot in (
            ("&Copy address", "receive_copy", self._copy_address),
            ("Copy lin&k", "receive_copy_link", self._copy_link),
            ("Si&gn a message", "receive_sign", self._sign),
        ):
            button = QPushButton(text)
            button.setObjectName(name)
            button.setAccessibleName(text.replace("&", ""))
            button.clicked.connect(slot)
            row.addWidget(button)
        layout.addWidget(self.copy_buttons)
        layout.addStretch(1)
        return self.address_card

    def _make_table(self) -> QTableView:
        self._items = QStandardItemModel(0, 5, self)
        self._items.setHorizontalHeaderLabels(["Date", "State", "Label", "Asked", "Received"])
        for column in range(5):
            self._items.horizontalHeaderItem(column).setTextAlignment(_alignment(column))
        self.table = _RequestsTable()
        self.table.setObjectName("receive_requests")
        self.table.setAccessibleName("Requests")
        self.table.setModel(self._items)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setMinimumHeight(170)
        self.table.setTabKeyNavigation(False)
        self.table.verticalHeader().hide()
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setTextElideMode(Qt.TextElideMode.ElideRight)
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.table.selectionModel().currentRowChanged.connect(self._select)
        return self.table

    # --- asking for an address

    def _ask(self) -> None:
        if self.amount_edit.problem:
            self.notice.say(self.amount_edit.problem, ERROR)
            self.amount_edit.setFocus()
            return
        self.notice.clear()
        self.new_button.setEnabled(False)
        self.request_wanted.emit(plain(self.label_edit.text()), self.amount_edit.amount_sat)

    def show_request(self, descriptor_index: int, index: int) -> None:
        """Show the request that was just stored, as soon as the snapshot has it."""
        self.new_button.setEnabled(True)
        self.label_edit.clear()
        self.amount_edit.set_amount(None)
        self._expected_index = (descriptor_index, index)
        if self._wallet.snapshot is not None:
            self._show_requests(self._wallet.snapshot)

    def show_failure(self, sentence: str) -> None:
        """Say why no address could be made."""
        self.new_button.setEnabled(True)
        self.notice.say(sentence, WARNING)

    # --- showing requests

    def _show_requests(self, snapshot: WalletSnapshot) -> None:
        entries = sorted(snapshot.requests, key=lambda item: -item.request.created)
        wanted = self._expected_index
        current = self._shown
        self._items.setRowCount(len(entries))
        for row, entry in enumerate(entries):
            for column, text in enumerate(self._row_texts(entry)):
                item = QStandardItem(text)
                item.setData(entry, _ENTRY)
                item.setTextAlignment(_alignment(column))
                if column >= 3:
                    item.setFont(monospace_font(self.table.font()))
                self._items.setItem(row, column, item)
        self.table.setVisible(bool(entries))
        self.empty.setVisible(not entries)
        for row, entry in enumerate(entries):
            place = (entry.request.descriptor_index, entry.request.index)
            if wanted == place:
                self._expected_index = None
                self.table.selectRow(row)
                self._show(entry)
                return
            if wanted is None and current is not None and entry.address == current.address:
                self.table.selectRow(row)
                self._show(entry)

    def _select(self, index: QModelIndex) -> None:
        entry = index.data(_ENTRY)
        if isinstance(entry, RequestEntry):
            self._show(entry)

    def _show(self, entry: RequestEntry) -> None:
        self._shown = entry
        for widget in (self.qr, self.address_label, self.copy_buttons):
            widget.show()
        self.address_label.set_address(entry.address)
        # A screen reader hears no amount while amounts are hidden; the payer's camera reads it.
        self.qr.set_text(self._link(entry), entry.address if self._wallet.hides_amounts else "")
        words = [_STATUS[entry.status]]
        if entry.request.amount_sat is not None:
            asked = masked(self._wallet, format_btc(entry.request.amount_sat, trim=True))
            words.append(f"{asked} BTC asked")
        if entry.received_sat:
            words.append(f"{masked(self._wallet, format_btc(entry.received_sat))} BTC received")
        if entry.request.label:
            words.append(plain(entry.request.label))
        self.caption.setText(" \u00b7 ".join(words))

    def _clear(self, _wallet_id: str) -> None:
        self._shown = None
        self._expected_index = None
        self._items.setRowCount(0)
        self.table.hide()
        self.empty.show()
        self.address_label.set_address("")
        self.qr.set_text("")
        for widget in (self.qr, self.address_label, self.copy_buttons):
            widget.hide()
        self.caption.setText(
            "Press New address: the address and its QR code appear here once they are stored."
        )
        self.label_edit.clear()
        self.amount_edit.set_amount(None)
        self.notice.clear()
        self.new_button.setEnabled(True)

    def _show_again(self) -> None:
        """Draw the amounts anew, masked or not."""
        if self._wallet.snapshot is not None:
            self._show_requests(self._wallet.snapshot)

    def _row_texts(self, entry: RequestEntry) -> tuple[str, str, str, str, str]:
        request = entry.request
        asked = "any" if request.amount_sat is None else format_btc(request.amount_sat)
        received = format_btc(entry.received_sat) if entry.received_sat else ""
        return (
            date_text(request.created),
            _STATUS[entry.status],
            plain(request.label) or shortened(entry.address, 12),
            asked if request.amount_sat is None else masked(self._wallet, asked),
            masked(self._wallet, received) if received else "",
        )

    def _link(self, entry: RequestEntry) -> str:
        request = entry.request
        return PaymentUri.for_script(
            script_from_address(entry.address, self._params),
            self._params,
            amount_sat=request.amount_sat,
            label=request.label,
            message=request.message,
        ).to_string()

    # --- the clipboard

    def _copy_address(self) -> None:
        if self._shown is not None:
            self._copy(self._shown.address, "The address")

    def _copy_link(self) -> None:
        if self._shown is not None:
            self._copy(self._link(self._shown), "The link")

    def _sign(self) -> None:
        if self._shown is not None:
            self.sign_wanted.emit(self._shown.address)

    def _copy(self, text: str, what: str) -> None:
        def told(outcome: Copied) -> None:
            is_kept = outcome is Copied.KEPT
            self.notice.say(outcome.sentence(what), INFORMATION if is_kept else ERROR)

        clipboard().copy(text, self, told)


def _alignment(column: int) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column >= 3 else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
