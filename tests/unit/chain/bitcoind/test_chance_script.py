import os

import pytest

from wallet_gui.chain import gcs_scalar
from wallet_gui.chain.bitcoind.chance_script import _prepared, script_by_chance
from wallet_gui.chain.filters import EMPTY_FILTER, pick_engine


def test_what_is_found_matches_the_filter_for_the_reference_too() -> None:
    engine = pick_engine()
    for size in (1, 50):
        block_hash = os.urandom(32)
        data = gcs_scalar.build(block_hash, {os.urandom(22) for _ in range(size)})
        found = script_by_chance(engine, block_hash, data)
        assert found is not None
        assert gcs_scalar.match(block_hash, data, (found,))


def test_an_empty_filter_matches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_gui.chain.bitcoind.chance_script.CHANCES", 100_000)
    assert script_by_chance(pick_engine(), bytes(32), EMPTY_FILTER) is None


def test_the_quick_preparation_is_the_usual_one() -> None:
    engine = pick_engine()
    scripts = [os.urandom(22) for _ in range(100)]
    assert _prepared(engine, scripts).groups == engine.prepare(scripts).groups
