"""Wallets that are watched, paired, shared or copied, through the pages of the wizard."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.import_samples import WORDS, account, descriptor, root, xpub
from tests.gui.import_states import step
from tests.gui.import_steps import made, paste, recognised, watching
from tests.gui.qr_pictures import picture, saved
from wallet_gui.app import imports
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.gui.import_page import ImportPage
from wallet_gui.gui.multisig_start import MultisigStart
from wallet_gui.gui.pairing_page import PairingPage
from wallet_gui.primitives.params import MAINNET, REGTEST
from wallet_gui.transfer.messages import WatchWallet
from wallet_gui.transfer.qr_frames import Format, Kind, encode

# --- watching -----------------------------------------------------------------------------------


def test_pasted_descriptor_becomes_a_watching_wallet(screen: Screen, qtbot: QtBot) -> None:
    page = watching(screen)
    page.next_button.click()
    assert "First give" in page.notice.text
    paste(page.panel, descriptor())
    recognised(qtbot, page.panel)
    (address,) = (label.address for label in page.panel.card.addresses)
    expected = imports.read(descriptor(), REGTEST)
    assert address == expected.found.descriptors[0].first_address
    assert page.fields.name.text() == "Watched"
    assert page.panel.inputs.field.toPlainText() == descriptor()
    page.fields.name.setText("My device")
    page.fields.birthday.setText("2021-03")
    page.next_button.click()
    request = made(screen, qtbot)
    assert isinstance(request, WatchWallet)
    assert (request.name, request.network) == ("My device", "regtest")
    assert request.descriptors == (descriptor(),)
    assert request.birthday_time == 1_614_556_800
    # The pages are gone with what was given there.
    assert screen.window.import_flow._steps == []


@pytest.mark.parametrize(
    ("birthday", "name", "words"),
    [
        ("yesterday", "A", "year-month-day"),
        ("2021-13-01", "A", "year-month-day"),
        ("1999-01-01", "A", "before Bitcoin"),
        ("2999-01-01", "A", "in the future"),
        ("", "", "name"),
        ("", "a/b", "must not contain"),
    ],
)
def test_what_is_wrong_with_name_and_birthday_is_said(
    screen: Screen, qtbot: QtBot, birthday: str, name: str, words: str
) -> None:
    page = watching(screen)
    paste(page.panel, descriptor())
    recognised(qtbot, page.panel)
    page.fields.name.setText(name)
    page.fields.birthday.setText(birthday)
    page.next_button.click()
    assert words in page.notice.text
    assert screen.online.named("make_wallet") == []


def test_a_bare_key_asks_for_the_kind_of_addresses(screen: Screen, qtbot: QtBot) -> None:
    page = watching(screen)
    panel = page.panel
    paste(panel, xpub())
    qtbot.waitUntil(panel.kind_box.isVisible)
    assert panel.look is None
    panel.kind_box.setCurrentIndex(panel.kind_box.findData(DescriptorType.TR))
    recognised(qtbot, panel)
    assert panel.card.addresses[0].address.startswith("bcrt1p")
    panel.kind_box.setCurrentIndex(panel.kind_box.findData(DescriptorType.WPKH))
    qtbot.waitUntil(lambda: panel.look is not None)
    assert panel.card.addresses[0].address.startswith("bcrt1q")


@pytest.mark.parametrize("secret", [WORDS, root(1).serialize(), f"wpkh({root(1).serialize()}/0/*)"])
def test_secrets_are_refused_and_do_not_stay(screen: Screen, qtbot: QtBot, secret: str) -> None:
    panel = watching(screen).panel
    panel.inputs.field.setPlainText(secret)
    panel.inputs.read_button.click()
    qtbot.waitUntil(lambda: "secret keys or seed words" in panel.notice.text)
    assert "restore it from its seed words" in panel.notice.text
    assert panel.inputs.field.toPlainText() == ""
    panel.inputs.field.undo()
    assert panel.inputs.field.toPlainText() == ""
    assert panel._given is None


def test_another_network_is_refused_with_a_sentence(screen: Screen, qtbot: QtBot) -> None:
    panel = watching(screen).panel
    paste(panel, descriptor(1, MAINNET))
    qtbot.waitUntil(
        lambda: panel.notice.text not in {"", "Reading\u2026"} and panel.look is None,
    )
    assert "network" in panel.notice.text
    # What was given stays to be corrected: it is no secret.
    assert panel.inputs.field.toPlainText() != ""


def test_a_dropped_file_is_read(screen: Screen, qtbot: QtBot, tmp_path: Path) -> None:
    panel = watching(screen).panel
    path = tmp_path / "export.txt"
    path.write_text(descriptor() + "\n")
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(str(path))])
    enter = QDragEnterEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    page = step(screen, ImportPage)
    assert panel.inputs.eventFilter(page.viewport(), enter)
    assert enter.isAccepted()
    drop = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        content,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    assert panel.inputs.eventFilter(page.viewport(), drop)
    recognised(qtbot, panel)
    content.setUrls([QUrl.fromLocalFile(str(path)), QUrl.fromLocalFile(str(tmp_path / "b"))])
    panel.inputs.take(content)
    assert "several files" in panel.notice.text
    assert panel.look is None


def test_an_opened_file_that_cannot_be_read_is_said(
    screen: Screen, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    panel = watching(screen).panel
    paths = iter(["", str(tmp_path / "missing.json"), str(tmp_path / "a.wallet")])
    (tmp_path / "a.wallet").write_bytes(b"WGUI-WLT" + bytes(100))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (next(paths), ""))
    panel.inputs.file_button.click()
    assert panel._given is None
    panel.inputs.file_button.click()
    qtbot.waitUntil(lambda: "cannot be read" in panel.notice.text)
    panel.inputs.file_button.click()
    qtbot.waitUntil(lambda: "wallet file of this program" in panel.notice.text)


@pytest.mark.parametrize("format_", [Format.UR, Format.BBQR, Format.PLAIN])
def test_pictures_of_codes_are_read(
    screen: Screen, qtbot: QtBot, tmp_path: Path, format_: Format
) -> None:
    panel = watching(screen).panel
    frames = encode(Kind.DESCRIPTOR, descriptor().encode(), format=format_, max_fragment=300)
    content = QMimeData()
    content.setUrls(
        [
            QUrl.fromLocalFile(saved(picture(frames.frame(n)), tmp_path / f"{n}.png"))
            for n in range(frames.count)
        ]
    )
    panel.inputs.take(content)
    recognised(qtbot, panel)
    assert (
        panel.card.addresses[0].address
        == imports.read(descriptor(), REGTEST).accounts[0].descriptor.first_address
    )
    assert panel.inputs.scanner is None


def test_a_code_that_is_no_wallet_is_refused(screen: Screen, qtbot: QtBot, tmp_path: Path) -> None:
    panel = watching(screen).panel
    panel.inputs.scan_button.click()
    assert panel.inputs.scanner is not None
    assert panel.inputs.scan_button.accessibleName() == "Close the scanner"
    panel.inputs.scanner.reader.read_text("bcrt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqdku202")
    qtbot.waitUntil(lambda: "single address" in panel.notice.text)
    panel.inputs.scan_button.click()
    assert panel.inputs.scanner is None


def test_the_kind_of_new_addresses_can_be_chosen(screen: Screen, qtbot: QtBot) -> None:
    page = watching(screen)
    paste(page.panel, account())
    recognised(qtbot, page.panel)
    assert page.active_box.isVisible()
    assert page.active_box.count() == 4
    assert page.active_box.currentText() == "Native SegWit, one key"
    page.active_box.setCurrentIndex(page.active_box.findText("Taproot, one key"))
    page.next_button.click()
    request = made(screen, qtbot)
    assert isinstance(request, WatchWallet)
    assert request.descriptors[request.active].startswith("tr(")
    # The key for multisig is none of a wallet's.
    assert len(request.descriptors) == 4


def test_escape_leads_back_page_by_page(screen: Screen) -> None:
    wizard = screen.window.wizard
    wizard.welcome.multisig_wanted.emit()
    step(screen, MultisigStart).import_wanted.emit()
    step(screen, ImportPage)
    QTest.keyClick(wizard, Qt.Key.Key_Escape)
    step(screen, MultisigStart).back_button.click()
    assert wizard.currentWidget() is wizard.welcome
    wizard.welcome.restore_wanted.emit()
    wizard.restore.watch_wanted.emit()
    step(screen, ImportPage).back_button.click()
    assert wizard.currentWidget() is wizard.restore


def test_buttons_that_a_page_holds_back_stay_so_after_waiting(screen: Screen) -> None:
    page = watching(screen)
    assert not page.panel.inputs.read_button.isEnabled()
    screen.window.wizard.set_busy("Waiting")
    assert not page.next_button.isEnabled()
    screen.window.wizard.set_busy("")
    assert page.next_button.isEnabled()
    assert not page.panel.inputs.read_button.isEnabled()


def test_the_first_wallet_asks_where_the_chain_comes_from(screen: Screen, qtbot: QtBot) -> None:
    wizard = screen.window.wizard
    wizard.offer_source(offered=True)
    page = watching(screen)
    paste(page.panel, descriptor())
    recognised(qtbot, page.panel)
    page.next_button.click()
    assert wizard.step is wizard.source_page
    assert screen.online.named("make_wallet") == []
    wizard.source_next.click()
    assert isinstance(made(screen, qtbot), WatchWallet)


# --- pairing ------------------------------------------------------------------------------------


def test_pairing_wants_the_address_compared(screen: Screen, qtbot: QtBot) -> None:
    screen.window.wizard.welcome.pair_wanted.emit()
    page = step(screen, PairingPage)
    page.next_button.click()
    assert "bring the account over" in page.notice.text
    paste(page.panel, account())
    recognised(qtbot, page.panel)
    look = page.panel.look
    assert look is not None
    shown = [label.address for label in page.addresses]
    assert shown == [item.first_address for item in look.found.descriptors]
    assert len(shown) == 4
    assert page.equal.accessibleName() == "Both screens show these addresses"
    page.next_button.click()
    assert "Compare the first address" in page.notice.text
    assert screen.online.named("make_wallet") == []
    page.equal.setChecked(True)
    # Another account is another comparison.
    paste(page.panel, account(2))
    qtbot.waitUntil(lambda: page.panel.look not in (None, look))
    assert not page.equal.isChecked()
    page.equal.setChecked(True)
    page.next_button.click()
    request = made(screen, qtbot)
    assert isinstance(request, WatchWallet)
    assert [label.address for label in page.addresses] != shown
    assert request.name == "Paired"
    assert request.descriptors[request.active] == descriptor(2)


EVIL = '<img src="x">&<b>B</b>\N{RIGHT-TO-LEFT OVERRIDE}\u0007\u200b'


def test_text_of_an_export_stays_plain(screen: Screen) -> None:
    page = watching(screen)
    look = imports.read(descriptor(), REGTEST)
    found = replace(
        look.found,
        source=EVIL,
        name=EVIL,
        notices=(EVIL,),
        labels=(("xpub", look.accounts[0].keys[0].key, EVIL),),
    )
    page.panel._show(replace(look, found=found))
    texts = [label.text() for label in page.findChildren(QLabel)]
    texts.append(page.fields.name.text())
    assert sum("<img src" in text for text in texts) == 4
    assert not [text for text in texts if re.search("[\u0007\u200b\u202e]", text)]
    for label in page.findChildren(QLabel):
        assert label.textFormat() is Qt.TextFormat.PlainText
