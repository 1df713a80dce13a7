"""Checking a copy of the file and the words on paper, without a window."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.vault.samples import (
    PASSWORD,
    TINY_COST,
    WORDS,
    SampleWallet,
    make_wallet,
    read_state,
    restore_request,
    sample_seed,
)
from tests.unit.vault.test_headless import ask
from tests.unit.vault.test_joining import agreed, join_request, watch_request
from wallet_gui.keys.errors import SeedError
from wallet_gui.keys.seed import Seed, word_list
from wallet_gui.storage.errors import Damaged, NotFound, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    BackupChecked,
    ChangePassword,
    CheckBackup,
    DrillWords,
    HeadlessOptions,
    WordsDrilled,
)
from wallet_gui.vault import creation, password_change
from wallet_gui.vault.backup_check import CopyPasswordWrong
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, WatchOnly
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks
from wallet_gui.wallet.changes import ViewChange

NEW = "violin gravel tomato harbour"


@pytest.fixture
def wallet(tmp_path: Path) -> SampleWallet:
    (tmp_path / "w").mkdir()
    return make_wallet(tmp_path / "w")


def copy_of(wallet: SampleWallet, folder: Path) -> Path:
    target = folder / "copy.wallet"
    shutil.copy(wallet.path, target)
    return target


def change(wallet: SampleWallet, labels: dict[tuple[str, str], str]) -> None:
    with FileLock(wallet.path) as lock:
        WalletFile.open(lock, wallet.view_key, minimum=TINY_COST.minimum).merge(
            ViewChange(labels=labels)
        )


def checks_of(wallet: SampleWallet) -> BackupChecks:
    return BackupChecks.of(read_state(wallet.path, wallet.view_key).settings.get(SETTING))


def check(wallet: SampleWallet, copy: Path, *answers: str, record: bool = False) -> BackupChecked:
    request = CheckBackup(str(wallet.path), str(copy), record=record)
    reply, terminal, _ = ask(request, *(answers or (PASSWORD,)))
    assert isinstance(reply, BackupChecked)
    assert PASSWORD not in terminal.written
    return reply


def drill(
    wallet: SampleWallet, words: str = WORDS, *more: str, record: bool = False
) -> WordsDrilled:
    reply, terminal, notes = ask(
        DrillWords(str(wallet.path), record=record), PASSWORD, words, *more
    )
    assert isinstance(reply, WordsDrilled)
    assert not set(WORDS.split()) & set(f"{terminal.written} {notes} {reply}".split())
    return reply


# --- the file


def test_a_fresh_copy_is_the_same_wallet(wallet: SampleWallet, tmp_path: Path) -> None:
    reply = check(wallet, copy_of(wallet, tmp_path))
    assert reply.is_same
    assert "its keys, its descriptors and the first 20 addresses of each of its 2" in reply.sentence
    assert not reply.is_recorded
    assert checks_of(wallet) == BackupChecks()


def test_older_labels_are_told_and_fine(wallet: SampleWallet, tmp_path: Path) -> None:
    change(wallet, {("addr", "a"): "kept"})
    copy = copy_of(wallet, tmp_path)
    change(wallet, {("addr", "b"): "new", ("tx", "c"): "new too"})
    reply = check(wallet, copy)
    assert reply.is_same
    assert any("lacks 2 labels." in difference for difference in reply.differences)


def test_a_good_check_is_remembered_in_the_file(wallet: SampleWallet, tmp_path: Path) -> None:
    assert check(wallet, copy_of(wallet, tmp_path), record=True).is_recorded
    assert checks_of(wallet).file.count == 1


def test_a_wallet_in_use_is_checked_all_the_same(wallet: SampleWallet, tmp_path: Path) -> None:
    with FileLock(wallet.path):
        reply = check(wallet, copy_of(wallet, tmp_path), record=True)
    assert reply.is_same
    assert not reply.is_recorded
    assert "open elsewhere" in reply.differences[-1]


def test_a_copy_of_another_wallet_is_told(wallet: SampleWallet, tmp_path: Path) -> None:
    seed = Seed(b"\x01" * 16)
    request = restore_request(tmp_path, name="copy", script_types=("wpkh", "tr"))
    creation.create(request, seed, PASSWORD, TINY_COST, lambda *_: None)
    reply = check(wallet, tmp_path / "copy.wallet", record=True)
    assert not reply.is_same
    assert "another wallet" in reply.sentence
    assert checks_of(wallet) == BackupChecks()


def test_another_passphrase_is_another_wallet(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = make_wallet(tmp_path / "one", passphrase="one")
    other = make_wallet(tmp_path / "other", passphrase="other")
    assert not check(one, other.path).is_same
    assert check(one, copy_of(one, tmp_path)).is_same


def test_other_accounts_are_another_wallet(wallet: SampleWallet, tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    assert not check(wallet, make_wallet(tmp_path / "x", script_types=("wpkh",)).path).is_same


def test_a_copy_without_keys_is_no_backup(wallet: SampleWallet, tmp_path: Path) -> None:
    descriptors = read_state(wallet.path, wallet.view_key).description.descriptors
    request = replace(watch_request(tmp_path, agreed()), descriptors=descriptors, name="copy")
    creation.create_watching(request, PASSWORD, TINY_COST, lambda *_: None)
    reply = check(wallet, tmp_path / "copy.wallet")
    assert not reply.is_same
    assert "no keys" in reply.sentence


def test_an_older_password_is_asked_for_and_told(wallet: SampleWallet, tmp_path: Path) -> None:
    copy = copy_of(wallet, tmp_path)
    password_change.change_password(
        ChangePassword(str(wallet.path)), PASSWORD, NEW, TINY_COST, lambda *_: None
    )
    reply = check(wallet, copy, NEW, PASSWORD)
    assert reply.is_same
    assert any("another password" in difference for difference in reply.differences)
    with pytest.raises(CopyPasswordWrong):
        ask(CheckBackup(str(wallet.path), str(copy)), NEW, "wrong")
    with pytest.raises(WrongKey, match="password is wrong"):
        ask(CheckBackup(str(wallet.path), str(copy)), PASSWORD)


def test_the_copys_password_comes_from_its_own_file(wallet: SampleWallet, tmp_path: Path) -> None:
    copy = copy_of(wallet, tmp_path)
    password_change.change_password(
        ChangePassword(str(wallet.path)), PASSWORD, NEW, TINY_COST, lambda *_: None
    )
    for name, password in (("now", NEW), ("then", PASSWORD)):
        (tmp_path / name).write_text(password)
        (tmp_path / name).chmod(0o600)
    now, then = str(tmp_path / "now"), str(tmp_path / "then")
    request = CheckBackup(str(wallet.path), str(copy))
    reply, _, _ = ask(request, options=HeadlessOptions(password_file=now, new_password_file=then))
    assert isinstance(reply, BackupChecked)
    assert reply.is_same
    with pytest.raises(CopyPasswordWrong):
        ask(request, options=HeadlessOptions(password_file=now, new_password_file=now))


@pytest.mark.parametrize("place", [0, 60, 3000, -1])
def test_a_damaged_copy_is_told_before_any_password(
    wallet: SampleWallet, tmp_path: Path, place: int
) -> None:
    copy = copy_of(wallet, tmp_path)
    data = bytearray(copy.read_bytes())
    data[place] ^= 1
    copy.write_bytes(data)
    with pytest.raises(Damaged, match="Save a new copy while the wallet is intact"):
        ask(CheckBackup(str(wallet.path), str(copy)))


def test_an_intact_neighbour_does_not_make_a_damaged_copy_good(
    wallet: SampleWallet, tmp_path: Path
) -> None:
    copy = copy_of(wallet, tmp_path)
    shutil.copy(copy, tmp_path / "copy.wallet.1")
    copy.write_bytes(b"")
    with pytest.raises(Damaged):
        ask(CheckBackup(str(wallet.path), str(copy)))


def test_what_is_no_copy_is_told(wallet: SampleWallet, tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="itself"):
        ask(CheckBackup(str(wallet.path), str(wallet.path)))
    with pytest.raises(NotFound):
        ask(CheckBackup(str(wallet.path), str(tmp_path / "nothing.wallet")))


# --- the words


def test_right_words_are_right(wallet: SampleWallet) -> None:
    reply = drill(wallet, f"  {WORDS.upper()} ", record=True)
    assert reply.is_right
    assert reply.word_count == 12
    assert read_state(wallet.path, wallet.view_key).description.fingerprint in reply.sentence
    checks = checks_of(wallet)
    assert (checks.words.count, checks.word_count, checks.has_passphrase) == (1, 12, False)


def test_wrong_words_are_named_by_position_only(wallet: SampleWallet) -> None:
    drill(wallet, record=True)
    words = WORDS.split()
    words[2], words[8] = "zebra", "zebra"
    reply = drill(wallet, " ".join(words), record=True)
    assert not reply.is_right
    assert reply.wrong_positions == (3, 9)
    assert "Words 3 and 9 are not the ones" in reply.sentence
    assert "zebra" not in reply.sentence
    # A paper that is wrong now was never a backup: the reminder comes at once.
    assert checks_of(wallet).words.count == 0


def test_another_count_is_told(wallet: SampleWallet) -> None:
    for words, many in ((WORDS.rsplit(" ", 1)[0], "fewer"), (f"{WORDS} zoo", "more")):
        with pytest.raises(SeedError, match=many):
            drill(wallet, words)
    with pytest.raises(SeedError, match="Type the words"):
        drill(wallet, " ")


def test_the_passphrase_is_part_of_the_drill(tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path, passphrase="twenty-fifth")
    reply = drill(wallet, WORDS, "twenty-fifth", record=True)
    assert reply.is_right
    assert reply.has_passphrase
    assert checks_of(wallet).has_passphrase
    with pytest.raises(PassphraseWrong):
        drill(wallet, WORDS, "Twenty-fifth")


def test_accents_may_be_left_out_where_restoring_takes_it(tmp_path: Path) -> None:
    seed = Seed(bytes(range(16)), "spanish")
    creation.create(restore_request(tmp_path), seed, PASSWORD, TINY_COST, lambda *_: None)
    path = str(tmp_path / "Savings.wallet")
    plain = "".join(c for c in seed.words if ord(c) < 128)
    assert plain != seed.words
    assert any(word not in word_list("spanish") for word in plain.split())
    for typed in (seed.words, plain):
        reply, _, _ = ask(DrillWords(path), PASSWORD, typed)
        assert isinstance(reply, WordsDrilled)
        assert reply.is_right


def test_a_multisig_is_told_to_keep_its_descriptor(tmp_path: Path) -> None:
    wallet = make_wallet(tmp_path)
    request = join_request(wallet, agreed())
    creation.create(request, sample_seed(), PASSWORD, TINY_COST, lambda *_: None)
    reply, _, _ = ask(DrillWords(str(tmp_path / "Together.wallet")), PASSWORD, WORDS)
    assert isinstance(reply, WordsDrilled)
    assert reply.is_right
    assert "descriptor" in reply.sentence


def test_a_wallet_that_watches_has_nothing_to_type(tmp_path: Path) -> None:
    request = watch_request(tmp_path, agreed())
    path = creation.create_watching(request, PASSWORD, TINY_COST, lambda *_: None).reply.path
    with pytest.raises(WatchOnly):
        ask(DrillWords(path), PASSWORD)
