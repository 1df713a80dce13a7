"""Several HTTP requests in flight on one connection, answered in order.

Keeping two or more in flight hides the way there and back, and a pause of 40 ms that OpenSSH's
forwarding makes at answers of middling size.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from wallet_gui.chain.bitcoind.http import HttpViolation, Response, ResponseReader
from wallet_gui.chain.bitcoind.problems import NodeProblem

_READ_SIZE: Final = 256 * 1024


class ByteStream(Protocol):
    """What a pipeline needs of a channel; `read` gives b"" at the end."""

    async def read(self, count: int, /) -> bytes: ...
    def write(self, data: bytes, /) -> None: ...
    async def drain(self) -> None: ...
    def abort(self) -> None: ...


class Unanswered(Exception):
    """The connection ended before anything of this answer came: asking again is right.

    `was_fresh`: it never answered anything. `is_orderly`: we closed it ourselves, or the node did
    so as it had announced.
    """

    def __init__(self, *, was_fresh: bool, is_orderly: bool) -> None:
        super().__init__("no answer")
        self.was_fresh = was_fresh
        self.is_orderly = is_orderly


class Pipeline:
    """One connection; made on the loop, which it reads from until it ends or `abort` is called."""

    def __init__(self, stream: ByteStream, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._reader = ResponseReader()
        self._waiting: deque[asyncio.Future[Response]] = deque()
        self._is_open = True
        self._is_retired = False
        self._has_answered = False
        self.idle_since = clock()
        self.inbound_bytes = 0
        self.outbound_bytes = 0
        self._task = asyncio.get_running_loop().create_task(self._read())

    @property
    def in_flight(self) -> int:
        """Answers that are still to come, wanted or not."""
        return len(self._waiting)

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_usable(self) -> bool:
        """Whether a new request may go on it."""
        return self._is_open and not self._is_retired

    def send(self, data: bytes, limit: int) -> asyncio.Future[Response]:
        """Send a request, whose answer may have `limit` bytes.

        The future raises Unanswered or HttpViolation. Cancelling it leaves the connection in step:
        the answer is read and dropped.
        """
        if not self.is_usable:
            raise RuntimeError("the pipeline is closed")
        future: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        self._reader.expect(limit)
        self._stream.write(data)
        self.outbound_bytes += len(data)
        return future

    async def drain(self) -> None:
        """Wait until what was sent has left; a lost connection shows in the futures instead."""
        try:
            await self._stream.drain()
        except (OSError, NodeProblem):
            self._end(is_orderly=False)

    def retire(self) -> None:
        """Send nothing more on it: an answer that nobody wants any more blocks the way."""
        self._is_retired = True
        self._close_if_done()

    def abort(self) -> None:
        """Close at once; requests in flight end with Unanswered."""
        self._end(is_orderly=True)

    async def wait_closed(self) -> None:
        """Wait until nothing of it runs any more."""
        self.abort()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        try:
            while self._is_open:
                data = await self._stream.read(_READ_SIZE)
                if not data:
                    self._ended()
                    return
                self._received(data)
        except HttpViolation as violation:
            self._fail(violation)
        except (OSError, NodeProblem):
            self._end(is_orderly=False)

    def _received(self, data: bytes) -> None:
        self.inbound_bytes += len(data)
        for response in self._reader.receive(data):
            self._answer(response)

    def _answer(self, response: Response) -> None:
        self._has_answered = True
        future = self._waiting.popleft()
        if not future.done():
            future.set_result(response)
        self.idle_since = self._clock()
        if response.is_last:
            self._end(is_orderly=True)
        else:
            self._close_if_done()

    def _ended(self) -> None:
        """The other side has closed: a body without a length is complete by that."""
        response = self._reader.end()
        if response is not None:
            self._answer(response)
        self._end(is_orderly=False)

    def _fail(self, violation: HttpViolation) -> None:
        """Tell the one whose answer is wrong; the others know nothing yet and may ask again."""
        if self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(violation)
        self._end(is_orderly=False)

    def _close_if_done(self) -> None:
        if self._is_retired and not self._waiting:
            self._end(is_orderly=True)

    def _end(self, *, is_orderly: bool) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._stream.abort()
        while self._waiting:
            future = self._waiting.popleft()
            if not future.done():
                future.set_exception(
                    Unanswered(was_fresh=not self._has_answered, is_orderly=is_orderly)
                )
        if self._task is not asyncio.current_task():
            self._task.cancel()
