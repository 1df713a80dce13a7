"""The user's ssh_config: what counts of it, and that nothing in it is ever run."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind import ssh_config
from wallet_gui.chain.bitcoind.ssh_config import (
    HostSettings,
    ProxyCommandWanted,
    SshConfig,
    read_user_config,
)
from wallet_gui.chain.bitcoind.ssh_target import SshTarget
from wallet_gui.primitives.serialize import ParseError


def route(text: str, target: str = "node", user: str = "me") -> list[HostSettings]:
    return SshConfig.parse(text).route(SshTarget.parse(target), user, "/home/me")


def one(text: str, target: str = "node", user: str = "me") -> HostSettings:
    found = route(text, target, user)
    assert len(found) == 1
    return found[0]


def test_nothing_said() -> None:
    assert one("") == HostSettings(SshTarget("node"), "node", 22, "me", "node")
    assert one("", "ssh://you@node:2222").port == 2222
    assert one("", "ssh://you@node:2222").user == "you"


def test_an_alias() -> None:
    found = one(
        """
        # a comment
        Host other
            Port 1
        Host node "my box"
            HostName 10.0.0.5
            Port=2222
            User = bitcoin
            IdentityFile ~/.ssh/node_key
            IdentityFile "%d/keys/%r@%h"
            IdentitiesOnly yes
            IdentityAgent none
            HostKeyAlias box
            UserKnownHostsFile /etc/a ~/b
        Host *
            User nobody
            IdentityFile /last
        """
    )
    assert found.host == "10.0.0.5"
    assert (found.port, found.user, found.key_name) == (2222, "bitcoin", "box")
    assert found.identity_files == (
        "/home/me/.ssh/node_key",
        "/home/me/keys/bitcoin@10.0.0.5",
        "/last",
    )
    assert found.identities_only
    assert found.identity_agent == ""
    assert found.known_hosts_files == ("/etc/a", "/home/me/b")


def test_what_was_typed_counts_first_and_the_first_line_next() -> None:
    text = "Host node\n Port 1\n User a\nHost *\n Port 2\n User b\n"
    assert one(text, "you@node:3").port == 3
    assert one(text, "you@node:3").user == "you"
    assert one(text).port == 1
    assert one(text, "elsewhere").user == "b"


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("Host *", True),
        ("Host n?de", True),
        ("Host *,!node", False),
        ("Host * !node", False),
        ("Match all", True),
        ("Match host node", True),
        ("Match host elsewhere", False),
        ("Match !host elsewhere", True),
        ("Match originalhost node user me", True),
        ("Match originalhost node user you", False),
        ("Match exec true", False),
        ("Match !exec false", False),
        ("Match host node exec true", False),
        ("Match localnetwork 10.0.0.0/8", False),
        ("Match final", False),
        ("Match", False),
        ("Match host", False),
    ],
)
def test_which_blocks_apply(condition: str, *, holds: bool) -> None:
    assert one(f"{condition}\n Port 7\n").port == (7 if holds else 22)


def test_a_block_may_depend_on_the_name_that_another_gave() -> None:
    assert one("Host node\n HostName %h.lan\nMatch host node.lan\n Port 5\n").port == 5


def test_proxy_jump() -> None:
    text = (
        "Host node\n ProxyJump a,ssh://u@b:2222\n"
        "Host a\n HostName 10.0.0.1\n ProxyJump gate\n"
        "Host b\n User ignored\n ProxyJump never\n"
        "Host gate\n Port 9\n"
    )
    assert [(each.host, each.port, each.user) for each in route(text)] == [
        ("gate", 9, "me"),
        ("10.0.0.1", 22, "me"),
        ("b", 2222, "u"),
        ("node", 22, "me"),
    ]
    assert len(route("Host node\n ProxyJump none\nHost *\n ProxyJump gate")) == 1


def test_a_circle_of_jumps() -> None:
    with pytest.raises(ParseError, match="circle"):
        route("Host node\n ProxyJump a\nHost a\n ProxyJump node\n")
    with pytest.raises(ParseError, match="circle"):
        route("Host *\n ProxyJump gate\n")


def test_a_proxy_command_is_told_apart() -> None:
    with pytest.raises(ProxyCommandWanted):
        route("Host node\n ProxyCommand sh -c 'evil'\n")
    assert one("Host node\n ProxyCommand none\n").host == "node"
    assert len(route("Host node\n ProxyJump a\n ProxyCommand evil\n")) == 2


@pytest.mark.parametrize(
    "text",
    [
        "HostName -oProxyCommand=x",
        "HostName a;b",
        "HostName %h%x",
        "User -l",
        "User a b\n User x;y",
        "Port 0",
        "Port 99999999999999999999",
        "Port ssh",
        "Port ²",
        "ProxyJump -J",
        "ProxyJump a;b",
        "HostKeyAlias *",
        "ProxyJump " + ",".join("abcdefghij"),
    ],
)
def test_values_that_cannot_be_used(text: str) -> None:
    if text.startswith("User a b"):
        assert one(text).user == "a"
        return
    with pytest.raises(ParseError):
        route(text)


def test_paths_that_cannot_be_filled_in_are_left_out() -> None:
    text = "IdentityFile ${KEY}\nIdentityFile %x\nIdentityFile none\nIdentityFile key\n"
    assert one(text).identity_files == ("/home/me/key",)


def test_included_files_count_where_they_stand() -> None:
    files = {
        "a": ["Host node\n Port 1\n", "Port 2\n"],
        "self": ["Include self\n" * 50 + "Port 3\n"],
    }
    asked = []

    def include(pattern: str) -> Sequence[str]:
        asked.append(pattern)
        return files.get(pattern, [])

    target = SshTarget("node")
    found = SshConfig.parse("Include a\nPort 9\n", include).route(target, "me", "/home/me")
    assert found[0].port == 1
    config = SshConfig.parse("Host other\n Include a\n", include)
    assert config.route(target, "me", "/home/me")[0].port == 22
    asked.clear()
    assert SshConfig.parse("Include self", include).route(target, "me", "/")[0].port == 3
    assert len(asked) <= 64


def test_the_names_to_offer() -> None:
    config = SshConfig.parse("Host a b *.lan !c\nHost a d;e -x\nMatch host z\nHost my-node\n")
    assert config.aliases() == ["a", "b", "my-node"]


def test_reading_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".ssh"
    system = tmp_path / "system"
    folder.mkdir()
    system.mkdir()
    (folder / "config").write_text("Include parts/*\nInclude ~/.ssh/more\nHost *\n User one\n")
    (folder / "more").write_text("Host node\n HostName more.lan\n")
    (folder / "parts").mkdir()
    (folder / "parts" / "10").write_text("Host node\n Port 10\n")
    (folder / "parts" / "20").write_bytes(b"Host node\n Port 20\n\xff\xfe\n")
    (system / "ssh_config").write_text("Host node\n User two\n HostKeyAlias alias\n")
    monkeypatch.setattr(ssh_config, "_system_folder", lambda: system)
    found = read_user_config(tmp_path).route(SshTarget("node"), "me", str(tmp_path))[0]
    assert (found.host, found.port, found.user) == ("more.lan", 10, "one")
    assert found.key_name == "alias"
    (folder / "config").unlink()
    (folder / "config").mkdir()  # unreadable as a file
    assert read_user_config(tmp_path).aliases() == ["node"]


@settings(deadline=None)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(
            [
                "Host ",
                "Match ",
                "exec ",
                "*",
                "node",
                "\n",
                " ",
                "Port ",
                "22",
                '"',
                "=",
                "ProxyJump ",
            ]
        )
    ).map("".join)
)
def test_any_text_is_read_and_ends_in_a_route_or_a_sentence(text: str) -> None:
    config = SshConfig.parse(text)
    config.aliases()
    try:
        found = config.route(SshTarget("node"), "me", "/home/me")
    except ParseError:
        return
    assert found[-1].target == SshTarget("node")
