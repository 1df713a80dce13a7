"""Some cases of each kind; more of them as `python -m tests.differential.psbt_interop`."""

import pytest

from tests.differential.psbt_interop import KINDS, Bdk, Bitcoind, run
from tests.functional.bitcoind import Node

CASES = 30
SEED = 1


@pytest.mark.parametrize("kind", KINDS)
def test_bdk_and_we_finish_what_the_other_signed(kind: str) -> None:
    run(Bdk().one_case, [kind], CASES, SEED)


@pytest.mark.functional
@pytest.mark.parametrize("kind", KINDS)
def test_bitcoind_and_we_finish_what_the_other_signed(module_node: Node, kind: str) -> None:
    run(Bitcoind(module_node).one_case, [kind], CASES, SEED)
