"""The window's pages for wallets that are shared or only watched: join, watch, hand out a key."""

from pathlib import Path

from PySide6.QtCore import QObject

from wallet_gui.keys.errors import PasswordWrong
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.primitives.params import by_name
from wallet_gui.transfer.messages import (
    CosignerKeyExported,
    ExportCosignerKey,
    JoinMultisig,
    WatchWallet,
)
from wallet_gui.vault import creation, joining, signing
from wallet_gui.vault.creation import Created
from wallet_gui.vault.errors import BadRequest, PassphraseWrong, failure
from wallet_gui.vault.page import VaultPage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.password_pages import NewPasswordPage, PassphrasePage, UnlockPage
from wallet_gui.vault.signing import Keyring
from wallet_gui.vault.step_pages import DonePage
from wallet_gui.vault.window import VaultWindow
from wallet_gui.widgets.labels import text_label
from wallet_gui.widgets.text import plain


class AgreePage(VaultPage):
    """The cosigners of a multisig, to be compared before it is joined."""

    def __init__(self, text: str) -> None:
        super().__init__(
            "agree",
            "Check this multisig wallet",
            "Compare every key and the first address with those that the other cosigners see. "
            "Whoever exchanges a key here could take the money or lock it in.",
            primary="&Join",
        )
        self.return_goes_on = False
        self.body.addWidget(text_label(text, role="muted"))


class WatchFlow(QObject):
    """A password, then a wallet file without secrets."""

    def __init__(self, window: VaultWindow, request: WatchWallet, cost: PasswordCost) -> None:
        super().__init__(window)
        self._window = window
        self._request = request
        self._cost = cost
        window.header.play_badge.setVisible(by_name(request.network).is_test)
        self._page = NewPasswordPage(cost, secondary="Cancel")
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._create)
        window.show_page(self._page)

    def _create(self) -> None:
        password = self._page.accepted_password()
        if password is None:
            return
        self._window.work(
            lambda step: creation.create_watching(self._request, password, self._cost, step),
            lambda created: _show_done(
                self._window,
                created,
                "It only watches: it shows what is "
                "paid and prepares payments, which are signed where the keys are.",
            ),
            lambda error: self._page.refuse(str(error)),
            back_to=self._page,
        )


class SecretsFlow(QObject):
    """Asks for what opens the secrets of a wallet file, on `page` where more is to be shown."""

    def __init__(
        self,
        window: VaultWindow,
        path: str,
        cost: PasswordCost,
        title: str,
        text: str,
        page: UnlockPage | None = None,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._path = Path(path)
        self._cost = cost
        self._title = title
        self._password = ""
        self._page = page or UnlockPage(title, text, primary="&Continue", name="secrets")
        self._page.left.connect(window.cancel)
        self._page.submitted.connect(self._open)
        window.show_page(self._page)

    def _open(self) -> None:
        password = self._page.typed_password()
        if password is None:
            return
        self._password = password

        def work(step: creation.ProgressSink) -> SecretPayload:
            step(signing.OPENING, None)
            return signing.open_payload(self._path, password, self._cost)

        def failed(error: Exception) -> None:
            if isinstance(error, PasswordWrong):
                self._page.refuse_password(str(error))
            else:
                self._refuse(error)

        self._window.work(work, self._opened, failed, back_to=self._page)

    def _opened(self, payload: SecretPayload) -> None:
        if not payload.needs_passphrase:
            self._derive(payload, "", self._page)
            return
        page = PassphrasePage(is_new=False, secondary="Cancel")
        page.left.connect(self._window.cancel)

        def typed() -> None:
            passphrase = page.accepted_passphrase()
            if passphrase is not None:
                self._derive(payload, passphrase, page)

        page.submitted.connect(typed)
        self._window.show_page(page)

    def _derive(
        self, payload: SecretPayload, passphrase: str, back_to: UnlockPage | PassphrasePage
    ) -> None:
        def work(step: creation.ProgressSink) -> Keyring:
            step("Reading the keys", None)
            return signing.keyring(payload, passphrase)

        def failed(error: Exception) -> None:
            if isinstance(error, PassphraseWrong):
                back_to.refuse(str(error), back_to.first_field)
            else:
                self._refuse(error)

        self._window.work(
            work, lambda keys: self._with_keys(payload, passphrase, keys), failed, back_to=back_to
        )

    def _with_keys(self, payload: SecretPayload, passphrase: str, keys: Keyring) -> None:
        raise NotImplementedError

    def _refuse(self, error: Exception) -> None:
        self._window.refuse(self._title, failure(error))


class JoinFlow(SecretsFlow):
    """Open the words of a wallet, agree to the cosigners, write the multisig's own file."""

    def __init__(self, window: VaultWindow, request: JoinMultisig, cost: PasswordCost) -> None:
        self._request = request
        name = plain(Path(request.source).stem, 60)
        super().__init__(
            window,
            request.source,
            cost,
            f"Join a multisig with {name}",
            "The password opens the words of this wallet here. The multisig gets a wallet file of "
            "its own, with the same password.",
        )

    def _with_keys(self, payload: SecretPayload, passphrase: str, keys: Keyring) -> None:
        try:
            joining.check_network(payload.network, self._request.network)
            agreed = joining.agreed_descriptor(self._request.descriptor, keys.params)
            source = creation.keys_of(payload, keys.params, passphrase, agreed)
            root = creation.root_of(source, keys.params)
            joining.check_ours(agreed, root)
        except BadRequest as error:
            self._refuse(error)
            return
        page = AgreePage(joining.cosigners_text(agreed, root))
        page.left.connect(self._window.cancel)
        page.submitted.connect(
            lambda: self._window.work(
                lambda step: creation.create(
                    self._request, source, self._password, self._cost, step
                ),
                lambda created: _show_done(
                    self._window,
                    created,
                    "Keep a copy of the multisig's descriptor with each paper of words: without "
                    "the cosigners' keys the words of one do not find the money.",
                ),
                self._refuse,
                back_to=page,
            )
        )
        self._window.show_page(page)


class CosignerKeyFlow(SecretsFlow):
    """Open the words of a wallet and hand out the public key for a multisig."""

    def __init__(self, window: VaultWindow, request: ExportCosignerKey, cost: PasswordCost) -> None:
        self._request = request
        super().__init__(
            window,
            request.path,
            cost,
            f"A cosigner's key of {plain(Path(request.path).stem, 60)}",
            "The password opens the keys here; only the public key for the multisig leaves this "
            "window.",
        )

    def _with_keys(self, payload: SecretPayload, passphrase: str, keys: Keyring) -> None:
        del payload, passphrase
        try:
            key = joining.exported_key(
                keys.root, keys.params, self._request.script_type, self._request.account
            )
        except BadRequest as error:
            self._refuse(error)
            return
        self._window.finish(CosignerKeyExported(key))


def start_shared_flow(
    window: VaultWindow, request: JoinMultisig | WatchWallet | ExportCosignerKey, cost: PasswordCost
) -> QObject:
    """Begin to answer a request in the window. Raises the EXPECTED errors of vault.errors."""
    if isinstance(request, ExportCosignerKey):
        return CosignerKeyFlow(window, request, cost)
    creation.wallet_path(request)
    if isinstance(request, JoinMultisig):
        return JoinFlow(window, request, cost)
    return WatchFlow(window, request, cost)


def _show_done(window: VaultWindow, created: Created, text: str) -> None:
    name = plain(Path(created.reply.path).stem, 60)
    page = DonePage(f"{name} is ready", text, created.notices, primary="&Open the wallet")
    page.submitted.connect(lambda: window.finish(created.reply))
    # The file is there: closing the window by its frame does not undo that.
    window.reply = created.reply
    window.forget_secrets()
    window.show_page(page)
