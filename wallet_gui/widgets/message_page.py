"""Messages: sign a text with an address of the open wallet, or check anybody's signature."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.primitives.visible_text import is_plain
from wallet_gui.widgets.clipboard import Copied, clipboard
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.page import Page

_FORMATS = (
    ("The usual one for the address", ""),
    ("BIP137, read by most programs", "legacy"),
    ("BIP322, short", "simple"),
    ("BIP322, whole transaction", "full"),
)
_SIGNED = (
    "The message is signed. Give all three to whoever is to check it: address, message, signature."
)
_PARTIAL = (
    "Your part is done, and other cosigners have to sign too. Give the next one the same message "
    "and, in place of the signature, what stands there now."
)
_HIDDEN = (
    " The message has characters that cannot be seen or that look like others; whoever signed it "
    "may have meant to mislead."
)


class MessagePage(Page):
    """Asks with `sign_wanted` (address, message, format, cosigners' part) and `check_wanted`."""

    sign_wanted = Signal(str, str, str, str)
    check_wanted = Signal(str, str, str)
    back_wanted = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__("message_page", parent)
        self.back_button = QPushButton("&Back")
        self.back_button.setProperty("role", "plain")
        self.back_button.clicked.connect(self.back_wanted.emit)
        _name(self.back_button, "message_back", "Back")
        self.body.addWidget(self.back_button, 0, Qt.AlignmentFlag.AlignLeft)
        self.body.addWidget(heading("Messages"))
        self.body.addWidget(
            text_label(
                "A signature shows that the owner of an address agreed to a text. It says nothing "
                "about who that is, and nothing about coins that were there once.",
                role="muted",
            )
        )
        self.notice = Notice(self)
        self.body.addWidget(self.notice)
        self.body.addWidget(self._make_form())
        self.body.addStretch(1)
        self._is_open = False
        self.set_wallet_open(is_open=False)

    def _make_form(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        self.address = QLineEdit()
        self.address.setMaxLength(200)
        self.address.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self.address, monospace=True)
        _name(self.address, "message_address", "Address that signs or has signed")
        self.message = _TextField("message_text", "Message", 5)
        self.signature = _TextField("message_signature", "Signature", 3)
        self.signature.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        use_font(self.signature, percent=92, monospace=True)
        for words, field in (
            ("&Address", self.address),
            ("&Message, exactly as it is to be signed or was signed", self.message),
            ("Si&gnature", self.signature),
        ):
            layout.addWidget(caption(words, field))
            layout.addWidget(field)
        self.formats = QComboBox()
        for words, value in _FORMATS:
            self.formats.addItem(words, value)
        _name(self.formats, "message_format", "Form of the signature")
        self.format_caption = caption("&Form of the signature", self.formats, beside=True)
        row = FlowLayout(spacing=10)
        row.addWidget(self.format_caption)
        row.addWidget(self.formats)
        layout.addLayout(row)
        layout.addLayout(self._make_buttons())
        # What is there has changed: an earlier verdict is none of it.
        self.address.textChanged.connect(lambda _: self.notice.clear())
        self.message.textChanged.connect(self.notice.clear)
        self.signature.textChanged.connect(self.notice.clear)
        return frame

    def _make_buttons(self) -> FlowLayout:
        row = FlowLayout(spacing=10)
        self.sign_button = QPushButton("&Sign")
        self.check_button = QPushButton("&Verify")
        self.copy_button = QPushButton("&Copy signature")
        self.clear_button = QPushButton("C&lear")
        self.sign_button.setProperty("role", "primary")
        self.clear_button.setProperty("role", "plain")
        for button, name, spoken, slot in (
            (self.sign_button, "message_sign", "Sign the message", self._sign),
            (self.check_button, "message_verify", "Verify the signature", self._check),
            (self.copy_button, "message_copy", "Copy signature", self._copy),
            (self.clear_button, "message_clear", "Clear", self.clear),
        ):
            _name(button, name, spoken)
            button.clicked.connect(slot)
            row.addWidget(button)
        return row

    # --- what flows call

    def set_wallet_open(self, *, is_open: bool) -> None:
        """Offer to sign while a wallet is open; what stood there of the last one goes."""
        self._is_open = is_open
        for widget in (self.sign_button, self.formats, self.format_caption):
            widget.setVisible(is_open)
        self.clear()

    def begin(self, address: str) -> None:
        """Prepare to sign with an address."""
        self.clear()
        show_text(self.address, address)
        self.message.setFocus()

    def clear(self) -> None:
        """Empty every field."""
        self.address.clear()
        self.message.clear()
        self.signature.clear()
        self.formats.setCurrentIndex(0)
        self.set_busy("")

    def set_busy(self, sentence: str) -> None:
        """Say what is going on and hold the buttons back; "" lets the person go on."""
        for button in (self.sign_button, self.check_button):
            button.setEnabled(not sentence)
        if sentence:
            self.notice.say(sentence, INFORMATION)
        else:
            self.notice.clear()

    def show_signed(self, signature: str, partial: str) -> None:
        """Show what the vault made: a signature, or what the next cosigner adds to."""
        self.signature.setPlainText(signature or partial)
        self.set_busy("")
        self.notice.say(_SIGNED if signature else _PARTIAL, INFORMATION)

    def show_check(self, verdict: str, words: str) -> None:
        """Say what the check found: "valid", "invalid" or "inconclusive"."""
        self.set_busy("")
        role = {"valid": INFORMATION, "invalid": ERROR}.get(verdict, WARNING)
        if verdict != "invalid" and not is_plain(self.message.toPlainText()):
            role, words = WARNING, words + _HIDDEN
        self.notice.say(words, role)

    def show_failure(self, words: str) -> None:
        """Say why it was not done; the fields keep everything."""
        self.set_busy("")
        if words:
            self.notice.say(words, ERROR)

    # --- what a person wants

    def _sign(self) -> None:
        if self._has(self.address, "Enter one of this wallet's addresses.") and self._has(
            self.message, "Write the message first."
        ):
            given = "".join(self.signature.toPlainText().split())
            # What a PSBT begins with; anything else there is a signature of before.
            partial = given if given.startswith("cHNidP") else ""
            self.sign_wanted.emit(
                "".join(self.address.text().split()),
                self.message.toPlainText(),
                str(self.formats.currentData()),
                partial,
            )

    def _check(self) -> None:
        if self._has(self.address, "Enter the address that signed.") and self._has(
            self.signature, "Paste the signature."
        ):
            self.check_wanted.emit(
                "".join(self.address.text().split()),
                self.message.toPlainText(),
                self.signature.toPlainText(),
            )

    def _has(self, field: QLineEdit | QPlainTextEdit, missing: str) -> bool:
        text = field.text() if isinstance(field, QLineEdit) else field.toPlainText()
        if text.strip():
            return True
        self.notice.say(missing, ERROR)
        field.setFocus()
        return False

    def _copy(self) -> None:
        text = self.signature.toPlainText()
        if not text:
            self._has(self.signature, "There is no signature to copy yet.")
            return

        def told(outcome: Copied) -> None:
            role = INFORMATION if outcome is Copied.KEPT else ERROR
            self.notice.say(outcome.sentence("The signature"), role)

        clipboard().copy(text, self, told)


def _name(widget: QWidget, name: str, spoken: str) -> None:
    widget.setObjectName(name)
    widget.setAccessibleName(spoken)


class _TextField(QPlainTextEdit):
    """As high as some lines of whatever text size is chosen."""

    def __init__(self, name: str, spoken: str, lines: int) -> None:
        super().__init__()
        self._lines = lines
        _name(self, name, spoken)
        self.setTabChangesFocus(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        margins = self.contentsMargins()
        inside = round(2 * self.document().documentMargin())
        height = self._lines * self.fontMetrics().lineSpacing() + inside
        return QSize(super().sizeHint().width(), height + margins.top() + margins.bottom() + 16)
