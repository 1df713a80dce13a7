"""The first page: the wallets that are there, and the ways to get another one."""

from collections.abc import Callable, Sequence
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFileDialog,
    QGridLayout,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from wallet_gui.app.published import WalletEntry
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.choice_button import ChoiceButton
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import heading
from wallet_gui.widgets.text import plain

_WIDTH: Final = 760
_COLUMNS: Final = 2


class WelcomePage(WizardStep):
    """Each way leaves as a signal."""

    open_wanted = Signal(str)
    create_wanted = Signal()
    restore_wanted = Signal()
    watch_wanted = Signal()
    multisig_wanted = Signal()
    pair_wanted = Signal()
    play_wanted = Signal()
    offline_wanted = Signal()
    settings_wanted = Signal()

    def __init__(self, params: ChainParams) -> None:
        super().__init__("welcome", "Wallet GUI", width=_WIDTH)
        self._params = params
        layout = self.column
        # Less air than other pages have: all of it is to be seen without scrolling.
        layout.setContentsMargins(12, 20, 12, 8)
        self._open_buttons: list[QPushButton] = []
        self._wallets = _cards()
        layout.addLayout(self._wallets)
        self.more = heading("Another wallet", 120)
        layout.addWidget(self.more)
        choices = _cards()
        ways = (
            (
                "create",
                "Create a wallet",
                "C",
                "New words, made on this computer and written on paper by you.",
                self.create_wanted.emit,
            ),
            (
                "restore",
                "Restore a wallet",
                "R",
                "From its words, a copy of its file, or its descriptor.",
                self.restore_wanted.emit,
            ),
            (
                "watch",
                "Watch a wallet",
                "W",
                "Its keys stay in a device or another program; here you see and prepare payments.",
                self.watch_wanted.emit,
            ),
            (
                "pair",
                "Pair with my offline computer",
                "I",
                "The keys stay there; payments go over and come back by file or QR code.",
                self.pair_wanted.emit,
            ),
            (
                "multisig",
                "Shared wallet (multisig)",
                "M",
                "Several keys, of which some have to sign: 2 of 3, or up to 15.",
                self.multisig_wanted.emit,
            ),
            (
                "offline",
                "Offline signer",
                "G",
                "A window that cannot reach any network, for a computer that holds the keys.",
                self.offline_wanted.emit,
            ),
        )
        for number, (name, title, mnemonic, text, wanted) in enumerate(ways):
            button = ChoiceButton(title, text, mnemonic=mnemonic)
            button.setObjectName(f"welcome_{name}")
            button.clicked.connect(lambda _=False, act=wanted: act())
            _fill_cell(button)
            choices.addWidget(button, number // _COLUMNS, number % _COLUMNS)
        layout.addLayout(choices)
        row = FlowLayout(spacing=10)
        self.play_button = self._plain("play", "Try with &play money", self.play_wanted.emit)
        self.play_button.setVisible(not params.is_test)
        row.addWidget(self.play_button)
        row.addWidget(self._plain("open_file", "Open a wallet &file", self._choose_file))
        self.settings_button = self._plain("settings", "&Settings", self.settings_wanted.emit)
        row.addWidget(self.settings_button)
        layout.addLayout(row)
        layout.addStretch(1)

    def _plain(self, name: str, words: str, act: Callable[[], None]) -> QPushButton:
        button = self._button(name, words)
        button.setProperty("role", "plain")
        button.clicked.connect(lambda _=False: act())
        return button

    def show_wallets(self, entries: Sequence[WalletEntry]) -> None:
        """List the wallets of this network, each to be unlocked by a press."""
        while (item := self._wallets.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._open_buttons.clear()
        is_alone = len(entries) == 1
        for number, entry in enumerate(entries):
            name = plain(entry.name)
            path = entry.path
            button = ChoiceButton(f"Open {name}", "Its password is asked in the vault window.")
            button.setObjectName(f"welcome_open_{number + 1}")
            button.setAccessibleName(f"Open wallet {name}")
            button.clicked.connect(lambda _=False, path=path: self.open_wanted.emit(path))
            _fill_cell(button)
            row, column = divmod(number, _COLUMNS)
            self._wallets.addWidget(button, row, column, 1, _COLUMNS if is_alone else 1)
            # At once, as it is to take the keyboard.
            button.show()
            self._open_buttons.append(button)
        self.more.setVisible(bool(entries))
        network = "play money" if self._params.is_test else "Bitcoin"
        self.text.setText(
            f"Your {network} wallets on this computer."
            if entries
            else "A wallet that needs nobody's server: it reads the chain itself, and your keys "
            "stay in a process that knows no network."
        )

    def first_field(self) -> QWidget | None:
        return next(iter(self._open_buttons), None) or self.findChild(ChoiceButton)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a wallet file", "", "Wallet files (*.wallet)"
        )
        if path:
            self.open_wanted.emit(path)


def _cards() -> QGridLayout:
    layout = QGridLayout()
    layout.setSpacing(12)
    for column in range(_COLUMNS):
        layout.setColumnStretch(column, 1)
    return layout


def _fill_cell(button: ChoiceButton) -> None:
    policy = button.sizePolicy()
    policy.setVerticalPolicy(QSizePolicy.Policy.MinimumExpanding)
    button.setSizePolicy(policy)
