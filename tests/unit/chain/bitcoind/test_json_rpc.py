import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.json_rpc import (
    MAX_DEPTH,
    Malformed,
    batch,
    loads,
    request,
    result,
    results,
)
from wallet_gui.chain.bitcoind.problems import Code, RpcError

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
jsonlike = st.text('[]{}":,0123456789.eE-naNItfruls\\', max_size=80).map(str.encode)
CALLS: list[tuple[str, list[Any]]] = [("getblockhash", [5]), ("uptime", [])]


@settings(deadline=None)
@given(values)
def test_reads_what_json_writes(value: Any) -> None:
    assert loads(json.dumps(value).encode()) == value
    assert result(json.dumps({"id": 7, "result": value}).encode(), 7, "uptime") == value


@settings(deadline=None)
@given(
    st.binary(max_size=200)
    | st.text('[]{}":,0123456789.eE-naNItfruls\\', max_size=80).map(str.encode)
)
def test_any_bytes_are_a_value_or_malformed(data: bytes) -> None:
    try:
        value = loads(data)
    except Malformed:
        return
    assert "NaN" not in json.dumps(value, default=str, allow_nan=False)


@settings(deadline=None)
@given(values, st.integers(0, 300), st.binary(min_size=1, max_size=2))
def test_a_damaged_answer_is_read_or_malformed(value: Any, at: int, other: bytes) -> None:
    body = json.dumps([{"id": 3, "result": value}, {"id": 4, "error": None, "result": 1}]).encode()
    damaged = body[:at] + other + body[at + len(other) :]
    for read in (lambda: results(damaged, 3, CALLS), lambda: result(damaged, 3, "uptime")):
        try:
            read()
        except (Malformed, RpcError):
            continue


def test_requests_are_version_2() -> None:
    assert json.loads(request(9, "getblockhash", [1])) == {
        "jsonrpc": "2.0",
        "id": 9,
        "method": "getblockhash",
        "params": [1],
    }
    assert [each["id"] for each in json.loads(batch(5, CALLS))] == [5, 6]


def test_numbers_with_a_point_are_exact() -> None:
    found = loads(b"[4.59123743, 1e-8, 12345678901234567890, -0.00000001]")
    assert found == [Decimal("4.59123743"), Decimal("1e-8"), 12345678901234567890, Decimal("-1e-8")]
    assert not any(isinstance(each, float) for each in found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"NaN",
        b"[Infinity]",
        b'{"a": -Infinity}',
        b'{"a": 1, "a": 1}',
        b"0." + b"1" * 100,
        b"1e999999999999999999999",
        b"1" * 5000,
        b'"\xff"',
        b"{}{}",
        b'{"id": 1',
    ],
)
def test_loose_json_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        loads(body)


def test_depth_is_bounded_and_brackets_in_texts_are_not_depth() -> None:
    deepest = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
    assert loads(deepest) is not None
    for depth in (MAX_DEPTH + 1, 1000, 500_000):
        with pytest.raises(Malformed, match="deep"):
            loads(b"[" * depth + b"]" * depth)
    text = "[{" * 500 + '\\"'
    assert loads(json.dumps({"a": text}).encode()) == {"a": text}
    wide: list[list[int]] = [[]] * 1000
    assert loads(json.dumps(wide).encode()) == wide


@pytest.mark.parametrize("own_id", [2, "1", None, True, 1.0, [1]])
def test_an_answer_to_another_question_is_refused(own_id: Any) -> None:
    with pytest.raises(Malformed):
        result(json.dumps({"id": own_id, "result": 5}).encode(), 1, "uptime")


@pytest.mark.parametrize(
    "reply",
    [
        [],
        5,
        {"result": 5},
        {"id": 1},
        {"id": 1, "error": "x"},
        {"id": 1, "error": {"code": "1", "message": "x"}},
        {"id": 1, "error": {"code": True, "message": "x"}},
        {"id": 1, "error": {"code": -1}},
        {"id": 1, "error": {"code": -1, "message": 5}},
        {"id": 1, "error": {"code": -1, "message": "x"}, "result": 5},
    ],
)
def test_malformed_replies_are_refused(reply: Any) -> None:
    with pytest.raises(Malformed):
        result(json.dumps(reply).encode(), 1, "uptime")


@pytest.mark.parametrize("old", [{}, {"result": None}])
def test_errors_of_both_manners(old: dict[str, Any]) -> None:
    reply = {"id": 1, "error": {"code": -28, "message": "Loading banlist…"}, **old}
    with pytest.raises(RpcError) as raised:
        result(json.dumps(reply).encode(), 1, "uptime")
    assert raised.value.number == -28
    assert raised.value.code is Code.WARMING_UP
    assert "Loading banlist…" in str(raised.value)


def test_batches_are_matched_by_id() -> None:
    replies = [
        {"id": 4, "result": "second"},
        {"id": 3, "error": {"code": -8, "message": "Block height out of range"}},
    ]
    first, second = results(json.dumps(replies).encode(), 3, CALLS)
    assert isinstance(first, RpcError)
    assert first.number == -8
    assert second == "second"


@pytest.mark.parametrize(
    "replies",
    [
        [],
        [{"id": 3, "result": 1}],
        [{"id": 3, "result": 1}, {"id": 3, "result": 1}],
        [{"id": 3, "result": 1}, {"id": 5, "result": 1}],
        [{"id": True, "result": 1}, {"id": 4, "result": 1}],
        [{"id": 3, "result": 1}, 4],
        {"id": 3, "result": 1},
    ],
)
def test_batches_with_wrong_ids_are_refused(replies: Any) -> None:
    with pytest.raises(Malformed):
        results(json.dumps(replies).encode(), 3, CALLS)


def test_an_error_of_the_whole_batch_is_raised() -> None:
    body = json.dumps({"id": None, "error": {"code": -32600, "message": "Invalid"}}).encode()
    with pytest.raises(RpcError):
        results(body, 3, CALLS)
    with pytest.raises(RpcError):
        result(body, 3, "uptime")
