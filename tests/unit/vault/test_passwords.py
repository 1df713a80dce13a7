"""Unlocking and changing the password."""

from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY,
    TINY_COST,
    SampleWallet,
    make_wallet,
    read_state,
)
from wallet_gui.keys import secret_box
from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.storage.errors import Damaged, InUse, NotFound, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import ChangePassword
from wallet_gui.vault.errors import BadRequest
from wallet_gui.vault.password_change import change_password
from wallet_gui.vault.unlocking import unlock

NEW = "a wholly different one"


@pytest.fixture
def sample(tmp_path: Path) -> SampleWallet:
    return make_wallet(tmp_path)


def _no_progress(_step: str, _fraction: float | None) -> None:
    pass


def test_the_right_password_gives_the_view_key(sample: SampleWallet) -> None:
    unlocked = unlock(sample.path, PASSWORD, TINY_COST)
    assert unlocked.reply.view_key == sample.view_key
    assert unlocked.notices == ()


@pytest.mark.parametrize(
    "password",
    [
        "",
        PASSWORD[:-1],
        PASSWORD + " ",
        " " + PASSWORD,
        PASSWORD.upper(),
        PASSWORD.replace("-", "\u2013"),
    ],
)
def test_near_misses_are_wrong(sample: SampleWallet, password: str) -> None:
    with pytest.raises(WrongKey, match="Caps Lock"):
        unlock(sample.path, password, TINY_COST)


def test_composed_and_decomposed_passwords_are_one(tmp_path: Path) -> None:
    sample = make_wallet(tmp_path)
    change_password(
        ChangePassword(str(sample.path)), PASSWORD, "grüße-würde", TINY_COST, _no_progress
    )
    assert unlock(sample.path, "gru\u0308ße-wu\u0308rde", TINY_COST).reply.path == str(sample.path)


def test_missing_and_damaged_files_are_told(tmp_path: Path, sample: SampleWallet) -> None:
    with pytest.raises(NotFound, match=r"other\.wallet"):
        unlock(tmp_path / "other.wallet", PASSWORD, TINY_COST)
    sample.path.write_bytes(sample.path.read_bytes()[:-1])
    with pytest.raises(Damaged):
        unlock(sample.path, PASSWORD, TINY_COST)


def test_after_a_change_only_the_new_password_opens_anything(sample: SampleWallet) -> None:
    # A save an hour later leaves an older copy under the old password.
    with FileLock(sample.path) as lock:
        later = WalletFile.open(lock, sample.view_key, minimum=TINY, now=lambda: 4_000_000_000)
        later.save_view(later.state)
    assert sample.path.with_name("Savings.wallet.1").exists()
    before = read_state(sample.path, sample.view_key)
    steps: list[float | None] = []
    changed = change_password(
        ChangePassword(str(sample.path)),
        PASSWORD,
        NEW,
        TINY_COST,
        lambda _step, fraction: steps.append(fraction),
    )
    assert changed.notices == ()
    assert steps[0] == 0.0
    # Nothing is told once it is written: it could not be cancelled any more.
    assert steps[-2:] == [1.0, None]
    assert read_state(sample.path, changed.reply.view_key) == before
    assert unlock(sample.path, NEW, TINY_COST).reply.view_key == changed.reply.view_key
    box = WalletFile.read(sample.path, minimum=TINY).secret_box
    assert box is not None
    assert secret_box.open(NEW, box, minimum=TINY).script_types == ("wpkh", "tr")
    for path in sample.path.parent.glob("Savings.wallet*"):
        if path.name.endswith(".lock"):
            continue
        with pytest.raises(WrongKey):
            unlock(path, PASSWORD, TINY_COST)
    with pytest.raises(PasswordWrong):
        secret_box.open(PASSWORD, box, minimum=TINY)


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("wrong password", NEW, WrongKey),
        (PASSWORD, PASSWORD, BadRequest),
        (PASSWORD, "short", BadRequest),
        (PASSWORD, "", BadRequest),
    ],
)
def test_a_refused_change_leaves_every_byte(
    sample: SampleWallet, old: str, new: str, error: type[Exception]
) -> None:
    before = sample.path.read_bytes()
    with pytest.raises(error):
        change_password(ChangePassword(str(sample.path)), old, new, TINY_COST, _no_progress)
    assert sample.path.read_bytes() == before


def test_the_lock_is_respected_and_can_be_lent(sample: SampleWallet) -> None:
    with FileLock(sample.path):
        with pytest.raises(InUse):
            change_password(
                ChangePassword(str(sample.path)), PASSWORD, NEW, TINY_COST, _no_progress
            )
        lent = ChangePassword(str(sample.path), lock_held=True)
        change_password(lent, PASSWORD, NEW, TINY_COST, _no_progress)
    assert unlock(sample.path, NEW, TINY_COST).notices == ()
