"""How a tunnel of a real sshd ends, whatever it is used for at that moment."""

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from tests.functional.echo import echoing
from tests.functional.sshd import Answers, Sshd, eventually, running_sshd, tunnel_to
from tests.hostile.proxy import Side, between
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import ssh_tunnel
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.ssh_tunnel import SshTunnel
from wallet_gui.chain.bitcoind.tunnel import connect


def test_killed_in_the_middle_of_a_request() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port, tunnel_to(server) as tunnel:
            channel = await tunnel.open_channel("127.0.0.1", port)
            idle = await tunnel.open_channel("127.0.0.1", port)
            waiting = asyncio.create_task(channel.readexactly(5))
            lost = asyncio.create_task(tunnel.wait_lost())
            await asyncio.sleep(0.05)
            assert not lost.done()
            server.kill_sessions()
            async with asyncio.timeout(2):
                with pytest.raises(asyncio.IncompleteReadError):
                    await waiting
                assert (await lost).code is Code.CONNECTION_LOST
                assert not (await lost).is_final
            # Use after the loss.
            for each in (channel, idle):
                each.write(b"late")
                with pytest.raises(NodeProblem) as caught:
                    await each.drain()
                assert caught.value.code is Code.CONNECTION_LOST
            for attempt in (
                tunnel.open_channel("127.0.0.1", port),
                tunnel.read_file("/etc/hostname"),
                tunnel.forced_output(),
            ):
                with pytest.raises(NodeProblem) as caught:
                    await attempt
                assert caught.value.code is Code.CONNECTION_LOST
            # The server itself is still there.
            async with tunnel_to(server) as again:
                assert await again.forced_output() == b""

    asyncio.run(scenario())


def test_the_server_is_stopped_while_a_file_is_read() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            await tunnel.read_file("/etc/hostname")
            server.freeze_sessions()
            reading = asyncio.create_task(tunnel.read_file("/etc/hostname"))
            await asyncio.sleep(0.05)
            await server.stop()
            with pytest.raises(NodeProblem) as caught:
                await reading
            assert caught.value.code is Code.CONNECTION_LOST

    asyncio.run(scenario())


@pytest.mark.alone
def test_a_line_that_goes_dead_is_noticed() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, between(server.port) as middle:
            middle.is_raw = True
            options = replace(server.options, keepalive_interval=0.2, keepalive_count=3)
            target = SshTarget("127.0.0.1", middle.port, server.user)
            tunnel = await connect(target, options, Answers(), server.store())
            lost = asyncio.create_task(tunnel.wait_lost())
            await asyncio.sleep(1.5)  # idle, and alive
            assert not lost.done()
            middle.tamper = swallow
            started = asyncio.get_running_loop().time()
            async with asyncio.timeout(5):
                problem = await lost
            assert problem.code is Code.KEEPALIVE_LOST
            assert not problem.is_final
            assert 0.4 < asyncio.get_running_loop().time() - started < 2.0
            await tunnel.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("has_files", [True, False])
@pytest.mark.parametrize("what", ["file", "command", "channel"])
def test_used_between_its_end_and_the_word_of_it(what: str, *, has_files: bool) -> None:
    """The library opens nothing any more by then, and has not said yet that it is over."""

    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            assert isinstance(tunnel, SshTunnel)
            if has_files:
                await tunnel.read_file("/etc/hostname")
            else:
                await eventually(tunnel._warming.done)
                tunnel._sftp = None
            tunnel._connection._force_close(asyncssh.ConnectionLost("The line was cut"))
            assert not tunnel._connection.is_closed()
            attempts: dict[str, Callable[[], Awaitable[object]]] = {
                "file": lambda: tunnel.read_file("/etc/hostname"),
                "command": tunnel.forced_output,
                "channel": lambda: tunnel.open_channel("127.0.0.1", server.port),
            }
            with pytest.raises(NodeProblem) as caught:
                await attempts[what]()
            assert caught.value.code is Code.CONNECTION_LOST
            assert not caught.value.is_final
            assert caught.value.detail == "The line was cut"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "error", [PermissionError(1, "Operation not permitted"), TimeoutError(110, "Timed out")]
)
def test_a_socket_that_fails_is_no_fault_of_a_file(error: OSError) -> None:
    """A firewall, or a line that is dead: errors that a file may have, too."""

    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            assert isinstance(tunnel, SshTunnel)
            await tunnel.read_file("/etc/hostname")
            server.freeze_sessions()
            attempts = [
                asyncio.ensure_future(tunnel.read_file("/etc/hostname")),
                asyncio.ensure_future(tunnel.forced_output()),
                asyncio.ensure_future(tunnel.open_channel("127.0.0.1", server.port)),
            ]
            await asyncio.sleep(0.05)
            tunnel._connection.connection_lost(error)
            for attempt in attempts:
                with pytest.raises(NodeProblem) as caught:
                    await attempt
                assert caught.value.code is Code.CONNECTION_LOST
                assert not caught.value.is_final

    asyncio.run(scenario())


def test_a_session_for_files_that_was_ended_is_opened_again() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            assert await tunnel.read_file("/etc/hostname")
            for _ in range(2):
                os.kill(server.sessions()[-1], signal.SIGKILL)  # the last is sftp's own process
                assert await tunnel.read_file("/etc/hostname")
            with pytest.raises(FileNotFoundError):
                await tunnel.read_file("/etc/no such file")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("ending", "gives"),
    [
        ("kill -9 $PPID", None),  # the connection's own process: half of a cookie is none
        ("kill -9 $$", b"__cookie__:0123"),  # the command alone: asked once more, it is whole
    ],
)
def test_a_command_that_is_broken_off_gives_no_half_of_a_cookie(
    tmp_path: Path, ending: str, gives: bytes | None
) -> None:
    command = tmp_path / "cookie"
    was = tmp_path / "was"
    command.write_text(
        f"#!/bin/sh\nif [ -e {was} ]; then printf __cookie__:0123; exit; fi\n"
        f"touch {was}\nprintf __cookie__:01\n{ending}\nsleep 5\n"
    )
    was.touch()
    command.chmod(0o755)

    async def scenario() -> None:
        async with (
            running_sshd(ForceCommand=f"exec {command}") as server,
            tunnel_to(server) as tunnel,
        ):
            assert isinstance(tunnel, SshTunnel)
            await eventually(tunnel._warming.done)
            was.unlink()  # the session for files ran it, too
            if gives is not None:
                assert await tunnel.forced_output() == gives
                return
            with pytest.raises(NodeProblem) as caught:
                await tunnel.forced_output()
            assert caught.value.code is Code.CONNECTION_LOST

    asyncio.run(scenario())


@pytest.mark.parametrize("event", ["cancelled", "killed", "killed and cancelled"])
def test_broken_off_at_any_moment_nothing_is_left_over(event: str) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            await use_all_of_it(server)  # loads the library
            began = time.perf_counter()
            await use_all_of_it(server)
            whole = time.perf_counter() - began
            for step in range(12):
                task = asyncio.create_task(use_all_of_it(server))
                await asyncio.sleep(step / 11 * whole)
                if "killed" in event:
                    server.kill_sessions()
                if "cancelled" in event:
                    task.cancel()
                async with asyncio.timeout(PATIENCE):
                    (ending,) = await asyncio.gather(task, return_exceptions=True)
                if isinstance(ending, NodeProblem):
                    assert ending.code in {
                        Code.CONNECTION_LOST,
                        Code.SSH_TURNED_AWAY,
                        Code.NO_COMMON_ALGORITHM,  # killed while they agree
                    }
                    assert not ending.is_final
                else:
                    assert ending is None or isinstance(ending, asyncio.CancelledError)
            await eventually(lambda: not server.sessions())
            assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())


async def use_all_of_it(server: Sshd) -> None:
    """Log in, read a file, run the command, open a channel."""
    async with tunnel_to(server) as tunnel:
        assert await tunnel.read_file("/etc/hostname")
        assert await tunnel.forced_output() == b""
        channel = await tunnel.open_channel("127.0.0.1", server.port)
        assert (await channel.read(4)) in (b"SSH-", b"")


def test_closing_ends_everything_on_the_server() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port:
            async with tunnel_to(server) as tunnel:
                channel = await tunnel.open_channel("127.0.0.1", port)
                lost = asyncio.create_task(tunnel.wait_lost())
            await tunnel.close()
            assert (await lost).code is Code.CONNECTION_LOST
            assert await channel.read(1) == b""
            await eventually(lambda: not server.sessions())

    asyncio.run(scenario())


def swallow(side: Side, data: bytes) -> bytes:
    """A line on which nothing arrives any more."""
    del side, data
    return b""


@pytest.mark.parametrize("is_cancelled", [False, True])
def test_a_server_that_freezes_in_the_middle_of_a_file_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, *, is_cancelled: bool
) -> None:
    """Nor is it waited for when the reading is given up: it would have to close the file."""
    monkeypatch.setattr(ssh_tunnel, "FILE_SECONDS", 1.0)
    read = asyncssh.SFTPClientFile.read

    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            frozen = asyncio.Event()

            async def freeze_and_read(file: Any, *arguments: Any) -> Any:
                server.freeze_sessions()
                frozen.set()
                return await read(file, *arguments)

            await tunnel.read_file("/etc/hostname")
            monkeypatch.setattr(asyncssh.SFTPClientFile, "read", freeze_and_read)
            async with asyncio.timeout(20):
                reading = asyncio.ensure_future(tunnel.read_file("/etc/hostname"))
                await frozen.wait()
                if is_cancelled:
                    reading.cancel()
                await asyncio.wait([reading])
            assert reading.cancelled() is is_cancelled
            if not is_cancelled:
                with pytest.raises(NodeProblem) as caught:
                    await reading
                assert caught.value.code is Code.COOKIE_UNREADABLE

    asyncio.run(scenario())
