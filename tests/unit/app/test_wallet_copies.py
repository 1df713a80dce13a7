"""A copy of a wallet file goes into its folder whole, and over nothing."""

import errno
from pathlib import Path

import pytest

from tests.unit.storage.samples import CHEAP, create
from wallet_gui.app.wallet_copies import proposed_name, take_copy
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.errors import (
    AlreadyExists,
    Damaged,
    InUse,
    Unreadable,
    WriteFailed,
)
from wallet_gui.storage.fs import OsFileSystem
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.storage.wallet_file import WalletFile


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    return DataDirectory(tmp_path / "data", REGTEST)


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    create(tmp_path / "stick" / "Old.wallet")
    return tmp_path / "stick" / "Old.wallet"


def copy(source: Path, directory: DataDirectory, name: str = "Old") -> Path:
    return take_copy(source, directory, name, minimum=CHEAP)


def test_names_are_guessed_from_the_file() -> None:
    for name, guess in (
        ("Savings.wallet", "Savings"),
        ("Savings.wallet.2", "Savings"),
        ("Savings.wallet.new", "Savings"),
        ("Savings-2026-01-02.wallet", "Savings-2026-01-02"),
        ("copy", "copy"),
        (".wallet", "wallet"),
    ):
        assert proposed_name(Path("/media") / name) == guess


def test_a_copy_is_listed_and_opens(directory: DataDirectory, backup: Path) -> None:
    path = copy(backup, directory)
    assert path == directory.wallets_directory / "Old.wallet"
    assert directory.wallets() == [path]
    assert path.read_bytes() == backup.read_bytes()
    assert path.stat().st_mode & 0o077 == 0
    assert WalletFile.read(path, minimum=CHEAP).source == ""
    assert not path.with_name("Old.wallet.new").exists()


def test_an_older_generation_is_a_copy_too(directory: DataDirectory, backup: Path) -> None:
    generation = backup.rename(backup.with_name("Old.wallet.3"))
    assert copy(generation, directory, "Found again").name == "Found again.wallet"
    link = generation.with_name("link.wallet")
    link.symlink_to(generation)
    assert copy(link, directory, "By link").exists()


@pytest.mark.parametrize("ending", ["", ".1", ".2", ".3", ".new"])
def test_nothing_is_overwritten(directory: DataDirectory, backup: Path, ending: str) -> None:
    directory.create()
    there = directory.wallets_directory / f"Old.wallet{ending}"
    create(directory.wallets_directory / "Other.wallet", 7)
    (directory.wallets_directory / "Other.wallet").rename(there)
    before = there.read_bytes()
    with pytest.raises(AlreadyExists, match="another name"):
        copy(backup, directory)
    assert there.read_bytes() == before
    assert copy(backup, directory, "Else").exists()


def test_a_torn_copy_is_done_again(directory: DataDirectory, backup: Path) -> None:
    directory.create()
    torn = directory.wallets_directory / "Old.wallet.new"
    torn.write_bytes(backup.read_bytes()[:100])
    assert copy(backup, directory).read_bytes() == backup.read_bytes()
    assert not torn.exists()


@pytest.mark.parametrize("name", ["", "a/b", "..", "CON", "x" * 200])
def test_bad_names_are_refused(directory: DataDirectory, backup: Path, name: str) -> None:
    with pytest.raises(ValueError, match=r"name|reserved"):
        copy(backup, directory, name)
    assert not directory.wallets_directory.exists()


def test_what_is_no_intact_wallet_file_is_refused(
    directory: DataDirectory, backup: Path, tmp_path: Path
) -> None:
    with pytest.raises(Unreadable):
        copy(tmp_path / "missing.wallet", directory)
    with pytest.raises(Unreadable):
        copy(tmp_path, directory)
    backup.write_bytes(backup.read_bytes()[:-1])
    with pytest.raises(Damaged):
        copy(backup, directory)
    assert not directory.wallets_directory.exists()


def test_a_wallet_in_use_is_left_alone(directory: DataDirectory, backup: Path) -> None:
    directory.create()
    with FileLock(directory.wallets_directory / "Old.wallet"), pytest.raises(InUse):
        copy(backup, directory)


class FullDisk(OsFileSystem):
    def write_new(self, path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "full", str(path), len(data))


class LyingDisk(OsFileSystem):
    def write_new(self, path: Path, data: bytes) -> None:
        super().write_new(path, data[:-1] + b"?")


@pytest.mark.parametrize(("files", "words"), [(FullDisk(), "full"), (LyingDisk(), "read back")])
def test_a_disk_that_fails_leaves_nothing_behind(
    directory: DataDirectory, backup: Path, files: OsFileSystem, words: str
) -> None:
    with pytest.raises(WriteFailed, match=words):
        take_copy(backup, directory, "Old", files=files, minimum=CHEAP)
    assert directory.wallets() == []
