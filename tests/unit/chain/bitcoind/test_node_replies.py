from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@settings(deadline=None)
@given(JSON)
def test_anything_is_a_value_or_a_bad_reply(value: Any) -> None:
    readers: list[Callable[[Any], Any]] = [
        replies.height,
        replies.block_hash,
        lambda each: replies.raw_bytes(each, "it", 80),
        lambda each: replies.field(each, "name"),
        lambda each: replies.entries(each, "it"),
    ]
    for read in readers:
        try:
            read(value)
        except NodeProblem as problem:
            code = problem.code
        else:
            continue
        assert code is Code.BAD_REPLY


def test_what_looks_right_and_is_not() -> None:
    for wrong in (True, -1, 10**9, 1.0, "1", None):
        with pytest.raises(NodeProblem):
            replies.height(wrong)
    for wrong in ("ab" * 31, "zz" * 32, "ab" * 33, 7, None):
        with pytest.raises(NodeProblem):
            replies.block_hash(wrong)
    for odd in ("abc", "ab" * 81, "0x00", 5, ["ab"]):
        with pytest.raises(NodeProblem):
            replies.raw_bytes(odd, "a header", 80)


@settings(deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=80))
def test_hashes_and_bytes_are_read_as_they_are_shown(block_hash: bytes, raw: bytes) -> None:
    assert replies.block_hash(replies.shown(block_hash)) == block_hash
    assert replies.raw_bytes(raw.hex(), "it", 80) == raw


def test_an_error_in_a_batch_is_raised() -> None:
    error = RpcError(-8, "Block height out of range", "getblockhash")
    assert replies.is_out_of_range(error)
    with pytest.raises(RpcError):
        replies.result(error)
    assert replies.result({"a": 1}) == {"a": 1}
    assert not replies.is_out_of_range(RpcError(-8, "Scan already in progress", "scanblocks"))
