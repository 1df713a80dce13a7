"""Which errors are a sentence for the person, and with which exit status each ends the program."""

from wallet_gui.cli.result import EXIT_FAILED, EXIT_USAGE, CommandError, UsageError
from wallet_gui.curve import CurveError
from wallet_gui.custody.vault_errors import VaultCancelled, VaultError, VaultRefused
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.errors import StorageError
from wallet_gui.wallet.errors import InsufficientFunds, WalletError

EXIT_VAULT = 3
EXIT_FUNDS = 4

FAILURES = (
    CommandError,
    ParseError,
    VaultError,
    WalletError,
    StorageError,
    CurveError,
)


def status_of(error: BaseException) -> int:
    """Tell the exit status for one of FAILURES."""
    match error:
        case InsufficientFunds():
            return EXIT_FUNDS
        case VaultCancelled() | VaultRefused():
            return EXIT_VAULT
        case UsageError() | ParseError():
            return EXIT_USAGE
        case _:
            return EXIT_FAILED
