"""Many filters at a time with NumPy: each step decodes the next item of every filter.

Filters are *lanes* side by side, the longest first, so that those still going are always the
first so many. The codewords of a batch lie in one array of 64-bit windows, one every 32 bits; a
window holds any codeword with up to 13 ones, and the rare longer ones are read by plain Python.
Values are compared in chunks of rows, so that memory does not grow with the filters' length.

Temporary memory stays below about 40 MB: a batch has at most `MAX_LANES` filters and, unless a
single filter is larger, `MAX_BATCH_BYTES` bytes (its windows take twice that).
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from wallet_gui.chain.filter_runs import Buffer, Offsets, PlainRuns, filters_of
from wallet_gui.chain.gcs_scalar import (
    SIPHASH_KEY_SIZE,
    M,
    MalformedFilter,
    P,
    PreparedScripts,
    decode,
    prepared,
    split,
)

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

MAX_LANES: Final = 2048
MAX_BATCH_BYTES: Final = 12_000_000
ROWS: Final = 256  # steps between two comparisons
_HASHES_AT_ONCE: Final = 1 << 14  # so that SipHash's state stays in the processor's cache
_FEW_LANES: Final = 30  # fewer are decoded faster by plain Python
_FEW: Final = 8  # up to so many items a filter is compared without sorting

_LANE_SHIFT: Final = 40  # above any value: N * M < 2**40 for any filter of a megabyte
_BEYOND: Final = (1 << _LANE_SHIFT) - 1
_LONGEST: Final = 13 + P + 1  # bits of the longest codeword that any window holds
_PADDING: Final = 16  # bytes behind the last filter, so that its last codeword has a window
_MASK32: Final = np.uint64(0xFFFFFFFF)
_32: Final = np.uint64(32)


def _codeword_lengths() -> I64:
    """Tabulate, by a codeword's first 16 bits, how long it is: its ones, a zero, P bits."""
    ones = np.zeros(1 << 16, np.int64)
    for count in range(1, 17):
        ones[-(1 << (16 - count)) :] = count
    return ones + (P + 1)


_LENGTHS: Final = _codeword_lengths()


class NumpyEngine(PlainRuns):
    """Lock-step decoding and vectorised SipHash; see `filters.FilterEngine`."""

    name = "numpy"

    def prepare(self, scripts: Iterable[bytes]) -> PreparedScripts:
        return PreparedScripts(scripts)

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        wanted = prepared(scripts)
        matches = [False] * len(filters)
        counts = []
        for position, (_, data) in enumerate(filters):
            try:
                counts.append(split(data)[0])
            except MalformedFilter as error:
                raise MalformedFilter(str(error), position) from error
        # Longest first; empty filters hold nothing.
        order = sorted(range(len(filters)), key=counts.__getitem__, reverse=True)
        while order and not counts[order[-1]]:
            order.pop()
        for batch in _batches(filters, order):
            alone = _count_to_take_alone([counts[position] for position in batch])
            for part, work in ((batch[:alone], _match_one_by_one), (batch[alone:], _match_lanes)):
                if not part:
                    continue
                try:
                    hits = work([filters[position] for position in part], wanted)
                except MalformedFilter as error:
                    raise MalformedFilter(str(error), part[error.position]) from error
                for lane in hits:
                    matches[part[lane]] = True
        return matches

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]:
        filters = filters_of(data, hashes, starts, ends)
        return [index for index, hit in enumerate(self.match_many(filters, prepared)) if hit]


def _batches(
    filters: Sequence[tuple[bytes, bytes]], order: Sequence[int]
) -> Iterator[Sequence[int]]:
    """Cut the filters, in their order, into batches within the limits."""
    start = size = 0
    for end, position in enumerate(order):
        size += len(filters[position][1])
        if end > start and (end - start == MAX_LANES or size > MAX_BATCH_BYTES):
            yield order[start:end]
            start, size = end, len(filters[position][1])
    if start < len(order):
        yield order[start:]


def _count_to_take_alone(counts: Sequence[int]) -> int:
    """Tell how many of the filters, longest first, plain Python does faster.

    One step costs about as much for one lane as for thirty, and as plain decoding of thirty items.
    """
    if len(counts) < _FEW_LANES:
        return len(counts)
    alone = 0
    while (
        alone < len(counts) - 1 and (counts[alone] - counts[alone + 1]) * _FEW_LANES > counts[alone]
    ):
        alone += 1
    return alone if len(counts) - alone >= _FEW_LANES else len(counts)


def _match_one_by_one(
    filters: Sequence[tuple[bytes, bytes]], scripts: PreparedScripts
) -> list[int]:
    """Decode each filter by itself; list those that hold a script. MalformedFilter by place."""
    spans = np.array([split(data)[0] * M for _, data in filters], np.uint64)
    queries = _hash_scripts(_keys(filters), spans, scripts).tolist()
    hits = []
    for lane, (_, data) in enumerate(filters):
        try:
            values = decode(data)
        except MalformedFilter as error:
            raise MalformedFilter(str(error), lane) from error
        if not set(values).isdisjoint(queries[lane]):
            hits.append(lane)
    return hits


def _match_lanes(filters: Sequence[tuple[bytes, bytes]], scripts: PreparedScripts) -> list[int]:
    return _Batch(filters).match(scripts)


def _keys(filters: Sequence[tuple[bytes, bytes]]) -> U64:
    packed = b"".join([block_hash[:SIPHASH_KEY_SIZE] for block_hash, _ in filters])
    return np.frombuffer(packed, "<u8").astype(np.uint64).reshape(-1, 2)


class _Batch:
    """Some filters as lanes, in descending order of their item counts, none of them empty."""

    def __init__(self, filters: Sequence[tuple[bytes, bytes]]) -> None:
        heads = np.array([split(data) for _, data in filters], np.int64)
        self.counts: I64 = np.ascontiguousarray(heads[:, 0])
        self.spans = self.counts.astype(np.uint64) * np.uint64(M)
        self.keys = _keys(filters)
        sizes = np.array([len(data) for _, data in filters], np.int64)
        ends = np.cumsum(sizes)
        self.ends: I64 = ends * 8
        self.positions: I64 = (ends - sizes + heads[:, 1]) * 8  # bits
        padding = bytes(_PADDING - int(ends[-1]) % 4)
        self.raw = b"".join([*(data for _, data in filters), padding])
        words = np.frombuffer(self.raw, ">u4")
        self.windows: U64 = words[:-1].astype(np.uint64)
        self.windows <<= _32
        self.windows |= words[1:]

    def match(self, scripts: PreparedScripts) -> list[int]:
        """Decode all lanes and list those that hold a script; MalformedFilter by lane."""
        queries = _hash_scripts(self.keys, self.spans, scripts) if len(scripts) else None
        hit = np.zeros(len(self.counts), np.bool_)
        if self.counts[0] <= _FEW:
            for values in self._decode(int(self.counts[0])):
                for row in values if queries is not None else ():
                    lanes = len(self.counts)
                    hit[:lanes] |= (queries == row[:, None]).any(axis=1)
        else:
            lookup = None if queries is None else _Lookup(queries)
            for values in self._decode(ROWS):
                if lookup is not None:
                    lookup.find(values, hit)
        return [int(lane) for lane in hit.nonzero()[0]]

    # --- decoding ---------------------------------------------------------------------------------

    def _decode(self, rows: int) -> Iterator[U64]:
        """Give the values in chunks of at most `rows` rows: one column for each lane going on.

        Where a lane ends inside a chunk, `_BEYOND` follows. The chunk is overwritten by the next.
        """
        counts = self.counts
        most = int(counts[0])
        shape = (min(rows, most), len(counts))
        chunk, lengths = np.empty(shape, np.uint64), np.empty(shape, np.int64)
        last = np.zeros(len(counts), np.uint64)
        descending = -counts
        done = 0
        while done < most:
            height = min(rows, most - done)
            active = np.searchsorted(descending, -np.arange(done + 1, done + height + 1), "right")
            lanes = int(active[0])
            values = chunk[:height, :lanes]
            self._decode_rows(values, lengths[:height, :lanes], active, last[:lanes])
            if active[-1] < lanes:
                values[np.arange(lanes) >= active[:, None]] = _BEYOND
            yield values
            done += height
        self._check_ends(last)

    def _decode_rows(self, values: U64, lengths: I64, active: I64, last: U64) -> None:
        """Fill the first `active[i]` places of each row `i`, and move `last` and the positions.

        Row by row only what the next position depends on is found out; the rest is done for all
        rows together. Lanes that have ended stay at their last value.
        """
        width = values.shape[1]
        if active[-1] < width:
            values[:] = 0
            lengths[:] = P + 1
        index, top = np.empty(width, np.int64), np.empty(width, np.uint64)
        longer: list[tuple[int, int, int]] = []
        for row, lanes in enumerate(active.tolist()):
            at, i, t = self.positions[:lanes], index[:lanes], top[:lanes]
            w, n = values[row, :lanes], lengths[row, :lanes]
            np.right_shift(at, 5, out=i)
            self.windows.take(i, out=w, mode="clip")
            np.bitwise_and(at, 31, out=i)
            np.left_shift(w, i.view(np.uint64), out=w)
            np.right_shift(w, 48, out=t)
            _LENGTHS.take(t.view(np.int64), out=n, mode="clip")
            if n.max() > _LONGEST:
                slow = np.flatnonzero(n > _LONGEST)
                stepped = n[slow]
                longer += [(row, lane, self._long_codeword(lane)) for lane in slow.tolist()]
                at += n
                at[slow] -= stepped
            else:
                at += n
        values >>= (64 - lengths).view(np.uint64)
        values &= (1 << P) - 1
        lengths -= P + 1
        values += lengths.view(np.uint64) << P
        for row, lane, difference in longer:
            values[row, lane] = difference
        values[0] += last
        np.cumsum(values, axis=0, out=values)
        last[:] = values[-1]

    def _long_codeword(self, lane: int) -> int:
        """Read the codeword that no window holds, step over it, and return the difference."""
        position, end = int(self.positions[lane]), int(self.ends[lane])
        # No valid filter has more ones in a row than its range has quotients.
        most = int(self.spans[lane]) >> P
        first, last = position >> 3, min(end, position + most + P + 9) + 7 >> 3
        bits = bin(int.from_bytes(b"\x01" + self.raw[first:last], "big"))[3:]
        start = position & 7
        zero = bits.find("0", start)
        stop = zero + P + 1
        if zero < 0 or zero - start > most or stop > len(bits):
            raise MalformedFilter("The filter has a value out of range.", lane)
        self.positions[lane] = position + stop - start
        return (zero - start << P) + int(bits[zero + 1 : stop], 2)

    def _check_ends(self, last: U64) -> None:
        left = self.ends - self.positions
        wrong = (left < 0) | (left >= 8) | (last >= self.spans)
        if not wrong.any():
            final = np.frombuffer(self.raw, np.uint8)[(self.ends >> 3) - 1]
            wrong = (final & ((1 << left) - 1)) != 0
        if wrong.any():
            raise MalformedFilter(
                "The filter has a value out of range or bytes left over.", int(wrong.argmax())
            )


class _Lookup:
    """Finds sorted queries among ascending values, chunk by chunk."""

    def __init__(self, queries: U64) -> None:
        lanes, width = queries.shape
        queries.sort(axis=1)
        self.tags: U64 = np.arange(lanes, dtype=np.uint64) << np.uint64(_LANE_SHIFT)
        queries += self.tags[:, None]
        self.sorted: U64 = queries.reshape(-1)  # lane above value: ascending as a whole
        self.next: I64 = np.arange(lanes, dtype=np.int64) * width
        self.ends: I64 = self.next + width

    def find(self, values: U64, hit: NDArray[np.bool_]) -> None:
        """Mark the lanes that have a query among `values`, each lane's next ones ascending."""
        lanes = values.shape[1]
        keys = np.ascontiguousarray(values.T)
        keys += self.tags[:lanes, None]
        flat = keys.reshape(-1)
        # Only queries up to a lane's last value can be here; where it ended, all that are left.
        start = self.next[:lanes]
        stop: I64 = np.searchsorted(self.sorted, keys[:, -1], "right").astype(np.int64)
        # A malformed filter, refused at its end, may have values that reach into other lanes.
        stop = np.clip(stop, start, self.ends[:lanes])
        sizes = stop - start
        total = int(sizes.sum())
        if total:
            # The ranges start..stop of all lanes, one after another.
            chosen = np.arange(total) + np.repeat(start - (np.cumsum(sizes) - sizes), sizes)
            wanted = self.sorted[chosen]
            places = np.searchsorted(flat, wanted)
            places = np.minimum(places, len(flat) - 1)
            same = wanted[flat[places] == wanted]
            hit[(same >> np.uint64(_LANE_SHIFT)).astype(np.int64)] = True
        self.next[:lanes] = stop


def _hash_scripts(keys: U64, spans: U64, scripts: PreparedScripts) -> U64:
    """Map every script into the range of every filter: an array of filters by scripts."""
    queries = np.empty((len(keys), len(scripts)), np.uint64)
    column = 0
    for _, count, packed in scripts.groups:
        words = np.ascontiguousarray(
            np.frombuffer(packed, "<u8").astype(np.uint64).reshape(count, -1).T
        )
        for first in range(0, count, _HASHES_AT_ONCE):
            part = words[:, first : first + _HASHES_AT_ONCE]
            width = part.shape[1]
            lanes = max(1, _HASHES_AT_ONCE // width)
            for lane in range(0, len(keys), lanes):
                hashes = siphash(keys[lane : lane + lanes], part)
                _map_into(hashes, spans[lane : lane + lanes, None])
                queries[lane : lane + lanes, column : column + width] = hashes
            column += width
    return queries


def siphash(keys: U64, words: U64) -> U64:
    """SipHash-2-4 of every message under every key: `keys` (K, 2), `words` (W, S), result (K, S).

    A column of `words` is a message with its padding and length, as `PreparedScripts` has it.
    """
    k0, k1 = keys[:, :1], keys[:, 1:]
    shape = (len(keys), words.shape[1])
    v0 = np.broadcast_to(k0 ^ np.uint64(0x736F6D6570736575), shape).copy()
    v1 = np.broadcast_to(k1 ^ np.uint64(0x646F72616E646F6D), shape).copy()
    v2 = np.broadcast_to(k0 ^ np.uint64(0x6C7967656E657261), shape).copy()
    v3 = np.broadcast_to(k1 ^ np.uint64(0x7465646279746573), shape).copy()
    scratch = np.empty(shape, np.uint64)
    for word in words:
        v3 ^= word
        _sip_rounds(2, v0, v1, v2, v3, scratch)
        v0 ^= word
    v2 ^= np.uint64(0xFF)
    _sip_rounds(4, v0, v1, v2, v3, scratch)
    v0 ^= v1
    v0 ^= v2
    v0 ^= v3
    return v0


def _sip_rounds(count: int, v0: U64, v1: U64, v2: U64, v3: U64, scratch: U64) -> None:
    for _ in range(count):
        v0 += v1
        _rotate_left(v1, 13, scratch)
        v1 ^= v0
        _rotate_left(v0, 32, scratch)
        v2 += v3
        _rotate_left(v3, 16, scratch)
        v3 ^= v2
        v0 += v3
        _rotate_left(v3, 21, scratch)
        v3 ^= v0
        v2 += v1
        _rotate_left(v1, 17, scratch)
        v1 ^= v2
        _rotate_left(v2, 32, scratch)


def _rotate_left(value: U64, bits: int, scratch: U64) -> None:
    np.right_shift(value, 64 - bits, out=scratch)
    np.left_shift(value, bits, out=value)
    value |= scratch


def _map_into(hashes: U64, spans: U64) -> None:
    """Replace each hash by `hash * span >> 64`, for spans below 2**40."""
    low = hashes & _MASK32
    hashes >>= _32
    span_low = spans & _MASK32
    carry = low * span_low
    carry >>= _32
    span_high = spans >> _32
    if not span_high.any():
        hashes *= span_low
        hashes += carry
        hashes >>= _32
        return
    middle = hashes * span_low
    middle += carry
    low *= span_high
    low += middle & _MASK32
    low >>= _32
    middle >>= _32
    hashes *= span_high
    hashes += middle
    hashes += low
