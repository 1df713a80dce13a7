"""Payments that wait for a block, fees, and sending, over whichever connection there is.

What the node said of its mempool is forgotten with the connection: the next one tells it all anew.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from typing import Final

from wallet_gui.chain.backend import (
    BroadcastProgress,
    BroadcastResult,
    BroadcastStage,
    ChainEvent,
    NoPeers,
    PendingChanged,
    TxSeen,
)
from wallet_gui.chain.bitcoind.node_broadcast import NodeBroadcast
from wallet_gui.chain.bitcoind.node_fees import NodeFees
from wallet_gui.chain.bitcoind.node_mempool import NodeMempool
from wallet_gui.chain.bitcoind.node_session import NodeUse
from wallet_gui.chain.bitcoind.problems import NodeProblem, RpcError
from wallet_gui.chain.reports import FeeAdvice, SeenBy
from wallet_gui.primitives.transaction import Transaction

CHAIN_FIRST: Final = 3.0  # seconds for which the mempool waits until the chain is read
FEES_EVERY: Final = 60.0
RECEIVING_PAUSE: Final = 5.0  # seconds between looks at most, while a person waits for a payment
SEND_AGAIN: Final = 60.0  # seconds for which a lost connection is waited for while sending
LOOK_AGAIN: Final = 30.0  # seconds after which what the node refused to tell is asked for again

OFFLINE: Final = "The node cannot be reached; the payment was not sent."
UNKNOWN: Final = (
    "The connection to the node was lost while the payment was being sent. Whether the node has it "
    "is not known; sending it again is safe."
)


class NodePayments:
    """What is known of unconfirmed payments; `emit` queues events for the wallets."""

    def __init__(
        self,
        scripts: Callable[[], Collection[bytes]],
        emit: Callable[[ChainEvent], None],
        unix_time: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._scripts = scripts
        self._emit = emit
        self._monotonic = monotonic
        self._fees = NodeFees(unix_time)
        self._mempool: NodeMempool | None = None
        self._is_polled = False
        self._use: NodeUse | None = None
        self._connected = asyncio.Event()
        self._wake = asyncio.Event()
        self._chain_is_read = asyncio.Event()
        self.is_receiving = False

    # --- what is asked ----------------------------------------------------------------------------

    def fee_advice(self) -> FeeAdvice | None:
        """Give the usual fee rates as the node estimates them; None before its first answer."""
        return self._fees.advice()

    def minimum_fee_rates(self) -> list[int]:
        """List the rate, in sat/kvB, below which the node takes nothing; empty while unknown."""
        rate = self._fees.minimum_rate()
        return [] if rate is None or self._use is None else [rate]

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Tell whether the node has a transaction; None where it has not, or is not asked."""
        if self._mempool is None or not self._is_polled or not self._mempool.has(txid):
            return None
        return SeenBy(1, 1)

    def chain_is_read(self) -> None:
        """The wallets were told everything: now is the time for what is not confirmed."""
        self._chain_is_read.set()

    def look_soon(self) -> None:
        """Look at the mempool now: a block came, or the scripts are others."""
        self._wake.set()

    # --- while a connection lasts -----------------------------------------------------------------

    async def run(self, use: NodeUse) -> None:
        """Look at the mempool and the fees until the connection ends; raises NodeProblem then."""
        rpc = use.calls.rpc
        tells_scripts = use.may_ask_for_coins
        mempool = self._mempool = NodeMempool(use.calls.has_activity, tells_scripts)
        self._is_polled = False
        self._use = use
        self._connected.set()
        fees_at = float("-inf")
        try:
            # The chain comes first: what is shown at once is the balance.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHAIN_FIRST):
                    await self._chain_is_read.wait()
            while True:
                self._wake.clear()
                pause = LOOK_AGAIN
                try:
                    if self._monotonic() - fees_at >= FEES_EVERY:
                        fees_at = self._monotonic()
                        before = self._fees.minimum_rate()
                        await self._fees.refresh(rpc)
                        if self._fees.minimum_rate() != before:
                            self._emit(PendingChanged())
                    news = await mempool.poll(rpc, self._scripts())
                    self._is_polled = True
                    pause = mempool.pause
                    for tx in news.seen:
                        self._emit(TxSeen(tx, use.via))
                    if not news.is_empty:
                        self._emit(PendingChanged())
                except RpcError:
                    pass  # not permitted, say: the chain is read all the same
                if self.is_receiving:
                    pause = min(pause, RECEIVING_PAUSE)
                try:
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                except TimeoutError:
                    continue
        finally:
            self._connected.clear()
            self._use = None
            self._mempool = None

    async def broadcast(
        self, tx: Transaction, parents: Sequence[Transaction] = ()
    ) -> BroadcastResult:
        """Send through the node; once more over the next connection when one is lost meanwhile.

        Raises NoPeers where there is none, or none again soon.
        """
        if not self._connected.is_set():
            raise NoPeers(OFFLINE)

        async def tell(stage: BroadcastStage) -> None:
            self._emit(BroadcastProgress(tx.txid, stage, 0 if stage is BroadcastStage.SENT else 1))

        deadline = asyncio.get_running_loop().time() + SEND_AGAIN
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    await self._connected.wait()
                use = self._use
                if use is None:
                    continue
                sender = NodeBroadcast(has_package_relay=use.has_package_relay)
                result = await sender.send(use.calls.rpc, tx, parents, on_stage=tell)
            except RpcError as error:
                raise NoPeers(str(error)) from error
            except NodeProblem as problem:
                if asyncio.get_running_loop().time() > deadline:
                    raise NoPeers(UNKNOWN) from problem
                await asyncio.sleep(0.2)  # the connection is about to notice
                continue
            except TimeoutError:
                raise NoPeers(UNKNOWN) from None
            if self._mempool is not None:
                self._mempool.has(tx.txid)
            self.look_soon()
            return result
