"""The form of a new or restored wallet: what is decided before the vault asks for secrets."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from wallet_gui.app.birthdays import BadDay
from wallet_gui.app.published import NewWallet
from wallet_gui.gui.birthday_edit import NOT_USED_BEFORE, BirthdayEdit
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.widgets.labels import caption, card, text_label
from wallet_gui.widgets.notice import ERROR
from wallet_gui.widgets.text import plain

SCRIPT_TYPES = (
    ("wpkh", "Native SegWit: works everywhere"),
    ("tr", "Taproot: the newest, understood by most"),
    ("sh_wpkh", "Wrapped SegWit: for very old senders"),
    ("pkh", "Legacy: only to restore old wallets"),
)
WORD_COUNTS = (12, 15, 18, 21, 24)
_CREATE = (
    "The words and the password are shown and typed in a window of their own, the vault: a process "
    "that holds keys and knows no network."
)
_RESTORE = (
    "You type your words and a new password in a window of their own, the vault: a process that "
    "holds keys and knows no network."
)


class NewWalletPage(WizardStep):
    """`wanted` gives the NewWallet."""

    wanted = Signal(object)

    def __init__(self, params: ChainParams) -> None:
        super().__init__("new")
        self.setObjectName("new_wallet_page")
        self._params = params
        self._is_restore = False
        frame = card()
        form = QVBoxLayout(frame)
        form.setContentsMargins(22, 18, 22, 20)
        form.setSpacing(8)
        self.name_edit = QLineEdit()
        self.name_edit.setObjectName("new_name")
        self.name_edit.setAccessibleName("Name of the wallet")
        self.name_edit.setMaxLength(60)
        self.source_box = _box("new_source", "What it is restored from")
        self.source_box.addItem("Words: 12 to 24 of them", False)
        self.source_box.addItem("Extended private key (xprv)", True)
        self.source_box.currentIndexChanged.connect(self._follow)
        self.type_box = _box("new_script_type", "Kind of addresses")
        for key, text in SCRIPT_TYPES:
            self.type_box.addItem(text, key)
        self.words_box = _box("new_word_count", "Number of words")
        for count in WORD_COUNTS:
            self.words_box.addItem(f"{count} words", count)
        self.birthday = BirthdayEdit("new_birthday")
        self._birthday_caption = caption(NOT_USED_BEFORE, self.birthday)
        self._source_caption = caption("&From", self.source_box)
        self._words_caption = caption("Number of &words", self.words_box)
        for label, field in (
            (caption("&Name of the wallet", self.name_edit), self.name_edit),
            (self._source_caption, self.source_box),
            (caption("&Kind of addresses", self.type_box), self.type_box),
            (self._words_caption, self.words_box),
            (self._birthday_caption, self.birthday),
        ):
            form.addWidget(label)
            form.addWidget(field)
        self.dice, self._dice_hint = _choice(
            form,
            "new_dice",
            "Mix in &dice rolls",
            "Chance from your own dice is added to that of the computer, never put in its place.",
        )
        self.passphrase, self._passphrase_hint = _choice(
            form,
            "new_passphrase",
            "&Passphrase (25th word)",
            "A word of your own beside the others. It is stored nowhere: whoever forgets it has "
            "lost the money.",
        )
        self.column.addWidget(frame)
        self.add_bottom("&Continue in the vault")
        self.next_wanted.connect(self._submit)
        self.name_edit.returnPressed.connect(self._submit)

    def begin(self, *, is_restore: bool) -> None:
        """Show the form anew, for a new wallet or one that exists."""
        self._is_restore = is_restore
        self.title.setText("Restore a wallet" if is_restore else "Create a wallet")
        self.text.setText(_RESTORE if is_restore else _CREATE)
        self.notice.clear()
        self.name_edit.setText("Savings" if not self._params.is_test else "Play money")
        self.name_edit.selectAll()
        self.source_box.setCurrentIndex(0)
        self.birthday.clear()
        for box in (self.dice, self.passphrase):
            box.setChecked(False)
        self._follow()

    def _follow(self) -> None:
        """Show what there is to decide."""
        is_restore = self._is_restore
        shown: tuple[tuple[bool, tuple[QWidget, ...]], ...] = (
            (is_restore, (self._source_caption, self.source_box)),
            (is_restore, (self._birthday_caption, self.birthday)),
            (not is_restore, (self._words_caption, self.words_box)),
            (not is_restore, (self.dice, self._dice_hint)),
            (not self._from_key, (self.passphrase, self._passphrase_hint)),
        )
        for is_shown, widgets in shown:
            for widget in widgets:
                widget.setVisible(is_shown)

    @property
    def _from_key(self) -> bool:
        return self._is_restore and self.source_box.currentIndex() == 1

    def first_field(self) -> QWidget | None:
        return self.name_edit

    def _submit(self) -> None:
        name = plain(self.name_edit.text(), 60)
        try:
            check_wallet_name(name)
        except ValueError as error:
            self.notice.say(str(error), ERROR)
            self.name_edit.setFocus()
            return
        try:
            birthday = self.birthday.birthday() if self._is_restore else None
        except BadDay as error:
            self.notice.say(str(error), ERROR)
            self.birthday.setFocus()
            return
        self.wanted.emit(
            NewWallet(
                name=name,
                script_type=self.type_box.currentData(Qt.ItemDataRole.UserRole),
                word_count=self.words_box.currentData(Qt.ItemDataRole.UserRole),
                use_passphrase=self.passphrase.isChecked() and not self._from_key,
                use_dice=self.dice.isChecked() and not self._is_restore,
                from_xprv=self._from_key,
                birthday_time=birthday,
            )
        )


def _box(name: str, spoken: str) -> QComboBox:
    box = QComboBox()
    box.setObjectName(name)
    box.setAccessibleName(spoken)
    return box


def _choice(form: QVBoxLayout, name: str, words: str, hint: str) -> tuple[QCheckBox, QLabel]:
    box = QCheckBox(words)
    box.setObjectName(name)
    box.setAccessibleName(words.replace("&", ""))
    box.setAccessibleDescription(hint)
    note = text_label(hint, role="muted")
    note.setContentsMargins(29, 0, 0, 4)
    form.addWidget(box)
    form.addWidget(note)
    return box, note
