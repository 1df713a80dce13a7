"""Runs rows of the fault plan as often as wanted, and prints what was tried and what failed.

    python packaging/fault_plan.py 1 2 17                  # at CI level
    python packaging/fault_plan.py --level nightly         # every row
    python packaging/fault_plan.py 1 --count 50000
    python packaging/fault_plan.py --list

Run it with the Python that has the test packages (`.venv/bin/python`). The seed is printed; the
same seed does the same again. The exit status is 1 when anything failed.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.hostile.fault_drives import failures
from tests.hostile.fault_rows import LEVELS, ROWS, Driven


def run(number: int, driven: Driven, count: int, seed: int, folder: Path | None) -> bool:
    """Run one drive and print its counts; tells whether nothing failed."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(dir=folder) as own:
        report = driven.drive(Path(own), count, seed)
    bad = failures(report)
    tried = ", ".join(f"{amount:,} {name}" for name, amount in report.items() if amount)
    print(f"row {number}, {driven.name}, seed {seed}: {tried}; ", end="")
    print(f"{time.monotonic() - began:.0f} s; ", end="")
    print(", ".join(f"{n} x {name[4:]}" for name, n in bad.items()) or "nothing failed", flush=True)
    return not bad


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rows that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    rows = ", ".join(map(str, ROWS))
    parser.add_argument("rows", nargs="*", type=int, metavar="ROW", help=f"rows: {rows}")
    parser.add_argument("--level", choices=LEVELS, default="ci")
    parser.add_argument("--count", type=int, help="instead of the level's count")
    parser.add_argument("--seed", type=int, help="what chance begins with")
    parser.add_argument("--folder", type=Path, help="where to write; the disk to be tested")
    parser.add_argument("--list", action="store_true", help="show rows, drives and counts")
    options = parser.parse_args(arguments)
    if options.list:
        for number, row in ROWS.items():
            print(f"{number:3} {row.title}")
            for driven in row.drives:
                counts = " / ".join(f"{count:,}" for count in driven.counts)
                print(f"      {driven.name}: {counts}")
        return 0
    unknown = [number for number in options.rows if number not in ROWS]
    if unknown:
        parser.error(f"there are the rows {rows}")
    seed = random.SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    is_well = True
    for number in options.rows or ROWS:
        for driven in ROWS[number].drives:
            count = driven.count(options.level) if options.count is None else options.count
            if count:
                is_well &= run(number, driven, count, seed, options.folder)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
