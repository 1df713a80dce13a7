"""Opens one connection to a peer: the route, encryption or not, and the handshake.

Version 2 (BIP324) first. Version 1 is tried at the same address only when the peer closed the
connection without a word, as a node does that knows no version 2; somebody on the way can do that
too, so there is a switch for who wants encryption or nothing. What goes through Tor or another
proxy is asked of it by name: no name is looked up here then, and no socket leads past it.
"""

import asyncio
import ipaddress
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.p2p import onion
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions, ProxyUse
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event, PeerProtocol
from wallet_gui.chain.p2p.socks5 import Credentials, Socks5Client, SocksFailed
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.transport import ProtocolViolation, Transport, V1Transport
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.chain.reports import Route
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

CONNECT_TIMEOUT: Final = 5.0
PROXY_TIMEOUT: Final = 10.0  # for the proxy to reach the peer
TOR_TIMEOUT: Final = 30.0
TUNNEL_TIMEOUT: Final = 90.0  # somebody may have to type a password
ENCRYPTION_TIMEOUT: Final = 5.0
SLOW_ENCRYPTION_TIMEOUT: Final = 15.0  # a round trip through Tor takes seconds
HANDSHAKE_TIMEOUT: Final = 15.0
V1_MEMORY: Final = 24 * 3600.0
MAX_REMEMBERED: Final = 1000
_MIN_SENT: Final = 24  # a header of version 1: a node that reads it knows that it is none

_NO_ENCRYPTION: Final = (
    "The peer does not speak the encrypted protocol, and others are not used "
    "(encrypted connections only)."
)

_SENTENCES: Final[Mapping[type, str]] = {
    type(None): "The peer closed the connection.",
    ConnectionRefusedError: "Nothing listens at this address.",
    ConnectionResetError: "The peer broke off the connection.",
    socket.gaierror: "No host of this name was found.",
}


class ConnectFailed(ChainError):
    """There is no connection; the message says why, for a person.

    `was_reached`: something answered at the address, so it is not dead.
    """

    def __init__(self, reason: str, *, was_reached: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.was_reached = was_reached


class _ClosedOnV2(ConnectFailed):
    """The peer hung up at the first bytes of version 2 without a word."""


TunnelDial = Callable[[PeerAddress, Connection], Awaitable[None]]
"""Lets a connection run over a channel to an address at the far end; raises ChainError."""


class Connector:
    """Opens connections under the rules that a person chose."""

    def __init__(
        self,
        params: ChainParams,
        options: P2POptions,
        clock: Callable[[], Instant],
        tunnel: TunnelDial | None = None,
    ) -> None:
        """Open nothing yet. `options` may be replaced later; open connections stay as they are.

        `tunnel` opens what goes by `Route.SSH`.
        """
        self._tunnel = tunnel
        self.options = options
        self._params = params
        self._clock = clock
        self._nonces: set[int] = set()  # of all our connections: one may lead back to us
        self._v1_only: dict[PeerAddress, float] = {}  # until when

    async def open(
        self,
        address: PeerAddress,
        route: Route,
        *,
        relay: bool,
        on_events: Callable[[list[Event]], None],
        on_progress: Callable[[], None],
        prefer_v2: bool | None = None,
    ) -> Connection:
        """Connect and shake hands; call `begin` on what is returned to receive events.

        `route` is what `routes.route_to` chose; one that the options do not allow is refused.
        `relay` asks the peer to announce transactions. `prefer_v2` is False for an address that is
        known to speak version 1 only; it is ignored where only encrypted connections are wanted.
        Raises ConnectFailed.
        """
        if (route is Route.SSH) != self.options.is_tunnelled:
            raise ConnectFailed(
                "A tunnel leads to the node alone, and the node is asked by it alone."
            )
        if route is not Route.SSH:
            self._check(address, route)

        def fresh(transport: Transport) -> Connection:
            return self._connection(transport, on_events, on_progress, relay=relay)

        magic = self._params.magic
        fell_back = False
        # A tunnel encrypts already, up to the node's own computer.
        is_old = prefer_v2 is False or self.is_v1_only(address) or route is Route.SSH
        if self.options.encrypted_only or not is_old:
            try:
                return await self._attempt(fresh(V2Transport(magic)), address, route)
            except _ClosedOnV2 as closed:
                if self.options.encrypted_only:
                    raise ConnectFailed(_NO_ENCRYPTION, was_reached=True) from closed
                fell_back = True
        connection = await self._attempt(fresh(V1Transport(magic)), address, route)
        if fell_back:
            self._remember(address)
        return connection

    def is_v1_only(self, address: PeerAddress) -> bool:
        """Whether the peer refused version 2 within the last 24 hours and then took version 1."""
        return self._v1_only.get(address, 0.0) > self._clock().monotonic

    def _remember(self, address: PeerAddress) -> None:
        self._v1_only.pop(address, None)
        if len(self._v1_only) >= MAX_REMEMBERED:
            del self._v1_only[next(iter(self._v1_only))]  # the oldest
        self._v1_only[address] = self._clock().monotonic + V1_MEMORY

    def _check(self, address: PeerAddress, route: Route) -> None:
        """Refuse what would go another way than the person wants."""
        options = self.options
        _check_onion(address, route)
        if route is Route.DIRECT:
            if options.proxy_use is ProxyUse.EVERYTHING:
                raise ConnectFailed("Everything goes through the proxy; this connection would not.")
            if options.is_tunnelled:
                raise ConnectFailed(
                    "Everything goes through the tunnel; this connection would not."
                )
        elif route is Route.SSH:
            if self._tunnel is None:
                raise ConnectFailed("There is no tunnel to the node.")
        elif options.proxy is None:
            raise ConnectFailed("No proxy is set; give its address in the settings.")
        elif route is Route.TOR and not options.is_tor:
            raise ConnectFailed("The proxy in the settings does not lead to Tor.")

    # --- one attempt ------------------------------------------------------------------------------

    def _connection(
        self,
        transport: Transport,
        on_events: Callable[[list[Event]], None],
        on_progress: Callable[[], None],
        *,
        relay: bool,
    ) -> Connection:
        nonce = secrets.randbits(64) | 1
        protocol = PeerProtocol(
            transport,
            nonce=nonce,
            own_nonces=self._nonces,
            unix_time=self._clock().unix,
            start_height=0,  # the real one would tell where the wallet was left
            relay=relay,
        )
        connection = Connection(protocol, on_events=on_events, on_progress=on_progress)
        self._nonces.add(nonce)
        connection.closed.add_done_callback(lambda _: self._nonces.discard(nonce))
        return connection

    async def _attempt(
        self, connection: Connection, address: PeerAddress, route: Route
    ) -> Connection:
        """Bring one connection to the end of its handshake, or close it."""
        is_done = False
        try:
            if route is Route.DIRECT:
                await self._dial(connection, address)
            elif route is Route.SSH:
                await self._dial_tunnel(connection, address)
            else:
                await self._dial_proxy(connection, address, route)
            await self._shake_hands(connection, route)
            is_done = True
        finally:
            if not is_done:
                connection.hang_up()
        return connection

    async def _dial(self, connection: Connection, address: PeerAddress) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await loop.create_connection(lambda: connection, address.host, address.port)
        except TimeoutError:
            raise ConnectFailed("The connection took too long.") from None
        except OSError as error:
            raise ConnectFailed(describe(error)) from error

    async def _dial_tunnel(self, connection: Connection, address: PeerAddress) -> None:
        if self._tunnel is None:
            raise ConnectFailed("There is no tunnel to the node.")
        try:
            async with asyncio.timeout(TUNNEL_TIMEOUT):
                await self._tunnel(address, connection)
        except TimeoutError:
            raise ConnectFailed("The tunnel to the node took too long to open.") from None
        except ChainError as error:
            raise ConnectFailed(str(error)) from error

    async def _dial_proxy(self, connection: Connection, address: PeerAddress, route: Route) -> None:
        proxy = self._proxy()
        loop = asyncio.get_running_loop()
        host = address.host.lower() if route is Route.TOR else address.host
        try:
            client = Socks5Client(host, address.port, Credentials.random())
            asking = _ProxyRequest(client, connection)
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT):
                    await loop.create_connection(lambda: asking, str(proxy[0]), proxy[1])
            except (OSError, TimeoutError) as error:
                what = "Tor does not" if route is Route.TOR else "The proxy does not"
                raise ConnectFailed(
                    f"{what} answer at {self.options.proxy}. Start it, or correct its address."
                ) from error
            try:
                async with asyncio.timeout(TOR_TIMEOUT if route is Route.TOR else PROXY_TIMEOUT):
                    failure = await asking.done
            finally:
                asking.give_up()
        except TimeoutError:
            raise ConnectFailed("The proxy took too long to reach the peer.") from None
        except SocksFailed as error:  # a name that the protocol cannot carry
            raise ConnectFailed(str(error)) from error
        if failure is not None:
            raise ConnectFailed(f"{failure}{_hint(address, route)}") from failure

    def _proxy(self) -> tuple[str, int]:
        """Give the proxy's IP address and port: not even its own name may be looked up."""
        proxy = self.options.proxy
        if proxy is None:
            raise ConnectFailed("No proxy is set; give its address in the settings.")
        host = "127.0.0.1" if proxy.host.lower() == "localhost" else proxy.host
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise ConnectFailed(
                "Give the proxy as an IP address, for example 127.0.0.1:9050; its name is not "
                "looked up."
            ) from None
        return host, proxy.port

    async def _shake_hands(self, connection: Connection, route: Route) -> None:
        """Wait for encryption, if any, and then for the version messages."""
        is_direct = route is Route.DIRECT
        encryption = ENCRYPTION_TIMEOUT if is_direct else SLOW_ENCRYPTION_TIMEOUT
        if not await _first_of(connection.established, connection.closed, encryption):
            is_silent = not connection.received_bytes and connection.sent_bytes >= _MIN_SENT
            failure = _ClosedOnV2 if is_silent and connection.closed.done() else ConnectFailed
            raise failure(_reason(connection), was_reached=True) from connection.error
        await _first_of(connection.handshake, connection.closed, HANDSHAKE_TIMEOUT)
        if not connection.handshake.done() or connection.closed.done():
            raise ConnectFailed(_reason(connection), was_reached=True) from connection.error


class _ProxyRequest(asyncio.Protocol):
    """Asks the proxy, and leaves the socket to the connection when it was made."""

    def __init__(self, client: Socks5Client, connection: Connection) -> None:
        self.done: asyncio.Future[SocksFailed | None] = asyncio.get_running_loop().create_future()
        self._client = client
        self._connection = connection
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            transport.write(self._client.data_to_send())

    def data_received(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or self.done.done():
            return
        try:
            rest = self._client.receive_data(data)
        except SocksFailed as error:
            self.done.set_result(error)
            transport.abort()
            return
        transport.write(self._client.data_to_send())
        if self._client.is_done:
            self._transport = None
            transport.set_protocol(self._connection)
            self._connection.connection_made(transport)
            self._connection.receive_data(rest)
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.done.done():
            self.done.set_result(SocksFailed("The proxy closed the connection."))

    def give_up(self) -> None:
        """Close the socket if it is still ours."""
        if not self.done.done():
            self.done.cancel()
        if self._transport is not None:
            self._transport.abort()


def _check_onion(address: PeerAddress, route: Route) -> None:
    if onion.is_onion(address.host):
        try:
            onion.decode(address.host)
        except ParseError as error:
            raise ConnectFailed(str(error)) from error
        if route is not Route.TOR:
            raise ConnectFailed("An onion address needs Tor; set its proxy in the settings.")


async def _first_of(
    wanted: "asyncio.Future[Any]", closed: "asyncio.Future[None]", seconds: float
) -> bool:
    """Wait for one of the two; tell whether it was the first."""
    await asyncio.wait({wanted, closed}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    return wanted.done()


def _reason(connection: Connection) -> str:
    if not connection.closed.done():
        return "The handshake took too long."
    return describe(connection.error)


def _hint(address: PeerAddress, route: Route) -> str:
    """Name the usual reason why Tor cannot reach an address."""
    try:
        is_private = ipaddress.ip_address(address.host).is_private
    except ValueError:
        return ""
    if is_private and route is Route.TOR:
        return " Tor does not lead to addresses of this computer or of a home network."
    return ""


def describe(error: BaseException | None) -> str:
    """Say in one sentence why a connection ended."""
    if isinstance(error, ProtocolViolation):
        return str(error)
    for kind, sentence in _SENTENCES.items():
        if isinstance(error, kind):
            return sentence
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}."
    return "The connection failed."
