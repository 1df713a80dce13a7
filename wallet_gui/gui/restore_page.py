"""The page that asks what is left of a wallet that is to be restored."""

from PySide6.QtCore import Signal

from wallet_gui.gui.wizard_step import ChoiceStep


class RestorePage(ChoiceStep):
    """What a wallet can be restored from."""

    words_wanted = Signal()
    file_wanted = Signal()
    watch_wanted = Signal()

    def __init__(self) -> None:
        super().__init__("restore", "Restore a wallet", "What is left of it?")
        self.add_choice(
            "words",
            "Its words",
            "12 to 24 words on paper. They are typed in the vault, which knows no network.",
            "W",
            self.words_wanted,
        )
        self.add_choice(
            "file",
            "A copy of its wallet file",
            "A backup, or an older copy such as Savings.wallet.1. You need its password.",
            "F",
            self.file_wanted,
        )
        self.add_choice(
            "descriptor",
            "Its descriptor or extended public key",
            "The wallet then only watches: it shows all payments and cannot sign.",
            "D",
            self.watch_wanted,
        )
        self.add_bottom()
