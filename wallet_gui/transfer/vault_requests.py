"""What the window asks of the vault."""

from dataclasses import dataclass, field
from typing import Final

from wallet_gui.transfer.message_limits import (
    DIGEST_SIZE,
    MAX_DESCRIPTOR,
    MAX_MESSAGE,
    MAX_MESSAGE_SIGNATURE,
    MAX_PATH,
    MAX_PSBT,
    TEXT_SCALE,
    exactly,
    text,
)

PROMPT: Final = "prompt"
"""Headless source of a secret: ask on the terminal (/dev/tty)."""

STDIN: Final = "stdin"
"""Headless source of a secret: one line of the vault's standard input."""


SOURCE_WORDS: Final = "words"
SOURCE_XPRV: Final = "xprv"


@dataclass(frozen=True, slots=True)
class HeadlessOptions:
    """Where a vault without a window reads secrets and consent; the person gave them in argv.

    Each source is `PROMPT`, `STDIN` or the path of a file that the vault itself reads. When
    several sources are `STDIN`, the lines come in this order: password, new password, words,
    passphrase, dice. On creation `words_file` says where the new words are *shown*: `PROMPT` for
    the terminal, else a file that must not exist yet; on restoring it may hold an extended private
    key instead. `assume_yes` replaces the typed "yes" of the
    review, `accept_high_fee` the second question about a fee that is unusually high.
    """

    password_file: str = field(default=PROMPT, metadata=text(MAX_PATH))
    new_password_file: str = field(default=PROMPT, metadata=text(MAX_PATH))
    words_file: str = field(default=PROMPT, metadata=text(MAX_PATH))
    passphrase_file: str = field(default=PROMPT, metadata=text(MAX_PATH))
    assume_yes: bool = False
    accept_high_fee: bool = False
    dice_file: str = field(default=PROMPT, metadata=text(MAX_PATH))


@dataclass(frozen=True, slots=True)
class SelfTest:
    """Ask the vault to compute official test vectors and to look at its random numbers."""

    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class CreateWallet:
    """Make new words and a new wallet file `directory`/`name`.wallet.

    `script_types` are names of descriptors.DescriptorType, lower case ("wpkh", "tr", "sh_wpkh",
    "pkh"); the first one hands out addresses. `use_passphrase` asks for a 25th word, `use_dice` for
    rolls that are mixed into the system's random numbers.
    `appearance` is "system", "light" or "dark" and `text_scale` a percentage, 80 to 200, for
    the vault's window.
    """

    directory: str = field(metadata=text(MAX_PATH))
    name: str = field(metadata=text(255))
    network: str = field(metadata=text(16))
    language: str = field(default="english", metadata=text(32))
    word_count: int = 12
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    use_passphrase: bool = False
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)
    use_dice: bool = False


@dataclass(frozen=True, slots=True)
class RestoreWallet:
    """Make a wallet file from words, or a key, that the person types into the vault.

    `birthday_time` is a Unix time before which the wallet was surely not used; None when unknown.
    The other fields are as in `CreateWallet`; the language is recognised from the words. With a
    multisig `descriptor`, of which one key comes from the words, it becomes that wallet, and
    `script_types` and `account` do not matter. With the `source` SOURCE_XPRV it is an extended
    private key (or descriptors with one), which may say itself what its addresses are.
    """

    directory: str = field(metadata=text(MAX_PATH))
    name: str = field(metadata=text(255))
    network: str = field(metadata=text(16))
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    use_passphrase: bool = False
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)
    descriptor: str = field(default="", metadata=text(MAX_DESCRIPTOR))
    source: str = field(default=SOURCE_WORDS, metadata=text(16))


@dataclass(frozen=True, slots=True)
class JoinMultisig:
    """Make the wallet file of a multisig, with the words of the wallet file at `source`.

    The person sees the cosigners and agrees; the new file has the password of the old one.
    """

    directory: str = field(metadata=text(MAX_PATH))
    name: str = field(metadata=text(255))
    network: str = field(metadata=text(16))
    source: str = field(metadata=text(MAX_PATH))
    descriptor: str = field(metadata=text(MAX_DESCRIPTOR))
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class WatchWallet:
    """Make a wallet file without secrets; the person chooses its password in the vault.

    `descriptors` are public account descriptors, `active` the one that hands out addresses.
    """

    directory: str = field(metadata=text(MAX_PATH))
    name: str = field(metadata=text(255))
    network: str = field(metadata=text(16))
    descriptors: tuple[str, ...] = field(metadata=text(MAX_DESCRIPTOR))
    active: int = 0
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class ExportCosignerKey:
    """Ask for the public key with which the wallet at `path` joins a multisig.

    `script_type` is the name of a descriptors.MultisigType, lower case ("wsh", "sh_wsh", "sh").
    """

    path: str = field(metadata=text(MAX_PATH))
    script_type: str = field(default="wsh", metadata=text(16))
    account: int = 0
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class ShowWords:
    """Show the words of the wallet at `path` to the person in the vault once more."""

    path: str = field(metadata=text(MAX_PATH))
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class UnlockWallet:
    """Ask for the password of the wallet file at `path` and hand back its view key.

    A file that an older program sealed is sealed anew on this occasion, unless somebody else holds
    its lock; `lock_held` says that the sender holds it for the vault, as in `ChangePassword`.
    """

    path: str = field(metadata=text(MAX_PATH))
    lock_held: bool = False
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class KnownIndex:
    """The highest index shown so far on one chain of the wallet (`keychain` 0 or 1)."""

    descriptor_index: int
    keychain: int
    index: int


@dataclass(frozen=True, slots=True)
class SignPsbt:
    """Show what the PSBT does and, if the person agrees and types the password, sign it.

    `request_digest` is the digest of the review as the window sees it; the vault refuses when
    its own review of the same bytes has another one. `known_indexes` only decides whether an own
    output is called unusual; it can never make a foreign output look like an own one.
    """

    path: str = field(metadata=text(MAX_PATH))
    psbt_base64: str = field(metadata=text(MAX_PSBT))
    request_digest: bytes = field(metadata=exactly(DIGEST_SIZE))
    known_indexes: tuple[KnownIndex, ...] = ()
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class SignMessage:
    """Show a message and, if the person agrees and types the password, sign it for one address.

    The vault derives the address itself from descriptor, `keychain` (0 or 1) and `index`, and
    refuses when it is not `address`. `format` names a wallet.messages.MessageFormat, "" the usual
    one; `partial` is what other cosigners of a multisig signed already (PSBT, base64).
    """

    path: str = field(metadata=text(MAX_PATH))
    message: str = field(metadata=text(MAX_MESSAGE))
    address: str = field(metadata=text(100))
    descriptor_index: int
    keychain: int
    index: int
    format: str = field(default="", metadata=text(16))
    partial: str = field(default="", metadata=text(MAX_MESSAGE_SIGNATURE))
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Ask for the old and a new password and seal both boxes and the older copies anew.

    `lock_held` says that the sender holds the file's lock for the vault; it must not write the
    file until the reply is there.
    """

    path: str = field(metadata=text(MAX_PATH))
    lock_held: bool = False
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class CheckBackup:
    """Prove that the copy at `backup_path` brings the wallet at `path` back.

    Both are decrypted in the vault, and nothing is written but, with `record`, the date: then the
    vault takes the wallet's lock for itself. Headless, the password of a copy that opens with
    another one than the wallet comes from `new_password_file`.
    """

    path: str = field(metadata=text(MAX_PATH))
    backup_path: str = field(metadata=text(MAX_PATH))
    record: bool = False
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class DrillWords:
    """Let the person type the words from paper and compare them with the wallet's; shows none.

    `record` is as in `CheckBackup`.
    """

    path: str = field(metadata=text(MAX_PATH))
    record: bool = False
    appearance: str = field(default="system", metadata=text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=TEXT_SCALE)
