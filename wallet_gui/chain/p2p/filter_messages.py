"""The messages of BIP157: asking for filters, filter headers and checkpoints, and the answers.

Same rules as in `messages`: `parse` takes exactly one payload and raises `ParseError` for anything
else; hashes are 32 bytes in wire order. Only basic filters (type 0) are spoken.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from wallet_gui.chain.filter_runs import Buffer, Offsets
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size, var_bytes

BASIC_FILTER: Final = 0
MAX_FILTER_HEADERS: Final = 2000  # per getcfheaders
MAX_FILTERS: Final = 1000  # per getcfilters
FILTER_CHECKPOINT_INTERVAL: Final = 1000
MAX_FILTER_SIZE: Final = 1_000_000
_MAX_CHECKPOINTS: Final = 100_000  # a chain of 100 million blocks

_RANGE = struct.Struct("<BI32s")


@dataclass(frozen=True, slots=True)
class GetCFilters:
    """Ask for the filters from height `start` to block `stop`, at most 1000 (BIP157)."""

    command: ClassVar[str] = "getcfilters"
    start: int
    stop: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "GetCFilters":
        return cls(*_parse_range(payload))

    def serialize(self) -> bytes:
        return _RANGE.pack(BASIC_FILTER, self.start, self.stop)


@dataclass(frozen=True, slots=True)
class GetCFHeaders:
    """Ask for the filter hashes from height `start` to block `stop`, at most 2000 (BIP157)."""

    command: ClassVar[str] = "getcfheaders"
    start: int
    stop: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "GetCFHeaders":
        return cls(*_parse_range(payload))

    def serialize(self) -> bytes:
        return _RANGE.pack(BASIC_FILTER, self.start, self.stop)


@dataclass(frozen=True, slots=True)
class CFHeaders:
    """Filter hashes up to block `stop`, and the filter header before the first of them."""

    command: ClassVar[str] = "cfheaders"
    stop: bytes
    previous: bytes
    filter_hashes: tuple[bytes, ...]

    @classmethod
    def parse(cls, payload: bytes) -> "CFHeaders":
        reader = Reader(payload)
        _check_filter_type(reader.u8())
        stop = reader.read(32)
        previous = reader.read(32)
        hashes = read_hashes(reader, MAX_FILTER_HEADERS)
        reader.check_end()
        return cls(stop, previous, hashes)

    def serialize(self) -> bytes:
        return b"\0" + self.stop + self.previous + write_hashes(self.filter_hashes)


@dataclass(frozen=True, slots=True)
class GetCFCheckpt:
    """Ask for the filter headers at every 1000th height up to block `stop` (BIP157)."""

    command: ClassVar[str] = "getcfcheckpt"
    stop: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "GetCFCheckpt":
        reader = Reader(payload)
        _check_filter_type(reader.u8())
        stop = reader.read(32)
        reader.check_end()
        return cls(stop)

    def serialize(self) -> bytes:
        return b"\0" + self.stop


@dataclass(frozen=True, slots=True)
class CFCheckpt:
    """Filter headers at heights 1000, 2000, ... up to block `stop`."""

    command: ClassVar[str] = "cfcheckpt"
    stop: bytes
    filter_headers: tuple[bytes, ...]

    @classmethod
    def parse(cls, payload: bytes) -> "CFCheckpt":
        reader = Reader(payload)
        _check_filter_type(reader.u8())
        stop = reader.read(32)
        headers = read_hashes(reader, _MAX_CHECKPOINTS)
        reader.check_end()
        return cls(stop, headers)

    def serialize(self) -> bytes:
        return b"\0" + self.stop + write_hashes(self.filter_headers)


@dataclass(frozen=True, slots=True)
class CFilter:
    """One filter. Sent by serving nodes; received ones come in bulk (`split_cfilter`)."""

    command: ClassVar[str] = "cfilter"
    block_hash: bytes
    data: bytes

    @classmethod
    def parse(cls, payload: bytes) -> "CFilter":
        block_hash, start, end = split_cfilter(payload, 0, len(payload))
        return cls(block_hash, payload[start:end])

    def serialize(self) -> bytes:
        return b"\0" + self.block_hash + var_bytes(self.data)


@dataclass(frozen=True, slots=True)
class FilterRun:
    """Filters that arrived one after the other.

    `hashes` are the block hashes, 32 bytes each in wire order; filter i is
    `data[starts[i]:ends[i]]`.
    """

    data: Buffer
    hashes: bytes
    starts: Offsets
    ends: Offsets

    def __len__(self) -> int:
        return len(self.starts)


_CFILTER = struct.Struct("<B32sB")
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")


def split_cfilter(buffer: bytes | memoryview, start: int, end: int) -> tuple[bytes, int, int]:
    """Find the parts of a cfilter payload at `buffer[start:end]` without copying the filter.

    Returns the block hash and where the filter's bytes begin and end in `buffer`; raises
    ParseError. Written out by hand since it runs once per block of the chain.
    """
    if end - start < _CFILTER.size:
        raise ParseError("A cfilter message is too short.")
    kind, block_hash, size = _CFILTER.unpack_from(buffer, start)
    data = start + _CFILTER.size
    if size >= 253:
        if size == 253 and end - data >= 2:
            (size,) = _U16.unpack_from(buffer, data)
            data += 2
            canonical = size >= 253
        elif size == 254 and end - data >= 4:
            (size,) = _U32.unpack_from(buffer, data)
            data += 4
            canonical = size > 0xFFFF
        else:
            canonical = False
        if not canonical:
            raise ParseError("A cfilter message has a malformed size.")
    if kind != BASIC_FILTER:
        raise ParseError("A filter of another type than basic was sent.")
    if data + size != end or size > MAX_FILTER_SIZE:
        raise ParseError("A cfilter message does not have the size it claims.")
    return block_hash, data, end


def read_hashes(reader: Reader, maximum: int) -> tuple[bytes, ...]:
    raw = reader.read(32 * reader.compact_size(maximum))
    return tuple([raw[i : i + 32] for i in range(0, len(raw), 32)])


def write_hashes(hashes: Sequence[bytes]) -> bytes:
    return compact_size(len(hashes)) + b"".join(hashes)


def _parse_range(payload: bytes) -> tuple[int, bytes]:
    if len(payload) != _RANGE.size:
        raise ParseError("A filter request has the wrong size.")
    kind, start, stop = _RANGE.unpack(payload)
    _check_filter_type(kind)
    return start, stop


def _check_filter_type(kind: int) -> None:
    if kind != BASIC_FILTER:
        raise ParseError("A filter of another type than basic is meant.")
