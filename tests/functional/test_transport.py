"""Encryption, proxies and somebody in between, with a real bitcoind at the other end."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import Client, ScriptWallet, run, running
from tests.hostile.proxy import Later, Side, between
from tests.hostile.socks_server import SocksServer, forbid_leaks, socks_server
from wallet_gui.chain.backend import BackendState, ConnectionState
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector
from wallet_gui.chain.p2p.filter_messages import CFilter
from wallet_gui.chain.p2p.messages import Headers, Message, Version
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import REGTEST

BTC = 100_000_000
ONION = "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion"


def paid(node: Node, wallet: ScriptWallet, blocks: int = 150) -> None:
    """More packets than one key of the cipher is used for, and three coins."""
    node.mature()
    for index in range(3):
        node.fund(wallet.address(index), BTC)
        node.mine(blocks)


async def synced(client: Client, node: Node, wallet: ScriptWallet) -> str:
    """Wait for the right balance; tell by which transport it came."""
    await client.until_synced(node.height, node.tip)
    assert wallet.balance == 3 * BTC
    (info,) = client.backend.peers()
    return info.transport


def test_sync_encrypted(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    paid(node, wallet)

    async def scenario() -> None:
        options = P2POptions(encrypted_only=True)
        async with running(tmp_path, [node.p2p_port], wallet, options=options) as client:
            assert await synced(client, node, wallet) == "v2"
            (seen,) = node.rpc("getpeerinfo")
            assert seen["transport_protocol_type"] == "v2"
            node.mine(1)
            await client.until_synced(node.height, node.tip)

    run(scenario)


def test_both_ends_name_the_session_alike(node: Node) -> None:
    async def scenario() -> None:
        connection = await Connector(REGTEST, P2POptions(), system_clock).open(
            PeerAddress("127.0.0.1", node.p2p_port),
            Route.DIRECT,
            relay=False,
            on_events=lambda _: None,
            on_progress=lambda: None,
        )
        (seen,) = await asyncio.to_thread(node.rpc, "getpeerinfo")
        assert seen["session_id"] == connection.session_id.hex()
        assert seen["relaytxes"] is False
        connection.hang_up()
        await connection.closed

    run(scenario)


def test_sync_with_a_node_that_knows_no_encryption(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = node_factory("-v2transport=0")
    wallet = ScriptWallet()
    paid(node, wallet, 1)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            assert await synced(client, node, wallet) == "v1"
            (seen,) = node.rpc("getpeerinfo")
            assert seen["transport_protocol_type"] == "v1"

    run(scenario)


def test_encrypted_only_refuses_such_a_node(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = node_factory("-v2transport=0")
    said: list[bytes] = []

    def listen(side: Side, data: bytes) -> bytes:
        if side is Side.CLIENT:
            said.append(data)
        return data

    async def scenario() -> None:
        options = P2POptions(encrypted_only=True)
        async with between(node.p2p_port) as middle:
            middle.is_raw = True
            middle.tamper = listen
            async with running(tmp_path, [middle.port], options=options) as client:
                await client.until(
                    lambda: any(
                        isinstance(event, BackendState)
                        and event.state is ConnectionState.OFFLINE
                        and "encrypted" in event.detail
                        for event in client.events
                    )
                )
                assert client.backend.peers() == []
        assert said
        assert not any(data.startswith(REGTEST.magic) for data in said)

    run(scenario)


@pytest.mark.parametrize("v2", [True, False])
@pytest.mark.parametrize("host", ["203.0.113.7", "node.example.com", ONION])
def test_sync_through_tor(
    node_factory: NodeFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    host: str,
    *,
    v2: bool,
) -> None:
    node = node_factory(f"-v2transport={v2:d}")
    wallet = ScriptWallet()
    paid(node, wallet, 1)
    tip = node.height, node.tip

    async def scenario() -> None:
        async with socks_server(SocksServer(hosts={host: node.p2p_port})) as proxy:
            options = P2POptions(
                own_peers=(PeerAddress(host, 18444),),
                only_own_peers=True,
                proxy=PeerAddress("127.0.0.1", proxy.port),
                proxy_use=ProxyUse.EVERYTHING,
            )
            with monkeypatch.context() as patch:
                leaks = forbid_leaks(patch, proxy)
                async with running(tmp_path, [], wallet, options=options) as client:
                    await client.until_synced(*tip)
                    (info,) = client.backend.peers()
                assert leaks == []
            assert wallet.balance == 3 * BTC
            assert info.transport == ("v2" if v2 else "v1")
            assert {request.host for request in proxy.requests} == {host}

    run(scenario)


def test_somebody_in_between_who_edits(node: Node, tmp_path: Path) -> None:
    """Doubled, late and lost messages change nothing; what was edited is seen as edited."""
    wallet = ScriptWallet()
    paid(node, wallet, 30)
    lost: list[Message] = []

    def edit(side: Side, message: Message) -> Sequence[Message | Later]:
        if side is Side.CLIENT:
            return [message]
        match message:
            case Version():
                return [
                    Version(
                        message.protocol,
                        message.services,
                        message.time,
                        message.nonce,
                        "/Edited:1/",
                        message.start_height,
                        message.relay,
                    )
                ]
            case Headers():
                return [message, message]
            case CFilter() if len(lost) < 3:
                lost.append(message)
                return [Later(0.3, message)]
            case _:
                return [message]

    async def scenario() -> None:
        async with between(node.p2p_port, edit) as middle:
            async with running(tmp_path, [middle.port], wallet) as client:
                assert await synced(client, node, wallet) == "v1"
                (info,) = client.backend.peers()
                assert info.user_agent == "/Edited:1/"
            assert len(lost) == 3
            assert middle.of(Side.NODE, Headers)
            assert middle.passed[Side.NODE] > 81 * node.height

    run(scenario)


def test_somebody_in_between_who_changes_encrypted_bytes(node: Node, tmp_path: Path) -> None:
    """The connection ends at the first change; what came before it is kept and right."""
    wallet = ScriptWallet()
    paid(node, wallet, 1)
    passed = [0]

    def tamper(side: Side, data: bytes) -> bytes:
        passed[0] += len(data)
        if side is Side.NODE and passed[0] > 15_000:
            return data[:-1] + bytes([data[-1] ^ 1])
        return data

    async def scenario() -> None:
        async with between(node.p2p_port) as middle:
            middle.is_raw = True
            middle.tamper = tamper
            async with running(tmp_path, [middle.port], wallet) as client:
                await client.until(
                    lambda: any(
                        isinstance(event, BackendState) and "changed on the way" in event.detail
                        for event in client.events
                    )
                )
            middle.tamper = None
            async with running(tmp_path, [middle.port], wallet) as client:
                assert await synced(client, node, wallet) == "v2"

    run(scenario)


def test_somebody_in_between_who_changes_plain_bytes(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    """Version 1 has checksums that anybody can make; the chain proves what is right."""
    honest, spoiled = node_factory(), node_factory("-v2transport=0")
    wallet = ScriptWallet()
    paid(honest, wallet, 1)
    spoiled.connect_to(honest)
    spoiled.wait_for_filters()
    passed = [0]

    def tamper(side: Side, data: bytes) -> bytes:
        passed[0] += len(data)
        if side is Side.NODE and passed[0] > 2_000:
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 0x40]) + data[middle + 1 :]
        return data

    async def scenario() -> None:
        async with between(spoiled.p2p_port) as middle:
            middle.is_raw = True
            middle.tamper = tamper
            ports = [middle.port, honest.p2p_port]
            async with running(tmp_path, ports, wallet) as client:
                await client.until_synced(honest.height, honest.tip)
                assert wallet.balance == 3 * BTC
            assert passed[0] > 2_000, "nothing was changed"

    run(scenario)


def test_a_slow_and_distant_node(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    paid(node, wallet, 1)

    async def scenario() -> None:
        async with between(node.p2p_port) as middle:
            middle.is_raw = True
            middle.latency = 0.05
            middle.bytes_per_second = 20_000
            loop = asyncio.get_running_loop()
            began = loop.time()
            async with running(tmp_path, [middle.port], wallet) as client:
                assert await synced(client, node, wallet) == "v2"
            assert loop.time() - began > middle.passed[Side.NODE] / 25_000

    run(scenario)


def test_cut_off_again_and_again(node: Node, tmp_path: Path) -> None:
    """A line that breaks, and one that swallows what was asked for: all comes right in the end."""
    wallet = ScriptWallet()
    paid(node, wallet, 30)
    dropped: list[Message] = []

    def swallow(side: Side, message: Message) -> Sequence[Message | Later]:
        if side is Side.NODE and isinstance(message, CFilter) and len(dropped) < 5:
            dropped.append(message)
            return []
        return [message]

    async def scenario() -> None:
        async with between(node.p2p_port, swallow) as middle:
            async with running(tmp_path, [middle.port], wallet) as client:
                await client.until(lambda: len(dropped) == 5)
                middle.cut()
                await client.until(lambda: not client.backend.peers())
                assert await synced(client, node, wallet) == "v1"
            assert middle.connections >= 2

    run(scenario)


def test_nobody_is_reached_without_the_proxy(node: Node) -> None:
    async def scenario() -> None:
        async with socks_server() as proxy:
            options = P2POptions(
                proxy=PeerAddress("127.0.0.1", proxy.port), proxy_use=ProxyUse.EVERYTHING
            )
            connector = Connector(REGTEST, options, system_clock)
            address = PeerAddress("127.0.0.1", node.p2p_port)
            with pytest.raises(ConnectFailed):
                await connector.open(
                    address,
                    Route.DIRECT,
                    relay=False,
                    on_events=lambda _: None,
                    on_progress=lambda: None,
                )
            assert node.rpc("getconnectioncount") == 0

    run(scenario)
