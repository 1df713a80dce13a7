"""Kill -9 at random points of a sync loses and invents nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.sandbox.contact_guard import PYTHON_PATH

REPOSITORY = Path(__file__).resolve().parents[2]
ROUNDS = 20
SEED = 3


@pytest.mark.slow
def test_killed_at_any_point_of_a_sync(node: Node, tmp_path: Path) -> None:
    node.mature()
    node.mine(300)
    program = [sys.executable, "-m", "tests.functional.kill_while_syncing"]
    places = [str(tmp_path), str(node.directory), str(node.p2p_port), str(node.rpc_port)]
    done = subprocess.run(
        [*program, *places, str(ROUNDS), str(SEED)],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": PYTHON_PATH + os.pathsep + str(REPOSITORY)},
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout.splitlines()[-1])
    assert report["wrong"] == 0, done.stderr
    assert report["kills"] >= ROUNDS
    assert report["killed before the end"] >= ROUNDS // 2, report
