"""The first page: seen at once in a window of the usual size, walked through in reading order."""

import asyncio
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.fake_online import FakeOnline
from wallet_gui.app.online import Online
from wallet_gui.app.published import WalletEntry
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.params import REGTEST
from wallet_gui.widgets.choice_button import ChoiceButton
from wallet_gui.widgets.theme import ThemeSwitch


def _show(screen: Screen, count: int) -> None:
    entries = tuple(WalletEntry(f"Wallet {n}", f"/wallets/{n}.wallet") for n in range(1, count + 1))
    screen.window.wizard.show_wallets(entries)
    for _ in range(5):
        QApplication.processEvents()


@pytest.mark.parametrize("count", range(5))
def test_nothing_is_below_the_fold(screen: Screen, count: int) -> None:
    screen.window.resize(1120, 760)
    _show(screen, count)
    page = screen.window.wizard.welcome
    assert page.verticalScrollBar().maximum() == 0
    assert page.horizontalScrollBar().maximum() == 0
    window = screen.window.rect()
    for button in page.findChildren(QPushButton):
        if button.isVisible():
            corner = button.mapTo(screen.window, button.rect().bottomRight())
            assert window.contains(corner), button.objectName()


@pytest.mark.parametrize("key", [Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space])
def test_the_keyboard_presses_a_choice(screen: Screen, key: Qt.Key) -> None:
    _show(screen, 0)
    wizard = screen.window.wizard
    first = wizard.welcome.first_field()
    assert first is not None
    QTest.keyClick(first, key)
    assert wizard.currentWidget() is wizard.form


def test_while_the_vault_is_open_the_keyboard_stays_on_the_page(screen: Screen) -> None:
    _show(screen, 2)
    window, wizard = screen.window, screen.window.wizard
    first = wizard.welcome.first_field()
    assert first is not None
    first.setFocus()
    wizard.set_busy("Go on in the vault window.", can_cancel=True)
    assert window.focusWidget() is wizard.welcome.notice.button
    wizard.set_busy("")
    assert window.focusWidget() is first
    wizard.set_busy("Closing the wallet.")
    assert window.focusWidget() is wizard.welcome
    wizard.set_busy("")
    assert window.focusWidget() is first


def test_an_opened_wallet_has_the_keyboard(qtbot: QtBot, themed: ThemeSwitch) -> None:
    engine = Engine()
    engine.start()
    online = FakeOnline()
    online.gate = asyncio.Event()
    online.playground = object()
    window = MainWindow(engine, REGTEST)
    qtbot.addWidget(window)
    window.attach(cast("Online", online))
    window.show()
    with qtbot.waitActive(window):
        window.activateWindow()
    window.wizard.show_wallets(online.entries)
    first = window.wizard.welcome.first_field()
    assert first is not None
    QTest.keyClick(first, Qt.Key.Key_Return)
    # The pages are made while the vault is asked.
    qtbot.waitUntil(lambda: window.has_pages and bool(online.named("open_wallet")))
    assert window.focusWidget() is window.wizard.welcome.notice.button
    engine.call(_set(online.gate), window)
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window.overview)
    focus = window.focusWidget()
    assert focus is not None
    assert window.overview.isAncestorOf(focus)
    engine.stop()


async def _set(event: asyncio.Event) -> None:
    event.set()


@pytest.mark.parametrize("width", [1120, 820])
def test_tab_goes_row_by_row(screen: Screen, width: int) -> None:
    screen.window.resize(width, 560)
    _show(screen, 3)
    page = screen.window.wizard.welcome
    first = page.first_field()
    assert first is not None
    first.setFocus()
    walked: list[ChoiceButton] = []
    while isinstance(focused := QApplication.focusWidget(), ChoiceButton):
        assert focused not in walked
        walked.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    names = [button.accessibleName() for button in walked]
    assert names[:4] == [
        "Open wallet Wallet 1",
        "Open wallet Wallet 2",
        "Open wallet Wallet 3",
        "Create a wallet",
    ]
    assert len(names) == 9
    places = [button.mapTo(page, button.rect().topLeft()) for button in walked]
    assert places == sorted(places, key=lambda place: (place.y(), place.x()))
