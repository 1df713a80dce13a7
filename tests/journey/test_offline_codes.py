"""The online window and offline ones, with nothing between them but what a person carries.

QR codes, which each window reads off the screen that both are on, as a camera would; and files.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.command_line import PASSWORD, CommandLine
from tests.journey.codes import paid_by_codes_alone
from tests.journey.offline_machine import OFFLINE, OfflineMachine
from tests.journey.online_window import ONLINE, OnlineWindow
from tests.journey.screen import Screen, screen_in
from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.primitives.params import REGTEST

pytestmark = [pytest.mark.functional, pytest.mark.slow]

WIDE = "2600x1000x24"
"""Room for both windows side by side."""


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Screen]:
    with screen_in(tmp_path / "screen", WIDE) as screen:
        yield screen


@pytest.mark.alone  # codes are read while they change on the screen
def test_paired_asked_signed_and_sent_by_codes_alone(
    screen: Screen, node: Node, tmp_path: Path
) -> None:
    paid_by_codes_alone(screen, node, tmp_path)


def test_two_of_three_offline_windows_sign_for_the_online_one(
    screen: Screen, node: Node, tmp_path: Path
) -> None:
    node.mature()
    stick = tmp_path / "stick"
    stick.mkdir()
    signers = []
    keys = []
    for name in ("anna", "ben", "carla"):
        folder = tmp_path / name
        folder.mkdir()
        line = CommandLine(folder / "data", None)
        line.json("create", "--words-file", str(folder / "words"))
        key = stick / f"{name}.txt"
        key.write_text(f"{line.json('descriptor', 'key')['key']}\n", encoding="ascii")
        keys.append(key)
        signers.append(OfflineMachine(screen, folder, PASSWORD))
    online = OnlineWindow(screen, node, tmp_path / "online")
    online.start()
    shared = stick / "ours.txt"
    first = online.set_up_multisig("Ours", keys, shared)
    descriptor = shared.read_text(encoding="utf-8").strip()
    assert Descriptor.parse(descriptor, REGTEST).first_address == first
    online.is_paid_at(first)

    to = str(node.bank("getnewaddress"))
    online.ask_payment(to, "0.5")
    # Two of the three, one after the other, each at a window of their own.
    for number, who in enumerate((signers[0], signers[2])):
        asked = online.save_payment(stick / f"asked-{number}.psbt")
        who.start()
        who.join("Ours", descriptor)
        screen.wait_for(f"First address: {first}", OFFLINE)
        who.bring_file(asked)
        screen.wait_for(to, OFFLINE)
        screen.wait_for(f"Signatures: {number} of 2", OFFLINE)
        who.sign()
        signed = who.save_signed(stick / f"signed-{number}.psbt")
        who.stop()
        online.bring_back(signed)
        screen.wait_for("Compared with what you asked for: done", ONLINE)
        if number == 0:
            screen.wait_for("1 of 2 signatures are there", ONLINE)
    screen.wait_for("All signatures are there, and each was verified.", ONLINE)
    assert not node.mempool()
    txid = online.send()
    node.mine(1)
    sent = node.rpc("getrawtransaction", txid, True)
    assert sent["confirmations"] == 1
    assert any(output["scriptPubKey"].get("address") == to for output in sent["vout"])
