"""Two wallets in one process share one backend; each sees its own, and what the other sends it."""

import asyncio
from pathlib import Path

from tests.functional.bitcoind import COIN, Node
from tests.functional.live_wallet import Keys, online_at
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.address import script_from_address
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.storage.settings import DataDirectory
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.wallet.spend import Recipient


def test_two_wallets_share_a_backend_and_pay_each_other(node: Node, tmp_path: Path) -> None:
    node.mature()
    anna, ben = Keys("anna"), Keys("ben", DescriptorType.TR)
    directory = DataDirectory(tmp_path, REGTEST)
    paths = [keys.create_file(directory) for keys in (anna, ben)]

    async def scenario() -> None:
        async with online_at(node, tmp_path, anna, ben) as live:
            first = await live.open(paths[0])
            address = (await first.new_request("from the node")).address
            await asyncio.to_thread(node.fund, address, 2 * COIN)
            await live.until(lambda: first.wallet.balance().incoming == 2 * COIN)
            await asyncio.to_thread(node.mine, 1)
            await live.in_sync()
            assert first.wallet.balance() == Balance(confirmed=2 * COIN)

            # The second one joins a backend that is in sync already.
            second = await live.open(paths[1])
            await live.in_sync()
            assert second.wallet.balance() == Balance()
            to = (await second.new_request("from Anna")).address
            script = script_from_address(to, REGTEST)
            plan = await first.plan_payment([Recipient(script, COIN)], FeeRate(2_000))
            tx = await live.online.sign(first, plan)
            sending = asyncio.ensure_future(first.broadcast(tx))
            await live.until(lambda: second.wallet.balance().incoming == COIN)
            assert first.wallet.balance().trusted_pending == COIN - plan.fee_sat
            result = await sending
            assert result.is_accepted
            assert hash_to_hex(tx.txid) in node.mempool()
            await asyncio.to_thread(node.mine, 1)
            await live.in_sync()
            assert second.wallet.balance() == Balance(confirmed=COIN)
            assert first.wallet.balance() == Balance(confirmed=COIN - plan.fee_sat)

            # One is closed; the other goes on.
            await live.online.close_wallet(first.wallet_id)
            await asyncio.to_thread(node.fund, to, COIN)
            await asyncio.to_thread(node.mine, 1)
            await live.in_sync()
            assert second.wallet.balance() == Balance(confirmed=2 * COIN)
            again = await live.open(paths[0])
            await live.in_sync()
            assert again.wallet.balance() == Balance(confirmed=COIN - plan.fee_sat)

    asyncio.run(scenario())


def test_a_payment_relayed_before_the_wallet_was_opened_is_seen(node: Node, tmp_path: Path) -> None:
    node.mature()
    keys = Keys("late")
    path = keys.create_file(DataDirectory(tmp_path, REGTEST))

    async def scenario() -> None:
        async with online_at(node, tmp_path, keys) as live:
            await live.in_sync()
            txid = await asyncio.to_thread(node.fund, keys.active.address(0, 0), COIN)
            selector = live.online.selector
            assert selector is not None
            await live.until(
                lambda: txid in {hash_to_hex(t.txid) for t in selector._recent.transactions()}
            )
            session = await live.open(path)
            await live.in_sync()
            assert session.wallet.balance() == Balance(incoming=COIN)

    asyncio.run(scenario())
