"""The benchmarks themselves: the smallest chains, once, so that they do not rot."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.chain_store import descriptor, ensure, serving
from tests.benchmarks.throttle import throttled
from tests.patience import PATIENCE

REPOSITORY = Path(__file__).resolve().parents[2]


def measured(module: str, *arguments: str) -> dict[str, object]:
    finished = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


@pytest.mark.parametrize("engine", ["", "numpy"])
def test_a_heavy_chain_through_slow_lines(
    bitcoind_binary: Path, tmp_path: Path, engine: str
) -> None:
    place = ensure(tmp_path, "heavy", 125, bitcoind_binary)
    with (
        serving(place, binary=bitcoind_binary) as (node, facts),
        throttled(node.p2p_port, 3, 4_000_000, 0.01, silent_after=300_000) as ports,
    ):
        assert facts.transactions == 124
        directory = tmp_path / "client"
        directory.mkdir()
        result = measured(
            "sync_ours",
            ",".join(map(str, ports)),
            descriptor(),
            str(directory),
            *(("--engine", engine) if engine else ("--v2",)),
        )
        assert (result["balance"], result["transactions"]) == (facts.balance, facts.transactions)
        drained = measured("raw_drain", str(node.p2p_port))
        assert isinstance(drained["bytes"], int)
        assert drained["bytes"] > 1_000_000
