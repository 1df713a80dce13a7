"""Headers checked per second by all rules: `python tests/benchmarks/bench_headers.py`.

The chain is mined at regtest difficulty; `--params` picks whose rules apply. Times are processor
time. Linearity is the ratio of the time for all headers to that for the first half of them.
"""

import argparse
import resource
import struct
import time
from dataclasses import replace
from hashlib import sha256

from wallet_gui.chain.difficulty import Hasher
from wallet_gui.chain.filter_runs import header_hashes
from wallet_gui.chain.filters import pick_engine
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.primitives.block import target_from_bits
from wallet_gui.primitives.params import NETWORKS, REGTEST, ChainParams

BATCH = 2000 * 80


def mine(params: ChainParams, count: int) -> bytes:
    """Mine headers ten minutes apart; no retarget then changes the bits."""
    parent = params.genesis_hash
    moment = struct.unpack_from("<I", params.genesis_header, 68)[0]
    bits = params.pow_limit_bits
    target = target_from_bits(bits)
    headers = []
    for _ in range(count):
        moment += 601
        nonce = 0
        while True:
            header = struct.pack("<i32s32sIII", 4, parent, bytes(32), moment, bits, nonce)
            block_hash = sha256(sha256(header).digest()).digest()
            if int.from_bytes(block_hash, "little") <= target:
                break
            nonce += 1
        headers.append(header)
        parent = block_hash
    return b"".join(headers)


def accept(params: ChainParams, raw: bytes, hasher: Hasher) -> tuple[HeaderChain, float]:
    """Give headers to a new chain as peers do, 2000 at a time; return processor seconds too."""
    chain = HeaderChain(params)
    chain.hasher = hasher
    start = time.process_time()
    for offset in range(0, len(raw), BATCH):
        chain.accept(raw[offset : offset + BATCH], now=1 << 32)
    return chain, time.process_time() - start


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=120_000)
    arguments.add_argument("--params", choices=sorted(NETWORKS), default="mainnet")
    options = arguments.parse_args()
    params = replace(
        NETWORKS[options.params],
        genesis_header=REGTEST.genesis_header,
        pow_limit_bits=REGTEST.pow_limit_bits,
        pow_limit=REGTEST.pow_limit,
    )
    raw = mine(params, options.count)
    engine = pick_engine()
    hasher: Hasher = engine.header_hashes
    start = time.process_time()
    hasher(raw)
    hashing = time.process_time() - start
    print(f"hash      {options.count / hashing:12,.0f} headers/s ({engine.name} engine)")
    _, half = accept(params, raw[: len(raw) // 160 * 80], hasher)
    chain, whole = accept(params, raw, hasher)
    print(f"accept    {options.count / whole:12,.0f} headers/s, linearity {whole / half:.2f}")
    print(f"          {whole:.3f} s for all of them (goal: 0.3 s for 120,000)")
    stored, loaded = chain.raw_headers(0, chain.height), chain
    for name, each in (("hashlib", header_hashes), (engine.name, hasher)):
        start = time.process_time()
        loaded = HeaderChain.load(params, 0, stored, hasher=each)
        spent = time.process_time() - start
        print(f"load      {options.count / spent:12,.0f} headers/s ({name}), {spent:.3f} s")
    start = time.process_time()
    loaded.height_of(bytes(32))
    print(f"index     {options.count / (time.process_time() - start):12,.0f} hashes/s")
    hashes = loaded.hashes(0, loaded.height)
    start = time.process_time()
    for block_hash in hashes:
        loaded.height_of(block_hash)
    print(f"height_of {options.count / (time.process_time() - start):12,.0f} /s")
    print(f"peak RSS  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
