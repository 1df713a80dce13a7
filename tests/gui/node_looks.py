"""What the tests about a person's node share: hostile text, what is on screen, questions."""

import re
from collections.abc import Coroutine
from typing import Any

from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen

EVIL = '<img src="x">&<b>B</b>\N{RIGHT-TO-LEFT OVERRIDE}\u0007\u200b\nsecond line' + "W" * 5_000
FORBIDDEN = re.compile("[\u0000-\u0009\u000b-\u001f\u200b\u202a-\u202e\u2066-\u2069]")


def shown_texts(widget: QWidget) -> list[str]:
    """Every text and spoken name that is visible on a widget."""
    found = []
    for each in widget.findChildren(QWidget):
        if not each.isVisibleTo(widget):
            continue
        found += [each.accessibleName(), each.toolTip()]
        if isinstance(each, (QLabel, QAbstractButton)):
            found.append(each.text())
    return found


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


def ask(screen: Screen, coroutine: Coroutine[Any, Any, Any]) -> list[object]:
    """Let the engine ask the person something; the answer comes into the list."""
    answers: list[object] = []
    screen.engine.call(coroutine, screen.window, answers.append, answers.append)
    return answers


def prompt(screen: Screen, qtbot: QtBot, kind: type[Any]) -> Any:
    """Wait for a question of one kind to be on screen."""
    qtbot.waitUntil(lambda: isinstance(screen.window.prompts.dialog, kind))
    return screen.window.prompts.dialog
