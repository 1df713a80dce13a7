import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.port_kind import PortFinding, PortKind, _version_frame, port_kind
from wallet_gui.chain.bitcoind.tunnel import Channel
from wallet_gui.chain.p2p.messages import Version
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import MAINNET, REGTEST

SECONDS = 0.08

Answer = Callable[[bytes], Sequence[bytes] | None]
"""Takes what was asked first, gives what is sent back in pieces; None hangs up."""


async def found(answer: Answer) -> PortFinding:
    """Run a server that answers so, and ask what it is."""
    kept = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kept.append(writer)
        with contextlib.suppress(ConnectionError):
            pieces = answer(await reader.read(4096))
            for piece in pieces or ():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
            if pieces is None:
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    tunnel = LocalTunnel(lambda *_: b"")

    def open_channel() -> Awaitable[Channel]:
        return tunnel.open_channel("127.0.0.1", port)

    try:
        return await port_kind(open_channel, REGTEST, SECONDS)
    finally:
        for writer in kept:
            writer.close()
        await tunnel.close()
        server.close()
        await server.wait_closed()


def http(status: str, body: bytes = b"") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def node(network: bytes) -> Answer:
    """A node of that magic, which answers a greeting and nothing else."""

    def answer(asked: bytes) -> Sequence[bytes] | None:
        return [_version_frame(network)] if asked.startswith(network) else None

    return answer


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http("405 Method Not Allowed", b"JSONRPC server handles only POST requests"), "RPC"),
        (http("403 Forbidden"), "RPC"),
        (http("503 Service Unavailable", b"Work queue depth exceeded"), "RPC"),
        (http("403 Forbidden", b"<html>no</html>"), "WEB"),
        (http("200 OK", b"<html>a printer</html>"), "WEB"),
        (http("405 Method Not Allowed", b"not here"), "WEB"),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", "SSH"),
        (b"\x00" * 63, "OTHER"),
        (b"\xfe" * 64, "P2P"),
        (b"", "SILENT"),
    ],
)
def test_what_each_answer_tells(answer: bytes, kind: str) -> None:
    assert asyncio.run(found(lambda _: [answer])) == PortFinding(PortKind[kind])


def test_an_answer_in_many_pieces() -> None:
    answer = http("405 Method Not Allowed", b"JSONRPC server handles only POST requests")
    pieces = [answer[i : i + 7] for i in range(0, len(answer), 7)]
    assert asyncio.run(found(lambda _: pieces)).kind is PortKind.RPC


def test_nodes_of_this_and_of_other_networks() -> None:
    ours = asyncio.run(found(node(REGTEST.magic)))
    assert (ours.kind, ours.network) == (PortKind.P2P, "regtest")
    assert asyncio.run(found(node(MAINNET.magic))).network == "mainnet"
    assert asyncio.run(found(node(bytes.fromhex("0b110907")))).network == "testnet3"
    assert asyncio.run(found(lambda _: None)).kind is PortKind.SILENT


def test_a_node_that_answers_on_another_network_than_it_is_greeted_on() -> None:
    finding = asyncio.run(found(lambda _: [_version_frame(MAINNET.magic)]))
    # Only the greeting on its own network counts.
    assert finding.network == "mainnet"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda frame: frame[:-3],
        lambda frame: frame[:16] + b"\xff\xff\xff\x7f" + frame[20:],
        lambda frame: frame[:4] + b"verack".ljust(12, b"\0") + frame[16:],
    ],
    ids=["cut off", "too long", "another message"],
)
def test_a_malformed_greeting_is_none(spoil: Callable[[bytes], bytes]) -> None:
    def answer(asked: bytes) -> Sequence[bytes]:
        is_greeting = asked.startswith(REGTEST.magic)
        return [spoil(_version_frame(REGTEST.magic)) if is_greeting else b"?"]

    assert asyncio.run(found(answer)) == PortFinding(PortKind.OTHER)


def test_what_a_node_calls_itself_is_plain_text() -> None:
    frame = _version_frame(REGTEST.magic)
    version = Version.parse(frame[24:])
    payload = replace(version, user_agent="/\x1b[31mSatoshi:" + "x" * 200).serialize()
    spoiled = frame[:16] + len(payload).to_bytes(4, "little") + sha256d(payload)[:4] + payload

    finding = asyncio.run(found(lambda asked: [spoiled] if asked[:4] == REGTEST.magic else None))
    assert finding.agent.startswith("/?[31mSatoshi:xxx")
    assert len(finding.agent) <= 100


@settings(deadline=None, max_examples=15)
@given(noise=st.binary(min_size=1, max_size=300))
def test_any_bytes_are_some_kind(noise: bytes) -> None:
    assert isinstance(asyncio.run(found(lambda _: [noise])), PortFinding)


def test_a_node_of_a_network_of_its_own() -> None:
    def answer(asked: bytes) -> Sequence[bytes] | None:
        # It takes all that is not its own magic for a key (BIP324), and what names another
        # network's as a mistake.
        return [bytes(range(120, 200))] if b"version" not in asked else None

    assert asyncio.run(found(answer)) == PortFinding(PortKind.P2P)
