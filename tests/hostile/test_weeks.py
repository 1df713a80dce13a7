"""Sessions of weeks: peers that come, misbehave and go leave nothing behind that grows."""

import random
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass

import pytest

from tests.functional.p2p_wallet import ScriptWallet
from tests.hostile.fake_network import Network
from tests.hostile.fake_peer import FakeNode
from tests.hostile.test_conflicts import liar
from tests.hostile.test_sync import paid_chain
from wallet_gui.chain.p2p import back_off, candidates
from wallet_gui.chain.p2p.address_book import AddressBook
from wallet_gui.chain.p2p.addresses import PeerAddress
from wallet_gui.chain.p2p.back_off import BackOff
from wallet_gui.chain.p2p.candidates import Candidates
from wallet_gui.chain.p2p.filter_messages import GetCFHeaders, GetCFilters
from wallet_gui.chain.p2p.messages import GetData, Message
from wallet_gui.chain.p2p.netgroup import netgroup
from wallet_gui.chain.p2p.options import P2POptions
from wallet_gui.chain.p2p.sync_state import Instant


def sizes(root: object) -> dict[str, int]:
    """The number of entries of every table that can be reached, by the way to it."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    todo = [("sync", root)]
    while todo:
        name, each = todo.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Mapping | set | list | deque):
            found[name] = len(each)
            values = each.values() if isinstance(each, Mapping) else each
            todo += [(f"{name}[]", value) for value in values]
        elif type(each).__module__.startswith("wallet_gui.chain.p2p"):
            todo += [(f"{name}.{key}", value) for key, value in attributes(each)]
    return found


def attributes(each: object) -> Iterator[tuple[str, object]]:
    if is_dataclass(each):
        yield from ((field.name, getattr(each, field.name)) for field in fields(each))
    yield from vars(each).items() if hasattr(each, "__dict__") else ()


def mute(kind: type[Message]) -> FakeNode:
    node = FakeNode(CHAIN)
    node.rewrite = lambda message, answers: [] if isinstance(message, kind) else answers
    return node


WALLET = ScriptWallet()
CHAIN = paid_chain(WALLET, 0, 1)


def test_peers_that_are_gone_leave_nothing_behind() -> None:
    rng = random.Random(7)
    network = Network([ScriptWallet()])
    steady = FakeNode(CHAIN.copy(CHAIN.height))
    network.connect(steady)
    network.run(3)

    def weeks(count: int) -> dict[str, int]:
        for _ in range(count):
            kind = rng.randrange(6)
            node = [
                FakeNode(CHAIN),
                FakeNode(CHAIN.copy(CHAIN.height - 1)),
                mute(GetCFHeaders),
                mute(GetCFilters),
                mute(GetData),
                liar(CHAIN, rng.randrange(1, CHAIN.height)),
            ][kind]
            number = network.connect(node)
            network.suspect(rng.randrange(1, CHAIN.height))  # a block is to be fetched
            network.run(rng.choice([0.5, 3, 12]))
            network.disconnect(number)
        network.run(60)
        return sizes(network.sync)

    weeks(200)  # what is bounded by the chain or by kinds of peers fills up
    before = weeks(10)
    after = weeks(60)
    grown = {name: (before.get(name, 0), n) for name, n in after.items() if n > before.get(name, 0)}
    # Networks that lied are remembered, up to a limit of its own; speeds cover some seconds.
    allowed = {"sync.conflicts._spent", "sync.filters._ranges.throughput._total"}
    assert {name: n for name, n in grown.items() if name not in allowed} == {}


def address(number: int) -> PeerAddress:
    return PeerAddress(f"{1 + number // 65536}.{number // 256 % 256}.{number % 256}.1", 8333)


def test_back_off_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(back_off, "MAX_REMEMBERED", 100)
    rests = BackOff(random.Random(1))
    for number in range(5000):
        rests.delay(address(number), float(number), is_own=False)
        assert len(rests._pauses) <= 100
    # The newest still rest, and what was forgotten may be dialled.
    assert not rests.is_due(address(4999), 4999.0)
    assert rests.is_due(address(0), 4999.0)
    rests.delay(address(6000), 9000.0, is_own=False)
    for number in range(7000, 7100):
        rests.delay(address(number), 9001.0, is_own=False)
    assert set(rests._pauses) <= {address(n) for n in (6000, *range(7000, 7100))}


def test_attempts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "MAX_DIALED", 100)
    book = AddressBook(bytes(32))
    chooser = Candidates(book, P2POptions(), netgroup)
    for number in range(1000):
        chooser.note_dialed(address(number), Instant(float(number), 0))
        assert len(chooser._dialed) <= 100 + 1
    assert address(999) in chooser._dialed
    chooser.note_dialed(address(950), Instant(1000.0, 0))
    for number in range(2000, 2060):
        chooser.note_dialed(address(number), Instant(1700.0, 0))
    assert len(chooser._dialed) <= 100
