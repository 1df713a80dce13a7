import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from wallet_gui.app.node_rpc import ALLOWED, NodeRefused, NodeRpc

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"


def ask(tmp_path: Path, answer: bytes, call: Callable[[NodeRpc], Awaitable[Any]]) -> Any:
    """Run `call` against a server that gives this answer; returns (result, what was sent)."""
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:secret")
    sent = bytearray()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while b"}" not in sent:
            sent.extend(await reader.read(65536))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def run() -> Any:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await call(NodeRpc(cookie, port))

    return asyncio.run(run()), bytes(sent)


def test_amounts_stay_decimal(tmp_path: Path) -> None:
    answer = OK + b'{"result": 0.10000001, "error": null, "id": 0}'
    result, sent = ask(tmp_path, answer, lambda rpc: rpc.call("getbalance", wallet="bank"))
    assert result == Decimal("0.10000001")
    assert isinstance(result, Decimal)
    assert sent.startswith(b"POST /wallet/bank HTTP/1.1\r\n")
    assert b"Authorization: Basic X19jb29raWVfXzpzZWNyZXQ=\r\n" in sent
    assert b'"method": "getbalance"' in sent


def test_refusal_keeps_its_number(tmp_path: Path) -> None:
    answer = (
        b"HTTP/1.1 500 Internal Server Error\r\n\r\n"
        b'{"result": null, "error": {"code": -5, "message": "Invalid address"}, "id": 0}'
    )
    with pytest.raises(NodeRefused, match="Invalid address") as raised:
        ask(tmp_path, answer, lambda rpc: rpc.call("sendtoaddress", "nonsense", "1"))
    assert raised.value.code == -5


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 401 Unauthorized\r\n\r\n", OK + b'{"result": 1', b"SSH-2.0-OpenSSH\r\n"],
)
def test_what_is_no_answer_is_an_os_error(tmp_path: Path, answer: bytes) -> None:
    with pytest.raises(OSError, match="bitcoind"):
        ask(tmp_path, answer, lambda rpc: rpc.call("getblockcount"))


def test_silence_ends(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("__cookie__:secret")

    async def run() -> None:
        done = asyncio.Event()

        async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await done.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            rpc = NodeRpc(cookie, server.sockets[0].getsockname()[1])
            with pytest.raises(TimeoutError):
                await rpc.call("getblockcount", seconds=0.05)
            done.set()

    asyncio.run(run())


@pytest.mark.parametrize("method", ["dumpprivkey", "importdescriptors", "getrawtransaction", ""])
def test_other_calls_never_leave(tmp_path: Path, method: str) -> None:
    assert method not in ALLOWED
    rpc = NodeRpc(tmp_path / "no cookie is looked for", 1)
    with pytest.raises(ValueError, match="never calls"):
        asyncio.run(rpc.call(method))


def test_missing_cookie_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        asyncio.run(NodeRpc(tmp_path / ".cookie", 1).call("getblockcount"))
