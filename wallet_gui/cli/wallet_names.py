"""Which wallet a command means, and where the vault reads what opens it."""

import argparse
import os
from pathlib import Path
from typing import Any

from wallet_gui.cli.result import UsageError
from wallet_gui.primitives.params import ChainParams
from wallet_gui.transfer.messages import PROMPT, STDIN, HeadlessOptions

_STDIN_ARGUMENT = "-"


def headless_options(options: argparse.Namespace) -> HeadlessOptions:
    """What the vault is told about a command: sources of secrets, and consent."""
    return HeadlessOptions(
        password_file=source_of(options.password_file),
        new_password_file=source_of(options.password_file),
        words_file=source_of(getattr(options, "words_file", None)),
        passphrase_file=source_of(options.passphrase_file),
        dice_file=source_of(getattr(options, "dice_file", None)),
        assume_yes=getattr(options, "yes", False),
        accept_high_fee=getattr(options, "accept_high_fee", False),
    )


def no_wallet_named(count: int, params: ChainParams) -> UsageError:
    """Return why a command without --wallet does not know which of `count` wallets is meant."""
    return UsageError(
        f"Name a wallet with --wallet: there are {count} on {params.name}."
        if count
        else f"There is no wallet on {params.name} yet. Make one with wallet-gui create."
    )


def is_path(wallet: str) -> bool:
    """Whether --wallet names a file rather than a wallet in the data directory."""
    return os.sep in wallet or "/" in wallet or wallet.endswith(".wallet")


def source_of(argument: Any) -> str:
    """Where the vault reads a secret: the terminal, its standard input, or a file."""
    if argument is None:
        return PROMPT
    return STDIN if argument == _STDIN_ARGUMENT else str(Path(argument).absolute())
