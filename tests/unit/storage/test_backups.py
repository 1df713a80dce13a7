"""A copy of a wallet file where the person wants it."""

import errno
from pathlib import Path

import pytest

from tests.hostile.crash_file_system import CrashFileSystem
from tests.unit.storage.samples import CHEAP, VIEW_KEY, create, number_of, state
from wallet_gui.sealing import SealError
from wallet_gui.storage import backups
from wallet_gui.storage.backups import read_copy, save_copy
from wallet_gui.storage.errors import (
    AlreadyExists,
    Damaged,
    NotFound,
    StorageError,
    Unreadable,
    WriteFailed,
)
from wallet_gui.storage.fs import OS_FILES, OsFileSystem
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view, parse


def owns(contents: WalletFileContents) -> bool:
    try:
        open_view(contents, VIEW_KEY, minimum=CHEAP)
    except (SealError, StorageError):
        return False
    return True


@pytest.fixture
def wallet(tmp_path: Path) -> Path:
    (tmp_path / "w").mkdir()
    (tmp_path / "usb").mkdir()
    create(tmp_path / "w" / "a.wallet")
    return tmp_path / "w" / "a.wallet"


@pytest.fixture
def usb(tmp_path: Path) -> Path:
    return tmp_path / "usb"


def save(wallet: Path, number: int) -> None:
    with FileLock(wallet) as lock:
        WalletFile.open(lock, VIEW_KEY, minimum=CHEAP).save_view(state(number))


def copy(wallet: Path, target: Path) -> Path:
    return save_copy(wallet, target, owns, minimum=CHEAP)


def test_a_copy_is_the_file_byte_for_byte(wallet: Path, usb: Path) -> None:
    assert copy(wallet, usb / "mine") == usb / "mine.wallet"
    assert (usb / "mine.wallet").read_bytes() == wallet.read_bytes()
    assert (usb / "mine.wallet").stat().st_mode & 0o077 == 0
    assert [path.name for path in usb.iterdir()] == ["mine.wallet"]
    assert read_copy(usb / "mine.wallet", minimum=CHEAP).digest == wallet.read_bytes()[-32:]


def test_an_older_copy_of_this_wallet_is_replaced(wallet: Path, usb: Path) -> None:
    copy(wallet, usb / "mine")
    save(wallet, 7)
    copy(wallet, usb / "mine")
    contents = read_copy(usb / "mine.wallet", minimum=CHEAP)
    assert number_of(open_view(contents, VIEW_KEY, minimum=CHEAP)) == 7


@pytest.mark.parametrize("there", [b"", b"my diary", None])
def test_nothing_else_is_ever_overwritten(wallet: Path, usb: Path, there: bytes | None) -> None:
    data = wallet.read_bytes()[:-1] if there is None else there
    (usb / "mine.wallet").write_bytes(data)
    with pytest.raises(AlreadyExists, match="Nothing was overwritten"):
        copy(wallet, usb / "mine")
    assert (usb / "mine.wallet").read_bytes() == data
    assert len(list(usb.iterdir())) == 1


def test_another_wallets_file_is_not_overwritten(wallet: Path, usb: Path) -> None:
    create(usb / "mine.wallet", 3)
    before = (usb / "mine.wallet").read_bytes()
    with pytest.raises(AlreadyExists):
        save_copy(wallet, usb / "mine", minimum=CHEAP)  # without a key nothing is proven
    assert (usb / "mine.wallet").read_bytes() == before


def test_a_copy_that_became_a_wallet_of_its_own_is_not_overwritten(wallet: Path, usb: Path) -> None:
    copy(wallet, usb / "mine")
    with FileLock(usb / "mine.wallet"):
        pass
    save(wallet, 1)
    with pytest.raises(AlreadyExists, match="wallet of its own"):
        copy(wallet, usb / "mine")


@pytest.mark.parametrize("name", ["a", "a.wallet"])
def test_the_wallet_itself_is_no_target(wallet: Path, name: str) -> None:
    with pytest.raises(AlreadyExists, match="itself"):
        copy(wallet, wallet.parent / name)
    with pytest.raises(AlreadyExists, match="itself"):
        copy(wallet, wallet.parent / ".." / "w" / name)


def test_a_missing_folder_is_a_sentence(wallet: Path, usb: Path) -> None:
    with pytest.raises(NotFound, match="no folder"):
        copy(wallet, usb / "gone" / "mine")


def test_a_damaged_wallet_is_copied_from_its_newest_intact_copy(wallet: Path, usb: Path) -> None:
    good = wallet.read_bytes()
    (wallet.parent / "a.wallet.1").write_bytes(good)
    wallet.write_bytes(good[:-5])
    copy(wallet, usb / "mine")
    assert (usb / "mine.wallet").read_bytes() == good
    wallet.with_name("a.wallet.1").unlink()
    with pytest.raises(Damaged):
        copy(wallet, usb / "again")


class Forgetful(OsFileSystem):
    """A stick that gives back other bytes than were written."""

    def read(self, path: Path, limit: int) -> bytes:
        data = super().read(path, limit)
        return data if path.parent.name == "w" else data[:-1] + b"\x00"


def test_a_stick_that_forgets_is_noticed(wallet: Path, usb: Path) -> None:
    with pytest.raises(WriteFailed, match="other bytes"):
        save_copy(wallet, usb / "mine", owns, files=Forgetful(), minimum=CHEAP)
    assert list(usb.iterdir()) == []


def test_reading_says_what_is_wrong(usb: Path) -> None:
    usb.mkdir()
    with pytest.raises(NotFound):
        read_copy(usb / "none.wallet", minimum=CHEAP)
    with pytest.raises(Unreadable):
        read_copy(usb, minimum=CHEAP)
    (usb / "x.wallet").write_bytes(b"x")
    with pytest.raises(Damaged, match="Save a new copy"):
        read_copy(usb / "x.wallet", minimum=CHEAP)


# --- crashes


def folder(wallet: Path, old: bytes | None) -> CrashFileSystem:
    content = {"a.wallet": wallet.read_bytes(), "other.wallet": b"another wallet"}
    if old is not None:
        content["mine.wallet"] = old
    return CrashFileSystem(content)


@pytest.mark.parametrize("has_old", [False, True])
def test_at_every_crash_the_name_is_whole_or_as_before(wallet: Path, *, has_old: bool) -> None:
    old = wallet.read_bytes() if has_old else None
    save(wallet, 5)
    files = folder(wallet, old)
    new = wallet.read_bytes()
    seen = 0

    def look() -> None:
        nonlocal seen
        for found in files.crash_states():
            seen += 1
            assert found.get("mine.wallet") in {old, new}
            assert found["other.wallet"] == b"another wallet"
            assert found["a.wallet"] == new

    files.before_step = look
    save_copy(Path("/n/a.wallet"), Path("/n/mine"), owns, files=files, minimum=CHEAP)
    look()
    assert seen > 10
    assert all(found["mine.wallet"] == new for found in files.crash_states())


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_whatever_step_the_disk_refuses_nothing_is_lost(wallet: Path, error: int) -> None:
    old = wallet.read_bytes()
    save(wallet, 5)
    whole = folder(wallet, old)
    save_copy(Path("/n/a.wallet"), Path("/n/mine"), owns, files=whole, minimum=CHEAP)
    for step in range(1, whole.steps + 1):
        files = folder(wallet, old)
        files.fail_at, files.error = step, error
        with pytest.raises(WriteFailed, match="try again"):
            save_copy(Path("/n/a.wallet"), Path("/n/mine"), owns, files=files, minimum=CHEAP)
        parse(files.names_now["mine.wallet"].content, minimum=CHEAP)


def test_what_a_crash_left_is_not_touched(wallet: Path, usb: Path) -> None:
    part = usb / ("mine.wallet" + backups.PART)
    part.write_bytes(b"torn")
    copy(wallet, usb / "mine")
    assert part.read_bytes() == b"torn"
    assert sorted(path.name for path in usb.iterdir()) == ["mine.wallet", part.name]
    assert OS_FILES.read(usb / "mine.wallet", 1 << 20) == wallet.read_bytes()
