"""Dated copies: the last 20 of this wallet, and never a file that somebody else made."""

import errno
import json
from pathlib import Path

import pytest

from tests.unit.storage.samples import (
    CHEAP,
    NEW_SALT,
    NEW_SECRET_BOX,
    NEW_VIEW_KEY,
    VIEW_KEY,
    create,
    number_of,
    state,
)
from wallet_gui.storage import dated_copies
from wallet_gui.storage.dated_copies import NOTE, DatedCopies
from wallet_gui.storage.errors import NotFound, StorageError, Unreadable, WriteFailed
from wallet_gui.storage.fs import OsFileSystem
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import open_view, parse


class Rig:
    """A wallet that is changed and copied, hour by hour."""

    def __init__(self, root: Path, name: str = "a") -> None:
        self.root = root
        self.usb = root / "usb"
        self.usb.mkdir(exist_ok=True)
        self.wallet = root / "w" / f"{name}.wallet"
        create(self.wallet)
        self.time = 1_700_000_000
        self.files = OsFileSystem()
        self.number = 0
        self.copies.prepare()

    @property
    def copies(self) -> DatedCopies:
        return DatedCopies(
            self.wallet, self.usb, files=self.files, now=lambda: self.time, minimum=CHEAP
        )

    def change(self) -> None:
        self.number += 1
        self.time += 3601
        with FileLock(self.wallet) as lock:
            WalletFile.open(lock, VIEW_KEY, minimum=CHEAP).save_view(state(self.number))

    def made(self) -> list[str]:
        return sorted(path.name for path in self.usb.iterdir() if path.name != NOTE)

    def numbers(self) -> list[int]:
        return [
            number_of(
                open_view(
                    parse((self.usb / name).read_bytes(), minimum=CHEAP), VIEW_KEY, minimum=CHEAP
                )
            )
            for name in self.made()
        ]


KEPT = 4


@pytest.fixture(autouse=True)
def keep_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    assert dated_copies.KEPT == 20
    monkeypatch.setattr(dated_copies, "KEPT", KEPT)


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_only_the_newest_are_kept(rig: Rig) -> None:
    for _ in range(KEPT + 5):
        rig.change()
        rig.copies.make()
    state_now = rig.copies.look()
    assert rig.numbers() == list(range(6, KEPT + 6))
    assert state_now.count == KEPT
    assert state_now.newest_name == rig.made()[-1]
    assert state_now.newest_time == rig.time


def test_what_did_not_change_is_not_copied_again(rig: Rig) -> None:
    rig.copies.make()
    rig.time += 5
    assert rig.copies.make().count == 1
    assert rig.made() == ["a 2023-11-14 221320.wallet"]


def test_two_changes_in_one_second_are_two_copies(rig: Rig) -> None:
    rig.copies.make()
    rig.change()
    rig.time -= 3601
    rig.copies.make()
    assert rig.made() == ["a 2023-11-14 221320 2.wallet", "a 2023-11-14 221320.wallet"]


def test_only_what_we_made_is_deleted(rig: Rig, tmp_path: Path) -> None:
    rig.change()
    rig.copies.make()
    (mine,) = rig.made()
    theirs = {
        "a 2020-01-01 000000.wallet": rig.wallet.read_bytes(),  # a name like ours, not listed
        "photo.jpg": b"holiday",
        "a.wallet": rig.wallet.read_bytes(),
    }
    for name, data in theirs.items():
        (rig.usb / name).write_bytes(data)
    other = Rig(tmp_path, "a b")
    other.copies.make()
    for _ in range(KEPT + 3):
        rig.change()
        rig.copies.make()
    assert not (rig.usb / mine).exists()
    for name, data in theirs.items():
        assert (rig.usb / name).read_bytes() == data
    assert other.copies.look().count == 1


def test_a_listed_name_with_other_bytes_is_not_deleted(rig: Rig) -> None:
    rig.change()
    rig.copies.make()
    (first,) = rig.made()
    create(rig.usb / "b.wallet", 99)
    (rig.usb / "b.wallet").replace(rig.usb / first)
    before = (rig.usb / first).read_bytes()
    for _ in range(KEPT + 2):
        rig.change()
        rig.copies.make()
    assert (rig.usb / first).read_bytes() == before


def test_a_forged_list_deletes_nothing_else(rig: Rig) -> None:
    rig.change()
    rig.copies.make()
    (rig.usb / "letters.txt").write_text("dear")
    (rig.root / "outside.wallet").write_bytes(rig.wallet.read_bytes())
    digest = rig.wallet.read_bytes()[-32:].hex()
    path = rig.copies.list_path
    value = json.loads(path.read_text())
    for name in ("letters.txt", "../outside.wallet", NOTE):
        value["copies"].insert(
            0, {"folder": str(rig.usb), "name": name, "digest": digest, "salt": "", "time": 1}
        )
    path.write_text(json.dumps(value))
    for _ in range(KEPT + 2):
        rig.change()
        rig.copies.make()
    assert (rig.usb / "letters.txt").read_text() == "dear"
    assert (rig.root / "outside.wallet").exists()
    assert (rig.usb / NOTE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 1, "copies": [1]}'])
def test_without_its_list_nothing_is_deleted(rig: Rig, text: str) -> None:
    for _ in range(KEPT):
        rig.change()
        rig.copies.make()
    rig.copies.list_path.write_text(text)
    for _ in range(3):
        rig.change()
        rig.copies.make()
    assert len(rig.made()) == KEPT + 3


def test_a_disk_that_is_not_connected_is_a_sentence(rig: Rig) -> None:
    (rig.usb / NOTE).unlink()  # an empty mount point, as after taking the stick out
    with pytest.raises(NotFound, match="Connect its disk"):
        rig.copies.make()
    assert rig.made() == []
    rig.usb.rmdir()
    with pytest.raises(NotFound, match="Connect its disk"):
        rig.copies.look()


def test_the_wallets_own_folder_is_refused(rig: Rig) -> None:
    with pytest.raises(Unreadable, match="another disk"):
        DatedCopies(rig.wallet, rig.wallet.parent).prepare()
    with pytest.raises(NotFound):
        DatedCopies(rig.wallet, rig.root / "none").prepare()


class Full(OsFileSystem):
    def write_new(self, path: Path, data: bytes) -> None:
        if path.parent.name == "usb":
            raise OSError(errno.ENOSPC, "full")
        super().write_new(path, data)


def test_a_full_disk_keeps_every_copy(rig: Rig) -> None:
    for _ in range(KEPT):
        rig.change()
        rig.copies.make()
    before = rig.made()
    rig.files = Full()
    rig.change()
    with pytest.raises(WriteFailed, match="disk is full"):
        rig.copies.make()
    assert rig.made() == before
    rig.files = OsFileSystem()
    assert rig.copies.make().count == KEPT


class Dies(OsFileSystem):
    """The process ends at a given step in the folder of the copies."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt

    def write_new(self, path: Path, data: bytes) -> None:
        self._step()
        super().write_new(path, data)
        self._step()

    def replace(self, source: Path, target: Path) -> None:
        self._step()
        super().replace(source, target)
        self._step()

    def remove(self, path: Path) -> None:
        self._step()
        super().remove(path)
        self._step()


def test_after_a_death_at_any_step_the_next_run_goes_on(tmp_path: Path) -> None:
    for step in range(1, 15):
        root = tmp_path / str(step)
        root.mkdir()
        rig = Rig(root)
        for _ in range(KEPT):
            rig.change()
            rig.copies.make()
        rig.change()
        rig.files = Dies(step)
        try:
            rig.copies.make()
        except KeyboardInterrupt:
            died = True
        else:
            died = False
        rig.files = OsFileSystem()
        rig.time += 10
        now = rig.copies.make()
        assert now.count == KEPT, (step, died, rig.made())
        assert max(rig.numbers()) == KEPT + 1
        assert not [name for name in rig.made() if name.endswith(".part")]


def test_copies_under_an_earlier_password_are_counted_and_can_go(rig: Rig) -> None:
    rig.change()
    rig.copies.make()
    with FileLock(rig.wallet) as lock:
        WalletFile.open(lock, VIEW_KEY, minimum=CHEAP).change_password(
            NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX
        )
    state_now = rig.copies.make()
    assert (state_now.count, state_now.older_password) == (2, 1)
    state_now = rig.copies.remove_older_passwords()
    assert (state_now.count, state_now.older_password) == (1, 0)
    (left,) = rig.made()
    contents = parse((rig.usb / left).read_bytes(), minimum=CHEAP)
    open_view(contents, NEW_VIEW_KEY, minimum=CHEAP)


def test_every_error_is_a_sentence(rig: Rig) -> None:
    rig.wallet.write_bytes(b"")
    for path in rig.wallet.parent.glob("a.wallet.*"):
        path.unlink()
    with pytest.raises(StorageError, match=r"\.$"):
        rig.copies.make()
