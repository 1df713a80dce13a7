"""Watch a wallet: take its public side over, see what was recognised, give it a name."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QFrame, QLineEdit, QVBoxLayout, QWidget

from wallet_gui.app import imports
from wallet_gui.app.birthdays import BadDay, day_of
from wallet_gui.app.imports import Given, ImportLook
from wallet_gui.descriptors.account_import import ScriptTypeNeeded, SecretsInside
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.gui.birthday_edit import NOT_USED_BEFORE, BirthdayEdit
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.found_card import FoundCard
from wallet_gui.gui.import_inputs import ImportInputs
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.widgets.labels import caption, card
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

ADDRESS_KINDS: Final = (
    (DescriptorType.WPKH, "Native SegWit: addresses begin with bc1q"),
    (DescriptorType.TR, "Taproot: addresses begin with bc1p"),
    (DescriptorType.SH_WPKH, "Wrapped SegWit: addresses begin with 3"),
    (DescriptorType.PKH, "Legacy: addresses begin with 1"),
)
_HINT: Final = (
    "An extended public key, a descriptor, or the export of Sparrow, Specter, Electrum, Bitcoin "
    "Core, Coldcard or another device. Nothing secret belongs here: no words, no private key."
)


class ImportPanel(QWidget):
    """`accepted` gives the WalletImport as soon as one is recognised; `look` is what is shown."""

    accepted = Signal(object)
    changed = Signal()

    def __init__(
        self,
        engine: Engine,
        params: ChainParams,
        *,
        prefix: str = "import",
        what: str = "the wallet's export",
        hint: str = _HINT,
    ) -> None:
        super().__init__()
        self._engine = engine
        self._params = params
        self._given: Given | None = None
        self._reading: Call | None = None
        self.look: ImportLook | None = None
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        frame = card()
        inside = QVBoxLayout(frame)
        inside.setContentsMargins(22, 18, 22, 18)
        inside.setSpacing(10)
        self.inputs = ImportInputs(prefix, what, hint)
        self.inputs.given.connect(self.take)
        self.inputs.refused.connect(self.refuse)
        inside.addWidget(self.inputs)
        self.notice = Notice()
        inside.addWidget(self.notice)
        self.kind_box = QComboBox()
        self.kind_box.setObjectName(f"{prefix}_kind")
        self.kind_box.setAccessibleName("Kind of addresses of this key")
        self.kind_box.addItem("Choose\u2026", None)
        for kind, words in ADDRESS_KINDS:
            self.kind_box.addItem(_for_network(words, params), kind)
        self.kind_box.currentIndexChanged.connect(self._choose_kind)
        self.kind_caption = caption("&Kind of addresses", self.kind_box)
        inside.addWidget(self.kind_caption)
        inside.addWidget(self.kind_box)
        layout.addWidget(frame)
        self.card = FoundCard(f"{prefix}_found")
        layout.addWidget(self.card)
        self._ask_kind(wanted=False)

    def _ask_kind(self, *, wanted: bool) -> None:
        self.kind_caption.setVisible(wanted)
        self.kind_box.setVisible(wanted)
        if not wanted:
            self.kind_box.blockSignals(True)
            self.kind_box.setCurrentIndex(0)
            self.kind_box.blockSignals(False)

    def take(self, given: Given) -> None:
        """Read something new, in a thread of its own."""
        self._given = given
        self._ask_kind(wanted=False)
        self._read(None)

    def _choose_kind(self) -> None:
        kind = self.kind_box.currentData()
        if self._given is not None and kind is not None:
            self._read(kind)

    def _read(self, kind: DescriptorType | None) -> None:
        given = self._given
        if given is None:
            return
        self._show(None)
        self.notice.say("Reading\u2026", INFORMATION)
        call: list[Call] = []

        def done(look: ImportLook) -> None:
            if call[0] is self._reading:
                self.notice.clear()
                self._show(look)
                self.accepted.emit(look.found)

        def failed(error: BaseException) -> None:
            if call[0] is self._reading:
                self._failed(error)

        work = asyncio.to_thread(imports.read, given, self._params, kind)
        call.append(self._engine.call(work, self, done, failed))
        self._reading = call[0]

    def _failed(self, error: BaseException) -> None:
        if isinstance(error, ScriptTypeNeeded):
            self.notice.say(
                "This key does not say what kind of addresses it is for. Choose the kind that your "
                "other program shows, and compare the first address.",
                INFORMATION,
            )
            self._ask_kind(wanted=True)
            return
        if isinstance(error, SecretsInside):
            # It has no business in this process: nothing of it is kept.
            self._given = None
            self.inputs.forget()
        self.refuse(sentence(error))

    def refuse(self, words: str) -> None:
        """Say why nothing was taken."""
        self._show(None)
        self.notice.say(words, ERROR)

    def _show(self, look: ImportLook | None) -> None:
        self.look = look
        if look is None:
            self.card.clear()
        else:
            self.card.show_look(look)
        self.changed.emit()

    def clear(self) -> None:
        """Begin anew."""
        self._given = self._reading = None
        self.inputs.forget()
        self.notice.clear()
        self._ask_kind(wanted=False)
        self._show(None)


def _for_network(words: str, params: ChainParams) -> str:
    """The beginning of addresses is another one with play money."""
    return words.partition(":")[0] if params.is_test else words


class NameFields(QFrame):
    """Name and birthday of a wallet that is about to be made; Return in one goes on."""

    submitted = Signal()

    def __init__(self, prefix: str, name: str = "") -> None:
        super().__init__()
        self.setProperty("role", "card")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        self.name = QLineEdit(name)
        self.name.setObjectName(f"{prefix}_name")
        self.name.setAccessibleName("Name of the wallet")
        self.name.setMaxLength(60)
        self.birthday = BirthdayEdit(f"{prefix}_birthday")
        self._birthday_caption = caption(NOT_USED_BEFORE, self.birthday)
        layout.addWidget(caption("N&ame of the wallet", self.name))
        layout.addWidget(self.name)
        layout.addWidget(self._birthday_caption)
        layout.addWidget(self.birthday)
        for field in (self.name, self.birthday):
            field.returnPressed.connect(self.submitted.emit)

    def hide_birthday(self) -> None:
        """Do not ask for it: a new wallet begins now."""
        self._birthday_caption.hide()
        self.birthday.hide()

    def show_found(self, look: ImportLook, otherwise: str) -> None:
        """Propose what the export says."""
        if not self.name.isModified():
            show_text(self.name, _as_file_name(look.found.name) or otherwise)
        if not self.birthday.isModified():
            self.birthday.setText(day_of(look.found.birthday_time))

    def accepted(self, notice: Notice) -> tuple[str, int | None] | None:
        """Return name and birthday, or say what is wrong and return None."""
        name = plain(self.name.text(), 60)
        try:
            check_wallet_name(name)
        except ValueError as error:
            _refuse(notice, str(error), self.name)
            return None
        try:
            return name, self.birthday.birthday()
        except BadDay as error:
            _refuse(notice, str(error), self.birthday)
            return None


def _as_file_name(name: str) -> str:
    """Propose a name from outside without what no file may be called."""
    return plain(re.sub(r'[/\\:*?"<>|]', " ", name), 60).strip(" .")


def _refuse(notice: Notice, words: str, field: QLineEdit) -> None:
    notice.say(words, ERROR)
    field.setFocus()
    field.selectAll()


class ImportPage(WizardStep):
    """`wanted` gives name, WalletImport and birthday once the person goes on."""

    wanted = Signal(str, object, object)

    def __init__(
        self, engine: Engine, params: ChainParams, on_multisig: Callable[[ImportLook], Any]
    ) -> None:
        """`on_multisig` takes over when a shared wallet is recognised and the person goes on."""
        super().__init__(
            "watch",
            "Watch a wallet",
            "It shows what is paid and prepares payments. They are signed where the keys are.",
        )
        self._on_multisig = on_multisig
        self.panel = ImportPanel(engine, params)
        self.panel.changed.connect(self._follow)
        self.column.addWidget(self.panel)
        self.active_box = QComboBox()
        self.active_box.setObjectName("watch_active")
        self.active_box.setAccessibleName("Kind of new addresses")
        self.active_caption = caption("&Kind of new addresses", self.active_box)
        self.column.addWidget(self.active_caption)
        self.column.addWidget(self.active_box)
        self.panel.inputs.take_drops_of(self.viewport())
        self.fields = NameFields("watch", "")
        self.column.addWidget(self.fields)
        self.add_bottom("&Go on")
        self.fields.submitted.connect(self.next_wanted.emit)
        self.next_wanted.connect(self._go_on)
        self._follow()

    def first_field(self) -> QWidget | None:
        return self.panel.inputs.field

    def _follow(self) -> None:
        look = self.panel.look
        # A shared wallet gets its name on the page on which it is compared.
        self.fields.setVisible(look is not None and not look.is_multisig)
        several = look is not None and len(look.accounts) > 1
        self.active_box.setVisible(several)
        self.active_caption.setVisible(several)
        self.active_box.clear()
        if look is not None:
            for account in look.accounts:
                self.active_box.addItem(account.words)
            self.active_box.setCurrentIndex(look.found.active)
            self.notice.clear()
            self.fields.show_found(look, "Watched")
            self.reveal(self.panel.card)

    def _go_on(self) -> None:
        look = self.panel.look
        if look is None:
            self.notice.say("First give the wallet's export: as text, file or QR codes.", WARNING)
            self.panel.inputs.field.setFocus()
            return
        if look.is_multisig:
            self._on_multisig(look)
            return
        accepted = self.fields.accepted(self.notice)
        if accepted is None:
            return
        name, birthday = accepted
        found = replace(look.found, active=max(0, self.active_box.currentIndex()))
        self.wanted.emit(name, found, birthday)
