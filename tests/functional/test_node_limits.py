"""Rows of table C.2 about limits of the real bitcoind, and exact amounts (table C.4)."""

import asyncio
import json
from decimal import Decimal

import pytest

from tests.functional.bitcoind import COIN, Node, NodeFactory
from tests.functional.test_node_rpc import asked, problem, uptime
from wallet_gui.chain.bitcoind import rpc as rpc_module
from wallet_gui.chain.bitcoind.credentials import UserPassword
from wallet_gui.chain.bitcoind.money import sats
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem
from wallet_gui.chain.bitcoind.rpc import NodeRpc
from wallet_gui.primitives.address import address_from_script
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.script import p2wpkh


def test_the_queue_is_full(node_factory: NodeFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    node = node_factory("-rpcworkqueue=1", "-rpcthreads=1")
    monkeypatch.setattr(rpc_module, "BUSY_PAUSES", (0.01,))

    async def script(rpc: NodeRpc) -> None:
        # Others keep the only thread and the only place in the queue.
        others = []
        for _ in range(4):
            reader, writer = await asyncio.open_connection(node.host, node.rpc_port)
            body = json.dumps({"id": 1, "method": "waitfornewblock", "params": [5000]}).encode()
            login = rpc._credentials.header()
            writer.write(
                b"POST / HTTP/1.1\r\nAuthorization: %s\r\nContent-Length: %d\r\n\r\n%s"
                % (login, len(body), body)
            )
            others.append((reader, writer))
            await asyncio.sleep(0.1)
        with pytest.raises(NodeProblem) as raised:
            await rpc.call("uptime", seconds=10)
        assert raised.value.code is Code.BUSY
        for _, writer in others:
            writer.transport.abort()

    async def logged_in(rpc: NodeRpc) -> None:
        await rpc.call("uptime")
        await script(rpc)

    asked(node, logged_in)


def test_another_scan_runs(node: Node) -> None:
    node.mine(200)
    node.wait_for_filters()
    objects = [f"raw(0014{number:040x})" for number in range(6000)]

    async def script(rpc: NodeRpc) -> None:
        # Which of two comes first is the node's choice; together they overlap for sure.
        found = await asyncio.gather(
            *(rpc.call("scantxoutset", "start", objects) for _ in range(4)), return_exceptions=True
        )
        problems = [each for each in found if isinstance(each, NodeProblem)]
        assert problems, "no two scans met"
        assert {each.code for each in problems} == {Code.SCAN_BUSY}

    for _ in range(5):
        try:
            asked(node, script)
        except AssertionError as missed:
            if "no two scans" not in str(missed):
                raise
        else:
            return
    pytest.fail("no two scans met")


def test_a_body_of_more_than_32_mib(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc_module, "MAX_REQUEST", 64 * 1024 * 1024)
    found = problem(node, lambda rpc: rpc.call("testmempoolaccept", ["00" * 17_000_000]))
    assert found.code in {Code.REQUEST_TOO_BIG, Code.CONNECTION_LOST}
    monkeypatch.undo()
    found = problem(node, lambda rpc: rpc.call("testmempoolaccept", ["00" * 17_000_000]))
    assert found.code is Code.REQUEST_TOO_BIG


def test_a_header_of_more_than_8_kb(node: Node) -> None:
    class Long(UserPassword):
        def header(self) -> bytes:
            return b"Basic " + b"A" * 9000

    found = problem(node, uptime, login=Long("a", "b"))
    assert found.code is Code.REQUEST_TOO_BIG


def test_big_replies_are_bounded(node: Node) -> None:
    node.mine(50)
    found = problem(node, lambda rpc: rpc.call("getblockheader", node.tip, limit=100))
    assert found.code is Code.REPLY_TOO_BIG


def test_an_idle_connection(node_factory: NodeFactory) -> None:
    node = node_factory("-rpcservertimeout=1")

    async def script(rpc: NodeRpc) -> None:
        assert await rpc.call("uptime") >= 0
        await asyncio.sleep(2.5)  # the node has closed it
        assert await rpc.call("uptime") >= 2
        # A call that takes longer than the limit is not cut off.
        await rpc.call("waitfornewblock", 2500)
        assert await rpc.call("uptime") >= 4

    asked(node, script)


def test_silence_has_a_sentence(node: Node) -> None:
    async def script(rpc: NodeRpc) -> None:
        await rpc.call("uptime")
        with node.frozen():
            await asyncio.sleep(0.1)  # its threads stop one by one
            with pytest.raises(NodeProblem) as raised:
                await rpc.call("getnetworkinfo", seconds=0.3)
        assert raised.value.code is Code.NODE_SILENT
        assert "getnetworkinfo" in raised.value.title
        assert await rpc.call("uptime") >= 0

    asked(node, script)


# C.4: amounts


def test_every_amount_is_exact(node: Node) -> None:
    node.mature()
    amounts = [459_123_743, 1_001, 99_999_999, 123_456_789, 2_099_999_997 // 7, 100_000_001]
    scripts = []
    for amount in amounts:
        scripts.append(p2wpkh(amount.to_bytes(20)))
        address = address_from_script(scripts[-1], REGTEST)
        assert address is not None
        node.fund(address, amount)
    node.mine(1)

    async def script(rpc: NodeRpc) -> None:
        for amount, spk in zip(amounts, scripts, strict=True):
            found = await rpc.call("scantxoutset", "start", [f"raw({spk.hex()})"])
            assert isinstance(found["total_amount"], Decimal)
            assert sats(found["total_amount"]) == amount
            (coin,) = found["unspents"]
            assert sats(coin["amount"]) == amount
            out = await rpc.call("gettxout", coin["txid"], coin["vout"])
            assert sats(out["value"]) == amount

    asked(node, script)
    assert int(4.59123743 * COIN) != 459_123_743  # what a float would have made of the first
