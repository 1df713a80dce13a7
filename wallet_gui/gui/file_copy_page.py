"""Restore from a wallet file: a copy of it goes into the folder of the wallets."""

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QFileDialog, QLineEdit, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.wallet_copies import proposed_name
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, card, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, WARNING
from wallet_gui.widgets.text import breakable, plain


class FileCopyPage(WizardStep):
    """`wanted` gives the file and the name that its copy gets."""

    wanted = Signal(object, str)

    def __init__(self) -> None:
        super().__init__(
            "copy",
            "Restore from a wallet file",
            "The file is copied into the folder of your wallets; nothing there is overwritten, and "
            "the file that you choose stays as it is. Its password opens the copy.",
        )
        self.setAcceptDrops(True)
        self.path: Path | None = None
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        row = FlowLayout(spacing=10)
        self.choose_button = QPushButton("Choose the &file\u2026")
        self.choose_button.setObjectName("copy_choose")
        self.choose_button.setAccessibleName("Choose the file")
        self.choose_button.clicked.connect(self._choose)
        row.addWidget(self.choose_button)
        layout.addLayout(row)
        self.shown = text_label("No file is chosen. It may also be dropped here.", role="muted")
        layout.addWidget(self.shown)
        self.name_edit = QLineEdit()
        self.name_edit.setObjectName("copy_name")
        self.name_edit.setAccessibleName("Name of the wallet")
        self.name_edit.setMaxLength(60)
        self.name_edit.returnPressed.connect(self.next_wanted.emit)
        layout.addWidget(caption("&Name of the wallet", self.name_edit))
        layout.addWidget(self.name_edit)
        self.column.addWidget(frame)
        self.add_bottom("&Copy and open")
        self.next_wanted.connect(self._go_on)

    def first_field(self) -> QWidget | None:
        return self.choose_button

    def _choose(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Choose a wallet file", "", "Wallet files (*.wallet *.wallet.*);;All files (*)"
        )
        if path:
            self.take(Path(path))

    def take(self, path: Path) -> None:
        """Take a file that was chosen or dropped."""
        self.path = path
        self.notice.clear()
        self.shown.setText(breakable(plain(str(path), 300)))
        if not self.name_edit.isModified():
            show_text(self.name_edit, plain(proposed_name(path), 60))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()]
        if len(paths) == 1:
            self.take(Path(paths[0]))
            event.acceptProposedAction()

    def _go_on(self) -> None:
        if self.path is None:
            self.notice.say("Choose the copy of the wallet file first.", WARNING)
            return
        name = plain(self.name_edit.text(), 60)
        try:
            check_wallet_name(name)
        except ValueError as error:
            self.notice.say(str(error), ERROR)
            self.name_edit.setFocus()
            return
        self.wanted.emit(self.path, name)
