"""Plays for table C.1: what goes wrong on the way, brought about by a real sshd."""

import asyncio
import contextlib
import errno
import getpass
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from tests.functional.doctor_rows import Rig, case, in_thread
from tests.functional.sshd import Answers, MemoryStore, Sshd, make_key
from tests.functional.sshd_parts import Account
from wallet_gui.chain.bitcoind import steps
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.steps import Report
from wallet_gui.chain.bitcoind.tunnel import SecretKind, SecretQuestion, SshOptions

PLAIN = SshOptions(use_agent=False, use_user_config=False)


def quick(rig: Rig, **changes: Any) -> SshOptions:
    """Options with a key of their own and little patience."""
    path = rig.tmp_path / "key"
    if not path.exists():
        make_key(path)
    return replace(PLAIN, key_path=str(path), connect_timeout=0.4, login_timeout=1.0, **changes)


def locked_key(rig: Rig, server: Sshd) -> Path:
    """A key that the server accepts and that has a passphrase."""
    key = make_key(rig.tmp_path / "locked", passphrase="correct horse")
    server.authorized_keys.write_text(key.with_suffix(".pub").read_text())
    return key


@case("host name unknown", Code.HOST_UNKNOWN, steps.MACHINE, "mynode.invalid", stand_in=True)
async def no_such_name(rig: Rig) -> Report:
    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    rig.monkeypatch.setattr(socket, "getaddrinfo", unknown)
    target = SshTarget("mynode.invalid", None, "ada")
    rig.private |= {"mynode.invalid", "ada"}
    return await rig.examine(target, rig.options(quick(rig)))


@case("SSH port closed", Code.SSH_REFUSED, steps.SSH, "nothing listens on port", "22")
async def nobody_listens(rig: Rig) -> Report:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        return await rig.examine(SshTarget("127.0.0.1", port), rig.options(quick(rig)))


@case("unreachable", Code.HOST_UNREACHABLE, steps.SSH, "no way to", "switched on")
async def no_route(rig: Rig) -> Report:
    # The broadcast address of the loopback network: the system says that TCP cannot go there.
    return await rig.examine(SshTarget("127.255.255.255", 22), rig.options(quick(rig)))


@case("silent", Code.SSH_SILENT, steps.SSH, "No answer", "firewall")
async def no_answer_to_tcp(rig: Rig) -> Report:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(8):  # whoever comes after these is left to wait, as behind a firewall
            knocking = stack.enter_context(socket.socket())
            knocking.setblocking(False)
            assert knocking.connect_ex(full.getsockname()) in {0, errno.EINPROGRESS}
        port = full.getsockname()[1]
        return await rig.examine(SshTarget("127.0.0.1", port), rig.options(quick(rig)))


@case("silent", Code.SSH_SILENT, steps.SSH, "No answer")
async def connects_and_says_nothing(rig: Rig) -> Report:
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        port = mute.getsockname()[1]
        return await rig.examine(SshTarget("127.0.0.1", port), rig.options(quick(rig)))


@case("that port is bitcoind RPC", Code.PORT_IS_RPC, steps.SSH, "RPC port", "SSH port", "22")
async def rpc_port_typed_for_ssh(rig: Rig) -> Report:
    target = SshTarget("127.0.0.1", rig.node.rpc_port)
    options = replace(quick(rig), login_timeout=10.0)
    return await rig.examine(target, rig.options(options))


@case("that port is bitcoind P2P", Code.PORT_IS_P2P, steps.SSH, "P2P port", "SSH port", "22")
async def p2p_port_of_a_v2_node_typed_for_ssh(rig: Rig) -> Report:
    target = SshTarget("127.0.0.1", rig.node.p2p_port)
    options = replace(quick(rig), login_timeout=10.0)
    return await rig.examine(target, rig.options(options))


@case("that port is bitcoind P2P", Code.PORT_IS_P2P, steps.SSH, "P2P port", "SSH port", "22")
async def p2p_port_of_a_v1_node_typed_for_ssh(rig: Rig) -> Report:
    node = await in_thread(lambda: rig.make_node("-v2transport=0"))
    options = replace(quick(rig), login_timeout=10.0)
    return await rig.examine(SshTarget("127.0.0.1", node.p2p_port), rig.options(options))


@case("MaxStartups / fail2ban", Code.SSH_TURNED_AWAY, steps.SSH, "turning connections away")
async def too_many_strangers(rig: Rig) -> Report:
    async with rig.sshd(MaxStartups="1:100:1") as server:
        with socket.create_connection((server.host, server.port)) as stranger:
            assert stranger.recv(64).startswith(b"SSH-")
            return await rig.through(server)


@case("MaxStartups / fail2ban", Code.SSH_TURNED_AWAY, steps.SSH, "fail2ban", stand_in=True)
async def hangs_up_at_once(rig: Rig) -> Report:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        return await rig.examine(SshTarget("127.0.0.1", port), rig.options(quick(rig)))
    finally:
        server.close()
        await server.wait_closed()


@case("host key unknown", Code.HOST_KEY_UNKNOWN, steps.IDENTITY, "SHA256:", "fingerprint")
async def the_person_says_no(rig: Rig) -> Report:
    async with rig.sshd() as server:
        store = MemoryStore()
        report = await rig.through(server, asker=Answers(trusts=False), store=store)
        assert store.lines == []
        assert report.results[2].problem is not None
        assert report.results[2].problem.fix is not None
        assert "ssh-keygen -lf" in report.results[2].problem.fix.line
        return report


@case("host key changed", Code.HOST_KEY_CHANGED, steps.IDENTITY, "another key", "forget")
async def another_key_than_before(rig: Rig) -> Report:
    async with rig.sshd() as first, rig.sshd() as second:
        old = first.known_hosts_line.replace(f":{first.port} ", f":{second.port} ")
        asker = Answers()
        report = await rig.through(second, asker=asker, store=MemoryStore([old]))
        assert asker.asked == []
        return report


@case("known_hosts file missing", None, None)
async def the_first_server_of_all(rig: Rig) -> Report:
    async with rig.sshd() as server:
        store = MemoryStore()
        report = await rig.through(server, store=store)
        assert store.lines == [server.known_hosts_line]
        return report


@case("wrong key / user / password off", Code.AUTH_REFUSED, steps.LOGIN, "does not accept this key")
async def a_key_that_the_server_does_not_know(rig: Rig) -> Report:
    async with rig.sshd() as server:
        report = await rig.through(server, ssh={"key_path": quick(rig).key_path})
        problem = report.results[3].problem
        assert problem is not None
        assert problem.fix is not None
        assert problem.fix.line.startswith("ssh-ed25519 ")
        return report


@case("wrong key / user / password off", Code.AUTH_REFUSED, steps.LOGIN, "nosuchuser")
async def a_user_that_does_not_exist(rig: Rig) -> Report:
    async with rig.sshd() as server:
        rig.private.add("nosuchuser")
        return await rig.through(server, user="nosuchuser")


@case("no agent, no key", Code.NO_KEY, steps.LOGIN, "No SSH key is chosen", "agent")
async def nothing_to_offer(rig: Rig) -> Report:
    async with rig.sshd() as server:
        return await rig.through(server, ssh={"key_path": None})


@case("key file missing", Code.KEY_FILE_MISSING, steps.LOGIN, "not there")
async def no_such_key_file(rig: Rig) -> Report:
    async with rig.sshd() as server:
        return await rig.through(server, ssh={"key_path": str(rig.tmp_path / "nowhere")})


@case("key file is .pub", Code.KEY_IS_PUBLIC, steps.LOGIN, "public half", ".pub")
async def the_public_half(rig: Rig) -> Report:
    async with rig.sshd() as server:
        return await rig.through(server, ssh={"key_path": str(server.key_path) + ".pub"})


@case("passphrase needed", Code.PASSPHRASE_NEEDED, steps.LOGIN, "passphrase")
async def a_passphrase_that_is_not_given(rig: Rig) -> Report:
    async with rig.sshd() as server:
        key = locked_key(rig, server)
        return await rig.through(server, ssh={"key_path": str(key)}, asker=Answers())


@case("passphrase wrong", Code.PASSPHRASE_WRONG, steps.LOGIN, "does not open")
async def a_wrong_passphrase(rig: Rig) -> Report:
    async with rig.sshd() as server:
        key = locked_key(rig, server)
        wrong = "battery staple"
        rig.private.add(wrong)
        asker = Answers(secrets=[wrong] * 10)
        return await rig.through(server, ssh={"key_path": str(key)}, asker=asker)


@case("wrong key / user / password off", Code.AUTH_REFUSED, steps.LOGIN, "what was answered")
async def a_wrong_password(rig: Rig) -> Report:
    account = Account(name=getpass.getuser())
    rig.private.add("wrong horse")
    async with rig.sshd(account=account, PasswordAuthentication="yes") as server:
        asker = Answers(secrets=["wrong horse"] * 10)
        return await rig.through(server, ssh={"key_path": None}, asker=asker)


TWO_FACTORS = {"AuthenticationMethods": "publickey,keyboard-interactive"}


@case("2FA", None, None)
async def a_code_after_the_key(rig: Rig) -> Report:
    account = Account(name=getpass.getuser())
    async with rig.sshd(account=account, **TWO_FACTORS) as server:
        asker = Answers(secrets=[account.password], delay=2.5)
        report = await rig.through(server, asker=asker)
        (question,) = asker.asked
        assert isinstance(question, SecretQuestion)
        assert question.kind is SecretKind.CHALLENGE
        # Thinking is not the server's fault.
        assert report.results[3].milliseconds < 2400
        return report


@case("2FA", Code.PROMPT_DECLINED, steps.LOGIN, "not answered")
async def a_code_that_is_not_given(rig: Rig) -> Report:
    account = Account(name=getpass.getuser())
    async with rig.sshd(account=account, **TWO_FACTORS) as server:
        return await rig.through(server, asker=Answers(secrets=[None]))


@case("no common algorithm", Code.NO_COMMON_ALGORITHM, steps.SSH, "too old")
async def nothing_in_common(rig: Rig) -> Report:
    async with rig.sshd(Ciphers="aes256-cbc") as server:
        return await rig.through(server)


FORWARDING = ("lets us in, but not through", "AllowTcpForwarding local")


@case(
    "forwarding forbidden: AllowTcpForwarding no",
    Code.FORWARDING_REFUSED,
    steps.TUNNEL,
    *FORWARDING,
)
async def no_forwarding_at_all(rig: Rig) -> Report:
    async with rig.sshd(AllowTcpForwarding="no") as server:
        return await rig.through(server)


@case("forwarding forbidden: PermitOpen", Code.FORWARDING_REFUSED, steps.TUNNEL, *FORWARDING)
async def no_forwarding_to_this_port(rig: Rig) -> Report:
    async with rig.sshd(PermitOpen="127.0.0.1:22") as server:
        return await rig.through(server)


@case("forwarding forbidden: permitopen", Code.FORWARDING_REFUSED, steps.TUNNEL, *FORWARDING)
async def a_key_for_another_port(rig: Rig) -> Report:
    async with rig.sshd() as server:
        restricted = f'restrict,port-forwarding,permitopen="127.0.0.1:22" {server.public_line}\n'
        server.authorized_keys.write_text(restricted)
        return await rig.through(server)


@case("RPC port closed on the node", Code.NODE_REFUSED, steps.BITCOIND, "server=1", "18443")
async def no_bitcoind_behind_the_tunnel(rig: Rig) -> Report:
    async with rig.sshd() as server:
        return await rig.through(server, rpc_port=9)


@case("session killed in mid-request", Code.CONNECTION_LOST, steps.RPC_LOGIN, "lost")
async def killed_while_logging_in(rig: Rig) -> Report:
    async with rig.sshd() as server:
        rig.when(steps.RPC_LOGIN, server.kill_sessions)
        return await rig.through(server)


@case("network dead", Code.KEEPALIVE_LOST, steps.RPC_LOGIN, "has not answered for")
async def frozen_while_logging_in(rig: Rig) -> Report:
    async with rig.sshd() as server:
        rig.when(steps.RPC_LOGIN, server.freeze_sessions)
        keepalive = {"keepalive_interval": 0.3, "keepalive_count": 2}
        return await rig.through(server, ssh=keepalive)


@case("use after loss", None, None)
async def again_after_a_loss(rig: Rig) -> Report:
    async with rig.sshd() as server:
        rig.when(steps.RPC_LOGIN, server.kill_sessions)
        lost = await rig.through(server)
        assert not lost.is_ready
        rig.told.clear()
        rig.on_result = lambda _: None
        return await rig.through(server)
