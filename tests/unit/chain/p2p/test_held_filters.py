"""The filters at hand: no height twice, the newest kept, what the engine has left alone."""

from array import array

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p import held_filters
from wallet_gui.chain.p2p.filter_match import Batch
from wallet_gui.chain.p2p.held_filters import HeldFilters

SIZE = 10
DATA = bytes(1000)


def batch(start: int, count: int, *, data: bytes = DATA, is_verified: bool = False) -> Batch:
    """Make filters of ten bytes each that lie in `data` at ten times their height."""
    hashes = b"".join(bytes([height]) * 32 for height in range(start, start + count))
    starts = array("Q", [SIZE * height for height in range(start, start + count)])
    ends = array("Q", [each + SIZE for each in starts])
    return Batch(start, hashes, data, starts, ends, 1, is_verified)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12))
def test_every_height_is_held_once(spans: list[tuple[int, int]]) -> None:
    held = HeldFilters()
    for start, count in spans:
        held.take(batch(start, count))
    heights = [h for first, last in held.spans() for h in range(first, last + 1)]
    assert heights == sorted({h for start, count in spans for h in range(start, start + count)})
    for each in held:
        assert each.hashes[:32] == bytes([each.start]) * 32
        assert each.starts[-1] == SIZE * each.stop
        assert each.size == SIZE * each.count
    assert held.size() == SIZE * len(heights)


def test_what_follows_in_one_buffer_becomes_one_batch() -> None:
    held = HeldFilters()
    held.take(batch(1, 3))
    held.take(batch(4, 2))
    held.take(batch(6, 1, data=bytes(1000)))
    assert held.spans() == [(1, 5), (6, 6)]


def test_what_the_engine_has_or_has_checked_does_not_grow() -> None:
    held = HeldFilters()
    held.take(batch(1, 3))
    held.in_work = set(held.batches)
    held.take(batch(4, 2))
    assert held.spans() == [(1, 3), (4, 5)]
    held.in_work = set()
    held.batches[1].is_verified = True
    held.take(batch(6, 2))
    assert held.spans() == [(1, 3), (4, 5), (6, 7)]


def test_the_newest_of_what_was_matched_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_filters, "KEPT_BYTES", 2 * SIZE)
    held = HeldFilters()
    for height in range(1, 7):
        held.take(batch(height, 1, is_verified=True))
    held.forget_matched(5)
    assert held.spans() == [(3, 3), (4, 4), (5, 5), (6, 6)]


def test_the_lowest_of_what_waits_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_filters, "HELD_BYTES", 2 * SIZE)
    held = HeldFilters()
    for height in range(1, 7):
        held.take(batch(height, 1, is_verified=height != 5))
    held.in_work = {held.batches[3]}
    assert held.forget_waiting(1)
    # The fifth is not in the cache yet, and the engine has the fourth.
    assert held.spans() == [(1, 1), (2, 2), (4, 4), (5, 5)]
    assert not held.forget_waiting(4)
