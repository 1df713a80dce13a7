"""The page of backups: copies of the file, the words on paper, the sheet that goes with them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from PySide6.QtCore import QDateTime, QLocale
from PySide6.QtWidgets import QComboBox

from wallet_gui.storage.backups import save_copy
from wallet_gui.storage.fs import write_atomically
from wallet_gui.transfer.messages import (
    BackupChecked,
    CheckBackup,
    DrillWords,
    ShowWords,
    WordsDrilled,
    WordsShown,
)
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.vault.offline.files import ask_open, ask_save
from wallet_gui.vault.offline.forms import button, combo, section
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks, BackupKind, Checked
from wallet_gui.wallet.backup_sheet import sheet_of
from wallet_gui.widgets.backup_sheet import PAGE_SIZES, sheet_pdf
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

_KINDS: Final = "Wallet files (*.wallet);;All files (*)"


class BackupPage(Page):
    """Everything that needs a password or words is asked in the vault; the dates are kept."""

    def __init__(self, bench: Bench) -> None:
        super().__init__("backup_page")
        self._bench = bench
        self.body.addWidget(heading("Backups"))
        self.notice = Notice()
        self.notice.setObjectName("backup_notice")
        self.body.addWidget(self.notice)
        self.words, layout = section(
            "backup_words_card",
            "The words on paper",
            "Type them from the paper into the vault: it says whether they are this wallet's, and "
            "shows none of them.",
        )
        self.words_state = text_label()
        self.words_state.setObjectName("backup_words_state")
        layout.addWidget(self.words_state)
        row = FlowLayout(spacing=10)
        row.addWidget(button("backup_drill", "Check the &words", self._drill, role="primary"))
        row.addWidget(button("backup_show", "S&how the words once more", self._show_words))
        layout.addLayout(row)
        self.body.addWidget(self.words)
        self.copies, layout = section(
            "backup_copy_card",
            "Copies of the wallet file",
            "A copy on another disk saves labels and accounts too. It opens with the password of "
            "the day it was made.",
        )
        self.copy_state = text_label()
        self.copy_state.setObjectName("backup_copy_state")
        layout.addWidget(self.copy_state)
        row = FlowLayout(spacing=10)
        row.addWidget(button("backup_copy", "&Copy the wallet file…", self._copy))
        row.addWidget(button("backup_check", "Chec&k a copy…", self._check))
        layout.addLayout(row)
        self.body.addWidget(self.copies)
        self.sheet, layout = section(
            "backup_sheet_card",
            "Sheet for the paper",
            "A page with fingerprint, paths and empty boxes for the words. Nothing on it is secret "
            "until you write on it.",
        )
        self.paper: QComboBox = combo(
            "backup_size", "&Paper", [(size, size) for size in PAGE_SIZES], layout
        )
        row = FlowLayout(spacing=10)
        row.addWidget(button("backup_sheet", "Write the &sheet (PDF)…", self._write_sheet))
        layout.addLayout(row)
        self.body.addWidget(self.sheet)
        self.body.addStretch(1)
        bench.wallet_changed.connect(self._follow)
        self._follow()

    def _follow(self) -> None:
        opened = self._bench.opened
        self.notice.clear()
        for part in (self.copies, self.sheet):
            part.setVisible(opened is not None)
        self.words.setVisible(opened is not None and opened.wallet.description.has_secrets)
        if opened is None:
            self.notice.say("Open the wallet whose backups are to be checked first.", INFORMATION)
            return
        checks = self._checks()
        pairs = ((self.words_state, checks.words), (self.copy_state, checks.file))
        for label, checked in pairs:
            text = _state(checked)
            label.setText(text)
            label.setAccessibleName(text)

    def _checks(self) -> BackupChecks:
        opened = self._bench.opened
        return BackupChecks.of(None if opened is None else opened.file.settings.get(SETTING))

    def _keep(self, checks: BackupChecks) -> None:
        opened = self._bench.opened
        if opened is not None:
            opened.file.keep_setting(SETTING, checks.to_setting())

    # --- the words

    def _drill(self) -> None:
        def work(path: str, look: dict[str, Any]) -> WordsDrilled:
            keeper = self._bench.keeper
            drilled = keeper.ask(DrillWords(path, **look), WordsDrilled)
            self._keep(
                self._checks().drilled(
                    is_right=drilled.is_right,
                    word_count=drilled.word_count,
                    has_passphrase=drilled.has_passphrase,
                    now=int(time.time()),
                )
            )
            return drilled

        def done(drilled: WordsDrilled) -> None:
            self._follow()
            self.notice.say(drilled.sentence, INFORMATION if drilled.is_right else WARNING)

        self._ask(work, done)

    def _show_words(self) -> None:
        self._ask(
            lambda path, look: self._bench.keeper.ask(ShowWords(path, **look), WordsShown),
            lambda _: self.notice.clear(),
        )

    # --- the file

    def _copy(self) -> None:
        opened = self._bench.opened
        if opened is None:
            return
        target = ask_save(self, "Copy the wallet file", Path(opened.path).name, _KINDS)
        if target:
            file = opened.file
            self._bench.do(
                "Copying the wallet file.",
                lambda: save_copy(Path(opened.path), Path(target), file.owns),
                lambda made: self.notice.say(
                    f"The copy is {plain(made.name, 80)}. Check it, then keep it elsewhere.",
                    INFORMATION,
                ),
                self._fail,
            )

    def _check(self) -> None:
        copy = ask_open(self, "Check a copy of the wallet file", _KINDS)
        if copy:
            self.check_copy(copy)

    def check_copy(self, copy: str) -> None:
        """Let the vault compare a copy with the wallet."""

        def work(path: str, look: dict[str, Any]) -> BackupChecked:
            request = CheckBackup(path=path, backup_path=copy, **look)
            checked = self._bench.keeper.ask(request, BackupChecked)
            if checked.is_same:
                self._keep(self._checks().succeeded(BackupKind.FILE, int(time.time())))
            return checked

        def done(checked: BackupChecked) -> None:
            self._follow()
            words = " ".join((checked.sentence, *checked.differences))
            self.notice.say(words, INFORMATION if checked.is_same else WARNING)

        self._ask(work, done)

    # --- the sheet

    def _write_sheet(self) -> None:
        opened = self._bench.opened
        if opened is None:
            return
        name = f"{opened.wallet.description.name}-backup-sheet.pdf"
        path = ask_save(self, "Write the backup sheet", name, "PDF (*.pdf)")
        if path:
            self.sheet_to(path)

    def sheet_to(self, path: str) -> None:
        """Write the sheet of the open wallet."""
        opened = self._bench.opened
        if opened is None:
            return
        wallet = opened.wallet
        now = int(time.time())
        contents = sheet_of(wallet.description, wallet.descriptors, self._checks(), now)
        target = Path(path if path.lower().endswith(".pdf") else f"{path}.pdf")
        # Drawn here, since Qt draws text in the window's thread; it is a page or two.
        data = sheet_pdf(contents, str(self.paper.currentData()))
        self._bench.do(
            "Writing the sheet.",
            lambda: write_atomically(target, data),
            lambda _: self.notice.say(
                f"The sheet is {plain(target.name, 80)}. Print it, then write the words into it "
                "by hand.",
                INFORMATION,
            ),
            self._fail,
        )

    # --- both

    def _ask(self, work: Callable[[str, dict[str, Any]], Any], done: Callable[[Any], None]) -> None:
        opened = self._bench.opened
        if opened is None:
            return
        look = self._bench.keeper.look()
        given = {"appearance": look.appearance, "text_scale": look.text_scale}
        self._bench.do(IN_THE_VAULT, lambda: work(opened.path, given), done, self._fail)

    def _fail(self, error: BaseException) -> None:
        words = sentence(error)
        if words:
            self.notice.say(words, ERROR)
            self.ensureWidgetVisible(self.notice)


def _state(checked: Checked) -> str:
    if not checked.count:
        return "Not checked yet."
    day = QLocale().toString(
        QDateTime.fromSecsSinceEpoch(checked.last).date(), QLocale.FormatType.LongFormat
    )
    return f"Checked last on {day}."
