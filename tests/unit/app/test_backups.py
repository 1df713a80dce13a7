"""The use cases of backups on a real wallet file, with a vault in this process."""

import asyncio
import io
import time
from pathlib import Path
from typing import Any, cast

import pytest

from tests.unit.vault.samples import PASSWORD, TINY_COST, WORDS, SampleWallet, make_wallet
from tests.unit.vault.test_terminal import FakeTerminal
from wallet_gui.app.backups import Backups
from wallet_gui.app.copy_keeper import BackedUpFile, CopiesReport, CopyKeeper
from wallet_gui.app.online import Online
from wallet_gui.app.session import WalletSession
from wallet_gui.app.wallet_opening import open_session
from wallet_gui.custody.requests import VaultLook
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.dated_copies import CopiesState, DatedCopies
from wallet_gui.storage.errors import AlreadyExists, NotFound, Unreadable
from wallet_gui.transfer.messages import HeadlessOptions, Request
from wallet_gui.vault.headless import HeadlessVault
from wallet_gui.vault.terminal import SecretReader
from wallet_gui.wallet.backup_checks import PUT_OFF, BackupKind

NEW = "violin gravel tomato harbour"


class OnlineSide:
    """What Backups needs of Online; the vault answers at once with what the person typed."""

    def __init__(self, session: WalletSession) -> None:
        self._session = session
        self.playground: object | None = None
        self.answers: list[str] = []

    def session(self, _wallet_id: str) -> WalletSession:
        return self._session

    def vault_look(self) -> VaultLook:
        return VaultLook("/w", "system", 100, HeadlessOptions())

    async def ask_vault(self, request: Request, reply_type: type) -> Any:
        reader = SecretReader(FakeTerminal(*self.answers), io.BytesIO(), io.StringIO())
        reply = HeadlessVault(reader, TINY_COST, lambda *_: None).answer(request)
        assert isinstance(reply, reply_type)
        return reply


class Rig:
    """An open wallet; `now` is the time that the use cases see."""

    def __init__(self, folder: Path, wallet: SampleWallet) -> None:
        self.folder = folder
        self.wallet = wallet
        self.now = 1_800_000_000
        self.session, _ = open_session(
            wallet.path, wallet.view_key, REGTEST, lambda _: None, minimum_kdf=TINY_COST.minimum
        )
        self.online = OnlineSide(self.session)

    @property
    def backups(self) -> Backups:
        return Backups(cast("Online", self.online), "id", lambda: self.now)

    @property
    def store(self) -> BackedUpFile:
        assert isinstance(self.session.view_store, BackedUpFile)
        return self.session.view_store

    def typed(self, *answers: str) -> None:
        self.online.answers = list(answers)

    def copies(self, folder: Path) -> int:
        return len(list(folder.glob("*.wallet")))

    async def until(self) -> CopiesReport:
        for _ in range(500):
            now = self.store.keeper.report
            if not now.is_busy and (now.state is not None or now.problem):
                return now
            await asyncio.sleep(0.01)
        raise AssertionError("no copy was made")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    (tmp_path / "w").mkdir()
    (tmp_path / "stick").mkdir()
    return Rig(tmp_path, make_wallet(tmp_path / "w"))


def test_a_reminder_comes_rests_and_goes(rig: Rig) -> None:
    async def play() -> None:
        assert (await rig.backups.status()).reminder is BackupKind.WORDS
        await rig.backups.put_off()
        status = await rig.backups.status()
        assert status.reminder is None
        assert status.is_put_off
        rig.now += PUT_OFF
        assert (await rig.backups.status()).reminder is BackupKind.WORDS
        rig.typed(PASSWORD, WORDS)
        assert (await rig.backups.drill_words()).is_right
        assert (await rig.backups.status()).reminder is None
        rig.typed(PASSWORD, WORDS.replace("wave", "zoo"))
        assert not (await rig.backups.drill_words()).is_right
        assert (await rig.backups.status()).reminder is BackupKind.WORDS
        await rig.session.close()

    asyncio.run(play())


def test_play_money_of_the_playground_reminds_of_nothing(rig: Rig) -> None:
    async def play() -> None:
        rig.online.playground = object()
        assert (await rig.backups.status()).reminder is None
        await rig.session.close()

    asyncio.run(play())


def test_what_was_checked_is_in_the_file(rig: Rig) -> None:
    async def play() -> None:
        copy = await rig.backups.save_copy(rig.folder / "stick" / "mine")
        rig.typed(PASSWORD)
        assert (await rig.backups.check_file(copy)).is_same
        await rig.session.close()
        again = Rig(rig.folder, rig.wallet)
        assert again.backups.checks().file.last == rig.now
        await again.session.close()

    asyncio.run(play())


def test_a_copy_is_replaced_by_a_newer_one_and_nothing_else_is(rig: Rig) -> None:
    async def play() -> None:
        target = await rig.backups.save_copy(rig.folder / "stick" / "mine")
        await rig.session.set_label("tx", "ab" * 32, "newer")
        await rig.backups.save_copy(target)
        assert target.read_bytes() == rig.wallet.path.read_bytes()
        target.write_bytes(b"something else")
        with pytest.raises(AlreadyExists):
            await rig.backups.save_copy(target)
        await rig.session.close()

    asyncio.run(play())


def test_dated_copies_follow_changes_and_closing(rig: Rig) -> None:
    stick = rig.folder / "stick"

    async def play() -> None:
        await rig.backups.use_folder(stick)
        report = await rig.until()
        assert report.state is not None
        assert report.state.count == 1
        await rig.session.set_label("tx", "ab" * 32, "newer")
        assert rig.copies(stick) == 1  # gathered with what else changes in this minute
        await rig.session.close()
        assert rig.copies(stick) == 2
        again = Rig(rig.folder, rig.wallet)
        await again.session.close()
        assert rig.copies(stick) == 2
        last = Rig(rig.folder, rig.wallet)
        await last.backups.use_folder(None)
        await last.session.set_label("tx", "ab" * 32, "newest")
        await last.session.close()
        assert rig.copies(stick) == 2

    asyncio.run(play())


def test_a_stick_that_is_gone_stops_nothing(rig: Rig) -> None:
    stick = rig.folder / "stick"

    async def play() -> None:
        await rig.backups.use_folder(stick)
        await rig.until()
        stick.rename(rig.folder / "pulled out")
        await rig.session.set_label("tx", "ab" * 32, "newer")
        await rig.backups.copy_now()
        for _ in range(500):
            if rig.store.keeper.report.problem:
                break
            await asyncio.sleep(0.01)
        assert "Connect its disk" in (await rig.backups.status()).copies.problem
        (rig.folder / "pulled out").rename(stick)
        await rig.session.close()
        again = Rig(rig.folder, rig.wallet)
        await again.session.close()
        assert rig.copies(stick) == 2

    asyncio.run(play())


def test_a_bad_folder_is_refused_and_changes_nothing(rig: Rig) -> None:
    async def play() -> None:
        for folder, error in ((rig.folder / "none", NotFound), (rig.folder / "w", Unreadable)):
            with pytest.raises(error):
                await rig.backups.use_folder(folder)
        assert (await rig.backups.status()).copies == CopiesReport()
        await rig.session.close()

    asyncio.run(play())


def test_the_password_is_changed_while_the_wallet_is_open(rig: Rig) -> None:
    async def play() -> None:
        await rig.backups.use_folder(rig.folder / "stick")
        await rig.until()
        rig.typed(PASSWORD, NEW, NEW)
        assert await rig.backups.change_password() == ()
        await rig.session.set_label("tx", "ab" * 32, "after")
        await asyncio.to_thread(rig.store.keeper.close)
        state = await rig.backups.remove_older_passwords()
        assert state.older_password == 0
        await rig.session.close()
        copy = next((rig.folder / "stick").glob("*.wallet"))
        rig.typed(NEW)
        rig.session, _ = open_session(
            rig.wallet.path,
            rig.store.file._view_key,
            REGTEST,
            lambda _: None,
            minimum_kdf=TINY_COST.minimum,
        )
        rig.online._session = rig.session
        assert rig.session.wallet.label("tx", "ab" * 32) == "after"
        assert (await rig.backups.check_file(copy)).is_same
        await rig.session.close()

    asyncio.run(play())


def test_the_sheet_says_which_wallet_it_is(rig: Rig) -> None:
    async def play() -> None:
        sheet = rig.backups.sheet()
        description = rig.session.wallet.description
        assert (sheet.name, sheet.fingerprint) == ("Savings", description.fingerprint)
        assert [account.path for account in sheet.accounts] == ["m/84'/1'/0'", "m/86'/1'/0'"]
        assert sheet.word_count is None
        assert "play money" in sheet.network
        rig.typed(PASSWORD, WORDS)
        await rig.backups.drill_words()
        assert rig.backups.sheet().word_count == 12
        assert not set(WORDS.split()) & set(sheet.to_json().split())
        await rig.session.close()

    asyncio.run(play())


class SlowCopies:
    """Copies into a share that hangs."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.made = 0

    def make(self) -> CopiesState:
        time.sleep(self.seconds)
        self.made += 1
        return CopiesState(self.made)


def test_a_share_that_hangs_holds_up_nobody() -> None:
    slow = SlowCopies(1.0)
    keeper = CopyKeeper(lambda _: cast("DatedCopies", slow), Path("/share"), gather_seconds=0)
    began = time.perf_counter()
    keeper.note_change()
    keeper.note_change()
    keeper.close(0.1)
    assert time.perf_counter() - began < 0.8


def test_many_changes_become_one_copy() -> None:
    slow = SlowCopies(0)
    keeper = CopyKeeper(lambda _: cast("DatedCopies", slow), Path("/share"), gather_seconds=5)
    for _ in range(50):
        keeper.note_change()
    keeper.close()
    assert slow.made == 1
    assert keeper.report == CopiesReport("/share", CopiesState(1))
    keeper.use(None)
    keeper.note_change()
    keeper.close()
    assert slow.made == 1
    assert keeper.report == CopiesReport()
