"""Calls that a node's rpcwhitelist forbids, found out at a real node without harm."""

from collections.abc import Awaitable

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import run
from wallet_gui.chain.bitcoind.calls import ALLOWED
from wallet_gui.chain.bitcoind.credentials import CookieCredentials
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.rights import HARMLESS, calls_refused, refused_calls
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.tunnel import Channel


def client(node: Node) -> NodeRpc:
    tunnel = LocalTunnel(lambda path, limit: path.read_bytes()[:limit])

    def open_channel() -> Awaitable[Channel]:
        return tunnel.open_channel("127.0.0.1", node.rpc_port)

    cookie = node.directory / "regtest" / ".cookie"
    return NodeRpc(open_channel, CookieCredentials(tunnel, [str(cookie)]))


def test_every_allowed_call_is_tried() -> None:
    assert set(HARMLESS) == ALLOWED


def test_a_node_without_a_whitelist_refuses_nothing_and_notices_nothing(node: Node) -> None:
    node.mine(3)
    before = (node.tip, node.mempool(), node.rpc("listwallets"))

    async def scenario() -> None:
        rpc = client(node)
        assert await refused_calls(rpc) == ()
        await rpc.close()

    run(scenario)
    assert (node.tip, node.mempool(), node.rpc("listwallets")) == before


def test_what_the_whitelist_lacks_is_named(node_factory: NodeFactory) -> None:
    lacking = {"scanblocks", "getblockfilter", "sendrawtransaction"}
    granted = [*sorted(ALLOWED - lacking), "getblockcount", "stop"]
    node = node_factory(f"-rpcwhitelist=__cookie__:{','.join(granted)}")

    async def scenario() -> None:
        rpc = client(node)
        refused = await refused_calls(rpc)
        assert set(refused) == lacking
        problem = calls_refused(refused, "wallet")
        assert problem.code is Code.RPC_WHITELIST
        assert "getblockfilter, scanblocks, sendrawtransaction" in problem.title
        assert problem.fix is not None
        assert problem.fix.line.startswith("rpcwhitelist=wallet:")
        await rpc.close()

    run(scenario)
