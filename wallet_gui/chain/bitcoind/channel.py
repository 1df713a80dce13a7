"""A channel over any asyncio transport: a loopback socket, one of SSH, a program's pipes."""

import asyncio
from collections.abc import Callable
from typing import Final

from wallet_gui.chain.bitcoind.problems import NodeProblem, connection_lost

_READER_LIMIT: Final = 1024 * 1024
"""Bytes: what one line may have, and half of what waits unread before the other side is stopped."""


class ByteChannel(asyncio.Protocol):
    """A `Channel`: what arrives is kept for `reader`, or goes to the protocol that is attached."""

    def __init__(self, why_lost: Callable[[], NodeProblem] = connection_lost) -> None:
        """`why_lost` tells what `drain` raises when the channel is gone."""
        self._why_lost = why_lost
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._reader: asyncio.StreamReader | None = None
        self._has_ended = False
        self._is_held = False
        self._room = asyncio.Event()
        self._room.set()
        self._closed = asyncio.Event()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport that this channel writes to."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(type(transport).__name__)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Keep what arrived."""
        if self._reader is not None:
            self._reader.feed_data(data)
        else:
            self._early += data
            if len(self._early) > _READER_LIMIT and self._transport is not None:
                self._is_held = True  # until somebody reads
                self._transport.pause_reading()

    def eof_received(self) -> None:
        """Note that the other side has said all; the transport closes by itself."""
        self._has_ended = True
        if self._reader is not None:
            self._reader.feed_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wake everybody who waits."""
        del exc
        self.eof_received()
        self._closed.set()
        self._room.set()

    def pause_writing(self) -> None:
        """Let `drain` wait."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Let it go on."""
        self._room.set()

    # What the owner calls

    @property
    def reader(self) -> asyncio.StreamReader:
        """What arrives, from the beginning; not after `attach`."""
        if self._reader is None:
            self._reader = asyncio.StreamReader(limit=_READER_LIMIT)
            if self._transport is not None:
                self._reader.set_transport(self._transport)
                if self._is_held and not self._transport.is_closing():
                    self._transport.resume_reading()
            if self._early:
                self._reader.feed_data(bytes(self._early))
                self._early.clear()
            if self._has_ended:
                self._reader.feed_eof()
        return self._reader

    async def read(self, count: int) -> bytes:
        """Return at most `count` bytes; b"" at the end."""
        return await self.reader.read(count)

    async def readexactly(self, count: int) -> bytes:
        """Return `count` bytes; raises asyncio.IncompleteReadError."""
        return await self.reader.readexactly(count)

    def write(self, data: bytes) -> None:
        """Send, without waiting; dropped when the channel is closed."""
        if self._transport is not None and not self.is_closed:
            self._transport.write(data)

    async def drain(self) -> None:
        """Wait for room; raises NodeProblem when the channel is gone."""
        await self._room.wait()
        if self.is_closed:
            raise self._why_lost()

    @property
    def is_closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed.is_set() or self._transport is None or self._transport.is_closing()

    def close(self) -> None:
        """Close after what was written was sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        """Return when it is closed; with an attached protocol, that one is told instead."""
        await self._closed.wait()

    def attach(self, protocol: asyncio.Protocol | asyncio.BufferedProtocol) -> asyncio.Transport:
        """Hand the channel over; raises RuntimeError when it was read from already."""
        if self._reader is not None or self._transport is None:
            raise RuntimeError("the channel is in use")
        transport, early = self._transport, bytes(self._early)
        self._early.clear()
        if self._is_held and not transport.is_closing():
            transport.resume_reading()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if not self._room.is_set():
            protocol.pause_writing()
        deliver(protocol, early)
        if self._has_ended and not protocol.eof_received():
            transport.close()
        if self._closed.is_set():
            protocol.connection_lost(None)
        # From here on only the protocol hears of the end.
        self._transport = None
        self._closed.set()
        return transport


def deliver(protocol: asyncio.Protocol | asyncio.BufferedProtocol, data: bytes) -> None:
    """Give received bytes to a protocol of either kind."""
    if not data:
        return
    if isinstance(protocol, asyncio.Protocol):
        protocol.data_received(data)
        return
    view = memoryview(data)
    while view:
        room = memoryview(protocol.get_buffer(len(view)))
        count = min(len(room), len(view))
        room[:count] = view[:count]
        protocol.buffer_updated(count)
        view = view[count:]
