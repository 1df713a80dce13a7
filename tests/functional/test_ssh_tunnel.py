"""What goes through a tunnel of a real sshd: bytes, files, the P2P protocol, and how it ends."""

import asyncio
import contextlib
import os
import time
from functools import partial
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.echo import echoing
from tests.functional.listening import listening
from tests.functional.sshd import Answers, MemoryStore, eventually, running_sshd, tunnel_to
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import ssh_keys
from wallet_gui.chain.bitcoind.port_kind import PortKind, port_kind
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import LocalNode
from wallet_gui.chain.bitcoind.tunnel import SshOptions, Tunnel, connect
from wallet_gui.chain.p2p.messages import GetHeaders, Headers, Ping, Pong
from wallet_gui.chain.p2p.peer import Connection
from wallet_gui.chain.p2p.protocol import Event, PeerProtocol
from wallet_gui.chain.p2p.transport import V1Transport
from wallet_gui.chain.p2p.transport_v2 import V2Transport
from wallet_gui.primitives.params import REGTEST

TCP_LISTEN = "0A"


# Bytes


def test_a_lot_of_bytes_come_through_unchanged_on_several_channels() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port, tunnel_to(server) as tunnel:

            async def exchange(seed: int) -> None:
                channel = await tunnel.open_channel("127.0.0.1", port)
                data = os.urandom(1_000_000) + bytes([seed])
                received = asyncio.create_task(channel.readexactly(len(data)))
                for start in range(0, len(data), 70_000):
                    channel.write(data[start : start + 70_000])
                    await channel.drain()
                assert await received == data
                channel.close()
                await channel.wait_closed()
                assert channel.is_closed
                assert await channel.read(1) == b""

            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(*(exchange(seed) for seed in range(4)))

    asyncio.run(scenario())


def test_an_unread_channel_does_not_fill_the_memory() -> None:
    async def scenario() -> None:
        async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            del reader
            sent = 0
            try:
                while sent < 200_000_000:
                    writer.write(bytes(100_000))
                    await asyncio.wait_for(writer.drain(), 2)
                    sent += 100_000
            except (TimeoutError, ConnectionError):
                pass
            amounts.append(sent)
            writer.transport.abort()

        amounts: list[int] = []
        source = await asyncio.start_server(flood, "127.0.0.1", 0)
        port = source.sockets[0].getsockname()[1]
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            await tunnel.open_channel("127.0.0.1", port)
            await eventually(lambda: amounts)
            assert amounts[0] < 40_000_000
        source.close()
        await source.wait_closed()

    asyncio.run(scenario())


@pytest.mark.alone
def test_replies_of_middling_size_do_not_wait() -> None:
    """Sshd sends small packets late (40 ms) to a connection on which nothing was ever run."""

    async def scenario() -> None:
        async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while await reader.readexactly(1):
                    writer.write(bytes(80_000))
                    await writer.drain()
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                writer.close()

        node = await asyncio.start_server(reply, "127.0.0.1", 0)
        port = node.sockets[0].getsockname()[1]
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            await eventually(lambda: "subsystem: internal-sftp" in server.log)
            channel = await tunnel.open_channel("127.0.0.1", port)
            times = []
            for _ in range(20):
                began = time.perf_counter()
                channel.write(b"x")
                await channel.readexactly(80_000)
                times.append(time.perf_counter() - began)
            assert sorted(times)[5] < 0.03
        node.close()
        await node.wait_closed()

    asyncio.run(scenario())


def test_files_come_over_sftp() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            file = server.directory / "a file"
            file.write_bytes(os.urandom(50_000))
            assert await tunnel.read_file(str(file)) == file.read_bytes()
            with pytest.raises(NodeProblem) as caught:
                await tunnel.read_file(str(file), limit=49_999)
            assert caught.value.code is Code.COOKIE_UNREADABLE
            with pytest.raises(FileNotFoundError):
                await tunnel.read_file(str(server.directory / "nothing"))
            with pytest.raises(FileNotFoundError):
                await tunnel.read_file("~/no such file in this home")
            with pytest.raises(NodeProblem):
                await tunnel.read_file(str(server.directory))
            assert await tunnel.forced_output() == b""

    asyncio.run(scenario())


def test_a_server_without_sftp() -> None:
    async def scenario() -> None:
        async with (
            running_sshd(Subsystem="sftp /nowhere/sftp-server") as server,
            tunnel_to(server) as tunnel,
        ):
            with pytest.raises(PermissionError):
                await tunnel.read_file("/etc/hostname")

    asyncio.run(scenario())


# The node through the tunnel


@pytest.mark.parametrize("v2", [False, True])
def test_the_p2p_protocol_runs_through_a_channel(node: Node, *, v2: bool) -> None:
    node.mine(5)
    node.rpc("syncwithvalidationinterfacequeue")  # its greeting tells the new height then

    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            await speak_p2p(tunnel, node, v2=v2)

    asyncio.run(scenario())


@pytest.mark.parametrize("v2", [False, True])
def test_the_p2p_protocol_runs_to_a_node_on_this_computer(node: Node, *, v2: bool) -> None:
    node.mine(5)
    node.rpc("syncwithvalidationinterfacequeue")  # its greeting tells the new height then

    async def scenario() -> None:
        tunnel = await connect(LocalNode(node.rpc_port), SshOptions(), Answers(), MemoryStore())
        await speak_p2p(tunnel, node, v2=v2)
        await tunnel.close()

    asyncio.run(scenario())


def test_what_answers_on_a_port_behind_the_tunnel(node: Node) -> None:
    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            for port, kind in (
                (node.rpc_port, PortKind.RPC),
                (node.p2p_port, PortKind.P2P),
                (server.port, PortKind.SSH),
            ):
                opener = partial(tunnel.open_channel, "127.0.0.1", port)
                assert (await port_kind(opener)).kind is kind

    asyncio.run(scenario())


def test_nothing_listens_and_nothing_is_started() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port:
            before = listening()
            assert len(before) == 1, "the echo is seen, so a port of ours would be"
            started = children()
            async with tunnel_to(server) as tunnel:
                channels = [await tunnel.open_channel("127.0.0.1", port) for _ in range(4)]
                await tunnel.read_file("/etc/hostname")
                await tunnel.forced_output()
                assert listening() == before
                assert children() == started
                for channel in channels:
                    channel.close()

    asyncio.run(scenario())


def children() -> str:
    """The process ids of the programs that this process has started."""
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text()


# The key that may do one thing


def test_the_restricted_line_lets_through_what_it_says_and_nothing_else(tmp_path: Path) -> None:
    async def scenario() -> None:
        cookie = tmp_path / 'it\'s a "cookie" $HOME'
        cookie.write_text("__cookie__:0123")
        async with running_sshd() as server, echoing() as rpc, echoing() as p2p, echoing() as other:
            store = server.store()
            public = ssh_keys.make_key(store)
            line = ssh_keys.authorized_line(public, rpc, p2p, str(cookie))
            server.authorized_keys.write_text(line + "\n")
            options = SshOptions(own_key=True, use_agent=False, use_user_config=False)
            tunnel = await connect(server.target, options, Answers(), store)
            for port in (rpc, p2p):
                channel = await tunnel.open_channel("127.0.0.1", port)
                channel.write(b"x")
                assert await channel.readexactly(1) == b"x"
            for host, port in (("127.0.0.1", other), ("localhost", rpc), ("127.0.0.1", 22)):
                with pytest.raises(NodeProblem) as caught:
                    await tunnel.open_channel(host, port)
                assert caught.value.code is Code.FORWARDING_REFUSED
            assert await tunnel.forced_output() == b"__cookie__:0123"
            with pytest.raises(PermissionError):
                await tunnel.read_file(str(cookie))
            await tunnel.close()
            # Whatever the key is used for, the server prints the cookie and nothing else happens.
            key = tmp_path / "key"
            key.write_bytes(store.private or b"")
            key.chmod(0o600)
            marker = tmp_path / "marker"
            for command in ([], [f"touch {marker}"], ["id; cat /etc/passwd"], ["-s", "sftp"]):
                process = await asyncio.create_subprocess_exec(
                    *("ssh", "-F", "none", "-i", key, "-p", str(server.port)),
                    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
                    *("-o", "LogLevel=ERROR", "127.0.0.1", *command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                )
                output, _ = await process.communicate()
                assert output == b"__cookie__:0123"
            assert not marker.exists()

    asyncio.run(scenario())


def test_the_line_without_a_cookie_runs_nothing() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as rpc:
            store = server.store()
            line = ssh_keys.authorized_line(ssh_keys.make_key(store), rpc, None, None)
            server.authorized_keys.write_text(line + "\n")
            options = SshOptions(own_key=True, use_agent=False, use_user_config=False)
            tunnel = await connect(server.target, options, Answers(), store)
            await tunnel.open_channel("127.0.0.1", rpc)
            assert await tunnel.forced_output() == b""
            await tunnel.close()

    asyncio.run(scenario())


async def speak_p2p(tunnel: Tunnel, node: Node, *, v2: bool) -> None:
    """Shake hands with a node through a channel, and ask for its headers."""
    events: list[Event] = []
    transport = V2Transport(REGTEST.magic) if v2 else V1Transport(REGTEST.magic)
    protocol = PeerProtocol(transport, nonce=5, unix_time=int(time.time()))
    connection = Connection(protocol, on_events=events.extend, on_progress=lambda: None)
    channel = await tunnel.open_channel("127.0.0.1", node.p2p_port)
    line = channel.attach(connection)
    async with asyncio.timeout(PATIENCE), contextlib.AsyncExitStack() as leaving:
        leaving.callback(connection.hang_up)
        ready = await connection.handshake
        assert ready.version.start_height == 5
        assert connection.transport_name == ("v2" if v2 else "v1")
        connection.begin()
        protocol.send(GetHeaders((REGTEST.genesis_hash,)))
        connection.flush()
        await eventually(lambda: [each for each in events if isinstance(each, Headers)])
        connection.pause(wanted=True)
        connection.pause(wanted=False)
        protocol.send(Ping(7))
        connection.flush()
        await eventually(lambda: Pong(7) in events)
        connection.hang_up()
        await connection.closed
    assert line.is_closing()
    assert connection.received_bytes > 400
