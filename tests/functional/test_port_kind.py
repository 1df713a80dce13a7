"""What listens on a port, asked of the real programs."""

import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import run
from tests.functional.sshd import running_sshd
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.port_kind import PortFinding, PortKind, greet, port_kind
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.tunnel import Channel
from wallet_gui.chain.p2p.messages import Services
from wallet_gui.primitives.params import MAINNET, REGTEST, ChainParams

SECONDS = 1.5


def opener(port: int) -> Callable[[], Awaitable[Channel]]:
    tunnel = LocalTunnel(lambda path, limit: path.read_bytes()[:limit])
    return lambda: tunnel.open_channel("127.0.0.1", port)


async def kind_of(port: int, params: ChainParams = REGTEST) -> PortFinding:
    return await port_kind(opener(port), params, SECONDS)


@pytest.mark.parametrize("transport", ["v2", "v1"])
def test_both_ports_of_a_node(node_factory: NodeFactory, transport: str) -> None:
    node = node_factory("-v2transport=1" if transport == "v2" else "-v2transport=0")

    async def scenario() -> None:
        assert await kind_of(node.rpc_port) == PortFinding(PortKind.RPC)
        for params in (REGTEST, MAINNET):
            finding = await kind_of(node.p2p_port, params)
            assert (finding.kind, finding.network) == (PortKind.P2P, "regtest")
            assert finding.agent.startswith("/Satoshi:")
            assert finding.services & Services.COMPACT_FILTERS
        assert await greet(opener(node.p2p_port), MAINNET, SECONDS) is None
        assert await greet(opener(node.rpc_port), REGTEST, 0.3) is None

    run(scenario)


@pytest.mark.alone
def test_a_node_that_hangs_is_silent(node: Node) -> None:
    async def scenario() -> None:
        with node.frozen():
            began = time.monotonic()
            assert await kind_of(node.rpc_port) == PortFinding(PortKind.SILENT)
            assert time.monotonic() - began < 4 * SECONDS

    run(scenario)


def test_ssh_and_a_closed_port(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            assert await kind_of(server.port) == PortFinding(PortKind.SSH)
            port = server.port
        with pytest.raises(NodeProblem) as refused:
            await kind_of(port)
        assert refused.value.code is Code.NODE_REFUSED

    run(scenario)
