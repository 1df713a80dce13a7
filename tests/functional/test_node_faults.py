"""Some rounds of `node_faults`; the command runs a thousand."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.functional.node_faults import Faults, faulty_node, run_rounds

ROUNDS = int(os.environ.get("NODE_FAULT_ROUNDS", "20"))


@pytest.mark.slow
def test_no_wrong_balance_is_called_checked_whatever_goes_wrong(
    bitcoind_binary: Path, tmp_path: Path
) -> None:
    with faulty_node(bitcoind_binary, tmp_path) as node:
        faults = Faults(node, tmp_path, seed=7)
        asyncio.run(run_rounds(faults, ROUNDS))
        assert faults.wrong == []
        assert faults.agreed >= ROUNDS
