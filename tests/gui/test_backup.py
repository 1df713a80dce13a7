"""Backups in the window: the reminder, the card of the settings, and what is asked of whom."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.patience import PATIENCE
from wallet_gui.app.copy_keeper import FOLDER_SETTING, CopiesReport
from wallet_gui.custody.vault_errors import VaultCancelled
from wallet_gui.storage.dated_copies import CopiesState
from wallet_gui.transfer.messages import (
    BackupChecked,
    CheckBackup,
    DrillWords,
    ShowWords,
    WordsDrilled,
    WordsShown,
)
from wallet_gui.wallet.backup_checks import DAY, BackupKind

RIGHT = WordsDrilled(is_right=True, sentence="All 12 words are right.", word_count=12)
WRONG = WordsDrilled(False, "Word 3 is not the one.", 12, (3,))


@pytest.fixture
def shown(screen: Screen, qtbot: QtBot) -> Screen:
    """A wallet that was never checked, with its reminder on the overview."""
    screen.open()
    qtbot.waitUntil(screen.window.backup_flow.card.isVisible)
    return screen


def press(screen: Screen, name: str) -> None:
    button = screen.window.findChild(QWidget, name)
    assert isinstance(button, QPushButton), name
    assert not button.isHidden(), name
    # What was pressed before is under way for a moment, and holds the buttons back.
    deadline = time.monotonic() + PATIENCE
    while not button.isEnabled():
        assert time.monotonic() < deadline, name
        QApplication.processEvents()
    button.click()


def notice(screen: Screen) -> str:
    return screen.window.backup_flow.settings.notice.text


def asked(screen: Screen) -> list[object]:
    return [call[0] for call in screen.online.named("ask_vault")]


def test_the_words_are_checked_from_the_reminder(shown: Screen, qtbot: QtBot) -> None:
    shown.online.replies[WordsDrilled] = RIGHT
    press(shown, "backup_card_words")
    qtbot.waitUntil(shown.window.backup_flow.card.isHidden)
    (request,) = asked(shown)
    assert isinstance(request, DrillWords)
    assert not request.record  # the window holds the lock, and writes it down itself
    assert shown.online.backed_up.checks.words.count == 1
    assert notice(shown) == RIGHT.sentence


def test_wrong_words_keep_the_reminder(shown: Screen, qtbot: QtBot) -> None:
    shown.online.replies[WordsDrilled] = WRONG
    press(shown, "backup_card_words")
    qtbot.waitUntil(lambda: notice(shown) == WRONG.sentence)
    assert shown.window.backup_flow.card.isVisible()


def test_it_rests_for_a_week_and_the_settings_say_so(shown: Screen, qtbot: QtBot) -> None:
    press(shown, "backup_card_later")
    qtbot.waitUntil(shown.window.backup_flow.card.isHidden)
    state = shown.window.backup_flow.settings.words_state
    qtbot.waitUntil(lambda: "You are reminded on" in state.text())
    shown.online.backed_up.change_checks(
        lambda checks: replace(checks, put_off_until=int(time.time()) - 1)
    )
    shown.window.backup_flow.refresh()
    qtbot.waitUntil(shown.window.backup_flow.card.isVisible)


def test_after_30_days_it_comes_back_with_the_date(shown: Screen, qtbot: QtBot) -> None:
    then = int(time.time()) - 31 * DAY
    shown.online.backed_up.change_checks(lambda checks: checks.succeeded(BackupKind.WORDS, then))
    shown.window.backup_flow.refresh()
    words = shown.window.backup_flow.card.words
    qtbot.waitUntil(lambda: re.search(r"checked on \d{4}-\d\d-\d\d", words.text()) is not None)


def test_nothing_is_said_while_no_wallet_is_open(shown: Screen, qtbot: QtBot) -> None:
    shown.window.lock()
    assert shown.window.backup_flow.card.isHidden()
    assert shown.window.backup_flow.settings.isHidden()
    qtbot.wait(50)
    assert shown.window.backup_flow.card.isHidden()


def test_a_multisig_asks_for_its_file_too(screen: Screen, qtbot: QtBot) -> None:
    session = screen.online.backed_up
    session.wallet.descriptors[0].is_multisig = True
    session.change_checks(lambda checks: checks.succeeded(BackupKind.WORDS, int(time.time())))
    screen.open()
    card = screen.window.backup_flow.card
    qtbot.waitUntil(lambda: "multisig" in card.words.text())
    assert card.check_words.isHidden()
    assert not card.save.isHidden()


def test_a_wallet_without_keys_has_no_words_to_check(screen: Screen, qtbot: QtBot) -> None:
    screen.online.backed_up.wallet.description.has_secrets = False
    screen.open()
    card, settings = screen.window.backup_flow.card, screen.window.backup_flow.settings
    qtbot.waitUntil(lambda: "a copy of its file" in card.words.text())
    assert settings.buttons["words"].isHidden()
    assert settings.buttons["show"].isHidden()


Choose = Callable[[str], None]


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Choose:
    def chosen(path: str) -> None:
        for name in ("getOpenFileName", "getSaveFileName"):
            monkeypatch.setattr(QFileDialog, name, lambda *_, **__: (path, ""))
        monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_, **__: path)

    return chosen


def test_a_copy_is_checked(shown: Screen, qtbot: QtBot, choose: Choose) -> None:
    choose("/stick/mine.wallet")
    shown.online.replies[BackupChecked] = BackupChecked(True, "It is good.", ("It is older.",))
    shown.window.show_page("settings")
    press(shown, "backup_file")
    qtbot.waitUntil(lambda: notice(shown) == "It is good. It is older.")
    (request,) = asked(shown)
    assert isinstance(request, CheckBackup)
    assert request.backup_path == str(Path("/stick/mine.wallet"))
    assert shown.online.backed_up.checks.file.count == 1


def test_a_bad_copy_is_no_check(shown: Screen, qtbot: QtBot, choose: Choose) -> None:
    choose("/stick/mine.wallet")
    shown.online.replies[BackupChecked] = BackupChecked(False, "This is another wallet.")
    shown.window.show_page("settings")
    press(shown, "backup_file")
    qtbot.waitUntil(lambda: notice(shown) == "This is another wallet.")
    assert shown.online.backed_up.checks.file.count == 0


def test_choosing_no_file_asks_nobody(shown: Screen, choose: Choose) -> None:
    choose("")
    for name in ("backup_file", "backup_copy", "backup_sheet", "backup_folder"):
        press(shown, name)
    assert asked(shown) == []
    assert not shown.window.backup_flow.is_asking


def test_the_vault_asks_for_one_thing_at_a_time(shown: Screen, qtbot: QtBot) -> None:
    shown.online.gate = asyncio.Event()
    shown.online.replies[WordsShown] = WordsShown()
    press(shown, "backup_show")
    flow = shown.window.backup_flow
    assert flow.is_asking
    assert not any(button.isEnabled() for button in flow.settings.buttons.values())
    assert "vault" in notice(shown)
    shown.window.lock_flow.idle.idle.emit(5)
    assert shown.window.wallet_model.wallet_id  # a person reads their words: not locked now
    shown.window.lock()
    qtbot.waitUntil(lambda: shown.online.cancelled == ["ask_vault"])
    assert not shown.window.backup_flow.is_asking
    assert isinstance(asked(shown)[0], ShowWords)


def test_cancelling_in_the_vault_says_nothing(shown: Screen, qtbot: QtBot) -> None:
    shown.online.errors["ask_vault"] = VaultCancelled()
    press(shown, "backup_words")
    qtbot.waitUntil(lambda: not shown.window.backup_flow.is_asking)
    assert notice(shown) == ""


def test_dated_copies_and_their_troubles_are_told(shown: Screen, qtbot: QtBot) -> None:
    settings = shown.window.backup_flow.settings
    keeper = shown.online.backed_up.keeper
    assert settings.copies_state.text() == "None are made."
    keeper.report = CopiesReport("/stick", CopiesState(3, "x", 1_700_000_000, 2))
    shown.window.backup_flow.refresh()
    qtbot.waitUntil(lambda: "3 copies in /stick" in settings.copies_state.text())
    assert "before the password was changed" in settings.copies_state.text()
    assert not settings.buttons["remove"].isHidden()
    keeper.report = CopiesReport("/stick", None, "The disk is full. Free some space.")
    shown.window.backup_flow.refresh()
    qtbot.waitUntil(lambda: settings.copies_state.text() == "The disk is full. Free some space.")
    press(shown, "backup_retry")
    qtbot.waitUntil(lambda: keeper.asked == [True])
    press(shown, "backup_stop")
    qtbot.waitUntil(lambda: keeper.asked == [True, None])
    assert shown.online.backed_up.settings[FOLDER_SETTING] is None
