"""Ways to find the blocks that concern a wallet, where the node does not scan by itself.

Every matcher takes ranges of heights with their scripts and gives the heights that may concern
them: too many are harmless, one too few is a wrong balance.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol, TypeAlias

from wallet_gui.chain.bitcoind import node_replies as replies
from wallet_gui.chain.bitcoind.chance_script import script_by_chance
from wallet_gui.chain.bitcoind.in_order import in_order
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import NodeCalls, Rpc
from wallet_gui.chain.bitcoind.problems import RpcError, bad_reply
from wallet_gui.chain.bitcoind.unspent import unspent_of
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.filters import FilterEngine
from wallet_gui.chain.gcs_scalar import MAX_FILTER_SIZE
from wallet_gui.chain.p2p.filter_match import Batch, MatchJob, ScriptCache
from wallet_gui.chain.p2p.sync_state import Lane
from wallet_gui.chain.scan import ScanRange, WalletScan
from wallet_gui.primitives.hashes import sha256d

Wanted: TypeAlias = Sequence[tuple[WalletScan, ScanRange]]
"""Ranges to be matched, which overlap or follow one another, and whose they are."""

REPLY_BYTES: Final = 1_500_000  # aimed at for one request of filters
FIRST_BATCH: Final = 100
MAX_BATCH: Final = 1000
AT_ONCE: Final = 3
MAX_REPLY: Final = 64_000_000
KEPT_BYTES: Final = 32_000_000  # of filters
TOLD: Final = 5000  # filter headers that are remembered, for others to compare
WHOLE_BLOCKS: Final = 100  # heights that are handed out for reading in full at a time


class ChainMoved(Exception):
    """The node's chain, or ours, changed meanwhile: what was matched is void."""


class Matcher(Protocol):
    """Finds the heights that may concern some scans."""

    limit: int
    """How many heights it takes at a time."""

    async def match(self, node: NodeCalls, wanted: Wanted) -> list[list[int]]:
        """Give a list of heights for each of `wanted`; raises ChainMoved or NodeProblem."""
        ...


def span_of(wanted: Wanted) -> tuple[int, int]:
    """Give the first and the last height of all ranges together."""
    return min(r.start for _, r in wanted), max(r.stop for _, r in wanted)


def within(heights: Sequence[int], wanted: Wanted) -> list[list[int]]:
    """Give to each range those of the heights that lie in it."""
    return [[h for h in heights if r.start <= h <= r.stop] for _, r in wanted]


class FilterMatcher:
    """Fetches BIP158 filters and matches them here: the node learns no script.

    Each filter should lead to the filter header that the node gives with it, and to the agreed one
    where we know that: the block of one that does not is read in full. Where the packaged filter
    header is another, nothing that the node says about filters is used.
    """

    limit = 1000

    def __init__(self, chain: NodeChain, engine: FilterEngine, lanes: WorkerLanes) -> None:
        self._chain = chain
        self._engine = engine
        self._lanes = lanes
        self._scripts = ScriptCache()
        self._batch = FIRST_BATCH
        self._told: OrderedDict[int, tuple[bytes, bytes]] = OrderedDict()
        self._kept: OrderedDict[bytes, tuple[bytes, bytes]] = OrderedDict()
        self._kept_bytes = 0
        self.received = 0  # bytes of filters
        self.mean_size = 0.0

    async def match(self, node: NodeCalls, wanted: Wanted) -> list[list[int]]:
        """See `Matcher`."""
        first, last = span_of(wanted)
        headers = self._chain.headers
        hashes = headers.hashes(first, last)
        batches: list[Batch] = []
        doubtful: list[int] = []
        previous: bytes | None = None
        size = self._batch
        jobs = [
            partial(self._fetch, node.rpc, hashes[at : at + size])
            for at in range(0, len(hashes), size)
        ]
        height = first
        async with in_order(jobs, AT_ONCE) as parts:
            async for filters, filter_headers in parts:
                some = hashes[height - first : height - first + len(filters)]
                batch, wrong, previous = await self._lanes.run(
                    Lane.ENGINE,
                    partial(self._check, height, some, filters, filter_headers, previous),
                )
                self._note(height, some, filter_headers)
                batches.append(batch)
                doubtful += wrong
                height += len(filters)
        job = MatchJob(batches, list(wanted), self._scripts)
        found = await self._lanes.run(Lane.ENGINE, lambda: job.run(self._engine))
        also = within(doubtful, wanted)
        return [sorted({*mine, *more}) for mine, more in zip(found, also, strict=True)]

    def header_at(self, height: int) -> bytes | None:
        """Give the filter header that the node told for a block of the active chain, if it did."""
        headers = self._chain.headers
        if not headers.start_height <= height <= headers.height:
            return None
        block_hash, filter_header = self._told.get(height, (b"", b""))
        return filter_header if block_hash == headers.hash_at(height) else None

    async def matches_at(self, node: NodeCalls, height: int, scripts: Sequence[bytes]) -> bool:
        """Tell whether the filter of one block holds any of the scripts."""
        block_hash = self._chain.headers.hash_at(height)
        filters, filter_headers = await self._fetch(node.rpc, [block_hash])
        self._note(height, [block_hash], filter_headers)
        found = await self._lanes.run(
            Lane.ENGINE, lambda: self._engine.match_many([(block_hash, filters[0])], scripts)
        )
        return found[0]

    async def script_at(self, node: NodeCalls, height: int) -> bytes | None:
        """Find some script that the filter of one block matches, without the block.

        One in 784,931 scripts matches any filter by chance, so some random ones are tried.
        """
        block_hash = self._chain.headers.hash_at(height)
        filters, _ = await self._fetch(node.rpc, [block_hash])
        return await self._lanes.run(
            Lane.ENGINE, partial(script_by_chance, self._engine, block_hash, filters[0])
        )

    def _note(self, start: int, hashes: Sequence[bytes], filter_headers: Sequence[bytes]) -> None:
        told = zip(hashes, filter_headers, strict=True)
        self._told.update((start + offset, pair) for offset, pair in enumerate(told))
        while len(self._told) > TOLD:
            self._told.popitem(last=False)

    async def _fetch(self, rpc: Rpc, hashes: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Give the filters of these blocks and the filter headers that the node tells of them.

        The newest ones that came are kept: a window that grows wants them again at once.
        """
        missing = [each for each in hashes if each not in self._kept]
        found = dict(zip(hashes, map(self._kept.get, hashes), strict=True))
        if missing:
            filters, headers = await self._ask(rpc, missing)
            pairs = zip(filters, headers, strict=True)
            for block_hash, pair in zip(missing, pairs, strict=True):
                found[block_hash] = self._kept[block_hash] = pair
                self._kept_bytes += len(pair[0])
            while self._kept_bytes > KEPT_BYTES:
                self._kept_bytes -= len(self._kept.popitem(last=False)[1][0])
        both = [pair for pair in found.values() if pair is not None]
        return [data for data, _ in both], [header for _, header in both]

    async def _ask(self, rpc: Rpc, hashes: Sequence[bytes]) -> tuple[list[bytes], list[bytes]]:
        calls = [("getblockfilter", [replies.shown(each)]) for each in hashes]
        filters, headers = [], []
        for answer in await rpc.batch(calls, seconds=60.0, limit=MAX_REPLY):
            if isinstance(answer, RpcError) and answer.number == replies.NOT_FOUND:
                raise ChainMoved from answer
            reply = replies.result(answer)
            data = replies.raw_bytes(replies.field(reply, "filter"), "a filter", MAX_FILTER_SIZE)
            filters.append(data)
            headers.append(replies.block_hash(replies.field(reply, "header"), "a filter header"))
        size = sum(map(len, filters))
        self.received += size
        mean = size / max(1, len(filters))
        self.mean_size = mean if not self.mean_size else 0.8 * self.mean_size + 0.2 * mean
        self._batch = max(1, min(MAX_BATCH, int(REPLY_BYTES / (2 * self.mean_size + 150))))
        return filters, headers

    def _check(
        self,
        start: int,
        hashes: Sequence[bytes],
        filters: Sequence[bytes],
        filter_headers: Sequence[bytes],
        previous: bytes | None,
    ) -> tuple[Batch, list[int], bytes]:
        """Check a run of filters; give it, the heights to be read in full, and its last header."""
        agreed = self._chain.filter_headers
        doubtful = []
        for height, data_hash, claimed in zip(
            range(start, start + len(filters)),
            self._engine.hash_many(filters),
            filter_headers,
            strict=True,
        ):
            if previous is not None and sha256d(data_hash + previous) != claimed:
                doubtful.append(height)
            previous = claimed
            known = self._chain.checkpoints.filter_headers.get(height)
            if known is not None and known != claimed:
                raise bad_reply(f"filter header {height} is not the known one")
            is_agreed = agreed.start_height <= height <= agreed.height
            if is_agreed and agreed.header_at(height) != claimed:
                before = agreed.header_at(height - 1)
                if sha256d(data_hash + before) != agreed.header_at(height):
                    doubtful.append(height)
        starts, ends = array("Q"), array("Q")
        position = 0
        for data in filters:
            starts.append(position)
            position += len(data)
            ends.append(position)
        batch = Batch(start, b"".join(hashes), b"".join(filters), starts, ends, None)
        return batch, doubtful, previous or bytes(32)


class WholeBlockMatcher:
    """Without a filter index: every block is read in full."""

    limit = WHOLE_BLOCKS

    async def match(self, _node: NodeCalls, wanted: Wanted) -> list[list[int]]:
        """See `Matcher`."""
        return [list(range(r.start, r.stop + 1)) for _, r in wanted]


class CoinMatcher:
    """Without a filter index, for a first look: the blocks that hold coins nobody spent yet."""

    limit = 10_000_000

    async def match(self, node: NodeCalls, wanted: Wanted) -> list[list[int]]:
        """See `Matcher`; what was received and spent since is not found."""
        scripts = {script for _, scanned in wanted for script in scanned.scripts}
        found = await unspent_of(node.scan, scripts)
        return within(sorted({coin.height for coin in found.coins.values()}), wanted)
