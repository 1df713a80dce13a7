"""The online window with wallets that only watch: what they ask for is signed elsewhere."""

import time
from collections.abc import Sequence
from pathlib import Path

from tests.functional.bitcoind import COIN, Node
from tests.journey.offline_machine import OFFLINE, PASSWORD, VAULT
from tests.journey.program import FROM_SOURCE, Program
from tests.journey.screen import Screen
from tests.patience import PATIENCE

ONLINE = "play money (regtest)"
_SAMPLE = 0.3
_LOOK = 4.0
"""Seconds in which all codes have been on screen once."""

SHOWN_OFFLINE, SHOWN_ONLINE = "Offline, regtest", "play money"
"""What the X server knows the windows by."""


class OnlineWindow:
    """One window that talks to one node, on the screen of an offline one."""

    def __init__(
        self, screen: Screen, node: Node, data: Path, program: Program = FROM_SOURCE
    ) -> None:
        self.screen = screen
        self.program = program
        self.node = node
        self.data = data

    def start(self) -> None:
        """Open the window."""
        self.screen.start(
            [
                *self.program.window,
                *("--network", "regtest", "--data-dir", str(self.data)),
                *("--peer", f"{self.node.host}:{self.node.p2p_port}"),
            ],
            self.screen.environment | dict(self.program.environment),
        )
        self.screen.wait_for("Pair with my offline computer", ONLINE)

    # --- codes

    def side_by_side(self) -> None:
        """Put this window beside the offline one."""
        self.screen.place(SHOWN_OFFLINE, 0, 0, 1240, 950)
        self.screen.place(SHOWN_ONLINE, 1260, 0, 1300, 950)

    def watch_the_screen(self, window: str) -> None:
        """Let a window film the whole screen, the other window with it."""
        self.screen.press("Scan QR codes", window)
        self.screen.press("Watch the screen", window)
        self.screen.wait_for("Draw a frame around the QR code")
        self.screen.key("Return")

    def film(self, shown_by: str, read_by: str, sign: str) -> str:
        """Let one window film the codes of the other until it shows `sign`; returns it whole.

        The person scrolls until all of the code is in sight.
        """
        self.watch_the_screen(read_by)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.screen.wait_for(sign, read_by, _LOOK)
            except LookupError:
                if time.monotonic() > deadline:
                    raise
            self.screen.wheel(shown_by, 1)

    # --- wallets

    def pair_by_codes(self, name: str) -> str:
        """Pair with the account that the offline window shows; returns the first address."""
        screen = self.screen
        screen.press("Pair with my offline computer", ONLINE)
        shown = self.film(SHOWN_OFFLINE, ONLINE, "First address on this computer")
        address = shown.rsplit(" ", 1)[-1]
        # The same one stands on the other screen.
        screen.wait_for(f"First address: {address}", OFFLINE)
        screen.fill("Name of the wallet", name, ONLINE)
        screen.press("Both screens show this address", ONLINE)
        screen.press("Go on", ONLINE)
        self.set_password(name)
        return address

    def set_password(self, name: str) -> None:
        """Give a wallet that only watches its password, in the vault."""
        screen = self.screen
        screen.fill("Password", PASSWORD, VAULT)
        screen.fill("Password once more", PASSWORD, VAULT)
        screen.press("Continue", VAULT)
        screen.press("Open the wallet", VAULT)
        screen.wait_for(f"Wallet: {name}", ONLINE)

    def set_up_multisig(self, name: str, keys: Sequence[Path], shared: Path) -> str:
        """Put a 2 of 3 together from the files of its keys; returns its first address.

        `shared` is the file that every cosigner gets.
        """
        screen = self.screen
        screen.press("Shared wallet (multisig)", ONLINE)
        screen.press("Set up a new one", ONLINE)
        for number, key in enumerate(keys, start=1):
            screen.press("Open a file\u2026", ONLINE)
            self.choose("Open an export", "Open", key)
            screen.wait_for(f"Label of cosigner {number}", ONLINE)
            screen.fill(f"Label of cosigner {number}", key.stem, ONLINE)
        screen.press("Go on", ONLINE)
        first = screen.wait_for("First address of the shared wallet: bcrt1", ONLINE)
        screen.press("Save to a file", ONLINE)
        self.choose("Save the export", "Save", shared)
        self.wait_for_file(shared)
        screen.press("Every cosigner sees this address", ONLINE)
        screen.fill("Name of the wallet", name, ONLINE)
        screen.press("Go on", ONLINE)
        self.set_password(name)
        return first.rsplit(" ", 1)[-1]

    # --- files

    def choose(self, title: str, button: str, path: Path) -> None:
        """Answer a file dialog."""
        self.screen.fill("File name:", str(path), title)
        self.screen.press(button, title)

    def wait_for_file(self, path: Path) -> Path:
        deadline = time.monotonic() + PATIENCE
        while not path.exists():
            assert time.monotonic() < deadline, path
            time.sleep(_SAMPLE)
        return path

    def save_payment(self, path: Path) -> Path:
        """Save what is to be signed elsewhere."""
        self.screen.press("Save to a file\u2026", ONLINE)
        self.choose("Save the payment", "Save", path)
        return self.wait_for_file(path)

    def bring_back(self, path: Path) -> None:
        """Open what another signer wrote."""
        self.screen.press("Open a file\u2026", ONLINE)
        self.choose("Open a payment", "Open", path)

    def receive(self) -> str:
        """Ask for a new address."""
        screen = self.screen
        screen.press("Receive", ONLINE)
        screen.press("New address", ONLINE)
        return screen.wait_for("Receive address: bcrt1", ONLINE).rsplit(" ", 1)[-1]

    # --- payments

    def is_paid_at(self, first: str) -> None:
        """Be paid two coins at the first address, which was compared before."""
        screen, node = self.screen, self.node
        assert self.receive() == first
        node.fund(first, 2 * COIN)
        node.mine(1)
        node.wait_for_filters()
        screen.press("Overview", ONLINE)
        screen.wait_for("Confirmed: 2.00000000 BTC", ONLINE)

    def ask_payment(self, to: str, amount: str) -> None:
        """Prepare a payment on the page Send, to be signed elsewhere."""
        screen = self.screen
        screen.press("Send", ONLINE)
        screen.fill("Pay to: address or bitcoin link", to, ONLINE)
        screen.fill("Amount in BTC", amount, ONLINE)
        screen.press("Sign on my offline computer", ONLINE)
        screen.wait_for("Payment to be signed elsewhere", ONLINE)

    def send(self) -> str:
        """Send what came back signed; returns its txid, from the node's mempool."""
        self.screen.press("Send the payment", ONLINE)
        deadline = time.monotonic() + PATIENCE
        while not self.node.mempool():
            assert time.monotonic() < deadline, self.screen.names(ONLINE)
            time.sleep(_SAMPLE)
        (txid,) = self.node.mempool()
        return str(txid)
