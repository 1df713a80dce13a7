"""The form of a new or restored wallet."""

import pytest
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from wallet_gui.app.published import NewWallet


def test_dice_and_passphrase_are_asked_for(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.welcome.create_wanted.emit()
    form = wizard.form
    assert not form.source_box.isVisible()
    assert not form.birthday.isVisible()
    form.dice.click()
    form.passphrase.click()
    form.next_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("create_wallet")))
    ((wanted,),) = screen.online.named("create_wallet")
    assert wanted == NewWallet("Play money", use_dice=True, use_passphrase=True)


def test_a_key_has_neither_words_nor_passphrase(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.welcome.restore_wanted.emit()
    wizard.restore.words_wanted.emit()
    form = wizard.form
    assert form.source_box.isVisible()
    assert not form.words_box.isVisible()
    assert not form.dice.isVisible()
    form.passphrase.click()
    form.source_box.setCurrentIndex(1)
    assert not form.passphrase.isVisible()
    form.birthday.setText("2024-02-30")
    form.next_button.click()
    assert "year-month-day" in form.notice.text
    form.birthday.setText("2024-02")
    form.next_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("restore_wallet")))
    ((wanted,),) = screen.online.named("restore_wallet")
    assert wanted == NewWallet("Play money", from_xprv=True, birthday_time=1_706_745_600)


@pytest.mark.parametrize("is_restore", [False, True])
def test_what_was_chosen_before_is_not_chosen_again(screen: Screen, *, is_restore: bool) -> None:
    form = screen.window.wizard.form
    form.begin(is_restore=True)
    form.source_box.setCurrentIndex(1)
    form.dice.setChecked(True)
    form.passphrase.setChecked(True)
    form.birthday.setText("2020")
    form.begin(is_restore=is_restore)
    assert form.source_box.currentIndex() == 0
    assert not form.dice.isChecked()
    assert not form.passphrase.isChecked()
    assert form.birthday.text() == ""
