"""known_hosts: plain, hashed, wildcard, revoked and certificate lines, and any bytes at all."""

import base64
import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.known_hosts import (
    HostKey,
    KnownHosts,
    Verdict,
    matches_list,
    matches_pattern,
    trust_line,
)
from wallet_gui.primitives.serialize import ParseError


def key(seed: int, kind: str = "ssh-ed25519") -> HostKey:
    name = kind.encode()
    return HostKey(kind, len(name).to_bytes(4, "big") + name + bytes([seed]) * 36)


def hashed(name: str, salt: bytes = bytes(20)) -> str:
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


def known(*lines: str) -> KnownHosts:
    return KnownHosts.parse("\n".join(lines).encode(), "file")


def test_the_three_answers_and_where_they_come_from() -> None:
    hosts = known("# comment", f"other {key(9).text}", f"node.local,10.0.0.1 {key(1).text} me@here")
    assert hosts.verdict("node.local", 22, key(1)) == (Verdict.TRUSTED, "file, line 3")
    assert hosts.verdict("NODE.local", 22, key(1)) == (Verdict.TRUSTED, "file, line 3")
    assert hosts.verdict("10.0.0.1", 22, key(1))[0] is Verdict.TRUSTED
    assert hosts.verdict("node.local", 22, key(2)) == (Verdict.CHANGED, "file, line 3")
    assert hosts.verdict("node.local", 22, key(1, "ssh-rsa"))[0] is Verdict.CHANGED
    assert hosts.verdict("new.local", 22, key(1)) == (Verdict.UNKNOWN, "")
    assert len(hosts) == 2


def test_a_port_is_part_of_the_name() -> None:
    hosts = known(f"node {key(1).text}", f"[node]:2222 {key(2).text}")
    assert hosts.verdict("node", 2222, key(2))[0] is Verdict.TRUSTED
    # What is known of the name alone may vouch for another port, but not accuse it.
    assert hosts.verdict("node", 2222, key(1))[0] is Verdict.TRUSTED
    assert hosts.verdict("node", 4444, key(1))[0] is Verdict.TRUSTED
    assert hosts.verdict("node", 4444, key(3))[0] is Verdict.UNKNOWN
    assert hosts.verdict("node", 22, key(2))[0] is Verdict.CHANGED


def test_hashed_names() -> None:
    hosts = known(f"{hashed('[node]:2222', b'salt' * 5)} {key(1).text}")
    assert hosts.verdict("node", 2222, key(1))[0] is Verdict.TRUSTED
    assert hosts.verdict("node", 2222, key(2))[0] is Verdict.CHANGED
    assert hosts.verdict("node", 22, key(1))[0] is Verdict.UNKNOWN


def test_patterns_and_their_exceptions() -> None:
    hosts = known(f"*.lan,!bad.lan {key(1).text}")
    assert hosts.verdict("good.lan", 22, key(1))[0] is Verdict.TRUSTED
    assert hosts.verdict("bad.lan", 22, key(1))[0] is Verdict.UNKNOWN


def test_revoked_wins_and_authorities_stand_apart() -> None:
    hosts = known(
        f"node {key(1).text}",
        f"@revoked * {key(1).text}",
        f"@cert-authority *.lan {key(5).text}",
        f"@cert-authority *.lan {key(1).text}",
        f"@unheard-of node {key(7).text}",
    )
    assert hosts.verdict("node", 22, key(1)) == (Verdict.REVOKED, "file, line 2")
    assert hosts.keys("node", 22) == []
    assert hosts.authorities("a.lan", 22) == [key(5)]
    assert hosts.verdict("a.lan", 22, key(5))[0] is Verdict.UNKNOWN
    assert hosts.revoked("a.lan", 22) == [key(1)]


def test_files_are_taken_together() -> None:
    both = known(f"node {key(1).text}") + KnownHosts.parse(f"node {key(2).text}".encode(), "other")
    assert both.verdict("node", 22, key(2)) == (Verdict.TRUSTED, "other, line 1")
    assert both.keys("node", 22) == [key(1), key(2)]


def test_what_is_written_is_read_back() -> None:
    line = trust_line("Node", 2222, key(3))
    assert line == f"[node]:2222 {key(3).text}"
    assert known(line).verdict("node", 2222, key(3))[0] is Verdict.TRUSTED


def test_a_fingerprint_of_openssh() -> None:
    # GitHub's published ed25519 host key and its published fingerprint.
    text = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    github = HostKey.parse(text)
    assert github.fingerprint == "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
    assert github.text == text


def test_the_algorithms_of_a_type() -> None:
    assert key(1).algorithms == ("ssh-ed25519",)
    assert key(1, "ssh-rsa").algorithms == ("rsa-sha2-512", "rsa-sha2-256")


@pytest.mark.parametrize(
    "line", ["", "x", "ssh-ed25519", "ssh-ed25519 !!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5", "a b c"]
)
def test_no_key(line: str) -> None:
    with pytest.raises(ParseError):
        HostKey.parse(line)


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_a_file(data: bytes) -> None:
    hosts = KnownHosts.parse(data + b"\nnode " + key(1).text.encode())
    assert hosts.verdict("node", 22, key(1))[0] is not Verdict.CHANGED


@settings(deadline=None)
@given(st.lists(st.sampled_from(["|1|", "|", "AAAA", "=", "@revoked ", "node ", ",", "!", "*"])))
def test_broken_lines_vouch_for_nobody(parts: list[str]) -> None:
    hosts = known("".join(parts) + f" {key(1).text[:-4]}")
    assert hosts.verdict("stranger", 22, key(1))[0] in {Verdict.UNKNOWN, Verdict.CHANGED}


def test_a_pattern_cannot_cost_time() -> None:
    assert not matches_pattern("*a" * 5000 + "b", "a" * 250)
    assert matches_pattern("*" * 20_000, "node")
    assert not matches_list("!*,*", "node")


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("*", "", True),
        ("?", "", False),
        ("a*c", "abbc", True),
        ("a*c", "abbcd", False),
        ("*.b?", "a.bc", True),
        ("", "", True),
        ("", "a", False),
        ("a*b*c", "aXbYbZc", True),
    ],
)
def test_patterns(pattern: str, text: str, *, expected: bool) -> None:
    assert matches_pattern(pattern, text) is expected
