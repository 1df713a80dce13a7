import pytest
from PySide6.QtCore import QEvent, QObject, QUrl
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from wallet_gui.widgets.file_open import FileOpenFilter

LINK = "bitcoin:bcrt1qexample?amount=0.5&label=A%20%26%20B%25"


@pytest.mark.parametrize(
    ("event", "opened"),
    [
        (QFileOpenEvent(QUrl(LINK)), LINK),
        (QFileOpenEvent("/home/me/pay.psbt"), "/home/me/pay.psbt"),
    ],
    ids=["link", "file"],
)
def test_what_macos_opens_comes_as_it_was_written(
    qtbot: QtBot, event: QFileOpenEvent, opened: str
) -> None:
    target = QObject()
    events = FileOpenFilter(target)
    target.installEventFilter(events)
    came: list[str] = []
    events.opened.connect(came.append)
    assert QApplication.sendEvent(target, event)
    assert events.eventFilter(target, QEvent(QEvent.Type.User)) is False
    assert came == [opened]
