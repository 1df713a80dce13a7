"""Twenty random wallets come back, each in every way (fault plan, row 8).

More of them: `python -m tests.hostile.restore_drill 100`.
"""

import pytest

from tests.hostile.restore_drill import KINDS, Plan, drill
from wallet_gui.keys.seed import LANGUAGES

COUNT = 20


@pytest.mark.parametrize("number", range(COUNT))
def test_a_random_wallet_comes_back(number: int) -> None:
    drill(number)


def test_the_drill_covers_everything() -> None:
    plans = [Plan.of(number) for number in range(COUNT)]
    assert {plan.kind for plan in plans} == set(KINDS)
    assert {plan.language for plan in plans} == set(LANGUAGES)
    assert {kind for plan in plans for kind in plan.script_types} == {
        "wpkh",
        "tr",
        "sh_wpkh",
        "pkh",
    }
