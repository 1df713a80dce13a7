"""A window with a real engine and an online side that answers at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import pytest
import shiboken6
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.fake_online import FakeOnline
from tests.gui.samples import ADVICE, snapshot, sync
from wallet_gui.app.online import Online
from wallet_gui.app.published import OpenedWallet, SessionUpdate, SyncSnapshot
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.params import REGTEST
from wallet_gui.wallet.snapshot import WalletSnapshot
from wallet_gui.widgets.fonts import install_fonts
from wallet_gui.widgets.theme import ThemeSwitch


@dataclass
class Screen:
    """The window under test with all that stands behind it."""

    window: MainWindow
    online: FakeOnline
    engine: Engine

    def open(self, shown: WalletSnapshot | None = None) -> None:
        self.window._opened(OpenedWallet("id", shown or snapshot(), ()))

    def update(self, shown: WalletSnapshot) -> None:
        self.engine.publish(SessionUpdate("id", shown))

    def sync(self, shown: SyncSnapshot | None = None) -> None:
        self.window._take(shown or sync())


@pytest.fixture(scope="session")
def themed(qapp: QApplication) -> ThemeSwitch:
    install_fonts(qapp)
    return ThemeSwitch(qapp, "light")


@pytest.fixture
def screen(qtbot: QtBot, themed: ThemeSwitch) -> Iterator[Screen]:
    if themed.choice != "light":
        themed.choose("light")
    engine = Engine()
    engine.start()
    online = FakeOnline()
    window = MainWindow(engine, REGTEST)
    window.attach(cast("Online", online))
    window.send.fees.show_advice(ADVICE)
    window.show()
    window.wizard.show_wallets(online.entries)
    yield Screen(window, online, engine)
    engine.stop()
    # At once: a style sheet is applied to every widget that exists, and windows would pile up.
    window.close()
    shiboken6.delete(window)
