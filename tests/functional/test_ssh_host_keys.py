"""Who a real sshd is: known, unknown, changed, revoked or vouched for, before any login."""

import asyncio
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.functional.sshd import (
    Answers,
    MemoryStore,
    keygen,
    make_key,
    problem_of,
    running_sshd,
    tunnel_to,
)
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.tunnel import (
    HostKeyQuestion,
    Stage,
    connect,
)

pytestmark = pytest.mark.usefixtures("own_home")


# Who the server is


def test_a_new_server_is_asked_about_once_and_known_then() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            answers, store, stages = Answers(), MemoryStore(), list[Stage]()
            tunnel = await connect(
                server.target, server.options, answers, store, on_stage=stages.append
            )
            await tunnel.close()
            assert answers.asked == [
                HostKeyQuestion(
                    "127.0.0.1",
                    server.port,
                    "ssh-ed25519",
                    server.fingerprint(),
                    "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
                )
            ]
            assert store.lines == [server.known_hosts_line]
            assert stages == list(Stage)
            assert tunnel.host_key_fingerprint == server.fingerprint()
            assert tunnel.server_version.startswith("SSH-2.0-OpenSSH_")
            assert tunnel.description == f"ssh {server.user}@127.0.0.1"
            assert tunnel.auth_method == f"key file {server.key_path}"
            # The second time nobody is asked.
            async with tunnel_to(server, answers=answers, store=store):
                assert len(answers.asked) == 1

    asyncio.run(scenario())


def test_the_fingerprint_is_the_one_that_the_compare_command_prints() -> None:
    async def scenario() -> None:
        async with running_sshd(host_keys=["ecdsa"]) as server:
            answers = Answers(trusts=False)
            problem = await problem_of(server, answers=answers, store=MemoryStore())
            assert problem.code is Code.HOST_KEY_UNKNOWN
            assert problem.is_final
            question = answers.asked[0]
            assert isinstance(question, HostKeyQuestion)
            program, flag, path = question.compare_command.split()
            assert (program, flag) == ("ssh-keygen", "-lf")
            assert path.endswith("ssh_host_ecdsa_key.pub")
            printed = keygen(flag, server.directory / "host_ecdsa.pub")
            assert question.fingerprint == printed.split()[1]

    asyncio.run(scenario())


def test_a_server_that_is_not_trusted_is_not_logged_in_to() -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            store = MemoryStore()
            await problem_of(server, answers=Answers(trusts=False), store=store)
            assert store.lines == []
            await asyncio.sleep(0.1)
            assert "userauth-request" not in server.log

    asyncio.run(scenario())


def test_a_changed_key_ends_it_without_a_question_and_before_the_login() -> None:
    async def scenario() -> None:
        async with running_sshd(host_keys=["ed25519", "ecdsa"]) as server:
            store = MemoryStore()
            other = make_key(server.directory / "other")
            blob = other.with_suffix(".pub").read_text().split()[1]
            store.lines = [f"[127.0.0.1]:{server.port} ssh-ed25519 {blob}"]
            answers = Answers()
            problem = await problem_of(server, answers=answers, store=store)
            assert problem.code is Code.HOST_KEY_CHANGED
            assert problem.is_final
            assert "Nothing was sent to it" in str(problem)
            assert "in the settings" in problem.what_to_do
            assert problem.fix is None
            assert server.fingerprint() in str(problem)
            assert answers.asked == []
            assert "userauth-request" not in server.log

    asyncio.run(scenario())


def test_a_changed_key_in_the_users_own_file_comes_with_the_line_that_forgets_it(
    own_home: Path,
) -> None:
    """The settings cannot forget it: that file is only read."""

    async def scenario() -> None:
        async with running_sshd() as server:
            known = own_home / ".ssh" / "known_hosts"
            blob = make_key(server.directory / "other").with_suffix(".pub").read_text().split()[1]
            known.write_text(f"[127.0.0.1]:{server.port} ssh-ed25519 {blob}\n")
            options = replace(server.options, use_user_config=True)
            problem = await problem_of(server, options, Answers(), MemoryStore())
            assert problem.code is Code.HOST_KEY_CHANGED
            assert "with the command below" in problem.what_to_do
            assert problem.fix is not None
            program, *arguments = shlex.split(problem.fix.line)
            assert program == "ssh-keygen"
            keygen(*arguments)
            async with tunnel_to(server, options, answers := Answers(), MemoryStore()):
                assert len(answers.asked) == 1

    asyncio.run(scenario())


def test_a_key_of_another_type_is_no_way_around_a_known_one() -> None:
    async def scenario() -> None:
        async with running_sshd(host_keys=["ecdsa"]) as server:
            store = MemoryStore()
            other = make_key(server.directory / "other")
            blob = other.with_suffix(".pub").read_text().split()[1]
            store.lines = [f"[127.0.0.1]:{server.port} ssh-ed25519 {blob}"]
            problem = await problem_of(server, store=store)
            assert problem.code is Code.HOST_KEY_CHANGED

    asyncio.run(scenario())


@pytest.mark.parametrize("key_type", ["ed25519", "ecdsa", "rsa"])
def test_the_kind_of_key_is_asked_for_that_is_known(key_type: str) -> None:
    async def scenario() -> None:
        async with running_sshd(host_keys=["rsa", "ecdsa", "ed25519"]) as server:
            store, answers = MemoryStore([server.host_key_line(key_type)]), Answers()
            async with tunnel_to(server, store=store, answers=answers) as tunnel:
                assert tunnel.host_key_fingerprint == server.fingerprint(key_type)
            assert answers.asked == []

    asyncio.run(scenario())


def test_the_users_own_known_hosts_counts_hashed_names_too(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            known = own_home / ".ssh" / "known_hosts"
            known.write_text(f"{server.known_hosts_line}\n")
            keygen("-q", "-H", "-f", known)
            assert "127.0.0.1" not in known.read_text()
            known.write_text(f"# mine\nnonsense\n{known.read_text()}")
            before = known.read_bytes()
            options = replace(server.options, use_user_config=True)
            answers = Answers(trusts=False)
            async with tunnel_to(server, options, answers, MemoryStore()):
                assert answers.asked == []
            assert known.read_bytes() == before

    asyncio.run(scenario())


def test_a_revoked_key_is_refused_even_where_it_is_known_as_well(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            known = own_home / ".ssh" / "known_hosts"
            known.write_text(f"@revoked {server.known_hosts_line}\n")
            problem = await problem_of(server, replace(server.options, use_user_config=True))
            assert problem.code is Code.HOST_KEY_CHANGED
            assert "revoked" in str(problem)

    asyncio.run(scenario())


def test_a_certificate_of_a_known_authority_vouches_for_the_server(own_home: Path) -> None:
    async def scenario() -> None:
        async with running_sshd() as server:
            authority = make_key(server.directory / "authority")
            for name, principal in (("good", "127.0.0.1"), ("bad", "elsewhere")):
                host_key = server.directory / f"host_{name}"
                make_key(host_key)
                public = host_key.with_suffix(".pub")
                keygen("-q", "-s", authority, "-I", "id", "-h", "-n", principal, public)
            vouching = authority.with_suffix(".pub").read_text()
            (own_home / ".ssh" / "known_hosts").write_text(f"@cert-authority * {vouching}")
            for name in ("good", "bad"):
                async with running_sshd(
                    users_key=server.authorized_keys.read_text(),
                    host_keys=[],
                    HostKey=str(server.directory / f"host_{name}"),
                    HostCertificate=str(server.directory / f"host_{name}-cert.pub"),
                ) as certified:
                    options = replace(server.options, use_user_config=True)
                    answers = Answers()
                    if name == "good":
                        async with tunnel_to(certified, options, answers, MemoryStore()):
                            assert answers.asked == []
                    else:
                        problem = await problem_of(certified, options, answers, MemoryStore())
                        assert problem.code is Code.HOST_KEY_UNKNOWN
                        assert "certificate" in str(problem)

    asyncio.run(scenario())
