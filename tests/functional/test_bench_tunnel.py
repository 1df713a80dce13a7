"""The benchmark of the tunnel itself, once and quickly, so that it does not rot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional import sshd_parts
from tests.functional.sshd import need
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.usefixtures("bitcoind_binary")
def test_every_way_is_measured() -> None:
    sshd_parts.program()
    need("ssh")
    finished = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_tunnel", "--rounds=5", "--delay=0.005"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout.splitlines()[-1])
    for name in ("rtt ms", "rtt delayed ms", "bulk MB/s, cpu ms/MB"):
        assert set(result[name]) == {"direct", "in process", "ssh -W"}
    assert min(result["rtt delayed ms"].values()) > 5
    assert result["connect and first answer ms"] > 0
