"""Usual fee rates without a server: what peers take at all, and what the last blocks paid.

Facts in, advice out; nothing is made up. Rates are in sat/kvB (sat per 1000 virtual bytes).

- Peers' fee filters (BIP133) give the floor. A lie counts little: the lower median is the least
  that is taken, and a peer that asks for much more than the others is not believed.
- A compact block (BIP152) tells the coinbase, so the sum of the fees; it cannot be proved without
  all transactions, so several networks are asked and the least that one of them tells counts. How
  much the block weighs it does not say: with many transactions a full block is assumed, with few
  ones nothing is.
- A block that was read in full gives its average exactly.
- Of what waits for a block the fee is known where the transactions that it spends from were seen
  too; it counts when several networks announced it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from wallet_gui.chain.p2p.compact_block import SHORT_ID, CompactBlock
from wallet_gui.chain.p2p.sightings import RotatingMap
from wallet_gui.chain.reports import FeeAdvice
from wallet_gui.primitives.hashes import sha256d
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

BLOCKS: Final = 5
"""How many of the newest blocks count: a node gives no compact form of deeper ones."""

SOURCES: Final = 3
MAX_ASKED: Final = 6
"""Networks that are asked about one block, when some of them tell nothing."""

FULL_FROM: Final = 500
"""With more short ids than this a block is taken for full."""

FULL_WEIGHT: Final = 3_990_000
MAX_TIMES_OTHERS: Final = 3
HIGHEST_FLOOR: Final = 1_000_000
"""1000 sat/vB: a node that is syncing asks for far more, and a liar may."""

SAMPLE_SIZE: Final = 2_000
SAMPLE_SECONDS: Final = 1_800
LEAST_SAMPLE: Final = 30
FAST_PERCENTILE: Final = 60
KNOWN_OUTPUTS: Final = 20_000
MAX_RATE: Final = 100_000_000

Backed = Callable[[bytes], bool]


def subsidy(params: ChainParams, height: int) -> int:
    """Give the new coins of a block in sat (Core `GetBlockSubsidy`)."""
    halvings = height // params.subsidy_halving_interval
    return 5_000_000_000 >> halvings if halvings < 64 else 0


def believable_filters(rates: Iterable[int]) -> list[int]:
    """Leave out the fee filters that are far above the others; ascending.

    Half of the peers, rounded up, cannot be moved by the other half.
    """
    likely = sorted(rate for rate in rates if 0 <= rate <= HIGHEST_FLOOR)
    if not likely:
        return []
    median = likely[(len(likely) - 1) // 2]
    return [rate for rate in likely if rate <= max(MAX_TIMES_OTHERS * median, 1000)]


@dataclass(slots=True)
class _Block:
    height: int
    hash: bytes
    time: int
    told: dict[bytes, int] = field(default_factory=dict)  # netgroup -> rate; 0: it told nothing
    exact: int | None = None

    @property
    def rate(self) -> int | None:
        """The average fee rate; None when it is not known."""
        if self.exact is not None:
            return self.exact or None
        return min((rate for rate in self.told.values() if rate), default=None)


@dataclass(frozen=True, slots=True)
class BlockStamp:
    """One of the newest blocks of the active chain."""

    height: int
    hash: bytes
    time: int


class Fees:
    """Collects facts about fees. Times are Unix times."""

    def __init__(self, params: ChainParams) -> None:
        self._params = params
        self._blocks: dict[bytes, _Block] = {}
        self._outputs: RotatingMap[tuple[int, ...]] = RotatingMap(KNOWN_OUTPUTS)
        self._sample: deque[tuple[int, bytes, int]] = deque(maxlen=SAMPLE_SIZE)

    def set_newest(self, newest: Sequence[BlockStamp]) -> None:
        """Tell which blocks are the newest of the active chain; others are forgotten."""
        blocks = {stamp.hash: self._blocks.get(stamp.hash) for stamp in newest[-BLOCKS:]}
        self._blocks = {
            stamp.hash: blocks[stamp.hash] or _Block(stamp.height, stamp.hash, stamp.time)
            for stamp in newest[-BLOCKS:]
        }

    def lacking(self, netgroup: bytes) -> list[tuple[int, bytes]]:
        """List height and hash of blocks about which somebody of a netgroup may be asked.

        The newest first.
        """
        return [
            (block.height, block.hash)
            for block in sorted(self._blocks.values(), key=lambda b: -b.height)
            if block.exact is None
            and sum(rate > 0 for rate in block.told.values()) < SOURCES
            and len(block.told) < MAX_ASKED
            and netgroup not in block.told
        ]

    def on_compact_block(self, netgroup: bytes, message: CompactBlock) -> bool:
        """Take what a peer tells about a block; return whether it is about one of the newest."""
        block = self._blocks.get(sha256d(message.header))
        if block is None:
            return False
        coinbase = message.coinbase
        rate = 0
        if coinbase is not None and len(message.short_ids) > FULL_FROM * SHORT_ID:
            rate = self._average(coinbase, block.height, FULL_WEIGHT)
        block.told[netgroup] = rate
        return True

    def on_silence(self, netgroup: bytes, block_hash: bytes) -> None:
        """Note that nobody of a netgroup need be asked about a block again."""
        block = self._blocks.get(block_hash)
        if block is not None:
            block.told.setdefault(netgroup, 0)

    def on_full_block(
        self, block_hash: bytes, coinbase: Transaction, weight: int, transactions: int
    ) -> None:
        """Take a checked block: `weight` is that of its transactions without the coinbase."""
        block = self._blocks.get(block_hash)
        if block is not None and block.exact is None:
            has_payments = transactions > 1 and weight > 0
            block.exact = self._average(coinbase, block.height, weight) if has_payments else 0

    def needs_exact(self, block_hash: bytes) -> bool:
        """Whether the average of this block is wanted and not known exactly."""
        block = self._blocks.get(block_hash)
        return block is not None and block.exact is None

    def _average(self, coinbase: Transaction, height: int, weight: int) -> int:
        fees = sum(o.value_sat for o in coinbase.outputs) - subsidy(self._params, height)
        return min(max(fees, 0) * 4000 // weight, MAX_RATE)

    def on_transaction(self, tx: Transaction, unix: int) -> None:
        """Take an unconfirmed transaction; its outputs may be spent by the next."""
        self._outputs.set(tx.txid, tuple(output.value_sat for output in tx.outputs))
        spent = 0
        for tx_in in tx.inputs:
            values = self._outputs.get(tx_in.prevout.txid)
            if values is None or tx_in.prevout.vout >= len(values):
                return
            spent += values[tx_in.prevout.vout]
        fee = spent - sum(output.value_sat for output in tx.outputs)
        if fee >= 0 and tx.vsize:
            self._sample.append((unix, tx.txid, min(fee * 1000 // tx.vsize, MAX_RATE)))

    # --- advice -----------------------------------------------------------------------------------

    def advice(
        self, fee_filters: Mapping[bytes, int], unix: int, is_backed: Backed
    ) -> FeeAdvice | None:
        """Give what is known; None when that is nothing.

        `fee_filters` are by netgroup; `is_backed` tells whether several networks, where there are
        several, announced a transaction.
        """
        filters = believable_filters(fee_filters.values())
        minimum = filters[(len(filters) - 1) // 2] if filters else None
        waiting = self._waiting(unix, is_backed)
        blocks = [block for block in self._blocks.values() if block.rate is not None]
        rates = self._block_rates(blocks, waiting)
        if not rates:
            if minimum is None:
                return None
            return FeeAdvice(None, None, None, minimum, _source([], filters, 0), unix)
        normal, slow = _percentile(rates, 50), rates[0]
        if len(waiting) >= LEAST_SAMPLE:
            above = [rate for rate in waiting if rate >= slow] or waiting
            fast = min(_percentile(above, FAST_PERCENTILE), MAX_TIMES_OTHERS * rates[-1])
        else:
            fast = rates[-1]
        # What some of the peers do not take is not slow but stuck.
        floor = filters[-1] if filters else 0
        slow = max(slow, floor)
        normal = max(normal, slow)
        learned = min(block.time for block in blocks)
        counted = len(waiting) if len(waiting) >= LEAST_SAMPLE else 0
        return FeeAdvice(
            max(fast, normal), normal, slow, minimum, _source(blocks, filters, counted), learned
        )

    def _waiting(self, unix: int, is_backed: Backed) -> list[int]:
        return sorted(
            rate
            for seen, txid, rate in self._sample
            if unix - seen <= SAMPLE_SECONDS and is_backed(txid)
        )

    def _block_rates(self, blocks: Sequence[_Block], waiting: Sequence[int]) -> list[int]:
        """Give the rates of blocks, ascending; what cannot be proved is held against the rest."""
        proved = sorted(block.exact for block in blocks if block.exact)
        others = [_percentile(proved, 50)] if proved else []
        if len(waiting) >= LEAST_SAMPLE:
            others.append(_percentile(waiting, FAST_PERCENTILE))
        most = MAX_TIMES_OTHERS * max(others) if others else MAX_RATE
        rates = [(block.rate or 0, block.exact is not None) for block in blocks]
        return sorted(rate if is_proved else min(rate, most) for rate, is_proved in rates)


def _percentile(ascending: Sequence[int], percent: int) -> int:
    """Give the value below which `percent` of the others are; the lower one of two."""
    return ascending[(len(ascending) - 1) * percent // 100]


def _source(blocks: Sequence[_Block], filters: Sequence[int], waiting: int) -> str:
    """Say where the advice comes from."""
    parts = []
    if blocks:
        which = "the last block" if len(blocks) == 1 else f"{len(blocks)} of the last blocks"
        text = f"the average fees of {which}"
        told = [sum(r > 0 for r in b.told.values()) for b in blocks if b.exact is None]
        if told:
            least = min(told)
            networks = "one network tells" if least == 1 else f"{least} networks tell"
            text += f", as {networks} them"
        parts.append(text)
    if waiting:
        parts.append(f"{waiting} payments that wait for a block")
    if filters:
        peers = "one network takes" if len(filters) == 1 else f"{len(filters)} networks take"
        parts.append(f"the least that {peers}")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."
