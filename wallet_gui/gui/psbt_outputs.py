"""PsbtOutputs: the ways out for a payment that somebody else signs: QR codes, a file, text."""

from pathlib import Path
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFileDialog, QPushButton, QVBoxLayout, QWidget

from wallet_gui.transfer.qr_frames import Kind
from wallet_gui.widgets.animated_qr import AnimatedQr
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import set_role
from wallet_gui.widgets.notice import INFORMATION, WARNING, Notice

_TALLEST: Final = 400
_SHOW, _HIDE = "Show as QR cod&es", "Hide the QR cod&es"
_FILTER: Final = "PSBT (*.psbt);;PSBT as text (*.txt)"


class PsbtOutputs(QWidget):
    """`save_wanted` carries the path; `shown` says that codes are on screen."""

    save_wanted = Signal(object)
    shown = Signal()

    def __init__(self, prefix: str) -> None:
        """`prefix` begins the names of its objects."""
        super().__init__()
        self._prefix = prefix
        self._data = b""
        self._text = ""
        self._name = "payment"
        self.qr: AnimatedQr | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(10)
        row = FlowLayout(spacing=10)
        self.qr_button = self._button("qr", _SHOW)
        self.save_button = self._button("save", "Save to a fi&le\u2026")
        self.copy_button = self._button("copy", "Copy &as text")
        self.qr_button.clicked.connect(self._toggle_qr)
        self.save_button.clicked.connect(self._save)
        self.copy_button.clicked.connect(self._copy)
        for button in (self.qr_button, self.save_button, self.copy_button):
            row.addWidget(button)
        self._row = row
        layout.addLayout(row)
        self.notice = Notice()
        layout.addWidget(self.notice)
        self._qr_place = QVBoxLayout()
        layout.addLayout(self._qr_place)

    def _button(self, name: str, words: str) -> QPushButton:
        button = QPushButton(words)
        button.setObjectName(f"{self._prefix}_{name}")
        button.setAccessibleName(words.replace("&", ""))
        return button

    def add_button(self, button: QPushButton) -> None:
        """Put one more beside the others."""
        self._row.addWidget(button)

    def show_psbt(self, data: bytes, text: str, name: str) -> None:
        """Offer a PSBT; `name` is what its file is called at first, without the ending."""
        if data == self._data:
            return
        self._data, self._text, self._name = data, text, name
        self.notice.clear()
        if self.qr is not None:
            self.qr.show_message(Kind.PSBT, data)

    def clear(self) -> None:
        """Forget it, with the codes."""
        self._data, self._text = b"", ""
        self.notice.clear()
        self.hide_qr()

    def set_primary(self, *, is_primary: bool) -> None:
        """Whether showing codes is the next step."""
        set_role(self.qr_button, "primary" if is_primary else "")

    # --- file and text

    def _save(self) -> None:
        path, _ = QFileDialog.getSaveFileName(
            self, "Save the payment", f"{self._name}.psbt", _FILTER
        )
        if path:
            self.save_wanted.emit(Path(path))

    def _copy(self) -> None:
        def told(outcome: Copied) -> None:
            if outcome is Copied.KEPT:
                passing = outcome.sentence("The payment", is_private=True)
                self.notice.say(f"{passing} Paste it where it is signed.", INFORMATION)
                self.shown.emit()
            else:
                self.notice.say(outcome.sentence("The payment"), WARNING)

        clipboard().copy(self._text, self, told, is_private=True)

    # --- codes

    def _toggle_qr(self) -> None:
        if self.qr is not None:
            self.hide_qr()
            return
        self.qr = AnimatedQr()
        # All of it is to be on the screen that a camera looks at.
        self.qr.qr.setMaximumHeight(_TALLEST)
        self._qr_place.addWidget(self.qr)
        self._name_qr_button(_HIDE)
        self.qr.show_message(Kind.PSBT, self._data)
        self.shown.emit()

    def hide_qr(self) -> None:
        """Take the codes away."""
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
