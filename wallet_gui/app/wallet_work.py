"""What `Online` needs as soon as there is a wallet; it loads this module with the first of them."""

from wallet_gui.app.vault_requests import (
    VaultLook,
    create_request,
    restore_request,
    sign_request,
    unlock_request,
)
from wallet_gui.app.wallet_opening import open_session
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    CosignerKeyExported,
    PsbtSigned,
    WalletCreated,
    WalletUnlocked,
)
from wallet_gui.wallet.draft import check_signs_alone
from wallet_gui.wallet.errors import NotReplaceable
from wallet_gui.wallet.signed import finish

__all__ = [
    "CosignerKeyExported",
    "NotReplaceable",
    "Psbt",
    "PsbtSigned",
    "VaultLook",
    "WalletCreated",
    "WalletFile",
    "WalletUnlocked",
    "check_signs_alone",
    "create_request",
    "finish",
    "open_session",
    "restore_request",
    "sign_request",
    "unlock_request",
]
