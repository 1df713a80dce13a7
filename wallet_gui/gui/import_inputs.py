"""ImportInputs: the ways in for an export: a file, dropped or opened, pasted text, QR codes."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QEvent, QMimeData, QObject, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.imports import scanned
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.qr_frames import Progress
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import caption, text_label
from wallet_gui.widgets.qr_scan_panel import QrScanPanel

_SCAN, _STOP_SCAN = "Scan &QR codes", "Close the s&canner"
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
_LONGEST: Final = 200_000
"""Characters that are shown; more than that is taken, and only its beginning shown."""


class ImportField(QPlainTextEdit):
    """Takes what is pasted at once; what is typed waits for the button."""

    pasted = Signal(object)

    def __init__(self, name: str, spoken: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.setTabChangesFocus(True)
        # Files are dropped on what lies around it.
        self.setAcceptDrops(False)
        use_font(self, percent=92, monospace=True)
        self.setFixedHeight(4 * self.fontMetrics().lineSpacing() + 26)

    def insertFromMimeData(self, source: QMimeData) -> None:
        self.pasted.emit(source)


class ImportInputs(QWidget):
    """`given` carries a Path, or the text that was typed, pasted or scanned.

    What turns out to be a secret must not stay on screen: `forget` takes it away.
    """

    given = Signal(object)
    refused = Signal(str)

    def __init__(self, prefix: str, what: str, hint: str) -> None:
        """`prefix` begins the names of its objects, `what` is e.g. "the wallet's export"."""
        super().__init__()
        self._prefix = prefix
        self.setAcceptDrops(True)
        self.scanner: QrScanPanel | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        layout.addWidget(text_label(hint, role="muted"))
        self.field = ImportField(f"{prefix}_field", f"Paste or type {what}")
        self.field.setPlaceholderText(f"Paste {what} here, or drop its file")
        self.field.pasted.connect(self.take)
        self.field.textChanged.connect(self._show_state)
        layout.addWidget(caption("Te&xt", self.field))
        layout.addWidget(self.field)
        row = FlowLayout(spacing=10)
        self.read_button = self._button("read", "Use this &text")
        self.file_button = self._button("file", "Open a &file\u2026")
        self.paste_button = self._button("paste", "Paste from the c&lipboard")
        self.scan_button = self._button("scan", _SCAN)
        self.read_button.clicked.connect(self._read)
        self.file_button.clicked.connect(self._open)
        self.paste_button.clicked.connect(self._paste)
        self.scan_button.clicked.connect(self._toggle_scanner)
        for button in (self.read_button, self.file_button, self.paste_button, self.scan_button):
            row.addWidget(button)
        layout.addLayout(row)
        self._scan_place = QVBoxLayout()
        layout.addLayout(self._scan_place)
        self._show_state()

    def _button(self, name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(f"{self._prefix}_{name}")
        button.setAccessibleName(words.replace("&", ""))
        return button

    def _show_state(self) -> None:
        self.read_button.setEnabled(bool(self.field.toPlainText().strip()))

    def forget(self) -> None:
        """Take away what was given, its history for Undo included."""
        self.field.clear()
        self.field.document().clearUndoRedoStacks()
        self.close_scanner()

    def give_text(self, text: str) -> None:
        """Show a text and hand it on, as if it had been pasted."""
        self.field.setPlainText(text[:_LONGEST])
        self.given.emit(text)

    # --- text and files

    def _read(self) -> None:
        self.given.emit(self.field.toPlainText())

    def _open(self) -> None:
        path, _ = QFileDialog.getOpenFileName(self, "Open an export")
        if path:
            self._give_path(Path(path))

    def _give_path(self, path: Path) -> None:
        if path.suffix.lower() in _PICTURES:
            self._open_scanner().reader.read_files([str(path)])
            return
        self.field.clear()
        self.given.emit(path)

    def _paste(self) -> None:
        # There is nothing at all on a clipboard that nobody has used yet.
        content: QMimeData | None = QGuiApplication.clipboard().mimeData()
        if content is None or not self._holds_anything(content):
            self.refused.emit("There is neither text nor a file nor a picture on the clipboard.")
            return
        self.take(content)

    def take(self, content: QMimeData) -> None:
        """Take what was pasted or dropped: files, a picture with codes, or text."""
        paths = [Path(url.toLocalFile()) for url in content.urls() if url.isLocalFile()]
        if len(paths) > 1 and all(path.suffix.lower() in _PICTURES for path in paths):
            self._open_scanner().reader.read_files([str(path) for path in paths])
        elif len(paths) > 1:
            self.refused.emit("These are several files. Take one after the other.")
        elif paths:
            self._give_path(paths[0])
        elif content.hasImage():
            self._open_scanner().reader.read_content(content)
        elif content.hasText() and content.text().strip():
            self.give_text(content.text())

    @staticmethod
    def _holds_anything(content: QMimeData) -> bool:
        return bool(content.hasUrls() or content.hasImage() or content.text().strip())

    def take_drops_of(self, page: QWidget) -> None:
        """Take what is dropped anywhere on a page, too."""
        page.setAcceptDrops(True)
        page.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QDragEnterEvent):
            self.dragEnterEvent(event)
            return True
        if isinstance(event, QDropEvent):
            self.dropEvent(event)
            return True
        return super().eventFilter(watched, event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self._holds_anything(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.take(event.mimeData())
        event.acceptProposedAction()

    # --- codes

    def _toggle_scanner(self) -> None:
        if self.scanner is None:
            self._open_scanner()
        else:
            self.close_scanner()

    def _open_scanner(self) -> QrScanPanel:
        if self.scanner is None:
            self.scanner = QrScanPanel()
            self.scanner.finished.connect(self._scanned)
            self._scan_place.addWidget(self.scanner)
            self._name_scan_button(_STOP_SCAN)
        return self.scanner

    def close_scanner(self) -> None:
        """Let camera and screen go."""
        scanner, self.scanner = self.scanner, None
        if scanner is not None:
            scanner.hide()
            self._scan_place.removeWidget(scanner)
            scanner.deleteLater()
        self._name_scan_button(_SCAN)

    def _name_scan_button(self, words: str) -> None:
        self.scan_button.setText(words)
        self.scan_button.setAccessibleName(words.replace("&", ""))

    def _scanned(self, progress: Progress) -> None:
        if progress.kind is None or progress.data is None:
            return
        try:
            text = scanned(progress.kind, progress.data)
        except ParseError as error:
            if self.scanner is not None:
                self.scanner.start_over()
            self.refused.emit(str(error))
            return
        self.close_scanner()
        self.give_text(text)
