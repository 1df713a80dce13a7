"""Somebody between a client and a node: reads along, edits, drops, doubles, delays, throttles.

Messages are decoded with the product's own codec (version 1 of the transport; a client that begins
with version 2 is hung up on, so that it falls back). With `is_raw` bytes pass as they are, be they
encrypted or not, and only `tamper`, the bandwidth and the latency apply.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from wallet_gui.chain.filter_runs import filters_of
from wallet_gui.chain.p2p import messages
from wallet_gui.chain.p2p.filter_messages import CFilter, FilterRun
from wallet_gui.chain.p2p.messages import Message, Unknown
from wallet_gui.chain.p2p.transport import ProtocolViolation, V1Transport
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.serialize import ParseError

_CHUNK = 16 * 1024
_MAX_QUEUED = 1_000_000


class Side(Enum):
    """Who sent it."""

    CLIENT = "client"
    NODE = "node"


class Later(NamedTuple):
    """Send a message this many seconds later; what comes after it may overtake it."""

    seconds: float
    message: Message


Edit = Callable[[Side, Message], Sequence[Message | Later]]
Tamper = Callable[[Side, bytes], bytes]


@dataclass
class Middle:
    """What is done to the traffic; a test may change all of it while it flows.

    `edit` gives what is sent instead of a message: `[message]` leaves it, `[]` drops it. Messages
    that the product does not know pass unseen. `bytes_per_second` holds for each connection and
    direction, `latency` in seconds for one way.
    """

    node_port: int
    edit: Edit | None = None
    tamper: Tamper | None = None
    bytes_per_second: float | None = None
    latency: float = 0.0
    is_raw: bool = False
    magic: bytes = REGTEST.magic
    port: int = 0
    connections: int = 0
    passed: dict[Side, int] = field(default_factory=lambda: dict.fromkeys(Side, 0))  # bytes
    seen: list[tuple[Side, Message]] = field(default_factory=list)  # only with `edit`
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    def cut(self) -> None:
        """Break every connection off."""
        for writer in list(self._open):
            writer.transport.abort()

    def of(self, side: Side, kind: type) -> list[Message]:
        """The messages of one kind that a side sent, as they were before the edit."""
        return [message for who, message in self.seen if who is side and isinstance(message, kind)]

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.node_port)
        self._open |= {writer, far_writer}
        lines = [
            _Line(self, Side.CLIENT, reader, far_writer),
            _Line(self, Side.NODE, far_reader, writer),
        ]
        tasks = [
            asyncio.ensure_future(each) for line in lines for each in (line.read(), line.write())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        except (ConnectionError, ProtocolViolation, ParseError):
            pass  # both sides are hung up on
        finally:
            for each in tasks:
                each.cancel()
            self._open -= {writer, far_writer}
            far_writer.close()
            await asyncio.gather(*tasks, return_exceptions=True)
            with contextlib.suppress(ConnectionError):
                await far_writer.wait_closed()


class _Line:
    """One direction of one connection."""

    def __init__(
        self,
        middle: Middle,
        side: Side,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._middle = middle
        self._side = side
        self._reader = reader
        self._writer = writer
        self._codec = V1Transport(middle.magic)
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._queued = 0
        self._drained = asyncio.Event()

    async def read(self) -> None:
        """Take in what one side sends until it ends."""
        while data := await self._reader.read(65536):
            middle = self._middle
            if middle.is_raw:
                self._put(data if middle.tamper is None else middle.tamper(self._side, data))
            else:
                self._edit(data)
            while self._queued > _MAX_QUEUED:
                self._drained.clear()
                await self._drained.wait()
        while self._queued:
            self._drained.clear()
            await self._drained.wait()

    async def write(self) -> None:
        """Give it to the other side as late and as slowly as the line is."""
        loop = asyncio.get_running_loop()
        while True:
            due, data = await self._queue.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            for start in range(0, len(data), _CHUNK):
                chunk = data[start : start + _CHUNK]
                began = loop.time()
                self._writer.write(chunk)
                await self._writer.drain()
                rate = self._middle.bytes_per_second
                if rate is not None:
                    await asyncio.sleep(max(0.0, began + len(chunk) / rate - loop.time()))
            self._middle.passed[self._side] += len(data)
            self._queued -= len(data)
            self._drained.set()

    def _put(self, data: bytes) -> None:
        if data:
            self._queued += len(data)
            due = asyncio.get_running_loop().time() + self._middle.latency
            self._queue.put_nowait((due, data))

    def _edit(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            room = self._codec.get_buffer()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            view = view[count:]
            for found in self._codec.received(count):
                if isinstance(found, FilterRun):
                    run = filters_of(found.data, found.hashes, found.starts, found.ends)
                    for block_hash, whole in run:
                        self._message("cfilter", CFilter(block_hash, whole).serialize())
                else:
                    payload = bytes(self._codec.buffer[found.start : found.end])
                    self._message(found.command, payload)

    def _message(self, command: str, payload: bytes) -> None:
        edit = self._middle.edit
        raw = self._codec.frame(command, payload)
        if edit is None:
            self._put(raw)
            return
        message = messages.parse(command, payload)
        if isinstance(message, Unknown):
            self._put(raw)
            return
        self._middle.seen.append((self._side, message))
        for each in edit(self._side, message):
            seconds, wanted = each if isinstance(each, Later) else (0.0, each)
            out = raw
            if wanted is not message:
                out = self._codec.frame(wanted.command, wanted.serialize())
            if seconds:
                asyncio.get_running_loop().call_later(seconds, self._put, out)
            else:
                self._put(out)


@asynccontextmanager
async def between(node_port: int, edit: Edit | None = None) -> AsyncIterator[Middle]:
    """Sit in front of a node of this computer: clients are to connect to the `port` of this."""
    middle = Middle(node_port, edit)
    tasks: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await middle.converse(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    middle.port = server.sockets[0].getsockname()[1]
    try:
        yield middle
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()
