"""Framing: bytes from a socket become frames, messages become bytes. Version 1, in clear.

`Transport` is the seam behind which version 2 (`transport_v2`) stands, too. A transport owns its
receive buffer, so that a socket writes straight into it and a stream of filters is copied once,
not once per read.
Nothing is allocated on a peer's word: a frame's announced size is checked against the limit of
its command before the buffer grows.
"""

import functools
import struct
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Final, NamedTuple, Protocol, TypeAlias

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.filter_runs import Buffer
from wallet_gui.chain.filters import Framed, pick_engine
from wallet_gui.chain.p2p.filter_messages import FilterRun
from wallet_gui.chain.p2p.messages import payload_limit
from wallet_gui.chain.p2p.receive_buffers import CAPACITY as STREAM_CAPACITY
from wallet_gui.chain.p2p.receive_buffers import SHARED

FIRST_CAPACITY: Final = 64 * 1024
LARGEST_CAPACITY: Final = 5_000_000  # the longest message, and as much as Core holds per peer
_READ_SIZE: Final = 32 * 1024  # offer the socket at least this much room
_HEADER = struct.Struct("<4s12sI4s")
# The filter hash covers a cfilter's bytes; checking the checksum too would double the hashing.
_UNCHECKED: Final = frozenset({"cfilter"})
_CFILTER: Final = b"cfilter".ljust(12, b"\0")

FrameFilters: TypeAlias = Callable[[Buffer, int, int, bytes], Framed]
"""Takes the cfilter messages of a stream, see `FilterEngine.frame_filters`."""
_COMMAND_BYTES: Final = frozenset(range(0x21, 0x7F))
MAX_COMMANDS: Final = 100
_STRANGER: Final = "The peer speaks another network's protocol, or none."


class ProtocolViolation(ChainError):
    """The peer broke the protocol, on purpose or not: hang up. The message says how."""


class Frame(NamedTuple):
    """A complete message: its payload is `transport.buffer[start:end]`."""

    command: str
    start: int
    end: int


class Transport(Protocol):
    """Between the socket's bytes and the protocol's frames."""

    @property
    def name(self) -> str:
        """The version: "v1" or "v2"."""
        ...

    @property
    def is_established(self) -> bool:
        """Whether messages can flow: the framing itself has no handshake, or it is done."""
        ...

    @property
    def session_id(self) -> bytes:
        """Name the encrypted session (32 bytes); empty without encryption."""
        ...

    def data_to_send(self) -> bytes:
        """Take what the framing itself has to say; it goes before any frame made later."""
        ...

    @property
    def buffer(self) -> memoryview:
        """Where the payloads of the frames last given out lie, until `get_buffer` is called."""
        ...

    def get_buffer(self) -> memoryview:
        """Give room to write received bytes into."""
        ...

    def received(self, count: int) -> Sequence[Frame | FilterRun]:
        """Note that `count` bytes were written; raise ProtocolViolation.

        Gives the complete messages, in order. Filters in a row come as runs, or one by one where
        the framing does not let them be taken together.
        """
        ...

    def partial(self) -> str | None:
        """Name the command of the message that is on its way but not complete."""
        ...

    def frame(self, command: str, payload: bytes) -> bytes:
        """Wrap one message for sending; empty while it has to wait for `data_to_send`."""
        ...


class V1Transport:
    """The original framing: magic, command, length, checksum, payload.

    `frame_filters` is an engine's; by default that of the fastest engine there is.
    """

    name: Final = "v1"
    is_established: Final = True
    session_id: Final = b""

    def __init__(self, magic: bytes, frame_filters: FrameFilters | None = None) -> None:
        self._magic = magic
        self._frame_filters = frame_filters
        self._view = memoryview(bytearray(FIRST_CAPACITY))
        self._start = 0  # of what was not given out as frames
        self._end = 0  # of what was received
        self._is_full = False  # the last read took all the room there was
        self._is_shared = False  # filters lie in the buffer that were given out
        self._commands: dict[bytes, tuple[str, int]] = {}  # name on the wire -> name, limit

    @property
    def buffer(self) -> memoryview:
        return self._view

    def data_to_send(self) -> bytes:
        return b""

    def get_buffer(self) -> memoryview:
        waiting = self._end - self._start
        capacity = len(self._view)
        if self._is_full and capacity < STREAM_CAPACITY:
            capacity *= 4  # the socket has more than we took: read in larger pieces
        if not waiting:
            capacity = min(capacity, STREAM_CAPACITY)  # a long block is through
        self._is_full = False
        needed = max(waiting + _READ_SIZE, self._frame_size() or 0)
        capacity = min(max(capacity, needed), LARGEST_CAPACITY)
        is_used_up = len(self._view) - self._start < needed
        if self._is_shared:
            is_used_up |= len(self._view) - self._end < len(self._view) // 4
        if capacity != len(self._view) or (self._is_shared and is_used_up):
            self._begin_buffer(capacity)
        elif not self._is_shared and self._start and (is_used_up or not waiting):
            self._view[:waiting] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, waiting
        return self._view[self._end :]

    def received(self, count: int) -> Sequence[Frame | FilterRun]:
        self._end += count
        self._is_full = self._end == len(self._view)
        frames: list[Frame | FilterRun] = []
        position, end, view = self._start, self._end, self._view
        while end - position >= _HEADER.size:
            magic, name, size, checksum = _HEADER.unpack_from(view, position)
            command, limit = self._commands.get(name) or self._learn(name)
            self._check(magic, command, size, limit)
            payload = position + _HEADER.size
            if end - payload < size:
                break
            if name == _CFILTER and (run := self._filters(position)) is not None:
                frames.append(run[0])
                position = run[1]
                continue
            position = payload + size
            if command not in _UNCHECKED and _checksum(view[payload:position]) != checksum:
                raise ProtocolViolation(f"The peer sent a {command} message with a wrong checksum.")
            frames.append(Frame(command, payload, position))
        else:
            if not self._magic.startswith(view[position : min(position + 4, end)].tobytes()[:4]):
                raise ProtocolViolation(_STRANGER)
        self._start = position
        return frames

    def _filters(self, position: int) -> tuple[FilterRun, int] | None:
        """Take the filters from `position` on in one go, and tell where they end.

        None where the first is not well formed: what is wrong is found out on the way of all other
        messages. The filters stay in the receive buffer, which is theirs from then on.
        """
        if self._frame_filters is None:
            self._frame_filters = _default_framing()
        framed = self._frame_filters(self._view, position, self._end, self._magic)
        if not framed.consumed:
            return None
        self._is_shared = True
        run = FilterRun(self._view, framed.hashes, framed.starts, framed.ends)
        return run, position + framed.consumed

    def partial(self) -> str | None:
        if self._end - self._start < _HEADER.size:
            return None
        name = bytes(self._view[self._start + 4 : self._start + 16])
        return (self._commands.get(name) or self._learn(name))[0]

    def frame(self, command: str, payload: bytes) -> bytes:
        name = command.encode("ascii")
        return _HEADER.pack(self._magic, name, len(payload), _checksum(payload)) + payload

    def _frame_size(self) -> int | None:
        """Tell how long the frame at the start is; its limit was checked when it arrived."""
        if self._end - self._start < _HEADER.size:
            return None
        size: int = _HEADER.unpack_from(self._view, self._start)[2]
        return _HEADER.size + size

    def _begin_buffer(self, capacity: int) -> None:
        """Go on in another buffer, with what was not given out yet."""
        begun = new_buffer(capacity)
        waiting = self._end - self._start
        begun[:waiting] = self._view[self._start : self._end]
        self._view = begun
        self._start, self._end = 0, waiting
        self._is_shared = False

    def _check(self, magic: bytes, command: str, size: int, limit: int) -> None:
        if magic != self._magic:
            raise ProtocolViolation(_STRANGER)
        if size > limit:
            raise ProtocolViolation(f"The peer announced a {command} message of {size} bytes.")

    def _learn(self, name: bytes) -> tuple[str, int]:
        """Read a command's name, and its limit."""
        stripped = name.rstrip(b"\0")
        if not stripped or not _COMMAND_BYTES.issuperset(stripped):
            raise ProtocolViolation(_STRANGER)
        command = stripped.decode("ascii")
        known = command, payload_limit(command)
        if len(self._commands) < MAX_COMMANDS:  # made-up names do not fill memory
            self._commands[name] = known
        return known


def new_buffer(capacity: int) -> memoryview:
    """Give a writable buffer; what it holds is not told."""
    return SHARED.take() if capacity == STREAM_CAPACITY else memoryview(bytearray(capacity))


@functools.cache
def _default_framing() -> FrameFilters:
    return pick_engine().frame_filters


def _checksum(payload: bytes | memoryview) -> bytes:
    return sha256(sha256(payload).digest()).digest()[:4]
