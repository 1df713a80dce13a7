"""A scripted bitcoind over plain TCP: HTTP and JSON-RPC about a `FakeChain`, and every way to fail.

What it says is in `answers` (method -> value, function of the params, `Refusal` or `Raw`), which a
test may change while it runs; `fault` spoils how it is said. `version` 250000, 280000 or 290000
gives the shapes and the lacks of those versions. A lie about the chain is another answer.
"""

import asyncio
import base64
import contextlib
import json
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_node_answers import ChainAnswers, Refusal

COOKIE = "__cookie__:" + "c0" * 32


class Fault(Enum):
    """How an answer is spoiled."""

    NONE = "none"
    SILENT = "reads and says nothing"
    HANGS_UP = "closes instead of answering"
    UNAUTHORIZED = "401"
    FORBIDDEN = "403"
    QUEUE_FULL = "503"
    WARMING_UP = "-28"
    WEB_PAGE = "HTML with status 200"
    NOT_FOUND = "404 with a text"
    BAD_REQUEST = "400 with HTML"
    RANDOM_BYTES = "no HTTP at all"
    CUT_OFF = "closes in the middle of the body"
    SLOW = "one byte at a time"
    CHUNKED = "a chunked body"
    UNTIL_END = "a body that ends with the connection"
    LAST = "answers and closes"
    ENDLESS_HEADER = "a header without an end"
    HUGE = "a body of a gigabyte"
    HUGE_CHUNKS = "a chunked body without an end"
    TWO_LENGTHS = "two lengths that differ"
    TWICE = "the same answer twice"
    WRONG_ID = "the answer to another question"
    NO_ID = "an answer without an id"
    NAN = "a number that is none"
    INFINITE = "an endless number"
    LONG_NUMBER = "a number of a thousand digits"
    DEEP = "nested a thousand times"
    KEY_TWICE = "a key given twice"
    NOT_JSON = "no JSON"
    NOT_UTF8 = "bytes that are no text"
    HTML_ERROR = "an error with HTML and control characters in its message"
    ERROR_NO_OBJECT = "an error that is a text"
    EMPTY = "an empty body"


@dataclass(frozen=True)
class Raw:
    """Bytes to send instead of an HTTP response."""

    data: bytes


@dataclass(frozen=True)
class Call:
    """What the node was asked."""

    method: str
    params: list[Any]
    connection: int


@dataclass
class FakeNode:
    """The node's behaviour; `calls` notes what it was asked."""

    chain: FakeChain = field(default_factory=FakeChain)
    version: int = 290000
    subversion: str = "/Satoshi:29.0.0/"
    fault: Fault = Fault.NONE
    faults: deque[Fault] = field(default_factory=deque)  # each spoils one answer, before `fault`
    cookie: str = COOKIE
    whitelist: frozenset[str] | None = None
    idle_seconds: float | None = None  # after which a connection is closed
    delays: dict[str, float] = field(default_factory=dict)  # seconds before a method is answered
    answers: dict[str, Any] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    known: ChainAnswers = field(init=False)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set, repr=False)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, repr=False)

    def __post_init__(self) -> None:
        self.known = ChainAnswers(self.chain, self.version, self.subversion)

    def methods(self) -> list[str]:
        """The methods that were asked for, in order."""
        return [call.method for call in self.calls]

    def drop_connections(self) -> None:
        """Close every connection at once, as a restart does."""
        for writer in list(self._writers):
            writer.transport.abort()

    # HTTP

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number = self.connections
        self._writers.add(writer)
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
        try:
            while await self._serve_one(reader, writer, number):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass  # the test is over; asyncio's server would complain about it
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _serve_one(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int
    ) -> bool:
        async with asyncio.timeout(self.idle_seconds):
            head = await reader.readuntil(b"\r\n\r\n")
        length = 0
        login = b""
        for line in head.split(b"\r\n"):
            name, _, value = line.partition(b": ")
            if name == b"Content-Length":
                length = int(value)
            if name == b"Authorization":
                login = value
        body = await reader.readexactly(length)
        if head.startswith(b"GET"):
            writer.write(response(405, b"JSONRPC server handles only POST requests", "text/html"))
            return True
        fault = self.faults.popleft() if self.faults else self.fault
        if login != b"Basic " + base64.b64encode(self.cookie.encode()):
            fault = Fault.UNAUTHORIZED
        answer = await self._body(body, number, fault)
        if answer is None:
            writer.write(response(403, b""))
            return True
        return await send(writer, fault, *answer)

    async def _body(self, body: bytes, number: int, fault: Fault) -> tuple[int, bytes] | None:
        """Answer a request with a status and a body; None when a method is forbidden."""
        asked = json.loads(body)
        calls = asked if isinstance(asked, list) else [asked]
        if self.whitelist is not None and any(c["method"] not in self.whitelist for c in calls):
            return None
        replies = []
        status = 200
        for each in calls:
            self.calls.append(Call(each["method"], each["params"], number))
            await asyncio.sleep(self.delays.get(each["method"], 0))
            reply = await self._reply(each, fault)
            if isinstance(reply, Raw):
                return 0, reply.data
            if self.version < 280000 and reply.get("error") is not None:
                status = 404 if reply["error"]["code"] == -32601 else 500
            replies.append(reply)
        made = replies if isinstance(asked, list) else replies[0]
        return (200 if isinstance(asked, list) else status), dumps(made)

    async def _reply(self, asked: dict[str, Any], fault: Fault) -> Any:
        reply: dict[str, Any] = {"jsonrpc": "2.0"} if self.version >= 280000 else {}
        try:
            result = await self._result(asked["method"], asked["params"], fault)
            if isinstance(result, Raw):
                return result
            reply["result"] = result
            if self.version < 280000:
                reply["error"] = None
        except Refusal as refusal:
            if self.version < 280000:
                reply["result"] = None
            reply["error"] = {"code": refusal.number, "message": refusal.message}
        reply["id"] = asked["id"]
        return reply

    async def _result(self, method: str, params: list[Any], fault: Fault) -> Any:
        if fault is Fault.WARMING_UP:
            raise Refusal(-28, "Loading block index…")
        if method in self.answers:
            answer = self.answers[method]
            if isinstance(answer, list) and answer and isinstance(answer[0], NextAnswers):
                answer = answer[0].take()
            if callable(answer):
                answer = answer(params)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if isinstance(answer, Refusal):
                raise answer
            return answer
        return await self.known.answer(method, params)


@dataclass
class NextAnswers:
    """`answers[method] = [NextAnswers([...])]`: one after the other, the last for ever."""

    values: list[Any]

    def take(self) -> Any:
        return self.values.pop(0) if len(self.values) > 1 else self.values[0]


def dumps(value: Any) -> bytes:
    """JSON with Decimal as numbers, as bitcoind writes amounts."""
    marks: dict[str, str] = {}

    def mark(number: Any) -> str:
        if not isinstance(number, Decimal):
            raise TypeError(type(number).__name__)
        name = f"@decimal{len(marks)}@"
        marks[name] = f"{number:f}"
        return name

    text = json.dumps(value, default=mark)
    for name, number in marks.items():
        text = text.replace(f'"{name}"', number)
    return text.encode()


REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def response(
    status: int, body: bytes, kind: str = "application/json", *, extra: str = "", length: int = -1
) -> bytes:
    size = len(body) if length < 0 else length
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Odd')}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {size}\r\n{extra}\r\n"
    )
    return head.encode() + body


def _with(body: bytes, key: str, text: str) -> bytes:
    """Replace a member of the answer by a text that may be no JSON."""
    reply = json.loads(body)
    reply[key] = "@here@"
    reply.setdefault("error", None)
    return json.dumps(reply).replace('"@here@"', text).encode()


HTML_MESSAGE = '<b>bold</b><img src="x"> \x1b[31m\u202e\nnext'
_CHUNK = b"10000\r\n" + b"[" * 65536 + b"\r\n"
_CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# Whatever the question is.
_INSTEAD: dict[Fault, bytes] = {
    Fault.UNAUTHORIZED: response(401, b"", extra="WWW-Authenticate: Basic\r\n"),
    Fault.FORBIDDEN: response(403, b""),
    Fault.QUEUE_FULL: response(503, b"Work queue depth exceeded", "text/html"),
    Fault.WEB_PAGE: response(200, b"<html><b>Welcome</b></html>", "text/html"),
    Fault.NOT_FOUND: response(404, b"", "text/html"),
    Fault.BAD_REQUEST: response(400, b"<HTML>400 Bad Request</HTML>", "text/html"),
    Fault.RANDOM_BYTES: bytes(range(7, 71)),
    Fault.ENDLESS_HEADER: b"HTTP/1.1 200 OK\r\n" + b"X-More: yes\r\n" * 5000,
    Fault.HUGE: response(200, b"[" * 70_000, length=10**9),
    Fault.HUGE_CHUNKS: _CHUNKED_HEAD + _CHUNK * 20,
    Fault.NOT_UTF8: response(200, b'{"id": 1, "result": "\xff\xfe"}'),
    Fault.EMPTY: response(200, b""),
}
# From the right body.
_SPOILED: dict[Fault, Callable[[bytes], bytes]] = {
    Fault.CUT_OFF: lambda b: response(200, b[: len(b) // 2], length=len(b)),
    Fault.CHUNKED: lambda b: chunked(b, 7),
    Fault.UNTIL_END: lambda b: b"HTTP/1.1 200 OK\r\n\r\n" + b,
    Fault.LAST: lambda b: response(200, b, extra="Connection: close\r\n"),
    Fault.TWO_LENGTHS: lambda b: response(200, b, extra="Content-Length: 3\r\n"),
    Fault.TWICE: lambda b: response(200, b) * 2,
    Fault.WRONG_ID: lambda b: response(200, _with(b, "id", "999999999")),
    Fault.NO_ID: lambda b: response(200, _with(b, "id", "null")),
    Fault.NAN: lambda b: response(200, _with(b, "result", "NaN")),
    Fault.INFINITE: lambda b: response(200, _with(b, "result", "[-Infinity]")),
    Fault.LONG_NUMBER: lambda b: response(200, _with(b, "result", "0." + "1" * 1000)),
    Fault.DEEP: lambda b: response(200, _with(b, "result", "[" * 1000 + "]" * 1000)),
    Fault.KEY_TWICE: lambda b: response(200, b[:-1] + b', "id": 1}'),
    Fault.NOT_JSON: lambda b: response(200, b"{" + b),
    Fault.HTML_ERROR: lambda b: response(200, _error(b, {"code": -1, "message": HTML_MESSAGE})),
    Fault.ERROR_NO_OBJECT: lambda b: response(200, _error(b, "bad")),
}
_CLOSING = frozenset({Fault.CUT_OFF, Fault.UNTIL_END, Fault.LAST, Fault.RANDOM_BYTES})


def _error(body: bytes, error: Any) -> bytes:
    return json.dumps({"id": json.loads(body)["id"], "error": error}).encode()


def chunked(body: bytes, size: int) -> bytes:
    """A response whose body comes in chunks of `size` bytes."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    coded = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
    return _CHUNKED_HEAD + coded + b"0\r\n\r\n"


async def send(writer: asyncio.StreamWriter, fault: Fault, status: int, body: bytes) -> bool:
    """Send an answer in the way of `fault`; whether the connection stays open."""
    if fault is Fault.SILENT:
        await asyncio.sleep(3600)
    if fault is Fault.HANGS_UP:
        return False
    data = body
    if status:  # 0: these are the bytes themselves
        spoil = _SPOILED.get(fault)
        data = spoil(body) if spoil else _INSTEAD.get(fault) or response(status, body)
    if fault is Fault.SLOW:
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            await writer.drain()
            await asyncio.sleep(0)
        return True
    writer.write(data)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
    if fault in _CLOSING:
        writer.close()
        await writer.wait_closed()
        return False
    return True


@asynccontextmanager
async def running_node(**settings: Any) -> AsyncIterator[FakeNode]:
    """Serve a `FakeNode(**settings)` on a port of 127.0.0.1."""
    node = FakeNode(**settings)
    server = await asyncio.start_server(node.serve, "127.0.0.1", 0, limit=64 * 1024 * 1024)
    node.port = server.sockets[0].getsockname()[1]
    try:
        yield node
    finally:
        server.close()
        for task in node._tasks:
            task.cancel()
        await asyncio.gather(*node._tasks, return_exceptions=True)
        node.drop_connections()
        await server.wait_closed()
