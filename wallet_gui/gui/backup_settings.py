"""BackupSettings: the card of the settings page with everything about a wallet's backups."""

from typing import TYPE_CHECKING

from PySide6.QtCore import Signal, SignalInstance
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.network_words import day_text, moment_text
from wallet_gui.wallet.backup_checks import BackupKind, Checked
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, line, set_role, text_label
from wallet_gui.widgets.notice import Notice
from wallet_gui.widgets.text import breakable, plain

if TYPE_CHECKING:
    from wallet_gui.app.backups import BackupStatus
    from wallet_gui.app.copy_keeper import CopiesReport

_WHAT = (
    "The words on paper bring the money back, whatever happens to this computer. A copy of the "
    "wallet file brings back labels and requests too; it is encrypted and opens with the password."
)
_WHAT_SHARED = (
    "To bring a multisig back, your words are needed and the keys of all cosigners. A copy of the "
    "wallet file and the backup sheet hold those; the file also holds labels and requests."
)
_WHAT_FILE = (
    "This wallet has no words here. A copy of the wallet file is its backup; it is encrypted and "
    "opens with the password."
)
_COPIES = (
    "After each change a dated copy of the wallet file can go into a second folder, best on "
    "another disk. The newest 20 are kept."
)


class BackupSettings(QFrame):
    """There while a wallet is open; everything it can do leaves as a signal."""

    words_wanted = Signal()
    show_wanted = Signal()
    file_wanted = Signal()
    copy_wanted = Signal()
    sheet_wanted = Signal()
    password_wanted = Signal()
    folder_wanted = Signal()
    stop_wanted = Signal()
    retry_wanted = Signal()
    remove_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("backup_settings")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Backup", 120))
        self.what = text_label(_WHAT, role="muted")
        layout.addWidget(self.what)
        self.notice = Notice(self)
        self.notice.setObjectName("backup_notice")
        layout.addWidget(self.notice)
        self.buttons: dict[str, QPushButton] = {}
        self.words_state = self._state("backup_words_state", layout)
        self._row(
            layout,
            ("words", "Check my words", self.words_wanted),
            ("show", "Show my words again", self.show_wanted),
            ("sheet", "Print the backup sheet…", self.sheet_wanted),
        )
        layout.addWidget(line())
        self.file_state = self._state("backup_file_state", layout)
        self._row(
            layout,
            ("file", "Check a copy…", self.file_wanted),
            ("copy", "Save a copy…", self.copy_wanted),
        )
        layout.addWidget(line())
        layout.addWidget(text_label("Dated copies", wrap=False))
        layout.addWidget(text_label(_COPIES, role="muted"))
        self.copies_state = self._state("backup_copies_state", layout)
        self._row(
            layout,
            ("folder", "Choose a folder…", self.folder_wanted),
            ("retry", "Try again", self.retry_wanted),
            ("remove", "Delete the older ones", self.remove_wanted),
            ("stop", "Make no more copies", self.stop_wanted),
        )
        layout.addWidget(line())
        self._row(layout, ("password", "Change the password", self.password_wanted))
        self.hide()

    def _state(self, name: str, layout: QVBoxLayout) -> QLabel:
        label = text_label()
        label.setObjectName(name)
        layout.addWidget(label)
        return label

    def _row(self, layout: QVBoxLayout, *buttons: tuple[str, str, SignalInstance]) -> None:
        row = FlowLayout(spacing=10)
        for key, text, signal in buttons:
            button = QPushButton(text)
            button.setObjectName(f"backup_{key}")
            button.setAccessibleName(text.removesuffix("…"))
            button.clicked.connect(signal.emit)
            row.addWidget(button)
            self.buttons[key] = button
        layout.addLayout(row)

    def show_status(self, status: "BackupStatus | None") -> None:
        """Show what is known; None while no wallet is open."""
        self.setVisible(status is not None)
        if status is None:
            self.notice.clear()
            return
        needed = status.needed
        if BackupKind.WORDS not in needed:
            what = _WHAT_FILE
        else:
            what = _WHAT_SHARED if BackupKind.FILE in needed else _WHAT
        self.what.setText(what)
        for key in ("words", "show"):
            self.buttons[key].setVisible(status.has_words)
        self.words_state.setVisible(status.has_words)
        self._show_checked(
            self.words_state,
            "The words on paper",
            status.checks.words,
            is_due=status.reminder is BackupKind.WORDS,
        )
        self._show_checked(
            self.file_state,
            "A copy of the wallet file",
            status.checks.file,
            is_due=status.reminder is BackupKind.FILE,
            is_needed=BackupKind.FILE in needed,
        )
        if status.is_put_off:
            day = day_text(status.checks.put_off_until)
            self.words_state.setText(f"{self.words_state.text()} You are reminded on {day}.")
        self._show_copies(status.copies)

    @staticmethod
    def _show_checked(
        label: QLabel, what: str, checked: Checked, *, is_due: bool, is_needed: bool = True
    ) -> None:
        if checked.count:
            text = f"{what}: checked on {day_text(checked.last)}."
            if is_needed and not is_due:
                text += f" To be checked again on {day_text(checked.due)}."
        else:
            text = f"{what}: never checked."
        if is_due:
            text += " It is due now."
        label.setText(text)
        set_role(label, "warning" if is_due else "")

    def _show_copies(self, report: "CopiesReport") -> None:
        state, has_folder = report.state, bool(report.folder)
        if not has_folder:
            text = "None are made."
        elif report.problem:
            text = report.problem
        elif report.is_busy or state is None:
            text = (
                f"Being made in {report.folder}."
                if report.is_busy
                else (f"They go into {report.folder}.")
            )
        else:
            copies = f"{state.count} cop{'ies' if state.count != 1 else 'y'}"
            text = f"{copies} in {report.folder}, the newest of {moment_text(state.newest_time)}."
            if state.older_password:
                text += (
                    f" {state.older_password} of them {'are' if state.older_password > 1 else 'is'}"
                    " from before the password was changed, and may open with the old one."
                )
        self.copies_state.setText(breakable(plain(text, 600)))
        set_role(self.copies_state, "warning" if report.problem else "")
        older = 0 if state is None else state.older_password
        self.buttons["remove"].setVisible(has_folder and older > 0 and not report.problem)
        self.buttons["retry"].setVisible(bool(report.problem))
        self.buttons["stop"].setVisible(has_folder)
        words = "Choose another folder…" if has_folder else "Choose a folder…"
        self.buttons["folder"].setText(words)
        self.buttons["folder"].setAccessibleName(words.removesuffix("…"))

    def set_busy(self, *, is_busy: bool) -> None:
        """Hold the buttons back while the vault's window is open."""
        for button in self.buttons.values():
            button.setEnabled(not is_busy)
