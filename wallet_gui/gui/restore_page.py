"""The page that asks what is left of a wallet that is to be restored."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.widgets.choice_button import ChoiceButton


class RestorePage(WizardStep):
    """What a wallet can be restored from."""

    words_wanted = Signal()
    file_wanted = Signal()
    watch_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("restore", "Restore a wallet", "What is left of it?")
        for name, title, mnemonic, text, wanted in (
            (
                "words",
                "Its words",
                "W",
                "12 to 24 words on paper. They are typed in the vault, which knows no network.",
                self.words_wanted.emit,
            ),
            (
                "file",
                "A copy of its wallet file",
                "F",
                "A backup, or an older copy such as Savings.wallet.1. You need its password.",
                self.file_wanted.emit,
            ),
            (
                "descriptor",
                "Its descriptor or extended public key",
                "D",
                "The wallet then only watches: it shows all payments and cannot sign.",
                self.watch_wanted.emit,
            ),
        ):
            button = ChoiceButton(title, text, mnemonic=mnemonic)
            button.setObjectName(f"restore_{name}")
            button.clicked.connect(lambda _=False, act=wanted: act())
            self.column.addWidget(button)
        self.add_bottom()

    def first_field(self) -> QWidget | None:
        return self.findChild(ChoiceButton)
