"""A person is paid, pays and comes back: the steps, at the real windows of both processes."""

import os
import re
import shutil
import subprocess
import time
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from tests.functional.bitcoind import COIN, Node
from tests.functional.sshd import Sshd
from tests.journey.program import FROM_SOURCE, Program
from tests.journey.screen import Screen
from tests.patience import PATIENCE

WINDOW, VAULT = "play money (regtest)", "Vault"
PASSWORD: Final = "four lamps walk home slowly"
PAID_SAT, BACK_SAT = 7_654_321, 2_000_000
# BIP173's example of a witness program, written for regtest: nobody's.
SOMEBODY: Final = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
_ADDRESS: Final = re.compile(r"bcrt1[a-z0-9]{20,80}")


class Person:
    """Sits at one window, which keeps its data in one folder."""

    def __init__(
        self, screen: Screen, node: Node, data: Path, program: Program = FROM_SOURCE
    ) -> None:
        self.screen = screen
        self.node = node
        self.data = data
        self.program = program
        self.process: subprocess.Popen[Any] | None = None

    def open_window(self, *options: str) -> None:
        self.process = self.screen.start(
            [*self.program.window, "--network", "regtest", "--data-dir", str(self.data), *options],
            self.screen.environment | dict(self.program.environment),
        )

    def close_window(self) -> None:
        """Close it with the keyboard; it must end well."""
        assert self.process is not None
        self.screen.close_window("play money")
        assert self.process.wait(PATIENCE) == 0

    @property
    def peer(self) -> tuple[str, str]:
        """The options of a window that is to connect to the node."""
        return "--peer", f"{self.node.host}:{self.node.p2p_port}"

    # --- the wallet

    def begin_wallet(self) -> None:
        """Go as far as the vault, or as what is asked before it."""
        self.screen.press("Create a wallet", WINDOW)
        self.screen.fill("Name of the wallet", "Journey", WINDOW)
        self.screen.press("Continue in the vault", WINDOW)

    def make_wallet(self) -> None:
        """Write the words down, type some of them, choose a password: all in the vault."""
        screen = self.screen
        screen.press("I have written them down", VAULT)
        screen.wait_for("Check what you wrote", VAULT)
        words = self.program.words()
        asked = sorted({name for name in screen.names(VAULT) if re.fullmatch(r"Word \d+", name)})
        assert len(asked) >= 3
        # With the keyboard, as a person types from paper.
        for name in asked:
            screen.focus(name, VAULT)
            screen.type(words[int(name.split()[1]) - 1])
        screen.press("Continue", VAULT)
        screen.fill("Password", PASSWORD, VAULT)
        screen.fill("Password once more", PASSWORD, VAULT)
        screen.press("Continue", VAULT)
        screen.press("Open the wallet", VAULT)
        screen.wait_for("Wallet: Journey", WINDOW)

    def open_wallet(self) -> None:
        self.screen.press("Open wallet Journey", WINDOW)
        self.screen.fill("Password", PASSWORD, VAULT)
        self.screen.press("Unlock", VAULT)

    # --- money

    def is_paid(self) -> int:
        """Be paid; seen before a block has it, then confirmed. Returns the balance."""
        address = self.new_address("A lamp")
        self.node.fund(address, PAID_SAT)
        self.screen.press("Overview", WINDOW)
        self.balance("Incoming, unconfirmed", PAID_SAT)
        self.node.mine(1)
        self.balance("Confirmed", PAID_SAT)
        assert self.node.scan_balance([f"addr({address})"]) == PAID_SAT
        return PAID_SAT

    def pays(self, has: int) -> int:
        """Pay through the review that the vault draws; returns what is left of the balance."""
        screen, node = self.screen, self.node
        back = node.rpc("getnewaddress")
        screen.press("Send", WINDOW)
        screen.fill("Pay to: address or bitcoin link", back, WINDOW)
        screen.fill("Amount in BTC", btc(BACK_SAT), WINDOW)
        screen.fill("Label", "A bicycle", WINDOW)
        self.signs(back)
        deadline = time.monotonic() + PATIENCE
        while not node.mempool() and time.monotonic() < deadline:
            time.sleep(0.1)
        (txid,) = node.mempool()
        fee = int(node.rpc("getmempoolentry", txid)["fees"]["base"] * 100_000_000)
        node.mine(1)
        left = has - BACK_SAT - fee
        screen.press("Overview", WINDOW)
        self.balance("Confirmed", left)
        history = screen.names(WINDOW)
        assert any(f"+{btc(PAID_SAT)}" in name for name in history)
        assert any(f"-{btc(BACK_SAT + fee)}" in name for name in history)
        return left

    def signs(self, to: str) -> None:
        """Look at the payment of BACK_SAT as the vault shows it, and agree."""
        screen = self.screen
        screen.press("Review and sign", WINDOW)
        screen.fill("Password", PASSWORD, VAULT)
        screen.press("Continue to the review", VAULT)
        screen.wait_for(to, VAULT)
        screen.wait_for(btc(BACK_SAT), VAULT)
        screen.press("Sign", VAULT)

    def finds_everything(self, left: int) -> None:
        """See what was there before the window was closed."""
        self.balance("Confirmed", left)
        self.screen.wait_for("Sync: In sync", WINDOW)
        names = self.screen.names(WINDOW)
        assert any(f"+{btc(PAID_SAT)}" in name for name in names)
        assert any("A lamp" in name for name in names)
        assert any("A bicycle" in name for name in names)

    def new_address(self, label: str) -> str:
        screen = self.screen
        screen.press("Receive", WINDOW)
        screen.fill("Label: who pays, and for what", label, WINDOW)
        screen.press("New address", WINDOW)
        shown = _ADDRESS.search(screen.wait_for("Receive address: bcrt1", WINDOW))
        assert shown is not None
        link = screen.wait_for("QR code of the payment request: bitcoin:", WINDOW)
        assert shown.group() in link
        return shown.group()

    def balance(self, caption: str, sat: int) -> None:
        self.screen.wait_for(f"{caption}: {btc(sat)} BTC", WINDOW)

    def picture(self, name: str) -> None:
        """Keep what the screen shows, where JOURNEY_PICTURES says."""
        pictures = os.environ.get("JOURNEY_PICTURES")
        if pictures:
            self.screen.save_picture(Path(pictures) / f"{name}.png")


def btc(sat: int) -> str:
    return f"{Decimal(sat) / 100_000_000:.8f}"


def by_p2p(person: Person) -> None:
    """The whole of it, with a node that is met as any peer is."""
    person.node.mature()
    person.open_window(*person.peer)
    person.begin_wallet()
    person.make_wallet()
    person.screen.wait_for("Sync: In sync", WINDOW)
    left = person.pays(person.is_paid())
    # Closed and opened again: everything is there, and nothing was read twice.
    person.close_window()
    person.open_window(*person.peer)
    person.open_wallet()
    person.finds_everything(left)
    # A hundred blocks' filters were not asked for again.
    assert _filters_served(person.node) < 1_000
    person.picture("journey-p2p")


def in_the_playground(person: Person) -> None:
    """With the bitcoind that the program itself starts, which gives money and finds blocks."""
    screen = person.screen
    person.open_window("--playground")
    person.begin_wallet()
    person.make_wallet()
    # A block comes by itself, too: what is not confirmed yet may be at any moment.
    screen.press("Mine a block", WINDOW)
    person.balance("Confirmed", COIN)
    screen.press("Send", WINDOW)
    screen.fill("Pay to: address or bitcoin link", SOMEBODY, WINDOW)
    screen.fill("Amount in BTC", btc(BACK_SAT), WINDOW)
    person.signs(SOMEBODY)
    screen.wait_for("Wallet: Journey", WINDOW)
    screen.press("Overview", WINDOW)
    screen.wait_for(f"-{btc(BACK_SAT)[:6]}", WINDOW)
    screen.press("Mine a block", WINDOW)
    screen.wait_for(f"Confirmed: {btc(COIN - BACK_SAT - 1)[:5]}", WINDOW)
    person.picture("journey-playground")
    person.close_window()


def through_ssh(person: Person, server: Sshd) -> None:
    """The same with the person's own node, reached through SSH and by nothing else."""
    person.node.mature()
    person.open_window()
    person.begin_wallet()
    _name_node(person, server)
    # The question about the server took the keyboard from the vault.
    person.screen.wait_for("I have written them down", VAULT)
    person.screen.activate(VAULT)
    person.make_wallet()
    # Only the node of the person is listed, and the way to it.
    _wait_for_node(person)
    left = person.pays(person.is_paid())
    person.close_window()
    assert not person.node.rpc("getpeerinfo"), "the node was also met as a peer"
    person.open_window()
    person.open_wallet()
    # The server is known by now: nothing is asked again.
    person.finds_everything(left)
    _wait_for_node(person)
    person.picture("journey-ssh")


def _name_node(person: Person, server: Sshd) -> None:
    """Answer where the chain comes from, and compare the fingerprint of the server."""
    screen, node = person.screen, person.node
    # The key that ssh takes by itself, too.
    keys = Path(screen.environment["HOME"]) / ".ssh"
    keys.mkdir(mode=0o700)
    shutil.copy(server.key_path, keys / "id_ed25519")
    screen.press("My own node", WINDOW)
    screen.fill("Address of my node: ssh://user@host", server.target.text, WINDOW)
    screen.press("More settings", WINDOW)
    screen.fill("RPC port", str(node.rpc_port), WINDOW)
    screen.fill("P2P port", str(node.p2p_port), WINDOW)
    cookie = node.directory / "regtest" / ".cookie"
    screen.fill("Cookie file of the node", str(cookie), WINDOW)
    screen.press("Continue in the vault", WINDOW)
    shown = screen.wait_for("Fingerprint: SHA256:")
    assert server.fingerprint() in shown.replace(" ", "")
    screen.press("It is the same: trust it")


def _wait_for_node(person: Person) -> None:
    person.screen.wait_for("My node", WINDOW)
    person.screen.wait_for("Sync: In sync", WINDOW)


def _filters_served(node: Node) -> int:
    """Bytes of filters that the present connections were sent."""
    return sum(peer["bytessent_per_msg"].get("cfilter", 0) for peer in node.rpc("getpeerinfo"))
