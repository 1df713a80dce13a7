"""The compact block of BIP152, of which a light client wants the coinbase: it tells the fees.

A node gives one for each of its newest blocks (25 KB in place of 2 MB). The other transactions are
only named by six bytes each, so nothing in it can be checked against the header's merkle root.
"""

from dataclasses import dataclass
from typing import ClassVar, Final

from wallet_gui.primitives.block import HEADER_SIZE
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    Transaction,
    bounded_read,
    read_transaction,
)

MAX_COMPACT_BLOCK: Final = 4_000_000
SHORT_ID: Final = 6
_MAX_TRANSACTIONS: Final = MAX_BLOCK_WEIGHT // 4 // 60  # of the least size there is
_MAX_INDEX: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class CompactBlock:
    """Header (80 bytes), short ids (6 bytes each, concatenated) and transactions by position."""

    command: ClassVar[str] = "cmpctblock"
    header: bytes
    nonce: int
    short_ids: bytes
    prefilled: tuple[tuple[int, Transaction], ...]

    @classmethod
    def parse(cls, payload: bytes) -> "CompactBlock":
        """Read one; raise ParseError."""
        reader = Reader(payload)
        header = reader.read(HEADER_SIZE)
        nonce = reader.u64()
        short_ids = reader.read(SHORT_ID * reader.compact_size(_MAX_TRANSACTIONS))
        count = reader.compact_size(_MAX_TRANSACTIONS)
        prefilled = []
        position = -1
        for _ in range(count):
            position += 1 + reader.compact_size(_MAX_INDEX)  # differences, as BIP152 has it
            prefilled.append((position, reader.take(_bounded)))
        reader.check_end()
        total = len(short_ids) // SHORT_ID + count
        if not total or total > _MAX_TRANSACTIONS or position >= total:
            raise ParseError("The positions in a compact block are not those of its transactions.")
        return cls(header, nonce, short_ids, tuple(prefilled))

    def serialize(self) -> bytes:
        parts = [
            self.header,
            self.nonce.to_bytes(8, "little"),
            compact_size(len(self.short_ids) // SHORT_ID),
            self.short_ids,
            compact_size(len(self.prefilled)),
        ]
        before = -1
        for position, tx in self.prefilled:
            parts += [compact_size(position - before - 1), tx.serialize()]
            before = position
        return b"".join(parts)

    @property
    def transactions(self) -> int:
        """Count the block's transactions, the coinbase included."""
        return len(self.short_ids) // SHORT_ID + len(self.prefilled)

    @property
    def coinbase(self) -> Transaction | None:
        """The block's first transaction, which honest nodes always send; None without it."""
        for position, tx in self.prefilled:
            if position == 0 and tx.is_coinbase:
                return tx
        return None


def _bounded(data: bytes, start: int) -> tuple[Transaction, int]:
    return bounded_read(read_transaction, data, start)
