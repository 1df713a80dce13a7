"""Kill -9 a saving process again and again; print what was found afterwards as one JSON object.

Arguments: a folder, the number of kills, a seed. A process of its own, single-threaded, because it
forks. The victims write in a loop, every kind of write in turn, and are killed at a random
moment; then one victim is killed before each system call that changes the disk, in a save, in a
password change and in a creation.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.wallet_writes import ACCESS, access_after, write
from tests.hostile.wallet_writes import number_of as step_on_disk
from tests.unit.storage.samples import (
    CHEAP,
    NEW_SALT,
    NEW_SECRET_BOX,
    NEW_VIEW_KEY,
    SECRET_BOX,
    VIEW_KEY,
    create,
    number_of,
    state,
)
from wallet_gui.storage.errors import StorageError, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import ROTATION_SECONDS, WalletFile

DISK_CALLS = ("open", "write", "fsync", "link", "replace", "unlink")
report: Counter[str] = Counter()


def open_file(path: Path, key: bytes, now: Callable[[], float] = time.time) -> WalletFile:
    lock = FileLock(path)
    lock.acquire()
    return WalletFile.open(lock, key, now=now, minimum=CHEAP)


def write_forever(path: Path, first: int, pipe: int) -> None:
    hours = iter(range(1, 1_000_000))
    # Each save comes an hour later: rotation is part of every save.
    key = ACCESS[access_after(first - 1)][0]
    wallet_file = open_file(path, key, lambda: time.time() + next(hours) * ROTATION_SECONDS)
    for number in range(first, first + 1_000_000):
        os.write(pipe, b"b")
        write(wallet_file, number)
        os.write(pipe, b"a")


def fork(action: Callable[[int], None]) -> tuple[int, int]:
    """Start a child that runs `action(pipe)`; return its id and the reading end."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            action(writing)
        except BaseException as error:  # noqa: BLE001 - the child ends here, whatever it was
            os.write(2, f"{error!r}\n".encode())
            os._exit(1)
        os._exit(0)
    os.close(writing)
    return child, reading


def drain(reading: int) -> bytes:
    received = b""
    while part := os.read(reading, 65536):
        received += part
    os.close(reading)
    return received


def state_on_disk(path: Path, key: bytes = VIEW_KEY) -> int | None:
    """Return the number of the state that opens; count an unreadable file."""
    try:
        with FileLock(path) as lock:
            wallet_file = WalletFile.open(lock, key, minimum=CHEAP)
            contents = WalletFile.read(path, minimum=CHEAP)
            expected = SECRET_BOX if key == VIEW_KEY else NEW_SECRET_BOX
            if contents.secret_box != expected:
                report["lost"] += 1
            return number_of(wallet_file.state)
    except WrongKey:
        return None
    except StorageError as error:
        print(error, file=sys.stderr)
        report["unreadable"] += 1
        return None


def found_on_disk(path: Path, last: int) -> int | None:
    """Return the step that survived; both boxes must have the password of that step."""
    for access in dict.fromkeys((access_after(last), access_after(last + 1))):
        try:
            with FileLock(path) as lock:
                wallet_file = WalletFile.open(lock, ACCESS[access][0], minimum=CHEAP)
        except WrongKey:
            continue
        except StorageError as error:
            print(error, file=sys.stderr)
            report["unreadable"] += 1
            return None
        report["lost"] += WalletFile.read(path, minimum=CHEAP).secret_box != ACCESS[access][2]
        found = step_on_disk(wallet_file.state)
        if access_after(found) != access:
            # Between the two saves of a password change: the next step begins with its second.
            with FileLock(path) as lock:
                half = WalletFile.open(lock, ACCESS[access][0], minimum=CHEAP)
                half.keep_setting("n", found + 1)
            report["killed inside a password change"] += 1
            return found + 1
        return found
    report["unreadable"] += 1
    return None


def random_kills(path: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    create(path)
    stored = 0
    # On a busy machine few saves come to their end: go on until enough did.
    while report["kills"] < kills or kills > report["acknowledged"] > report["kills"] // 8:
        first = stored + 1
        child, reading = fork(lambda pipe, first=first: write_forever(path, first, pipe))  # type: ignore[misc]
        os.read(reading, 1)  # its first save has begun
        time.sleep(chance.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        written = b"b" + drain(reading)
        acknowledged = written.count(b"a")
        report["kills"] += 1
        report["acknowledged"] += acknowledged
        report["killed inside a save"] += written.count(b"b") > acknowledged
        last = first + acknowledged - 1
        found = found_on_disk(path, last)
        if found not in (last, last + 1):
            report["lost"] += 1
        stored = found if found is not None else stored


def dying_at(count: int) -> None:
    """From here on, kill this process before its `count`-th call that changes the disk."""
    left = count

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return wrapped

    for name in DISK_CALLS:
        setattr(os, name, wrap(getattr(os, name)))


def killed(action: Callable[[], None], count: int) -> bool:
    def run(_pipe: int) -> None:
        dying_at(count)
        action()

    child, reading = fork(run)
    drain(reading)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        report["system call boundaries"] += 1
        return True
    if os.waitstatus_to_exitcode(status):
        report["lost"] += 1
    return False


def kill_in_save(folder: Path, count: int) -> bool:
    path = folder / f"save-{count}" / "a.wallet"
    create(path)
    died = killed(lambda: open_file(path, VIEW_KEY).save_view(state(1)), count)
    report["lost"] += state_on_disk(path) not in ((0, 1) if died else (1,))
    return died


def kill_in_password_change(folder: Path, count: int) -> bool:
    path = folder / f"password-{count}" / "a.wallet"
    create(path, 3)
    with FileLock(path) as lock:
        WalletFile.open(lock, VIEW_KEY, minimum=CHEAP).save_view(state(4))

    def change() -> None:
        wallet_file = open_file(path, VIEW_KEY)
        wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)

    died = killed(change, count)
    new, old = state_on_disk(path, NEW_VIEW_KEY), state_on_disk(path)
    report["lost"] += [new, old].count(4) != 1 or (not died and new != 4)
    return died


def kill_in_upgrade(folder: Path, count: int) -> bool:
    path = folder / f"upgrade-{count}" / "a.wallet"
    create(path, 3)
    before = path.read_bytes()

    def upgrade() -> None:
        wallet_file = open_file(path, VIEW_KEY)
        wallet_file.seal_anew(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX, wallet_file.state)

    died = killed(upgrade, count)
    now = path.read_bytes()
    is_old = now == before
    # The file is the old one to the bit, or the new one with the old one beside it.
    kept = is_old or path.with_name("a.wallet.1").read_bytes() == before
    found = state_on_disk(path, VIEW_KEY if is_old else NEW_VIEW_KEY)
    report["lost"] += found != 3 or not kept or (is_old and not died)
    return died


def kill_in_creation(folder: Path, count: int) -> bool:
    path = folder / f"create-{count}" / "a.wallet"
    died = killed(lambda: create(path, 5), count)
    expected = 5
    try:
        WalletFile.read(path, minimum=CHEAP)
    except StorageError:
        report["lost"] += not died
        create(path, 6)  # nothing stands in the way of another try
        expected = 6
    report["lost"] += state_on_disk(path) != expected
    return died


def boundary_kills(folder: Path) -> None:
    for kill in (kill_in_save, kill_in_password_change, kill_in_upgrade, kill_in_creation):
        count = 1
        while kill(folder, count):
            count += 1


def main() -> None:
    folder = Path(sys.argv[1])
    report.update(dict.fromkeys(("lost", "unreadable"), 0))
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    random_kills(folder / "a.wallet", int(sys.argv[2]), seed)
    boundary_kills(folder)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
