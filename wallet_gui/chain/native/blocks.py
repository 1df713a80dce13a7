"""A block as the engine sees it: bytes, and where its transactions lie; few are ever parsed."""

import ctypes
import logging
import os
from array import array
from collections.abc import Collection, Container, Iterable, Iterator
from typing import Final

from wallet_gui.chain.filter_runs import Buffer
from wallet_gui.chain.native.library import OUT_OF_MEMORY
from wallet_gui.primitives.block import HEADER_SIZE, MAX_BLOCK_SIZE, Block, BlockHeader
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.primitives.transaction import (
    OutPoint,
    Transaction,
    bounded_read,
    read_transaction,
)

_MIN_TRANSACTION: Final = 60
_KEY: Final = os.urandom(16)  # of the hash tables, so that no block can be made to be slow
logger = logging.getLogger(__name__)


class NativeBlock:
    """See `primitives.block.ScannedBlock`. Made by `scan`, so that its bytes are well formed."""

    __slots__ = ("_header", "_library", "_mode", "_offsets", "_parsed", "_raw", "weight")

    def __init__(
        self, library: ctypes.CDLL, mode: int, raw: bytes, offsets: "array[int]", weight: int
    ) -> None:
        self._library = library
        self._mode = mode
        self._raw = raw
        self._offsets = offsets  # of each transaction, and of the end
        self._header = BlockHeader.parse(raw[:HEADER_SIZE])
        self._parsed: Block | None = None
        self.weight = weight

    @property
    def header(self) -> BlockHeader:
        return self._header

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        if self._parsed is None:
            self._parsed = Block.parse(self._raw)
        return self._parsed.transactions

    def serialize(self) -> bytes:
        return self._raw

    def check(self, *, segwit_active: bool = True) -> None:
        outcome = self._library.engine_block_check(
            self._mode,
            self._raw,
            len(self._raw),
            self._offsets.buffer_info()[0],
            len(self._offsets) - 1,
            self.weight,
            segwit_active,
            _KEY,
        )
        if outcome == OUT_OF_MEMORY:
            raise MemoryError
        if outcome:
            # The reference knows the sentence, and has the last word.
            Block.parse(self._raw).check(segwit_active=segwit_active)
            logger.error("The native engine refuses block %s.", self._header.hash[::-1].hex())

    def candidates(
        self,
        scripts: Container[bytes],
        outpoints: Container[OutPoint],
        public_keys: Container[bytes] = (),
    ) -> Iterator[tuple[int, Transaction]]:
        if not (
            isinstance(scripts, Collection)
            and isinstance(outpoints, Collection)
            and isinstance(public_keys, Collection)
        ):
            # What cannot be listed can only be asked, item by item.
            yield from Block.parse(self._raw).candidates(scripts, outpoints, public_keys)
            return
        for position in self._positions(
            list(scripts), [outpoint.serialize() for outpoint in outpoints], list(public_keys)
        ):
            transaction, _ = bounded_read(read_transaction, self._raw, self._offsets[position])
            yield position, transaction

    def _positions(
        self, scripts: list[bytes], outpoints: list[bytes], public_keys: list[bytes]
    ) -> Iterable[int]:
        count = len(self._offsets) - 1
        positions = array("I", bytes(4 * count))
        wanted = [*scripts, *outpoints, *public_keys]
        sizes = array("I", map(len, wanted))
        found = self._library.engine_block_candidates(
            self._mode,
            self._raw,
            len(self._raw),
            self._offsets.buffer_info()[0],
            count,
            b"".join(wanted),
            sizes.buffer_info()[0],
            len(scripts),
            len(outpoints),
            len(public_keys),
            _KEY,
            positions.buffer_info()[0],
        )
        if found < 0:
            raise MemoryError
        return positions[:found]


def scan(library: ctypes.CDLL, mode: int, raw: Buffer) -> NativeBlock | Block:
    """Read a block; raise ParseError exactly where `Block.parse` does."""
    raw = bytes(raw)
    if len(raw) > MAX_BLOCK_SIZE:
        raise ParseError(f"The block has {len(raw)} bytes; {MAX_BLOCK_SIZE} are allowed.")
    room = max(0, len(raw) - HEADER_SIZE) // _MIN_TRANSACTION + 1
    offsets = array("I", bytes(4 * room))
    weight = ctypes.c_uint64()
    count = library.engine_block_scan(
        raw, len(raw), room, offsets.buffer_info()[0], ctypes.byref(weight)
    )
    if count < 0:
        # The reference knows the sentence, and has the last word.
        block = Block.parse(raw)
        logger.error("The native engine cannot read block %s.", block.header.hash[::-1].hex())
        return block
    return NativeBlock(library, mode, raw, offsets[: count + 1], weight.value)
