"""The pages with everything about backups on them."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wallet_gui.app.backups import BackupStatus
from wallet_gui.app.copy_keeper import CopiesReport
from wallet_gui.storage.dated_copies import CopiesState
from wallet_gui.wallet.backup_checks import BackupChecks, BackupKind, Checked
from wallet_gui.widgets.notice import INFORMATION

if TYPE_CHECKING:
    from tests.gui.conftest import Screen

_CHECKS = BackupChecks(file=Checked(1, 1_790_000_000), word_count=12)


def _status(reminder: BackupKind | None, copies: CopiesReport) -> BackupStatus:
    needed = (BackupKind.WORDS, BackupKind.FILE)
    return BackupStatus(_CHECKS, needed, reminder, False, True, True, copies)


def _overview_backup(screen: "Screen") -> None:
    screen.open()
    screen.window.backup_flow._show(_status(BackupKind.WORDS, CopiesReport()))


def _overview_backup_file(screen: "Screen") -> None:
    screen.open()
    screen.window.backup_flow._show(_status(BackupKind.FILE, CopiesReport()))


def _settings_backup(screen: "Screen") -> None:
    screen.open()
    screen.window.show_page("settings")
    state = CopiesState(20, "Savings 2026-11-21 120000.wallet", 1_795_000_000, 3)
    report = CopiesReport("/media/stick/copies of my wallets", state)
    screen.window.backup_flow._show(_status(BackupKind.WORDS, report))
    settings = screen.window.backup_flow.settings
    settings.notice.say("The copy brings this wallet back.", INFORMATION)
    screen.window.settings.ensureWidgetVisible(settings)


def _settings_backup_trouble(screen: "Screen") -> None:
    screen.open()
    screen.window.show_page("settings")
    report = CopiesReport("/media/stick", None, "The folder is not there. Connect its disk.")
    screen.window.backup_flow._show(_status(None, report))
    screen.window.settings.ensureWidgetVisible(screen.window.backup_flow.settings)


BACKUP_PAGES: "dict[str, Callable[[Screen], None]]" = {
    function.__name__.lstrip("_"): function
    for function in (
        _overview_backup,
        _overview_backup_file,
        _settings_backup,
        _settings_backup_trouble,
    )
}
