"""BackendSelector: which source of blocks is in use, and one picture of how far it is.

Today there is one kind, compact filters over P2P from peers that the person names. The selector
owns the backend of one network, hands its events to every open wallet and condenses progress into
a `SyncSnapshot` for the status bar.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from wallet_gui.app.published import PhaseProgress, SyncSnapshot
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BroadcastProgress,
    BroadcastStage,
    ChainBackend,
    ChainError,
    ChainEvent,
    ChainStores,
    ConnectionState,
    EventSink,
    PeerStore,
    Phase,
    Reorganized,
    SyncProgress,
    TipChanged,
    TxSeen,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.errors import StorageError

logger = logging.getLogger(__name__)

_PUBLISH_INTERVAL = 0.1
NO_PEERS = (
    "No peer is named yet, so nothing can be read. Choose one that serves compact filters: a node "
    "with blockfilterindex=1 and peerblockfilters=1."
)
# A backend that the disk stopped is started again after so many seconds.
_RESTART_SECONDS = 30.0
# Being in sync is looked at after each event, and as often as this.
_LOOK_SECONDS = 0.5
# Ten thousand ordinary transactions: some twenty minutes of what the network relays. They are held
# as objects, which take about ten times as much.
_RECENT_BYTES = 3_000_000


class BackendFactory(Protocol):
    """Makes the backend of a network; tests give one with scripted peers."""

    def __call__(
        self,
        params: ChainParams,
        options: P2POptions,
        stores: ChainStores,
        sink: EventSink,
        *,
        peer_store: PeerStore | None = None,
        on_failure: Callable[[BaseException], None],
    ) -> ChainBackend:
        """Make a backend that is not started yet; `on_failure` hears of an error that ended it."""
        ...


class RecentTransactions:
    """The newest unconfirmed transactions that peers relayed, up to a number of bytes."""

    def __init__(self, limit: int = _RECENT_BYTES) -> None:
        self._limit = limit
        self._sizes = 0
        self._kept: deque[Transaction] = deque()

    def add(self, tx: Transaction) -> None:
        """Keep one more; the oldest ones make room."""
        self._kept.append(tx)
        self._sizes += tx.total_size
        while self._sizes > self._limit:
            self._sizes -= self._kept.popleft().total_size

    def transactions(self) -> list[Transaction]:
        """List them, the oldest first."""
        return list(self._kept)


class BackendSelector:
    """Owns the backend of one network; lives on the engine's loop."""

    def __init__(
        self,
        params: ChainParams,
        stores: ChainStores,
        make_backend: BackendFactory,
        publish: Callable[[SyncSnapshot | BroadcastProgress], None],
    ) -> None:
        self.params = params
        self._stores = stores
        self._make_backend = make_backend
        self._publish = publish
        self._sessions: dict[str, WalletSession] = {}
        self._backend: ChainBackend | None = None
        self._snapshot = SyncSnapshot(params.name, "Directly (P2P)")
        self._publishing: asyncio.TimerHandle | None = None
        self.reorganizations = 0
        self._recent = RecentTransactions()
        self._catching_up: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._peers: tuple[PeerAddress, ...] = ()
        self._failure: BaseException | None = None
        self._restarting: asyncio.TimerHandle | None = None
        self._restart_task: asyncio.Task[None] | None = None

    @property
    def snapshot(self) -> SyncSnapshot:
        return self._snapshot

    @property
    def tip_height(self) -> int | None:
        tip = None if self._backend is None else self._backend.tip()
        return None if tip is None else tip.height

    @property
    def backend(self) -> ChainBackend | None:
        return self._backend

    async def start(self, peers: Sequence[PeerAddress]) -> None:
        """Connect to these peers; open wallets are scanned on. Replaces a running backend."""
        await self.stop()
        self._peers = tuple(peers)
        if not self._peers:
            self._update(state=ConnectionState.STOPPED, detail=NO_PEERS)
            return
        self._backend = self._make_backend(
            self.params,
            # Until the settings say more, nobody is asked whom the person did not name.
            P2POptions(own_peers=self._peers, only_own_peers=True),
            self._stores,
            self._sink,
            on_failure=self._failed,
        )
        for session in self._sessions.values():
            session.attach(self._backend)
        await self._backend.start()

    async def stop(self) -> None:
        """Disconnect. Wallets stay open and show what is stored."""
        if self._restarting is not None:
            self._restarting.cancel()
            self._restarting = None
        self._failure = None
        backend, self._backend = self._backend, None
        if backend is None:
            return
        for session in self._sessions.values():
            session.detach()
        await backend.stop()
        self._update(state=ConnectionState.STOPPED, phase=Phase.PEERS, peers=(), detail="")

    async def close(self) -> None:
        """Disconnect for good; nothing is published after this."""
        await self.stop()
        if self._restart_task is not None:
            self._restart_task.cancel()
            await asyncio.wait([self._restart_task])
        if self._publishing is not None:
            self._publishing.cancel()
            self._publishing = None

    def _failed(self, error: BaseException) -> None:
        """The backend ended by an error of ours: say so, and try again when the disk was at fault.

        What was read is in the stores; nothing of it is lost.
        """
        self._failure = error
        is_storage = isinstance(error, StorageError)
        logger.error(
            "The chain backend ended: %s",
            type(error).__name__,
            exc_info=None if is_storage else error,
        )
        sentence = (
            str(error)
            if is_storage
            else "Reading the chain ended by an error of this program "
            f"({type(error).__name__}). Start the program again."
        )
        self._update(state=ConnectionState.OFFLINE, detail=sentence, warning=sentence)
        if is_storage and self._restarting is None:
            loop = asyncio.get_running_loop()
            self._restarting = loop.call_later(_RESTART_SECONDS, self._restart)

    def _restart(self) -> None:
        self._restarting = None
        self._restart_task = asyncio.get_running_loop().create_task(self.start(self._peers))

    def add(self, session: WalletSession) -> None:
        """Scan for one more wallet."""
        self._sessions[session.wallet_id] = session
        if self._backend is not None:
            session.attach(self._backend)
        task = asyncio.get_running_loop().create_task(self._catch_up(session))
        self._catching_up[session.wallet_id] = task

    async def _catch_up(self, session: WalletSession) -> None:
        """Show a wallet what peers relayed before it was opened: they do not send it again."""
        for count, tx in enumerate(self._recent.transactions()):
            await self._hand_to(session, TxSeen(tx, ""))
            if count % 100 == 99:
                await asyncio.sleep(0)
        self._catching_up.pop(session.wallet_id, None)
        self._changed.set()

    def remove(self, session: WalletSession) -> None:
        """Forget a wallet."""
        if self._sessions.pop(session.wallet_id, None) is not None:
            session.detach()
            task = self._catching_up.pop(session.wallet_id, None)
            if task is not None:
                task.cancel()
            self._changed.set()

    async def wait_until_synced(self) -> None:
        """Return once headers are at the peers' tip and every open wallet is scanned up to it.

        "Scanned" means applied and stored. Raises what ended the backend, when something did.
        """
        while not self.is_synced():
            if isinstance(self._failure, StorageError):
                raise self._failure
            if self._failure is not None:
                raise ChainError(self._snapshot.detail) from self._failure
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._changed.wait()

    def is_synced(self) -> bool:
        """Whether headers are at the peers' tip and every open wallet is scanned up to it."""
        backend = self._backend
        tip = None if backend is None else backend.tip()
        return (
            backend is not None
            and tip is not None
            and backend.is_synced()
            and not self._catching_up
            and all(session.is_scanned_to(tip) for session in self._sessions.values())
        )

    async def _sink(self, event: ChainEvent) -> None:
        match event:
            case SyncProgress():
                self._progress(event)
            case TxSeen(tx):
                self._recent.add(tx)
            case Reorganized():
                self.reorganizations += 1
            case BackendState(state, _, detail):
                self._update(state=state, detail=detail)
            case BackendWarning(sentence):
                self._update(warning=sentence)
            case BroadcastProgress():
                self._publish(event)
                await self._show_to_others(event)
            case TipChanged(ref, tip_time):
                self._update(tip_height=ref.height, tip_time=tip_time)
        for session in list(self._sessions.values()):
            await self._hand_to(session, event)
        self._changed.set()

    async def _hand_to(self, session: WalletSession, event: ChainEvent) -> None:
        try:
            await session.handle(event)
        except StorageError as error:
            # A full disk must not end the sync: the change is kept and tried again.
            logger.warning("Storing a wallet failed: %s", type(error).__name__)
            self._update(warning=str(error))

    async def _show_to_others(self, event: BroadcastProgress) -> None:
        """Tell every open wallet of a payment that one of them sent.

        Peers do not send our own transactions back to us.
        """
        if event.stage not in {BroadcastStage.REQUESTED, BroadcastStage.ECHOED}:
            return
        known = (session.wallet.transaction(event.txid) for session in self._sessions.values())
        tx = next((tx for tx in known if tx is not None), None)
        if tx is not None:
            for session in list(self._sessions.values()):
                if session.wallet.transaction(event.txid) is None:
                    await self._hand_to(session, TxSeen(tx, ""))

    def _progress(self, event: SyncProgress) -> None:
        if event.phase is Phase.SYNCED:
            phases = tuple(replace(item, done=item.total) for item in self._snapshot.phases)
        else:
            phases = tuple(
                PhaseProgress(
                    event.phase, event.done, event.total, event.speed, event.bytes_per_second
                )
                if item.phase is event.phase
                else item
                for item in self._snapshot.phases
            )
        self._update(phase=event.phase, phases=phases)

    def _update(self, **changes: object) -> None:
        self._snapshot = replace(self._snapshot, **changes)  # type: ignore[arg-type]
        if self._publishing is None:
            loop = asyncio.get_running_loop()
            self._publishing = loop.call_later(_PUBLISH_INTERVAL, self._publish_now)

    def _publish_now(self) -> None:
        self._publishing = None
        if self._backend is not None:
            self._snapshot = replace(self._snapshot, peers=tuple(self._backend.peers()))
        self._publish(self._snapshot)
