"""The rules that a header must meet after its parent: link, work, bits, time.

Sources: Core `pow.cpp` (`GetNextWorkRequired`, `CalculateNextWorkRequired`), `validation.cpp`
(`ContextualCheckBlockHeader`), BIP94 (testnet4), BIP113 (median time past).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from struct import Struct
from typing import Final, Self

from wallet_gui.chain.backend import ChainError
from wallet_gui.chain.filter_runs import HASH_SIZE, header_hashes
from wallet_gui.primitives.block import (
    bits_from_target,
    target_from_bits,
    work_from_bits,
)
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError

EPOCH: Final = 2016  # blocks between two retargets
EPOCH_SECONDS: Final = 14 * 24 * 3600
MEDIAN_SPAN: Final = 11
MAX_FUTURE_SECONDS: Final = 7200
MIN_DIFFICULTY_AFTER: Final = 1200  # test networks: twice the block interval
MAX_TIMEWARP: Final = 600  # BIP94

LINK_TIME_BITS: Final = Struct("<4x32s32xII4x")  # of a header: prev_blockhash, time, bits


class InvalidHeader(ChainError):
    """A header breaks a rule: whoever sent it is at fault."""


class FutureHeader(InvalidHeader):
    """A header's time is over two hours ahead of ours: its sender's clock or ours is wrong."""


Hasher = Callable[[bytes], bytes]
"""Gives the hashes of headers (80 bytes each) one after the other, 32 bytes each."""

work_of = lru_cache(maxsize=1024)(work_from_bits)
"""`work_from_bits`, remembered: a difficulty lasts for 2016 blocks."""


def work_claimed(raw: bytes | bytearray) -> int:
    """Add up the work that headers (80 bytes each) claim by their bits.

    Raises InvalidHeader when bits are not those of a target.
    """
    counts = Counter(bits for _, _, bits in LINK_TIME_BITS.iter_unpack(raw))
    try:
        return sum(work_of(bits) * count for bits, count in counts.items())
    except ParseError as error:
        raise InvalidHeader("The difficulty bits of a header are malformed.") from error


def retarget(old_bits: int, first_time: int, last_time: int, pow_limit: int) -> int:
    """Return the bits of the epoch after one that took `last_time - first_time` seconds.

    The span is that of 2016 blocks, so of 2015 intervals, and counts for a quarter at least and
    four times at most.
    """
    span = min(max(last_time - first_time, EPOCH_SECONDS // 4), EPOCH_SECONDS * 4)
    target = target_from_bits(old_bits) * span // EPOCH_SECONDS
    return bits_from_target(min(target, pow_limit))


def median_time(times: list[int]) -> int:
    """Return the median of at most eleven header times, as Core takes it for an even number."""
    return sorted(times)[len(times) // 2]


@dataclass(slots=True)
class HeaderCursor:
    """Stands on a checked header and knows what the next one must be.

    `required_bits` is set only on an anchor, whose epoch's headers are not at hand. `times` are the
    last eleven header times, fewer near the start; `all_times` tells that the start is genesis,
    where fewer are all there are.
    """

    params: ChainParams
    height: int
    hash: bytes
    chain_work: int
    bits: int = 0
    required_bits: int | None = None
    epoch_time: int = 0
    epoch_bits: int = 0
    normal_bits: int = 0  # of the epoch's last block that is not a 20-minute block
    times: list[int] = field(default_factory=list)
    all_times: bool = False

    def copy(self) -> Self:
        return type(self)(
            self.params,
            self.height,
            self.hash,
            self.chain_work,
            self.bits,
            self.required_bits,
            self.epoch_time,
            self.epoch_bits,
            self.normal_bits,
            list(self.times),
            self.all_times,
        )

    def next_bits(self, time: int) -> int:
        """Return the bits that a header with this time must have after the present one."""
        params = self.params
        if self.required_bits is not None:
            return self.required_bits
        if (self.height + 1) % EPOCH == 0:
            if params.no_retargeting:
                return self.bits
            # BIP94: the epoch's last block may be a 20-minute block; its first one cannot be.
            old_bits = self.epoch_bits if params.enforce_bip94 else self.bits
            return retarget(old_bits, self.epoch_time, self.times[-1], params.pow_limit)
        if params.allow_min_difficulty:
            if time > self.times[-1] + MIN_DIFFICULTY_AFTER:
                return params.pow_limit_bits
            return self.normal_bits
        return self.bits

    def advance(  # noqa: C901, PLR0912 (one tight loop)
        self, raw: bytes, now: int, hasher: Hasher = header_hashes
    ) -> None:
        """Check headers (80 bytes each, concatenated) and step over them.

        Raises InvalidHeader, and then stands somewhere among them: work on a copy.
        """
        params = self.params
        # Without retargeting a minimum difficulty block is like any other.
        simple = params.no_retargeting or not params.allow_min_difficulty
        latest = now + MAX_FUTURE_SECONDS
        limit_bits = params.pow_limit_bits
        height, tip, bits, work = self.height, self.hash, self.bits, self.chain_work
        times = self.times
        target = block_work = target_of_bits = -1
        hashes = hasher(raw)
        offset = 0
        for prev, time, header_bits in LINK_TIME_BITS.iter_unpack(raw):
            if prev != tip:
                raise InvalidHeader(f"Header {height + 1} does not follow the one before it.")
            if simple and (height + 1) % EPOCH and self.required_bits is None:
                expected = bits
            else:
                self.height, self.bits = height, bits
                expected = self.next_bits(time)
            if header_bits != expected:
                raise InvalidHeader(
                    f"Header {height + 1} has difficulty bits {header_bits:08x}; "
                    f"the rules ask for {expected:08x}."
                )
            if header_bits != target_of_bits:
                target, block_work = _target_and_work(header_bits, params.pow_limit)
                target_of_bits = header_bits
            end = offset + HASH_SIZE
            tip = hashes[offset:end]
            offset = end
            if int.from_bytes(tip, "little") > target:
                raise InvalidHeader(f"Header {height + 1} lacks the proof of work it claims.")
            if len(times) == MEDIAN_SPAN:
                if time <= sorted(times)[MEDIAN_SPAN // 2]:
                    raise InvalidHeader(f"Header {height + 1} is older than the median before it.")
                del times[0]
            elif self.all_times and time <= median_time(times):
                raise InvalidHeader(f"Header {height + 1} is older than the median before it.")
            if time > latest:
                raise FutureHeader(
                    f"Header {height + 1} is dated more than two hours ahead of this clock."
                )
            height += 1
            if height % EPOCH == 0:
                # BIP94; the parent's time is unknown only right above an anchor.
                if params.enforce_bip94 and times and time < times[-1] - MAX_TIMEWARP:
                    raise InvalidHeader(f"Header {height} turns the clock back (time warp).")
                self.epoch_time = time
                self.epoch_bits = self.normal_bits = header_bits
                self.required_bits = None
            elif header_bits != limit_bits:
                self.normal_bits = header_bits
            times.append(time)
            bits = header_bits
            work += block_work
        self.height, self.hash, self.bits, self.chain_work = height, tip, bits, work


def _target_and_work(bits: int, pow_limit: int) -> tuple[int, int]:
    try:
        target = target_from_bits(bits)
    except ParseError as error:
        raise InvalidHeader(f"The difficulty bits {bits:08x} are malformed.") from error
    if not 0 < target <= pow_limit:
        raise InvalidHeader(f"The difficulty bits {bits:08x} are out of this network's range.")
    return target, work_of(bits)
