"""Takes the pictures of the README from the real windows, with a real node and play money.

    .venv/bin/python packaging/screenshots.py [light|dark ...]

They go to packaging/screenshots/. Needs what the journey test needs (tests/journey/screen.py).
"""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.functional.bitcoind import Node, NodeFactory  # noqa: E402
from tests.functional.sshd import Sshd, running_sshd  # noqa: E402
from tests.journey.offline_machine import OFFLINE, OfflineMachine  # noqa: E402
from tests.journey.screen import Screen, why_not  # noqa: E402
from tests.vault_with_cheap_kdf import KNOWN_WORDS  # noqa: E402

TARGET = ROOT / "packaging" / "screenshots"
WINDOW, VAULT = "play money (regtest)", "Vault"
PASSWORD = "four lamps walk home slowly"  # noqa: S105 - of a wallet that lives for a minute
IMPORT_FIELD = "Paste or type the wallet's export"
ROLLS = "52416 33125 64514 26631 15246 41355 2"
PAYMENTS = ((125_000_000, "Rent"), (4_200_000, "Lunch with Ada"), (61_803_398, "Invoice 2026-014"))


class Photographer:
    """Walks through the pages of one colour scheme and pictures each."""

    def __init__(self, screen: Screen, node: Node, scheme: str) -> None:
        self._screen = screen
        self._node = node
        self._scheme = scheme

    def walk(self) -> None:
        screen = self._screen
        screen.wait_for("Create a wallet", WINDOW)
        screen.wait_for("Sync: In sync", WINDOW)
        self._shoot("welcome", "play money")
        screen.press("Create a wallet", WINDOW)
        screen.fill("Name of the wallet", "Savings", WINDOW)
        self._shoot("create", "play money")
        screen.press("Continue in the vault", WINDOW)
        screen.wait_for("I have written them down", VAULT)
        self._shoot("vault-words", VAULT)
        screen.press("I have written them down", VAULT)
        screen.wait_for("Check what you wrote", VAULT)
        words = KNOWN_WORDS.split()
        for name in {n for n in screen.names(VAULT) if n.startswith("Word ")}:
            screen.fill(name, words[int(name.split()[1]) - 1], VAULT)
        screen.press("Continue", VAULT)
        screen.fill("Password", PASSWORD, VAULT)
        screen.fill("Password once more", PASSWORD, VAULT)
        self._shoot("vault-password", VAULT)
        screen.press("Continue", VAULT)
        screen.press("Open the wallet", VAULT, seconds=60)
        screen.wait_for("Wallet: Savings", WINDOW)
        for amount, label in PAYMENTS:
            self._node.fund(self._address(label), amount)
            self._node.mine(2)
        self._shoot("receive", "play money")
        self._pay()
        screen.press("History", WINDOW)
        screen.focus("Payments", WINDOW)
        screen.key("Home", "Return")
        self._shoot("history", "play money")
        screen.press("Overview", WINDOW)
        self._node.fund(self._address("Tip jar"), 250_000)
        screen.press("Overview", WINDOW)
        screen.wait_for("Incoming, unconfirmed: 0.00250000 BTC", WINDOW)
        self._shoot("overview", "play money")
        screen.press("Peers", WINDOW)
        self._shoot("peers", "play money")
        screen.press("All connections", WINDOW)
        self._shoot("connections", "play money")
        screen.press("Settings", WINDOW)
        self._shoot("settings", "play money")
        # By Tab the page scrolls: the last button of the card.
        screen.focus("Choose a folder", WINDOW)
        screen.key("Tab")
        self._shoot("backup", "play money")

    def walk_offline(self, machine: OfflineMachine, stick: Path) -> Path:
        """Picture the window that has no network; returns the account that it saved."""
        screen = self._screen
        machine.start()
        machine.create("Cold")
        self._shoot_dice()
        account = stick / "account.txt"
        machine.save_account(account)
        screen.press("Proof", OFFLINE)
        screen.wait_for("Network code in memory: Holds", OFFLINE)
        self._shoot("offline-proof", OFFLINE)
        machine.stop()
        return account

    def _shoot_dice(self) -> None:
        screen = self._screen
        screen.press("Wallets", OFFLINE)
        screen.press("Create a wallet", OFFLINE)
        screen.fill("Name of the wallet", "Dice", OFFLINE)
        screen.press("Mix in dice rolls", OFFLINE)
        screen.press("Continue in the vault", OFFLINE)
        screen.fill("Rolls of the die, numbers from 1 to 6", ROLLS, VAULT)
        self._shoot("vault-dice", VAULT)
        screen.press("Cancel", VAULT)

    def walk_watching(self, account: Path) -> None:
        """Watch the offline computer's wallet, and prepare a payment that is signed there."""
        screen = self._screen
        screen.press("Lock the wallet", WINDOW)
        screen.press("Watch a wallet", WINDOW)
        screen.fill(IMPORT_FIELD, account.read_text(), WINDOW)
        screen.press("Use this text", WINDOW)
        time.sleep(1)
        self._shoot("import", "play money")
        screen.fill("Name of the wallet", "Cold", WINDOW)
        screen.press("Go on", WINDOW)
        screen.fill("Password", PASSWORD, VAULT)
        screen.fill("Password once more", PASSWORD, VAULT)
        screen.press("Continue", VAULT)
        screen.press("Open the wallet", VAULT, seconds=60)
        screen.wait_for("Wallet: Cold", WINDOW)
        self._node.fund(self._address("Savings"), 80_000_000)
        self._node.mine(1)
        screen.press("Overview", WINDOW)
        # Its words are those of the other wallet, so that its payments are there, too.
        screen.wait_for("Amount (BTC): +0.80000000", WINDOW)
        screen.press("Send", WINDOW)
        to = str(self._node.rpc("getnewaddress", "", "bech32m"))
        screen.fill("Pay to: address or bitcoin link", to, WINDOW)
        screen.fill("Amount in BTC", "0.25", WINDOW)
        screen.press("Sign on my offline computer", WINDOW)
        screen.wait_for("Take it to the computer that signs", WINDOW)
        self._shoot("sign", "play money")

    def walk_node(self, server: Sshd) -> None:
        """Picture a node of one's own: the test of its connection, and the page when it is used."""
        screen = self._screen
        # One of the usual keys: nothing has to be said about it.
        usual = Path(screen.environment["HOME"]) / ".ssh"
        usual.mkdir(mode=0o700, exist_ok=True)
        shutil.copy(server.key_path, usual / "id_ed25519")
        screen.press("Settings", WINDOW)
        screen.press("My own node", WINDOW)
        screen.fill("Address of my node: ssh://user@host", server.target.text, WINDOW)
        # By Tab the page scrolls: up to here, and then down to the result.
        screen.focus("Address of my node: ssh://user@host", WINDOW)
        screen.key("Tab")
        screen.press("More settings", WINDOW)
        screen.fill("RPC port", str(self._node.rpc_port), WINDOW)
        screen.fill("P2P port", str(self._node.p2p_port), WINDOW)
        cookie = self._node.directory / self._node.network / ".cookie"
        screen.fill("Cookie file of the node", str(cookie), WINDOW)
        screen.press("Fewer settings", WINDOW)
        screen.press("Test connection", WINDOW)
        screen.press("It is the same: trust it")
        screen.wait_for("Use this node", WINDOW)
        screen.focus("Use this node", WINDOW)
        screen.key("Tab")
        self._shoot("node-test", "play money")
        screen.press("Use this node", WINDOW)
        screen.press("Peers", WINDOW)
        screen.press("Connected now", WINDOW)
        screen.wait_for("State: Connected", WINDOW)
        screen.wait_for("Last check against its coins: Every coin", WINDOW)
        self._shoot("node", "play money")

    def _address(self, label: str) -> str:
        screen = self._screen
        screen.press("Receive", WINDOW)
        screen.fill("Label: who pays, and for what", label, WINDOW)
        before = set(screen.names(WINDOW))
        screen.press("New address", WINDOW)
        while True:
            for name in set(screen.names(WINDOW)) - before:
                if name.startswith("Receive address: bcrt1"):
                    return name.removeprefix("Receive address: ")
            time.sleep(0.1)

    def _pay(self) -> None:
        screen = self._screen
        screen.press("Overview", WINDOW)
        total = sum(amount for amount, _ in PAYMENTS)
        screen.wait_for(f"Confirmed: {total // 10**8}.{total % 10**8:08d} BTC", WINDOW)
        screen.press("Send", WINDOW)
        back = str(self._node.rpc("getnewaddress", "", "bech32m"))
        screen.fill("Pay to: address or bitcoin link", back, WINDOW)
        screen.fill("Amount in BTC", "0.35", WINDOW)
        screen.fill("Label", "A bicycle", WINDOW)
        time.sleep(1)
        self._shoot("send", "play money")
        screen.press("Review and sign", WINDOW)
        screen.fill("Password", PASSWORD, VAULT)
        screen.press("Continue to the review", VAULT)
        screen.wait_for(back, VAULT)
        self._shoot("vault-review", VAULT)
        screen.press("Sign", VAULT)
        while not self._node.mempool():
            time.sleep(0.1)

    def _shoot(self, name: str, title: str) -> None:
        time.sleep(0.7)
        found = subprocess.run(
            ["xdotool", "search", "--onlyvisible", "--name", title],
            env=self._screen.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        path = TARGET / f"{name}-{self._scheme}.png"
        subprocess.run(
            ["import", "-window", found.stdout.split()[-1], "-strip", str(path)],
            env=self._screen.environment,
            check=True,
        )
        print(path.relative_to(ROOT))


async def _with_server(walk: Callable[[Sshd], None]) -> None:
    async with running_sshd() as server:
        await asyncio.to_thread(walk, server)


def main(schemes: list[str]) -> int:
    """Take the pictures; returns the exit status."""
    reason = why_not()
    if reason:
        print(f"No picture can be taken here: {reason}.", file=sys.stderr)
        return 1
    TARGET.mkdir(exist_ok=True)
    binary = subprocess.run(
        [sys.executable, ROOT / "packaging" / "bitcoind.py"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    for scheme in schemes:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            data = folder / "data"
            data.mkdir()
            (data / "settings.json").write_text(json.dumps({"format": 1, "appearance": scheme}))
            (folder / "screen").mkdir()
            nodes = NodeFactory(Path(binary), folder)
            try:
                node = nodes()
                node.mature()
                with Screen(folder / "screen") as screen:
                    screen.start(
                        [
                            sys.executable,
                            str(ROOT / "tests" / "journey" / "window.py"),
                            *("--network", "regtest", "--data-dir", str(data)),
                            *("--peer", f"{node.host}:{node.p2p_port}"),
                        ],
                        screen.environment | {"PYTHONPATH": str(ROOT)},
                    )
                    photographer = Photographer(screen, node, scheme)
                    photographer.walk()
                    cold = OfflineMachine(screen, folder / "cold")
                    cold.data.mkdir(parents=True)
                    (cold.data / "settings.json").write_text(
                        json.dumps({"format": 1, "appearance": scheme})
                    )
                    photographer.walk_watching(photographer.walk_offline(cold, folder))
                    asyncio.run(_with_server(photographer.walk_node))
            finally:
                nodes.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["light", "dark"]))
