"""No crash loses what was acknowledged: every state a power cut may leave, and kill -9."""

import errno
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.hostile.crash_file_system import CrashFileSystem, LazyFileSystem
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
from wallet_gui.sealing import SealError, open_box
from wallet_gui.storage.errors import NotFound, StorageError, WriteFailed, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import ROTATION_SECONDS, WalletFile
from wallet_gui.storage.wallet_layout import parse

FOLDER = Path("/nowhere")


class HeldLock(FileLock):
    """The lock is not what is tested here."""

    @property
    def held(self) -> bool:
        return True


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000

    def __call__(self) -> int:
        return self.time


def open_in(
    files: CrashFileSystem, key: bytes = VIEW_KEY, clock: Callable[[], float] | None = None
) -> WalletFile:
    lock = HeldLock(FOLDER / "a.wallet")
    return WalletFile.open(lock, key, files=files, now=clock or Clock(), minimum=CHEAP)


def grown(saves: int) -> dict[str, bytes]:
    """A folder after so many hourly saves, as it is on the disk."""
    files = CrashFileSystem(first_folder())
    clock = Clock()
    wallet_file = open_in(files, clock=clock)
    for number in range(1, saves + 1):
        clock.time += ROTATION_SECONDS
        wallet_file.save_view(state(number))
    assert not files.pending
    return {name: inode.content for name, inode in files.names_on_disk.items()}


_FIRST: dict[str, bytes] = {}


def first_folder() -> dict[str, bytes]:
    if not _FIRST:
        with tempfile.TemporaryDirectory() as folder:
            create(Path(folder) / "a.wallet")
            _FIRST["a.wallet"] = (Path(folder) / "a.wallet").read_bytes()
    return dict(_FIRST)


def spoilt(folder: dict[str, bytes], name: str = "a.wallet") -> dict[str, bytes]:
    data = folder[name]
    return {**folder, name: data[:300] + bytes([data[300] ^ 1]) + data[301:]}


def with_interrupted_save(folder: dict[str, bytes]) -> dict[str, bytes]:
    files = CrashFileSystem(folder)
    wallet_file = open_in(files)
    files.fail_at = files.steps + 5  # after the new file was written and brought to the disk
    with pytest.raises(WriteFailed):
        wallet_file.save_view(state(77))
    found = {name: inode.content for name, inode in files.names_now.items()}
    assert "a.wallet.new" in found
    return found


def save_twice(files: CrashFileSystem, acknowledged: list[int]) -> None:
    clock = Clock()
    clock.time += 100 * ROTATION_SECONDS
    wallet_file = open_in(files, clock=clock)
    wallet_file.save_view(state(100))
    acknowledged.append(100)
    wallet_file.save_view(state(101))
    acknowledged.append(101)
    clock.time += ROTATION_SECONDS
    wallet_file.save_view(state(102))
    acknowledged.append(102)


START_FOLDERS: dict[str, Callable[[], tuple[dict[str, bytes], int]]] = {
    "new wallet": lambda: (first_folder(), 0),
    "one older copy": lambda: (grown(1), 1),
    "all older copies": lambda: (grown(5), 5),
    "interrupted save": lambda: (with_interrupted_save(grown(5)), 5),
    "damaged file": lambda: (spoilt(grown(5)), 4),
    "damaged file and older copy": lambda: (spoilt(spoilt(grown(5)), "a.wallet.1"), 3),
    "damaged file, interrupted save": lambda: (spoilt(with_interrupted_save(grown(2))), 1),
    "only an interrupted save": lambda: (
        {"a.wallet.new": first_folder()["a.wallet"]},
        0,
    ),
}


@pytest.mark.parametrize("start", START_FOLDERS)
def test_no_crash_during_a_save_loses_an_acknowledged_state(start: str) -> None:
    folder, number = START_FOLDERS[start]()
    files = CrashFileSystem(folder)
    acknowledged = [number]
    counted = 0

    def check_every_crash() -> None:
        nonlocal counted
        for found in files.crash_states():
            counted += 1
            survivors = CrashFileSystem(found)
            wallet_file = open_in(survivors)
            # Never older than acknowledged. A save that had not returned may have arrived.
            expected = {acknowledged[-1], 100 + len(acknowledged) - 1}
            if "interrupted" in start:
                expected.add(77)
            assert number_of(wallet_file.state) in expected, sorted(found)
            # And the wallet goes on working from there.
            wallet_file.save_view(state(999))
            assert number_of(open_in(survivors).state) == 999
            contents = WalletFile.read(FOLDER / "a.wallet", files=survivors, minimum=CHEAP)
            assert (contents.source, contents.secret_box) == ("", SECRET_BOX)

    files.before_step = check_every_crash
    save_twice(files, acknowledged)
    files.before_step()
    assert counted > 50
    print(f"{start}: {counted} crash states")


@pytest.mark.parametrize("forgets", ["bytes", "names"])
def test_the_enumeration_notices_a_save_without_a_flush(forgets: str) -> None:
    files = LazyFileSystem(grown(1), forgets=forgets)
    open_in(files).save_view(state(100))
    found = set()
    for folder in files.crash_states():
        found.add(number_of(open_in(CrashFileSystem(folder)).state))
    assert found == {1, 100}  # with both flushes only 100 is possible


def test_no_crash_during_creation_leaves_half_a_wallet() -> None:
    folder = first_folder()
    files = CrashFileSystem()
    counted = 0

    def check() -> None:
        nonlocal counted
        for found in files.crash_states():
            counted += 1
            try:
                WalletFile.read(FOLDER / "a.wallet", files=CrashFileSystem(found), minimum=CHEAP)
            except NotFound:
                assert not found
            except StorageError:
                # Only a torn file that the next creation may replace.
                assert list(found) == ["a.wallet.new"]

    files.before_step = check
    files.write_new(FOLDER / "a.wallet.new", folder["a.wallet"])
    files.replace(FOLDER / "a.wallet.new", FOLDER / "a.wallet")
    files.sync_directory(FOLDER)
    check()
    assert counted > 10


def opens_with(data: bytes, key: bytes) -> bool:
    try:
        open_box(key, parse(data, minimum=CHEAP).view_box, minimum=CHEAP)
    except (StorageError, SealError):
        return False
    return True


@pytest.mark.parametrize("is_upgrade", [False, True], ids=["password", "stronger upgrade"])
@pytest.mark.parametrize("start", ["new wallet", "all older copies", "interrupted save"])
def test_no_crash_during_a_password_change_loses_the_wallet(start: str, is_upgrade: bool) -> None:  # noqa: FBT001 - a parameter
    """An upgrade to a password check that costs more leaves nothing behind either."""
    folder, number = START_FOLDERS[start]()
    folder["a.wallet.aside-5"] = spoilt(folder)["a.wallet"]
    folder["b.wallet"] = folder["a.wallet"]
    folder["a.wallet.backup"] = folder["a.wallet"]
    files = CrashFileSystem(folder)
    wallet_file = open_in(files)
    done = False
    counted = 0

    def check_every_crash() -> None:
        nonlocal counted
        for found in files.crash_states():
            counted += 1
            survivors = CrashFileSystem(found)
            try:
                survivor = open_in(survivors, NEW_VIEW_KEY)
            except WrongKey:
                assert not done, "an acknowledged new password was forgotten"
                survivor = open_in(survivors, VIEW_KEY)
                secret = SECRET_BOX
            else:
                secret = NEW_SECRET_BOX
                for name, inode in survivors.names_now.items():
                    if name not in ("b.wallet", "a.wallet.backup"):
                        assert not opens_with(inode.content, VIEW_KEY), name
                        assert SECRET_BOX not in inode.content, name
            assert number_of(survivor.state) == number
            contents = WalletFile.read(FOLDER / "a.wallet", files=survivors, minimum=CHEAP)
            assert (contents.source, contents.secret_box) == ("", secret)
            for name in ("b.wallet", "a.wallet.backup"):
                assert found[name] == folder[name]

    files.before_step = check_every_crash
    access = (NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
    if is_upgrade:
        notices = wallet_file.seal_anew(*access, wallet_file.state, is_stronger=True)
    else:
        notices = wallet_file.change_password(*access)
    assert notices == ()
    done = True
    check_every_crash()
    assert counted > 30
    for found in files.crash_states():
        old = [name for name, data in found.items() if opens_with(data, VIEW_KEY)]
        assert sorted(old) == ["a.wallet.backup", "b.wallet"]
        assert opens_with(found["a.wallet.1"], NEW_VIEW_KEY)


@pytest.mark.parametrize("start", START_FOLDERS)
def test_no_crash_during_an_upgrade_loses_the_wallet(start: str) -> None:
    """The password is the same before and after: each key stands for it with one file's salt."""
    folder, number = START_FOLDERS[start]()
    files = CrashFileSystem(folder)
    clock = Clock()
    wallet_file = open_in(files, clock=clock)
    opened = wallet_file.state
    anew = replace(opened, settings={**opened.settings, "secret_format": 99})
    intact = {name: data for name, data in folder.items() if opens_with(data, VIEW_KEY)}
    is_done = False
    counted = 0

    def check_every_crash() -> None:
        nonlocal counted
        for found in files.crash_states():
            counted += 1
            current = found.get("a.wallet")
            if current is not None and opens_with(current, NEW_VIEW_KEY):
                survivor = open_in(CrashFileSystem(found), NEW_VIEW_KEY)
                secret = NEW_SECRET_BOX
                assert survivor.state == anew
                # Once it is acknowledged, what was there before is kept, byte for byte.
                if is_done and "a.wallet" in intact:
                    assert found["a.wallet.1"] == folder["a.wallet"]
            else:
                assert not is_done, "an acknowledged upgrade was forgotten"
                if "a.wallet" in folder and "only" not in start:
                    assert current == folder["a.wallet"]
                survivors = CrashFileSystem(found)
                survivor = open_in(survivors)
                secret = SECRET_BOX
                assert number_of(survivor.state) in {number, 77, number_of(opened)}
            contents = WalletFile.read(
                FOLDER / "a.wallet", files=CrashFileSystem(found), minimum=CHEAP
            )
            assert contents.secret_box == secret

    files.before_step = check_every_crash
    wallet_file.seal_anew(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX, anew)
    is_done = True
    check_every_crash()
    assert counted > 20
    files.before_step = lambda: None
    # And the same object goes on, under the new key.
    wallet_file.save_view(state(500))
    assert number_of(open_in(files, NEW_VIEW_KEY).state) == 500


def test_a_refusing_disk_during_an_upgrade_leaves_the_old_file() -> None:
    folder = grown(5)
    for fail_at in itertools.count(1):
        files = CrashFileSystem(folder)
        wallet_file = open_in(files)
        files.fail_at = files.steps + fail_at
        try:
            wallet_file.seal_anew(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX, wallet_file.state)
        except WriteFailed:
            assert files.names_now["a.wallet"].content == folder["a.wallet"]
            assert opens(files, VIEW_KEY)
            wallet_file.save_view(state(6))  # the object goes on with the key that holds
            assert number_of(open_in(files).state) == 6
            continue
        # Either nothing failed, or only the last flush: then the new file is there.
        is_over = files.steps < files.fail_at
        files.fail_at = None
        assert opens(files, NEW_VIEW_KEY)
        wallet_file.save_view(state(6))
        assert number_of(open_in(files, NEW_VIEW_KEY).state) == 6
        if is_over:
            break
    assert fail_at > 6


@pytest.mark.parametrize(
    "error",
    [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT, errno.EACCES, errno.EBADF],
    ids=errno.errorcode.get,
)
@pytest.mark.parametrize("start", START_FOLDERS)
def test_a_refusing_disk_never_takes_anything_back(start: str, error: int) -> None:
    folder, number = START_FOLDERS[start]()
    for fail_at in itertools.count(1):
        files = CrashFileSystem(folder)
        clock = Clock()
        clock.time += 100 * ROTATION_SECONDS
        wallet_file = open_in(files, clock=clock)
        files.fail_at, files.error = fail_at, error
        try:
            wallet_file.save_view(state(100))
        except WriteFailed as failed:
            sentence = str(failed)
        else:
            assert files.steps < fail_at
            assert fail_at > 4
            break
        assert "everything saved before is kept" in sentence
        names = sorted(files.names_now)
        assert number_of(open_in(files).state) in {number, 100}, names
        assert number_of(open_in(CrashFileSystem(disk_of(files))).state) in {number, 77, 100}
        # The disk is well again: the same object goes on.
        wallet_file.save_view(state(101))
        assert number_of(open_in(CrashFileSystem(disk_of(files))).state) == 101


def disk_of(files: CrashFileSystem) -> dict[str, bytes]:
    return {name: inode.content for name, inode in files.names_on_disk.items()}


def test_a_refusing_disk_during_a_password_change_leaves_one_password_that_opens() -> None:
    folder = grown(5)
    doubts = 0
    for fail_at in itertools.count(1):
        files = CrashFileSystem(folder)
        wallet_file = open_in(files)
        files.fail_at = fail_at
        try:
            notices = wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
        except WriteFailed as failed:
            sentence = str(failed)
            keys = [key for key in (VIEW_KEY, NEW_VIEW_KEY) if opens(files, key)]
            # The new one arrived when only the last flush failed; the sentence says so.
            in_doubt = "did not confirm the new password" in sentence
            assert keys == ([NEW_VIEW_KEY] if in_doubt else [VIEW_KEY])
            wallet_file.save_view(state(6))  # the object goes on with the key that holds
            assert number_of(open_in(files, keys[0]).state) == 6
            doubts += in_doubt
            continue
        finished = files.steps < fail_at
        assert bool(notices) != finished
        # Opening it again finishes what was left.
        assert open_in(files, NEW_VIEW_KEY).notices == ()
        data = [inode.content for inode in files.names_now.values()]
        assert not any(opens_with(item, VIEW_KEY) for item in data)
        if finished:
            break
    assert doubts == 1


def test_save_with_a_password_change_unfinished_makes_no_older_copy() -> None:
    files = CrashFileSystem(grown(5))
    clock = Clock()
    wallet_file = open_in(files, clock=clock)
    files.fail_at = files.steps + 7  # the new password is on the disk; removing the copies fails
    assert wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
    copies = {name: node for name, node in files.names_now.items() if name != "a.wallet"}
    assert copies
    clock.time += 10 * ROTATION_SECONDS
    wallet_file.save_view(state(6))
    assert {name: node for name, node in files.names_now.items() if name != "a.wallet"} == copies
    # Still on record, and finished when the wallet is opened.
    assert number_of(open_in(files, NEW_VIEW_KEY).state) == 6
    assert sorted(files.names_now) == ["a.wallet", "a.wallet.1"]


def test_finishing_a_password_change_never_removes_the_only_intact_copy() -> None:
    files = CrashFileSystem(first_folder())
    wallet_file = open_in(files)
    files.fail_at = files.steps + 7
    assert wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
    unfinished = files.names_now["a.wallet"].content
    files = CrashFileSystem(spoilt({"a.wallet": unfinished, "a.wallet.1": unfinished}))

    def check() -> None:
        for found in files.crash_states():
            contents = WalletFile.read(
                FOLDER / "a.wallet", files=CrashFileSystem(found), minimum=CHEAP
            )
            assert contents.secret_box == NEW_SECRET_BOX

    files.before_step = check
    survivor = open_in(files, NEW_VIEW_KEY)
    survivor.save_view(state(8))
    check()
    assert number_of(open_in(files, NEW_VIEW_KEY).state) == 8


def opens(files: CrashFileSystem, key: bytes) -> bool:
    found = {name: inode.content for name, inode in files.names_now.items()}
    try:
        open_in(CrashFileSystem(found), key)  # a copy: opening may finish a password change
    except WrongKey:
        return False
    return True


KILLS = 200


def test_kill_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    script = Path(__file__).with_name("kill_while_saving.py")
    root = Path(__file__).parents[2]
    result = subprocess.run(
        [sys.executable, str(script), str(tmp_path), str(KILLS)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    print(report)
    assert report["kills"] >= KILLS
    assert report["killed inside a save"] >= KILLS // 4
    assert report["acknowledged"] >= KILLS
    assert report["system call boundaries"] >= 20
    assert report["lost"] == report["unreadable"] == 0
