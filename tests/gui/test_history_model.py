from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QModelIndex, QObject, Qt
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.gui.samples import INCOMING, TIP, WAITING, entry, snapshot
from wallet_gui.app.published import SessionUpdate
from wallet_gui.gui.history_model import (
    Column,
    HistoryModel,
    label_text,
    state_sentence,
    state_text,
)
from wallet_gui.gui.history_table import HistoryTable
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.wallet.snapshot import HistoryEntry


@pytest.fixture
def model(qapp: object) -> Iterator[HistoryModel]:
    owner = QObject()
    wallet = WalletModel(owner)
    wallet.show_wallet("id")
    history = HistoryModel(wallet)
    # Fatal: any breach of the rules of Qt's models ends the test run.
    tester = QAbstractItemModelTester(history, QAbstractItemModelTester.FailureReportingMode.Fatal)
    tester.setParent(owner)
    yield history
    owner.deleteLater()


_ENTRIES = st.lists(
    st.builds(
        entry,
        st.integers(0, 60),
        height=st.none() | st.integers(0, TIP + 2),
        block_time=st.none() | st.integers(0, 2**32 - 1),
        net_sat=st.integers(-(2**50), 2**50),
        label=st.text(max_size=30),
        fee_sat=st.none() | st.integers(0, 10**9),
        is_own=st.booleans(),
        is_live=st.booleans(),
        abandoned=st.booleans(),
        is_coinbase=st.booleans(),
        replaced_by=st.none() | st.binary(min_size=32, max_size=32),
        addresses=st.lists(st.text(max_size=80), max_size=3).map(tuple),
    ),
    max_size=12,
    unique_by=lambda item: item.txid,
).map(tuple)


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_ENTRIES, min_size=1, max_size=4), st.booleans())
def test_any_sequence_of_histories_keeps_the_rules_of_models(
    model: HistoryModel, histories: list[tuple[HistoryEntry, ...]], hides: object
) -> None:
    wallet = model._wallet
    wallet.hide_amounts(bool(hides))
    for number, history in enumerate(histories):
        wallet.update(SessionUpdate("id", snapshot(history=history, tip=TIP + number)))
        assert model.rowCount() == len(history)
        for row, item in enumerate(history):
            assert model.entry(row) == item
            assert model.row_of(item.txid) == row
            texts = [str(model.index(row, column).data()) for column in Column]
            assert all("\n" not in text for text in texts[:2] + texts[3:])
            assert ("\u2022" in texts[Column.AMOUNT]) is hides
            assert len(texts[Column.AMOUNT].rpartition(".")[2]) in {4, 8}
    wallet.show_wallet("")
    assert model.rowCount() == 0
    wallet.show_wallet("id")


def test_states_say_how_far_a_payment_is() -> None:
    cases = [
        (INCOMING, 0, "Seen, unconfirmed"),
        (WAITING, 0, "Waiting"),
        (entry(1), 1, "1 confirmation"),
        (entry(1), 5, "5 confirmations"),
        (entry(1), 6, "Confirmed"),
        (entry(1, is_live=False, replaced_by=b"1" * 32), 0, "Replaced"),
        (entry(1, is_live=False, abandoned=True), 0, "Abandoned"),
        (entry(1, is_live=False), 0, "Dropped"),
    ]
    for item, confirmations, words in cases:
        assert state_text(item, confirmations) == words
        assert state_sentence(item, confirmations).endswith(".")


def test_a_payment_without_a_label_names_whom_it_paid() -> None:
    assert label_text(entry(1, label="Rent")) == "Rent"
    assert label_text(entry(1, label="", is_coinbase=True)) == "Mined"
    assert label_text(entry(1, label="", addresses=(), is_own=True)) == "Moved within the wallet"
    assert label_text(entry(1, label="", addresses=("a" * 10, "b"))) == "a" * 10 + " and 1 more"


def test_new_confirmations_keep_the_selection(model: HistoryModel, qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    table = HistoryTable(model, parent)
    history = tuple(entry(number) for number in range(5))
    model._wallet.update(SessionUpdate("id", snapshot(history=history)))
    table.selectRow(3)
    model._wallet.update(SessionUpdate("id", snapshot(history=history, tip=TIP + 9)))
    assert table.current_entry() == history[3]


def test_search_looks_at_labels_addresses_states_and_ids(model: HistoryModel, qtbot: QtBot) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    table = HistoryTable(model, parent)
    history = (*(entry(number) for number in range(3, 9)), WAITING)
    model._wallet.update(SessionUpdate("id", snapshot(history=history)))
    for words, count in (
        ("payment " + hash_to_hex(history[1].txid)[:6], 1),
        ("PAYMENT", 7),
        (hash_to_hex(history[2].txid), 1),
        (history[1].addresses[0].upper(), 1),
        ("waiting", 1),
        ("payment nothing", 0),
        ("", 7),
    ):
        table.filter.search(words)
        assert table.filter.rowCount() == count, words


def test_only_the_first_rows_are_shown_where_a_number_is_given(
    model: HistoryModel, qtbot: QtBot
) -> None:
    parent = QWidget()
    qtbot.addWidget(parent)
    table = HistoryTable(model, parent, rows=6)
    model._wallet.update(
        SessionUpdate("id", snapshot(history=tuple(entry(n) for n in range(5_000))))
    )
    assert model.rowCount() == 5_000
    assert table.filter.rowCount() == 6
    assert model.index(0, 0).data(Qt.ItemDataRole.TextAlignmentRole) is not None
    assert model.rowCount(model.index(0, 0)) == 0
    assert model.columnCount(QModelIndex()) == len(Column)


def test_an_unknown_fee_is_called_so() -> None:
    unknown = "Its fee is unknown, since not all that it spends was seen."
    told = state_sentence(replace(INCOMING, signals_rbf=True), 0)
    assert unknown in told
    assert "Its sender can still replace it." in told
    assert unknown not in state_sentence(replace(INCOMING, fee_sat=200), 0)
    assert unknown not in state_sentence(entry(3), 6), "it matters no more"
