"""The key that is made for this wallet, the line that restricts it, and key files as such."""

import base64
import shlex
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.bitcoind.key_files import is_locked, key_of_blob, public_blob
from wallet_gui.chain.bitcoind.ssh_keys import PublicKeyLine, authorized_line, make_key, permits
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.ssh_files import SshFiles

PUBLIC = PublicKeyLine("ssh-ed25519 AAAA wallet-gui", "SHA256:x")


def test_a_key_is_made_once_and_is_a_key_of_openssh(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    line = make_key(files)
    assert make_key(files) == line
    private = files.key()
    assert private is not None
    assert private.startswith(b"-----BEGIN OPENSSH PRIVATE KEY-----\n")
    key = asyncssh.import_private_key(private)
    assert key.get_fingerprint() == line.fingerprint
    assert files.key_path.with_suffix(".pub").read_text() == line.text + "\n"
    assert line.text.split()[0] == "ssh-ed25519"
    assert line.text.split()[2] == "wallet-gui"
    assert files.key_path.stat().st_mode & 0o777 == 0o600
    assert not is_locked(private)
    locked = key.export_private_key("openssh", "passphrase")
    assert is_locked(locked)
    assert public_blob(locked) == public_blob(private)
    assert is_locked(key.export_private_key("pkcs8-pem", "passphrase"))
    assert key_of_blob(public_blob(private)).text == " ".join(line.text.split()[:2])


@pytest.mark.parametrize("content", [b"", b"damaged", b"-----BEGIN OPENSSH PRIVATE KEY-----\n"])
def test_a_damaged_key_is_left_alone(tmp_path: Path, content: bytes) -> None:
    files = SshFiles(tmp_path)
    files.save_key(content, b"")
    with pytest.raises(ParseError, match="damaged"):
        make_key(files)
    assert files.key() == content


def test_the_line() -> None:
    assert authorized_line(PUBLIC, 8332, 8333, "/home/bitcoin/.bitcoin/.cookie") == (
        'restrict,port-forwarding,permitopen="127.0.0.1:8332",permitopen="127.0.0.1:8333",'
        'command="cat /home/bitcoin/.bitcoin/.cookie" ssh-ed25519 AAAA wallet-gui'
    )
    assert authorized_line(PUBLIC, 18443, None, "~/.bitcoin/regtest/.cookie") == (
        'restrict,port-forwarding,permitopen="127.0.0.1:18443",'
        'command="cat .bitcoin/regtest/.cookie" ssh-ed25519 AAAA wallet-gui'
    )
    assert 'command="true"' in authorized_line(PUBLIC, 8332, 8333, None)


def test_the_sentence() -> None:
    assert permits(8332, 8333, "/c") == (
        "With this line the key can reach the ports 8332 and 8333 of the node's machine and read "
        "the node's cookie, and nothing else: no shell, no other port, no other file."
    )
    assert "port 8332 of" in permits(8332, None, None)
    assert "cookie" not in permits(8332, None, None)


@pytest.mark.parametrize("path", ["", "a\nb", "a\x00b", "\u202e", "a\\b", "x" * 2000, "\x7f"])
def test_paths_that_cannot_stand_in_the_line(path: str) -> None:
    with pytest.raises(ParseError):
        authorized_line(PUBLIC, 8332, 8333, path)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=40))
def test_any_path_is_one_word_of_the_command_or_an_error(path: str) -> None:
    try:
        line = authorized_line(PUBLIC, 8332, None, path)
    except ParseError:
        return
    assert "\n" not in line
    # As sshd takes the option: up to the next quotation mark that has no backslash before it.
    start = line.index('command="') + len('command="')
    end = start
    while line[end] != '"' or line[end - 1] == "\\":
        end += 1
    assert line[end:] == f'" {PUBLIC.text}'
    words = shlex.split(line[start:end].replace('\\"', '"'))
    wanted = path.removeprefix("~/")
    assert words == ["cat", f"./{wanted}" if wanted.startswith("-") else wanted]


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_a_public_half_or_an_error(data: bytes) -> None:
    text = (
        b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
        + base64.b64encode(b"openssh-key-v1\0" + data)
        + b"\n-----END OPENSSH PRIVATE KEY-----\n"
    )
    for each in (data, text):
        try:
            blob = public_blob(each)
        except ParseError:
            continue
        assert blob in data
        try:
            assert key_of_blob(blob).blob == blob
        except ParseError:
            continue
