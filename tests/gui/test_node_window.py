"""A person's own node through the real window: a real sshd, a real bitcoind, a real vault process.

Typed, tested, used; compared with the node's own count of coins; left and taken again without a
rescan; away and back.
"""

import hmac
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton
from pytestqt.qtbot import QtBot

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.sshd import Sshd, make_key, running_sshd, start_again
from tests.gui.rig_loop import RigLoop
from tests.vault_with_cheap_kdf import CHEAP_VAULT
from wallet_gui.app.fail_over import FailOverTimes
from wallet_gui.app.online import Online
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.backend import BlockMatched, CheckState
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.main_window import MainWindow
from wallet_gui.gui.node_prompts import HostKeyPrompt, SecretPrompt
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.node_settings import DIRECT, NODE, NODE_ELSE_DIRECT
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import HeadlessOptions
from wallet_gui.widgets.theme import ThemeSwitch

pytestmark = [
    pytest.mark.functional,
    pytest.mark.slow,
    # The screen that tests draw on says so of every dialog.
    pytest.mark.qt_log_ignore("does not support propagateSizeHints"),
]

PAID = 12_345_678
RPC_USER, RPC_PASSWORD = "wallet", "four lamps walk home"
_INSIDE = QPoint(8, 8)


class Program:
    """The program on a data directory, with a node behind SSH; it can be started again."""

    def __init__(self, qtbot: QtBot, folder: Path, node: Node, server: Sshd) -> None:
        self.qtbot = qtbot
        self.folder = folder
        self.node = node
        self.server = server
        self.matched: list[int] = []

    def start(self) -> None:
        self.engine = engine = Engine()
        engine.start()
        password = str(self.folder / "password")
        self.online = online = Online(
            DataDirectory(self.folder / "data", REGTEST),
            REGTEST,
            P2PBackend,
            engine.publish,
            vault=VaultClient(headless=True, command=CHEAP_VAULT),
            headless=HeadlessOptions(password_file=password, words_file=str(self.folder / "words")),
        )
        self.window = window = MainWindow(engine, REGTEST)
        window.attach(online)
        window.resize(1200, 1000)
        window.show()
        started: list[object] = []
        engine.call(online.start(), window, lambda _: started.append(True), started.append)
        self.until(lambda: bool(started))
        assert started == [True]
        window.source_flow.show_stored()
        window.list_wallets()
        self.until(lambda: bool(window.wizard.greeting.text()))

    def stop(self) -> None:
        self.window.close()
        self.engine.finish(self.online.stop())
        self.engine.stop()

    def click(self, name: str) -> None:
        button = self.window.findChild(QAbstractButton, name)
        assert button is not None, name
        assert button.isVisible(), name
        QTest.mouseClick(button, Qt.MouseButton.LeftButton, pos=button.rect().topLeft() + _INSIDE)

    def until(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition)

    @property
    def source(self) -> str:
        snapshot = self.window.sync_model.snapshot
        return "" if snapshot is None else snapshot.backend

    def in_sync(self) -> bool:
        selector = self.online.selector
        model = self.window.sync_model
        return (
            selector is not None
            and model.is_synced
            and model.tip_height == self.node.height
            and selector.is_synced()
        )

    def balance(self) -> int:
        return self.window.overview.total.amount_sat or 0

    def counted(self) -> int:
        """What bitcoind's own set of coins says."""
        wallet = self.online.session(self.window.wallet_model.wallet_id).wallet
        return self.node.scan_balance([f"raw({s.hex()})" for s in wallet.watch_scripts()])

    def choose(self, source: str) -> None:
        card = self.window.settings.source
        self.window.show_page("settings")
        card.buttons[source].setChecked(True)
        QTest.mouseClick(card.apply_button, Qt.MouseButton.LeftButton)


@pytest.fixture
def rig() -> Iterator[RigLoop]:
    with RigLoop() as loop:
        yield loop


@pytest.fixture
def program(
    qtbot: QtBot,
    themed: ThemeSwitch,
    node_factory: NodeFactory,
    rig: RigLoop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Program]:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    # Beside its cookie the node takes a login by password (Core share/rpcauth).
    mac = hmac.new(b"5a17", RPC_PASSWORD.encode(), "sha256").hexdigest()
    node = node_factory(f"-rpcauth={RPC_USER}:5a17${mac}")
    node.mature()
    server = rig.enter(running_sshd())
    (tmp_path / "password").write_text("correct horse battery staple\n")
    root = tmp_path / "data"
    root.mkdir()
    peers = {"regtest": [f"{node.host}:{node.p2p_port}"]}
    (root / "settings.json").write_text(json.dumps({"format": 1, "peers": peers}))
    made = Program(qtbot, tmp_path, node, server)
    handle = WalletSession.handle

    async def counting(self: WalletSession, event: object) -> None:
        if isinstance(event, BlockMatched):
            made.matched.append(event.height)
        await handle(self, event)  # type: ignore[arg-type]

    monkeypatch.setattr(WalletSession, "handle", counting)
    made.start()
    made.click("welcome_create")
    made.click("new_continue")
    made.until(lambda: bool(made.window.wallet_model.wallet_id))
    yield made
    made.stop()


def pay_in(program: Program, amount: int) -> None:
    window = program.window
    before = window.receive.address_label.address
    window.show_page("receive")
    program.click("receive_new")
    program.until(lambda: window.receive.address_label.address not in ("", before))
    program.node.fund(window.receive.address_label.address, amount)
    program.node.mine(1)


def answer_host_key(program: Program) -> HostKeyPrompt:
    """Say that the fingerprint on screen is the right one."""
    window = program.window
    program.until(lambda: isinstance(window.prompts.dialog, HostKeyPrompt))
    prompt = window.prompts.dialog
    assert isinstance(prompt, HostKeyPrompt)
    QTest.mouseClick(prompt.yes, Qt.MouseButton.LeftButton)
    return prompt


def type_node(program: Program) -> None:
    """Type what a person would, where bitcoind is not where it usually is."""
    window, node = program.window, program.node
    window.show_page("settings")
    card = window.settings.source
    card.buttons[NODE].setChecked(True)
    form = card.form
    form.address.setText(program.server.target.text)
    form.key_kind.setCurrentIndex(1)
    form.key_path.setText(str(program.server.key_path))
    form.more_button.click()
    form.rpc_port.setText(str(node.rpc_port))
    form.p2p_port.setText(str(node.p2p_port))
    form.cookie_path.setText(str(node.directory / "regtest" / ".cookie"))


def test_typed_tested_used_left_and_taken_again(program: Program) -> None:
    window, node = program.window, program.node
    card = window.settings.source
    program.until(program.in_sync)
    pay_in(program, PAID)
    program.until(lambda: program.balance() == PAID)
    assert program.source == "Directly (P2P)"

    # Typed and tested: the fingerprint is asked about once, then thirteen ticks.
    type_node(program)
    program.click("source_test")
    prompt = answer_host_key(program)
    assert program.server.fingerprint() == prompt.fingerprint.text().replace(" ", "")
    program.until(card.test_button.isEnabled)
    marks = [card.panel.steps.texts(number)[0] for number in range(1, 14)]
    assert set(marks) <= {"\N{CHECK MARK}", "!"}, [card.panel.steps.texts(n) for n in range(1, 14)]
    assert card.panel.result.text.startswith("Ready \u2013 ")
    assert window.settings.source.panel.problem.isHidden()

    # Used: the same balance, nothing read again, and the node's own count of coins agrees.
    program.until(program.in_sync)
    program.matched.clear()
    program.click("source_test_use")
    program.until(lambda: program.source == "My node" and program.in_sync())
    assert program.balance() == PAID == program.counted()
    assert program.matched == []
    program.until(lambda: window.wallet_model.check is CheckState.AGREES)
    status = window.sync_model.snapshot.node if window.sync_model.snapshot else None
    assert status is not None
    assert status.is_ready
    assert str(program.server.port) in status.via or "127.0.0.1" in status.via
    pay_in(program, PAID)
    program.until(lambda: program.balance() == 2 * PAID == program.counted())
    assert set(program.matched) == {node.height - 1, node.height} or program.matched == [
        node.height
    ]

    # Directly and back: neither reads anything again.
    program.until(program.in_sync)
    program.matched.clear()
    program.choose(DIRECT)
    program.until(lambda: program.source == "Directly (P2P)" and program.in_sync())
    program.choose(NODE)
    program.until(lambda: program.source == "My node" and program.in_sync())
    assert program.balance() == 2 * PAID
    assert program.matched == []
    ledger = window.sync_model.snapshot.ledger if window.sync_model.snapshot else ()
    assert sum(str(program.server.port) in entry.host for entry in ledger) >= 2


def test_public_peers_take_over_while_the_node_is_away(program: Program, rig: RigLoop) -> None:
    window, node, server = program.window, program.node, program.server
    selector = program.online.selector
    assert selector is not None
    selector._source._times = FailOverTimes(at_start=3, later=3, while_asking=60, least_stay=4)
    type_node(program)
    window.settings.source.buttons[NODE_ELSE_DIRECT].setChecked(True)
    program.click("source_apply")
    answer_host_key(program)
    program.until(lambda: program.source == "My node" and program.in_sync())
    pay_in(program, PAID)
    program.until(lambda: program.balance() == PAID == program.counted())

    rig.run(server.stop())
    program.until(lambda: program.source == "Directly, my node is away")
    program.until(program.in_sync)
    snapshot = window.sync_model.snapshot
    assert snapshot is not None
    assert "while my node is away" in snapshot.source_words
    assert window.status.backend.text() == "Directly, my node is away"
    program.matched.clear()
    pay_in(program, PAID)
    program.until(lambda: program.balance() == 2 * PAID == program.counted())
    assert node.height in program.matched

    again = rig.run(start_again(server))
    try:
        program.until(lambda: program.source == "My node" and program.in_sync())
        assert program.balance() == 2 * PAID
        pay_in(program, PAID)
        program.until(lambda: program.balance() == 3 * PAID == program.counted())
    finally:
        rig.run(again.stop())


def test_the_rpc_password_is_in_the_wallet_and_nowhere_else(program: Program) -> None:
    window = program.window
    type_node(program)
    form = window.settings.source.form
    form.cookie_path.setText("")
    form.user.setText(RPC_USER)
    form.password.setText(RPC_PASSWORD)
    program.click("source_apply")
    answer_host_key(program)
    program.until(lambda: program.source == "My node" and program.in_sync())
    pay_in(program, PAID)
    program.until(lambda: program.balance() == PAID == program.counted())
    program.stop()
    for path in program.folder.rglob("*"):
        if path.is_file():
            assert RPC_PASSWORD.encode() not in path.read_bytes(), path

    # Started again: nothing is contacted before the wallet is open, and then nothing is asked.
    program.start()
    window = program.window
    program.until(lambda: window.sync_model.snapshot is not None)
    snapshot = window.sync_model.snapshot
    assert snapshot is not None
    assert "kept in a wallet file" in snapshot.detail
    assert snapshot.ledger == ()
    program.click("welcome_open_1")
    program.until(lambda: program.source == "My node" and program.in_sync())
    assert window.prompts.dialog is None
    assert program.balance() == PAID == program.counted()
    form = window.settings.source.form
    assert (form.user.text(), form.password.text()) == (RPC_USER, "")


def test_a_server_with_another_key_is_a_stop_until_it_is_forgotten(
    program: Program, rig: RigLoop
) -> None:
    """Reinstalled, or somebody else's: nothing goes on before the person has compared again."""
    window, card = program.window, program.window.settings.source
    type_node(program)
    program.click("source_apply")
    answer_host_key(program)
    program.until(lambda: program.source == "My node" and program.in_sync())
    rig.run(program.server.stop())
    with_other_key = rig.enter(running_sshd(port=program.server.port))
    with_other_key.authorized_keys.write_text(program.server.public_line + "\n")

    def problem() -> NodeProblem | None:
        snapshot = window.sync_model.snapshot
        return None if snapshot is None or snapshot.node is None else snapshot.node.problem

    program.until(lambda: problem() is not None)
    program.until(lambda: (p := problem()) is not None and p.code is Code.HOST_KEY_CHANGED)
    assert window.prompts.dialog is None
    assert "shows another key" in window.overview.sync_card.sentence.text()
    window.show_page("settings")
    program.click("source_test")
    program.until(card.test_button.isEnabled)
    assert card.panel.is_stop
    assert card.panel.steps.texts(3)[0] == "\N{BALLOT X}"
    assert window.prompts.dialog is None

    program.click("source_forget")
    program.until(lambda: "is forgotten" in card.notice.text)
    program.click("source_test_again")
    prompt = answer_host_key(program)
    assert prompt.fingerprint.text().replace(" ", "") == with_other_key.fingerprint()
    program.until(card.panel.use_button.isVisible)
    program.click("source_test_use")
    program.until(lambda: program.source == "My node" and program.in_sync())


def test_a_passphrase_is_asked_once_however_often_the_line_breaks(
    program: Program, tmp_path: Path
) -> None:
    window, server = program.window, program.server
    key = make_key(tmp_path / "locked_key", passphrase="four lamps")
    with server.authorized_keys.open("a") as file:
        file.write(key.with_suffix(".pub").read_text())
    type_node(program)
    window.settings.source.form.key_path.setText(str(key))
    program.click("source_test")
    asked: list[str] = []

    def answer() -> bool:
        """Answer what is asked, as a person would, and note it."""
        dialog = window.prompts.dialog
        if isinstance(dialog, SecretPrompt) and dialog.isVisible():
            asked.append("passphrase")
            QTest.keyClicks(dialog.edit, "four lamps")
            QTest.mouseClick(dialog.yes, Qt.MouseButton.LeftButton)
        elif isinstance(dialog, HostKeyPrompt) and dialog.isVisible():
            asked.append("host key")
            QTest.mouseClick(dialog.yes, Qt.MouseButton.LeftButton)
        return window.settings.source.panel.use_button.isVisible()

    program.until(answer)
    assert sorted(asked) == ["host key", "passphrase"]
    program.click("source_test_use")
    program.until(lambda: program.source == "My node" and program.in_sync())
    selector = program.online.selector
    assert selector is not None
    for _ in range(2):
        server.kill_sessions()
        program.until(lambda: not selector._source.serves_from_node)
        program.until(lambda: selector._source.serves_from_node)
    pay_in(program, PAID)
    program.until(lambda: program.balance() == PAID == program.counted())
    assert window.prompts.dialog is None
    assert len(asked) == 2
