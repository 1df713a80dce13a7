"""The pages on which passwords and passphrases are typed: new ones twice, existing ones once."""

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QCheckBox, QFormLayout, QLineEdit, QProgressBar

from wallet_gui.vault.creation import check_new_password
from wallet_gui.vault.errors import BadRequest
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.secret_edit import PasswordEdit
from wallet_gui.vault.strength import STRONG_BITS, WEAK_BITS, estimate
from wallet_gui.widgets.fonts import use_font
from wallet_gui.widgets.labels import card, set_role, text_label

TRIES_WITHOUT_DELAY = 5
_DELAY_SECONDS = 5
_LONGEST_DELAY = 60


def _form(page: VaultPage) -> QFormLayout:
    frame = card()
    form = QFormLayout(frame)
    form.setContentsMargins(22, 20, 22, 20)
    form.setVerticalSpacing(12)
    form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)
    form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
    page.body.addWidget(frame)
    return form


class NewPasswordPage(VaultPage):
    """A new password, twice, with an estimate of its strength; `password` once it is accepted."""

    def __init__(self, cost: PasswordCost, *, secondary: str, title: str = "") -> None:
        super().__init__(
            "new_password",
            title or "Choose a password for the wallet file",
            "It protects this computer's copy of the keys: you type it to open the wallet and to "
            "sign a payment. It cannot be reset. If it is lost, the words on paper bring the "
            "wallet back.",
            primary="&Continue",
            secondary=secondary,
        )
        self._cost = cost
        form = _form(self)
        self.password_edit = PasswordEdit("new_password", "Password")
        self.again_edit = PasswordEdit("new_password_again", "Password once more")
        form.addRow("&Password", self.password_edit)
        self.meter = QProgressBar()
        self.meter.setObjectName("new_password_meter")
        self.meter.setRange(0, STRONG_BITS + 20)
        self.meter.setTextVisible(False)
        form.addRow(self.meter)
        self.strength_label = text_label(role="muted")
        self.strength_label.setObjectName("new_password_strength")
        form.addRow(self.strength_label)
        form.addRow("The same password &once more", self.again_edit)
        self.first_field = self.password_edit
        self.password_edit.textChanged.connect(self._show_strength)
        self._show_strength("")

    def accepted_password(self) -> str | None:
        """Return the password, or None after saying what is wrong with it."""
        password = self.password_edit.text()
        try:
            check_new_password(password)
        except BadRequest as error:
            self.refuse(str(error), self.password_edit)
            return None
        if not self.again_edit.text():
            self.again_edit.setFocus()
            return None
        if password != self.again_edit.text():
            self.again_edit.clear()
            self.refuse("The two passwords differ. Type the second one again.", self.again_edit)
            return None
        self.notice.clear()
        return password

    def _show_strength(self, password: str) -> None:
        strength = estimate(password, self._cost)
        self.meter.setValue(min(round(strength.bits), self.meter.maximum()))
        if not password:
            text, role, spoken = (
                "Four or more random words make a password that is easy to keep in mind.",
                "muted",
                "no password yet",
            )
        else:
            role = "warning" if strength.is_weak else "positive"
            text = f"{strength.verdict}. {strength.explanation}"
            if strength.is_weak:
                text += f" Below {WEAK_BITS} bits is within reach of somebody who wants it."
            spoken = strength.verdict
        set_role(self.strength_label, role)
        self.strength_label.setText(text)
        self.meter.setAccessibleName(f"Strength of the password: {spoken}")


class WrongTries(QObject):
    """Counts the wrong passwords of a page; after five of them it waits between tries."""

    def __init__(self, page: VaultPage, field: QLineEdit) -> None:
        super().__init__(page)
        self._page = page
        self._field = field
        self._wrong = 0
        self._seconds = 0
        self._sentence = ""
        self._clock = QTimer(self)
        self._clock.setInterval(1000)
        self._clock.timeout.connect(self._tick)

    def refuse(self, sentence: str) -> None:
        """Say that the password was wrong."""
        self._wrong += 1
        self._page.refuse(sentence, self._field)
        if self._wrong < TRIES_WITHOUT_DELAY:
            return
        beyond = self._wrong - TRIES_WITHOUT_DELAY
        self._seconds = min(_DELAY_SECONDS << min(beyond, 8), _LONGEST_DELAY)
        self._sentence = sentence
        self._page.primary.setEnabled(False)
        self._clock.start()
        self._say_wait()

    def _tick(self) -> None:
        self._seconds -= 1
        if self._seconds > 0:
            self._say_wait()
            return
        self._clock.stop()
        self._page.primary.setEnabled(True)
        self._page.refuse(self._sentence, self._field)

    def _say_wait(self) -> None:
        plural = "s" if self._seconds != 1 else ""
        self._page.refuse(f"{self._sentence} Next try in {self._seconds} second{plural}.")


class UnlockPage(VaultPage):
    """Asks for the password of an existing file. After five wrong ones it waits between tries."""

    def __init__(self, title: str, text: str, *, primary: str, name: str = "unlock") -> None:
        super().__init__(name, title, text, primary=primary)
        form = _form(self)
        self.password_edit = PasswordEdit(f"{name}_password", "Password")
        form.addRow("&Password", self.password_edit)
        self.forgotten = text_label(
            "Forgot the password? Nobody can reset it. Close this window and choose “Restore a "
            "wallet” to come back with the words that you wrote down.",
            role="muted",
        )
        self.forgotten.setObjectName(f"{name}_forgotten")
        self.body.addWidget(self.forgotten)
        self.first_field = self.password_edit
        self._patience = WrongTries(self, self.password_edit)

    def typed_password(self) -> str | None:
        """Take the password out of the field; None, with a sentence, when it is empty."""
        if not self.password_edit.text():
            self.refuse("Type the password of this wallet.", self.password_edit)
            return None
        self.notice.clear()
        return self.password_edit.take()

    def refuse_password(self, sentence: str) -> None:
        """Say that it was wrong, and slow down after several tries."""
        self._patience.refuse(sentence)


class ChangePasswordPage(NewPasswordPage):
    """The old password once and the new one twice."""

    def __init__(self, cost: PasswordCost, wallet_name: str) -> None:
        super().__init__(cost, secondary="Cancel", title=f"Change the password of {wallet_name}")
        self.old_edit = PasswordEdit("old_password", "Old password")
        frame_form = self._form_layout()
        frame_form.insertRow(0, "&Old password", self.old_edit)
        self.first_field = self.old_edit
        self.setTabOrder(self.old_edit, self.password_edit)
        self._patience = WrongTries(self, self.old_edit)

    def refuse_old_password(self, sentence: str) -> None:
        """Say that the old one was wrong, and slow down after several tries."""
        self._patience.refuse(sentence)

    def _form_layout(self) -> QFormLayout:
        frame = self.password_edit.parentWidget()
        layout = frame.layout() if frame is not None else None
        if not isinstance(layout, QFormLayout):
            raise TypeError("the fields stand in a form")
        return layout


class PassphrasePage(VaultPage):
    """The passphrase (25th word): a new one twice, an existing one once."""

    def __init__(self, *, is_new: bool, secondary: str, is_restored: bool = False) -> None:
        text = (
            "A passphrase is an additional secret that belongs to the words. Each passphrase leads "
            "to another wallet, so there is no wrong one: write it down exactly, capitals and "
            "blanks included, and keep it apart from the words. It is not the password of the "
            "file, and it is stored nowhere."
            if is_new
            else "This wallet has a passphrase, which is stored nowhere. Capitals and blanks count."
        )
        title = "Choose the passphrase" if is_new and not is_restored else "Type the passphrase"
        if is_restored:
            text = (
                "Type the passphrase that belongs to the words, with the same capitals and blanks. "
                "Each passphrase leads to another wallet, so there is no wrong one: the next page "
                "shows the fingerprint of yours."
            )
        super().__init__("passphrase", title, text, primary="&Continue", secondary=secondary)
        form = _form(self)
        self.passphrase_edit = PasswordEdit("passphrase", "Passphrase")
        form.addRow("&Passphrase", self.passphrase_edit)
        self.again_edit: PasswordEdit | None = None
        if is_new:
            self.again_edit = PasswordEdit("passphrase_again", "Passphrase once more")
            form.addRow("The same passphrase &once more", self.again_edit)
        self.show_box = QCheckBox("&Show what is typed")
        self.show_box.setObjectName("passphrase_show")
        self.show_box.setAccessibleName("Show what is typed")
        self.show_box.toggled.connect(self._show_typed)
        form.addRow(self.show_box)
        self.blanks_note = text_label(
            "It begins or ends with a blank, which is easily lost when it is written down.",
            role="warning",
        )
        self.blanks_note.setObjectName("passphrase_blanks")
        self.blanks_note.hide()
        form.addRow(self.blanks_note)
        self.passphrase_edit.textChanged.connect(
            lambda text: self.blanks_note.setVisible(text != text.strip())
        )
        self.first_field = self.passphrase_edit

    def _show_typed(self, is_shown: bool) -> None:  # noqa: FBT001 - Qt's signal
        mode = QLineEdit.EchoMode.Normal if is_shown else QLineEdit.EchoMode.Password
        for edit in (self.passphrase_edit, self.again_edit):
            if edit is not None:
                edit.setEchoMode(mode)

    def forget(self) -> None:
        self.show_box.setChecked(False)
        super().forget()

    def accepted_passphrase(self) -> str | None:
        """Return the passphrase, or None after saying what is wrong with it."""
        passphrase = self.passphrase_edit.text()
        if not passphrase:
            self.refuse("Type the passphrase.", self.passphrase_edit)
            return None
        if self.again_edit is not None and not self.again_edit.text():
            self.again_edit.setFocus()
            return None
        if self.again_edit is not None and self.again_edit.text() != passphrase:
            self.again_edit.clear()
            self.refuse("The two differ. Type the second one again.", self.again_edit)
            return None
        self.notice.clear()
        return passphrase


class FingerprintPage(VaultPage):
    """The fingerprint of the wallet that words and passphrase lead to."""

    def __init__(self, fingerprint: str, *, is_new: bool) -> None:
        text = (
            "Write it down with the words. When you restore the wallet and see it again, words and "
            "passphrase are right; another one means that something was typed differently."
            if is_new
            else "Compare it with what you wrote down. Another one means that the words or the "
            "passphrase are not those of your wallet: go back and type it again."
        )
        super().__init__(
            "fingerprint",
            "The wallet's fingerprint",
            text,
            primary="&Continue",
            secondary="&Back",
        )
        self.fingerprint_label = text_label(" ".join((fingerprint[:4], fingerprint[4:])))
        self.fingerprint_label.setObjectName("fingerprint_value")
        self.fingerprint_label.setAccessibleName(f"Fingerprint {' '.join(fingerprint)}")
        use_font(self.fingerprint_label, percent=190, bold=True, monospace=True)
        self.body.addWidget(self.fingerprint_label)
        self.body.addWidget(
            text_label(
                "It is no secret. The program keeps it in the wallet file, to tell a mistyped "
                "passphrase before it shows or signs anything.",
                role="muted",
            )
        )
