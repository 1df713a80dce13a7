"""Plays for table C.2: what goes wrong at bitcoind, brought about by a real one where it can be."""

import base64
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.functional.bitcoind import Node
from tests.functional.doctor_rows import NO_PORT, Rig, case, cookie_of, in_thread
from tests.functional.sshd_parts import Account
from tests.hostile.fake_node import COOKIE, FakeNode, Fault, running_node
from tests.hostile.fake_node_answers import Refusal
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import steps
from wallet_gui.chain.bitcoind.calls import ALLOWED
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.steps import Report, Status
from wallet_gui.primitives.params import SIGNET

OLD_COOKIE = "__cookie__:" + "0d" * 32
START_SECONDS = PATIENCE


async def through_ssh(rig: Rig, node: Node | None = None, **changes: Any) -> Report:
    """Examine a real node behind a real sshd; its P2P port is out of reach."""
    async with rig.sshd() as server:
        return await rig.through(server, node=node, **{"p2p_port": NO_PORT, **changes})


@asynccontextmanager
async def scripted(rig: Rig, **settings: Any) -> AsyncIterator[FakeNode]:
    """Have a stand-in for bitcoind, whose cookie is where the doctor looks."""
    (rig.tmp_path / ".cookie").write_text(COOKIE)
    async with running_node(**settings) as node:
        yield node


async def examine_scripted(rig: Rig, node: FakeNode) -> Report:
    """Examine a stand-in behind a real sshd."""
    async with rig.sshd() as server:
        return await rig.through(
            server, rpc_port=node.port, p2p_port=NO_PORT, cookie_path=str(rig.tmp_path / ".cookie")
        )


async def refusing(rig: Rig, number: int, message: str) -> Report:
    """Examine a stand-in that answers the first call with an error."""
    async with scripted(rig) as node:
        node.answers["uptime"] = Refusal(number, message)
        return await examine_scripted(rig, node)


async def faulty(rig: Rig, fault: Fault) -> Report:
    """Examine a stand-in that spoils every answer."""
    async with scripted(rig, fault=fault) as node:
        return await examine_scripted(rig, node)


# --- ports and login


@case("RPC request sent to a P2P port", Code.RPC_TO_P2P, steps.BITCOIND, "P2P port", "18443")
async def p2p_port_of_a_v2_node_typed_for_rpc(rig: Rig) -> Report:
    return await through_ssh(rig, rpc_port=rig.node.p2p_port)


@case("RPC request sent to a P2P port", Code.RPC_TO_P2P, steps.BITCOIND, "P2P port", "18443")
async def p2p_port_of_a_v1_node_typed_for_rpc(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-v2transport=0"))
    return await through_ssh(rig, node, rpc_port=node.p2p_port)


@case("RPC request sent to a P2P port", Code.RPC_TO_P2P, steps.BITCOIND, "P2P port", "8332")
async def p2p_port_of_another_network_typed_for_rpc(rig: Rig) -> Report:
    return await through_ssh(rig, rpc_port=rig.node.p2p_port, params=SIGNET)


@case("P2P version sent to RPC port", Code.P2P_TO_RPC, steps.BITCOIND, "RPC port", "18444")
async def rpc_port_typed_for_p2p(rig: Rig) -> Report:
    return await through_ssh(rig, p2p_port=rig.node.rpc_port)


@case("refused", Code.NODE_REFUSED, steps.BITCOIND, "server=1", "mainnet 8332")
async def no_bitcoind_on_this_computer(rig: Rig) -> Report:
    return await rig.local(rpc_port=NO_PORT)


@case("wrong password", Code.RPC_AUTH, steps.RPC_LOGIN, "refuses", "satoshi", "password")
async def a_user_that_bitcoind_does_not_know(rig: Rig) -> Report:
    rig.private.add("correct horse")
    return await through_ssh(rig, user_name="satoshi", password="correct horse")


@case("old cookie", Code.RPC_AUTH, steps.RPC_LOGIN, "does not accept its own cookie")
async def a_cookie_file_of_another_node(rig: Rig) -> Report:
    stale = rig.tmp_path / "old.cookie"
    stale.write_text(OLD_COOKIE)
    rig.private.add(OLD_COOKIE[-64:])
    return await through_ssh(rig, cookie_path=str(stale))


@case("old cookie", Code.COOKIE_MISSING, steps.RPC_LOGIN, "cookie file was not found")
async def no_cookie_file_there(rig: Rig) -> Report:
    return await through_ssh(rig, cookie_path=str(rig.tmp_path / "nowhere" / ".cookie"))


@case("old cookie", Code.COOKIE_UNREADABLE, steps.RPC_LOGIN, "may not read", "group")
async def a_cookie_file_of_somebody_else(rig: Rig) -> Report:
    async with rig.sshd(account=Account()) as server:
        report = await rig.through(server, p2p_port=NO_PORT)
    problem = report.results[6].problem
    assert problem is not None
    assert problem.fix is not None
    assert problem.fix.line == "rpccookieperms=group"
    return report


@case("old cookie", None, None, "with its cookie")
async def a_remembered_cookie_that_is_old(rig: Rig) -> Report:
    rig.private.add(OLD_COOKIE[-64:])
    return await through_ssh(rig, remembered_cookie=OLD_COOKIE)


@case(
    "IP not allowed",
    Code.RPC_FORBIDDEN,
    steps.RPC_LOGIN,
    "every RPC call",
    "rpcallowip",
    stand_in=True,
)
async def forbidden_everything(rig: Rig) -> Report:
    return await faulty(rig, Fault.FORBIDDEN)


@case("rpcwhitelist", Code.RPC_WHITELIST, steps.RPC_LOGIN, "getblockfilter, scanblocks", "restart")
async def a_whitelist_that_lacks_two_calls(rig: Rig) -> Report:
    granted = ",".join(sorted(ALLOWED - {"scanblocks", "getblockfilter"}))
    node = await in_thread(lambda: rig.make_node(f"-rpcwhitelist=__cookie__:{granted}"))
    report = await through_ssh(rig, node)
    problem = report.results[6].problem
    assert problem is not None
    assert problem.fix is not None
    name, _, line = problem.fix.line.partition(":")
    assert name.startswith("rpcwhitelist=")
    assert set(line.split(",")) == ALLOWED
    return report


@case("rpcwhitelist", Code.RPC_FORBIDDEN, steps.RPC_LOGIN, "rpcwhitelistdefault=0")
async def a_whitelist_of_somebody_else(rig: Rig) -> Report:
    # As soon as there is any whitelist, whoever has none may do nothing: not even our own rig.
    arguments = ("-rpcwhitelist=ada:uptime",)
    node = Node(rig.node.binary, rig.tmp_path / "node", arguments)
    node.rpc_port, node.p2p_port = free_port(), free_port()
    node.directory.mkdir()
    node._launch()
    try:
        await in_thread(lambda: wait_for_log(node, "Done loading"))
        return await through_ssh(rig, node)
    finally:
        await in_thread(node.stop)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_log(node: Node, text: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while text not in node.log_tail(200):
        assert time.monotonic() < deadline, node.log_tail()
        time.sleep(0.05)


# --- the node's state


@case(
    "warming up",
    Code.WARMING_UP,
    steps.RPC_LOGIN,
    "is starting",
    "Loading block index",
    stand_in=True,
)
async def warming_up_for_long(rig: Rig) -> Report:
    return await faulty(rig, Fault.WARMING_UP)


@case("warming up", None, None, "with its cookie", stand_in=True)
async def warm_in_time(rig: Rig) -> Report:
    async with scripted(rig) as node:
        node.faults.extend([Fault.WARMING_UP])
        report = await examine_scripted(rig, node)
    running = [r.words for r in rig.told if r.status is Status.RUNNING and r.step.number == 7]
    assert any("Loading block index" in words for words in running)
    return report


@case("node stopped", Code.NODE_STOPPED, steps.NETWORK, "has stopped", "by itself")
async def stopped_in_the_middle(rig: Rig) -> Report:
    node = await in_thread(rig.make_node)
    rig.when(steps.NETWORK, node.kill)
    return await through_ssh(rig, node)


@case("node restarted", None, None, "with its cookie")
async def restarted_in_the_middle(rig: Rig) -> Report:
    node = await in_thread(rig.make_node)
    before = cookie_of(node).read_text()
    rig.when(steps.NETWORK, node.restart)
    report = await through_ssh(rig, node, remembered_cookie=before)
    assert cookie_of(node).read_text() != before
    return report


@case(
    "no wallet / unknown / many",
    Code.NODE_WALLET,
    steps.RPC_LOGIN,
    "wallet of its own",
    stand_in=True,
)
async def no_wallet_is_loaded(rig: Rig) -> Report:
    return await refusing(rig, -18, "No wallet is loaded. Load a wallet using loadwallet")


@case(
    "no wallet / unknown / many",
    Code.NODE_WALLET,
    steps.RPC_LOGIN,
    "wallet of its own",
    stand_in=True,
)
async def several_wallets_are_loaded(rig: Rig) -> Report:
    return await refusing(rig, -19, "Multiple wallets are loaded. Please select which wallet")


@case("wallet support off", None, None)
async def a_node_without_wallets(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-disablewallet"))
    return await through_ssh(rig, node)


@case("createwallet / loadwallet twice", Code.NODE_WALLET, steps.RPC_LOGIN, "wallet", stand_in=True)
async def a_wallet_that_is_loaded_already(rig: Rig) -> Report:
    return await refusing(rig, -35, 'Wallet "w1" is already loaded.')


@case("no filter index", None, None, "no filter index")
async def a_node_without_the_index(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-peerblockfilters=0", "-blockfilterindex=0"))
    report = await through_ssh(rig, node)
    result = report.results[10]
    assert result.status is Status.WARN
    assert result.problem is not None
    assert result.problem.code is Code.NO_FILTER_INDEX
    assert result.problem.fix is not None
    assert result.problem.fix.line == "blockfilterindex=1"
    assert report.choice is not None
    assert report.choice.offer is not None
    return report


@case("REST off", None, None)
async def a_node_as_it_comes(rig: Rig) -> Report:
    return await through_ssh(rig)


def pruned_node(rig: Rig) -> Node:
    node = rig.make_node("-txindex=0", "-prune=1", "-fastprune")
    for _ in range(8):
        node.mine(100)
    node.rpc("pruneblockchain", 700)
    return node


@case("pruned block", None, None, "pruned, which is fine")
async def a_pruned_node(rig: Rig) -> Report:
    node = await in_thread(lambda: pruned_node(rig))
    report = await through_ssh(rig, node)
    lowest = node.rpc("getblockchaininfo")["pruneheight"]
    assert f"from block {lowest:,} on" in report.results[11].words
    assert report.choice is not None
    assert report.choice.needs_public_blocks
    return report


@case("rescan on pruned", Code.PRUNED_BLOCK, steps.RPC_LOGIN, "pruned", stand_in=True)
async def no_rescan_beyond_pruned_data(rig: Rig) -> Report:
    return await refusing(rig, -1, "Can't rescan beyond pruned data. Use RPC call")


@case("wallet left behind by pruning", Code.PRUNED_BLOCK, steps.RPC_LOGIN, "pruned", stand_in=True)
async def a_wallet_behind_the_pruned_blocks(rig: Rig) -> Report:
    text = "Wallet loading failed. Prune: last wallet synchronisation goes beyond pruned data."
    return await refusing(rig, -4, text)


@case("wrong network", Code.WRONG_NETWORK, steps.NETWORK, "regtest", "signet", "38332")
async def a_node_of_another_network(rig: Rig) -> Report:
    return await through_ssh(rig, params=SIGNET)


@case("queue full", Code.BUSY, steps.RPC_LOGIN, "too much to do")
async def one_thread_that_somebody_else_holds(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-rpcthreads=1", "-rpcworkqueue=1"))
    with contextlib.ExitStack() as stack:
        for _ in range(3):  # one runs, one is queued, one is refused
            stack.enter_context(waiting_call(node))
            time.sleep(0.1)  # noqa: ASYNC251 - in order
        return await through_ssh(rig, node)


def waiting_call(node: Node) -> socket.socket:
    """Make a call that takes half a minute."""
    login = base64.b64encode(cookie_of(node).read_bytes()).decode()
    body = json.dumps({"id": 0, "method": "waitfornewblock", "params": [30_000]})
    connection = socket.create_connection((node.host, node.rpc_port))
    connection.sendall(
        f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {login}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
    return connection


@case("scan busy", None, None, "another program uses it now", stand_in=True)
async def somebody_else_scans(rig: Rig) -> Report:
    async with scripted(rig) as node:
        node.known.is_scanning = True
        report = await examine_scripted(rig, node)
    problem = report.results[10].problem
    assert problem is not None
    assert problem.code is Code.SCAN_BUSY
    return report


@case("rescan busy", Code.NODE_WALLET, steps.RPC_LOGIN, "wallet", stand_in=True)
async def a_wallet_that_rescans(rig: Rig) -> Report:
    text = "Wallet is currently rescanning. Abort existing rescan or wait."
    return await refusing(rig, -4, text)


# --- HTTP


@case("body > 32 MiB", Code.REQUEST_TOO_BIG, steps.RPC_LOGIN, "too big", stand_in=True)
async def a_request_that_is_refused_as_too_big(rig: Rig) -> Report:
    return await faulty(rig, Fault.BAD_REQUEST)


@case("header > 8 kB", Code.REQUEST_TOO_BIG, steps.RPC_LOGIN, "too big")
async def a_login_that_fills_the_header(rig: Rig) -> Report:
    return await through_ssh(rig, remembered_cookie="__cookie__:" + "0d" * 4500)


@case("big replies", Code.REPLY_TOO_BIG, steps.RPC_LOGIN, "more than", stand_in=True)
async def a_reply_without_an_end(rig: Rig) -> Report:
    return await faulty(rig, Fault.HUGE)


@case("idle", None, None)
async def the_node_closes_what_is_idle(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-rpcservertimeout=1"))
    rig.when(steps.NETWORK, lambda: time.sleep(2.5))
    return await through_ssh(rig, node)


@case("JSON-RPC 2.0", None, None, "version 29 or newer", stand_in=True)
async def a_node_of_version_25(rig: Rig) -> Report:
    async with scripted(rig, version=250_000, subversion="/Satoshi:25.0.0/") as node:
        report = await examine_scripted(rig, node)
    assert report.results[8].status is Status.WARN
    return report


@case("JSON-RPC 2.0", Code.TOO_OLD, steps.VERSION, "too old", "25", stand_in=True)
async def a_node_of_version_24(rig: Rig) -> Report:
    async with scripted(rig, version=240_000, subversion="/Satoshi:24.0.0/") as node:
        return await examine_scripted(rig, node)
