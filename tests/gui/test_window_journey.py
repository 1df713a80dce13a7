"""The whole way through the real window, the real engine and vault process, and a real bitcoind.

Create, address, paid, seen, confirmed, sent back, restarted. Only the vault's own window is left
out: here it reads the password from a file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import Node, to_sat
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.app.online import Online
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.backend import Phase
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = [pytest.mark.functional, pytest.mark.slow]

PAID, BACK = 12_345_678, 2_000_000


@dataclass
class Program:
    """One run of the program on a data directory, without its main function."""

    window: MainWindow
    engine: Engine
    online: Online
    phases: list[SyncSnapshot]
    qtbot: QtBot

    @classmethod
    def start(cls, qtbot: QtBot, root: Path, node: Node, options: HeadlessOptions) -> "Program":
        engine = Engine()
        engine.start()
        online = Online(
            DataDirectory(root, REGTEST),
            REGTEST,
            P2PBackend,
            engine.publish,
            vault=VaultClient(headless=True, command=CHEAP_VAULT),
            headless=options,
        )
        window = MainWindow(engine, REGTEST)
        window.attach(online)
        phases: list[SyncSnapshot] = []
        window.sync_model.changed.connect(phases.append)
        window.show()
        started: list[object] = []
        engine.call(
            online.start((PeerAddress(node.host, node.p2p_port),)),
            window,
            lambda _: started.append(True),
            started.append,
        )
        qtbot.waitUntil(lambda: bool(started))
        assert started == [True]
        window.list_wallets()
        qtbot.waitUntil(lambda: bool(window.wizard.greeting.text()))
        return cls(window, engine, online, phases, qtbot)

    def click(self, name: str) -> None:
        button = self.window.findChild(QPushButton, name)
        assert button is not None, name
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    def in_sync_with(self, node: Node) -> bool:
        model = self.window.sync_model
        return model.is_synced and model.tip_height == node.height

    def balance(self, key: str) -> int:
        return self.window.overview.parts[key].amount_sat or 0

    def stop(self) -> None:
        self.window.close()
        self.engine.finish(self.online.stop())
        self.engine.stop()


def test_from_an_empty_folder_to_a_payment_and_back(
    qtbot: QtBot, themed: ThemeSwitch, node: Node, tmp_path: Path
) -> None:
    node.mature()
    password = tmp_path / "password"
    password.write_text("correct horse battery staple\n")
    options = HeadlessOptions(
        password_file=str(password),
        new_password_file=str(password),
        words_file=str(tmp_path / "words"),
        assume_yes=True,
    )
    program = Program.start(qtbot, tmp_path / "data", node, options)
    window = program.window

    # Create.
    program.click("welcome_create")
    window.wizard.name_edit.setText("Savings")
    program.click("new_continue")
    program.until(lambda: bool(window.wallet_model.wallet_id))
    assert len((tmp_path / "words").read_text().split()) == 12
    assert window.pages.currentWidget() is window.overview
    program.until(lambda: program.in_sync_with(node))

    # An address, shown once it is stored.
    program.click("overview_receive")
    window.receive.label_edit.setText("Salary")
    program.click("receive_new")
    program.until(lambda: bool(window.receive.address_label.address))
    address = window.receive.address_label.address
    assert address in window.receive.qr.text

    # Paid: seen before it confirms, then confirmed.
    paid = node.fund(address, PAID)
    program.until(lambda: program.balance("incoming") == PAID)
    assert window.wallet_pages.history_model.rowCount() == 1
    assert program.balance("confirmed") == 0
    node.mine(1)
    program.until(lambda: program.balance("confirmed") == PAID)
    scripts = [
        f"raw({script.hex()})"
        for script in program.online.session(window.wallet_model.wallet_id).wallet.watch_scripts()
    ]
    assert node.scan_balance(scripts) == PAID == window.overview.total.amount_sat

    # Some of it goes back.
    home = node.bank("getnewaddress")
    window.show_page("send")
    row = window.send.rows[0]
    row.payee.setText(f"bitcoin:{home}?amount={format_btc(BACK)}&label=Rent")
    assert row.amount.amount_sat == BACK
    program.until(lambda: window.send.amounts["fee"].amount_sat is not None)
    fee = window.send.amounts["fee"].amount_sat or 0
    program.click("send_review")
    program.until(lambda: len(node.mempool()) == 1)
    (sent,) = node.mempool()
    left = PAID - BACK - fee
    program.until(lambda: program.balance("trusted_pending") == left)
    details = node.rpc("getrawtransaction", sent, True)
    assert Decimal(format_btc(BACK)) in [output["value"] for output in details["vout"]]
    node.mine(1)
    program.until(lambda: program.balance("confirmed") == left)
    assert node.scan_balance(scripts) == left
    assert to_sat(node.bank("getreceivedbyaddress", home)) == BACK

    # The history is right.
    history = window.wallet_model.snapshot
    assert history is not None
    assert {hash_to_hex(e.txid): (e.net_sat, e.fee_sat) for e in history.history} == {
        paid: (PAID, None),
        sent: (-BACK - fee, fee),
    }
    before = history.history, history.balance, history.requests
    program.until(lambda: program.in_sync_with(node))
    program.stop()

    # Started again on the same folder: everything is there, and nothing is read from the start.
    again = Program.start(qtbot, tmp_path / "data", node, options)
    again.click("welcome_open_1")
    again.until(lambda: bool(again.window.wallet_model.wallet_id))
    shown = again.window.wallet_model.snapshot
    assert shown is not None
    assert (shown.history, shown.balance, shown.requests) == before
    assert again.window.overview.total.amount_sat == left
    again.until(lambda: again.in_sync_with(node))
    scanned = [
        item
        for picture in again.phases
        for item in picture.phases
        if item.phase is Phase.FILTERS and picture.phase is Phase.FILTERS
    ]
    assert all(item.total <= 2 or item.done >= node.height - 2 for item in scanned), scanned
    shown = again.window.wallet_model.snapshot
    assert shown is not None
    assert (shown.history, shown.balance) == before[:2]
    again.stop()
