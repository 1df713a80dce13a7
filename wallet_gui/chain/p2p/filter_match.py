"""What is done to filters away from the loop: verifying them, and matching for several wallets."""

import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from wallet_gui.chain.filter_runs import Buffer
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


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wrong` is the first height whose filter is not the agreed one, None if all are right.

    `tolerated` are wrong ones at heights where the agreed header itself is disputed.
    """

    wrong: int | None
    tolerated: frozenset[int]


def verify(
    engine: FilterEngine,
    filters: Sequence[bytes],
    start: int,
    agreed: bytes,
    before: bytes,
    disputed: frozenset[int],
) -> Verdict:
    """Compare filters from height `start` on with their agreed headers (32 bytes each)."""
    tolerated: set[int] = set()
    previous = before
    for index, filter_hash in enumerate(engine.hash_many(filters)):
        header = agreed[32 * index : 32 * index + 32]
        if sha256(sha256(filter_hash + previous).digest()).digest() != header:
            if start + index not in disputed:
                return Verdict(start + index, frozenset(tolerated))
            tolerated.add(start + index)
        previous = header
    return Verdict(None, frozenset(tolerated))


@dataclass(frozen=True, slots=True)
class MatchJob:
    """Filters from height `first` on, and which wallet wants which of them matched for what."""

    first: int
    hashes: list[bytes]
    filters: list[bytes]
    scans: list[tuple[WalletScan, ScanRange]]

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
            part = slice(start - self.first, stop + 1 - self.first)
            pairs = list(zip(self.hashes[part], self.filters[part], strict=True))
            union = {s for index in indexes for s in self.scans[index][1].scripts}
            hits = match(engine, pairs, union)
            for index in indexes:
                mine = hits
                if len(indexes) > 1 and hits:
                    some = [pairs[offset] for offset in hits]
                    mine = [hits[i] for i in match(engine, some, self.scans[index][1].scripts)]
                found[index] = [start + offset for offset in mine]
        return found


def match(
    engine: FilterEngine, filters: Sequence[tuple[bytes, bytes]], scripts: Collection[bytes]
) -> list[int]:
    """List the positions of the filters that hold any of the scripts.

    A filter that was agreed on and is malformed counts as a match: nobody can tell what it was
    meant to hold, so its block is read.
    """
    if not scripts:
        return []
    prepared = engine.prepare(scripts)
    positions = list(range(len(filters)))
    malformed: list[int] = []
    for _ in range(MAX_MALFORMED):
        try:
            matched = engine.match_many([filters[i] for i in positions], prepared)
        except MalformedFilter as error:
            malformed.append(positions.pop(error.position))
        else:
            return sorted(malformed + list(itertools.compress(positions, matched)))
    # So many that each call would repeat the work of the one before: one by one.
    for position in positions:
        try:
            if any(engine.match_many([filters[position]], prepared)):
                malformed.append(position)
        except MalformedFilter:
            malformed.append(position)
    return sorted(malformed)
