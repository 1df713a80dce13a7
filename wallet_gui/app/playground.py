"""A private regtest network with play money: a bitcoind of our own that mines and pays.

It listens on 127.0.0.1 only and serves compact filters, so that the wallet meets it as it would
meet any peer. Chain and ports are kept from run to run: a wallet finds its payments again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from wallet_gui.app.node_process import NodeProcess, PlaygroundError, find_bitcoind
from wallet_gui.app.node_rpc import HOST, NodeRefused
from wallet_gui.primitives.amount import COIN, format_btc
from wallet_gui.primitives.hashes import hash_from_hex

logger = logging.getLogger(__name__)

BLOCK_SECONDS = 20.0
# The wallet inside bitcoind that owns what is mined.
_BANK = "bank"
# A coinbase can be spent in the 101st block (COINBASE_MATURITY, Core's consensus/consensus.h).
_MATURE_HEIGHT = 101
# Left in the bank for fees.
_RESERVE_SAT = COIN // 100


class Playground:
    """Runs the network; every method belongs to one asyncio loop, whose thread outlives it."""

    def __init__(
        self,
        directory: Path,
        *,
        program: Path | None = None,
        block_seconds: float = BLOCK_SECONDS,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare; nothing runs before `start`.

        `directory` is private to it and made when absent. `program` is the bitcoind to use, found
        by itself when None. `on_failure` gets one sentence when bitcoind ends by itself later.
        """
        self._directory = directory
        self._program = program
        self._block_seconds = block_seconds
        self._on_failure = on_failure
        self._node: NodeProcess | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._bank_address = ""
        # One at a time: two payments must not pick the same coins.
        self._bank_lock = asyncio.Lock()

    @property
    def is_running(self) -> bool:
        return self._node is not None and self._node.is_running

    @property
    def peer(self) -> tuple[str, int]:
        """Host and port for the wallet to connect to; valid once started."""
        return HOST, self._running().ports.p2p

    async def start(self) -> tuple[str, int]:
        """Start bitcoind, see that there is money to give, and go on mining; returns the peer.

        Raises PlaygroundError with a sentence, and leaves nothing running then.
        """
        if self.is_running:
            return self.peer
        program = self._program
        if program is None:
            program = await asyncio.to_thread(find_bitcoind)
        node = self._node = NodeProcess(program, self._directory)
        try:
            await node.start()
            await self._open_bank()
            # At least one block: a node whose tip is a day old relays no payments.
            await self.mine(max(1, _MATURE_HEIGHT - await self.height()))
        except BaseException:
            await self.stop()
            raise
        self._tasks = [
            asyncio.create_task(self._mine_on(), name="playground-miner"),
            asyncio.create_task(self._watch(node), name="playground-watch"),
        ]
        return self.peer

    async def height(self) -> int:
        """Return the height of the best block."""
        return int(await self._call("getblockcount"))

    async def mine(self, count: int = 1) -> int:
        """Mine blocks at once; returns the new height."""
        if not self._bank_address:
            self._bank_address = await self._call("getnewaddress", wallet=_BANK)
        await self._call("generatetoaddress", count, self._bank_address, seconds=120.0)
        return await self.height()

    async def fund(self, address: str, amount_sat: int) -> bytes:
        """Pay play money to a regtest address; returns the txid in wire order.

        The payment waits in the mempool for the next block. Mines more when the bank is short.
        Raises PlaygroundError when the address or amount is refused, or the bank cannot have so
        much.
        """
        if amount_sat <= 0:
            raise PlaygroundError("The amount of play money must be more than nothing.")
        async with self._bank_lock:
            await self._have(amount_sat + _RESERVE_SAT)
            # As text: bitcoind reads it exactly, and no float is involved.
            amount = format_btc(amount_sat)
            return hash_from_hex(await self._call("sendtoaddress", address, amount, wallet=_BANK))

    async def stop(self) -> None:
        """Stop mining and bitcoind; may be called at any time, and twice."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        node, self._node = self._node, None
        if node is not None:
            await node.stop()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _open_bank(self) -> None:
        if _BANK in await self._call("listwallets"):
            return
        try:
            await self._running().rpc.call("loadwallet", _BANK)
        except NodeRefused:
            await self._call("createwallet", _BANK)

    async def _have(self, amount_sat: int) -> None:
        """Mine until the bank holds so much that may be spent."""
        for _ in range(20):
            if await self._balance() >= amount_sat:
                return
            await self.mine(10)
        raise PlaygroundError(
            f"The playground has no {format_btc(amount_sat)} BTC of play money left. Ask for less, "
            f"or start anew by removing the folder {self._directory}."
        )

    async def _balance(self) -> int:
        return int(Decimal(await self._call("getbalance", wallet=_BANK)) * COIN)

    async def _mine_on(self) -> None:
        while True:
            await asyncio.sleep(self._block_seconds)
            # A block that is missed is none that anybody waits for; the watcher reports an end.
            with contextlib.suppress(PlaygroundError):
                await self.mine()

    async def _watch(self, node: NodeProcess) -> None:
        await node.wait()
        sentence = "The playground's bitcoind has ended. " + await asyncio.to_thread(
            node.last_words
        )
        logger.warning("%s", sentence)
        if self._on_failure is not None:
            self._on_failure(sentence)

    async def _call(
        self, method: str, *parameters: object, wallet: str = "", seconds: float = 30.0
    ) -> Any:
        """Call bitcoind; its refusals and its absence become sentences."""
        try:
            return await self._running().rpc.call(
                method, *parameters, wallet=wallet, seconds=seconds
            )
        except NodeRefused as error:
            raise PlaygroundError(f"The playground's bitcoind refused: {error}.") from error
        except OSError as error:
            raise PlaygroundError(
                "The playground's bitcoind does not answer. Please start the playground again."
            ) from error

    def _running(self) -> NodeProcess:
        if self._node is None:
            raise PlaygroundError("The playground is not running. Please start it again.")
        return self._node
