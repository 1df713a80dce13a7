"""Finds out what listens on a port: bitcoind's RPC, its P2P protocol, SSH, a web server.

The two ports of bitcoind are mixed up all the time, and the mistake is hard to see: a node of today
answers an RPC request on its P2P port with random bytes (BIP324), the RPC port stays silent when it
is greeted in the P2P protocol. So both are asked in their own language: first a harmless GET, which
bitcoind's RPC refuses in words of its own (Core src/httprpc.cpp), then the P2P greeting of version
1, which nodes of both versions of the transport answer when the network is right.
"""

import asyncio
import contextlib
import re
import secrets
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.bitcoind.in_order import together
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel
from wallet_gui.chain.p2p.messages import Services, Version
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import NETWORKS, ChainParams
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.primitives.serialize import ParseError

OpenChannel = Callable[[], Awaitable[Channel]]

_REQUEST: Final = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_STATUS: Final = re.compile(rb"HTTP/1\.[01] (\d{3})")
_REFUSES_GET: Final = b"JSONRPC server handles only POST"
_QUEUE_FULL: Final = b"Work queue depth exceeded"
# What OpenSSH says instead of its name to those whom it sends away (MaxStartups, penalties).
_SENT_AWAY: Final = (b"Exceeded MaxStartups", b"Not allowed at this time")
_MOST_READ: Final = 4096
_PROTOCOL: Final = 70016
_HEADER: Final = struct.Struct("<4s12sI4s")
_LARGEST_VERSION: Final = 1000
_KEY_LENGTH: Final = 64  # of ElligatorSwift
# Not one of ours, and what people with an older node have.
_TESTNET3_MAGIC: Final = bytes.fromhex("0b110907")


class PortKind(Enum):
    """What speaks on a port."""

    RPC = "bitcoind's RPC"
    P2P = "bitcoin's P2P protocol"
    SSH = "SSH"
    WEB = "a web server"
    SILENT = "nothing that speaks"
    OTHER = "something unknown"


@dataclass(frozen=True, slots=True)
class PortFinding:
    """What was found; for P2P also what the node says of itself.

    `agent` is its name (plain text), `height` that of its newest block. `network` is "" for one
    that we do not know, such as a private signet.
    """

    kind: PortKind
    network: str = ""
    agent: str = ""
    services: Services = Services.NONE
    height: int = 0


async def port_kind(
    open_channel: OpenChannel, params: ChainParams | None = None, seconds: float = 3.0
) -> PortFinding:
    """Ask a port what it is, within about twice `seconds`; raises NodeProblem if it is closed.

    `open_channel` connects anew each time. `params` is the network that a node most likely is on.
    No password is sent.
    """
    channel = await open_channel()
    try:
        answer = await _answer_to_get(channel, seconds)
    finally:
        channel.abort()
    kind = _kind_of(answer)
    if kind is not None:
        return PortFinding(kind)
    magics = [other.magic for other in NETWORKS.values()] + [_TESTNET3_MAGIC]
    # A node hangs up on the greetings of other networks, so they can be tried side by side.
    if params is not None:
        finding = await greet(open_channel, params, seconds)
        if finding is not None:
            return finding
        magics.remove(params.magic)
    found = await together(
        *(_greeted(open_channel, magic, seconds) for magic in magics),
        _answers_noise(open_channel, seconds),
    )
    otherwise = PortFinding(PortKind.OTHER if answer else PortKind.SILENT)
    return next((finding for finding in found if finding is not None), otherwise)


async def greet(
    open_channel: OpenChannel, params: ChainParams, seconds: float = 3.0
) -> PortFinding | None:
    """Ask a P2P port for its version message; None when none comes in time.

    Raises NodeProblem if the port is closed.
    """
    return await _greeted(open_channel, params.magic, seconds)


async def _answer_to_get(channel: Channel, seconds: float) -> bytes:
    answer = b""
    with contextlib.suppress(TimeoutError, NodeProblem, ConnectionError):
        async with asyncio.timeout(seconds):
            channel.write(_REQUEST)
            while len(answer) < _MOST_READ and _REFUSES_GET not in answer:
                more = await channel.read(_MOST_READ)
                answer += more
                # Neither a greeting of SSH nor random bytes are followed by more.
                if not more or not answer.startswith(b"HTTP/"[: len(answer)]):
                    break
    return answer


def _kind_of(answer: bytes) -> PortKind | None:
    """Tell from the answer to GET; None when the port has to be asked in another way."""
    if answer.startswith((b"SSH-", *_SENT_AWAY)):
        return PortKind.SSH
    status = _STATUS.match(answer)
    if status is None:
        return None
    body = answer.partition(b"\r\n\r\n")[2]
    # Core tells strangers and wrong methods off in these ways; a busy one says so before either.
    is_rpc = _REFUSES_GET in body or _QUEUE_FULL in body or (status[1] == b"403" and not body)
    return PortKind.RPC if is_rpc else PortKind.WEB


async def _greeted(open_channel: OpenChannel, magic: bytes, seconds: float) -> PortFinding | None:
    channel = await open_channel()
    try:
        async with asyncio.timeout(seconds):
            channel.write(_version_frame(magic))
            header = await channel.readexactly(_HEADER.size)
            found, command, size, _ = _HEADER.unpack(header)
            if found != magic or command.rstrip(b"\0") != b"version" or size > _LARGEST_VERSION:
                return None
            version = Version.parse(await channel.readexactly(size))
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, NodeProblem, ParseError):
        return None
    finally:
        channel.abort()
    network = next((p.name for p in NETWORKS.values() if p.magic == magic), "testnet3")
    agent = plain_text(version.user_agent, 100)
    return PortFinding(
        PortKind.P2P, network, agent, Services(version.services), max(0, version.start_height)
    )


async def _answers_noise(open_channel: OpenChannel, seconds: float) -> PortFinding | None:
    """Send what looks like a key of BIP324: a node of any network answers with one of its own."""
    channel = await open_channel()
    answer = b""
    try:
        async with asyncio.timeout(seconds):
            channel.write(b"\xff" + secrets.token_bytes(_KEY_LENGTH - 1))
            answer = await channel.readexactly(_KEY_LENGTH)
    except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, NodeProblem):
        return None
    finally:
        channel.abort()
    # Servers that speak in text send a greeting or an error as long as this, too.
    return None if answer.isascii() else PortFinding(PortKind.P2P)


def _version_frame(magic: bytes) -> bytes:
    """Make the message with which a P2P connection begins, framed as version 1 of the transport."""
    payload = Version(
        protocol=_PROTOCOL,
        services=0,
        time=int(time.time()),
        nonce=secrets.randbits(64),
        user_agent="",
        start_height=0,
        relay=False,
    ).serialize()
    return _HEADER.pack(magic, b"version", len(payload), sha256d(payload)[:4]) + payload
