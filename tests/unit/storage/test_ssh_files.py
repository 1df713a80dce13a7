"""Our own files about SSH: for the owner only, whole or not at all, no line lost."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wallet_gui.storage.fs import OsFileSystem
from wallet_gui.storage.ssh_files import SshFiles


class FullDisk(OsFileSystem):
    """No room for a new file."""

    def write_new(self, path: Path, data: bytes) -> None:
        del data
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_nothing_is_created_before_something_is_saved(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    assert files.known_hosts() == b""
    assert files.key() is None
    assert not files.forget("node", 22)
    assert list(tmp_path.iterdir()) == []


def test_servers_are_added_and_forgotten(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    files.trust("node ssh-ed25519 AAAA")
    files.trust("[node]:2222 ssh-ed25519 BBBB\n")
    files.trust("node ssh-ed25519 AAAA")
    files.trust("node ssh-rsa CCCC")
    assert SshFiles(tmp_path).known_hosts() == (
        b"node ssh-ed25519 AAAA\n[node]:2222 ssh-ed25519 BBBB\nnode ssh-rsa CCCC\n"
    )
    assert files.forget("NODE", 22)
    assert files.known_hosts() == b"[node]:2222 ssh-ed25519 BBBB\n"
    assert not files.forget("node", 22)
    assert files.forget("node", 2222)
    assert files.known_hosts() == b""


def test_a_line_is_one_line(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    with pytest.raises(OSError, match="one line"):
        files.trust("node ssh-ed25519 AAAA\n* ssh-ed25519 EVIL")
    assert files.known_hosts() == b""


def test_for_the_owner_only(tmp_path: Path) -> None:
    files = SshFiles(tmp_path / "data")
    files.trust("node ssh-ed25519 AAAA")
    files.save_key(b"private", b"public")
    assert files.key() == b"private"
    assert files.directory.stat().st_mode & 0o777 == 0o700
    for path in files.directory.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert files.key_path.with_suffix(".pub").read_bytes() == b"public"


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    files.trust("node ssh-ed25519 AAAA")
    files.save_key(b"private", b"public")
    full = SshFiles(tmp_path, FullDisk())
    for save in (
        lambda: full.trust("other ssh-ed25519 BBBB"),
        lambda: full.forget("node", 22),
        lambda: full.save_key(b"new", b"new"),
    ):
        with pytest.raises(OSError, match="space"):
            save()
    assert files.known_hosts() == b"node ssh-ed25519 AAAA\n"
    assert files.key() == b"private"


def test_the_public_half_is_there_whenever_the_private_one_is(tmp_path: Path) -> None:
    class Fails(OsFileSystem):
        def write_new(self, path: Path, data: bytes) -> None:
            if path.name.startswith("id_ed25519.new"):
                raise OSError(errno.EIO, "cut")
            super().write_new(path, data)

    files = SshFiles(tmp_path, Fails())
    with pytest.raises(OSError, match="cut"):
        files.save_key(b"private", b"public")
    assert files.key() is None
    assert files.key_path.with_suffix(".pub").exists()


def test_many_threads_lose_no_line(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(files.trust, [f"node{index} ssh-ed25519 AAAA" for index in range(40)]))
    assert len(files.known_hosts().splitlines()) == 40


def test_a_file_of_the_node_is_read_and_a_huge_one_only_so_far(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    cookie = tmp_path / ".cookie"
    cookie.write_bytes(b"x" * 100)
    assert files.read_local(cookie, 1000) == b"x" * 100
    assert len(files.read_local(cookie, 10)) == 11
    with pytest.raises(FileNotFoundError):
        files.read_local(tmp_path / "nothing", 10)
    with pytest.raises(OSError, match="regular"):
        files.read_local(tmp_path, 10)


def test_a_file_of_ours_that_is_far_too_large_is_not_used(tmp_path: Path) -> None:
    files = SshFiles(tmp_path)
    files.save_key(b"x" * 100_000, b"")
    with pytest.raises(OSError, match="large"):
        files.key()
