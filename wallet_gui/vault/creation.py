"""Creating and restoring: from words and a password to a wallet file."""

import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wallet_gui.descriptors.descriptor import Descriptor, DescriptorType
from wallet_gui.descriptors.xpub import HARDENED
from wallet_gui.keys import dice, secret_box
from wallet_gui.keys.accounts import account_descriptors
from wallet_gui.keys.imported import ImportedKeys, Root
from wallet_gui.keys.kdf import derive_new_key
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.keys.seed import LANGUAGES, WORD_COUNTS, Seed, canonical_words, new_entropy
from wallet_gui.keys.xprv import ExtendedPrivateKey
from wallet_gui.primitives.params import NETWORKS, ChainParams, by_name
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.sealing import VIEW, new_salt, parse_box, seal_box
from wallet_gui.storage.errors import AlreadyExists
from wallet_gui.storage.file_names import GENERATIONS, WALLET_SUFFIX
from wallet_gui.storage.fs import OS_FILES
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    SOURCE_WORDS,
    SOURCE_XPRV,
    CreateWallet,
    JoinMultisig,
    NewWalletRequest,
    RestoreWallet,
    WalletCreated,
    WatchWallet,
)
from wallet_gui.vault.errors import BadRequest
from wallet_gui.vault.format_note import current_settings
from wallet_gui.vault.importing import wallet_descriptors
from wallet_gui.vault.joining import agreed_descriptor, check_ours
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.wallet.changes import WalletDescription

WalletKeys = Seed | ImportedKeys
Entropy = Callable[[int], bytes]
ProgressSink = Callable[[str, float | None], None]

# A clock that is two hours slow is not a reason to refuse today.
_CLOCK_SLACK: Final = 2 * 3600
PROTECTING: Final = "Protecting the wallet with your password"
WRITING: Final = "Writing the wallet file"
LEAST_PASSWORD: Final = 8
EXAMPLE_WORDS: Final = (
    "But they follow a pattern, as published examples do: anybody can take what is paid to them."
)
MAX_WATCHED: Final = 20

_CACHE_KEY_SIZE: Final = 32
_LONGEST_NAME: Final = 100
# What one of the file systems in use refuses or reads as something else.
_FORBIDDEN_IN_NAMES: Final = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]')
_RESERVED_NAMES: Final = re.compile(r"(?i)(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?")


@dataclass(frozen=True, slots=True)
class Created:
    """The reply to a creation and what the person should be told besides."""

    reply: WalletCreated
    notices: tuple[str, ...]


def wallet_path(request: NewWalletRequest) -> Path:
    """Check the request before anything is shown or typed; return the file to be written.

    Raises BadRequest, or AlreadyExists when the name is taken.
    """
    name = request.name
    if (
        not name.strip(" .")
        or name != name.strip(" ")
        or name.startswith(".")
        or name.endswith(".")
        or len(name.encode()) > _LONGEST_NAME
        or _FORBIDDEN_IN_NAMES.search(name)
        or _RESERVED_NAMES.fullmatch(name)
    ):
        raise BadRequest(
            "A wallet's name is its file's name: use letters, digits, blanks, - and _, at most "
            f"{_LONGEST_NAME} of them."
        )
    if request.network not in NETWORKS:
        raise BadRequest(f"There is no network of that name; choose one of {', '.join(NETWORKS)}.")
    _check_birthday(request.birthday_time)
    if isinstance(request, RestoreWallet):
        _check_source(request)
    _check_kind(request)
    path = Path(request.directory) / f"{name}{WALLET_SUFFIX}"
    if not path.is_absolute():
        raise BadRequest("The folder of a new wallet is given with its full path.")
    _refuse_taken(path)
    return path


def _check_kind(request: NewWalletRequest) -> None:
    """Check what the wallet is to be, apart from its place."""
    params = by_name(request.network)
    match request:
        case JoinMultisig():
            agreed_descriptor(request.descriptor, params)
        case WatchWallet():
            watched_descriptors(request)
        case RestoreWallet() if request.descriptor:
            agreed_descriptor(request.descriptor, params)
        case _:
            _check_accounts(request)


def _check_source(request: RestoreWallet) -> None:
    if request.source not in (SOURCE_WORDS, SOURCE_XPRV):
        raise BadRequest("A wallet is restored from words or from an extended private key.")
    if request.source == SOURCE_XPRV and request.use_passphrase:
        raise BadRequest(
            "An extended private key has its passphrase in it already; restore without one."
        )


def _check_accounts(request: CreateWallet | RestoreWallet) -> None:
    known = {kind.name.lower() for kind in DescriptorType}
    types = request.script_types
    if not types or not set(types) <= known or len(set(types)) != len(types):
        raise BadRequest(f"Choose the kinds of addresses from {', '.join(sorted(known))}.")
    if not 0 <= request.account < HARDENED:
        raise BadRequest("Account numbers go from 0 to 2147483647.")
    if isinstance(request, CreateWallet):
        if request.word_count not in WORD_COUNTS:
            raise BadRequest("A new wallet has 12, 15, 18, 21 or 24 words.")
        if request.language not in LANGUAGES:
            raise BadRequest(f"There is no word list of that name; there are {_listed(LANGUAGES)}.")


def watched_descriptors(request: WatchWallet) -> tuple[Descriptor, ...]:
    """Read the descriptors of a wallet that only watches. Raises BadRequest."""
    params = by_name(request.network)
    try:
        descriptors = tuple(Descriptor.parse(text, params) for text in request.descriptors)
    except ParseError as error:
        raise BadRequest(f"This wallet cannot be watched. {error}") from None
    if not descriptors or len(set(descriptors)) != len(descriptors):
        raise BadRequest("A wallet that watches needs a descriptor, each only once.")
    if len(descriptors) > MAX_WATCHED or not all(d.is_account for d in descriptors):
        raise BadRequest(
            "A wallet that watches needs descriptors that end in /<0;1>/*, at most "
            f"{MAX_WATCHED} of them."
        )
    if not 0 <= request.active < len(descriptors):
        raise BadRequest("The wallet names an active descriptor that it does not have.")
    return descriptors


def _check_birthday(birthday_time: int | None) -> None:
    if birthday_time is not None and birthday_time < 0:
        raise BadRequest("The wallet's birthday lies before 1970; correct the date.")
    if birthday_time is not None and birthday_time > time.time() + _CLOCK_SLACK:
        raise BadRequest("The wallet's birthday is still to come; correct the date or the clock.")


def _refuse_taken(path: Path) -> None:
    # WalletFile.create refuses it again, under the lock; here it spares the person the typing.
    if any(OS_FILES.exists(path.with_name(path.name + ending)) for ending in ("", *GENERATIONS)):
        raise AlreadyExists(
            f"There is already a wallet called {path.stem} in this folder. Choose another name."
        )


def new_seed(request: CreateWallet, source: Entropy = secrets.token_bytes) -> Seed:
    """Draw the entropy of a new wallet. Raises BrokenRandomSource."""
    return Seed(new_entropy(request.word_count * 32 // 3, source), request.language)


def seed_with_dice(seed: Seed, rolls: str) -> Seed:
    """Return the seed with the rolls of dice mixed in. Raises DiceError."""
    return Seed(dice.mix(seed.entropy, rolls), seed.language, seed.passphrase)


def with_passphrase(seed: Seed, passphrase: str) -> Seed:
    """Return the seed with the 25th word. Raises BadRequest for an empty one."""
    if not passphrase:
        raise BadRequest("The passphrase is empty. Type one, or make a wallet without.")
    return Seed(seed.entropy, seed.language, passphrase)


def words_asked(count: int) -> int:
    """Return how many of `count` words are typed back: 3 of 12, 4 of 24."""
    return 4 if count > 18 else 3


def is_same_word(typed: str, word: str) -> bool:
    """Compare a typed word with the right one, as restoring would understand it."""
    return canonical_words(typed) == canonical_words(word)


def root_of(keys: WalletKeys, params: ChainParams) -> Root:
    """Return the key from which all others of a wallet come."""
    if isinstance(keys, ImportedKeys):
        return keys.root
    return ExtendedPrivateKey.from_seed(keys.stretched(), params)


def root_and_descriptors(
    seed: Seed, params: ChainParams, account: int, script_types: tuple[str, ...]
) -> tuple[ExtendedPrivateKey, tuple[Descriptor, ...]]:
    """Derive the master key and the wallet's descriptors, in the order of `script_types`."""
    root = ExtendedPrivateKey.from_seed(seed.stretched(), params)
    kinds = tuple(DescriptorType[name.upper()] for name in script_types)
    derived = account_descriptors(root, params, account, kinds)
    return root, tuple(derived[kind] for kind in kinds)


def check_new_password(password: str) -> None:
    """Raise BadRequest for an empty or very short password; weaker ones are the owner's choice."""
    if not password:
        raise BadRequest("Choose a password: without one, anybody who copies the file can spend.")
    if len(password) < LEAST_PASSWORD:
        raise BadRequest(
            f"This password has {len(password)} characters; use at least {LEAST_PASSWORD}. Several "
            "random words are easy to remember and hard to guess."
        )


def keys_of(
    payload: SecretPayload,
    params: ChainParams,
    passphrase: str = "",
    agreed: Descriptor | None = None,
) -> WalletKeys:
    """Return what another wallet file is made from: the words, or the imported key.

    Of an imported key the multisig `agreed` may know better than we where it comes from.
    """
    if not payload.is_imported:
        return payload.seed(passphrase)
    keys = ImportedKeys(payload.root(params))
    return keys if agreed is None else keys.agreeing_with(agreed)


def create(
    request: CreateWallet | RestoreWallet | JoinMultisig,
    keys: WalletKeys,
    password: str,
    cost: PasswordCost,
    progress: ProgressSink,
) -> Created:
    """Write the wallet file; takes two runs of Argon2id.

    Raises BadRequest, StorageError, NotEnoughMemory; nothing is left behind then.
    """
    path = wallet_path(request)
    check_new_password(password)
    params = by_name(request.network)
    agreed = "" if isinstance(request, CreateWallet) else request.descriptor
    script_types: tuple[str, ...] = ()
    account = active = 0
    root: Root
    descriptors: tuple[Descriptor, ...]
    if agreed or isinstance(request, JoinMultisig):
        descriptors = (agreed_descriptor(agreed, params),)
        if isinstance(keys, ImportedKeys):
            keys = keys.agreeing_with(descriptors[0])
        root = root_of(keys, params)
        check_ours(descriptors[0], root)
    elif isinstance(keys, ImportedKeys):
        root, active = keys.root, keys.active
        descriptors = wallet_descriptors(keys, params, request.script_types, request.account)
    else:
        script_types, account = request.script_types, request.account
        root, descriptors = root_and_descriptors(keys, params, account, script_types)
    texts = tuple(descriptor.to_string() for descriptor in descriptors)
    payload = SecretPayload(
        entropy=keys.entropy if isinstance(keys, Seed) else b"",
        language=keys.language if isinstance(keys, Seed) else "english",
        passphrase_fingerprint=(
            root.fingerprint if isinstance(keys, Seed) and keys.passphrase else None
        ),
        network=params.name,
        script_types=script_types,
        account=account,
        descriptors=() if script_types else texts,
        imported_xprv=root.serialize() if isinstance(keys, ImportedKeys) else "",
    )
    birthday = request.birthday_time
    if birthday is None and isinstance(keys, ImportedKeys):
        birthday = keys.birthday_time
    description = _description(
        replace(request, birthday_time=birthday),
        texts,
        root.fingerprint.hex(),
        has_secrets=True,
        active=active,
    )
    return _write(path, description, payload, password, cost, progress)


def create_watching(
    request: WatchWallet, password: str, cost: PasswordCost, progress: ProgressSink
) -> Created:
    """Write a wallet file without secrets; takes one run of Argon2id. Raises as `create` does."""
    path = wallet_path(request)
    check_new_password(password)
    descriptors = watched_descriptors(request)
    fingerprints = {fingerprint for d in descriptors for fingerprint in d.fingerprints}
    description = _description(
        request,
        tuple(descriptor.to_string() for descriptor in descriptors),
        # Several cosigners have no fingerprint in common.
        fingerprints.pop().hex() if len(fingerprints) == 1 else "",
        has_secrets=False,
        active=request.active,
    )
    return _write(path, description, None, password, cost, progress)


def _description(
    request: NewWalletRequest,
    descriptors: tuple[str, ...],
    fingerprint: str,
    *,
    has_secrets: bool,
    active: int = 0,
) -> WalletDescription:
    return WalletDescription(
        name=request.name,
        network=request.network,
        descriptors=descriptors,
        active=active,
        fingerprint=fingerprint,
        birthday_time=request.birthday_time,
        cache_key=secrets.token_bytes(_CACHE_KEY_SIZE),
        has_secrets=has_secrets,
    )


def _write(
    path: Path,
    description: WalletDescription,
    payload: SecretPayload | None,
    password: str,
    cost: PasswordCost,
    progress: ProgressSink,
) -> Created:
    progress(PROTECTING, 0.0)
    salt = new_salt()
    view = derive_new_key(password, salt, cost.preferred, cost.fallback)
    progress(PROTECTING, 0.5)
    secret = None
    reduced = view.reduced
    if payload is not None:
        secret = secret_box.seal(
            password,
            payload,
            parameters=cost.preferred,
            fallback=cost.fallback,
            minimum=cost.minimum,
        )
        header, _ = parse_box(secret, minimum=cost.minimum)
        reduced = reduced or header.kdf != cost.preferred
    state = ViewState(description, settings=current_settings() if secret is not None else {})
    view_box = seal_box(view.key, VIEW, view.parameters, salt, state.encode(), minimum=cost.minimum)
    progress(PROTECTING, 1.0)
    # The last step: what is told after the writing could be cancelled, though it is done.
    progress(WRITING, None)
    WalletFile.create(path, view_box, secret, view_key=view.key, minimum=cost.minimum)
    notices = (cost.reduced_notice,) if reduced else ()
    return Created(WalletCreated(str(path.resolve()), view.key), notices)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
