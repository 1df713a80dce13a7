"""The engine behind ctypes: filters, headers and blocks in machine code, without the GIL."""

import ctypes
import itertools
import logging
from array import array
from collections.abc import Iterable, Sequence
from typing import Any, Final

from wallet_gui.chain.filter_runs import (
    HASH_SIZE,
    HEADER_SIZE,
    Buffer,
    Framed,
    Offsets,
    check_agreed,
    offsets,
)
from wallet_gui.chain.gcs_scalar import MalformedFilter, PreparedScripts, prepared
from wallet_gui.chain.native import blocks, self_test
from wallet_gui.chain.native.library import OUT_OF_MEMORY, EngineUnavailable, load
from wallet_gui.primitives.block import ScannedBlock

_SMALLEST_MESSAGE: Final = 24 + 1 + HASH_SIZE + 1
_ROOM: Final = 4096  # filters framed in one call
logger = logging.getLogger(__name__)


class NativeEngine:
    """See `filters.FilterEngine`. Every call works on its arguments alone, and may run anywhere."""

    name = "native"

    def __init__(self, library: ctypes.CDLL | None = None, mode: int | None = None) -> None:
        """`mode` picks machine code (engine.h), the fastest without. Raises EngineUnavailable."""
        self._library = library or load()
        self.mode: int = self._library.engine_best_mode() if mode is None else mode
        if self._library.engine_header_hashes(self.mode, b"", 0, b""):
            raise EngineUnavailable(f"This processor does not have mode {self.mode:#x}.")

    def prepare(self, scripts: Iterable[bytes]) -> PreparedScripts:
        return PreparedScripts(scripts)

    def frame_filters(self, buffer: Buffer, start: int, end: int, magic: bytes) -> Framed:
        if not 0 <= start <= end <= len(buffer):
            raise ValueError("The stretch does not lie inside the buffer.")
        if len(magic) != 4:
            raise ValueError("A network's magic has 4 bytes.")
        address = _address(buffer)
        room = min(_ROOM, (end - start) // _SMALLEST_MESSAGE)
        hashes = bytearray()
        starts, ends = offsets(), offsets()
        position, count = start, room
        # Mostly one call: the room is full only where filters are tiny.
        while count == room > 0:
            found = ctypes.create_string_buffer(HASH_SIZE * room)
            some_starts, some_ends = _room(room), _room(room)
            consumed = ctypes.c_uint64()
            count = self._library.engine_frame_filters(
                address,
                position,
                end,
                magic,
                room,
                found,
                _at(some_starts),
                _at(some_ends),
                ctypes.byref(consumed),
            )
            position += consumed.value
            hashes += memoryview(found)[: HASH_SIZE * count]
            starts += some_starts[:count]
            ends += some_ends[:count]
        return Framed(position - start, bytes(hashes), starts, ends)

    def first_wrong(
        self, data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
    ) -> int | None:
        count = _count(starts, ends)
        check_agreed(count, previous, agreed)
        found = self._checked(
            self._library.engine_first_wrong(
                self.mode,
                _address(data),
                len(data),
                _at(starts),
                _at(ends),
                count,
                previous,
                agreed,
            )
        )
        return None if found == count else found

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]:
        hits = self._hits(data, hashes, starts, ends, prepared)
        return list(itertools.compress(itertools.count(), hits)) if any(hits) else []

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        data, starts, ends = _joined([data for _, data in filters])
        hashes = b"".join([block_hash for block_hash, _ in filters])
        return list(map(bool, self._hits(data, hashes, starts, ends, prepared(scripts))))

    def hash_run(self, data: Buffer, starts: Offsets, ends: Offsets) -> bytes:
        count = _count(starts, ends)
        hashes = ctypes.create_string_buffer(HASH_SIZE * count)
        self._checked(
            self._library.engine_hash_run(
                self.mode, _address(data), len(data), _at(starts), _at(ends), count, hashes
            )
        )
        return hashes.raw

    def hash_many(self, filters: Sequence[bytes]) -> list[bytes]:
        return _cut(self.hash_run(*_joined(filters)))

    def header_chain(self, filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]:
        joined = b"".join(filter_hashes)
        if len(previous) != HASH_SIZE or len(joined) != HASH_SIZE * len(filter_hashes):
            raise ValueError("Filter hashes and filter headers have 32 bytes.")
        headers = ctypes.create_string_buffer(len(joined))
        self._checked(
            self._library.engine_header_chain(
                self.mode, joined, len(filter_hashes), previous, headers
            )
        )
        return _cut(headers.raw)

    def header_hashes(self, raw_headers: Buffer) -> bytes:
        count, rest = divmod(len(raw_headers), HEADER_SIZE)
        if rest:
            raise ValueError(f"Block headers have {HEADER_SIZE} bytes each.")
        hashes = ctypes.create_string_buffer(HASH_SIZE * count)
        self._checked(
            self._library.engine_header_hashes(self.mode, _address(raw_headers), count, hashes)
        )
        return hashes.raw

    def scan_block(self, raw: Buffer) -> ScannedBlock:
        return blocks.scan(self._library, self.mode, raw)

    def _hits(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, scripts: PreparedScripts
    ) -> bytes:
        """Return one byte for each filter, not zero where it holds a script."""
        count = _count(starts, ends)
        if len(hashes) != HASH_SIZE * count:
            raise ValueError(f"{count} filters need {HASH_SIZE * count} bytes of block hashes.")
        hits = ctypes.create_string_buffer(count)
        counts = offsets([number for _, number, _ in scripts.groups])
        words = offsets([length // 8 + 1 for length, _, _ in scripts.groups])
        found = self._checked(
            self._library.engine_match_run(
                self.mode,
                _address(data),
                len(data),
                hashes,
                _at(starts),
                _at(ends),
                count,
                len(scripts.groups),
                _at(counts),
                _at(words),
                b"".join([packed for _, _, packed in scripts.groups]),
                hits,
            )
        )
        if found < count:
            raise MalformedFilter("The filter is not well formed.", found)
        return hits.raw

    def _checked(self, outcome: int) -> int:
        if outcome == OUT_OF_MEMORY:
            raise MemoryError
        if outcome < 0:
            raise ValueError("A filter does not lie inside the data.")
        return outcome


def _address(buffer: Buffer) -> Any:
    """Return something that ctypes passes as the address of a buffer, and that keeps it alive."""
    if isinstance(buffer, bytes):
        return buffer
    view = memoryview(buffer)
    if view.readonly or not view.contiguous or not view:
        return bytes(view)
    return ctypes.byref(ctypes.c_char.from_buffer(view))


def _at(values: Offsets) -> int:
    return values.buffer_info()[0]


def _room(count: int) -> Offsets:
    return array("Q", bytes(8 * count))


def _count(starts: Offsets, ends: Offsets) -> int:
    if len(starts) != len(ends):
        raise ValueError(f"{len(starts)} filters begin and {len(ends)} end.")
    if starts.typecode != "Q" or ends.typecode != "Q":
        raise ValueError('Offsets are arrays of type "Q".')
    return len(starts)


def _joined(filters: Sequence[bytes]) -> tuple[bytes, Offsets, Offsets]:
    ends = offsets(itertools.accumulate(map(len, filters)))
    return b"".join(filters), offsets([0, *ends[:-1]]) if ends else offsets(), ends


def _cut(hashes: bytes) -> list[bytes]:
    return [hashes[place : place + HASH_SIZE] for place in range(0, len(hashes), HASH_SIZE)]


def tested_engine() -> NativeEngine:
    """Return the engine in the fastest mode that agrees with the scalar one on fixed vectors.

    Raises EngineUnavailable when the library is not there or none of its modes is right.
    """
    best = NativeEngine()
    modes = dict.fromkeys((best.mode, 0))
    for mode in modes:
        engine = NativeEngine(mode=mode)
        wrong = self_test.disagreement(engine)
        if wrong is None:
            return engine
        logger.error("The native engine is wrong about %s in mode %#x.", wrong, mode)
    raise EngineUnavailable("The native engine disagrees with the scalar one.")
