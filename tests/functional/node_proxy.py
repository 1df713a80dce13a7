"""A proxy in front of a real bitcoind that edits what it answers: a node that lies.

It listens on the loopback interface only, forwards each JSON-RPC call and gives its result (None
for an error) to `edit(method, params, result)` before it passes it on.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from tests.functional.bitcoind import Node

Edit = Callable[[str, list[Any], Any], Any]


def _plain(value: Any) -> Any:
    """Let json write amounts as the node does."""
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(type(value))


class LyingNode:
    """The proxy; `edit` may be replaced while it runs."""

    def __init__(self, node: Node, edit: Edit) -> None:
        self.node = node
        self.edit = edit
        self.port = 0
        self.calls: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream, down = await asyncio.open_connection(
            "127.0.0.1", self.node.rpc_port, limit=1 << 26
        )
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                down.write(head + body)
                answer_head = await upstream.readuntil(b"\r\n\r\n")
                answer = await upstream.readexactly(_length(answer_head))
                edited = self._edited(body, answer)
                status = answer_head.split(b"\r\n", 1)[0]
                writer.write(
                    status
                    + b"\r\nContent-Type: application/json\r\nContent-Length: "
                    + str(len(edited)).encode()
                    + b"\r\n\r\n"
                    + edited
                )
                await writer.drain()
        finally:
            down.close()

    def _edited(self, body: bytes, answer: bytes) -> bytes:
        if not answer.startswith((b"{", b"[")):
            return answer
        asked = json.loads(body)
        told = json.loads(answer, parse_float=Decimal)
        calls = {each["id"]: each for each in (asked if isinstance(asked, list) else [asked])}
        for each in told if isinstance(told, list) else [told]:
            call = calls[each["id"]]
            self.calls.append(call["method"])
            result = self.edit(call["method"], call.get("params", []), each.get("result"))
            if each.get("error") is None or result is not None:
                each.pop("error", None)
                each["result"] = result
        return json.dumps(told, default=_plain).encode()

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


@asynccontextmanager
async def lying(node: Node, edit: Edit) -> AsyncIterator[LyingNode]:
    """A running proxy in front of `node`; use `DirectLink(node, port=proxy.port)`."""
    proxy = LyingNode(node, edit)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=1 << 26)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()
        await server.wait_closed()


def honest(_method: str, _params: list[Any], result: Any) -> Any:
    """Change nothing."""
    return result
