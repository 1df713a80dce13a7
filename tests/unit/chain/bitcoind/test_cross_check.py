"""When coins are compared, and what follows; the comparison with a real node is functional."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from tests.hostile.fake_chain import FakeChain
from tests.hostile.fake_network import MemoryStores
from wallet_gui.chain.backend import BalanceChecked, BlockRef, CheckState, OwnCoins, Scanned
from wallet_gui.chain.bitcoind.cross_check import SHARE, CrossCheck
from wallet_gui.chain.bitcoind.node_chain import NodeChain, NodeScans
from wallet_gui.chain.bitcoind.node_session import NodeCalls
from wallet_gui.chain.bitcoind.problems import NodeProblem
from wallet_gui.chain.header_chain import HeaderChain
from wallet_gui.chain.p2p.filter_header_chain import FilterHeaderChain
from wallet_gui.chain.p2p.sync_state import Instant
from wallet_gui.chain.p2p.watches import Watches
from wallet_gui.chain.scan import WalletScan
from wallet_gui.primitives.hashes import hash_to_hex
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint

SCRIPT = b"\x00\x14" + bytes(20)
COIN = OutPoint(b"\x01" * 32, 0)
OTHER = OutPoint(b"\x02" * 32, 1)


class World:
    """A wallet that was scanned to the tip of a chain, and a node with a set of coins."""

    inbound_bytes = outbound_bytes = 0

    def __init__(self) -> None:
        blocks = FakeChain()
        blocks.mine_empty(50)
        raw = b"".join(block.header.serialize() for block in blocks.blocks)
        headers = HeaderChain.load(REGTEST, 0, raw)
        self.blocks = blocks
        self.now = 1000.0
        self.seconds = 0.5  # that a comparison takes
        self.ours = {COIN: (5_000, 20)}
        self.theirs = {COIN: (5_000, 20)}
        self.repeated: list[int] = []
        self.chain = NodeChain(REGTEST, MemoryStores(), headers, FilterHeaderChain())  # type: ignore[no-untyped-call,unused-ignore]
        self.chain.is_at_tip = True
        self.watches = Watches(self.chain, NodeScans(self.chain))
        self.check = CrossCheck(self.chain, self.watches, self._repeat, lambda: self.now)
        self.watches.watch("w", [SCRIPT], [BlockRef(50, blocks.tip)], None)
        self.check.watch("w", lambda: OwnCoins([SCRIPT], dict(self.ours)))
        self.watches.begin(is_synced=True)
        self.tell()

    def _repeat(self, scan: WalletScan, height: int) -> None:
        assert scan in self.watches.scans()
        self.repeated.append(height)

    def tell(self) -> list[Any]:
        """Deliver what waits: marks, and what was found out."""
        told: list[Any] = []
        while self.chain.events:
            told.append(self.chain.events.popleft())
        while (event := self.watches.next_event(lambda _: None, Instant(self.now, 0))) is not None:
            told.append(event)
            self.watches.delivered(event)
        return told

    async def call(self, _method: str, /, *_params: Any, **_: Any) -> Any:
        self.now += self.seconds
        unspents: list[dict[str, Any]] = [
            {
                "txid": hash_to_hex(coin.txid),
                "vout": coin.vout,
                "scriptPubKey": SCRIPT.hex(),
                "amount": Decimal(value).scaleb(-8),
                "height": height,
            }
            for coin, (value, height) in self.theirs.items()
        ]
        return {
            "success": True,
            "height": 50,
            "bestblock": hash_to_hex(self.blocks.tip),
            "unspents": unspents,
            "total_amount": sum((each["amount"] for each in unspents), Decimal(0)),
        }

    async def batch(self, *_: Any, **__: Any) -> list[Any]:
        raise AssertionError

    def compare(self) -> list[Any]:
        asyncio.run(self.check.run(NodeCalls(self, self, self), self.check.due()))
        return self.tell()


def states(told: list[Any]) -> list[CheckState]:
    return [event.state for event in told if isinstance(event, BalanceChecked)]


def test_it_is_compared_once_after_the_start() -> None:
    world = World()
    assert [check.wallet_id for check in world.check.due()] == ["w"]
    told = world.compare()
    assert states(told) == [CheckState.CHECKING, CheckState.AGREES]
    assert told[-1].height == 50
    assert world.check.agrees("w")
    assert world.check.state() is CheckState.AGREES
    assert world.check.due() == []


def test_new_blocks_are_not_all_compared_on_a_chain_where_it_takes_long() -> None:
    world = World()
    world.seconds = 90.0
    world.compare()
    for _ in range(3):
        world.blocks.mine()
        world.chain.headers.accept(world.blocks.blocks[-1].header.serialize(), 1 << 31)
        for scan in world.watches.scans():
            wanted = scan.wanted_range(100, world.chain.headers.height)
            assert wanted is not None
            assert scan.results(wanted, [])
        world.now += 2.0
        assert any(isinstance(event, Scanned) for event in world.tell())
        assert world.check.due() == []
        wait = world.check.seconds_until_due()
        assert wait is not None
        assert 3600 < wait < SHARE * 90
    world.check.scanned_by_node("w")  # what the node found by itself is compared at once
    assert states(world.tell()) == [CheckState.CHECKING]
    assert world.check.due() != []


def test_it_waits_until_everything_was_told() -> None:
    world = World()
    (scan,) = world.watches.scans()
    scan.include(30)
    assert world.check.due() == []
    world.chain.is_at_tip = False
    assert world.check.due() == []


def test_a_missing_coins_block_is_read() -> None:
    world = World()
    world.theirs[OTHER] = (7, 33)
    told = world.compare()
    assert states(told) == [CheckState.CHECKING, CheckState.DIFFERS]
    assert world.check.differs
    (scan,) = world.watches.scans()
    assert scan.pending(5) == [33]
    assert world.repeated == []


def test_for_a_coin_too_many_all_since_is_matched_again_and_then_read() -> None:
    world = World()
    world.ours[OTHER] = (7, 33)
    world.compare()
    assert world.repeated == [33]
    world.compare()
    (scan,) = world.watches.scans()
    assert scan.pending(100) == list(range(33, 51))
    assert world.check.differs


def test_another_amount_is_no_agreement() -> None:
    world = World()
    world.theirs[COIN] = (5_001, 20)
    world.compare()
    assert world.check.differs
    assert world.repeated == [20]


def test_a_person_hears_of_a_contradiction_that_lasts() -> None:
    world = World()
    world.theirs[COIN] = (5_001, 20)
    sentences = []
    for _ in range(6):
        for scan in world.watches.scans():
            for height in scan.pending(100):
                scan.begin_delivery(height)
                scan.delivered(height)
        world.tell()
        world.now += 400
        sentences += [e.sentence for e in world.compare() if isinstance(e, BalanceChecked)]
    assert "contradict" in sentences[-1]


def test_a_wallet_that_left_is_not_compared() -> None:
    world = World()
    world.check.unwatch("w")
    assert world.check.due() == []
    assert world.check.state() is None


def test_an_answer_that_makes_no_sense_changes_nothing() -> None:
    world = World()
    world.theirs[COIN] = (5_000, 51)  # mined above the tip
    with pytest.raises(NodeProblem):
        world.compare()
    assert states(world.tell()) == [CheckState.CHECKING]
    assert world.check.due() != []
