import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.proxy_check import ProxyFailed, check_proxy

TOR_PAGE = b"HTTP/1.0 501 Tor is not an HTTP Proxy\r\n\r\n"


@asynccontextmanager
async def proxy(greeting: bytes, page: bytes = b"") -> AsyncIterator[PeerAddress]:
    """Answers SOCKS5 with `greeting` and anything else with `page`."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4)
        writer.write(greeting if request[:1] == b"\x05" else page)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield PeerAddress("127.0.0.1", server.sockets[0].getsockname()[1])


def ask(greeting: bytes, page: bytes = b"", *, expects_tor: bool = True) -> str:
    async def scenario() -> str:
        async with proxy(greeting, page) as address:
            return await check_proxy(address, expects_tor=expects_tor, timeout=2)

    return asyncio.run(scenario())


def test_tor_is_told_apart_from_other_proxies() -> None:
    assert ask(b"\x05\x00", TOR_PAGE).startswith("Tor answers")
    assert "does not say that it is Tor" in ask(b"\x05\x02")
    assert ask(b"\x05\x00", expects_tor=False).startswith("A SOCKS5 proxy answers")


@pytest.mark.parametrize(
    ("greeting", "words"),
    [(b"HTTP/1.1 400", "does not speak SOCKS5"), (b"\x05\xff", "login"), (b"", "SOCKS5")],
)
def test_what_is_no_proxy_for_us_gets_a_sentence(greeting: bytes, words: str) -> None:
    with pytest.raises(ProxyFailed, match=words):
        ask(greeting)


def test_nobody_there_and_silence() -> None:
    async def nobody() -> None:
        async with proxy(b"") as address:
            pass
        await check_proxy(address, expects_tor=True, timeout=2)

    async def silent() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(-1)
            writer.close()
            heard_the_end.set()

        heard_the_end = asyncio.Event()
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            try:
                await check_proxy(PeerAddress("127.0.0.1", port), expects_tor=True, timeout=0.1)
            finally:
                await asyncio.wait_for(heard_the_end.wait(), 5)
                await asyncio.sleep(0)  # until the loop has closed the socket

    for scenario in (nobody(), silent()):
        with pytest.raises(ProxyFailed, match="Check the address"):
            asyncio.run(scenario)
