"""Connections through Tor and other proxies: nothing leaks, failures are said in words."""

import asyncio

import pytest

from tests.hostile.connecting import ONION, Client, listener, node, run, through
from tests.hostile.fake_peer import serve
from tests.hostile.socks_server import Fault, SocksServer, forbid_leaks, socks_server
from wallet_gui.chain.p2p import connect, tor
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.socks5 import REFUSALS
from wallet_gui.chain.reports import Route

# Through a proxy


@pytest.mark.parametrize("v2", [False, True])
@pytest.mark.parametrize(
    ("host", "kind"), [(ONION, 3), ("node.example.com", 3), ("203.0.113.5", 1), ("2001:db8::5", 4)]
)
def test_everything_through_tor(
    host: str, kind: int, monkeypatch: pytest.MonkeyPatch, *, v2: bool
) -> None:
    async def scenario(_: Client) -> None:
        async with serve(node(), v2=v2) as port, socks_server() as proxy:
            proxy.hosts[host] = port
            client = Client(through(proxy))
            with monkeypatch.context() as patch:
                leaks = forbid_leaks(patch, proxy)
                connection = await client.open(host, 8333)
                connection.begin()
                await client.ping(connection, 9)
                assert leaks == []
            assert connection.transport_name == ("v2" if v2 else "v1")
            assert [(r.host, r.port, r.kind) for r in proxy.requests] == [(host, 8333, kind)] * (
                1 if v2 else 2
            )
            assert client.connector.is_v1_only(PeerAddress(host, 8333)) != v2
            await client.close()

    run(scenario)


def test_every_connection_has_a_circuit_of_its_own() -> None:
    async def scenario(_: Client) -> None:
        async with serve(node(), v2=True) as port, socks_server() as proxy:
            proxy.hosts[ONION] = port
            client = Client(through(proxy, ProxyUse.ONION_AND_PAYMENTS))
            for number in range(5):
                await client.open(ONION, 8333)
                assert len(proxy.requests) == number + 1
            assert len({(r.user, r.password) for r in proxy.requests}) == 5
            assert all(r.user and r.password for r in proxy.requests)
            await client.close()

    run(scenario)


def test_a_proxy_without_credentials_and_with_a_name_in_its_answer() -> None:
    async def scenario(_: Client) -> None:
        proxy_with_names = SocksServer(fault=Fault.NO_ISOLATION, bound_name="exit.example.com")
        async with serve(node(), v2=True) as port, socks_server(proxy_with_names) as proxy:
            proxy.hosts["203.0.113.5"] = port
            client = Client(through(proxy, is_tor=False))
            connection = await client.open("203.0.113.5", 8333)
            connection.begin()
            await client.ping(connection, 1)
            await client.close()

    run(scenario)


def test_bytes_that_come_together_with_the_answer_are_the_peers() -> None:
    async def scenario(_: Client) -> None:
        async with serve(node(), v2=True) as port, socks_server() as proxy:
            proxy.hosts[ONION] = port
            proxy.early = b"x" * 5000  # no node speaks first
            failure = await Client(through(proxy)).refused(ONION, 8333)
            assert "does not speak the encrypted protocol" in failure.reason
            assert failure.was_reached
            assert len(proxy.requests) == 1

    run(scenario)


def test_a_name_that_no_proxy_can_be_asked_for() -> None:
    async def scenario(_: Client) -> None:
        async with socks_server() as proxy:
            failure = await Client(through(proxy)).refused("x" * 300, 8333)
            assert "host name" in failure.reason
            assert proxy.connections == 0

    run(scenario)


@pytest.mark.parametrize("fault", [f for f in Fault if f not in (Fault.NONE, Fault.NO_ISOLATION)])
def test_a_proxy_that_fails(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (connect.TOR_TIMEOUT, connect.PROXY_TIMEOUT) == (30, 10)
    monkeypatch.setattr(connect, "TOR_TIMEOUT", 0.2)
    monkeypatch.setattr(connect, "PROXY_TIMEOUT", 0.2)

    async def scenario(_: Client) -> None:
        async with socks_server(SocksServer(fault=fault)) as proxy:
            for is_tor in (True, False):
                client = Client(through(proxy, is_tor=is_tor))
                failure = await client.refused("203.0.113.5", 8333)
                assert not failure.was_reached
                assert "roxy" in failure.reason
            assert proxy.connections == 2, "a second try would not be better"

    run(scenario)


@pytest.mark.parametrize("code", [*REFUSALS, 0x42])
def test_what_tor_says_is_said_in_words(code: int) -> None:
    async def scenario(_: Client) -> None:
        async with socks_server(SocksServer(reply=code)) as proxy:
            client = Client(through(proxy))
            failure = await client.refused(ONION, 8333)
            assert failure.reason == REFUSALS.get(code, "The proxy refused with code 66.")
            assert not failure.was_reached
            own = await client.refused("192.168.1.5", 8333)
            assert own.reason.endswith(
                "Tor does not lead to addresses of this computer or of a home network."
            )

    run(scenario)


def test_no_proxy_is_running() -> None:
    async def scenario(_: Client) -> None:
        async with socks_server() as proxy:
            pass
        failure = await Client(through(proxy)).refused("203.0.113.5", 8333)
        assert f"Tor does not answer at 127.0.0.1:{proxy.port}" in failure.reason
        failure = await Client(through(proxy, is_tor=False)).refused("203.0.113.5", 8333)
        assert "The proxy does not answer" in failure.reason

    run(scenario)


@pytest.mark.parametrize("stage", [Fault.SILENT, Fault.SILENT_AFTER_REQUEST])
def test_cancelled_while_the_proxy_works(stage: Fault) -> None:
    async def scenario(_: Client) -> None:
        async with socks_server(SocksServer(fault=stage)) as proxy:
            client = Client(through(proxy))
            opening = asyncio.ensure_future(client.open(ONION, 8333))
            await asyncio.sleep(0.05)
            assert proxy.connections == 1
            opening.cancel()
            await asyncio.wait([opening])
            await asyncio.sleep(0.02)
            assert client.connector._nonces == set()

    run(scenario)


# Routes


def test_routes_that_are_never_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(_: Client) -> None:
        async with socks_server() as proxy:
            with monkeypatch.context() as patch:
                leaks = forbid_leaks(patch, proxy)
                everything = Client(through(proxy))
                for host in ("203.0.113.5", "node.example.com", "127.0.0.1", ONION):
                    await everything.refused(host, 8333, Route.DIRECT)
                nothing = Client()
                for route in Route:
                    await nothing.refused(ONION, 8333, route)
                for route in (Route.TOR, Route.PROXY):
                    await nothing.refused("203.0.113.5", 8333, route)
                other = Client(through(proxy, is_tor=False))
                await other.refused(ONION, 8333, Route.TOR)
                await other.refused(ONION, 8333, Route.PROXY)
                await other.refused("203.0.113.5", 8333, Route.TOR)
                wrong = await everything.refused(ONION.replace("v7", "w7"), 8333, Route.TOR)
                assert "typing error" in wrong.reason
                for bad in ("x.onion", "expyuzz4wqqyqhjn.onion", "x.ONION."):
                    await everything.refused(bad, 8333, Route.TOR)
                assert leaks == []
            assert proxy.connections == 0

    run(scenario)


def test_not_even_the_name_of_the_proxy_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(_: Client) -> None:
        async with serve(node(), v2=True) as port, socks_server() as proxy:
            proxy.hosts[ONION] = port
            with monkeypatch.context() as patch:
                leaks = forbid_leaks(patch, proxy)
                named = P2POptions(
                    proxy=PeerAddress("tor.example.com", 9050), proxy_use=ProxyUse.EVERYTHING
                )
                failure = await Client(named).refused(ONION, 8333)
                assert "as an IP address" in failure.reason
                client = Client(
                    P2POptions(
                        proxy=PeerAddress("localhost", proxy.port), proxy_use=ProxyUse.EVERYTHING
                    )
                )
                await client.open(ONION, 8333)
                assert leaks == []
            await client.close()

    run(scenario)


def test_the_leak_detector_detects(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=True) as port, socks_server() as proxy:
            with monkeypatch.context() as patch:
                leaks = forbid_leaks(patch, proxy)
                with pytest.raises(AssertionError, match="a socket was opened"):
                    await client.open("127.0.0.1", port)
                with pytest.raises(AssertionError, match="was looked up"):
                    await client.open("node.example.com", port)
                assert len(leaks) == 2

    run(scenario)


# Finding Tor


def test_tor_is_found_where_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tor, "PROBE_TIMEOUT", 0.3)
    assert tor.TOR_PORTS == (9050, 9150)

    async def scenario(_: Client) -> None:
        async with (
            listener(b"HTTP/1.1 400 Bad Request\r\n") as web,
            listener(None) as mute,
            listener(b"") as gone,
            socks_server(SocksServer(fault=Fault.NO_ISOLATION)) as plain,
            socks_server() as proxy,
        ):
            others = [web.port, mute.port, gone.port]
            assert await tor.find_tor(others) is None
            assert await tor.find_tor([*others, proxy.port, plain.port]) == PeerAddress(
                "127.0.0.1", proxy.port
            )
            assert await tor.find_tor([plain.port]) == PeerAddress("127.0.0.1", plain.port)
            assert proxy.requests == plain.requests == []
        assert await tor.find_tor([proxy.port]) is None

    run(scenario)
