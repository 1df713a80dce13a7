"""The online commands with a node of one's own: through a real sshd, and on this computer."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node, NodeFactory
from tests.functional.command_line import CommandLine
from tests.functional.doctor_rows import NO_PORT, cookie_of
from tests.functional.sshd import Sshd, running_sshd

WORDS = "words.txt"


@pytest.fixture(scope="module")
def node(module_node: Node) -> Node:
    module_node.mature()
    return module_node


@pytest.fixture
def server() -> Iterator[Sshd]:
    """A real sshd; its loop runs nothing else."""
    with asyncio.Runner() as runner, contextlib.ExitStack() as stack:
        context = running_sshd()
        server = runner.run(context.__aenter__())
        stack.callback(lambda: runner.run(context.__aexit__(None, None, None)))
        yield server


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    made = CommandLine(tmp_path / "data", None)
    made.json("create", "--words-file", str(tmp_path / WORDS))
    return made


def locally(node: Node) -> list[str]:
    return [
        "--node",
        f"local:{node.rpc_port}",
        "--cookie",
        str(cookie_of(node)),
        "--p2p-port",
        str(NO_PORT),
    ]


def by_ssh(node: Node, server: Sshd, cli: CommandLine) -> list[str]:
    """Name the node; the server was trusted before."""
    folder = cli.root / "ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "known_hosts").write_text(server.known_hosts_line + "\n")
    return [
        "--node",
        server.target.text,
        "--key",
        str(server.key_path),
        "--rpc-port",
        str(node.rpc_port),
        "--p2p-port",
        str(NO_PORT),
        "--cookie",
        str(cookie_of(node)),
    ]


def test_the_whole_journey_through_ssh(node: Node, server: Sshd, cli: CommandLine) -> None:
    way = by_ssh(node, server, cli)
    address = cli.json("address")["address"]
    assert cli.json("balance", *way)["total"] == 0
    txid = node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    assert cli.json("balance", *way)["confirmed"] == COIN
    (entry,) = cli.json("history", *way)
    assert (entry["txid"], entry["height"]) == (txid, node.height)
    back = node.bank("getnewaddress")
    sent = cli.json("send", *way, back, "0.25", "--fee-rate", "3", "--yes")
    assert sent["accepted"] is True
    assert sent["txid"] in node.mempool()
    node.mine(1)
    node.wait_for_filters()
    assert cli.json("sync", *way)["height"] == node.height
    # The same as the peer-to-peer backend finds, in a wallet made from the same words.
    peers = ["--peer", f"{node.host}:{node.p2p_port}"]
    ours = cli.json("history", "--no-sync")
    cli.json("restore", "--wallet", "again", "--words-file", str(cli.root.parent / WORDS))
    again = cli.json("history", "--wallet", "again", *peers)
    assert [e["txid"] for e in again] == [e["txid"] for e in ours]
    assert cli.json("balance", "--wallet", "again", *way) == cli.json(
        "balance", "--wallet", "wallet", "--no-sync"
    )


def test_a_node_on_this_computer_that_is_told_nothing(node: Node, cli: CommandLine) -> None:
    address = cli.json("address")["address"]
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    way = [*locally(node), "--tell-nothing"]
    assert cli.json("balance", *way)["confirmed"] == COIN


def test_filters_over_the_p2p_port_where_the_rpc_cannot_be_logged_in_to(
    node: Node, cli: CommandLine
) -> None:
    address = cli.json("address")["address"]
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    way = ["--node", f"local:{node.rpc_port}", "--cookie", "/nowhere/.cookie"]
    way += ["--p2p-port", str(node.p2p_port)]
    assert cli.json("balance", *way)["confirmed"] == COIN


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--node", "local:9"], "server=1"),
        (["--cookie", "/nowhere/.cookie"], "cookie file was not found"),
    ],
    ids=["no node", "no cookie"],
)
def test_what_cannot_be_reached_gets_its_sentence(
    node: Node, cli: CommandLine, changes: list[str], words: str
) -> None:
    failed = cli.json("balance", *locally(node), *changes, status=1)
    assert words in failed["error"]


def test_a_server_that_nobody_has_vouched_for_is_not_used(
    node: Node, server: Sshd, cli: CommandLine
) -> None:
    way = by_ssh(node, server, cli)
    (cli.root / "ssh" / "known_hosts").unlink()
    failed = cli.json("balance", *way, status=1)
    assert "has not been confirmed" in failed["error"]
    assert "run this in a terminal" in failed["error"]


def test_the_stored_node_is_used_without_being_named(node: Node, cli: CommandLine) -> None:
    path = cli.root / "settings.json"
    stored: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"format": 1}
    stored["sources"] = {"regtest": "node"}
    stored["nodes"] = {
        "regtest": {
            "address": "local",
            "rpc_port": node.rpc_port,
            "p2p_port": NO_PORT,
            "cookie_path": str(cookie_of(node)),
            "compare_with_public": False,
        }
    }
    path.write_text(json.dumps(stored))
    address = cli.json("address")["address"]
    node.fund(address, COIN)
    node.mine(1)
    node.wait_for_filters()
    assert cli.json("balance")["confirmed"] == COIN
    assert cli.json("doctor", password=False)["ready"] is True
    # Said otherwise, the node is left alone.
    assert node.rpc("getpeerinfo") == []
    failed = cli.json("balance", "--node", "direct", status=2)
    assert "--peer" in failed["error"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tell-nothing"], "none is named"),
        (["--node", "direct", "--tell-nothing"], "needs nothing of a node"),
        (["--node", "http://x"], "ssh://"),
    ],
)
def test_options_that_make_no_sense(cli: CommandLine, arguments: list[str], words: str) -> None:
    failed = cli.json("balance", *arguments, status=2)
    assert words in failed["error"]


def test_a_pruned_block_that_nobody_gives_is_told(
    node_factory: NodeFactory, cli: CommandLine
) -> None:
    """Nothing is invented meanwhile, and what is waited for is said long before the time is up."""
    node = node_factory("-txindex=0", "-prune=1", "-fastprune")
    node.mature()
    node.fund(cli.json("address")["address"], COIN)
    node.mine(1)
    paid_at = node.height
    node.mine(700)
    node.rpc("pruneblockchain", 400)
    assert node.rpc("getblockchaininfo")["pruneheight"] > paid_at
    node.wait_for_filters()
    nobody = ["--peer", f"127.0.0.1:{NO_PORT}"]
    for peers, advice in (
        (nobody, "Public peers are asked for it"),
        ([], "Allow the wallet to ask"),
    ):
        done = cli.run("balance", *locally(node), *peers, "--timeout", "15")
        assert done.returncode == 1
        assert done.stdout == ""
        told, ended = done.stderr.splitlines()[-2:]
        for line in (told, ended):
            assert f"Block {paid_at} is not on the node any more" in line
            assert advice in line
        assert "Not in sync after 15 s." in ended
