"""Online: the use cases of the window and of the command line, on the engine's loop.

One object per data directory and network: it owns the chain database, the backend selector and
the open wallets, and asks the vault for whatever needs a key.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wallet_gui.app.backend_selector import BackendFactory, BackendSelector, SyncSnapshot
from wallet_gui.app.peer_address import PeerAddress
from wallet_gui.app.session import SessionUpdate, WalletSession
from wallet_gui.app.vault_client import VaultClient, VaultError
from wallet_gui.chain.backend import BroadcastProgress, BroadcastResult
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.settings import DataDirectory, Settings
from wallet_gui.storage.wallet_cache import WalletCache
from wallet_gui.storage.wallet_file import WalletFile
from wallet_gui.transfer.messages import (
    CreateWallet,
    HeadlessOptions,
    KnownIndex,
    PsbtSigned,
    RestoreWallet,
    SignPsbt,
    UnlockWallet,
    WalletCreated,
    WalletUnlocked,
)
from wallet_gui.wallet import review
from wallet_gui.wallet.changes import PaymentRequest, WalletState
from wallet_gui.wallet.errors import NotReplaceable
from wallet_gui.wallet.snapshot import WalletSnapshot
from wallet_gui.wallet.spend import Recipient, SpendPlan
from wallet_gui.wallet.wallet import Wallet

logger = logging.getLogger(__name__)

_BUMP_PERCENT = 150
_MINIMUM_STEP = 1_000
_REBROADCAST_SECONDS = 600

Published = SessionUpdate | SyncSnapshot | BroadcastProgress


@dataclass(frozen=True, slots=True)
class NewWallet:
    """What a person decides outside the vault about a new or restored wallet."""

    name: str
    script_type: str = "wpkh"
    word_count: int = 12
    use_passphrase: bool = False
    birthday_time: int | None = None
    directory: str | None = None


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """A wallet file in the data directory."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class OpenedWallet:
    """A wallet that was just opened, with its first picture."""

    wallet_id: str
    snapshot: WalletSnapshot
    notices: tuple[str, ...] = field(default=())
