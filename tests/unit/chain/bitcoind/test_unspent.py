import asyncio
from decimal import Decimal
from typing import Any

import pytest

from wallet_gui.chain.bitcoind import unspent
from wallet_gui.chain.bitcoind.problems import Code, NodeProblem, RpcError
from wallet_gui.chain.bitcoind.unspent import UnspentCoin, descriptors, unspent_of
from wallet_gui.primitives.transaction import OutPoint

SCRIPT = b"\x00\x14" + bytes(20)
HASH = "ab" * 32


def coin(**changes: Any) -> dict[str, Any]:
    return {
        "txid": "cd" * 32,
        "vout": 1,
        "scriptPubKey": SCRIPT.hex(),
        "amount": Decimal("0.00012345"),
        "height": 7,
        **changes,
    }


def answer(*coins: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = list(coins) or [coin()]
    return {
        "success": True,
        "height": 9,
        "bestblock": HASH,
        "unspents": found,
        "total_amount": sum(each["amount"] for each in found),
        **changes,
    }


class Node:
    """Answers `scantxoutset` with one thing after the other."""

    inbound_bytes = outbound_bytes = 0

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[Any] = []

    async def call(self, method: str, /, *params: Any, **_: Any) -> Any:
        assert method == "scantxoutset"
        self.asked.append(params)
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        return given

    async def batch(self, *_: Any, **__: Any) -> list[Any]:
        raise AssertionError


def test_a_set_is_read_and_only_scripts_leave() -> None:
    node = Node(answer(coin(), coin(vout=2, amount=Decimal(1))))
    found = asyncio.run(unspent_of(node, [SCRIPT]))
    txid = bytes.fromhex("cd" * 32)
    assert found.coins == {
        OutPoint(txid, 1): UnspentCoin(SCRIPT, 12_345, 7),
        OutPoint(txid, 2): UnspentCoin(SCRIPT, 100_000_000, 7),
    }
    assert (found.height, found.block_hash) == (9, bytes.fromhex(HASH))
    assert node.asked == [("start", [f"raw({SCRIPT.hex()})"])]
    assert descriptors([b"\x51"]) == ["raw(51)"]


def test_another_programs_scan_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unspent, "BUSY_PAUSES", (0.0,))
    busy = RpcError(-8, 'Scan already in progress, use action "abort" or "status"', "scantxoutset")
    node = Node(busy, busy, answer())
    assert len(asyncio.run(unspent_of(node, [SCRIPT])).coins) == 1
    assert len(node.asked) == 3


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        answer(success=False),
        answer(height=-1),
        answer(bestblock="ab"),
        answer(unspents={}),
        answer(total_amount=Decimal("0.00012346")),
        answer(total_amount=Decimal("NaN")),
        answer(total_amount=True),
        answer(coin(), coin()),
        answer(coin(scriptPubKey="51")),
        answer(coin(height=10)),
        answer(coin(vout=True)),
        answer(coin(vout=1 << 32)),
        answer(coin(amount=Decimal("0.000000001"))),
        answer(coin(amount=Decimal(-1))),
        answer(coin(amount=Decimal(21_000_001))),
    ],
    ids=[str(number) for number in range(17)],
)
def test_what_makes_no_sense_is_refused(given: Any) -> None:
    with pytest.raises(NodeProblem) as caught:
        asyncio.run(unspent_of(Node(given), [SCRIPT]))
    assert caught.value.code in {Code.BAD_REPLY, Code.SCAN_LOST}


def test_an_error_of_the_node_is_passed_on() -> None:
    with pytest.raises(RpcError):
        asyncio.run(unspent_of(Node(RpcError(-1, "Something", "scantxoutset")), [SCRIPT]))
