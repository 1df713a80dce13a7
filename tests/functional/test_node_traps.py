"""What silently spoils scans on a real node (node-over-ssh.md C.5) must not spoil ours."""

import asyncio
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import Node, NodeFactory, RpcError
from tests.functional.node_wallet import DirectLink, NodeClient, running
from tests.functional.p2p_wallet import ScriptWallet, run
from wallet_gui.chain.backend import BackendState, CheckState
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.bitcoind.problems import Code

BTC = 100_000_000
PAYMENTS = 12
GAP = 6_000  # so many scripts that one scan of this chain takes the better part of a second
FOREIGN = "raw(0014" + "11" * 20 + ")"


def wide_wallet(name: str = "wide") -> ScriptWallet:
    return ScriptWallet(name, gap=GAP)


@pytest.fixture(scope="module")
def long_chain(module_node: Node) -> Node:
    """A node with some two thousand blocks, and payments all over them."""
    node, wallet = module_node, wide_wallet()
    node.mature()
    for index in range(PAYMENTS):
        node.fund(wallet.address(index), (index + 1) * 1_000_000)
        node.mine(150)
    node.wait_for_filters()
    return node


def total() -> int:
    return sum((index + 1) * 1_000_000 for index in range(PAYMENTS))


def scan_status(node: Node) -> Any:
    return node.rpc("scanblocks", "status")


async def in_mid_scan(node: Node) -> None:
    """Wait until the node scans."""
    for _ in range(5_000):
        if await asyncio.to_thread(scan_status, node) is not None:
            return
        await asyncio.sleep(0.002)
    raise AssertionError("no scan began")


@contextmanager
def meanwhile(action: Callable[[], None], pause: float) -> Iterator[None]:
    """Do something again and again in a thread of its own."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(pause):
            action()

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def begin_foreign_scan(node: Node) -> None:
    with suppress(RpcError):
        node.rpc("scanblocks", "start", [FOREIGN], 0)


def is_knots(node: Node) -> bool:
    return "Knots" in node.rpc("getnetworkinfo")["subversion"]


def repairs(client: NodeClient) -> int:
    assert client.backend._sync is not None
    return client.backend._sync.check.repairs


def test_a_second_program_that_begins_scans_makes_us_lose_nothing(
    long_chain: Node, tmp_path: Path
) -> None:
    node, wallet = long_chain, wide_wallet()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_synced(node)
            assert client.backend._sync is not None
            if is_knots(node):
                assert client.backend._sync.scans.disturbances > 0
            assert wallet.balance == total()
            assert PAYMENTS <= len(wallet.blocks) < PAYMENTS + 60
            await client.until_checked(node)
            assert repairs(client) == 0, "a scan had lost something without a sign of it"

    with meanwhile(lambda: begin_foreign_scan(node), 0.15):
        run(scenario)


def test_another_programs_scan_is_waited_for_and_left_alone(
    long_chain: Node, tmp_path: Path
) -> None:
    node, wallet = long_chain, wide_wallet()
    objects = [f"raw({wallet.script(index).hex()})" for index in range(GAP)]
    outcomes: list[int] = []

    def foreign() -> None:
        found = node.rpc("scanblocks", "start", objects, 0)
        assert found["completed"]
        outcomes.append(len(found["relevant_blocks"]))

    async def scenario() -> None:
        job = asyncio.create_task(asyncio.to_thread(foreign))
        await in_mid_scan(node)
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == total()
            await job
            assert outcomes
            assert outcomes[0] >= PAYMENTS
            assert client.backend._sync is not None
            assert client.backend._sync.scans.disturbances == 0

    run(scenario)


def test_a_connection_lost_in_mid_scan(long_chain: Node, tmp_path: Path) -> None:
    """The scan goes on at the node; it is the one that may be ended."""
    node, wallet = long_chain, wide_wallet()

    async def scenario() -> None:
        link = DirectLink(node)
        async with running(tmp_path, link, wallet) as client:
            for losses in range(2):
                await in_mid_scan(node)
                while len(link.problems) == losses:
                    link.drop()
                    await asyncio.sleep(0.02)
                assert not client.backend.is_synced()
            await client.until_checked(node)
            assert wallet.balance == total()
            assert repairs(client) == 0
            assert link.connections >= 2

    run(scenario)


def test_the_program_ends_in_mid_scan(long_chain: Node, tmp_path: Path) -> None:
    node, wallet = long_chain, wide_wallet()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet):
            await in_mid_scan(node)
        assert wallet.marks.get(node.height) is None
        # It may still run: a node ends a scan only between two steps of 10,000 blocks.
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == total()

    run(scenario)


def test_a_node_killed_in_mid_scan(node: Node, tmp_path: Path) -> None:
    wallet = wide_wallet()
    node.mature()
    for index in range(4):
        node.fund(wallet.address(index), BTC)
        node.mine(400)
    node.wait_for_filters()
    # What a power cut takes back is the chain state since the last write to the disk.
    node.restart()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await in_mid_scan(node)
            await asyncio.to_thread(node.kill)
            await client.until(lambda: bool(client.link.problems))
            assert not client.backend.is_synced()
            await asyncio.to_thread(node.start)
            await client.until_checked(node)
            assert wallet.balance == 4 * BTC
            assert repairs(client) == 0

    run(scenario)


def test_an_index_that_is_still_being_built(node: Node, tmp_path: Path) -> None:
    """`scanblocks` leaves out, without a word, the blocks whose filters are missing."""
    wallet = wide_wallet()
    node.mature()
    for index in range(3):
        node.fund(wallet.address(index), BTC)
        node.mine(500)
    node.stop()
    shutil.rmtree(node.directory / "regtest" / "indexes" / "blockfilter")
    node.start()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == 3 * BTC
            assert repairs(client) == 0

    run(scenario)


def test_a_node_without_the_index_says_what_to_add(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = node_factory("-blockfilterindex=0", "-peerblockfilters=0")
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(30)

    async def scenario() -> None:
        for mode in (ScanMode.NODE, ScanMode.FILTERS):
            async with running(tmp_path, DirectLink(node, mode), wallet) as client:
                await client.until(
                    lambda told=client: any(  # type: ignore[misc]
                        isinstance(e, BackendState) and "filter index" in e.detail
                        for e in told.events
                    )
                )
                sync = client.backend._sync
                assert sync is not None
                problem = sync.present_problem()
                assert problem is not None
                assert problem.code is Code.NO_FILTER_INDEX
                assert problem.fix is not None
                assert problem.fix.line == "blockfilterindex=1"
                assert not client.backend.is_synced()
                assert wallet.balance == 0
                assert wallet.heights == []
        # Rung 5: the balance at once, the history by reading every block.
        async with running(tmp_path, DirectLink(node, ScanMode.BLOCKS), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == BTC

    run(scenario)


def test_without_an_index_the_coins_are_shown_before_all_blocks_are_read(
    node_factory: NodeFactory, tmp_path: Path
) -> None:
    node = node_factory("-blockfilterindex=0", "-peerblockfilters=0")
    wallet = ScriptWallet()
    node.mature()
    for index in range(3):
        node.fund(wallet.address(index), BTC)
        node.mine(100)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node, ScanMode.BLOCKS), wallet) as client:
            await client.until(lambda: len(client.previewed.get("w", [])) == 3)
            assert wallet.marks.get(node.height) is None
            await client.until_checked(node)
            assert wallet.balance == 3 * BTC
            assert client.checks["w"] is CheckState.AGREES

    run(scenario)
