"""Checks of what stands behind the window: data, arithmetic, machine code, SSH and the vault.

Blocking, for a thread; each returns what it found, in words, and raises for what is wrong.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final, TypeVar

from wallet_gui import curve
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain import checkpoints
from wallet_gui.chain import vectors as chain_vectors
from wallet_gui.custody import vault_check
from wallet_gui.primitives.check_failed import CheckFailed
from wallet_gui.primitives.params import MAINNET, SIGNET, TESTNET4, ChainParams
from wallet_gui.storage import release_keys
from wallet_gui.transfer.messages import Request
from wallet_gui.wallet import vectors as public_vectors

R = TypeVar("R")
_CHAINS: Final = (MAINNET, TESTNET4, SIGNET)


def check_checkpoints() -> str:
    """Whether the checkpoints of every public network are there and whole."""
    heights = []
    for params in _CHAINS:
        height = checkpoints.load(params).last_height
        if height <= 0:
            raise CheckFailed(f"The checkpoints of {params.name} are missing.")
        heights.append(f"{params.name} to {height:,}")
    return ", ".join(heights)


def check_curve() -> str:
    """Whether libsecp256k1 computes what is published. Raises CurveError."""
    curve.self_test()
    return "libsecp256k1 agrees with published results"


def check_vectors() -> str:
    """Whether this build agrees with the official vectors of what needs no private key."""
    vectors = {**public_vectors.VECTORS, **chain_vectors.VECTORS}
    wrong = public_vectors.disagreement(vectors)
    if wrong:
        raise CheckFailed(f"This build computes {wrong} wrongly. Do not use it.")
    return ", ".join(vectors)


def check_engine() -> str:
    """Whether the engine in C is there and equals its scalar twin.

    A packaged program must have it; one that runs from source may do without. Raises
    EngineUnavailable.
    """
    from wallet_gui.chain.native.engine import tested_engine  # noqa: PLC0415 - loads the library
    from wallet_gui.chain.native.library import EngineUnavailable, file_name  # noqa: PLC0415

    try:
        engine = tested_engine()
    except EngineUnavailable as reason:
        if getattr(sys, "frozen", False) or "is not built" not in str(reason):
            raise
        return f"{file_name()} is not built here; NumPy does the same, slower"
    return f"{file_name()}, mode {engine.mode:#x}, equal to the scalar code"


def check_ssh() -> str:
    """Whether the library for a person's own node is there, with what opens key files."""
    # It costs a third of a second, and few need it.
    import asyncssh  # noqa: PLC0415
    import bcrypt  # noqa: PLC0415

    key = asyncssh.generate_private_key("ssh-ed25519")
    if asyncssh.import_private_key(key.export_private_key()).public_data != key.public_data:
        raise CheckFailed("An SSH key that was written here cannot be read here.")
    # What opens a key file with a passphrase; a real one takes far more rounds.
    if len(bcrypt.kdf(b"passphrase", b"salt", 32, 1, ignore_few_rounds=True)) != 32:
        raise CheckFailed("SSH keys with a passphrase cannot be opened.")
    return f"asyncssh {asyncssh.__version__} with bcrypt, a key written and read"


def check_releases() -> str:
    """Whether the release keys were shipped, and what an update check would need.

    It asks nobody; whether an answer could be believed is among the vectors. Raises ParseError.
    """
    from wallet_gui.chain import notice  # noqa: PLC0415 - loads TLS, as the first check does

    if not release_keys.is_shipped():
        raise CheckFailed("The file of the release keys is missing.")
    count = len(release_keys.built_in().keys)
    notice.rules()
    return f"{count or 'no'} release key{'' if count == 1 else 's'} built in, TLS is there"


def check_vault() -> str:
    """Whether a vault process starts, answers over its pipe, and agrees with official vectors."""
    return vault_check.check_vault(_ask)


def check_wallet(folder: Path, params: ChainParams) -> str:
    """Whether a vault makes a wallet that can be read; takes some seconds."""
    return vault_check.check_wallet(_ask, folder, params)


def _ask(request: Request, expected: type[R]) -> R:
    return asyncio.run(VaultClient(headless=True).ask(request, expected))
