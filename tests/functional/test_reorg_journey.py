"""Reorganisations of one to six blocks, while the wallet is open and while it is closed."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from tests.functional.bitcoind import COIN, Node
from tests.functional.live_wallet import Keys, Live, online_at
from wallet_gui.app.session import WalletSession
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import Transaction
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.wallet import spend
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.wallet.spend import Recipient

DEPTHS = range(1, 7)


def receive(keys: Keys, index: int) -> str:
    return keys.active.address(index, 0)


def state(session: WalletSession) -> tuple[Balance, dict[str, int | None]]:
    return session.wallet.balance(), {
        hash_to_hex(e.txid): e.height for e in session.wallet.history() if e.is_live
    }


def pay_and_bury(node: Node, keys: Keys, depth: int) -> tuple[str, str]:
    """A payment far below and one in the lowest block that a reorganisation will take away."""
    old = node.fund(receive(keys, 0), COIN)
    node.mine(7)
    young = node.fund(receive(keys, 1), 2 * COIN)
    node.mine(depth)
    node.wait_for_filters()
    return old, young


async def settled(live: Live, session: WalletSession, balance: Balance) -> None:
    await live.in_sync()
    await live.until(lambda: session.wallet.balance() == balance)


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_reorganisation_while_the_wallet_is_open(
    module_node: Node, tmp_path: Path, depth: int
) -> None:
    node = module_node
    node.mature()
    keys = Keys(f"open {depth}")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))
    old, young = pay_and_bury(node, keys, depth)

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await settled(live, session, Balance(confirmed=3 * COIN))
            height = node.height
            # The new branch holds no payment: the young one waits again.
            await asyncio.to_thread(node.reorganize, depth)
            node.wait_for_filters()
            await settled(live, session, Balance(confirmed=COIN, incoming=2 * COIN))
            known = state(session)[1]
            assert known[young] is None
            assert known[old] is not None
            assert session.wallet.tip is not None
            assert session.wallet.tip.height == height + 1
            await asyncio.to_thread(node.mine, 1)
            node.wait_for_filters()
            await settled(live, session, Balance(confirmed=3 * COIN))
            assert state(session)[1][young] == node.height
            assert node.scan_balance([receive(keys, 0), receive(keys, 1)]) == 3 * COIN

    asyncio.run(scenario())


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_reorganisation_while_the_wallet_is_closed(
    module_node: Node, tmp_path: Path, depth: int
) -> None:
    node = module_node
    node.mature()
    keys = Keys(f"closed {depth}")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))
    old, young = pay_and_bury(node, keys, depth)

    async def before() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await settled(live, session, Balance(confirmed=3 * COIN))

    async def after(balance: Balance, height: int | None) -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await settled(live, session, balance)
            known = state(session)[1]
            assert known[young] == height
            assert known[old] is not None

    asyncio.run(before())
    node.reorganize(depth)
    node.wait_for_filters()
    asyncio.run(after(Balance(confirmed=COIN, incoming=2 * COIN), None))
    # And once more, with the payment in the branch that wins.
    fork = node.height - depth + 1
    node.invalidate(node.block_hash(fork))
    node.mine(1)
    height = node.height
    node.mine(depth)
    node.wait_for_filters()
    asyncio.run(after(Balance(confirmed=3 * COIN), height))
    assert node.scan_balance([receive(keys, 0), receive(keys, 1)]) == 3 * COIN


def test_a_payment_that_its_sender_replaces_in_a_block_is_gone(node: Node, tmp_path: Path) -> None:
    """The replacement pays us nothing, was never relayed, and is only in the block."""
    node.mature()
    keys = Keys("replaced")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario(*, is_closed: bool) -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            txid = await asyncio.to_thread(node.fund, receive(keys, 0), COIN)
            await live.until(lambda: session.wallet.balance().incoming == COIN)
            away = await asyncio.to_thread(node.bank, "getnewaddress")
            if not is_closed:
                await asyncio.to_thread(take_back, txid, away)
                await live.in_sync()
                await live.until(lambda: session.wallet.balance().total == 0)
                return
        await asyncio.to_thread(take_back, txid, away)
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await live.in_sync()
            assert session.wallet.balance().total == 0

    def take_back(txid: str, away: str) -> None:
        raw = node.rpc("decoderawtransaction", node.bank("gettransaction", txid)["hex"])
        inputs = [{"txid": i["txid"], "vout": i["vout"]} for i in raw["vin"]]
        total = sum(
            node.rpc("getrawtransaction", i["txid"], 2)["vout"][i["vout"]]["value"] for i in inputs
        )
        unsigned = node.rpc("createrawtransaction", inputs, {away: str(total - 1)})
        signed = node.bank("signrawtransactionwithwallet", unsigned)["hex"]
        node.mine_with([signed])
        node.wait_for_filters()

    asyncio.run(scenario(is_closed=False))
    asyncio.run(scenario(is_closed=True))


def test_a_payment_that_its_block_lost_is_offered_again_past_one_that_is_refused(
    node: Node, tmp_path: Path
) -> None:
    """Its lock time forbade it while the chain was shorter, so the node dropped it."""
    node.mature()
    keys = Keys("dropped")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))
    first, second = (node.fund(receive(keys, index), COIN) for index in range(2))
    node.mine(6)
    node.wait_for_filters()

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            session = await live.open(path)
            await settled(live, session, Balance(confirmed=2 * COIN))
            coins = {hash_to_hex(c.outpoint.txid): c.outpoint for c in session.wallet.coins()}

            async def pay(coin: str, height: int) -> Transaction:
                plan = spend.create(
                    session.wallet,
                    [Recipient(keys.active.script_pubkey(5), None)],
                    FeeRate(2_000),
                    rng=Random(0),
                    tip_height=height,
                    coins=[coins[coin]],
                )
                return await live.online.sign(session, plan)

            refused = await pay(first, node.height + 1_000)
            dropped = await pay(second, node.height)
            assert refused.lock_time == node.height + 1_000
            assert dropped.lock_time == node.height
            txid = hash_to_hex(dropped.txid)
            node.rpc("sendrawtransaction", dropped.serialize().hex())
            node.mine(1)
            node.wait_for_filters()
            await live.in_sync()
            assert state(session)[1][txid] == node.height
            await asyncio.to_thread(node.reorganize, 2)
            assert node.mempool() == set()
            # No node keeps the refused one, which takes it half a minute to find out.
            await asyncio.to_thread(node.wait_for_mempool, txid, 20)
            assert node.mempool() == {txid}
            assert session.unconfirmed_own() == [refused, dropped]

    asyncio.run(scenario())
