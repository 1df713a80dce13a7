import errno
import os
from pathlib import Path

import pytest

from wallet_gui.storage.fs import OS_FILES, make_private_directory, write_atomically


def test_new_file_is_private_whole_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = os.urandom(300_000)
    OS_FILES.write_new(path, data)
    assert path.stat().st_mode & 0o777 == 0o600
    assert OS_FILES.read(path, 1_000_000) == data
    assert len(OS_FILES.read(path, 1000)) == 1001  # more than the limit, and the caller sees it
    with pytest.raises(FileExistsError):
        OS_FILES.write_new(path, b"")
    assert path.read_bytes() == data


def test_links_are_not_followed(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "victim")
    with pytest.raises(FileExistsError):
        OS_FILES.write_new(link, b"x")
    assert OS_FILES.exists(link)  # although what it points to is not there
    (tmp_path / "victim").write_bytes(b"secret")
    with pytest.raises(OSError, match="symbolic links"):
        OS_FILES.read(link, 100)


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_failed_write_leaves_no_name_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def full(*_arguments: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(OSError, match="full"):
        OS_FILES.write_new(tmp_path / "a", b"data")
    assert list(tmp_path.iterdir()) == []


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real(handle, bytes(data[:7])))
    OS_FILES.write_new(tmp_path / "a", b"0123456789" * 10)
    assert (tmp_path / "a").read_bytes() == b"0123456789" * 10


def test_bytes_reach_the_disk_before_the_name_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):

        def recorded(
            *arguments: object, name: str = name, real: object = getattr(os, name)
        ) -> object:
            calls.append(name)
            assert callable(real)
            return real(*arguments)

        monkeypatch.setattr(os, name, recorded)
    write_atomically(tmp_path / "a", b"1")
    write_atomically(tmp_path / "a", b"2")
    assert calls == ["fsync", "replace", "fsync"] * 2
    assert (tmp_path / "a").read_bytes() == b"2"


def test_directory_that_cannot_be_flushed_is_no_error_but_a_broken_disk_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(number: int) -> None:
        def fail(_handle: int) -> None:
            raise OSError(number, "cannot")

        monkeypatch.setattr(os, "fsync", fail)

    failing(errno.EINVAL)
    OS_FILES.sync_directory(tmp_path)
    failing(errno.EIO)
    with pytest.raises(OSError, match="cannot"):
        OS_FILES.sync_directory(tmp_path)


def test_link_and_names(tmp_path: Path) -> None:
    make_private_directory(tmp_path / "x" / "y")
    assert (tmp_path / "x" / "y").stat().st_mode & 0o777 == 0o700
    OS_FILES.write_new(tmp_path / "a", b"1")
    OS_FILES.copy_aside(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_bytes() == b"1"
    with pytest.raises(FileExistsError):
        OS_FILES.copy_aside(tmp_path / "a", tmp_path / "b")
    OS_FILES.replace(tmp_path / "a", tmp_path / "c")
    OS_FILES.remove(tmp_path / "b")
    assert sorted(OS_FILES.names(tmp_path)) == ["c", "x"]


def test_what_another_program_has_open_is_waited_for_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "new", tmp_path / "wallet"
    rename = os.replace
    refused = iter([True, True, False])

    def replace(old: Path, new: Path) -> None:
        if next(refused):
            raise PermissionError(errno.EACCES, "a virus scanner has it open")
        rename(old, new)

    monkeypatch.setattr(os, "replace", replace)
    source.write_bytes(b"saved")
    with pytest.raises(PermissionError):
        OS_FILES.replace(source, target)
    monkeypatch.setattr("wallet_gui.storage.fs._PATIENCE_SECONDS", 60.0)
    OS_FILES.replace(source, target)
    assert target.read_bytes() == b"saved"

    def refuse(_: Path) -> None:
        raise PermissionError(errno.EACCES, "somebody has it open all day")

    monkeypatch.setattr(os, "unlink", refuse)
    monkeypatch.setattr("wallet_gui.storage.fs._PATIENCE_SECONDS", 0.1)
    with pytest.raises(PermissionError):
        OS_FILES.remove(target)
