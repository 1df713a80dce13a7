"""The page Sign (PSBT) and its way from the send page, with a real desk and no network."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from tests.gui.conftest import Screen
from tests.gui.psbt_states import asked, now, shared_rig
from tests.gui.qr_pictures import picture, saved
from tests.gui.samples import snapshot, sync
from tests.unit.app.desk_rig import PAYEE, SHARED, DeskRig
from tests.unit.wallet.chain_world import foreign_script
from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.psbt_board import PsbtBoard
from wallet_gui.gui.sign_offline_steps import Stage
from wallet_gui.primitives import sighash
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.transfer.qr_frames import Format, Kind, encode
from wallet_gui.wallet.snapshot import Signing
from wallet_gui.widgets import qr_scan_panel

HOME = address_from_script(PAYEE, REGTEST) or ""


class Desk:
    """The window on a wallet with coins, and the hands of a person."""

    def __init__(self, screen: Screen, qtbot: QtBot, rig: DeskRig, signing: Signing) -> None:
        self.screen = screen
        self.window = screen.window
        self.qtbot = qtbot
        self.rig = rig
        screen.online.desk_rig = rig
        screen.sync(sync())
        screen.open(replace(snapshot(), signing=signing))

    @property
    def look(self) -> PsbtLook | None:
        return self.board.look

    @property
    def board(self) -> PsbtBoard:
        return self.window.psbt_flow.board

    def click(self, name: str) -> None:
        button = self.window.findChild(QPushButton, name)
        assert button is not None, name
        self.qtbot.waitUntil(button.isVisible)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def label(self, name: str) -> str:
        label = self.window.findChild(QLabel, name)
        assert label is not None, name
        return label.text()

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=10_000)

    def ask(self) -> Psbt:
        """Fill the send page and have the payment signed elsewhere."""
        self.window.show_page("send")
        row = self.window.send.rows[0]
        row.payee.setText(HOME)
        row.amount.setText("0.5")
        self.click("send_offline")
        self.until(lambda: self.board.look is not None)
        assert self.window.pages.currentWidget() is self.window.psbt
        assert self.board.look is not None
        return self.board.look.psbt

    def bring(self, psbt: Psbt | Transaction | str) -> None:
        """Paste what came back."""
        text = psbt if isinstance(psbt, str) else psbt.serialize().hex()
        QGuiApplication.clipboard().setText(text)
        self.click("offline_in_paste")

    def steps_text(self, number: int) -> str:
        step = (self.board.steps.take, self.board.steps.there, self.board.steps.back)
        return (*step, self.board.steps.compare, self.board.steps.send)[number - 1].text.text()

    def primary(self) -> list[str]:
        """The primary buttons in sight."""
        return [
            button.objectName()
            for button in self.window.psbt.findChildren(QPushButton)
            if button.property("role") == "primary" and button.isVisible()
        ]


@pytest.fixture
def make(screen: Screen, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Desk]:
    monkeypatch.setattr(qr_scan_panel, "find_camera", lambda _parent: None)

    def made(rig: DeskRig | None = None, signing: Signing = Signing.ELSEWHERE) -> Desk:
        return Desk(screen, qtbot, rig or DeskRig(), signing)

    return made


def test_a_watching_wallet_goes_through_the_five_steps(
    make: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make()
    assert not desk.window.send.review_button.isVisible()
    psbt = desk.ask()
    steps = desk.board.steps
    assert steps.stage is Stage.TAKE
    assert desk.primary() == ["offline_out_qr"]
    # Nothing is only grey: the step says what is missing, and there is nothing to press yet.
    assert desk.steps_text(5) == "It is not signed yet."
    assert not steps.send_button.isVisible()

    target = tmp_path / "out.psbt"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    desk.click("offline_out_save")
    desk.until(lambda: steps.stage is Stage.RETURN)
    assert "Saved as out.psbt" in desk.steps_text(2)
    assert Psbt.parse(target.read_bytes()) == psbt
    assert target.stat().st_mode & 0o777 == 0o600
    assert desk.primary() == ["offline_in_scan"]

    back = tmp_path / "back.psbt"
    back.write_bytes(desk.rig.sign(psbt).serialize())
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(back)], ""))
    desk.click("offline_in_file")
    desk.until(lambda: steps.stage is Stage.SEND)
    assert desk.steps_text(4).startswith("It is the same payment")
    assert "Every signature is valid" in desk.steps_text(4)
    assert desk.primary() == ["offline_send"]
    desk.click("offline_send")
    desk.until(lambda: bool(desk.rig.sent))
    assert desk.rig.session.wallet.is_own(desk.rig.sent[0].txid)
    desk.until(lambda: desk.board.ladder.reached is not None)
    assert desk.board.look is None
    assert desk.rig.desk().waiting() == ()
    assert desk.window.send.rows[0].is_empty


def test_codes_out_and_back(make: Callable[..., Desk], tmp_path: Path) -> None:
    desk = make()
    psbt = desk.ask()
    desk.click("offline_out_qr")
    qr = desk.board.steps.outputs.qr
    assert qr is not None
    assert qr.frames is not None
    assert desk.primary() == ["offline_go_on"]
    desk.click("offline_go_on")
    assert desk.board.steps.outputs.qr is None
    desk.click("offline_in_scan")
    scanner = desk.board.steps.inputs.scanner
    assert scanner is not None
    frames = encode(Kind.PSBT, desk.rig.sign(psbt).serialize(), format=Format.UR)
    pictures = [saved(picture(frames.frame(n)), tmp_path / f"{n}.png") for n in range(frames.count)]
    scanner.reader.read_files(pictures)
    desk.until(lambda: desk.board.steps.stage is Stage.SEND)
    assert desk.board.steps.inputs.scanner is None


def swapped(psbt: Psbt) -> Psbt:
    """The same payment to somebody else."""
    other = psbt.copy()
    outputs = tuple(
        TxOut(output.value_sat, foreign_script(9)) if output.script_pubkey == PAYEE else output
        for output in psbt.tx.outputs
    )
    other.tx = Transaction(2, psbt.tx.inputs, outputs, psbt.tx.lock_time)
    return other


def hash_type_none(signed: Psbt) -> Psbt:
    for part in signed.inputs:
        part.partial_sigs = {
            key: signature[:-1] + bytes([sighash.NONE])
            for key, signature in part.partial_sigs.items()
        }
    return signed


def test_something_else_that_comes_back_is_refused(make: Callable[..., Desk]) -> None:
    desk = make()
    psbt = desk.ask()
    desk.click("offline_go_on")
    rig, steps = desk.rig, desk.board.steps
    for back, words in (
        (rig.sign(swapped(psbt)), "instead of 0.50000000 BTC to"),
        (hash_type_none(rig.sign(psbt)), "leaves parts of the transaction open"),
        (psbt, "came back without a signature"),
    ):
        desk.bring(back)
        desk.until(lambda words=words: words in desk.steps_text(4))  # type: ignore[misc]
        assert steps.compare.mark.text() == "\N{BALLOT X}"
        assert steps.stage is Stage.RETURN
        assert desk.board.look is not None
        assert desk.board.look.psbt == psbt
    assert desk.steps_text(5) == "It is not signed yet."
    assert not steps.send_button.isVisible()
    # Nor does the flow send it, whoever asks.
    steps.send_wanted.emit()
    assert desk.board.notice.text == "It is not signed yet."
    assert rig.sent == []
    desk.bring(rig.sign(psbt))
    desk.until(lambda: steps.stage is Stage.SEND)
    assert steps.compare.mark.text() == "\N{CHECK MARK}"


def test_two_of_three_in_the_window(make: Callable[..., Desk]) -> None:
    desk = make(shared_rig(), Signing.TOGETHER)
    assert desk.window.send.offline_button.text().replace("&", "") == "Sign with the cosigners"
    psbt = desk.ask()
    assert desk.primary() == ["offline_sign_here"]
    desk.click("offline_sign_here")
    desk.until(lambda: "1 of 2 signatures" in desk.steps_text(4))
    assert "Carla" in desk.steps_text(1)
    assert desk.primary() == ["offline_out_qr"]
    signed = [desk.label(f"psbt_signer_{number}_state") for number in (1, 2, 3)]
    assert signed == ["has not signed", "\N{CHECK MARK} has signed", "has not signed"]
    desk.click("offline_go_on")
    desk.bring(desk.rig.sign(psbt, 2))
    desk.until(lambda: desk.board.steps.stage is Stage.SEND)
    desk.click("offline_send")
    desk.until(lambda: bool(desk.rig.sent))


def test_what_waits_is_there_again_after_the_end_of_the_program(
    make: Callable[..., Desk],
) -> None:
    rig = shared_rig()
    look = asked(rig)
    now(rig.desk().sign(look.psbt))
    rig.open()
    desk = make(rig, Signing.TOGETHER)
    desk.window.show_page("psbt")
    desk.until(lambda: desk.board.waiting.has_any)
    desk.click("psbt_waiting_1_open")
    assert desk.board.look is not None
    assert desk.board.look.signatures.present == 1
    desk.click("psbt_back")
    desk.until(desk.board.waiting.isVisible)
    desk.click("psbt_waiting_1_forget")
    QTest.mouseClick(desk.board.strip.yes, Qt.MouseButton.LeftButton)
    desk.until(lambda: not desk.board.waiting.has_any)
    assert rig.open().kept_setting("waiting_psbts") is None


def test_leaving_the_page_and_locking(make: Callable[..., Desk]) -> None:
    desk = make()
    psbt = desk.ask()
    desk.window.show_page("overview")
    desk.window.show_page("psbt")
    assert desk.board.look is not None
    assert desk.board.look.psbt == psbt
    desk.window.lock()
    assert desk.look is None
    assert not desk.board.waiting.has_any
    assert desk.board.review.review is None


def test_one_from_a_cosigner_is_dropped_signed_and_given_back(
    make: Callable[..., Desk], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = make(shared_rig(), Signing.TOGETHER)
    theirs = asked(DeskRig(SHARED)).psbt
    path = tmp_path / "theirs.psbt"
    path.write_text(theirs.to_base64())
    desk.window.show_page("psbt")
    content = QMimeData()
    content.setUrls([QUrl.fromLocalFile(str(path))])
    desk.board.dropEvent(
        QDropEvent(
            QPointF(5, 5),
            Qt.DropAction.CopyAction,
            content,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
    )
    desk.until(lambda: desk.board.look is not None)
    assert desk.primary() == ["psbt_sign"]
    assert desk.board.review.review is not None
    desk.click("psbt_send")
    assert "signatures are needed" in desk.board.notice.text
    desk.click("psbt_sign")
    desk.until(lambda: desk.primary() == ["psbt_out_qr"])
    desk.click("psbt_sign")
    assert desk.board.notice.text == "This wallet has signed it already."
    target = tmp_path / "mine.txt"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(target), ""))
    desk.click("psbt_out_save")
    desk.until(lambda: "Saved as mine.txt" in desk.board.notice.text)
    assert Psbt.parse(target.read_text()).inputs[0].partial_sigs
    # Another signer's copy completes it here.
    desk.click("psbt_add")
    QGuiApplication.clipboard().setText(desk.rig.sign(theirs, 0).to_base64())
    desk.click("psbt_copy_paste")
    desk.until(lambda: desk.primary() == ["psbt_send"])
    desk.click("psbt_send")
    desk.until(lambda: bool(desk.rig.sent))


def test_a_review_that_is_closed_and_a_vault_that_fails(make: Callable[..., Desk]) -> None:
    rig = shared_rig()
    desk = make(rig, Signing.TOGETHER)
    desk.ask()
    rig.vault_closes = True
    desk.click("offline_sign_here")
    desk.until(lambda: desk.board.notice.text == "Nothing was signed and nothing was sent.")
    assert desk.board.steps.sign_here.isEnabled()


def test_what_is_no_payment_says_what_it_is(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.window.show_page("psbt")
    for text, words in ((HOME, "belongs on the page Send"), ("zebra", "neither a PSBT nor")):
        QGuiApplication.clipboard().setText(text)
        desk.click("psbt_in_paste")
        desk.until(lambda words=words: words in desk.board.notice.text)  # type: ignore[misc]
    QGuiApplication.clipboard().clear()
    desk.click("psbt_in_paste")
    assert "on the clipboard" in desk.board.notice.text


def test_hidden_amounts_hide_the_payment(make: Callable[..., Desk]) -> None:
    desk = make()
    psbt = desk.ask()
    desk.click("offline_go_on")
    desk.bring(desk.rig.sign(swapped(psbt)))
    desk.until(lambda: "0.50000000" in desk.steps_text(4))
    amount = re.compile(r"\d\.\d{4,8}\b")

    def amounts() -> list[str]:
        labels = desk.board.findChildren(QLabel)
        texts = [text for label in labels for text in (label.text(), label.accessibleName())]
        return [text for text in texts if amount.search(text)]

    assert len(amounts()) > 5
    desk.window.status.hide_button.click()
    assert amounts() == []
    assert desk.board.review.review is None
    assert "Amounts are hidden" in desk.board.no_review.text()
    desk.click("psbt_back")
    desk.until(desk.board.waiting.isVisible)
    assert amounts() == []
    desk.click("psbt_waiting_1_open")
    assert amounts() == []
    desk.window.status.hide_button.click()
    assert desk.board.review.review is not None


def test_too_little_money_is_said_on_the_send_page(make: Callable[..., Desk]) -> None:
    desk = make()
    desk.window.show_page("send")
    row = desk.window.send.rows[0]
    row.payee.setText(HOME)
    row.amount.setText("50")
    desk.click("send_offline")
    desk.until(lambda: "can be spent" in desk.window.send.notice.text)
    assert desk.window.send.offline_button.isEnabled()
    assert row.amount.amount_sat == 50 * 100_000_000


def test_any_wallet_may_sign_elsewhere(make: Callable[..., Desk]) -> None:
    desk = make(DeskRig(signer=0), Signing.HERE)
    desk.window.show_page("send")
    assert desk.window.send.review_button.isVisible()
    desk.ask()
    # The person chose the other computer: that is the next step, and signing here stays possible.
    assert desk.primary() == ["offline_out_qr"]
    desk.click("offline_sign_here")
    desk.until(lambda: desk.board.steps.stage is Stage.SEND)


def test_a_replacement_is_signed_elsewhere_too(make: Callable[..., Desk]) -> None:
    desk = make()
    rig = desk.rig
    tx = now(rig.desk().finalize(rig.sign(asked(rig).psbt)))
    desk.window.history.bump_wanted.emit(tx.txid, None, False)
    desk.until(lambda: desk.look is not None)
    assert desk.window.pages.currentWidget() is desk.window.psbt
    assert desk.screen.online.named("bump") == []
    desk.click("psbt_back")
    desk.window.show_page("history")
    desk.window.history.bump_wanted.emit(bytes(32), None, False)
    desk.until(lambda: bool(desk.window.history.notice.text))
    assert desk.look is None


def test_two_payments_with_one_coin_are_told_apart(make: Callable[..., Desk]) -> None:
    rig = DeskRig()
    asked(rig)
    desk = make(rig)
    desk.window.show_page("send")
    row = desk.window.send.rows[0]
    row.payee.setText(HOME)
    row.amount.setText("2.5")
    desk.click("send_offline")
    desk.until(lambda: desk.look is not None)
    assert "only one of the two can be sent" in desk.board.notice.text
