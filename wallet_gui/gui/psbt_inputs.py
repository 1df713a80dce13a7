"""PsbtInputs: the ways in for a payment that comes from elsewhere: file, drop, paste, QR codes."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import QMimeData, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from wallet_gui.transfer.bbqr import is_bbqr
from wallet_gui.transfer.qr_frames import Progress
from wallet_gui.transfer.ur import is_ur
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import set_role
from wallet_gui.widgets.qr_scan_panel import QrScanPanel

_SCAN, _STOP_SCAN = "Scan &QR codes", "Close the scanner"
PICTURES: Final = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
_FILTER: Final = "Payments (*.psbt *.txt *.b64 *.txn *.hex);;Pictures (*.png *.jpg);;All files (*)"
NOTHING_THERE: Final = "There is neither text nor a file nor a picture on the clipboard."


class PsbtInputs(QWidget):
    """`given` carries a Path, text or bytes; nothing is read or judged here."""

    given = Signal(object)
    refused = Signal(str)

    def __init__(self, prefix: str, *, has_primary: bool = False) -> None:
        """`prefix` begins the names of its objects; with `has_primary` scanning is the way on."""
        super().__init__()
        self._prefix = prefix
        self.scanner: QrScanPanel | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        row = FlowLayout(spacing=10)
        self.scan_button = self._button("scan", _SCAN)
        self.file_button = self._button("file", "Open a &file\u2026")
        self.paste_button = self._button("paste", "Paste from the &clipboard")
        self.scan_button.clicked.connect(self._toggle_scanner)
        self.file_button.clicked.connect(self._open)
        self.paste_button.clicked.connect(self._paste)
        for button in (self.scan_button, self.file_button, self.paste_button):
            row.addWidget(button)
        self._has_primary = has_primary
        layout.addLayout(row)
        self._scan_place = QVBoxLayout()
        layout.addLayout(self._scan_place)
        self._show_switch()

    def _button(self, name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(f"{self._prefix}_{name}")
        button.setAccessibleName(words.replace("&", ""))
        return button

    # --- text and files

    def _open(self) -> None:
        paths, _ = QFileDialog.getOpenFileNames(self, "Open a payment", "", _FILTER)
        self._give_paths([Path(path) for path in paths])

    def _give_paths(self, paths: list[Path]) -> None:
        pictures = [str(path) for path in paths if path.suffix.lower() in PICTURES]
        if pictures and len(pictures) == len(paths):
            self.open_scanner().reader.read_files(pictures)
        elif pictures:
            self.refused.emit("Take the pictures and the files one after the other.")
        else:
            for path in paths:
                self.given.emit(path)

    def _paste(self) -> None:
        # There is nothing at all on a clipboard that nobody has used yet.
        content: QMimeData | None = QGuiApplication.clipboard().mimeData()
        if content is None or not holds_anything(content):
            self.refused.emit(NOTHING_THERE)
            return
        self.take(content)

    def take(self, content: QMimeData) -> None:
        """Take what was pasted or dropped: files, a picture with codes, or text."""
        paths = [Path(url.toLocalFile()) for url in content.urls() if url.isLocalFile()]
        text = content.text() if content.hasText() else ""
        if paths:
            self._give_paths(paths)
        elif content.hasImage():
            self.open_scanner().reader.read_content(content)
        elif is_bbqr(text.strip()) or is_ur(text.strip()):
            self.open_scanner().reader.read_text(text)
        elif text.strip():
            self.given.emit(text)

    # --- codes

    def _toggle_scanner(self) -> None:
        if self.scanner is None:
            self.open_scanner()
        else:
            self.close_scanner()

    def open_scanner(self) -> QrScanPanel:
        """Show the ways in for QR codes."""
        if self.scanner is None:
            self.scanner = QrScanPanel()
            self.scanner.finished.connect(self._scanned)
            self._scan_place.addWidget(self.scanner)
            self._show_switch()
        return self.scanner

    def close_scanner(self) -> None:
        """Let camera and screen go."""
        scanner, self.scanner = self.scanner, None
        if scanner is not None:
            scanner.hide()
            self._scan_place.removeWidget(scanner)
            scanner.deleteLater()
        self._show_switch()

    def _show_switch(self) -> None:
        is_open = self.scanner is not None
        words = _STOP_SCAN if is_open else _SCAN
        self.scan_button.setText(words)
        self.scan_button.setAccessibleName(words.replace("&", ""))
        set_role(self.scan_button, "primary" if self._has_primary and not is_open else "")
        # The scanner has its own ways in for pictures and text.
        for button in (self.file_button, self.paste_button):
            button.setVisible(not is_open)

    def _scanned(self, progress: Progress) -> None:
        data = progress.data
        self.close_scanner()
        if data is not None:
            self.given.emit(data)


def holds_anything(content: QMimeData) -> bool:
    """Whether there is something to be taken."""
    return bool(content.hasUrls() or content.hasImage() or content.text().strip())
