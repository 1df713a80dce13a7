"""Opening a wallet is given up in every moment: its lock is free then, or with an open wallet."""

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from tests.moments import nothing_left, turns
from tests.patience import PATIENCE
from wallet_gui.app import wallet_work
from wallet_gui.app.online import Online
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.errors import WriteFailed
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory

PATH = "w.wallet"


class Session:
    """What is opened; it holds the lock."""

    class Wallet:
        def snapshot(self, _: int) -> None:
            """Of no interest here."""

    def __init__(self, path: Path, lock: FileLock) -> None:
        self.wallet_id = self.path = str(path)
        self.wallet = Session.Wallet()
        self.lock = lock
        self.is_open = True

    async def close(self) -> None:
        await asyncio.sleep(0)
        self.is_open = False
        self.lock.release()


class Rig:
    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = root / PATH
        self.go_on = threading.Event()
        self.sessions: list[Session] = []
        self.lock: FileLock | None = None
        self.online = Online(
            DataDirectory(root, REGTEST), REGTEST, cast("Any", None), lambda _: None
        )
        rig = self

        class SlowLock(FileLock):
            def acquire(self) -> None:
                rig.lock = self
                rig.go_on.wait(PATIENCE)
                super().acquire()

        def open_session(path: Path, *arguments: Any) -> tuple[Session, tuple[str, ...]]:
            self.go_on.wait(PATIENCE)
            self.sessions.append(Session(path, arguments[3]))
            return self.sessions[-1], ()

        async def unlock(*_: object) -> Any:
            await asyncio.sleep(0)
            return type("Unlocked", (), {"view_key": b"k" * 32})

        async def wallet_opened(*_: object) -> bool:
            await asyncio.sleep(0)
            raise WriteFailed("The disk is full.")

        monkeypatch.setattr("wallet_gui.app.online.FileLock", SlowLock)
        monkeypatch.setattr(wallet_work, "open_session", open_session)
        monkeypatch.setattr(wallet_work.WalletFile, "read", lambda *_, **__: None)
        monkeypatch.setattr(self.online, "ask_vault", unlock)
        monkeypatch.setattr(self.online.node_keeper, "wallet_opened", wallet_opened)

    def check(self) -> None:
        """The lock is held exactly while the wallet is open, and an open one is known."""
        held = self.lock is not None and self.lock.held
        is_open = any(session.is_open for session in self.sessions)
        assert held is is_open
        assert len(self.online._sessions) == sum(session.is_open for session in self.sessions)


def test_given_up_at_any_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(after: int, stage: int) -> int:
        with monkeypatch.context() as patch:
            rig = Rig(tmp_path, patch)
            if not stage:
                rig.go_on.set()
            async with nothing_left(), asyncio.timeout(PATIENCE):
                opening = asyncio.ensure_future(rig.online.open_wallet(str(rig.path)))
                if stage == 1:  # while the lock is taken
                    while rig.lock is None:  # noqa: ASYNC110 - a thread tells nobody
                        await asyncio.sleep(0.001)
                elif stage == 2:  # while the files are opened
                    rig.go_on.set()
                    while rig.lock is None or not rig.lock.held:  # noqa: ASYNC110 - as above
                        await asyncio.sleep(0)
                    rig.go_on.clear()
                await turns(after)
                opening.cancel()
                await turns(2)
                rig.go_on.set()
                await asyncio.wait([opening])
            rig.check()
            for session in rig.sessions:
                await session.close()
            return len(rig.sessions)

    for stage in (0, 1, 2):
        for after in range(0, 24, 2):
            asyncio.run(scenario(after, stage))


def test_what_fails_after_it_was_opened_leaves_it_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        rig = Rig(tmp_path, monkeypatch)
        rig.go_on.set()
        async with nothing_left():
            with pytest.raises(WriteFailed):
                await rig.online.open_wallet(str(rig.path))
        assert [session.is_open for session in rig.sessions] == [True]
        rig.check()
        await rig.sessions[0].close()

    asyncio.run(scenario())
