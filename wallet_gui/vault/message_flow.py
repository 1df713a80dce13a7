"""What the vault's window does to sign a message: read it, type the password, done."""

from pathlib import Path

from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.transfer.messages import SignMessage
from wallet_gui.vault import message_signing, signing
from wallet_gui.vault.creation import ProgressSink
from wallet_gui.vault.message_page import MessagePage
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.shared_flows import SecretsFlow
from wallet_gui.vault.signing import Keyring
from wallet_gui.vault.window import VaultWindow
from wallet_gui.widgets.text import plain


class SignMessageFlow(SecretsFlow):
    """The page shows the message; the password is the consent. Raises BadRequest."""

    def __init__(self, window: VaultWindow, request: SignMessage, cost: PasswordCost) -> None:
        self._request = request
        wanted = message_signing.check(request)
        page = MessagePage(request, wanted, plain(Path(request.path).stem, 60))
        super().__init__(window, request.path, cost, "The message was not signed", "", page)

    def _with_keys(self, payload: SecretPayload, passphrase: str, keys: Keyring) -> None:
        del payload, passphrase
        self._window.header.play_badge.setVisible(keys.params.is_test)

        def work(step: ProgressSink) -> object:
            step(signing.SIGNING, None)
            return message_signing.sign(self._request, keys)

        self._window.work(work, self._window.finish, self._refuse, back_to=self._page)
