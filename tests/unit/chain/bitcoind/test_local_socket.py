"""The node on this computer: loopback sockets, files through the storage, nothing else."""

import asyncio
import contextlib
import os
from pathlib import Path

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.storage.ssh_files import SshFiles


def tunnel(root: Path) -> LocalTunnel:
    return LocalTunnel(SshFiles(root).read_local)


def test_bytes_go_both_ways_and_closing_ends_all(tmp_path: Path) -> None:
    async def scenario() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(1000):
                writer.write(data)
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        local = tunnel(tmp_path)
        for host in ("127.0.0.1", "localhost"):
            channel = await local.open_channel(host, port)
            channel.write(b"hello")
            assert await channel.readexactly(5) == b"hello"
        channel = await local.open_channel("127.0.0.1", port)
        ended: list[object] = []

        class Ending(asyncio.Protocol):
            def connection_lost(self, exc: Exception | None) -> None:
                ended.append(exc)

        channel.attach(Ending())
        lost = asyncio.create_task(local.wait_lost())
        await local.close()
        await local.close()
        assert (await lost).code is Code.CONNECTION_LOST
        await asyncio.sleep(0.05)
        assert ended == [None]  # one that was given away, too
        with pytest.raises(NodeProblem):
            await local.open_channel("127.0.0.1", port)
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_a_node_that_does_not_listen(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        with pytest.raises(NodeProblem) as caught:
            await tunnel(tmp_path).open_channel("127.0.0.1", port)
        assert caught.value.code is Code.NODE_REFUSED

    asyncio.run(scenario())


@pytest.mark.parametrize("host", ["192.168.1.5", "node.lan", "8.8.8.8", "0.0.0.0", "::", ""])  # noqa: S104 - refused
def test_no_other_machine_is_spoken_to_without_ssh(tmp_path: Path, host: str) -> None:
    async def scenario() -> None:
        with pytest.raises(NodeProblem) as caught:
            await tunnel(tmp_path).open_channel(host, 8332)
        assert "ssh://" in str(caught.value)
        assert caught.value.is_final

    asyncio.run(scenario())


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        local = tunnel(tmp_path)
        (tmp_path / "cookie").write_bytes(b"c" * 50)
        for path in (str(tmp_path / "cookie"), "~/cookie", "cookie"):
            assert await local.read_file(path) == b"c" * 50
        with pytest.raises(NodeProblem):
            await local.read_file("cookie", limit=49)
        with pytest.raises(FileNotFoundError):
            await local.read_file("nothing")
        with pytest.raises(NodeProblem):
            await local.read_file(str(tmp_path))
        with pytest.raises(NodeProblem):
            await local.read_file("a\x00b")
        assert await local.forced_output() == b""

    monkeypatch.setenv("HOME", str(tmp_path))
    asyncio.run(scenario())


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    def refuses(path: Path, limit: int) -> bytes:
        del limit
        raise PermissionError(13, os.strerror(13), str(path))

    async def scenario() -> None:
        with pytest.raises(PermissionError):
            await LocalTunnel(refuses).read_file(str(tmp_path))

    asyncio.run(scenario())


def test_closed_while_a_channel_opens_it_leaves_none(tmp_path: Path) -> None:
    async def scenario(after: int) -> bool:
        gone: list[bytes] = []

        async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                gone.append(await reader.read(1))
            writer.close()

        server = await asyncio.start_server(listen, "127.0.0.1", 0)
        local = tunnel(tmp_path)
        async with nothing_left(), asyncio.timeout(PATIENCE):
            port = server.sockets[0].getsockname()[1]
            opening = asyncio.ensure_future(local.open_channel("127.0.0.1", port))
            await turns(after)
            await local.close()
            await asyncio.wait([opening])
            server.close()
            await server.wait_closed()
            while asyncio.all_tasks() != {asyncio.current_task()}:  # noqa: ASYNC110 - the server tells nobody
                await asyncio.sleep(0.001)
        if (error := opening.exception()) is None:
            assert opening.result().is_closed
        else:
            assert isinstance(error, NodeProblem)
        return error is None

    assert not asyncio.run(scenario(1))
    for after in range(2, 12):
        asyncio.run(scenario(after))


def test_closing_waits_for_no_node_that_reads_nothing(tmp_path: Path) -> None:
    async def scenario() -> None:
        held = asyncio.Event()

        async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await held.wait()
            writer.close()

        server = await asyncio.start_server(deaf, "127.0.0.1", 0, limit=1)
        local = tunnel(tmp_path)
        channel = await local.open_channel("127.0.0.1", server.sockets[0].getsockname()[1])
        channel.write(b"x" * 50_000_000)
        await local.close()
        async with asyncio.timeout(20):
            await channel.wait_closed()
        held.set()
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())
