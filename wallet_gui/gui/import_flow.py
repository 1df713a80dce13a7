"""ImportFlow: wallets whose keys are elsewhere or shared, from the wizard to the open wallet.

The pages are made when they are asked for and forgotten afterwards: the first window does not
wait for the code behind them.
"""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from wallet_gui.app.published import NewWallet, OpenedWallet, WalletEntry
from wallet_gui.gui.engine import Call, Engine
from wallet_gui.gui.setup_wizard import SetupWizard
from wallet_gui.gui.wizard_step import WizardStep
from wallet_gui.primitives.params import ChainParams
from wallet_gui.widgets.notice import ERROR, WARNING
from wallet_gui.widgets.sentences import sentence
from wallet_gui.widgets.text import plain

if TYPE_CHECKING:
    from wallet_gui.app.imports import ImportLook
    from wallet_gui.app.online import Online
    from wallet_gui.descriptors.account_import import WalletImport
    from wallet_gui.descriptors.descriptor import MultisigType
    from wallet_gui.descriptors.key_expression import KeyExpression
    from wallet_gui.gui.multisig_keys import Cosigner, MultisigKeys

OpenWith = Callable[[Coroutine[Any, Any, OpenedWallet], str], None]
_STARTING = "The program is still starting. Try again in a moment."
_ASK_PASSWORD = "Go on in the vault window: choose a password for the wallet's file."  # noqa: S105
_ASK_JOIN = "Go on in the vault window: it asks for the password and shows the cosigners."
_ASK_WORDS = "Go on in the vault window: type the words of the cosigner there."
_ASK_KEY = "Go on in the vault window: it asks for the password of the wallet."
_HAND_OUT = (
    "Every cosigner needs the descriptor, and a copy of it with their words: Settings, Export this "
    "wallet."
)


class ImportFlow(QObject):
    """Makes the pages, carries what they want to the engine, hands the wallet to `open_with`."""

    def __init__(
        self, engine: Engine, params: ChainParams, wizard: SetupWizard, open_with: OpenWith
    ) -> None:
        super().__init__(wizard)
        self._engine = engine
        self._params = params
        self._wizard = wizard
        self._open_with = open_with
        self._online: Online | None = None
        self._entries: tuple[WalletEntry, ...] = ()
        self._steps: list[WizardStep] = []
        self._asking: Call | None = None
        wizard.watch_wanted.connect(self.start_watching)
        wizard.pair_wanted.connect(self.start_pairing)
        wizard.multisig_wanted.connect(self.start_multisig)
        wizard.file_wanted.connect(self.start_copying)
        wizard.cancel_wanted.connect(self._cancel)

    def attach(self, online: "Online") -> None:
        """Use this online side from now on."""
        self._online = online

    def forget(self) -> None:
        """Take the pages away with all that was given there."""
        while self._steps:
            self._wizard.drop_step(self._steps.pop())

    def _begin(self, step: WizardStep) -> None:
        """Show the first page of a new wizard."""
        self.forget()
        self._show(step)

    def _show(self, step: WizardStep) -> None:
        self._steps.append(step)
        self._wizard.add_step(step)
        self._wizard.go_to(step)

    def _with_wallets(self, show: Callable[[tuple[WalletEntry, ...]], None]) -> None:
        """Read anew which wallets there are, and show them."""
        if self._online is not None:
            self._engine.call(self._online.wallets(), self, show, self._fail)

    def _fail(self, error: BaseException) -> None:
        self._wizard.set_busy("")
        words = sentence(error)
        if words:
            self._wizard.say(words, ERROR)

    # --- watching

    def start_watching(self) -> None:
        """Ask for the export of a wallet."""
        from wallet_gui.gui.import_page import ImportPage  # noqa: PLC0415

        page = ImportPage(self._engine, self._params, self._check_imported)
        page.wanted.connect(self._watch)
        self._begin(page)

    def start_pairing(self) -> None:
        """Ask for the account of the offline computer."""
        from wallet_gui.gui.pairing_page import PairingPage  # noqa: PLC0415

        page = PairingPage(self._engine, self._params)
        page.wanted.connect(self._watch)
        self._begin(page)

    def _watch(self, name: str, found: "WalletImport", birthday: int | None) -> None:
        from wallet_gui.app import imports  # noqa: PLC0415

        self._make(lambda online: imports.watch(online, name, found, birthday), _ASK_PASSWORD)

    def _make(
        self, work: "Callable[[Online], Coroutine[Any, Any, OpenedWallet]]", words: str
    ) -> None:
        """Ask where the chain comes from, if that was never decided, then the vault."""

        def go_on() -> None:
            if self._online is None:
                self._wizard.say(_STARTING, WARNING)
                return
            self._open_with(work(self._online), words)

        self._wizard.after_source(go_on)

    # --- a copy of a wallet file

    def start_copying(self) -> None:
        """Ask for the copy of a wallet file."""
        from wallet_gui.gui.file_copy_page import FileCopyPage  # noqa: PLC0415

        page = FileCopyPage()
        page.wanted.connect(self._copy)
        self._begin(page)

    def _copy(self, source: Path, name: str) -> None:
        from wallet_gui.app.wallet_copies import take_copy  # noqa: PLC0415

        online = self._online
        if online is None:
            self._wizard.say(_STARTING, WARNING)
            return

        async def copied() -> Path:
            return await asyncio.to_thread(take_copy, source, online.data_directory, name)

        def done(path: Path) -> None:
            self._wizard.set_busy("")
            self._wizard.open_wanted.emit(str(path))

        self._wizard.set_busy("Copying the file.")
        self._engine.call(copied(), self, done, self._fail)

    # --- shared wallets

    def start_multisig(self) -> None:
        """Ask what is wanted with a shared wallet."""
        from wallet_gui.gui.multisig_start import MultisigStart  # noqa: PLC0415

        page = MultisigStart()
        page.new_wanted.connect(self._collect_keys)
        page.import_wanted.connect(self._import_shared)
        page.key_wanted.connect(self._show_own_key)
        self._begin(page)

    def _import_shared(self) -> None:
        from wallet_gui.gui.import_page import ImportPage  # noqa: PLC0415

        page = ImportPage(self._engine, self._params, self._check_imported)
        page.title.setText("Join or watch a shared wallet")
        page.wanted.connect(self._watch)
        self._show(page)

    def _check_imported(self, look: "ImportLook") -> None:
        self._check(look, "", is_new=False)

    def _show_own_key(self) -> None:
        from wallet_gui.gui.multisig_start import OwnKeyPage  # noqa: PLC0415

        page = OwnKeyPage(self._engine)
        page.wanted.connect(
            lambda path, kind, account: self._ask_key(path, kind, account, page.show_key)
        )
        self._with_wallets(page.show_wallets)
        self._show(page)

    def _collect_keys(self) -> None:
        from wallet_gui.gui.multisig_keys import MultisigKeys  # noqa: PLC0415

        page = MultisigKeys(self._engine, self._params)
        page.own_key_wanted.connect(
            lambda path, kind, account: self._ask_own(page, path, kind, account)
        )
        page.complete.connect(self._put_together)
        self._with_wallets(page.show_wallets)
        self._show(page)

    def _ask_own(self, page: "MultisigKeys", path: str, kind: "MultisigType", account: int) -> None:
        label = plain(Path(path).stem, 60)
        self._ask_key(path, kind, account, lambda key: page.add_own(key, path, label))

    def _ask_key(
        self,
        path: str,
        kind: "MultisigType",
        account: int,
        show: "Callable[[KeyExpression], None]",
    ) -> None:
        from wallet_gui.app import imports  # noqa: PLC0415

        if self._online is None:
            self._wizard.say(_STARTING, WARNING)
            return

        def done(key: "KeyExpression") -> None:
            self._wizard.set_busy("")
            show(key)

        self._wizard.set_busy(_ASK_KEY, can_cancel=True)
        self._asking = self._engine.call(
            imports.own_cosigner_key(self._online, path, kind, account), self, done, self._fail
        )
        self._asking.cancelled.connect(lambda: self._wizard.set_busy(""))

    def _cancel(self) -> None:
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()

    def _put_together(
        self, kind: "MultisigType", required: int, cosigners: "tuple[Cosigner, ...]"
    ) -> None:
        from wallet_gui.app import imports  # noqa: PLC0415

        keys = [cosigner.key for cosigner in cosigners]
        labels = tuple(
            ("xpub", imports.key_look(cosigner.key).key, cosigner.label)
            for cosigner in cosigners
            if cosigner.label
        )
        source = next((cosigner.source for cosigner in cosigners if cosigner.source), "")

        def done(look: "ImportLook") -> None:
            self._check(
                replace(look, found=replace(look.found, labels=labels)), source, is_new=True
            )

        work = asyncio.to_thread(imports.together, kind, self._params, required, keys)
        self._engine.call(work, self, done, self._fail)

    def _check(self, look: "ImportLook", source: str, *, is_new: bool) -> None:
        from wallet_gui.gui.multisig_check import MultisigCheck  # noqa: PLC0415

        page = MultisigCheck(self._engine, look, is_new=is_new)
        page.wanted.connect(
            lambda name, found, birthday, source: self._make_shared(
                NewWallet(
                    name,
                    descriptor=found.descriptors[found.active].to_string(),
                    birthday_time=birthday,
                    use_passphrase=page.passphrase.isChecked(),
                ),
                found,
                source,
            )
        )
        self._with_wallets(lambda entries: page.show_wallets(entries, source))
        self._show(page)

    def _make_shared(self, wanted: NewWallet, found: "WalletImport", source: str) -> None:
        from wallet_gui.app import imports  # noqa: PLC0415
        from wallet_gui.gui.multisig_check import TYPED_WORDS  # noqa: PLC0415

        async def made(online: "Online") -> OpenedWallet:
            if source == TYPED_WORDS:
                opened = await imports.restore_shared(online, wanted, found)
            elif source:
                opened = await imports.join(
                    online, wanted.name, found, source, wanted.birthday_time
                )
            else:
                opened = await imports.watch(online, wanted.name, found, wanted.birthday_time)
            return replace(opened, notices=(*opened.notices, _HAND_OUT))

        words = _ASK_WORDS if source == TYPED_WORDS else _ASK_JOIN if source else _ASK_PASSWORD
        self._make(made, words)
