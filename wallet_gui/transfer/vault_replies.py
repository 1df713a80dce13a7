"""What the vault answers."""

from dataclasses import dataclass, field
from enum import StrEnum

from wallet_gui.primitives.serialize import ParseError
from wallet_gui.transfer.message_limits import (
    MAX_MESSAGE_SIGNATURE,
    MAX_PATH,
    MAX_PSBT,
    MAX_SENTENCE,
    VIEW_KEY_SIZE,
    exactly,
    text,
)


class FailureKind(StrEnum):
    """Why a request could not be done, for a program; the sentence beside it is for a person."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - the name of a failure
    DAMAGED_FILE = "damaged_file"
    NEWER_FORMAT = "newer_format"
    IN_USE = "in_use"
    EXISTS = "exists"
    NOT_FOUND = "not_found"
    DISK = "disk"
    MEMORY = "memory"
    ENTROPY = "entropy"
    BAD_WORDS = "bad_words"
    BAD_REQUEST = "bad_request"
    POLICY = "policy"
    REVIEW_DIFFERS = "review_differs"
    WATCH_ONLY = "watch_only"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class WalletCreated:
    path: str = field(metadata=text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class WalletUnlocked:
    path: str = field(metadata=text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    path: str = field(metadata=text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class PsbtSigned:
    psbt_base64: str = field(metadata=text(MAX_PSBT))


@dataclass(frozen=True, slots=True)
class MessageSigned:
    """`signature` as it is given to others; "" while cosigners are missing: `partial` is theirs."""

    signature: str = field(metadata=text(MAX_MESSAGE_SIGNATURE))
    partial: str = field(default="", metadata=text(MAX_MESSAGE_SIGNATURE))


@dataclass(frozen=True, slots=True)
class CosignerKeyExported:
    """`key` is public: [fingerprint/path]xpub."""

    key: str = field(metadata=text(1000))


@dataclass(frozen=True, slots=True)
class BackupChecked:
    """What a copy of a wallet file is worth; all of it was shown to the person already.

    `differences` says what the copy lacks although it is good. `is_recorded` says that the vault
    kept the date itself.
    """

    is_same: bool
    sentence: str = field(metadata=text(MAX_SENTENCE))
    differences: tuple[str, ...] = field(default=(), metadata=text(MAX_SENTENCE))
    is_recorded: bool = False


@dataclass(frozen=True, slots=True)
class WordsDrilled:
    """Whether the words on paper are the wallet's; which are not, by position from 1.

    `word_count` is 0 for a wallet that has no words. Closing the window after wrong words gives
    this reply too, with `is_right` False.
    """

    is_right: bool
    sentence: str = field(metadata=text(MAX_SENTENCE))
    word_count: int = 0
    wrong_positions: tuple[int, ...] = ()
    has_passphrase: bool = False
    is_recorded: bool = False


@dataclass(frozen=True, slots=True)
class WordsShown:
    """The person saw the words, or had them written into the file that was named."""


@dataclass(frozen=True, slots=True)
class SelfTested:
    """What the vault agrees with, by name; `problem` is a sentence when something is wrong."""

    agreed: tuple[str, ...] = field(metadata=text(100))
    problem: str = field(default="", metadata=text(MAX_SENTENCE))


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The person closed the vault's window or answered no; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was changed; `sentence` says to a person what to do next."""

    kind: FailureKind
    sentence: str = field(metadata=text(MAX_SENTENCE))


@dataclass(frozen=True, slots=True)
class Progress:
    """A long step goes on; `fraction` from 0 to 1, None when its length is unknown."""

    step: str = field(metadata=text(200))
    fraction: float | None = None

    def __post_init__(self) -> None:
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise ParseError("The progress of a step is a number from 0 to 1.")
