"""The window's memory never holds a secret: searched while it restores, is paid, pays and locks.

Real windows of both processes on a screen of their own, driven from outside. The same search finds
the same secrets in the vault while that is open, so it would find them in the window too.
"""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.hostile import processes
from tests.hostile.secret_needles import Needle, Search, needles
from tests.journey.screen import Screen, screen_in
from tests.patience import PATIENCE
from wallet_gui.primitives.params import REGTEST

ROOT = Path(__file__).resolve().parents[2]
WINDOW, VAULT = "play money (regtest)", "Vault"
WORDS = "scheme spot photo card baby mountain device kick cradle pact join borrow"  # of BIP39
PASSPHRASE = "Kanarienvögel-77 über Trafalgar"
PASSWORD = "Zügige Canary-Umbrella 1805"
ADDRESS = re.compile(r"bcrt1[a-z0-9]{20,80}")
PAID_SAT, BACK_SAT = 5_000_000, 1_000_000

pytestmark = [
    pytest.mark.functional,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/PID/mem"),
]


class Window:
    """The window process under test, and the search through it and what it leaves."""

    def __init__(self, screen: Screen, node: Node, home: Path) -> None:
        self.screen = screen
        self.home = home
        self.data = home / "data"
        self.output = home / "output"
        self.record = home / "record.json"
        (home / "tmp").mkdir(parents=True)
        environment = screen.environment | {
            "PYTHONPATH": str(ROOT),
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_DATA_HOME": str(home / "share"),
            "CANARY_RECORD": str(self.record),
        }
        with self.output.open("wb") as file:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    str(ROOT / "tests" / "journey" / "canary_window.py"),
                    *("--network", "regtest", "--data-dir", str(self.data)),
                    *("--peer", f"{node.host}:{node.p2p_port}"),
                ],
                env=environment,
                stdout=file,
                stderr=file,
            )
        self.searched = 0

    @property
    def pid(self) -> int:
        return self.process.pid

    def vault(self) -> int:
        """Wait for the vault that this window has open."""
        processes.seconds_until(lambda: bool(processes.vaults_of(self.pid)))
        return processes.vaults_of(self.pid)[0]

    def wallet_file(self) -> Path:
        (path,) = self.data.rglob("*.wallet")
        return path

    def search(self, wanted: list[Needle], moment: str) -> None:
        """Assert that no secret is in the window, the arguments, the environment or a file."""
        look = Search(wanted)
        for place, data in processes.memory(self.pid):
            self.searched += len(data)
            assert not look(data), f"{moment}: in the window's memory at {place}"
        for pid in processes.family_of(self.pid):
            assert not look(processes.command_line(pid)), moment
            assert not look(processes.environment(pid)), moment
        for path in self.home.rglob("*"):
            if path.is_file():
                assert not look(path.read_bytes()), f"{moment}: {path.name}"

    def end(self) -> None:
        print(f"the window ended: {self.process.poll()}; it said: {self.output.read_text()}")
        processes.kill(self.pid)
        self.process.wait()


@pytest.fixture
def window(tmp_path: Path, node: Node) -> Iterator[Window]:
    with screen_in(tmp_path / "screen") as screen:
        node.mature()
        window = Window(screen, node, tmp_path / "home")
        try:
            yield window
        finally:
            window.end()


def restore(window: Window) -> None:
    screen = window.screen
    screen.press("Restore a wallet", WINDOW)
    screen.press("Its words", WINDOW)
    screen.fill("Name of the wallet", "Canary", WINDOW)
    screen.press("Continue in the vault", WINDOW)
    screen.fill("Words", WORDS, VAULT)
    screen.press("Continue", VAULT)
    screen.fill("Passphrase", PASSPHRASE, VAULT)
    screen.fill("Passphrase once more", PASSPHRASE, VAULT)
    screen.press("Continue", VAULT)
    screen.wait_for("The wallet's fingerprint", VAULT)
    screen.press("Continue", VAULT)
    screen.fill("Password", PASSWORD, VAULT)
    screen.fill("Password once more", PASSWORD, VAULT)
    window.search(needles(WORDS, PASSPHRASE, PASSWORD, REGTEST, None), "while restoring")
    screen.press("Continue", VAULT)
    screen.press("Open the wallet", VAULT)
    screen.wait_for("Wallet: Canary", WINDOW)


def pay(window: Window, back: str, wanted: list[Needle]) -> None:
    screen = window.screen
    screen.press("Send", WINDOW)
    screen.fill("Pay to: address or bitcoin link", back, WINDOW)
    screen.fill("Amount in BTC", f"0.0{BACK_SAT}", WINDOW)
    screen.press("Review and sign", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    screen.press("Continue to the review", VAULT)
    screen.fill("Passphrase", PASSPHRASE, VAULT)
    screen.press("Continue", VAULT)
    screen.wait_for(back, VAULT)

    # The control: what the window must not hold, the vault holds now.
    look = Search(wanted)
    found = {name for _, data in processes.memory(window.vault()) for name in look(data)}
    assert "entropy" in found, found
    assert "root key" in found, found
    assert any(name.startswith("password (") for name in found), found
    assert any(name.startswith("passphrase (") for name in found), found
    window.search(wanted, "while the vault shows the review")
    screen.press("Sign", VAULT)


@pytest.mark.alone
def test_the_window_never_holds_a_secret(window: Window, node: Node) -> None:
    screen = window.screen
    restore(window)
    protections = json.loads(window.record.read_text())
    assert protections == {"dumpable": 0, "core": ["0", "0"]}
    file = window.wallet_file().read_bytes()
    wanted = needles(WORDS, PASSPHRASE, PASSWORD, REGTEST, file)
    assert len(wanted) > 500
    screen.wait_for("Sync: In sync", WINDOW)

    screen.press("Receive", WINDOW)
    screen.press("New address", WINDOW)
    shown = ADDRESS.search(screen.wait_for("Receive address: bcrt1", WINDOW))
    assert shown is not None
    node.fund(shown.group(), PAID_SAT)
    node.mine(1)
    screen.press("Overview", WINDOW)
    screen.wait_for("Confirmed: 0.05000000 BTC", WINDOW)
    pay(window, node.rpc("getnewaddress"), wanted)
    deadline = time.monotonic() + PATIENCE
    while not node.mempool() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(node.mempool()) == 1
    window.search(wanted, "after paying")

    screen.press("Lock the wallet", WINDOW)
    screen.press("Open wallet Canary", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    window.search(wanted, "while unlocking")
    screen.press("Unlock", VAULT)
    screen.wait_for("Wallet: Canary", WINDOW)
    screen.press("Lock the wallet", WINDOW)
    screen.wait_for("Open wallet Canary", WINDOW)
    window.search(wanted, "after locking")

    # What the window does hold, a public key of the wallet, is found in the same way.
    marker = Search([Needle("address", shown.group().encode())])
    assert any(marker(data) for _, data in processes.memory(window.pid))
    print(f"{len(wanted)} forms of the secrets, {window.searched >> 20} MiB searched")

    # Killed while the vault is open, the window takes the vault with it.
    screen.press("Open wallet Canary", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    vault = window.vault()
    processes.kill(window.pid)
    window.process.wait()
    assert processes.seconds_until(lambda: not processes.is_alive(vault)) < 1
    window_output = window.output.read_text()
    assert "Traceback" not in window_output, window_output
    assert os.listdir(window.home / "tmp") == []  # noqa: PTH208 - nothing is left there
