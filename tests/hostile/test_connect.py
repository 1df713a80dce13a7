"""Opening connections: which protocol, which route, and what happens when it goes wrong."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode, serve
from tests.hostile.proxy import Side, between
from tests.hostile.socks_server import Fault, SocksServer, forbid_leaks, socks_server
from wallet_gui.chain.p2p import connect
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector
from wallet_gui.chain.p2p.messages import Message, Ping, Pong
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event, SelfConnection
from wallet_gui.chain.p2p.socks5 import REFUSALS
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import REGTEST

ONION: Final = "v7ajjeirttkbnt32wpy3c6w3emwnfr3fkla7hpxcfokr3ysd3kqtzmqd.onion"


@dataclass
class Client:
    """A connector with a clock that a test sets, and what its connections told."""

    options: P2POptions = field(default_factory=P2POptions)
    seconds: float = 1000.0
    events: list[Event] = field(default_factory=list)
    opened: list[Connection] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.told = asyncio.Event()
        self.connector = Connector(
            REGTEST, self.options, lambda: Instant(self.seconds, 1_700_000_000)
        )

    async def open(
        self,
        host: str,
        port: int,
        route: Route | None = None,
        *,
        prefer_v2: bool | None = None,
        relay: bool = True,
    ) -> Connection:
        address = PeerAddress(host, port)
        connection = await self.connector.open(
            address,
            self.connector.route(address) if route is None else route,
            relay=relay,
            on_events=self._note,
            on_progress=lambda: None,
            prefer_v2=prefer_v2,
        )
        self.opened.append(connection)
        return connection

    def _note(self, events: list[Event]) -> None:
        self.events += events
        self.told.set()

    async def refused(self, host: str, port: int, route: Route | None = None) -> ConnectFailed:
        with pytest.raises(ConnectFailed) as failed:
            await self.open(host, port, route)
        assert failed.value.reason[0].isupper()
        assert failed.value.reason.endswith(".")
        return failed.value

    async def ping(self, connection: Connection, nonce: int) -> None:
        """Show that the connection carries messages both ways."""
        connection.protocol.send(Ping(nonce))
        connection.flush()
        async with asyncio.timeout(5):
            while Pong(nonce) not in self.events:
                self.told.clear()
                await self.told.wait()

    async def close(self) -> None:
        for connection in self.opened:
            connection.hang_up()
            await connection.closed


def run(scenario: Callable[[Client], Awaitable[None]], client: Client | None = None) -> None:
    """Run one scenario; nothing is left open afterwards."""

    async def main() -> None:
        here = client or Client()
        try:
            await scenario(here)
        finally:
            await here.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:  # servers of the test, whose clients are gone
            _, pending = await asyncio.wait(others, timeout=2)
            assert pending == set(), "something is still open"
        await asyncio.sleep(0)
        assert here.connector._nonces == set()

    asyncio.run(main())


def node() -> FakeNode:
    return FakeNode(FakeChain())


def through(
    proxy: SocksServer, use: ProxyUse = ProxyUse.EVERYTHING, *, is_tor: bool = True
) -> P2POptions:
    address = PeerAddress("127.0.0.1", proxy.port)
    return P2POptions(proxy=address, proxy_use=use, is_tor=is_tor)


@dataclass
class Listener:
    """A server that is no node: what clients sent first, and what they get."""

    port: int = 0
    answer: bytes | None = b""  # None: never an answer, and no end
    first: list[bytes] = field(default_factory=list)


@asynccontextmanager
async def listener(answer: bytes | None) -> AsyncIterator[Listener]:
    """Read something from each client, answer, and hang up."""
    found = Listener(answer=answer)
    over = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.first.append(await reader.read(65536))
        if answer is None:
            await over.wait()
        else:
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        over.set()
        server.close()
        await server.wait_closed()
        await asyncio.sleep(0.02)


# Which version


@pytest.mark.parametrize("prefer_v2", [None, True])
def test_encrypted_where_the_peer_can(*, prefer_v2: bool | None) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=True) as port:
            connection = await client.open("127.0.0.1", port, prefer_v2=prefer_v2)
            assert connection.transport_name == "v2"
            assert len(connection.session_id) == 32
            assert connection.ready.version.user_agent == "/Fake:1/"
            connection.begin()
            await client.ping(connection, 5)
            assert connection.received_bytes > 100
            assert connection.sent_bytes > 100
            await client.close()

    run(scenario)


def test_an_old_peer_is_asked_again_in_clear_and_remembered_for_a_day() -> None:
    async def scenario(client: Client) -> None:
        async with serve(node()) as port, between(port) as middle:
            middle.is_raw = True
            address = PeerAddress("127.0.0.1", middle.port)
            for expected in (2, 3, 4):  # twice at first, then once
                connection = await client.open("127.0.0.1", middle.port)
                assert connection.transport_name == "v1"
                assert connection.session_id == b""
                assert client.connector.is_v1_only(address)
                assert middle.connections == expected
            client.opened[-1].begin()
            await client.ping(client.opened[-1], 5)
            client.seconds += 24 * 3600 + 1
            assert not client.connector.is_v1_only(address)
            await client.open("127.0.0.1", middle.port)
            assert middle.connections == 6
            await client.close()

    run(scenario)


def test_the_address_book_may_know_that_a_peer_is_old() -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=True) as port:
            connection = await client.open("127.0.0.1", port, prefer_v2=False)
            assert connection.transport_name == "v1"
            await client.close()

    run(scenario)


def test_encrypted_only_never_says_a_word_in_clear() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as old:
            address = PeerAddress("127.0.0.1", old.port)
            for prefer_v2 in (None, True, False):
                with pytest.raises(ConnectFailed, match="encrypted") as failed:
                    await client.open(address.host, address.port, prefer_v2=prefer_v2)
                assert failed.value.was_reached
            assert len(old.first) == 3
            assert not any(first.startswith(REGTEST.magic) for first in old.first)
            assert not client.connector.is_v1_only(address)

    run(scenario, Client(P2POptions(encrypted_only=True)))


def test_who_hangs_up_on_both_is_not_remembered_as_old() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as closed:
            failure = await client.refused("127.0.0.1", closed.port)
            assert failure.was_reached
            assert len(closed.first) == 2
            assert closed.first[1].startswith(REGTEST.magic + b"version")
            assert not client.connector.is_v1_only(PeerAddress("127.0.0.1", closed.port))

    run(scenario)


@pytest.mark.parametrize("answer", [b"x", b"x" * 64, b"x" * 5000])
def test_no_second_try_in_clear_with_who_said_something(answer: bytes) -> None:
    async def scenario(client: Client) -> None:
        async with listener(answer) as server:
            failure = await client.refused("127.0.0.1", server.port)
            assert failure.was_reached
            assert len(server.first) == 1, "somebody on the way could force it so"
            assert (len(answer) > 4200) == isinstance(failure.__cause__, ProtocolViolation)

    run(scenario)


def test_a_silent_peer_costs_seconds_and_no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.ENCRYPTION_TIMEOUT == 5
    monkeypatch.setattr(connect, "ENCRYPTION_TIMEOUT", 0.2)

    async def scenario(client: Client) -> None:
        async with listener(None) as server:
            began = time.monotonic()
            failure = await client.refused("127.0.0.1", server.port)
            assert time.monotonic() - began < 2
            assert failure.was_reached
            assert "too long" in failure.reason
            assert len(server.first) == 1

    run(scenario)


def test_a_version_message_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.HANDSHAKE_TIMEOUT == 15
    monkeypatch.setattr(connect, "HANDSHAKE_TIMEOUT", 0.2)
    mute = node()
    monkeypatch.setattr(mute, "greet", lambda _: [])

    async def scenario(client: Client) -> None:
        for v2 in (True, False):
            async with serve(mute, v2=v2) as port:
                failure = await client.refused("127.0.0.1", port)
                assert "too long" in failure.reason
                assert failure.was_reached

    run(scenario)


def test_nobody_is_there() -> None:
    async def scenario(client: Client) -> None:
        async with listener(b"") as gone:
            pass
        failure = await client.refused("127.0.0.1", gone.port)
        assert "Nothing listens" in failure.reason
        assert not failure.was_reached

    run(scenario)


# The connection


def test_nothing_is_told_before_begin() -> None:
    chatty = node()
    real = chatty.greet

    def greet(message: Message) -> list[Message]:
        answers = real(message)
        return [*answers, Ping(1), Ping(2)] if answers else []

    chatty.greet = greet  # type: ignore[method-assign]

    async def scenario(client: Client) -> None:
        async with serve(chatty, v2=True) as port:
            connection = await client.open("127.0.0.1", port)
            await asyncio.sleep(0.05)
            assert client.events == []
            connection.begin()
            assert client.events[:2] == [Ping(1), Ping(2)]
            await client.ping(connection, 3)
            await client.close()

    run(scenario)


@pytest.mark.parametrize("relay", [False, True])
def test_what_is_said_about_us(*, relay: bool) -> None:
    asked = node()

    async def scenario(client: Client) -> None:
        async with serve(asked, v2=True) as port:
            for _ in range(2):
                await client.open("127.0.0.1", port, relay=relay)
            await client.close()

    run(scenario)
    first, second = asked.greeted
    assert (first.relay, first.start_height, first.services) == (relay, 0, 0)
    assert first.nonce != second.nonce, "a constant would tell who we are"
    assert first.user_agent == second.user_agent


@pytest.mark.parametrize("v2", [False, True])
def test_an_address_that_leads_back_to_us(*, v2: bool) -> None:
    mirror = node()

    async def scenario(client: Client) -> None:
        def greet(message: Message) -> list[Message]:
            mirror.nonce = next(iter(client.connector._nonces))
            return real(message)

        real = mirror.greet
        mirror.greet = greet  # type: ignore[method-assign]
        async with serve(mirror, v2=v2) as port:
            failure = await client.refused("127.0.0.1", port)
            assert isinstance(failure.__cause__, SelfConnection)

    run(scenario)


def test_a_changed_byte_ends_an_encrypted_connection() -> None:
    def run_with(position: int) -> None:
        async def scenario(client: Client) -> None:
            async with serve(node(), v2=True) as port, between(port) as middle:
                middle.is_raw = True
                passed = [0]

                def tamper(side: Side, data: bytes) -> bytes:
                    if side is not Side.NODE:
                        return data
                    start, passed[0] = passed[0], passed[0] + len(data)
                    if start <= position < passed[0]:
                        changed = bytearray(data)
                        changed[position - start] ^= 0x10
                        return bytes(changed)
                    return data

                connection = await client.open("127.0.0.1", middle.port)
                connection.begin()
                middle.tamper = tamper
                for nonce in range(1, 4):
                    connection.protocol.send(Ping(nonce))
                connection.flush()
                async with asyncio.timeout(5):
                    await connection.closed
                assert isinstance(connection.error, ProtocolViolation)
                before = [Pong(n) for n in range(1, 1 + position // 29)]
                assert client.events in ([], before), "something else was delivered"
                await client.close()

        run(scenario)

    # Three pongs of 29 bytes: lengths are found out by what follows, here by nothing.
    for position in (3, 10, 28, 32, 57, 61, 86):
        run_with(position)


@pytest.mark.parametrize("after", [0.0, 0.001, 0.005, 0.02, 0.05])
@pytest.mark.parametrize("v2", [False, True])
def test_cancelled_at_any_moment(after: float, *, v2: bool) -> None:
    async def scenario(client: Client) -> None:
        async with serve(node(), v2=v2) as port, between(port) as middle:
            middle.is_raw = True
            middle.latency = 0.01
            opening = asyncio.ensure_future(client.open("127.0.0.1", middle.port))
            await asyncio.sleep(after)
            opening.cancel()
            await asyncio.wait([opening])

    run(scenario)


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
            assert client.connector.route(PeerAddress("203.0.113.5", 1)) is Route.PROXY
            await client.close()

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


def test_which_route_is_chosen() -> None:
    proxy = PeerAddress("127.0.0.1", 9050)
    clear, onion = PeerAddress("203.0.113.5", 8333), PeerAddress(ONION, 8333)
    name = PeerAddress("node.example.com", 8333)

    def routes(options: P2POptions) -> list[Route | None]:
        found: list[Route | None] = []
        for address in (clear, name, onion):
            try:
                found.append(Client(options).connector.route(address))
            except ConnectFailed:
                found.append(None)
        return found

    direct, tor, other = Route.DIRECT, Route.TOR, Route.PROXY
    assert routes(P2POptions()) == [direct, direct, None]
    assert routes(P2POptions(proxy=proxy)) == [direct, direct, None]
    onions = ProxyUse.ONION_AND_PAYMENTS
    assert routes(P2POptions(proxy=proxy, proxy_use=onions)) == [direct, direct, tor]
    assert routes(P2POptions(proxy=proxy, proxy_use=onions, is_tor=False)) == [direct, direct, None]
    everything = ProxyUse.EVERYTHING
    assert routes(P2POptions(proxy=proxy, proxy_use=everything)) == [tor, tor, tor]
    assert routes(P2POptions(proxy=proxy, proxy_use=everything, is_tor=False)) == [
        *(other, other, None)
    ]
    assert routes(P2POptions(proxy_use=everything)) == [None, None, None]


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
