"""SSH servers that mean harm: what they say is plain text, what they ask for is not given.

A server of the SSH library with scripted answers stands in, because sshd cannot be made to lie.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncssh
import pytest

from tests.functional.sshd import Answers, MemoryStore
from wallet_gui.chain.bitcoind.known_hosts import HostKey
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel import SecretQuestion, SshOptions, SshSecrets, connect

OPTIONS = SshOptions(use_agent=False, use_user_config=False, login_timeout=3.0)
NASTY = "\x1b[31mPass\u202eword\x00\r\n\u2066<b>" + "x" * 5000
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")

Challenge = tuple[str, str, str, Sequence[tuple[str, bool]]]


class Script(asyncssh.SSHServer):
    """Asks what it likes; `rounds` are the challenges, the last one repeats for ever."""

    def __init__(self, rounds: Sequence[Challenge] = (), banner: str = "") -> None:
        self.rounds = list(rounds)
        self.banner = banner
        self.answers: list[Sequence[str]] = []
        self.connection: asyncssh.SSHServerConnection | None = None
        self.is_open = False

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self.connection = conn

    def begin_auth(self, username: str) -> bool:
        del username
        if self.banner and self.connection is not None:
            self.connection.send_auth_banner(self.banner)
        return not self.is_open

    def kbdint_auth_supported(self) -> bool:
        return bool(self.rounds)

    def get_kbdint_challenge(self, username: str, lang: str, submethods: str) -> Challenge | bool:
        del username, lang, submethods
        return self.rounds[0] if self.rounds else False

    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> Challenge | bool:
        del username
        self.answers.append(responses)
        if len(self.answers) < len(self.rounds):
            return self.rounds[len(self.answers)]
        return self.rounds[-1] if len(self.answers) < 2000 else False

    def password_auth_supported(self) -> bool:
        return False

    def public_key_auth_supported(self) -> bool:
        return False

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> Any:
        del dest_host, dest_port, orig_host, orig_port
        return True


@asynccontextmanager
async def serving(
    make: Callable[[], Script], **options: Any
) -> AsyncIterator[tuple[SshTarget, MemoryStore]]:
    server = await asyncssh.create_server(
        make, "127.0.0.1", 0, server_host_keys=[HOST_KEY], **options
    )
    port = server.sockets[0].getsockname()[1]
    key = HostKey.parse(HOST_KEY.export_public_key().decode())
    try:
        yield SshTarget("127.0.0.1", port, "me"), MemoryStore([f"[127.0.0.1]:{port} {key.text}"])
    finally:
        server.close()
        await server.wait_closed()


async def problem_with(script: Script, answers: Answers, **options: Any) -> NodeProblem:
    async with serving(lambda: script, **options) as (target, store):
        with pytest.raises(NodeProblem) as caught:
            await connect(target, OPTIONS, answers, store)
        return caught.value


def test_its_questions_and_banners_are_plain_text() -> None:
    async def scenario() -> None:
        script = Script([(NASTY, NASTY, "", [(NASTY, True)])], banner=NASTY)
        answers = Answers(secrets=[None])
        problem = await problem_with(script, answers)
        assert problem.code is Code.PROMPT_DECLINED
        (question,) = answers.asked
        assert isinstance(question, SecretQuestion)
        assert question.echo
        assert question.prompt.isprintable()
        assert len(question.prompt) <= 200
        assert "\u202e" not in question.prompt
        problem = await problem_with(Script(banner=NASTY), Answers())
        assert problem.code is Code.NO_KEY
        assert problem.detail.isprintable()
        assert "\u2066" not in problem.detail
        assert len(problem.detail) <= 400

    asyncio.run(scenario())


def test_a_question_without_words_is_still_a_question() -> None:
    async def scenario() -> None:
        answers = Answers(secrets=[None])
        await problem_with(Script([("", "", "", [("\u202e\x00", False)])]), answers)
        (question,) = answers.asked
        assert isinstance(question, SecretQuestion)
        assert question.prompt == "The server asks for an answer"

    asyncio.run(scenario())


def test_a_thousand_questions_at_once_are_not_put() -> None:
    async def scenario() -> None:
        answers = Answers(secrets=["x"] * 1000)
        problem = await problem_with(Script([("", "", "", [("again?", False)] * 1000)]), answers)
        assert problem.code in {Code.NO_KEY, Code.AUTH_REFUSED}
        assert answers.asked == []

    asyncio.run(scenario())


def test_empty_challenges_without_end_come_to_an_end() -> None:
    async def scenario() -> None:
        script, answers = Script([("", "wait", "", [])]), Answers()
        problem = await problem_with(script, answers)
        assert problem.code in {Code.SSH_SILENT, Code.AUTH_REFUSED, Code.NO_KEY}
        assert answers.asked == []

    asyncio.run(scenario())


def test_a_remembered_password_is_not_given_to_other_questions() -> None:
    async def scenario() -> None:
        secrets = SshSecrets()
        script = Script([("", "", "", [("Name of your first pet?", True), ("Password:", False)])])
        async with serving(lambda: script) as (target, store):
            secrets.passwords[f"me@127.0.0.1:{target.port}"] = "hunter2"
            answers = Answers(secrets=[None])
            with pytest.raises(NodeProblem):
                await connect(target, OPTIONS, answers, store, secrets=secrets)
            assert len(answers.asked) == 1
            assert script.answers == []

    asyncio.run(scenario())


def test_a_password_for_one_machine_is_not_given_to_another() -> None:
    async def scenario() -> None:
        secrets = SshSecrets()
        secrets.passwords["me@elsewhere:22"] = "hunter2"
        script = Script([("", "", "", [("Password:", False)])])
        async with serving(lambda: script) as (target, store):
            with pytest.raises(NodeProblem):
                await connect(target, OPTIONS, Answers(), store, secrets=secrets)
        assert script.answers == []
        assert secrets.passwords == {"me@elsewhere:22": "hunter2"}

    asyncio.run(scenario())


def test_it_gets_no_channel_to_this_computer() -> None:
    """Neither connections to our ports, nor our agent, nor our screen."""

    async def scenario() -> None:
        script = Script()
        script.is_open = True
        async with serving(lambda: script, allow_scp=False) as (target, store):
            tunnel = await connect(target, OPTIONS, Answers(), store)
            assert script.connection is not None
            listening = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
            port = listening.sockets[0].getsockname()[1]
            with pytest.raises(asyncssh.ChannelOpenError):
                await script.connection.create_connection(asyncssh.SSHTCPSession, "127.0.0.1", port)
            with pytest.raises(asyncssh.ChannelOpenError):
                await script.connection.open_agent_connection()
            listening.close()
            await listening.wait_closed()
            await tunnel.close()

    asyncio.run(scenario())


def test_files_and_output_without_end_are_cut() -> None:
    async def scenario() -> None:
        async def endless(process: asyncssh.SSHServerProcess[bytes]) -> None:
            try:
                while True:
                    process.stdout.write(b"x" * 65536)
                    await process.stdout.drain()
            except (OSError, asyncssh.Error):
                process.exit(0)

        class Endless(asyncssh.SFTPServer):
            def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
                del path, pflags, attrs
                return object()

            def read(self, file_obj: object, offset: int, size: int) -> bytes:
                del file_obj, offset
                return b"x" * size

            def close(self, file_obj: object) -> None:
                del file_obj

            def fstat(self, file_obj: object) -> asyncssh.SFTPAttrs:
                del file_obj
                return asyncssh.SFTPAttrs(size=1 << 60)

        script = Script()
        script.is_open = True
        async with serving(
            lambda: script,
            process_factory=endless,
            encoding=None,
            sftp_factory=Endless,
        ) as (target, store):
            tunnel = await connect(target, OPTIONS, Answers(), store)
            assert await tunnel.forced_output(1000) == b"x" * 1000
            with pytest.raises(NodeProblem) as caught:
                await tunnel.read_file(".cookie", 5000)
            assert caught.value.code is Code.COOKIE_UNREADABLE
            await tunnel.close()

    asyncio.run(scenario())
