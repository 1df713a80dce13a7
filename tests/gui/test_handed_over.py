"""What the program was started with: a link or a PSBT file, before and after a wallet is open."""

from pathlib import Path

from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import address
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.uri import PaymentUri

FILE = "/home/anna/payment.psbt"
LINK = PaymentUri.parse(f"bitcoin:{address(3)}?amount=0.5", REGTEST)


def given(screen: Screen) -> list[object]:
    found: list[object] = []
    screen.window.psbt_flow.board.given.connect(found.append)
    return found


def test_a_file_is_opened_at_once_where_a_wallet_is_open(screen: Screen) -> None:
    found = given(screen)
    screen.open()
    screen.window.psbt_file_wanted.emit(FILE)
    assert screen.window.pages.currentWidget() is screen.window.psbt
    assert found == [Path(FILE)]


def test_a_file_waits_for_a_wallet_and_is_opened_once(screen: Screen, qtbot: QtBot) -> None:
    found = given(screen)
    screen.window.psbt_file_wanted.emit(FILE)
    assert "Open a wallet to look" in screen.window.wizard.welcome_notice.text
    assert found == []
    screen.open()
    assert screen.window.pages.currentWidget() is screen.window.psbt
    assert found == [Path(FILE)]
    screen.window.lock()
    screen.open()
    assert len(found) == 1
    assert screen.window.pages.currentWidget() is screen.window.overview


def test_the_last_one_counts(screen: Screen) -> None:
    found = given(screen)
    screen.window.psbt_file_wanted.emit(FILE)
    screen.window.pay(LINK)
    assert "make the payment" in screen.window.wizard.welcome_notice.text
    screen.open()
    assert found == []
    assert screen.window.pages.currentWidget() is screen.window.send
    assert screen.window.send.rows[0].payee.text() == address(3)
