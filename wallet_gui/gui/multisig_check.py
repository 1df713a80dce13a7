"""The last page before a shared wallet is made: every cosigner compares it."""

from collections.abc import Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from wallet_gui.app.imports import ImportLook
from wallet_gui.app.published import WalletEntry
from wallet_gui.custody.exports import of_descriptors
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.export_panel import ExportPanel
from wallet_gui.gui.found_card import FoundCard
from wallet_gui.gui.import_page import NameFields
from wallet_gui.gui.wallet_choice import WalletChoice
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.widgets.labels import AddressLabel, caption, card, heading, text_label
from wallet_gui.widgets.notice import WARNING

TYPED_WORDS: Final = "\0words"
"""In place of a wallet file: the words are typed into the vault."""

_NO_FILE: Final = (
    ("Nobody: it only watches", ""),
    ("One cosigner's words, typed in the vault", TYPED_WORDS),
)


class MultisigCheck(WizardStep):
    """`wanted` gives name, WalletImport, birthday, and the wallet file with words.

    In place of that file stands "" where nobody signs here, or `TYPED_WORDS`.
    """

    wanted = Signal(str, object, object, str)

    def __init__(self, engine: Engine, look: ImportLook, *, is_new: bool) -> None:
        super().__init__(
            "check",
            "Check the shared wallet",
            "Every cosigner makes the same wallet and compares it with the others before it gets "
            "any money. Whoever exchanges a key on the way could take the money or lock it in.",
        )
        self._look = look
        self._is_new = is_new
        self.card = FoundCard("check_found")
        self.column.addWidget(self.card)
        self.card.show_look(look, "The wallet as it will be" if is_new else "")
        self.column.addWidget(self._make_export(engine))
        self.column.addWidget(self._make_compare())
        self.column.addWidget(self._make_words())
        self.fields = NameFields("check", "")
        self.fields.show_found(look, "Shared")
        if is_new:
            self.fields.hide_birthday()
        self.column.addWidget(self.fields)
        self.add_bottom("&Go on")
        self.fields.submitted.connect(self.next_wanted.emit)
        self.next_wanted.connect(self._go_on)

    def _make_export(self, engine: Engine) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(8)
        layout.addWidget(heading("Give it to every cosigner", 110))
        layout.addWidget(
            text_label(
                "Each needs this descriptor, and a copy of it with the paper of their words: "
                "without the other cosigners' keys the words of one do not find the money.",
                role="muted",
            )
        )
        self.exports = ExportPanel(engine, "check_export")
        found = self._look.found
        name = found.name or "shared"
        self.exports.show_exports(of_descriptors(found.descriptors, name, found.birthday_time))
        layout.addWidget(self.exports)
        return frame

    def _make_compare(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(8)
        layout.addWidget(heading("Compare the first address", 110))
        layout.addWidget(
            text_label(
                "All cosigners see the same one, on their own screens and devices. Compare all of "
                "it, group by group.",
                role="muted",
            )
        )
        self.address = AddressLabel("First address of the shared wallet")
        account = self._look.accounts[self._look.found.active]
        self.address.set_address(account.addresses[0])
        layout.addWidget(self.address)
        self.equal = QCheckBox("Every &cosigner sees this address")
        self.equal.setObjectName("check_equal")
        self.equal.setAccessibleName("Every cosigner sees this address")
        layout.addWidget(self.equal)
        return frame

    def _make_words(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        layout.addWidget(heading("Who signs on this computer", 110))
        self.wallets = WalletChoice("check_words", "Wallet whose words sign")
        layout.addWidget(caption("&Wallet whose words sign", self.wallets))
        layout.addWidget(self.wallets)
        layout.addWidget(
            text_label(
                "With the words of one cosigner, this computer signs for them. Without, it watches "
                "and puts the others' signatures together.",
                role="muted",
            )
        )
        self.passphrase = QCheckBox("Those words have a &passphrase (25th word)")
        self.passphrase.setObjectName("check_passphrase")
        self.passphrase.setAccessibleName("Those words have a passphrase (25th word)")
        layout.addWidget(self.passphrase)
        self.wallets.currentIndexChanged.connect(self._follow)
        self._follow()
        return frame

    def _follow(self) -> None:
        # A wallet file knows by itself whether there is one.
        self.passphrase.setVisible(self.wallets.path == TYPED_WORDS)

    def first_field(self) -> QWidget | None:
        return self.equal

    def show_wallets(self, entries: Sequence[WalletEntry], source: str = "") -> None:
        """Offer the wallets of this network; `source` is the one that a key came from."""
        self.wallets.show_wallets(entries, first=_NO_FILE)
        if source:
            self.wallets.choose(source)

    def _go_on(self) -> None:
        if not self.equal.isChecked():
            self.notice.say(
                "Compare the first address with the other cosigners, and confirm that it is the "
                "same.",
                WARNING,
            )
            self.equal.setFocus()
            return
        accepted = self.fields.accepted(self.notice)
        if accepted is None:
            return
        name, birthday = accepted
        if self._is_new:
            birthday = self._look.found.birthday_time
        self.wanted.emit(name, self._look.found, birthday, self.wallets.path)
