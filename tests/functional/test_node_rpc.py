"""The rows of tables C.2 and C.4 (node-over-ssh.md), produced by the real bitcoind.

By the scripted node instead, because they need another version, a load or a fault that the real
one does not show on demand (tests/hostile/test_node_rpc.py, test_node_probe.py): queue full
(there is also a real one here), versions before 29, a whitelist's batch, an address that is not
allowed.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.sshd import Answers, MemoryStore
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import rpc as rpc_module
from wallet_gui.chain.bitcoind.connection import NodeConnection
from wallet_gui.chain.bitcoind.credentials import (
    CookieCredentials,
    Credentials,
    UserPassword,
)
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.node_facts import IndexState
from wallet_gui.chain.bitcoind.node_options import NodeOptions
from wallet_gui.chain.bitcoind.node_status import NodeState, NodeStatus
from wallet_gui.chain.bitcoind.probe import probe
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.problems import RpcError as NodeError
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.rungs import P2PFacts
from wallet_gui.chain.bitcoind.session import client_for, explain_p2p, p2p_facts
from wallet_gui.chain.bitcoind.ssh_target import LocalNode
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import MAINNET, REGTEST, SIGNET, ChainParams


def read_local(path: Path, limit: int) -> bytes:
    with path.open("rb") as file:
        return file.read(limit + 1)


def cookie_path(node: Node) -> str:
    return str(node.directory / node.network / ".cookie")


def asked(
    node: Node,
    script: Callable[[NodeRpc], Awaitable[Any]],
    *,
    login: Credentials | None = None,
    port: int | None = None,
    params: ChainParams = REGTEST,
) -> Any:
    """Run a script with a client of the node's RPC (or of another port of it)."""

    async def go() -> Any:
        async with asyncio.timeout(PATIENCE):
            tunnel = LocalTunnel(read_local)
            own = CookieCredentials(tunnel, [cookie_path(node)])
            rpc = client_for(tunnel, port or node.rpc_port, params, login or own, 2, time.monotonic)
            try:
                return await script(rpc)
            finally:
                await rpc.close()
                await tunnel.close()

    return asyncio.run(go())


def problem(node: Node, script: Callable[[NodeRpc], Awaitable[Any]], **options: Any) -> NodeProblem:
    with pytest.raises(NodeProblem) as raised:
        asked(node, script, **options)
    assert str(raised.value).endswith((".", "…")) or raised.value.fix is not None
    return raised.value


def uptime(rpc: NodeRpc) -> Awaitable[Any]:
    return rpc.call("uptime")


# C.2, by row


@pytest.mark.parametrize("arguments", [(), ("-v2transport=0",)], ids=["v2", "v1"])
def test_rpc_sent_to_the_p2p_port(node_factory: NodeFactory, arguments: tuple[str, ...]) -> None:
    node = node_factory(*arguments)
    found = problem(node, uptime, port=node.p2p_port)
    assert found.code is Code.RPC_TO_P2P
    assert f"Port {node.p2p_port} is the node's P2P port" in found.title
    assert found.fix is not None
    assert found.fix.line == "18443"


@pytest.mark.parametrize("arguments", [(), ("-v2transport=0",)], ids=["v2", "v1"])
def test_p2p_sent_to_the_rpc_port(node_factory: NodeFactory, arguments: tuple[str, ...]) -> None:
    node = node_factory(*arguments)

    async def go() -> None:
        tunnel = LocalTunnel(read_local)
        assert await p2p_facts(tunnel, node.rpc_port, REGTEST, 0.5) is None
        found = await explain_p2p(tunnel, node.rpc_port, REGTEST)
        assert found.code is Code.P2P_TO_RPC
        assert f"Port {node.rpc_port} is the node's RPC port" in found.title
        assert found.fix is not None
        assert found.fix.line == "18444"
        facts = await p2p_facts(tunnel, node.p2p_port, REGTEST)
        assert facts == P2PFacts(has_filters=True, keeps_all_blocks=True)
        await tunnel.close()

    asyncio.run(go())


def test_nothing_listens(node: Node) -> None:
    node.stop()
    found = problem(node, uptime, login=UserPassword("a", "b"))
    assert found.code is Code.NODE_REFUSED
    assert found.fix is not None
    assert found.fix.line == "server=1"


def test_wrong_password_and_wrong_cookie(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = node_factory()
    began = time.monotonic()
    found = problem(node, uptime, login=UserPassword("alice", "wrong"))
    assert time.monotonic() - began >= 0.25  # what the node takes its time for
    assert found.code is Code.RPC_AUTH
    assert "alice" in found.title
    stale = tmp_path / ".cookie"
    stale.write_text("__cookie__:" + "ab" * 32)
    tunnel = LocalTunnel(read_local)
    found = problem(node, uptime, login=CookieCredentials(tunnel, [str(stale)]))
    assert found.code is Code.RPC_AUTH
    found = problem(node, uptime, login=CookieCredentials(tunnel, [str(tmp_path / "none")]))
    assert found.code is Code.COOKIE_MISSING


def test_user_and_password(node_factory: NodeFactory) -> None:
    node = node_factory(
        # user "alice", password "secret": salt and HMAC as share/rpcauth/rpcauth.py makes them
        "-rpcauth=alice:00$" + _hmac("00", "secret"),
        "-rpcwhitelist=alice:getblockchaininfo,uptime",
        "-rpcwhitelistdefault=0",
    )
    alice = UserPassword("alice", "secret")

    async def script(rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") >= 0
        with pytest.raises(NodeProblem) as raised:
            await rpc.call("getblockhash", 0)
        assert raised.value.code is Code.RPC_WHITELIST
        assert "getblockhash" in raised.value.title
        assert raised.value.fix is not None
        assert raised.value.fix.line.startswith("rpcwhitelist=alice:")

    asked(node, script, login=alice)
    found = problem(node, lambda rpc: probe(rpc, REGTEST), login=alice)
    assert found.code is Code.RPC_WHITELIST
    assert "scanblocks" in found.title
    assert "uptime" not in found.title
    asked(node, lambda rpc: probe(rpc, REGTEST))  # the cookie may do everything


def _hmac(salt: str, password: str) -> str:
    return hmac.new(salt.encode(), password.encode(), "sha256").hexdigest()


def test_a_whitelist_shuts_the_cookie_out(node_factory: NodeFactory) -> None:
    # The node cannot be waited for with its cookie: any whitelist forbids it everything.
    node = node_factory()
    node.stop()
    node.arguments = ("-rpcwhitelist=alice:uptime",)
    node._launch()
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = problem(node, uptime)
            if found.code is Code.RPC_FORBIDDEN or time.monotonic() > deadline:
                break
            time.sleep(0.1)
        assert found.code is Code.RPC_FORBIDDEN
        assert found.fix is not None
        assert found.fix.line == "rpcwhitelistdefault=0"
    finally:
        node.stop()


@pytest.mark.alone
def test_a_node_that_starts_stops_and_has_a_new_cookie(node: Node) -> None:
    """Warming up, stopped, restarted: one connection goes through all of it by itself."""
    node.mine(20)
    states: list[NodeStatus] = []

    async def go() -> None:
        store = _LocalStore()
        connection = NodeConnection(
            LocalNode(node.rpc_port),
            NodeOptions(cookie_path=cookie_path(node)),
            Answers(),
            store,
            REGTEST,
            states.append,
        )
        async with asyncio.timeout(PATIENCE):
            session = await connection.ready()
            old_cookie = read_local(Path(cookie_path(node)), 100)
            await asyncio.to_thread(node.stop)
            connection.failed(NodeProblem(Code.CONNECTION_LOST, "lost"))
            for _ in range(1000):
                if Code.NODE_STOPPED in {s.problem.code for s in states if s.problem}:
                    break
                await asyncio.sleep(0.02)
            await asyncio.to_thread(node.start)
            began = time.monotonic()
            again = await connection.ready()
            assert time.monotonic() - began < 3
            assert again is not session
            assert read_local(Path(cookie_path(node)), 100) != old_cookie
            assert await again.rpc.call("getblockhash", 20) == node.tip
            # A restart that nobody was told of: the old cookie is refused once, unseen.
            await asyncio.to_thread(node.restart)
            assert await again.rpc.call("getblockhash", 20) == node.tip
            assert connection.session is again
        await connection.close()

    asyncio.run(go())
    assert NodeState.STOPPED not in {status.state for status in states}


class _LocalStore(MemoryStore):
    def read_local(self, path: Path, limit: int) -> bytes:
        return read_local(path, limit)


def test_warming_up_in_the_nodes_own_words(node_factory: NodeFactory) -> None:
    node = node_factory()
    node.mine(500)
    words: set[str] = set()
    for _ in range(5):
        node.stop()
        node.arguments = ("-checkblocks=500", "-checklevel=4", "-reindex-chainstate")
        node._launch()
        while True:
            try:
                asked(node, uptime)
            except NodeProblem as found:
                if found.code is Code.WARMING_UP:
                    words.add(found.title)
                continue
            break
        if words:
            break
    assert words, "the node was never seen warming up"
    assert all(text.startswith("The node is starting: ") for text in words)
    node.stop()


def test_calls_about_wallets_are_never_sent(node: Node) -> None:
    for method in ("getwalletinfo", "createwallet", "importdescriptors", "rescanblockchain"):
        with pytest.raises(ValueError, match="not a call"):
            asked(node, lambda rpc, method=method: rpc.call(method))  # type: ignore[misc]
    # Their errors, were something between us to ask, would have a sentence of their own.
    for number in (-18, -19, -4, -35):
        assert NodeError(number, "Requested wallet does not exist").code is Code.NODE_WALLET


def test_no_filter_index(node_factory: NodeFactory) -> None:
    node = node_factory("-blockfilterindex=0", "-peerblockfilters=0")

    async def script(rpc: NodeRpc) -> None:
        facts = await probe(rpc, REGTEST)
        assert facts.filter_index.state is IndexState.ABSENT
        for call in (
            rpc.call("scanblocks", "start", ["raw(51)"]),
            rpc.call("getblockfilter", node.block_hash(0)),
        ):
            with pytest.raises(NodeProblem) as raised:
                await call
            assert raised.value.code is Code.NO_FILTER_INDEX
            assert raised.value.fix is not None
            assert raised.value.fix.line == "blockfilterindex=1"

    asked(node, script)


def test_a_method_that_the_node_does_not_know(node: Node) -> None:
    # The oldest name of one of ours, let through for this test only.
    calls = rpc_module.ALLOWED | {"getinfo"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rpc_module, "ALLOWED", calls)
        found = problem(node, lambda rpc: rpc.call("getinfo"))
    assert found.code is Code.METHOD_MISSING
    assert "getinfo" in found.title


def test_a_pruned_block(node_factory: NodeFactory) -> None:
    node = node_factory("-prune=1", "-fastprune", "-txindex=0")
    node.mine(900)
    node.wait_for_filters()
    node.rpc("pruneblockchain", 600)

    async def script(rpc: NodeRpc) -> None:
        facts = await probe(rpc, REGTEST)
        assert facts.is_pruned
        assert facts.prune_height is not None
        assert 0 < facts.prune_height <= 601
        block = node.block_hash(5)
        for call in (
            rpc.call("getblock", block, 0),
            rpc.call("getdescriptoractivity", [block], ["raw(51)"], False),
        ):
            with pytest.raises(NodeProblem) as raised:
                await call
            assert raised.value.code is Code.PRUNED_BLOCK

    asked(node, script)


def test_wrong_network(node: Node) -> None:
    for params in (MAINNET, SIGNET):
        found = problem(node, lambda rpc, p=params: probe(rpc, p), params=params)  # type: ignore[misc]
        assert found.code is Code.WRONG_NETWORK
        assert "on regtest" in found.title
        assert found.is_final


def test_what_the_node_echoes_is_redacted(node: Node) -> None:
    xpub = (
        "xpub661MyMwAqRbcFtXgS5sYJABqqG9YLmC4Q1Rdap9gSE8NqtwybGhePY2gZ29ESFjqJoCu1Rupje8YtGqsefD265"
        "TMg7usUDFdp6W1EGMcet8"
    )
    found = problem(node, lambda rpc: rpc.call("scantxoutset", "start", [f"wpkh({xpub})"]))
    for text in (str(found), found.detail, repr(found)):
        assert xpub[:20] not in text
    assert "is not valid" in found.detail


def test_json_rpc_2_answers_and_batches(node: Node) -> None:
    hashes = node.mine(300)
    node.wait_for_filters()

    async def script(rpc: NodeRpc) -> None:
        facts = await probe(rpc, REGTEST)
        assert (facts.blocks, facts.has_index, facts.is_synced) == (300, True, True)
        assert facts.has_activity
        assert facts.has_package_relay
        assert facts.min_relay_rate > 0
        found = await rpc.bulk("getblockhash", [[height] for height in range(1, 301)])
        assert found == hashes
        headers = await rpc.bulk("getblockheader", [[each, False] for each in hashes])
        assert [sha256d(bytes.fromhex(each))[::-1].hex() for each in headers] == hashes
        filters = await rpc.bulk("getblockfilter", [[each] for each in hashes])
        assert len(filters) == 300
        first, second = await rpc.batch([("getblockhash", [301]), ("getblockhash", [300])])
        assert isinstance(first, NodeError)
        assert first.number == -8
        assert second == hashes[-1]
        with pytest.raises(NodeError):
            await rpc.bulk("getblockhash", [[height] for height in range(302)])
        assert await asyncio.gather(*(rpc.call("getblockhash", 7) for _ in range(50))) == (
            [hashes[6]] * 50
        )

    asked(node, script)
