import sys

import pytest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from wallet_gui.vault import screen_capture
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.screen_capture import (
    NOT_EXCLUDED,
    exclude_from_capture,
    exclude_on_windows,
)
from wallet_gui.vault.window import VaultWindow

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


class User32:
    """Windows' window manager, of which only some versions know each way."""

    def __init__(self, *known: int) -> None:
        self.known = known
        self.asked: list[int] = []

    def SetWindowDisplayAffinity(self, _window: object, how: object) -> int:  # noqa: N802 - its name
        value = int(getattr(how, "value", -1))
        self.asked.append(value)
        return int(value in self.known)


@pytest.mark.parametrize(
    ("known", "asked", "works"),
    [((0x11, 0x01), [0x11], True), ((0x01,), [0x11, 0x01], True), ((), [0x11, 0x01], False)],
)
def test_windows_is_asked_for_the_better_way_first(
    known: tuple[int, ...], asked: list[int], *, works: bool
) -> None:
    user32 = User32(*known)
    assert exclude_on_windows(7, user32) is works
    assert user32.asked == asked


@pytest.mark.skipif(sys.platform != "linux", reason="other systems can do it")
def test_linux_promises_nothing(qtbot: QtBot) -> None:
    window = VaultWindow(Protections("", True, True), lambda _step, _fraction: None)
    qtbot.addWidget(window)
    window.show()
    assert NOT_EXCLUDED in window.header.details.text()
    window.hide()
    window.show()
    assert window.header.details.text().count(NOT_EXCLUDED) == 1


@pytest.mark.parametrize("works", [True, False])
def test_the_header_says_what_holds(
    qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, *, works: bool
) -> None:
    def windows(_handle: int, _library: object) -> bool:
        return works

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(screen_capture, "_user32", User32)
    monkeypatch.setattr(screen_capture, "exclude_on_windows", windows)
    widget = QWidget()
    qtbot.addWidget(widget)
    assert exclude_from_capture(widget) is works
