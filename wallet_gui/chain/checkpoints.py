"""What is known of each public chain at the time of release, and where a sync starts by it.

`packaging/checkpoints.py` writes one file per network into `resources/checkpoints/`:

    magic 8 bytes, network magic 4, genesis hash 32, kind u8, epochs u32, filter headers u32,
    an entry per difficulty epoch from the first on, an entry per filter header, checksum 4

in little-endian, hashes in wire order, the checksum being the start of the SHA-256d of all before.
Epoch number n ends at height 2016 n - 1. With kind 1 its entry is that block's hash, the chain
work through it (16 bytes), the bits that the next epoch starts with, and the latest Unix time at
which its last block can have been mined; with kind 0 only the hash. A filter header's entry is
height u32, filter header, block hash (zeros where it is not known).
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from struct import Struct
from types import MappingProxyType
from typing import Any, Final

from wallet_gui.chain.chain_anchor import ChainAnchor
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import ChainParams

MAGIC: Final = b"WGCHKPT1"
HEAD: Final = Struct("<8s4s32sBII")
FULL_EPOCH: Final = Struct("<32s16sII")
HASH_ONLY: Final = Struct("<32s")
FILTER_ENTRY: Final = Struct("<I32s32s")
CHECKSUM_SIZE: Final = 4

CLOCK_SLACK: Final = 24 * 3600
"""Seconds by which a block may be younger than its time says, median rule and clocks included."""

P2SH_HEIGHT: Final = 173_805  # BIP16 on mainnet; the other networks had it from the start

_NOTHING: Final = bytes(32)


class BadCheckpoints(Exception):
    """A packaged file is damaged or of another format: the program is to be installed again."""


@dataclass(frozen=True, slots=True)
class FilterAnchor:
    """A filter header known beforehand: that of the block at `height`; the chain starts above."""

    height: int
    filter_header: bytes


@dataclass(frozen=True)
class Checkpoints:
    """One network's facts; without any, a chain starts at genesis and nothing is enforced.

    `anchors` are the epoch ends a chain may start above, ascending; `anchor_times` tells for each
    the latest time at which it can have been mined. `hashes` (by height) are to be met on the way,
    those of the anchors among them. `minimum_work` is what the real chain has at least.
    """

    anchors: tuple[ChainAnchor, ...] = ()
    anchor_times: tuple[int, ...] = ()
    hashes: Mapping[int, bytes] = field(default_factory=dict)
    filter_headers: Mapping[int, bytes] = field(default_factory=dict)
    minimum_work: int = 0

    def __post_init__(self) -> None:
        hashes = {anchor.height: anchor.hash for anchor in self.anchors} | dict(self.hashes)
        object.__setattr__(self, "hashes", MappingProxyType(dict(sorted(hashes.items()))))
        ordered = dict(sorted(self.filter_headers.items()))
        object.__setattr__(self, "filter_headers", MappingProxyType(ordered))
        work = max([self.minimum_work, *(anchor.chain_work for anchor in self.anchors)])
        object.__setattr__(self, "minimum_work", work)
        object.__setattr__(self, "_anchor_heights", [anchor.height for anchor in self.anchors])
        object.__setattr__(self, "_filter_heights", list(ordered))

    @property
    def last_height(self) -> int:
        """The highest height whose hash is known; 0 when only genesis is."""
        return max(self.hashes, default=0)

    def anchor_at_or_below(self, height: int) -> ChainAnchor | None:
        """Give the highest epoch end, at `height` at most, above which a chain may start."""
        index = _last_at_or_below(self._heights("_anchor_heights"), height)
        return None if index is None else self.anchors[index]

    def filter_anchor_at_or_below(self, height: int) -> FilterAnchor | None:
        """Give the highest known filter header at `height` at most."""
        heights = self._heights("_filter_heights")
        index = _last_at_or_below(heights, height)
        if index is None:
            return None
        return FilterAnchor(heights[index], self.filter_headers[heights[index]])

    def height_before(self, time: int) -> int:
        """Give the highest anchor height that was certainly reached at `time`; 0 when none was."""
        reached = bisect_right(self.anchor_times, time - CLOCK_SLACK)
        return self.anchors[reached - 1].height if reached else 0

    def start_at(self, height: int) -> tuple[ChainAnchor | None, FilterAnchor | None]:
        """Choose the highest start at which the filter of `height` can be had and checked."""
        filter_anchor = self.filter_anchor_at_or_below(height - 1)
        if filter_anchor is None:
            return None, None
        anchor = self.anchor_at_or_below(filter_anchor.height)
        return (anchor, filter_anchor) if anchor is not None else (None, filter_anchor)

    def newest_start(self) -> tuple[ChainAnchor | None, FilterAnchor | None]:
        """Choose the start for when there is nothing to look for below the tip."""
        return self.start_at(self.last_height + 1)

    def _heights(self, name: str) -> list[int]:
        heights: list[int] = getattr(self, name)
        return heights


NONE: Final = Checkpoints()


def _last_at_or_below(heights: Sequence[int], height: int) -> int | None:
    found = bisect_right(heights, height)
    return found - 1 if found else None


def activation_height(params: ChainParams, scripts: Iterable[bytes]) -> int:
    """Tell from which height on scripts of these kinds can have been paid (BIP16, 141, 341).

    For wallets without a birthday. Whatever is not told apart here is as old as the chain.
    """
    lowest = None
    for script in scripts:
        if len(script) == 34 and script[:2] == b"\x51\x20":
            height = params.taproot_height
        elif len(script) in {22, 34} and script[:2] in {b"\x00\x14", b"\x00\x20"}:
            height = params.segwit_height
        elif len(script) == 23 and script[:2] == b"\xa9\x14" and script[22] == 0x87:
            height = 0 if params.is_test else P2SH_HEIGHT
        else:
            return 0
        lowest = height if lowest is None else min(lowest, height)
    return lowest or 0


@cache
def load(params: ChainParams) -> Checkpoints:
    """Read a network's file; networks without one, and their variants, have no checkpoints.

    Raises BadCheckpoints with a sentence when the file is there and damaged.
    """
    path = _resource(f"{params.name}.bin")
    if path is None:
        return NONE
    return parse(path.read_bytes(), params)


def parse(raw: bytes, params: ChainParams) -> Checkpoints:
    """Read what `packaging/checkpoints.py` wrote; NONE when it is another network's."""
    if len(raw) < HEAD.size + CHECKSUM_SIZE or not raw.startswith(MAGIC):
        raise BadCheckpoints(_DAMAGED)
    body, checksum = raw[:-CHECKSUM_SIZE], raw[-CHECKSUM_SIZE:]
    _, magic, genesis, kind, epochs, filters = HEAD.unpack_from(body)
    entry = FULL_EPOCH if kind else HASH_ONLY
    if sha256d(body)[:CHECKSUM_SIZE] != checksum or kind not in {0, 1}:
        raise BadCheckpoints(_DAMAGED)
    middle = HEAD.size + epochs * entry.size
    if len(body) != middle + filters * FILTER_ENTRY.size:
        raise BadCheckpoints(_DAMAGED)
    if magic != params.magic or genesis != params.genesis_hash:
        return NONE
    anchors: list[ChainAnchor] = []
    times: list[int] = []
    hashes: dict[int, bytes] = {}
    for height, fields in _by_epoch(entry.iter_unpack(body[HEAD.size : middle])):
        if kind:
            block_hash, work, bits, time = fields
            anchors.append(ChainAnchor(height, block_hash, bits, int.from_bytes(work, "little")))
            times.append(time)
        else:
            hashes[height] = fields[0]
    filter_headers: dict[int, bytes] = {}
    for height, filter_header, block_hash in FILTER_ENTRY.iter_unpack(body[middle:]):
        filter_headers[height] = filter_header
        if block_hash != _NOTHING:
            hashes[height] = block_hash
    return Checkpoints(
        tuple(anchors), tuple(times), hashes, filter_headers, params.minimum_chain_work
    )


_DAMAGED: Final = (
    "A file of this program that holds facts about the chain is damaged; install the program again."
)


def _by_epoch(entries: Iterator[tuple[Any, ...]]) -> Iterator[tuple[int, tuple[Any, ...]]]:
    for number, fields in enumerate(entries, 1):
        yield number * EPOCH - 1, fields


def _resource(name: str) -> Path | None:
    """Find a file in a checkout, a wheel or a packaged build."""
    package = Path(__file__).resolve().parent.parent
    for root in (package, package.parent):
        path = root / "resources" / "checkpoints" / name
        if path.is_file():
            return path
    return None
