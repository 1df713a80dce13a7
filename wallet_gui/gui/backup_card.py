"""BackupCard: the reminder on the overview that a backup was never tried, or not for long."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.network_words import day_text
from wallet_gui.wallet.backup_checks import BackupKind
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label

if TYPE_CHECKING:
    from wallet_gui.app.backups import BackupStatus

_WORDS_NEVER = (
    "Nobody has tried yet whether the words on your paper bring this wallet back. Typing them "
    "takes two minutes now; once this computer is lost, a mistake on the paper cannot be mended."
)
_WORDS_AGAIN = (
    "The words on your paper were last checked on {date}. Make sure that you still find the paper "
    "and can read it."
)
_FILE_NEVER = (
    "The backup of this wallet is a copy of its file, and none was checked yet. Save one on "
    "another disk, then let the program try it."
)
_FILE_NEVER_SHARED = (
    "The words alone do not bring a multisig back: the cosigners' keys are needed too. A copy of "
    "the wallet file holds them. Save one on another disk, then let the program try it."
)
_FILE_AGAIN = (
    "The copy of the wallet file was last checked on {date}. Make sure that it is still there and "
    "can be read."
)


class BackupCard(QFrame):
    """Hidden while nothing is due."""

    words_wanted = Signal()
    file_wanted = Signal()
    copy_wanted = Signal()
    later_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("role", "card")
        self.setObjectName("backup_card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 16, 24, 16)
        layout.setSpacing(8)
        layout.addWidget(heading("Check your backup", 120))
        self.words = text_label()
        self.words.setObjectName("backup_reminder")
        layout.addWidget(self.words)
        layout.addSpacing(4)
        row = FlowLayout(spacing=10)
        self.check_words = QPushButton("Check my words")
        self.save = QPushButton("Save a copy…")
        self.check_file = QPushButton("Check a copy…")
        self.later = QPushButton("Remind me in a week")
        for button, name, role, signal in (
            (self.check_words, "backup_card_words", "primary", self.words_wanted),
            (self.save, "backup_card_save", "", self.copy_wanted),
            (self.check_file, "backup_card_file", "primary", self.file_wanted),
            (self.later, "backup_card_later", "plain", self.later_wanted),
        ):
            button.setObjectName(name)
            button.setAccessibleName(button.text().removesuffix("…"))
            button.setProperty("role", role)
            button.clicked.connect(signal.emit)
            row.addWidget(button)
        layout.addLayout(row)
        self.hide()

    def show_status(self, status: "BackupStatus | None") -> None:
        """Remind of what is due; None while no wallet is open."""
        kind = None if status is None else status.reminder
        self.setVisible(kind is not None)
        if status is None or kind is None:
            return
        checked = status.checks.checked(kind)
        is_words = kind is BackupKind.WORDS
        if checked.count:
            text = (_WORDS_AGAIN if is_words else _FILE_AGAIN).format(date=day_text(checked.last))
        elif is_words:
            text = _WORDS_NEVER
        else:
            text = _FILE_NEVER_SHARED if BackupKind.WORDS in status.needed else _FILE_NEVER
        self.words.setText(text)
        self.check_words.setVisible(is_words)
        self.save.setVisible(not is_words)
        self.check_file.setVisible(not is_words)

    def set_busy(self, *, is_busy: bool) -> None:
        """Hold the buttons back while the vault's window is open."""
        for button in (self.check_words, self.save, self.check_file, self.later):
            button.setEnabled(not is_busy)
