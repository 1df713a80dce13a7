"""What the window and the vault say to each other: typed requests and replies, strictly read.

The window sends one request; the vault answers with any number of `Progress` and one other reply.
No message has a field for a password, a word or a private key, and every field is a plain JSON
value (bytes as base64), so nothing can be smuggled in that the receiver did not ask for: an
unknown message, a missing, additional or mistyped field is a ParseError.

The view key is the one key that crosses: it opens labels and public descriptors, nothing else.
"""

import base64
import binascii
import json
import math
import types
from dataclasses import dataclass, field, fields, is_dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

from wallet_gui.primitives.serialize import ParseError

PROMPT: Final = "prompt"
"""Headless source of a secret: ask on the terminal (/dev/tty)."""

STDIN: Final = "stdin"
"""Headless source of a secret: one line of the vault's standard input."""

MAX_PATH: Final = 4096
MAX_SENTENCE: Final = 2000
MAX_PSBT: Final = 14_000_000  # base64 of a 10 MB transaction; a frame has 16 MiB
MAX_ITEMS: Final = 10_000
MAX_DESCRIPTOR: Final = 10_000  # 15 cosigners, with their origins
VIEW_KEY_SIZE: Final = 32
DIGEST_SIZE: Final = 32

M = TypeVar("M")


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


def _text(maximum: int) -> dict[str, int]:
    return {"max": maximum}


def _exactly(size: int) -> dict[str, int]:
    return {"min": size, "max": size}


# Percent: what the settings offer (storage.settings); another size makes the vault unreadable.
_TEXT_SCALE = {"min": 80, "max": 200}


@dataclass(frozen=True, slots=True)
class HeadlessOptions:
    """Where a vault without a window reads secrets and consent; the person gave them in argv.

    Each source is `PROMPT`, `STDIN` or the path of a file that the vault itself reads. When
    several sources are `STDIN`, the lines come in this order: password, new password, words,
    passphrase. On creation `words_file` says where the new words are *shown*: `PROMPT` for the
    terminal, else a file that must not exist yet. `assume_yes` replaces the typed "yes" of the
    review, `accept_high_fee` the second question about a fee that is unusually high.
    """

    password_file: str = field(default=PROMPT, metadata=_text(MAX_PATH))
    new_password_file: str = field(default=PROMPT, metadata=_text(MAX_PATH))
    words_file: str = field(default=PROMPT, metadata=_text(MAX_PATH))
    passphrase_file: str = field(default=PROMPT, metadata=_text(MAX_PATH))
    assume_yes: bool = False
    accept_high_fee: bool = False


@dataclass(frozen=True, slots=True)
class CreateWallet:
    """Make new words and a new wallet file `directory`/`name`.wallet.

    `script_types` are names of descriptors.DescriptorType, lower case ("wpkh", "tr", "sh_wpkh",
    "pkh"); the first one hands out addresses. `use_passphrase` asks for a 25th word.
    `appearance` is "system", "light" or "dark" and `text_scale` a percentage, 80 to 200, for
    the vault's window.
    """

    directory: str = field(metadata=_text(MAX_PATH))
    name: str = field(metadata=_text(255))
    network: str = field(metadata=_text(16))
    language: str = field(default="english", metadata=_text(32))
    word_count: int = 12
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    use_passphrase: bool = False
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class RestoreWallet:
    """Make a wallet file from words that the person types into the vault.

    `birthday_time` is a Unix time before which the wallet was surely not used; None when unknown.
    The other fields are as in `CreateWallet`; the language is recognised from the words. With a
    multisig `descriptor`, of which one key comes from the words, it becomes that wallet, and
    `script_types` and `account` do not matter.
    """

    directory: str = field(metadata=_text(MAX_PATH))
    name: str = field(metadata=_text(255))
    network: str = field(metadata=_text(16))
    script_types: tuple[str, ...] = ("wpkh",)
    account: int = 0
    use_passphrase: bool = False
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)
    descriptor: str = field(default="", metadata=_text(MAX_DESCRIPTOR))


@dataclass(frozen=True, slots=True)
class JoinMultisig:
    """Make the wallet file of a multisig, with the words of the wallet file at `source`.

    The person sees the cosigners and agrees; the new file has the password of the old one.
    """

    directory: str = field(metadata=_text(MAX_PATH))
    name: str = field(metadata=_text(255))
    network: str = field(metadata=_text(16))
    source: str = field(metadata=_text(MAX_PATH))
    descriptor: str = field(metadata=_text(MAX_DESCRIPTOR))
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class WatchWallet:
    """Make a wallet file without secrets; the person chooses its password in the vault.

    `descriptors` are public account descriptors, `active` the one that hands out addresses.
    """

    directory: str = field(metadata=_text(MAX_PATH))
    name: str = field(metadata=_text(255))
    network: str = field(metadata=_text(16))
    descriptors: tuple[str, ...] = field(metadata=_text(MAX_DESCRIPTOR))
    active: int = 0
    birthday_time: int | None = None
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class ExportCosignerKey:
    """Ask for the public key with which the wallet at `path` joins a multisig.

    `script_type` is the name of a descriptors.MultisigType, lower case ("wsh", "sh_wsh", "sh").
    """

    path: str = field(metadata=_text(MAX_PATH))
    script_type: str = field(default="wsh", metadata=_text(16))
    account: int = 0
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class UnlockWallet:
    """Ask for the password of the wallet file at `path` and hand back its view key."""

    path: str = field(metadata=_text(MAX_PATH))
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


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

    path: str = field(metadata=_text(MAX_PATH))
    psbt_base64: str = field(metadata=_text(MAX_PSBT))
    request_digest: bytes = field(metadata=_exactly(DIGEST_SIZE))
    known_indexes: tuple[KnownIndex, ...] = ()
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class ChangePassword:
    """Ask for the old and a new password and seal both boxes and the older copies anew.

    `lock_held` says that the sender holds the file's lock for the vault; it must not write the
    file until the reply is there.
    """

    path: str = field(metadata=_text(MAX_PATH))
    lock_held: bool = False
    appearance: str = field(default="system", metadata=_text(16))
    headless: HeadlessOptions | None = None
    text_scale: int = field(default=100, metadata=_TEXT_SCALE)


@dataclass(frozen=True, slots=True)
class WalletCreated:
    path: str = field(metadata=_text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=_exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class WalletUnlocked:
    path: str = field(metadata=_text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=_exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    path: str = field(metadata=_text(MAX_PATH))
    view_key: bytes = field(repr=False, metadata=_exactly(VIEW_KEY_SIZE))


@dataclass(frozen=True, slots=True)
class PsbtSigned:
    psbt_base64: str = field(metadata=_text(MAX_PSBT))


@dataclass(frozen=True, slots=True)
class CosignerKeyExported:
    """`key` is public: [fingerprint/path]xpub."""

    key: str = field(metadata=_text(1000))


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The person closed the vault's window or answered no; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was changed; `sentence` says to a person what to do next."""

    kind: FailureKind
    sentence: str = field(metadata=_text(MAX_SENTENCE))


@dataclass(frozen=True, slots=True)
class Progress:
    """A long step goes on; `fraction` from 0 to 1, None when its length is unknown."""

    step: str = field(metadata=_text(200))
    fraction: float | None = None

    def __post_init__(self) -> None:
        if self.fraction is not None and not 0 <= self.fraction <= 1:
            raise ParseError("The progress of a step is a number from 0 to 1.")


NewWalletRequest = CreateWallet | RestoreWallet | JoinMultisig | WatchWallet
Request = NewWalletRequest | UnlockWallet | SignPsbt | ChangePassword | ExportCosignerKey
Reply = (
    WalletCreated
    | WalletUnlocked
    | PasswordChanged
    | PsbtSigned
    | CosignerKeyExported
    | Cancelled
    | Failed
    | Progress
)
Message = Request | Reply

REQUESTS: Final[tuple[type[Request], ...]] = get_args(Request)
REPLIES: Final[tuple[type[Reply], ...]] = get_args(Reply)

_INT_BOUND = 1 << 63


def to_json(message: Message) -> bytes:
    """Write a message as one UTF-8 JSON object with its class name under "type".

    Raises ParseError when a field breaks its own limits (a sentence that is too long, say).
    """
    value = {"type": type(message).__name__, **_object_to_json(message)}
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        raise ParseError(
            "A file name or text has characters that are not valid Unicode; rename the file."
        ) from None


def from_json(data: bytes, expected: tuple[type[M], ...]) -> M:
    """Read one message that is of one of the `expected` classes; raises ParseError otherwise."""
    try:
        value = json.loads(
            data.decode(), object_pairs_hook=_unique_pairs, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        # json's own message quotes the text around the error; it may hold the view key.
        raise ParseError("A message of the vault pipe is not valid JSON.") from None
    if not isinstance(value, dict):
        raise ParseError("A message of the vault pipe is not a JSON object.")
    name = value.pop("type", None)
    for cls in expected:
        if name == cls.__name__:
            return _object_from_json(cls, value)
    raise ParseError("A message of the vault pipe is of a kind that is not expected here.")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ParseError("A message of the vault pipe names a field twice.")
    return unique


def _refuse_constant(_text: str) -> Any:
    raise ParseError("A message of the vault pipe has a number that is not finite.")


def _object_to_json(value: Any) -> dict[str, Any]:
    hints = get_type_hints(type(value))
    return {
        item.name: _to_json(hints[item.name], getattr(value, item.name), item)
        for item in fields(value)
    }


def _object_from_json(cls: type[M], raw: Any) -> M:
    if not isinstance(raw, dict):
        raise ParseError(f"{cls.__name__} in a message of the vault pipe is not an object.")
    hints = get_type_hints(cls)
    items = fields(cls)  # type: ignore[arg-type]  # every message is a dataclass
    if raw.keys() != {item.name for item in items}:
        raise ParseError(f"{cls.__name__} in a message of the vault pipe has other fields.")
    return cls(**{item.name: _from_json(hints[item.name], raw[item.name], item) for item in items})


def _refused(item: Any) -> ParseError:
    # Only the field's name: its value may be the view key.
    return ParseError(f"The field {item.name} of a message of the vault pipe is not acceptable.")


def _check_size(size: int, item: Any) -> None:
    if not item.metadata.get("min", 0) <= size <= item.metadata.get("max", MAX_PATH):
        raise _refused(item)


def _optional(kind: Any) -> Any:
    """`X` for the annotation `X | None`, else None."""
    if get_origin(kind) in (types.UnionType, Union):
        (inner,) = [part for part in get_args(kind) if part is not types.NoneType]
        return inner
    return None


def _to_json(kind: Any, value: Any, item: Any) -> Any:
    inner = _optional(kind)
    if inner is not None:
        return None if value is None else _to_json(inner, value, item)
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple) or len(value) > MAX_ITEMS:
            raise _refused(item)
        return [_to_json(get_args(kind)[0], part, item) for part in value]
    if is_dataclass(kind):
        if type(value) is not kind:
            raise _refused(item)
        return _object_to_json(value)
    if kind is bytes:
        if not isinstance(value, bytes):
            raise _refused(item)
        _check_size(len(value), item)
        return base64.b64encode(value).decode()
    return _checked_plain(kind, value, item)


def _from_json(kind: Any, raw: Any, item: Any) -> Any:
    inner = _optional(kind)
    if inner is not None:
        return None if raw is None else _from_json(inner, raw, item)
    if get_origin(kind) is tuple:
        if not isinstance(raw, list) or len(raw) > MAX_ITEMS:
            raise _refused(item)
        return tuple(_from_json(get_args(kind)[0], part, item) for part in raw)
    if isinstance(kind, type) and is_dataclass(kind):
        return _object_from_json(kind, raw)
    if kind is bytes:
        return _bytes_from_base64(raw, item)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        try:
            return kind(raw)
        except ValueError:
            raise _refused(item) from None
    return _checked_plain(kind, raw, item)


def _bytes_from_base64(raw: Any, item: Any) -> bytes:
    if not isinstance(raw, str):
        raise _refused(item)
    try:
        value = base64.b64decode(raw, validate=True)
    except (binascii.Error, ValueError):
        raise _refused(item) from None
    if base64.b64encode(value).decode() != raw:  # several spellings of the same bytes
        raise _refused(item)
    _check_size(len(value), item)
    return value


def _checked_plain(kind: Any, value: Any, item: Any) -> Any:
    """Text, whole number, truth value or fraction, as itself; bool is no number here."""
    if kind is float and type(value) is int:
        value = float(value) if abs(value) <= 1 else math.nan
    if isinstance(kind, type) and issubclass(kind, StrEnum) and type(value) is kind:
        return value.value
    if type(value) is not kind:
        raise _refused(item)
    if kind is str:
        _check_size(len(value), item)
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise _refused(item)
    if kind is int:
        least, most = (
            item.metadata.get("min", -_INT_BOUND),
            item.metadata.get("max", _INT_BOUND - 1),
        )
        if not least <= value <= most:
            raise _refused(item)
    if kind is float and not math.isfinite(value):
        raise _refused(item)
    return value
