"""Finding a machine and connecting to one of its ports, each with its own failure in words."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Sequence
from typing import Any, Final

from wallet_gui.chain.bitcoind import ssh_problems
from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel

_STAGGER: Final = 0.25  # seconds before the next address is tried beside the first (RFC 8305)
_MOST_ADDRESSES: Final = 8
_NO_WAY: Final = frozenset(
    {
        errno.EHOSTUNREACH,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.ENETDOWN,
        errno.EADDRNOTAVAIL,
        errno.EAFNOSUPPORT,
        errno.EACCES,
        errno.EPERM,
    }
)

Address = tuple[socket.AddressFamily, Any]


async def resolve(host: str, port: int, seconds: float) -> list[Address]:
    """Look a name up; raises NodeProblem when it has no address."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise ssh_problems.host_unknown(host, "The name server did not answer.") from None
    except (OSError, UnicodeError) as error:
        raise ssh_problems.host_unknown(host, str(error)) from None
    places: dict[Address, None] = {(each[0], each[4]): None for each in found}
    addresses = list(places)[:_MOST_ADDRESSES]
    if not addresses:
        raise ssh_problems.host_unknown(host)
    return _families_in_turn(addresses)


async def dial(host: str, port: int, addresses: Sequence[Address], seconds: float) -> socket.socket:
    """Connect to the first address that answers; raises NodeProblem.

    The socket is non-blocking, belongs to the caller, and sends small packets at once.
    """
    errors: list[OSError] = []
    try:
        async with asyncio.timeout(seconds):
            sock = await _race(addresses, errors)
    except TimeoutError:
        raise ssh_problems.ssh_silent(host, seconds) from None
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    for error in errors:
        if isinstance(error, ConnectionRefusedError):
            raise ssh_problems.ssh_refused(host, port, str(error))
    for error in errors:
        if error.errno in _NO_WAY:
            raise ssh_problems.host_unreachable(host, str(error))
    raise ssh_problems.ssh_silent(host, seconds, "; ".join(map(str, errors)))


async def open_directly(address: Address) -> Channel:
    """Connect to an address without a tunnel; raises OSError."""
    sock = await _connect(address)
    try:
        _, channel = await asyncio.get_running_loop().create_connection(ByteChannel, sock=sock)
    except BaseException:
        sock.close()
        raise
    return channel


async def open_at(host: str, port: int) -> Channel:
    """The same for an address in words, as another program found it; raises NodeProblem."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return await open_directly((family, (host, port)))
    except OSError as error:
        raise ssh_problems.ssh_refused(host, port, str(error)) from None


async def _race(addresses: Sequence[Address], errors: list[OSError]) -> socket.socket | None:
    """Try the addresses one after the other, the next when one fails or is slow."""
    waiting = list(addresses)
    running: set[asyncio.Task[socket.socket]] = set()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connect(waiting.pop(0))))
            done, running = await asyncio.wait(
                running,
                timeout=_STAGGER if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                try:
                    sock = task.result()
                except OSError as error:
                    errors.append(error)
                else:
                    for other in done - {task}:
                        _drop(other)
                    return sock
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_drop)
    return None


def _drop(task: asyncio.Task[socket.socket]) -> None:
    if not task.cancelled():
        with contextlib.suppress(OSError):
            task.result().close()


async def _connect(address: Address) -> socket.socket:
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, place)
    except BaseException:
        sock.close()
        raise
    return sock


def _families_in_turn(addresses: list[Address]) -> list[Address]:
    """Mix IPv6 and IPv4, so that a dead one of the two costs one pause."""
    first = [each for each in addresses if each[0] == addresses[0][0]]
    other = [each for each in addresses if each[0] != addresses[0][0]]
    mixed = []
    while first or other:
        if first:
            mixed.append(first.pop(0))
        if other:
            mixed.append(other.pop(0))
    return mixed
