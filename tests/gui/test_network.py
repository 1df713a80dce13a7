"""Peers, connections, how to connect, long scans, and where fees come from."""

import re
import time
from dataclasses import replace

import pytest
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import (
    ADVICE,
    LEDGER,
    contact,
    entry,
    peer,
    scan_plan,
    snapshot,
    sync,
)
from wallet_gui.app.p2p_choice import NetworkChoice
from wallet_gui.app.published import PendingReport, PreviewSnapshot, SessionUpdate
from wallet_gui.chain.backend import ChainError, ConnectionState, Phase
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import ProxyUse, RelayMode
from wallet_gui.chain.reports import Route, SeenBy
from wallet_gui.gui.network_card import NetworkCard
from wallet_gui.gui.rows_model import Row, RowsModel

EVIL = '<img src="x">&<b>B</b>\N{RIGHT-TO-LEFT OVERRIDE}\u0007\u200b\nsecond line' + "W" * 5_000
FORBIDDEN = re.compile("[\u0000-\u0009\u000b-\u001f\u200b\u202a-\u202e\u2066-\u2069]")
PEERS = tuple(peer(number) for number in range(1, 5))


def show_peers(screen: Screen) -> None:
    screen.open()
    screen.sync(replace(sync(), peers=PEERS, ledger=LEDGER))
    screen.window.show_page("peers")


def texts(screen: Screen) -> list[str]:
    found = []
    page = screen.window.peers
    for widget in page.findChildren(QWidget):
        found += [widget.accessibleName(), widget.toolTip()]
        if isinstance(widget, QLabel):
            found.append(widget.text())
    for table in (page.table, page.ledger):
        for row in table.shown_rows():
            found += row.cells
    return found


# --- peers and connections -----------------------------------------------------------------------


def test_a_peer_shows_all_that_is_known_of_it(screen: Screen) -> None:
    show_peers(screen)
    page = screen.window.peers
    assert "4 sources in 4 networks" in page.summary.text()
    assert "compared" in page.summary.text()
    page.table.selectRow(0)
    shown = [value.text() for value in page.values]
    assert any("k7v2k7v2 k7v2k7v2" in text for text in shown)
    assert Route.TOR.value in shown
    assert page.details.isVisible()


def test_one_source_and_one_network_are_said(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    screen.sync(replace(sync(), peers=PEERS[:1]))
    assert "Everything rests on what this one peer says" in screen.window.peers.summary.text()
    assert "One source" in screen.window.status.peers.text()
    same = tuple(replace(each, network="203.0.0.0/16") for each in PEERS)
    screen.sync(replace(sync(), peers=same))
    assert "one network" in screen.window.peers.summary.text()


def test_a_doubt_about_the_tip_is_said_in_the_status_bar_and_on_the_page(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    screen.sync(replace(sync(Phase.SYNCED), peers=PEERS, doubt="The newest block is 5 hours old."))
    assert screen.window.status.peers.text() == "4 sources in 4 networks, possibly stale"
    assert "5 hours old" in screen.window.peers.summary.text()


def test_without_peers_the_reason_stands_there(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    screen.sync(sync(Phase.PEERS, ConnectionState.OFFLINE, peers=0, detail="No peers found."))
    assert screen.window.peers.empty.text() == "No peers found."
    assert not screen.window.peers.table.isVisible()


def test_the_selection_stays_with_its_peer(screen: Screen) -> None:
    show_peers(screen)
    page = screen.window.peers
    page.table.selectRow(2)
    key = page.table.selected_key()
    screen.sync(replace(sync(), peers=PEERS[:3], ledger=LEDGER))
    screen.sync(replace(sync(), peers=PEERS, ledger=LEDGER))
    assert page.table.selected_key() == key
    screen.sync(replace(sync(), peers=tuple(p for p in PEERS if p.address != key)))
    assert not page.details.isVisible()


def test_before_the_first_contact_nothing_is_said_of_others(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("peers")
    page = screen.window.peers
    page.tabs.setCurrentIndex(1)
    assert page.ledger_empty.isVisible()
    assert not page.nothing_else.isVisible()


def test_the_port_of_an_onion_address_stays_whole(screen: Screen) -> None:
    show_peers(screen)
    page = screen.window.peers
    page.table.selectRow(0)
    assert page.values[0].text().endswith("k7v2k7v2 .onion:8333")


def test_every_contact_is_listed_searched_and_copied(screen: Screen, qtbot: QtBot) -> None:
    show_peers(screen)
    page = screen.window.peers
    page.tabs.setCurrentIndex(1)
    assert page.ledger_summary.text().startswith("3 hosts, 3 contacts")
    assert page.nothing_else.text().startswith("Nothing else was contacted.")
    page.search.setText("SEED addresses")
    assert [row.cells[1] for row in page.ledger.shown_rows()] == ["x849.seed.example"]
    page.search.setText("nobody")
    assert page.nothing_found.isVisible()
    page.copy_button.click()
    copied = QGuiApplication.clipboard().text()
    # All of it, not what the search left.
    assert len(copied.splitlines()) == 5
    assert "It was silent for too long." in copied
    qtbot.waitUntil(lambda: "3 contacts copied" in page.notice.text)


def test_contacts_grow_while_somebody_reads(screen: Screen) -> None:
    show_peers(screen)
    page = screen.window.peers
    page.tabs.setCurrentIndex(1)
    page.ledger.selectRow(1)
    key = page.ledger.selected_key()
    screen.sync(replace(sync(), peers=PEERS, ledger=(contact(0, host="new:8333"), *LEDGER)))
    assert page.ledger.shown_rows()[0].cells[1] == "new:8333"
    assert page.ledger.selected_key() == key


def test_text_of_peers_is_plain_and_capped(screen: Screen) -> None:
    evil = peer(1, address=EVIL, user_agent=EVIL, network=EVIL, transport=EVIL, note=EVIL)
    ledger = (contact(1, host=EVIL, outcome=EVIL, transport=EVIL),)
    show_peers(screen)
    screen.sync(replace(sync(detail=EVIL), peers=(evil,), ledger=ledger, doubt=EVIL))
    page = screen.window.peers
    page.table.selectRow(0)
    page.tabs.setCurrentIndex(1)
    found = texts(screen)
    assert sum("img src" in text for text in found) > 4
    assert [text for text in found if FORBIDDEN.search(text)] == []
    assert all(len(text) < 1_000 for text in found)
    assert all("<img" not in widget.toolTip() for widget in page.findChildren(QWidget))
    model = page.ledger.model()
    tips = [str(model.index(0, n).data(3)) for n in range(model.columnCount())]
    assert not any("<img" in tip for tip in tips)


def test_rows_that_stay_do_not_reset_the_table(qtbot: QtBot, qapp: object) -> None:
    holder = QWidget()
    qtbot.addWidget(holder)
    model = RowsModel(("A",), frozenset(), holder)
    model.show_rows([Row(1, ("x",)), Row(0, ("y",))])
    with qtbot.assertNotEmitted(model.modelReset), qtbot.waitSignal(model.dataChanged):
        model.show_rows([Row(1, ("x2",)), Row(0, ("y",))])
    assert [model.index(n, 0).data() for n in range(2)] == ["x2", "y"]
    # Rows that are inserted crash Qt's bridge to screen readers.
    with qtbot.assertNotEmitted(model.rowsInserted), qtbot.waitSignal(model.modelReset):
        model.show_rows([Row(2, ("n",)), Row(1, ("x2",)), Row(0, ("y",))])
    assert [model.index(n, 0).data() for n in range(3)] == ["n", "x2", "y"]
    with qtbot.waitSignal(model.modelReset):
        model.show_rows([Row(0, ("y",))])
    assert model.rowCount() == 1


# --- how to connect ------------------------------------------------------------------------------


@pytest.fixture
def card(screen: Screen) -> NetworkCard:
    screen.open()
    screen.window.show_page("settings")
    return screen.window.settings.network


def test_all_choices_reach_the_engine(screen: Screen, card: NetworkCard, qtbot: QtBot) -> None:
    card.only_own.setChecked(True)
    card.peers_edit.setPlainText("192.0.2.7")
    card.encrypted.setChecked(True)
    card.proxy_use.setCurrentIndex(2)
    card.proxy_edit.setText("127.0.0.1")
    card.relay.setCurrentIndex(1)
    card.data_limit.setCurrentIndex(2)
    card.ask.setChecked(False)
    card.apply_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("set_network")))
    wanted = NetworkChoice(
        own_peers=(PeerAddress("192.0.2.7", 18444),),
        only_own_peers=True,
        encrypted_only=True,
        proxy="127.0.0.1:9050",
        proxy_use=ProxyUse.EVERYTHING,
        relay=RelayMode.RECEIVING,
        data_limit_mb=500,
        ask_before_long_scans=False,
    )
    assert screen.online.named("set_network") == [(wanted,)]
    card.show_choice(NetworkChoice())
    card.show_choice(wanted)
    assert card.choice() == wanted


def test_what_is_missing_is_said_and_nothing_is_applied(screen: Screen, card: NetworkCard) -> None:
    card.only_own.setChecked(True)
    card.apply_button.click()
    assert "Name at least one peer" in card.notice.text
    card.automatic.setChecked(True)
    card.proxy_use.setCurrentIndex(2)
    card.apply_button.click()
    assert "none is named" in card.proxy_result.text
    card.proxy_edit.setText("no host!:x")
    card.apply_button.click()
    assert "host:port" in card.proxy_result.text
    assert screen.online.named("set_network") == []


def test_each_choice_says_what_it_costs(card: NetworkCard) -> None:
    hints = set()
    for index in range(card.relay.count()):
        card.relay.setCurrentIndex(index)
        hints.add(card.relay_hint.text())
    assert len(hints) == 3
    assert any("300 MB a day" in hint for hint in hints)
    assert not card.proxy_row.isVisible()


def test_the_proxy_is_tested_without_being_applied(
    screen: Screen, card: NetworkCard, qtbot: QtBot
) -> None:
    card.proxy_use.setCurrentIndex(1)
    card.proxy_edit.setText("127.0.0.1:9150")
    card.test_button.click()
    assert not card.test_button.isEnabled()
    qtbot.waitUntil(lambda: card.proxy_result.text == "Tor answers at 127.0.0.1:9150.")
    screen.online.errors["test_proxy"] = ChainError("Nothing can be reached.")
    card.test_button.click()
    qtbot.waitUntil(lambda: card.proxy_result.text == "Nothing can be reached.")
    assert card.test_button.isEnabled()
    assert screen.online.named("set_network") == []


def test_an_empty_proxy_field_looks_for_tor(
    screen: Screen, card: NetworkCard, qtbot: QtBot
) -> None:
    card.proxy_use.setCurrentIndex(2)
    card.test_button.click()
    qtbot.waitUntil(lambda: "No Tor was found" in card.proxy_result.text)
    screen.online.tor = PeerAddress("127.0.0.1", 9150)
    card.test_button.click()
    qtbot.waitUntil(lambda: card.proxy_edit.text() == "127.0.0.1:9150")
    assert card.is_tor.isChecked()


# --- long scans ----------------------------------------------------------------------------------


def test_a_long_scan_is_told_started_paused_and_continued(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    plan = screen.window.overview.plan
    assert not plan.isVisible()
    screen.sync(replace(sync(), plans=(scan_plan(is_waiting=True),)))
    assert plan.what.text().startswith("From 2019-03-11 (block 567,000)")
    assert "About 8.1 GB to download, about 25 min at the present speed" in plan.cost.text()
    assert not plan.pause_button.isVisible()
    plan.start_button.click()
    qtbot.waitUntil(lambda: screen.online.named("approve_scan") == [("id",)])
    screen.sync(replace(sync(), plans=(scan_plan(),)))
    plan.pause_button.click()
    qtbot.waitUntil(lambda: screen.online.named("pause_scans") == [(True,)])
    held = scan_plan(held_back="Paused. Press Continue to go on.")
    screen.sync(replace(sync(), plans=(held,), is_paused=True))
    assert plan.meaning.text().startswith("Paused")
    plan.continue_button.click()
    qtbot.waitUntil(lambda: screen.online.named("pause_scans") == [(True,), (False,)])
    screen.sync(sync(Phase.SYNCED))
    assert not plan.isVisible()


def test_plans_of_other_wallets_are_not_shown(screen: Screen) -> None:
    screen.open()
    screen.sync(replace(sync(), plans=(scan_plan(wallet_id="another"),)))
    assert not screen.window.overview.plan.isVisible()


def test_the_data_limit_is_the_same_in_both_places(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    window = screen.window
    window.overview.plan.limit.setCurrentIndex(3)
    qtbot.waitUntil(lambda: bool(screen.online.named("set_network")))
    (choice,) = screen.online.named("set_network")[0]
    assert isinstance(choice, NetworkChoice)
    assert choice.data_limit_mb == 1_000
    assert window.settings.network.data_limit.currentData() == 1_000


def test_a_preview_is_partial_hideable_and_forgotten(screen: Screen) -> None:
    screen.open()
    overview = screen.window.overview
    preview = PreviewSnapshot(100, int(time.time()) - 14 * 86_400, 2_115, 1_230_000, 3)
    screen.window._take(SessionUpdate("id", snapshot(), preview))
    assert overview.preview.text() == (
        "Newest two weeks: +0.01230000 BTC in 3 payments so far; older ones follow."
    )
    screen.window.status.hide_button.click()
    assert "0.0123" not in overview.preview.text() + overview.preview.accessibleName()
    screen.window._take(SessionUpdate("id", snapshot()))
    assert not overview.preview.isVisible()
    screen.window._take(SessionUpdate("id", snapshot(), preview))
    screen.window.lock()
    assert overview.preview.text() == ""


# --- payments without a block --------------------------------------------------------------------


def test_what_peers_say_of_a_payment_is_no_proof(screen: Screen) -> None:
    waiting = entry(1, height=None, block_time=None)
    screen.open(snapshot(history=(waiting,)))
    said = {waiting.txid: PendingReport(SeenBy(1, 8))}
    screen.window._take(SessionUpdate("id", snapshot(history=(waiting,)), None, said))
    history = screen.window.history
    history.show_payment(waiting)
    assert "Seen by 1 of 8 peers, not provable yet" in history.sentence.text()
    assert "made it up" in history.sentence.text()
    said = {waiting.txid: PendingReport(SeenBy(3, 8), is_below_minimum=True)}
    screen.window._take(SessionUpdate("id", snapshot(history=(waiting,)), None, said))
    assert "Seen by 3 of 8 peers" in history.sentence.text()
    assert "made it up" not in history.sentence.text()
    assert "less than most peers take" in history.sentence.text()


def test_only_pages_that_need_it_cost_data(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    for key in ("receive", "send", "overview"):
        screen.window.show_page(key)
    screen.window.show_page("receive")
    screen.window.lock()
    wanted = [(True, False), (False, True), (False, False), (True, False), (False, False)]
    qtbot.waitUntil(lambda: screen.online.named("set_busy_with") == wanted)


# --- fees ----------------------------------------------------------------------------------------


def test_rates_come_with_source_and_age(screen: Screen) -> None:
    screen.open()
    fees = screen.window.send.fees
    advice = replace(ADVICE, learned=int(time.time()) - 300)
    fees.show_advice(advice)
    assert fees.choice.currentText() == "Within hours (3 sat/vB)"
    assert fees.source.text() == "From the last 5 blocks and 8 peers. Learned 5 min ago."


def test_a_rate_that_was_typed_is_never_replaced(screen: Screen) -> None:
    screen.open()
    screen.window.show_page("send")
    fees = screen.window.send.fees
    fees.rate.selectAll()
    QTest.keyClicks(fees.rate, "0.5")
    fees.show_advice(replace(ADVICE, normal=7_000))
    assert fees.rate.text() == "0.5"
    assert fees.choice.currentText() == "Own rate"
    assert "nothing below 1 sat/vB" in fees.warning.text()
    fees.reset()
    assert fees.rate.text() == "7"
    assert not fees.warning.isVisible()


def test_nothing_is_suggested_that_nobody_told(screen: Screen) -> None:
    screen.open()
    fees = screen.window.send.fees
    fees.show_advice(None)
    fees.reset()
    assert fees.rate.text() == ""
    assert [fees.choice.itemText(n) for n in range(fees.choice.count())] == ["Own rate"]
    assert "No usual rates are known" in fees.source.text()
    assert fees.read()[1].startswith("Enter a fee rate")
    fees.show_advice(replace(ADVICE, fast=None, normal=None, slow=None, minimum=1_000))
    assert fees.choice.currentText() == "The least that peers take (1 sat/vB)"
    assert fees.rate.text() == "1"
