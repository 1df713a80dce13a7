"""HTTP/1.1 as a client of bitcoind needs it: one kind of request, and responses from any bytes.

Source: RFC 9112. No socket and no clock: the same bytes give the same responses however they are
split. Everything is bounded before it is stored, for what answers may not be bitcoind at all.
"""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

HEADER_LIMIT: Final = 16 * 1024
_CHUNK_LINE_LIMIT: Final = 256
_MAX_HEADERS: Final = 64
_PREFIX: Final = b"HTTP/"

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")
_SIZE = re.compile(rb"[0-9]{1,12}")
_CHUNK = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")


class HttpViolation(Exception):
    """The bytes are no answer to our request; the message says why, without quoting them."""


class NotHttp(HttpViolation):
    """What answers speaks another protocol altogether."""


class ReplyTooLong(HttpViolation):
    """The body exceeds what the caller allows for it."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body has more than {limit} bytes.")
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer; `is_last`: the server closes the connection after it."""

    status: int
    body: bytes
    content_type: str = ""
    is_last: bool = False


def post(host: str, authorization: bytes, body: bytes) -> bytes:
    """Return the bytes of a JSON request; `authorization` is the header's whole value."""
    head = (
        b"POST / HTTP/1.1\r\n"
        b"Host: %s\r\n"
        b"Authorization: %s\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n"
        b"\r\n"
    ) % (host.encode("ascii"), authorization, len(body))
    return head + body


def get(host: str) -> bytes:
    """Return a request that bitcoind's RPC answers with 405: it tells what listens on a port."""
    return b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host.encode("ascii")


class ResponseReader:
    """Turns bytes into the responses to pipelined requests, in order.

    `expect` announces a request and the longest body that its answer may have.
    """

    def __init__(self) -> None:
        self._limits: deque[int] = deque()
        self._buffer = bytearray()
        self._head: _Head | None = None
        self._body = bytearray()
        self._chunk = _Chunk.SIZE
        self._chunk_left = 0
        self._trailers = 0
        self._is_over = False

    @property
    def expected(self) -> int:
        """How many responses are still to come."""
        return len(self._limits)

    @property
    def has_begun(self) -> bool:
        """Whether bytes of the next response were received."""
        return bool(self._buffer) or self._head is not None

    def expect(self, limit: int) -> None:
        self._limits.append(limit)

    def receive(self, data: bytes) -> Iterator[Response]:
        """Take received bytes; give the responses that they complete, one by one.

        Raises HttpViolation, after which nothing more can be read from this connection; what came
        before it is given out first.
        """
        self._buffer += data
        while (response := self._next()) is not None:
            yield response

    def end(self) -> Response | None:
        """Note that the server closed; a body without a length ends by that.

        Returns None when nothing had begun. Raises HttpViolation when an answer was cut off.
        """
        if not self.has_begun:
            return None
        if self._head is not None and self._head.is_until_end:
            return self._complete(self._head)
        raise HttpViolation("The answer was cut off.")

    def _next(self) -> Response | None:
        head = self._head or self._read_head()
        if head is None:
            return None
        if head.is_chunked:
            while self._chunk is not _Chunk.OVER:
                if not self._read_chunk():
                    return None
            return self._complete(head)
        if head.is_until_end:
            self._take(len(self._buffer))
            return None
        self._take(head.length - len(self._body))
        return self._complete(head) if len(self._body) == head.length else None

    def _read_head(self) -> "_Head | None":
        if not self._buffer:
            return None
        if self._is_over or not self._limits:
            raise HttpViolation("The server answers more than it was asked.")
        start = bytes(self._buffer[: len(_PREFIX)])
        if not _PREFIX.startswith(start) and not start.startswith(_PREFIX):
            raise NotHttp("The answer is not HTTP.")
        end = self._buffer.find(b"\r\n\r\n", 0, HEADER_LIMIT + 4)
        if end < 0:
            if len(self._buffer) >= HEADER_LIMIT + 4:
                raise HttpViolation("The answer's header is too long.")
            return None
        head = _Head.parse(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        if head.length > self._limits[0]:
            raise ReplyTooLong(self._limits[0])
        self._head = head
        return head

    def _take(self, count: int) -> None:
        """Move up to `count` received bytes into the body."""
        if not count:
            return
        if len(self._body) + min(count, len(self._buffer)) > self._limits[0]:
            raise ReplyTooLong(self._limits[0])
        self._body += memoryview(self._buffer)[:count]
        del self._buffer[:count]

    def _read_chunk(self) -> bool:
        """Read the next part of a chunked body; return whether it was there."""
        if self._chunk is _Chunk.DATA:
            before = len(self._body)
            self._take(self._chunk_left)
            self._chunk_left -= len(self._body) - before
            if self._chunk_left:
                return False
            self._chunk = _Chunk.END
            return True
        line = self._line(self._chunk.line_limit)
        if line is None:
            return False
        if self._chunk is _Chunk.SIZE:
            match = _CHUNK.fullmatch(line)
            if match is None:
                raise HttpViolation("The answer has a malformed chunk.")
            self._chunk_left = int(match.group(1), 16)
            self._chunk = _Chunk.DATA if self._chunk_left else _Chunk.TRAILER
        elif self._chunk is _Chunk.END:
            self._chunk = _Chunk.SIZE
        elif not line:
            self._chunk = _Chunk.OVER
        else:
            self._trailers += 1
            if self._trailers > _MAX_HEADERS or _HEADER.fullmatch(line) is None:
                raise HttpViolation("The answer ends with a malformed header.")
        return True

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\r\n", 0, limit + 2)
        if end < 0:
            if len(self._buffer) >= limit + 2:
                raise HttpViolation("The answer has a line that is too long.")
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line

    def _complete(self, head: "_Head") -> Response:
        self._is_over = head.is_last
        response = Response(head.status, bytes(self._body), head.content_type, head.is_last)
        self._limits.popleft()
        self._head = None
        self._body = bytearray()
        self._chunk = _Chunk.SIZE
        self._trailers = 0
        return response


class _Chunk(Enum):
    """What comes next in a chunked body, and how long that line may be."""

    SIZE = "size"
    DATA = "data"
    END = "end"
    TRAILER = "trailer"
    OVER = "over"

    @property
    def line_limit(self) -> int:
        return {_Chunk.END: 0, _Chunk.TRAILER: HEADER_LIMIT}.get(self, _CHUNK_LINE_LIMIT)


@dataclass(frozen=True, slots=True)
class _Head:
    status: int
    length: int
    is_chunked: bool
    is_until_end: bool
    is_last: bool
    content_type: str

    @classmethod
    def parse(cls, raw: bytes) -> "_Head":
        lines = raw.split(b"\r\n")
        status = _STATUS.fullmatch(lines[0])
        if status is None:
            raise HttpViolation("The answer's first line is malformed.")
        number = int(status.group(2))
        if number < 200:
            raise HttpViolation("The answer is an interim one, which nobody asked for.")
        headers = _headers(lines[1:])
        codings = headers.get(b"transfer-encoding")
        lengths = headers.get(b"content-length")
        if codings is not None and (lengths is not None or codings.lower() != b"chunked"):
            raise HttpViolation("The answer's length is ambiguous.")
        if lengths is not None and _SIZE.fullmatch(lengths) is None:
            raise HttpViolation("The answer's length is malformed.")
        has_no_body = number in {204, 304}
        is_until_end = codings is None and lengths is None and not has_no_body
        connection = headers.get(b"connection", b"").lower()
        stays_open = b"keep-alive" in connection if status.group(1) == b"0" else True
        return cls(
            status=number,
            length=0 if has_no_body or lengths is None else int(lengths),
            is_chunked=codings is not None and not has_no_body,
            is_until_end=is_until_end,
            is_last=is_until_end or not stays_open or b"close" in connection,
            content_type=headers.get(b"content-type", b"").decode("latin-1").lower(),
        )


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    """Read header lines; a length or coding given twice differently makes the answer ambiguous."""
    if len(lines) > _MAX_HEADERS:
        raise HttpViolation("The answer has too many headers.")
    headers: dict[bytes, bytes] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise HttpViolation("The answer has a malformed header.")
        name, value = match.group(1).lower(), match.group(2)
        if headers.setdefault(name, value) != value and name in _SINGLE:
            raise HttpViolation("The answer's length is ambiguous.")
    return headers


_SINGLE: Final = frozenset({b"content-length", b"transfer-encoding"})
