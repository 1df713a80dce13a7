"""Follows the node's headers: finds where its chain leaves ours, and checks every header by itself.

The node is asked for hashes by height and for raw headers by hash, many in one request. What it
says counts only as far as proof of work, links and difficulty bear it out (`HeaderChain`).
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.in_order import in_order
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import Rpc
from wallet_gui.chain.bitcoind.problems import RpcError, bad_reply
from wallet_gui.chain.bitcoind.scan_problems import node_lies
from wallet_gui.chain.difficulty import EPOCH
from wallet_gui.chain.header_chain import (
    FutureHeader,
    HeadersAccepted,
    InvalidHeader,
    UnknownParent,
)
from wallet_gui.chain.p2p.sync_state import Lane
from wallet_gui.chain.side_branch import HASH_SIZE, PREV_OFFSET
from wallet_gui.primitives.block import HEADER_SIZE
from wallet_gui.primitives.hashes import sha256d

BATCH: Final = 1000  # headers in one request: some 240 kB, above the sizes that stall in a tunnel
TRIES: Final = 5  # times that a chain may change while it is read
PAUSE: Final = 0.2


class _ChainMoved(Exception):
    """The node's chain changed between two answers."""


class NodeHeaders:
    """Brings our header chain to the node's tip."""

    def __init__(
        self,
        chain: NodeChain,
        on_changed: Callable[[HeadersAccepted], None],
        unix_time: Callable[[], int],
    ) -> None:
        self._chain = chain
        self._on_changed = on_changed
        self._unix_time = unix_time

    async def follow(self, rpc: Rpc) -> bool:
        """Look at the node's tip and read what leads there; returns whether ours changed.

        Raises NodeProblem: NODE_LIES for headers that break a rule.
        """
        before = self._chain.headers.tip
        for attempt in range(TRIES):
            info = await rpc.call("getblockchaininfo")
            height = replies.height(replies.field(info, "blocks"), "blocks")
            tip = replies.block_hash(replies.field(info, "bestblockhash"), "bestblockhash")
            self._chain.node_height = height
            try:
                await self._read(rpc, height, tip)
            except _ChainMoved:
                await asyncio.sleep(PAUSE * attempt)
                continue
            self._chain.is_at_tip = self._chain.headers.tip.hash == tip
            return self._chain.headers.tip != before
        raise bad_reply("its headers do not link up")

    async def _read(self, rpc: Rpc, height: int, tip: bytes) -> None:
        headers = self._chain.headers
        if headers.height_of(tip) is not None:
            return  # ours, or below ours: then the node is behind
        if height == headers.height + 1:
            raw = await self._raw(rpc, [tip])
            if raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE] == headers.tip.hash:
                self._accept(raw)
                return
        found = await self._fork(rpc, height)
        if found is None:
            return
        fork, hashes = found
        first = fork + 1 + len(hashes)
        previous = headers.hash_at(fork)
        jobs = [partial(self._linked, rpc, hashes)] if hashes else []
        jobs += [
            partial(self._by_height, rpc, start, min(start + BATCH - 1, height))
            for start in range(first, height + 1, BATCH)
        ]
        async with in_order(jobs) as parts:
            async for raw in parts:
                if raw[PREV_OFFSET : PREV_OFFSET + HASH_SIZE] != previous:
                    raise _ChainMoved
                previous = sha256d(raw[-HEADER_SIZE:])
                self._accept(raw)

    async def _fork(self, rpc: Rpc, node_height: int) -> tuple[int, list[bytes]] | None:
        """Find the highest block of ours that the node's chain has; None while it is far behind.

        With it come the hashes of some blocks above it, where they were asked for on the way.
        """
        headers = self._chain.headers
        lowest = max(headers.start_height - 1, 0)
        if node_height < lowest:
            return None
        above = min(headers.height, node_height) + 1  # the lowest known to differ, or beyond
        step = 1
        heights = []
        height = above - 1
        while height > lowest:
            heights.append(height)
            height -= step
            step *= 2
        heights.append(lowest)
        below = None
        # As a rule it is our tip: the next hashes are asked for in the same breath.
        ahead = range(headers.height + 1, min(headers.height + BATCH, node_height) + 1)
        told = await self._hashes(rpc, [*heights, *ahead])
        hashes = told[len(heights) :]
        for height, theirs in zip(heights, told[: len(heights)], strict=True):
            if headers.hash_at(height) == theirs:
                below = height
                break
            above = height
        if below is None:
            raise node_lies(f"its block {lowest} is not the known one")
        while above - below > 1:
            count = above - below - 1
            heights = list(range(below + 1, above, max(1, count // BATCH)))
            for height, theirs in zip(heights, await self._hashes(rpc, heights), strict=True):
                if headers.hash_at(height) != theirs:
                    above = height
                    break
                below = height
            else:
                if heights[-1] == above - 1:
                    break
        return below, hashes if below == headers.height else []

    def _accept(self, raw: bytes) -> None:
        try:
            accepted = self._chain.headers.accept(raw, self._unix_time())
        except UnknownParent as error:
            raise _ChainMoved from error
        except FutureHeader as error:
            raise bad_reply(f"{error} Is the clock of this computer right?") from error
        except InvalidHeader as error:
            raise node_lies(str(error)) from error
        if accepted.first_changed is not None:
            self._on_changed(accepted)

    # --- asking -----------------------------------------------------------------------------------

    async def _hashes(self, rpc: Rpc, heights: Sequence[int]) -> list[bytes]:
        answers = await rpc.batch([("getblockhash", [height]) for height in heights])
        return [replies.block_hash(_there(answer)) for answer in answers]

    async def _raw(self, rpc: Rpc, hashes: Sequence[bytes]) -> bytes:
        calls = [("getblockheader", [replies.shown(each), False]) for each in hashes]
        parts = []
        for wanted, answer in zip(hashes, await rpc.batch(calls), strict=True):
            raw = replies.raw_bytes(_there(answer), "a header", HEADER_SIZE)
            if len(raw) != HEADER_SIZE or sha256d(raw) != wanted:
                raise bad_reply("a header is not the one that was asked for")
            parts.append(raw)
        return b"".join(parts)

    async def _by_height(self, rpc: Rpc, first: int, last: int) -> bytes:
        """Read the headers `first..last`, which link up."""
        return await self._linked(rpc, await self._hashes(rpc, range(first, last + 1)))

    async def _linked(self, rpc: Rpc, hashes: Sequence[bytes]) -> bytes:
        """Read headers by their hashes; _ChainMoved unless each follows the one before."""
        raw = await self._raw(rpc, hashes)
        previous = None
        for offset in range(0, len(raw), HEADER_SIZE):
            link = raw[offset + PREV_OFFSET : offset + PREV_OFFSET + HASH_SIZE]
            if previous is not None and link != previous:
                raise _ChainMoved
            previous = sha256d(raw[offset : offset + HEADER_SIZE])
        return raw

    # --- downwards --------------------------------------------------------------------------------

    @property
    def wants_more_below(self) -> bool:
        """Whether a wallet waits for headers below the lowest one held."""
        wanted = self._chain.wanted_start
        return wanted is not None and wanted < self._chain.headers.start_height

    async def extend_down(self, rpc: Rpc) -> None:
        """Read some of the headers below, down to a known block, and put them under ours."""
        chain, headers = self._chain, self._chain.headers
        wanted = chain.wanted_start
        if wanted is None or wanted >= headers.start_height:
            return
        last = headers.start_height - 1
        anchor = chain.checkpoints.anchor_at_or_below(max(wanted, last - 16 * EPOCH) - 1)
        first = 0 if anchor is None else anchor.height + 1
        try:
            async with in_order(
                [
                    partial(self._by_height, rpc, start, min(start + BATCH - 1, last))
                    for start in range(first, last + 1, BATCH)
                ]
            ) as answers:
                parts = [raw async for raw in answers]
        except _ChainMoved as moved:
            raise bad_reply("headers below the known ones do not link up") from moved
        raw = b"".join(parts)
        try:
            headers.prepend(raw, anchor)
        except (InvalidHeader, ValueError) as error:
            raise node_lies("its old headers are not the known ones") from error
        store = chain.stores.headers
        chain.work(Lane.STORE, lambda: store.prepend(first, raw), lambda _result, _now: None)


def _there(answer: Any) -> Any:
    """Give one result of a batch; what is there no more means that the chain changed."""
    if isinstance(answer, RpcError) and (
        replies.is_out_of_range(answer) or answer.number == replies.NOT_FOUND
    ):
        raise _ChainMoved from answer
    return replies.result(answer)
