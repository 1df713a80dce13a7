"""One person's journey through the real windows of both processes, on a screen of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.journey.screen import Screen, why_not
from tests.patience import PATIENCE
from tests.vault_with_cheap_kdf import KNOWN_WORDS

ROOT = Path(__file__).resolve().parents[2]
WINDOW, VAULT = "play money (regtest)", "Vault"
PASSWORD = "four lamps walk home slowly"
PAID_SAT, BACK_SAT = 7_654_321, 2_000_000
ADDRESS = re.compile(r"bcrt1[a-z0-9]{20,80}")

pytestmark = [pytest.mark.functional, pytest.mark.slow]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    reason = why_not()
    if reason:
        pytest.skip(f"no real window can be driven here: {reason}")
    folder = tmp_path / "screen"
    folder.mkdir()
    with Screen(folder) as screen:
        yield screen


def _open_window(screen: Screen, node: Node, data: Path) -> subprocess.Popen[bytes]:
    environment = screen.environment | {"PYTHONPATH": str(ROOT)}
    return screen.start(
        [
            sys.executable,
            str(ROOT / "tests" / "journey" / "window.py"),
            *("--network", "regtest", "--data-dir", str(data)),
            *("--peer", f"{node.host}:{node.p2p_port}"),
        ],
        environment,
    )


def _create_wallet(screen: Screen) -> None:
    words = KNOWN_WORDS.split()
    screen.press("Create a wallet", WINDOW)
    screen.fill("Name of the wallet", "Journey", WINDOW)
    screen.press("Continue in the vault", WINDOW)
    screen.press("I have written them down", VAULT)
    screen.wait_for("Check what you wrote", VAULT)
    asked = sorted({n for n in screen.names(VAULT) if re.fullmatch(r"Word \d+", n)})
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


def _new_address(screen: Screen, label: str) -> str:
    screen.press("Receive", WINDOW)
    screen.fill("Label: who pays, and for what", label, WINDOW)
    screen.press("New address", WINDOW)
    shown = ADDRESS.search(screen.wait_for("Receive address: bcrt1", WINDOW))
    assert shown is not None
    link = screen.wait_for("QR code of the payment request: bitcoin:", WINDOW)
    assert shown.group() in link
    return shown.group()


def _btc(sat: int) -> str:
    return f"{Decimal(sat) / 100_000_000:.8f}"


def _balance(screen: Screen, caption: str, sat: int) -> None:
    screen.wait_for(f"{caption}: {_btc(sat)} BTC", WINDOW)


def test_a_person_is_paid_pays_and_comes_back(screen: Screen, node: Node, tmp_path: Path) -> None:
    node.mature()
    data = tmp_path / "data"
    window = _open_window(screen, node, data)
    _create_wallet(screen)
    screen.wait_for("Sync: In sync", WINDOW)

    # Paid, seen before a block has it, then confirmed.
    address = _new_address(screen, "A lamp")
    node.fund(address, PAID_SAT)
    screen.press("Overview", WINDOW)
    _balance(screen, "Incoming, unconfirmed", PAID_SAT)
    node.mine(1)
    _balance(screen, "Confirmed", PAID_SAT)
    assert node.scan_balance([f"addr({address})"]) == PAID_SAT

    # Some is sent back, through the review that the vault draws.
    back = node.rpc("getnewaddress")
    screen.press("Send", WINDOW)
    screen.fill("Pay to: address or bitcoin link", back, WINDOW)
    screen.fill("Amount in BTC", _btc(BACK_SAT), WINDOW)
    screen.fill("Label", "A bicycle", WINDOW)
    screen.press("Review and sign", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    screen.press("Continue to the review", VAULT)
    screen.wait_for(back, VAULT)
    screen.wait_for(_btc(BACK_SAT), VAULT)
    screen.press("Sign", VAULT)
    deadline = time.monotonic() + PATIENCE
    while not node.mempool() and time.monotonic() < deadline:
        time.sleep(0.1)
    (txid,) = node.mempool()
    fee = int(node.rpc("getmempoolentry", txid)["fees"]["base"] * 100_000_000)
    node.mine(1)
    left = PAID_SAT - BACK_SAT - fee
    screen.press("Overview", WINDOW)
    _balance(screen, "Confirmed", left)
    history = screen.names(WINDOW)
    assert any(f"+{_btc(PAID_SAT)}" in name for name in history)
    assert any(f"-{_btc(BACK_SAT + fee)}" in name for name in history)

    # Closed and opened again: everything is there, and nothing was read twice.
    screen.close_window("play money")
    assert window.wait(PATIENCE) == 0
    _open_window(screen, node, data)
    screen.press("Open wallet Journey", WINDOW)
    screen.fill("Password", PASSWORD, VAULT)
    screen.press("Unlock", VAULT)
    _balance(screen, "Confirmed", left)
    screen.wait_for("Sync: In sync", WINDOW)
    again = screen.names(WINDOW)
    assert any(f"+{_btc(PAID_SAT)}" in name for name in again)
    assert any("A lamp" in name for name in again)
    assert any("A bicycle" in name for name in again)
    # A hundred blocks' filters were not asked for again.
    assert _filters_served(node) < 1_000
    pictures = os.environ.get("JOURNEY_PICTURES")
    if pictures:
        screen.picture(Path(pictures) / "journey.png")


def _filters_served(node: Node) -> int:
    """Bytes of filters that the present connections were sent."""
    return sum(peer["bytessent_per_msg"].get("cfilter", 0) for peer in node.rpc("getpeerinfo"))
