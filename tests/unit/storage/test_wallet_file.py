import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.storage.samples import (
    CHEAP,
    DESCRIPTION,
    FULL_VIEW,
    NEW_SALT,
    NEW_SECRET_BOX,
    NEW_VIEW_KEY,
    SECRET_BOX,
    SECRET_KEY,
    SECRET_TEXT,
    VIEW_KEY,
    create,
    number_of,
    secret_box,
    state,
    view_box,
)
from wallet_gui.sealing import DEFAULT, VIEW, open_box, seal_box
from wallet_gui.storage.errors import (
    AlreadyExists,
    ChangedOnDisk,
    Damaged,
    InUse,
    NewerFormat,
    NotFound,
    StorageError,
    TooLarge,
    Unreadable,
    WrongKey,
)
from wallet_gui.storage.fs import OsFileSystem
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import ROTATION_SECONDS, WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view, parse
from wallet_gui.wallet.changes import ViewChange


class Clock:
    def __init__(self) -> None:
        self.time = 1_700_000_000

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallets" / "a.wallet"


@pytest.fixture
def lock(path: Path) -> Iterator[FileLock]:
    create(path)
    with FileLock(path) as held:
        yield held


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(lock: FileLock, clock: Clock | None = None, key: bytes = VIEW_KEY) -> WalletFile:
    return WalletFile.open(lock, key, now=clock or Clock(), minimum=CHEAP)


def read(path: Path) -> WalletFileContents:
    return WalletFile.read(path, minimum=CHEAP)


def number_in(path: Path) -> int:
    return number_of(open_view(parse(path.read_bytes(), minimum=CHEAP), VIEW_KEY, minimum=CHEAP))


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))  # noqa: PTH208


def flip(path: Path, position: int = 500) -> None:
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)


def test_created_wallet_opens(lock: FileLock, path: Path) -> None:
    wallet_file = opened(lock)
    assert wallet_file.state == state(0)
    assert wallet_file.notices == ()
    contents = read(path)
    assert (contents.source, contents.notices) == ("", ())
    assert contents.secret_box == SECRET_BOX
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert names(path) == ["a.wallet", "a.wallet.lock"]


def test_saved_view_comes_back_and_secrets_stay_byte_for_byte(lock: FileLock, path: Path) -> None:
    full = ViewState(DESCRIPTION, FULL_VIEW, {"unit": "sat"})
    opened(lock).save_view(full)
    assert opened(lock).state == full
    secret = read(path).secret_box
    assert secret == SECRET_BOX
    assert open_box(SECRET_KEY, secret, minimum=CHEAP) == SECRET_TEXT
    assert path.stat().st_mode & 0o777 == 0o600


def test_merge_saves_a_change_and_an_empty_one_writes_nothing(lock: FileLock, path: Path) -> None:
    wallet_file = opened(lock)
    before = path.read_bytes()
    wallet_file.merge(ViewChange())
    assert path.read_bytes() == before
    wallet_file.merge(FULL_VIEW)
    assert opened(lock).state == state(0).merge(FULL_VIEW)


def test_watch_only_wallet_has_no_secret_box(path: Path) -> None:
    watching = replace(state(), description=replace(DESCRIPTION, has_secrets=False))
    WalletFile.create(path, view_box(watching), None, view_key=VIEW_KEY, minimum=CHEAP)
    assert read(path).secret_box is None
    with FileLock(path) as lock:
        wallet_file = opened(lock)
        wallet_file.save_view(replace(watching, settings={"n": 9}))
        with pytest.raises(ValueError, match="neither adds nor takes away"):
            wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
        assert wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, None) == ()
        assert number_of(opened(lock, key=NEW_VIEW_KEY).state) == 9


def test_boxes_that_are_not_what_they_should_be_are_not_written(path: Path) -> None:
    box = view_box(state())
    with pytest.raises(WrongKey):
        WalletFile.create(path, box, SECRET_BOX, view_key=NEW_VIEW_KEY, minimum=CHEAP)
    with pytest.raises(Damaged):
        WalletFile.create(path, SECRET_BOX, box, view_key=SECRET_KEY, minimum=CHEAP)
    with pytest.raises(Damaged):
        WalletFile.create(path, box, SECRET_BOX + b"x", view_key=VIEW_KEY, minimum=CHEAP)
    with pytest.raises(Damaged, match="protects its password less"):
        WalletFile.create(path, box, SECRET_BOX, view_key=VIEW_KEY)
    with pytest.raises(ValueError, match="disagree about secrets"):
        WalletFile.create(path, box, None, view_key=VIEW_KEY, minimum=CHEAP)
    with pytest.raises(ValueError, match="NAME"):
        WalletFile.create(
            path.with_suffix(".dat"), box, SECRET_BOX, view_key=VIEW_KEY, minimum=CHEAP
        )
    assert not path.exists()


@pytest.mark.parametrize("ending", ["", ".1", ".3", ".new"])
def test_creation_writes_over_nothing(path: Path, ending: str) -> None:
    create(path)
    path.rename(path.with_name("a.wallet" + ending))
    before = path.with_name("a.wallet" + ending).read_bytes()
    with pytest.raises(AlreadyExists, match="Choose another name"):
        create(path, 5)
    assert path.with_name("a.wallet" + ending).read_bytes() == before
    assert names(path) == sorted(["a.wallet" + ending, "a.wallet.lock"])


def test_creation_that_was_cut_off_may_be_tried_again(path: Path) -> None:
    path.parent.mkdir()
    path.with_name("a.wallet.new").write_bytes(b"WGUI-WLTtorn")
    create(path, 4)
    assert number_in(path) == 4
    assert names(path) == ["a.wallet", "a.wallet.lock"]


def test_older_copies_rotate_at_most_once_an_hour(lock: FileLock, path: Path, clock: Clock) -> None:
    wallet_file = opened(lock, clock)
    for number in range(1, 13):  # one each 20 minutes
        wallet_file.save_view(state(number))
        clock.time += ROTATION_SECONDS // 3
        if number == 5:  # a restart changes nothing in this
            wallet_file = opened(lock, clock)
    copies = [number_in(path.with_name("a.wallet" + end)) for end in ("", ".1", ".2", ".3")]
    assert copies == [12, 9, 6, 3]


def test_clock_that_was_set_back_does_not_stop_rotation(
    lock: FileLock, path: Path, clock: Clock
) -> None:
    wallet_file = opened(lock, clock)
    wallet_file.save_view(state(1))
    clock.time -= 10_000_000
    wallet_file.save_view(state(2))
    assert number_in(path.with_name("a.wallet.1")) == 1
    clock.time = -5
    wallet_file.save_view(state(3))
    assert number_in(path) == 3


def test_reader_falls_back_and_says_so(lock: FileLock, path: Path, clock: Clock) -> None:
    wallet_file = opened(lock, clock)
    for number in range(1, 5):
        clock.time += ROTATION_SECONDS
        wallet_file.save_view(state(number))
    flip(path)
    found = opened(lock)
    assert number_of(found.state) == 3
    assert "a.wallet is damaged." in found.notices
    assert "The wallet was read from an older copy, a.wallet.1." in found.notices
    flip(path.with_name("a.wallet.1"))
    path.unlink()
    found = opened(lock)
    assert number_of(found.state) == 2
    assert found.notices[0] == "a.wallet is missing."
    path.with_name("a.wallet.2").unlink()
    path.with_name("a.wallet.3").replace(path.with_name("a.wallet.new"))
    found = opened(lock)
    assert number_of(found.state) == 1
    assert "an interrupted save" in found.notices[-1]
    flip(path.with_name("a.wallet.new"))
    with pytest.raises(Damaged, match="Restore the wallet from a backup"):
        opened(lock)


def test_damaged_file_is_kept_aside_and_never_becomes_an_older_copy(
    lock: FileLock, path: Path, clock: Clock
) -> None:
    wallet_file = opened(lock, clock)
    clock.time += ROTATION_SECONDS
    wallet_file.save_view(state(1))
    flip(path)
    damaged = path.read_bytes()
    clock.time += ROTATION_SECONDS
    found = opened(lock, clock)
    found.save_view(state(2))
    assert number_in(path) == 2
    assert number_in(path.with_name("a.wallet.1")) == 0
    assert path.with_name(f"a.wallet.aside-{clock.time}").read_bytes() == damaged


def test_rot_while_open_is_healed_by_the_next_save(lock: FileLock, path: Path) -> None:
    wallet_file = opened(lock)
    flip(path, len(path.read_bytes()) - 200)  # in the secret box, which the window cannot open
    wallet_file.save_view(state(1))
    assert read(path).secret_box == SECRET_BOX
    path.unlink()
    wallet_file.save_view(state(2))
    assert number_in(path) == 2


def test_file_that_took_this_ones_place_is_not_written_over(lock: FileLock, path: Path) -> None:
    wallet_file = opened(lock)
    other = path.with_name("b.wallet")
    create(other, 7)
    other.replace(path)
    before = path.read_bytes()
    with pytest.raises(ChangedOnDisk, match="open it again"):
        wallet_file.save_view(state(1))
    assert path.read_bytes() == before


def test_every_flipped_bit_and_every_truncation_is_noticed(path: Path) -> None:
    create(path)
    data = path.read_bytes()
    for position in range(len(data)):
        bit = 1 << position % 8
        with pytest.raises(Damaged):
            parse(
                data[:position] + bytes([data[position] ^ bit]) + data[position + 1 :],
                minimum=CHEAP,
            )
    for end in range(len(data)):
        with pytest.raises(Damaged):
            parse(data[:end], minimum=CHEAP)
    with pytest.raises(Damaged):
        parse(data + b"\0", minimum=CHEAP)


def test_every_swap_of_blocks_is_noticed(path: Path) -> None:
    create(path)
    data = path.read_bytes()
    chance = random.Random(4)
    for _ in range(1000):
        size = chance.choice([1, 16, 64, 512])
        first, second = sorted(chance.sample(range(0, len(data) - size, size), 2))
        swapped = bytearray(data)
        swapped[first : first + size] = data[second : second + size]
        swapped[second : second + size] = data[first : first + size]
        if swapped == data:
            continue
        with pytest.raises(Damaged):
            parse(bytes(swapped), minimum=CHEAP)


def with_checksum(data: bytes) -> bytes:
    return data[:-32] + hashlib.sha256(data[:-32]).digest()


def test_forged_file_with_a_right_checksum_does_not_open(path: Path) -> None:
    create(path)
    data = path.read_bytes()
    for position in range(len(data) - 32):
        forged = bytearray(data)
        forged[position] ^= 1 << position % 8
        with pytest.raises(StorageError):
            open_view(parse(with_checksum(bytes(forged)), minimum=CHEAP), VIEW_KEY, minimum=CHEAP)


def test_secret_box_of_another_wallet_is_noticed(lock: FileLock, path: Path) -> None:
    foreign = secret_box(b"X" * 32)
    assert len(foreign) == len(SECRET_BOX)
    path.write_bytes(with_checksum(path.read_bytes().replace(SECRET_BOX, foreign)))
    with pytest.raises(Damaged, match="do not belong together"):
        opened(lock)


def test_file_of_a_newer_program_is_left_untouched(lock: FileLock, path: Path) -> None:
    opened(lock).save_view(state(1))
    wallet_file = opened(lock)
    data = bytearray(path.read_bytes())
    data[8] = 2
    newer = with_checksum(bytes(data))
    path.write_bytes(newer)
    for attempt in (lambda: opened(lock), lambda: wallet_file.save_view(state(2))):
        with pytest.raises(NewerFormat, match="Update the program"):
            attempt()
    lock.release()
    with pytest.raises(AlreadyExists):
        create(path)
    assert path.read_bytes() == newer
    assert number_in(path.with_name("a.wallet.1")) == 0


@pytest.mark.parametrize("key", [NEW_VIEW_KEY, SECRET_KEY, bytes(32), b"V" * 31 + b"W"])
def test_another_key_does_not_open(lock: FileLock, key: bytes) -> None:
    with pytest.raises(WrongKey, match="password is wrong"):
        opened(lock, key=key)


def test_ten_thousand_wrong_keys(lock: FileLock) -> None:
    contents = read(lock.path)
    for number in range(10_000):
        with pytest.raises(WrongKey):
            open_view(contents, hashlib.sha256(str(number).encode()).digest(), minimum=CHEAP)


def test_weak_parameters_are_refused_in_production(lock: FileLock) -> None:
    with pytest.raises(Damaged):
        WalletFile.open(lock, VIEW_KEY)


def test_default_parameters_are_accepted(path: Path) -> None:
    box = seal_box(VIEW_KEY, VIEW, DEFAULT, NEW_SALT, state().encode())
    secret = seal_box(SECRET_KEY, b"secr", DEFAULT, NEW_SALT, SECRET_TEXT)
    WalletFile.create(path, box, secret, view_key=VIEW_KEY)
    with FileLock(path) as lock:
        wallet_file = WalletFile.open(lock, VIEW_KEY)
        wallet_file.save_view(state(3))
        header = WalletFile.read(path).view_header
        assert (header.kdf, header.salt) == (DEFAULT, NEW_SALT)


def test_too_many_labels_are_refused_before_anything_is_written(lock: FileLock, path: Path) -> None:
    before = path.read_bytes()
    huge = ViewChange(labels={("addr", "x"): "y" * (17 * 1024 * 1024)})
    with pytest.raises(TooLarge, match="Remove some of them"):
        opened(lock).merge(huge)
    assert path.read_bytes() == before
    assert names(path) == ["a.wallet", "a.wallet.lock"]


def test_oversized_file_is_not_read_whole(path: Path) -> None:
    path.parent.mkdir()
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse
    with pytest.raises(Damaged):
        read(path)


def test_missing_wallet(path: Path) -> None:
    with pytest.raises(NotFound, match=r"There is no wallet file a\.wallet"):
        read(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no fifos here")
def test_what_is_no_file_is_not_waited_for(path: Path) -> None:
    path.parent.mkdir()
    os.mkfifo(path)
    with pytest.raises(Damaged):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Damaged):
        read(path)


def test_symbolic_link_to_a_wallet_stays_a_link(lock: FileLock, path: Path) -> None:
    lock.release()
    link = path.with_name("link.wallet")
    link.symlink_to(path)
    with FileLock(link) as through:
        assert through.path == path
        with pytest.raises(InUse):
            FileLock(path).acquire()
        opened(through).save_view(state(6))
    assert link.is_symlink()
    assert number_in(path) == 6


@pytest.mark.parametrize("ending", [".1", ".new"])
def test_older_copy_is_not_opened_under_its_own_name(path: Path, ending: str) -> None:
    create(path)
    copy = path.with_name("a.wallet" + ending)
    path.rename(copy)
    with FileLock(copy) as lock, pytest.raises(Unreadable, match="Copy it to a name of its own"):
        opened(lock)


def test_unheld_lock_is_our_mistake(path: Path) -> None:
    create(path)
    lock = FileLock(path)
    with pytest.raises(ValueError, match="lock"):
        opened(lock)
    with lock:
        wallet_file = opened(lock)
    with pytest.raises(ValueError, match="lock"):
        wallet_file.save_view(state(1))
    assert number_in(path) == 0


def test_second_owner_cannot_create_or_open(lock: FileLock, path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(InUse, match="Close it there"):
        create(path, 3)
    assert path.read_bytes() == before


SIMILAR = ("a b", "a.b", "ab", "a.wallet", "A", "a.wallet.1")


def test_password_change_touches_no_other_wallet(lock: FileLock, path: Path, clock: Clock) -> None:
    wallet_file = opened(lock, clock)
    for number in range(1, 5):
        clock.time += ROTATION_SECONDS
        wallet_file.save_view(state(number))
    for name in SIMILAR:
        create(path.with_name(name + ".wallet"))
    (path.parent / "a.wallet.aside-notes").write_text("a person's own file")
    path.with_name("a.wallet.aside-17").write_bytes(path.read_bytes())
    others = {
        item.name: item.read_bytes()
        for item in path.parent.iterdir()
        if item.name not in {"a.wallet", "a.wallet.1", "a.wallet.2", "a.wallet.3"}
        and item.name != "a.wallet.aside-17"
    }
    notices = wallet_file.change_password(NEW_VIEW_KEY, CHEAP, NEW_SALT, NEW_SECRET_BOX)
    assert notices == ()
    assert {name: (path.parent / name).read_bytes() for name in others} == others
    assert set(names(path)) == {*others, "a.wallet", "a.wallet.1"}
    for name in ("a.wallet", "a.wallet.1"):
        contents = parse(path.with_name(name).read_bytes(), minimum=CHEAP)
        assert number_of(open_view(contents, NEW_VIEW_KEY, minimum=CHEAP)) == 4
        assert contents.secret_box == NEW_SECRET_BOX
        with pytest.raises(WrongKey):
            open_view(contents, VIEW_KEY, minimum=CHEAP)
    # The same object goes on under the new key.
    wallet_file.save_view(state(5))
    assert number_of(opened(lock, key=NEW_VIEW_KEY).state) == 5


def test_no_key_in_the_representations(lock: FileLock) -> None:
    for shown in (repr(opened(lock)), repr(read(lock.path))):
        assert "VVVV" not in shown
        assert "WGUI-BOX" not in shown


class NoLinks(OsFileSystem):
    """A file system without hard links, such as FAT."""

    def copy_aside(self, source: Path, target: Path) -> None:
        real, os.link = os.link, no_link
        try:
            super().copy_aside(source, target)
        finally:
            os.link = real


def no_link(*_arguments: object, **_options: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_older_copies_without_hard_links(lock: FileLock, path: Path, clock: Clock) -> None:
    wallet_file = WalletFile.open(lock, VIEW_KEY, files=NoLinks(), now=clock, minimum=CHEAP)
    wallet_file.save_view(state(1))
    clock.time += ROTATION_SECONDS
    wallet_file.save_view(state(2))
    copies = [number_in(path.with_name("a.wallet" + end)) for end in ("", ".1", ".2")]
    assert copies == [2, 1, 0]
    assert path.with_name("a.wallet.1").stat().st_mode & 0o777 == 0o600
