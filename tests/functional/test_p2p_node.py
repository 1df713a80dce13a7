"""Rung 3: the P2P port of the real bitcoind through a tunnel, with no RPC and no other contact."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.p2p_wallet import Client, ScriptWallet, Setup, run
from tests.functional.sshd import Answers, running_sshd
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.p2p_node import make_p2p_node, tunnelled
from wallet_gui.chain.bitcoind.problems import connection_lost
from wallet_gui.chain.bitcoind.tunnel import Tunnel, connect
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.chain_db import ChainDb

pytestmark = pytest.mark.functional

BTC = 10**8


def no_file(_path: Path, _limit: int) -> bytes:
    raise FileNotFoundError


class Way:
    """A tunnel that a test can cut and open again."""

    def __init__(self, tunnel: Tunnel | None = None) -> None:
        self.tunnel = tunnel
        self.asked = 0

    async def __call__(self) -> Tunnel:
        self.asked += 1
        if self.tunnel is None:
            raise connection_lost()
        return self.tunnel


@asynccontextmanager
async def running(
    directory: Path, port: int, way: Way, *wallets: ScriptWallet
) -> AsyncIterator[Client]:
    with ChainDb(directory / "chain.db", REGTEST) as database:
        client = Client(database, wallets, replace(Setup(), options=tunnelled(port)))
        client.backend = make_p2p_node(
            REGTEST, port, way, database, client._sink, on_failure=client.failures.append
        )
        await client.start()
        try:
            yield client
        finally:
            await client.backend.stop()


def pay(node: Node, wallet: ScriptWallet) -> int:
    """Pay some addresses, also beyond the first window; return what the node says it comes to."""
    node.mature()
    for index in (0, 3, 19, 25):
        node.fund(wallet.address(index), (index + 1) * BTC)
    node.mine()
    node.wait_for_filters()
    return node.scan_balance([f"raw({wallet.script(index).hex()})" for index in range(60)])


def check(client: Client, wallet: ScriptWallet, balance: int) -> None:
    assert wallet.balance == balance > 0
    (peer,) = client.backend.peers()
    assert (peer.transport, peer.route, peer.is_own) == ("v1", Route.SSH, True)
    assert {entry.route for entry in client.backend.ledger()} == {Route.SSH}


def test_the_node_on_this_computer(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    balance = pay(node, wallet)

    async def scenario() -> None:
        way = Way(LocalTunnel(no_file))
        async with running(tmp_path, node.p2p_port, way, wallet) as client:
            await client.until_synced(node.height, node.tip)
            check(client, wallet, balance)

    run(scenario)


def test_a_tunnel_that_is_cut_and_comes_back(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    balance = pay(node, wallet)

    async def scenario() -> None:
        way = Way()
        async with running(tmp_path, node.p2p_port, way, wallet) as client:
            await client.until(lambda: way.asked > 0)
            assert client.backend.peers() == []
            first = way.tunnel = LocalTunnel(no_file)
            await client.until_synced(node.height, node.tip)
            check(client, wallet, balance)

            way.tunnel = None
            await first.close()
            await client.until(lambda: client.backend.peers() == [])
            node.mine(2)
            way.tunnel = LocalTunnel(no_file)
            await client.until_synced(node.height, node.tip)
            check(client, wallet, balance)

    run(scenario)


def test_through_a_real_sshd_that_may_lead_to_that_port_only(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    balance = pay(node, wallet)

    async def scenario() -> None:
        port = node.p2p_port
        async with running_sshd(PermitOpen=f"127.0.0.1:{port}") as server:
            tunnel = await connect(server.target, server.options, Answers(), server.store())
            async with running(tmp_path, port, Way(tunnel), wallet) as client:
                await client.until_synced(node.height, node.tip)
                check(client, wallet, balance)
                node.mine()
                await client.until_synced(node.height, node.tip)
            await tunnel.close()

    run(scenario)


def test_nobody_else_is_contacted_whatever_the_node_tells(node: Node, tmp_path: Path) -> None:
    node.mine(3)
    for host in ("203.0.113.5", "198.51.100.7"):
        node.rpc("addpeeraddress", host, 8333)

    async def scenario() -> None:
        way = Way(LocalTunnel(no_file))
        async with running(tmp_path, node.p2p_port, way) as client:
            await client.until(lambda: client.tip is not None and client.tip.height == 3)
            await asyncio.sleep(1.0)
            assert {entry.host for entry in client.backend.ledger()} == {
                f"127.0.0.1:{node.p2p_port}"
            }

    run(scenario)


def test_without_its_tunnel_such_a_client_opens_no_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        with ChainDb(tmp_path / "chain.db", REGTEST) as database:
            client = Client(database, (), replace(Setup(), options=tunnelled(1)))
            client.backend = P2PBackend(REGTEST, tunnelled(1), database, client._sink)
            await client.backend.start()
            await client.until(lambda: bool(client.backend.ledger()))
            await client.until(lambda: client.backend.ledger()[0].ended is not None)
            assert client.backend.ledger()[0].outcome == "There is no tunnel to the node."
            await client.backend.stop()

    run(scenario)
