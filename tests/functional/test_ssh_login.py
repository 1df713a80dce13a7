"""Logging in to a real sshd: which key is offered, what a person is asked, which way is taken."""

import asyncio
import logging
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.sshd import (
    Answers,
    MemoryStore,
    eventually,
    keygen,
    make_key,
    need,
    problem_of,
    running_sshd,
    tunnel_to,
)
from tests.functional.sshd_parts import Account
from tests.patience import PATIENCE
from wallet_gui.chain.bitcoind import ssh_keys
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.tunnel import (
    HostKeyQuestion,
    SecretKind,
    SecretQuestion,
    SshOptions,
    SshSecrets,
    Stage,
    connect,
)

PASSPHRASE = "correct horse"

pytestmark = pytest.mark.usefixtures("own_home")


@contextmanager
def agent_with(*keys: Path) -> Iterator[str]:
    """An ssh-agent of the test with these keys; gives its socket."""
    need("ssh-agent", "ssh-add")
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True)
    found = dict(re.findall(r"(SSH_\w+)=([^;]+);", started.stdout))
    try:
        for key in keys:
            subprocess.run(
                ["ssh-add", "-q", key], env={**os.environ, **found}, check=True, capture_output=True
            )
        yield found["SSH_AUTH_SOCK"]
    finally:
        os.kill(int(found["SSH_AGENT_PID"]), signal.SIGTERM)


# Keys


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_a_locked_key_asks_for_its_passphrase_until_it_fits(key_type: str) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = make_key(server.directory / "locked", key_type, PASSPHRASE)
            server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
            options = replace(server.options, key_path=str(key))
            answers, secrets = Answers(secrets=["wrong", PASSPHRASE]), SshSecrets()
            async with tunnel_to(server, options, answers, secrets=secrets):
                pass
            prompt = f"Passphrase of the key {key}"
            assert answers.asked == [
                SecretQuestion(SecretKind.PASSPHRASE, prompt),
                SecretQuestion(SecretKind.PASSPHRASE, prompt, is_retry=True),
            ]
            # A reconnect does not ask again.
            async with tunnel_to(server, options, answers, secrets=secrets):
                assert len(answers.asked) == 2
            assert PASSPHRASE not in repr(secrets)

    asyncio.run(scenario())


def test_the_passphrase_is_asked_for_only_if_the_server_takes_the_key() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = make_key(server.directory / "locked", passphrase=PASSPHRASE)
            answers = Answers(secrets=[PASSPHRASE])
            options = replace(server.options, key_path=str(key))
            problem = await problem_of(server, options, answers)
            assert problem.code is Code.AUTH_REFUSED
            assert answers.asked == []

    asyncio.run(scenario())


def test_an_old_format_that_hides_its_public_half_is_opened(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = tmp_path / "pem"
            keygen("-q", "-t", "rsa", "-b", "2048", "-m", "PEM", "-N", PASSPHRASE, "-f", key)
            public = key.with_suffix(".pub")
            server.authorized_keys.write_text(public.read_text())
            public.unlink()
            answers = Answers(secrets=["wrong", PASSPHRASE])
            async with tunnel_to(server, replace(server.options, key_path=str(key)), answers):
                assert len(answers.asked) == 2

    asyncio.run(scenario())


def test_the_agent_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            stranger = make_key(server.directory / "stranger", "rsa")
            with agent_with(stranger, server.key_path) as socket_path:
                monkeypatch.setenv("SSH_AUTH_SOCK", socket_path)
                options = SshOptions(use_user_config=False)
                async with tunnel_to(server, options) as tunnel:
                    assert tunnel.auth_method == "key from the agent"
                # The file is locked, but the agent has the same key open.
                keygen("-q", "-p", "-N", PASSPHRASE, "-f", server.key_path)
                options = replace(options, key_path=str(server.key_path))
                answers = Answers()
                async with tunnel_to(server, options, answers) as tunnel:
                    assert tunnel.auth_method == "key from the agent"
                assert answers.asked == []

    asyncio.run(scenario())


def test_an_agent_that_is_gone_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            monkeypatch.setenv("SSH_AUTH_SOCK", str(server.directory / "nothing"))
            options = SshOptions(key_path=str(server.key_path), use_user_config=False)
            async with tunnel_to(server, options) as tunnel:
                assert tunnel.auth_method.startswith("key file")

    asyncio.run(scenario())


def test_a_chosen_key_is_the_only_one_that_the_server_sees(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            stranger = make_key(server.directory / "stranger")
            with agent_with(server.key_path) as socket_path:
                monkeypatch.setenv("SSH_AUTH_SOCK", socket_path)
                options = SshOptions(key_path=str(stranger), use_user_config=False)
                problem = await problem_of(server, options)
                assert problem.code is Code.AUTH_REFUSED
                assert problem.fix is not None
                stranger_line = stranger.with_suffix(".pub").read_text()
                assert problem.fix.line == " ".join(stranger_line.split()[:2])

    asyncio.run(scenario())


def test_the_usual_key_files_are_tried(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            (own_home / ".ssh" / "id_ed25519").write_bytes(server.key_path.read_bytes())
            options = SshOptions(use_user_config=False)
            async with tunnel_to(server, options) as tunnel:
                assert tunnel.auth_method.endswith(".ssh/id_ed25519")

    asyncio.run(scenario())


def test_our_own_key_logs_in_and_the_usual_ones_are_left_alone(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            store = server.store()
            line = ssh_keys.make_key(store)
            assert ssh_keys.make_key(store) == line
            options = SshOptions(own_key=True, use_user_config=False)
            (own_home / ".ssh" / "id_ed25519").write_bytes(server.key_path.read_bytes())
            problem = await problem_of(server, options, store=store)
            assert problem.code is Code.AUTH_REFUSED
            assert problem.fix is not None
            assert line.text.startswith(problem.fix.line)
            server.authorized_keys.write_text(line.text + "\n")
            async with tunnel_to(server, options, store=store) as tunnel:
                assert tunnel.auth_method == "this wallet's own key"

    asyncio.run(scenario())


# Questions of the server


def test_a_password_is_asked_for_and_kept_for_a_reconnect() -> None:
    async def scenario() -> None:
        account = Account()
        async with running_sshd(
            account=account, PasswordAuthentication="yes", KbdInteractiveAuthentication="no"
        ) as server:
            options = SshOptions(use_agent=False, use_user_config=False)
            answers, secrets = Answers(secrets=["wrong", account.password]), SshSecrets()
            async with tunnel_to(server, options, answers, secrets=secrets) as tunnel:
                assert tunnel.auth_method == "password"
            prompt = f"Password of {account.name} on 127.0.0.1"
            assert answers.asked == [
                SecretQuestion(SecretKind.PASSWORD, prompt),
                SecretQuestion(SecretKind.PASSWORD, prompt, is_retry=True),
            ]
            async with tunnel_to(server, options, answers, secrets=secrets):
                assert len(answers.asked) == 2
            wrong = Answers(secrets=["a", "b", "c", "d"])
            problem = await problem_of(server, options, wrong)
            assert problem.code is Code.AUTH_REFUSED
            assert "what was answered" in problem.what_to_do
            assert len(wrong.asked) == 3

    asyncio.run(scenario())


def test_a_server_that_soon_has_enough_of_wrong_passwords() -> None:
    async def scenario() -> None:
        async with running_sshd(
            account=Account(), PasswordAuthentication="yes", MaxAuthTries=1
        ) as server:
            options = SshOptions(use_agent=False, use_user_config=False)
            problem = await problem_of(server, options, Answers(secrets=["a", "b", "c"]))
            assert problem.code is Code.AUTH_REFUSED

    asyncio.run(scenario())


def test_the_servers_own_question_is_put_after_the_key() -> None:
    async def scenario() -> None:
        account = Account()
        async with running_sshd(
            account=account, AuthenticationMethods="publickey,keyboard-interactive"
        ) as server:
            answers = Answers(secrets=[account.password])
            async with tunnel_to(server, answers=answers):
                pass  # the empty challenge that follows needs no answer
            assert answers.asked == [SecretQuestion(SecretKind.CHALLENGE, "Password:")]
            # The key is right: nobody is to look for the fault there.
            problem = await problem_of(server, answers=Answers(secrets=[None]))
            assert problem.code is Code.PROMPT_DECLINED
            problem = await problem_of(server, answers=Answers(secrets=["a", "b", "c"]))
            assert problem.code is Code.AUTH_REFUSED
            assert "key" not in problem.title
            assert problem.fix is None

    asyncio.run(scenario())


def test_an_answer_that_comes_after_the_server_hung_up_is_used_all_the_same() -> None:
    async def scenario() -> None:
        async with running_sshd(LoginGraceTime=2) as server:
            key = make_key(server.directory / "locked", passphrase=PASSPHRASE)
            server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
            # Longer than the server waits, and than a login may take.
            answers = Answers(secrets=[PASSPHRASE], delay=3.5)
            options = replace(server.options, key_path=str(key), login_timeout=3.0)
            async with tunnel_to(server, options, answers):
                assert len(answers.asked) == 1

    asyncio.run(scenario())


def test_an_answer_to_a_code_that_comes_too_late_is_not_waited_for() -> None:
    async def scenario() -> None:
        account = Account()
        async with running_sshd(account=account, LoginGraceTime=1) as server:
            answers = Answers(secrets=["123456"], delay=60)
            options = SshOptions(use_agent=False, use_user_config=False)
            async with asyncio.timeout(PATIENCE):
                problem = await problem_of(server, options, answers)
            assert problem.code is Code.PROMPT_DECLINED
            assert "did not wait" in problem.title

    asyncio.run(scenario())


def test_a_key_may_be_known_by_an_alias(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            public = server.known_hosts_line.split(" ", 1)[1]
            (own_home / ".ssh" / "config").write_text("Host *\n HostKeyAlias mybox\n")
            options = replace(server.options, use_user_config=True)
            answers = Answers()
            async with tunnel_to(server, options, answers, MemoryStore([f"mybox {public}"])):
                assert answers.asked == []
            other = make_key(server.directory / "other").with_suffix(".pub").read_text().split()
            store = MemoryStore([f"mybox {other[0]} {other[1]}"])
            problem = await problem_of(server, options, answers, store)
            assert problem.code is Code.HOST_KEY_CHANGED

    asyncio.run(scenario())


def test_taking_it_back_takes_the_question_back(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            key = make_key(server.directory / "locked", passphrase=PASSPHRASE)
            server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
            answers = Answers(secrets=[PASSPHRASE], delay=60)
            options = replace(server.options, key_path=str(key))
            task = asyncio.create_task(connect(server.target, options, answers, server.store()))
            await eventually(lambda: answers.asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not [each for each in left if "secret" in repr(each)]
            await eventually(lambda: not server.sessions())

    asyncio.run(scenario())


# Configuration


def test_an_alias_of_the_users_configuration(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            marker = own_home / "executed"
            (own_home / ".ssh" / "config").write_text(
                f'Match exec "touch {marker}"\n  Port 1\n'
                f"Host mynode\n  HostName 127.0.0.1\n  Port {server.port}\n"
                f"  User {server.user}\n  IdentityFile {server.key_path}\n"
                f"  LocalCommand touch {marker}\n  PermitLocalCommand yes\n"
                f"  KnownHostsCommand /usr/bin/touch {marker}\n  SomethingNew yes\n"
            )
            options = SshOptions(use_agent=False)
            async with tunnel_to(server, options, target=SshTarget("mynode")) as tunnel:
                assert tunnel.description == f"ssh {server.user}@mynode"
            assert not marker.exists()

    asyncio.run(scenario())


def test_a_proxy_command_is_refused_and_not_run(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            marker = own_home / "executed"
            (own_home / ".ssh" / "config").write_text(
                f"Host 127.0.0.1\n  ProxyCommand touch {marker}; nc %h %p\n"
            )
            problem = await problem_of(server, replace(server.options, use_user_config=True))
            assert problem.code is Code.SSH_FAILED
            assert "ProxyCommand" in str(problem)
            assert not marker.exists()

    asyncio.run(scenario())


def test_through_two_other_machines(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as first, running_sshd() as second, running_sshd() as node:
            (own_home / ".ssh" / "id_ed25519").write_bytes(first.key_path.read_bytes())
            (own_home / ".ssh" / "config").write_text(
                f"Host outer\n  HostName 127.0.0.1\n  Port {first.port}\n"
                f"Host inner\n  HostName 127.0.0.1\n  Port {second.port}\n"
                f"  IdentityFile {second.key_path}\n"
                f"Host node\n  HostName 127.0.0.1\n  Port {node.port}\n  ProxyJump outer,inner\n"
            )
            options = SshOptions(key_path=str(node.key_path), use_agent=False)
            store, answers, stages = MemoryStore(), Answers(), list[Stage]()
            tunnel = await connect(
                SshTarget("node"), options, answers, store, on_stage=stages.append
            )
            assert stages == list(Stage)
            assert await tunnel.forced_output() == b""
            # Each machine is asked about by itself, in the order of the way.
            ports = [each.port for each in answers.asked if isinstance(each, HostKeyQuestion)]
            assert ports == [first.port, second.port, node.port]
            assert "direct-tcpip" in first.log
            assert "direct-tcpip" in second.log
            # One in between falls: the tunnel is lost.
            second.kill_sessions()
            async with asyncio.timeout(PATIENCE):
                assert (await tunnel.wait_lost()).code is Code.CONNECTION_LOST
            await tunnel.close()
            await eventually(lambda: not first.sessions())

    asyncio.run(scenario())


# Secrets


def test_no_secret_and_no_machine_is_written_to_a_log(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        account = Account()
        async with running_sshd(account=account, PasswordAuthentication="yes") as server:
            key = make_key(server.directory / "locked", passphrase=PASSPHRASE)
            (server.directory / "authorized_keys").write_text(key.with_suffix(".pub").read_text())
            caplog.set_level(logging.DEBUG)
            options = replace(server.options, key_path=str(key))
            secrets = SshSecrets()
            async with tunnel_to(
                server, options, Answers(secrets=["hunter1", PASSPHRASE]), secrets=secrets
            ) as tunnel:
                await tunnel.read_file("/etc/hostname")
            options = SshOptions(use_agent=False, use_user_config=False)
            async with tunnel_to(
                server, options, Answers(secrets=[account.password]), secrets=secrets
            ):
                pass
            for secret in (PASSPHRASE, "hunter1", account.password, "127.0.0.1", account.name):
                assert secret not in caplog.text
                assert secret not in repr(secrets)

    asyncio.run(scenario())
