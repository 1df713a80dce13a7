import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import shiboken6
from PySide6.QtCore import QMimeData, QPoint, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLineEdit, QPlainTextEdit, QWidget
from pytestqt.qtbot import QtBot

from tests.gui.screen_text import texts
from tests.gui.vault.offline_bench import OfflineRig
from wallet_gui.custody.vault_errors import VaultCancelled, VaultRefused
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import OutPoint, TxOut
from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock
from wallet_gui.transfer.messages import (
    SOURCE_WORDS,
    SOURCE_XPRV,
    CreateWallet,
    ExportCosignerKey,
    FailureKind,
    RestoreWallet,
    SignPsbt,
    UnlockWallet,
)
from wallet_gui.transfer.qr_frames import Decoder, Format, Kind, Progress, encode
from wallet_gui.vault.offline.window import PAGES
from wallet_gui.wallet import signed
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.screen_watch import ScreenWatch
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture
def rig(qtbot: QtBot, themed: ThemeSwitch, tmp_path: Path) -> Iterator[OfflineRig]:
    rig = OfflineRig(tmp_path)
    rig.window.show()
    yield rig
    rig.close()
    shiboken6.delete(rig.window)


@pytest.fixture
def idle(qtbot: QtBot, rig: OfflineRig) -> Callable[[], None]:
    def wait() -> None:
        qtbot.waitUntil(lambda: not rig.bench.is_busy, timeout=10_000)

    return wait


@pytest.fixture
def opened(rig: OfflineRig, idle: Callable[[], None]) -> OfflineRig:
    rig.open()
    idle()
    return rig


def squeezed(shown: list[str]) -> str:
    return "\n".join(re.sub(r"\s", "", text) for text in shown).replace("Iagree", "I agree")


def press(rig: OfflineRig, name: str) -> None:
    button = rig.window.findChild(QAbstractButton, name)
    assert isinstance(button, QAbstractButton), name
    assert button.isEnabled(), name
    button.click()


def test_a_wallet_is_opened_under_its_lock_and_locked_again(
    rig: OfflineRig, idle: Callable[[], None]
) -> None:
    press(rig, "open_wallet_entry")
    idle()
    assert isinstance(rig.vault.asked[0], UnlockWallet)
    assert rig.vault.asked[0].lock_held
    assert rig.window.sidebar.wallet_name.accessibleName() == "Wallet: Savings"
    with pytest.raises(InUse):
        FileLock(rig.sample.path).acquire()
    rig.window.lock()
    assert rig.bench.opened is None
    with FileLock(rig.sample.path):
        pass


def test_idle_minutes_lock_the_wallet(opened: OfflineRig) -> None:
    opened.window.idle_lock.idle.emit(5)
    assert opened.bench.opened is None
    assert "after 5 minutes" in opened.window.wallets.notice.text


@pytest.mark.parametrize("reason", [ScreenWatch.LOCKED, ScreenWatch.ASLEEP])
def test_the_screen_and_sleep_lock_and_say_so(opened: OfflineRig, reason: str) -> None:
    opened.window.lock_flow.screen.left.emit(reason)
    assert opened.bench.opened is None
    assert opened.window.wallets.notice.text == reason


def test_locking_ends_the_vault_that_is_asked(opened: OfflineRig, idle: Callable[[], None]) -> None:
    opened.window.sign.read_data(opened.psbt)
    idle()
    gate = opened.vault.gate = threading.Event()
    press(opened, "sign_go")
    opened.window.lock_flow.screen.say_asleep()
    # Cancelled at once; closed as soon as the vault has ended.
    assert opened.vault.cancelled == 1
    gate.set()
    idle()
    assert opened.bench.opened is None
    assert opened.window.wallets.notice.text == ScreenWatch.ASLEEP


def test_what_was_about_to_be_opened_is_closed_again(
    rig: OfflineRig, idle: Callable[[], None]
) -> None:
    # The vault's answer was under way already when the screen was locked.
    gate = rig.vault.gate = threading.Event()
    press(rig, "open_wallet_entry")
    rig.window.lock_flow.screen.say_locked()
    gate.set()
    idle()
    assert rig.bench.opened is None
    assert "The vault was closed" in rig.window.wallets.notice.text
    with FileLock(rig.sample.path):
        pass
    # And it is over with that: the next wallet stays open.
    press(rig, "open_wallet_entry")
    idle()
    assert rig.bench.opened is not None


def test_a_wallet_is_not_locked_under_the_person_in_the_vault(opened: OfflineRig) -> None:
    gate = opened.vault.gate = threading.Event()
    opened.window.sidebar.go("pair")
    press(opened, "cosigner_get")
    opened.window.idle_lock.idle.emit(5)
    assert opened.bench.opened is not None
    gate.set()


def test_nothing_of_the_wallet_is_left_after_locking(
    opened: OfflineRig, idle: Callable[[], None], qtbot: QtBot
) -> None:
    window = opened.window
    window.sign.read_data(opened.psbt)
    idle()
    window.messages.message.setPlainText("I agree")
    address = opened.sample.wallet.descriptors[0].first_address
    paid = window.sign.review.review
    assert paid is not None
    secrets = [address, paid.payments[0].address, "I agree", format_btc(paid.sent_sat)]
    before = squeezed(texts(window))
    assert [secret for secret in secrets if secret not in before] == []
    copied: list[Copied] = []
    clipboard().copy(address, window, copied.append)
    qtbot.waitUntil(lambda: bool(copied))
    window.lock()
    after = squeezed(texts(window))
    assert [secret for secret in secrets if secret in after] == []
    assert QGuiApplication.clipboard().text() == ""


def test_hidden_amounts_are_on_no_page_and_nothing_is_signed_unseen(
    opened: OfflineRig, idle: Callable[[], None], qtbot: QtBot
) -> None:
    window = opened.window
    window.activateWindow()
    qtbot.waitUntil(window.isActiveWindow)
    window.sign.read_data(opened.psbt)
    idle()
    shown = window.sign.review.review
    assert shown is not None
    amounts = [format_btc(sat) for sat in (shown.sent_sat, shown.fee_sat, shown.total_in)]
    assert [amount for amount in amounts if amount not in squeezed(texts(window))] == []
    QTest.keyClick(window, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(window.sidebar.hide_button.isChecked)
    assert not window.sidebar.hide_button.hasFocus()  # it stays where somebody types
    assert [amount for amount in amounts if amount in squeezed(texts(window))] == []
    assert not window.sign.sign.isEnabled()
    # What comes later is hidden, too.
    window.sign.start_over()
    window.sign.read_data(opened.psbt)
    idle()
    assert [amount for amount in amounts if amount in squeezed(texts(window))] == []
    QTest.keyClick(window, Qt.Key.Key_H, Qt.KeyboardModifier.ControlModifier)
    qtbot.waitUntil(lambda: not window.sidebar.hide_button.isChecked())
    assert [amount for amount in amounts if amount not in squeezed(texts(window))] == []
    assert window.sign.sign.isEnabled()


def test_a_wallet_is_restored_from_an_extended_private_key(
    rig: OfflineRig, idle: Callable[[], None]
) -> None:
    rig.vault.refuses = VaultCancelled()
    press(rig, "choose_restore")
    form = rig.window.wallets.restore_form
    form.name.setText("Cold")
    form.passphrase.setChecked(True)
    form.source.setCurrentIndex(1)
    # The passphrase is in such a key already.
    assert not form.passphrase.isVisible()
    press(rig, "restore_continue")
    idle()
    asked = rig.vault.asked[-1]
    assert isinstance(asked, RestoreWallet)
    assert (asked.source, asked.use_passphrase) == (SOURCE_XPRV, False)
    form.source.setCurrentIndex(0)
    press(rig, "restore_continue")
    idle()
    asked = rig.vault.asked[-1]
    assert isinstance(asked, RestoreWallet)
    assert (asked.source, asked.use_passphrase) == (SOURCE_WORDS, True)


def test_dice_go_with_a_new_wallet(rig: OfflineRig, idle: Callable[[], None]) -> None:
    rig.vault.refuses = VaultCancelled()
    press(rig, "choose_create")
    form = rig.window.wallets.create_form
    form.name.setText("Cold")
    form.dice.setChecked(True)
    form.words.setCurrentIndex(4)
    press(rig, "create_continue")
    idle()
    asked = rig.vault.asked[-1]
    assert isinstance(asked, CreateWallet)
    assert (asked.use_dice, asked.word_count) == (True, 24)


def test_a_payment_comes_as_text_is_reviewed_signed_and_written(
    opened: OfflineRig, idle: Callable[[], None], tmp_path: Path
) -> None:
    window = opened.window
    window.sign.read_data(opened.psbt_text)
    idle()
    review = window.sign.review.review
    assert review is not None
    assert review.sent_sat == 40_000_000
    assert window.sign.sign.isEnabled()
    press(opened, "sign_go")
    idle()
    request = opened.vault.asked[-1]
    assert isinstance(request, SignPsbt)
    # What the vault was asked is tied to what this window showed.
    assert request.request_digest == review.digest
    target = tmp_path / "back"
    window.sign.save_to(str(target))
    idle()
    back = Psbt.parse((tmp_path / "back.psbt").read_bytes())
    assert signed.finish(opened.sample.plan().psbt, back).inputs
    window.sign.save_to(str(target))
    idle()
    assert "already" in window.sign.notice.text


def test_the_signed_payment_is_shown_as_codes(opened: OfflineRig, idle: Callable[[], None]) -> None:
    opened.window.show_page("sign")
    opened.window.sign.read_data(opened.psbt)
    idle()
    press(opened, "sign_go")
    idle()
    press(opened, "sign_codes")
    frames = opened.window.sign.codes.frames
    assert frames is not None
    decoder = Decoder()
    for number in range(frames.count):
        decoder.receive(frames.frame(number))
    assert decoder.progress.data is not None
    assert Psbt.parse(decoder.progress.data).to_base64() == opened.window.sign.signed_text
    opened.window.lock()
    # Nothing of the payment stays behind a locked wallet.
    assert opened.window.sign.codes.frames is None
    assert opened.window.sign.signed_text == ""


def test_a_payment_comes_by_drop_and_by_codes(
    opened: OfflineRig, idle: Callable[[], None], tmp_path: Path
) -> None:
    path = tmp_path / "pay.psbt"
    path.write_bytes(opened.psbt)
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(
        QPoint(5, 5),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    opened.window.sign.dropEvent(event)
    idle()
    assert opened.window.sign.review.review is not None
    opened.window.sign.start_over()
    opened.window.sign._scanned(Progress(3, 3, Kind.PSBT, opened.psbt))
    idle()
    assert opened.window.sign.sign.isEnabled()


@pytest.mark.parametrize(
    ("data", "words"),
    [("nonsense", ""), ("", ""), (b"psbt\xff" + bytes(40), "")],
)
def test_what_is_no_payment_is_refused_with_a_sentence(
    opened: OfflineRig, idle: Callable[[], None], data: str | bytes, words: str
) -> None:
    opened.window.sign.read_data(data)
    idle()
    assert opened.window.sign.notice.text
    assert not opened.window.sign.check.isVisible()


def test_a_payment_of_another_wallet_cannot_be_signed_here(
    opened: OfflineRig, idle: Callable[[], None]
) -> None:
    psbt = opened.sample.plan().psbt
    foreign = Psbt.parse(psbt.serialize())
    coin = foreign.inputs[0].non_witness_utxo
    assert coin is not None
    script = bytes.fromhex("0014") + bytes(20)
    other = replace(coin, outputs=(TxOut(coin.outputs[0].value_sat, script), *coin.outputs[1:]))
    tx_in = replace(foreign.tx.inputs[0], prevout=OutPoint(other.txid, 0))
    made = Psbt.from_unsigned_tx(replace(foreign.tx, inputs=(tx_in,)))
    made.inputs[0].non_witness_utxo = other
    opened.window.sign.read_data(made.serialize())
    idle()
    assert "None of the coins" in opened.window.sign.obstacle.text
    assert not opened.window.sign.sign.isEnabled()


def test_what_the_vault_refuses_is_told_and_a_cancelled_request_is_not(
    opened: OfflineRig, idle: Callable[[], None]
) -> None:
    opened.window.sign.read_data(opened.psbt)
    idle()
    opened.vault.refuses = VaultRefused(FailureKind.POLICY, "The fee is not usual.")
    press(opened, "sign_go")
    idle()
    assert opened.window.sign.notice.text == "The fee is not usual."
    opened.window.sign.notice.clear()
    opened.vault.refuses = VaultCancelled()
    press(opened, "sign_go")
    idle()
    assert opened.window.sign.notice.text == ""
    assert opened.window.sign.sign.isEnabled()


def test_without_a_wallet_the_person_is_sent_to_open_one(rig: OfflineRig) -> None:
    rig.window.sidebar.go("sign")
    rig.window.sign.read_data(rig.psbt)
    assert "Open the wallet" in rig.window.sign.notice.text
    rig.window.sign.notice.button.click()
    assert rig.window.stack.currentWidget() is rig.window.wallets


def test_the_account_goes_over_as_codes_that_the_other_side_reads(opened: OfflineRig) -> None:
    opened.window.sidebar.go("pair")
    page = opened.window.pair
    chosen = page.export.chosen
    assert chosen is not None
    assert chosen.kind is Kind.ACCOUNT
    frames = encode(Kind.ACCOUNT, chosen.text.encode(), format=Format.UR)
    assert frames.frame(0).upper().startswith("UR:CRYPTO-ACCOUNT/")
    address = page.findChild(QWidget, "pair_first_address")
    assert address is not None
    first = opened.sample.wallet.descriptors[0].first_address
    assert first in address.accessibleName()
    # With the wallet, what tells all its payments goes too.
    opened.window.lock()
    assert page.export.chosen is None


def test_a_cosigners_key_comes_from_the_vault(opened: OfflineRig, idle: Callable[[], None]) -> None:
    opened.window.sidebar.go("pair")
    press(opened, "cosigner_get")
    idle()
    assert isinstance(opened.vault.asked[-1], ExportCosignerKey)
    chosen = opened.window.pair.key.chosen
    assert chosen is not None
    assert "/48h/1h/0h/2h]tpub" in chosen.text


def test_the_proof_is_tried_each_time_it_is_shown(
    rig: OfflineRig, idle: Callable[[], None]
) -> None:
    rig.window.sidebar.go("proof")
    idle()
    assert len(rig.window.proof.checks) == 3
    assert "This computer" in rig.window.proof.notice.text


def test_a_new_wallet_and_a_restored_one_are_asked_of_the_vault(
    rig: OfflineRig, idle: Callable[[], None]
) -> None:
    rig.vault.refuses = VaultCancelled()
    for choice, key, kind in (
        ("choose_create", "create", CreateWallet),
        ("choose_restore", "restore", RestoreWallet),
    ):
        press(rig, choice)
        edit = rig.window.findChild(QLineEdit, f"{key}_name")
        assert isinstance(edit, QLineEdit)
        press(rig, f"{key}_continue")
        problem = rig.window.findChild(QWidget, f"{key}_problem")
        assert problem is not None
        assert problem.isVisible()
        edit.setText("Cold")
        press(rig, f"{key}_continue")
        idle()
        assert isinstance(rig.vault.asked[-1], kind)
        press(rig, f"{key}_back")


def test_pages_rest_while_the_vault_is_asked(rig: OfflineRig, qtbot: QtBot) -> None:
    with qtbot.waitSignal(rig.bench.busy_changed):
        rig.open()
        assert not rig.window.stack.isEnabled()
    rig.window.close()
    assert rig.vault.cancelled


def test_every_control_on_screen_has_a_name(opened: OfflineRig, idle: Callable[[], None]) -> None:
    opened.window.sign.read_data(opened.psbt)
    idle()
    unnamed = []
    for key, _ in PAGES:
        opened.window.sidebar.go(key)
        idle()
        for kind in (QAbstractButton, QLineEdit, QPlainTextEdit, QComboBox):
            for widget in opened.window.findChildren(kind):
                is_qts = widget.objectName().startswith("qt_")
                if widget.isVisible() and not is_qts and not widget.accessibleName():
                    unnamed.append((key, kind.__name__, widget.objectName()))
    assert unnamed == []


def test_every_page_is_reached_by_its_key(opened: OfflineRig) -> None:
    for key, _ in PAGES:
        opened.window.sidebar.go(key)
        assert opened.window.stack.currentWidget() is opened.window.pages[key]
