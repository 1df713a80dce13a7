"""The playground's own line to its bitcoind: JSON over loopback HTTP, and few calls allowed.

It shares nothing with the client that speaks to a person's real node: this one may mine and pay.
"""

import asyncio
import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
ALLOWED = frozenset(
    {
        "createwallet",
        "generatetoaddress",
        "getbalance",
        "getblockcount",
        "getnewaddress",
        "listwallets",
        "loadwallet",
        "sendtoaddress",
        "stop",
    }
)
_LARGEST_ANSWER = 4_000_000


class NodeRefused(Exception):
    """bitcoind answered with an error; `code` is its number (Core's rpc/protocol.h)."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class NodeRpc:
    """Calls to one bitcoind, with the cookie that it writes at each start."""

    def __init__(self, cookie: Path, port: int) -> None:
        self._cookie = cookie
        self._port = port

    async def call(
        self, method: str, *parameters: Any, wallet: str = "", seconds: float = 30.0
    ) -> Any:
        """Return the result; numbers with a point come back as Decimal.

        Raises NodeRefused with bitcoind's words, OSError (TimeoutError included) when it cannot be
        reached or does not answer in time or in HTTP.
        """
        if method not in ALLOWED:
            raise ValueError(f"the playground never calls {method}")
        # Read each time: a restarted bitcoind has written another.
        cookie = await asyncio.to_thread(self._cookie.read_bytes)
        body = json.dumps({"id": 0, "method": method, "params": parameters}).encode()
        head = (
            f"POST {'/wallet/' + wallet if wallet else '/'} HTTP/1.1\r\n"
            f"Host: {HOST}\r\n"
            f"Authorization: Basic {base64.b64encode(cookie).decode('ascii')}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "Connection: close\r\n\r\n"
        )
        async with asyncio.timeout(seconds):
            answer = await self._exchange(head.encode("ascii") + body)
        return _result(answer)

    async def _exchange(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(HOST, self._port, limit=_LARGEST_ANSWER)
        try:
            writer.write(request)
            await writer.drain()
            return await reader.read(-1)
        finally:
            writer.close()


def _result(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    # An error has a JSON body too; a busy or refusing server has none.
    if not body.startswith(b"{"):
        status = head.split(b"\r\n", 1)[0].decode("ascii", "replace")
        raise ConnectionError(f"bitcoind answered {status!r}")
    try:
        values = json.loads(body, parse_float=Decimal)
    except ValueError as error:
        raise ConnectionError("bitcoind's answer broke off") from error
    if values["error"] is not None:
        raise NodeRefused(values["error"]["code"], values["error"]["message"])
    return values["result"]
