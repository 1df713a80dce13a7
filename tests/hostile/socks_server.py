"""A SOCKS5 proxy for tests: it notes what it is asked for, and fails in every way there is.

Hosts in `hosts`, onion names and public addresses among them, lead to ports of this computer;
other loopback addresses lead where they say and everything else is unreachable.
"""

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import pytest

_IS_PROXY: ContextVar[bool] = ContextVar("is_proxy", default=False)


class Fault(Enum):
    """How the proxy fails."""

    NONE = "none"
    SILENT = "accepts and says nothing"
    HANGS_UP = "hangs up at once"
    NOT_SOCKS = "is a web server"
    NO_METHOD = "accepts no way of logging in"
    NO_ISOLATION = "takes no credentials"  # a fault only of Tor; plain proxies do so
    REFUSES_LOGIN = "refuses the credentials"
    SILENT_AFTER_REQUEST = "takes the request and says nothing"
    HANGS_UP_AFTER_REQUEST = "takes the request and hangs up"
    HALF_A_REPLY = "breaks off in its answer"
    NONSENSE_REPLY = "answers with nonsense"


class Request(NamedTuple):
    """What a client asked for; `kind` is the type of address on the wire (1, 3 or 4)."""

    host: str
    port: int
    kind: int
    user: str | None
    password: str | None


class _Over(Exception):
    """The conversation ends here."""


@dataclass
class SocksServer:
    """The proxy's behaviour, which a test may change while it runs."""

    hosts: dict[str, int] = field(default_factory=dict)
    fault: Fault = Fault.NONE
    reply: int = 0  # a code other than 0 refuses every request with it
    bound_name: str = ""  # answer with an address of this name instead of 0.0.0.0
    early: bytes = b""  # sent in one piece with the answer, as if by the peer
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def _greet(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> tuple[str | None, str | None]:
        if self.fault is Fault.HANGS_UP:
            raise _Over
        if self.fault is Fault.NOT_SOCKS:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            raise _Over
        version, count = await reader.readexactly(2)
        assert version == 5
        methods = await reader.readexactly(count)
        if self.fault is Fault.SILENT:
            await asyncio.Event().wait()
        if self.fault is Fault.NO_METHOD:
            writer.write(b"\x05\xff")
            raise _Over
        if 2 not in methods or self.fault is Fault.NO_ISOLATION:
            writer.write(b"\x05\x00")
            return None, None
        writer.write(b"\x05\x02")
        assert await reader.readexactly(1) == b"\x01"
        user = await reader.readexactly((await reader.readexactly(1))[0])
        password = await reader.readexactly((await reader.readexactly(1))[0])
        if self.fault is Fault.REFUSES_LOGIN:
            writer.write(b"\x01\x01")
            raise _Over
        writer.write(b"\x01\x00")
        return user.decode(), password.decode()

    async def _read_request(
        self, reader: asyncio.StreamReader, user: str | None, password: str | None
    ) -> Request:
        assert await reader.readexactly(3) == b"\x05\x01\x00"
        kind = (await reader.readexactly(1))[0]
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ipaddress.ip_address(await reader.readexactly({1: 4, 4: 16}[kind])))
        port = int.from_bytes(await reader.readexactly(2), "big")
        return Request(host, port, kind, user, password)

    def _target(self, request: Request) -> int | None:
        """Find the loopback port that stands for what was asked for."""
        if request.host in self.hosts:
            return self.hosts[request.host]
        with contextlib.suppress(ValueError):
            if ipaddress.ip_address(request.host).is_loopback:
                return request.port
        return None

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        user, password = await self._greet(reader, writer)
        request = await self._read_request(reader, user, password)
        self.requests.append(request)
        match self.fault:
            case Fault.SILENT_AFTER_REQUEST:
                await asyncio.Event().wait()
            case Fault.HANGS_UP_AFTER_REQUEST:
                raise _Over
            case Fault.HALF_A_REPLY:
                writer.write(b"\x05\x00\x00\x01\x7f")
                raise _Over
            case Fault.NONSENSE_REPLY:
                writer.write(b"\x04\x5a" + bytes(6))
                raise _Over
            case _:
                pass
        target = self._target(request)
        if self.reply or target is None:
            writer.write(bytes((5, self.reply or 4, 0, 1)) + bytes(6))
            raise _Over
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        except OSError:
            writer.write(bytes((5, 5, 0, 1)) + bytes(6))
            raise _Over from None
        name = self.bound_name.encode()
        bound = b"\x03" + bytes((len(name),)) + name if name else b"\x01" + bytes(4)
        writer.write(b"\x05\x00\x00" + bound + bytes(2) + self.early)
        await _pump(reader, far_writer, far_reader, writer)


async def _pump(
    reader: asyncio.StreamReader,
    far_writer: asyncio.StreamWriter,
    far_reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Copy both ways until one side ends."""

    async def copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()

    both = [
        asyncio.ensure_future(copy(reader, far_writer)),
        asyncio.ensure_future(copy(far_reader, writer)),
    ]
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in both:
            each.cancel()
        far_writer.close()
        await asyncio.gather(*both, return_exceptions=True)
        with contextlib.suppress(ConnectionError):
            await far_writer.wait_closed()


@asynccontextmanager
async def socks_server(server: SocksServer | None = None) -> AsyncIterator[SocksServer]:
    """Run a proxy on a free port of this computer; its port is in the object."""
    proxy = server or SocksServer()
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        _IS_PROXY.set(True)  # in this task alone
        try:
            await proxy.converse(reader, writer)
        except (_Over, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    listening = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = listening.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listening.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def forbid_leaks(patch: pytest.MonkeyPatch, proxy: SocksServer) -> list[str]:
    """Make every look-up of a name and every socket past the proxy fail loudly.

    Returns the list in which they are noted besides, for code that takes any failure.
    """
    leaks: list[str] = []
    real = socket.socket.connect

    def leak(what: str) -> None:
        leaks.append(what)
        raise AssertionError(what)

    def look_up(host: object, *_: Any, **__: Any) -> None:
        leak(f"the name {host!r} was looked up")

    def connect(sock: socket.socket, address: Any) -> None:
        if not _IS_PROXY.get() and address[:2] != ("127.0.0.1", proxy.port):
            leak(f"a socket was opened to {address!r}")
        real(sock, address)

    def send(sock: socket.socket, *_: Any) -> None:
        leak("a datagram was sent")

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr"):
        patch.setattr(socket, name, look_up)
    patch.setattr(socket.socket, "connect", connect)
    patch.setattr(socket.socket, "connect_ex", connect)
    patch.setattr(socket.socket, "sendto", send)
    return leaks
