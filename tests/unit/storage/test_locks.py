import subprocess
import sys
import time
from pathlib import Path

import pytest

from wallet_gui.storage.errors import InUse, WriteFailed
from wallet_gui.storage.locks import FileLock

ROOT = Path(__file__).parents[3]
HOLD = """
import sys
from pathlib import Path
from wallet_gui.storage.errors import InUse
from wallet_gui.storage.locks import FileLock
sys.stdin.readline() if sys.argv[2] == "wait" else None
lock = FileLock(Path(sys.argv[1]))
try:
    lock.acquire()
except InUse as error:
    print("refused", error, flush=True)
else:
    print("held", flush=True)
    sys.stdin.readline()
"""


def start(path: Path, when: str = "now") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), when],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def is_held(lock: FileLock) -> bool:
    return lock.held


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


@pytest.mark.alone
def test_second_owner_in_this_process_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    with FileLock(path):
        started = time.monotonic()
        with pytest.raises(InUse) as caught:
            FileLock(path).acquire()
        assert time.monotonic() - started < 2
    assert str(caught.value) == (
        "“savings” is in use by another window or program. Close it there, then try again."
    )
    with FileLock(path) as lock:
        lock.acquire()  # no harm
        assert is_held(lock)
    assert not is_held(lock)
    assert [item.name for item in tmp_path.iterdir()] == ["savings.wallet.lock"]  # never deleted


def test_lock_of_a_killed_process_is_free_at_once(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    process = start(path)
    assert first_line(process) == "held\n"
    with pytest.raises(InUse):
        FileLock(path).acquire()
    end(process)
    with FileLock(path) as lock:
        assert lock.held


def test_of_many_starting_together_one_owns(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    processes = [start(path, "wait") for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [first_line(process) for process in processes]
    for process in processes:
        end(process)
    assert sum(answer == "held\n" for answer in answers) == 1
    assert all("in use" in answer for answer in answers if answer != "held\n")


def test_two_spellings_are_one_lock(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    (tmp_path / "sub").mkdir()
    with FileLock(path), pytest.raises(InUse):
        FileLock(tmp_path / "sub" / ".." / "savings.wallet").acquire()


def test_lock_file_that_was_swapped_is_not_trusted(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    with FileLock(path) as first:
        first.lock_path.unlink()  # somebody tidied up
        with FileLock(path) as second:
            with pytest.raises(InUse):
                FileLock(path).acquire()
            assert second.held


def test_delegated_lock_is_held_by_the_other_or_taken_here(tmp_path: Path) -> None:
    path = tmp_path / "savings.wallet"
    with FileLock(path):
        lent = FileLock.delegated(path)
        assert is_held(lent)
        lent.release()
        assert not is_held(lent)
        with pytest.raises(InUse):
            FileLock(path).acquire()
    own = FileLock.delegated(path)
    with pytest.raises(InUse):
        FileLock(path).acquire()
    own.release()


def test_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(WriteFailed, match="No such file"):
        FileLock(tmp_path / "gone" / "a.wallet", "The wallet").acquire()


def test_link_in_the_place_of_the_lock_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    (tmp_path / "a.wallet.lock").symlink_to(victim)
    with pytest.raises(WriteFailed):
        FileLock(tmp_path / "a.wallet").acquire()
    assert not victim.exists()
