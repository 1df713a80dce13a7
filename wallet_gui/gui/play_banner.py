"""The strip that marks play money on every page, with the buttons of the playground."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QPushButton, QWidget

from wallet_gui.widgets.labels import text_label


class PlayBanner(QFrame):
    """`wanted` names what the person asks of the playground: "get" or "mine"."""

    wanted = Signal(str)

    def __init__(self, network_name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("play_banner")
        self.setProperty("role", "play-banner")
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 5, 16, 5)
        row.setSpacing(10)
        label = text_label(f"Play money ({network_name}): these coins are worth nothing.")
        label.setAccessibleName(label.text())
        row.addWidget(label, 1)
        self.buttons: dict[str, QPushButton] = {}
        for key, text in (("get", "Get play money"), ("mine", "Mine a block")):
            button = QPushButton(text)
            button.setObjectName(f"play_{key}")
            button.setAccessibleName(text)
            button.clicked.connect(lambda _=False, key=key: self.wanted.emit(key))
            button.hide()
            row.addWidget(button)
            self.buttons[key] = button

    def offer(self, *, has_playground: bool, has_wallet: bool) -> None:
        """Offer what can be done now."""
        self.buttons["mine"].setVisible(has_playground)
        self.buttons["get"].setVisible(has_playground and has_wallet)
