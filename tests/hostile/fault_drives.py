"""What rows 1 to 4 of the fault plan do, each as often as it is told: counts in, counts out.

A drive gets a folder of its own, a count and a seed, and returns what it counted. Names that begin
with "BAD " must stay 0.
"""

import errno
import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from tests.hostile import kill_processes
from tests.hostile.crash_file_system import CrashFileSystem
from tests.hostile.wallet_writes import (
    ACCESS,
    FOLDER,
    KINDS,
    CopiesRemain,
    access_after,
    first_folder,
    kind_of,
    number_of,
    open_in,
    write,
)
from tests.unit.storage.samples import CHEAP, VIEW_KEY, create, state
from tests.unit.storage.samples import number_of as number_in
from wallet_gui.sealing import KdfParameters
from wallet_gui.storage.errors import Damaged, StorageError, WriteFailed, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view, parse

ROOT: Final = Path(__file__).resolve().parents[2]
TINY: Final = KdfParameters(8, 1, 1)
ERRORS: Final = (
    errno.ENOSPC,
    errno.EIO,
    errno.EROFS,
    errno.EDQUOT,
    errno.EACCES,
    errno.EBADF,
)
Report = Counter[str]
Drive = Callable[[Path, int, int], Report]


def failures(report: Report) -> dict[str, int]:
    """Return what must not have happened and did."""
    return {name: number for name, number in report.items() if name.startswith("BAD ") and number}


# 1: kill -9


def kill_while_saving(folder: Path, count: int, seed: int) -> Report:
    """Kill a process that writes, at random and before each call that changes the disk."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.hostile.kill_while_saving",
            str(folder),
            str(count),
            str(seed),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    report = Report(json.loads(done.stdout))
    for name in ("lost", "unreadable"):
        report[f"BAD {name}"] = report.pop(name)
    return report


def kill_processes_at_random(folder: Path, count: int, seed: int) -> Report:
    """Kill client or vault while a wallet is made, opened, signed with or its password changed."""
    report = kill_processes.run(folder / "rounds", count, seed)
    for name in kill_processes.MUST_NOT:
        report[f"BAD {name}"] = report.pop(name, 0)
    return report


# 2: power cuts


def crash_states(folder: Path, count: int, seed: int) -> Report:
    """Cut the power at every step of `count` writes of every kind, in every state it may leave."""
    rng = random.Random(seed)
    report = Report()
    while report["writes"] < count:
        # A new folder now and then: with few and with all older copies, and left-over files.
        files = CrashFileSystem(first_folder())
        length = rng.randrange(1, 3 * len(KINDS))
        begin = rng.choice([0, 0, 3, len(KINDS)])
        wallet_file = open_in(files, 0)
        done = 0
        for number in range(1, begin + 1):
            write(wallet_file, number)
            done = number

        for number in range(done + 1, done + 1 + length):
            files.before_step = partial(_look, files, done, number, report)
            write(wallet_file, number)
            report[kind_of(number)] += 1
            report["writes"] += 1
            done = number
            files.before_step = lambda: None
            _look(files, done, done, report)
            if rng.random() < 0.2:
                wallet_file = open_in(files, access_after(done))
    return report


def _look(files: CrashFileSystem, before: int, number: int, report: Report) -> None:
    for found in files.crash_states():
        report["states"] += 1
        _survives(found, before, number, report)


def _survives(found: dict[str, bytes], before: int, number: int, report: Report) -> None:
    survivors = CrashFileSystem(found)
    for access in dict.fromkeys((access_after(number), access_after(before))):
        try:
            wallet_file = open_in(survivors, access)
        except WrongKey:
            continue
        except StorageError:
            report["BAD unreadable"] += 1
            return
        # A password change is two saves: its number comes with the second.
        report["BAD lost"] += number_of(wallet_file.state) not in {before, number}
        contents = WalletFile.read(FOLDER / "a.wallet", files=survivors, minimum=CHEAP)
        report["BAD boxes that do not belong together"] += contents.secret_box != ACCESS[access][2]
        return
    report["BAD no password opens it"] += 1


# 3: damage


def damage(folder: Path, count: int, seed: int) -> Report:
    """Flip every bit, cut at every length, swap `count` blocks; an older copy must take over."""
    report = Report()
    path = folder / "a.wallet"
    create(path)
    hours = iter(range(1_700_000_000, 1_800_000_000, 4_000))
    with FileLock(path) as lock:
        wallet_file = WalletFile.open(lock, VIEW_KEY, now=hours.__next__, minimum=CHEAP)
        for number in range(1, 4):
            wallet_file.save_view(state(number))
    data, older = path.read_bytes(), path.with_name("a.wallet.1").read_bytes()
    for number, (what, spoilt) in enumerate(_damages(random.Random(seed), data, count)):
        report[what] += 1
        try:
            parse(spoilt, minimum=CHEAP)
        except Damaged:
            pass
        else:
            report["BAD not noticed"] += 1
        if number % 50 == 0:
            report["recovered from an older copy"] += 1
            files = CrashFileSystem({"a.wallet": spoilt, "a.wallet.1": older})
            contents = WalletFile.read(FOLDER / "a.wallet", files=files, minimum=CHEAP)
            found = open_view(contents, VIEW_KEY, minimum=CHEAP)
            report["BAD no older copy"] += contents.source != ".1" or number_in(found) != 2
    return report


def _damages(rng: random.Random, data: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            yield "flipped bits", bytes(flipped)
    for end in range(len(data)):
        yield "truncations", data[:end]
    done = 0
    while done < count:
        size = rng.choice([1, 4, 16, 64, 512, 4096])
        first, second = sorted(rng.sample(range(0, len(data) - size, size), 2))
        swapped = bytearray(data)
        swapped[first : first + size] = data[second : second + size]
        swapped[second : second + size] = data[first : first + size]
        if swapped != data:
            done += 1
            yield "swapped blocks", bytes(swapped)


# 4: disks that refuse


def refusing_disk(folder: Path, count: int, seed: int) -> Report:
    """Refuse each step of every kind of write with each error, and then `count` random ones."""
    rng = random.Random(seed)
    report = Report()
    for error in ERRORS:
        for kind in range(1, len(KINDS) + 1):
            fail_at = 1
            while _refused(error, kind, fail_at, report):
                fail_at += 1
    while report["random refusals"] < count:
        kind = rng.randrange(1, 4 * len(KINDS))
        report["random refusals"] += _refused(
            rng.choice(ERRORS), kind, rng.randrange(1, 16), report
        )
    assert folder.is_dir()
    return report


def _refused(error: int, number: int, fail_at: int, report: Report) -> bool:
    files = CrashFileSystem(first_folder())
    wallet_file = open_in(files, 0)
    for earlier in range(1, number):
        write(wallet_file, earlier)
    begin = files.steps
    files.fail_at, files.error = begin + fail_at, error
    try:
        write(wallet_file, number)
    except WriteFailed as failed:
        report["BAD refusals without advice"] += not str(failed).endswith(".")
    except CopiesRemain:
        report["told that older copies remain"] += 1  # the password is changed all the same
    if files.steps < begin + fail_at:
        return False
    report["refusals"] += 1
    files.fail_at = None
    held = number - 1
    _survives({n: i.content for n, i in files.names_now.items()}, held, number, report)
    _survives({n: i.content for n, i in files.names_on_disk.items()}, held, number, report)
    # The disk is well again: the same object goes on, and nothing of it is lost.
    wallet_file.keep_setting("n", number + 1)
    again = WalletFile.read(FOLDER / "a.wallet", files=files, minimum=CHEAP)
    opened = [
        number_of(open_view(again, key, minimum=CHEAP)) for key, *_ in ACCESS if _opens(again, key)
    ]
    report["BAD the wallet did not go on"] += opened != [number + 1]
    return True


def _opens(contents: WalletFileContents, key: bytes) -> bool:
    try:
        open_view(contents, key, minimum=CHEAP)
    except StorageError:
        return False
    return True


# 17: upgrades


def upgrades(folder: Path, count: int, seed: int) -> Report:
    """Cut the power and refuse writes in `count` upgrades: the old one stays till the new holds."""
    rng = random.Random(seed)
    report = Report()
    number = KINDS.index("upgrade")
    while report["upgrades"] < count:
        files = CrashFileSystem(first_folder())
        wallet_file = open_in(files, 0)
        for earlier in range(1, number + len(KINDS) * rng.randrange(3)):
            write(wallet_file, earlier)
        last = number_of(wallet_file.state)
        old = files.names_now["a.wallet"].content
        seen: set[bytes] = set()
        files.before_step = partial(_collect, files, seen, report)
        write(wallet_file, last + 1)
        report["upgrades"] += 1
        new = files.names_now["a.wallet"].content
        report["BAD neither the old nor the new file"] += not seen <= {old, new}
        report["BAD the old file is no older copy"] += (
            files.names_on_disk["a.wallet.1"].content != old
        )
        for error in ERRORS:
            fail_at = 1
            while _refused(error, last + 1, fail_at, report):
                fail_at += 1
    assert folder.is_dir()
    return report


def _collect(files: CrashFileSystem, seen: set[bytes], report: Report) -> None:
    for found in files.crash_states():
        report["states"] += 1
        seen.add(found["a.wallet"])
