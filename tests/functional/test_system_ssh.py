"""The system's own ssh as a tunnel: the same interface, the same sentences, against a real sshd."""

import asyncio
import contextlib
import getpass
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.echo import echoing
from tests.functional.sshd import (
    Answers,
    MemoryStore,
    Sshd,
    eventually,
    make_key,
    need,
    running_sshd,
)
from tests.functional.sshd_parts import parts
from tests.moments import turns
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import ssh_keys
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel import SshOptions, Stage, Tunnel, connect
from wallet_gui.storage.ssh_files import SshFiles

pytestmark = pytest.mark.usefixtures("own_home", "ssh")


@pytest.fixture
def ssh() -> None:
    need("ssh")


def options_of(server: Sshd) -> SshOptions:
    return replace(server.options, implementation="system")


def store_of(server: Sshd) -> SshFiles:
    store = SshFiles(server.directory / 'our "own" files 50%')
    store.trust(server.known_hosts_line)
    return store


@asynccontextmanager
async def tunnel_to(server: Sshd, options: SshOptions | None = None) -> AsyncIterator[Tunnel]:
    tunnel = await connect(
        server.target, options or options_of(server), Answers(), store_of(server)
    )
    try:
        yield tunnel
    finally:
        await tunnel.close()


PLAIN = SshOptions(implementation="system", use_user_config=False, use_agent=False)


async def problem_at(
    port: int,
    options: SshOptions | None = None,
    store: SshFiles | MemoryStore | None = None,
    host: str = "127.0.0.1",
) -> NodeProblem:
    wanted = options or PLAIN
    with pytest.raises(NodeProblem) as caught:
        await connect(SshTarget(host, port), wanted, Answers(), store or MemoryStore())
    return caught.value


def children() -> set[int]:
    """The programs that this process has started and that run still."""
    found = set()
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == "ssh":
                found.add(int(pid))
    return found


def test_bytes_and_files_come_through() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port:
            stages: list[Stage] = []
            tunnel = await connect(
                server.target,
                options_of(server),
                Answers(),
                store_of(server),
                on_stage=stages.append,
            )
            assert stages == list(Stage)
            assert tunnel.server_version.startswith("SSH-2.0-OpenSSH_")
            assert tunnel.host_key_fingerprint == server.fingerprint()
            assert tunnel.auth_method == "key, by the system's ssh"

            async def exchange() -> None:
                channel = await tunnel.open_channel("127.0.0.1", port)
                data = os.urandom(700_001)
                received = asyncio.create_task(channel.readexactly(len(data)))
                for start in range(0, len(data), 50_000):
                    channel.write(data[start : start + 50_000])
                    await channel.drain()
                assert await received == data
                channel.close()
                await channel.wait_closed()

            async with asyncio.timeout(PATIENCE):
                await asyncio.gather(exchange(), exchange())
            file = server.directory / "it's a file; touch x"
            file.write_bytes(bytes(range(256)) * 100)
            assert await tunnel.read_file(str(file)) == file.read_bytes()
            with pytest.raises(FileNotFoundError):
                await tunnel.read_file("~/no such file in this home")
            for path, limit in ((str(file), 1000), (str(server.directory), 65536)):
                with pytest.raises(NodeProblem) as caught:
                    await tunnel.read_file(path, limit)
                assert caught.value.code is Code.COOKIE_UNREADABLE
            assert await tunnel.forced_output() == b""
            await tunnel.open_channel("127.0.0.1", port)
            await tunnel.close()
            await eventually(lambda: not children())
            assert (await tunnel.wait_lost()).code is Code.CONNECTION_LOST
            with pytest.raises(NodeProblem):
                await tunnel.open_channel("127.0.0.1", port)

    asyncio.run(scenario())


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder whose path is short wherever those of the tests lie."""
    with tempfile.TemporaryDirectory(prefix="c") as name:
        yield Path(name)


def test_the_users_configuration_counts_but_opens_no_port(
    own_home: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alias behind another machine, with forwardings that ssh alone would listen for."""

    async def scenario() -> None:
        async with running_sshd() as outer, running_sshd() as server, echoing() as port:
            move_home(own_home, monkeypatch)
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                forward = probe.getsockname()[1]
            control = short / "control"  # a socket's path has 108 bytes at most
            (own_home / ".ssh" / "config").write_text(
                f"Host gate\n HostName 127.0.0.1\n Port {outer.port}\n"
                f" IdentityFile {outer.key_path}\n"
                f"Host mynode\n HostName 127.0.0.1\n Port {server.port}\n ProxyJump gate\n"
                f" IdentityFile {server.key_path}\n LocalForward {forward} 127.0.0.1:{port}\n"
                f" PermitLocalCommand yes\n LocalCommand touch {own_home}/executed\n"
                f"Host *\n User {server.user}\n"
                f" ControlMaster auto\n ControlPath {control}-%p\n"
            )
            known = own_home / ".ssh" / "known_hosts"
            known.write_text(f"{outer.known_hosts_line}\n{server.known_hosts_line}\n")
            options = SshOptions(implementation="system")
            tunnel = await connect(SshTarget("mynode"), options, Answers(), MemoryStore())
            assert tunnel.host_key_fingerprint == server.fingerprint()
            channel = await tunnel.open_channel("127.0.0.1", port)
            channel.write(b"x")
            assert await channel.readexactly(1) == b"x"
            assert "direct-tcpip" in outer.log
            with socket.socket() as probe:
                assert probe.connect_ex(("127.0.0.1", forward)) != 0
            assert not (short / f"control-{server.port}").exists()
            assert not (own_home / "executed").exists()
            with pytest.raises(NodeProblem) as caught:
                await tunnel.open_channel("127.0.0.1", forward)
            assert caught.value.code is Code.NODE_REFUSED
            await tunnel.close()

    asyncio.run(scenario())


def test_what_a_proxy_command_leaves_running_holds_up_no_end(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the standard error of ssh, which would be read to its end."""

    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port:
            move_home(own_home, monkeypatch)
            left = own_home / "left"
            (own_home / ".ssh" / "config").write_text(
                f"Host mynode\n HostName 127.0.0.1\n Port {server.port}\n User {server.user}\n"
                f" IdentityFile {server.key_path}\n"
                f" ProxyCommand sleep 600 >&2 & echo $! >> {left}; "
                f"exec ssh -i {server.key_path} -p {server.port} -W %h:%p {server.user}@127.0.0.1\n"
            )
            (own_home / ".ssh" / "known_hosts").write_text(f"{server.known_hosts_line}\n")
            options = SshOptions(implementation="system")
            try:
                async with asyncio.timeout(PATIENCE / 6):
                    target = SshTarget("mynode")
                    tunnel = await connect(target, options, Answers(), MemoryStore())
                    channel = await tunnel.open_channel("127.0.0.1", port)
                    channel.write(b"x")
                    assert await channel.readexactly(1) == b"x"
                    await tunnel.close()
            finally:
                for pid in left.read_text().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)

    asyncio.run(scenario())


def test_closed_while_a_channel_opens_it_leaves_no_program() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port:
            for after in (0, 1, 2, 3, 5, 10, 40):
                tunnel = await connect(
                    server.target, options_of(server), Answers(), store_of(server)
                )
                opening = asyncio.ensure_future(tunnel.open_channel("127.0.0.1", port))
                await turns(after)
                async with asyncio.timeout(PATIENCE):
                    await tunnel.close()
                    await asyncio.wait([opening])
                assert isinstance(opening.exception(), NodeProblem)
                await eventually(lambda: not children())

    asyncio.run(scenario())


def move_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenSSH asks the password file for the home, not $HOME."""
    wrapper = parts().get("libnss_wrapper.so")
    if wrapper is None:
        pytest.skip("nss_wrapper is not here (Debian: libnss-wrapper)")
    name = getpass.getuser()
    users = home / "passwd"
    users.write_text(f"{name}:x:{os.getuid()}:{os.getgid()}::{home}:/bin/sh\n")
    groups = home / "group"
    groups.write_text(f"{name}:x:{os.getgid()}:\n")
    monkeypatch.setenv("NSS_WRAPPER_PASSWD", str(users))
    monkeypatch.setenv("NSS_WRAPPER_GROUP", str(groups))
    monkeypatch.setenv("LD_PRELOAD", wrapper)


def test_killed_in_the_middle_of_a_request() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port, tunnel_to(server) as tunnel:
            channel = await tunnel.open_channel("127.0.0.1", port)
            waiting = asyncio.create_task(channel.readexactly(5))
            lost = asyncio.create_task(tunnel.wait_lost())
            await asyncio.sleep(0.05)
            assert not lost.done()
            server.kill_sessions()
            async with asyncio.timeout(PATIENCE):
                with pytest.raises(asyncio.IncompleteReadError):
                    await waiting
                assert (await lost).code is Code.CONNECTION_LOST
            with pytest.raises(NodeProblem) as caught:
                await channel.drain()
            assert caught.value.code is Code.CONNECTION_LOST
            assert not children()

    asyncio.run(scenario())


def test_a_node_that_closes_its_side_is_no_lost_tunnel() -> None:
    async def scenario() -> None:
        async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(1) + b" bye")
            writer.close()

        source = await asyncio.start_server(short, "127.0.0.1", 0)
        port = source.sockets[0].getsockname()[1]
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            lost = asyncio.create_task(tunnel.wait_lost())
            for _ in range(2):
                channel = await tunnel.open_channel("127.0.0.1", port)
                channel.write(b"x")
                assert await channel.read(100) == b"x bye"
                assert await channel.read(100) == b""
                await channel.wait_closed()
            assert not lost.done()
            lost.cancel()
        source.close()
        await source.wait_closed()

    asyncio.run(scenario())


def test_our_restricted_key() -> None:
    async def scenario() -> None:
        async with running_sshd() as server, echoing() as port, echoing() as other:
            cookie = server.directory / "cookie"
            cookie.write_text("__cookie__:0123")
            store = store_of(server)
            line = ssh_keys.authorized_line(ssh_keys.make_key(store), port, None, str(cookie))
            server.authorized_keys.write_text(line + "\n")
            options = SshOptions(
                own_key=True, implementation="system", use_agent=False, use_user_config=False
            )
            tunnel = await connect(server.target, options, Answers(), store)
            assert await tunnel.forced_output() == b"__cookie__:0123"
            channel = await tunnel.open_channel("127.0.0.1", port)
            channel.write(b"x")
            assert await channel.readexactly(1) == b"x"
            with pytest.raises(NodeProblem) as caught:
                await tunnel.open_channel("127.0.0.1", other)
            assert caught.value.code is Code.FORWARDING_REFUSED
            await tunnel.close()

    asyncio.run(scenario())


# Every row again


def test_ports_that_are_not_ssh(node_factory: NodeFactory) -> None:
    node = node_factory()
    old = node_factory("-v2transport=0")

    async def scenario() -> None:
        for port, code in (
            (node.rpc_port, Code.PORT_IS_RPC),
            (node.p2p_port, Code.PORT_IS_P2P),
            (old.p2p_port, Code.PORT_IS_P2P),
        ):
            problem = await problem_at(port)
            assert problem.code is code
            assert str(port) in problem.title

    asyncio.run(scenario())


def test_a_node_whose_noise_ssh_takes_for_the_beginning_of_a_line() -> None:
    """BIP324 lets a node begin with 64 bytes and up to 4095 more: at times ssh waits for an end."""

    async def scenario() -> None:
        async def noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            first = await reader.read(16)
            if len(first) == 16 and not first.startswith(b"GET"):
                writer.write(bytes(range(160, 224)))
            await reader.read()
            writer.close()

        server = await asyncio.start_server(noise, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        options = replace(PLAIN, connect_timeout=1.0)
        problem = await problem_at(port, options)
        assert problem.code is Code.PORT_IS_P2P
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_no_server_and_one_that_turns_away() -> None:
    async def scenario() -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            problem = await problem_at(unused.getsockname()[1])
        assert problem.code is Code.SSH_REFUSED

        async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.close()

        server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
        problem = await problem_at(server.sockets[0].getsockname()[1])
        assert problem.code is Code.SSH_TURNED_AWAY
        server.close()
        await server.wait_closed()

    asyncio.run(scenario())


def test_the_identity_of_the_server() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            options = options_of(server)
            empty = SshFiles(server.directory / "empty")
            problem = await problem_at(server.port, options, empty)
            assert problem.code is Code.HOST_KEY_UNKNOWN
            assert problem.is_final
            assert problem.fix is not None
            assert problem.fix.line == f"ssh -p {server.port} 127.0.0.1"
            assert server.fingerprint() in problem.what_to_do
            other = make_key(server.directory / "other").with_suffix(".pub").read_text().split()
            empty.trust(f"[127.0.0.1]:{server.port} {other[0]} {other[1]}")
            problem = await problem_at(server.port, options, empty)
            assert problem.code is Code.HOST_KEY_CHANGED
            assert problem.is_final
            assert server.fingerprint() in problem.what_to_do
            await asyncio.sleep(0.1)
            assert "userauth-request" not in server.log

    asyncio.run(scenario())


def test_keys_that_do_not_log_in() -> None:
    async def scenario() -> None:
        async with running_sshd(users_key="") as server:
            options, store = options_of(server), store_of(server)
            problem = await problem_at(server.port, options, store)
            assert problem.code is Code.AUTH_REFUSED
            assert problem.is_final
            locked = make_key(server.directory / "locked", passphrase="secret")
            for path, code in (
                (str(locked), Code.PASSPHRASE_NEEDED),
                (f"{locked}.pub", Code.KEY_IS_PUBLIC),
                (f"{locked}.missing", Code.KEY_FILE_MISSING),
            ):
                problem = await problem_at(server.port, replace(options, key_path=path), store)
                assert problem.code is code

    asyncio.run(scenario())


def test_no_algorithm_in_common() -> None:
    async def scenario() -> None:
        async with running_sshd(Ciphers="aes128-cbc") as server:
            problem = await problem_at(server.port, options_of(server), store_of(server))
            assert problem.code is Code.NO_COMMON_ALGORITHM

    asyncio.run(scenario())


def test_channels_that_do_not_open() -> None:
    async def scenario() -> None:
        async with running_sshd(AllowTcpForwarding="no") as server, tunnel_to(server) as tunnel:
            with pytest.raises(NodeProblem) as caught:
                await tunnel.open_channel("127.0.0.1", 8332)
            assert caught.value.code is Code.FORWARDING_REFUSED
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            with socket.socket() as unused:
                unused.bind(("127.0.0.1", 0))
                port = unused.getsockname()[1]
                with pytest.raises(NodeProblem) as caught:
                    await tunnel.open_channel("127.0.0.1", port)
            assert caught.value.code is Code.NODE_REFUSED
            assert not children()

    asyncio.run(scenario())


def test_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    problem = asyncio.run(problem_at(22))
    assert problem.code is Code.SSH_PROGRAM_MISSING


def test_a_node_through_the_systems_ssh(node: Node) -> None:
    async def scenario() -> None:
        async with running_sshd() as server, tunnel_to(server) as tunnel:
            cookie = node.directory / node.network / ".cookie"
            assert await tunnel.read_file(str(cookie)) == cookie.read_bytes()
            channel = await tunnel.open_channel("127.0.0.1", node.rpc_port)
            channel.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await channel.readexactly(12)) == b"HTTP/1.1 405"

    asyncio.run(scenario())
