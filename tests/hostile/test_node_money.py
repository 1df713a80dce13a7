"""Fees, mempool and sending through a scripted node: honest ones of several versions, and liars."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from tests.hostile.fake_chain import ANYONE, payment
from tests.hostile.fake_node import FakeNode, Fault, NextAnswers, running_node
from tests.hostile.fake_node_answers import Refusal
from tests.hostile.test_node_rpc import client
from tests.patience import PATIENCE
from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.chain.bitcoind.node_broadcast import HELD, MINED, PASSED_ON, TAKEN, NodeBroadcast
from wallet_gui.chain.bitcoind.node_fees import NodeFees
from wallet_gui.chain.bitcoind.node_mempool import MempoolNews, NodeMempool, in_order
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.script import p2wpkh
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxOut

OURS = p2wpkh(b"o" * 20)
THEIRS = p2wpkh(b"t" * 20)

Script = Callable[[FakeNode, NodeRpc], Awaitable[None]]


def run(script: Script, **settings: Any) -> None:
    async def go() -> None:
        async with asyncio.timeout(PATIENCE), running_node(**settings) as node:
            node.chain.mine_empty(110)
            rpc = client(node)
            try:
                await script(node, rpc)
            finally:
                await rpc.close()

    asyncio.run(go())


def pay(node: FakeNode, height: int, to: bytes = OURS, value: int = 10**8) -> Transaction:
    """A transaction that spends a block's coinbase."""
    return payment([node.chain.coin(height)], [TxOut(value, to), TxOut(10**8, ANYONE)])


def put(node: FakeNode, *transactions: Transaction) -> None:
    for tx in transactions:
        node.known.mempool[hash_to_hex(tx.txid)] = tx


# Fees


def test_fees_of_a_node_that_knows_some() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        fees = NodeFees(lambda: 77)
        assert fees.advice() is None
        assert fees.minimum_rate() is None
        node.known.estimates = {2: Decimal("0.00020000"), 6: Decimal("0.00010001")}
        node.known.estimates[144] = Decimal("0.00000500")  # below what it takes at all
        node.known.mempool_min = Decimal("0.00002000")
        advice = await fees.refresh(rpc)
        assert advice == fees.advice()
        assert (advice.fast, advice.normal, advice.slow) == (20_000, 10_001, 2_000)
        assert (advice.minimum, fees.minimum_rate(), advice.learned) == (2_000, 2_000, 77)
        assert "2, 6 and 144 blocks" in advice.source

    run(script)


def test_fees_of_a_node_that_knows_little() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        fees = NodeFees(lambda: 0)
        advice = await fees.refresh(rpc)
        assert (advice.fast, advice.normal, advice.slow) == (None, None, None)
        assert advice.minimum == 1000
        assert "not seen enough" in advice.source
        node.known.estimates = {6: Decimal("0.00003000"), 2: Decimal("0.00002000")}
        advice = await fees.refresh(rpc)
        assert (advice.fast, advice.normal, advice.slow) == (3000, 3000, None)
        assert "2 and 6 blocks" in advice.source
        node.answers["estimatesmartfee"] = Refusal(-32603, "Fee estimation disabled")
        assert (await fees.refresh(rpc)).fast is None

    run(script)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("estimatesmartfee", {"feerate": -1}),
        ("estimatesmartfee", {"feerate": True}),
        ("estimatesmartfee", {"feerate": "0.1"}),
        ("estimatesmartfee", {"feerate": 10**9}),
        ("estimatesmartfee", [1]),
        ("getmempoolinfo", {"mempoolminfee": 1}),
        ("getmempoolinfo", None),
        ("getmempoolinfo", {"mempoolminfee": None, "minrelaytxfee": 1}),
    ],
    ids=str,
)
def test_nonsense_about_fees_is_refused(method: str, answer: Any) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        fees = NodeFees(lambda: 1)
        good = await fees.refresh(rpc)
        node.answers[method] = answer
        with pytest.raises(NodeProblem) as raised:
            await fees.refresh(rpc)
        assert raised.value.code is Code.BAD_REPLY
        assert fees.advice() is good

    run(script)


def test_an_absurd_estimate_is_none() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        node.answers["estimatesmartfee"] = {"feerate": Decimal("0.5"), "blocks": 2}
        assert (await NodeFees(lambda: 1).refresh(rpc)).fast is None

    run(script)


# The mempool


@pytest.mark.parametrize(
    ("version", "tells_scripts"), [(290000, True), (290000, False), (280000, True), (250000, True)]
)
def test_payments_come_and_go(version: int, tells_scripts: bool) -> None:  # noqa: FBT001
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=version >= 290000, tells_scripts=tells_scripts)
        only_ours = version >= 290000 and tells_scripts
        first, foreign = pay(node, 1), pay(node, 2, THEIRS)
        put(node, first, foreign)
        news = await view.poll(rpc, [OURS])
        expected = {first.txid} if only_ours else {first.txid, foreign.txid}
        assert {tx.txid for tx in news.seen} == expected
        assert view.has(first.txid)
        assert (await view.poll(rpc, [OURS])).is_empty
        child = payment([OutPoint(first.txid, 0)], [TxOut(9 * 10**7, THEIRS)])
        put(node, child)
        news = await view.poll(rpc, [OURS])
        assert [tx.txid for tx in news.seen] == [child.txid]
        assert view.has(child.txid)  # so that its leaving is told
        for tx in (first, child, foreign):
            del node.known.mempool[hash_to_hex(tx.txid)]
        news = await view.poll(rpc, [OURS])
        assert set(news.gone) == {first.txid, child.txid}
        assert not view.has(first.txid)
        assert (await view.poll(rpc, [OURS])).is_empty
        if only_ours:
            asked = [c for c in node.calls if c.method == "getdescriptoractivity"]
            assert {tuple(c.params[1]) for c in asked} == {(f"raw({OURS.hex()})",)}
            assert "getrawmempool" not in node.methods()
        else:
            assert OURS.hex() not in repr(node.calls)

    run(script, version=version)


def test_new_scripts_are_looked_for_at_once() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=True, tells_scripts=True)
        tx = pay(node, 1)
        put(node, tx)
        assert (await view.poll(rpc, [THEIRS])).is_empty
        assert [t.txid for t in (await view.poll(rpc, [THEIRS, OURS])).seen] == [tx.txid]
        assert (await view.poll(rpc, [])).gone == (tx.txid,)

    run(script)


def test_a_full_mempool_is_read_little_by_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wallet_gui.chain.bitcoind.node_mempool.MOST_PER_POLL", 3)
    monkeypatch.setattr("wallet_gui.chain.bitcoind.node_mempool.MOST_WAITING", 8)

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=False, tells_scripts=True)
        put(node, *(pay(node, height) for height in range(1, 13)))
        counts = [len((await view.poll(rpc, [OURS])).seen) for _ in range(5)]
        assert counts == [3, 3, 2, 0, 0]
        put(node, *(pay(node, height) for height in range(13, 17)))
        assert len((await view.poll(rpc, [OURS])).seen) == 3
        late = pay(node, 17)
        put(node, late)
        news = await view.poll(rpc, [OURS])
        assert late.txid in {tx.txid for tx in news.seen}

    run(script)


def test_a_payment_that_is_mined_while_it_is_read_is_read_later() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=True, tells_scripts=True)
        tx = pay(node, 1)
        put(node, tx)
        node.answers["getrawtransaction"] = [
            NextAnswers([Refusal(-5, "No such mempool transaction"), tx.serialize().hex()])
        ]
        assert (await view.poll(rpc, [OURS])).is_empty
        assert [t.txid for t in (await view.poll(rpc, [OURS])).seen] == [tx.txid]

    run(script)


def test_a_failed_poll_changes_nothing() -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=False, tells_scripts=True)
        put(node, pay(node, 1))
        node.faults.extend([Fault.NONE, Fault.NONE, Fault.CUT_OFF])
        with pytest.raises(NodeProblem):
            await view.poll(rpc, [OURS])
        assert len((await view.poll(rpc, [OURS])).seen) == 1

    run(script)


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("getmempoolinfo", []),
        ("getrawmempool", {}),
        ("getrawmempool", ["zz"]),
        ("getrawmempool", [5]),
        ("getrawmempool", ["00" * 31]),
        ("getrawtransaction", "zz"),
        ("getrawtransaction", "00"),
        ("getrawtransaction", {"hex": ""}),
        (
            "getrawtransaction",
            payment([OutPoint(b"x" * 32, 0)], [TxOut(5, OURS)]).serialize().hex(),
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_lies_about_the_mempool_are_refused(method: str, answer: Any) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=False, tells_scripts=True)
        put(node, pay(node, 1))
        node.answers[method] = answer
        with pytest.raises(NodeProblem) as raised:
            await view.poll(rpc, [OURS])
        assert raised.value.code is Code.BAD_REPLY

    run(script)


@pytest.mark.parametrize(
    "told",
    [None, {}, {"activity": 5}, {"activity": [5]}, {"activity": [{"type": "spend", "txid": "00"}]}],
    ids=str,
)
def test_malformed_activity_is_refused(told: Any) -> None:
    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        view = NodeMempool(has_activity=True, tells_scripts=True)
        node.answers["getdescriptoractivity"] = told
        with pytest.raises(NodeProblem) as raised:
            await view.poll(rpc, [OURS])
        assert raised.value.code is Code.BAD_REPLY

    run(script)


def test_parents_come_before_children() -> None:
    one = payment([OutPoint(b"1" * 32, 0)], [TxOut(50, OURS), TxOut(40, OURS)])
    two = payment([OutPoint(one.txid, 0)], [TxOut(30, OURS)])
    three = payment([OutPoint(two.txid, 0), OutPoint(one.txid, 1)], [TxOut(20, OURS)])
    for shuffled in ([three, two, one], [two, three, one], [three, one, two]):
        assert in_order(shuffled) == [one, two, three]
    assert MempoolNews().is_empty


# Sending


def sent(
    node_script: Callable[[FakeNode, Transaction], None],
    parents: Callable[[FakeNode], list[Transaction]] = lambda _: [],
    **settings: Any,
) -> tuple[BroadcastResult, list[BroadcastStage], list[str]]:
    outcome: list[Any] = []

    async def script(node: FakeNode, rpc: NodeRpc) -> None:
        given = parents(node)
        coin = OutPoint(given[-1].txid, 0) if given else node.chain.coin(1)
        tx = payment([coin], [TxOut(10**7, THEIRS)])
        node_script(node, tx)
        stages: list[BroadcastStage] = []

        async def on_stage(stage: BroadcastStage) -> None:
            stages.append(stage)

        sender = NodeBroadcast(has_package_relay=node.version >= 280000)
        result = await sender.send(rpc, tx, given, on_stage=on_stage)
        assert result.txid == tx.txid
        outcome.extend([result, stages, node.methods()])

    run(script, **settings)
    return outcome[0], outcome[1], outcome[2]


def test_a_payment_is_tried_out_sent_and_found() -> None:
    result, stages, methods = sent(lambda *_: None)
    assert (result.stage, result.peers, result.detail) == (BroadcastStage.ECHOED, 1, HELD)
    assert result.was_missing
    assert stages == [BroadcastStage.SENT, BroadcastStage.ECHOED]
    assert methods == ["testmempoolaccept", "sendrawtransaction", "getmempoolentry"]


def test_another_node_has_asked_for_it() -> None:
    def change(node: FakeNode, tx: Transaction) -> None:
        node.answers["getmempoolentry"] = {"unbroadcast": False, "wtxid": tx.wtxid[::-1].hex()}

    assert sent(change)[0].detail == PASSED_ON


def rejects(reason: str, details: str = "") -> Callable[[FakeNode, Transaction], None]:
    def change(node: FakeNode, tx: Transaction) -> None:
        node.answers["testmempoolaccept"] = [
            {
                "txid": hash_to_hex(tx.txid),
                "allowed": False,
                "reject-reason": reason,
                "reject-details": details,
            }
        ]

    return change


def test_what_is_there_already_counts_as_sent() -> None:
    def there(node: FakeNode, tx: Transaction) -> None:
        rejects("txn-already-in-mempool")(node, tx)
        put(node, tx)

    result, _, methods = sent(there)
    assert (result.stage, result.was_missing) == (BroadcastStage.ECHOED, False)
    assert "sendrawtransaction" not in methods
    result, stages, _ = sent(rejects("txn-already-known"))
    assert (result.stage, result.detail) == (BroadcastStage.ECHOED, MINED)
    assert stages == [BroadcastStage.ECHOED]


def test_already_in_a_block_counts_as_sent() -> None:
    def change(node: FakeNode, _tx: Transaction) -> None:
        node.answers["sendrawtransaction"] = Refusal(-27, "Transaction outputs already in utxo set")

    result, _, _ = sent(change)
    assert (result.stage, result.detail) == (BroadcastStage.ECHOED, MINED)
    assert result.is_accepted


def test_taken_and_gone_at_once_is_not_called_held() -> None:
    def change(node: FakeNode, _tx: Transaction) -> None:
        node.answers["getmempoolentry"] = Refusal(-5, "Transaction not in mempool")

    result, _, methods = sent(change)
    assert (result.stage, result.detail) == (BroadcastStage.REQUESTED, TAKEN)
    assert methods.count("sendrawtransaction") == 2


@pytest.mark.parametrize("method", ["sendrawtransaction", "testmempoolaccept"])
def test_a_wrong_txid_is_never_taken_for_sent(method: str) -> None:
    def change(node: FakeNode, _tx: Transaction) -> None:
        other = "ab" * 32
        node.answers[method] = other if method.startswith("send") else [{"txid": other}]

    result, stages, _ = sent(change)
    assert result.stage is BroadcastStage.FAILED
    assert "another transaction" in result.detail
    assert stages[-1] is BroadcastStage.FAILED


ROWS = [
    ("min relay fee not met, 0 < 188", "fee is below"),
    ("mempool min fee not met, 100 < 500", "fee is below"),
    ("max-fee-exceeded", "higher than anybody"),
    ("Fee exceeds maximum configured by user (e.g. -maxtxfee, maxfeerate)", "higher than anybody"),
    ("bad-txns-in-belowout, value in (1) < value out (2)", "more than its coins hold"),
    ("dust-nonanchor", "too small"),
    ("mempool-script-verify-flag-failed (Signature must be zero)", "signature"),
    ("missing-inputs", "does not know a coin"),
    ("bad-txns-inputs-missingorspent", "does not know a coin"),
    ("non-final", "locked until"),
    ("insufficient fee, rejecting replacement ab, not enough additional fees", "keeps the earlier"),
    ("txn-mempool-conflict", "same coin"),
    ("bad-txns-premature-spend-of-coinbase, tried to spend coinbase at depth 1", "100 blocks"),
    ("TX decode failed. Make sure the tx has at least one input.", "cannot read"),
    ("too-long-mempool-chain, too many unconfirmed ancestors", "in a row"),
    ("mempool full", "drops cheap ones"),
    ("bad-txns-vin-empty", "does not take"),
]


@pytest.mark.parametrize(("reason", "words"), ROWS, ids=[row[0][:30] for row in ROWS])
@pytest.mark.parametrize("when", ["tried out", "sent"])
def test_every_refusal_is_a_sentence(reason: str, words: str, when: str) -> None:
    def change(node: FakeNode, tx: Transaction) -> None:
        if when == "tried out":
            rejects(reason)(node, tx)
        else:
            node.answers["sendrawtransaction"] = Refusal(-26, reason)

    result, stages, _ = sent(change)
    assert result.stage is BroadcastStage.FAILED
    assert stages == [BroadcastStage.FAILED]
    assert words in result.detail
    assert not result.is_accepted


def test_a_broken_connection_is_not_a_refusal() -> None:
    def change(node: FakeNode, _tx: Transaction) -> None:
        node.faults.extend([Fault.NONE, Fault.CUT_OFF])

    with pytest.raises(NodeProblem) as raised:
        sent(change)
    assert raised.value.code is Code.BAD_REPLY

    def warming(node: FakeNode, _tx: Transaction) -> None:
        node.fault = Fault.WARMING_UP

    with pytest.raises(NodeProblem) as raised:
        sent(warming)
    assert raised.value.code is Code.WARMING_UP


def one_parent(node: FakeNode) -> list[Transaction]:
    return [pay(node, 5)]


def needs_parent(node: FakeNode, tx: Transaction) -> None:
    rejects("missing-inputs")(node, tx)


def test_parents_go_along_as_a_package() -> None:
    result, _, methods = sent(needs_parent, one_parent)
    assert result.stage is BroadcastStage.ECHOED
    assert "submitpackage" in methods
    assert "sendrawtransaction" not in methods


def test_without_package_relay_parents_go_first() -> None:
    result, _, methods = sent(needs_parent, one_parent, version=250000)
    assert result.stage is BroadcastStage.ECHOED
    assert methods.count("sendrawtransaction") == 2
    assert "submitpackage" not in methods


def test_a_refused_package_tells_why() -> None:
    def change(node: FakeNode, tx: Transaction) -> None:
        needs_parent(node, tx)
        parent = pay(node, 5)
        node.answers["submitpackage"] = {
            "package_msg": "transaction failed",
            "tx-results": {
                hash_to_hex(parent.wtxid): {
                    "txid": hash_to_hex(parent.txid),
                    "error": "min relay fee not met, 0 < 188",
                },
                hash_to_hex(tx.wtxid): {"txid": hash_to_hex(tx.txid), "error": "missing-inputs"},
            },
        }

    result, _, _ = sent(change, one_parent)
    assert result.stage is BroadcastStage.FAILED
    assert "fee is below" in result.detail


def test_a_parent_that_is_there_is_not_sent_again() -> None:
    def change(node: FakeNode, _tx: Transaction) -> None:
        put(node, pay(node, 5))

    result, _, methods = sent(change, one_parent)
    assert result.stage is BroadcastStage.ECHOED
    assert methods.count("sendrawtransaction") == 1


@pytest.mark.parametrize(
    "answer", [None, {}, {"tx-results": []}, {"tx-results": {"ab": {}}}], ids=str
)
def test_nonsense_about_a_package_is_refused(answer: Any) -> None:
    def change(node: FakeNode, tx: Transaction) -> None:
        needs_parent(node, tx)
        node.answers["submitpackage"] = answer

    with pytest.raises(NodeProblem) as raised:
        sent(change, one_parent)
    assert raised.value.code is Code.BAD_REPLY


def test_html_in_a_refusal_stays_text() -> None:
    result, _, _ = sent(rejects("<b>no</b>\x1b[0m\u202e"))
    assert "<b>no</b>[0m" in result.detail
    assert "\x1b" not in result.detail
    assert "\u202e" not in result.detail
