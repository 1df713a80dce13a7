"""Framing, version 2: every byte looks random, every message is authenticated (BIP324).

Both sides begin with a public key and some garbage; then a terminator that only the two can know,
and from there on packets. A byte changed on the way ends the connection: nothing that was not sent
is ever given out. Who the other side is, the protocol does not prove.
"""

import itertools
import secrets
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Final

from wallet_gui import curve
from wallet_gui.chain.filter_runs import offsets
from wallet_gui.chain.p2p.filter_messages import FilterRun, split_cfilter
from wallet_gui.chain.p2p.messages import MAX_MESSAGE_SIZE, payload_limit
from wallet_gui.chain.p2p.packet_sizes import (
    DECOY,
    EXPANSION,
    HEADER_SIZE,
    KEY_SIZE,
    LENGTH_SIZE,
    MAX_GARBAGE,
    TERMINATOR_SIZE,
)
from wallet_gui.chain.p2p.receive_buffers import CAPACITY as STREAM_CAPACITY
from wallet_gui.chain.p2p.receive_buffers import SHARED
from wallet_gui.chain.p2p.transport import (
    FIRST_CAPACITY,
    LARGEST_CAPACITY,
    Frame,
    ProtocolViolation,
)
from wallet_gui.primitives.serialize import ParseError

if TYPE_CHECKING:
    from wallet_gui.chain.p2p.bip324 import Session

_READ_SIZE: Final = 32 * 1024  # offer the socket at least this much room
_LONGEST_NAME: Final = 12
_MAX_CONTENTS: Final = 1 + _LONGEST_NAME + MAX_MESSAGE_SIZE
_PEEK_SIZE: Final = HEADER_SIZE + 1 + _LONGEST_NAME
_MAX_QUEUE: Final = 100
MAX_DECOYS: Final = 10_000
"""So many in a row, without a message between them, are no disguise but a waste of our time."""

_NO_LENGTH: Final = -1
_NOTHING: Final = memoryview(b"")
_STRANGER: Final = "The peer does not speak the encrypted protocol."
_TAMPERED: Final = "What the peer sent was changed on the way, or is nonsense."

SHORT_IDS: Final[Mapping[int, str]] = dict(
    enumerate(
        (
            *("addr", "block", "blocktxn", "cmpctblock", "feefilter", "filteradd", "filterclear"),
            *("filterload", "getblocks", "getblocktxn", "getdata", "getheaders", "headers", "inv"),
            *("mempool", "merkleblock", "notfound", "ping", "pong", "sendcmpct", "tx"),
            *("getcfilters", "cfilter", "getcfheaders", "cfheaders", "getcfcheckpt", "cfcheckpt"),
            "addrv2",
        ),
        start=1,
    )
)
"""The one-byte names of messages; others are written out after a zero byte (BIP324)."""

_CFILTER: Final = 23
_IDS: Final = {command: bytes((number,)) for number, command in SHORT_IDS.items()}
_LIMITS: Final = {number: (name, payload_limit(name)) for number, name in SHORT_IDS.items()}
_NAME_BYTES: Final = frozenset(range(0x21, 0x7F))


class _Stage(Enum):
    """What is awaited."""

    KEY = "key"
    TERMINATOR = "terminator"
    VERSION_PACKET = "version packet"
    MESSAGES = "messages"


class V2Transport:
    """One side of an encrypted connection; `received` and `frame` as in `Transport`."""

    name: Final = "v2"

    def __init__(
        self,
        magic: bytes,
        *,
        is_initiator: bool = True,
        keys: tuple[bytes, bytes] | None = None,
        garbage: bytes | None = None,
    ) -> None:
        """Prepare the first bytes.

        `keys` are our secret (32 bytes) and its ElligatorSwift key (64 bytes); they and `garbage`
        (at most 4095 bytes) are drawn when None.
        """
        self._magic = magic
        self._is_initiator = is_initiator
        self._secret, self._public_key = _new_keys() if keys is None else keys
        if garbage is None:
            garbage = secrets.token_bytes(secrets.randbelow(MAX_GARBAGE + 1))
        self._garbage = garbage
        self._stage = _Stage.KEY
        self._session: Session | None = None
        self._pending = [self._public_key + garbage] if is_initiator else []
        self._queue: list[bytes] = []  # contents that wait for the keys
        self._their_garbage = b""
        self._bytes = bytearray(FIRST_CAPACITY)  # as received
        self._view = memoryview(self._bytes)
        self._plain = _NOTHING  # headers and contents, decrypted
        self._filled = 0  # of a plain buffer that is used for more than one read
        self._start = 0
        self._end = 0
        self._length = _NO_LENGTH  # of the contents of the packet at `_start`
        self._command: str | None = None  # of that packet, once it was looked at
        self._decoys = 0  # since the last message
        self._room = 0  # that this packet needs, once its length was found acceptable

    @property
    def buffer(self) -> memoryview:
        return self._plain

    @property
    def is_established(self) -> bool:
        """Whether the other side has proved that it holds the same keys."""
        return self._stage is _Stage.MESSAGES

    @property
    def session_id(self) -> bytes:
        """What two people compare to be sure that nobody sits between them; empty at first."""
        return b"" if self._session is None else self._session.id

    def data_to_send(self) -> bytes:
        data = b"".join(self._pending)
        self._pending.clear()
        return data

    def frame(self, command: str, payload: bytes) -> bytes:
        short = _IDS.get(command)
        name = b"\0" + command.encode("ascii").ljust(_LONGEST_NAME, b"\0")
        contents = (short or name) + payload
        if self._session is not None:
            return self._session.encrypt(contents)
        if len(self._queue) >= _MAX_QUEUE:
            raise ProtocolViolation("The peer does not come to the end of the handshake.")
        self._queue.append(contents)
        return b""

    def get_buffer(self) -> memoryview:
        if len(self._plain) != STREAM_CAPACITY:
            self._plain = _NOTHING
        waiting = self._end - self._start
        if not waiting and len(self._bytes) > STREAM_CAPACITY:
            self._start = self._end = 0
            self._bytes = bytearray(STREAM_CAPACITY)  # a long block is through
            self._view = memoryview(self._bytes)
        needed = max(waiting + _READ_SIZE, self._room)
        if self._start and (not waiting or len(self._bytes) - self._start < needed):
            self._view[:waiting] = bytes(self._view[self._start : self._end])
            self._start, self._end = 0, waiting
        if len(self._bytes) < needed:
            self._grow(needed)
        elif self._end == len(self._bytes):
            self._grow(len(self._bytes) + _READ_SIZE)
        return self._view[self._end :]

    def received(self, count: int) -> Sequence[Frame | FilterRun]:
        self._end += count
        if self._end == len(self._bytes) and len(self._bytes) < STREAM_CAPACITY:
            # The socket has more than we took: read in larger pieces.
            self._grow(min(4 * len(self._bytes), STREAM_CAPACITY))
        if self._stage is _Stage.KEY:
            self._receive_key()
        if self._stage is _Stage.TERMINATOR:
            self._receive_terminator()
        if self._session is None or self._stage in (_Stage.KEY, _Stage.TERMINATOR):
            return []
        return self._receive_packets(self._session)

    def partial(self) -> str | None:
        return self._command

    # --- the handshake ----------------------------------------------------------------------------

    def _receive_key(self) -> None:
        if self._end - self._start < KEY_SIZE:
            return
        theirs = bytes(self._view[self._start : self._start + KEY_SIZE])
        self._start += KEY_SIZE
        from wallet_gui.chain.p2p.bip324 import Session  # noqa: PLC0415 - somebody has answered

        session = Session(
            self._secret, self._public_key, theirs, self._magic, is_initiator=self._is_initiator
        )
        self._secret = b""
        if not self._is_initiator:
            self._pending.append(self._public_key + self._garbage)
        # Our version packet is empty: there is no other version yet.
        self._pending += [session.send_terminator, session.encrypt(b"", aad=self._garbage)]
        self._pending += [session.encrypt(contents) for contents in self._queue]
        self._queue.clear()
        self._session = session
        self._stage = _Stage.TERMINATOR

    def _receive_terminator(self) -> None:
        if self._session is None:
            return
        longest = self._start + MAX_GARBAGE + TERMINATOR_SIZE
        terminator = self._session.receive_terminator
        found = self._bytes.find(terminator, self._start, min(self._end, longest))
        if found < 0:
            if self._end >= longest:
                raise ProtocolViolation(_STRANGER)
            return
        self._their_garbage = bytes(self._view[self._start : found])
        self._start = found + TERMINATOR_SIZE
        self._stage = _Stage.VERSION_PACKET

    # --- packets ----------------------------------------------------------------------------------

    def _receive_packets(self, session: "Session") -> Sequence[Frame | FilterRun]:
        spans = self._decrypt(session)
        if spans and self._stage is _Stage.VERSION_PACKET:
            del spans[0]  # what it holds is for versions to come
            self._stage = _Stage.MESSAGES
        if self._length >= 0 and not self._room:
            self._look_ahead(session)
        plain = self._plain
        found: list[Frame | FilterRun] = []
        position = 0
        while position < len(spans):
            start, end = spans[position]
            if end > start and plain[start] == _CFILTER:
                run = _read_filters(plain, spans, position)
                if len(run):
                    found.append(run)
                    position += len(run)
                    continue
            frame = _read(plain, start, end)
            if frame is not None:
                found.append(frame)
            position += 1
        return found

    def _decrypt(self, session: "Session") -> list[tuple[int, int]]:
        """Decrypt every complete packet; return where the contents lie, without those of decoys.

        They go one after the other into a buffer that belongs to what is given out: filters stay
        where they are, without a copy, for as long as somebody needs them. Where much comes a
        large buffer is filled by several reads.
        """
        spans: list[tuple[int, int]] = []
        view, position, end = self._view, self._start, self._end
        plain, filled = self._room_for(end - position)
        packets = 0
        next_length, decrypt = session.receive_length.apply, session.receive_packet.decrypt
        length = self._length
        while True:
            if length < 0:
                if end - position < LENGTH_SIZE:
                    break
                masked = int.from_bytes(view[position : position + LENGTH_SIZE], "little")
                length = next_length(masked)
                if length > _MAX_CONTENTS:
                    raise ProtocolViolation(f"The peer announced a message of {length} bytes.")
            stop = position + EXPANSION + length
            if stop > end:
                break
            if not plain:
                plain = memoryview(bytearray(end - position))
            contents = filled + HEADER_SIZE
            packet_end = contents + length
            encrypted = view[position + LENGTH_SIZE : stop]
            if not decrypt(encrypted, plain[filled:packet_end], self._their_garbage):
                raise ProtocolViolation(_TAMPERED)
            if not plain[filled] & DECOY:
                spans.append((contents, packet_end))
            packets += 1
            self._their_garbage = b""  # the first packet proves it, be it a decoy or not
            position, length, filled = stop, _NO_LENGTH, packet_end
        self._plain, self._filled, self._length = plain, filled, length
        self._decoys = 0 if spans else self._decoys + packets
        self._advance(position)
        return spans

    def _room_for(self, count: int) -> tuple[memoryview, int]:
        """Give where up to `count` bytes are decrypted to; nothing where a buffer is to be made."""
        if len(self._view) != STREAM_CAPACITY or count > STREAM_CAPACITY:
            return _NOTHING, 0
        if len(self._plain) == STREAM_CAPACITY and STREAM_CAPACITY - self._filled >= count:
            return self._plain, self._filled
        return SHARED.take(), 0

    def _advance(self, position: int) -> None:
        """Go on with the packet at `position`."""
        if self._decoys > MAX_DECOYS:
            raise ProtocolViolation("The peer sends nothing but decoys.")
        if position != self._start:
            self._command, self._room = None, 0
        self._start = position

    def _look_ahead(self, session: "Session") -> None:
        """Refuse a message that is too long for its kind before memory is set aside for it.

        What is read here is not proved yet, so it only ever ends the connection.
        """
        there = self._end - self._start - LENGTH_SIZE
        if there < min(_PEEK_SIZE, HEADER_SIZE + self._length):
            return
        if self._stage is _Stage.MESSAGES:
            first = self._start + LENGTH_SIZE
            peeked = session.receive_packet.peek(self._view[first : first + _PEEK_SIZE])
            if not peeked[0] & DECOY:
                name = _name(peeked[HEADER_SIZE:])
                if name is not None:
                    command, limit, size = name
                    _check(command, self._length - size, limit)
                    self._command = command
        self._room = EXPANSION + self._length

    def _grow(self, capacity: int) -> None:
        larger = bytearray(min(max(capacity, len(self._bytes)), LARGEST_CAPACITY))
        larger[: self._end] = self._view[: self._end]
        self._bytes = larger
        self._view = memoryview(larger)


def _read(plain: memoryview, start: int, end: int) -> Frame | None:
    """Make a frame of the contents at `start`; None for what has no name we could know."""
    known = _LIMITS.get(plain[start]) if end > start else None
    if known is not None:
        command, limit = known
        start += 1
    else:
        name = _name(plain[start : min(end, start + 1 + _LONGEST_NAME)].tobytes())
        if name is None:
            return None  # as Core does: a later version may have more of them
        command, limit, size = name
        start += size
    if end - start > limit:
        _check(command, end - start, limit)
    return Frame(command, start, end)


def _read_filters(plain: memoryview, spans: list[tuple[int, int]], first: int) -> FilterRun:
    """Take the filters from a packet on, until another message or a malformed one."""
    hashes: list[bytes] = []
    starts, ends = offsets(), offsets()
    for start, end in itertools.islice(spans, first, None):
        if end == start or plain[start] != _CFILTER:
            break
        try:
            block_hash, begin, _ = split_cfilter(plain, start + 1, end)
        except ParseError:
            break  # what is wrong is found out on the way of all other messages
        hashes.append(block_hash)
        starts.append(begin)
        ends.append(end)
    return FilterRun(plain, b"".join(hashes), starts, ends)


def _name(contents: bytes) -> tuple[str, int, int] | None:
    """Read the command at the start of contents: it, its limit, and how many bytes name it."""
    if not contents:
        return None
    if contents[0]:
        known = _LIMITS.get(contents[0])
        return None if known is None else (*known, 1)
    name = contents[1 : 1 + _LONGEST_NAME]
    stripped = name.rstrip(b"\0")
    if len(name) < _LONGEST_NAME or not stripped or not _NAME_BYTES.issuperset(stripped):
        return None
    command = stripped.decode("ascii")
    return command, payload_limit(command), 1 + _LONGEST_NAME


def _check(command: str, size: int, limit: int) -> None:
    if size > limit:
        raise ProtocolViolation(f"The peer announced a {command} message of {size} bytes.")


def _new_keys() -> tuple[bytes, bytes]:
    while True:
        secret = secrets.token_bytes(32)
        try:
            return secret, curve.ellswift_create(secret)
        except curve.CurveError:  # not a secret: one in 2^128
            continue
