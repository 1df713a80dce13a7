"""The page on which a message is read before the password signs it."""

from PySide6.QtWidgets import QFormLayout, QPlainTextEdit

from wallet_gui.primitives.visible_text import is_plain, visible
from wallet_gui.transfer.messages import SignMessage
from wallet_gui.vault import message_signing
from wallet_gui.vault.password_pages import UnlockPage
from wallet_gui.wallet.messages import MessageFormat
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import AddressLabel, card, text_label
from wallet_gui.widgets.notice import WARNING

_LINES = 9
_LONG = 500


class MessagePage(UnlockPage):
    """Shows the message whole, each character seen, and the address; then asks the password."""

    def __init__(self, request: SignMessage, wanted: MessageFormat | None, name: str) -> None:
        super().__init__(
            f"Sign a message with {name}",
            message_signing.WARNING,
            primary="&Sign",
            name="message",
        )
        frame = card()
        form = QFormLayout(frame)
        form.setContentsMargins(22, 20, 22, 20)
        form.setVerticalSpacing(12)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self.message = QPlainTextEdit()
        self.message.setObjectName("message_text")
        self.message.setReadOnly(True)
        self.message.setTabChangesFocus(True)
        use_font(self.message, monospace=True)
        self.message.setPlainText(visible(request.message))
        self.message.setAccessibleName("The message that is signed")
        lines = min(_LINES, max(2, visible(request.message).count("\n") + 2))
        self.message.setFixedHeight(lines * self.message.fontMetrics().lineSpacing() + 24)
        form.addRow("The message", self.message)
        shown = visible(request.message)
        if shown.count("\n") >= _LINES or len(shown) > _LONG:
            length = f"{len(request.message):,} characters in {len(shown.splitlines()):,} lines"
            form.addRow(text_label(f"It has {length}: scroll to read all.", role="warning"))
        self.address = AddressLabel("The address that signs")
        self.address.setObjectName("message_address")
        self.address.set_address(request.address)
        form.addRow("The address that signs", self.address)
        if wanted is not None:
            words = text_label(message_signing.FORMATS[wanted], role="muted")
            words.setObjectName("message_format")
            form.addRow("The form of the signature", words)
        self.body.insertWidget(0, frame)
        self.forgotten.hide()
        self.setTabOrder(self.message, self.password_edit)
        if not is_plain(request.message):
            self.notice.say(message_signing.HIDDEN, WARNING)

    def forget(self) -> None:
        super().forget()
        self.message.clear()
