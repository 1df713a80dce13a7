"""How a wallet with very many transactions behaves, and what a guess of its password costs.

    python -m tests.benchmarks.bench_wallet                      # everything, 100,000 transactions
    python -m tests.benchmarks.bench_wallet --part opening --transactions 100000
    python -m tests.benchmarks.bench_wallet --part signing --inputs 1000
    python -m tests.benchmarks.bench_wallet --part passwords

The wallet is made through the product's own state machine and stored in its own two files; opening
and signing happen in processes of their own. Times are wall time, memory is resident.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks import wallet_costs, wallet_with_history

PARTS = ("opening", "signing", "passwords")
ROOT = Path(__file__).resolve().parents[2]


def in_own_process(module: str, *arguments: str) -> dict[str, float]:
    """Run a measurement where nothing was loaded before; its last line of output is JSON."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def opening(transactions: int) -> dict[str, float]:
    """Make a wallet with that much history and measure its everyday life."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        wallet_with_history.make(Path(folder), transactions)
        made = time.perf_counter() - began
        found = in_own_process("wallet_with_history", folder)
        return {"made in s (once)": made, **found}


def signing(inputs: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for kind in ("wpkh", "tr"):
        found |= in_own_process("wallet_signing", kind, str(inputs))
    return found


def passwords(_: int) -> dict[str, float]:
    return wallet_costs.measure()


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--inputs", type=int, default=1_000)
    options = parser.parse_args(arguments)
    work: dict[str, tuple[Callable[[int], dict[str, float]], int]] = {
        "opening": (opening, options.transactions),
        "signing": (signing, options.inputs),
        "passwords": (passwords, 0),
    }
    for part in options.part or PARTS:
        measure, size = work[part]
        print(f"{part}{f' ({size:,})' if size else ''}")
        for name, value in measure(size).items():
            print(f"  {name:58} {value:12.4f}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
