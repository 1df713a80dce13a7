"""The P2P backend against a real bitcoind."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.functional.bitcoind import Node, NodeFactory, to_btc
from tests.functional.p2p_wallet import Client, ScriptWallet, run, running
from tests.patience import PATIENCE
from wallet_gui.chain.backend import (
    BackendState,
    BackendWarning,
    BroadcastStage,
    ConnectionState,
    NoPeers,
    Phase,
    Reorganized,
    Scanned,
    SyncProgress,
)
from wallet_gui.chain.p2p.backend import system_clock
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.primitives.transaction import Transaction

BTC = 100_000_000


def expected(node: Node, wallet: ScriptWallet) -> int:
    return node.scan_balance([wallet.address(i) for i in range(len(wallet.scripts))])


async def synced(client: Client, node: Node, seconds: float = PATIENCE) -> None:
    await client.until_synced(node.height, node.tip, seconds)


def signed_payment(node: Node, amount_sat: int, sat_per_vb: int = 5) -> Transaction:
    """A transaction of the node's own wallet that nobody was sent."""
    to = node.bank("getnewaddress")
    options = {"add_to_wallet": False, "fee_rate": sat_per_vb}
    made = node.bank("send", {to: to_btc(amount_sat)}, None, "unset", None, options)
    return Transaction.parse(bytes.fromhex(made["hex"]))


def test_first_sync_then_new_blocks(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(3)
    node.fund(wallet.address(5), 2 * BTC)
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            assert wallet.balance == 3 * BTC
            for _ in range(5):
                node.mine(1)
                await synced(client, node)
            node.fund(wallet.address(1), BTC // 2)
            node.mine(1)
            await synced(client, node)
            assert wallet.balance == expected(node, wallet) == 3 * BTC + BTC // 2
            assert wallet.heights == sorted(wallet.heights)
            await client.until(
                lambda: (
                    [e for e in client.events if isinstance(e, SyncProgress)][-1].phase
                    is Phase.SYNCED
                )
            )
            (info,) = client.backend.peers()
            (contact,) = client.backend.ledger()
            assert contact.inbound_bytes == info.inbound_bytes > 0
            assert contact.transport == info.transport
            assert info.best_height == node.height
            assert info.inbound_bytes > 80 * node.height

    run(scenario)


def test_unconfirmed_payments_are_seen_in_seconds(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            txid = bytes.fromhex(node.fund(wallet.address(0), BTC))[::-1]
            await client.until(lambda: txid in wallet.unconfirmed)
            assert wallet.balance == 0
            node.mine(1)
            await synced(client, node)
            assert wallet.balance == BTC
            assert not wallet.unconfirmed

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
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            assert wallet.used == {0, 20, 40, 60, 80, 100, 120}
            assert wallet.balance == expected(node, wallet)

    run(scenario)


@pytest.mark.parametrize("depth", range(1, 7))
def test_reorganizations_while_online(node: Node, tmp_path: Path, depth: int) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            for index in range(1, depth + 1):
                node.fund(wallet.address(index), index * BTC // 10)
                node.mine(1)
            await synced(client, node)
            assert wallet.balance == expected(node, wallet)
            fork = node.height - depth
            node.reorganize(depth)
            await synced(client, node)
            assert wallet.balance == expected(node, wallet) == BTC
            assert Reorganized("w", fork) in client.events
            node.mine(1)  # the payments are mined again
            await synced(client, node)
            assert wallet.balance == expected(node, wallet) > BTC

    run(scenario)


def test_reorganizations_while_closed(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def look(height: int | None = None) -> list[object]:
        wallet.heights.clear()
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
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
    node.mine(2)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], first) as client:
            await synced(client, node)
            client.watch(second)  # its filters are in the cache by now
            await synced(client, node)
            assert (first.balance, second.balance) == (BTC, 2 * BTC)
            node.fund(first.address(1), BTC)
            node.fund(second.address(1), BTC)
            node.mine(1)
            await synced(client, node)
            assert (first.balance, second.balance) == (2 * BTC, 3 * BTC)
            client.backend.unwatch("a")
            del client.wallets["a"]
            node.fund(second.address(2), BTC)
            node.mine(1)
            await synced(client, node)
            assert (first.balance, second.balance) == (2 * BTC, 4 * BTC)

    run(scenario)


def test_restart_goes_on_where_it_was(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()
    node.mine(200)
    node.fund(wallet.address(0), BTC)
    node.mine(1)

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
        node.fund(wallet.address(1), BTC)
        node.mine(2)
        wallet.heights.clear()
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            assert wallet.balance == 2 * BTC
            assert wallet.heights == [node.height - 1]
            (info,) = client.backend.peers()
            # Headers would be 24 KB more; up to 4 KB are the garbage of an encrypted handshake.
            assert info.inbound_bytes < 20_000, "the chain was fetched again"

    run(scenario)


def test_a_new_wallet_needs_hardly_any_filters(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    now = int(time.time())
    node.rpc("setmocktime", now - 7 * 24 * 3600)
    node.mature()
    node.rpc("setmocktime", 0)
    node.mine(20)
    wallet.birthday_time = now

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            marks = [e for e in client.events if isinstance(e, Scanned)]
            assert marks[0].height >= 100
            node.fund(wallet.address(0), BTC)
            node.mine(1)
            await synced(client, node)
            assert wallet.balance == BTC

    run(scenario)


def test_node_restart(node: Node, tmp_path: Path) -> None:
    wallet = ScriptWallet()
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], wallet) as client:
            await synced(client, node)
            await asyncio.to_thread(node.stop)
            await client.until(
                lambda: any(
                    isinstance(e, BackendState) and e.state is ConnectionState.OFFLINE
                    for e in client.events
                )
            )
            with pytest.raises(NoPeers):
                await client.backend.broadcast(Transaction.parse(GENESIS_COINBASE))
            await asyncio.to_thread(node.start)
            node.fund(wallet.address(0), BTC)
            node.mine(1)
            await synced(client, node)
            assert wallet.balance == BTC

    run(scenario)


def test_broadcast_is_accepted_with_one_peer(node: Node, tmp_path: Path) -> None:
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet()) as client:
            await synced(client, node)
            tx = signed_payment(node, BTC)
            result = await client.backend.broadcast(tx)
            assert result.is_accepted
            assert result.stage is BroadcastStage.ECHOED
            assert tx.txid[::-1].hex() in node.mempool()
            again = await client.backend.broadcast(tx)
            assert again.is_accepted

    run(scenario)


def test_broadcast_is_echoed_by_a_second_peer(node_factory: NodeFactory, tmp_path: Path) -> None:
    first, second = node_factory(), node_factory()
    first.mature()
    second.connect_to(first)
    second.wait_for_filters()

    async def scenario() -> None:
        ports = [first.p2p_port, second.p2p_port]
        async with running(tmp_path, ports, ScriptWallet()) as client:
            await client.until(lambda: len(client.backend.peers()) == 2)
            await synced(client, first)
            tx = signed_payment(first, BTC)
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.ECHOED
            for node in (first, second):
                await asyncio.to_thread(node.wait_for_mempool, tx.txid[::-1].hex())

    run(scenario)


def test_broadcast_is_refused(node: Node, tmp_path: Path) -> None:
    """A node says nothing of a refusal, so the verdict waits for half a minute of the client's."""
    node.mature()
    started = system_clock()

    def hasty() -> Instant:
        # The node announces to us at once (-whitelist), so five real seconds are as good.
        now = system_clock()
        return now._replace(monotonic=started[0] + 6 * (now.monotonic - started[0]))

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet(), clock=hasty) as client:
            await synced(client, node)
            tx = signed_payment(node, BTC)
            node.rpc("sendrawtransaction", signed_payment(node, 2 * BTC).serialize().hex())
            result = await client.backend.broadcast(tx)  # the same coin is spent already
            assert result.stage is BroadcastStage.FAILED
            assert not result.is_accepted
            assert tx.txid[::-1].hex() not in node.mempool()
            assert "another one that spends the same coin" in result.detail

    run(scenario)


def test_a_node_without_filters_is_named(node_factory: NodeFactory, tmp_path: Path) -> None:
    node = node_factory("-peerblockfilters=0")

    async def scenario() -> None:
        async with running(tmp_path, [node.p2p_port], ScriptWallet()) as client:
            await client.until(
                lambda: any(
                    isinstance(e, BackendWarning) and "-peerblockfilters=1" in e.sentence
                    for e in client.events
                )
            )

    run(scenario)


GENESIS_COINBASE = bytes.fromhex(
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff4d04ffff"
    "001d0104455468652054696d65732030332f4a616e2f32303039204368616e63656c6c6f72206f6e206272696e"
    "6b206f66207365636f6e64206261696c6f757420666f722062616e6b73ffffffff0100f2052a01000000434104"
    "678afdb0fe5548271967f1a67130b7105cd6a828e03909a67962e0ea1f61deb649f6bc3f4cef38c4f35504e51e"
    "c112de5c384df7ba0b8d578a4c702b6bf11d5fac00000000"
)
