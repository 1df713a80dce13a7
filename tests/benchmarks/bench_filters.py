"""Filters matched per second by each engine: `python tests/benchmarks/bench_filters.py`.

`heavy` filters have the mean size of mainnet's (5,159 items, 13.5 kB), `modern` ones that of
2023 to 2026 (9,073 items), `tiny` ones what an empty regtest block has. Times are processor time.
"""

import argparse
import random
import resource
import time

from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.filters import FilterEngine, ScalarEngine, pick_engine

SIZES = {"heavy": 5159, "modern": 9073, "tiny": 1}


def make_filters(items: int, count: int) -> list[tuple[bytes, bytes]]:
    """Make filters of random values; items vary by half around the mean unless there is one."""
    draw = random.Random(items)
    made = []
    for _ in range(count):
        number = items if items == 1 else draw.randrange(items // 2, items * 3 // 2)
        values = sorted(draw.randrange(number * gcs_scalar.M) for _ in range(number))
        made.append((draw.randbytes(32), gcs_scalar.encode(values)))
    return made


def make_scripts(count: int) -> list[bytes]:
    """Make scripts as a wallet of P2WPKH and P2TR accounts has them."""
    draw = random.Random(count)
    return [
        b"\x00\x14" + draw.randbytes(20) if number % 2 else b"\x51\x20" + draw.randbytes(32)
        for number in range(count)
    ]


def measure(engine: FilterEngine, filters: list[tuple[bytes, bytes]], scripts: int) -> float:
    """Return seconds of processor time for one pass, the best of three."""
    prepared = engine.prepare(make_scripts(scripts))
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        engine.match_many(filters, prepared)
        best = min(best, time.process_time() - start)
    return best


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--count", type=int, default=500, help="filters of the large kinds")
    arguments.add_argument("--scalar", action="store_true", help="time the reference too")
    options = arguments.parse_args()
    engines = [pick_engine(), *([ScalarEngine()] if options.scalar else [])]
    for kind, items in SIZES.items():
        filters = make_filters(items, options.count * (20 if items == 1 else 1))
        total = sum(len(data) for _, data in filters)
        for engine in engines:
            share = filters if engine.name != "scalar" else filters[: len(filters) // 20 or 1]
            for scripts in (1, 40, 200, 2000):
                seconds = measure(engine, share, scripts)
                rate = len(share) / seconds
                print(
                    f"{kind:7}{engine.name:8}{scripts:6} scripts {rate:12,.0f} filters/s "
                    f"{rate * total / len(filters) / 1e6:8.1f} MB/s"
                )
        start = time.process_time()
        engines[0].hash_many([data for _, data in filters])
        print(f"{kind:7}filter hashes {len(filters) / (time.process_time() - start):24,.0f} /s")
    print(f"peak RSS {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
