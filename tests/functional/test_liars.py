"""Liars in front of real nodes: the balance is exact while one node is honest.

The liar is somebody between the client and a real bitcoind who rewrites filters, and all filter
headers that follow from them, without a contradiction.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import Client, ScriptWallet, Setup, run, running, running_with
from tests.hostile.proxy import Later, Side, between
from wallet_gui.chain.backend import BackendWarning
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.audit import Audit
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.filter_messages import CFCheckpt, CFHeaders, CFilter
from wallet_gui.chain.p2p.messages import Message
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.hashes import sha256d

BTC = 100_000_000
EMPTY = b"\0"


@dataclass
class Forger:
    """Says of some blocks that their filters are empty, and stays with it."""

    node: Node
    heights: Sequence[int]
    filters: dict[bytes, bytes] = field(default_factory=dict)  # block hash -> forged
    chain: dict[bytes, int] = field(default_factory=dict)
    hashes: list[bytes] = field(default_factory=list)
    headers: list[bytes] = field(default_factory=list)
    told: int = 0

    def __post_init__(self) -> None:
        previous = bytes(32)
        for height in range(self.node.height + 1):
            shown = self.node.block_hash(height)
            block_hash = bytes.fromhex(shown)[::-1]
            data = bytes.fromhex(self.node.rpc("getblockfilter", shown)["filter"])
            if height in self.heights:
                data = EMPTY
                self.filters[block_hash] = data
            self.chain[block_hash] = height
            self.hashes.append(sha256d(data))
            previous = sha256d(self.hashes[-1] + previous)
            self.headers.append(previous)

    def edit(self, side: Side, message: Message) -> Sequence[Message | Later]:
        if side is Side.CLIENT:
            return [message]
        match message:
            case CFHeaders(stop, _, hashes) if stop in self.chain:
                self.told += 1
                end = self.chain[stop] + 1
                start = end - len(hashes)
                previous = self.headers[start - 1] if start else bytes(32)
                return [CFHeaders(stop, previous, tuple(self.hashes[start:end]))]
            case CFCheckpt(stop, headers):
                forged = [self.headers[1000 * (i + 1)] for i in range(len(headers))]
                return [CFCheckpt(stop, tuple(forged))]
            case CFilter(block_hash) if block_hash in self.filters:
                return [CFilter(block_hash, self.filters[block_hash])]
            case _:
                return [message]


def twins(node_factory: NodeFactory, wallet: ScriptWallet) -> tuple[Node, Node, list[int]]:
    """Two real nodes of one chain, and the heights of the blocks that pay the wallet.

    Each find widens the window; coins are spent without change, and in chains within one block.
    """
    first, second = node_factory(), node_factory("-v2transport=0")
    first.mature()
    paid = []
    for index in (0, 20, 40):
        first.fund(wallet.address(index), BTC)
        first.mine(1)
        paid.append(first.height)
        first.mine(2)
    first.fund(wallet.address(41), BTC)
    first.fund(wallet.address(1), 2 * BTC)
    first.mine(1)
    paid.append(first.height)
    second.connect_to(first)
    for node in (first, second):
        node.disconnect_all()
        node.wait_for_filters()
    return first, second, paid


def exact(node: Node, wallet: ScriptWallet, paid: Sequence[int]) -> None:
    """Hold the balance against the node's own coins, and the history against its blocks."""
    assert wallet.balance == node.scan_balance([wallet.address(i) for i in range(100)])
    assert sorted({height for _, _, height in wallet.coins.values()}) == sorted(paid)
    for height in paid:
        assert wallet.blocks[height] == bytes.fromhex(node.block_hash(height))[::-1]


def warned(client: Client) -> list[str]:
    return [event.sentence for event in client.events if isinstance(event, BackendWarning)]


async def behind_liars(
    stack: AsyncExitStack, tmp_path: Path, wallet: ScriptWallet, liars: Sequence[Forger], *own: int
) -> Client:
    """Start a client whose first peers are these liars; `own` are the ports of further nodes."""
    ports = []
    for liar in liars:
        middle = await stack.enter_async_context(between(liar.node.p2p_port, liar.edit))
        ports.append(middle.port)
    return await stack.enter_async_context(running(tmp_path, [*ports, *own], wallet))


@pytest.mark.alone
@pytest.mark.parametrize("liars", [1, 3])
def test_liars_and_one_honest_node(node_factory: NodeFactory, tmp_path: Path, liars: int) -> None:
    """Threat table, rows 1 and 2: one honest node is enough, against one and against three."""
    wallet = ScriptWallet(gap=21)
    honest, lied_about, paid = twins(node_factory, wallet)
    forgers = [Forger(lied_about, paid[i : i + 2] or paid) for i in range(liars)]

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            began = time.monotonic()
            client = await behind_liars(stack, tmp_path, wallet, forgers, honest.p2p_port)
            await client.until_synced(honest.height, honest.tip)
            exact(honest, wallet, paid)
            assert time.monotonic() - began < 10
            assert any(forger.told for forger in forgers), "nobody lied"
            await client.until(lambda: bool(warned(client)))
            # And it goes on.
            honest.fund(wallet.address(2), BTC)
            honest.mine(1)
            await client.until_synced(honest.height, honest.tip)
            exact(honest, wallet, [*paid, honest.height])

    run(scenario)


def test_an_honest_node_comes_after_the_liar_was_believed(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    """Threat table, row 2, the worst order: all is scanned with the liar alone, then restarted."""
    wallet = ScriptWallet(gap=21)
    honest, lied_about, paid = twins(node_factory, wallet)
    forger = Forger(lied_about, paid)

    async def alone() -> None:
        async with AsyncExitStack() as stack:
            client = await behind_liars(stack, tmp_path, wallet, [forger])
            await client.until_synced(honest.height, honest.tip)
            assert wallet.balance == 0  # nothing false, and nothing found

    async def together() -> None:
        async with AsyncExitStack() as stack:
            client = await behind_liars(stack, tmp_path, wallet, [forger], honest.p2p_port)
            await client.until(lambda: len(wallet.coins) == len(paid) + 1)
            await client.until_synced(honest.height, honest.tip)
            exact(honest, wallet, paid)
            assert warned(client)

    run(alone)
    run(together)


def test_a_lie_that_all_tell_is_found_by_audit(
    node_factory: NodeFactory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threat table, row 3: three who tell one lie. One block in two hundred is checked."""
    wallet = ScriptWallet(gap=21)
    honest, lied_about, paid = twins(node_factory, wallet)
    forger = Forger(lied_about, paid)
    drawn = itertools.count(1)  # heights: of the old blocks none is drawn, of the new ones all
    chance = lambda: 1.0 if next(drawn) < paid[0] else 0.0  # noqa: E731
    monkeypatch.setattr(Audit.__init__, "__defaults__", (chance,))

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            client = await behind_liars(stack, tmp_path, wallet, [forger] * 3)
            await client.until(lambda: any("hides something" in s for s in warned(client)))
            await client.until(lambda: not client.backend.peers())
            assert not client.backend.is_synced()
            assert {height for _, _, height in wallet.coins.values()} <= set(paid)
            node = PeerAddress("127.0.0.1", honest.p2p_port)
            client.backend.set_options(P2POptions(own_peers=(node,)))
            await client.until_synced(honest.height, honest.tip)
            exact(honest, wallet, paid)

    run(scenario)


def test_a_chain_split_is_told(node_factory: NodeFactory, tmp_path: Path) -> None:
    """Threat table, row 21: two real nodes that were parted; the one with less work stays."""
    wallet = ScriptWallet(gap=21)
    first, second, paid = twins(node_factory, wallet)
    fork = first.height
    second.mine(2)
    first.mine(4)
    for node in (first, second):
        node.wait_for_filters()
    begun = system_clock()

    def hasty() -> Instant:
        passed = (system_clock().monotonic - begun.monotonic) * 100
        return Instant(begun.monotonic + passed, begun.unix + int(passed))

    async def scenario() -> None:
        own = tuple(PeerAddress("127.0.0.1", node.p2p_port) for node in (second, first))
        setup = Setup(P2POptions(own_peers=own), clock=hasty)
        async with running_with(tmp_path, setup, wallet) as client:
            await client.until(lambda: any(f"block {fork}" in s for s in warned(client)))
            await client.until_synced(first.height, first.tip)
            exact(first, wallet, paid)
            assert len(client.backend.peers()) == 2, "nobody is to blame"
            # They find together again, on the other side.
            second.mine(3)
            await asyncio.to_thread(first.connect_to, second)
            await client.until_synced(second.height, second.tip)
            exact(second, wallet, paid)

    run(scenario)


def test_a_node_that_keeps_new_blocks_to_itself(node_factory: NodeFactory, tmp_path: Path) -> None:
    """Threat table, row 6: one node is cut off from the network, the other is not."""
    wallet = ScriptWallet(gap=21)
    live, frozen, paid = twins(node_factory, wallet)
    frozen_height = frozen.height

    async def scenario() -> None:
        async with running(tmp_path, [frozen.p2p_port, live.p2p_port], wallet) as client:
            await client.until_synced(live.height, live.tip)
            live.fund(wallet.address(3), BTC)
            live.mine(2)
            await client.until_synced(live.height, live.tip)
            exact(live, wallet, [*paid, live.height - 1])
            assert frozen.height == frozen_height

    run(scenario)


@pytest.mark.parametrize("depth", [1, 7, 40, 100])
def test_a_reorganisation_in_the_middle_of_a_filter_sync(
    node: Node, tmp_path: Path, depth: int
) -> None:
    """Threat table, row 7 (kyoto#561): filters of the old branch arrive after it is gone."""
    wallet = ScriptWallet(gap=21)
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(101)
    for index in (20, 5, 40):
        node.fund(wallet.address(index), BTC)
        node.mine(12)
    node.wait_for_filters()
    passed = [0]

    def hold(side: Side, message: Message) -> Sequence[Message | Later]:
        if side is Side.NODE and isinstance(message, CFilter):
            passed[0] += 1
            if passed[0] > 30:
                return [Later(1.0, message)]
        return [message]

    async def scenario() -> None:
        async with (
            between(node.p2p_port, hold) as middle,
            running(tmp_path, [middle.port], wallet) as client,
        ):
            await client.until(lambda: passed[0] > 30)
            await asyncio.to_thread(node.reorganize, depth)
            await asyncio.to_thread(node.mine, 1)  # what had been paid
            node.wait_for_filters()
            await client.until_synced(node.height, node.tip)
            assert wallet.balance == node.scan_balance([wallet.address(i) for i in range(100)])
            assert wallet.balance > 0

    run(scenario)
