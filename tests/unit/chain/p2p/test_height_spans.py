import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p.height_spans import HeightSpans, gaps

HEIGHTS = st.integers(0, 30)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), HEIGHTS, HEIGHTS), max_size=20), HEIGHTS, HEIGHTS)
def test_it_is_a_set(steps: list[tuple[bool, int, int]], height: int, last: int) -> None:
    spans = HeightSpans()
    model: set[int] = set()
    for is_added, first, stop in steps:
        heights = range(first, stop + 1)
        if is_added:
            spans.add(first, stop)
            model.update(heights)
        else:
            spans.discard(first, max(first, stop))
            model.difference_update(range(first, max(first, stop) + 1))
    listed = list(spans)
    assert {h for start, stop in listed for h in range(start, stop + 1)} == model
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(listed))
    assert all((h in spans) == (h in model) for h in range(32))
    if height <= last:
        is_in, stop = spans.run_from(height, last)
        assert is_in == (height in model)
        assert all((h in model) == is_in for h in range(height, stop + 1))
        assert stop == last or ((stop + 1) in model) != is_in
    left_out = {h for start, stop in gaps(listed, height, last) for h in range(start, stop + 1)}
    assert left_out == set(range(height, last + 1)) - model
