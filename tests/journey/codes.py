"""A payment that is signed without a network: the steps, at an online and an offline window."""

from pathlib import Path

from tests.functional.bitcoind import Node
from tests.journey.offline_machine import OFFLINE, VAULT, OfflineMachine
from tests.journey.online_window import ONLINE, SHOWN_OFFLINE, SHOWN_ONLINE, OnlineWindow
from tests.journey.program import FROM_SOURCE, Program
from tests.journey.screen import Screen


def paid_by_codes_alone(
    screen: Screen, node: Node, folder: Path, program: Program = FROM_SOURCE
) -> None:
    """Pair, ask, sign and send, with nothing but codes between the two windows."""
    node.mature()
    cold = OfflineMachine(screen, folder / "cold", program=program)
    online = OnlineWindow(screen, node, folder / "online", program)
    cold.start()
    cold.create("Cold")
    online.start()
    online.side_by_side()

    # Paired: the account as codes, the first address compared in both windows.
    screen.press("Pair", OFFLINE)
    first = online.pair_by_codes("Watch")
    assert first.startswith("bcrt1q")
    online.is_paid_at(first)

    # Asked for: over to the offline window, which shows the same payment before the vault does.
    to = str(node.bank("getnewaddress"))
    online.ask_payment(to, "0.75")
    screen.press("Show as QR codes", ONLINE)
    screen.press("Sign", OFFLINE)
    online.film(SHOWN_ONLINE, OFFLINE, "Network fee")
    screen.wait_for(to, OFFLINE)
    screen.wait_for("0.75000000 BTC", OFFLINE)
    screen.press("It is there: go on", ONLINE)
    cold.sign()
    screen.wait_for("Transaction", OFFLINE)

    # And back: compared with what was asked for, then sent.
    screen.press("Show as QR codes", OFFLINE)
    online.film(SHOWN_OFFLINE, ONLINE, "Compared with what you asked for: done")
    assert not node.mempool()
    txid = online.send()
    node.mine(1)
    sent = node.rpc("getrawtransaction", txid, True)
    assert sent["confirmations"] == 1
    assert any(output["scriptPubKey"].get("address") == to for output in sent["vout"])
    screen.press("Overview", ONLINE)
    screen.wait_for("Confirmed: 1.2", ONLINE)

    # The offline window was locked meanwhile by nobody, and ends well.
    screen.press("Proof", OFFLINE)
    screen.wait_for("Sockets asked of the system just now: Holds", OFFLINE)
    assert VAULT not in screen.names()
