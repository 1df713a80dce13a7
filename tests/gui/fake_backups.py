"""An open wallet as far as backups look at it: settings in memory, and a keeper to be told."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from wallet_gui.app.copy_keeper import CopiesReport
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks


@dataclass
class FakeKeeper:
    report: CopiesReport = field(default_factory=CopiesReport)
    asked: list[object] = field(default_factory=list)

    def use(self, folder: Path | None) -> None:
        self.asked.append(folder)

    def note_change(self, *, at_once: bool = False) -> None:
        self.asked.append(at_once)


@dataclass
class FakeSession:
    """Stands in for WalletSession; `checks` is what its file holds about backups."""

    path: str = "/w/Savings.wallet"
    settings: dict[str, Any] = field(default_factory=dict)
    keeper: FakeKeeper = field(default_factory=FakeKeeper)
    has_secrets: bool = True
    is_multisig: bool = False

    def __post_init__(self) -> None:
        self.wallet = SimpleNamespace(
            description=SimpleNamespace(has_secrets=self.has_secrets),
            descriptors=(SimpleNamespace(is_multisig=self.is_multisig),),
        )
        self.view_store = SimpleNamespace(keeper=self.keeper)

    @property
    def checks(self) -> BackupChecks:
        return BackupChecks.of(self.settings.get(SETTING))

    def change_checks(self, change: Callable[[BackupChecks], BackupChecks]) -> None:
        self.settings[SETTING] = change(self.checks).to_setting()

    def kept_setting(self, key: str) -> Any:
        return self.settings.get(key)

    async def keep_setting(self, key: str, value: Any) -> None:
        self.settings[key] = value
