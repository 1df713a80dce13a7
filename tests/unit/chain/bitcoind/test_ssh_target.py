"""What names a node: read back as written, and nothing let through that another program reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.ssh_target import (
    LocalNode,
    SshTarget,
    checked_host,
    checked_user,
    parse_node,
)
from wallet_gui.primitives.serialize import ParseError

PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://bitcoin@mynode.local:2222", SshTarget("mynode.local", 2222, "bitcoin")),
        ("SSH://bitcoin@mynode.local/", SshTarget("mynode.local", None, "bitcoin")),
        ("bitcoin@mynode.local", SshTarget("mynode.local", None, "bitcoin")),
        ("  mynode\n", SshTarget("mynode")),
        ("mynode:22", SshTarget("mynode", 22)),
        ("ssh://192.168.1.5", SshTarget("192.168.1.5")),
        ("ssh://u@[fe80::1]:2022", SshTarget("fe80::1", 2022, "u")),
        ("u@[::1]", SshTarget("::1", None, "u")),
        ("u@::1", SshTarget("::1", None, "u")),
        ("2001:DB8::0:1", SshTarget("2001:db8::1")),
        ("ssh://local", SshTarget("local")),
        ("my_node-2.lan", SshTarget("my_node-2.lan")),
        ("local", LocalNode()),
        ("LOCAL:18443", LocalNode(18443)),
    ],
)
def test_what_people_type(text: str, expected: SshTarget | LocalNode) -> None:
    assert parse_node(text) == expected
    assert parse_node(expected.text) == expected
    assert str(expected) == expected.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "ssh://",
        "ssh://@host",
        "@host",
        "ssh://user@",
        "-oProxyCommand=calc",
        "ssh://-oProxyCommand=calc",
        "-l@host",
        "user@-host",
        "host name",
        "user@ho st",
        "host\tname",
        "host\nname",
        "ho\x00st",
        "ho\u202est",
        "ho\u00a0st",
        "user:secret@host",
        "ssh://user:secret@host",
        "ssh://host/path",
        "ssh://host?x=1",
        "ssh://host#x",
        "http://host",
        "host;id",
        "host|id",
        "host&id",
        "$(id)",
        "`id`",
        "$HOME",
        "host'",
        'host"',
        "ho\\st",
        "host*",
        "ho?t",
        "!host",
        "host,other",
        "host%20x",
        "fe80::1%eth0",
        "host:0",
        "host:65536",
        "host:-1",
        "host:٢٢",
        "host:",
        "host:ssh",
        "[::1",
        "[::1]x",
        "[host]:22",
        "::1::2",
        "bücher.local",
        "h\u043est",  # the o is Cyrillic
        "a" * 254,
        "u" * 65 + "@host",
        "x" * 600,
        "local:",
        "local:0",
        "local:8332/x",
        "~@host",
        "a=b",
        "user@@host",
        ".hidden",
    ],
)
def test_what_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse_node(text)
    assert str(caught.value).endswith(".")
    assert "secret" not in str(caught.value)


@settings(deadline=None)
@given(st.text(max_size=40) | st.from_regex(r"(ssh://)?[-\w.@:$;%*\[\]/ ]{1,30}"))
def test_any_text_is_a_harmless_value_or_an_error(text: str) -> None:
    try:
        node = parse_node(text)
    except ParseError:
        return
    assert parse_node(node.text) == node
    if isinstance(node, SshTarget):
        assert set(node.host) <= PLAIN | {":"}
        assert node.host[0] != "-"
        assert node.user is None or (set(node.user) <= PLAIN and node.user[0] != "-")
        assert node.port is None or 0 < node.port < 65536


@settings(deadline=None)
@given(st.text(max_size=20))
def test_hosts_and_users_of_a_configuration_are_held_to_the_same(text: str) -> None:
    for check in (checked_host, checked_user):
        try:
            assert set(check(text)) <= PLAIN | {":"}
        except ParseError:
            continue
