"""A peer that a test scripts: honest by default, and whatever else where it is told to be.

`FakeNode` answers messages as Core does (silence and hang-ups included); `serve` puts it behind a
TCP port. The codec is the product's own, from the other side.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.hostile.fake_chain import FakeChain
from wallet_gui.chain.p2p import messages
from wallet_gui.chain.p2p.filter_messages import (
    CFCheckpt,
    CFHeaders,
    CFilter,
    GetCFCheckpt,
    GetCFHeaders,
    GetCFilters,
)
from wallet_gui.chain.p2p.messages import (
    GetData,
    GetHeaders,
    Headers,
    Inv,
    InventoryType,
    Message,
    NotFound,
    Ping,
    Pong,
    RawBlock,
    SendAddrV2,
    Services,
    Tx,
    Verack,
    Version,
    WtxidRelay,
)
from wallet_gui.chain.p2p.transport import Frame, ProtocolViolation, Transport, V1Transport
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import Transaction

SERVICES = Services.NETWORK | Services.WITNESS | Services.COMPACT_FILTERS


class HangUp(Exception):
    """The node closes the connection, as Core does on a request it finds wrong."""


@dataclass
class FakeNode:
    """One node with a chain. `rewrite` may change, drop or add to what it would answer."""

    chain: FakeChain
    services: int = SERVICES
    rewrite: Callable[[Message, list[Message]], list[Message]] | None = None
    filters_are_silent: bool = False
    mempool: dict[bytes, Transaction] = field(default_factory=dict)
    asked: list[Message] = field(default_factory=list)
    greeted: list[Version] = field(default_factory=list)
    nonce: int = 4711
    past: list[FakeChain] = field(default_factory=list)
    claimed_height: int | None = None  # in its version message

    def switch(self, chain: FakeChain) -> None:
        """Follow another chain. A node still answers about recent blocks that it left."""
        self.past.append(self.chain)
        self.chain = chain

    def _holding(self, block_hash: bytes) -> tuple[FakeChain, int] | None:
        for chain in [self.chain, *reversed(self.past)]:
            height = chain.height_of(block_hash)
            if height is not None:
                return chain, height
        return None

    def greet(self, message: Message) -> list[Message]:
        """Do the server's part of the handshake."""
        match message:
            case Version():
                self.greeted.append(message)
                height = self.chain.height if self.claimed_height is None else self.claimed_height
                version = Version(70016, self.services, 0, self.nonce, "/Fake:1/", height, True)
                return [version, WtxidRelay(), SendAddrV2(), Verack()]
            case _:
                return []

    def answer(self, message: Message) -> list[Message]:
        """Answer one message; raise HangUp."""
        self.asked.append(message)
        answers = self._answer(message)
        return answers if self.rewrite is None else self.rewrite(message, answers)

    def _answer(self, message: Message) -> list[Message]:  # noqa: PLR0911 (one per request)
        match message:
            case Ping(nonce):
                return [Pong(nonce)]
            case GetHeaders():
                return [self._headers(message)]
            case GetCFHeaders(start, stop):
                return self._cfheaders(start, stop)
            case GetCFCheckpt(stop):
                return self._cfcheckpt(stop)
            case GetCFilters(start, stop):
                return self._cfilters(start, stop)
            case GetData():
                return self._data(message)
            case Inv():
                wanted = [
                    (kind, tx_hash)
                    for kind, tx_hash in message.entries
                    if kind == InventoryType.WTX and tx_hash not in self.mempool
                ]
                return [GetData(tuple(wanted))] if wanted else []
            case Tx(tx):
                self.mempool[tx.wtxid] = tx
                return []
            case _:
                return []

    def _headers(self, message: GetHeaders) -> Headers:
        fork = 0
        for block_hash in message.locator:
            height = self.chain.height_of(block_hash)
            if height is not None:
                fork = height
                break
        blocks = self.chain.blocks[fork + 1 : fork + 2001]
        stop = self.chain.height_of(message.stop)
        if stop is not None and stop > fork:
            blocks = blocks[: stop - fork]
        return Headers(b"".join(block.header.serialize() for block in blocks))

    def _stop(self, block_hash: bytes) -> tuple[FakeChain, int]:
        held = self._holding(block_hash)
        if held is None:
            raise HangUp  # an unknown stop hash
        return held

    def _cfcheckpt(self, stop: bytes) -> list[Message]:
        chain, height = self._stop(stop)
        heights = range(1000, height + 1, 1000)
        return self._filters_said(
            [CFCheckpt(stop, tuple(chain.filter_headers[h] for h in heights))]
        )

    def _cfilters(self, start: int, stop: bytes) -> list[Message]:
        chain, height = self._stop(stop)
        if not start <= height < start + 1000:
            raise HangUp
        filters = chain.filters[start : height + 1]
        return self._filters_said([CFilter(f.block_hash, f.data) for f in filters])

    def _cfheaders(self, start: int, stop: bytes) -> list[Message]:
        chain, height = self._stop(stop)
        if not start <= height < start + 2000:
            raise HangUp
        previous = chain.filter_headers[start - 1] if start else bytes(32)
        hashes = tuple(f.filter_hash for f in chain.filters[start : height + 1])
        return self._filters_said([CFHeaders(stop, previous, hashes)])

    def _filters_said(self, answers: list[Message]) -> list[Message]:
        return [] if self.filters_are_silent else answers

    def _data(self, message: GetData) -> list[Message]:
        answers: list[Message] = []
        missing = []
        for kind, wanted in message.entries:
            if kind == InventoryType.WITNESS_BLOCK:
                held = self._holding(wanted)
                if held is not None:
                    answers.append(RawBlock(held[0].blocks[held[1]].serialize()))
            elif wanted in self.mempool:
                answers.append(Tx(self.mempool[wanted]))
            else:
                missing.append((kind, wanted))
        return [*answers, NotFound(tuple(missing))] if missing else answers


def decode(transport: Transport, data: bytes) -> list[Message]:
    """Read messages as they come off the wire."""
    found: list[Message] = []
    view = memoryview(data)
    while view:
        room = transport.get_buffer()
        count = min(len(room), len(view))
        room[:count] = view[:count]
        view = view[count:]
        for frame in transport.received(count):
            assert isinstance(frame, Frame)
            payload = bytes(transport.buffer[frame.start : frame.end])
            found.append(messages.parse(frame.command, payload))
    return found


class Wire:
    """The framing of one accepted connection: version 1, or 2 when the client begins so.

    Without `v2` a client that begins with anything but a version message is a ProtocolViolation,
    which ends the connection without a byte: what a node does that knows no version 2.
    """

    def __init__(self, magic: bytes = REGTEST.magic, *, v2: bool) -> None:
        self.transport: Transport | None = None
        self._magic = magic
        self._v2 = v2
        self._first = b""

    def read(self, data: bytes) -> list[Message]:
        if self.transport is None:
            self._first += data
            opening = self._magic + b"version".ljust(12, b"\0")
            if len(self._first) < len(opening) and opening.startswith(self._first):
                return []
            if self._first.startswith(opening) or not self._v2:
                self.transport = V1Transport(self._magic)
            else:
                self.transport = V2Transport(self._magic, is_initiator=False)
            data, self._first = self._first, b""
        return decode(self.transport, data)

    def opening(self) -> bytes:
        """What the framing itself has to say, to be written first."""
        return b"" if self.transport is None else self.transport.data_to_send()

    def frame(self, message: Message) -> bytes:
        assert self.transport is not None, "the server never speaks first"
        return self.transport.frame(message.command, message.serialize())


@asynccontextmanager
async def serve(
    node: FakeNode,
    write: Callable[[asyncio.StreamWriter, bytes], None] | None = None,
    *,
    v2: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[int]:
    """Serve a node, on a free port by default; `write` may send the bytes in its own way.

    With `v2` it speaks both versions of the transport, as Core does; without, it hangs up on a
    client that begins with version 2, as nodes before Core 26 do.
    """
    tasks: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        wire = Wire(v2=v2)

        def send(raw: bytes) -> None:
            (write or asyncio.StreamWriter.write)(writer, raw)

        try:
            while data := await reader.read(65536):
                received = wire.read(data)
                if opening := wire.opening():
                    send(opening)
                for message in received:
                    for answer in node.greet(message) or node.answer(message):
                        send(wire.frame(answer))
                await writer.drain()
        except (HangUp, ProtocolViolation, ConnectionError, asyncio.CancelledError):
            pass  # the end of the test, too
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(converse, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
