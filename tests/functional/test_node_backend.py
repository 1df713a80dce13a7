"""The backend of one's own node against a real bitcoind."""

import asyncio
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node
from tests.functional.node_wallet import DirectLink, running
from tests.functional.p2p_wallet import ScriptWallet, run
from tests.functional.p2p_wallet import running as p2p_running
from tests.patience import PATIENCE
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    ConnectionState,
    Reorganized,
    Scanned,
)
from wallet_gui.chain.bitcoind.node_chain import ScanMode

BTC = 100_000_000


def expected(node: Node, wallet: ScriptWallet) -> int:
    return node.scan_balance([wallet.address(i) for i in range(len(wallet.scripts))])


@pytest.mark.parametrize("mode", ScanMode)
def test_first_sync_then_new_blocks(node: Node, tmp_path: Path, mode: ScanMode) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(3)
    node.fund(wallet.address(5), 2 * BTC)
    node.mine(20)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node, mode), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == 3 * BTC
            for _ in range(5):
                node.mine(1)
                await client.until_synced(node)
            node.fund(wallet.address(1), BTC // 2)
            node.mine(1)
            await client.until_synced(node)
            assert wallet.balance == expected(node, wallet) == 3 * BTC + BTC // 2
            assert wallet.heights == sorted(wallet.heights)
            (peer,) = client.backend.peers()
            assert peer.best_height == node.height
            assert peer.inbound_bytes > 100 * node.height
            assert peer.outbound_bytes > 0
            view = client.backend.view()
            assert view is not None
            assert view.hash_at(7) == bytes.fromhex(node.block_hash(7))[::-1]
            assert view.hash_at(node.height + 1) is None

    run(scenario)


def test_payments_beyond_the_first_window_are_found(node: Node, tmp_path: Path) -> None:
    """Each find widens the window, and what the wider window finds may lie below."""
    wallet = ScriptWallet(gap=21)
    node.mature()
    for index in (60, 40, 20, 0):  # the newest find is needed for the oldest payment
        node.fund(wallet.address(index), (index + 1) * 1_000_000)
        node.mine(1)
    for index in (80, 100, 120):
        node.fund(wallet.address(index), (index + 1) * 1_000_000)
    node.mine(30)

    async def scenario() -> None:
        # As a session does: what joins is looked for from the block that widened the window on.
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_synced(node)
            # The coins that only a look back would find are found where the node knows them.
            await client.until_checked(node)
            assert wallet.used == {0, 20, 40, 60, 80, 100, 120}
            assert wallet.balance == expected(node, wallet)

    run(scenario)


@pytest.mark.parametrize("mode", [ScanMode.NODE, ScanMode.FILTERS])
@pytest.mark.parametrize("depth", range(1, 7))
def test_reorganizations_while_online(
    node: Node, tmp_path: Path, depth: int, mode: ScanMode
) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node, mode), wallet) as client:
            for index in range(1, depth + 1):
                node.fund(wallet.address(index), index * BTC // 10)
                node.mine(1)
            await client.until_checked(node)
            assert wallet.balance == expected(node, wallet)
            fork = node.height - depth
            node.reorganize(depth)
            await client.until_synced(node)
            assert wallet.balance == expected(node, wallet) == BTC
            assert Reorganized("w", fork) in client.events
            node.mine(1)  # the payments are mined again
            await client.until_synced(node)
            assert wallet.balance == expected(node, wallet) > BTC

    run(scenario)


def test_reorganizations_while_closed(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def look() -> list[object]:
        wallet.heights.clear()
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == expected(node, wallet)
            return [e for e in client.events if isinstance(e, Reorganized)]

    async def scenario() -> None:
        assert await look() == []
        for depth in range(1, 7):
            for index in range(1, depth + 1):
                node.fund(wallet.address(index), index * BTC // 10)
                node.mine(1)
            await look()
            fork = node.height - depth
            node.reorganize(depth)
            assert Reorganized("w", fork) in await look()
            node.mine(1)
            assert await look() == []

    run(scenario)


def test_two_wallets_of_different_age(node: Node, tmp_path: Path) -> None:
    first, second = ScriptWallet("a"), ScriptWallet("b")
    node.mature()
    node.fund(first.address(0), BTC)
    node.fund(second.address(3), 2 * BTC)
    node.mine(20)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), first) as client:
            await client.until_checked(node)
            client.watch(second)
            await client.until_checked(node)
            assert (first.balance, second.balance) == (BTC, 2 * BTC)
            node.fund(first.address(1), BTC)
            node.fund(second.address(1), BTC)
            node.mine(1)
            await client.until_synced(node)
            assert (first.balance, second.balance) == (2 * BTC, 3 * BTC)
            client.backend.unwatch("a")
            del client.wallets["a"]
            node.fund(second.address(2), BTC)
            node.mine(1)
            await client.until_synced(node)
            assert (first.balance, second.balance) == (2 * BTC, 4 * BTC)

    run(scenario)


def test_two_wallets_are_scanned_at_once(node: Node, tmp_path: Path) -> None:
    wallets = [ScriptWallet("a"), ScriptWallet("b")]
    node.mature()
    for wallet in wallets:
        node.fund(wallet.address(2), BTC)
        node.mine(10)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), *wallets) as client:
            await client.until_checked(node)
            assert [wallet.balance for wallet in wallets] == [BTC, BTC]

    run(scenario)


def test_restart_goes_on_where_it_was(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.mine(200)
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
        node.fund(wallet.address(1), BTC)
        node.mine(2)
        wallet.heights.clear()
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            assert wallet.balance == 2 * BTC
            assert wallet.heights == [node.height - 1]

    run(scenario)


def test_switching_between_the_sources_needs_no_rescan(node: Node, tmp_path: Path) -> None:
    """One wallet and one chain database, used by peers and by the node in turn."""
    wallet = ScriptWallet()
    node.mature()
    node.mine(100)
    marks: list[int] = []

    async def directly() -> None:
        async with p2p_running(tmp_path, [node.p2p_port], wallet) as client:
            await client.until_synced(node.height, node.tip)
            marks.append(min(e.height for e in client.events if isinstance(e, Scanned)))
            assert not [e for e in client.events if isinstance(e, BackendWarning)]
            assert not [e for e in client.events if isinstance(e, Reorganized)]

    async def by_the_node(mode: ScanMode) -> None:
        async with running(tmp_path, DirectLink(node, mode), wallet) as client:
            await client.until_checked(node)
            marks.append(min(e.height for e in client.events if isinstance(e, Scanned)))
            assert not [e for e in client.events if isinstance(e, BackendWarning)]
            assert not [e for e in client.events if isinstance(e, Reorganized)]

    async def scenario() -> None:
        total = 0
        for number, mode in enumerate([*ScanMode, *ScanMode]):
            before = node.height
            wallet.heights.clear()
            node.fund(wallet.address(0), BTC + number)  # which widens no window
            total += BTC + number
            node.mine(3)
            await (by_the_node(mode) if number % 2 else directly())
            assert wallet.balance == expected(node, wallet) == total
            if number:
                assert marks[-1] >= before, "it was scanned again"
                assert min(wallet.heights) > before
        # And in the other order, so that each kind of mark was followed by each source.
        for mode in ScanMode:
            node.mine(1)
            wallet.heights.clear()
            await by_the_node(mode)
            node.fund(wallet.address(0), BTC)
            total += BTC
            node.mine(1)
            await directly()
            assert wallet.balance == expected(node, wallet) == total
            assert min(wallet.heights) >= node.height - 1

    run(scenario)


@pytest.mark.parametrize("mode", ScanMode)
def test_a_reorganization_between_two_sources(node: Node, tmp_path: Path, mode: ScanMode) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(30)

    async def scenario() -> None:
        for number in range(1, 3):
            node.fund(wallet.address(number), BTC)
            node.mine(3)
            async with p2p_running(tmp_path, [node.p2p_port], wallet) as client:
                await client.until_synced(node.height, node.tip)
            node.reorganize(4)
            async with running(tmp_path, DirectLink(node, mode), wallet) as node_client:
                await node_client.until_checked(node)
                assert wallet.balance == expected(node, wallet)
            node.reorganize(2)
            async with p2p_running(tmp_path, [node.p2p_port], wallet) as client:
                await client.until_synced(node.height, node.tip)
                assert wallet.balance == expected(node, wallet)
            node.mine(1)

    run(scenario)


@pytest.mark.alone
def test_node_restart_with_a_new_cookie(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            await asyncio.to_thread(node.stop)
            await client.until(
                lambda: any(
                    isinstance(e, BackendState) and e.state is ConnectionState.OFFLINE
                    for e in client.events
                )
            )
            assert not client.backend.is_synced()
            await asyncio.to_thread(node.start)
            began = asyncio.get_running_loop().time()
            await client.until_synced(node)
            assert asyncio.get_running_loop().time() - began < 6
            node.fund(wallet.address(0), BTC)
            node.mine(1)
            await client.until_synced(node)
            assert wallet.balance == BTC

    run(scenario)


@pytest.mark.slow
def test_it_stops_in_every_moment_after_the_line_was_lost(node: Node, tmp_path: Path) -> None:
    """The failure of what was asked and the order to stop may come at once: it stops."""
    wallet = ScriptWallet()
    node.mature()

    async def scenario(turns: int) -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            client.link.drop()  # what was under way is asked again
            for _ in range(turns % 30):
                await asyncio.sleep(0)
            client.link.drop()  # and now it fails
            for _ in range(turns // 30):
                await asyncio.sleep(0)
            async with asyncio.timeout(PATIENCE):
                await client.backend.stop()

    async def every_moment() -> None:
        for turns in range(0, 30 * 12, 4):
            await scenario(turns)

    run(every_moment)


def test_a_node_that_is_behind_what_is_known_says_so(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(30)

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), wallet) as client:
            await client.until_checked(node)
            height, away = node.height, node.block_hash(node.height - 9)
            await asyncio.to_thread(node.invalidate, away)
            await client.until(
                lambda: any(
                    isinstance(e, BackendState) and "10 blocks behind" in e.detail
                    for e in client.events
                )
            )
            assert not client.backend.is_synced()
            # More work than this node shows was seen: what is confirmed there stays so.
            assert client.backend.tip() is not None
            assert client.tip is not None
            assert client.tip.height == height
            assert wallet.balance == BTC
            await asyncio.to_thread(node.reconsider, away)
            await client.until_checked(node)

    run(scenario)
