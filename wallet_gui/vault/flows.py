"""What the window does for each request: which page follows which, and what runs in between."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.storage.errors import WrongKey
from wallet_gui.transfer.messages import (
    ChangePassword,
    CheckBackup,
    CreateWallet,
    DrillWords,
    ExportCosignerKey,
    JoinMultisig,
    Request,
    RestoreWallet,
    ShowWords,
    SignMessage,
    SignPsbt,
    UnlockWallet,
    WatchWallet,
)
from wallet_gui.vault import creation, password_change, signing, unlocking
from wallet_gui.vault.backup_flows import CheckBackupFlow, DrillWordsFlow
from wallet_gui.vault.creation import Entropy
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, failure
from wallet_gui.vault.message_flow import SignMessageFlow
from wallet_gui.vault.new_wallet_flow import NewWalletFlow
from wallet_gui.vault.password_change import Changed
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.password_pages import (
    ChangePasswordPage,
    PassphrasePage,
    UnlockPage,
)
from wallet_gui.vault.review_page import ReviewPage
from wallet_gui.vault.shared_flows import start_shared_flow
from wallet_gui.vault.show_words import ShowWordsFlow
from wallet_gui.vault.signing import FeeConcern, Keyring
from wallet_gui.vault.step_pages import DonePage
from wallet_gui.vault.unlocking import Unlocked
from wallet_gui.vault.window import VaultWindow
from wallet_gui.widgets.text import plain

_NOT_SIGNED = "The payment was not signed"


def wallet_name(path: str) -> str:
    """The name of a wallet as it may be shown."""
    return plain(Path(path).stem, 60)


class UnlockFlow(QObject):
    """Ask for the password until it is right."""

    def __init__(self, window: VaultWindow, request: UnlockWallet, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._page = UnlockPage(
            f"Unlock {wallet_name(request.path)}",
            "The password opens the view of the wallet: its addresses, its history and its labels. "
            "The keys stay sealed until you sign.",
            primary="&Unlock",
        )
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._unlock)
        window.show_page(self._page)

    def _unlock(self) -> None:
        password = self._page.typed_password()
        if password is None:
            return
        path = Path(self._request.path)

        def work(step: creation.ProgressSink) -> Unlocked:
            step(unlocking.CHECKING, None)
            unlocked = unlocking.unlock(
                path, password, self._cost, step, lock_held=self._request.lock_held
            )
            step(unlocking.CHECKING, 1.0)
            return unlocked

        self._window.work(work, self._unlocked, self._failed, back_to=self._page)

    def _unlocked(self, unlocked: Unlocked) -> None:
        if not unlocked.notices:
            self._window.finish(unlocked.reply)
            return
        title = f"{wallet_name(unlocked.reply.path)} is unlocked"
        page = DonePage(title, "", unlocked.notices, primary="&Open the wallet")
        page.submitted.connect(lambda: self._window.finish(unlocked.reply))
        self._window.show_page(page)

    def _failed(self, error: Exception) -> None:
        if isinstance(error, WrongKey):
            self._page.refuse_password(str(error))
        else:
            self._page.refuse(str(error), self._page.password_edit)


class SignFlow(QObject):
    """The password first, since only the opened keys tell what is really ours; then the review."""

    def __init__(self, window: VaultWindow, request: SignPsbt, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._psbt = signing.read_payment(request)
        self._page = UnlockPage(
            f"Sign with {wallet_name(request.path)}",
            "Step 1 of 2. The password opens the keys here; then you see what the payment really "
            "does, and nothing is signed before you say so.",
            primary="&Continue to the review",
            name="sign",
        )
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._open)
        window.show_page(self._page)

    def _open(self) -> None:
        password = self._page.typed_password()
        if password is None:
            return
        path = Path(self._request.path)

        def work(step: creation.ProgressSink) -> SecretPayload:
            step(signing.OPENING, None)
            payload = signing.open_payload(path, password, self._cost)
            step(signing.OPENING, 1.0)
            return payload

        self._window.work(work, self._opened, self._not_opened, back_to=self._page)

    def _not_opened(self, error: Exception) -> None:
        if isinstance(error, PasswordWrong):
            self._page.refuse_password(str(error))
        else:
            self._window.refuse(_NOT_SIGNED, failure(error))

    def _opened(self, payload: SecretPayload) -> None:
        if not payload.needs_passphrase:
            self._review(payload, "", self._page)
            return
        page = PassphrasePage(is_new=False, secondary="Cancel")
        page.left.connect(self._window.cancel)

        def typed() -> None:
            passphrase = page.accepted_passphrase()
            if passphrase is not None:
                self._review(payload, passphrase, page)

        page.submitted.connect(typed)
        self._window.show_page(page)

    def _review(
        self, payload: SecretPayload, passphrase: str, back_to: UnlockPage | PassphrasePage
    ) -> None:
        def work(step: creation.ProgressSink) -> tuple[Keyring, signing.Payment]:
            step("Reading the payment", None)
            keys = signing.keyring(payload, passphrase)
            return keys, signing.review_payment(self._request, self._psbt, keys)

        def failed(error: Exception) -> None:
            if isinstance(error, PassphraseWrong):
                back_to.refuse(str(error), back_to.first_field)
            else:
                self._window.refuse(_NOT_SIGNED, failure(error))

        self._window.work(work, self._show_review, failed, back_to=back_to)

    def _show_review(self, opened: tuple[Keyring, signing.Payment]) -> None:
        keys, payment = opened
        self._window.header.play_badge.setVisible(keys.params.is_test)
        page = ReviewPage(payment)
        page.left.connect(self._window.cancel)

        def sign() -> None:
            if not page.is_fee_confirmed():
                return

            is_unusual = payment.fee_concern is not FeeConcern.NONE

            def work(step: creation.ProgressSink) -> object:
                step(signing.SIGNING, None)
                return signing.sign(payment, keys, fee_confirmed=is_unusual)

            self._window.work(
                work,
                self._window.finish,
                lambda error: self._window.refuse(_NOT_SIGNED, failure(error)),
                back_to=page,
            )

        page.submitted.connect(sign)
        self._window.show_page(page)


class ChangePasswordFlow(QObject):
    """The old password and the new one, then four runs of Argon2id."""

    def __init__(self, window: VaultWindow, request: ChangePassword, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        self._page = ChangePasswordPage(cost, wallet_name(request.path))
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._change)
        window.show_page(self._page)

    def _change(self) -> None:
        old = self._page.old_edit.text()
        if not old:
            self._page.refuse("Type the old password.", self._page.old_edit)
            return
        new = self._page.accepted_password()
        if new is None:
            return
        self._window.work(
            lambda step: password_change.change_password(self._request, old, new, self._cost, step),
            self._changed,
            self._failed,
            back_to=self._page,
        )

    def _failed(self, error: Exception) -> None:
        if isinstance(error, (WrongKey, PasswordWrong)):
            self._page.refuse_old_password(str(error))
        else:
            self._page.refuse(str(error))

    def _changed(self, changed: Changed) -> None:
        page = DonePage(
            "The password is changed",
            "From now on the new password opens the wallet and signs. Backup copies that you made "
            "of the file earlier still open with the old one.",
            changed.notices,
            primary="&Done",
        )
        page.submitted.connect(lambda: self._window.finish(changed.reply))
        self._window.reply = changed.reply
        self._window.forget_secrets()
        self._window.show_page(page)


def start_flow(
    window: VaultWindow,
    request: Request,
    cost: PasswordCost,
    entropy: Entropy = secrets.token_bytes,
) -> QObject:
    """Begin to answer a request in the window. Raises the EXPECTED errors of vault.errors."""
    if isinstance(request, CreateWallet | RestoreWallet):
        if isinstance(request, RestoreWallet) and request.descriptor:
            raise BadRequest(
                "Restore the wallet of the words first, and join the multisig with it then."
            )
        creation.wallet_path(request)
        return NewWalletFlow(window, request, cost, entropy)
    if isinstance(request, JoinMultisig | WatchWallet | ExportCosignerKey):
        return start_shared_flow(window, request, cost)
    flows: dict[type[Request], Callable[[VaultWindow, Any, PasswordCost], QObject]] = {
        ChangePassword: ChangePasswordFlow,
        CheckBackup: CheckBackupFlow,
        DrillWords: DrillWordsFlow,
        ShowWords: ShowWordsFlow,
        SignMessage: SignMessageFlow,
        SignPsbt: SignFlow,
        UnlockWallet: UnlockFlow,
    }
    return flows[type(request)](window, request, cost)
