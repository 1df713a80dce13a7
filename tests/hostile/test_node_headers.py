"""Headers of a node whose chain is whatever it is: ours ends where proof of work says."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores
from tests.hostile.fake_node_answers import ChainAnswers, Refusal
from wallet_gui.chain.bitcoind import node_headers
from wallet_gui.chain.bitcoind.node_chain import NodeChain
from wallet_gui.chain.bitcoind.node_headers import NodeHeaders
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError
from wallet_gui.chain.header_chain import HeaderChain, HeadersAccepted
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.primitives.params import REGTEST

NOW = int(time.time()) + 10**8


class Rpc:
    """A node's answers without a connection, and a count of the requests."""

    inbound_bytes = outbound_bytes = 0

    def __init__(self, chain: FakeChain) -> None:
        self.node = ChainAnswers(chain)
        self.requests = 0
        self.on_request: Callable[[], None] = lambda: None

    async def call(self, method: str, /, *params: Any, **_: Any) -> Any:
        self.requests += 1
        self.on_request()
        return await self._answer(method, params)

    async def batch(self, calls: Any, /, **_: Any) -> list[Any]:
        self.requests += 1
        self.on_request()
        return [await self._answer(method, params) for method, params in calls]

    async def _answer(self, method: str, params: Any) -> Any:
        try:
            return await self.node.answer(method, list(params))
        except Refusal as refusal:
            return RpcError(refusal.number, refusal.message, method)


class Ours:
    """Our side: a header chain and what was told about it."""

    def __init__(self) -> None:
        self.chain = NodeChain(REGTEST, MemoryStores(), HeaderChain(REGTEST), FilterHeaderChain())
        self.changes: list[HeadersAccepted] = []
        self.headers = NodeHeaders(self.chain, self.changes.append, lambda: NOW)

    def follow(self, rpc: Rpc) -> bool:
        return asyncio.run(self.headers.follow(rpc))

    @property
    def tip(self) -> bytes:
        return self.chain.headers.tip.hash


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=5))
def test_the_longest_chain_that_was_seen_is_ours(forks: list[tuple[int, int]]) -> None:
    ours = Ours()
    chain = FakeChain()
    best = chain
    for salt, (depth, count) in enumerate(forks):
        chain = chain.copy(max(0, chain.height - depth))
        chain.mine_empty(count, salt + 1)
        rpc = Rpc(chain)
        ours.follow(rpc)
        if chain.height > best.height:
            best = chain
        assert ours.tip == best.tip
        assert ours.chain.is_at_tip == (chain.tip == best.tip)
        assert ours.chain.node_height == chain.height
        assert rpc.requests < 12


def test_many_headers_take_few_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_headers, "BATCH", 100)
    chain = FakeChain()
    chain.mine_empty(500)
    rpc = Rpc(chain)
    ours = Ours()
    assert ours.follow(rpc)
    assert ours.tip == chain.tip
    assert rpc.requests <= 3 + 2 * 5
    rpc.requests = 0
    assert not ours.follow(rpc)
    assert rpc.requests == 1
    chain.mine()
    assert ours.follow(rpc)
    assert rpc.requests == 3
    deep = chain.copy(20)
    deep.mine_empty(chain.height, 7)
    rpc = Rpc(deep)
    assert ours.follow(rpc)
    assert ours.tip == deep.tip
    assert ours.changes[-1].fork_height is None
    assert any(change.fork_height == 20 for change in ours.changes)


def test_a_chain_that_changes_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_headers, "BATCH", 10)
    monkeypatch.setattr(node_headers, "PAUSE", 0.0)
    chain = FakeChain()
    chain.mine_empty(95)
    other = chain.copy(5)
    other.mine_empty(100, 3)
    rpc = Rpc(chain)

    def change() -> None:
        if rpc.requests == 8:
            rpc.node.chain = other

    rpc.on_request = change
    ours = Ours()
    assert ours.follow(rpc)
    assert ours.tip == other.tip


def test_a_node_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = FakeChain()
    chain.mine_empty(30)
    ours = Ours()
    ours.follow(Rpc(chain))
    behind = chain.copy(12)
    assert not ours.follow(Rpc(behind))
    assert ours.tip == chain.tip
    assert (ours.chain.is_at_tip, ours.chain.is_synced) == (False, False)
    monkeypatch.setattr(ours.chain.headers, "minimum_work", 1 << 200)
    ours.follow(Rpc(chain))
    # It cannot be the real chain.
    assert (ours.chain.is_at_tip, ours.chain.is_synced) == (True, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: raw[:-2],
        lambda raw: raw[:72] + b"\xff\xff\xff\x1d" + raw[76:],
        lambda _raw: bytes(80),
        lambda raw: raw[:68] + bytes(4) + raw[72:],
        lambda _raw: b"",
    ],
    ids=["short", "other bits", "zeros", "other time", "nothing"],
)
def test_headers_that_are_not_right_change_nothing(change: Any) -> None:
    chain = FakeChain()
    chain.mine_empty(30)
    rpc = Rpc(chain)
    original = rpc.node._getblockheader

    def lie(block_hash: str, verbose: bool = True) -> Any:  # noqa: FBT001,FBT002
        height = rpc.node._height(block_hash)
        told = original(block_hash, verbose)
        return change(bytes.fromhex(told)).hex() if height == 17 else told

    rpc.node._getblockheader = lie  # type: ignore[method-assign]
    ours = Ours()
    with pytest.raises(NodeProblem) as caught:
        ours.follow(rpc)
    assert caught.value.code in {Code.BAD_REPLY, Code.NODE_LIES}
    assert ours.chain.headers.height < 17
    assert not ours.chain.is_at_tip


@pytest.mark.parametrize("info", [None, 5, {}, {"blocks": -1}, {"blocks": 5}, {"blocks": True}])
def test_a_tip_that_makes_no_sense(info: Any) -> None:
    rpc = Rpc(FakeChain())
    rpc.node._getblockchaininfo = lambda: info  # type: ignore[method-assign]
    with pytest.raises(NodeProblem) as caught:
        Ours().follow(rpc)
    assert caught.value.code is Code.BAD_REPLY
