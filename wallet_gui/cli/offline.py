"""Commands of `--offline`: the network is blocked in the process, and no code for it is loaded.

The commands are those of the online command line. They are coroutines that wait for nothing here:
what they ask of their context is done before they go on.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from wallet_gui.cli.result import CommandError, Result, UsageError
from wallet_gui.cli.wallet_names import headless_options, is_path, no_wallet_named
from wallet_gui.custody.entries import NewWallet, RevealedAddress, WalletEntry
from wallet_gui.custody.keeper import Keeper
from wallet_gui.custody.open_wallet import OpenWallet
from wallet_gui.custody.requests import VaultLook
from wallet_gui.custody.vault_dialog import VaultDialog
from wallet_gui.primitives.params import NETWORKS
from wallet_gui.primitives.psbt import Psbt
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import (
    CosignerKeyExported,
    ExportCosignerKey,
    NewWalletRequest,
    Request,
)
from wallet_gui.wallet.wallet import Wallet

R = TypeVar("R")
# Command -> module and function; imported when asked for.
_COMMANDS: Final = {
    "address": ("wallets", "address"),
    "backup": ("backup", "run"),
    "create": ("wallets", "create"),
    "descriptor": ("descriptor", "run"),
    "message": ("message", "run"),
    "psbt": ("psbt", "run"),
    "restore": ("wallets", "restore"),
    "wallets": ("wallets", "wallets"),
}
_NEEDS_CHAIN: Final = (
    "This needs the network, and --offline blocks it. Run it on the computer that is online; what "
    "it prepares is signed here with wallet-gui --offline psbt sign."
)
# Options that say how to connect, and their value when nothing is said.
_CONNECTING: Final[dict[str, object]] = {
    "peer": [],
    "only_peers": False,
    "encrypted_only": False,
    "proxy": None,
    "relay": None,
    "data_limit": None,
    "node": None,
}


def run(options: argparse.Namespace, vault_command: Sequence[str] = ()) -> Result:
    """Do a command without the network. Raises the FAILURES of the command line."""
    _check_blocked()
    place = _COMMANDS.get(options.command)
    if place is None:
        raise CommandError(_NEEDS_CHAIN)
    for name, unset in _CONNECTING.items():
        if getattr(options, name) != unset:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} tells how to connect, and --offline never connects.")
    module = importlib.import_module(f"wallet_gui.cli.{place[0]}")
    command: Callable[[OfflineContext], Coroutine[Any, Any, Result]] = getattr(module, place[1])
    context = OfflineContext(options, VaultDialog(headless=True, command=vault_command))
    try:
        return finished(command(context))
    finally:
        context.close()


def finished(work: Coroutine[Any, Any, R]) -> R:
    """Run a coroutine that waits for nothing; there is no event loop that could wake it."""
    try:
        work.send(None)
    except StopIteration as end:
        result: R = end.value
        return result
    work.close()
    raise CommandError(_NEEDS_CHAIN)


def _check_blocked() -> None:
    """Raise RuntimeError unless the network is blocked in this process already."""
    try:
        # What Python's own socket module announces before it looks a name up.
        sys.audit("socket.getaddrinfo", "wallet-gui.invalid", 0, 0, 0, 0)
    except PermissionError:
        return
    raise RuntimeError("the network was not blocked before the command line began")


class OfflineSession:
    """An open wallet as commands use it."""

    def __init__(self, opened: OpenWallet) -> None:
        self.opened = opened
        self.path = opened.path
        self.wallet_id = opened.wallet_id

    @property
    def wallet(self) -> Wallet:
        return self.opened.wallet

    async def new_request(self, label: str = "", amount_sat: int | None = None) -> RevealedAddress:
        """Reveal an address. Raises GapLimit, StorageError."""
        return self.opened.new_request(label, amount_sat)

    async def set_labels(self, labels: Sequence[tuple[str, str, str]]) -> None:
        """Set many labels. Raises StorageError."""
        self.opened.set_labels(labels)


class OfflineSide:
    """Stands where commands find the online side; holds the wallets that were opened."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self._sessions: dict[str, OfflineSession] = {}

    async def wallets(self) -> tuple[WalletEntry, ...]:
        return self.keeper.wallets()

    def vault_look(self) -> VaultLook:
        return self.keeper.look()

    def session(self, wallet_id: str) -> OfflineSession:
        return self._sessions[wallet_id]

    async def create_wallet(self, wanted: NewWallet) -> OfflineSession:
        return self._add(self.keeper.create(wanted))

    async def restore_wallet(self, wanted: NewWallet) -> OfflineSession:
        return self._add(self.keeper.restore(wanted))

    async def make_wallet(self, request: NewWalletRequest) -> OfflineSession:
        return self._add(self.keeper.make(request))

    async def open_wallet(self, path: str) -> OfflineSession:
        return self._add(self.keeper.open(path))

    async def cosigner_key(self, request: ExportCosignerKey) -> str:
        return self.keeper.ask(request, CosignerKeyExported).key

    async def ask_vault(self, request: Request, reply_type: type[R]) -> R:
        return self.keeper.ask(request, reply_type)

    async def sign_psbt(self, session: OfflineSession, psbt: Psbt) -> Psbt:
        return self.keeper.sign(session.opened, psbt)

    def close(self) -> None:
        for session in self._sessions.values():
            session.opened.close()
        self._sessions.clear()
        self.keeper.close()

    def _add(self, opened: OpenWallet) -> OfflineSession:
        session = OfflineSession(opened)
        self._sessions[session.wallet_id] = session
        for notice in opened.notices:
            sys.stderr.write(f"wallet-gui: {notice}\n")
        return session


class OfflineContext:
    """What a command works with here; the part of cli.context.Context that needs no network."""

    def __init__(self, options: argparse.Namespace, vault: VaultDialog) -> None:
        self.options = options
        self.params = NETWORKS[options.network]
        self.directory = DataDirectory(options.data_dir, self.params)
        look = VaultLook(
            directory=str(self.directory.wallets_directory),
            appearance="system",
            text_scale=100,
            headless=headless_options(options),
        )
        self.online = OfflineSide(Keeper(self.directory, self.params, vault, lambda: look))

    async def start(self, *, connect: bool) -> None:
        """Make the folders. Raises CommandError for a command that is to connect."""
        if connect:
            raise CommandError(_NEEDS_CHAIN)
        self.directory.create()

    async def open_wallet(self) -> OfflineSession:
        """Open the wallet of --wallet, or the only one there is."""
        return await self.online.open_wallet(str(await self.path_of(self.options.wallet)))

    async def path_of(self, wanted: str | None) -> Path:
        """Find the file of a wallet that is named, or of the only one there is."""
        if wanted is None:
            entries = await self.online.wallets()
            if len(entries) != 1:
                raise no_wallet_named(len(entries), self.params)
            return Path(entries[0].path)
        if is_path(wanted):
            return Path(wanted)
        try:
            return self.directory.wallet_path(wanted)
        except ValueError as error:
            raise UsageError(str(error)) from error

    def close(self) -> None:
        """Close the wallets and end the vault."""
        self.online.close()
