from hypothesis import given
from hypothesis import strategies as st

from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound
from wallet_gui.chain.p2p.relay import MAX_PER_PEER, MAX_WANTED, Relay, RotatingSet
from wallet_gui.chain.p2p.sync_state import Instant, Send
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

WTX = InventoryType.WTX


def at(seconds: float) -> Instant:
    return Instant(seconds, 0)


def tx(number: int) -> Transaction:
    return Transaction(2, (TxIn(OutPoint(bytes(32), number)),), (TxOut(1, b"\x51"),), 0)


def inv(*numbers: int) -> Inv:
    return Inv(tuple((WTX, tx(number).wtxid) for number in numbers))


def asked(peer: int, *numbers: int) -> Send:
    return Send(peer, GetData(inv(*numbers).entries))


def test_each_transaction_is_asked_for_once() -> None:
    relay = Relay()
    assert relay.on_inv(1, inv(1, 2), at(0)) == [asked(1, 1, 2)]
    assert relay.on_inv(2, inv(1, 2, 3), at(0)) == [asked(2, 3)]
    assert relay.on_tx(tx(1))
    assert not relay.on_tx(tx(1))
    assert relay.on_inv(3, inv(1), at(1)) == []


def test_by_txid_it_is_asked_for_with_its_witness() -> None:
    entries = ((InventoryType.TX, tx(1).txid),)
    wanted = ((InventoryType.WITNESS_TX, tx(1).txid),)
    assert Relay().on_inv(1, Inv(entries), at(0)) == [Send(1, GetData(wanted))]


def test_blocks_are_none_of_its_business() -> None:
    assert Relay().on_inv(1, Inv(((InventoryType.BLOCK, bytes(32)),)), at(0)) == []


def test_the_next_announcer_is_asked() -> None:
    relay = Relay()
    relay.on_inv(1, inv(1), at(0))
    relay.on_inv(2, inv(1), at(0))
    relay.on_inv(3, inv(1), at(0))
    assert relay.on_notfound(2, NotFound(inv(1).entries), at(1)) == []  # was not asked
    assert relay.on_notfound(1, NotFound(inv(1).entries), at(1)) == [asked(2, 1)]
    assert relay.tick(at(20)) == []
    assert relay.tick(at(40)) == [asked(3, 1)]
    assert relay.on_disconnected(3, at(41)) == []
    assert relay.on_inv(4, inv(1), at(42)) == [asked(4, 1)]


def test_our_own_is_not_fetched() -> None:
    relay = Relay()
    relay.ignore(tx(1))
    assert relay.on_inv(1, inv(1), at(0)) == []


def test_a_flood_is_bounded() -> None:
    relay = Relay()
    for peer in range(40):
        hashes = tuple((WTX, bytes([peer]) + n.to_bytes(31, "big")) for n in range(2000))
        actions = relay.on_inv(peer, Inv(hashes), at(0))
        assert (
            sum(
                len(a.message.entries)
                for a in actions
                if isinstance(a, Send) and isinstance(a.message, GetData)
            )
            <= MAX_PER_PEER
        )
    assert len(relay._wanted) <= MAX_WANTED


@given(st.lists(st.integers(0, 40), max_size=300))
def test_a_rotating_set_remembers_the_last(numbers: list[int]) -> None:
    rotating = RotatingSet(5)
    for index, number in enumerate(numbers):
        rotating.add(bytes([number]))
        assert all(bytes([n]) in rotating for n in numbers[max(0, index - 4) : index + 1])
        assert len(rotating._new) + len(rotating._old) <= 10
