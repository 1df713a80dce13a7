"""Unlocking: from the password to the view key, which the window gets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_gui.keys.kdf import derive_key
from wallet_gui.storage.errors import WrongKey
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents, open_view
from wallet_gui.transfer.messages import WalletUnlocked
from wallet_gui.vault.creation import ProgressSink
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.upgrading import is_outdated, upgrade

CHECKING: Final = "Checking the password"
WRONG_PASSWORD: Final = (  # a sentence, no password
    "The password is wrong. Check the keyboard layout and the Caps Lock key, and type it again."  # noqa: S105
)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """The reply to an unlocking and what the person should be told besides."""

    reply: WalletUnlocked
    notices: tuple[str, ...]


def unlock(
    path: Path,
    password: str,
    cost: PasswordCost,
    progress: ProgressSink | None = None,
    *,
    lock_held: bool = False,
) -> Unlocked:
    """Derive the view key and prove that it opens the file; takes one run of Argon2id.

    A file that an older program sealed is sealed anew on this occasion, which takes up to five
    more; `lock_held` says that the process which started this one holds the file's lock. Raises
    WrongKey with a sentence for a person, StorageError, NotEnoughMemory.
    """
    contents = WalletFile.read(path, minimum=cost.minimum)
    key = view_key(contents, password, cost)
    notices = contents.notices
    if is_outdated(contents, open_view(contents, key, minimum=cost.minimum), cost):
        key, notice = upgrade(
            path, password, key, cost, progress or _tell_nobody, lock_held=lock_held
        )
        notices = (*notices, notice) if notice else notices
    return Unlocked(WalletUnlocked(str(path), key), notices)


def _tell_nobody(_step: str, _fraction: float | None) -> None:
    """Take the progress of a caller that shows none."""


def view_key(contents: WalletFileContents, password: str, cost: PasswordCost) -> bytes:
    """Return the view key of the file's contents; raises WrongKey, Damaged, NewerFormat."""
    header = contents.view_header
    key = derive_key(password, header.salt, header.kdf)
    try:
        open_view(contents, key, minimum=cost.minimum)
    except WrongKey:
        raise WrongKey(WRONG_PASSWORD) from None
    return key
