"""A new shared wallet: how many keys sign, and whose keys they are."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QFrame,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from wallet_gui.app import imports
from wallet_gui.app.imports import Given
from wallet_gui.app.published import WalletEntry
from wallet_gui.descriptors.account_import import SecretsInside
from wallet_gui.descriptors.descriptor import MultisigType
from wallet_gui.descriptors.key_expression import KeyExpression
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.import_inputs import ImportInputs
from wallet_gui.gui.multisig_start import NumberBox, account_box, kind_box
from wallet_gui.gui.wallet_choice import WalletChoice
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import caption, card, heading, text_label
from wallet_gui.widgets.line_edits import show_text
from wallet_gui.widgets.notice import ERROR, INFORMATION, WARNING, Notice
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import breakable, plain, shortened


@dataclass(frozen=True, slots=True)
class Cosigner:
    """One key with its label; `source` is the wallet file that holds its words, "" for others'."""

    key: KeyExpression
    label: str
    source: str = ""


class CosignerRow(QFrame):
    """A cosigner's label, what tells the key, and the way out of the list."""

    removed = Signal(object)

    def __init__(self, number: int, cosigner: Cosigner) -> None:
        super().__init__()
        self.setProperty("role", "inset")
        self.cosigner = cosigner
        look = imports.key_look(cosigner.key)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 14, 10)
        layout.setSpacing(6)
        whose = "my key" if cosigner.source else "another cosigner's key"
        layout.addWidget(text_label(f"Cosigner {number}: {whose}"))
        self.label_edit = QLineEdit()
        self.label_edit.setObjectName(f"cosigner_{number}_label")
        self.label_edit.setAccessibleName(f"Label of cosigner {number}")
        self.label_edit.setPlaceholderText("Whose key it is, or on which device")
        self.label_edit.setMaxLength(60)
        show_text(self.label_edit, cosigner.label)
        layout.addWidget(self.label_edit)
        layout.addWidget(
            text_label(
                breakable(f"{look.fingerprint}, path {look.path}, {shortened(look.key, 8)}"),
                role="muted",
            )
        )
        self.remove_button = QPushButton("Remove")
        self.remove_button.setObjectName(f"cosigner_{number}_remove")
        self.remove_button.setAccessibleName(f"Remove cosigner {number}")
        self.remove_button.clicked.connect(lambda: self.removed.emit(self))
        row = FlowLayout(spacing=10)
        row.addWidget(self.remove_button)
        layout.addLayout(row)

    @property
    def label(self) -> str:
        return plain(self.label_edit.text(), 60)


class MultisigKeys(WizardStep):
    """Collects the cosigners of a new shared wallet.

    `own_key_wanted` gives path, kind and account; `complete` gives kind, threshold and cosigners.
    """

    own_key_wanted = Signal(str, object, int)
    complete = Signal(object, int, object)

    def __init__(self, engine: Engine, params: ChainParams) -> None:
        super().__init__(
            "keys",
            "A new shared wallet",
            "Every cosigner needs the same threshold, kind and keys. Do not put all keys on one "
            "computer: that would be one key with more work.",
        )
        self._engine = engine
        self._params = params
        self._reading: Call | None = None
        self.rows: list[CosignerRow] = []
        self.column.addWidget(self._make_policy())
        frame = card()
        self._list = QVBoxLayout(frame)
        self._list.setContentsMargins(22, 18, 22, 18)
        self._list.setSpacing(10)
        self.list_title = heading("Keys", 110)
        self._list.addWidget(self.list_title)
        self.column.addWidget(frame)
        self.key_notice = Notice(self)
        self.column.addWidget(self.key_notice)
        self.column.addWidget(self._make_own())
        self.column.addWidget(self._make_others())
        self.inputs.take_drops_of(self.viewport())
        self.add_bottom("&Go on")
        self.next_wanted.connect(self._go_on)
        self._show_state()

    def _make_policy(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        self.required = NumberBox("keys_required", "Keys that have to sign", 2)
        self.total = NumberBox("keys_total", "Keys in all", 3)
        self.required.currentIndexChanged.connect(self._show_state)
        self.total.currentIndexChanged.connect(self._show_state)
        self.kind_box = kind_box("keys_kind")
        for label, field in (
            (caption("Keys that have to sign", self.required), self.required),
            (caption("Keys in &all", self.total), self.total),
            (caption("&Kind of shared wallet", self.kind_box), self.kind_box),
        ):
            layout.addWidget(label)
            layout.addWidget(field)
        self.policy = text_label(role="muted")
        layout.addWidget(self.policy)
        return frame

    def _make_own(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 20)
        layout.setSpacing(8)
        layout.addWidget(heading("Add a key of mine", 110))
        self.wallets = WalletChoice("keys_wallet", "Wallet that holds my words")
        layout.addWidget(caption("&Wallet that holds my words", self.wallets))
        layout.addWidget(self.wallets)
        self.account = account_box("keys_account")
        layout.addWidget(caption("Account: 0 for the first shared wallet", self.account))
        layout.addWidget(self.account)
        self.own_button = QPushButton("Ask the &vault for its key")
        self.own_button.setObjectName("keys_own")
        self.own_button.setAccessibleName("Ask the vault for its key")
        self.own_button.clicked.connect(self._ask_own)
        row = FlowLayout(spacing=10)
        row.addWidget(self.own_button)
        layout.addLayout(row)
        return frame

    def _make_others(self) -> QWidget:
        frame = card()
        layout = QVBoxLayout(frame)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(8)
        layout.addWidget(heading("Add another cosigner's key", 110))
        self.inputs = ImportInputs(
            "cosigner",
            "the cosigner's key",
            "[fingerprint/path]xpub, a device's file, or its QR codes. No words, no private key.",
        )
        self.inputs.given.connect(self._take)
        self.inputs.refused.connect(lambda words: self.key_notice.say(words, ERROR))
        layout.addWidget(self.inputs)
        return frame

    def first_field(self) -> QWidget | None:
        return self.required

    def show_wallets(self, entries: Sequence[WalletEntry]) -> None:
        """Offer the wallets of this network."""
        self.wallets.show_wallets(entries, first=(("Choose\u2026", ""),))

    @property
    def kind(self) -> MultisigType:
        kind = self.kind_box.currentData()
        return kind if isinstance(kind, MultisigType) else MultisigType.WSH

    @property
    def cosigners(self) -> tuple[Cosigner, ...]:
        return tuple(Cosigner(r.cosigner.key, r.label, r.cosigner.source) for r in self.rows)

    # --- keys

    def _ask_own(self) -> None:
        if not self.wallets.path:
            self.key_notice.say("Choose the wallet whose words are to sign.", WARNING)
            self.wallets.setFocus()
            return
        self.own_key_wanted.emit(self.wallets.path, self.kind, self.account.number)

    def add_own(self, key: KeyExpression, source: str, label: str) -> None:
        """Take a key that the vault handed out."""
        self._add(Cosigner(key, label, source))

    def _take(self, given: Given) -> None:
        self.key_notice.say("Reading\u2026", INFORMATION)
        call: list[Call] = []

        def done(key: KeyExpression) -> None:
            if call[0] is self._reading:
                self.inputs.forget()
                self._add(Cosigner(key, ""))

        def failed(error: BaseException) -> None:
            if call[0] is self._reading:
                if isinstance(error, SecretsInside):
                    self.inputs.forget()
                self.key_notice.say(sentence(error), ERROR)

        work = asyncio.to_thread(imports.cosigner, given, self._params, self.kind)
        call.append(self._engine.call(work, self, done, failed))
        self._reading = call[0]

    def _add(self, cosigner: Cosigner) -> None:
        try:
            warning = imports.check_new_key(cosigner.key, [row.cosigner.key for row in self.rows])
        except ParseError as error:
            self.key_notice.say(str(error), ERROR)
            return
        if warning:
            self.key_notice.say(warning, WARNING)
        else:
            self.key_notice.say("The key is in the list. Compare it with its owner.", INFORMATION)
        self._append(cosigner)
        if len(self.rows) > self.total.number:
            self.total.choose(len(self.rows))
        self._show_state()

    def _append(self, cosigner: Cosigner) -> None:
        row = CosignerRow(len(self.rows) + 1, cosigner)
        row.removed.connect(self._remove)
        self.rows.append(row)
        self._list.addWidget(row)

    def _remove(self, gone: CosignerRow) -> None:
        kept = [
            Cosigner(r.cosigner.key, r.label, r.cosigner.source) for r in self.rows if r is not gone
        ]
        for row in self.rows:
            row.hide()
            self._list.removeWidget(row)
            row.deleteLater()
        self.rows.clear()
        # Anew, so that they are numbered without a gap.
        for cosigner in kept:
            self._append(cosigner)
        self.key_notice.clear()
        self._show_state()
        self.inputs.field.setFocus()

    def _show_state(self) -> None:
        total, required = self.total.number, min(self.required.number, self.total.number)
        self.required.offer(1, total, required)
        self.total.offer(max(1, len(self.rows)), imports.MOST_KEYS, total)
        self.list_title.setText(f"Keys: {len(self.rows)} of {total}")
        spare = total - required
        loss = "No key may be lost." if spare == 0 else f"{spare} may be lost without losing money."
        thief = (
            "One stolen key is enough to steal."
            if required == 1
            else (f"Fewer than {required} stolen keys steal nothing.")
        )
        self.policy.setText(f"{required} of {total} keys sign. {loss} {thief}")
        # Keys belong to one kind: their paths say which.
        self.kind_box.setEnabled(not self.rows)

    def _go_on(self) -> None:
        missing = self.total.number - len(self.rows)
        if missing > 0:
            words = (
                "One key is still missing. Add it"
                if missing == 1
                else f"{missing} keys are still missing. Add them"
            )
            self.notice.say(f"{words}, or lower the number of keys.", WARNING)
            return
        self.notice.clear()
        self.complete.emit(self.kind, self.required.number, self.cosigners)
