"""Checking a copy of a wallet file: both are opened here, and compared down to the addresses."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from wallet_gui.descriptors.descriptor import Descriptor
from wallet_gui.keys import secret_box
from wallet_gui.keys.errors import CorruptSecretBox, PasswordWrong
from wallet_gui.keys.kdf import derive_key
from wallet_gui.keys.secret_box import SecretPayload
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.primitives.serialize import ParseError
from wallet_gui.storage.backups import read_copy
from wallet_gui.storage.errors import InUse, StorageError, WrongKey
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view
from wallet_gui.transfer.messages import BackupChecked, CheckBackup
from wallet_gui.vault import signing
from wallet_gui.vault.errors import BadRequest
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.unlocking import WRONG_PASSWORD
from wallet_gui.wallet.backup_checks import SETTING, BackupChecks, BackupKind

CHECKING: Final = "Opening the wallet and the copy"
COMPARED_ADDRESSES: Final = 20
COPY_PASSWORD: Final = (  # a sentence, no password
    "The copy does not open with the password of the wallet. Type the password that the wallet "  # noqa: S105
    "had when the copy was made. If you never changed it, this is a copy of another wallet."
)
_MAKE_ANOTHER: Final = "Save a new copy of the wallet now, and check that one."


class CopyPasswordWrong(WrongKey):
    """The copy opens with another password than the wallet."""

    def __init__(self) -> None:
        super().__init__(COPY_PASSWORD)


@dataclass(frozen=True, slots=True, repr=False)
class OpenedFile:
    """What is inside a wallet file; its repr shows nothing."""

    state: ViewState
    payload: SecretPayload | None
    view_key: bytes

    def __repr__(self) -> str:
        return "<OpenedFile>"


@dataclass(frozen=True, slots=True)
class Pair:
    """A wallet file and the copy of it, as read without a key."""

    path: Path
    copy_path: Path
    wallet: WalletFileContents
    copy: WalletFileContents


def read_pair(request: CheckBackup, cost: PasswordCost) -> Pair:
    """Read both files. Raises StorageError, Damaged for a damaged copy, BadRequest."""
    path, copy_path = Path(request.path), Path(request.backup_path)
    wallet = WalletFile.read(path, minimum=cost.minimum)
    try:
        is_itself = copy_path.samefile(path)
    except OSError:
        is_itself = False
    if is_itself:
        raise BadRequest(
            "This is the wallet file itself, not a copy of it. Save a copy first, best on another "
            "disk, and choose that one."
        )
    return Pair(path, copy_path, wallet, read_copy(copy_path, minimum=cost.minimum))


def open_wallet(pair: Pair, password: str, cost: PasswordCost) -> OpenedFile:
    """Open the wallet; takes two runs of Argon2id. Raises WrongKey."""
    try:
        return _open(pair.wallet, password, cost, None)
    except (WrongKey, PasswordWrong):
        raise WrongKey(WRONG_PASSWORD) from None


def open_copy(pair: Pair, wallet: OpenedFile, password: str, cost: PasswordCost) -> OpenedFile:
    """Open the copy; what it has in common with the wallet is not worked out twice.

    Raises CopyPasswordWrong.
    """
    try:
        return _open(pair.copy, password, cost, (pair.wallet, wallet))
    except (WrongKey, PasswordWrong):
        raise CopyPasswordWrong from None


def _open(
    contents: WalletFileContents,
    password: str,
    cost: PasswordCost,
    known: tuple[WalletFileContents, OpenedFile] | None,
) -> OpenedFile:
    header = contents.view_header
    state = None
    view_key = b""
    if known is not None and (header.salt, header.kdf) == (
        known[0].view_header.salt,
        known[0].view_header.kdf,
    ):
        view_key = known[1].view_key
        try:
            state = open_view(contents, view_key, minimum=cost.minimum)
        except WrongKey:
            state = None
    if state is None:
        view_key = derive_key(password, header.salt, header.kdf)
        state = open_view(contents, view_key, minimum=cost.minimum)
    if contents.secret_box is None:
        return OpenedFile(state, None, view_key)
    if known is not None and contents.secret_box == known[0].secret_box:
        return OpenedFile(state, known[1].payload, view_key)
    payload = secret_box.open(password, contents.secret_box, minimum=cost.minimum)
    return OpenedFile(state, payload, view_key)


def compare(
    pair: Pair, wallet: OpenedFile, copy: OpenedFile, *, is_other_password: bool = False
) -> BackupChecked:
    """Say what the copy is worth. Never raises for a copy of another wallet: that is the answer.

    `is_other_password` says that the copy was opened with a password of its own.
    """
    sentence = _why_not_same(wallet, copy)
    if sentence:
        return BackupChecked(is_same=False, sentence=f"{sentence} {_MAKE_ANOTHER}")
    try:
        count = _compared_addresses(wallet, copy)
    except (ParseError, CorruptSecretBox) as error:
        return BackupChecked(
            is_same=False, sentence=f"The copy cannot be used. {error} {_MAKE_ANOTHER}"
        )
    if count is None:
        return BackupChecked(
            is_same=False,
            sentence=f"The copy's keys do not lead to this wallet's addresses. {_MAKE_ANOTHER}",
        )
    what = "its keys, its descriptors" if wallet.payload is not None else "its descriptors"
    accounts = len(wallet.state.description.descriptors)
    each = f" of each of its {accounts} accounts" if accounts > 1 else ""
    return BackupChecked(
        is_same=True,
        sentence=(
            f"The copy brings this wallet back: {what} and the first {count} addresses{each} are "
            "the same."
        ),
        differences=_differences(pair, wallet, copy, is_other_password=is_other_password),
    )


def _why_not_same(wallet: OpenedFile, copy: OpenedFile) -> str:
    ours, theirs = wallet.state.description, copy.state.description
    if ours.network != theirs.network:
        return f"This is a copy of a wallet for {theirs.network}, not for {ours.network}."
    if wallet.payload is not None and copy.payload is None:
        return (
            "This copy holds no keys: it only watches, and could show the payments but not spend."
        )
    if wallet.payload != copy.payload or set(ours.descriptors) != set(theirs.descriptors):
        return "This is a copy of another wallet."
    return ""


def _compared_addresses(wallet: OpenedFile, copy: OpenedFile) -> int | None:
    """Compare what both files, and the copy's own keys, derive; None when it differs."""
    params = NETWORKS.get(wallet.state.description.network)
    if params is None:
        raise ParseError("It names an unknown network.")
    ours, theirs = (
        tuple(Descriptor.parse(text, params) for text in opened.state.description.descriptors)
        for opened in (wallet, copy)
    )
    payload = copy.payload
    if payload is not None and not payload.needs_passphrase:
        derived = signing.keyring(payload).descriptors
        if set(derived) != set(theirs):
            return None
        theirs = tuple(sorted(derived, key=str))
    ours, theirs = (tuple(sorted(several, key=str)) for several in (ours, theirs))
    for one, other in zip(ours, theirs, strict=True):
        for index in range(COMPARED_ADDRESSES):
            if one.address(index) != other.address(index):
                return None
    return COMPARED_ADDRESSES


def _differences(
    pair: Pair, wallet: OpenedFile, copy: OpenedFile, *, is_other_password: bool
) -> tuple[str, ...]:
    view, older = wallet.state.view.settled(), copy.state.view.settled()
    lacking = [
        _counted(_lacking(view.labels, older.labels), "label"),
        _counted(_lacking(view.requests, older.requests), "payment request"),
        _counted(_lacking(view.frozen, older.frozen), "frozen coin"),
    ]
    said = [item for item in lacking if item]
    told = []
    if said:
        told.append(
            f"It is older than the wallet and lacks {_listed(said)}. The money does not depend on "
            "that; save a new copy to keep it too."
        )
    if is_other_password:
        told.append(
            "It was made under another password than the wallet has now: keep that one in mind, or "
            "replace the copy by a new one."
        )
    if _is_same_disk(pair):
        told.append("It is on the same disk as the wallet. Keep another copy on another disk.")
    return tuple(told)


def _lacking(now: Mapping[Any, Any], then: Mapping[Any, Any]) -> int:
    return sum(then.get(key) != value for key, value in now.items())


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}" if count else ""


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _is_same_disk(pair: Pair) -> bool:
    try:
        return os.stat(pair.path).st_dev == os.stat(pair.copy_path).st_dev  # noqa: PTH116
    except OSError:
        return False


def record(
    path: Path,
    view_key: bytes,
    change: Callable[[BackupChecks, int], BackupChecks],
    cost: PasswordCost,
) -> tuple[bool, str]:
    """Keep what a check found in the wallet file; `change` gets what is kept and the Unix time.

    Takes the wallet's lock. Returns whether it is kept, and the sentence about why not.
    """
    try:
        with FileLock(path) as lock:
            wallet_file = WalletFile.open(lock, view_key, minimum=cost.minimum)
            checks = BackupChecks.of(wallet_file.settings.get(SETTING))
            wallet_file.keep_setting(SETTING, change(checks, int(time.time())).to_setting())
    except InUse:
        return False, "The wallet is open elsewhere, so the date of this check was not noted."
    except StorageError as error:
        return False, f"The date of this check could not be noted. {error}"
    return True, ""


def recorded(
    path: Path, wallet: OpenedFile, reply: BackupChecked, cost: PasswordCost
) -> BackupChecked:
    """Keep the date of a good check, and say so in the reply."""
    is_kept, why_not = record(
        path, wallet.view_key, lambda checks, now: checks.succeeded(BackupKind.FILE, now), cost
    )
    more = (*reply.differences, why_not) if why_not else reply.differences
    return replace(reply, is_recorded=is_kept, differences=more)


def derived_view_key(path: Path, password: str, cost: PasswordCost) -> bytes:
    """Derive the view key for `record`; takes one run of Argon2id."""
    header = WalletFile.read(path, minimum=cost.minimum).view_header
    return derive_key(password, header.salt, header.kdf)
