"""The node looks for scripts by itself (`scanblocks`), and nothing of that stays there.

A node makes one scan at a time, for whoever asks, and three things may silently spoil one
(node-over-ssh.md C.5): blocks whose filters are missing are skipped, so the index is looked at
before and after; on Knots another program's attempt to scan erases what ours has found so far, so
there a script that the first block surely holds is looked for too: while that one is found,
nothing was lost; and a scan goes on when its connection is lost, so the next one waits.
"""

import asyncio
import time
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any, Final

from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.in_order import together
from wallet_gui.chain.bitcoind.matchers import (
    ChainMoved,
    FilterMatcher,
    Wanted,
    span_of,
    within,
)
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import MAX_BLOCK_REPLY, NodeCalls
from wallet_gui.chain.bitcoind.problems import (
    Code,
    NodeProblem,
    RpcError,
    bad_reply,
    index_building,
    no_filter_index,
    node_silent,
    scan_busy,
)
from wallet_gui.chain.bitcoind.scan_problems import scan_lost
from wallet_gui.chain.bitcoind.unspent import descriptors
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.p2p.sync_state import Lane
from wallet_gui.primitives.block import MAX_BLOCK_SIZE, Block
from wallet_gui.primitives.serialize import ParseError

CHUNK: Final = 10_000  # heights in one scan: the node's own step, between which it can be aborted
TRIES: Final = 4
STATUS_EVERY: Final = 0.5
GONE_AFTER: Final = 60.0
"""Seconds without a scan at the node, and without an answer, after which none will come."""
BUSY_PAUSE: Final = 0.2
LONGEST_PAUSE: Final = 1.0
MAX_REPLY: Final = 16_000_000
FALSE_MATCHES_PER: Final = 784_931  # BIP158's M
WORTH_SORTING_OUT: Final = 2.0  # blocks expected to match by chance, from which the node is asked
ACTIVITY_BLOCKS: Final = 50
ACTIVITY_SECONDS: Final = 600.0  # for these: they are read from the node's disk
INDEX: Final = "basic block filter index"


class _Disturbed(Exception):
    """What a scan has found is incomplete, or may be."""


class _NoWitness(Exception):
    """There is nothing by which it could be told whether a scan lost something."""


class _Sign:
    """When there was last a sign of a scan: that it runs, or that its answer is on the way."""

    def __init__(self, node: NodeCalls) -> None:
        self._node = node
        self._received = node.scan.inbound_bytes
        self._at = time.monotonic()

    def look(self, status: Any) -> None:
        """Take what the node says of its scans; raises NodeProblem when no answer will come."""
        received = self._node.scan.inbound_bytes
        if status is not None or received != self._received:
            self._received, self._at = received, time.monotonic()
        elif time.monotonic() - self._at > GONE_AFTER:
            raise node_silent("scanblocks", GONE_AFTER)


class ScanMatcher:
    """Has the node scan; falls back to matching filters here where others keep disturbing it."""

    limit = CHUNK

    def __init__(self, chain: NodeChain, filters: FilterMatcher, lanes: WorkerLanes) -> None:
        self._chain = chain
        self._filters = filters
        self._lanes = lanes
        self._lock = asyncio.Lock()
        self._left: tuple[int, int] | None = None  # a scan of ours that may still run there
        self.problem: NodeProblem | None = None  # what is waited for
        self.disturbances = 0  # how often a scan had to be repeated
        self.sorts_out_above = WORTH_SORTING_OUT

    async def match(self, node: NodeCalls, wanted: Wanted) -> list[list[int]]:
        """See `Matcher`."""
        first, last = span_of(wanted)
        scripts = list(dict.fromkeys(script for _, scanned in wanted for script in scanned.scripts))
        if not scripts:
            return [[] for _ in wanted]
        try:
            async with self._lock:
                for _ in range(TRIES):
                    try:
                        found = await self._scan(node, first, last, scripts)
                        break
                    except _Disturbed:
                        self.disturbances += 1
                        self.problem = scan_lost()
                    except _NoWitness:
                        return await self._filters.match(node, wanted)
                else:
                    return await self._filters.match(node, wanted)
            found = await self._sort_out(node, found, last + 1 - first, scripts)
        finally:
            self.problem = None
        return within(found, wanted)

    async def abort(self, node: NodeCalls) -> None:
        """End a scan of ours that may still run at the node; nobody else's is ended."""
        if self._left is None:
            return
        status = await node.rpc.call("scanblocks", "status", seconds=2.0)
        if self._is_ours(status):
            await node.rpc.call("scanblocks", "abort", seconds=2.0)
        self._left = None

    # --- one scan ---------------------------------------------------------------------------------

    async def _scan(
        self, node: NodeCalls, first: int, last: int, scripts: Sequence[bytes]
    ) -> list[int]:
        """Scan once; raise _Disturbed when something may be missing."""
        witness, _, _ = await together(
            self._script_in(node, first) if node.is_knots else _nothing(),
            self._look_at_index(node, last, is_after=False),
            self._wait_for_turn(node),
        )
        objects = descriptors(scripts if witness is None else [*scripts, witness])
        if witness is None and node.is_knots:
            raise _NoWitness
        self._left = first, last
        seen: set[bytes] = set()
        lost = False
        job = asyncio.ensure_future(
            node.scan.call(
                "scanblocks", "start", objects, first, last, seconds=None, limit=MAX_REPLY
            )
        )
        try:
            last_sign = _Sign(node)
            while not job.done():
                await asyncio.wait([job], timeout=STATUS_EVERY)
                if not job.done():
                    status = await node.rpc.call("scanblocks", "status")
                    last_sign.look(status)
                    so_far = _matches(status)
                    if so_far is not None:
                        lost = lost or bool(seen - so_far)
                        seen |= so_far
            found = await job
        except RpcError as error:
            self._left = None
            if error.code is Code.SCAN_BUSY:
                raise _Disturbed from error  # somebody was faster; asked for anew, in turn
            if replies.is_out_of_range(error) or error.number == replies.INVALID_PARAMETER:
                raise ChainMoved from error
            raise
        finally:
            job.cancel()
        self._left = None
        hashes = self._complete(found, first, last)
        heights = self._heights(hashes, first, last)
        # The first block must be among what was found in the end, not merely at some time.
        if lost or seen - hashes or (witness is not None and first not in heights):
            raise _Disturbed
        after = self._look_at_index(node, last, is_after=True)
        if witness is None:
            await after
            return heights
        # Whether the first block concerns the wallet, too, its filter tells.
        _, mine = await together(after, self._filters.matches_at(node, first, scripts))
        return heights if mine else heights[1:]

    def _complete(self, found: Any, first: int, last: int) -> set[bytes]:
        """Take the outcome of a scan that went through."""
        if replies.field(found, "completed") is not True:
            raise _Disturbed
        start = replies.height(replies.field(found, "from_height"), "from_height")
        stop = replies.height(replies.field(found, "to_height"), "to_height")
        if (start, stop) != (first, last):
            raise bad_reply("it scanned other heights than it was asked to")
        hashes = _matches(found)
        if hashes is None:
            raise bad_reply("the answer has no relevant_blocks")
        return hashes

    def _heights(self, hashes: Collection[bytes], first: int, last: int) -> list[int]:
        heights = []
        for block_hash in hashes:
            height = self._chain.headers.height_of(block_hash)
            if height is None:
                raise ChainMoved  # it scanned another branch
            if not first <= height <= last:
                raise bad_reply("it found a block outside of what was scanned")
            heights.append(height)
        return sorted(heights)

    async def _look_at_index(self, node: NodeCalls, last: int, *, is_after: bool) -> None:
        """Wait until the index reaches `last`; raise ChainMoved unless the block there is ours.

        After a scan it must have been there all along: _Disturbed otherwise.
        """
        pause = 0.02
        while True:
            answers = await node.rpc.batch([("getindexinfo", [INDEX]), ("getblockhash", [last])])
            info, block_hash = answers
            if isinstance(block_hash, RpcError) and replies.is_out_of_range(block_hash):
                raise ChainMoved from block_hash
            if replies.block_hash(replies.result(block_hash)) != self._chain.headers.hash_at(last):
                raise ChainMoved
            state = replies.result(info)
            if not isinstance(state, dict) or INDEX not in state:
                raise no_filter_index()
            best = replies.height(replies.field(state[INDEX], "best_block_height"))
            if best >= last and replies.field(state[INDEX], "synced") is True:
                return
            if is_after:
                raise _Disturbed
            if pause > 0.5:
                self.problem = index_building(best, self._chain.headers.height)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _wait_for_turn(self, node: NodeCalls) -> None:
        """Wait until no scan runs: to ask during another one's would erase what it found (Knots).

        One that an earlier connection of ours has left behind is ended.
        """
        pause = BUSY_PAUSE
        while (status := await node.rpc.call("scanblocks", "status")) is not None:
            if self._is_ours(status):
                await node.rpc.call("scanblocks", "abort")
            else:
                self.problem = scan_busy()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        self._left = None
        self.problem = None

    def _is_ours(self, status: Any) -> bool:
        """Tell by its place whether a scan that runs is the one we have lost sight of."""
        if self._left is None or not isinstance(status, dict):
            return False
        # Within one step of the node, the height stays at the first one.
        return status.get("current_height") == self._left[0]

    # --- what makes sure of it --------------------------------------------------------------------

    async def _script_in(self, node: NodeCalls, height: int) -> bytes | None:
        """Find a script that the block at `height` surely matches; None where that is unknown."""
        block_hash = self._chain.headers.hash_at(height)
        try:
            reply = await node.rpc.call(
                "getblock", replies.shown(block_hash), 0, limit=MAX_BLOCK_REPLY + 1000
            )
        except RpcError as error:
            if error.code is Code.PRUNED_BLOCK:
                return await self._filters.script_at(node, height)
            if error.number == replies.NOT_FOUND:
                raise ChainMoved from error
            raise
        raw = replies.raw_bytes(reply, "a block", MAX_BLOCK_SIZE)
        found = await self._lanes.run(
            Lane.BLOCKS, partial(_some_script, raw, block_hash, is_genesis=height == 0)
        )
        return found or await self._filters.script_at(node, height)

    async def _sort_out(
        self, node: NodeCalls, heights: list[int], span: int, scripts: Sequence[bytes]
    ) -> list[int]:
        """Drop blocks that match by chance, where there may be many: each costs a download."""
        if not node.has_activity or span * len(scripts) < self.sorts_out_above * FALSE_MATCHES_PER:
            return heights
        kept = [h for h in heights if node.prune_height is not None and h < node.prune_height]
        asked = heights[len(kept) :]
        objects = descriptors(scripts)
        for at in range(0, len(asked), ACTIVITY_BLOCKS):
            part = asked[at : at + ACTIVITY_BLOCKS]
            hashes = [replies.shown(self._chain.headers.hash_at(height)) for height in part]
            try:
                found = await node.scan.call(
                    "getdescriptoractivity",
                    hashes,
                    objects,
                    False,
                    seconds=ACTIVITY_SECONDS,
                    limit=MAX_REPLY,
                )
            except RpcError:
                kept += part  # it was pruned meanwhile, say: then all of them are read
                continue
            active = {
                replies.block_hash(replies.field(entry, "blockhash"))
                for entry in replies.entries(replies.field(found, "activity"), "activity")
            }
            kept += [h for h in part if self._chain.headers.hash_at(h) in active]
        return kept


def _matches(status: Any) -> set[bytes] | None:
    """Give the matched blocks that an answer lists; None where it lists none at all."""
    if not isinstance(status, dict) or "relevant_blocks" not in status:
        return None
    found = replies.entries(status["relevant_blocks"], "relevant_blocks")
    return {replies.block_hash(each, "a relevant block") for each in found}


def _some_script(raw: bytes, block_hash: bytes, *, is_genesis: bool) -> bytes | None:
    """Pick a script that a block pays, and few others do; None where there is none."""
    try:
        block = Block.parse(raw)
    except ParseError as error:
        raise bad_reply(str(error)) from error
    if block.header.hash != block_hash:
        raise bad_reply("a block is not the one that was asked for")
    # A miner's own script is in thousands of blocks, and all of them would be found.
    payments = block.transactions if is_genesis else block.transactions[:0:-1]
    for tx in payments:
        for output in tx.outputs:
            if output.script_pubkey and output.script_pubkey[0] != 0x6A:
                return output.script_pubkey
    return None


async def _nothing() -> None:
    return None
