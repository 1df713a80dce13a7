import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.sandbox.contact_guard import PYTHON_PATH

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a screen")
def test_without_a_screen_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    hidden = {"DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"}
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    done = subprocess.run(
        [sys.executable, "-m", "wallet_gui", "--data-dir", str(tmp_path)],
        env=environment | {"PYTHONPATH": PYTHON_PATH},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("wallet-gui: there is no screen")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_closes_the_window_as_its_button_does(tmp_path: Path, number: int) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": PYTHON_PATH}
    command = [sys.executable, "-m", "wallet_gui", "--network", "regtest"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)], env=environment, stderr=subprocess.PIPE
    ) as window:
        deadline = time.monotonic() + PATIENCE
        # The chain database is open: window and engine run.
        while not (tmp_path / "regtest" / "chain.db").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        window.send_signal(number)
        _, said = window.communicate(timeout=PATIENCE)
        assert window.returncode == 0
        assert b"Traceback" not in said
    # Everything was given back: the next start has the data folder for itself.
    assert not (tmp_path / "instance.socket").exists()
