"""Keys that never meet the network: an offline window, an online side, and files or codes between.

The two sides share nothing but what a person carries from one to the other.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bitcoind import COIN, Node
from tests.functional.command_line import PASSWORD, CommandLine
from tests.journey.offline_machine import OFFLINE, VAULT, OfflineMachine
from tests.journey.online_window import ONLINE, OnlineWindow
from tests.journey.screen import Screen, screen_in
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.params import REGTEST

pytestmark = [pytest.mark.functional, pytest.mark.slow]


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with screen_in(tmp_path / "screen") as screen:
        yield screen


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_payment_goes_to_the_offline_window_and_back(
    screen: Screen, node: Node, tmp_path: Path
) -> None:
    node.mature()
    stick = _folder(tmp_path / "stick")
    cold = OfflineMachine(screen, _folder(tmp_path / "cold"))
    cold.start()
    screen.wait_for("Network blocked by the system", OFFLINE)
    cold.create("Cold")

    # Paired by a file; both sides show the same first address.
    account = stick / "account.txt"
    cold.save_account(account)
    online = CommandLine(_folder(tmp_path / "online") / "data", node)
    imported = online.json("descriptor", "import", str(account), "--wallet", "watch")
    assert imported["watch_only"]
    screen.wait_for(f"First address: {imported['first_addresses'][0]}", OFFLINE)

    address = online.json("address")["address"]
    node.fund(address, 2 * COIN)
    node.mine(1)
    node.wait_for_filters()
    assert online.json("balance")["confirmed"] == 2 * COIN

    # By file.
    to = str(node.bank("getnewaddress"))
    asked = stick / "pay.psbt"
    options = ("--fee-rate", "3", "--output")
    online.json("psbt", "create", "--to", f"{to}=0.5", *options, str(asked))
    cold.bring_file(asked)
    screen.wait_for(to, OFFLINE)
    screen.wait_for("0.50000000 BTC", OFFLINE)
    cold.sign()
    signed = cold.save_signed(stick / "pay-signed.psbt")
    sent = online.json("psbt", "broadcast", str(signed), "--wallet", "watch")
    assert sent["accepted"]
    node.mine(1)
    node.wait_for_filters()
    assert node.rpc("getrawtransaction", sent["txid"], True)["confirmations"] == 1

    # By codes, there and back.
    asked = stick / "second.psbt"
    online.json("sync")
    online.json("psbt", "create", "--to", f"{to}=0.25", *options, str(asked))
    screen.press("Sign another payment", OFFLINE)
    assert cold.bring_codes(asked.read_bytes(), stick) > 1
    screen.wait_for("0.25000000 BTC", OFFLINE)
    cold.sign()
    back = stick / "second-signed.psbt"
    back.write_bytes(cold.film_signed())
    sent = online.json("psbt", "broadcast", str(back), "--wallet", "watch")
    assert sent["accepted"]
    node.mine(1)
    node.wait_for_filters()
    first = online.json("history")[0]
    assert (first["txid"], first["confirmations"]) == (sent["txid"], 1)

    # What the window says of itself, once more, and a good end.
    screen.press("Proof", OFFLINE)
    screen.wait_for("Sockets asked of the system just now: Holds", OFFLINE)
    screen.wait_for("Network code in memory: Holds", OFFLINE)
    cold.stop()


def test_two_of_three_signers_without_a_network(screen: Screen, node: Node, tmp_path: Path) -> None:
    node.mature()
    stick = _folder(tmp_path / "stick")
    signers = []
    keys = []
    for name in ("anna", "ben", "carla"):
        folder = _folder(tmp_path / name)
        line = CommandLine(folder / "data", None)
        line.json("create", "--words-file", str(folder / "words"))
        keys.append(line.json("descriptor", "key")["key"])
        signers.append(OfflineMachine(screen, folder, PASSWORD))
    online = CommandLine(_folder(tmp_path / "online") / "data", node)
    descriptor = online.json("descriptor", "multisig", *keys, "--required", "2")["descriptor"]
    shared = stick / "ours.txt"
    shared.write_text(f"{descriptor}\n")
    online.json("descriptor", "import", str(shared), "--wallet", "watch")
    address = online.json("address")["address"]
    assert address == Descriptor.parse(descriptor, REGTEST).first_address
    node.fund(address, 2 * COIN)
    node.mine(1)
    node.wait_for_filters()
    online.json("sync")
    to = str(node.bank("getnewaddress"))
    carried = stick / "pay.psbt"
    options = ("--fee-rate", "3", "--output", str(carried))
    online.json("psbt", "create", "--to", f"{to}=0.5", *options)

    # Two of the three, one after the other, each at a window of their own.
    for number, who in enumerate((signers[0], signers[2]), start=1):
        who.start()
        who.join("ours", descriptor)
        screen.wait_for(f"First address: {address}", OFFLINE)
        who.bring_file(carried)
        screen.wait_for(to, OFFLINE)
        screen.wait_for(f"Signatures: {number - 1} of 2", OFFLINE)
        who.sign()
        carried = who.save_signed(stick / f"signed-{number}.psbt")
        if number == 1:
            short = online.run("psbt", "broadcast", str(carried), "--wallet", "watch")
            assert short.returncode != 0
        who.stop()

    sent = online.json("psbt", "broadcast", str(carried), "--wallet", "watch")
    assert sent["accepted"]
    node.mine(1)
    node.wait_for_filters()
    first = online.json("history")[0]
    assert (first["txid"], first["confirmations"]) == (sent["txid"], 1)


def test_both_windows_side_by_side(screen: Screen, node: Node, tmp_path: Path) -> None:
    """The online, watch-only window and the offline one: two processes, and a file between them."""
    node.mature()
    stick = _folder(tmp_path / "stick")
    cold = OfflineMachine(screen, _folder(tmp_path / "cold"))
    cold.start()
    cold.create("Cold")
    account = stick / "account.txt"
    cold.save_account(account)
    line = CommandLine(_folder(tmp_path / "online") / "data", node)
    line.json("descriptor", "import", str(account), "--wallet", "watch")
    node.fund(line.json("address")["address"], 2 * COIN)
    node.mine(1)
    node.wait_for_filters()

    online = OnlineWindow(screen, node, line.root)
    online.start()
    screen.press("Open wallet watch", ONLINE)
    screen.fill("Password", PASSWORD, VAULT)
    screen.press("Unlock", VAULT)
    screen.wait_for("Confirmed: 2.00000000 BTC", ONLINE)

    # Asked for at one window, signed at the other, compared and sent at the first.
    to = str(node.bank("getnewaddress"))
    online.ask_payment(to, "0.75")
    asked = online.save_payment(stick / "asked.psbt")
    cold.bring_file(asked)
    screen.wait_for(to, OFFLINE)
    cold.sign()
    signed = cold.save_signed(stick / "signed.psbt")
    online.bring_back(signed)
    screen.wait_for("Compared with what you asked for: done", ONLINE)
    txid = online.send()
    node.mine(1)
    assert node.rpc("getrawtransaction", txid, True)["confirmations"] == 1
    screen.press("Overview", ONLINE)
    screen.wait_for("Confirmed: 1.2", ONLINE)
