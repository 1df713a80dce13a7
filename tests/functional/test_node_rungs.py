"""Every way to read from a node gives the same coins and the same history: those of its blocks."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from tests.functional.bitcoind import Node, NodeFactory, RpcError, to_btc
from tests.functional.node_faults import ARGUMENTS, KEPT, USER, Archive, UserWallet
from tests.functional.node_wallet import DirectLink, running
from tests.functional.p2p_wallet import ScriptWallet, run
from tests.functional.p2p_wallet import running as p2p_running
from wallet_gui.chain.backend import BackendState
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.problems import Code

STEPS = 60
ADDRESSES = 60


def live(node: Node, addresses: list[str], rng: Random) -> None:
    """Receive on used and new addresses, spend, mine, and reorganise."""
    used = 0
    for _ in range(STEPS):
        event = rng.choice(("receive", "receive", "receive", "spend", "mine", "reorganise"))
        if event == "receive":
            used = min(used + rng.randint(0, 3), len(addresses) - 1)
            index = rng.randint(0, used)
            node.fund(addresses[index], rng.randrange(10_000, 50_000_000))
        elif event == "spend":
            with suppress(RpcError):  # there may be nothing to spend yet
                amount = to_btc(rng.randrange(1_000, 20_000_000))
                node.rpc("sendtoaddress", node.bank("getnewaddress"), amount, wallet=USER)
        elif event == "mine":
            node.mine(rng.randint(1, 30))
        else:
            node.reorganize(rng.randint(1, 6))
    node.mine(30)
    node.wait_for_filters()


class World:
    """A node with some life on its chain, and what is true there."""

    def __init__(self, node: Node, seed: int) -> None:
        self.node = node
        node.mature()
        node.mine(KEPT)
        node.rpc("createwallet", USER)
        self.addresses = [
            str(node.rpc("getnewaddress", "", "bech32", wallet=USER)) for _ in range(ADDRESSES)
        ]
        live(node, self.addresses, Random(seed))
        self.archive = Archive(node)
        self.archive.scripts = frozenset(self.wallet().scripts)
        self.archive.record()

    def wallet(self) -> UserWallet:
        return UserWallet("w", self.addresses)

    def check(self, wallet: ScriptWallet) -> None:
        """Compare a wallet with the blocks, and with the node's own set of coins."""
        truth = self.archive.truths[bytes.fromhex(self.node.tip)[::-1]]
        unspent = {o: v for o, (_, v, _) in wallet.coins.items() if o not in wallet.spent}
        assert unspent == truth.coins
        assert len(truth.coins) > 5
        assert truth.heights <= wallet.blocks.keys()
        objects = [f"raw({script.hex()})" for script in wallet.scripts]
        assert wallet.balance == self.node.scan_balance(objects) == truth.balance


@pytest.fixture(scope="module")
def world(bitcoind_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    factory = NodeFactory(bitcoind_binary, tmp_path_factory.mktemp("world"))
    yield World(factory(), 5)
    factory.close()


@pytest.fixture(scope="module")
def pruned(bitcoind_binary: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    factory = NodeFactory(bitcoind_binary, tmp_path_factory.mktemp("pruned"))
    world = World(factory(*ARGUMENTS), 6)
    world.node.mine(KEPT)
    world.archive.record()
    kept = int(world.node.rpc("pruneblockchain", world.node.height - KEPT))
    assert kept > 200
    yield world
    factory.close()


def links(node: Node) -> dict[str, DirectLink]:
    """Every way to read over RPC, by the name that people know it by."""
    return {
        "1 activity": DirectLink(node),
        "2 scan": DirectLink(node, has_activity=False),
        "5 no index": DirectLink(node, ScanMode.BLOCKS),
        "nothing told, filters": DirectLink(node, ScanMode.FILTERS, may_ask_for_coins=False),
        "nothing told, no index": DirectLink(node, ScanMode.BLOCKS, may_ask_for_coins=False),
    }


NAMES = ["1 activity", "2 scan", "5 no index", "nothing told, filters", "nothing told, no index"]


@pytest.mark.parametrize("name", NAMES)
def test_each_way_gives_what_the_blocks_hold(world: World, tmp_path: Path, name: str) -> None:
    wallet, link = world.wallet(), links(world.node)[name]

    async def scenario() -> None:
        async with running(tmp_path, link, wallet) as client:
            sync = None
            while sync is None:
                await asyncio.sleep(0)
                sync = client.backend._sync
            sync.scans.sorts_out_above = 0.0  # blocks that match by chance are asked about
            if link.may_ask_for_coins:
                await client.until_checked(world.node)
                assert sync.check.repairs == 0
            else:
                await client.until_synced(world.node)
                assert client.checks == {}
            world.check(wallet)

    run(scenario)


def test_peers_give_the_same(world: World, tmp_path: Path) -> None:
    mine, theirs = world.wallet(), world.wallet()

    async def scenario() -> None:
        async with p2p_running(tmp_path / "p", [world.node.p2p_port], theirs) as client:
            await client.until_synced(world.node.height, world.node.tip)
        async with running(tmp_path / "n", DirectLink(world.node), mine) as node_client:
            await node_client.until_checked(world.node)
        for wallet in (mine, theirs):
            world.check(wallet)
        assert (mine.coins, mine.spent) == (theirs.coins, theirs.spent)

    (tmp_path / "p").mkdir()
    (tmp_path / "n").mkdir()
    run(scenario)


@pytest.mark.parametrize("name", NAMES)
def test_a_pruned_node_with_old_blocks_from_elsewhere(
    pruned: World, tmp_path: Path, name: str
) -> None:
    wallet, link = pruned.wallet(), links(pruned.node)[name]

    async def scenario() -> None:
        served = pruned.archive.served
        async with running(tmp_path, link, wallet, public=pruned.archive) as client:
            if link.may_ask_for_coins:
                await client.until_checked(pruned.node)
            else:
                await client.until_synced(pruned.node)
            assert pruned.archive.served > served
            pruned.check(wallet)

    run(scenario)


def test_a_pruned_node_with_nobody_else_to_ask(pruned: World, tmp_path: Path) -> None:
    """What is missing is said, and no mark passes it."""
    wallet = pruned.wallet()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(pruned.node), wallet) as client:
            await client.until(
                lambda: any(
                    isinstance(e, BackendState) and "pruned" in e.detail for e in client.events
                )
            )
            sync = client.backend._sync
            assert sync is not None
            problem = sync.present_problem()
            assert problem is not None
            assert problem.code is Code.PRUNED_BLOCK
            assert not client.backend.is_synced()
            lowest = min(pruned.archive.truths[bytes.fromhex(pruned.node.tip)[::-1]].heights)
            assert all(height < lowest for height in wallet.marks)

    run(scenario)


def test_public_peers_that_give_a_wrong_block(pruned: World, tmp_path: Path) -> None:
    wallet = pruned.wallet()

    class Liar:
        lies = 3

        async def fetch_block(self, height: int, block_hash: bytes) -> bytes:
            raw = await pruned.archive.fetch_block(height, block_hash)
            if self.lies:
                self.lies -= 1
                return raw[:-30] + bytes([raw[-30] ^ 1]) + raw[-29:]
            return raw

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(pruned.node), wallet, public=Liar()) as client:
            await client.until_checked(pruned.node)
            pruned.check(wallet)

    run(scenario)
