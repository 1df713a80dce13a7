"""What the tests of opening connections share: a connector, and servers that are no nodes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import pytest

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_peer import FakeNode
from tests.hostile.socks_server import SocksServer
from tests.patience import PATIENCE
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.connect import ConnectFailed, Connector
from wallet_gui.chain.p2p.messages import Ping, Pong
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event
from wallet_gui.chain.p2p.routes import route_to
from wallet_gui.chain.p2p.sync_state import Instant
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
    progress: int = 0

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
            route or route_to(address, self.options) or Route.DIRECT,
            relay=relay,
            on_events=self._note,
            on_progress=self._note_progress,
            prefer_v2=prefer_v2,
        )
        self.opened.append(connection)
        return connection

    def _note(self, events: list[Event]) -> None:
        self.events += events
        self.told.set()

    def _note_progress(self) -> None:
        self.progress += 1

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
        async with asyncio.timeout(PATIENCE):
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
