"""Who may be contacted at all, and by which way: what a person decided holds from the start on."""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.p2p_wallet import ScriptWallet, Setup, run, running_with
from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_internet import (
    BTC,
    PLAIN,
    MemoryPeers,
    Neighbour,
    group_of,
    host,
    hurried,
    internet,
    links,
    paid,
    synced,
)
from tests.hostile.fake_peer import serve
from tests.hostile.socks_server import forbid_leaks, socks_server
from wallet_gui.chain.backend import BackendState, ConnectionState
from wallet_gui.chain.p2p import status
from wallet_gui.chain.p2p.addr_messages import NodeAddress
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.links import Role
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse, RelayMode
from wallet_gui.chain.reports import Purpose, Route
from wallet_gui.primitives.params import REGTEST

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux has all of 127.0.0.0/8 without being asked"
)


def test_only_own_peers_fails_closed(tmp_path: Path) -> None:
    async def no_dns(name: str) -> list[str]:
        raise AssertionError(f"{name} was looked up")

    async def scenario() -> None:
        wallet = ScriptWallet()
        chain = paid(wallet)
        async with internet(chain, range(1, 8)) as net:
            async with running_with(tmp_path, net.setup(), wallet) as client:
                await synced(client, chain)
            for node in net.nodes.values():
                node.versions.clear()
            dead = net.address(host(99))
            setup = Setup(
                P2POptions(own_peers=(dead,), only_own_peers=True),
                net.params,
                net.peers,
                no_dns,
                group_of,
                hurried(30.0),
            )
            async with running_with(tmp_path, setup, wallet) as client:
                await client.until(
                    lambda: sum(e.host == str(dead) for e in client.backend.ledger()) >= 6
                )
                assert {entry.host for entry in client.backend.ledger()} == {str(dead)}
                assert client.backend.peers() == []
            assert net.visited() == {}

    run(scenario)


def test_settings_apply_at_once(tmp_path: Path) -> None:
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def scenario() -> None:
        async with (
            internet(chain, range(1, 8)) as net,
            running_with(tmp_path, net.setup(), wallet) as client,
        ):
            await synced(client, chain)
            await client.until(lambda: len(links(client)) == 5)
            own = net.address(host(7))
            client.backend.set_options(P2POptions(own_peers=(own,), only_own_peers=True))
            await client.until(lambda: [k.address for k in links(client)] == [own])
            (info,) = client.backend.peers()
            assert info.is_own
            client.backend.set_options(P2POptions(relay=RelayMode.OFF))
            await client.until(lambda: len(links(client, Role.FILTER)) == 4)
            assert not any(link.relay for link in links(client))
            chain.mine_empty(1)
            for node in net.nodes.values():
                assert node.chain is chain

    run(scenario)


def test_through_tor_from_the_first_start_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seeds are hosts behind the proxy then: no name is looked up, no socket leads past it."""
    wallet = ScriptWallet()
    chain = paid(wallet)

    async def no_dns(name: str) -> list[str]:
        raise AssertionError(f"{name} was looked up")

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            proxy = await stack.enter_async_context(socks_server())
            told = tuple(
                NodeAddress(PeerAddress(host(g), 18444), 73, int(time.time())) for g in range(1, 7)
            )
            seed = Neighbour(chain, PLAIN, nonce=1, tells=told)
            proxy.hosts["seed.test"] = await stack.enter_async_context(serve(seed, v2=True))
            for group in range(1, 7):
                node = Neighbour(chain, nonce=group + 1)
                proxy.hosts[host(group)] = await stack.enter_async_context(serve(node, v2=True))
            leaks = forbid_leaks(monkeypatch, proxy)
            options = P2POptions(
                proxy=PeerAddress("127.0.0.1", proxy.port), proxy_use=ProxyUse.EVERYTHING
            )
            setup = Setup(
                options,
                replace(REGTEST, dns_seeds=("seed.test",)),
                MemoryPeers(),
                no_dns,
                group_of,
            )
            async with running_with(tmp_path, setup, wallet) as client:
                await synced(client, chain)
                assert wallet.balance == 50 * BTC
                await client.until(lambda: len(links(client, Role.FILTER)) == 4)
                assert {entry.route for entry in client.backend.ledger()} == {Route.TOR}
                purposes = {e.purpose for e in client.backend.ledger() if "seed" in e.host}
                assert purposes == {Purpose.ADDRESSES}
            assert leaks == []
            circuits = [(request.user, request.password) for request in proxy.requests]
            assert len(set(circuits)) == len(circuits)

    run(scenario)


def test_everything_through_a_proxy_that_is_missing(tmp_path: Path) -> None:
    async def no_dns(name: str) -> list[str]:
        raise AssertionError(f"{name} was looked up")

    async def scenario() -> None:
        async with internet(FakeChain(), range(1, 4)) as net:
            setup = Setup(
                P2POptions(proxy_use=ProxyUse.EVERYTHING, own_peers=(net.address(host(1)),)),
                net.params,
                net.peers,
                no_dns,
                group_of,
                hurried(30.0),
            )
            async with running_with(tmp_path, setup, ScriptWallet()) as client:
                await client.until(
                    lambda: (
                        BackendState(ConnectionState.OFFLINE, 0, status.NO_PROXY) in client.events
                    )
                )
                await asyncio.sleep(1.0)
                assert client.backend.ledger() == []
            assert net.visited() == {}

    run(scenario)


def test_nobody_at_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with internet(FakeChain()) as net:
            net.seeds = {"seed.test": [host(1), host(2)]}
            setup = net.setup()
            setup = Setup(
                setup.options,
                setup.params,
                setup.peer_store,
                setup.resolver,
                setup.netgroup,
                hurried(20.0),
            )
            async with running_with(tmp_path, setup, ScriptWallet()) as client:
                wanted = BackendState(ConnectionState.OFFLINE, 0, status.NONE_FOUND)
                await client.until(lambda: wanted in client.events)
                outcomes = {entry.outcome for entry in client.backend.ledger()}
                assert "Nothing listens at this address." in outcomes

    run(scenario)
