"""The command line of the system's ssh, and its words of several versions made into problems."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind import system_ssh_words
from wallet_gui.chain.bitcoind.problems import Code
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.chain.bitcoind.system_ssh_words import Words
from wallet_gui.chain.bitcoind.tunnel_protocol import SshOptions

TARGET = SshTarget("node", 2222, "me")


def heard(*lines: str) -> Words:
    words = Words()
    for line in lines:
        words.hear(line)
    return words


def line(options: SshOptions | None = None, key: str | None = None) -> list[str]:
    return system_ssh_words.arguments("/usr/bin/ssh", TARGET, options or SshOptions(), "/k h", key)


def test_the_command_line() -> None:
    words = line()
    for setting in (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "ClearAllForwardings=yes",
        "ControlMaster=no",
        "ControlPath=none",
        "PermitLocalCommand=no",
        "ForwardAgent=no",
        "ServerAliveInterval=5",
        "ServerAliveCountMax=3",
        "ConnectTimeout=10",
        'GlobalKnownHostsFile="/k h" /etc/ssh/ssh_known_hosts',
    ):
        assert words[words.index(setting) - 1] == "-o"
    assert words[-4:] == ["-l", "me", "-p", "2222"]
    assert "-F" not in words
    assert system_ssh_words.to_port(words, TARGET, "127.0.0.1", 8332)[-4:] == [
        "-W",
        "127.0.0.1:8332",
        "--",
        "node",
    ]
    assert system_ssh_words.to_port(words, TARGET, "::1", 8332)[-3] == "[::1]:8332"
    assert system_ssh_words.to_run(words, TARGET, "true")[-3:] == ["--", "node", "true"]


def test_what_is_left_out_of_it() -> None:
    words = line(SshOptions(use_agent=False, use_user_config=False), 'C:\\a "b"\\50%')
    assert words[1:3] == ["-F", "none"]
    assert "IdentityAgent=none" in words
    assert "IdentitiesOnly=yes" in words
    assert 'IdentityFile="C:/a \\"b\\"/50%%"' in words
    bare = system_ssh_words.arguments("ssh", SshTarget("alias"), SshOptions(), "/k", None)
    assert "-l" not in bare
    assert "-p" not in bare


def test_what_is_heard_on_the_way_in() -> None:
    words = heard(
        "debug1: Connecting to node.lan [10.0.0.5] port 2222.",
        "debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2",
        "debug1: Server host key: ssh-ed25519 SHA256:abc",
        'Authenticated to node.lan ([10.0.0.5]:2222) using "publickey".',
        "debug2: channel 0: open confirm rwindow 2097152 rmax 32768",
    )
    assert words == Words(
        ("10.0.0.5", 2222), "SSH-2.0-OpenSSH_9.2p1 Debian-2", "SHA256:abc", "publickey", True, []
    )
    assert heard("debug1: Authentication succeeded (keyboard-interactive).").method == (
        "keyboard-interactive"
    )


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["ssh: Could not resolve hostname node: Name or service not known"], Code.HOST_UNKNOWN),
        (["ssh: Could not resolve hostname node: nodename nor servname"], Code.HOST_UNKNOWN),
        (["ssh: connect to host node port 2222: Connection refused"], Code.SSH_REFUSED),
        (["ssh: connect to host node port 2222: Connection timed out"], Code.SSH_SILENT),
        (["ssh: connect to host node port 2222: Operation timed out"], Code.SSH_SILENT),
        (["Connection timed out during banner exchange"], Code.SSH_SILENT),
        (["ssh: connect to host node port 2222: No route to host"], Code.HOST_UNREACHABLE),
        (["ssh: connect to host node port 2222: Network is unreachable"], Code.HOST_UNREACHABLE),
        (["me@node: Permission denied (publickey,password)."], Code.AUTH_REFUSED),
        (
            ["Received disconnect from 10.0.0.5: Too many authentication failures"],
            Code.AUTH_REFUSED,
        ),
        (
            ["Unable to negotiate: no matching cipher found. Their offer: x"],
            Code.NO_COMMON_ALGORITHM,
        ),
        (["Host key verification failed."], Code.HOST_KEY_UNKNOWN),
        (["@  WARNING: REVOKED HOST KEY DETECTED!  @"], Code.HOST_KEY_CHANGED),
        (
            [
                "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
                "Offending ED25519 key in /home/me/.ssh/known_hosts:3",
                "Host key for [node]:2222 has changed and you have requested strict checking.",
                "Host key verification failed.",
            ],
            Code.HOST_KEY_CHANGED,
        ),
        (["Timeout, server node not responding."], Code.KEEPALIVE_LOST),
        (["/home/me/.ssh/config: line 3: Bad configuration option: x"], Code.SSH_FAILED),
        (["Bad owner or permissions on /home/me/.ssh/config"], Code.SSH_FAILED),
        (["something new"], Code.SSH_FAILED),
    ],
)
def test_its_words_of_failure(lines: list[str], code: Code) -> None:
    problem = system_ssh_words.problem_of(heard(*lines), TARGET, SshOptions())
    assert problem is not None
    assert problem.code is code
    if code is Code.HOST_KEY_CHANGED and len(lines) > 1:
        assert "known_hosts:3" in problem.detail
        assert problem.fix is not None
        assert problem.fix.line == 'ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[node]:2222"'


def test_a_connection_that_ends_before_a_word_has_to_be_looked_at() -> None:
    began = "debug1: Connecting to node [10.0.0.5] port 2222."
    for text in (
        "kex_exchange_identification: Connection closed by remote host",
        "kex_exchange_identification: read: Connection reset by peer",
        "kex_exchange_identification: banner line contains invalid characters",
    ):
        assert system_ssh_words.problem_of(heard(began, text), TARGET, SshOptions()) is None
    version = "debug1: Remote protocol version 2.0, remote software version X"
    problem = system_ssh_words.problem_of(
        heard(began, version, "Connection closed by 10.0.0.5 port 2222"), TARGET, SshOptions()
    )
    assert problem is not None
    assert problem.code is Code.NO_COMMON_ALGORITHM
    key = "debug1: Server host key: ssh-ed25519 SHA256:abc"
    problem = system_ssh_words.problem_of(
        heard(began, version, key, "Connection reset by 10.0.0.5 port 2222"), TARGET, SshOptions()
    )
    assert problem is not None
    assert problem.code is Code.CONNECTION_LOST


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (
            "channel 0: open failed: administratively prohibited: open failed",
            Code.FORWARDING_REFUSED,
        ),
        ("channel 0: open failed: connect failed: Connection refused", Code.NODE_REFUSED),
        ("me@node: Permission denied (publickey).", Code.AUTH_REFUSED),
    ],
)
def test_channels_that_do_not_open(text: str, code: Code) -> None:
    problem = system_ssh_words.channel_problem(
        heard(text, "stdio forwarding failed"), TARGET, SshOptions(), "127.0.0.1", 8332
    )
    assert problem is not None
    assert problem.code is code


@settings(deadline=None)
@given(st.lists(st.text(max_size=80), max_size=60))
def test_any_lines_are_heard(lines: list[str]) -> None:
    words = heard(*lines)
    assert len(words.complaints) <= 40
    problem = system_ssh_words.problem_of(words, TARGET, SshOptions())
    assert problem is None or problem.detail.isprintable()
