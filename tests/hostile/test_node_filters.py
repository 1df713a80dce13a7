"""Filters of a node matched here: each is asked for once, and one that is odd is not trusted."""

import asyncio
from typing import Any

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores
from tests.hostile.test_node_headers import Rpc
from wallet_gui.chain.bitcoind.matchers import FilterMatcher
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_session import NodeCalls
from wallet_gui.chain.bitcoind.worker_lanes import WorkerLanes
from wallet_gui.chain.filters import pick_engine
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST

SCRIPT = b"\x00\x14" + bytes(20)
OTHER = b"\x00\x14" + b"\x01" * 20


def paid_chain() -> FakeChain:
    chain = FakeChain()
    for height in range(1, 301):
        chain.mine(to=SCRIPT if height % 100 == 0 else OTHER if height == 150 else b"\x51")
    return chain


class Matching:
    """A matcher on a chain whose headers are ours already."""

    def __init__(self, blocks: FakeChain) -> None:
        raw = b"".join(block.header.serialize() for block in blocks.blocks)
        self.rpc = Rpc(blocks)
        self.lanes = WorkerLanes()
        self.lanes.open()
        self.filter_headers = FilterHeaderChain()
        headers = HeaderChain.load(REGTEST, 0, raw)
        stores: Any = MemoryStores()
        self.chain = NodeChain(REGTEST, stores, headers, self.filter_headers)
        self.matcher = FilterMatcher(self.chain, pick_engine(), self.lanes)

    async def match(self, *scans: WalletScan) -> list[list[int]]:
        wanted = [(scan, scan.wanted_range(1000, 300)) for scan in scans]
        known = [(scan, scanned) for scan, scanned in wanted if scanned is not None]
        return await self.matcher.match(NodeCalls(self.rpc, self.rpc, self.rpc), known)


def test_filters_are_matched_for_each_wallet_and_asked_for_once() -> None:
    async def scenario() -> None:
        matching = Matching(paid_chain())
        first = WalletScan("a", [SCRIPT], start_height=0)
        second = WalletScan("b", [OTHER], start_height=120)
        found = await matching.match(first, second)
        assert found == [[100, 200, 300], [150]]
        requests = matching.rpc.requests
        assert await matching.match(WalletScan("c", [OTHER], start_height=0)) == [[150]]
        assert matching.rpc.requests == requests
        told = matching.matcher.header_at(200)
        assert told == matching.rpc.node.chain.filter_headers[200]
        assert matching.matcher.header_at(301) is None
        await matching.lanes.close()

    asyncio.run(scenario())


def test_the_block_of_a_filter_that_does_not_fit_is_read() -> None:
    async def scenario() -> None:
        chain = paid_chain()
        matching = Matching(chain)
        original = matching.rpc.node._getblockfilter
        odd = hash_to_hex(chain.blocks[200].header.hash)

        def lie(block_hash: str, kind: str = "basic") -> Any:
            told = original(block_hash, kind)
            return {**told, "filter": "00"} if block_hash == odd else told

        matching.rpc.node._getblockfilter = lie  # type: ignore[method-assign]
        scan = WalletScan("a", [SCRIPT], start_height=0)
        assert await matching.match(scan) == [[100, 200, 300]]
        await matching.lanes.close()

    asyncio.run(scenario())


def test_a_filter_that_is_not_the_agreed_one_is_not_trusted() -> None:
    async def scenario() -> None:
        honest = paid_chain()
        liar = paid_chain()
        liar.lie(200, b"\x00")
        matching = Matching(honest)
        matching.filter_headers.append([each.filter_hash for each in honest.filters])
        matching.rpc.node.chain = liar
        scan = WalletScan("a", [SCRIPT], start_height=0)
        assert await matching.match(scan) == [[100, 200, 300]]
        # Where nothing is agreed on, the lie is consistent, and found by comparing coins only.
        matching = Matching(honest)
        matching.rpc.node.chain = liar
        assert await matching.match(WalletScan("b", [SCRIPT], start_height=0)) == [[100, 300]]

    asyncio.run(scenario())
