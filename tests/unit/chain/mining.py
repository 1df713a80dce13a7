"""Headers mined at regtest difficulty for any set of rules, and Core's rules written naively."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from wallet_gui.primitives.block import (
    BlockHeader,
    bits_from_target,
    target_from_bits,
    work_from_bits,
)
from wallet_gui.primitives.params import REGTEST, ChainParams

EASY_BITS = REGTEST.pow_limit_bits


def easy(params: ChainParams) -> ChainParams:
    """Give a network's rules the difficulty and the genesis block of regtest."""
    return replace(
        params,
        genesis_header=REGTEST.genesis_header,
        pow_limit_bits=REGTEST.pow_limit_bits,
        pow_limit=REGTEST.pow_limit,
        minimum_chain_work=0,
    )


def genesis(params: ChainParams) -> BlockHeader:
    return BlockHeader.parse(params.genesis_header)


def mine(parent: bytes, time: int, bits: int = EASY_BITS, salt: int = 0) -> BlockHeader:
    """Find a header on `parent` whose hash meets `bits`; `salt` makes siblings differ."""
    target = target_from_bits(bits)
    root = salt.to_bytes(32, "little")
    nonce = 0
    while True:
        header = BlockHeader(4, parent, root, time, bits, nonce)
        if int.from_bytes(header.hash, "little") <= target:
            return header
        nonce += 1


def mine_bad(parent: bytes, time: int, bits: int = EASY_BITS) -> BlockHeader:
    """Find a header whose hash misses `bits`."""
    target = target_from_bits(bits)
    nonce = 0
    while True:
        header = BlockHeader(4, parent, bytes(32), time, bits, nonce)
        if int.from_bytes(header.hash, "little") > target:
            return header
        nonce += 1


def required_bits(params: ChainParams, chain: Sequence[BlockHeader], time: int) -> int:
    """Core's GetNextWorkRequired for a chain from genesis, read off pow.cpp block by block."""
    last = chain[-1]
    height = len(chain)
    if height % 2016:
        if not params.allow_min_difficulty:
            return last.bits
        if time > last.time + 1200:
            return params.pow_limit_bits
        walk = height - 1
        while walk % 2016 and chain[walk].bits == params.pow_limit_bits:
            walk -= 1
        return chain[walk].bits
    if params.no_retargeting:
        return last.bits
    first = chain[height - 2016]
    span = max(302_400, min(4_838_400, last.time - first.time))
    old = target_from_bits(first.bits if params.enforce_bip94 else last.bits)
    return bits_from_target(min(params.pow_limit, old * span // 1_209_600))


def grow(params: ChainParams, times: Iterable[int]) -> list[BlockHeader]:
    """Mine a chain from genesis (included) with these header times, by the naive rules."""
    chain = [genesis(params)]
    for time in times:
        chain.append(mine(chain[-1].hash, time, required_bits(params, chain, time)))
    return chain


def extend(parent: BlockHeader, count: int, spacing: int = 600, salt: int = 0) -> list[BlockHeader]:
    """Mine `count` regtest headers on top of `parent`."""
    found: list[BlockHeader] = []
    for _ in range(count):
        parent = mine(parent.hash, parent.time + spacing, salt=salt)
        found.append(parent)
    return found


def total_work(headers: Iterable[BlockHeader]) -> int:
    return sum(work_from_bits(header.bits) for header in headers)
