"""Watch-only and shared wallets through the real wizard, engine, vault process and bitcoind."""

import json
import time
from pathlib import Path

import pytest
from PySide6.QtGui import QGuiApplication
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import COIN, Node
from tests.gui.import_samples import cosigner, descriptor
from tests.gui.test_window_journey import Program
from wallet_gui.app import imports
from wallet_gui.app.birthdays import day_of
from wallet_gui.app.published import NewWallet
from wallet_gui.gui.import_page import ImportPage
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.gui.multisig_check import MultisigCheck
from wallet_gui.gui.multisig_keys import MultisigKeys
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import REGTEST
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = [pytest.mark.functional, pytest.mark.slow]


@pytest.fixture
def options(tmp_path: Path) -> HeadlessOptions:
    password = tmp_path / "password"
    password.touch(mode=0o600)
    password.write_text("correct horse battery staple\n")
    return HeadlessOptions(
        password_file=str(password),
        new_password_file=str(password),
        words_file=str(tmp_path / "words"),
        assume_yes=True,
    )


def shown(window: MainWindow) -> WizardStep:
    return window.wizard.step


def test_cores_listdescriptors_becomes_a_watching_wallet(
    qtbot: QtBot, themed: ThemeSwitch, node: Node, tmp_path: Path, options: HeadlessOptions
) -> None:
    node.mature()
    node.rpc("createwallet", "watched")
    for kind, amount in (("bech32", 3), ("bech32m", 2), ("legacy", 1)):
        address = str(node.rpc("getnewaddress", "", kind, wallet="watched"))
        node.bank("sendtoaddress", address, amount)
    node.mine(1)
    node.wait_for_filters()
    export = tmp_path / "core.json"
    export.write_text(json.dumps(node.rpc("listdescriptors", wallet="watched")))
    program = Program.start(qtbot, tmp_path / "data", node, options)
    window = program.window
    program.click("welcome_watch")
    page = shown(window)
    assert isinstance(page, ImportPage)
    page.panel.take(export)
    program.until(lambda: page.panel.look is not None)
    look = page.panel.look
    assert look is not None
    for account in look.accounts:
        # Core derives the same addresses.
        (text, _) = str(account.descriptor).split("#")
        info = node.rpc("getdescriptorinfo", text)
        derived = node.rpc("deriveaddresses", f"{text}#{info['checksum']}", [0, 2])
        assert tuple(derived[0]) == account.addresses
    page.fields.name.setText("Core")
    program.click("watch_continue")
    program.until(lambda: bool(window.wallet_model.wallet_id))
    program.until(lambda: program.in_sync_with(node))
    program.until(lambda: program.balance("confirmed") == 6 * COIN)
    expected = node.rpc("getbalances", wallet="watched")["mine"]["trusted"]
    assert window.overview.total.amount_sat == int(expected * COIN)
    wallet = program.online.session(window.wallet_model.wallet_id).wallet
    assert not wallet.description.has_secrets
    program.stop()


def test_payments_from_before_the_birthday_are_found_when_looked_for(
    qtbot: QtBot, themed: ThemeSwitch, node: Node, tmp_path: Path, options: HeadlessOptions
) -> None:
    now = int(time.time())
    node.rpc("setmocktime", now - 20 * 86_400)
    node.mature()
    node.fund(imports.read(descriptor(), REGTEST).accounts[0].addresses[0], 3 * COIN)
    node.mine(1)
    node.rpc("setmocktime", 0)
    node.mine(20)
    node.wait_for_filters()
    program = Program.start(qtbot, tmp_path / "data", node, options)
    window = program.window
    window.import_flow.start_watching()
    page = shown(window)
    assert isinstance(page, ImportPage)
    page.panel.take(descriptor())
    program.until(lambda: page.panel.look is not None)
    page.fields.birthday.setText(day_of(now))
    program.click("watch_continue")
    program.until(lambda: bool(window.wallet_model.wallet_id))
    program.until(lambda: program.in_sync_with(node))
    assert program.balance("confirmed") == 0
    window.show_page("settings")
    window.scan_again.day.setText("last year")
    program.click("scan_again")
    assert "year-month-day" in window.scan_again.notice.text
    window.scan_again.day.setText(day_of(now - 30 * 86_400))
    program.click("scan_again")
    assert window.wallet_model.wallet_id == ""
    program.until(lambda: bool(window.wallet_model.wallet_id))
    program.until(lambda: program.balance("confirmed") == 3 * COIN)
    wallet = program.online.session(window.wallet_model.wallet_id).wallet
    assert day_of(wallet.description.birthday_time) == day_of(now - 30 * 86_400)
    # It is done once, and the day holds.
    path = program.online.session(window.wallet_model.wallet_id).path
    window.lock()
    program.until(window.wizard.settings_button.isEnabled)  # its file is closed by then
    window.open_wallet(path)
    program.until(lambda: bool(window.wallet_model.wallet_id))
    session = program.online.session(window.wallet_model.wallet_id)
    assert session.wallet.scan_mark is not None
    assert program.balance("confirmed") == 3 * COIN
    assert session.kept_setting("scan_from")["is_due"] is False
    program.stop()


def test_two_of_three_has_the_address_that_bitcoind_derives(
    qtbot: QtBot, themed: ThemeSwitch, node: Node, tmp_path: Path, options: HeadlessOptions
) -> None:
    node.mature()
    program = Program.start(qtbot, tmp_path / "data", node, options)
    window = program.window
    # Words of one's own.
    window._create(NewWallet("Mine"))
    program.until(lambda: bool(window.wallet_model.wallet_id))
    window.lock()
    program.until(
        lambda: window.wizard.welcome.isVisible() and "Your" in window.wizard.greeting.text()
    )
    program.click("welcome_multisig")
    program.click("shared_new")
    keys = shown(window)
    assert isinstance(keys, MultisigKeys)
    program.until(lambda: keys.wallets.count() == 3)
    keys.wallets.setCurrentIndex(1)
    program.click("keys_own")
    program.until(lambda: len(keys.rows) == 1)
    keys.inputs.give_text(str(cosigner(2)))
    program.until(lambda: len(keys.rows) == 2)
    QGuiApplication.clipboard().setText(str(cosigner(3)))
    program.click("cosigner_paste")
    QGuiApplication.clipboard().clear()
    program.until(lambda: len(keys.rows) == 3)
    keys.rows[1].label_edit.setText("Ben")
    program.click("keys_continue")
    program.until(lambda: isinstance(shown(window), MultisigCheck))
    check = shown(window)
    assert isinstance(check, MultisigCheck)
    exported = check.exports.chosen
    assert exported is not None
    info = node.rpc("getdescriptorinfo", exported.text)
    receive, _ = node.rpc("deriveaddresses", exported.text, [0, 2])
    assert info["checksum"] == exported.text.rpartition("#")[2]
    assert check.address.address == receive[0]
    program.until(lambda: check.wallets.path.endswith("Mine.wallet"))
    check.equal.setChecked(True)
    check.fields.name.setText("Ours")
    program.click("check_continue")
    program.until(lambda: bool(window.wallet_model.wallet_id))
    session = program.online.session(window.wallet_model.wallet_id)
    assert session.wallet.description.has_secrets
    assert list(session.wallet.description.descriptors) == [exported.text]
    labels = [json.loads(line) for line in session.wallet.export_labels()]
    assert {(item["type"], item["label"]) for item in labels} == {("xpub", "Mine"), ("xpub", "Ben")}
    program.click("overview_receive")
    program.click("receive_new")
    program.until(lambda: bool(window.receive.address_label.address))
    assert window.receive.address_label.address == receive[0]
    node.fund(receive[0], 5 * COIN)
    node.mine(1)
    program.until(lambda: program.balance("confirmed") == 5 * COIN)
    program.stop()
