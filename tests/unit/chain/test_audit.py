from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.audit import ChainView, Comparison, Verdict, compare
from wallet_gui.chain.backend import BlockRef


def chain(length: int, fork: int | None = None, start: int = 0) -> dict[int, bytes]:
    """Heights `start..length`; above `fork` the blocks are others."""
    return {
        h: (b"other" if fork is not None and h > fork else b"block") + h.to_bytes(4)
        for h in range(start, length + 1)
    }


def view(
    hashes: Mapping[int, bytes],
    filter_headers: Mapping[int, bytes] | None = None,
    *,
    networks: int = 3,
    work: int = 0,
) -> ChainView:
    height = max(hashes)
    return ChainView(
        BlockRef(height, hashes[height]),
        work or height,
        networks,
        hashes.get,
        (filter_headers or {}).get,
    )


def test_equal_chains_agree_and_say_nothing() -> None:
    found = compare(view(chain(50), {50: b"f"}), view(chain(50), {50: b"f"}))
    assert found == Comparison(Verdict.AGREES, "", 50)


def test_without_peers_nothing_is_claimed() -> None:
    assert compare(view(chain(50)), None).verdict is Verdict.UNKNOWN
    assert compare(view(chain(50)), view(chain(50), networks=0)).verdict is Verdict.UNKNOWN


def test_peers_that_begin_above_the_node_cannot_be_compared() -> None:
    assert compare(view(chain(10)), view(chain(90, start=60))).verdict is Verdict.UNKNOWN


def test_one_block_behind_is_ordinary_and_two_are_told() -> None:
    assert compare(view(chain(49)), view(chain(50))).verdict is Verdict.AGREES
    found = compare(view(chain(48)), view(chain(50), networks=1))
    assert found.verdict is Verdict.NODE_BEHIND
    assert "2 blocks behind what one public peer shows" in found.sentence


def test_peers_behind_the_node_are_no_reason_to_say_anything() -> None:
    assert compare(view(chain(60)), view(chain(50))) == Comparison(Verdict.PEERS_BEHIND)


@given(st.integers(0, 400), st.integers(1, 60), st.integers(1, 60), st.integers(0, 300))
@settings(deadline=None, max_examples=300)
def test_the_fork_is_found_where_both_tell_it(
    fork: int, ours: int, theirs: int, start: int
) -> None:
    start = min(start, fork + min(ours, theirs))
    node = view(chain(fork + ours, fork), work=5)
    peers = view(chain(fork + theirs, start=start), work=9)
    found = compare(node, peers)
    known = start <= fork
    assert found.verdict is Verdict.SPLIT
    assert found.height == (fork if known else None)
    assert "less work" in found.sentence
    assert (f"since block {fork}" in found.sentence) is known


@pytest.mark.parametrize("below", [0, 1, 30])
def test_other_filter_headers_are_told_with_what_to_do(below: int) -> None:
    node = view(chain(50), {50 - below: b"node"})
    found = compare(node, view(chain(50), {50 - below: b"peers", 50: b"peers"}))
    assert found.verdict is Verdict.FILTERS_DIFFER
    assert found.height == 50 - below
    assert "indexes/blockfilter" in found.sentence


def test_a_difference_of_filters_weighs_more_than_being_behind() -> None:
    node = view(chain(40), {40: b"node"})
    assert compare(node, view(chain(50), {40: b"peers"})).verdict is Verdict.FILTERS_DIFFER
