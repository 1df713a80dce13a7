"""Runs of filters as they arrived: one buffer, and where each filter lies in it.

The plain versions of what an engine does with a run besides matching: finding the filters in a
stream (framing), comparing them with the agreed filter headers (BIP157), hashing headers in bulk.
"""

import gc
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, TypeAlias

from wallet_gui.chain.filter_hashes import hash_many, header_chain
from wallet_gui.chain.gcs_scalar import MAX_FILTER_SIZE
from wallet_gui.primitives.block import Block, ScannedBlock

HASH_SIZE: Final = 32
HEADER_SIZE: Final = 80

Buffer: TypeAlias = bytes | bytearray | memoryview
Offsets: TypeAlias = "array[int]"
"""Positions in a buffer, typecode "Q"."""

_FRAME = struct.Struct("<4s12sI4s")  # magic, command, payload size, checksum
_PREFIX = struct.Struct("<B32sB")  # filter type, block hash, first byte of the filter's size
_U16 = struct.Struct("<H")
_U32 = struct.Struct("<I")
_COMMAND: Final = b"cfilter".ljust(12, b"\0")
_MAX_PAYLOAD: Final = 1 + HASH_SIZE + 5 + MAX_FILTER_SIZE


@dataclass(frozen=True, slots=True)
class Framed:
    """The filters at the start of a stretch of bytes.

    `consumed` bytes hold them. Filter i, of the block `hashes[32 * i : 32 * i + 32]` (wire order),
    is `buffer[starts[i] : ends[i]]`.
    """

    consumed: int
    hashes: bytes
    starts: Offsets
    ends: Offsets


def offsets(values: Iterator[int] | list[int] | tuple[int, ...] = ()) -> Offsets:
    """Make an array of positions."""
    return array("Q", values)


def check_run(data: Buffer, starts: Offsets, ends: Offsets) -> int:
    """Return the number of filters; raise ValueError when they do not lie inside `data`."""
    if len(starts) != len(ends):
        raise ValueError(f"{len(starts)} filters begin and {len(ends)} end.")
    size = len(data)
    if any(not start <= end <= size for start, end in zip(starts, ends, strict=True)):
        raise ValueError("A filter does not lie inside the data.")
    return len(starts)


def filters_of(
    data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets
) -> list[tuple[bytes, bytes]]:
    """Copy the filters of a run out: a list of `(block_hash, filter)`."""
    count = check_run(data, starts, ends)
    if len(hashes) != HASH_SIZE * count:
        raise ValueError(f"{count} filters need {HASH_SIZE * count} bytes of block hashes.")
    return [
        (hashes[HASH_SIZE * index : HASH_SIZE * (index + 1)], bytes(data[start:end]))
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def frame_filters(buffer: Buffer, start: int, end: int, magic: bytes) -> Framed:
    """Take every complete cfilter message from `start` on, in version 1's framing.

    Stops before the first message that is another one, incomplete, or not a well-formed basic
    filter of at most a megabyte: what is wrong with it is for the caller to say. Checksums are not
    computed, since the filter hash covers the bytes.
    """
    if not 0 <= start <= end <= len(buffer):
        raise ValueError("The stretch does not lie inside the buffer.")
    if len(magic) != 4:
        raise ValueError("A network's magic has 4 bytes.")
    hashes: list[bytes] = []
    starts, ends = offsets(), offsets()
    position = start
    while end - position >= _FRAME.size:
        found, command, size, _ = _FRAME.unpack_from(buffer, position)
        payload = position + _FRAME.size
        if found != magic or command != _COMMAND or size > min(_MAX_PAYLOAD, end - payload):
            break
        begin = _filter_start(buffer, payload, payload + size)
        if begin is None:
            break
        hashes.append(bytes(buffer[payload + 1 : payload + 1 + HASH_SIZE]))
        position = payload + size
        starts.append(begin)
        ends.append(position)
    return Framed(position - start, b"".join(hashes), starts, ends)


def _filter_start(buffer: Buffer, start: int, end: int) -> int | None:
    """Return where the filter of a cfilter payload begins; None unless it is well formed."""
    if end - start < _PREFIX.size:
        return None
    kind, _, size = _PREFIX.unpack_from(buffer, start)
    data = start + _PREFIX.size
    if size == 0xFD and end - data >= 2:
        size, least = _U16.unpack_from(buffer, data)[0], 0xFD
        data += 2
    elif size == 0xFE and end - data >= 4:
        size, least = _U32.unpack_from(buffer, data)[0], 0x10000
        data += 4
    elif size >= 0xFD:
        return None
    else:
        least = 0
    well_formed = kind == 0 and least <= size <= MAX_FILTER_SIZE and size == end - data
    return data if well_formed else None


def hash_run(data: Buffer, starts: Offsets, ends: Offsets) -> bytes:
    """Return the filter hashes of a run, 32 bytes each."""
    check_run(data, starts, ends)
    with memoryview(data) as view:
        return b"".join(
            [
                sha256(sha256(view[start:end]).digest()).digest()
                for start, end in zip(starts, ends, strict=True)
            ]
        )


def first_wrong(
    data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
) -> int | None:
    """Return the index of the first filter that is not the agreed one; None if all are right.

    `agreed` holds the filter headers at the filters' heights, 32 bytes each, `previous` the one
    before them. Each filter is judged with the agreed header before it, so that the filters behind
    a wrong one can be judged on their own.
    """
    check_agreed(len(starts), previous, agreed)
    hashes = hash_run(data, starts, ends)
    for place in range(0, len(hashes), HASH_SIZE):
        header = agreed[place : place + HASH_SIZE]
        both = hashes[place : place + HASH_SIZE] + previous
        if sha256(sha256(both).digest()).digest() != header:
            return place // HASH_SIZE
        previous = header
    return None


def check_agreed(count: int, previous: bytes, agreed: bytes) -> None:
    """Raise ValueError unless there is one header for each filter, and one before them."""
    if len(previous) != HASH_SIZE or len(agreed) != HASH_SIZE * count:
        raise ValueError(f"{count} filters need as many filter headers, and the one before.")


def header_hashes(raw_headers: Buffer) -> bytes:
    """Return the block hashes (wire order) of headers of 80 bytes each, 32 bytes each."""
    if len(raw_headers) % HEADER_SIZE:
        raise ValueError(f"Block headers have {HEADER_SIZE} bytes each.")
    with memoryview(raw_headers) as view:
        return b"".join(
            [
                sha256(sha256(view[place : place + HEADER_SIZE]).digest()).digest()
                for place in range(0, len(raw_headers), HEADER_SIZE)
            ]
        )


class PlainRuns:
    """What the engines without machine code share: everything but matching, in plain Python."""

    def frame_filters(self, buffer: Buffer, start: int, end: int, magic: bytes) -> Framed:
        return frame_filters(buffer, start, end, magic)

    def first_wrong(
        self, data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
    ) -> int | None:
        return first_wrong(data, starts, ends, previous, agreed)

    def hash_run(self, data: Buffer, starts: Offsets, ends: Offsets) -> bytes:
        return hash_run(data, starts, ends)

    def hash_many(self, filters: Sequence[bytes]) -> list[bytes]:
        return hash_many(filters)

    def header_chain(self, filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]:
        return header_chain(filter_hashes, previous)

    def header_hashes(self, raw_headers: Buffer) -> bytes:
        return header_hashes(raw_headers)

    def scan_block(self, raw: Buffer) -> ScannedBlock:
        with _collector_at_rest():
            return Block.parse(raw)


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep the garbage collector from looking at a block's objects again and again.

    There are thousands of them, all of them stay, and none leads back to itself: the collector,
    which is called by their number, would take longer than reading the block.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
