"""The page on which messages are signed and signatures verified, with a stand-in for the vault."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import address
from tests.unit.descriptors.cosigners import ROOTS
from tests.unit.wallet.shared_wallet import describe
from wallet_gui.app.online import Online
from wallet_gui.app.vault_client import VaultCancelled
from wallet_gui.app.vault_requests import VaultLook
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.messages import own_address, sign
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.messages import MessageSigned, SignMessage
from wallet_gui.wallet.messages import MessageFormat
from wallet_gui.wallet.wallet import Wallet
from wallet_gui.widgets.message_page import MessagePage

OURS = account_descriptors(ROOTS[0], REGTEST)[DescriptorType.WPKH]
TEXT = "I agree.\nAnna"


@dataclass
class Session:
    wallet: Wallet
    path: str = "/w/Savings.wallet"


@dataclass
class Signer:
    """An online side with one wallet whose vault signs at once, or waits at a gate."""

    has_secrets: bool = True
    gate: asyncio.Event | None = None
    requests: list[SignMessage] = field(default_factory=list)
    was_cancelled: bool = False

    def session(self, _wallet_id: str) -> Session:
        description = describe(OURS)
        object.__setattr__(description, "has_secrets", self.has_secrets)
        return Session(Wallet(description, REGTEST))

    def vault_look(self) -> VaultLook:
        return VaultLook("/w", "system", 100, None)

    async def ask_vault(self, request: SignMessage, _reply: type[MessageSigned]) -> MessageSigned:
        self.requests.append(request)
        if self.gate is not None:
            try:
                await self.gate.wait()
            except asyncio.CancelledError:
                self.was_cancelled = True
                raise
        place = own_address((OURS,), 0, request.keychain, request.index)
        form = MessageFormat(request.format or "simple")
        signed = sign(request.message, form, place, ROOTS[0])
        return MessageSigned(signed.signature, signed.partial)


@pytest.fixture
def signer(screen: Screen) -> Signer:
    stand_in = Signer()
    screen.window.message_flow.attach(cast("Online", stand_in))
    screen.open()
    return stand_in


@pytest.fixture
def page(screen: Screen, signer: Signer) -> MessagePage:
    screen.window.message_flow.begin(OURS.address(4))
    return screen.window.messages


def test_signing_and_verifying(page: MessagePage, signer: Signer, qtbot: QtBot) -> None:
    page.message.setPlainText(TEXT)
    page.sign_button.click()
    assert not page.sign_button.isEnabled()
    qtbot.waitUntil(lambda: page.signature.toPlainText().startswith("smp"))
    assert page.sign_button.isEnabled()
    assert "signed" in page.notice.text
    (request,) = signer.requests
    assert (request.message, request.address, request.index) == (TEXT, OURS.address(4), 4)
    page.check_button.click()
    qtbot.waitUntil(lambda: "signature is valid" in page.notice.text)
    page.message.setPlainText("I do not agree.")
    assert page.notice.text == ""
    page.check_button.click()
    qtbot.waitUntil(lambda: "not valid for this message" in page.notice.text)
    page.copy_button.click()
    qtbot.waitUntil(lambda: "copied" in page.notice.text)
    assert QGuiApplication.clipboard().text() == page.signature.toPlainText()


def test_the_form_of_the_signature_is_chosen(
    page: MessagePage, signer: Signer, qtbot: QtBot
) -> None:
    page.message.setPlainText(TEXT)
    page.formats.setCurrentIndex(page.formats.findData("legacy"))
    page.sign_button.click()
    qtbot.waitUntil(lambda: len(page.signature.toPlainText()) == 88)


@pytest.mark.parametrize(
    ("where", "text", "words"),
    [
        ("", TEXT, "Enter one of this wallet's addresses."),
        (OURS.address(4), " ", "Write the message first."),
        (address(77), TEXT, "not of this wallet"),
        ("nonsense", TEXT, "not a valid address"),
        (OURS.address(4), "x" * 10_001, "longer than 10,000"),
    ],
)
def test_what_cannot_be_signed_gets_a_sentence(
    page: MessagePage, signer: Signer, qtbot: QtBot, where: str, text: str, words: str
) -> None:
    page.address.setText(where)
    page.message.setPlainText(text)
    page.sign_button.click()
    qtbot.waitUntil(lambda: words in page.notice.text)
    assert signer.requests == []
    assert page.sign_button.isEnabled()
    assert page.message.toPlainText() == text


def test_a_wallet_that_only_watches_says_where_to_sign(
    page: MessagePage, signer: Signer, qtbot: QtBot
) -> None:
    signer.has_secrets = False
    page.message.setPlainText(TEXT)
    page.sign_button.click()
    qtbot.waitUntil(lambda: "only watches" in page.notice.text)


def test_locking_ends_the_vault_and_empties_the_page(
    screen: Screen, page: MessagePage, signer: Signer, qtbot: QtBot
) -> None:
    signer.gate = asyncio.Event()
    page.message.setPlainText(TEXT)
    page.sign_button.click()
    qtbot.waitUntil(lambda: bool(signer.requests))
    screen.window.idle_lock.idle.emit(5)
    # Somebody may be typing the password in the vault's window.
    assert screen.window.wallet_model.wallet_id == "id"
    screen.window.lock_flow.screen.say_locked()
    qtbot.waitUntil(lambda: signer.was_cancelled)
    assert page.message.toPlainText() == page.address.text() == page.notice.text == ""
    assert not screen.window.message_flow.is_signing


def test_cancelling_in_the_vault_keeps_the_form(
    page: MessagePage, signer: Signer, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancel(*_: object) -> MessageSigned:
        raise VaultCancelled

    monkeypatch.setattr(signer, "ask_vault", cancel)
    page.message.setPlainText(TEXT)
    page.sign_button.click()
    qtbot.waitUntil(page.sign_button.isEnabled)
    assert page.notice.text == ""
    assert page.message.toPlainText() == TEXT


def test_part_of_a_multisig_goes_on_to_the_next(page: MessagePage) -> None:
    found: list[tuple[str, ...]] = []
    page.sign_wanted.connect(lambda *values: found.append(values))
    page.message.setPlainText(TEXT)
    page.show_signed("", "cHNidP8BAA==")
    assert "other cosigners" in page.notice.text
    page._sign()
    assert found[-1][3] == "cHNidP8BAA=="
    page.signature.setPlainText("smpAA==")
    page._sign()
    assert found[-1][3] == ""


def test_without_a_wallet_it_only_verifies(screen: Screen, qtbot: QtBot) -> None:
    screen.window.show_settings_alone()
    screen.window.message_flow.button.click()
    page = screen.window.messages
    assert screen.window.pages.currentWidget() is page
    assert not page.sign_button.isVisible()
    place = own_address((OURS,), 0, 0, 0)
    page.address.setText(place.address)
    text = "with a \u202e trick"
    page.message.setPlainText(text)
    page.check_button.click()
    assert page.notice.text == "Paste the signature."
    signed = sign(text, MessageFormat.LEGACY, place, ROOTS[0])
    page.signature.setPlainText(signed.signature)
    page.check_button.click()
    qtbot.waitUntil(lambda: "cannot be seen" in page.notice.text)
    page.back_button.click()
    assert screen.window.pages.currentWidget() is screen.window.settings


def test_receive_leads_to_it(screen: Screen, signer: Signer) -> None:
    screen.window.show_page("receive")
    screen.window.receive.table.selectRow(0)
    screen.window.receive._sign()
    assert screen.window.pages.currentWidget() is screen.window.messages
    assert screen.window.messages.address.text() == address(102)
