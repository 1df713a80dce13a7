"""The vault's window: reading a message, then signing it with the password."""

from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel, QPlainTextEdit
from pytestqt.qtbot import QtBot

from tests.gui.vault.test_flows import Driver
from tests.unit.vault.samples import PASSWORD, make_wallet
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.messages import (
    Cancelled,
    Failed,
    FailureKind,
    MessageSigned,
    SignMessage,
)
from wallet_gui.vault.errors import BadRequest
from wallet_gui.wallet.messages import MessageVerdict, verify

# Only a real screen knows size hints.
pytestmark = pytest.mark.qt_log_ignore("does not support propagateSizeHints", extend=True)


@pytest.fixture
def wanted(tmp_path: Path) -> SignMessage:
    sample = make_wallet(tmp_path)
    address = sample.wallet.descriptors[1].address(2)
    return SignMessage(str(sample.path), "I agree.\nAnna", address, 1, 0, 2, format="simple")


def message_field(driver: Driver) -> QPlainTextEdit:
    field = driver.window.page.findChild(QPlainTextEdit, "message_text")
    assert isinstance(field, QPlainTextEdit)
    return field


def shown(driver: Driver) -> str:
    return "\n".join(label.text() for label in driver.window.page.findChildren(QLabel))


def test_the_message_and_the_address_stand_above_the_password(
    qtbot: QtBot, wanted: SignMessage
) -> None:
    driver = Driver(qtbot, wanted)
    assert driver.page == "message_page"
    field = message_field(driver)
    assert field.toPlainText() == "I agree.\u21b5\nAnna"
    assert field.isReadOnly()
    address = wanted.address
    assert " ".join(address[i : i + 4] for i in range(0, len(address), 4)) in shown(driver)
    assert "BIP322" in shown(driver)
    assert driver.has_focus(driver.field("message_password"))
    driver.type("message_password", "wrong")
    driver.go_on()
    driver.wait_until(lambda: "password is wrong" in driver.notice)
    assert field.toPlainText()
    driver.type("message_password", PASSWORD)
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, MessageSigned)
    check = verify(wanted.address, wanted.message, reply.signature, REGTEST)
    assert check.verdict is MessageVerdict.VALID
    assert not field.toPlainText()


def test_hidden_characters_are_shown_and_told(qtbot: QtBot, wanted: SignMessage) -> None:
    driver = Driver(qtbot, replace(wanted, message="I agree\u200b to <b>nothing</b>\u202e."))
    field = message_field(driver)
    assert field.toPlainText() == "I agree[U+200B] to <b>nothing</b>[U+202E]."
    assert "codes" in driver.notice


def test_leaving_signs_nothing(qtbot: QtBot, wanted: SignMessage) -> None:
    driver = Driver(qtbot, wanted)
    driver.type("message_password", PASSWORD)
    driver.go_back()
    assert driver.wait_for_reply() == Cancelled()


def test_an_address_of_somebody_else_is_refused(qtbot: QtBot, wanted: SignMessage) -> None:
    driver = Driver(qtbot, replace(wanted, index=3))
    driver.type("message_password", PASSWORD)
    driver.go_on()
    driver.wait_for("refused_page")
    driver.go_on()
    reply = driver.wait_for_reply()
    assert isinstance(reply, Failed)
    assert reply.kind is FailureKind.REVIEW_DIFFERS


def test_an_empty_message_opens_no_page(qtbot: QtBot, wanted: SignMessage) -> None:
    with pytest.raises(BadRequest):
        Driver(qtbot, replace(wanted, message=""))


def test_a_long_message_says_that_there_is_more(qtbot: QtBot, wanted: SignMessage) -> None:
    driver = Driver(qtbot, replace(wanted, message="line\n" * 30 + "and I owe you all of it"))
    assert "in 31 lines: scroll to read all" in shown(driver)
    assert "owe you all" in message_field(driver).toPlainText()
