"""Peers: who is connected and what for, and every host that was contacted at all."""

import time
from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QStackedWidget,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.network_words import (
    LEDGER_TITLES,
    NOTHING_ELSE,
    PEER_TITLES,
    count_text,
    ledger_cells,
    ledger_summary,
    ledger_text,
    peer_cells,
    sources_text,
)
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.chain.backend import ConnectionState
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.gui.node_status_card import NodeStatusCard
from wallet_gui.gui.rows_model import Row, RowsModel
from wallet_gui.gui.rows_table import RowsTable
from wallet_gui.gui.sync_model import SyncModel
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import card, heading, set_role, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.text import chunked, plain, shortened

# (column, letters that the table must be wide): the rest of a peer stands in its details.
_PEER_SPARE = (
    (1, 140),
    (2, 60),
    (3, 118),
    (4, 84),
    (5, 72),
    (6, 128),
    (7, 60),
    (9, 104),
    (10, 170),
    (11, 150),
    (12, 210),
)
_LEDGER_SPARE = ((2, 60), (3, 110), (4, 150), (5, 92), (6, 130), (7, 120), (8, 78))
_COMPARED = "What they say is compared: one that lies is found out and let go."
_ONE_SOURCE = (
    "Everything rests on what this one peer says. It cannot take money or invent a confirmed "
    "payment, but it can keep one from being seen."
)
_ONE_NETWORK = (
    "All of them are in one network, so they may be one person's, who could keep a payment from "
    "being seen."
)
_MONOSPACE = frozenset({0, 1})
_LONG = frozenset({0, 2, 12})
_LONGEST_LINE = 44
_ADDRESS_LETTERS = 10


class PeersPage(Page):
    """Draws what the last SyncSnapshot tells, while it is on screen."""

    back_wanted = Signal()

    def __init__(
        self, sync: SyncModel, parent: QWidget, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__("peers_page", parent, spacing=14)
        self._sync = sync
        self._clock = clock
        self._full: dict[str, tuple[str, ...]] = {}
        layout = self.body
        self.back_button = QPushButton("&Back")
        self.back_button.setObjectName("peers_back")
        self.back_button.setAccessibleName("Back")
        self.back_button.setProperty("role", "plain")
        self.back_button.clicked.connect(self.back_wanted.emit)
        self.back_button.hide()
        layout.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        top = FlowLayout(spacing=16, spread=True)
        top.addWidget(heading("Peers"))
        self.tabs = QTabBar()
        self.tabs.setObjectName("peers_tabs")
        self.tabs.setAccessibleName("Peers or connections")
        self.tabs.setDrawBase(False)
        self.tabs.setExpanding(False)
        self.tabs.addTab("Connected now")
        self.tabs.addTab("All connections")
        top.addWidget(self.tabs)
        layout.addLayout(top)
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self._stack = QStackedWidget()
        self._stack.addWidget(self._make_peers())
        self._stack.addWidget(self._make_ledger())
        layout.addWidget(self._stack, 1)
        self.tabs.currentChanged.connect(self._show_tab)
        sync.changed.connect(self._show)

    def _make_peers(self) -> QWidget:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        self.summary = text_label(role="muted")
        self.summary.setObjectName("peers_summary")
        layout.addWidget(self.summary)
        model = RowsModel(PEER_TITLES, frozenset({6, 7, 8, 9, 10, 11}), self)
        self.node = NodeStatusCard(self)
        layout.addWidget(self.node)
        self.table = RowsTable(model, self, stretch=2, spare=_PEER_SPARE)
        self.table.setObjectName("peers_table")
        self.table.setAccessibleName("Connected peers")
        self.table.selected.connect(lambda _: self._show_details())
        layout.addWidget(self.table, 1)
        self.empty = text_label("No peer is connected.", role="muted")
        self.empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self._make_details())
        return inner

    def _make_details(self) -> QFrame:
        self.details = card()
        self.details.setObjectName("peers_details")
        outer = QVBoxLayout(self.details)
        outer.setContentsMargins(20, 14, 20, 14)
        grid = QGridLayout()
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(4)
        self.values: list[QLabel] = []
        place = 0
        for number, title in enumerate(PEER_TITLES):
            name = text_label(title, role="muted", wrap=False)
            name.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
            value = text_label()
            value.setObjectName(f"peers_value_{number}")
            value.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            value.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
            if number in _MONOSPACE:
                use_font(value, monospace=True)
            # Long ones have a line of their own, the others share one.
            is_long = number in _LONG
            place += place % 2 if is_long else 0
            row, half = divmod(place, 2)
            grid.addWidget(name, row, 2 * half)
            grid.addWidget(value, row, 2 * half + 1, 1, 3 if is_long else 1)
            place += 2 if is_long else 1
            self.values.append(value)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        outer.addLayout(grid)
        self.details.hide()
        return self.details

    def _make_ledger(self) -> QWidget:
        inner = QWidget()
        layout = QVBoxLayout(inner)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        self.ledger_summary = text_label(role="muted")
        self.ledger_summary.setObjectName("ledger_summary")
        layout.addWidget(self.ledger_summary)
        row = FlowLayout(spacing=10, spread=True)
        self.search = QLineEdit()
        self.search.setObjectName("ledger_search")
        self.search.setAccessibleName("Search connections")
        self.search.setPlaceholderText("Search connections")
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(280)
        self.search.textChanged.connect(self._search)
        row.addWidget(self.search)
        self.copy_button = QPushButton("&Copy all as text")
        self.copy_button.setObjectName("ledger_copy")
        self.copy_button.setAccessibleName("Copy all as text")
        self.copy_button.clicked.connect(self._copy)
        row.addWidget(self.copy_button)
        layout.addLayout(row)
        model = RowsModel(LEDGER_TITLES, frozenset({5, 6, 7}), self)
        self.ledger = RowsTable(model, self, stretch=1, spare=_LEDGER_SPARE)
        self.ledger.setObjectName("ledger_table")
        self.ledger.setAccessibleName("Connections since the start")
        layout.addWidget(self.ledger, 1)
        self.nothing_found = text_label("No connection holds these words.", role="muted")
        self.nothing_found.hide()
        layout.addWidget(self.nothing_found)
        self.ledger_empty = text_label("Nothing was contacted yet.", role="muted")
        self.ledger_empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout.addWidget(self.ledger_empty, 1)
        self.nothing_else = text_label(NOTHING_ELSE)
        self.nothing_else.setObjectName("ledger_nothing_else")
        layout.addWidget(self.nothing_else)
        return inner

    # --- what is shown

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._show(self._sync.snapshot)

    def _show_tab(self, number: int) -> None:
        self.notice.clear()
        self._stack.setCurrentIndex(number)
        self._show(self._sync.snapshot)

    def _show(self, snapshot: SyncSnapshot | None) -> None:
        """Draw the tab on screen: a table that nobody looks at costs nothing."""
        if not self.isVisible():
            return
        shown = snapshot or SyncSnapshot("", "")
        if self._stack.currentIndex() == 0:
            self._show_peers(shown)
        else:
            self._show_ledger(shown.ledger)

    def _show_peers(self, snapshot: SyncSnapshot) -> None:
        now = int(self._clock())
        peers = sorted(snapshot.peers, key=lambda peer: (not peer.is_own, peer.connected_since))
        self._full = {peer.address: peer_cells(peer, now) for peer in peers}
        self.table.show_rows([Row(key, _narrow(cells)) for key, cells in self._full.items()])
        self.table.setVisible(bool(peers))
        self.node.show_snapshot(snapshot)
        self.empty.setVisible(not peers)
        # The card says all there is about a node.
        self.empty.setText("" if snapshot.node is not None else _why_empty(snapshot))
        meaning = _COMPARED if snapshot.networks > 1 else _ONE_NETWORK
        if len(peers) == 1:
            meaning = _ONE_SOURCE
        text = f"{sources_text(snapshot)}. {meaning}"
        if snapshot.doubt:
            text += f" {plain(snapshot.doubt, 400)}"
        self.summary.setText(text)
        set_role(self.summary, "warning" if snapshot.doubt else "muted")
        # Of a node of one's own the card says what it is; it is no peer that could be anybody's.
        self.summary.setVisible(bool(peers) and not (snapshot.node is not None and len(peers) == 1))
        self._show_details()

    def _show_details(self) -> None:
        key = self.table.selected_key()
        cells = self._full.get(key) if isinstance(key, str) else None
        self.details.setVisible(cells is not None)
        texts = ("",) * len(PEER_TITLES) if cells is None else cells
        for value, title, text in zip(self.values, PEER_TITLES, texts, strict=True):
            value.setText(_breakable(text) or "\N{EN DASH}")
            value.setAccessibleName(f"{title}: {text or 'not known'}")

    def _show_ledger(self, entries: tuple[LedgerEntry, ...]) -> None:
        rows = [
            Row((len(entries) - number, entry.host, entry.began), ledger_cells(entry))
            for number, entry in enumerate(entries)
        ]
        self.ledger.show_rows(rows)
        self.ledger_summary.setText(ledger_summary(entries))
        for widget in (self.ledger, self.ledger_summary, self.search, self.copy_button):
            widget.setVisible(bool(entries))
        self.ledger_empty.setVisible(not entries)
        self.nothing_else.setVisible(bool(entries))
        self._search(self.search.text())

    def _search(self, text: str) -> None:
        self.ledger.filter.search(text)
        snapshot = self._sync.snapshot
        has_entries = snapshot is not None and bool(snapshot.ledger)
        found = self.ledger.filter.rowCount()
        self.nothing_found.setVisible(bool(text.strip()) and has_entries and not found)

    def _copy(self) -> None:
        snapshot = self._sync.snapshot
        if snapshot is None:
            return
        text = ledger_text(snapshot.ledger)
        count = count_text(len(snapshot.ledger), "contact")

        def told(outcome: Copied) -> None:
            if outcome is Copied.KEPT:
                words = f"{count} copied. The text names peers, so mind whom you give it to."
                self.notice.say(words, INFORMATION)
            else:
                self.notice.say(outcome.sentence("The list"), ERROR)

        clipboard().copy(text, self, told)


def _narrow(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells of the table: the middle of an onion address stands in the details only."""
    host, space, own = cells[0].partition(" ")
    return (shortened(host, _ADDRESS_LETTERS) + space + own, *cells[1:])


def _breakable(text: str) -> str:
    """An onion address in groups, since it has no place to break a line at; its port is whole."""
    host, space, rest = text.partition(" ")
    if len(host) > _LONGEST_LINE:
        name, colon, port = host.rpartition(":")
        host = f"{chunked(name, 8)}{colon}{port}"
    return host + space + rest


def _why_empty(snapshot: SyncSnapshot) -> str:
    if snapshot.detail:
        return plain(snapshot.detail, 400)
    if snapshot.state is ConnectionState.STOPPED:
        return "Not connected. Settings say how to connect."
    return "Looking for peers."
