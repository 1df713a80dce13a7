"""What the window and the vault say to each other: typed requests and replies, strictly read.

The window sends one request; the vault answers with any number of `Progress` and one other reply.
No message has a field for a password, a word or a private key, and every field is a plain JSON
value (bytes as base64), so nothing can be smuggled in that the receiver did not ask for: an
unknown message, a missing, additional or mistyped field is a ParseError.

The view key is the one key that crosses: it opens labels and public descriptors, nothing else.
"""

from typing import Final, get_args

from wallet_gui.transfer.message_json import from_json, to_json
from wallet_gui.transfer.message_limits import (
    DIGEST_SIZE,
    MAX_DESCRIPTOR,
    MAX_ITEMS,
    MAX_MESSAGE,
    MAX_PATH,
    MAX_PSBT,
    MAX_SENTENCE,
    VIEW_KEY_SIZE,
)
from wallet_gui.transfer.vault_replies import (
    BackupChecked,
    Cancelled,
    CosignerKeyExported,
    Failed,
    FailureKind,
    MessageSigned,
    PasswordChanged,
    Progress,
    PsbtSigned,
    SelfTested,
    WalletCreated,
    WalletUnlocked,
    WordsDrilled,
    WordsShown,
)
from wallet_gui.transfer.vault_requests import (
    PROMPT,
    SOURCE_WORDS,
    SOURCE_XPRV,
    STDIN,
    ChangePassword,
    CheckBackup,
    CreateWallet,
    DrillWords,
    ExportCosignerKey,
    HeadlessOptions,
    JoinMultisig,
    KnownIndex,
    RestoreWallet,
    SelfTest,
    ShowWords,
    SignMessage,
    SignPsbt,
    UnlockWallet,
    WatchWallet,
)

NewWalletRequest = CreateWallet | RestoreWallet | JoinMultisig | WatchWallet
Request = (
    NewWalletRequest
    | UnlockWallet
    | SignPsbt
    | ChangePassword
    | ExportCosignerKey
    | CheckBackup
    | DrillWords
    | SignMessage
    | ShowWords
    | SelfTest
)
Reply = (
    WalletCreated
    | WalletUnlocked
    | PasswordChanged
    | PsbtSigned
    | MessageSigned
    | CosignerKeyExported
    | BackupChecked
    | WordsDrilled
    | WordsShown
    | SelfTested
    | Cancelled
    | Failed
    | Progress
)
Message = Request | Reply

REQUESTS: Final[tuple[type[Request], ...]] = get_args(Request)
REPLIES: Final[tuple[type[Reply], ...]] = get_args(Reply)

__all__ = [
    "DIGEST_SIZE",
    "MAX_DESCRIPTOR",
    "MAX_ITEMS",
    "MAX_MESSAGE",
    "MAX_PATH",
    "MAX_PSBT",
    "MAX_SENTENCE",
    "PROMPT",
    "REPLIES",
    "REQUESTS",
    "SOURCE_WORDS",
    "SOURCE_XPRV",
    "STDIN",
    "VIEW_KEY_SIZE",
    "BackupChecked",
    "Cancelled",
    "ChangePassword",
    "CheckBackup",
    "CosignerKeyExported",
    "CreateWallet",
    "DrillWords",
    "ExportCosignerKey",
    "Failed",
    "FailureKind",
    "HeadlessOptions",
    "JoinMultisig",
    "KnownIndex",
    "Message",
    "MessageSigned",
    "NewWalletRequest",
    "PasswordChanged",
    "Progress",
    "PsbtSigned",
    "Reply",
    "Request",
    "RestoreWallet",
    "SelfTest",
    "SelfTested",
    "ShowWords",
    "SignMessage",
    "SignPsbt",
    "UnlockWallet",
    "WalletCreated",
    "WalletUnlocked",
    "WatchWallet",
    "WordsDrilled",
    "WordsShown",
    "from_json",
    "to_json",
]
