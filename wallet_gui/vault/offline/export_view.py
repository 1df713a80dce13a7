"""ExportView: public text of a wallet in the formats of others, as a file, as text and as codes."""

from collections.abc import Sequence

from PySide6.QtWidgets import QVBoxLayout, QWidget

from wallet_gui.custody.exports import Export
from wallet_gui.transfer.qr_frames import Format, Kind
from wallet_gui.vault.offline.bench import Bench
from wallet_gui.vault.offline.files import ask_save, write_file
from wallet_gui.vault.offline.forms import button, combo
from wallet_gui.widgets.animated_qr import AnimatedQr
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain


class ExportView(QWidget):
    """Shows nothing until `show_exports`; `name` begins the object names."""

    def __init__(self, bench: Bench, name: str) -> None:
        super().__init__()
        self._bench = bench
        self._exports: Sequence[Export] = ()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        self.notice = Notice()
        self.notice.setObjectName(f"{name}_notice")
        layout.addWidget(self.notice)
        self.choice = combo(f"{name}_format", "&Format", (), layout)
        self.choice.currentIndexChanged.connect(self._show_chosen)
        self.line = CopyLine(f"{name}_text", "The export as text")
        layout.addWidget(self.line)
        row = FlowLayout(spacing=10)
        row.addWidget(button(f"{name}_save", "Sa&ve as a file…", self._save))
        layout.addLayout(row)
        self.codes = AnimatedQr(self)
        layout.addWidget(self.codes)

    @property
    def chosen(self) -> Export | None:
        number = self.choice.currentIndex()
        return self._exports[number] if 0 <= number < len(self._exports) else None

    def show_exports(self, exports: Sequence[Export]) -> None:
        """Offer these; the first one is shown."""
        self._exports = tuple(exports)
        self.notice.clear()
        self.choice.blockSignals(True)
        self.choice.clear()
        for export in self._exports:
            self.choice.addItem(export.title)
        self.choice.blockSignals(False)
        self._show_chosen()

    def clear(self) -> None:
        """Forget what was shown."""
        self.show_exports(())

    def _show_chosen(self) -> None:
        export = self.chosen
        if export is None:
            self.line.show_line("")
            self.codes.clear()
            return
        self.line.show_line(export.text)
        # An account is what uniform resources were made for, and what the other side reads first.
        is_key = export.kind in (Kind.ACCOUNT, Kind.DESCRIPTOR, Kind.XPUB)
        self.codes.show_message(
            export.kind, export.text.encode(), Format.UR if is_key else Format.BBQR
        )

    def _save(self) -> None:
        export = self.chosen
        if export is None:
            return
        path = ask_save(self, "Save for the online computer", export.file_name)
        if path:
            self.save_to(path)

    def save_to(self, path: str) -> None:
        """Write what is chosen into a new file."""
        export = self.chosen
        if export is None:
            return
        text = export.text if export.text.endswith("\n") else f"{export.text}\n"
        self._bench.do(
            "Writing the file.",
            lambda: write_file(path, text.encode()),
            lambda name: self.notice.say(f"It is in {plain(name, 80)}.", INFORMATION),
            lambda error: self.notice.say(sentence(error), ERROR),
        )
