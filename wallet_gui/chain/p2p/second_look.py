"""Public peers beside the user's own node: blocks that it threw away, another view of the chain.

A light client of its own that watches no wallet and stores nothing. It follows headers and filter
headers from the newest known place on, and fetches single blocks when asked for them.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from wallet_gui.chain.audit import ChainView
from wallet_gui.chain.backend import (
    BlockRef,
    BroadcastProgress,
    BroadcastResult,
    ChainEvent,
    EventSink,
    NoPeers,
    PeerStore,
)
from wallet_gui.chain.checkpoints import Checkpoints
from wallet_gui.chain.memory_stores import MemoryStores
from wallet_gui.chain.p2p.backend import P2PBackend
from wallet_gui.chain.p2p.netgroup import Netgroup
from wallet_gui.chain.p2p.options import P2POptions, RelayMode
from wallet_gui.chain.p2p.seeds import Resolver
from wallet_gui.chain.reports import LedgerEntry, PeerInfo
from wallet_gui.primitives.params import ChainParams
from wallet_gui.primitives.transaction import Transaction

FETCH_TIMEOUT: Final = 120.0
CONNECT_ATTEMPTS: Final = 150  # tenths of a second for the first peer


class SecondLook:
    """A few public peers, asked beside the node. Lives on the engine's loop."""

    def __init__(
        self,
        params: ChainParams,
        options: P2POptions,
        *,
        peer_store: PeerStore | None = None,
        resolver: Resolver | None = None,
        netgroup: Netgroup | None = None,
        checkpoints: Checkpoints | None = None,
        sink: EventSink | None = None,
        on_failure: Callable[[BaseException], None] | None = None,
    ) -> None:
        """Contact nobody yet. `sink` hears how a broadcast goes on, and of nothing else.

        `options` decide about routes and peers as they do without a node.
        """
        self._params = params
        self._options = options
        self._peer_store = peer_store
        self._resolver = resolver
        self._netgroup = netgroup
        self._checkpoints = checkpoints
        self.sink = sink
        self._on_failure = on_failure
        self._backend: P2PBackend | None = None
        self._past: list[LedgerEntry] = []

    async def start(self) -> None:
        """Connect, unless that was done."""
        if self._backend is None:
            self._backend = P2PBackend(
                self._params,
                _quiet(self._options),
                MemoryStores(),
                self._hear,
                peer_store=self._peer_store,
                resolver=self._resolver,
                netgroup=self._netgroup,
                checkpoints=self._checkpoints,
                on_failure=self._failed,
            )
            await self._backend.start()

    async def stop(self) -> None:
        """Close every connection. Idempotent."""
        backend, self._backend = self._backend, None
        if backend is not None:
            self._past = [*backend.ledger(), *self._past]
            await backend.stop()

    async def set_options(self, options: P2POptions) -> None:
        """Apply what a person decided about peers and routes."""
        self._options = options
        if self._backend is not None:
            self._backend.set_options(_quiet(options))

    async def fetch_block(self, height: int, block_hash: bytes) -> bytes:
        """Fetch a block that belongs to the header of that hash; connects where that is needed.

        Raises NoPeers when nobody gave it within two minutes.
        """
        await self.start()
        ref = BlockRef(height, block_hash)
        try:
            async with asyncio.timeout(FETCH_TIMEOUT):
                while True:
                    backend = self._backend
                    if backend is None:
                        raise NoPeers("Public peers are not asked any more.")
                    if backend.view() is not None:
                        return await backend.fetch_block(ref)
                    await asyncio.sleep(0.05)  # its chain is being loaded
        except TimeoutError:
            raise NoPeers(
                f"Your node does not keep block {height} any more, and no public peer gave it. "
                "It is asked for again."
            ) from None

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Send a payment through public peers; raises NoPeers when none is there."""
        await self.start()
        for _ in range(CONNECT_ATTEMPTS):
            if self._backend is None or self._backend.peers():
                break
            await asyncio.sleep(0.1)
        if self._backend is None:
            raise NoPeers("Public peers are not asked any more.")
        return await self._backend.broadcast(tx, parents)

    def withdraw(self, txid: bytes) -> None:
        """Send a payment no more."""
        if self._backend is not None:
            self._backend.withdraw(txid)

    def view(self) -> ChainView | None:
        """Tell what they show of the chain; None while nothing is known."""
        return None if self._backend is None else self._backend.view()

    def peers(self) -> list[PeerInfo]:
        """List the connections of this moment."""
        return [] if self._backend is None else self._backend.peers()

    def ledger(self) -> list[LedgerEntry]:
        """List every contact, the newest first."""
        now = [] if self._backend is None else self._backend.ledger()
        return [*now, *self._past]

    async def _hear(self, event: ChainEvent) -> None:
        if self.sink is not None and isinstance(event, BroadcastProgress):
            await self.sink(event)

    def _failed(self, error: BaseException) -> None:
        if self._on_failure is not None:
            self._on_failure(error)


def _quiet(options: P2POptions) -> P2POptions:
    """Follow the chain only: payments are the node's matter."""
    return replace(options, relay=RelayMode.OFF, ask_above=None)
