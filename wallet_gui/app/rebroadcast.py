"""Offering our unconfirmed payments to the network again until a block holds them.

A payment may have been signed while nobody was connected; a peer may have forgotten it, dropped it
because its lock time forbade it while the chain was shorter, or lost what it spends in a
reorganisation. So each is offered at every start, after a reorganisation, with each of the first
three blocks, and every ten to sixty minutes. Peers that have it are not told again (`broadcast`).
It ends when a block holds the payment or a rival, or when the person gives it up. The payments are
in the wallet file and the schedule is in the cache, so the end of the program interrupts nothing.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from random import Random
from typing import TYPE_CHECKING, Final, Protocol

from wallet_gui.chain.backend import BroadcastResult, ChainError
from wallet_gui.primitives.transaction import Transaction

if TYPE_CHECKING:
    from wallet_gui.wallet.changes import Attempts

logger = logging.getLogger(__name__)

FIRST_BLOCKS: Final = 3
LEAST_PAUSE: Final = 600
LONGEST_PAUSE: Final = 3600
"""Seconds between which, at random, a payment is offered once more when nothing else happened."""

LOOK_EVERY: Final = 5.0
AT_ONCE: Final = 50
"""Offers that wait for the network's answer at the same time."""


def due_again(now: int, rng: Random) -> int:
    """Choose when a payment that was just offered is due again (Unix time)."""
    return now + rng.randint(LEAST_PAUSE, LONGEST_PAUSE)


class _Source(Protocol):
    @property
    def reorganizations(self) -> int: ...

    @property
    def tip_height(self) -> int | None: ...

    def is_synced(self) -> bool: ...


class _Sending(Protocol):
    def attempts(self, txid: bytes) -> "Attempts | None": ...

    def is_sending(self, txid: bytes) -> bool: ...


class _Sender(Protocol):
    @property
    def sending(self) -> _Sending: ...

    def unconfirmed_own(self) -> list[Transaction]: ...

    async def broadcast(self, tx: Transaction) -> BroadcastResult: ...


class Rebroadcast:
    """Offers what waits in the open wallets, once the chain is known.

    Offers do not wait for one another: one that peers refuse takes its time to fail, and a payment
    that they would take must not stand behind it. Parents are announced before their children.
    """

    def __init__(
        self,
        source: _Source,
        senders: Callable[[], Iterable[_Sender]],
        *,
        look_every: float = LOOK_EVERY,
        clock: Callable[[], int] = lambda: int(time.time()),
    ) -> None:
        self._source = source
        self._senders = senders
        self._look_every = look_every
        self._clock = clock
        self._reorganizations = source.reorganizations
        self._since: float = clock()  # what was tried later than this was tried in this run
        self._offered: dict[bytes, int] = {}  # txid -> height of the tip then
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
        has_reorganized = self._source.reorganizations != self._reorganizations
        if has_reorganized:
            self._reorganizations = self._source.reorganizations
            self._offered.clear()
            self._since = float("inf")
            # What these wait for may never come: the peers were asked about another chain.
            for task in self._waiting:
                task.cancel()
        height = self._source.tip_height or 0
        waiting = [(sender, tx) for sender in self._senders() for tx in sender.unconfirmed_own()]
        wanted = {tx.txid for _, tx in waiting}
        self._offered = {txid: at for txid, at in self._offered.items() if txid in wanted}
        for sender, tx in waiting:
            sending = sender.sending
            is_free = has_reorganized or not sending.is_sending(tx.txid)
            if is_free and self._is_due(tx.txid, sending.attempts(tx.txid), height):
                self._offered[tx.txid] = height
                task = offers.create_task(self._offer(sender, tx))
                self._waiting.add(task)
                task.add_done_callback(self._waiting.discard)

    def _is_due(self, txid: bytes, tried: "Attempts | None", height: int) -> bool:
        offered_at = self._offered.get(txid)
        if tried is None:
            return offered_at is None
        if offered_at is None:
            if tried.last < self._since:
                return True
            # It was sent by hand meanwhile.
            offered_at = self._offered[txid] = tried.height if tried.count == 1 else height
        if offered_at < height <= tried.height + FIRST_BLOCKS:
            return True
        # A clock that was wrong must not put it off for years.
        return not self._clock() < tried.due <= self._clock() + LONGEST_PAUSE

    async def _offer(self, sender: _Sender, tx: Transaction) -> None:
        try:
            async with self._turn:
                await sender.broadcast(tx)
        except ChainError as error:
            logger.info("Rebroadcast waits: %s", type(error).__name__)
            self._offered.pop(tx.txid, None)
