"""Wallets, keys and change sets that several storage tests use."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from wallet_gui.primitives.transaction import OutPoint
from wallet_gui.sealing import SECRET, VIEW, KdfParameters, seal_box
from wallet_gui.storage.fs import OS_FILES, FileSystem
from wallet_gui.storage.view_state import ViewState
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.wallet.changes import (
    Keychain,
    OwnTransaction,
    PaymentRequest,
    ViewChange,
    WalletDescription,
)

CHEAP: Final = KdfParameters(8, 1, 1)
SALT: Final = bytes(range(16))
VIEW_KEY: Final = b"V" * 32
SECRET_KEY: Final = b"S" * 32
NEW_SALT: Final = bytes(range(16, 32))
NEW_VIEW_KEY: Final = b"v" * 32
NEW_SECRET_KEY: Final = b"s" * 32
SECRET_TEXT: Final = b"sixteen bytes of entropy and a language"

DESCRIPTION: Final = WalletDescription(
    name="savings",
    network="regtest",
    descriptors=("wpkh([d34db33f/84h/1h/0h]tpub/<0;1>/*)#cs", "tr([d34db33f/86h/1h/0h]tpub)#cs"),
    active=0,
    fingerprint="d34db33f",
    birthday_time=1_700_000_000,
    cache_key=b"C" * 32,
)

FULL_VIEW: Final = ViewChange(
    revealed={(0, Keychain.RECEIVE): 7, (0, Keychain.CHANGE): 0, (1, Keychain.RECEIVE): 19},
    labels={("tx", "ab" * 32): "Miete ☂", ("addr", "bcrt1q"): '"quoted"\nline', ("tx", ""): "x"},
    requests={
        (0, Keychain.RECEIVE, 3): PaymentRequest(
            Keychain.RECEIVE, 3, 0, "Bob", 10_000, "for the book", 1_700_000_100, 1_800_000_000
        ),
        (0, Keychain.RECEIVE, 2): PaymentRequest(Keychain.RECEIVE, 2, 0),
    },
    frozen={OutPoint(bytes(range(32)), 1): True},
    own_transactions={b"t" * 32: OwnTransaction(b"\x02raw\x00\xff", 1_700_000_200)},
)


def state(number: int = 0) -> ViewState:
    """A state that is told from others by the number in its label."""
    return replace(
        ViewState(DESCRIPTION, settings={"n": number}),
        view=ViewChange(labels={("addr", "counter"): str(number)} if number else {}),
    )


def number_of(view_state: ViewState) -> int:
    number = view_state.settings["n"]
    assert isinstance(number, int)
    return number


def view_box(view_state: ViewState, key: bytes = VIEW_KEY, salt: bytes = SALT) -> bytes:
    return seal_box(key, VIEW, CHEAP, salt, view_state.encode(), minimum=CHEAP)


def secret_box(key: bytes = SECRET_KEY, salt: bytes = SALT) -> bytes:
    return seal_box(key, SECRET, CHEAP, salt, SECRET_TEXT, minimum=CHEAP)


SECRET_BOX: Final = secret_box()
NEW_SECRET_BOX: Final = secret_box(NEW_SECRET_KEY, NEW_SALT)


def create(path: Path, number: int = 0, files: FileSystem = OS_FILES) -> None:
    WalletFile.create(
        path,
        view_box(state(number)),
        SECRET_BOX,
        view_key=VIEW_KEY,
        files=files,
        minimum=CHEAP,
    )
