"""Fetches the blocks that matchers point at, ahead and in height order, and checks each in full.

A block counts only if it is the one that our own header chain names, its transactions lead to the
merkle root and its witnesses to the coinbase's commitment: so no node can invent a payment. What a
pruned node has thrown away comes from public peers, where there are any, and is checked alike.
"""

import asyncio
import contextlib
from collections import OrderedDict
from functools import partial
from typing import Final

from wallet_gui.chain import signet
from wallet_gui.chain.backend import BackendWarning, ChainError
from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.in_order import end
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import MAX_BLOCK_REPLY, NodeCalls, PublicPeers
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError, pruned_block
from wallet_gui.chain.bitcoind.scan_problems import node_lies
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.p2p.sync_state import Lane
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.primitives.block import MAX_BLOCK_SIZE, ScannedBlock
from wallet_gui.primitives.serialize import ParseError

LOOK_AHEAD: Final = 16
AT_ONCE: Final = 4
MAX_KEPT_BYTES: Final = 16_000_000
RETRIES: Final = (0.2, 1.0, 5.0, 30.0)
"""Seconds after which a block that could not be had, or was not right, is asked for again."""
TELL_AFTER: Final = 5.0  # seconds after which a person hears that public peers are waited for
LIMIT: Final = 120.0  # seconds for one block over a slow line


class NodeBlocks:
    """Blocks at hand, those on their way, and why one does not come."""

    def __init__(
        self,
        chain: NodeChain,
        watches: Watches,
        engine: FilterEngine,
        lanes: WorkerLanes,
        public: PublicPeers | None = None,
    ) -> None:
        self._chain = chain
        self._watches = watches
        self._engine = engine
        self._lanes = lanes
        self._public = public
        self._blocks: OrderedDict[bytes, tuple[ScannedBlock, int]] = OrderedDict()
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._failures: dict[bytes, int] = {}
        self._resting: dict[bytes, float] = {}  # block -> when it may be asked for again
        self._wake = asyncio.Event()
        self._has_told_of_signet = False
        self.problems: dict[bytes, NodeProblem] = {}
        self.received = 0  # blocks
        self.received_bytes = 0
        self.from_public = 0  # blocks that came from public peers
        self.on_change = self.wake

    def block_at(self, height: int) -> ScannedBlock | None:
        """Give the block of the active chain at `height` if it is at hand."""
        block_hash = self._chain.headers.hash_at(height)
        found = self._blocks.get(block_hash)
        if found is None:
            return None
        self._blocks.move_to_end(block_hash)
        return found[0]

    def wake(self) -> None:
        """Look again at what is wanted."""
        self._wake.set()

    def wanted(self) -> list[int]:
        """List the lowest heights that wallets wait for, ascending."""
        top = self._chain.headers.height
        heights = {h for scan in self._watches.all_scans() for h in scan.pending(LOOK_AHEAD)}
        return [height for height in sorted(heights)[:LOOK_AHEAD] if height <= top]

    async def run(self, node: NodeCalls) -> None:
        """Fetch what is wanted until the connection ends; raises NodeProblem then."""
        loop = asyncio.get_running_loop()
        self._resting.clear()
        failed: asyncio.Future[None] = loop.create_future()
        try:
            while True:
                self._wake.clear()
                pause = self._begin(node, failed)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wake.wait()
                if failed.done():
                    failed.result()
        finally:
            tasks, self._tasks = list(self._tasks.values()), {}
            await end(tasks)
            if failed.done() and not failed.cancelled():
                failed.exception()
            else:
                failed.cancel()

    def _begin(self, node: NodeCalls, failed: "asyncio.Future[None]") -> float | None:
        """Start to fetch; give the seconds until something may be asked for again."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        headers = self._chain.headers
        wanted = {headers.hash_at(height): height for height in self.wanted()}
        self.problems = {h: p for h, p in self.problems.items() if h in wanted}
        pause: float | None = None
        for block_hash, height in wanted.items():
            if block_hash in self._blocks or block_hash in self._tasks:
                continue
            rest = self._resting.get(block_hash, 0.0) - now
            if rest > 0:
                pause = rest if pause is None else min(pause, rest)
                continue
            if len(self._tasks) >= AT_ONCE:
                break
            task = loop.create_task(self._fetch(node, height, block_hash))
            self._tasks[block_hash] = task
            task.add_done_callback(partial(self._ended, block_hash, failed))
        return pause

    def _ended(
        self, block_hash: bytes, failed: "asyncio.Future[None]", task: "asyncio.Task[None]"
    ) -> None:
        if self._tasks.get(block_hash) is task:
            del self._tasks[block_hash]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not failed.done():
            failed.set_exception(error)
        self._wake.set()
        self.on_change()

    async def _fetch(self, node: NodeCalls, height: int, block_hash: bytes) -> None:
        """Fetch and check one block; what concerns only this block is noted and tried again."""
        try:
            raw = await self._raw(node, height, block_hash)
            block, notes = await self._lanes.run(
                Lane.BLOCKS, partial(self._checked, raw, height, block_hash)
            )
        except RpcError as error:
            if error.number == replies.NOT_FOUND:
                self._rest(block_hash, None)  # it left the node's chain: news of that is due
                return
            self._rest(block_hash, error)
            return
        except NodeProblem as problem:
            if problem.code not in {Code.NODE_LIES, Code.PRUNED_BLOCK, Code.BAD_REPLY}:
                raise
            self._rest(block_hash, problem)
            return
        for note in notes[: not self._has_told_of_signet]:
            self._has_told_of_signet = True
            self._chain.emit(BackendWarning(note))
        self._failures.pop(block_hash, None)
        self.problems.pop(block_hash, None)
        self.received += 1
        self._keep(block_hash, block, len(raw))

    def _rest(self, block_hash: bytes, problem: NodeProblem | None) -> None:
        count = self._failures[block_hash] = self._failures.get(block_hash, 0) + 1
        rest = RETRIES[min(count, len(RETRIES)) - 1]
        self._resting[block_hash] = asyncio.get_running_loop().time() + rest
        if problem is not None:
            self.problems[block_hash] = problem

    async def _raw(self, node: NodeCalls, height: int, block_hash: bytes) -> bytes:
        is_pruned = node.prune_height is not None and height < node.prune_height
        if is_pruned and self._public is not None:
            return await self._from_public(self._public, height, block_hash)
        try:
            reply = await node.rpc.call(
                "getblock",
                replies.shown(block_hash),
                0,
                seconds=LIMIT,
                limit=MAX_BLOCK_REPLY + 1000,
            )
        except RpcError as error:
            if error.code is not Code.PRUNED_BLOCK:
                raise
            if self._public is None:
                raise _nowhere(height) from error
            return await self._from_public(self._public, height, block_hash)
        raw = replies.raw_bytes(reply, "a block", MAX_BLOCK_SIZE)
        self.received_bytes += len(raw)
        return raw

    async def _from_public(self, public: PublicPeers, height: int, block_hash: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        telling = loop.call_later(TELL_AFTER, self._tell_of_waiting, height, block_hash)
        try:
            raw = await public.fetch_block(height, block_hash)
        except NodeProblem:
            raise
        except ChainError as error:
            raise _nowhere(height, str(error)) from error
        finally:
            telling.cancel()
        self.from_public += 1
        return raw

    def _tell_of_waiting(self, height: int, block_hash: bytes) -> None:
        """Let a person know what is waited for, long before it is given up."""
        self.problems[block_hash] = _nowhere(height, "No public peer has given it yet.")
        self.on_change()

    def _checked(
        self, raw: bytes, height: int, block_hash: bytes
    ) -> tuple[ScannedBlock, list[str]]:
        """Read and check a block, in a worker thread."""
        params = self._chain.params
        try:
            block = self._engine.scan_block(raw)
            if block.header.hash != block_hash:
                raise node_lies(f"block {height} is not the one that was asked for")
            block.check(segwit_active=height >= params.segwit_height)
            # Nobody signed the genesis block.
            notes = signet.check_or_explain(block, params) if height > 0 else []
        except ParseError as error:
            raise node_lies(f"block {height}: {error}") from error
        return block, notes

    def _keep(self, block_hash: bytes, block: ScannedBlock, size: int) -> None:
        self._blocks[block_hash] = (block, size)
        total = sum(kept for _, kept in self._blocks.values())
        if total <= MAX_KEPT_BYTES:
            return
        wanted = {self._chain.headers.hash_at(height) for height in self.wanted()}
        for candidate in [h for h in self._blocks if h not in wanted]:
            if total <= MAX_KEPT_BYTES:
                return
            total -= self._blocks.pop(candidate)[1]


def _nowhere(height: int, why: str = "") -> NodeProblem:
    """A pruned node has not got the block, and nobody else gave it."""
    known = pruned_block(height)
    advice = (
        "Allow the wallet to ask public peers for such blocks, or choose “Directly” until the "
        "history is read."
        if not why
        else "Public peers are asked for it, as long as it takes."
    )
    return NodeProblem(Code.PRUNED_BLOCK, known.title, advice, detail=why)
