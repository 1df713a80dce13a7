"""Rows 6 and 23 of the fault plan: many starts at once, and the randomness of new seeds.

As in `fault_drives`: a folder, a count and a seed in, counts out.
"""

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from tests.hostile.fault_drives import ROOT, Report
from tests.unit.storage.samples import create
from wallet_gui.keys.errors import BrokenRandomSource
from wallet_gui.keys.seed import ENTROPY_BITS, new_entropy
from wallet_gui.storage.locks import FileLock


def simultaneous_starts(folder: Path, count: int, seed: int) -> Report:
    """Let `count` processes reach for one wallet at once, kill the owner, and look who gets it."""
    report = Report()
    path = folder / "a.wallet"
    create(path)
    before = path.read_bytes()
    for _ in range(max(1, count // 50)):
        size = min(count, 50)
        starters = [
            subprocess.Popen(
                [sys.executable, "-c", _REACH, str(path)],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(size)
        ]
        for process in starters:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in starters:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        answers = [process.stdout.readline() for process in starters if process.stdout]
        report["starts"] += size
        owners = [number for number, answer in enumerate(answers) if answer.startswith("held")]
        report["BAD not one owner"] += len(owners) != 1
        spent = [float(answer.split()[1]) for answer in answers]
        report["BAD slower than 2 s"] += sum(each > 2 for each in spent)
        report["BAD said nothing useful"] += sum(
            "in use" not in answer for answer in answers if not answer.startswith("held")
        )
        for number in owners:
            starters[number].kill()
            starters[number].wait()
        began = time.monotonic()
        with FileLock(path):
            report["BAD stale lock"] += time.monotonic() - began > 1
        for process in starters:
            process.kill()
            process.communicate()
    report["BAD written by a loser"] += path.read_bytes() != before
    assert seed >= 0
    return report


_REACH: Final = """
import sys, time
from pathlib import Path
from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock
print("ready", flush=True)
sys.stdin.readline()
began = time.monotonic()
lock = FileLock(Path(sys.argv[1]))
try:
    lock.acquire()
except InUse as error:
    print("refused", time.monotonic() - began, error, flush=True)
else:
    print("held", time.monotonic() - began, flush=True)
sys.stdin.readline()
"""


def entropy(folder: Path, count: int, seed: int) -> Report:
    """Draw `count` seeds: none twice, each byte as often as chance has it; dead sources refused."""
    report = Report()
    drawn: set[bytes] = set()
    bytes_seen = [0] * 256
    rng = random.Random(seed)
    for _ in range(count):
        data = new_entropy(rng.choice(sorted(ENTROPY_BITS)))
        report["BAD drawn twice"] += data[:16] in drawn
        drawn.add(data[:16])
        for byte in data[:16]:
            bytes_seen[byte] += 1
        report["seeds"] += 1
    expected = sum(bytes_seen) / 256
    chi_squared = sum((seen - expected) ** 2 / expected for seen in bytes_seen)
    # 255 degrees of freedom: beyond this once in a billion runs.
    report["BAD chi-squared"] += chi_squared > 400 and count >= 1_000
    for source in (bytes, lambda n: b"\x55" * n, lambda n: bytes(i % 256 for i in range(n))):
        for bits in ENTROPY_BITS:
            try:
                new_entropy(bits, source)
            except BrokenRandomSource:
                report["dead sources refused"] += 1
            else:
                report["BAD dead source accepted"] += 1
    assert folder.is_dir()
    return report
