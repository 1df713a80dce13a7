"""VaultAsking: how the online side asks the vault for whatever needs a key."""

from typing import TYPE_CHECKING, TypeVar

from wallet_gui.app.vault_client import VaultClient
from wallet_gui.storage.settings import DataDirectory, Settings

if TYPE_CHECKING:
    from wallet_gui.app.session import WalletSession
    from wallet_gui.app.vault_requests import VaultLook
    from wallet_gui.primitives.psbt import Psbt
    from wallet_gui.transfer.messages import ExportCosignerKey, HeadlessOptions, Request

R = TypeVar("R")


class VaultAsking:
    """What goes to the vault looks as the settings say."""

    def __init__(
        self,
        data_directory: DataDirectory,
        vault: VaultClient,
        headless: "HeadlessOptions | None",
    ) -> None:
        """With `headless` the vault asks for nothing itself."""
        self.data_directory = data_directory
        self.vault = vault
        self._headless = headless
        self.settings = Settings()

    async def cosigner_key(self, request: "ExportCosignerKey") -> str:
        """Ask the vault for the public key with which a wallet joins a multisig."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        return (await self.ask_vault(request, wallet_work.CosignerKeyExported)).key

    async def ask_vault(self, request: "Request", reply_type: type[R]) -> R:
        """Ask the vault for whatever needs a key. Raises VaultError, VaultCancelled."""
        return await self.vault.ask(request, reply_type)

    def vault_look(self) -> "VaultLook":
        """What goes with every request to the vault."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        return wallet_work.VaultLook(
            str(self.data_directory.wallets_directory),
            self.settings.appearance,
            self.settings.text_scale,
            self._headless,
        )

    async def sign_psbt(self, session: "WalletSession", psbt: "Psbt") -> "Psbt":
        """Let the vault review and sign any PSBT that spends this wallet's coins."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        request = wallet_work.sign_request(session.path, session.wallet, psbt, self.vault_look())
        signed = await self.ask_vault(request, wallet_work.PsbtSigned)
        return wallet_work.Psbt.parse(signed.psbt_base64)
