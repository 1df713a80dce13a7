"""Steps that tests of imported wallets have in common."""

from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.import_states import step
from wallet_gui.gui.import_page import ImportPage, ImportPanel


def recognised(qtbot: QtBot, panel: ImportPanel) -> None:
    qtbot.waitUntil(lambda: panel.look is not None)


def watching(screen: Screen) -> ImportPage:
    screen.window.wizard.welcome.watch_wanted.emit()
    return step(screen, ImportPage)


def paste(panel: ImportPanel, text: str) -> None:
    QGuiApplication.clipboard().setText(text)
    panel.inputs.paste_button.click()
    QGuiApplication.clipboard().clear()


def made(screen: Screen, qtbot: QtBot) -> object:
    """What the vault was asked to make."""
    qtbot.waitUntil(lambda: bool(screen.online.named("make_wallet")))
    ((request,),) = screen.online.named("make_wallet")
    qtbot.waitUntil(lambda: screen.window.wallet_model.wallet_id == "id")
    return request
