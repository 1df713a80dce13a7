"""The pages on which a wallet is restored from an extended private key."""

from PySide6.QtWidgets import QVBoxLayout

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys.imported import MAX_TEXT, ImportedKeys, describe
from wallet_gui.vault.importing import kind_name
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.secret_edit import WordsEdit
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import card, text_label
from wallet_gui.widgets.notice import INFORMATION, WARNING

_LINES = 6


class XprvPage(VaultPage):
    """Takes the key, or descriptors with a key in them."""

    def __init__(self) -> None:
        super().__init__(
            "xprv",
            "Paste the extended private key",
            "It starts with xprv, yprv, zprv or, for test networks, tprv. If you know where it "
            "comes from, put that before it: [fingerprint/path]xprv. Descriptors with such a key, "
            "as Bitcoin Core lists them, are read too.",
            primary="&Continue",
        )
        self.notice.say(
            "Whoever has this key has the money. Type it, or paste it and then clear the clipboard "
            "by copying something else.",
            WARNING,
        )
        self.xprv_edit = WordsEdit("xprv_text", "Extended private key")
        self.xprv_edit.setPlaceholderText("xprv9s21ZrQH143K…")
        self.xprv_edit.setFixedHeight(self.xprv_edit.fontMetrics().lineSpacing() * _LINES + 30)
        self.body.addWidget(self.xprv_edit)
        self.body.addWidget(
            text_label(
                "Such a wallet has no words: its backup is the wallet file, or what this key comes "
                "from. If you have the words, restore from them instead.",
                role="muted",
            )
        )
        self.first_field = self.xprv_edit

    def typed_text(self) -> str | None:
        """Return the text, or None after saying that it is missing or too long."""
        text = self.xprv_edit.toPlainText()
        if not text.strip():
            self.refuse("Paste or type the extended private key.", self.xprv_edit)
            return None
        if len(text) > MAX_TEXT:
            self.refuse("This text is too long for a key or descriptors.", self.xprv_edit)
            return None
        return text

    def forget(self) -> None:
        self.xprv_edit.clear()


class ImportedPage(VaultPage):
    """What was read of the key, to be compared before a wallet is made of it."""

    def __init__(self, keys: ImportedKeys, descriptors: tuple[Descriptor, ...]) -> None:
        super().__init__(
            "imported",
            "Check what this key is",
            "Compare the first address with that of the program from which the key comes. If they "
            "differ, go back and choose other addresses or give the key's origin.",
            primary="&Continue",
            secondary="&Back",
        )
        if keys.notices:
            self.notice.say(" ".join(keys.notices), INFORMATION)
        place = text_label(describe(keys.root))
        place.setObjectName("imported_place")
        self.body.addWidget(place)
        for number, descriptor in enumerate(descriptors, 1):
            frame = card()
            rows = QVBoxLayout(frame)
            rows.setContentsMargins(22, 16, 22, 18)
            rows.setSpacing(6)
            rows.addWidget(text_label(kind_name(descriptor)))
            rows.addWidget(text_label("First address", role="muted"))
            address = text_label(descriptor.first_address)
            address.setObjectName(f"imported_address_{number}")
            use_font(address, monospace=True)
            rows.addWidget(address)
            self.body.addWidget(frame)
