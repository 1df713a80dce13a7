"""What all fuzzers of this kind share: the time of each input, the memory of all, the command."""

import argparse
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SLOWEST = 0.1
ROUND = 2_000


def resident() -> int:
    """Bytes of memory that this process holds (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@contextmanager
def measured(said: Counter[str], name: str) -> Iterator[None]:
    """Fail when what is inside takes a tenth of a second; the name finds it again."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken < SLOWEST, f"{name} took {taken:.3f} s"
    said["slowest ms"] = max(said["slowest ms"], round(taken * 1000))


def check_sentence(refusal: Exception) -> None:
    """A refusal is a sentence that does not repeat what it refuses."""
    said = str(refusal)
    assert said.endswith("."), said
    assert len(said) < 300, said


def run_from_command_line(about: str, run: Callable[[int, int], Counter[str]]) -> None:
    """Run as many as `--count` says, in rounds whose seeds are named."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    total: Counter[str] = Counter()
    done, slowest = 0, 0
    while done < options.count:
        size = min(ROUND, options.count - done)
        said = run(options.seed, size)
        slowest = max(slowest, said.pop("slowest ms", 0))
        total += said
        done += size
        options.seed += 1
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{done:,} in all, the last of seed {options.seed - 1}: {dict(total)}")
    print(f"slowest {slowest} ms, at most {kilobytes // 1024} MiB resident")
