"""The page of the wallets: open one, lock it, make one, restore one, join a multisig."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from wallet_gui.custody.entries import NewWallet, WalletEntry
from wallet_gui.custody.open_wallet import OpenWallet
from wallet_gui.custody.requests import create_request, restore_request
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.settings import check_wallet_name
from wallet_gui.transfer.messages import ChangePassword, PasswordChanged
from wallet_gui.vault.offline.bench import IN_THE_VAULT, Bench
from wallet_gui.vault.offline.forms import button, choice, clear, combo, line_edit, section
from wallet_gui.vault.offline.join_form import JoinForm
from wallet_gui.widgets.choice_button import ChoiceButton
from wallet_gui.widgets.flow_layout import FlowLayout
from wallet_gui.widgets.labels import AddressLabel, heading, text_label
from wallet_gui.widgets.notice import ERROR, INFORMATION, Notice
from wallet_gui.widgets.page import Page
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import breakable, plain

TYPES: Final = (
    ("Native SegWit (bc1q…), the usual one", "wpkh"),
    ("Taproot (bc1p…)", "tr"),
    ("Wrapped SegWit (3…)", "sh_wpkh"),
    ("Legacy (1…)", "pkh"),
)
_WORD_COUNTS: Final = tuple((f"{count} words", count) for count in (12, 15, 18, 21, 24))
_SOURCES: Final = (
    ("Words: 12 to 24 of them", False),
    ("Extended private key (xprv)", True),
)
_NAME_LIMIT = 60


class WalletForm(QFrame):
    """What is decided outside the vault about a new or a restored wallet."""

    wanted = Signal(object)
    left = Signal()

    def __init__(self, *, is_new: bool) -> None:
        super().__init__()
        self.is_new = is_new
        key = "create" if is_new else "restore"
        self.setObjectName(f"{key}_form")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        title = "Create a wallet" if is_new else "Restore a wallet"
        text = (
            "The vault makes the words, in the language that you choose there, and shows them "
            "once, to be written on paper."
            if is_new
            else "What you have on paper is typed into the vault. This window sees nothing of it."
        )
        frame, layout = section(f"{key}_card", title, text)
        outer.addWidget(frame)
        self.name = line_edit(f"{key}_name", "&Name of the wallet", layout)
        self.type = combo(f"{key}_type", "&Kind of addresses", TYPES, layout)
        # Kept by the page, so that what is not asked here can stay out of sight.
        only_new = _part(layout, is_shown=is_new)
        self.words = combo(f"{key}_words", "N&umber of words", _WORD_COUNTS, only_new)
        self.dice = choice(
            f"{key}_dice",
            "Mix in &dice rolls",
            "Chance from your own dice is added to that of the computer, never put in its place.",
            only_new,
        )
        only_restored = _part(layout, is_shown=not is_new)
        self.source = combo(f"{key}_source", "&From", _SOURCES, only_restored)
        # Such a key has its passphrase in it already.
        self._only_words = QWidget()
        only_words = QVBoxLayout(self._only_words)
        only_words.setContentsMargins(0, 0, 0, 0)
        self.passphrase = choice(
            f"{key}_passphrase",
            "&Passphrase (25th word)",
            "A word of your own beside the others. It is stored nowhere: whoever forgets it has "
            "lost the money.",
            only_words,
        )
        layout.addWidget(self._only_words)
        self.source.currentIndexChanged.connect(self._follow_source)
        self.problem = text_label(role="negative")
        self.problem.setObjectName(f"{key}_problem")
        self.problem.hide()
        layout.addWidget(self.problem)
        row = FlowLayout(spacing=10)
        row.addWidget(
            button(f"{key}_continue", "Continue in the &vault", self._submit, role="primary")
        )
        row.addWidget(button(f"{key}_back", "&Back", self.left.emit))
        layout.addLayout(row)
        self.name.returnPressed.connect(self._submit)

    def open_empty(self) -> None:
        """Show it anew."""
        self.name.clear()
        self.problem.hide()
        self.source.setCurrentIndex(0)
        self.dice.setChecked(False)
        self.passphrase.setChecked(False)
        self.show()
        self.name.setFocus()

    @property
    def _from_key(self) -> bool:
        return not self.is_new and bool(self.source.currentData())

    def _follow_source(self) -> None:
        self._only_words.setVisible(not self._from_key)

    def _submit(self) -> None:
        try:
            name = check_wallet_name(self.name.text().strip())
        except ValueError as error:
            self.problem.setText(str(error))
            self.problem.setAccessibleName(str(error))
            self.problem.show()
            self.name.setFocus()
            return
        self.problem.hide()
        self.wanted.emit(
            NewWallet(
                name=name,
                script_type=str(self.type.currentData()),
                word_count=int(self.words.currentData()),
                use_passphrase=self.passphrase.isChecked() and not self._from_key,
                from_xprv=self._from_key,
                use_dice=self.is_new and self.dice.isChecked(),
            )
        )


def _part(layout: QVBoxLayout, *, is_shown: bool) -> QVBoxLayout:
    """Add a part of a form, in sight or not; returns where its fields go."""
    part = QWidget()
    part.setVisible(is_shown)
    inside = QVBoxLayout(part)
    inside.setContentsMargins(0, 0, 0, 0)
    layout.addWidget(part)
    return inside


class OpenWalletCard(QFrame):
    """What the open wallet is: name, fingerprint, accounts."""

    def __init__(self, lock: Callable[[], None], change_password: Callable[[], None]) -> None:
        super().__init__()
        self.setObjectName("open_wallet")
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        frame, layout = section("open_wallet_card", "Open now")
        outer.addWidget(frame)
        self.name = heading("", 115)
        layout.addWidget(self.name)
        self.facts = QVBoxLayout()
        self.facts.setSpacing(6)
        layout.addLayout(self.facts)
        row = FlowLayout(spacing=10)
        row.addWidget(button("wallet_lock", "&Lock", lock))
        row.addWidget(button("wallet_password", "Change the &password", change_password))
        layout.addLayout(row)

    def show_wallet(self, opened: OpenWallet | None) -> None:
        """Show the open wallet, or hide."""
        clear(self.facts)
        self.setVisible(opened is not None)
        if opened is None:
            return
        description = opened.wallet.description
        name = plain(description.name, _NAME_LIMIT)
        self.name.setText(name)
        self.name.setAccessibleName(f"Open wallet: {name}")
        if description.fingerprint:
            self._fact(f"Fingerprint {description.fingerprint}")
        if not description.has_secrets:
            self._fact("It only watches: its keys are somewhere else, and it cannot sign.")
        for descriptor in opened.wallet.descriptors:
            self._fact(breakable(descriptor.abbreviated()))
            address = AddressLabel("First address")
            address.set_address(descriptor.first_address)
            self.facts.addWidget(text_label("First address", role="muted"))
            self.facts.addWidget(address)

    def _fact(self, text: str) -> None:
        self.facts.addWidget(text_label(text, role="muted"))


class WalletsPage(Page):
    """Lists the wallets; the forms come in their place."""

    opened = Signal()

    def __init__(self, bench: Bench, params: ChainParams) -> None:
        super().__init__("wallets_page")
        self._bench = bench
        self._params = params
        self.body.addWidget(heading("Wallets"))
        self.notice = Notice()
        self.notice.setObjectName("wallets_notice")
        self.body.addWidget(self.notice)
        self.current = OpenWalletCard(bench.lock, self._change_password)
        self.body.addWidget(self.current)
        self._start = QWidget()
        start = QVBoxLayout(self._start)
        start.setContentsMargins(0, 0, 0, 0)
        start.setSpacing(12)
        self._list = QVBoxLayout()
        self._list.setSpacing(8)
        start.addLayout(self._list)
        self.create_form = WalletForm(is_new=True)
        self.restore_form = WalletForm(is_new=False)
        self.join_form = JoinForm(bench, params)
        for title, text, mnemonic, form in (
            ("Create a wallet", "New words, made and shown in the vault.", "C", self.create_form),
            (
                "Restore a wallet",
                "From words that you have on paper, or from an extended private key.",
                "R",
                self.restore_form,
            ),
            (
                "Join a multisig",
                "Several signers agreed on a wallet: bring its descriptor or file.",
                "J",
                self.join_form,
            ),
        ):
            chosen = ChoiceButton(title, text, mnemonic=mnemonic)
            chosen.setObjectName(f"choose_{title.split()[0].lower()}")
            chosen.clicked.connect(lambda _=False, form=form: self._show_form(form))
            start.addWidget(chosen)
        self.body.addWidget(self._start)
        for form in (self.create_form, self.restore_form, self.join_form):
            form.hide()
            form.left.connect(self.show_start)
            self.body.addWidget(form)
        self.create_form.wanted.connect(self._create)
        self.restore_form.wanted.connect(self._restore)
        self.join_form.wanted.connect(lambda request: bench.make(request, self._failed))
        self.body.addStretch(1)
        bench.wallet_changed.connect(self._follow)
        self.current.show_wallet(None)

    # --- what is shown

    def show_start(self) -> None:
        """Show the list of wallets and what else can be done."""
        for form in (self.create_form, self.restore_form, self.join_form):
            form.hide()
        self._start.show()
        self._show_list(self._bench.keeper.wallets())

    def _show_form(self, form: WalletForm | JoinForm) -> None:
        self.notice.clear()
        self._start.hide()
        form.open_empty()

    def _show_list(self, entries: tuple[WalletEntry, ...]) -> None:
        clear(self._list)
        opened = self._bench.opened
        others = [entry for entry in entries if opened is None or entry.path != opened.path]
        for entry in others:
            name = plain(entry.name, _NAME_LIMIT)
            listed = ChoiceButton(f"Open wallet {name}", "The vault asks for its password.")
            listed.setObjectName("open_wallet_entry")
            listed.clicked.connect(lambda _=False, path=entry.path: self._open(path))
            self._list.addWidget(listed)
        if not entries:
            self._list.addWidget(
                text_label("There is no wallet on this computer yet.", role="muted")
            )

    def _follow(self) -> None:
        opened = self._bench.opened
        self.current.show_wallet(opened)
        self.notice.clear()
        if opened is not None and opened.notices:
            self.notice.say(" ".join(opened.notices), INFORMATION)
        self.show_start()
        if opened is not None:
            self.opened.emit()

    # --- what is done

    def _open(self, path: str) -> None:
        self.notice.clear()
        self._bench.open(path, self._failed)

    def _create(self, wanted: NewWallet) -> None:
        look = self._bench.keeper.look()
        self._bench.make(create_request(wanted, self._params, look), self._failed)

    def _restore(self, wanted: NewWallet) -> None:
        look = self._bench.keeper.look()
        self._bench.make(restore_request(wanted, self._params, look), self._failed)

    def _change_password(self) -> None:
        """Change it in the vault; the wallet is opened anew, with the new view key."""
        opened = self._bench.opened
        if opened is None:
            return
        look = self._bench.keeper.look()
        request = ChangePassword(
            opened.path,
            lock_held=True,
            appearance=look.appearance,
            text_scale=look.text_scale,
        )
        keeper = self._bench.keeper

        def work() -> OpenWallet:
            changed = keeper.ask(request, PasswordChanged)
            return keeper.reopen(opened, changed.view_key)

        def done(again: OpenWallet) -> None:
            self._bench.opened = None  # its files went over to the one that was opened again
            self._bench.take(again)
            self.notice.say(f"The password of {Path(again.path).stem} is changed.", INFORMATION)

        self._bench.do(IN_THE_VAULT, work, done, self._failed)

    def _failed(self, error: BaseException) -> None:
        words = sentence(error)
        if words:
            self.notice.say(words, ERROR)
            self.ensureWidgetVisible(self.notice)
