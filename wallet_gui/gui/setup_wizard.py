"""The pages before a wallet is open: welcome, the list of wallets, how to see the chain."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app.published import NewWallet, WalletEntry
from wallet_gui.gui.source_card import SourceCard
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.widgets.choice_button import ChoiceButton
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.text import plain

SCRIPT_TYPES = (
    ("wpkh", "Native SegWit: works everywhere"),
    ("tr", "Taproot: the newest, understood by most"),
    ("sh_wpkh", "Wrapped SegWit: for very old senders"),
    ("pkh", "Legacy: only to restore old wallets"),
)
WORD_COUNTS = (12, 15, 18, 21, 24)
_PAGE_WIDTH = 620


class SetupWizard(QStackedWidget):
    """Welcome, and the form of a new or restored wallet; secrets are typed in the vault only."""

    open_wanted = Signal(str)
    create_wanted = Signal(object)
    restore_wanted = Signal(object)
    # The NodeChoice that goes with the first wallet.
    source_wanted = Signal(object)
    cancel_wanted = Signal()
    settings_wanted = Signal()
    play_wanted = Signal()

    def __init__(self, params: ChainParams, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("setup_wizard")
        self._params = params
        self._is_restore = False
        self._is_busy = False
        self._offers_source = False
        self._wanted: NewWallet | None = None
        self.welcome = self._make_welcome()
        self.form = self._make_form()
        self.addWidget(self.welcome)
        self.source_page = self._make_source_page()
        self.addWidget(self.form)
        self.addWidget(self.source_page)
        for place, notice in (
            ("welcome", self.welcome_notice),
            ("new", self.form_notice),
            ("source_page", self.source_notice),
        ):
            notice.button.setText("Cancel")
            notice.button.setObjectName(f"{place}_cancel")
            notice.button.setAccessibleName("Cancel")
            notice.button.clicked.connect(self.cancel_wanted.emit)

    # --- welcome

    def _make_welcome(self) -> QWidget:
        page, layout = _centred_page("welcome_page")
        layout.addWidget(heading("Wallet GUI", 220))
        self.greeting = text_label(role="muted")
        layout.addWidget(self.greeting)
        self.welcome_notice = Notice(page)
        layout.addWidget(self.welcome_notice)
        self._wallets = QVBoxLayout()
        self._wallets.setSpacing(10)
        layout.addLayout(self._wallets)
        for name, title, mnemonic, text, slot in (
            (
                "welcome_create",
                "Create a wallet",
                "C",
                "New words, made on this computer and written on paper by you.",
                self._start_create,
            ),
            (
                "welcome_restore",
                "Restore a wallet",
                "R",
                "From the words that you wrote down.",
                self._start_restore,
            ),
        ):
            button = ChoiceButton(title, text, mnemonic=mnemonic)
            button.setObjectName(name)
            button.clicked.connect(slot)
            layout.addWidget(button)
        row = QHBoxLayout()
        for name, text, act in (
            ("settings", "&Settings", self.settings_wanted.emit),
            ("open_file", "Open a wallet &file", self._choose_file),
            ("play", "Try with &play money", self.play_wanted.emit),
        ):
            plain_button = QPushButton(text)
            plain_button.setObjectName(f"welcome_{name}")
            plain_button.setAccessibleName(text.replace("&", ""))
            plain_button.setProperty("role", "plain")
            plain_button.clicked.connect(act)
            plain_button.setVisible(name != "play" or not self._params.is_test)
            row.addWidget(plain_button)
            if name == "settings":
                self.settings_button = plain_button
        row.addStretch(1)
        layout.addLayout(row)
        layout.addStretch(1)
        return page

    def show_wallets(self, entries: Sequence[WalletEntry]) -> None:
        """List the wallets of this network, each to be unlocked by a press."""
        while (item := self._wallets.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.deleteLater()
        for number, entry in enumerate(entries, 1):
            name = plain(entry.name)
            path = entry.path
            button = ChoiceButton(f"Open {name}", "Its password is asked in the vault window.")
            button.setObjectName(f"welcome_open_{number}")
            button.setAccessibleName(f"Open wallet {name}")
            button.clicked.connect(lambda _=False, path=path: self.open_wanted.emit(path))
            self._wallets.addWidget(button)
        network = "play money" if self._params.is_test else "Bitcoin"
        self.greeting.setText(
            f"Your {network} wallets on this computer."
            if entries
            else "A wallet that needs nobody's server: it reads the chain itself, and your keys "
            "stay in a process that knows no network."
        )
        self.show_welcome()
        first = self.welcome.findChild(ChoiceButton)
        if first is not None and self.isVisible():
            first.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self.currentWidget() is not self.welcome:
            if not self._is_busy:
                self._go_back()
            return
        super().keyPressEvent(event)

    def show_welcome(self) -> None:
        """Go back to the first page."""
        self.set_busy("")
        self.setCurrentWidget(self.welcome)

    def _choose_file(self) -> None:
        path, _ = QFileDialog.getOpenFileName(
            self, "Open a wallet file", "", "Wallet files (*.wallet)"
        )
        if path:
            self.open_wanted.emit(path)

    # --- the form

    def _make_form(self) -> QWidget:
        page, layout = _centred_page("new_wallet_page")
        self.form_title = heading("", 180)
        layout.addWidget(self.form_title)
        self.form_text = text_label(role="muted")
        layout.addWidget(self.form_text)
        self.form_notice = Notice(page)
        layout.addWidget(self.form_notice)
        frame = card()
        form = QVBoxLayout(frame)
        form.setContentsMargins(22, 18, 22, 20)
        form.setSpacing(8)
        self.name_edit = QLineEdit()
        self.name_edit.setObjectName("new_name")
        self.name_edit.setAccessibleName("Name of the wallet")
        self.name_edit.setMaxLength(60)
        self.type_box = QComboBox()
        self.type_box.setObjectName("new_script_type")
        self.type_box.setAccessibleName("Kind of addresses")
        for key, text in SCRIPT_TYPES:
            self.type_box.addItem(text, key)
        self.words_box = QComboBox()
        self.words_box.setObjectName("new_word_count")
        self.words_box.setAccessibleName("Number of words")
        for count in WORD_COUNTS:
            self.words_box.addItem(f"{count} words", count)
        self._words_caption = caption("Number of &words", self.words_box)
        for label, field in (
            (caption("&Name of the wallet", self.name_edit), self.name_edit),
            (caption("&Kind of addresses", self.type_box), self.type_box),
            (self._words_caption, self.words_box),
        ):
            form.addWidget(label)
            form.addWidget(field)
        layout.addWidget(frame)
        row = QHBoxLayout()
        self.back_button = QPushButton("&Back")
        self.back_button.setObjectName("new_back")
        self.back_button.setAccessibleName("Back")
        self.back_button.clicked.connect(self.show_welcome)
        self.next_button = QPushButton("&Continue in the vault")
        self.next_button.setObjectName("new_continue")
        self.next_button.setAccessibleName("Continue in the vault")
        self.next_button.setProperty("role", "primary")
        self.next_button.clicked.connect(self._submit)
        self.name_edit.returnPressed.connect(self._submit)
        row.addWidget(self.back_button)
        row.addStretch(1)
        row.addWidget(self.next_button)
        layout.addLayout(row)
        layout.addStretch(1)
        return page

    def _start_create(self) -> None:
        self._show_form(
            "Create a wallet",
            "The words and the password are shown and typed in a window of their own, the vault: "
            "a process that holds keys and knows no network.",
            is_restore=False,
        )

    def _start_restore(self) -> None:
        self._show_form(
            "Restore a wallet",
            "You type your words and a new password in a window of their own, the vault: a process "
            "that holds keys and knows no network.",
            is_restore=True,
        )

    def _show_form(self, title: str, text: str, *, is_restore: bool) -> None:
        self._is_restore = is_restore
        self.form_title.setText(title)
        self.form_text.setText(text)
        self.form_notice.clear()
        self.name_edit.setText("Savings" if not self._params.is_test else "Play money")
        self.words_box.setVisible(not is_restore)
        self._words_caption.setVisible(not is_restore)
        self.setCurrentWidget(self.form)
        self.name_edit.setFocus()
        self.name_edit.selectAll()

    def _submit(self) -> None:
        if self._is_busy:
            return
        name = plain(self.name_edit.text(), 60)
        problem = "Give the wallet a name."
        if name:
            try:
                check_wallet_name(name)
            except ValueError as error:
                problem = str(error)
            else:
                problem = ""
        if problem:
            self.form_notice.say(problem, ERROR)
            self.name_edit.setFocus()
            return
        wanted = NewWallet(
            name=name,
            script_type=self.type_box.currentData(Qt.ItemDataRole.UserRole),
            word_count=self.words_box.currentData(Qt.ItemDataRole.UserRole),
        )
        if self._offers_source:
            self._wanted = wanted
            self.setCurrentWidget(self.source_page)
            return
        self._ask_for(wanted)

    def _ask_for(self, wanted: NewWallet) -> None:
        (self.restore_wanted if self._is_restore else self.create_wanted).emit(wanted)

    # --- where the chain comes from

    def _make_source_page(self) -> QWidget:
        page, layout = _centred_page("source_page")
        layout.addWidget(heading("How shall it see the blockchain?", 180))
        layout.addWidget(
            text_label(
                "Both ways are checked by this program itself, and both can be changed at any time "
                "in Settings, without reading anything again.",
                role="muted",
            )
        )
        self.source_notice = Notice(page)
        layout.addWidget(self.source_notice)
        self.source = SourceCard("first_source", page, is_part=True)
        layout.addWidget(self.source)
        row = QHBoxLayout()
        back = QPushButton("&Back")
        back.setObjectName("source_page_back")
        back.setAccessibleName("Back")
        back.clicked.connect(self._go_back)
        self.source_next = QPushButton("&Continue in the vault")
        self.source_next.setObjectName("source_page_continue")
        self.source_next.setAccessibleName("Continue in the vault")
        self.source_next.setProperty("role", "primary")
        self.source_next.clicked.connect(self._submit_source)
        row.addWidget(back)
        row.addStretch(1)
        row.addWidget(self.source_next)
        layout.addLayout(row)
        layout.addStretch(1)
        return page

    def offer_source(self, *, offered: bool) -> None:
        """Say whether a new wallet also asks where the chain comes from: once, with the first."""
        self._offers_source = offered

    def _submit_source(self) -> None:
        choice = self.source.choice()
        if self._is_busy or choice is None or self._wanted is None:
            return
        self._offers_source = False
        self.source_wanted.emit(choice)
        self._ask_for(self._wanted)

    def _go_back(self) -> None:
        if self.currentWidget() is self.source_page:
            self.setCurrentWidget(self.form)
            self.name_edit.setFocus()
        else:
            self.show_welcome()

    # --- what is going on

    @property
    def _notices(self) -> tuple[Notice, ...]:
        return self.welcome_notice, self.form_notice, self.source_notice

    def set_busy(self, sentence: str, *, can_cancel: bool = False) -> None:
        """Hold the buttons back while something is under way; "" lets go."""
        self._is_busy = bool(sentence)
        notices = tuple(notice.button for notice in self._notices)
        for page in (self.welcome, self.form, self.source_page):
            for button in page.findChildren(QPushButton):
                button.setEnabled(not sentence or button in notices)
        self.say(sentence)
        for button in notices:
            button.setVisible(can_cancel)

    def say(self, sentence: str, kind: str = INFORMATION) -> None:
        """Show one sentence on the page that is on screen; "" takes it away."""
        for notice in self._notices:
            notice.button.hide()
            if sentence:
                notice.say(sentence, kind)
            else:
                notice.clear()


def _centred_page(name: str) -> tuple[QWidget, QVBoxLayout]:
    """A page with a column of reading width in its middle, scrolling when it is too small."""
    page = QScrollArea()
    page.setObjectName(name)
    page.setWidgetResizable(True)
    page.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    inner = QWidget()
    row = QHBoxLayout(inner)
    row.addStretch(1)
    column = QWidget()
    column.setMaximumWidth(_PAGE_WIDTH)
    layout = QVBoxLayout(column)
    layout.setContentsMargins(12, 56, 12, 24)
    layout.setSpacing(16)
    row.addWidget(column, 4)
    row.addStretch(1)
    page.setWidget(inner)
    return page, layout
