"""Each request through its pages, in one process, with keys and clicks."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QCheckBox,
    QLabel,
    QLineEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from tests.unit.vault.samples import (
    PASSWORD,
    TINY_COST,
    WORDS,
    create_request,
    make_wallet,
    read_state,
    restore_request,
)
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.errors import AlreadyExists
from wallet_gui.transfer.messages import (
    Cancelled,
    ChangePassword,
    Failed,
    FailureKind,
    PasswordChanged,
    PsbtSigned,
    Reply,
    Request,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
)
from wallet_gui.vault.flows import start_flow
from wallet_gui.vault.hardening import Protections
from wallet_gui.vault.password_pages import UnlockPage
from wallet_gui.vault.review_page import ReviewPage
from wallet_gui.vault.unlocking import unlock
from wallet_gui.vault.window import VaultWindow
from wallet_gui.vault.words_pages import ConfirmWordsPage, WordsPage
from wallet_gui.wallet import signed

# The offscreen platform says so for each window; a display of its own has no such limit.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)

NEW = "violin gravel tomato harbour"


class Driver:
    """A person at the vault's window: finds controls by their object name, types, presses."""

    def __init__(self, qtbot: QtBot, request: Request) -> None:
        self.steps: list[str] = []
        self.window = VaultWindow(
            Protections("", True, True), lambda step, _fraction: self.steps.append(step)
        )
        qtbot.addWidget(self.window)
        self._qtbot = qtbot
        self._drawn = 0
        self.flow: QObject = start_flow(self.window, request, TINY_COST, self._entropy)
        with qtbot.waitActive(self.window):
            self.window.show()
            self.window.activateWindow()

    def _entropy(self, size: int) -> bytes:
        self._drawn += 1
        return hashlib.shake_256(b"%d" % self._drawn).digest(size)

    @property
    def page(self) -> str:
        return self.window.page.objectName()

    @property
    def notice(self) -> str:
        return self.window.page.notice.text

    def field(self, name: str) -> QLineEdit:
        widget = self.window.page.findChild(QWidget, name)
        assert isinstance(widget, QLineEdit), name
        return widget

    def has_focus(self, widget: QWidget) -> bool:
        return self.window.focusWidget() is widget

    def click(self, widget: QWidget) -> None:
        QTest.mouseClick(widget, Qt.MouseButton.LeftButton)

    def type(self, name: str, text: str) -> None:
        field = self.field(name)
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)

    def press(self, key: Qt.Key) -> None:
        focused: QWidget | None = self.window.focusWidget()
        QTest.keyClick(self.window.page if focused is None else focused, key)

    def go_on(self) -> None:
        self.click(self.window.page.primary)

    def go_back(self) -> None:
        self.click(self.window.page.secondary)

    def wait_until(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(condition)

    def wait_for(self, page: str) -> None:
        self._qtbot.waitUntil(lambda: self.page == page)

    def wait_for_reply(self) -> Reply:
        self._qtbot.waitUntil(lambda: not self.window.isVisible())
        return self.window.reply


Drive = Callable[[Request], Driver]


@pytest.fixture
def drive(qtbot: QtBot) -> Drive:
    return lambda request: Driver(qtbot, request)


def _confirm(driver: Driver) -> None:
    words = driver.window.findChild(WordsPage)
    confirm = driver.window.page
    assert isinstance(words, WordsPage)
    assert isinstance(confirm, ConfirmWordsPage)
    for number, position in enumerate(confirm.positions, 1):
        driver.type(f"confirm_word_{number}", confirm._words[position])


def _choose_password(driver: Driver, password: str = NEW) -> None:
    driver.wait_for("new_password_page")
    driver.type("new_password", password)
    driver.type("new_password_again", password)
    driver.press(Qt.Key.Key_Return)


def test_create_shows_words_asks_some_back_and_writes_the_file(
    drive: Drive, tmp_path: Path
) -> None:
    driver = drive(create_request(tmp_path, word_count=24))
    assert driver.page == "words_page"
    assert driver.window.header.play_badge.isVisible()
    driver.press(Qt.Key.Key_Return)
    driver.wait_for("confirm_page")
    confirm = driver.window.page
    assert isinstance(confirm, ConfirmWordsPage)
    assert len(confirm.positions) == 4
    assert list(tmp_path.iterdir()) == []
    _confirm(driver)
    driver.press(Qt.Key.Key_Return)
    _choose_password(driver)
    driver.wait_for("done_page")
    driver.press(Qt.Key.Key_Return)
    reply = driver.wait_for_reply()
    assert isinstance(reply, WalletCreated)
    assert unlock(Path(reply.path), NEW, TINY_COST).reply.view_key == reply.view_key
    assert "Protecting the wallet with your password" in driver.steps


def test_a_wrong_word_is_told_and_one_can_go_back_to_look(drive: Drive, tmp_path: Path) -> None:
    driver = drive(create_request(tmp_path))
    driver.go_on()
    _confirm(driver)
    driver.type("confirm_word_2", "zebra")
    driver.go_on()
    confirm = driver.window.page
    assert isinstance(confirm, ConfirmWordsPage)
    assert driver.notice.startswith(f"This is not word {confirm.positions[1] + 1}.")
    assert driver.has_focus(driver.field("confirm_word_2"))
    driver.press(Qt.Key.Key_Escape)
    assert driver.page == "words_page"
    driver.go_on()
    driver.type("confirm_word_2", confirm._words[confirm.positions[1]].upper() + " ")
    driver.go_on()
    assert driver.page == "new_password_page"


def test_return_walks_through_the_words(drive: Drive, tmp_path: Path) -> None:
    driver = drive(create_request(tmp_path))
    driver.go_on()
    confirm = driver.window.page
    assert isinstance(confirm, ConfirmWordsPage)
    for number, position in enumerate(confirm.positions, 1):
        assert driver.has_focus(driver.field(f"confirm_word_{number}"))
        driver.type(f"confirm_word_{number}", confirm._words[position])
        driver.press(Qt.Key.Key_Return)
    assert driver.page == "new_password_page"


def test_words_are_nowhere_but_in_the_painting(drive: Drive, tmp_path: Path) -> None:
    driver = drive(create_request(tmp_path))
    page = driver.window.page
    assert isinstance(page, WordsPage)
    words = page.grid._words
    assert len(words) == 12
    for widget in driver.window.findChildren(QWidget):
        told = " ".join(
            [
                widget.accessibleName(),
                widget.accessibleDescription(),
                widget.toolTip(),
                str(widget.property("text") or ""),
            ]
        ).split()
        assert not {word for word in words if len(word) > 4} & set(told)
    QTest.keyClick(page, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert words[0] not in QGuiApplication.clipboard().text()


@pytest.mark.parametrize("press", ["escape", "button", "frame"])
def test_leaving_creates_nothing(drive: Drive, tmp_path: Path, press: str) -> None:
    driver = drive(create_request(tmp_path))
    if press == "escape":
        driver.press(Qt.Key.Key_Escape)
    elif press == "button":
        driver.go_back()
    else:
        driver.window.close()
    assert driver.wait_for_reply() == Cancelled()
    assert list(tmp_path.iterdir()) == []


def test_passwords_are_checked_before_they_are_taken(drive: Drive, tmp_path: Path) -> None:
    driver = drive(restore_request(tmp_path))
    _type_words(driver, WORDS)
    driver.go_on()
    driver.go_on()
    assert "without one" in driver.notice
    driver.type("new_password", "short")
    driver.go_on()
    assert "at least 8" in driver.notice
    driver.type("new_password", "password1")
    label = driver.window.page.findChild(QWidget, "new_password_strength")
    assert label is not None
    assert str(label.property("text")).startswith("Weak.")
    driver.press(Qt.Key.Key_Return)
    assert driver.has_focus(driver.field("new_password_again"))
    driver.type("new_password_again", "password2")
    driver.press(Qt.Key.Key_Return)
    assert "differ" in driver.notice
    assert driver.field("new_password_again").text() == ""
    driver.go_back()
    assert driver.page == "restore_page"


def _type_words(driver: Driver, text: str) -> None:
    edit = driver.window.page.findChild(QWidget, "restore_words")
    assert edit is not None
    QTest.keyClicks(edit, text)


def test_restore_with_a_passphrase(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path / "x", passphrase="quiet harbour", script_types=("wpkh",))
    driver = drive(restore_request(tmp_path, use_passphrase=True))
    _type_words(driver, WORDS.replace("sausage", "sausages"))
    driver.press(Qt.Key.Key_Return)
    assert driver.notice.startswith("Word 6 is not in the English word list.")
    edit = driver.window.page.findChild(QWidget, "restore_words")
    assert edit is not None
    edit.selectAll()  # type: ignore[attr-defined]
    _type_words(driver, "  " + WORDS.upper())
    state = driver.window.page.findChild(QWidget, "restore_state")
    assert state is not None
    text = state.property("text")
    assert text.startswith("12 words, and their checksum is right. But they follow a pattern")
    driver.press(Qt.Key.Key_Return)
    assert driver.page == "passphrase_page"
    driver.type("passphrase", "quiet harbour")
    driver.type("passphrase_again", "quiet  harbour")
    driver.go_on()
    assert "differ" in driver.notice
    driver.type("passphrase_again", "quiet harbour")
    driver.go_on()
    driver.wait_for("fingerprint_page")
    shown = driver.window.page.findChild(QLabel, "fingerprint_value")
    assert isinstance(shown, QLabel)
    assert shown.text().replace(" ", "") == sample.wallet.description.fingerprint
    driver.go_on()
    _choose_password(driver)
    driver.wait_for("done_page")
    # The file is there: closing the window by its frame does not take it back.
    driver.window.close()
    reply = driver.wait_for_reply()
    assert isinstance(reply, WalletCreated)
    description = read_state(Path(reply.path), reply.view_key).description
    assert description.descriptors == sample.wallet.description.descriptors


def test_suggestions_complete_the_word_being_typed(drive: Drive, tmp_path: Path) -> None:
    driver = drive(restore_request(tmp_path))
    _type_words(driver, "legal winner thank ye")
    buttons = [
        button
        for number in range(1, 6)
        if (button := driver.window.page.findChild(QWidget, f"restore_suggestion_{number}"))
        and button.isVisible()
    ]
    assert [button.property("text") for button in buttons] == ["year", "yellow"]
    assert buttons[0].accessibleName() == "Complete to year"
    driver.click(buttons[0])
    edit = driver.window.page.findChild(QWidget, "restore_words")
    assert edit is not None
    assert edit.toPlainText() == "legal winner thank year "  # type: ignore[attr-defined]
    assert driver.has_focus(edit)


def test_a_taken_name_is_refused_before_any_window(drive: Drive, tmp_path: Path) -> None:
    make_wallet(tmp_path)
    with pytest.raises(AlreadyExists):
        drive(create_request(tmp_path))


def test_unlock_offers_another_try(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(UnlockWallet(str(sample.path)))
    assert not driver.window.header.play_badge.isVisible()
    driver.press(Qt.Key.Key_Return)
    assert "Type the password" in driver.notice
    driver.type("unlock_password", "wrong password")
    driver.press(Qt.Key.Key_Return)
    driver.wait_until(lambda: "is wrong" in driver.notice)
    assert driver.page == "unlock_page"
    assert driver.field("unlock_password").text() == ""
    driver.type("unlock_password", PASSWORD)
    driver.press(Qt.Key.Key_Return)
    reply = driver.wait_for_reply()
    assert reply == WalletUnlocked(str(sample.path), sample.view_key)


def test_after_five_wrong_passwords_it_waits(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(UnlockWallet(str(sample.path)))
    page = driver.window.page
    assert isinstance(page, UnlockPage)
    for _ in range(5):
        assert page.primary.isEnabled()
        driver.type("unlock_password", "wrong password")
        driver.go_on()
        driver.wait_until(lambda: "is wrong" in driver.notice)
    assert not page.primary.isEnabled()
    assert "Next try in 5 seconds" in driver.notice
    page._patience._seconds = 1
    page._patience._clock.timeout.emit()
    assert page.primary.isEnabled()
    driver.go_back()
    assert driver.wait_for_reply() == Cancelled()


def test_sign_after_the_review(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    plan = sample.plan()
    driver = drive(sample.request(plan))
    driver.type("sign_password", PASSWORD)
    driver.press(Qt.Key.Key_Return)
    driver.wait_for("review_page")
    assert driver.window.header.play_badge.isVisible()
    review = driver.window.page
    assert isinstance(review, ReviewPage)
    shown = {
        widget.objectName(): widget.accessibleName()
        for widget in review.findChildren(QWidget)
        if widget.objectName().startswith("review_")
    }
    assert shown["review_payment_1_amount"] == "Pays: 0.40000000 BTC"
    address = shown["review_payment_1_address"]
    assert address.endswith("bcrt1qqurswpc8qurswpc8qurswpc8qurswpc8dxm0gk")
    assert shown["review_fee"] == "Network fee: 0.00000705 BTC"
    assert "review_change_1_amount" in shown
    # A Return that was meant for the password page does not sign; one on the button does.
    assert not driver.has_focus(review.primary)
    driver.press(Qt.Key.Key_Return)
    assert driver.page == "review_page"
    assert not driver.window.is_working
    review.primary.setFocus()
    driver.press(Qt.Key.Key_Return)
    reply = driver.wait_for_reply()
    assert isinstance(reply, PsbtSigned)
    tx = signed.finish(plan.psbt, Psbt.parse(reply.psbt_base64))
    assert tx.txid == plan.psbt.tx.txid


def test_cancel_on_the_review_signs_nothing(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(sample.request(sample.plan()))
    driver.type("sign_password", PASSWORD)
    driver.go_on()
    driver.wait_for("review_page")
    driver.press(Qt.Key.Key_Escape)
    assert driver.wait_for_reply() == Cancelled()


def test_an_unusual_fee_needs_its_tick(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(sample.request(sample.plan(amount_sat=50_000, fee_rate="10")))
    driver.type("sign_password", PASSWORD)
    driver.go_on()
    driver.wait_for("review_page")
    driver.go_on()
    assert "The fee is unusual" in driver.notice
    box = driver.window.page.findChild(QCheckBox, "review_accept_fee")
    assert box is not None
    assert driver.has_focus(box)
    driver.press(Qt.Key.Key_Space)
    driver.go_on()
    assert isinstance(driver.wait_for_reply(), PsbtSigned)


def test_an_extreme_fee_is_typed(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(sample.request(sample.plan(amount_sat=1_000, fee_rate="100")))
    driver.type("sign_password", PASSWORD)
    driver.go_on()
    driver.wait_for("review_page")
    driver.go_on()
    assert "type it: 14100" in driver.notice
    driver.type("review_type_fee", "14 000")
    driver.go_on()
    assert driver.page == "review_page"
    driver.type("review_type_fee", "14 100")
    driver.go_on()
    assert isinstance(driver.wait_for_reply(), PsbtSigned)


def test_a_payment_that_the_window_showed_otherwise_is_refused(
    drive: Drive, tmp_path: Path
) -> None:
    sample = make_wallet(tmp_path)
    request = replace(sample.request(sample.plan()), request_digest=b"\x00" * 32)
    driver = drive(request)
    driver.type("sign_password", PASSWORD)
    driver.go_on()
    driver.wait_for("refused_page")
    assert "another payment" in driver.notice
    driver.press(Qt.Key.Key_Return)
    reply = driver.wait_for_reply()
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.REVIEW_DIFFERS


def test_the_passphrase_is_asked_for_until_it_is_right(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, passphrase="quiet harbour")
    driver = drive(sample.request(sample.plan()))
    driver.type("sign_password", PASSWORD)
    driver.go_on()
    driver.wait_for("passphrase_page")
    driver.type("passphrase", "Quiet harbour")
    driver.go_on()
    driver.wait_until(lambda: "another wallet" in driver.notice)
    driver.type("passphrase", "quiet harbour")
    driver.go_on()
    driver.wait_for("review_page")
    driver.go_on()
    assert isinstance(driver.wait_for_reply(), PsbtSigned)


def test_change_the_password(drive: Drive, tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    driver = drive(ChangePassword(str(sample.path)))
    assert driver.has_focus(driver.field("old_password"))
    driver.type("old_password", "not the old one")
    driver.type("new_password", NEW)
    driver.type("new_password_again", NEW)
    driver.go_on()
    driver.wait_until(lambda: "is wrong" in driver.notice)
    driver.type("old_password", PASSWORD)
    driver.go_on()
    driver.wait_for("done_page")
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, PasswordChanged)
    assert unlock(sample.path, NEW, TINY_COST).reply.view_key == reply.view_key


def test_fields_are_empty_afterwards(drive: Drive, tmp_path: Path) -> None:
    driver = drive(restore_request(tmp_path))
    _type_words(driver, WORDS)
    driver.go_on()
    _choose_password(driver)
    driver.wait_for("done_page")
    for edit in driver.window.findChildren(QLineEdit):
        assert edit.text() == ""
    words = driver.window.findChild(QWidget, "restore_words")
    assert words is not None
    assert words.toPlainText() == ""  # type: ignore[attr-defined]
