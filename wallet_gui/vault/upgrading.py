"""Sealing wallet files of older programs anew, at the moment when the password is at hand.

A box is sealed anew when its password check costs less than a new one's, or when its contents have
an older format. In the first case the older copies go, as after a password change: a password is
guessed at the cheapest copy. In the second what was there stays as the newest of them. A file
without the note of `format_note` is looked into once.
"""

from pathlib import Path
from typing import Final

from wallet_gui.keys import secret_box
from wallet_gui.keys.errors import CorruptSecretBox, NotEnoughMemory, PasswordWrong
from wallet_gui.keys.kdf import derive_key
from wallet_gui.sealing import KdfParameters, new_salt, parse_box
from wallet_gui.sealing import NewerFormat as NewerBox
from wallet_gui.storage.errors import InUse, StorageError
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import WalletFileContents
from wallet_gui.vault.creation import ProgressSink
from wallet_gui.vault.format_note import has_old_secrets, noted
from wallet_gui.vault.password_cost import PasswordCost

UPGRADING: Final = "Protecting the wallet as this version does"


def is_outdated(contents: WalletFileContents, state: ViewState, cost: PasswordCost) -> bool:
    """Whether a file would be written otherwise today; one that a newer program wrote is not."""
    if contents.source:
        return False  # an older copy: the file itself has to be mended first
    if _is_weaker(contents.view_header.kdf, cost.preferred):
        return True
    if contents.secret_box is None:
        return False
    header, _ = parse_box(contents.secret_box, minimum=cost.minimum)
    return has_old_secrets(state) or _is_weaker(header.kdf, cost.preferred)


def upgrade(
    path: Path,
    password: str,
    view_key: bytes,
    cost: PasswordCost,
    progress: ProgressSink,
    *,
    lock_held: bool,
) -> tuple[bytes, str]:
    """Seal an outdated file anew; returns the view key that opens it now, and a notice or "".

    Takes up to five more runs of Argon2id. The file is left as it is when somebody else has it
    open, when the password does not open the secrets, or when the disk refuses. Raises only what
    `progress` raises, before anything is written.
    """
    subject = f"The wallet “{path.stem}”"
    lock = FileLock.delegated(path, subject) if lock_held else FileLock(path, subject)
    try:
        with lock:
            return _seal_anew(lock, password, view_key, cost, progress)
    except (InUse, PasswordWrong, NewerBox):
        return view_key, ""
    except (StorageError, CorruptSecretBox, NotEnoughMemory) as error:
        return view_key, f"The wallet file keeps the protection of an older version. {error}"


def _seal_anew(
    lock: FileLock, password: str, view_key: bytes, cost: PasswordCost, progress: ProgressSink
) -> tuple[bytes, str]:
    wallet_file = WalletFile.open(lock, view_key, minimum=cost.minimum)
    contents = WalletFile.read(lock.path, minimum=cost.minimum)
    state = wallet_file.state
    if not is_outdated(contents, state, cost):
        return view_key, ""
    progress(UPGRADING, 0.25)
    secret = contents.secret_box
    new_secret = None
    if secret is not None:
        new_secret = _secret_anew(password, secret, cost, is_old=has_old_secrets(state))
        state = noted(state)
    progress(UPGRADING, 0.75)
    header = contents.view_header
    kdf, salt = header.kdf, header.salt
    stronger = _stronger_key(password, kdf, cost)
    if stronger is not None:
        view_key, kdf, salt = stronger
    elif new_secret == secret and state == wallet_file.state:
        return view_key, ""  # this computer has not the memory that more protection takes
    progress(UPGRADING, None)
    # Where guessing became more expensive, nothing that is cheaper to guess at may be left over.
    is_stronger = stronger is not None or _is_kdf_other(secret, new_secret, cost)
    notices = wallet_file.seal_anew(view_key, kdf, salt, new_secret, state, is_stronger=is_stronger)
    return view_key, " ".join(notices)


def _is_kdf_other(box: bytes | None, other: bytes | None, cost: PasswordCost) -> bool:
    if box is None or other is None:
        return False
    headers = [parse_box(each, minimum=cost.minimum)[0] for each in (box, other)]
    return headers[0].kdf != headers[1].kdf


def _secret_anew(password: str, box: bytes, cost: PasswordCost, *, is_old: bool) -> bytes:
    header, _ = parse_box(box, minimum=cost.minimum)
    if not is_old and not _is_weaker(header.kdf, cost.preferred):
        return box
    payload, key = secret_box.open_with_key(password, box, minimum=cost.minimum)
    kdf, salt = header.kdf, header.salt
    stronger = _stronger_key(password, kdf, cost)
    if stronger is not None:
        key, kdf, salt = stronger
    elif not is_old:
        return box
    return secret_box.seal_with(key, kdf, salt, payload, minimum=cost.minimum)


def _stronger_key(
    password: str, kdf: KdfParameters, cost: PasswordCost
) -> tuple[bytes, KdfParameters, bytes] | None:
    """Derive a key with the parameters of today, or of a computer with less memory; with a salt.

    None when that protects no better.
    """
    for parameters in (cost.preferred, cost.fallback):
        if not _is_weaker(kdf, parameters):
            return None
        salt = new_salt()
        try:
            key = derive_key(password, salt, parameters)
            # Twice: the older copies go, and nobody may learn later that memory was faulty.
            if derive_key(password, salt, parameters) != key:
                raise CorruptSecretBox(
                    "This computer worked out two different keys from one password: its memory is "
                    "faulty. Nothing was changed."
                )
        except NotEnoughMemory:
            continue
        return key, parameters, salt
    return None


def _is_weaker(kdf: KdfParameters, than: KdfParameters) -> bool:
    return kdf.memory_kib < than.memory_kib or kdf.iterations < than.iterations
