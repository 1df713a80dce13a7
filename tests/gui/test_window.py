import asyncio
import threading
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import EMPTY, WAITING, address, entry, request, snapshot, sync
from wallet_gui.app.p2p_choice import NetworkChoice
from wallet_gui.app.published import NewWallet, SessionUpdate, WalletEntry
from wallet_gui.app.vault_client import VaultCancelled, VaultError
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.gui.history_model import Column
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.wallet.errors import GapLimit
from wallet_gui.wallet.snapshot import RequestStatus
from wallet_gui.widgets.idle_lock import IdleLock

# --- the wizard ----------------------------------------------------------------------------------


def test_create_asks_the_vault_and_opens_the_overview(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard._start_create()
    wizard.name_edit.setText("Daily")
    wizard.type_box.setCurrentIndex(1)
    wizard.words_box.setCurrentIndex(4)
    QTest.keyClick(wizard.name_edit, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: screen.window.pages.currentWidget() is screen.window.overview)
    (wanted,) = screen.online.named("create_wallet")[0]
    assert wanted == NewWallet("Daily", "tr", 24)


@pytest.mark.parametrize("name", ["", "   ", "a/b", "CON", ".hidden"])
def test_a_name_that_is_no_file_name_gets_a_sentence(
    screen: Screen, qtbot: QtBot, name: str
) -> None:
    wizard = screen.window.wizard
    wizard._start_restore()
    wizard.name_edit.setText(name)
    wizard.next_button.click()
    assert wizard.form_notice.text.endswith((".", "|"))
    assert screen.online.named("restore_wallet") == []


def test_opening_can_be_cancelled_while_the_vault_is_there(screen: Screen, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    wizard = screen.window.wizard
    wizard.open_wanted.emit("/w/Savings.wallet")
    qtbot.waitUntil(lambda: bool(screen.online.named("open_wallet")))
    assert not wizard.settings_button.isEnabled()
    assert wizard.welcome_notice.button.isVisible()
    wizard.welcome_notice.button.click()
    qtbot.waitUntil(lambda: screen.online.cancelled == ["open_wallet"])
    qtbot.waitUntil(wizard.settings_button.isEnabled)
    assert not wizard.welcome_notice.isVisible()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (VaultError("The vault ended without an answer."), "without an answer"),
        (VaultCancelled(), ""),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_a_failure_to_open_is_one_sentence(
    screen: Screen, qtbot: QtBot, error: Exception, words: str
) -> None:
    screen.online.errors["open_wallet"] = error
    wizard = screen.window.wizard
    screen.window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(wizard.settings_button.isEnabled)
    assert wizard.welcome_notice.text == "" if not words else words in wizard.welcome_notice.text


def test_escape_leaves_the_form(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard._start_create()
    QTest.keyClick(wizard.name_edit, Qt.Key.Key_Escape)
    assert wizard.currentWidget() is wizard.welcome


def test_settings_are_reached_without_a_wallet(screen: Screen, qtbot: QtBot) -> None:
    screen.window.wizard.settings_button.click()
    assert screen.window.pages.currentWidget() is screen.window.settings
    assert not screen.window.sidebar.isVisible()
    screen.window.settings.back_button.click()
    assert screen.window.pages.currentWidget() is screen.window.wizard


# --- the open wallet -----------------------------------------------------------------------------


def test_ctrl_and_a_number_show_the_pages(screen: Screen, qtbot: QtBot) -> None:
    window = screen.window
    with qtbot.waitActive(window):
        window.activateWindow()
    QTest.keyClick(window, Qt.Key.Key_3, Qt.KeyboardModifier.ControlModifier)
    assert window.pages.currentWidget() is window.wizard
    screen.open()
    for key, page in (
        (Qt.Key.Key_2, window.receive),
        (Qt.Key.Key_3, window.send),
        (Qt.Key.Key_4, window.history),
        (Qt.Key.Key_5, window.psbt),
        (Qt.Key.Key_6, window.peers),
        (Qt.Key.Key_7, window.settings),
        (Qt.Key.Key_1, window.overview),
    ):
        QTest.keyClick(window, key, Qt.KeyboardModifier.ControlModifier)
        assert window.pages.currentWidget() is page


def _hides(screen: Screen, hidden: object) -> bool:
    return screen.window.wallet_model.hides_amounts is hidden


def test_ctrl_h_hides_and_shows_again(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    with qtbot.waitActive(screen.window):
        screen.window.activateWindow()
    screen.window.show_page("send")
    typing = screen.window.send.rows[0].payee
    for hidden in (True, False, True):
        QTest.keyClick(screen.window, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
        qtbot.waitUntil(partial(_hides, screen, hidden))
        assert QApplication.focusWidget() is typing


def test_escape_closes_the_message(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    screen.window.notice.say("Something.")
    QTest.keyClick(screen.window, Qt.Key.Key_Escape)
    assert not screen.window.notice.isVisible()


def test_return_opens_a_payment_from_the_overview(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    table = screen.window.overview.table
    table.selectRow(2)
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert screen.window.pages.currentWidget() is screen.window.history
    assert screen.window.history.label_edit.text() == "Payment 3"
    assert screen.window.history.label_edit.cursorPosition() == 0  # of a long one its beginning
    assert screen.window.history.table.current_entry() == entry(3)


def test_lock_drops_all_that_was_shown(screen: Screen, qtbot: QtBot) -> None:
    window = screen.window
    screen.open()
    screen.sync(sync())
    window.receive.table.selectRow(0)
    window.history.show_payment(WAITING)
    window.send.rows[0].payee.setText(address(5))
    window.status.lock_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("close_wallet")))
    screen.update(snapshot(name="Late"))
    qtbot.wait(50)
    assert window.wallet_model.snapshot is None
    assert window.wallet_pages.history_model.rowCount() == 0
    assert window.wallet_pages.history_model._snapshot is None
    assert window.history._entry is None
    assert window.receive._items.rowCount() == 0
    assert window.receive.address_label.address == ""
    assert window.receive.qr.text == ""
    assert window.pages.currentWidget() is window.wizard
    kept = [
        label.text()
        for label in window.findChildren(QLabel)
        if any(
            word in label.text().replace(" ", "")
            for word in ("Invoice", "Payment1", "Payment2", address(5)[-8:], "1.99", "0.0004")
        )
    ]
    assert kept == []
    assert window.windowTitle() == "Wallet GUI \N{EN DASH} play money (regtest)"


def test_a_label_that_is_being_typed_is_kept_when_locking(screen: Screen, qtbot: QtBot) -> None:
    window = screen.window
    screen.open()
    with qtbot.waitActive(window):
        window.activateWindow()
    window.show_page("history")
    window.history.show_payment(WAITING)
    window.history.label_edit.setFocus()
    window.history.label_edit.selectAll()
    QTest.keyClicks(window.history.label_edit, "Rent")
    window.lock()
    qtbot.waitUntil(lambda: bool(screen.online.named("close_wallet")))
    assert screen.online.named("set_tx_label") == [("id", WAITING.txid, "Rent")]
    names = [call[0] for call in screen.online.calls]
    assert names.index("set_tx_label") < names.index("close_wallet")


def test_a_failure_to_store_a_label_is_said(screen: Screen, qtbot: QtBot) -> None:
    screen.online.errors["set_tx_label"] = WriteFailed("Your wallet could not be saved.")
    screen.open()
    screen.window.history.show_payment(WAITING)
    screen.window.history.label_wanted.emit(WAITING.txid, "x")
    qtbot.waitUntil(lambda: "could not be saved" in screen.window.notice.text)


def test_a_snapshot_of_another_wallet_is_not_shown(screen: Screen, qtbot: QtBot) -> None:
    screen.open(EMPTY)
    screen.engine.publish(SessionUpdate("other", snapshot()))
    qtbot.wait(50)
    assert screen.window.wallet_pages.history_model.rowCount() == 0


def test_a_link_waits_for_the_wallet(screen: Screen, qtbot: QtBot) -> None:
    uri = PaymentUri.parse(f"bitcoin:{address(3)}?amount=0.5", REGTEST)
    screen.window.pay(uri)
    assert "Open a wallet" in screen.window.wizard.welcome_notice.text
    screen.window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(lambda: screen.window.pages.currentWidget() is screen.window.send)
    assert screen.window.send.rows[0].amount.amount_sat == 50_000_000


def test_closing_while_something_is_under_way_ends(screen: Screen, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    screen.window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(lambda: bool(screen.online.named("open_wallet")))
    with qtbot.waitSignal(screen.window.closing):
        screen.window.close()
    screen.engine.stop()
    assert screen.online.cancelled == ["open_wallet"]
    assert all(thread.name != "engine" for thread in threading.enumerate())


# --- the playground ------------------------------------------------------------------------------


def test_playground_buttons_say_how_it_went(screen: Screen, qtbot: QtBot) -> None:
    assert screen.window.play_flow is not None
    buttons = screen.window.play_flow.banner.buttons
    assert not buttons["mine"].isVisible()
    screen.online.playground = object()
    screen.open()
    assert buttons["mine"].isVisible()
    buttons["get"].click()
    assert not buttons["get"].isEnabled()
    qtbot.waitUntil(lambda: "on its way" in screen.window.notice.text)
    assert screen.online.named("get_play_money") == [("id",)]
    buttons["mine"].click()
    qtbot.waitUntil(lambda: "mined" in screen.window.notice.text)
    screen.online.errors["mine_block"] = VaultError("The playground is not running.")
    buttons["mine"].click()
    qtbot.waitUntil(lambda: "not running" in screen.window.notice.text)
    assert buttons["mine"].isEnabled()
    screen.window.lock()
    assert not buttons["get"].isVisible()


# --- locking by itself ---------------------------------------------------------------------------


def test_the_window_locks_after_minutes_without_use(screen: Screen, qtbot: QtBot) -> None:
    lock = screen.window.idle_lock
    now = [1_000.0]
    lock._clock = lambda: now[0]
    lock.set_minutes(5)
    screen.open()
    now[0] += 299
    lock.check()
    assert screen.window.wallet_model.wallet_id == "id"
    QTest.keyClick(screen.window, Qt.Key.Key_Shift)
    now[0] += 299
    lock.check()
    assert screen.window.wallet_model.wallet_id == "id"
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(1, 1),
        QPointF(1, 1),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(screen.window, move)
    now[0] += 300
    lock.check()
    assert screen.window.wallet_model.wallet_id == ""
    qtbot.waitUntil(
        lambda: "after 5 minutes without use" in screen.window.wizard.welcome_notice.text
    )


def test_zero_minutes_never_lock(qtbot: QtBot) -> None:
    now = [0.0]
    owner = QLabel()
    qtbot.addWidget(owner)
    lock = IdleLock(owner, lambda: now[0])
    lock.set_minutes(0)
    lock.watch(is_open=True)
    assert not lock._timer.isActive()
    lock.set_minutes(1)
    assert lock._timer.isActive()
    lock.set_minutes(0)
    assert not lock._timer.isActive()


def test_an_open_review_is_not_locked_away(screen: Screen, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    screen.open()
    page = screen.window.send
    page.rows[0].payee.setText(address(1))
    page.rows[0].amount.setText("0.1")
    page._ask_review()
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    screen.window.idle_lock.idle.emit(5)
    assert screen.window.wallet_model.wallet_id == "id"


# --- receive -------------------------------------------------------------------------------------


def test_an_address_is_shown_only_once_it_is_stored(screen: Screen, qtbot: QtBot) -> None:
    screen.open(EMPTY)
    page = screen.window.receive
    screen.window.show_page("receive")
    assert not page.copy_buttons.isVisible()
    page.label_edit.setText("Salary")
    page.amount_edit.setText("0.0025")
    QTest.keyClick(page.amount_edit, Qt.Key.Key_Return)
    assert not page.new_button.isEnabled()
    qtbot.waitUntil(page.new_button.isEnabled)
    assert screen.online.named("new_request") == [("id", "Salary", 250_000, "")]
    assert page.address_label.address == ""
    screen.update(snapshot(requests=(request(9), request(1))))
    qtbot.waitUntil(lambda: page.address_label.address == address(109))
    assert page.address_label.text().replace(" ", "") == address(109)
    assert page.qr.text.startswith(f"bitcoin:{address(109)}?amount=0.0025")
    assert page.table.currentIndex().row() == 0


@pytest.mark.parametrize(
    ("amount", "error", "words"),
    [("0,1", None, "not a comma"), ("", GapLimit(20), "20 addresses are waiting")],
)
def test_no_address_without_a_reason(
    screen: Screen, qtbot: QtBot, amount: str, error: Exception | None, words: str
) -> None:
    if error is not None:
        screen.online.errors["new_request"] = error
    screen.open(EMPTY)
    page = screen.window.receive
    page.amount_edit.setText(amount)
    page.new_button.click()
    qtbot.waitUntil(lambda: words in page.notice.text)
    assert page.new_button.isEnabled()
    assert page.address_label.address == ""


def test_the_shown_request_follows_what_arrives(screen: Screen, qtbot: QtBot) -> None:
    screen.open(snapshot(requests=(request(0),)))
    page = screen.window.receive
    page.table.selectRow(0)
    assert "Waiting" in page.caption.text()
    screen.update(
        snapshot(requests=(request(0, status=RequestStatus.CONFIRMED, received_sat=250_000),))
    )
    qtbot.waitUntil(lambda: "Paid" in page.caption.text())
    assert "0.00250000 BTC received" in page.caption.text()


def test_copying_reads_the_clipboard_back(screen: Screen, qtbot: QtBot) -> None:
    screen.open(snapshot(requests=(request(0),)))
    page = screen.window.receive
    page.table.selectRow(0)
    page._copy_address()
    qtbot.waitUntil(lambda: "holds exactly it" in page.notice.text)
    assert QApplication.clipboard().text() == address(100)
    page._copy_address()
    QApplication.clipboard().setText(address(101))
    qtbot.waitUntil(lambda: "Another program changed it" in page.notice.text)


# --- status and settings -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "state", "words"),
    [
        (Phase.PEERS, ConnectionState.CONNECTING, "Connecting"),
        (Phase.HEADERS, ConnectionState.ONLINE, "Block headers 51 %"),
        (Phase.FILTER_HEADERS, ConnectionState.ONLINE, "Filter headers 51 %"),
        (Phase.FILTERS, ConnectionState.ONLINE, "Filters 51 %"),
        (Phase.BLOCKS, ConnectionState.ONLINE, "Blocks 51 %"),
        (Phase.SYNCED, ConnectionState.ONLINE, "In sync"),
        (Phase.PEERS, ConnectionState.OFFLINE, "Offline"),
        (Phase.PEERS, ConnectionState.STOPPED, "Not connected"),
    ],
)
def test_the_status_bar_tells_each_phase(
    screen: Screen, phase: Phase, state: ConnectionState, words: str
) -> None:
    screen.open()
    screen.sync(sync(phase, state))
    status = screen.window.status
    assert status.state.text() == words
    assert status.state.accessibleName() == f"Sync: {words}"
    assert status.height_label.text() == "Block 120,000"
    card = screen.window.overview.sync_card
    assert card.isVisible() is (phase is not Phase.SYNCED)
    online = state is ConnectionState.ONLINE and phase is not Phase.SYNCED
    assert status.bar.isVisible() is online


def test_a_warning_is_said_once(screen: Screen) -> None:
    screen.sync(sync(warning="The node does not serve compact filters."))
    assert "compact filters" in screen.window.notice.text
    screen.window.notice.clear()
    screen.sync(sync(Phase.BLOCKS, warning="The node does not serve compact filters."))
    assert not screen.window.notice.isVisible()


def test_peers_are_checked_before_they_are_used(screen: Screen, qtbot: QtBot) -> None:
    page = screen.window.settings.network
    page.peers_edit.setPlainText("127.0.0.1\n\n[::1]:18444\nlocalhost:18443")
    page.apply_button.click()
    assert page.notice.text.startswith("Line 4: 18443 is the port of a node's commands")
    assert screen.online.named("set_network") == []
    page.peers_edit.setPlainText("127.0.0.1\n\n[::1]:18445\n")
    page.apply_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("set_network")))
    (choice,) = screen.online.named("set_network")[0]
    assert isinstance(choice, NetworkChoice)
    assert [str(peer) for peer in choice.own_peers] == ["127.0.0.1:18444", "[::1]:18445"]


def test_stored_settings_are_shown_without_being_announced(screen: Screen, qtbot: QtBot) -> None:
    page = screen.window.settings
    with (
        qtbot.assertNotEmitted(page.theme_wanted),
        qtbot.assertNotEmitted(page.scale_wanted),
        qtbot.assertNotEmitted(page.lock_minutes_wanted),
    ):
        page.show_settings("dark", 137, 7)
    assert page.theme_box.currentText() == "Dark"
    assert page.scale_box.currentText() == "137 %"
    assert page.lock_box.currentText() == "After 7 minutes without use"
    with qtbot.waitSignal(page.lock_minutes_wanted) as signal:
        page.lock_box.setCurrentIndex(page.lock_box.findData(0))
    assert signal.args == [0]


def test_long_names_do_not_widen_the_window(screen: Screen, tmp_path: Path) -> None:
    long = "An unusually long name that somebody chose " * 2
    screen.window.wizard.show_wallets((WalletEntry(long, str(tmp_path)),))
    screen.open(snapshot(name=long))
    screen.window.resize(screen.window.minimumSize())
    assert screen.window.width() == screen.window.minimumWidth()
    assert screen.window.sidebar.width() < 250
    spoken = screen.window.sidebar.wallet_name.accessibleName()
    assert spoken.startswith(f"Wallet: {long[:50]}")


def test_a_link_that_came_before_the_wallets_is_not_forgotten(screen: Screen, qtbot: QtBot) -> None:
    screen.window.pay(PaymentUri.parse(f"bitcoin:{address(3)}", REGTEST))
    screen.window.list_wallets()
    qtbot.waitUntil(lambda: bool(screen.online.named("wallets")))
    qtbot.wait(50)
    assert "payment of the link" in screen.window.wizard.welcome_notice.text


def test_in_a_narrow_window_the_amount_is_in_view(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    screen.window.show_page("history")
    table = screen.window.history.table
    assert not table.isColumnHidden(Column.DATE)
    screen.window.resize(screen.window.minimumSize())
    QApplication.processEvents()
    assert table.horizontalScrollBar().maximum() == 0
    table.setFixedWidth(420)
    QApplication.processEvents()
    assert table.isColumnHidden(Column.DATE)
    assert table.horizontalScrollBar().maximum() == 0


def test_escape_in_a_question_gives_the_keyboard_to_the_list(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    window = screen.window
    with qtbot.waitActive(window):
        window.activateWindow()
    window.show_page("history")
    window.history.show_payment(WAITING)
    window.history.buttons["abandon"].click()
    assert QApplication.focusWidget() is window.history.strip.no
    QTest.keyClick(window.history.strip.no, Qt.Key.Key_Escape)
    assert QApplication.focusWidget() is window.history.table
