"""Locking: when it happens by itself, what ends with it, and that nothing of the wallet is left."""

import asyncio
import re

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.page_states import PAGES
from tests.gui.samples import address, snapshot, sync
from tests.gui.screen_text import texts
from wallet_gui.primitives.amount import format_btc
from wallet_gui.widgets.lock_flow import LockFlow
from wallet_gui.widgets.screen_watch import ScreenWatch

# What the samples hold, and no page shows by itself.
SECRETS = (
    *(address(n) for n in (2, 3, 5, 102)),
    "Invoice",
    "Payment 1",
    "Payment 7",
    "Rent of May",
    "I agree",
    "smpAk",
    "Savings",
)
OPEN_PAGES = [
    name
    for name in PAGES
    if name.startswith(("overview", "receive", "send", "history", "settings", "messages", "export"))
    and not name.endswith("alone")
]


def squeezed(shown: list[str]) -> str:
    return "\n".join(re.sub(r"\s", "", text) for text in shown)


def amounts() -> set[str]:
    """Every amount of the sample wallet, as it may be written."""
    shown = snapshot()
    balance = shown.balance
    sat = {balance.total, balance.confirmed, balance.trusted_pending, balance.immature}
    sat |= {balance.incoming, balance.spendable, 250_000}
    for entry in shown.history:
        sat |= {abs(entry.net_sat), entry.fee_sat or 0}
    sat.discard(0)
    return {re.sub(r"\s", "", format_btc(amount)) for amount in sat}


def visit_all(screen: Screen) -> None:
    """Fill every page with something of the wallet, one after the other."""
    window = screen.window
    screen.open()
    screen.sync(sync())
    window.show_page("receive")
    window.receive.table.selectRow(0)
    window.receive._copy_address()
    window.receive.label_edit.setText("Rent of May")
    window.show_page("send")
    window.send.rows[0].payee.setText(address(5))
    window.send.rows[0].label.setText("Rent of May")
    window.show_page("history")
    shown = window.wallet_model.snapshot
    assert shown is not None
    window.history.show_payment(shown.history[1])
    window.message_flow.begin(address(2))
    window.messages.message.setPlainText("I agree")
    window.messages.signature.setPlainText("smpAk")


def test_nothing_of_the_wallet_is_left_after_locking(screen: Screen, qtbot: QtBot) -> None:
    visit_all(screen)
    before = squeezed(texts(screen.window))
    assert [s for s in SECRETS if re.sub(r"\s", "", s) not in before] == []
    screen.window.lock()
    qtbot.waitUntil(lambda: bool(screen.online.named("close_wallet")))
    # The list of wallets to open names them all; it is not what was open.
    left = [text for text in texts(screen.window) if "Savings" not in text]
    after = squeezed(left)
    assert [s for s in SECRETS if re.sub(r"\s", "", s) in after and s != "Savings"] == []
    assert [amount for amount in amounts() if amount in after] == []
    assert "Savings" not in screen.window.windowTitle()
    model = screen.window.wallet_model
    assert (model.snapshot, model.preview, dict(model.pending)) == (None, None, {})
    assert screen.window.wallet_pages.history_model._entries == ()
    assert screen.window.receive._shown is None
    assert screen.window.history._entry is None


@pytest.mark.parametrize("name", OPEN_PAGES)
def test_hidden_amounts_are_hidden_on_every_page(screen: Screen, name: str) -> None:
    PAGES[name](screen)
    screen.window.status.hide_button.click()
    shown = squeezed(texts(screen.window))
    assert [amount for amount in amounts() if amount in shown] == []
    screen.window.status.hide_button.click()


def test_amounts_stay_hidden_for_what_comes_later(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    QTest.keyClick(screen.window, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: screen.window.wallet_model.hides_amounts)
    screen.update(snapshot(name="Later"))
    qtbot.waitUntil(lambda: "Later" in screen.window.windowTitle())
    shown = squeezed(texts(screen.window))
    assert [amount for amount in amounts() if amount in shown] == []


def test_the_key_locks(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    QTest.keyClick(screen.window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: screen.window.wallet_model.wallet_id == "")


@pytest.mark.parametrize("reason", [ScreenWatch.LOCKED, ScreenWatch.ASLEEP])
def test_the_screen_and_sleep_lock_and_say_so(screen: Screen, qtbot: QtBot, reason: str) -> None:
    screen.open()
    screen.window.lock_flow.screen.left.emit(reason)
    assert screen.window.wallet_model.wallet_id == ""
    qtbot.waitUntil(lambda: reason in screen.window.wizard.welcome_notice.text)
    assert screen.online.named("cancel_all")


def test_a_review_in_the_vault_ends_with_the_screen(screen: Screen, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    screen.open()
    page = screen.window.send
    page.rows[0].payee.setText(address(1))
    page.rows[0].amount.setText("0.1")
    page._ask_review()
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    screen.window.lock_flow.screen.say_asleep()
    qtbot.waitUntil(lambda: "pay" in screen.online.cancelled)
    assert screen.window.wallet_model.wallet_id == ""
    assert page.rows[0].is_empty


def test_without_a_wallet_only_the_vault_ends(screen: Screen, qtbot: QtBot) -> None:
    screen.window.lock_flow.screen.say_locked()
    qtbot.waitUntil(lambda: bool(screen.online.named("cancel_all")))
    assert screen.online.named("close_wallet") == []


def test_the_vault_is_waited_for_but_not_for_ever(qtbot: QtBot) -> None:
    now = [1_000.0]
    window = QWidget()
    qtbot.addWidget(window)
    flow = LockFlow(window, lambda: True)
    flow.idle._clock = lambda: now[0]
    flow.idle.set_minutes(5)
    flow.idle.watch(is_open=True)
    locked: list[str] = []
    flow.wanted.connect(locked.append)

    def wait() -> None:
        now[0] += 301
        flow.idle.check()

    wait()
    wait()
    now[0] += 1
    flow.idle.touch()  # somebody came back to the window: it begins anew
    wait()
    wait()
    assert locked == []
    wait()
    assert locked == ["The wallet was locked after 5 minutes without use."]


def test_whoever_was_in_the_vault_is_told_why_it_closed(screen: Screen, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    screen.window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(lambda: bool(screen.online.named("open_wallet")))
    screen.window.lock_flow.screen.say_asleep()
    # What cancel_all does to the call that asked.
    screen.window._wizard_failed("")
    assert "The vault was closed" in screen.window.wizard.welcome_notice.text


def test_a_wallet_that_was_about_to_open_stays_closed(screen: Screen, qtbot: QtBot) -> None:
    window = screen.window
    screen.online.gate = asyncio.Event()
    window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(lambda: bool(screen.online.named("open_wallet")))
    window.lock_flow.screen.say_asleep()
    # The password was typed a moment before: the vault had answered, and is there no more.
    gate = screen.online.gate
    screen.engine.call(_set(gate), window)
    qtbot.waitUntil(lambda: bool(screen.online.named("close_wallet")))
    assert screen.online.named("close_wallet") == [("id",)]
    assert window.wallet_model.wallet_id == ""
    assert window.wallet_model.snapshot is None
    assert window.pages.currentWidget() is window.wizard
    qtbot.waitUntil(lambda: ScreenWatch.ASLEEP in window.wizard.welcome_notice.text)
    # It opens as ever, once somebody is there again.
    screen.online.gate = None
    window.open_wallet("/w/Savings.wallet")
    qtbot.waitUntil(lambda: window.wallet_model.wallet_id == "id")


async def _set(gate: asyncio.Event) -> None:
    gate.set()


def test_any_vault_window_holds_the_clock_back(screen: Screen) -> None:
    screen.open()
    screen.online.vault.is_asking = True
    screen.window.idle_lock.idle.emit(5)
    assert screen.window.wallet_model.wallet_id == "id"
    screen.online.vault.is_asking = False
    screen.window.idle_lock.idle.emit(5)
    assert screen.window.wallet_model.wallet_id == ""
