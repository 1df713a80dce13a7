"""A channel over a transport: nothing is lost before somebody reads, or attaches a protocol."""

import asyncio
from collections.abc import Callable

import pytest

from wallet_gui.chain.bitcoind.channel import ByteChannel
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, node_stopped


class Pipe(asyncio.Transport):
    """A transport that writes nowhere."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_paused = False
        self.is_closed = False
        self.protocol: asyncio.BaseProtocol | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = protocol


class Collector(asyncio.Protocol):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.events: list[object] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.events.append(transport)

    def data_received(self, data: bytes) -> None:
        self.events.append(bytes(data))

    def eof_received(self) -> None:
        self.events.append("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.events.append("lost")


class BufferedCollector(asyncio.BufferedProtocol):
    """The same with a small buffer of its own."""

    def __init__(self) -> None:
        self.received = b""
        self._room = bytearray(3)

    def get_buffer(self, sizehint: int) -> bytearray:
        del sizehint
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        self.received += self._room[:nbytes]


def opened(why: Callable[[], NodeProblem] | None = None) -> tuple[ByteChannel, Pipe]:
    channel, pipe = ByteChannel(why) if why else ByteChannel(), Pipe()
    channel.connection_made(pipe)
    return channel, pipe


def test_bytes_that_came_before_anybody_read() -> None:
    async def scenario() -> None:
        channel, pipe = opened()
        channel.data_received(b"early ")
        assert channel.reader is channel.reader
        channel.data_received(b"late")
        assert await channel.readexactly(10) == b"early late"
        channel.write(b"x")
        await channel.drain()
        assert pipe.written == b"x"
        channel.eof_received()
        assert await channel.read(5) == b""

    asyncio.run(scenario())


def test_the_end_that_came_before_anybody_read() -> None:
    async def scenario() -> None:
        channel, _ = opened(node_stopped)
        channel.data_received(b"last")
        channel.connection_lost(None)
        assert await channel.read(9) == b"last"
        assert await channel.read(9) == b""
        await channel.wait_closed()
        channel.write(b"dropped")
        with pytest.raises(NodeProblem) as caught:
            await channel.drain()
        assert caught.value.code is Code.NODE_STOPPED

    asyncio.run(scenario())


def test_waiting_for_room_ends_with_the_channel() -> None:
    async def scenario() -> None:
        channel, _ = opened()
        channel.pause_writing()
        waiting = asyncio.create_task(channel.drain())
        await asyncio.sleep(0)
        assert not waiting.done()
        channel.resume_writing()
        await waiting
        channel.pause_writing()
        waiting = asyncio.create_task(channel.drain())
        await asyncio.sleep(0)
        channel.connection_lost(OSError())
        with pytest.raises(NodeProblem):
            await waiting

    asyncio.run(scenario())


def test_what_nobody_reads_stops_the_other_side() -> None:
    async def scenario() -> None:
        channel, pipe = opened()
        channel.data_received(bytes(2_000_000))
        assert pipe.is_paused
        assert len(await channel.readexactly(2_000_000)) == 2_000_000
        assert not pipe.is_paused

    asyncio.run(scenario())


def test_a_protocol_takes_over_with_what_has_arrived() -> None:
    async def scenario() -> None:
        channel, pipe = opened()
        channel.data_received(b"early")
        channel.eof_received()
        collector = Collector()
        assert channel.attach(collector) is pipe
        assert pipe.protocol is collector
        assert collector.events == [pipe, b"early", "eof"]
        assert pipe.is_closed
        assert channel.is_closed  # it is the protocol's now
        with pytest.raises(RuntimeError):
            channel.attach(Collector())

        channel, pipe = opened()
        channel.data_received(bytes(range(200)) * 10_000)
        assert pipe.is_paused
        buffered = BufferedCollector()
        channel.attach(buffered)
        assert buffered.received == bytes(range(200)) * 10_000
        assert not pipe.is_paused

    asyncio.run(scenario())


def test_a_protocol_that_comes_after_the_end_is_told() -> None:
    async def scenario() -> None:
        channel, pipe = opened()
        channel.connection_lost(None)
        collector = Collector()
        channel.attach(collector)
        assert collector.events == [pipe, "eof", "lost"]

    asyncio.run(scenario())


def test_a_channel_that_is_read_cannot_be_given_away() -> None:
    async def scenario() -> None:
        channel, _ = opened()
        assert channel.reader is not None
        with pytest.raises(RuntimeError):
            channel.attach(Collector())

    asyncio.run(scenario())
