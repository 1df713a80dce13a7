"""The vault's window: a copy of the file is tried, and the words from paper."""

import shutil
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.vault.test_flows import NEW, Drive, Driver
from tests.unit.vault.samples import PASSWORD, TINY_COST, WORDS, make_wallet, read_state
from wallet_gui.transfer.messages import (
    BackupChecked,
    Cancelled,
    ChangePassword,
    CheckBackup,
    DrillWords,
    Failed,
    FailureKind,
    Request,
    WordsDrilled,
)
from wallet_gui.vault import password_change
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks

# Only a real screen knows size hints.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture
def drive(qtbot: QtBot) -> Drive:
    def start(request: Request) -> Driver:
        return Driver(qtbot, request)

    return start


def texts(driver: Driver) -> str:
    labels = [label.text() for label in driver.window.page.findChildren(QLabel)]
    return "\n".join([*labels, driver.notice])


def type_words(driver: Driver, words: str) -> None:
    edit = driver.window.page.findChild(QWidget, "drill_words")
    assert isinstance(edit, QPlainTextEdit)
    edit.setPlainText(words)


def open_drill(drive: Drive, request: DrillWords) -> Driver:
    driver = drive(request)
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    driver.wait_for("drill_page")
    return driver


def test_a_copy_is_checked_with_one_password(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    copy = shutil.copy(wallet.path, tmp_path / "copy.wallet")
    driver = drive(CheckBackup(str(wallet.path), str(copy)))
    driver.type("backup_password", "wrong")
    driver.go_on()
    driver.wait_until(lambda: "password is wrong" in driver.notice)
    driver.type("backup_password", PASSWORD)
    driver.go_on()
    driver.wait_for("checked_page")
    assert "first 20 addresses" in driver.notice
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, BackupChecked)
    assert reply.is_same


def test_a_copy_under_an_older_password_asks_for_it(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    copy = shutil.copy(wallet.path, tmp_path / "copy.wallet")
    password_change.change_password(
        ChangePassword(str(wallet.path)), PASSWORD, NEW, TINY_COST, lambda *_: None
    )
    driver = drive(CheckBackup(str(wallet.path), str(copy), record=True))
    driver.type("backup_password", NEW)
    driver.go_on()
    driver.wait_for("copy_page")
    driver.type("copy_password", "nonsense")
    driver.go_on()
    driver.wait_until(lambda: "does not open" in driver.notice)
    driver.type("copy_password", PASSWORD)
    driver.go_on()
    driver.wait_for("checked_page")
    assert "another password" in texts(driver)
    driver.window.close()  # the check holds, however the window goes
    reply = driver.wait_for_reply()
    assert isinstance(reply, BackupChecked)
    assert reply.is_recorded


def test_another_wallet_is_told_in_red(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    (tmp_path / "other").mkdir()
    other = make_wallet(tmp_path / "other", script_types=("pkh",))
    driver = drive(CheckBackup(str(wallet.path), str(other.path)))
    driver.type("backup_password", PASSWORD)
    driver.go_on()
    driver.wait_for("checked_page")
    assert "another wallet" in driver.notice
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, BackupChecked)
    assert not reply.is_same


def test_leaving_before_the_check_is_cancelling(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    copy = shutil.copy(wallet.path, tmp_path / "copy.wallet")
    driver = drive(CheckBackup(str(wallet.path), str(copy)))
    driver.go_back()
    assert driver.wait_for_reply() == Cancelled()


def test_the_words_of_the_paper_are_compared_and_never_shown(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    driver = open_drill(drive, DrillWords(str(wallet.path), record=True))
    driver.go_on()
    assert "Type the words" in driver.notice
    words = WORDS.split()
    type_words(driver, " ".join(words[:11]))
    driver.go_on()
    assert "11 words, fewer than the 12" in driver.notice
    words[4] = "zebra"
    type_words(driver, " ".join(words))
    driver.go_on()
    assert "Word 5 is not the one" in driver.notice
    assert not set(WORDS.split()) & set(texts(driver).split())
    type_words(driver, WORDS)
    driver.go_on()
    driver.wait_for("checked_page")
    assert "All 12 words are right" in driver.notice
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WordsDrilled)
    assert (reply.is_right, reply.is_recorded) == (True, True)
    setting = read_state(wallet.path, wallet.view_key).settings[SETTING]
    assert BackupChecks.of(setting).words.count == 1


def test_giving_up_after_wrong_words_says_that_they_are_wrong(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    driver = open_drill(drive, DrillWords(str(wallet.path)))
    type_words(driver, " ".join(["zebra"] * 12))
    driver.go_on()
    driver.go_back()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WordsDrilled)
    assert not reply.is_right
    assert len(reply.wrong_positions) == 12


def test_giving_up_before_anything_was_typed_is_cancelling(drive: Drive, tmp_path: Path) -> None:
    driver = open_drill(drive, DrillWords(str(make_wallet(tmp_path).path)))
    driver.go_back()
    assert driver.wait_for_reply() == Cancelled()


def test_the_passphrase_is_asked_after_the_words(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path, passphrase="more")
    driver = open_drill(drive, DrillWords(str(wallet.path)))
    type_words(driver, WORDS)
    driver.go_on()
    driver.wait_for("passphrase_page")
    driver.type("passphrase", "less")
    driver.go_on()
    driver.wait_until(lambda: "another wallet" in driver.notice)
    driver.type("passphrase", "more")
    driver.go_on()
    driver.wait_for("checked_page")
    assert "and the passphrase are right" in driver.notice
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WordsDrilled)
    assert reply.has_passphrase


def test_a_wallet_without_secrets_is_refused(drive: Drive, tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    driver = drive(DrillWords(str(wallet.path)))
    wallet.path.write_bytes(b"")
    driver.type("secrets_password", PASSWORD)
    driver.go_on()
    driver.wait_for("refused_page")
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.DAMAGED_FILE
