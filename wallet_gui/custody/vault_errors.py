"""How a request to the vault fails, for whoever sent it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wallet_gui.transfer.messages import FailureKind


class VaultError(Exception):
    """The vault did not do what it was asked; the message says what to do."""


class VaultRefused(VaultError):
    """The vault answered with a reason."""

    def __init__(self, kind: "FailureKind", sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind


class VaultCancelled(VaultError):
    """The person closed the vault's window; nothing happened."""

    is_cancelled = True

    def __init__(self) -> None:
        super().__init__("Cancelled; nothing was changed.")
