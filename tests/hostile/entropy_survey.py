"""Draws seeds as the vault does and looks for what a broken generator would show.

    .venv/bin/python -m tests.hostile.entropy_survey [COUNT]

All lengths in turn. Two equal beginnings among a million 128-bit seeds come up once in 10^26 runs;
the bytes' chi-square is allowed to leave what a fair source shows once in a million runs.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from wallet_gui.keys.seed import ENTROPY_BITS, WORD_COUNTS, Seed
from wallet_gui.transfer.messages import CreateWallet
from wallet_gui.vault.creation import new_seed

LEAST_BITS = ENTROPY_BITS[0] // 8
_WORDS_CHECKED = 200  # of these the words are made too; that takes longer than the drawing


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found: `deviation` of the bytes from even, in standard deviations of chi-square."""

    seeds: int
    lengths: tuple[int, ...]
    duplicates: int
    deviation: float

    @property
    def is_good(self) -> bool:
        return not self.duplicates and self.lengths == WORD_COUNTS and abs(self.deviation) < 6


def survey(count: int, source: Callable[[int], bytes] | None = None) -> Survey:
    """Draw `count` seeds, from the system or from `source`."""
    beginnings: set[bytes] = set()
    found: Counter[int] = Counter()
    lengths: Counter[int] = Counter()
    options = () if source is None else (source,)
    for number in range(count):
        words = WORD_COUNTS[number % len(WORD_COUNTS)]
        request = CreateWallet(str(Path("/")), "survey", "regtest", word_count=words)
        seed = new_seed(request, *options)
        if number < _WORDS_CHECKED:
            words = len(Seed(seed.entropy).words.split())
        lengths[words] += 1
        beginnings.add(seed.entropy[:LEAST_BITS])
        found.update(seed.entropy)
    total = sum(found.values())
    expected = total / 256
    chi_square = sum((found[byte] - expected) ** 2 for byte in range(256)) / expected
    return Survey(
        seeds=count,
        lengths=tuple(sorted(lengths)),
        duplicates=count - len(beginnings),
        deviation=(chi_square - 255) / math.sqrt(2 * 255),
    )


def main() -> int:
    result = survey(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
    print(json.dumps({**asdict(result), "good": result.is_good}))
    return 0 if result.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
