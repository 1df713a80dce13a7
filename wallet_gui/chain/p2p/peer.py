"""One connection on asyncio: feeds a `PeerProtocol` and writes what it has to say.

`BufferedProtocol` lets the socket write straight into the transport's buffer. Everything about
the meaning of messages is elsewhere; `connect` opens connections.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from wallet_gui.chain.p2p.protocol import Event, FilterRun, PeerProtocol, Ready, State
from wallet_gui.chain.p2p.transport import ProtocolViolation

_BULK: Final = frozenset({"cfilter", "block", "headers", "cfheaders", "cfcheckpt", "tx"})
_LARGE_READ: Final = 128 * 1024
"""Of filters, less than this is read in one go only after a rest: each go costs a fixed price."""
_LONGEST_REST: Final = 0.05  # seconds
_LONGEST_NAP: Final = 0.005  # where something else is waited for that comes behind the filters
MOST_UNSENT: Final = 5_000_000
"""Bytes that wait for a peer that asks and asks, and does not read the answers. As much as Core
lets a peer keep in its receive buffer; the longest transaction has 400 KB."""


class Connection(asyncio.BufferedProtocol):
    """A connection from the first byte to the last.

    What arrives before `begin` is kept until then, so that nothing is told of a peer before
    whoever opened the connection knows it.
    """

    def __init__(
        self,
        protocol: PeerProtocol,
        *,
        on_events: Callable[[list[Event]], None],
        on_progress: Callable[[], None],
    ) -> None:
        """Call `on_events` for what was received and `on_progress` for part of a long message."""
        loop = asyncio.get_running_loop()
        self.protocol = protocol
        self.received_bytes = 0
        self.sent_bytes = 0
        self.error: Exception | None = None
        self.closed: asyncio.Future[None] = loop.create_future()
        self.established: asyncio.Future[None] = loop.create_future()
        """Done when messages can flow; at once without encryption."""
        self.handshake: asyncio.Future[Ready] = loop.create_future()
        """Done when version messages were exchanged."""
        self._on_events = on_events
        self._on_progress = on_progress
        self._transport: asyncio.Transport | None = None
        self._is_paused = False
        self._is_resting = False
        self._last_read = 0.0
        self._waking: asyncio.TimerHandle | None = None
        self.is_urgent = False
        """Whether more is due than many filters: what comes behind them is to be read soon."""
        self._early: list[Event] | None = []  # None: begun

    @property
    def ready(self) -> Ready:
        """What the peer said about itself; only after the handshake."""
        return self.handshake.result()

    @property
    def transport_name(self) -> str:
        """The version of the framing: "v1" or, encrypted, "v2"."""
        return self.protocol.transport.name

    @property
    def session_id(self) -> bytes:
        """What both ends can compare to know that nobody is in between; empty with v1."""
        return self.protocol.transport.session_id

    def begin(self) -> None:
        """Hand on events from now on, and first those that came meanwhile."""
        early, self._early = self._early, None
        if early:
            self._on_events(early)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say hello."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport
            self.flush()
            self._note_established()

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
        self._note_established()
        if events:
            self._tell(events)
            if nbytes < _LARGE_READ and isinstance(events[-1], FilterRun):
                self._rest(nbytes)
        elif self._early is None and self.protocol.partial() in _BULK:
            self._on_progress()

    def receive_data(self, data: bytes) -> None:
        """Take bytes that arrived before the socket was ours."""
        view = memoryview(data)
        while view:
            room = self.get_buffer(len(view))
            count = min(len(room), len(view))
            room[:count] = view[:count]
            self.buffer_updated(count)
            view = view[count:]

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
            if self._waking is not None:
                self._wake()  # the answer is not to wait
            self._transport.write(data)
            if self._transport.get_write_buffer_size() > MOST_UNSENT:
                self.hang_up(ProtocolViolation("The peer asks and does not read the answers."))

    def pause(self, *, wanted: bool) -> None:
        """Stop or go on reading: what was read is not digested yet."""
        transport = self._transport
        if wanted == self._is_paused or transport is None or transport.is_closing():
            return
        self._is_paused = wanted
        if self._is_resting:
            return
        if wanted:
            transport.pause_reading()
        else:
            transport.resume_reading()

    def _rest(self, count: int) -> None:
        """Let more filters arrive before the next read: as long as a large one should take."""
        transport = self._transport
        if transport is None or transport.is_closing() or self._is_paused or self._is_resting:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        longest = _LONGEST_NAP if self.is_urgent else _LONGEST_REST
        seconds = min((now - self._last_read) * _LARGE_READ / count, longest)
        self._last_read = now + seconds
        self._is_resting = True
        transport.pause_reading()
        self._waking = loop.call_later(seconds, self._wake)

    def _wake(self) -> None:
        if self._waking is not None:
            self._waking.cancel()
            self._waking = None
        self._is_resting = False
        transport = self._transport
        if transport is not None and not transport.is_closing() and not self._is_paused:
            transport.resume_reading()

    def hang_up(self, error: Exception | None = None) -> None:
        """Close the connection; nothing that is still to be sent matters."""
        if self.error is None:
            self.error = error
        if self._transport is not None:
            self._transport.abort()
        elif not self.closed.done():
            self.closed.set_result(None)

    def _note_established(self) -> None:
        if not self.established.done() and self.protocol.transport.is_established:
            self.established.set_result(None)

    def _tell(self, events: list[Event]) -> None:
        if not self.handshake.done() and self.protocol.state is State.READY:
            for index, event in enumerate(events):
                if isinstance(event, Ready):
                    self.handshake.set_result(event)
                    events = events[:index] + events[index + 1 :]
                    break
        if self._early is not None:
            self._early += events
        elif events:
            self._on_events(events)
