"""Every kind of write to a wallet file, as numbered steps: what is on the disk tells its number.

Step `n` of a wallet does one kind of write after the other: label, address and request, frozen
coin, signed payment that waits (a PSBT that was finished), a setting, an import of labels, an
upgrade to stronger protection, a password change. Tests interrupt them and look up which number
survived.
"""

import tempfile
from pathlib import Path
from typing import Final

from tests.unit.storage.samples import (
    CHEAP,
    NEW_SALT,
    NEW_SECRET_BOX,
    NEW_VIEW_KEY,
    SALT,
    SECRET_BOX,
    VIEW_KEY,
    create,
)
from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.storage.fs import FileSystem
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import Keychain, OwnTransaction, PaymentRequest, ViewChange

KINDS: Final = (
    "label",
    "address",
    "freeze",
    "payment",
    "upgrade",
    "setting",
    "import",
    "password",
)
_NEW_KEY: Final = frozenset({"upgrade", "password"})
ACCESS: Final = (
    (VIEW_KEY, SALT, SECRET_BOX),
    (NEW_VIEW_KEY, NEW_SALT, NEW_SECRET_BOX),
)
FOLDER: Final = Path("/nowhere")
COUNTER: Final = ("addr", "counter")


class CopiesRemain(Exception):
    """A password was changed, and the wallet said that some older copies have the old one still."""


def kind_of(number: int) -> str:
    return KINDS[number % len(KINDS)]


def access_after(number: int) -> int:
    """Which of ACCESS opens the file once step `number` is done; step 0 is its creation."""
    cycles, rest = divmod(number + 1, len(KINDS))
    changes = cycles * len(_NEW_KEY) + sum(kind in _NEW_KEY for kind in KINDS[:rest])
    return changes % 2


def number_of(state: ViewState) -> int:
    """Return the last step whose content is there."""
    return max(int(state.view.labels.get(COUNTER, "0")), int(state.settings.get("n", 0)))


def write(wallet_file: WalletFile, number: int) -> None:
    """Do step `number`; when it returns, it is acknowledged."""
    txid = number.to_bytes(32, "big")
    counted: ViewChange = ViewChange(labels={COUNTER: str(number)})
    match kind_of(number):
        case "label":
            wallet_file.merge(counted)
        case "address":
            request = PaymentRequest(Keychain.RECEIVE, number, 0, "Ada", 1, "", 1_700_000_000)
            asked = ViewChange(
                revealed={(0, Keychain.RECEIVE): number}, requests={request.key: request}
            )
            wallet_file.merge(counted.merge(asked))
        case "freeze":
            wallet_file.merge(counted.merge(ViewChange(frozen={OutPoint(txid, 0): True})))
        case "payment":
            own = ViewChange(own_transactions={txid: OwnTransaction(b"\x02raw" * 50, number)})
            wallet_file.merge(counted.merge(own))
        case "setting":
            wallet_file.keep_setting("n", number)
        case "import":
            many = {("tx", f"{number:032x}{each:032x}"): "imported" for each in range(30)}
            wallet_file.merge(counted.merge(ViewChange(labels=many)))
        case "upgrade":
            key, salt, secret_box = ACCESS[access_after(number)]
            state = wallet_file.state.merge(counted)
            wallet_file.seal_anew(key, CHEAP, salt, secret_box, state)
        case _:
            key, salt, secret_box = ACCESS[access_after(number)]
            notices = wallet_file.change_password(key, CHEAP, salt, secret_box)
            wallet_file.keep_setting("n", number)
            if notices:
                raise CopiesRemain


class HeldLock(FileLock):
    """The lock is not what is interrupted here."""

    @property
    def held(self) -> bool:
        return True


class Clock:
    """An hour later at each look: each save rotates the older copies."""

    def __init__(self) -> None:
        self.time = 1_700_000_000

    def __call__(self) -> float:
        self.time += 3_601
        return self.time


def open_in(files: FileSystem, access: int, name: str = "a.wallet") -> WalletFile:
    lock = HeldLock(FOLDER / name)
    return WalletFile.open(lock, ACCESS[access][0], files=files, now=Clock(), minimum=CHEAP)


_FIRST: dict[str, bytes] = {}


def first_folder() -> dict[str, bytes]:
    """A folder with a wallet just created: step 0."""
    if not _FIRST:
        with tempfile.TemporaryDirectory() as folder:
            create(Path(folder) / "a.wallet")
            _FIRST["a.wallet"] = (Path(folder) / "a.wallet").read_bytes()
    return dict(_FIRST)
