"""Blocks and headers, and what can be checked of a block without the chain around it.

Sources: Core `primitives/block.h`, `consensus/merkle.cpp`, `validation.cpp` (`CheckBlock`,
`CheckWitnessMalleation`, `IsBlockMutated`), `arith_uint256.cpp` (compact targets), `chain.cpp`
(`GetBlockProof`), BIP141 (witness commitment), BIP54 (64-byte transactions).
"""

import struct
from collections.abc import Collection, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.serialize import ParseError, Reader, compact_size
from wallet_gui.primitives.transaction import (
    MAX_BLOCK_WEIGHT,
    WITNESS_SCALE_FACTOR,
    OutPoint,
    Transaction,
    bounded_read,
    read_transaction,
)

HEADER_SIZE: Final = 80
MAX_BLOCK_SIZE: Final = MAX_BLOCK_WEIGHT  # a byte weighs at least one unit

_T = TypeVar("_T")
_HEADER = struct.Struct("<i32s32sIII")
_MIN_TRANSACTION: Final = 60  # one input, one output, empty scripts; less is never valid
_COMMITMENT_PREFIX: Final = bytes.fromhex("6a24aa21a9ed")
_COMMITMENT_SIZE: Final = 38


@dataclass(frozen=True, slots=True)
class BlockHeader:
    """The 80 bytes that are mined; hashes in wire order, time in Unix seconds."""

    version: int
    prev_blockhash: bytes
    merkle_root: bytes
    time: int
    bits: int
    nonce: int
    _hash: bytes | None = field(default=None, init=False, repr=False, compare=False)

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> "BlockHeader":
        """Read exactly 80 bytes; raise ParseError for any other length."""
        if len(data) != HEADER_SIZE:
            raise ParseError(f"A block header has {HEADER_SIZE} bytes, not {len(data)}.")
        return cls(*_HEADER.unpack(data))

    def serialize(self) -> bytes:
        return _HEADER.pack(
            self.version, self.prev_blockhash, self.merkle_root, self.time, self.bits, self.nonce
        )

    @property
    def hash(self) -> bytes:
        """The block hash, 32 bytes in wire order."""
        known = self._hash
        if known is None:
            known = sha256d(self.serialize())
            object.__setattr__(self, "_hash", known)
        return known


class ScannedBlock(Protocol):
    """A block whose bytes are well formed.

    `Block` has every transaction parsed; the native engine's parses the few that are asked for.
    """

    @property
    def header(self) -> BlockHeader: ...

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """All transactions, parsed."""
        ...

    @property
    def weight(self) -> int:
        """Three times the stripped size plus the total size (BIP141)."""
        ...

    def serialize(self) -> bytes: ...

    def check(self, *, segwit_active: bool = True) -> None:
        """Check what needs no context, see `Block.check`; raise ParseError."""
        ...

    def candidates(
        self,
        scripts: Container[bytes],
        outpoints: Container[OutPoint],
        public_keys: Container[bytes] = (),
    ) -> Iterator[tuple[int, Transaction]]:
        """Give the transactions that may concern a wallet, see `Block.candidates`."""
        ...


@dataclass(frozen=True, slots=True)
class Block:
    header: BlockHeader
    transactions: tuple[Transaction, ...]

    @classmethod
    def parse(cls, data: bytes | bytearray | memoryview) -> "Block":
        """Read exactly one block of at most 4,000,000 bytes; raise ParseError."""
        raw = bytes(data)
        if len(raw) > MAX_BLOCK_SIZE:
            raise ParseError(f"The block has {len(raw)} bytes; {MAX_BLOCK_SIZE} are allowed.")
        reader = Reader(raw)
        header = BlockHeader.parse(reader.read(HEADER_SIZE))
        count = reader.compact_size(maximum=max(0, reader.remaining // _MIN_TRANSACTION))
        position = reader.position
        transactions = []
        for _ in range(count):
            transaction, position = bounded_read(read_transaction, raw, position)
            transactions.append(transaction)
        if position != len(raw):
            raise ParseError(f"{len(raw) - position} bytes follow the block.")
        return cls(header, tuple(transactions))

    def serialize(self) -> bytes:
        return b"".join(
            (
                self.header.serialize(),
                compact_size(len(self.transactions)),
                *(transaction.serialize() for transaction in self.transactions),
            )
        )

    @property
    def weight(self) -> int:
        """Three times the stripped size plus the total size (BIP141)."""
        overhead = HEADER_SIZE + len(compact_size(len(self.transactions)))
        return overhead * WITNESS_SCALE_FACTOR + sum(
            transaction.weight for transaction in self.transactions
        )

    def candidates(
        self,
        scripts: Container[bytes],
        outpoints: Container[OutPoint],
        public_keys: Container[bytes] = (),
    ) -> Iterator[tuple[int, Transaction]]:
        """Give position and transaction of all that may concern a wallet, in the block's order.

        Those are the transactions that pay one of `scripts`, or spend one of `outpoints` or an
        output of an earlier candidate, or reveal one of `public_keys`: as the last item of an
        input's witness, or as the last 33 bytes of its script.
        """
        found: set[bytes] = set()
        scripts, outpoints, public_keys = _as_set(scripts), _as_set(outpoints), _as_set(public_keys)
        for position, transaction in enumerate(self.transactions):
            pays = any(output.script_pubkey in scripts for output in transaction.outputs)
            if pays or _spends(transaction, outpoints, public_keys, found):
                found.add(transaction.txid)
                yield position, transaction

    def check(self, *, segwit_active: bool = True) -> None:
        """Check that header and transactions belong together and obey the context-free rules.

        Proof of work and scripts are not looked at. `segwit_active` is whether the block's height
        has segwit: before it miners already wrote commitments without reserved values, and five
        64-byte transactions exist (the last in 2016, BIP54). Raises ParseError.
        """
        self._check_merkle_root(segwit_active=segwit_active)
        if not self.transactions[0].is_coinbase:
            raise ParseError("The block's first transaction is not a coinbase.")
        if any(transaction.is_coinbase for transaction in self.transactions[1:]):
            raise ParseError("The block has a second coinbase transaction.")
        for transaction in self.transactions:
            transaction.check_sanity()
        if self.weight > MAX_BLOCK_WEIGHT:
            raise ParseError(f"The block weighs more than {MAX_BLOCK_WEIGHT} units.")
        if segwit_active:
            self._check_witness_commitment()
        elif any(transaction.has_witness for transaction in self.transactions):
            raise ParseError("The block has a witness before segwit was active.")

    def _check_merkle_root(self, *, segwit_active: bool) -> None:
        if not self.transactions:
            raise ParseError("The block has no transactions.")
        root, mutated = merkle_root([transaction.txid for transaction in self.transactions])
        if root != self.header.merkle_root:
            raise ParseError("The block's transactions do not match its header.")
        if mutated:
            raise ParseError("The block repeats transactions (CVE-2012-2459).")
        # CVE-2017-12842: 64 bytes can be read as a pair of hashes inside the merkle tree.
        if segwit_active and any(tx.stripped_size == 64 for tx in self.transactions):
            raise ParseError("The block has a 64-byte transaction (CVE-2017-12842).")

    def _check_witness_commitment(self) -> None:
        coinbase = self.transactions[0]
        commitment = None
        for output in coinbase.outputs:
            script = output.script_pubkey
            if len(script) >= _COMMITMENT_SIZE and script.startswith(_COMMITMENT_PREFIX):
                commitment = script[len(_COMMITMENT_PREFIX) : _COMMITMENT_SIZE]
        if commitment is None:
            if any(transaction.has_witness for transaction in self.transactions):
                raise ParseError("The block has witnesses that its coinbase does not commit to.")
            return
        reserved = coinbase.inputs[0].witness
        if len(reserved) != 1 or len(reserved[0]) != 32:
            raise ParseError("The coinbase's witness is not one reserved value of 32 bytes.")
        # The coinbase's own wtxid counts as zero: it holds the commitment.
        root, _ = merkle_root([bytes(32)] + [tx.wtxid for tx in self.transactions[1:]])
        if sha256d(root + reserved[0]) != commitment:
            raise ParseError("The block's witnesses do not match the coinbase's commitment.")


def _as_set(items: Container[_T]) -> Container[_T]:
    """Make a set of what can be listed: it is asked thousands of times."""
    return frozenset(items) if isinstance(items, Collection) else items


def _spends(
    transaction: Transaction,
    outpoints: Container[OutPoint],
    public_keys: Container[bytes],
    found: set[bytes],
) -> bool:
    is_any = outpoints != frozenset()  # to hash an outpoint costs more than the rest
    for tx_input in transaction.inputs:
        prevout, witness = tx_input.prevout, tx_input.witness
        if (
            (is_any and prevout in outpoints)
            or prevout.txid in found
            or (witness and witness[-1] in public_keys)
            or tx_input.script_sig[-33:] in public_keys
        ):
            return True
    return False


def merkle_root(hashes: Sequence[bytes]) -> tuple[bytes, bool]:
    """Return the root over 32-byte hashes and whether two neighbours were equal on any level.

    An odd node is paired with itself, so a list that repeats its tail has the root of the shorter
    one (CVE-2012-2459): the flag tells. The root of nothing is zero, as in Core.
    """
    if not hashes:
        return bytes(32), False
    level = list(hashes)
    mutated = False
    while len(level) > 1:
        mutated = mutated or any(level[i] == level[i + 1] for i in range(0, len(level) - 1, 2))
        if len(level) % 2:
            level.append(level[-1])
        level = [sha256d(level[i] + level[i + 1]) for i in range(0, len(level), 2)]
    return level[0], mutated


def target_from_bits(bits: int) -> int:
    """Expand a compact target (Core `SetCompact`); raise ParseError if negative or over 256 bit."""
    size = bits >> 24
    word = bits & 0x007FFFFF
    if size <= 3:
        word >>= 8 * (3 - size)
    if word and bits & 0x00800000:
        raise ParseError("The target is negative.")
    if word and (size > 34 or (word > 0xFF and size > 33) or (word > 0xFFFF and size > 32)):
        raise ParseError("The target is larger than 256 bits.")
    return word if size <= 3 else word << 8 * (size - 3)


def bits_from_target(target: int) -> int:
    """Round a target of 0 to 2**256 - 1 to its compact form (Core `GetCompact`)."""
    size = (target.bit_length() + 7) // 8
    word = target << 8 * (3 - size) if size <= 3 else target >> 8 * (size - 3)
    if word & 0x00800000:  # the bit would read as a sign
        word >>= 8
        size += 1
    return word | size << 24


def work_from_bits(bits: int) -> int:
    """Return the expected number of hashes behind a header (Core `GetBlockProof`); or ParseError.

    A zero target stands for no work, as in Core.
    """
    target = target_from_bits(bits)
    return (1 << 256) // (target + 1) if target else 0
