"""JSON-RPC 2.0 as bitcoind speaks it: requests to bytes, and answers checked before use.

Sources: jsonrpc.org/specification, Core src/rpc/request.cpp. Versions before 28 answer in their own
older manner (`result` and `error` both there, HTTP 500 or 404 for errors); both are accepted.

What is refused: NaN and Infinity, keys given twice, nesting beyond 64, answers to what nobody
asked. Numbers with a point become Decimal.
"""

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Final

from wallet_gui.chain.bitcoind.problems import RpcError

MAX_DEPTH: Final = 64
_MAX_NUMBER: Final = 40  # characters
_STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*+"', re.DOTALL)
_BRACKETS = re.compile(rb"[\[\]{}]")


class Malformed(Exception):
    """The body is not an answer; the message says why, without quoting it."""


def request(call_id: int, method: str, params: Sequence[Any]) -> bytes:
    """Return the body of one call."""
    return json.dumps(_call(call_id, method, params), separators=(",", ":")).encode("ascii")


def batch(first_id: int, calls: Sequence[tuple[str, Sequence[Any]]]) -> bytes:
    """Return the body of several calls; their ids count up from `first_id`."""
    listed = [
        _call(call_id, method, params) for call_id, (method, params) in enumerate(calls, first_id)
    ]
    return json.dumps(listed, separators=(",", ":")).encode("ascii")


def _call(call_id: int, method: str, params: Sequence[Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": call_id, "method": method, "params": list(params)}


def result(body: bytes, call_id: int, method: str) -> Any:
    """Return what one call gave.

    Raises RpcError when the node answered with an error, Malformed when with nonsense.
    """
    answer = loads(body)
    outcome = _outcome(answer, method)
    if not _is_id(answer["id"], call_id) and not (
        answer["id"] is None and isinstance(outcome, RpcError)
    ):
        raise Malformed("The answer belongs to another question.")
    if isinstance(outcome, RpcError):
        raise outcome
    return outcome


def results(
    body: bytes, first_id: int, calls: Sequence[tuple[str, Sequence[Any]]]
) -> list[Any | RpcError]:
    """Return what each call of a batch gave, in the calls' order, whatever the answers' is.

    Raises RpcError when the node refused the batch as a whole, Malformed for nonsense.
    """
    answers = loads(body)
    if isinstance(answers, dict):
        outcome = _outcome(answers, "")
        if isinstance(outcome, RpcError):
            raise outcome
        raise Malformed("A batch was answered like one call.")
    if not isinstance(answers, list) or len(answers) != len(calls):
        raise Malformed("A batch was not answered call by call.")
    found: dict[int, Any] = {}
    for answer in answers:
        index = _index(answer, first_id, len(calls))
        if index in found:
            raise Malformed("One call of a batch was answered twice.")
        found[index] = _outcome(answer, calls[index][0])
    return [found[index] for index in range(len(calls))]


def _index(answer: Any, first_id: int, count: int) -> int:
    call_id = answer.get("id") if isinstance(answer, dict) else None
    if isinstance(call_id, bool) or not isinstance(call_id, int):
        raise Malformed("An answer belongs to no question.")
    if not first_id <= call_id < first_id + count:
        raise Malformed("The answer belongs to another question.")
    return call_id - first_id


def _is_id(value: Any, call_id: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value == call_id


def _outcome(answer: Any, method: str) -> Any:
    """Return an answer's result, or the RpcError that it carries."""
    if not isinstance(answer, dict) or "id" not in answer:
        raise Malformed("The answer is not one of JSON-RPC.")
    error = answer.get("error")
    if error is None:
        if "result" not in answer:
            raise Malformed("The answer has neither a result nor an error.")
        return answer["result"]
    if answer.get("result") is not None or not isinstance(error, dict):
        raise Malformed("The answer's error is malformed.")
    number, message = error.get("code"), error.get("message")
    if isinstance(number, bool) or not isinstance(number, int) or not isinstance(message, str):
        raise Malformed("The answer's error is malformed.")
    return RpcError(number, message, method)


def loads(body: bytes) -> Any:
    """Read strict JSON: UTF-8, no NaN, no key twice, no deep nesting; raise Malformed."""
    _check_depth(body)
    try:
        text = body.decode("utf-8")
        return json.loads(
            text,
            parse_float=_decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError):  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        # Their own texts quote the body.
        raise Malformed("The answer is not JSON.") from None


def _check_depth(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.findall(_STRINGS.sub(b"", body)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise Malformed("The answer is nested too deeply.")


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER:
        raise Malformed("The answer has a number that is too long.")
    try:
        return Decimal(text)
    except ArithmeticError:
        raise Malformed("The answer has a number that is out of range.") from None


def _refuse_constant(_name: str) -> Any:
    raise Malformed("The answer has a number that is none.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise Malformed("The answer gives one key twice.")
    return made
