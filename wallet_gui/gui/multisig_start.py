"""The first page of the wizard for shared wallets, and the page that shows one's own key."""

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.published import WalletEntry
from wallet_gui.custody.exports import of_cosigner_key
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.gui.engine import Engine
from wallet_gui.gui.export_panel import ExportPanel
from wallet_gui.gui.wallet_choice import WalletChoice
from wallet_gui.gui.wizard_step import ChoiceStep, WizardStep
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.notice import WARNING

SHARED_KINDS = (
    (MultisigType.WSH, "Native SegWit (wsh): small fees, usual today"),
    (MultisigType.SH_WSH, "Wrapped SegWit (sh-wsh): for very old senders"),
)


class MultisigStart(ChoiceStep):
    """Three ways in."""

    new_wanted = Signal()
    import_wanted = Signal()
    key_wanted = Signal()

    def __init__(self) -> None:
        super().__init__(
            "shared",
            "Shared wallet (multisig)",
            "Several keys guard one wallet, and some of them have to sign each payment: 2 of 3, "
            "for instance, so that one lost or stolen key loses nothing.",
        )
        self.add_choice(
            "new",
            "Set up a new one",
            "Put your key and those of the other cosigners together.",
            "N",
            self.new_wanted,
        )
        self.add_choice(
            "import",
            "Join or watch one that exists",
            "From its descriptor, or the file of Sparrow, Specter, Coldcard and others.",
            "J",
            self.import_wanted,
        )
        self.add_choice(
            "key",
            "Show my key to the other cosigners",
            "When somebody else puts the wallet together.",
            "K",
            self.key_wanted,
        )
        self.add_bottom()


def kind_box(name: str) -> QComboBox:
    """A choice between the kinds of multisig that new wallets are made of."""
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName("Kind of shared wallet")
    for kind, words in SHARED_KINDS:
        box.addItem(words, kind)
    return box


class NumberBox(QComboBox):
    """A choice of a small number."""

    def __init__(self, name: str, spoken: str, number: int, least: int = 1, most: int = 15) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setAccessibleName(spoken)
        self.offer(least, most, number)

    @property
    def number(self) -> int:
        return int(self.currentText())

    def offer(self, least: int, most: int, number: int) -> None:
        """Offer the numbers from `least` to `most`; nothing is announced."""
        self.blockSignals(True)
        self.clear()
        self.addItems([str(item) for item in range(least, most + 1)])
        self.setCurrentText(str(number))
        self.blockSignals(False)

    def choose(self, number: int) -> None:
        """Choose one of the numbers."""
        self.setCurrentText(str(number))


def account_box(name: str) -> NumberBox:
    """A choice of the account of which the key is: each shared wallet has one of its own."""
    return NumberBox(name, "Number of the account, 0 for the first shared wallet", 0, 0, 20)


class OwnKeyPage(WizardStep):
    """`wanted` gives path, kind and account; `show_key` shows what the vault handed out."""

    wanted = Signal(str, object, int)

    def __init__(self, engine: Engine) -> None:
        super().__init__(
            "own_key",
            "My key for a shared wallet",
            "The public key with which your wallet becomes a cosigner. Your words stay where they "
            "are; whoever has this key sees what the shared wallet does, and moves nothing.",
        )
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        self.wallets = WalletChoice("own_key_wallet", "Wallet that holds my words")
        self.kind_box = kind_box("own_key_kind")
        self.account = account_box("own_key_account")
        for label, field in (
            (caption("&Wallet that holds my words", self.wallets), self.wallets),
            (caption("&Kind of shared wallet", self.kind_box), self.kind_box),
            (caption("&Account: 0 for the first shared wallet", self.account), self.account),
        ):
            layout.addWidget(label)
            layout.addWidget(field)
        self.ask_button = QPushButton("Ask the &vault for the key")
        self.ask_button.setObjectName("own_key_ask")
        self.ask_button.setAccessibleName("Ask the vault for the key")
        self.ask_button.setProperty("role", "primary")
        self.ask_button.clicked.connect(self._ask)
        row = FlowLayout(spacing=10)
        row.addWidget(self.ask_button)
        layout.addLayout(row)
        self.column.addWidget(frame)
        self.shown = card()
        inside = QVBoxLayout(self.shown)
        inside.setContentsMargins(22, 18, 22, 18)
        inside.setSpacing(8)
        inside.addWidget(heading("Give this to whoever puts the wallet together", 110))
        inside.addWidget(
            text_label(
                "Compare it with them over another way, a telephone call for instance, once they "
                "have it.",
                role="muted",
            )
        )
        self.exports = ExportPanel(engine, "own_key_export")
        inside.addWidget(self.exports)
        self.column.addWidget(self.shown)
        self.shown.hide()
        self.add_bottom()

    def first_field(self) -> QWidget | None:
        return self.wallets

    def show_wallets(self, entries: Sequence[WalletEntry]) -> None:
        """Offer the wallets of this network."""
        first = () if entries else (("Choose\u2026", ""),)
        self.wallets.show_wallets(entries, first=first)

    def show_key(self, key: KeyExpression) -> None:
        """Show what the vault handed out."""
        self.exports.show_exports(of_cosigner_key(key, "my"))
        self.shown.show()
        self.reveal(self.shown)

    def _ask(self) -> None:
        if not self.wallets.path:
            self.notice.say("Choose the wallet whose words are to sign.", WARNING)
            return
        self.shown.hide()
        self.wanted.emit(self.wallets.path, self.kind_box.currentData(), self.account.number)
