"""Compact block filters (BIP158 basic) and their header chain (BIP157).

`BlockFilter` is one filter; a `FilterEngine` matches and hashes many at a time. `pick_engine`
gives the fastest engine there is; all of them are equal by test to the scalar reference.
"""

import functools
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wallet_gui.chain import filter_runs, gcs_scalar
from wallet_gui.chain.filter_runs import Buffer, Framed, Offsets, PlainRuns
from wallet_gui.chain.gcs_scalar import MAX_FILTER_SIZE, MalformedFilter, PreparedScripts, prepared
from wallet_gui.primitives.block import Block, ScannedBlock
from wallet_gui.primitives.hashes import sha256d

__all__ = [
    "EMPTY_FILTER",
    "EMPTY_FILTER_HASH",
    "MAX_FILTER_SIZE",
    "BlockFilter",
    "FilterEngine",
    "Framed",
    "MalformedFilter",
    "Offsets",
    "PreparedScripts",
    "ScalarEngine",
    "build",
    "pick_engine",
]

EMPTY_FILTER: Final = b"\x00"
EMPTY_FILTER_HASH: Final = sha256d(EMPTY_FILTER)
"""A block with this filter hash pays and spends nothing: its filter need not be fetched."""

_OP_RETURN: Final = 0x6A
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BlockFilter:
    """The filter of one block; `data` is as serialized, the item count included."""

    block_hash: bytes
    data: bytes

    @property
    def filter_hash(self) -> bytes:
        return sha256d(self.data)

    def header(self, previous: bytes) -> bytes:
        """Return the filter header on top of the previous block's (32 zero bytes at genesis)."""
        return sha256d(self.filter_hash + previous)

    def elements(self) -> list[int]:
        """Decode the set, ascending; raise MalformedFilter unless every bit is in place."""
        return gcs_scalar.decode(self.data)

    def match_any(self, scripts: Iterable[bytes]) -> bool:
        """Tell whether the block may pay or spend any of the scripts; raise MalformedFilter.

        One in 784,931 answers per script is a false yes; no is always right.
        """
        return gcs_scalar.match(self.block_hash, self.data, PreparedScripts(scripts).scripts)


def filter_items(block: Block, prev_scripts: Iterable[bytes]) -> set[bytes]:
    """Collect what a block's basic filter holds.

    `prev_scripts` are the scripts of all outputs that the block spends. Outputs that begin with
    OP_RETURN and empty scripts are left out; a spent script is never an OP_RETURN.
    """
    items = {
        output.script_pubkey
        for transaction in block.transactions
        for output in transaction.outputs
        if output.script_pubkey and output.script_pubkey[0] != _OP_RETURN
    }
    items.update(script for script in prev_scripts if script)
    return items


def build(block: Block, prev_scripts: Iterable[bytes]) -> BlockFilter:
    """Make the filter that a node would serve for a block."""
    block_hash = block.header.hash
    items = filter_items(block, prev_scripts)
    return BlockFilter(block_hash, gcs_scalar.build(block_hash, items))


class FilterEngine(Protocol):
    """Bulk work on filters, headers and blocks. Holds no state; may be called in worker threads.

    Filters come as runs: one buffer, the block hashes (32 bytes each, wire order), and where each
    filter begins and ends (`array("Q")`). `bytearray` buffers must not be resized meanwhile.
    """

    name: str

    def prepare(self, scripts: Iterable[bytes]) -> PreparedScripts:
        """Make scripts ready for matching; worth keeping while they stay the same."""
        ...

    def frame_filters(self, buffer: Buffer, start: int, end: int, magic: bytes) -> Framed:
        """Take the complete cfilter messages at the start of a version 1 stream.

        Stops before the first message that is another one, incomplete, or not well formed.
        """
        ...

    def first_wrong(
        self, data: Buffer, starts: Offsets, ends: Offsets, previous: bytes, agreed: bytes
    ) -> int | None:
        """Return the index of the first filter that does not lead to its agreed filter header.

        Each one is judged with the agreed header before it (`previous` for the first).
        """
        ...

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]:
        """Return the indexes of the filters that hold any of the scripts.

        Every filter is decoded strictly to its last bit. Raises MalformedFilter with the
        `position` of one that is not well formed.
        """
        ...

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        """Tell for each `(block_hash, data)` whether it holds a script, as `match_run`."""
        ...

    def hash_run(self, data: Buffer, starts: Offsets, ends: Offsets) -> bytes:
        """Return the filter hash of each filter of a run, 32 bytes each."""
        ...

    def hash_many(self, filters: Sequence[bytes]) -> list[bytes]:
        """Return the filter hash of each serialized filter."""
        ...

    def header_chain(self, filter_hashes: Sequence[bytes], previous: bytes) -> list[bytes]:
        """Return the filter headers that follow `previous`, one for each filter hash."""
        ...

    def header_hashes(self, raw_headers: Buffer) -> bytes:
        """Return the block hash of each 80 bytes, 32 bytes each in wire order."""
        ...

    def scan_block(self, raw: Buffer) -> ScannedBlock:
        """Read a block of at most 4,000,000 bytes; raise ParseError. `check` is a call of its own.

        Equal to `Block.parse` in what it accepts and in what its methods answer.
        """
        ...


class ScalarEngine(PlainRuns):
    """Plain Python: slow (about 200 filters a second), always there, and the reference."""

    name = "scalar"

    def prepare(self, scripts: Iterable[bytes]) -> PreparedScripts:
        return PreparedScripts(scripts)

    def match_many(
        self,
        filters: Sequence[tuple[bytes, bytes]],
        scripts: PreparedScripts | Sequence[bytes],
    ) -> list[bool]:
        wanted = prepared(scripts)
        matches = []
        for position, (block_hash, data) in enumerate(filters):
            try:
                matches.append(gcs_scalar.match(block_hash, data, wanted.scripts))
            except MalformedFilter as error:
                raise MalformedFilter(str(error), position) from error
        return matches

    def match_run(
        self, data: Buffer, hashes: bytes, starts: Offsets, ends: Offsets, prepared: PreparedScripts
    ) -> list[int]:
        filters = filter_runs.filters_of(data, hashes, starts, ends)
        return [index for index, hit in enumerate(self.match_many(filters, prepared)) if hit]


@functools.cache
def pick_engine() -> FilterEngine:
    """Return the fastest engine that can be had here, importing it only now.

    The native one if its library is built and right about its self-test, then NumPy. Chosen once.
    """
    from wallet_gui.chain.native.engine import tested_engine  # noqa: PLC0415 (loads the library)
    from wallet_gui.chain.native.library import EngineUnavailable  # noqa: PLC0415

    try:
        return tested_engine()
    except EngineUnavailable as reason:
        logger.warning("The native engine is not used: %s", reason)
    try:
        from wallet_gui.chain.gcs_numpy import NumpyEngine  # noqa: PLC0415 (NumPy costs 0.1 s)
    except ImportError:
        return ScalarEngine()
    return NumpyEngine()
