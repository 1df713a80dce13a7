"""Online: the use cases of the window and of the command line, on the engine's loop.

One object per data directory and network: it owns the chain database, the backend selector and
the open wallets, and asks the vault for whatever needs a key. The code of wallets is loaded with
the first of them: the start, which may open none, does not wait for it.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from wallet_gui.app.backend_selector import BackendFactory, BackendSelector
from wallet_gui.app.node_choice import NodeChoice
from wallet_gui.app.node_keeper import NodeKeeper
from wallet_gui.app.p2p_choice import ForThisSession, NetworkChoice, NotPossible
from wallet_gui.app.playground import Playground
from wallet_gui.app.published import (
    NewWallet,
    NodeTestResult,
    OpenedWallet,
    OwnSshKey,
    RevealedAddress,
    SessionUpdate,
    SyncSnapshot,
    WalletEntry,
)
from wallet_gui.app.rebroadcast import Rebroadcast
from wallet_gui.app.vault_asking import VaultAsking
from wallet_gui.app.vault_client import VaultClient, VaultError
from wallet_gui.chain.backend import BroadcastProgress, BroadcastResult
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.proxy_check import check_proxy
from wallet_gui.chain.p2p.tor import find_tor
from wallet_gui.chain.reports import LedgerEntry
from wallet_gui.chain.unbroken import or_undone, to_the_end
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.chain_db import ChainDb
from wallet_gui.storage.locks import FileLock
from wallet_gui.storage.peer_store import PeerFile
from wallet_gui.storage.settings import DataDirectory, Settings, SettingsFile

if TYPE_CHECKING:
    from wallet_gui.app.session import WalletSession
    from wallet_gui.chain.bitcoind.steps import StepResult
    from wallet_gui.chain.bitcoind.tunnel_protocol import Asker
    from wallet_gui.primitives.transaction import Transaction
    from wallet_gui.sealing import KdfParameters
    from wallet_gui.transfer.messages import (
        HeadlessOptions,
        NewWalletRequest,
    )
    from wallet_gui.wallet.draft import SpendPlan
    from wallet_gui.wallet.spend import Recipient

_PLAY_MONEY_SAT = 100_000_000

Published = SessionUpdate | SyncSnapshot | BroadcastProgress


class Online(VaultAsking):
    """The online side of one network. Every method is called on the engine's loop."""

    def __init__(
        self,
        data_directory: DataDirectory,
        params: ChainParams,
        make_backend: BackendFactory,
        publish: Callable[[Published], None],
        *,
        vault: VaultClient | None = None,
        headless: "HeadlessOptions | None" = None,
        playground: Playground | None = None,
        minimum_kdf: "KdfParameters | None" = None,
    ) -> None:
        """Prepare; nothing is opened yet.

        `minimum_kdf` lets tests open wallet files that are cheaper to unlock than is allowed.
        """
        super().__init__(data_directory, vault or VaultClient(), headless)
        self.params = params
        self._make_backend = make_backend
        self._publish = publish
        self._minimum_kdf = minimum_kdf
        self.playground = playground
        self._settings_file = SettingsFile(data_directory.settings_path)
        self._saving_settings = asyncio.Lock()
        self._sessions: dict[str, WalletSession] = {}
        self._chain_db: ChainDb | None = None
        self.selector: BackendSelector | None = None
        self._rebroadcasting: asyncio.Task[None] | None = None
        self._session = ForThisSession()
        self.unread_settings = ""
        self.node_keeper = NodeKeeper(params, data_directory.root, self.note_contacts)

    # --- start and stop

    async def start_offline(self) -> None:
        """Read the settings only: wallets can be opened, nothing is connected to.

        Another program may read the chain for this data directory meanwhile. Raises StorageError.
        """
        await asyncio.to_thread(self._open_settings)

    async def start(
        self, peers: Sequence[PeerAddress] | None = None, *, options: P2POptions | None = None
    ) -> None:
        """Open the chain database and connect as the settings say.

        `peers` take the place of the stored ones, `options` that of all settings. Raises
        StorageError, in particular when another program uses this data directory.
        """
        chain_db = await asyncio.to_thread(self._open_files)
        self._chain_db = chain_db
        selector = self.selector = BackendSelector(
            self.params,
            chain_db,
            self._make_backend,
            self._publish,
            peer_store=PeerFile(self.data_directory.network_directory),
            repair=chain_db.begin_anew,
        )
        self._session = ForThisSession(None if peers is None else tuple(peers), options=options)
        if self.playground is not None:
            host, port = await self.playground.start()
            self._session = ForThisSession((PeerAddress(host, port),), is_private=True)
        await self._connect(selector)
        rebroadcast = Rebroadcast(selector, lambda: list(self._sessions.values()))
        self._rebroadcasting = asyncio.create_task(rebroadcast.run())

    async def _connect(self, selector: BackendSelector, *, is_wish: bool = False) -> None:
        if self.unread_settings and self._session == ForThisSession():
            # What was lost may have been "only through Tor": nothing is risked on a guess.
            await selector.hold(
                f"{self.unread_settings} Nothing is connected to until you choose how, in Settings."
            )
            return
        options: P2POptions | None = None
        why_not = ""
        try:
            options = self._session.options_for(self.network_choice())
        except NotPossible as error:
            why_not = str(error)
        plan = self.node_keeper.plan(self._used_source(), why_not)
        if options is None and plan is None:
            await selector.hold(why_not)
        else:
            await selector.use(options, plan, is_wish=is_wish)

    def _used_source(self) -> NodeChoice:
        """Where the chain comes from now. Peers that are named take the place of the node, too."""
        stored = self.node_choice() if self._session == ForThisSession() else NodeChoice()
        return self.node_keeper.for_now or stored

    async def stop(self) -> None:
        """Close every wallet, disconnect, and give the chain database back.

        All of it is closed even when a wallet could not be stored; then StorageError is raised.
        """
        async with contextlib.AsyncExitStack() as closing:
            # Called last to first.
            if self.playground is not None:
                closing.push_async_callback(self.playground.stop)
            closing.push_async_callback(self.vault.close)
            closing.push_async_callback(self._close_chain_db)
            if self.selector is not None:
                closing.push_async_callback(self.selector.close)
            for wallet_id in list(self._sessions):
                closing.push_async_callback(self.close_wallet, wallet_id)
            closing.push_async_callback(self._stop_rebroadcasting)

    async def _stop_rebroadcasting(self) -> None:
        task, self._rebroadcasting = self._rebroadcasting, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _close_chain_db(self) -> None:
        chain_db, self._chain_db = self._chain_db, None
        if chain_db is not None:
            await asyncio.to_thread(chain_db.close)

    def _open_settings(self) -> None:
        self.data_directory.create()
        self.settings = self._settings_file.load()
        self.unread_settings = " ".join(self._settings_file.notices) or self.unread_settings

    def _open_files(self) -> ChainDb:
        self._open_settings()
        return ChainDb(
            self.data_directory.chain_db_path,
            self.params,
            filter_cache_bytes=self.settings.filter_cache_mib << 20,
        )

    # --- settings

    def network_choice(self) -> NetworkChoice:
        """What is stored about connections on this network."""
        return NetworkChoice.of(self.settings, self.params)

    async def set_network(self, choice: NetworkChoice) -> None:
        """Store how to connect, and do so at once."""
        if choice.own_peers != self.network_choice().own_peers and self.playground is None:
            self._session = ForThisSession()
        await self._go_by(choice.changes(self.settings, self.params))

    async def _go_by(self, changes: Mapping[str, object], *, is_wish: bool = False) -> None:
        """Store what was decided about connections; it holds also when the disk refused."""
        try:
            await self.change_settings(**changes)
        finally:
            self.unread_settings = ""
            if self.selector is not None:
                await self._connect(self.selector, is_wish=is_wish)

    # --- the person's own node

    def node_choice(self) -> NodeChoice:
        """What is stored about where the chain comes from."""
        return NodeChoice.of(self.settings, self.params)

    def has_chosen_source(self) -> bool:
        """Whether the person ever decided where the chain comes from, on this network."""
        return self.params.name in self.settings.sources

    async def set_source(self, choice: NodeChoice) -> None:
        """Store where the chain comes from, and go there at once."""
        self.node_keeper.for_now = None
        if self.playground is None:
            self._session = ForThisSession()
        try:
            await self.node_keeper.take_password(choice, self._newest_session())
        finally:
            await self._go_by(choice.changes(self.settings, self.params), is_wish=True)

    async def try_node_again(self) -> None:
        """Use the node at once, though public peers have taken over or it was given up."""
        if self.selector is not None:
            await self.selector.try_node_again()

    async def test_node(
        self, choice: NodeChoice, asker: "Asker", on_result: "Callable[[StepResult], None]"
    ) -> NodeTestResult:
        """Go through the thirteen steps; nothing is stored. Raises NotPossible."""
        return await self.node_keeper.test(choice, asker, on_result)

    def note_contacts(self, entries: Sequence[LedgerEntry]) -> None:
        """List what a test contacted with everything else that was."""
        if self.selector is not None:
            self.selector.note_contacts(entries)

    async def make_ssh_key(self, choice: NodeChoice) -> OwnSshKey:
        """Make the program's own SSH key, or take the one there is; gives its line."""
        return await self.node_keeper.make_key(choice)

    async def forget_server(self, choice: NodeChoice) -> bool:
        """Forget the identity of the node's machine; whether it was known."""
        return await self.node_keeper.forget_server(choice)

    def _newest_session(self) -> "WalletSession | None":
        return next(reversed(self._sessions.values()), None)

    async def find_tor(self) -> PeerAddress | None:
        """Look where Tor usually listens on this computer."""
        return await find_tor()

    async def test_proxy(self, proxy: PeerAddress, *, is_tor: bool) -> str:
        """Ask a proxy whether it is one; returns a sentence. Raises ChainError when it is not."""
        return await check_proxy(proxy, expects_tor=is_tor)

    async def approve_scan(self, wallet_id: str) -> None:
        """Begin a scan that waits because it is long."""
        if self.selector is not None:
            self.selector.approve_scan(wallet_id)

    async def pause_scans(self, *, paused: bool) -> None:
        """Hold back, or let go on, what long scans download."""
        if self.selector is not None:
            self.selector.pause_scans(paused=paused)

    async def set_busy_with(self, *, is_receiving: bool, is_paying: bool) -> None:
        """Say whether a person waits for a payment, or looks at what one would cost."""
        if self.selector is not None:
            self.selector.set_receiving(is_receiving=is_receiving)
            self.selector.set_paying(is_paying=is_paying)

    async def change_settings(self, **changes: object) -> Settings:
        """Store settings; what is not named stays."""
        self.settings = replace(self.settings, **changes)  # type: ignore[arg-type]
        async with self._saving_settings:
            # What was chosen meanwhile is saved with it; two at once would be in each other's way.
            await asyncio.to_thread(self._settings_file.save, self.settings)
        return self.settings

    # --- wallets

    async def wallets(self) -> tuple[WalletEntry, ...]:
        """The wallet files of this network in the data directory, by name."""
        paths = await asyncio.to_thread(self.data_directory.wallets)
        return tuple(WalletEntry(path.stem, str(path)) for path in paths)

    async def create_wallet(self, wanted: NewWallet) -> OpenedWallet:
        """Let the vault make a wallet, then open it. Raises VaultError."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        opened = await self.make_wallet(
            wallet_work.create_request(wanted, self.params, self.vault_look())
        )
        if self.playground is not None:
            await self.get_play_money(opened.wallet_id)
        return opened

    async def restore_wallet(self, wanted: NewWallet) -> OpenedWallet:
        """Let the vault make a wallet file from words, then open it. Raises VaultError."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        return await self.make_wallet(
            wallet_work.restore_request(wanted, self.params, self.vault_look())
        )

    async def make_wallet(self, request: "NewWalletRequest") -> OpenedWallet:
        """Let the vault make a wallet file of whatever kind, then open it. Raises VaultError."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        created = await self.ask_vault(request, wallet_work.WalletCreated)
        return await self._opened(*await self._session_of(Path(created.path), created.view_key))

    async def open_wallet(self, path: str) -> OpenedWallet:
        """Unlock and open a wallet file; the lock is taken before the password is asked."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        resolved = await asyncio.to_thread(Path(path).resolve)
        for session in self._sessions.values():
            if session.path == str(resolved):
                return OpenedWallet(session.wallet_id, session.wallet.snapshot(int(time.time())))
        # Before the lock file is made: a mistyped path must not leave one behind.
        await asyncio.to_thread(wallet_work.WalletFile.read, resolved, minimum=self._minimum_kdf)
        lock = FileLock(resolved)
        try:
            await to_the_end(asyncio.to_thread(lock.acquire))
            request = wallet_work.unlock_request(str(resolved), self.vault_look())
            unlocked = await self.ask_vault(request, wallet_work.WalletUnlocked)
            opened = await self._session_of(resolved, unlocked.view_key, lock)
        except BaseException:
            lock.release()
            raise
        return await self._opened(*opened)  # the lock is the session's from here on

    async def _session_of(
        self, path: Path, view_key: bytes, lock: FileLock | None = None
    ) -> "tuple[WalletSession, tuple[str, ...]]":
        from wallet_gui.app.wallet_work import open_session  # noqa: PLC0415

        known = self.params, self._publish, lock, self._minimum_kdf
        opening = asyncio.to_thread(open_session, path, view_key, *known)
        return await or_undone(opening, lambda opened: opened[0].close())

    async def _opened(self, session: "WalletSession", notices: tuple[str, ...]) -> OpenedWallet:
        self._sessions[session.wallet_id] = session
        if self.selector is not None:
            self.selector.add(session)
        if await self.node_keeper.wallet_opened(self._used_source(), session) and self.selector:
            # It holds the password that the node wants.
            await self._connect(self.selector)
        return OpenedWallet(session.wallet_id, session.wallet.snapshot(int(time.time())), notices)

    async def close_wallet(self, wallet_id: str) -> None:
        """Store what is left, forget the wallet and give its lock back."""
        session = self._sessions.pop(wallet_id, None)
        if session is None:
            return
        if self.selector is not None:
            self.selector.remove(session)
        self.node_keeper.wallet_closed(session)
        await session.close()

    def session(self, wallet_id: str) -> "WalletSession":
        """An open wallet; raises VaultError when it was locked meanwhile."""
        try:
            return self._sessions[wallet_id]
        except KeyError:
            raise VaultError("The wallet is locked. Open it again.") from None

    # --- payments

    async def new_request(
        self, wallet_id: str, label: str = "", amount_sat: int | None = None, message: str = ""
    ) -> RevealedAddress:
        """Reveal an address; it is stored before this returns. Raises WalletError."""
        return await self.session(wallet_id).new_request(label, amount_sat, message)

    async def plan_payment(
        self,
        wallet_id: str,
        recipients: "Sequence[Recipient]",
        fee_rate: FeeRate,
        *,
        allow_high_fee: bool = False,
    ) -> "SpendPlan":
        """Build an unsigned payment, to show what it would cost. Raises WalletError."""
        return await self.session(wallet_id).plan_payment(
            recipients, fee_rate, allow_high_fee=allow_high_fee
        )

    async def pay(
        self,
        wallet_id: str,
        recipients: "Sequence[Recipient]",
        fee_rate: FeeRate,
        *,
        allow_high_fee: bool = False,
    ) -> "Transaction":
        """Plan, let the vault review and sign, check and store. Not sent yet."""
        session = self.session(wallet_id)
        plan = await session.plan_payment(recipients, fee_rate, allow_high_fee=allow_high_fee)
        tx = await self.sign(session, plan)
        await session.label_recipients(recipients)
        return tx

    async def bump(
        self,
        wallet_id: str,
        txid: bytes,
        fee_rate: FeeRate | None = None,
        *,
        allow_high_fee: bool = False,
    ) -> "Transaction":
        """Replace an unconfirmed payment by one with a higher fee; signed and stored."""
        session = self.session(wallet_id)
        return await self.sign(
            session, await session.plan_bump(txid, fee_rate, allow_high_fee=allow_high_fee)
        )

    async def sign(
        self, session: "WalletSession", plan: "SpendPlan", *, keep: bool = True
    ) -> "Transaction":
        """Let the vault sign a plan; what comes back is compared with it and stored.

        Without `keep` only its change address is kept: somebody else sends it, or nobody. Raises
        CosignersNeeded, before anything is asked, where one signature is not enough.
        """
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        wallet_work.check_signs_alone(session.wallet)
        await session.reserve(plan)
        signed = await self.sign_psbt(session, plan.psbt)
        return (
            await session.accept_signed(plan, signed)
            if keep
            else wallet_work.finish(plan.psbt, signed)
        )

    async def broadcast(self, wallet_id: str, txid: bytes) -> BroadcastResult:
        """Send a stored payment and wait for evidence. Raises ChainError, NotReplaceable."""
        from wallet_gui.app import wallet_work  # noqa: PLC0415

        session = self.session(wallet_id)
        tx = session.wallet.transaction(txid)
        if tx is None:
            raise wallet_work.NotReplaceable("This payment is not in the wallet any more.")
        return await session.broadcast(tx)

    async def abandon(self, wallet_id: str, txid: bytes) -> None:
        """Give an unconfirmed payment up."""
        await self.session(wallet_id).abandon(txid)

    async def get_play_money(self, wallet_id: str) -> None:
        """Let the playground pay the wallet. Raises PlaygroundError."""
        if self.playground is not None:
            revealed = await self.session(wallet_id).new_request("Play money")
            await self.playground.fund(revealed.address, _PLAY_MONEY_SAT)

    async def mine_block(self) -> None:
        """Let the playground find a block now. Raises PlaygroundError."""
        if self.playground is not None:
            await self.playground.mine()

    async def set_tx_label(self, wallet_id: str, txid: bytes, text: str) -> None:
        """Label a transaction."""
        await self.session(wallet_id).set_label("tx", hash_to_hex(txid), text)
