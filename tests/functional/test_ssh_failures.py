"""Every row of what can go wrong with SSH, made by the real sshd and bitcoind, in its words.

Stand-ins: a scripted server where sshd cannot be made to behave so (silence; a hang-up before the
first word, as fail2ban does it), and the name service, because no test may ask one.
"""

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.sshd import Answers, MemoryStore, Sshd, make_key, running_sshd
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel import SshOptions, connect

pytestmark = pytest.mark.usefixtures("own_home")

PLAIN = SshOptions(use_agent=False, use_user_config=False)


async def problem_at(
    port: int,
    options: SshOptions = PLAIN,
    *,
    host: str = "127.0.0.1",
    user: str | None = None,
    answers: Answers | None = None,
    store: MemoryStore | None = None,
) -> NodeProblem:
    target = SshTarget(host, port, user)
    with pytest.raises(NodeProblem) as caught:
        await connect(target, options, answers or Answers(), store or MemoryStore())
    problem = caught.value
    assert problem.title.endswith((".", "?")), problem.title
    assert str(problem) == f"{problem.title} {problem.what_to_do}".strip()
    return problem


async def problem_with(
    server: Sshd, options: SshOptions | None = None, answers: Answers | None = None
) -> NodeProblem:
    return await problem_at(
        server.port, options or server.options, answers=answers, store=server.store()
    )


@asynccontextmanager
async def serving(
    talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[Any]],
) -> AsyncIterator[int]:
    """A scripted server; gives its port."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# The way to the machine


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async def no_name(*_: object, **__: object) -> list[Any]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", no_name)
        problem = await problem_at(22, host="mynode.lokal")
        assert problem.code is Code.HOST_UNKNOWN
        assert problem.title == "There is no machine called mynode.lokal."
        assert "spelling" in problem.what_to_do
        assert "Name or service not known" in problem.detail
        assert not problem.is_final  # the network may come back

    asyncio.run(scenario())


def test_nothing_listens() -> None:
    async def scenario() -> None:
        port = free_port()
        problem = await problem_at(port)
        assert problem.code is Code.SSH_REFUSED
        assert problem.title == f"127.0.0.1 is there, but nothing listens on port {port}."
        assert problem.what_to_do == "SSH is usually 22."
        assert not problem.is_final

    asyncio.run(scenario())


def test_no_answer_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        # A full queue that nobody accepts from: the next one hangs like behind a firewall.
        with socket.socket() as listening, contextlib.ExitStack() as stack:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            place = listening.getsockname()
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    filler.connect(place)
            problem = await problem_at(place[1], replace(PLAIN, connect_timeout=0.5))
            assert problem.code is Code.SSH_SILENT
            assert problem.title.startswith("No answer from 127.0.0.1 in ")
            assert "firewall" in problem.what_to_do

    asyncio.run(scenario())


def test_no_way_to_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async def unreachable(*_: object) -> None:
            raise OSError(113, "No route to host")

        monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", unreachable)
        problem = await problem_at(22, host="127.0.0.77")
        assert problem.code is Code.HOST_UNREACHABLE
        assert "switched on" in problem.what_to_do

    asyncio.run(scenario())


def test_a_server_that_says_nothing() -> None:
    async def scenario() -> None:
        async with serving(lambda reader, _: reader.read()) as port:
            problem = await problem_at(port, replace(PLAIN, login_timeout=3.0))
            assert problem.code is Code.SSH_SILENT
            assert problem.title == "No answer from 127.0.0.1 in 3 seconds."

    asyncio.run(scenario())


def test_a_server_that_stops_in_the_middle_of_the_login() -> None:
    async def scenario() -> None:
        async def introduce(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"SSH-2.0-OpenSSH_9.2p1\r\n")
            await reader.read()

        async with serving(introduce) as port:
            problem = await problem_at(port, replace(PLAIN, login_timeout=1.0))
            assert problem.code is Code.SSH_SILENT
            assert "did not finish the login" in problem.title

    asyncio.run(scenario())


# Ports of the node


def test_the_rpc_port(node: Node) -> None:
    async def scenario() -> None:
        problem = await problem_at(node.rpc_port)
        assert problem.code is Code.PORT_IS_RPC
        assert problem.title.startswith(f"Port {node.rpc_port} of 127.0.0.1 is the node's RPC port")
        assert problem.fix is not None
        assert problem.fix.line == "22"
        assert problem.is_final

    asyncio.run(scenario())


@pytest.mark.parametrize("version", [1, 2])
def test_the_p2p_port(node_factory: NodeFactory, version: int) -> None:
    node = node_factory(f"-v2transport={version - 1}")

    async def scenario() -> None:
        problem = await problem_at(node.p2p_port)
        assert problem.code is Code.PORT_IS_P2P
        assert f"Port {node.p2p_port} of 127.0.0.1 is the node's P2P port" in problem.title
        assert problem.is_final

    asyncio.run(scenario())


def test_a_web_server() -> None:
    async def scenario() -> None:
        async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n<html>")

        async with serving(page) as port:
            problem = await problem_at(port, replace(PLAIN, login_timeout=5.0))
            assert problem.code is Code.NOT_SSH

    asyncio.run(scenario())


def test_bytes_that_no_server_sends() -> None:
    for nonsense in (
        b"SSH-2.0-\xff\xfe\r\n",
        b"SSH-1.5-old\r\n",
        b"SSH-2.0-" + b"x" * 5000 + b"\r\n",
        b"a line\n" * 5000,
        b"x" * 100_000,
        b"SSH-2.0-x\r\n" + bytes(range(256)) * 40,
        b"SSH-2.0-x\r\n\x00\x00\x00\x0c\x0a\x14" + bytes(10),
    ):

        async def scenario(nonsense: bytes = nonsense) -> None:
            async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                writer.write(nonsense)
                await reader.read(65536)

            async with serving(talk) as port:
                problem = await problem_at(port, replace(PLAIN, login_timeout=3.0))
                assert problem.code in {
                    Code.NOT_SSH,
                    Code.SSH_FAILED,
                    Code.SSH_SILENT,
                    Code.SSH_TURNED_AWAY,
                    Code.CONNECTION_LOST,
                    Code.NO_COMMON_ALGORITHM,
                }
                assert problem.detail.isprintable()

        asyncio.run(scenario())


# Turned away


def test_turned_away_before_the_first_word() -> None:
    """As fail2ban and full machines do it."""

    async def scenario() -> None:
        # Newer servers say a word about it.
        for words in (b"", b"Exceeded MaxStartups\r\n", b"Not allowed at this time\r\n"):

            async def hang_up(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, words: bytes = words
            ) -> None:
                del reader
                writer.write(words)
                writer.close()

            async with serving(hang_up) as port:
                problem = await problem_at(port)
                assert problem.code is Code.SSH_TURNED_AWAY
                assert problem.title == "127.0.0.1 is turning connections away for now."
                assert not problem.is_final

    asyncio.run(scenario())


def test_too_many_connections_at_once() -> None:
    async def scenario() -> None:
        async with running_sshd(MaxStartups=1) as server:
            _, waiting = await asyncio.open_connection("127.0.0.1", server.port)
            try:
                problem = await problem_with(server)
                assert problem.code is Code.SSH_TURNED_AWAY
            finally:
                waiting.close()
                await waiting.wait_closed()

    asyncio.run(scenario())


# Login


def test_a_key_that_the_server_does_not_know() -> None:
    async def scenario() -> None:
        async with running_sshd(users_key="") as server:
            problem = await problem_with(server)
            assert problem.code is Code.AUTH_REFUSED
            assert problem.title == f"127.0.0.1 does not accept this key for user {server.user}."
            assert problem.fix is not None
            assert server.public_line.startswith(problem.fix.line)
            assert "key file" in problem.detail
            assert problem.is_final

    asyncio.run(scenario())


def test_a_user_who_is_not_there() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            problem = await problem_at(
                server.port, server.options, user="nobodyhere", store=server.store()
            )
            assert problem.code is Code.AUTH_REFUSED
            assert "nobodyhere" in problem.title

    asyncio.run(scenario())


def test_neither_a_key_nor_an_agent() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            problem = await problem_with(server, SshOptions(use_user_config=False))
            assert problem.code is Code.NO_KEY
            assert problem.title == "No SSH key is chosen and no agent with keys is running."
            assert problem.is_final

    asyncio.run(scenario())


def test_a_key_file_that_is_not_there() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            path = str(server.directory / "nothing")
            problem = await problem_with(server, replace(server.options, key_path=path))
            assert problem.code is Code.KEY_FILE_MISSING
            assert path in problem.title

    asyncio.run(scenario())


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_the_public_half(key_type: str) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = make_key(server.directory / "chosen", key_type)
            public = str(key.with_suffix(".pub"))
            problem = await problem_with(server, replace(server.options, key_path=public))
            assert problem.code is Code.KEY_IS_PUBLIC
            assert problem.title == f"{public} is the public half of a key."
            assert problem.fix is not None
            assert problem.fix.line == str(key)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", bytes(range(256))]
)
def test_a_file_that_is_no_key(content: bytes) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            path = server.directory / "chosen"
            path.write_bytes(content)
            problem = await problem_with(server, replace(server.options, key_path=str(path)))
            assert problem.code is Code.KEY_UNREADABLE

    asyncio.run(scenario())


def test_a_key_that_lives_on_a_security_key() -> None:
    def string(data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + data

    name = b"sk-ssh-ed25519@openssh.com"
    blob = string(name) + string(bytes(range(32))) + string(b"ssh:")
    raw = b"openssh-key-v1\0" + string(b"none") * 2 + string(b"") + b"\0\0\0\1"
    text = base64.encodebytes(raw + string(blob) + string(bytes(96))).decode()

    async def scenario() -> None:
        async with running_sshd() as server:
            path = server.directory / "hardware"
            path.write_text(
                f"-----BEGIN OPENSSH PRIVATE KEY-----\n{text}-----END OPENSSH PRIVATE KEY-----\n"
            )
            problem = await problem_with(server, replace(server.options, key_path=str(path)))
            assert problem.code is Code.KEY_UNREADABLE
            assert "security key" in problem.title

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("secrets", "code"),
    [
        ([None], Code.PASSPHRASE_NEEDED),
        (["wrong", None], Code.PASSPHRASE_NEEDED),
        (["wrong", "Wrong", "WRONG"], Code.PASSPHRASE_WRONG),
    ],
)
def test_a_passphrase_that_is_not_given_or_wrong(secrets: list[str | None], code: Code) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = make_key(server.directory / "locked", passphrase="right")
            server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
            problem = await problem_with(
                server, replace(server.options, key_path=str(key)), Answers(secrets=[*secrets])
            )
            assert problem.code is code
            assert str(key) in problem.title
            assert problem.is_final
            assert "rong" not in repr(problem.__dict__).replace("PASSPHRASE_WRONG", "").replace(
                "passphrase wrong", ""
            )

    asyncio.run(scenario())


def test_no_algorithm_in_common() -> None:
    async def scenario() -> None:
        lines: list[dict[str, Any]] = [
            {"KexAlgorithms": "diffie-hellman-group1-sha1"},
            {"Ciphers": "aes128-cbc"},
            {"MACs": "hmac-md5", "Ciphers": "aes128-ctr"},
        ]
        for line in lines:
            async with running_sshd(**line) as server:
                problem = await problem_at(server.port, server.options)
                assert problem.code is Code.NO_COMMON_ALGORITHM, line
                assert "too old" in str(problem)
                # Both sides notice; where the server hangs up first, it gives no reason.
                assert problem.is_final == ("hung up" not in problem.title)
        # Here only the server notices.
        async with running_sshd(host_keys=["rsa"], HostKeyAlgorithms="ssh-rsa") as server:
            problem = await problem_at(server.port, server.options)
            assert problem.code is Code.NO_COMMON_ALGORITHM
            assert "too old" in problem.what_to_do

    asyncio.run(scenario())


# After the login


@pytest.mark.parametrize(
    "line",
    [
        {"AllowTcpForwarding": "no"},
        {"AllowTcpForwarding": "remote"},
        {"DisableForwarding": "yes"},
        {"PermitOpen": "127.0.0.1:9"},
        {"users_key": "no-port-forwarding"},
        {"users_key": "restrict"},
        {"users_key": 'permitopen="127.0.0.1:9"'},
    ],
)
def test_forwarding_is_forbidden(line: dict[str, str]) -> None:
    async def scenario() -> None:
        lines = dict(line)
        option = lines.pop("users_key", "")
        async with running_sshd(**lines) as server:  # type: ignore[arg-type]
            server.authorized_keys.write_text(f"{option} {server.public_line}\n".lstrip())
            tunnel = await connect(server.target, server.options, Answers(), server.store())
            with pytest.raises(NodeProblem) as caught:
                await tunnel.open_channel("127.0.0.1", 8332)
            await tunnel.close()
            problem = caught.value
            assert problem.code is Code.FORWARDING_REFUSED
            assert problem.title == "127.0.0.1 lets us in, but not through to 127.0.0.1:8332."
            assert problem.fix is not None
            assert problem.fix.line == "AllowTcpForwarding local"
            assert problem.is_final

    asyncio.run(scenario())


def test_the_node_does_not_listen() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            tunnel = await connect(server.target, server.options, Answers(), server.store())
            port = free_port()
            with pytest.raises(NodeProblem) as caught:
                await tunnel.open_channel("127.0.0.1", port)
            await tunnel.close()
            assert caught.value.code is Code.NODE_REFUSED
            assert f"127.0.0.1:{port}" in caught.value.title
            assert "server=1" in caught.value.what_to_do
            assert not caught.value.is_final

    asyncio.run(scenario())
