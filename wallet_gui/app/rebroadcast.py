"""Offering our unconfirmed payments to the network again until it has them.

A payment may have been signed while nobody was connected; a peer may have forgotten it, dropped it
because its lock time forbade it while the chain was shorter, or lost what it spends in a
reorganisation.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from wallet_gui.chain.backend import BroadcastResult, ChainError
from wallet_gui.primitives.transaction import Transaction

logger = logging.getLogger(__name__)

AGAIN_AFTER: Final = 600.0
"""Seconds until a payment is offered once more when nothing happened to the chain."""
LOOK_EVERY: Final = 5.0
AT_ONCE: Final = 50
"""Offers that wait for the network's answer at the same time."""


class _Source(Protocol):
    @property
    def reorganizations(self) -> int: ...

    def is_synced(self) -> bool: ...


class _Sender(Protocol):
    def unconfirmed_own(self) -> list[Transaction]: ...

    async def broadcast(self, tx: Transaction) -> BroadcastResult: ...


class Rebroadcast:
    """Offers what waits in the open wallets: once in sync, after a reorganisation, now and then.

    Offers do not wait for one another: one that peers refuse takes its time to fail, and a payment
    that they would take must not stand behind it. Parents are announced before their children.
    """

    def __init__(
        self,
        source: _Source,
        senders: Callable[[], Iterable[_Sender]],
        *,
        look_every: float = LOOK_EVERY,
    ) -> None:
        self._source = source
        self._senders = senders
        self._look_every = look_every
        self._reorganizations = source.reorganizations
        self._offered: dict[bytes, float] = {}  # txid -> when, on the loop's clock
        self._waiting: set[asyncio.Task[None]] = set()
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        async with asyncio.TaskGroup() as offers:
            while True:
                await asyncio.sleep(self._look_every)
                if self._source.is_synced():
                    self._look(offers)

    def _look(self, offers: asyncio.TaskGroup) -> None:
        if self._source.reorganizations != self._reorganizations:
            self._reorganizations = self._source.reorganizations
            self._offered.clear()
            # What these wait for may never come: the peers were asked about another chain.
            for task in self._waiting:
                task.cancel()
        now = asyncio.get_running_loop().time()
        for sender in self._senders():
            for tx in sender.unconfirmed_own():
                last = self._offered.get(tx.txid)
                if last is None or now - last >= AGAIN_AFTER:
                    self._offered[tx.txid] = now
                    task = offers.create_task(self._offer(sender, tx))
                    self._waiting.add(task)
                    task.add_done_callback(self._waiting.discard)

    async def _offer(self, sender: _Sender, tx: Transaction) -> None:
        try:
            async with self._turn:
                await sender.broadcast(tx)
        except ChainError as error:
            logger.info("Rebroadcast waits: %s", type(error).__name__)
            self._offered.pop(tx.txid, None)
