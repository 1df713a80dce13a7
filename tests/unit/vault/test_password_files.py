"""Which files a password opens before, during and after it is changed, and whose they are."""

import hashlib
import itertools
import json
import shutil
from pathlib import Path

import pytest

from tests.unit.vault.samples import PASSWORD, TINY, TINY_COST, SampleWallet, make_wallet
from wallet_gui.keys.kdf import derive_key
from wallet_gui.keys.secret_box import FORMAT, SecretPayload
from wallet_gui.sealing import (
    SECRET,
    VIEW,
    KdfParameters,
    NewerFormat,
    new_salt,
    parse_box,
    seal_box,
)
from wallet_gui.storage.errors import WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import ChangePassword
from wallet_gui.vault import signing, upgrading
from wallet_gui.vault.errors import PersonCancelled
from wallet_gui.vault.password_change import change_password
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.unlocking import unlock

NEW = "violin gravel tomato harbour"
NAMES = ("a", "a b", "a.b", "ab", "a.wallet", "A")
WEAKER = KdfParameters(16, 1, 1)
MIXED_COST = PasswordCost(TINY, TINY, WEAKER)


def no_progress(_step: str, _fraction: float | None) -> None:
    pass


def change(path: Path, cost: PasswordCost = TINY_COST) -> None:
    assert (
        change_password(ChangePassword(str(path)), PASSWORD, NEW, cost, no_progress).notices == ()
    )


def with_copies(path: Path, key: bytes, cost: PasswordCost = TINY_COST) -> None:
    """Save hourly until all older copies are there, and leave a .new as a crash does."""
    with FileLock(path) as lock:
        hour = iter(range(4_000_000_000, 5_000_000_000, 3_600))
        wallet_file = WalletFile.open(lock, key, minimum=cost.minimum, now=lambda: next(hour))
        for number in range(4):
            wallet_file.keep_setting("n", number)
    shutil.copy(path, path.with_name(path.name + ".new"))
    (path.with_name(path.name + ".aside-5")).write_bytes(path.read_bytes())


class Impatient:
    """A person who presses Cancel after so many steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def __call__(self, _step: str, _fraction: float | None) -> None:
        if self.steps == 0:
            raise PersonCancelled
        self.steps -= 1


def files_of(path: Path) -> list[Path]:
    return sorted(
        other
        for other in path.parent.iterdir()
        if other.name.startswith(path.name) and not other.name.endswith(".lock")
    )


def digests(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if not path.name.endswith(".lock")
    }


def opens(path: Path, password: str, cost: PasswordCost = TINY_COST) -> bool:
    """Whether the password opens this very file, be it an older copy."""
    alone = path.with_name("alone") / "x.wallet"
    alone.parent.mkdir(exist_ok=True)
    shutil.copy(path, alone)
    try:
        unlock(alone, password, cost)
    except WrongKey:
        return False
    finally:
        shutil.rmtree(alone.parent)
    return True


def test_the_old_password_opens_nothing_that_is_left(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    with_copies(sample.path, sample.view_key)
    names = [path.name.removeprefix(sample.path.name) for path in files_of(sample.path)]
    assert names == ["", ".1", ".2", ".3", ".aside-5", ".new"]
    assert all(opens(path, PASSWORD) for path in files_of(sample.path))
    change(sample.path)
    left = files_of(sample.path)
    assert [path.name.removeprefix(sample.path.name) for path in left] == ["", ".1"]
    for path in left:
        assert not opens(path, PASSWORD)
        assert opens(path, NEW)


def test_an_upgrade_leaves_no_copy_that_is_cheaper_to_guess_at(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, cost=PasswordCost(WEAKER, WEAKER, WEAKER))
    with_copies(sample.path, sample.view_key, MIXED_COST)
    assert len(files_of(sample.path)) == 6
    unlock(sample.path, PASSWORD, MIXED_COST)
    left = files_of(sample.path)
    assert [path.name.removeprefix(sample.path.name) for path in left] == ["", ".1"]
    for path in left:
        contents = WalletFile.read(path, minimum=WEAKER)
        assert contents.secret_box is not None
        for box in (contents.view_box, contents.secret_box):
            assert parse_box(box, minimum=WEAKER)[0].kdf == MIXED_COST.preferred
        assert opens(path, PASSWORD, MIXED_COST)


def test_a_computer_that_reckons_wrong_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample = make_wallet(tmp_path, cost=PasswordCost(WEAKER, WEAKER, WEAKER))
    before = digests(tmp_path)
    real, runs = derive_key, itertools.count()

    def faulty(password: str, salt: bytes, parameters: KdfParameters) -> bytes:
        key = real(password, salt, parameters)
        return key if next(runs) % 2 else bytes([key[0] ^ 1]) + key[1:]

    monkeypatch.setattr(upgrading, "derive_key", faulty)
    told = unlock(sample.path, PASSWORD, MIXED_COST).notices
    assert "memory is faulty" in " ".join(told)
    assert digests(tmp_path) == before


def test_the_old_password_opens_nothing_after_an_upgrade_either(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, cost=PasswordCost(WEAKER, WEAKER, WEAKER))
    unlock(sample.path, PASSWORD, MIXED_COST)
    assert all(opens(path, PASSWORD, MIXED_COST) for path in files_of(sample.path))
    change(sample.path, MIXED_COST)
    assert not any(opens(path, PASSWORD, MIXED_COST) for path in files_of(sample.path))


def test_wallets_of_similar_names_are_strangers(tmp_path: Path) -> None:
    samples: dict[str, SampleWallet] = {}
    for name in NAMES:
        made = make_wallet(tmp_path / "made")
        path = tmp_path / f"{name}.wallet"
        made.path.rename(path)
        shutil.rmtree(tmp_path / "made")
        with_copies(path, made.view_key)
        samples[name] = made
    for changed in NAMES:
        before = digests(tmp_path)
        change(tmp_path / f"{changed}.wallet")
        mine = {
            f"{changed}.wallet{ending}" for ending in ("", ".1", ".2", ".3", ".new", ".aside-5")
        }
        after = digests(tmp_path)
        for name in before.keys() - mine:
            assert after[name] == before[name], (changed, name)
        assert after.keys() - before.keys() == set()
    for name in NAMES:
        assert opens(tmp_path / f"{name}.wallet", NEW)
        assert not opens(tmp_path / f"{name}.wallet", PASSWORD)


def test_a_change_that_is_cancelled_at_any_step_leaves_every_byte(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    with_copies(sample.path, sample.view_key)
    before = digests(tmp_path)
    for steps in range(10):
        try:
            change_password(
                ChangePassword(str(sample.path)), PASSWORD, NEW, TINY_COST, Impatient(steps)
            )
        except PersonCancelled:
            assert digests(tmp_path) == before
            continue
        break
    assert steps == 6
    assert opens(sample.path, NEW)


def test_an_upgrade_that_is_cancelled_leaves_every_byte(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path, cost=PasswordCost(WEAKER, WEAKER, WEAKER))
    before = digests(tmp_path)
    for steps in range(3):
        with pytest.raises(PersonCancelled):
            unlock(sample.path, PASSWORD, MIXED_COST, Impatient(steps))
        assert digests(tmp_path) == before
    unlock(sample.path, PASSWORD, MIXED_COST)
    assert digests(tmp_path) != before


def test_a_full_disk_unlocks_with_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample = make_wallet(tmp_path, cost=PasswordCost(WEAKER, WEAKER, WEAKER))
    before = digests(tmp_path)

    def full(*_arguments: object) -> None:
        raise OSError(28, "full")

    monkeypatch.setattr("wallet_gui.storage.fs.OsFileSystem.write_new", full)
    unlocked = unlock(sample.path, PASSWORD, MIXED_COST)
    assert unlocked.reply.view_key == sample.view_key
    (notice,) = unlocked.notices
    assert "protection of an older version" in notice
    assert "disk is full" in notice
    assert digests(tmp_path) == before


@pytest.mark.parametrize("noted", [None, FORMAT, FORMAT + 1, "x"])
def test_secrets_of_a_newer_program_are_left_alone(noted: object, tmp_path: Path) -> None:
    contents = json.loads(SecretPayload(bytes(range(16)), network="regtest").encode())
    contents |= {"format": FORMAT + 1, "more": "than we know"}
    description = make_wallet(tmp_path / "x").wallet.description
    shutil.rmtree(tmp_path / "x")
    settings = {} if noted is None else {"secret_format": noted}

    def sealed(kind: bytes, plaintext: bytes) -> tuple[bytes, bytes]:
        salt = new_salt()
        key = derive_key(PASSWORD, salt, WEAKER)
        return key, seal_box(key, kind, WEAKER, salt, plaintext, minimum=WEAKER)

    view_key, view = sealed(VIEW, ViewState(description, settings=settings).encode())
    _, secret = sealed(SECRET, json.dumps(contents).encode())
    path = tmp_path / "Newer.wallet"
    WalletFile.create(path, view, secret, view_key=view_key, minimum=WEAKER)
    before = digests(tmp_path)
    assert unlock(path, PASSWORD, MIXED_COST).reply.view_key == view_key
    assert digests(tmp_path) == before
    with pytest.raises(NewerFormat):
        signing.open_payload(path, PASSWORD, MIXED_COST)
    with pytest.raises(NewerFormat):
        change(path, MIXED_COST)
    assert digests(tmp_path) == before
