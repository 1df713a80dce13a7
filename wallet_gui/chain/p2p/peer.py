"""One TCP connection on asyncio: feeds a `PeerProtocol` and writes what it has to say.

`BufferedProtocol` lets the socket write straight into the transport's buffer. Everything about
the meaning of messages is elsewhere.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from wallet_gui.chain.p2p.protocol import Event, PeerProtocol, State
from wallet_gui.chain.p2p.transport import ProtocolViolation

CONNECT_TIMEOUT: Final = 5.0
HANDSHAKE_TIMEOUT: Final = 15.0
_BULK: Final = frozenset({"cfilter", "block", "headers", "cfheaders", "cfcheckpt", "tx"})


class PeerConnection(asyncio.BufferedProtocol):
    """A connection from the first byte to the last."""

    def __init__(
        self,
        protocol: PeerProtocol,
        *,
        on_events: Callable[[list[Event]], None],
        on_progress: Callable[[], None],
    ) -> None:
        """Call `on_events` for what was received and `on_progress` for part of a long message."""
        self.protocol = protocol
        self.received_bytes = 0
        self.sent_bytes = 0
        self.error: Exception | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._on_events = on_events
        self._on_progress = on_progress
        self._transport: asyncio.Transport | None = None
        self._is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self.flush()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give the socket the protocol's own buffer, which knows better how much it needs."""
        del sizehint
        return self.protocol.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        """Hand on what the bytes meant; hang up on nonsense."""
        self.received_bytes += nbytes
        if self._transport is None or self._transport.is_closing():
            return
        try:
            events = self.protocol.buffer_updated(nbytes)
        except ProtocolViolation as error:
            self.hang_up(error)
            return
        self.flush()
        if events:
            self._on_events(events)
        elif self.protocol.state is State.READY and self.protocol.partial() in _BULK:
            self._on_progress()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        if self.error is None:
            self.error = exc
        if not self.closed.done():
            self.closed.set_result(None)

    def flush(self) -> None:
        """Write what the protocol has to say."""
        data = self.protocol.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self.sent_bytes += len(data)
            self._transport.write(data)

    def pause(self, *, wanted: bool) -> None:
        """Stop or go on reading: what was read is not digested yet."""
        transport = self._transport
        if wanted == self._is_paused or transport is None or transport.is_closing():
            return
        self._is_paused = wanted
        if wanted:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def hang_up(self, error: Exception | None = None) -> None:
        """Close the connection; nothing that is still to be sent matters."""
        if self.error is None:
            self.error = error
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)
