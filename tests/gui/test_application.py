"""The program as it is started: what it loads, how it ends, what it says when it cannot start."""

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.functional.listening import listening
from tests.patience import PATIENCE
from tests.sandbox.contact_guard import PYTHON_PATH
from wallet_gui.gui.application import parse_arguments
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory

REPOSITORY = Path(__file__).resolve().parents[2]
HEAVY = {"numpy", "asyncssh", "cryptography", "coincurve", "zxingcpp", "mnemonic", "sqlite3"}
_FIRST_WINDOW = """
import builtins, json, sys
from pathlib import Path
from wallet_gui.widgets.qt_loading import load_qt
own = builtins.__import__
load_qt()
from PySide6.QtWidgets import QApplication
from wallet_gui.app.instance import Instance
from wallet_gui.gui.application import Application
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory, SettingsFile
directory = DataDirectory(Path(sys.argv[1]), REGTEST)
directory.create()
settings = SettingsFile(directory.settings_path).load()
instance = Instance(directory.instance_lock(), directory.root / "instance.socket")
qt = QApplication([])
application = Application(qt, directory, settings, instance, REGTEST)
application.window.show()
application.window.grab()
shown = sorted(name.partition(".")[0] for name in sys.modules)
from wallet_gui.app.online import Online
assert builtins.__import__ is own, "an import is watched again"
print(json.dumps(shown))
"""
_DEAF_WINDOW = """
import logging, sys
from pathlib import Path
from PySide6.QtWidgets import QApplication
from wallet_gui.app.instance import Instance
from wallet_gui.gui.application import Application
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory, Settings
logging.basicConfig(level=logging.WARNING)
async def listen(self, received):
    raise PermissionError("/somewhere/private")
Instance.listen = listen
directory = DataDirectory(Path(sys.argv[1]), REGTEST)
directory.create()
instance = Instance(directory.instance_lock(), directory.root / "instance.socket")
assert instance.acquire()
qt = QApplication([])
application = Application(qt, directory, Settings(), instance, REGTEST, connects=False)
application.started.connect(lambda problem: qt.exit(1 if problem else 0))
application.start()
status = qt.exec()
application.stop()
sys.exit(status)
"""


def run(*arguments: str, code: str = "") -> subprocess.CompletedProcess[str]:
    command = ["-c", code] if code else ["-m", "wallet_gui"]
    return subprocess.run(
        [sys.executable, *command, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPOSITORY,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": PYTHON_PATH},
        timeout=PATIENCE,
    )


def test_the_first_window_needs_no_heavy_module(tmp_path: Path) -> None:
    done = run(str(tmp_path), code=_FIRST_WINDOW)
    assert done.returncode == 0, done.stderr
    assert HEAVY & set(json.loads(done.stdout)) == set()


def test_a_window_opens_its_files_and_ends_when_it_is_asked_to(
    first_window: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    chain = DataDirectory(tmp_path, REGTEST).chain_db_path
    deadline = time.monotonic() + PATIENCE
    while not chain.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert chain.exists()
    first_window.terminate()
    _, said = first_window.communicate(timeout=PATIENCE)
    assert first_window.returncode == 0
    noise = "This plugin does not support"
    assert [line for line in said.splitlines() if noise not in line] == []
    assert not (tmp_path / "instance.socket").exists()


def test_a_window_that_cannot_hear_later_starts_says_so_and_opens(tmp_path: Path) -> None:
    done = run(str(tmp_path), code=_DEAF_WINDOW)
    assert done.returncode == 0, done.stderr
    assert "No channel for later starts: PermissionError" in done.stderr
    assert "private" not in done.stderr


def test_a_second_window_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    directory = DataDirectory(tmp_path, REGTEST)
    directory.create()
    with directory.instance_lock():
        done = run("--network", "regtest", "--data-dir", str(tmp_path))
    assert done.returncode == 1
    assert "another window uses this data folder" in done.stderr


@pytest.mark.parametrize(
    "arguments", [["--peer", "127.0.0.1:18443"], ["--peer", "not a host"], ["--network", "x"]]
)
def test_a_wrong_option_is_a_sentence(tmp_path: Path, arguments: list[str]) -> None:
    done = run("--network", "regtest", "--data-dir", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert "wallet-gui: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_link_is_an_argument() -> None:
    assert parse_arguments(["bitcoin:x", "--network", "signet"]).link == "bitcoin:x"


@pytest.fixture
def first_window(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A window on regtest that knows nobody to connect to."""
    with subprocess.Popen(
        [sys.executable, "-m", "wallet_gui", "--network", "regtest", "--data-dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": PYTHON_PATH},
    ) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "instance.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        yield process
        process.terminate()


def test_a_later_start_hands_over_and_ends_at_once(
    first_window: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    payment = tmp_path / "payment.psbt"
    for given in ("bitcoin:bcrt1qexample", str(payment), ""):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = run("--network", "regtest", "--data-dir", str(tmp_path), *filter(None, [given]))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert (done.returncode, done.stderr) == (0, "")
        # The processor's time, which other work on the machine does not stretch.
        assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 2
    # What follows a link is refused here too, and nothing is handed over.
    done = run("--network", "regtest", "--data-dir", str(tmp_path), "bitcoin:x", "--vault")
    assert done.returncode == 2
    assert "options cannot follow a link" in done.stderr
    assert first_window.poll() is None
    # The window is reached through its socket and by nothing else.
    assert listening(first_window.pid) == {f"unix {tmp_path / 'instance.socket'}"}
    too_long = run("--network", "regtest", "--data-dir", str(tmp_path), "bitcoin:" + "x" * 3_000)
    assert too_long.returncode == 2
    assert "2 KiB" in too_long.stderr


def test_a_killed_window_leaves_nothing_in_the_way(
    first_window: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    first_window.kill()
    first_window.wait()
    left = tmp_path / "instance.socket"
    before = left.stat().st_mtime_ns  # the number of a file is used again
    with subprocess.Popen(
        [sys.executable, "-m", "wallet_gui", "--network", "regtest", "--data-dir", str(tmp_path)],
        cwd=REPOSITORY,
        env={**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": PYTHON_PATH},
    ) as again:
        deadline = time.monotonic() + PATIENCE
        while left.stat().st_mtime_ns == before and time.monotonic() < deadline:
            assert again.poll() is None
            time.sleep(0.05)
        # It listens: a later start reaches it.
        done = run("--network", "regtest", "--data-dir", str(tmp_path), "bitcoin:bcrt1qexample")
        assert (done.returncode, done.stderr) == (0, "")
        again.terminate()
    assert again.returncode == 0
