"""Unconfirmed payments, fees and sending through one's own node, as the backend tells of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.functional.bitcoind import Node, to_btc
from tests.functional.node_wallet import DirectLink, running
from tests.functional.p2p_wallet import ScriptWallet, run
from wallet_gui.chain.backend import (
    BroadcastProgress,
    BroadcastStage,
    NoPeers,
    PendingChanged,
    TxSeen,
)
from wallet_gui.chain.bitcoind.node_chain import ScanMode
from wallet_gui.chain.reports import SeenBy
from wallet_gui.primitives.transaction import Transaction

BTC = 100_000_000


def signed_payment(node: Node, amount_sat: int, rival: Transaction | None = None) -> Transaction:
    """A transaction of the node's own wallet that nobody was sent; it may spend a rival's coin."""
    to = node.bank("getnewaddress")
    options: dict[str, Any] = {"add_to_wallet": False, "fee_rate": 5}
    if rival is not None:
        coin = rival.inputs[0].prevout
        options["inputs"] = [{"txid": coin.txid[::-1].hex(), "vout": coin.vout}]
        options["add_inputs"] = True
    made = node.bank("send", {to: to_btc(amount_sat)}, None, "unset", None, options)
    return Transaction.parse(bytes.fromhex(made["hex"]))


@pytest.mark.parametrize("tells", [True, False])
def test_unconfirmed_payments_are_seen_in_seconds(
    node: Node, tmp_path: Path, *, tells: bool
) -> None:
    wallet = ScriptWallet()
    node.mature()
    link = DirectLink(node, ScanMode.NODE if tells else ScanMode.FILTERS, may_ask_for_coins=tells)

    async def scenario() -> None:
        async with running(tmp_path, link, wallet) as client:
            await client.until_synced(node)
            client.backend.set_receiving(is_receiving=True)
            txid = bytes.fromhex(node.fund(wallet.address(0), BTC))[::-1]
            await client.until(
                lambda: any(isinstance(e, TxSeen) and e.tx.txid == txid for e in client.events), 10
            )
            assert client.backend.seen_by(txid) == SeenBy(1, 1)
            assert client.backend.seen_by(b"\x01" * 32) is None
            assert PendingChanged() in client.events
            node.mine(1)
            await client.until_synced(node)
            assert wallet.balance == BTC
            await client.until(lambda: client.backend.seen_by(txid) is None)

    run(scenario)


def test_sending_and_sending_again(node: Node, tmp_path: Path) -> None:
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), ScriptWallet()) as client:
            tx = signed_payment(node, BTC)
            with pytest.raises(NoPeers):
                await client.backend.broadcast(tx)
            await client.until_synced(node)
            result = await client.backend.broadcast(tx)
            assert result.stage is BroadcastStage.ECHOED
            assert result.was_missing
            assert tx.txid[::-1].hex() in node.mempool()
            told = BroadcastProgress(tx.txid, BroadcastStage.ECHOED, 1)
            await client.until(lambda: told in client.events)
            assert (await client.backend.broadcast(tx)).is_accepted
            node.mine(1)
            assert (await client.backend.broadcast(tx)).is_accepted
            spent = signed_payment(node, BTC)
            node.rpc("sendrawtransaction", signed_payment(node, 2 * BTC, spent).serialize().hex())
            refused = await client.backend.broadcast(spent)
            assert refused.stage is BroadcastStage.FAILED
            assert refused.detail
            assert spent.txid[::-1].hex() not in node.mempool()

    run(scenario)


def test_a_connection_lost_while_sending(node: Node, tmp_path: Path) -> None:
    node.mature()

    async def scenario() -> None:
        link = DirectLink(node)
        async with running(tmp_path, link, ScriptWallet()) as client:
            await client.until_synced(node)
            for _ in range(5):
                tx = signed_payment(node, BTC)
                sending = asyncio.create_task(client.backend.broadcast(tx))
                await asyncio.sleep(0.001)
                link.drop()
                result = await sending
                assert result.is_accepted
                assert tx.txid[::-1].hex() in node.mempool()
                node.mine(1)
                await client.until_synced(node)

    run(scenario)


def test_the_node_tells_fees(node: Node, tmp_path: Path) -> None:
    node.mature()

    async def scenario() -> None:
        async with running(tmp_path, DirectLink(node), ScriptWallet()) as client:
            assert client.backend.fee_advice() is None
            assert client.backend.minimum_fee_rates() == []
            await client.until(lambda: client.backend.fee_advice() is not None)
            advice = client.backend.fee_advice()
            assert advice is not None
            assert advice.minimum is not None
            assert client.backend.minimum_fee_rates() == [advice.minimum]
            assert advice.minimum >= 100

    run(scenario)
