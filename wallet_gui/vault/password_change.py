"""Changing the password: both boxes under new keys, the older copies replaced."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wallet_gui.keys import secret_box
from wallet_gui.keys.kdf import derive_new_key
from wallet_gui.sealing import new_salt, parse_box
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import ChangePassword, PasswordChanged
from wallet_gui.vault.creation import WRITING, ProgressSink, check_new_password
from wallet_gui.vault.errors import BadRequest
from wallet_gui.vault.format_note import noted
from wallet_gui.vault.password_cost import PasswordCost
from wallet_gui.vault.unlocking import CHECKING, view_key

PROTECTING_ANEW: Final = "Protecting the wallet with the new password"


@dataclass(frozen=True, slots=True)
class Changed:
    """The reply to a password change and what the person should be told besides."""

    reply: PasswordChanged
    notices: tuple[str, ...]


def change_password(
    request: ChangePassword,
    old: str,
    new: str,
    cost: PasswordCost,
    progress: ProgressSink,
) -> Changed:
    """Seal the wallet anew; takes four runs of Argon2id.

    Raises WrongKey or PasswordWrong when the old password is wrong, BadRequest for the new one,
    StorageError. Until the new file is on the disk the old password holds.
    """
    check_new_password(new)
    if new == old:
        raise BadRequest("The new password is the old one. Choose another one.")
    path = Path(request.path)
    subject = f"The wallet “{path.stem}”"
    lock = FileLock.delegated(path, subject) if request.lock_held else FileLock(path, subject)
    with lock:
        contents = WalletFile.read(path, minimum=cost.minimum)
        progress(CHECKING, 0.0)
        old_key = view_key(contents, old, cost)
        payload = None
        if contents.secret_box is not None:
            progress(CHECKING, 0.25)
            payload = secret_box.open(old, contents.secret_box, minimum=cost.minimum)
        wallet_file = WalletFile.open(lock, old_key, minimum=cost.minimum)
        progress(PROTECTING_ANEW, 0.5)
        salt = new_salt()
        view = derive_new_key(new, salt, cost.preferred, cost.fallback)
        secret = None
        reduced = view.reduced
        if payload is not None:
            progress(PROTECTING_ANEW, 0.75)
            secret = secret_box.seal(
                new,
                payload,
                parameters=cost.preferred,
                fallback=cost.fallback,
                minimum=cost.minimum,
            )
            header, _ = parse_box(secret, minimum=cost.minimum)
            reduced = reduced or header.kdf != cost.preferred
        progress(PROTECTING_ANEW, 1.0)
        # The last step: what is told after the writing could be cancelled, though it is done.
        progress(WRITING, None)
        state = wallet_file.state if secret is None else noted(wallet_file.state)
        notices = wallet_file.change_password(view.key, view.parameters, salt, secret, state)
    if reduced:
        notices += (cost.reduced_notice,)
    return Changed(PasswordChanged(str(path), view.key), (*wallet_file.notices, *notices))
