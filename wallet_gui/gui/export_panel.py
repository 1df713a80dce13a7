"""ExportPanel: one text in several formats, to be copied, saved, or shown as QR codes."""

import asyncio
from collections.abc import Sequence
from typing import Final

from PySide6.QtWidgets import QComboBox, QFileDialog, QPushButton, QVBoxLayout, QWidget

from wallet_gui.custody import exports
from wallet_gui.custody.exports import Export
from wallet_gui.gui.engine import Engine
from wallet_gui.transfer.qr_frames import Format, Kind
from wallet_gui.widgets.animated_qr import AnimatedQr
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.sentences import sentence

_SHOW, _HIDE = "Show Q&R codes", "Hide the Q&R codes"
# What devices read from a camera: keys and descriptors as UR, files as BBQr.
_FIRST_FORMAT: Final = {Kind.JSON: Format.BBQR, Kind.TEXT: Format.BBQR}


class ExportPanel(QWidget):
    """Shows nothing until `show_exports`; `clear` takes everything away again."""

    def __init__(self, engine: Engine, prefix: str) -> None:
        """`prefix` begins the names of its objects."""
        super().__init__()
        self._engine = engine
        self._exports: tuple[Export, ...] = ()
        self.qr: AnimatedQr | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.notice = Notice()
        layout.addWidget(self.notice)
        self.format_box = QComboBox()
        self.format_box.setObjectName(f"{prefix}_format")
        self.format_box.setAccessibleName("Format of the export")
        self.format_box.currentIndexChanged.connect(self._show_chosen)
        self.format_caption = caption("F&or whom", self.format_box)
        layout.addWidget(self.format_caption)
        layout.addWidget(self.format_box)
        self.line = CopyLine(prefix, "The export as text", is_private=True)
        layout.addWidget(self.line)
        row = FlowLayout(spacing=10)
        self.save_button = QPushButton("Save to a &file\u2026")
        self.save_button.setObjectName(f"{prefix}_save")
        self.save_button.setAccessibleName("Save to a file")
        self.save_button.clicked.connect(self._save)
        self.qr_button = QPushButton(_SHOW)
        self.qr_button.setObjectName(f"{prefix}_qr")
        self.qr_button.setAccessibleName(_SHOW.replace("&", ""))
        self.qr_button.clicked.connect(self._toggle_qr)
        row.addWidget(self.save_button)
        row.addWidget(self.qr_button)
        layout.addLayout(row)
        self._qr_place = QVBoxLayout()
        layout.addLayout(self._qr_place)

    @property
    def chosen(self) -> Export | None:
        index = self.format_box.currentIndex()
        return self._exports[index] if 0 <= index < len(self._exports) else None

    def show_exports(self, found: Sequence[Export]) -> None:
        """Offer these formats, the first one shown."""
        self.clear()
        self._exports = tuple(found)
        self.format_box.blockSignals(True)
        for export in self._exports:
            self.format_box.addItem(export.title)
        self.format_box.setCurrentIndex(0)
        self.format_box.blockSignals(False)
        for widget in (self.format_caption, self.format_box):
            widget.setVisible(len(self._exports) > 1)
        self._show_chosen()

    def clear(self) -> None:
        """Show nothing any more."""
        self._exports = ()
        self.format_box.blockSignals(True)
        self.format_box.clear()
        self.format_box.blockSignals(False)
        self.line.show_line("")
        self.notice.clear()
        self._hide_qr()

    def _show_chosen(self) -> None:
        export = self.chosen
        if export is None:
            return
        self.notice.clear()
        self.line.show_line(export.text, "Copy the text")
        if self.qr is not None:
            self._show_codes(export)

    # --- a file

    def _save(self) -> None:
        export = self.chosen
        if export is None:
            return
        path, _ = QFileDialog.getSaveFileName(self, "Save the export", export.file_name)
        if not path:
            return
        self._engine.call(
            asyncio.to_thread(exports.save, path, export.text),
            self,
            lambda _: self.notice.say("Saved.", INFORMATION),
            lambda error: self.notice.say(sentence(error), ERROR),
        )

    # --- codes

    def _toggle_qr(self) -> None:
        export = self.chosen
        if self.qr is not None or export is None:
            self._hide_qr()
            return
        self.qr = AnimatedQr()
        self._qr_place.addWidget(self.qr)
        self._name_qr_button(_HIDE)
        self._show_codes(export)

    def _show_codes(self, export: Export) -> None:
        if self.qr is not None:
            first = _FIRST_FORMAT.get(export.kind, Format.UR)
            self.qr.show_message(export.kind, export.text.encode(), first)

    def _hide_qr(self) -> None:
        qr, self.qr = self.qr, None
        if qr is not None:
            qr.clear()
            qr.hide()
            self._qr_place.removeWidget(qr)
            qr.deleteLater()
        self._name_qr_button(_SHOW)

    def _name_qr_button(self, words: str) -> None:
        self.qr_button.setText(words)
        self.qr_button.setAccessibleName(words.replace("&", ""))
