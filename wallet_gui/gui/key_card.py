"""KeyCard: the SSH key that this program made, and the line that the node's machine needs."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.published import OwnSshKey
from wallet_gui.widgets.copy_line import CopyLine
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.notice import ERROR, Notice
from wallet_gui.widgets.qr_code import QrCode
from wallet_gui.widgets.text import plain

_BEFORE = (
    "A key of its own, for this wallet alone: it may reach bitcoind on the node's machine and "
    "nothing else there. It is kept in the program's data folder."
)
_AFTER = (
    "Add this line to the file ~/.ssh/authorized_keys of the login on the node's machine. It is "
    "not secret."
)
_QR_SIDE = 260


class KeyCard(QWidget):
    """Offers to make the key; once there is one, shows its line, also as a QR code."""

    make_wanted = Signal()

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        self.words = text_label(_BEFORE, role="muted")
        layout.addWidget(self.words)
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self.line = CopyLine(f"{name}_line", "Line for authorized_keys", self)
        layout.addWidget(self.line)
        self.permits = text_label()
        self.permits.setObjectName(f"{name}_permits")
        layout.addWidget(self.permits)
        row = FlowLayout(spacing=10)
        self.make_button = QPushButton("Make a key for me")
        self.make_button.setObjectName(f"{name}_make")
        self.make_button.setAccessibleName("Make a key for me")
        self.make_button.clicked.connect(self._make)
        row.addWidget(self.make_button)
        self.qr_button = QPushButton("Show as QR code")
        self.qr_button.setObjectName(f"{name}_qr")
        self.qr_button.setCheckable(True)
        self.qr_button.setProperty("role", "plain")
        self.qr_button.toggled.connect(self._show_qr)
        row.addWidget(self.qr_button)
        layout.addLayout(row)
        self.qr = QrCode("Line for authorized_keys as a QR code", self, side=_QR_SIDE)
        self.qr.setMaximumWidth(_QR_SIDE)
        layout.addWidget(self.qr)
        self.show_key(None)

    def show_key(self, key: OwnSshKey | None) -> None:
        """Show the line of a key, or the offer to make one."""
        has_key = key is not None
        self.words.setText(_AFTER if has_key else _BEFORE)
        self.line.show_line("" if key is None else key.line, "Copy the line")
        self.permits.setText("" if key is None else plain(key.permits, 400))
        for widget in (self.line, self.permits, self.qr_button):
            widget.setVisible(has_key)
        self.make_button.setVisible(not has_key)
        self.make_button.setEnabled(True)
        self.notice.clear()
        self.qr_button.setChecked(False)
        self._show_qr(is_shown=False)

    def show_failure(self, sentence: str) -> None:
        """Say why there is no key."""
        self.make_button.setEnabled(True)
        self.notice.say(sentence, ERROR)

    def _make(self) -> None:
        self.make_button.setEnabled(False)
        self.notice.clear()
        self.make_wanted.emit()

    def _show_qr(self, is_shown: bool) -> None:  # noqa: FBT001 - a Qt slot
        self.qr.setVisible(is_shown)
        self.qr.set_text(self.line.line if is_shown else "", "the line above")
        text = "Hide the QR code" if is_shown else "Show as QR code"
        self.qr_button.setText(text)
        self.qr_button.setAccessibleName(text)
