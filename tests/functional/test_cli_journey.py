"""The whole way with the command line in real processes: create, be paid, pay, start again."""

import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node, to_btc
from tests.functional.command_line import PASSWORD, CommandLine, as_json
from tests.patience import PATIENCE
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.settings import DataDirectory


def wait_for_peer(node: Node, seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not any("/" in peer["subver"] for peer in node.rpc("getpeerinfo")):
        assert time.monotonic() < deadline, "the wallet did not connect"
        time.sleep(0.05)


def what_the_node_sends(node: Node, cli: CommandLine) -> tuple[Any, dict[str, int]]:
    """Run `balance`; also tell how many bytes of each kind of message the node sent."""
    listening = cli.start("balance", "--json", "--listen", "4")
    wait_for_peer(node)
    time.sleep(2)
    (peer,) = node.rpc("getpeerinfo")
    return as_json(listening), dict(peer["bytessent_per_msg"])


def filter_uses(root: Path) -> list[tuple[int, int]]:
    """Tell which files of filters there are and when each was last read or written."""
    path = DataDirectory(root, REGTEST).chain_db_path
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT file, used FROM filter_files ORDER BY file").fetchall()
    database.close()
    assert rows
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("cheap", [True, False], ids=["cheap password check", "production's"])
def test_the_whole_journey(node: Node, tmp_path: Path, *, cheap: bool) -> None:
    node.mature()
    cli = CommandLine(tmp_path / "data", node, cheap=cheap)
    words = tmp_path / "words.txt"

    # Create; the words go to a file that only its owner can read.
    created = cli.json("create", "--words-file", str(words))
    assert created["network"] == "regtest"
    assert len(words.read_text().split()) == 12
    assert words.stat().st_mode & 0o077 == 0
    assert [w["name"] for w in cli.json("wallets")] == ["wallet"]

    address = cli.json("address", "--label", "Anna")["address"]
    assert cli.json("balance")["total"] == 0

    # Paid while it listens: seen before any block has it.
    listening = cli.start("balance", "--json", "--listen", "8")
    wait_for_peer(node)
    time.sleep(1)
    paid = node.fund(address, 3 * COIN)
    seen = as_json(listening)
    assert (seen["incoming"], seen["confirmed"], seen["spendable"]) == (3 * COIN, 0, 0)
    (entry,) = cli.json("history")
    assert (entry["txid"], entry["net"], entry["height"]) == (paid, 3 * COIN, None)
    assert entry["label"] == "Anna"

    # Mined.
    node.mine(1)
    node.wait_for_filters()
    balance = cli.json("balance")
    descriptors = [text.partition("#")[0] for text in created["descriptors"]]
    both = [text.replace("<0;1>", chain) for text in descriptors for chain in "01"]
    assert balance["confirmed"] == node.scan_balance(both) == 3 * COIN
    assert balance["incoming"] == 0

    # Sent back, to two recipients.
    one, two = str(node.bank("getnewaddress")), str(node.bank("getnewaddress"))
    sent = cli.json("send", one, "1.25", "--to", f"{two}=0.5", "--fee-rate", "2.5", "--yes")
    assert sent["accepted"]
    assert sent["txid"] in node.mempool()
    entry = node.rpc("getmempoolentry", sent["txid"])
    assert sent["fee"] == int(entry["fees"]["base"] * COIN)
    assert sent["vsize"] == entry["vsize"]
    assert 2.5 <= sent["fee"] / sent["vsize"] < 2.6
    expected = 3 * COIN - 175_000_000 - sent["fee"]
    assert cli.json("balance", "--no-sync")["trusted_pending"] == expected
    node.mine(1)
    node.wait_for_filters()
    first, second = cli.json("history")
    assert (first["txid"], first["net"]) == (sent["txid"], -175_000_000 - sent["fee"])
    assert (first["fee"], first["confirmations"]) == (sent["fee"], 1)
    assert (second["txid"], second["confirmations"]) == (paid, 2)
    assert cli.json("balance")["confirmed"] == node.scan_balance(both) == expected

    # Once more: the same state, and nothing is fetched or matched again.
    uses = filter_uses(cli.root)
    again, sent_bytes = what_the_node_sends(node, cli)
    assert again["confirmed"] == expected
    assert filter_uses(cli.root) == uses
    # What a peer says of the filter headers is compared each time, with one message of 32 bytes a
    # block; filters and blocks are not asked for.
    assert sent_bytes.keys().isdisjoint({"cfilter", "block"}), sent_bytes
    assert sent_bytes["headers"] < 300, sent_bytes
    assert sent_bytes["cfheaders"] < 32 * (node.height + 10), sent_bytes
    assert cli.json("history") == [first, second]
    text = cli.run("balance", "--no-sync").stdout
    assert to_btc(expected) in text

    # Everything at once to one address leaves no change.
    swept = cli.json("send", one, "max", "--yes")
    assert swept["accepted"]
    node.mine(1)
    node.wait_for_filters()
    assert cli.json("balance")["total"] == 0 == node.scan_balance(both)


def test_a_wallet_restored_from_its_words_finds_its_payments(node: Node, tmp_path: Path) -> None:
    node.mature()
    cli = CommandLine(tmp_path / "data", node)
    words = tmp_path / "words.txt"
    created = cli.json("create", "--words-file", str(words), "--type", "tr")
    address = cli.json("address")["address"]
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    other = CommandLine(tmp_path / "other", node)
    restored = other.json("restore", "--type", "tr", "--words-file", str(words))
    assert restored["descriptors"] == created["descriptors"]
    assert other.json("balance")["confirmed"] == COIN


def test_one_password_line_on_standard_input_is_enough_to_pay(node: Node, tmp_path: Path) -> None:
    node.mature()
    cli = CommandLine(tmp_path / "data", node)
    stdin = f"{PASSWORD}\n"
    options = ("--password-file", "-")
    words = str(tmp_path / "words.txt")
    cli.json("create", *options, "--words-file", words, stdin=stdin, password=False)
    address = cli.json("address", *options, stdin=stdin, password=False)["address"]
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    to = str(node.bank("getnewaddress"))
    sent = cli.json("send", to, "0.1", "--yes", *options, stdin=stdin, password=False)
    assert sent["txid"] in node.mempool()
    wrong = cli.json("balance", *options, stdin="nonsense\n", status=3, password=False)
    assert wrong["status"] == 3
    assert "password" in wrong["error"].lower()


def test_psbts_go_out_and_come_back(node: Node, tmp_path: Path) -> None:
    node.mature()
    cli = CommandLine(tmp_path / "data", node)
    cli.json("create", "--words-file", str(tmp_path / "words.txt"))
    node.fund(cli.json("address")["address"], COIN)
    node.mine(1)
    node.wait_for_filters()
    to = str(node.bank("getnewaddress"))
    unsigned, signed = tmp_path / "unsigned.psbt", tmp_path / "signed.psbt"
    cli.json("psbt", "create", "--to", f"{to}=0.25", "--output", str(unsigned))
    shown = cli.json("psbt", "show", str(unsigned))
    assert 25_000_000 in [output["amount"] for output in shown["outputs"]]
    # A program that knows the transaction alone leaves the rest to the updater.
    bare, updated = tmp_path / "bare.psbt", tmp_path / "updated.psbt"
    psbt = Psbt.parse(unsigned.read_bytes())
    bare.write_text(Psbt.from_unsigned_tx(psbt.tx).to_version(2).serialize().hex())
    assert cli.json("psbt", "inspect", str(bare))["fee"] is None
    cli.json("psbt", "update", str(bare), "--output", str(updated))
    assert Psbt.parse(updated.read_bytes()).to_version(0) == psbt
    cli.json("psbt", "sign", str(updated), "--yes", "--output", str(signed))
    assert cli.json("psbt", "inspect", str(signed))["problems"] == []
    extracted = cli.json("psbt", "extract", str(signed))
    converted = cli.json("psbt", "convert", str(signed), "--psbt-version", "0")["psbt"]
    assert node.rpc("finalizepsbt", converted)["hex"] == extracted["hex"]
    signed.write_text(converted)
    analysed = node.rpc("analyzepsbt", converted)
    assert analysed["next"] in {"finalizer", "extractor"}
    sent = cli.json("psbt", "broadcast", str(signed))
    assert sent["accepted"]
    assert sent["txid"] in node.mempool()
    (first, _) = cli.json("history", "--no-sync")
    assert (first["txid"], first["height"]) == (sent["txid"], None)


@pytest.mark.slow
def test_a_second_program_and_a_silent_peer_get_a_sentence(node: Node, tmp_path: Path) -> None:
    node.mine(1)  # with the first block alone a node answers nothing
    cli = CommandLine(tmp_path / "data", node)
    cli.json("create", "--words-file", str(tmp_path / "words.txt"))
    listening = cli.start("balance", "--listen", "6", "--json")
    wait_for_peer(node)
    refused = cli.json("balance", status=1)
    assert "in use" in refused["error"]
    # What needs no chain still waits for the wallet's own lock only.
    assert "in use" in cli.json("address", status=1)["error"]
    assert as_json(listening)["total"] == 0
    offline = CommandLine(tmp_path / "data", None)
    assert "--peer" in offline.json("sync", status=2)["error"]
    assert offline.json("balance", "--no-sync")["total"] == 0
    nobody = offline.json("sync", "--peer", "127.0.0.1:1", "--timeout", "3", status=1)
    assert "127.0.0.1:1" in nobody["error"]
    # A node that is connected and says nothing.
    with node.frozen():
        silent = cli.json("sync", "--timeout", "3", status=1)
    assert silent["error"].endswith(".")


@pytest.mark.slow
def test_interrupted_and_killed_it_leaves_everything_usable(node: Node, tmp_path: Path) -> None:
    node.mine(1)
    cli = CommandLine(tmp_path / "data", node)
    cli.json("create", "--words-file", str(tmp_path / "words.txt"))
    told = [cli.json("address")["index"]]
    for signal_number, status in ((signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)):
        listening = cli.start("balance", "--json", "--listen", "60")
        wait_for_peer(node)
        time.sleep(1)
        listening.send_signal(signal_number)
        output, errors = listening.communicate(timeout=PATIENCE)
        assert listening.returncode == status
        assert output == ""
        assert "Traceback" not in errors
        told.append(cli.json("address")["index"])
        node.disconnect_all()
    assert told == [0, 1, 2]
