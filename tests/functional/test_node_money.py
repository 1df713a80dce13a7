"""The rows of table C.3 by the real bitcoind, and fees and mempool as it shows them.

By the scripted node instead (tests/hostile/test_node_money.py): a full mempool, a conflict without
replacement (Knots and Core 29 replace always), fee estimates (they take days of traffic), the
mempools of older versions.
"""

import asyncio
import time
from typing import Any

import pytest

from tests.functional.bitcoind import COIN, Node, NodeFactory, to_btc
from tests.functional.test_node_rpc import asked, cookie_path, read_local
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.chain.bitcoind.credentials import CookieCredentials
from wallet_gui.chain.bitcoind.local_socket import LocalTunnel
from wallet_gui.chain.bitcoind.node_broadcast import HELD, MAX_RATE, MINED, NodeBroadcast
from wallet_gui.chain.bitcoind.node_fees import NodeFees
from wallet_gui.chain.bitcoind.node_mempool import NodeMempool
from wallet_gui.chain.bitcoind.problems import Code, RpcError
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.chain.bitcoind.send_problems import refusal
from wallet_gui.chain.bitcoind.tunnel_protocol import Channel
from wallet_gui.primitives.amount import format_btc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import Transaction

PAYEE = p2wpkh(b"p" * 20)
FINAL = 0xFFFFFFFF


def made(
    node: Node,
    inputs: list[dict[str, Any]],
    outputs: list[tuple[str, int]],
    *,
    lock_time: int = 0,
    version: int = 2,
    prevouts: list[dict[str, Any]] | None = None,
) -> Transaction:
    """A transaction signed by the node's own wallet, whatever its amounts."""
    raw = node.rpc("createrawtransaction", inputs, [{a: to_btc(v)} for a, v in outputs], lock_time)
    raw = version.to_bytes(4, "little").hex() + raw[8:]
    signed = node.bank("signrawtransactionwithwallet", raw, prevouts or [])
    assert signed["complete"], signed
    return Transaction.parse(bytes.fromhex(signed["hex"]))


class Bank:
    """Coins of the node's own wallet, each used once."""

    def __init__(self, node: Node, count: int) -> None:
        self.node = node
        node.mature()
        node.mine(count + 5)
        coins = node.bank("listunspent", 1)
        self.coins = sorted(coins, key=lambda c: -c["amount"])

    def coin(self, sequence: int = 0xFFFFFFFD) -> tuple[dict[str, Any], int]:
        coin = self.coins.pop(0)
        spent = {"txid": coin["txid"], "vout": coin["vout"], "sequence": sequence}
        return spent, int(coin["amount"] * COIN)

    def address(self) -> str:
        return str(self.node.bank("getnewaddress", "", "bech32"))

    def pay(self, fee_sat: int, **options: Any) -> Transaction:
        spent, value = self.coin()
        return made(self.node, [spent], [(self.address(), value - fee_sat)], **options)


def send(
    node: Node, tx: Transaction, parents: tuple[Transaction, ...] = (), max_rate: int = MAX_RATE
) -> BroadcastResult:
    async def script(rpc: NodeRpc) -> BroadcastResult:
        sender = NodeBroadcast(has_package_relay=True)
        return await sender.send(rpc, tx, parents, max_rate=max_rate)

    result = asked(node, script)
    assert isinstance(result, BroadcastResult)
    return result


def refused_when_sent(node: Node, raw: str, max_rate: int = MAX_RATE) -> RpcError:
    """What the node says to a transaction that was not tried out first."""

    async def script(rpc: NodeRpc) -> RpcError:
        with pytest.raises(RpcError) as raised:
            await rpc.call("sendrawtransaction", raw, format_btc(max_rate))
        return raised.value

    error = asked(node, script)
    assert isinstance(error, RpcError)
    return error


def check_refused(node: Node, tx: Transaction, code: Code, number: int) -> None:
    """Both ways to be told no give the same row and a sentence; nothing is sent."""
    result = send(node, tx)
    assert result.stage is BroadcastStage.FAILED
    assert not result.is_accepted
    error = refused_when_sent(node, tx.serialize().hex())
    assert error.number == number
    problem = refusal(error.message, error.number)
    assert problem.code is code, error.message
    assert result.detail == str(problem)
    assert result.detail.endswith(".")
    assert hash_to_hex(tx.txid) not in node.mempool()


# C.3


def test_refusals_of_single_payments(module_node: Node) -> None:
    node = module_node
    bank = Bank(node, 20)
    # Fee below the least.
    check_refused(node, bank.pay(0), Code.FEE_TOO_LOW, -26)
    # More than the coins hold.
    check_refused(node, bank.pay(-1000), Code.SPENDS_TOO_MUCH, -26)
    # Dust.
    spent, value = bank.coin()
    dusty = made(node, [spent], [(bank.address(), value - 10_000), (bank.address(), 100)])
    check_refused(node, dusty, Code.DUST, -26)
    # A damaged signature.
    good = bank.pay(10_000)
    raw = bytearray(good.serialize())
    script_sig, witness = good.inputs[0].script_sig, good.inputs[0].witness
    signature = witness[0] if witness else script_sig
    at = bytes(raw).index(signature) + 20
    raw[at] ^= 1
    check_refused(node, Transaction.parse(bytes(raw)), Code.SIGNATURE_INVALID, -26)
    # A coin that does not exist.
    unknown = [{"txid": "ab" * 32, "vout": 0}]
    script = node.bank("getaddressinfo", bank.address())["scriptPubKey"]
    prevouts = [{**unknown[0], "scriptPubKey": script, "amount": "1.00000000"}]
    gone = made(node, unknown, [(bank.address(), COIN // 2)], prevouts=prevouts)
    check_refused(node, gone, Code.COINS_GONE, -25)
    # Locked until later.
    check_refused(node, bank.pay(10_000, lock_time=node.height + 100), Code.NOT_YET_FINAL, -26)
    # A mined coin that is too young.
    block = node.rpc("getblock", node.mine(1)[0], 2)
    reward = block["tx"][0]
    young = [{"txid": reward["txid"], "vout": 0}]
    amount = int(reward["vout"][0]["value"] * COIN)
    early = made(node, young, [(bank.address(), amount - 10_000)])
    check_refused(node, early, Code.IMMATURE, -26)


def test_a_fee_that_cannot_be_meant(module_node: Node) -> None:
    bank = Bank(module_node, 3)
    tx = bank.pay(COIN)
    result = send(module_node, tx)
    assert result.stage is BroadcastStage.FAILED
    assert "higher than anybody" in result.detail
    error = refused_when_sent(module_node, tx.serialize().hex())
    assert error.number == -25
    assert refusal(error.message).code is Code.FEE_TOO_HIGH
    # The limit is ours: under a lower one a usual fee is refused, too.
    usual = bank.pay(20_000)
    assert send(module_node, usual, max_rate=10_000).stage is BroadcastStage.FAILED
    assert send(module_node, usual).stage is BroadcastStage.ECHOED


def test_a_replacement_that_does_not_pay_enough(module_node: Node) -> None:
    bank = Bank(module_node, 3)
    spent, value = bank.coin()
    first = made(module_node, [spent], [(bank.address(), value - 10_000)])
    assert send(module_node, first).stage is BroadcastStage.ECHOED
    second = made(module_node, [spent], [(bank.address(), value - 10_001)])
    check_refused(module_node, second, Code.REPLACEMENT_FEE, -26)
    third = made(module_node, [spent], [(bank.address(), value - 20_000)])
    assert send(module_node, third).stage is BroadcastStage.ECHOED
    assert hash_to_hex(first.txid) not in module_node.mempool()


def test_a_transaction_that_cannot_be_read(module_node: Node) -> None:
    error = refused_when_sent(module_node, "00")
    assert error.number == -22
    assert refusal(error.message, error.number).code is Code.TX_DECODE


def test_too_many_in_a_row(module_node: Node) -> None:
    bank = Bank(module_node, 3)
    spent, value = bank.coin()
    for _ in range(25):
        value -= 2_000
        tx = made(module_node, [spent], [(bank.address(), value)])
        assert module_node.rpc("sendrawtransaction", tx.serialize().hex())
        spent = {"txid": hash_to_hex(tx.txid), "vout": 0}
    last = made(module_node, [spent], [(bank.address(), value - 2_000)])
    check_refused(module_node, last, Code.TOO_MANY_UNCONFIRMED, -26)
    module_node.mine(1)


def test_sending_again_is_safe(module_node: Node) -> None:
    bank = Bank(module_node, 3)
    tx = bank.pay(10_000)
    first = send(module_node, tx)
    assert (first.stage, first.detail, first.was_missing) == (BroadcastStage.ECHOED, HELD, True)
    again = send(module_node, tx)
    assert (again.stage, again.was_missing) == (BroadcastStage.ECHOED, False)
    assert module_node.rpc("sendrawtransaction", tx.serialize().hex()) == hash_to_hex(tx.txid)
    module_node.mine(1)
    mined = send(module_node, tx)
    assert (mined.stage, mined.detail) == (BroadcastStage.ECHOED, MINED)
    error = refused_when_sent(module_node, tx.serialize().hex())
    assert error.number == -27
    assert refusal(error.message, error.number).code is Code.ALREADY_MINED


class Cut:
    """A channel that breaks just after a certain call was sent."""

    def __init__(self, channel: Channel, method: bytes, cuts: list[int]) -> None:
        self.channel = channel
        self.method = method
        self.cuts = cuts
        self.is_cut = False

    async def read(self, count: int) -> bytes:
        data = await self.channel.read(count)
        if self.is_cut:
            await asyncio.sleep(0.05)
            return b""
        return data

    def write(self, data: bytes) -> None:
        if self.method in data and self.cuts[0]:
            self.cuts[0] -= 1
            self.is_cut = True
        self.channel.write(data)

    async def drain(self) -> None:
        await self.channel.drain()

    def abort(self) -> None:
        self.channel.abort()


@pytest.mark.parametrize("method", ["testmempoolaccept", "sendrawtransaction", "getmempoolentry"])
@pytest.mark.parametrize("cuts", [1, 2])
def test_a_payment_survives_a_connection_that_breaks(
    module_node: Node, method: str, cuts: int
) -> None:
    """The connection breaks when the call was made and before its answer came."""
    bank = Bank(module_node, 3)
    tx = bank.pay(10_000)
    left = [cuts]

    async def go() -> BroadcastResult:
        tunnel = LocalTunnel(read_local)

        async def open_channel() -> Cut:
            channel = await tunnel.open_channel("127.0.0.1", module_node.rpc_port)
            return Cut(channel, method.encode(), left)

        rpc = NodeRpc(open_channel, CookieCredentials(tunnel, [cookie_path(module_node)]))
        sender = NodeBroadcast(has_package_relay=True)
        try:
            while True:
                try:
                    return await sender.send(rpc, tx)
                except Exception as problem:  # noqa: BLE001 - which one it is, is checked here
                    assert getattr(problem, "code", None) is Code.CONNECTION_LOST  # noqa: PT017
        finally:
            await rpc.close()
            await tunnel.close()

    result = asyncio.run(go())
    assert left == [0]
    assert result.stage is BroadcastStage.ECHOED
    assert hash_to_hex(tx.txid) in module_node.mempool()


def test_a_parent_below_the_least_fee_goes_with_its_child(
    module_node: Node, node_factory: NodeFactory
) -> None:
    is_knots = "Knots" in module_node.rpc("getnetworkinfo")["subversion"]
    node = node_factory(*(["-mempooltruc=enforce"] if is_knots else []))  # Core always does
    bank = Bank(node, 3)
    spent, value = bank.coin()
    # Version 3 (BIP431): the only kind whose parent may pay nothing at all.
    parent = made(node, [spent], [(bank.address(), value)], version=3)
    output = {"txid": hash_to_hex(parent.txid), "vout": 0}
    script = parent.outputs[0].script_pubkey.hex()
    prevouts = [{**output, "scriptPubKey": script, "amount": to_btc(value)}]
    child = made(node, [output], [(bank.address(), value - 50_000)], version=3, prevouts=prevouts)
    alone = send(node, parent)
    assert alone.stage is BroadcastStage.FAILED
    result = send(node, child, (parent,))
    assert result.stage is BroadcastStage.ECHOED, result.detail
    assert {hash_to_hex(parent.txid), hash_to_hex(child.txid)} <= node.mempool()
    # And again, as after a lost connection.
    assert send(node, child, (parent,)).stage is BroadcastStage.ECHOED
    node.mine(1)
    assert send(node, child, (parent,)).detail == MINED


def test_parents_that_the_node_lacks_go_along(module_node: Node) -> None:
    bank = Bank(module_node, 3)
    parent = bank.pay(10_000)
    value = parent.outputs[0].value_sat
    output = {"txid": hash_to_hex(parent.txid), "vout": 0}
    script = parent.outputs[0].script_pubkey.hex()
    prevouts = [{**output, "scriptPubKey": script, "amount": to_btc(value)}]
    child = made(module_node, [output], [(bank.address(), value - 10_000)], prevouts=prevouts)
    assert "does not know a coin" in send(module_node, child).detail
    assert send(module_node, child, (parent,)).stage is BroadcastStage.ECHOED
    assert {hash_to_hex(parent.txid), hash_to_hex(child.txid)} <= module_node.mempool()


# Mempool and fees


@pytest.mark.parametrize("tells_scripts", [True, False], ids=["by script", "by difference"])
def test_the_mempool_shows_payments_come_and_go(module_node: Node, tells_scripts: bool) -> None:  # noqa: FBT001
    node = module_node
    bank = Bank(node, 3)
    spent, value = bank.coin()
    address = node.rpc("decodescript", PAYEE.hex())["address"]
    first = made(node, [spent], [(address, COIN), (bank.address(), value - COIN - 10_000)])
    rival = made(node, [spent], [(address, 2 * COIN), (bank.address(), value - 2 * COIN - 50_000)])

    async def script(rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=True, tells_scripts=tells_scripts)
        await view.poll(rpc, [PAYEE])
        assert send_raw(node, first)
        news = await view.poll(rpc, [PAYEE])
        assert [tx.txid for tx in news.seen] == [first.txid]
        assert news.seen[0].wtxid == first.wtxid
        assert (await view.poll(rpc, [PAYEE])).is_empty
        assert view.has(first.txid)
        assert send_raw(node, rival)
        news = await view.poll(rpc, [PAYEE])
        assert [tx.txid for tx in news.seen] == [rival.txid]
        assert news.gone == (first.txid,)
        await asyncio.to_thread(node.mine, 1)
        assert (await view.poll(rpc, [PAYEE])).gone == (rival.txid,)

    asked(node, script)


def send_raw(node: Node, tx: Transaction) -> bool:
    return bool(node.rpc("sendrawtransaction", tx.serialize().hex()) == hash_to_hex(tx.txid))


def test_fees_of_a_young_node(module_node: Node) -> None:
    async def script(rpc: NodeRpc) -> None:
        advice = await NodeFees(lambda: int(time.time())).refresh(rpc)
        assert (advice.fast, advice.normal, advice.slow) == (None, None, None)
        assert advice.minimum is not None
        assert advice.minimum >= 100
        assert "not seen enough" in advice.source

    asked(module_node, script)
