"""Shared wallets: keys are collected, refused, compared, and put together by the wizard."""

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.import_samples import WORDS, account, cosigner, root, shared, xpub
from tests.gui.import_states import ENTRIES, step
from tests.gui.import_steps import made, paste, recognised, watching
from wallet_gui.app import imports
from wallet_gui.app.published import NewWallet
from wallet_gui.app.vault_client import VaultCancelled
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.gui.multisig_check import MultisigCheck
from wallet_gui.gui.multisig_keys import MultisigKeys
from wallet_gui.gui.multisig_start import MultisigStart, OwnKeyPage
from wallet_gui.primitives.params import MAINNET
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.transfer.messages import ExportCosignerKey, JoinMultisig, WatchWallet

# --- shared wallets -----------------------------------------------------------------------------


def collecting(screen: Screen, qtbot: QtBot) -> MultisigKeys:
    screen.online.entries = ENTRIES
    screen.window.wizard.welcome.multisig_wanted.emit()
    step(screen, MultisigStart).new_wanted.emit()
    page = step(screen, MultisigKeys)
    qtbot.waitUntil(lambda: page.wallets.findText("Daily") >= 0)
    return page


def add_other(page: MultisigKeys, qtbot: QtBot, text: str) -> None:
    before = len(page.rows)
    page.inputs.give_text(text)
    qtbot.waitUntil(lambda: len(page.rows) > before)


def test_two_of_three_from_an_own_key_and_two_others(screen: Screen, qtbot: QtBot) -> None:
    screen.online.cosigner = str(cosigner(1))
    page = collecting(screen, qtbot)
    assert (page.required.number, page.total.number) == (2, 3)
    page.own_button.click()
    assert "Choose the wallet" in page.key_notice.text
    page.wallets.choose("/w/Savings.wallet")
    page.account.choose(2)
    page.own_button.click()
    qtbot.waitUntil(lambda: len(page.rows) == 1)
    ((asked,),) = screen.online.named("cosigner_key")
    assert isinstance(asked, ExportCosignerKey)
    assert (asked.path, asked.script_type, asked.account) == ("/w/Savings.wallet", "wsh", 2)
    assert not page.kind_box.isEnabled()
    add_other(page, qtbot, str(cosigner(2)))
    page.rows[1].label_edit.setText("Anna")
    page.next_button.click()
    assert "One key is still missing" in page.notice.text
    add_other(page, qtbot, account(3))
    page.next_button.click()
    qtbot.waitUntil(lambda: isinstance(screen.window.wizard.step, MultisigCheck))
    check = step(screen, MultisigCheck)
    expected = shared()
    assert check.address.address == expected.found.descriptors[0].first_address
    qtbot.waitUntil(lambda: check.wallets.path == "/w/Savings.wallet")
    check.next_button.click()
    assert "Compare the first address" in check.notice.text
    check.equal.setChecked(True)
    check.fields.name.setText("Family")
    check.next_button.click()
    request = made(screen, qtbot)
    assert isinstance(request, JoinMultisig)
    assert (request.name, request.source) == ("Family", "/w/Savings.wallet")
    assert request.descriptor == expected.found.descriptors[0].to_string()
    assert request.birthday_time is not None
    ((_, labels),) = screen.online.named("set_labels")
    keys = [imports.key_look(cosigner(number)).key for number in (1, 2)]
    assert labels == (("xpub", keys[0], "Savings"), ("xpub", keys[1], "Anna"))
    assert "Every cosigner needs the descriptor" in screen.window.notice.text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (str(cosigner(1)), "once more"),
        (str(cosigner(2, MAINNET)), "network"),
        (str(cosigner(2, kind=MultisigType.SH_WSH)), "another kind of multisig"),
        (xpub(2), "where it comes from"),
        (WORDS, "seed words"),
        ("hello", ""),
    ],
)
def test_unsuitable_keys_are_refused_with_a_sentence(
    screen: Screen, qtbot: QtBot, text: str, words: str
) -> None:
    page = collecting(screen, qtbot)
    add_other(page, qtbot, str(cosigner(1)))
    page.inputs.give_text(text)
    qtbot.waitUntil(
        lambda: (
            page.key_notice.text not in {"Reading\u2026", ""}
            and "in the list" not in page.key_notice.text
        ),
    )
    assert words in page.key_notice.text
    assert len(page.rows) == 1


def test_two_keys_of_the_same_words_are_warned_of(screen: Screen, qtbot: QtBot) -> None:
    page = collecting(screen, qtbot)
    add_other(page, qtbot, str(cosigner(1)))
    second = root(1).derive("m/48h/1h/1h/2h").neuter().serialize()
    add_other(page, qtbot, f"[{root(1).fingerprint.hex()}/48h/1h/1h/2h]{second}")
    assert "same words" in page.key_notice.text


def test_keys_are_numbered_without_a_gap_and_counted(screen: Screen, qtbot: QtBot) -> None:
    page = collecting(screen, qtbot)
    for number in range(1, 5):
        add_other(page, qtbot, str(cosigner(number)))
        page.rows[-1].label_edit.setText(f"Person {number}")
    assert page.total.number == 4
    page.rows[1].remove_button.click()
    assert [row.label for row in page.rows] == ["Person 1", "Person 3", "Person 4"]
    assert page.rows[1].label_edit.accessibleName() == "Label of cosigner 2"
    assert page.list_title.text() == "Keys: 3 of 4"
    page.total.choose(3)
    assert page.list_title.text() == "Keys: 3 of 3"
    page.required.choose(3)
    assert "No key may be lost" in page.policy.text()
    while page.rows:
        page.rows[0].remove_button.click()
    assert page.kind_box.isEnabled()
    page.total.choose(1)
    assert (page.required.number, page.policy.text()[:6]) == (1, "1 of 1")


def test_more_than_fifteen_keys_are_refused(screen: Screen, qtbot: QtBot) -> None:
    page = collecting(screen, qtbot)
    for number in range(1, 16):
        page.add_own(cosigner(number), "", "")
    page.inputs.give_text(str(cosigner(16)))
    qtbot.waitUntil(lambda: "at most 15" in page.key_notice.text)
    assert len(page.rows) == 15


def test_an_imported_multisig_goes_to_the_comparison(screen: Screen, qtbot: QtBot) -> None:
    page = watching(screen)
    text = shared().found.descriptors[0].to_string()
    paste(page.panel, text)
    recognised(qtbot, page.panel)
    page.next_button.click()
    check = step(screen, MultisigCheck)
    assert check.exports.chosen is not None
    assert check.exports.chosen.text == text
    check.equal.setChecked(True)
    check.fields.birthday.setText("2024-01-02")
    check.next_button.click()
    request = made(screen, qtbot)
    assert isinstance(request, WatchWallet)
    assert (request.descriptors, request.birthday_time) == ((text,), 1_704_153_600)


def test_my_key_is_shown_for_somebody_elses_wallet(screen: Screen, qtbot: QtBot) -> None:
    key = cosigner(1, kind=MultisigType.SH_WSH)
    screen.online.cosigner = str(key)
    screen.window.wizard.welcome.multisig_wanted.emit()
    step(screen, MultisigStart).key_wanted.emit()
    page = step(screen, OwnKeyPage)
    qtbot.waitUntil(lambda: page.wallets.path != "")
    page.kind_box.setCurrentIndex(1)
    page.account.choose(3)
    page.ask_button.click()
    qtbot.waitUntil(page.shown.isVisible)
    ((asked,),) = screen.online.named("cosigner_key")
    assert isinstance(asked, ExportCosignerKey)
    assert (asked.script_type, asked.account) == ("sh_wsh", 3)
    assert page.exports.line.line == str(key)


def test_a_vault_that_is_closed_leaves_the_page_as_it_is(screen: Screen, qtbot: QtBot) -> None:
    page = collecting(screen, qtbot)
    screen.online.errors["cosigner_key"] = VaultCancelled()
    page.wallets.choose("/w/Daily.wallet")
    page.own_button.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("cosigner_key")))
    qtbot.waitUntil(page.own_button.isEnabled)
    assert screen.window.wizard.step is page
    assert page.rows == []


def test_a_lost_cosigner_comes_back_from_words_and_descriptor(screen: Screen, qtbot: QtBot) -> None:
    page = watching(screen)
    text = shared().found.descriptors[0].to_string()
    paste(page.panel, text)
    recognised(qtbot, page.panel)
    page.next_button.click()
    check = step(screen, MultisigCheck)
    qtbot.waitUntil(lambda: check.wallets.count() == 4)
    assert not check.passphrase.isVisible()
    check.wallets.setCurrentIndex(1)
    check.passphrase.click()
    check.equal.setChecked(True)
    check.fields.name.setText("Again")
    QTest.keyClick(check.fields.name, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: bool(screen.online.named("restore_wallet")))
    ((wanted,),) = screen.online.named("restore_wallet")
    assert wanted == NewWallet("Again", descriptor=text, use_passphrase=True)


def test_another_wallet_file_may_hold_the_words(
    screen: Screen, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = collecting(screen, qtbot)
    paths = iter(["", str(tmp_path / "Elsewhere.wallet")])
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(paths), ""))
    last = page.wallets.count() - 1
    page.wallets.setCurrentIndex(last)
    page.wallets.activated.emit(last)
    assert page.wallets.path == ""
    assert page.wallets.currentIndex() == 0
    page.wallets.activated.emit(last)
    assert page.wallets.path == str(tmp_path / "Elsewhere.wallet")
    assert page.wallets.currentText() == "Elsewhere"


def test_labels_that_the_disk_refuses_do_not_lose_the_wallet(screen: Screen, qtbot: QtBot) -> None:
    screen.online.errors["set_labels"] = WriteFailed("The disk is full.")
    page = collecting(screen, qtbot)
    for number in range(1, 4):
        add_other(page, qtbot, str(cosigner(number)))
    page.rows[0].label_edit.setText("Anna")
    page.next_button.click()
    qtbot.waitUntil(lambda: isinstance(screen.window.wizard.currentWidget(), MultisigCheck))
    check = step(screen, MultisigCheck)
    check.equal.setChecked(True)
    check.next_button.click()
    assert isinstance(made(screen, qtbot), WatchWallet)
    assert "Labels were not stored. The disk is full." in screen.window.notice.text
