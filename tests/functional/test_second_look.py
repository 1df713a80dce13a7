"""Public peers beside a node: two real bitcoinds, of which one is pruned or on another branch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.functional.bitcoind import Node, NodeFactory
from tests.functional.p2p_wallet import own_group, run
from tests.patience import PATIENCE
from wallet_gui.chain.audit import ChainView, Verdict, compare
from wallet_gui.chain.backend import BlockRef
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.second_look import SecondLook
from wallet_gui.primitives.block import Block
from wallet_gui.primitives.params import REGTEST

pytestmark = pytest.mark.functional


@pytest.fixture
def other_node(node_factory: NodeFactory) -> Node:
    return node_factory()


@asynccontextmanager
async def looking(*nodes: Node) -> AsyncIterator[SecondLook]:
    peers = tuple(PeerAddress("127.0.0.1", node.p2p_port) for node in nodes)
    look = SecondLook(REGTEST, P2POptions(own_peers=peers, only_own_peers=True), netgroup=own_group)
    try:
        yield look
    finally:
        await look.stop()


def shown_by(node: Node) -> ChainView:
    """What the node's RPC says, as a source of its own."""
    hashes = {h: bytes.fromhex(node.block_hash(h))[::-1] for h in range(node.height + 1)}
    node.wait_for_filters()

    def filter_header(height: int) -> bytes | None:
        told = node.rpc("getblockfilter", hashes[height][::-1].hex())
        return bytes.fromhex(told["header"])[::-1]

    top = node.height
    return ChainView(BlockRef(top, hashes[top]), top, 1, hashes.get, filter_header)


async def until_shown(look: SecondLook, height: int, networks: int = 1) -> ChainView:
    async with asyncio.timeout(PATIENCE):
        while True:
            view = look.view()
            if (
                view is not None
                and view.tip.height == height
                and view.networks >= networks
                and view.filter_header_at(height) is not None
            ):
                return view
            await asyncio.sleep(0.05)


def test_blocks_come_from_peers_by_hash(node: Node, other_node: Node) -> None:
    other_node.connect_to(node)
    node.mine(30)

    async def scenario() -> None:
        async with looking(node, other_node) as look:
            wanted = [bytes.fromhex(node.block_hash(h))[::-1] for h in range(1, 31)]
            came = await asyncio.gather(
                *(look.fetch_block(h, block_hash) for h, block_hash in enumerate(wanted, 1))
            )
            assert [Block.parse(raw).header.hash for raw in came] == wanted
            assert {entry.host for entry in look.ledger()} == {
                f"127.0.0.1:{each.p2p_port}" for each in (node, other_node)
            }

    run(scenario)


def test_a_cancelled_fetch_leaves_nothing_and_the_next_one_works(node: Node) -> None:
    node.mine(3)
    unknown = bytes(32)

    async def scenario() -> None:
        async with looking(node) as look:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1.0):
                    await look.fetch_block(2, unknown)
            block_hash = bytes.fromhex(node.block_hash(2))[::-1]
            assert Block.parse(await look.fetch_block(2, block_hash)).header.hash == block_hash

    run(scenario)


def test_both_sources_agree_then_the_node_falls_behind_then_they_split(
    node: Node, other_node: Node
) -> None:
    node.mine(20)
    other_node.connect_to(node)

    async def scenario() -> None:
        async with looking(other_node) as look:
            await look.start()
            theirs = await until_shown(look, 20)
            agreed = compare(await asyncio.to_thread(shown_by, node), theirs)
            assert (agreed.verdict, agreed.height) == (Verdict.AGREES, 20)

            node.disconnect_all()
            other_node.mine(3)
            theirs = await until_shown(look, 23)
            behind = compare(await asyncio.to_thread(shown_by, node), theirs)
            assert behind.verdict is Verdict.NODE_BEHIND
            assert "3 blocks behind" in behind.sentence

            node.mine(2)
            split = compare(await asyncio.to_thread(shown_by, node), theirs)
            assert (split.verdict, split.height) == (Verdict.SPLIT, 20)

    run(scenario)
