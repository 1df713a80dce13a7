"""Proves that a vault can be started and asked: its self-test, and a wallet made and opened."""

import secrets
from pathlib import Path
from typing import Final, Protocol, TypeVar

from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.fs import OS_FILES
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.storage.wallet_layout import open_view
from wallet_gui.transfer.messages import (
    CreateWallet,
    HeadlessOptions,
    Request,
    SelfTest,
    SelfTested,
    WalletCreated,
)

R = TypeVar("R")
_WORDS: Final = 12


class Ask(Protocol):
    """Sends a request to a vault without a window and waits for the reply."""

    def __call__(self, request: Request, expected: type[R], /) -> R: ...


def check_vault(ask: Ask) -> str:
    """Let a vault run its own tests; returns how many it passed, in words.

    Raises CheckFailed, or what `ask` raises.
    """
    tested = ask(SelfTest(), SelfTested)
    if tested.problem:
        raise CheckFailed(tested.problem)
    return f"a process of its own agreed with {len(tested.agreed)} standards and properties"


def check_wallet(ask: Ask, folder: Path, params: ChainParams) -> str:
    """Make a wallet in `folder` at the full cost of its password, and read what is not secret.

    That a sealed secret opens with its password and no other is among the vault's own tests.

    Raises CheckFailed, what `ask` raises, and the errors of storage.
    """
    password, words = folder / "password", folder / "words"
    OS_FILES.write_new(password, secrets.token_urlsafe(24).encode())
    options = HeadlessOptions(password_file=str(password), words_file=str(words))
    request = CreateWallet(str(folder), "Smoke test", params.name, headless=options)
    created = ask(request, WalletCreated)
    if len(words.read_text(encoding="utf-8").split()) != _WORDS:
        raise CheckFailed("A new wallet did not get twelve words.")
    # Raises WrongKey when the key of the reply does not open what the vault wrote.
    state = open_view(WalletFile.read(Path(created.path)), created.view_key)
    if state.description.network != params.name:
        raise CheckFailed("A new wallet is of another network than was asked for.")
    return "made by the vault with twelve words, sealed (Argon2id), and read"
