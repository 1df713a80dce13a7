"""One peer's conversation: bytes in, events out, and the bytes to send. No socket, no clock.

The states are those of the handshake, whose order Core enforces (`net_processing.cpp`): version
both ways, then `wtxidrelay` and `sendaddrv2` before `verack`. Afterwards every message is an event
and unknown ones are skipped. Filters are special: a run of cfilter messages becomes one
`FilterRun`, since there is one of them for every block of the chain.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from wallet_gui.chain.filter_runs import offsets
from wallet_gui.chain.p2p import messages
from wallet_gui.chain.p2p.filter_messages import FilterRun, split_cfilter
from wallet_gui.chain.p2p.messages import (
    PROTOCOL_VERSION,
    Message,
    Ping,
    Pong,
    SendAddrV2,
    SendHeaders,
    Services,
    Unknown,
    Verack,
    Version,
    WtxidRelay,
)
from wallet_gui.chain.p2p.transport import Frame, ProtocolViolation, Transport
from wallet_gui.primitives.serialize import ParseError

__all__ = [
    "MAX_HANDSHAKE_MESSAGES",
    "USER_AGENT",
    "Event",
    "FilterRun",
    "OldPeer",
    "PeerProtocol",
    "Ready",
    "SelfConnection",
    "State",
]

USER_AGENT: Final = "/WalletGUI:1/"
"""The same for all users and releases: a version number would tell people apart."""

MAX_HANDSHAKE_MESSAGES: Final = 32
_BEFORE_VERACK: Final = frozenset({"version", "verack", "wtxidrelay", "sendaddrv2"})


class State(Enum):
    """How far the handshake is."""

    AWAITING_VERSION = "awaiting version"
    AWAITING_VERACK = "awaiting verack"
    READY = "ready"


class SelfConnection(ProtocolViolation):
    """The other end is this program itself."""


class OldPeer(ProtocolViolation):
    """The peer's protocol version is too old for us."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The handshake is done; what the peer said about itself."""

    version: Version

    @property
    def services(self) -> Services:
        """What the peer claims to serve."""
        return Services(self.version.services)


Event = Ready | FilterRun | Message


class PeerProtocol:
    """The client's side of one connection."""

    def __init__(
        self,
        transport: Transport,
        *,
        nonce: int,
        own_nonces: Sequence[int] | set[int] = (),
        unix_time: int,
        start_height: int = 0,
        relay: bool = True,
    ) -> None:
        """Queue our version message.

        `nonce` is random for every connection; `own_nonces` are those of all our connections, by
        which a connection to ourselves is recognised.
        """
        self.state = State.AWAITING_VERSION
        self.version: Version | None = None
        self._transport = transport
        self._own_nonces = own_nonces
        self._nonce = nonce
        self._handshake_messages = 0
        self._outgoing: list[bytes] = []
        self.send(
            Version(
                PROTOCOL_VERSION,
                Services.NONE,
                unix_time,
                nonce,
                USER_AGENT,
                start_height,
                relay,
            )
        )

    def get_buffer(self) -> memoryview:
        """Give room for the socket to write into."""
        return self._transport.get_buffer()

    def buffer_updated(self, count: int) -> list[Event]:
        """Read `count` bytes written into the buffer; raise ProtocolViolation: disconnect."""
        frames = self._transport.received(count)
        events: list[Event] = []
        single: list[Frame] = []  # filters that a transport gives out one by one
        for frame in frames:
            if isinstance(frame, Frame) and frame.command == "cfilter":
                single.append(frame)
                continue
            if single:
                events.append(self._filters(single))
                single = []
            if isinstance(frame, FilterRun):
                self._check_ready()
                events.append(frame)
            else:
                self._message(frame, events)
        if single:
            events.append(self._filters(single))
        return events

    def receive_data(self, data: bytes) -> list[Event]:
        """Read bytes that lie elsewhere; raise ProtocolViolation: disconnect."""
        events: list[Event] = []
        view = memoryview(data)
        while view:
            room = self.get_buffer()
            count = min(len(room), len(view))
            room[:count] = view[:count]
            events += self.buffer_updated(count)
            view = view[count:]
        return events

    @property
    def transport(self) -> Transport:
        """The framing of this connection."""
        return self._transport

    def partial(self) -> str | None:
        """Name the command of the message that is on its way but not complete."""
        return self._transport.partial()

    def send(self, message: Message) -> None:
        """Queue a message."""
        self._outgoing.append(self._transport.frame(message.command, message.serialize()))

    def data_to_send(self) -> bytes:
        """Take the bytes that are to be written to the socket."""
        data = b"".join((self._transport.data_to_send(), *self._outgoing))
        self._outgoing.clear()
        return data

    def _check_ready(self) -> None:
        if self.state is not State.READY:
            raise ProtocolViolation("The peer sent a filter before the handshake.")

    def _filters(self, frames: Sequence[Frame]) -> FilterRun:
        self._check_ready()
        # One copy of the whole run frees the receive buffer; the offsets are those in the copy.
        base, end = frames[0].start, frames[-1].end
        data = bytes(self._transport.buffer[base:end])
        try:
            parts = [split_cfilter(data, start - base, stop - base) for _, start, stop in frames]
        except ParseError as error:
            raise ProtocolViolation(f"The peer sent a malformed filter: {error}") from error
        hashes, starts, ends = zip(*parts, strict=True)
        return FilterRun(data, b"".join(hashes), offsets(starts), offsets(ends))

    def _message(self, frame: Frame, events: list[Event]) -> None:
        if self.state is not State.READY and frame.command not in _BEFORE_VERACK:
            # Core skips what comes too early; so do we, but not for ever.
            self._count_handshake_message()
            return
        payload = bytes(self._transport.buffer[frame.start : frame.end])
        try:
            message = messages.parse(frame.command, payload)
        except ParseError as error:
            raise ProtocolViolation(
                f"The peer sent a malformed {frame.command} message: {error}"
            ) from error
        match message:
            case Version():
                self._on_version(message)
            case Verack():
                self._on_verack(events)
            case WtxidRelay() | SendAddrV2():
                if self.state is State.READY:
                    raise ProtocolViolation(f"The peer sent {message.command} after verack.")
                self._count_handshake_message()
            case Ping():
                self.send(Pong(message.nonce))
                events.append(message)
            case Unknown():
                pass
            case _:
                events.append(message)

    def _on_version(self, version: Version) -> None:
        if self.version is not None:
            raise ProtocolViolation("The peer sent a second version message.")
        if version.nonce and (version.nonce == self._nonce or version.nonce in self._own_nonces):
            raise SelfConnection("This address leads back to this program.")
        if version.protocol < PROTOCOL_VERSION:
            raise OldPeer(
                f"The peer speaks protocol {version.protocol}; at least {PROTOCOL_VERSION} "
                "(Bitcoin Core 0.21) is needed."
            )
        self.version = version
        self.state = State.AWAITING_VERACK
        for message in (WtxidRelay(), SendAddrV2(), Verack()):
            self.send(message)

    def _on_verack(self, events: list[Event]) -> None:
        if self.state is not State.AWAITING_VERACK or self.version is None:
            raise ProtocolViolation("The peer sent a verack out of order.")
        self.state = State.READY
        self.send(SendHeaders())
        events.append(Ready(self.version))

    def _count_handshake_message(self) -> None:
        self._handshake_messages += 1
        if self._handshake_messages > MAX_HANDSHAKE_MESSAGES:
            raise ProtocolViolation("The peer does not come to the end of the handshake.")
