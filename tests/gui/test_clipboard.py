"""The clipboard: read back, cleared when private, and compared with what is pasted."""

import sys
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import address
from wallet_gui.widgets import clipboard as module
from wallet_gui.widgets import mac
from wallet_gui.widgets.clipboard import Clipboard, Copied, clipboard
from wallet_gui.widgets.copy_line import CopyLine

Board = Callable[[], str]


@pytest.fixture
def board(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Board]:
    monkeypatch.setattr(module, "READ_BACK_MS", 20)
    # One of its own, with a clock that a test can wait for.
    yield lambda: QGuiApplication.clipboard().text()
    clipboard().clear()
    QGuiApplication.clipboard().clear()


def copied(qtbot: QtBot, text: str, meanwhile: str | None = None, **how: bool) -> Copied:
    found: list[Copied] = []
    owner = QObject()
    clipboard().copy(text, owner, found.append, **how)
    if meanwhile is not None:
        QGuiApplication.clipboard().setText(meanwhile)
    qtbot.waitUntil(lambda: bool(found))
    return found[0]


def test_there_is_one_for_the_application(board: Board) -> None:
    assert clipboard() is clipboard()


def test_what_is_copied_is_read_back(qtbot: QtBot, board: Board) -> None:
    assert copied(qtbot, "text") is Copied.KEPT
    assert board() == "text"
    assert clipboard().last == "text"
    assert copied(qtbot, "ours", "theirs") is Copied.REPLACED
    assert copied(qtbot, "ours", "") is Copied.LOST


def test_malware_gets_a_sentence() -> None:
    words = Copied.REPLACED.sentence("The address")
    assert words.startswith("The address was copied, but the clipboard now holds something else.")
    assert "ten seconds" in Copied.KEPT.sentence(is_private=True)


def test_nobody_is_told_who_is_gone(qtbot: QtBot, board: Board) -> None:
    found: list[Copied] = []
    owner = QObject()
    clipboard().copy("text", owner, found.append)
    owner.deleteLater()
    del owner
    qtbot.wait(80)
    assert found == []


def test_what_is_private_is_marked_and_taken_back(
    qtbot: QtBot, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = clipboard()
    monkeypatch.setattr(module, "READ_BACK_MS", 5)
    ours._clearing.setInterval(80)
    try:
        assert copied(qtbot, "xpub", is_private=True) is Copied.KEPT
        content = QGuiApplication.clipboard().mimeData()
        assert content.data("x-kde-passwordManagerHint").data() == b"secret"
        qtbot.waitUntil(lambda: board() == "")
        assert ours.last == ""
        # Unless somebody copied something else meanwhile.
        copied(qtbot, "xpub", is_private=True)
        QGuiApplication.clipboard().setText("a shopping list")
        qtbot.wait(150)
        assert board() == "a shopping list"
    finally:
        ours._clearing.setInterval(module.CLEAR_AFTER_MS)


def test_what_is_public_stays(qtbot: QtBot, board: Board) -> None:
    copied(qtbot, address(1))
    assert not clipboard()._clearing.isActive()
    assert not QGuiApplication.clipboard().mimeData().hasFormat("x-kde-passwordManagerHint")
    # A private copy is not taken back later on behalf of what replaced it.
    copied(qtbot, "xpub", is_private=True)
    copied(qtbot, address(1))
    assert not clipboard()._clearing.isActive()


def test_windows_is_told_to_keep_no_history(
    qtbot: QtBot, board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    copied(qtbot, "xpub", is_private=True)
    formats = QGuiApplication.clipboard().mimeData().formats()
    for name in ("ExcludeClipboardContentFromMonitorProcessing", "CanIncludeInClipboardHistory"):
        assert f'application/x-qt-windows-mime;value="{name}"' in formats


def test_on_exit_only_what_is_private_goes(qtbot: QtBot, board: Board) -> None:
    copied(qtbot, address(1))
    clipboard()._leave()
    assert board() == address(1)
    copied(qtbot, "xpub", is_private=True)
    clipboard()._leave()
    assert board() == ""


def test_a_pasted_text_that_poses_as_what_was_copied(qtbot: QtBot, board: Board) -> None:
    ours: Clipboard = clipboard()
    assert ours.doubt_about("anything") == ""
    copied(qtbot, "bc1qabcdefghijklmnopqrstuvwx")
    assert ours.doubt_about("bc1qabcdefghijklmnopqrstuvwx") == ""
    assert ours.doubt_about("bc1q abcd efgh ijkl mnop qrst uvwx") == ""
    assert ours.doubt_about("bc1qother") == ""
    assert "only its ends" in ours.doubt_about("bc1qabcdZZZZZZZZZZZZZZZZuvwx")


def test_what_another_program_put_there_is_doubted(qtbot: QtBot, board: Board) -> None:
    ours = clipboard()
    assert copied(qtbot, address(1), address(2)) is Copied.REPLACED
    assert "Another program" in ours.doubt_about(address(2))
    assert ours.doubt_about(address(3)) == ""
    # Later, while the person has not left this program: nobody can have copied it by hand.
    copied(qtbot, address(1))
    ours._has_stayed = False
    QGuiApplication.clipboard().setText(address(4))
    ours._has_stayed = True
    ours.notice_change(is_ours=True)
    assert ours.doubt_about(address(4)) == ""
    ours.notice_change(is_ours=False)
    assert "Another program" in ours.doubt_about(address(4))
    # Whoever was somewhere else may have copied there.
    copied(qtbot, address(1))
    ours._follow(Qt.ApplicationState.ApplicationInactive)
    QGuiApplication.clipboard().setText(address(5))
    ours.notice_change(is_ours=False)
    assert ours.doubt_about(address(5)) == ""


def test_private_lines_say_how_long_they_stay(qtbot: QtBot, board: Board) -> None:
    line = CopyLine("line", "A line", is_private=True)
    qtbot.addWidget(line)
    line.show_line("xpub")
    line.button.click()
    qtbot.waitUntil(lambda: "ten seconds" in line.said.text())


def test_locking_takes_back_what_was_copied(screen: Screen, qtbot: QtBot, board: Board) -> None:
    screen.open()
    copied(qtbot, address(100))
    screen.window.lock()
    assert board() == ""


def test_other_systems_are_left_alone() -> None:
    assert not mac.conceal_pasteboard()
    assert not mac.exclude_from_capture(1)
