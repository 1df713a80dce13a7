"""A watching window and computers without a network: payments by file and by QR pictures.

The real window, engine and vaults, other processes with the keys, and the real bitcoind. Only the
vault's own window is left out: here it reads the password from a file.
"""

from pathlib import Path

import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import COIN, Node
from tests.functional.command_line import CommandLine
from tests.functional.test_multisig import Cosigners
from tests.gui.qr_pictures import picture
from tests.gui.test_window_journey import Program
from wallet_gui.app.psbt_desk import PsbtLook
from wallet_gui.gui.sign_offline_steps import Stage
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction, TxOut
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.transfer.qr_frames import Decoder, Format, Kind, encode
from wallet_gui.widgets import qr_scan_panel
from wallet_gui.widgets.qr_images import read_codes
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = [pytest.mark.functional, pytest.mark.slow]


class Desk:
    """The person in front of the online window."""

    def __init__(self, program: Program, node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
        self.program = program
        self.window = program.window
        self.node = node
        self.monkeypatch = monkeypatch

    def look(self) -> PsbtLook:
        found = self.window.psbt_flow.board.look
        assert found is not None
        return found

    @property
    def stage(self) -> Stage:
        return self.window.psbt_flow.board.steps.stage

    def compared(self) -> str:
        return self.window.psbt_flow.board.steps.compare.text.text()

    def open(self, name: str) -> None:
        path = self.program.online.data_directory.wallet_path(name)
        self.window.open_wallet(str(path))
        self.program.until(lambda: bool(self.window.wallet_model.wallet_id))
        self.program.until(lambda: self.program.in_sync_with(self.node))

    def fund(self, amount_sat: int) -> None:
        self.program.click("overview_receive")
        self.program.click("receive_new")
        self.program.until(lambda: bool(self.window.receive.address_label.address))
        self.node.fund(self.window.receive.address_label.address, amount_sat)
        self.node.mine(1)
        self.node.wait_for_filters()
        self.program.until(lambda: self.program.balance("confirmed") == amount_sat)

    def ask(self, address: str, amount_sat: int) -> Psbt:
        self.window.show_page("send")
        row = self.window.send.rows[0]
        row.payee.setText(address)
        row.amount.setText(format_btc(amount_sat))
        self.program.until(lambda: self.window.send.amounts["fee"].amount_sat is not None)
        self.program.click("send_offline")
        board = self.window.psbt_flow.board
        self.program.until(lambda: board.look is not None)
        return self.look().psbt

    def save(self, path: Path) -> None:
        self.monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
        self.program.click("offline_out_save")
        self.program.until(lambda: self.stage is Stage.RETURN)

    def bring(self, path: Path) -> None:
        self.monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(path)], ""))
        self.program.click("offline_in_file")

    def send(self) -> str:
        """Press Send; the payment reaches the node's pool and then a block."""
        self.program.until(lambda: self.stage is Stage.SEND)
        assert "Every signature is valid" in self.compared()
        self.program.click("offline_send")
        self.program.until(lambda: len(self.node.mempool()) == 1)
        (txid,) = self.node.mempool()
        assert self.window.psbt_flow.board.look is None
        self.node.mine(1)
        self.node.wait_for_filters()

        def is_confirmed() -> bool:
            shown = self.window.wallet_model.snapshot
            return shown is not None and any(
                hash_to_hex(entry.txid) == txid and entry.height is not None
                for entry in shown.history
            )

        self.program.until(is_confirmed)
        return str(txid)


def options_of(machine: CommandLine, folder: Path) -> HeadlessOptions:
    password = str(machine.password_file)
    return HeadlessOptions(
        password_file=password,
        new_password_file=password,
        words_file=str(folder / "no words"),
        assume_yes=True,
    )


def swapped(psbt: Psbt, thief: bytes) -> Psbt:
    """The same payment, with its largest output to somebody else."""
    largest = max(psbt.tx.outputs, key=lambda output: output.value_sat)
    outputs = tuple(
        TxOut(output.value_sat, thief) if output is largest else output
        for output in psbt.tx.outputs
    )
    other = psbt.copy()
    other.tx = Transaction(psbt.tx.version, psbt.tx.inputs, outputs, psbt.tx.lock_time)
    return other


def test_a_watching_window_and_an_offline_computer(
    qtbot: QtBot,
    themed: ThemeSwitch,
    node: Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(qr_scan_panel, "find_camera", lambda _parent: None)
    node.mature()
    # The offline computer: it has the words, and nobody to talk to.
    (tmp_path / "offline").mkdir()
    offline = CommandLine(tmp_path / "offline" / "data", None)
    offline.json("create", "--words-file", str(tmp_path / "offline" / "words"))
    exported = offline.json("descriptor", "export", "--wallet", "wallet")
    (tmp_path / "account.txt").write_text(exported["text"])
    (tmp_path / "online").mkdir()
    online = CommandLine(tmp_path / "online" / "data", None)
    online.json("descriptor", "import", str(tmp_path / "account.txt"), "--wallet", "watch")

    def sign(source: Path, name: str) -> Path:
        target = tmp_path / name
        offline.json("psbt", "sign", str(source), "--yes", "--output", str(target))
        return target

    options = options_of(online, tmp_path)
    program = Program.start(qtbot, tmp_path / "online" / "data", node, options)
    desk = Desk(program, node, monkeypatch)
    desk.open("watch")
    desk.fund(2 * COIN)
    assert not program.window.send.review_button.isVisible()

    # By file; the program ends while the file is away.
    home = str(node.bank("getnewaddress"))
    asked = desk.ask(home, COIN // 2)
    file = tmp_path / "out.psbt"
    desk.save(file)
    assert Psbt.parse(file.read_bytes()) == asked
    program.stop()
    program = Program.start(qtbot, tmp_path / "online" / "data", node, options)
    desk = Desk(program, node, monkeypatch)
    desk.open("watch")
    desk.window.show_page("psbt")
    program.until(lambda: desk.window.psbt_flow.board.waiting.has_any)
    program.click("psbt_waiting_1_open")
    assert desk.look().psbt == asked
    program.click("offline_go_on")

    # Another payment comes back than was asked for.
    (tmp_path / "evil.psbt").write_bytes(swapped(asked, b"\x00\x14" + b"\x07" * 20).serialize())
    desk.bring(sign(tmp_path / "evil.psbt", "evil-signed.psbt"))
    program.until(lambda: "another payment than the one" in desk.compared())
    assert desk.stage is Stage.RETURN
    assert not node.mempool()

    desk.bring(sign(file, "back.psbt"))
    first = desk.send()
    assert node.bank("gettransaction", first)["confirmations"] == 1

    # By pictures of QR codes, there and back.
    asked = desk.ask(home, COIN // 4)
    program.click("offline_out_qr")
    qr = desk.window.psbt_flow.board.steps.outputs.qr
    assert qr is not None
    frames = qr.frames
    assert frames is not None
    decoder = Decoder()
    for number in range(frames.count):
        for text in read_codes(picture(frames.frame(number), version=frames.version)):
            decoder.receive(text)
    assert decoder.progress.data == asked.serialize()
    (tmp_path / "scanned.psbt").write_bytes(decoder.progress.data)
    signed = sign(tmp_path / "scanned.psbt", "scanned-signed.psbt").read_bytes()
    program.click("offline_go_on")
    program.click("offline_in_scan")
    codes = encode(Kind.PSBT, signed, format=Format.BBQR)
    paths = [tmp_path / f"code {number}.png" for number in range(codes.count)]
    for number, path in enumerate(paths):
        assert picture(codes.frame(number), version=codes.version).save(str(path))
    scanner = desk.window.psbt_flow.board.steps.inputs.scanner
    assert scanner is not None
    scanner.reader.read_files([str(path) for path in paths])
    second = desk.send()
    assert node.bank("gettransaction", second)["confirmations"] == 1
    shown = desk.window.wallet_model.snapshot
    assert shown is not None
    fees = sum(entry.fee_sat or 0 for entry in shown.history)
    program.until(lambda: program.balance("confirmed") == 2 * COIN - COIN * 3 // 4 - fees)
    program.stop()


def test_two_of_three_in_the_window(
    qtbot: QtBot,
    themed: ThemeSwitch,
    node: Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    node.mature()
    cosigners = Cosigners(tmp_path)
    cosigners.agree("wsh")
    anna = cosigners.machines[0]
    program = Program.start(qtbot, anna.root, node, options_of(anna, tmp_path))
    desk = Desk(program, node, monkeypatch)
    desk.open("wsh")
    desk.fund(COIN)
    home = str(node.bank("getnewaddress"))
    asked = desk.ask(home, COIN // 2)
    program.click("offline_sign_here")
    program.until(lambda: "1 of 2 signatures" in desk.compared())
    half = tmp_path / "half.psbt"
    desk.save(half)
    # A cosigner who signs another payment is noticed; one who signs this one completes it.
    evil = tmp_path / "evil.psbt"
    evil.write_bytes(swapped(asked, b"\x00\x14" + b"\x07" * 20).serialize())
    desk.bring(cosigners.sign(2, "wsh", evil, "evil-signed.psbt"))
    program.until(lambda: "another payment than the one" in desk.compared())
    desk.bring(cosigners.sign(2, "wsh", half, "both.psbt"))
    txid = desk.send()
    assert node.bank("gettransaction", txid)["confirmations"] == 1
    program.stop()
