"""Asks a SOCKS5 proxy whether it is there and whether it is Tor, without going anywhere through it.

Only the greeting is exchanged (RFC 1928). Tor answers an HTTP request on the same port with a page
that names it, which is what people see who confuse the two kinds of proxy; that tells it apart.
"""

import asyncio
import contextlib
from typing import Final

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.p2p.addresses import PeerAddress

TIMEOUT: Final = 5.0
_GREETING: Final = bytes([5, 2, 0, 2])
_NO_METHOD: Final = 0xFF
_MAX_PAGE: Final = 4_096


class ProxyFailed(ChainError):
    """The proxy is not usable; the message is a sentence for a person."""


async def check_proxy(proxy: PeerAddress, *, expects_tor: bool, timeout: float = TIMEOUT) -> str:  # noqa: ASYNC109 - two connections share it
    """Greet the proxy; returns what it is as a sentence. Raises ProxyFailed when it is none."""
    try:
        async with asyncio.timeout(timeout):
            answer = await _exchange(proxy, _GREETING, 2)
            if len(answer) != 2 or answer[0] != 5:
                raise ProxyFailed(
                    f"Something listens at {proxy}, but it does not speak SOCKS5. Check the port: "
                    "Tor's is 9050, and 9150 in the Tor Browser."
                )
            if answer[1] == _NO_METHOD:
                raise ProxyFailed(
                    f"The proxy at {proxy} wants a login of its own kind and takes none of ours."
                )
            if not expects_tor:
                return f"A SOCKS5 proxy answers at {proxy}."
            page = await _exchange(proxy, b"GET / HTTP/1.0\r\n\r\n", _MAX_PAGE)
    except TimeoutError:
        raise ProxyFailed(
            f"Nothing answered at {proxy} within {timeout:.0f} seconds. Check the address, and "
            "that the proxy runs."
        ) from None
    except OSError:
        raise ProxyFailed(
            f"Nothing can be reached at {proxy}. Check the address, and that Tor or the proxy runs."
        ) from None
    if b"Tor is not an HTTP Proxy" in page or b"This is a SOCKs Proxy" in page:
        return f"Tor answers at {proxy}."
    return (
        f"A SOCKS5 proxy answers at {proxy}, but it does not say that it is Tor. If it is not, "
        'untick "This is Tor": onion peers cannot be reached through it.'
    )


async def _exchange(proxy: PeerAddress, request: bytes, size: int) -> bytes:
    reader, writer = await asyncio.open_connection(proxy.host, proxy.port)
    page = b""
    try:
        # A proxy that hangs up on HTTP is a proxy all the same.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            writer.write(request)
            await writer.drain()
            while len(page) < size and (more := await reader.read(size - len(page))):
                page += more
    finally:
        writer.close()  # when it took too long, too
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return page
