import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_closes_the_window_as_its_button_does(tmp_path: Path, number: int) -> None:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wallet_gui", "--network", "regtest"]
    with subprocess.Popen(
        [*command, "--data-dir", str(tmp_path)], env=environment, stderr=subprocess.PIPE
    ) as window:
        deadline = time.monotonic() + 30
        # The chain database is open: window and engine run.
        while not (tmp_path / "regtest" / "chain.db").exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        window.send_signal(number)
        _, said = window.communicate(timeout=20)
        assert window.returncode == 0
        assert b"Traceback" not in said
    # Everything was given back: the next start has the data folder for itself.
    assert not (tmp_path / "instance.socket").exists()
