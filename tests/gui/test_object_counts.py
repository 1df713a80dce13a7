"""What is opened and closed many times in a day leaves nothing behind in the window."""

import gc
from collections import Counter
from collections.abc import Callable

import pytest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen

TURNS = 12
# What a turn may leave in passing: a call of the engine that is not collected yet.
FEW_OBJECTS = 300


def day_with_a_wallet(screen: Screen, qtbot: QtBot) -> None:
    """A wallet is opened, each page looked at, and locked again."""
    screen.open()
    screen.sync()
    for page in ("overview", "receive", "send", "history", "settings"):
        screen.window.show_page(page)
        QApplication.processEvents()
    screen.window.lock()
    qtbot.wait(1)
    assert not screen.window.wallet_model.wallet_id


def wizards_left_in_the_middle(screen: Screen, qtbot: QtBot) -> None:
    """Each way to a wallet is begun, and another one instead of it."""
    flow, wizard = screen.window.import_flow, screen.window.wizard
    for begin in (flow.start_watching, flow.start_pairing, flow.start_copying):
        begin()
        QApplication.processEvents()
    flow.start_multisig()
    flow._collect_keys()
    qtbot.wait(1)
    wizard.show_welcome()


def widgets() -> Counter[str]:
    return Counter(type(widget).__name__ for widget in QApplication.allWidgets())


@pytest.mark.parametrize("turn", [day_with_a_wallet, wizards_left_in_the_middle])
def test_the_last_time_leaves_no_more_than_the_second(
    screen: Screen, qtbot: QtBot, turn: Callable[[Screen, QtBot], None]
) -> None:
    for _ in range(2):  # pages and words that are made with the first need
        turn(screen, qtbot)
    gc.collect()
    shown, objects = widgets(), len(gc.get_objects())
    for _ in range(TURNS):
        turn(screen, qtbot)
    gc.collect()
    assert widgets() - shown == Counter()
    assert len(gc.get_objects()) - objects < FEW_OBJECTS
