import asyncio
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.samples import WAITING, address, entry, plan, snapshot, sync, transaction
from wallet_gui.app.vault_client import VaultCancelled
from wallet_gui.chain.backend import BroadcastProgress, BroadcastStage, NoPeers
from wallet_gui.gui.send_page import MAX_RECIPIENTS, SendPage
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.uri import PaymentUri
from wallet_gui.wallet.errors import FeeTooHigh, InsufficientFunds
from wallet_gui.wallet.spend import Recipient
from wallet_gui.widgets.clipboard import Copied, clipboard

HOME = address(77)
SCRIPT = script_from_address(HOME, REGTEST)


@pytest.fixture
def page(screen: Screen) -> SendPage:
    screen.sync(sync())
    screen.open()
    screen.window.show_page("send")
    return screen.window.send


def fill(page: SendPage, amount: str = "0.0005") -> None:
    page.rows[0].payee.setText(HOME)
    page.rows[0].amount.setText(amount)


def review(page: SendPage, qtbot: QtBot) -> None:
    QTest.mouseClick(page.review_button, Qt.MouseButton.LeftButton)


@pytest.mark.parametrize(
    ("payee", "amount", "rate", "words"),
    [
        ("", "", "3", "Enter the address"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "1", "3", "belongs to mainnet"),
        ("nonsense", "1", "3", "not a valid address"),
        ("bitcoin:", "1", "3", "address"),
        (HOME, "", "3", "Enter the amount"),
        (HOME, "0", "3", "Enter the amount"),
        (HOME, "0,5", "3", "not a comma"),
        (HOME, "1e3", "3", "digits"),
        (HOME, "0.000000001", "3", "digits"),
        (HOME, "-1", "3", "digits"),
        (HOME, "1", "", "fee rate"),
        (HOME, "1", "0", "Without a fee"),
        (HOME, "1", "x", "rate"),
    ],
)
def test_review_is_never_just_grey_but_says_what_is_missing(
    screen: Screen, page: SendPage, qtbot: QtBot, payee: str, amount: str, rate: str, words: str
) -> None:
    page.rows[0].payee.setText(payee)
    page.rows[0].amount.setText(amount)
    page.fee_rate.setText(rate)
    assert page.review_button.isEnabled()
    review(page, qtbot)
    assert words in page.notice.text
    assert page.notice.text.endswith((".", "5"))
    assert screen.online.named("pay") == []
    fill(page)
    assert not page.notice.isVisible()


def test_typing_asks_for_one_preview_and_shows_its_amounts(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    page.rows[0].payee.setText(HOME)
    QTest.keyClicks(page.rows[0].amount, "0.0005")
    qtbot.waitUntil(lambda: page.amounts["fee"].amount_sat == 423)
    assert len(screen.online.named("plan_payment")) == 1
    (_, recipients, rate, allowed) = screen.online.named("plan_payment")[0]
    assert (recipients, rate, allowed) == (
        (Recipient(SCRIPT, 50_000, ""),),
        FeeRate(3_000),
        False,
    )
    assert page.amounts["total"].amount_sat == 50_423
    assert page.amounts["change"].amount_sat == 99_577
    page.rows[0].amount.setText("0.0006")
    assert page.amounts["fee"].amount_sat is None


def test_notes_of_the_plan_are_shown(screen: Screen, page: SendPage, qtbot: QtBot) -> None:
    note = f"{HOME} looks like {address(78)} in your history, but it is another address."
    screen.online.next_plan = plan(notes=(note,))
    fill(page)
    qtbot.waitUntil(page.notes.isVisible)
    assert page.notes.text() == note


def test_too_little_money_is_said_in_a_sentence(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    screen.online.errors["plan_payment"] = InsufficientFunds(100_000, 5_000)
    fill(page)
    qtbot.waitUntil(lambda: "0.00005000 BTC can be spent" in page.missing.text())
    assert not page.high_fee.isVisible()


def test_a_fee_that_looks_like_a_mistake_can_be_confirmed(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    screen.online.errors["plan_payment"] = FeeTooHigh(40_000, "more than 25 % of the amount")
    fill(page)
    qtbot.waitUntil(page.high_fee.isVisible)
    assert "confirm that you want to pay it" in page.missing.text()
    page.high_fee.click()
    qtbot.waitUntil(lambda: page.amounts["fee"].amount_sat == 423)
    review(page, qtbot)
    qtbot.waitUntil(lambda: bool(screen.online.named("broadcast")))
    assert screen.online.named("pay")[0][3] is True
    fill(page, "0.0007")
    assert not page.high_fee.isChecked()
    assert not page.high_fee.isVisible()


def test_everything_goes_to_one_recipient_only(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    page.add_row()
    for number, row in enumerate(page.rows):
        row.payee.setText(address(number))
    page.rows[0].max_box.click()
    assert not page.rows[0].amount.isEnabled()
    page.rows[1].max_box.click()
    assert not page.rows[0].max_box.isChecked()
    assert page.problem == "Recipient 1: Enter the amount to send."
    page.rows[0].amount.setText("0.1")
    assert page.problem == ""
    review(page, qtbot)
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    assert [r.amount_sat for r in screen.online.named("pay")[0][1]] == [10_000_000, None]  # type: ignore[attr-defined]


def test_recipients_come_and_go_and_keep_their_names(page: SendPage) -> None:
    for _ in range(3):
        page.add_row()
    page.rows[1].payee.setText(HOME)
    page.rows[0].remove.click()
    assert len(page.rows) == 3
    assert page.rows[0].payee.text() == HOME
    assert page.rows[0].payee.objectName() == "send_payee_1"
    assert page.rows[2].payee.accessibleName().endswith("recipient 3")
    while len(page.rows) < MAX_RECIPIENTS:
        page.add_row()
    page.add_row()
    assert len(page.rows) == MAX_RECIPIENTS
    assert "at most 100" in page.notice.text
    page.clear()
    assert len(page.rows) == 1
    assert page.rows[0].is_empty


def test_an_own_rate_is_kept_with_its_decimals(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    fill(page)
    page.fee_rate.clear()
    QTest.keyClicks(page.fee_rate, "1.257")
    assert page.fee_choice.currentText() == "Own rate"
    review(page, qtbot)
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    assert screen.online.named("pay")[0][2] == FeeRate(1_257)
    page.fee_choice.setCurrentIndex(0)
    assert page.fee_rate.text() == "1"


@pytest.mark.parametrize(
    "pasted",
    [
        f"  {HOME}\n",
        f"{HOME[:20]}\n{HOME[20:]}\r\n",
        " ".join(HOME[i : i + 4] for i in range(0, len(HOME), 4)),
        f"\t{HOME.upper()}",
        f"{HOME}\u2028",
    ],
)
def test_a_pasted_address_may_hold_white_space(page: SendPage, qtbot: QtBot, pasted: str) -> None:
    QApplication.clipboard().setText(pasted)
    page.rows[0].payee.setFocus()
    page.rows[0].payee.paste()
    page.rows[0].amount.setText("0.1")
    assert page.problem == ""
    assert page.rows[0].recipient().script_pubkey == SCRIPT


def test_a_pasted_link_fills_the_row(page: SendPage) -> None:
    QApplication.clipboard().setText(f"bitcoin:{HOME}?amount=0.015&label=Rent%20of%20May\n")
    page.rows[0].payee.paste()
    row = page.rows[0]
    assert (row.payee.text(), row.amount.amount_sat, row.label.text()) == (
        HOME,
        1_500_000,
        "Rent of May",
    )
    assert page.problem == ""


def test_of_a_long_text_in_a_link_the_beginning_is_on_screen(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    words = "Rent of May for the flat in the old town, " * 4
    uri = PaymentUri.parse(f"bitcoin:{HOME}?label={words.replace(' ', '%20')}", REGTEST)
    page.fill(uri)
    screen.window.show_page("send")
    label, payee = page.rows[0].label, page.rows[0].payee
    qtbot.waitUntil(label.isVisible)
    assert label.fontMetrics().horizontalAdvance(label.text()) > label.width()
    assert label.cursorPositionAt(label.rect().center()) < len(label.text()) // 2
    assert label.cursorPosition() == payee.cursorPosition() == 0


def test_a_link_that_is_being_typed_is_gone_on_with_behind_it(page: SendPage) -> None:
    payee = page.rows[0].payee
    payee.setFocus()
    QTest.keyClicks(payee, f"bitcoin:{HOME}")
    assert payee.text() == HOME
    assert payee.cursorPosition() == len(HOME)


def test_a_wrong_link_says_why_and_changes_nothing(page: SendPage) -> None:
    page.rows[0].amount.setText("0.2")
    page.rows[0].payee.setText(f"bitcoin:{HOME}?amount=0.1&amount=0.2")
    assert page.problem != ""
    assert page.rows[0].amount.text() == "0.2"


def test_a_payment_goes_through_the_vault_to_the_network(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    fill(page)
    page.rows[0].label.setText("Rent")
    QTest.keyClick(page.rows[0].amount, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: page.ladder.reached is BroadcastStage.REQUESTED)
    assert screen.online.named("pay")[0][1] == (Recipient(SCRIPT, 50_000, "Rent"),)
    assert screen.online.named("broadcast") == [("id", transaction().txid)]
    assert page.rows[0].is_empty
    screen.engine.publish(BroadcastProgress(transaction().txid, BroadcastStage.ECHOED, 1))
    qtbot.waitUntil(lambda: page.ladder.reached is BroadcastStage.ECHOED)
    assert "held by 1 peer" in page.ladder.steps[BroadcastStage.ECHOED].accessibleName()
    assert "not yet" in page.ladder.steps[BroadcastStage.SPREAD].accessibleName()


def test_a_payment_in_a_block_needs_no_evidence_any_more(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    fill(page)
    review(page, qtbot)
    qtbot.waitUntil(lambda: page.ladder.reached is BroadcastStage.REQUESTED)
    waiting = replace(WAITING, txid=transaction().txid)
    screen.update(snapshot(history=(waiting, entry(3))))
    qtbot.waitUntil(lambda: screen.window.history.table.filter.rowCount() == 2)
    assert not page.ladder.isHidden()
    screen.update(snapshot(history=(replace(waiting, height=100), entry(3)), tip=209))
    qtbot.waitUntil(page.ladder.isHidden)
    assert screen.window.history.ladder.isHidden()


def test_a_second_press_does_not_open_a_second_review(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    screen.online.gate = asyncio.Event()
    fill(page)
    for _ in range(3):
        page._ask_review()
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    qtbot.wait(50)
    assert len(screen.online.named("pay")) == 1


def test_a_closed_review_keeps_the_form(screen: Screen, page: SendPage, qtbot: QtBot) -> None:
    screen.online.errors["pay"] = VaultCancelled()
    fill(page)
    review(page, qtbot)
    qtbot.waitUntil(lambda: "Nothing was signed" in page.notice.text)
    assert page.rows[0].amount.text() == "0.0005"
    assert page.review_button.isEnabled()
    assert screen.online.named("broadcast") == []


def test_without_peers_the_payment_is_kept_and_that_is_said(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    screen.online.errors["broadcast"] = NoPeers("Not connected; the payment is kept.")
    fill(page)
    review(page, qtbot)
    qtbot.waitUntil(lambda: "the payment is kept" in page.ladder.sentence.text())


def test_locking_ends_a_review_that_is_open(screen: Screen, page: SendPage, qtbot: QtBot) -> None:
    screen.online.gate = asyncio.Event()
    fill(page)
    review(page, qtbot)
    qtbot.waitUntil(lambda: bool(screen.online.named("pay")))
    screen.window.lock()
    qtbot.waitUntil(lambda: screen.online.cancelled == ["pay"])
    assert page.rows[0].is_empty
    assert page.available.amount_sat is None
    assert not screen.window.send_flow.is_signing


# --- what the history page wants done ------------------------------------------------------------


def test_raising_the_fee_asks_for_the_rate(screen: Screen, page: SendPage, qtbot: QtBot) -> None:
    history = screen.window.history
    screen.window.show_page("history")
    history.show_payment(WAITING)
    history.buttons["bump"].click()
    assert "3 sat/vB" in history.strip.question.text()
    assert history.strip.rate.text() == "4.5"
    history.strip.rate.setText("x")
    history.strip.yes.click()
    assert history.strip.problem.isVisible()
    assert screen.online.named("bump") == []
    history.strip.rate.setText("7.5")
    history.strip.yes.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("broadcast")))
    assert screen.online.named("bump") == [("id", WAITING.txid, FeeRate(7_500), False)]


def test_a_high_fee_of_a_replacement_is_asked_again(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    screen.online.errors["bump"] = FeeTooHigh(40_000, "more than 25 % of the amount")
    history = screen.window.history
    screen.window.show_page("history")
    history.show_payment(WAITING)
    history.buttons["bump"].click()
    history.strip.yes.click()
    qtbot.waitUntil(lambda: "more than 25 %" in history.strip.question.text())
    history.strip.yes.click()
    qtbot.waitUntil(lambda: bool(screen.online.named("broadcast")))
    assert [call[3] for call in screen.online.named("bump")] == [False, True]


def test_giving_up_asks_first_and_escape_keeps_the_payment(
    screen: Screen, page: SendPage, qtbot: QtBot
) -> None:
    history = screen.window.history
    screen.window.show_page("history")
    history.show_payment(WAITING)
    history.buttons["abandon"].click()
    assert screen.online.named("abandon") == []
    QTest.keyClick(history.strip.no, Qt.Key.Key_Escape)
    assert not history.strip.isVisible()
    history.buttons["abandon"].click()
    history.strip.yes.click()
    qtbot.waitUntil(lambda: "given up" in history.notice.text)
    assert screen.online.named("abandon") == [("id", WAITING.txid)]


def test_an_address_that_poses_as_the_copied_one_is_doubted(screen: Screen, qtbot: QtBot) -> None:
    screen.open()
    found: list[Copied] = []
    clipboard().copy(HOME, screen.window, found.append)
    qtbot.waitUntil(lambda: bool(found))
    row = screen.window.send.rows[0]
    row.payee.setText(HOME)
    assert "ends" not in row.echo.text()
    # What malware puts there has the same ends, as far as a person compares them.
    clipboard().copy(HOME[:10] + "q" * (len(HOME) - 14) + HOME[-4:], screen.window, found.append)
    row.payee.clear()
    row.payee.setText(HOME)
    assert "only its ends are the same" in row.echo.text()
    assert HOME[:4] in row.echo.text()
