"""What a command works with: the online side of its network, its wallet, and the way to print."""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from wallet_gui.app.online import Online, Published
from wallet_gui.app.published import SyncSnapshot
from wallet_gui.app.session import WalletSession
from wallet_gui.app.vault_client import VaultClient
from wallet_gui.chain.backend import ConnectionState, Phase
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.cli.result import CommandError, UsageError
from wallet_gui.primitives.params import NETWORKS, ChainParams
from wallet_gui.primitives.plain_text import plain_text
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.transfer.messages import PROMPT, STDIN, HeadlessOptions

_STDIN_ARGUMENT = "-"
# Nobody could be reached for so long: waiting on would not tell the person anything new.
_ALONE_SECONDS = 20.0


class Context:
    """Opens lazily what a command asks for and closes all of it at the end."""

    def __init__(
        self, options: argparse.Namespace, peers: tuple[PeerAddress, ...], vault: VaultClient
    ) -> None:
        self.options = options
        self.params = self.params_of(options)
        self.directory = DataDirectory(options.data_dir, self.params)
        self._peers = peers
        self._progress_shown = False
        self.online = Online(
            self.directory,
            self.params,
            P2PBackend,
            self._published,
            vault=vault,
            headless=self._headless(),
        )

    @staticmethod
    def params_of(options: argparse.Namespace) -> ChainParams:
        return NETWORKS[options.network]

    def _headless(self) -> HeadlessOptions:
        return HeadlessOptions(
            password_file=_source(self.options.password_file),
            new_password_file=_source(self.options.password_file),
            words_file=_source(getattr(self.options, "words_file", None)),
            passphrase_file=_source(self.options.passphrase_file),
            assume_yes=getattr(self.options, "yes", False),
            accept_high_fee=getattr(self.options, "accept_high_fee", False),
        )

    async def start(self, *, connect: bool) -> None:
        """Open the files of the network and, if asked to, connect to peers."""
        if not connect:
            await self.online.start_offline()
            return
        await self.online.start_offline()
        if not self._peers and not self.online.stored_peers():
            raise UsageError(
                "There is no peer to read the chain from. Name one with --peer HOST:PORT."
            )
        await self.online.start(self._peers or None)

    async def open_wallet(self) -> WalletSession:
        """Open the wallet of --wallet, or the only one there is."""
        path = await self._wallet_path()
        opened = await self.online.open_wallet(str(path))
        for notice in opened.notices:
            sys.stderr.write(f"wallet-gui: {notice}\n")
        session = self.online.session(opened.wallet_id)
        waiting = len(session.unconfirmed_own())
        if waiting and not self.options.json:
            # Signed and perhaps never sent, after a crash: a person must not pay twice.
            payments = (
                "1 payment of yours is" if waiting == 1 else f"{waiting} payments of yours are"
            )
            sys.stderr.write(
                f"wallet-gui: {payments} in no block yet; wallet-gui sync sends them again.\n"
            )
        return session

    async def _wallet_path(self) -> Path:
        wanted = self.options.wallet
        if wanted is None:
            entries = await self.online.wallets()
            if len(entries) != 1:
                raise UsageError(
                    f"Name a wallet with --wallet: there are {len(entries)} on {self.params.name}."
                    if entries
                    else f"There is no wallet on {self.params.name} yet. Make one with "
                    "wallet-gui create."
                )
            return Path(entries[0].path)
        if is_path(wanted):
            return Path(wanted)
        try:
            return self.directory.wallet_path(wanted)
        except ValueError as error:
            raise UsageError(str(error)) from error

    async def sync(self) -> None:
        """Read the chain up to its tip. Raises CommandError when that takes too long."""
        selector = self.online.selector
        if selector is None:
            return
        waiting = asyncio.ensure_future(selector.wait_until_synced())
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.options.timeout
        alone_since: float | None = None
        try:
            while not waiting.done():
                now = loop.time()
                if selector.snapshot.state is ConnectionState.ONLINE:
                    alone_since = None
                elif alone_since is None:
                    alone_since = now
                if now >= deadline or (alone_since and now - alone_since >= _ALONE_SECONDS):
                    raise CommandError(self._why_not_synced(selector.snapshot))
                await asyncio.wait([waiting], timeout=min(deadline - now, 0.5))
            await waiting
        finally:
            waiting.cancel()
            self._end_progress()

    def _why_not_synced(self, snapshot: SyncSnapshot) -> str:
        if snapshot.state is not ConnectionState.ONLINE:
            return (
                "No peer answers. "
                f"{plain_text(snapshot.detail, 300) or 'Check its address and that it runs.'}"
            )
        if snapshot.warning:
            return f"Not in sync after {self.options.timeout} s. {snapshot.warning}"
        return (
            f"Not in sync after {self.options.timeout} s. What was read is kept: run it again, or "
            "allow more time with --timeout."
        )

    # --- progress on a terminal

    def _published(self, value: Published) -> None:
        if isinstance(value, SyncSnapshot) and sys.stderr.isatty() and not self.options.json:
            self._show_progress(value)

    def _show_progress(self, snapshot: SyncSnapshot) -> None:
        if snapshot.phase is Phase.SYNCED:
            text = f"in sync at block {snapshot.tip_height}"
        else:
            item = next((p for p in snapshot.phases if p.phase is snapshot.phase), None)
            amount = f" {item.done} of {item.total}" if item is not None and item.total else ""
            text = f"{snapshot.phase.value}{amount}"
        self._progress_shown = True
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()

    def _end_progress(self) -> None:
        if self._progress_shown:
            self._progress_shown = False
            sys.stderr.write("\r\x1b[K")

    async def close(self) -> None:
        """Store, disconnect and close the files."""
        self._end_progress()
        await self.online.stop()


def is_path(wallet: str) -> bool:
    """Whether --wallet names a file rather than a wallet in the data directory."""
    return os.sep in wallet or "/" in wallet or wallet.endswith(".wallet")


def _source(argument: Any) -> str:
    """Where the vault reads a secret: the terminal, its standard input, or a file."""
    if argument is None:
        return PROMPT
    return STDIN if argument == _STDIN_ARGUMENT else str(Path(argument).absolute())
