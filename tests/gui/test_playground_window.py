"""The playground through the window: a real bitcoind gives play money and finds blocks."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.app.online import Online
from wallet_gui.app.playground import Playground
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = [pytest.mark.functional, pytest.mark.slow]

_COIN = 100_000_000


def test_a_new_wallet_is_paid_and_the_buttons_work(
    qtbot: QtBot, themed: ThemeSwitch, bitcoind_binary: Path, tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse battery staple\n")
    engine = Engine()
    engine.start()
    playground = Playground(tmp_path / "node", program=bitcoind_binary, block_seconds=3_600)
    online = Online(
        DataDirectory(tmp_path / "data", REGTEST),
        REGTEST,
        P2PBackend,
        engine.publish,
        vault=VaultClient(headless=True, command=CHEAP_VAULT),
        headless=HeadlessOptions(password_file=str(password), words_file=str(tmp_path / "words")),
        playground=playground,
    )
    window = MainWindow(engine, REGTEST)
    window.attach(online)
    window.show()

    def press(name: str) -> None:
        button = window.findChild(QPushButton, name)
        assert button is not None
        assert button.isVisible()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    try:
        started: list[object] = []
        engine.call(online.start(), window, lambda _: started.append(True), started.append)
        qtbot.waitUntil(lambda: bool(started))
        assert started == [True]
        press("welcome_create")
        press("new_continue")
        qtbot.waitUntil(lambda: bool(window.wallet_model.wallet_id))
        parts = window.overview.parts
        qtbot.waitUntil(lambda: parts["incoming"].amount_sat == _COIN)
        press("play_mine")
        qtbot.waitUntil(lambda: parts["confirmed"].amount_sat == _COIN)
        assert "A block was mined" in window.notice.text
        press("play_get")
        qtbot.waitUntil(lambda: parts["incoming"].amount_sat == _COIN)
        assert window.overview.total.amount_sat == 2 * _COIN
        assert "play money" in window.windowTitle()
    finally:
        window.close()
        engine.finish(online.stop())
        engine.stop()
    assert not playground.is_running
