"""History: every payment with its state, searchable, with its details below."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.gui.broadcast_ladder import BroadcastLadder
from wallet_gui.gui.confirm_strip import ConfirmStrip
from wallet_gui.gui.history_model import (
    HistoryModel,
    date_text,
    signed,
)
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.wallet_model import WalletModel, masked
from wallet_gui.primitives.amount import FeeRate, format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.wallet.snapshot import HistoryEntry, WalletSnapshot
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import caption, card, heading, set_role, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.text import chunked, plain

_DETAILS = (
    ("date", "Date"),
    ("net", "Effect on the balance"),
    ("fee", "Fee"),
    ("addresses", "Addresses"),
    ("txid", "Transaction id"),
    ("rivals", "Spends the same coins"),
)


class HistoryPage(Page):
    """Shows the payments; what a person wants done with one leaves as a signal."""

    label_wanted = Signal(bytes, str)
    rebroadcast_wanted = Signal(bytes)
    # Transaction id, FeeRate or None for the usual step, whether a high fee was confirmed.
    bump_wanted = Signal(bytes, object, bool)
    abandon_wanted = Signal(bytes)

    def __init__(self, wallet: WalletModel, history: HistoryModel, parent: QWidget) -> None:
        super().__init__("history_page", parent, spacing=14)
        self._wallet = wallet
        self._history = history
        self._entry: HistoryEntry | None = None
        layout = self.body
        top = FlowLayout(spacing=16, spread=True)
        top.addWidget(heading("History"))
        self.search = QLineEdit()
        self.search.setObjectName("history_search")
        self.search.setAccessibleName("Search payments")
        self.search.setPlaceholderText("Search payments")
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(320)
        top.addWidget(self.search)
        layout.addLayout(top)
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self.ladder = BroadcastLadder("history_ladder", self)
        layout.addWidget(self.ladder)
        self.table = HistoryTable(history, self)
        self.table.setObjectName("history_table")
        self.table.setAccessibleName("Payments")
        layout.addWidget(self.table, 1)
        self.empty = text_label(
            "No payments yet. What comes in and what goes out appears here.", role="muted"
        )
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.empty, 1)
        self.nothing_found = text_label("No payment holds these words.", role="muted")
        layout.addWidget(self.nothing_found)
        layout.addWidget(self._make_details())
        self.search.textChanged.connect(self._search)
        self.table.selected.connect(self._show_entry)
        self.table.opened.connect(self._show_entry)
        history.count_changed.connect(self._show_count)
        wallet.history_changed.connect(self._refresh)
        wallet.privacy_changed.connect(lambda _: self._show_entry(self._entry))
        wallet.wallet_changed.connect(lambda _: self._forget())
        self._show_count(history.rowCount())
        self._show_entry(None)

    def _make_details(self) -> QFrame:
        self.details = card()
        self.details.setObjectName("history_details")
        layout = QVBoxLayout(self.details)
        layout.setContentsMargins(20, 16, 20, 16)
        layout.setSpacing(12)
        self.sentence = text_label()
        self.sentence.setObjectName("history_sentence")
        layout.addWidget(self.sentence)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        self._names: dict[str, QLabel] = {}
        self.values: dict[str, QLabel] = {}
        for row, (key, title) in enumerate(_DETAILS):
            label = text_label()
            label.setObjectName(f"history_value_{key}")
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            label.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
            if key != "date":
                use_font(label, monospace=True)
            self.values[key] = label
            name = self._names[key] = text_label(title, role="muted", wrap=False)
            name.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            grid.addWidget(name, row, 0)
            grid.addWidget(label, row, 1)
        grid.setColumnStretch(1, 1)
        layout.addLayout(grid)
        self.label_edit = QLineEdit()
        name = caption("&Label", self.label_edit, beside=True)
        set_role(name, "muted")
        grid.addWidget(name, len(_DETAILS), 0)
        grid.addWidget(self.label_edit, len(_DETAILS), 1)
        self.label_edit.setObjectName("history_label")
        self.label_edit.setAccessibleName("Label of this payment")
        self.label_edit.setPlaceholderText("What it was for (only you see it)")
        self.label_edit.setMaxLength(200)
        self.label_edit.editingFinished.connect(self._save_label)
        row_layout = FlowLayout(spacing=10)
        self.buttons: dict[str, QPushButton] = {}
        for name_, text, slot in (
            ("copy", "&Copy transaction id", self._copy_txid),
            ("bump", "&Raise the fee", self._ask_bump),
            ("rebroadcast", "&Send again", self._rebroadcast),
            ("abandon", "&Give up", self._ask_abandon),
        ):
            button = QPushButton(text)
            button.setObjectName(f"history_{name_}")
            button.setAccessibleName(text.replace("&", ""))
            button.clicked.connect(slot)
            row_layout.addWidget(button)
            self.buttons[name_] = button
        layout.addLayout(row_layout)
        self.strip = ConfirmStrip(self)
        self.strip.confirmed.connect(self._confirmed)
        self.strip.left.connect(self.table.setFocus)
        layout.addWidget(self.strip)
        return self.details

    # --- what is shown

    def _search(self, text: str) -> None:
        self.table.filter.search(text)
        found = self.table.filter.rowCount() > 0
        self.nothing_found.setVisible(bool(text) and not found and self._history.rowCount() > 0)

    def _show_count(self, count: int) -> None:
        self.table.setVisible(count > 0)
        self.empty.setVisible(count == 0)
        self.nothing_found.hide()

    def _forget(self) -> None:
        self.search.clear()
        self.notice.clear()
        self._show_entry(None)

    def _refresh(self, snapshot: WalletSnapshot) -> None:
        if self._entry is None:
            return
        txid = self._entry.txid
        for entry in snapshot.history:
            if entry.txid == txid:
                self._show_entry(entry)
                self.table.select_payment(txid)
                return
        self._show_entry(None)

    def show_payment(self, entry: HistoryEntry) -> None:
        """Select one payment and show its details."""
        self.search.clear()
        self._show_entry(entry)
        self.table.select_payment(entry.txid)

    def _show_entry(self, entry: HistoryEntry | None) -> None:
        is_other = self._entry is None or entry is None or self._entry.txid != entry.txid
        if is_other:
            self._save_label()
        self._entry = entry
        self.details.setVisible(entry is not None)
        if entry is None:
            # Nothing of a locked wallet stays behind in hidden labels.
            for label in (self.sentence, *self.values.values()):
                label.clear()
                label.setAccessibleName("")
            self.label_edit.clear()
            self.strip.dismiss()
            return
        self.sentence.setText(self._history.sentence(entry))
        fee = "unknown, since not all that it spends was seen"
        if entry.fee_sat is not None and entry.vsize:
            amount = masked(self._wallet, format_btc(entry.fee_sat))
            fee = f"{amount} BTC, {FeeRate.of(entry.fee_sat, entry.vsize)} sat/vB"
        texts = {
            "date": date_text(entry.time),
            "net": f"{masked(self._wallet, signed(entry))} BTC",
            "fee": fee,
            "addresses": "\n".join(chunked(plain(address, 100)) for address in entry.addresses)
            or "none",
            "txid": chunked(hash_to_hex(entry.txid), 8),
            "rivals": "\n".join(chunked(hash_to_hex(txid), 8) for txid in entry.conflicts),
        }
        for key, title in _DETAILS:
            self.values[key].setText(texts[key])
            self.values[key].setAccessibleName(f"{title}: {texts[key]}")
        for widget in (self._names["rivals"], self.values["rivals"]):
            widget.setVisible(bool(entry.conflicts))
        if is_other or not self.label_edit.hasFocus():
            show_text(self.label_edit, plain(entry.label))
            self.label_edit.setModified(False)
        waiting = entry.is_live and entry.height is None
        can = {"bump": entry.can_bump, "rebroadcast": waiting and entry.is_own}
        can["abandon"] = can["rebroadcast"]
        for key, possible in can.items():
            self.buttons[key].setVisible(possible)
        if is_other or not can.get(self.strip.purpose, False):
            self.strip.dismiss()

    # --- what a person wants

    def _save_label(self) -> None:
        if self._entry is not None and self.label_edit.isModified():
            self.label_edit.setModified(False)
            self.label_wanted.emit(self._entry.txid, plain(self.label_edit.text()))

    def _copy_txid(self) -> None:
        if self._entry is not None:
            clipboard().copy(hash_to_hex(self._entry.txid), self, self._say_copied)

    def _say_copied(self, outcome: Copied) -> None:
        role = INFORMATION if outcome is Copied.KEPT else ERROR
        self.notice.say(outcome.sentence("The transaction id"), role)

    def _rebroadcast(self) -> None:
        if self._entry is not None:
            self.rebroadcast_wanted.emit(self._entry.txid)

    def _ask_bump(self) -> None:
        entry = self._entry
        if entry is None:
            return
        text = "The payment is replaced by one that pays a higher fee. At which rate?"
        usual = ""
        if entry.fee_sat is not None and entry.vsize:
            rate = FeeRate.of(entry.fee_sat, entry.vsize)
            # Half as much again: a whole step up, whatever the old rate was.
            step = max(rate.sat_per_kvb + 1_000, rate.sat_per_kvb * 3 // 2)
            usual = str(FeeRate(step))
            text = (
                f"The payment pays {rate} sat/vB. It is replaced by one that pays more. At which "
                "rate?"
            )
        self.strip.ask_rate("bump", text, usual, "Re&view the replacement")

    def ask_high_fee(self, sentence: str) -> None:
        """The fee of a replacement looks like a mistake: let the person confirm it."""
        self.notice.clear()
        self.strip.ask_again(sentence, "Pay this &high fee")

    def _ask_abandon(self) -> None:
        self.strip.ask(
            "abandon",
            "Give this payment up? Its coins become free to spend again here. If somebody still "
            "has the payment, it can confirm all the same. Raising its fee is safer.",
            "Give &up the payment",
        )

    def _confirmed(self, purpose: str, rate: FeeRate | None, is_again: bool) -> None:  # noqa: FBT001 - a Qt slot
        if self._entry is None:
            return
        if purpose == "bump":
            self.bump_wanted.emit(self._entry.txid, rate, is_again)
        else:
            self.abandon_wanted.emit(self._entry.txid)
