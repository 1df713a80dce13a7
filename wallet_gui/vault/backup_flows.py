"""The vault's window for backups: a copy of the file is tried, or the words from paper."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject

from wallet_gui.keys.errors import PasswordWrong, SeedError
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.storage.errors import WrongKey
from wallet_gui.transfer.messages import BackupChecked, CheckBackup, DrillWords, WordsDrilled
from wallet_gui.vault import backup_check, backup_words, signing
from wallet_gui.vault.backup_check import CopyPasswordWrong, OpenedFile
from wallet_gui.vault.backup_pages import CheckedPage, DrillPage
from wallet_gui.vault.creation import ProgressSink
from wallet_gui.vault.errors import PassphraseWrong, failure
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.password_pages import PassphrasePage, UnlockPage
from wallet_gui.vault.window import VaultWindow
from wallet_gui.widgets.text import plain

_NOT_CHECKED = "The backup could not be checked"


def _name(path: str) -> str:
    return plain(Path(path).stem, 60)


def _show_network(window: VaultWindow, network: str) -> None:
    params = NETWORKS.get(network)
    window.header.play_badge.setVisible(params is not None and params.is_test)


class CheckBackupFlow(QObject):
    """The wallet's password, the copy's own where that is another one, and what was found."""

    def __init__(self, window: VaultWindow, request: CheckBackup, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._pair = backup_check.read_pair(request, cost)
        self._wallet: OpenedFile | None = None
        name = plain(Path(request.backup_path).name, 80)
        self._page = UnlockPage(
            f"Check a copy of {_name(request.path)}",
            f"The wallet and the copy {name} are both opened here and compared. Nothing is "
            "written, and what is inside stays in this window.",
            primary="&Check",
            name="backup",
        )
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._open_wallet)
        self._copy_page = UnlockPage(
            "Type the password of the copy",
            backup_check.COPY_PASSWORD,
            primary="&Check",
            name="copy",
        )
        self._copy_page.left.connect(window.cancel)
        self._copy_page.submitted.connect(self._open_copy)
        window.show_page(self._page)

    def _open_wallet(self) -> None:
        password = self._page.typed_password()
        if password is None:
            return

        def work(step: ProgressSink) -> tuple[OpenedFile, BackupChecked | None]:
            step(backup_check.CHECKING, None)
            wallet = backup_check.open_wallet(self._pair, password, self._cost)
            try:
                return wallet, self._compare(wallet, password)
            except CopyPasswordWrong:
                return wallet, None

        def opened(result: tuple[OpenedFile, BackupChecked | None]) -> None:
            self._wallet, reply = result
            _show_network(self._window, self._wallet.state.description.network)
            if reply is None:
                self._window.show_page(self._copy_page)
            else:
                self._show(reply)

        self._window.work(work, opened, self._failed(self._page), back_to=self._page)

    def _open_copy(self) -> None:
        password, wallet = self._copy_page.typed_password(), self._wallet
        if password is None or wallet is None:
            return

        def work(step: ProgressSink) -> BackupChecked:
            step(backup_check.CHECKING, None)
            return self._compare(wallet, password, is_other_password=True)

        self._window.work(work, self._show, self._failed(self._copy_page), back_to=self._copy_page)

    def _compare(
        self, wallet: OpenedFile, password: str, *, is_other_password: bool = False
    ) -> BackupChecked:
        copy = backup_check.open_copy(self._pair, wallet, password, self._cost)
        reply = backup_check.compare(self._pair, wallet, copy, is_other_password=is_other_password)
        if not (self._request.record and reply.is_same):
            return reply
        return backup_check.recorded(self._pair.path, wallet, reply, self._cost)

    def _failed(self, page: UnlockPage) -> Callable[[Exception], None]:
        def failed(error: Exception) -> None:
            if isinstance(error, WrongKey):
                page.refuse_password(str(error))
            else:
                self._window.refuse(_NOT_CHECKED, failure(error))

        return failed

    def _show(self, reply: BackupChecked) -> None:
        title = "The copy is good" if reply.is_same else "Do not rely on this copy"
        _show_outcome(self._window, reply, title, reply.differences, is_good=reply.is_same)


class DrillWordsFlow(QObject):
    """The password, the words, the passphrase where there is one, and whether all is right."""

    def __init__(self, window: VaultWindow, request: DrillWords, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._password = ""
        self._page = UnlockPage(
            f"Check the words of {_name(request.path)}",
            "Step 1 of 2. The password opens the words inside this window; then you type those on "
            "your paper, and both are compared.",
            primary="&Continue",
            name="secrets",
        )
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._open)
        window.show_page(self._page)

    def _open(self) -> None:
        password = self._page.typed_password()
        if password is None:
            return

        def work(step: ProgressSink) -> SecretPayload:
            step(signing.OPENING, None)
            return signing.open_payload(Path(self._request.path), password, self._cost)

        def failed(error: Exception) -> None:
            if isinstance(error, PasswordWrong):
                self._page.refuse_password(str(error))
            else:
                self._window.refuse(_NOT_CHECKED, failure(error))

        def opened(payload: SecretPayload) -> None:
            self._password = password
            self._opened(payload)

        self._window.work(work, opened, failed, back_to=self._page)

    def _opened(self, payload: SecretPayload) -> None:
        _show_network(self._window, payload.network)
        if not backup_words.has_words(payload):
            self._show(backup_words.no_words())
            return
        page = DrillPage(_name(self._request.path))
        # After wrong words the reply is that they are wrong, also when the window is closed.
        page.left.connect(lambda: self._window.finish(self._window.reply))

        def compare() -> None:
            try:
                wrong = backup_words.wrong_positions(page.typed_words(), payload)
            except SeedError as error:
                page.refuse(str(error), page.words_edit)
                return
            if wrong:
                reply = backup_words.wrong_words(wrong, payload)
                self._window.reply = reply
                page.refuse(reply.sentence, page.words_edit)
            elif payload.needs_passphrase:
                self._ask_passphrase(payload, page)
            else:
                self._finish(payload, "", page)

        page.submitted.connect(compare)
        self._window.show_page(page)

    def _ask_passphrase(self, payload: SecretPayload, words: DrillPage) -> None:
        page = PassphrasePage(is_new=False, secondary="&Back")
        page.left.connect(lambda: self._window.show_page(words))

        def typed() -> None:
            passphrase = page.accepted_passphrase()
            if passphrase is not None:
                self._finish(payload, passphrase, page)

        page.submitted.connect(typed)
        self._window.show_page(page)

    def _finish(self, payload: SecretPayload, passphrase: str, page: VaultPage) -> None:
        def work(step: ProgressSink) -> WordsDrilled:
            step(backup_words.COMPARING, None)
            reply = backup_words.right_words(payload, passphrase)
            if self._request.record:
                path = Path(self._request.path)
                return backup_words.recorded(path, self._password, reply, self._cost)
            return reply

        def failed(error: Exception) -> None:
            if isinstance(error, PassphraseWrong):
                page.refuse(str(error), page.first_field)
            else:
                self._window.refuse(_NOT_CHECKED, failure(error))

        self._window.work(work, self._show, failed, back_to=page)

    def _show(self, reply: WordsDrilled) -> None:
        title = "Your paper is right" if reply.is_right else "This wallet has no words"
        _show_outcome(self._window, reply, title, (), is_good=reply.is_right)


def _show_outcome(
    window: VaultWindow,
    reply: BackupChecked | WordsDrilled,
    title: str,
    more: tuple[str, ...],
    *,
    is_good: bool,
) -> None:
    page = CheckedPage(title, reply.sentence, more, is_good=is_good)
    page.submitted.connect(lambda: window.finish(reply))
    # It was checked: closing the window by its frame does not undo that.
    window.reply = reply
    window.forget_secrets()
    window.show_page(page)
