"""The command line where nobody answers, where a node is of no use, and while one listens."""

import time
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.command_line import CommandLine, as_json
from tests.functional.test_cli_journey import wait_for_peer
from tests.patience import PATIENCE

pytestmark = pytest.mark.alone  # what is told within so many seconds


def test_nobody_to_reach_is_told_soon_and_tried_for_longer(tmp_path: Path) -> None:
    cli = CommandLine(tmp_path / "data", None)
    cli.json("create", "--words-file", str(tmp_path / "words.txt"))
    nobody = ("--peer", "127.0.0.1:1", "--only-peers")
    for command in (("sync", "--timeout", "9"), ("peers", "--wait", "9")):
        began = time.monotonic()
        process = cli.start(*command, *nobody)
        assert process.stderr is not None
        told = process.stderr.readline()
        after = time.monotonic() - began
        assert "No peer answers." in told
        assert "127.0.0.1:1" in told
        assert "Trying for 5 s more." in told
        assert 4 <= after < 9, "the start of the program included"
        process.communicate(timeout=PATIENCE)
        assert time.monotonic() - began >= 9
        assert process.returncode == 1


def test_what_to_do_about_a_node_without_filters(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = node_factory("-peerblockfilters=0", "-blockfilterindex=0")
    node.mine(1)
    cli = CommandLine(tmp_path / "data", node)
    began = time.monotonic()
    told = cli.run("peers", "--only-peers", password=False)
    assert time.monotonic() - began < 12, "it does not look for the whole time"
    assert "-blockfilterindex=1 -peerblockfilters=1" in told.stdout
    assert f"127.0.0.1:{node.p2p_port} does not serve compact filters" in told.stdout
    (peer,) = cli.json("peers", "--only-peers", password=False)
    assert "-peerblockfilters=1" in peer["note"]


def test_announcements_while_one_listens(node: Node, tmp_path: Path) -> None:
    """`--relay receiving`: nobody announces payments to us before `--listen` begins."""
    node.mine(1)
    cli = CommandLine(tmp_path / "data", node)
    cli.json("create", "--words-file", str(tmp_path / "words.txt"))
    address = cli.json("address")["address"]
    node.mature()
    listening = cli.start("balance", "--relay", "receiving", "--listen", "12", "--json")
    wait_for_peer(node)
    time.sleep(4)
    node.fund(address, 50_000_000)
    assert as_json(listening)["incoming"] == 50_000_000
