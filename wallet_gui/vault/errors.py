"""What the vault refuses, and how each refusal is told to the window."""

from typing import Final

from wallet_gui.curve import CurveError
from wallet_gui.keys.errors import (
    BrokenRandomSource,
    CorruptSecretBox,
    NotEnoughMemory,
    PasswordWrong,
    PolicyRefused,
    SeedError,
    SigningFailed,
    VaultError,
)
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.sealing import DamagedBox
from wallet_gui.sealing import NewerFormat as NewerBox
from wallet_gui.storage.errors import (
    AlreadyExists,
    ChangedOnDisk,
    Damaged,
    InUse,
    NewerFormat,
    NotFound,
    StorageError,
    Unreadable,
    WrongKey,
)
from wallet_gui.transfer.messages import MAX_SENTENCE, Failed, FailureKind
from wallet_gui.wallet.errors import WalletError


class PersonCancelled(Exception):
    """The person closed the window, answered no, or pressed Ctrl-C."""


class BadRequest(VaultError):
    """The request cannot be done as it is; the window or the command line has to ask anew."""


class WatchOnly(VaultError):
    """The wallet file has no secrets to sign with."""


class ReviewDiffers(VaultError):
    """The vault sees another payment in the same bytes than the window did."""


class PassphraseWrong(VaultError):
    """The passphrase leads to another wallet than this one."""


class SecretSourceFailed(VaultError):
    """A password, passphrase or phrase could not be read from where it should come from."""


KINDS: Final[tuple[tuple[type[Exception], FailureKind], ...]] = (
    (PasswordWrong, FailureKind.WRONG_PASSWORD),
    (WrongKey, FailureKind.WRONG_PASSWORD),
    (PassphraseWrong, FailureKind.WRONG_PASSWORD),
    (NewerFormat, FailureKind.NEWER_FORMAT),
    (NewerBox, FailureKind.NEWER_FORMAT),
    (CorruptSecretBox, FailureKind.DAMAGED_FILE),
    (Damaged, FailureKind.DAMAGED_FILE),
    (DamagedBox, FailureKind.DAMAGED_FILE),
    (InUse, FailureKind.IN_USE),
    (ChangedOnDisk, FailureKind.IN_USE),
    (AlreadyExists, FailureKind.EXISTS),
    (NotFound, FailureKind.NOT_FOUND),
    (Unreadable, FailureKind.DISK),
    (StorageError, FailureKind.DISK),
    (NotEnoughMemory, FailureKind.MEMORY),
    (BrokenRandomSource, FailureKind.ENTROPY),
    (SeedError, FailureKind.BAD_WORDS),
    (PolicyRefused, FailureKind.POLICY),
    (SigningFailed, FailureKind.POLICY),
    (ReviewDiffers, FailureKind.REVIEW_DIFFERS),
    (WatchOnly, FailureKind.WATCH_ONLY),
    (BadRequest, FailureKind.BAD_REQUEST),
    (SecretSourceFailed, FailureKind.BAD_REQUEST),
    (WalletError, FailureKind.POLICY),
    (ParseError, FailureKind.BAD_REQUEST),
    (CurveError, FailureKind.INTERNAL),
)
"""Our exceptions, the narrower before the wider; their text is a sentence without any secret."""

EXPECTED: Final[tuple[type[Exception], ...]] = tuple(cls for cls, _ in KINDS)


def failure(error: Exception) -> Failed:
    """Return the reply for one of the EXPECTED errors."""
    for cls, kind in KINDS:
        if isinstance(error, cls):
            return Failed(kind, str(error)[:MAX_SENTENCE])
    raise TypeError("not one of the vault's own errors") from None


def internal_failure(error: BaseException) -> Failed:
    """Return the reply for a bug: the type's name only, since the text may hold a secret."""
    return Failed(
        FailureKind.INTERNAL,
        f"Something went wrong inside the vault ({type(error).__name__}). Nothing was changed: try "
        "again, and report it if it comes back.",
    )
