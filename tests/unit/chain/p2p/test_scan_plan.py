"""The estimate of a long scan, against totals that others published, and the speed behind it."""

import pytest

from wallet_gui.chain.p2p.scan_plan import Speed, block_bytes, filter_bytes
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.params import MAINNET, REGTEST


@pytest.mark.parametrize(
    ("first", "last", "gigabytes"),
    [
        (0, 957_999, 12.92),  # measured: block-dn issue 22
        (481_824, 620_831, 2.63),  # bitcoin#18223
        (481_824, 976_500, 10.9),
        (0, 976_500, 13.3),
    ],
)
def test_filters_of_mainnet_come_near_to_what_was_measured(
    first: int, last: int, gigabytes: float
) -> None:
    assert filter_bytes(MAINNET, first, last, 0) / 1e9 == pytest.approx(gigabytes, rel=0.03)


def test_parts_add_up_and_what_was_measured_counts_elsewhere() -> None:
    whole = filter_bytes(MAINNET, 90_000, 700_000, 0)
    parts = filter_bytes(MAINNET, 90_000, 481_823, 0) + filter_bytes(MAINNET, 481_824, 700_000, 0)
    assert whole == parts
    assert filter_bytes(MAINNET, 10, 9, 0) == 0
    assert filter_bytes(REGTEST, 1, 100, 50.5) == 5050


def test_blocks_that_match_by_chance() -> None:
    """240 scripts over the segwit era: some 151 blocks (p2p.md 1.10)."""
    assert block_bytes(MAINNET, 494_676, 240, 0) / 1_700_000 == pytest.approx(151, abs=1)


def test_speed_is_that_of_the_last_seconds() -> None:
    speed = Speed()
    assert speed.seconds_for(1000) is None
    for second in range(100):
        rate = 10 if second < 50 else 1000
        speed.note(second * rate if second < 50 else 500 + (second - 50) * rate, Instant(second, 0))
    assert speed.seconds_for(60_000) == 60
    speed.restart()
    assert speed.seconds_for(1000) is None


def test_no_speed_while_nothing_comes() -> None:
    speed = Speed()
    for second in range(5):
        speed.note(7, Instant(second, 0))
    assert speed.seconds_for(1000) is None
