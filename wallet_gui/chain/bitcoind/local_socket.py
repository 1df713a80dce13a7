"""The node on this computer: plain sockets of the loopback interface, files read by the storage.

A `Tunnel` in form only, so that nobody above has to know the difference. It connects to no address
but loopback ones, so that a cookie or a password never crosses a network unencrypted.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    connection_lost,
    node_refused,
)
from wallet_gui.chain.bitcoind.tunnel_protocol import (
    MOST_OF_A_FILE,
    MOST_OF_A_FORCED_OUTPUT,
    Channel,
    ReadFile,
)

_SECONDS: Final = 10.0  # for a connection within the machine


class LocalTunnel:
    """A `Tunnel` to this computer, which is never lost."""

    description = "this computer"
    server_version = ""
    host_key_fingerprint = ""
    auth_method = ""

    def __init__(self, read_local: ReadFile) -> None:
        """`read_local` reads a file of this computer (it is called in a worker thread)."""
        self._read_local = read_local
        self._closed: asyncio.Event = asyncio.Event()
        self._channels: list[asyncio.Transport] = []

    async def open_channel(self, host: str, port: int) -> Channel:
        """Connect to a port of the loopback interface; raises NodeProblem."""
        if self._closed.is_set():
            raise connection_lost()
        address = _loopback(host)
        self._channels = [each for each in self._channels if not each.is_closing()]
        try:
            async with asyncio.timeout(_SECONDS):
                transport, channel = await asyncio.get_running_loop().create_connection(
                    ByteChannel, address, port
                )
        except OSError as error:  # a TimeoutError is one, too
            raise node_refused(address, port, str(error)) from None
        if self._closed.is_set():  # meanwhile: nobody would close this one
            transport.abort()
            raise connection_lost()
        sock = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._channels.append(transport)
        return channel

    async def read_file(self, path: str, limit: int = MOST_OF_A_FILE) -> bytes:
        """Read a file of this computer.

        Raises FileNotFoundError, PermissionError, and NodeProblem for everything else.
        """
        try:
            data = await asyncio.to_thread(_read, self._read_local, path, limit)
        except (FileNotFoundError, PermissionError):
            raise
        except (OSError, ValueError, RuntimeError) as error:
            raise NodeProblem(
                Code.COOKIE_UNREADABLE,
                "A file of the node cannot be read.",
                "Check the path of the cookie file.",
                detail=str(error),
                is_final=True,
            ) from None
        if len(data) > limit:
            raise NodeProblem(
                Code.COOKIE_UNREADABLE,
                "A file of the node is far too large to be its cookie.",
                "Check the path of the cookie file.",
                is_final=True,
            )
        return data

    async def forced_output(self, limit: int = MOST_OF_A_FORCED_OUTPUT) -> bytes:
        """Return b"": there is no login that could force a command."""
        del limit
        return b""

    async def close(self) -> None:
        """Close every channel."""
        self._closed.set()
        for transport in self._channels:
            transport.abort()  # what a node does not read is not waited for
        self._channels.clear()

    async def wait_lost(self) -> NodeProblem:
        """Return after `close`."""
        await self._closed.wait()
        return connection_lost()


def _loopback(host: str) -> str:
    if host == "localhost":
        return "127.0.0.1"
    try:
        if ipaddress.ip_address(host).is_loopback:
            return host
    except ValueError:
        pass
    raise NodeProblem(
        Code.NODE_REFUSED,
        "Without SSH, only a node on this computer is spoken to.",
        "Reach other machines with an address like ssh://user@host.",
        is_final=True,
    )


def _read(read_local: Callable[[Path, int], bytes], path: str, limit: int) -> bytes:
    return read_local(Path.home() / Path(path).expanduser(), limit)
