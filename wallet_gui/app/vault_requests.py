"""What the vault is asked for; the same for the window that has no network."""

from wallet_gui.custody.requests import (
    VaultLook,
    cosigner_key_request,
    create_request,
    join_request,
    restore_request,
    sign_request,
    unlock_request,
    watch_request,
)

__all__ = [
    "VaultLook",
    "cosigner_key_request",
    "create_request",
    "join_request",
    "restore_request",
    "sign_request",
    "unlock_request",
    "watch_request",
]
