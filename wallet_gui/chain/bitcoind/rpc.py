"""Calls of bitcoind's RPC over channels of a tunnel: kept alive, pipelined, bounded, checked.

Only what `calls.ALLOWED` lists can be sent. Every call of that list may be made twice without
harm, so a call whose connection ended before anything of the answer came is made once more.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from wallet_gui.chain.bitcoind import json_rpc
from wallet_gui.chain.bitcoind.batch_size import BatchSize
from wallet_gui.chain.bitcoind.calls import ALLOWED as ALLOWED  # noqa: PLC0414 - offered here
from wallet_gui.chain.bitcoind.credentials import Credentials
from wallet_gui.chain.bitcoind.http import HttpViolation, NotHttp, ReplyTooLong, Response, post
from wallet_gui.chain.bitcoind.in_order import together
from wallet_gui.chain.bitcoind.pipeline import ByteStream, Pipeline, Unanswered
from wallet_gui.chain.bitcoind.problems import (
    NodeProblem,
    RpcError,
    bad_reply,
    busy,
    connection_lost,
    node_silent,
    not_a_node,
    reply_too_big,
    request_too_big,
    rpc_forbidden,
    rpc_whitelist,
)

DEFAULT_LIMIT: Final = 16 * 1024 * 1024  # bytes of an answer: twice a block in hex
MAX_REQUEST: Final = 32 * 1024 * 1024 - 1024  # Core src/httpserver.cpp: MAX_SIZE, 32 MiB
IDLE_SECONDS: Final = 25.0  # bitcoind closes after 30 (rpcservertimeout)
CALL_SECONDS: Final = 30.0
# A connection that was dead already ends at once; after that, the node may be at work on the call.
RETRY_WITHIN: Final = 5.0
BUSY_PAUSES: Final = (0.25, 0.5, 1.0, 2.0)
_LOGINS: Final = 12  # tries of different cookies in a row
# Harmless questions that tell a user without any rights from one who lacks some.
_HARMLESS: Final = ("uptime", "getnetworkinfo", "getblockchaininfo", "getmempoolinfo")


class NodeRpc:
    """One client; on one loop. At most `depth` calls are in flight, over at most `channels`.

    `last_answer` is when the node last answered, by `clock`. `open_channel` connects to the RPC
    port; `port` is its number, for sentences. `explain`, asked when what answers there is not
    bitcoind's RPC, may find out what it is.
    """

    def __init__(
        self,
        open_channel: Callable[[], Awaitable[ByteStream]],
        credentials: Credentials,
        *,
        depth: int = 4,
        channels: int = 2,
        host: str = "127.0.0.1",
        port: int = 0,
        explain: Callable[[], Awaitable[NodeProblem | None]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_channel = open_channel
        self._credentials = credentials
        self._depth = depth
        self._channels = channels
        self._host = host
        self._port = port
        self._explain = explain
        self._clock = clock
        self._slots = asyncio.Semaphore(depth)
        self._opening = asyncio.Lock()
        self._renewing = asyncio.Lock()
        self._pipelines: list[Pipeline] = []
        self._last_id = 0
        self.last_answer = clock()
        self._past_bytes = (0, 0)  # of connections that are closed
        self._accepted = b""  # the login that the node last took
        self._is_closed = False

    @property
    def user(self) -> str:
        """The name of the login in the node's configuration; "__cookie__" for the cookie."""
        return self._credentials.user

    @property
    def inbound_bytes(self) -> int:
        """Bytes received since the start, HTTP's included."""
        return self._past_bytes[0] + sum(each.inbound_bytes for each in self._pipelines)

    @property
    def outbound_bytes(self) -> int:
        """Bytes sent since the start, HTTP's included."""
        return self._past_bytes[1] + sum(each.outbound_bytes for each in self._pipelines)

    async def call(
        self,
        method: str,
        *params: Any,
        seconds: float | None = CALL_SECONDS,
        limit: int = DEFAULT_LIMIT,
    ) -> Any:
        """Make one call; numbers with a point come as Decimal.

        `seconds` counts from the moment the call is sent, None waits for ever; `limit` bounds the
        answer in bytes. Raises RpcError for an error of the node, NodeProblem for everything else,
        ValueError before anything is sent when the method is not in `ALLOWED`.
        """
        _check([method])
        call_id = self._next_ids(1)
        body = json_rpc.request(call_id, method, params)
        response = await self._exchange(body, (method,), seconds, limit)
        try:
            return json_rpc.result(response.body, call_id, method)
        except json_rpc.Malformed as malformed:
            raise self._unreadable(response, malformed) from None

    async def batch(
        self,
        calls: Sequence[tuple[str, Sequence[Any]]],
        *,
        seconds: float | None = CALL_SECONDS,
        limit: int = DEFAULT_LIMIT,
    ) -> list[Any | RpcError]:
        """Make several calls in one request; an error of one is its RpcError in the list.

        Raises as `call` does when the whole failed.
        """
        return (await self._batch(calls, seconds, limit))[0]

    async def bulk(
        self,
        method: str,
        params: Sequence[Sequence[Any]],
        *,
        seconds: float | None = CALL_SECONDS,
        limit: int = DEFAULT_LIMIT,
    ) -> list[Any]:
        """Make one call many times, in batches of a good size with several in flight.

        Gives the results in order; raises the first RpcError there is.
        """
        _check([method])
        size = BatchSize(method)
        results: list[Any] = []
        running: deque[asyncio.Task[tuple[list[Any | RpcError], int]]] = deque()
        position = 0
        try:
            while position < len(params) or running:
                while position < len(params) and len(running) < self._depth:
                    part = params[position : position + size.calls]
                    position += len(part)
                    coroutine = self._batch([(method, each) for each in part], seconds, limit)
                    running.append(asyncio.create_task(coroutine))
                answers, length = await running[0]
                running.popleft()
                for answer in answers:
                    if isinstance(answer, RpcError):
                        raise answer
                results += answers
                size.answered(len(answers), length)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        return results

    async def close(self) -> None:
        """Close every channel; calls in flight end with CONNECTION_LOST. Idempotent."""
        self._is_closed = True
        pipelines = self._pipelines
        self._forget(pipelines)
        await together(*(pipeline.wait_closed() for pipeline in pipelines))

    async def _batch(
        self, calls: Sequence[tuple[str, Sequence[Any]]], seconds: float | None, limit: int
    ) -> tuple[list[Any | RpcError], int]:
        """Return the answers and how many bytes they were."""
        methods = tuple(dict.fromkeys(method for method, _ in calls))
        _check(methods)
        if not calls:
            return [], 0
        first_id = self._next_ids(len(calls))
        body = json_rpc.batch(first_id, calls)
        response = await self._exchange(body, methods, seconds, limit)
        try:
            return json_rpc.results(response.body, first_id, calls), len(response.body)
        except json_rpc.Malformed as malformed:
            raise self._unreadable(response, malformed) from None

    def _next_ids(self, count: int) -> int:
        first = self._last_id + 1
        self._last_id += count
        return first

    # One exchange

    async def _exchange(
        self, body: bytes, methods: Sequence[str], seconds: float | None, limit: int
    ) -> Response:
        if len(body) > MAX_REQUEST:
            raise request_too_big(f"{len(body)} bytes")
        async with self._slots:
            try:
                async with asyncio.timeout(seconds):
                    return await self._answer(body, methods, limit)
            except TimeoutError:
                # What was sent behind the call that hangs is sent again on another connection.
                for pipeline in self._pipelines:
                    if not pipeline.is_usable:
                        pipeline.abort()
                raise node_silent(" and ".join(methods), seconds or 0) from None

    async def _answer(self, body: bytes, methods: Sequence[str], limit: int) -> Response:
        """Ask until there is an answer of JSON-RPC: log in anew, wait while the node is busy."""
        pauses = iter(BUSY_PAUSES)
        logins = 0
        while True:
            login = self._credentials.header() or await self._first_login()
            response = await self._ask(post(self._host, login, body), limit)
            if response.status == 401:
                logins += 1
                if logins > _LOGINS:
                    raise self._credentials.refused()
                await self._log_in(login)
            elif response.status == 403:
                raise await self._forbidden(methods)
            elif response.status == 503:
                pause = next(pauses, None)
                if pause is None:
                    raise busy()
                await asyncio.sleep(pause)
            elif response.status in {200, 404, 500}:
                self.last_answer = self._clock()
                await self._note_accepted(login)
                return response
            else:
                raise self._strange(response)

    async def _ask(self, request: bytes, limit: int) -> Response:
        """Send a request and return what comes; once more when the connection had died idle."""
        lost = 0
        while True:
            sent = self._clock()
            try:
                pipeline = await self._pick()
                sent = self._clock()
                return await self._send(pipeline, request, limit)
            except Unanswered as unanswered:
                if self._is_closed:
                    raise connection_lost() from None
                if unanswered.is_orderly:
                    continue
                lost += 1
                if lost > 1 and unanswered.was_fresh:
                    raise await self._explained(connection_lost()) from None
                if lost > 1 or self._clock() - sent > RETRY_WITHIN:
                    raise connection_lost() from None
            except NotHttp:
                raise await self._explained(bad_reply("no HTTP")) from None
            except ReplyTooLong as too_long:
                raise reply_too_big(too_long.limit) from None
            except HttpViolation as violation:
                raise bad_reply(str(violation)) from None

    async def _send(self, pipeline: Pipeline, request: bytes, limit: int) -> Response:
        answer = pipeline.send(request, limit)
        try:
            await pipeline.drain()
            return await answer
        except asyncio.CancelledError:
            # Whoever asked has gone, or has waited too long: what is still to come is in the way.
            if not answer.cancel() and not answer.cancelled():
                answer.exception()  # nobody else will look at it
            pipeline.retire()
            raise

    async def _pick(self) -> Pipeline:
        """Return the connection for the next request, a new one where that is better."""
        async with self._opening:
            if self._is_closed:
                raise connection_lost()
            self._drop_stale()
            usable = [each for each in self._pipelines if each.is_usable]
            best = min(usable, key=lambda each: each.in_flight, default=None)
            if best is not None and (best.in_flight < 2 or len(self._pipelines) >= self._channels):
                return best
            if len(self._pipelines) >= self._channels:
                # All of them wait for answers that nobody wants: the oldest makes room.
                self._pipelines[0].abort()
                self._forget(self._pipelines[:1])
            pipeline = Pipeline(await self._opened(), self._clock)
            self._pipelines.append(pipeline)
            return pipeline

    async def _opened(self) -> ByteStream:
        channel = await self._open_channel()
        if self._is_closed:  # meanwhile: nobody would close this one
            channel.abort()
            raise connection_lost()
        return channel

    def _drop_stale(self) -> None:
        latest = self._clock() - IDLE_SECONDS
        for pipeline in self._pipelines:
            if not pipeline.in_flight and pipeline.idle_since <= latest:
                pipeline.abort()
        self._forget([each for each in self._pipelines if not each.is_open])

    def _forget(self, closed: Sequence[Pipeline]) -> None:
        received = sum(each.inbound_bytes for each in closed)
        sent = sum(each.outbound_bytes for each in closed)
        self._past_bytes = (self._past_bytes[0] + received, self._past_bytes[1] + sent)
        self._pipelines = [each for each in self._pipelines if each not in closed]

    # Login

    async def _first_login(self) -> bytes:
        """Find a login while a connection is made.

        A node that is off has no cookie; that its port is closed is the news then.
        """
        finding = asyncio.ensure_future(self._log_in(b""))
        try:
            await self._pick()
            return await finding
        finally:
            finding.cancel()
            await asyncio.gather(finding, return_exceptions=True)

    async def _log_in(self, refused: bytes) -> bytes:
        """Return another login than the one that was refused (b"": none was tried)."""
        async with self._renewing:
            current = self._credentials.header()
            if current and current != refused:
                return current  # somebody else was faster
            if not await self._credentials.refresh():
                raise self._credentials.refused()
            return self._credentials.header()

    async def _note_accepted(self, login: bytes) -> None:
        if login != self._accepted:
            self._accepted = login
            await self._credentials.accepted()

    async def _forbidden(self, methods: Sequence[str]) -> NodeProblem:
        """Tell a whitelist without these calls from a user who may do nothing."""
        name = " and ".join(methods)
        if self._accepted:
            return rpc_whitelist(name, self._credentials.user)
        for method in _HARMLESS:
            body = json_rpc.request(self._next_ids(1), method, [])
            request = post(self._host, self._credentials.header(), body)
            if (await self._ask(request, DEFAULT_LIMIT)).status in {200, 500}:
                return rpc_whitelist(name, self._credentials.user)
        return rpc_forbidden()

    async def _explained(self, otherwise: NodeProblem) -> NodeProblem:
        if self._explain is None:
            return otherwise
        return await self._explain() or otherwise

    def _strange(self, response: Response) -> NodeProblem:
        """Name a status that no call should have."""
        if response.status in {400, 413, 431}:
            return request_too_big(f"HTTP status {response.status}")
        if response.status == 405:
            return not_a_node(self._port, "HTTP status 405")
        return bad_reply(f"HTTP status {response.status}")

    def _unreadable(self, response: Response, malformed: json_rpc.Malformed) -> NodeProblem:
        if response.status != 200 and "json" not in response.content_type:
            return not_a_node(self._port, f"HTTP status {response.status}")
        return bad_reply(str(malformed))


def _check(methods: Sequence[str]) -> None:
    for method in methods:
        if method not in ALLOWED:
            raise ValueError(f"{method} is not a call that this program makes")
