"""BackendSelector: which source of blocks is in use, and one picture of how far it is.

Today there is one kind, compact filters over P2P from peers that the person names. The selector
owns the backend of one network, hands its events to every open wallet and condenses progress into
a `SyncSnapshot` for the status bar.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from wallet_gui.app.published import PhaseProgress, SyncSnapshot
from wallet_gui.app.session import WalletSession
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BroadcastProgress,
    ChainBackend,
    ChainEvent,
    ChainStores,
    ConnectionState,
    EventSink,
    Phase,
    SyncProgress,
    TipChanged,
)
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.primitives.params import ChainParams
from wallet_gui.storage.errors import StorageError

logger = logging.getLogger(__name__)

_PUBLISH_INTERVAL = 0.1


class BackendFactory(Protocol):
    """Makes the backend of a network; tests give one with scripted peers."""

    def __call__(
        self,
        params: ChainParams,
        peers: Sequence[PeerAddress],
        stores: ChainStores,
        sink: EventSink,
    ) -> ChainBackend:
        """Make a backend that is not started yet."""
        ...


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
        self._synced = asyncio.Event()

    @property
    def snapshot(self) -> SyncSnapshot:
        return self._snapshot

    @property
    def backend(self) -> ChainBackend | None:
        return self._backend

    async def start(self, peers: Sequence[PeerAddress]) -> None:
        """Connect to these peers; open wallets are scanned on. Replaces a running backend."""
        await self.stop()
        self._backend = self._make_backend(self.params, peers, self._stores, self._sink)
        for session in self._sessions.values():
            session.attach(self._backend)
        await self._backend.start()

    async def stop(self) -> None:
        """Disconnect. Wallets stay open and show what is stored."""
        backend, self._backend = self._backend, None
        if backend is None:
            return
        for session in self._sessions.values():
            session.detach()
        await backend.stop()
        self._synced.clear()
        self._update(state=ConnectionState.STOPPED, peers=(), detail="")

    def add(self, session: WalletSession) -> None:
        """Scan for one more wallet."""
        self._sessions[session.wallet_id] = session
        if self._backend is not None:
            session.attach(self._backend)

    def remove(self, session: WalletSession) -> None:
        """Forget a wallet."""
        if self._sessions.pop(session.wallet_id, None) is not None:
            session.detach()

    async def wait_until_synced(self) -> None:
        """Return once every block up to the tip is matched for every open wallet."""
        await self._synced.wait()

    async def rebroadcast(self, session: WalletSession) -> None:
        """Offer our own unconfirmed payments again, parents first."""
        for tx in session.unconfirmed_own():
            if self._backend is not None:
                await self._backend.broadcast(tx)

    async def _sink(self, event: ChainEvent) -> None:
        match event:
            case SyncProgress():
                self._progress(event)
            case BackendState(state, _, detail):
                self._update(state=state, detail=detail)
            case BackendWarning(sentence):
                self._update(warning=sentence)
            case BroadcastProgress():
                self._publish(event)
            case TipChanged(ref, tip_time):
                self._update(tip_height=ref.height, tip_time=tip_time)
        for session in list(self._sessions.values()):
            try:
                await session.handle(event)
            except StorageError as error:
                # A full disk must not end the sync: the change is kept and tried again.
                logger.warning("Storing a wallet failed: %s", type(error).__name__)
                self._update(warning=str(error))

    def _progress(self, event: SyncProgress) -> None:
        if event.phase is Phase.SYNCED:
            self._synced.set()
            phases = tuple(replace(item, done=item.total) for item in self._snapshot.phases)
        else:
            if event.phase is not Phase.PEERS:
                self._synced.clear()
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
