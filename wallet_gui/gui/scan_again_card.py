"""ScanAgainCard: payments from before the wallet's birthday are looked for."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QPushButton, QVBoxLayout, QWidget

from wallet_gui.app.birthdays import BadDay
from wallet_gui.gui.birthday_edit import BirthdayEdit
from wallet_gui.gui.wallet_model import WalletModel
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, heading, text_label
from wallet_gui.widgets.notice import ERROR, Notice


class ScanAgainCard(QFrame):
    """There while a wallet is open; `wanted` gives the Unix time of a day, or None for all."""

    wanted = Signal(object)

    def __init__(self, wallet: WalletModel, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("scan_again_card")
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(10)
        layout.addWidget(heading("Payments are missing?", 120))
        layout.addWidget(
            text_label(
                "A wallet is looked for from the day on that was given when it was made or "
                "imported. Give an earlier one, and the chain is read again from there; what is "
                "known stays. The wallet is closed and asks for its password.",
                role="muted",
            )
        )
        self.notice = Notice(self)
        layout.addWidget(self.notice)
        self.day = BirthdayEdit("scan_again_day")
        layout.addWidget(caption("Look from (year-month-day)", self.day))
        layout.addWidget(self.day)
        row = FlowLayout(spacing=10)
        self.button = QPushButton("Look again")
        self.button.setObjectName("scan_again")
        self.button.setAccessibleName("Look again")
        self.button.clicked.connect(self._go_on)
        self.day.returnPressed.connect(self._go_on)
        row.addWidget(self.button)
        layout.addLayout(row)
        wallet.wallet_changed.connect(self._follow)
        self._follow(wallet.wallet_id)

    def _follow(self, wallet_id: str) -> None:
        self.day.clear()
        self.notice.clear()
        self.setVisible(bool(wallet_id))

    def _go_on(self) -> None:
        try:
            birthday = self.day.birthday()
        except BadDay as error:
            self.notice.say(str(error), ERROR)
            self.day.setFocus()
            return
        self.notice.clear()
        self.wanted.emit(birthday)
