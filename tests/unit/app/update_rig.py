"""An update check whose answers, clock and chance are the test's; nothing is contacted."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.release_keys import ReleaseSigner
from wallet_gui.app.p2p_choice import NetworkChoice
from wallet_gui.app.update_notice import UpdateNotice
from wallet_gui.app.updates import Updates, UpdateStatus
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.reports import LedgerEntry, Purpose, Route
from wallet_gui.primitives.params import MAINNET
from wallet_gui.release_signature import ReleaseKeys
from wallet_gui.storage.settings import Settings

NOW = 1_795_000_000
VERSION = "0.1.0"
URL = "https://updates.example.org/notice"
PAGE = "https://updates.example.org/0.2.0"
NEWER = UpdateNotice("0.2.0", NOW - 1000, PAGE, expires=NOW + 10_000_000)


@dataclass
class FakeSide:
    """What the update check needs of the online side."""

    settings: Settings = field(default_factory=Settings)
    unread_settings: str = ""
    contacts: list[LedgerEntry] = field(default_factory=list)
    error: Exception | None = None

    def network_choice(self) -> NetworkChoice:
        return NetworkChoice.of(self.settings, MAINNET)

    def note_contacts(self, entries: Sequence[LedgerEntry]) -> None:
        self.contacts.extend(entries)

    async def change_settings(self, **changes: object) -> Settings:
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        if self.error is not None:
            raise self.error
        return self.settings


class UpdateRig:
    """`answer` is what the server sends, or what goes wrong; `fetches` what was asked of it."""

    def __init__(self, root: Path, *, keys: ReleaseKeys | None = None) -> None:
        self.signer = ReleaseSigner()
        self.side = FakeSide()
        self.root = root
        self.keys = keys or self.signer.keys(URL)
        self.answer: bytes | Exception = self.signed(NEWER)
        self.now = NOW
        self.version = VERSION
        self.fetches: list[P2POptions] = []
        self.shown: list[UpdateStatus] = []
        self.gate: asyncio.Event | None = None
        self.fetched: Callable[[], None] = lambda: None

    def signed(self, notice: UpdateNotice, signer: ReleaseSigner | None = None) -> bytes:
        return (signer or self.signer).notice(notice)

    async def _fetch(
        self, url: str, options: P2POptions, note: Callable[[LedgerEntry], None], /
    ) -> bytes:
        assert url == URL
        self.fetches.append(options)
        if self.gate is not None:
            await self.gate.wait()
        note(LedgerEntry("updates.example.org:443", Purpose.UPDATE, Route.DIRECT, self.now))
        self.fetched()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def make(self) -> Updates:
        """A program that has just started; what was stored before is there."""
        return Updates(
            self.side,
            self.root,
            self.keys,
            self.shown.append,
            fetch=self._fetch,
            clock=lambda: self.now,
            version=self.version,
            random_below=lambda limit: limit // 2,
        )

    def check(self, answer: bytes | Exception | None = None) -> UpdateStatus:
        """Start the program, check once, end it."""
        if answer is not None:
            self.answer = answer

        async def once() -> UpdateStatus:
            updates = self.make()
            await updates.load()
            return await updates.check()

        return asyncio.run(once())

    def restart(self) -> UpdateStatus:
        """Start the program and look what it knows."""

        async def once() -> UpdateStatus:
            updates = self.make()
            await updates.load()
            return updates.status

        return asyncio.run(once())
