"""Who answers on a port: SSH, bitcoind's RPC, bitcoind's P2P, or somebody else.

People type one port where another is meant. What a mistaken client sees says nothing (a v2 node
answers with noise, RPC with silence), so each is asked in its own language, on connections of its
own.
"""

import asyncio
import contextlib
import hashlib
import os
import struct
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from enum import Enum
from typing import Any, Final

from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel
from wallet_gui.chain.p2p.messages import Version
from wallet_gui.primitives.params import NETWORKS

SECONDS: Final = 4.0
_GET: Final = b"GET / HTTP/1.0\r\n\r\n"
_NOISE_LENGTH: Final = 64  # an ElligatorSwift key of BIP324: a v2 node answers with its own

OpenChannel = Callable[[], Awaitable[Channel]]


class Answerer(Enum):
    """Who answers."""

    SSH = "ssh"
    RPC = "rpc"
    P2P = "p2p"
    OTHER = "other"
    NOBODY = "nobody"  # connects, and says nothing to any of the questions


_TELLING: Final = frozenset({Answerer.SSH, Answerer.RPC, Answerer.P2P})
_TURNING_AWAY: Final = (b"Exceeded MaxStartups", b"Not allowed at this time")  # OpenSSH 9.3, 9.8


async def identify(open_channel: OpenChannel, seconds: float = SECONDS) -> Answerer:
    """Ask for a page first, then in the languages of nodes. Raises nothing."""
    first = await _answers([_ask_http(open_channel)], seconds / 2)
    if first & _TELLING:
        return first.pop()
    magics = {params.magic for params in NETWORKS.values()}
    questions = [_ask_with_noise(open_channel)]
    questions += [_ask_network(open_channel, magic) for magic in magics]
    found = first | await _answers(questions, seconds / 2)
    for answerer in (*_TELLING, Answerer.OTHER):
        if answerer in found:
            return answerer
    return Answerer.NOBODY


async def _answers(
    questions: Sequence[Coroutine[Any, Any, Answerer]], seconds: float
) -> set[Answerer]:
    tasks = [asyncio.ensure_future(each) for each in questions]
    found: set[Answerer] = set()
    try:
        async with asyncio.timeout(seconds):
            for each in asyncio.as_completed(tasks):
                try:
                    found.add(await each)
                except (OSError, NodeProblem, asyncio.IncompleteReadError):
                    continue
                if found & _TELLING:
                    break
    except TimeoutError:
        pass
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _ask_http(open_channel: OpenChannel) -> Answerer:
    """Ask for a page: bitcoind's RPC says 405, for it takes nothing but POST."""
    answer = await _exchange(open_channel, _GET, 512)
    if answer.startswith(b"HTTP/"):
        is_rpc = b"JSONRPC" in answer or answer.split(b" ", 2)[1:2] == [b"405"]
        return Answerer.RPC if is_rpc else Answerer.OTHER
    return _judge(answer)


async def _ask_with_noise(open_channel: OpenChannel) -> Answerer:
    """Send what looks like the first 64 bytes of BIP324; a v2 node answers with at least 64."""
    answer = await _exchange(open_channel, os.urandom(_NOISE_LENGTH), _NOISE_LENGTH)
    if len(answer) >= _NOISE_LENGTH and not answer.isascii():
        return Answerer.P2P
    return _judge(answer)


async def _ask_network(open_channel: OpenChannel, magic: bytes) -> Answerer:
    """Say hello as version 1 does; a node of that network answers in kind."""
    hello = Version(70016, 0, int(time.time()), 0, "/probe/", 0, relay=False)
    payload = hello.serialize()
    digest = hashlib.sha256(hashlib.sha256(payload).digest()).digest()
    header = struct.pack("<4s12sI4s", magic, Version.command.encode(), len(payload), digest[:4])
    answer = await _exchange(open_channel, header + payload, len(magic))
    return Answerer.P2P if answer.startswith(magic) else _judge(answer)


def _judge(answer: bytes) -> Answerer:
    if answer.startswith(b"SSH-"):
        return Answerer.SSH
    if answer.startswith((b"HTTP/", *_TURNING_AWAY)):
        return Answerer.NOBODY  # RPC says 400 to noise; that tells less than its 405
    return Answerer.OTHER if answer else Answerer.NOBODY


async def _exchange(open_channel: OpenChannel, question: bytes, enough: int) -> bytes:
    """Send and read up to `enough` bytes, or what there was when the other side hung up."""
    channel = await open_channel()
    try:
        channel.write(question)
        answer = b""
        with contextlib.suppress(OSError):
            while len(answer) < enough and (more := await channel.read(4096)):
                answer += more
        return answer
    finally:
        channel.abort()
