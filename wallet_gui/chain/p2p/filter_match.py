"""What is done to filters away from the loop: verifying them, and matching for several wallets."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.filter_runs import Buffer, offsets
from wallet_gui.chain.filters import (
    FilterEngine,
    Framed,
    MalformedFilter,
    Offsets,
    PreparedScripts,
    pick_engine,
)
from wallet_gui.chain.scan import ScanRange, WalletScan
from wallet_gui.primitives.block import ScannedBlock

MAX_MALFORMED: Final = 4
MAX_PREPARED: Final = 8
JOINED_FILTERS: Final = 1000  # where an engine works on many filters in lock step
JOINED_BYTES: Final = 16_000_000


class LazyEngine:
    """The engine that `pick` gives, picked when it is first used: that imports NumPy."""

    def __init__(self, pick: Callable[[], FilterEngine] = pick_engine) -> None:
        self._pick = pick
        self._engine: FilterEngine | None = None
        self.name = "lazy"

    def _picked(self) -> FilterEngine:
        engine = self._engine
        if engine is None:
            engine = self._engine = self._pick()
            self.name = engine.name
        return engine

    def prepare(self, scripts: Iterable[bytes]) -> PreparedScripts:
        """Make scripts ready for `match_many`."""
        return self._picked().prepare(scripts)

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        """Match filters."""
        return self._picked().match_many(filters, scripts)

    def hash_many(self, filters: Sequence[bytes]) -> list[bytes]:
        """Hash filters."""
        return self._picked().hash_many(filters)

    def header_chain(self, filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]:
        """Chain filter hashes."""
        return self._picked().header_chain(filter_hashes, previous)

    def frame_filters(self, buffer: Buffer, start: int, end: int, magic: bytes) -> Framed:
        """Find filters in a stream."""
        return self._picked().frame_filters(buffer, start, end, magic)

    def first_wrong(
        self, data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
    ) -> int | None:
        """Compare a run with the agreed filter headers."""
        return self._picked().first_wrong(data, starts, ends, previous, agreed)

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]:
        """Match a run."""
        return self._picked().match_run(data, hashes, starts, ends, prepared)

    def hash_run(self, data: Buffer, starts: Offsets, ends: Offsets) -> bytes:
        """Hash a run."""
        return self._picked().hash_run(data, starts, ends)

    def header_hashes(self, raw_headers: Buffer) -> bytes:
        """Hash block headers."""
        return self._picked().header_hashes(raw_headers)

    def scan_block(self, raw: Buffer) -> ScannedBlock:
        """Read a block."""
        return self._picked().scan_block(raw)


@dataclass(slots=True, eq=False)
class Batch:
    """Filters at hand, of consecutive heights from `start` on, see `FilterRun`.

    `peer` is who sent them, None when they come from the cache.
    """

    start: int
    hashes: bytes
    data: Buffer
    starts: Offsets
    ends: Offsets
    peer: int | None
    is_verified: bool = False
    count: int = field(init=False)
    stop: int = field(init=False)
    """The last height."""
    size: int = field(init=False)
    """Bytes of the filters and of what lies between them."""

    def __post_init__(self) -> None:
        self.count = len(self.starts)
        self.stop = self.start + self.count - 1
        self.size = self.ends[-1] - self.starts[0]

    def take(self, other: "Batch") -> bool:
        """Grow by one that follows in the same buffer, neither of them checked; or return False."""
        follows = other.data is self.data and other.start == self.stop + 1
        if not follows or other.peer != self.peer or self.is_verified or other.is_verified:
            return False
        self.hashes += other.hashes
        self.starts += other.starts
        self.ends += other.ends
        self.__post_init__()
        return True

    def part(self, first: int, last: int) -> "Batch":
        """Give the filters of the heights `first..last`, without copying them."""
        if (first, last) == (self.start, self.stop):
            return self
        low, high = first - self.start, last + 1 - self.start
        return Batch(
            first,
            self.hashes[32 * low : 32 * high],
            self.data,
            self.starts[low:high],
            self.ends[low:high],
            self.peer,
            self.is_verified,
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` is the first height whose filter is not the agreed one, None if all are right.

    `tolerated` are wrong ones at heights where the agreed header itself is disputed.
    """

    wrong: int | None
    tolerated: frozenset[int]


@dataclass(frozen=True, slots=True)
class Check:
    """A batch to compare with its agreed filter headers, 32 bytes each, and the one before."""

    batch: Batch
    agreed: bytes
    before: bytes
    disputed: frozenset[int]

    def run(self, engine: FilterEngine) -> Verdict:
        """Find the first filter that is not the agreed one."""
        batch = self.batch
        tolerated: set[int] = set()
        start, before = batch.start, self.before
        while start <= batch.stop:
            part = batch.part(start, batch.stop)
            agreed = self.agreed[32 * (start - batch.start) :]
            index = engine.first_wrong(part.data, part.starts, part.ends, before, agreed)
            if index is None:
                break
            if start + index not in self.disputed:
                return Verdict(start + index, frozenset(tolerated))
            tolerated.add(start + index)
            before = agreed[32 * index : 32 * index + 32]
            start += index + 1
        return Verdict(None, frozenset(tolerated))


class ScriptCache:
    """Scripts made ready for matching, kept while they stay the same; for one thread."""

    def __init__(self) -> None:
        self._prepared: OrderedDict[object, PreparedScripts] = OrderedDict()

    def prepare(
        self, engine: FilterEngine, wanted: Sequence[tuple[WalletScan, ScanRange]]
    ) -> PreparedScripts:
        """Make the scripts of these ranges ready, all of them together."""
        key = tuple((scan, scanned.group) for scan, scanned in wanted)
        found = self._prepared.get(key)
        if found is None:
            scripts = {script for _, scanned in wanted for script in scanned.scripts}
            found = self._prepared[key] = engine.prepare(scripts)
            if len(self._prepared) > MAX_PREPARED:
                self._prepared.popitem(last=False)
        else:
            self._prepared.move_to_end(key)
        return found


@dataclass(frozen=True, slots=True)
class MatchJob:
    """Batches that follow each other, and which wallet wants which heights matched for what."""

    batches: list[Batch]
    scans: list[tuple[WalletScan, ScanRange]]
    cache: ScriptCache

    def run(self, engine: FilterEngine) -> list[list[int]]:
        """Give the matched heights, one list for each of `scans`.

        Wallets that want the same heights are matched together, since decoding costs most; only
        the few hits are then looked at for each.
        """
        found: list[list[int]] = [[] for _ in self.scans]
        spans: dict[tuple[int, int], list[int]] = {}
        for index, (_, scanned) in enumerate(self.scans):
            spans.setdefault((scanned.start, scanned.stop), []).append(index)
        for (start, stop), indexes in spans.items():
            parts = [
                batch.part(max(start, batch.start), min(stop, batch.stop))
                for batch in self.batches
                if batch.start <= stop and batch.stop >= start
            ]
            wanted = [self.scans[index] for index in indexes]
            if not any(scanned.scripts for _, scanned in wanted):
                continue
            prepared = self.cache.prepare(engine, wanted)
            for part in joined(parts) if engine.name == "numpy" else parts:
                for offset in match(engine, part, prepared):
                    height = part.start + offset
                    for index in indexes:
                        mine = [self.scans[index]]
                        if len(indexes) == 1 or match(
                            engine, part.part(height, height), self.cache.prepare(engine, mine)
                        ):
                            found[index].append(height)
        return found


@dataclass(frozen=True, slots=True)
class EngineJob:
    """One turn of the engine: comparing what is new, then matching what is next in line."""

    checks: list[Check]
    match: MatchJob | None
    verdicts: list[Verdict] = field(default_factory=list)

    def run(self, engine: FilterEngine) -> list[list[int]] | None:
        """Fill `verdicts`; give what matched, None where a filter was found wrong."""
        self.verdicts.extend(check.run(engine) for check in self.checks)
        if self.match is None or any(verdict.wrong is not None for verdict in self.verdicts):
            return None
        return self.match.run(engine)


def joined(batches: Sequence[Batch]) -> list[Batch]:
    """Make few large batches of many that follow each other; copies their filters."""
    result: list[Batch] = []
    some: list[Batch] = []
    count = size = 0
    for batch in batches:
        if some and (count + batch.count > JOINED_FILTERS or size + batch.size > JOINED_BYTES):
            result.append(join(some))
            some, count, size = [], 0, 0
        some.append(batch)
        count += batch.count
        size += batch.size
    if some:
        result.append(join(some))
    return result


def join(batches: Sequence[Batch]) -> Batch:
    """Make one batch of some that follow each other; copies their filters."""
    first = batches[0]
    if len(batches) == 1:
        return first
    starts, ends = offsets(), offsets()
    parts = []
    shift = 0
    for batch in batches:
        base = batch.starts[0]
        starts.extend([each - base + shift for each in batch.starts])
        ends.extend([each - base + shift for each in batch.ends])
        parts.append(memoryview(batch.data)[base : batch.ends[-1]])
        shift += batch.size
    hashes = b"".join(batch.hashes for batch in batches)
    data = b"".join(parts)
    return Batch(first.start, hashes, data, starts, ends, first.peer, first.is_verified)


def match(engine: FilterEngine, batch: Batch, prepared: PreparedScripts) -> list[int]:
    """List the positions of the filters that hold any of the scripts.

    A filter that was agreed on and is malformed counts as a match: nobody can tell what it was
    meant to hold, so its block is read.
    """
    found: list[int] = []
    for _ in range(MAX_MALFORMED):
        parts = _runs_between(batch, found)
        try:
            hits = [
                part.start - batch.start + index
                for part in parts
                for index in _match(engine, part, prepared)
            ]
        except _Malformed as error:
            found.append(error.height - batch.start)
        else:
            return sorted(found + hits)
    # So many that each call would repeat the work of the one before: one by one.
    positions = [position for position in range(batch.count) if position not in found]
    for position in positions:
        height = batch.start + position
        try:
            if _match(engine, batch.part(height, height), prepared):
                found.append(position)
        except _Malformed:
            found.append(position)
    return sorted(found)


class _Malformed(Exception):
    """The filter at `height` is not well formed."""

    def __init__(self, height: int) -> None:
        super().__init__()
        self.height = height


def _match(engine: FilterEngine, batch: Batch, prepared: PreparedScripts) -> list[int]:
    try:
        return engine.match_run(batch.data, batch.hashes, batch.starts, batch.ends, prepared)
    except MalformedFilter as error:
        raise _Malformed(batch.start + error.position) from error


def _runs_between(batch: Batch, excluded: Iterable[int]) -> list[Batch]:
    """Give what is left of a batch without some positions."""
    parts = []
    first = batch.start
    for position in sorted(excluded):
        height = batch.start + position
        if first < height:
            parts.append(batch.part(first, height - 1))
        first = height + 1
    if first <= batch.stop:
        parts.append(batch.part(first, batch.stop))
    return parts
