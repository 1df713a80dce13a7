from hypothesis import given, settings
from hypothesis import strategies as st

from wallet_gui.chain.p2p import relay as relay_module
from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound
from wallet_gui.chain.p2p.relay import (
    BYTES_AT_ONCE,
    MAX_PER_PEER,
    MAX_WANTED,
    REFETCH_AFTER,
    SEEN_SECONDS,
    Relay,
)
from wallet_gui.chain.p2p.sightings import PINNED, RECENT, RotatingMap, RotatingSet, Sightings
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.chain.reports import SeenBy
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

WTX = InventoryType.WTX


def at(seconds: float) -> Instant:
    return Instant(seconds, 0)


def tx(number: int, witness: bytes = b"") -> Transaction:
    spent = TxIn(OutPoint(bytes(32), number), witness=(witness,) if witness else ())
    return Transaction(2, (spent,), (TxOut(1, b"\x51"),), 0)


def inv(*numbers: int) -> Inv:
    return Inv(tuple((WTX, tx(number).wtxid) for number in numbers))


def asked(peer: int, *numbers: int) -> Send:
    return Send(peer, GetData(inv(*numbers).entries))


def connected(*peers: int) -> Relay:
    """Peers of a network each."""
    relay = Relay()
    for peer in peers:
        relay.on_ready(peer, bytes([peer]), at(0))
    return relay


def count_asked(actions: list[Action]) -> int:
    return sum(
        len(action.message.entries)
        for action in actions
        if isinstance(action, Send) and isinstance(action.message, GetData)
    )


def test_each_transaction_is_asked_for_once() -> None:
    relay = connected(1, 2, 3)
    assert relay.on_inv(1, inv(1, 2), at(0)) == [asked(1, 1, 2)]
    assert relay.on_inv(2, inv(1, 2, 3), at(0)) == [asked(2, 3)]
    assert relay.on_tx(1, tx(1), at(1))
    assert not relay.on_tx(1, tx(1), at(1))
    assert relay.on_inv(3, inv(1), at(1)) == []


def test_by_txid_it_is_asked_for_with_its_witness() -> None:
    entries = ((InventoryType.TX, tx(1).txid),)
    wanted = ((InventoryType.WITNESS_TX, tx(1).txid),)
    assert connected(1).on_inv(1, Inv(entries), at(0)) == [Send(1, GetData(wanted))]


def test_blocks_are_none_of_its_business() -> None:
    assert connected(1).on_inv(1, Inv(((InventoryType.BLOCK, bytes(32)),)), at(0)) == []


def test_who_was_not_asked_to_announce_is_not_heard() -> None:
    relay = connected(1)
    assert relay.on_inv(9, inv(1), at(0)) == []
    assert not relay.on_tx(9, tx(1), at(0)), "nobody asked for it"


def test_the_next_announcer_is_asked() -> None:
    relay = connected(1, 2, 3, 4)
    relay.on_inv(1, inv(1), at(0))
    relay.on_inv(2, inv(1), at(0))
    relay.on_inv(3, inv(1), at(0))
    assert relay.on_notfound(2, NotFound(inv(1).entries), at(1)) == []  # was not asked
    assert relay.on_notfound(1, NotFound(inv(1).entries * 2), at(1)) == [asked(2, 1)]
    assert relay.tick(at(20)) == []
    assert relay.tick(at(40)) == [asked(3, 1)]
    assert relay.on_disconnected(3, at(41)) == []
    assert relay.on_inv(4, inv(1), at(42)) == [asked(4, 1)]


def test_our_own_is_fetched_like_any_other_so_that_nobody_learns_whose_it_is() -> None:
    relay = connected(1, 2)
    relay.hold(tx(1), at(0))
    assert relay.seen_by(tx(1).txid) is None
    assert relay.on_inv(1, inv(1), at(0)) == [asked(1, 1)]
    assert relay.seen_by(tx(1).txid) == SeenBy(1, 2)


def test_networks_are_counted_not_peers() -> None:
    relay = connected(1, 2)
    relay.on_ready(3, bytes([2]), at(0))  # the second one's neighbour
    relay.on_inv(2, inv(1), at(0))
    relay.on_inv(3, inv(1), at(0))
    relay.on_tx(2, tx(1), at(1))
    assert relay.seen_by(tx(1).txid) == SeenBy(1, 2)
    relay.on_inv(1, inv(1), at(2))
    assert relay.seen_by(tx(1).txid) == SeenBy(2, 2)
    relay.on_disconnected(1, at(3))
    assert relay.seen_by(tx(1).txid) == SeenBy(2, 2), "what it said stays said"
    assert relay.seen_by(tx(2).txid) is None


def test_announcements_by_both_ids_are_of_one_transaction() -> None:
    relay, signed = connected(1, 2), tx(1, b"signature")
    relay.on_inv(1, Inv(((WTX, signed.wtxid),)), at(0))
    relay.on_inv(2, Inv(((InventoryType.TX, signed.txid),)), at(0))
    relay.on_tx(1, signed, at(1))
    assert relay.seen_by(signed.txid) == SeenBy(2, 2)
    assert relay.on_inv(2, Inv(((InventoryType.TX, signed.txid),)), at(2)) == []


def test_one_that_concerns_a_wallet_is_fetched_again_when_it_comes_back() -> None:
    relay = connected(1, 2)
    relay.on_inv(1, inv(1, 2), at(0))
    relay.on_tx(1, tx(1), at(0))
    relay.on_tx(1, tx(2), at(0))
    relay.seen_by(tx(1).txid)
    later = at(REFETCH_AFTER + 1)
    assert relay.on_inv(2, inv(1, 2), later) == [asked(2, 1)]
    assert relay.on_tx(2, tx(1), later)
    assert relay.on_inv(2, inv(1), later) == []


def test_all_are_fetched_again_after_a_reorganisation_or_a_long_time() -> None:
    relay = connected(1)
    relay.on_inv(1, inv(1), at(0))
    relay.on_tx(1, tx(1), at(0))
    relay.forget_seen()
    assert relay.on_inv(1, inv(1), at(1)) == [asked(1, 1)]
    relay.on_tx(1, tx(1), at(1))
    for number, seconds in ((2, SEEN_SECONDS + 2), (3, 2 * SEEN_SECONDS + 3)):
        relay.on_inv(1, inv(number), at(seconds))
        relay.on_tx(1, tx(number), at(seconds))
    assert relay.on_inv(1, inv(1), at(2 * SEEN_SECONDS + 4)) == [asked(1, 1)]


def test_a_flood_is_bounded() -> None:
    relay = connected(*range(40))
    for peer in range(40):
        hashes = tuple((WTX, bytes([peer]) + n.to_bytes(31, "big")) for n in range(2000))
        assert count_asked(relay.on_inv(peer, Inv(hashes), at(0))) <= MAX_PER_PEER
    assert len(relay._wanted) <= MAX_WANTED


def test_a_peer_may_not_send_more_than_its_share() -> None:
    relay = connected(1, 2)
    size = relay_module.BYTES_AT_ONCE // 4
    for number in range(4):
        relay.on_inv(1, inv(number), at(0))
        big = Transaction(2, tx(number).inputs, (TxOut(1, bytes(size)),), 0)
        relay._wanted[big.wtxid] = relay._wanted.pop(tx(number).wtxid)
        assert relay.on_tx(1, big, at(0))
    assert relay.on_inv(1, inv(10), at(0)) == []
    assert relay.on_inv(2, inv(10), at(0)) == [asked(2, 10)]
    assert relay.on_inv(1, inv(11), at(BYTES_AT_ONCE)) == [asked(1, 11)]


def test_what_a_flood_pushes_out_is_not_what_a_wallet_asked_about() -> None:
    sightings = Sightings()
    sightings.note(tx(1).wtxid, b"a")
    sightings.link(tx(1), 0)
    assert sightings.of(tx(1).txid) == frozenset({b"a"})
    for number in range(2 * RECENT + 2):
        sightings.note(number.to_bytes(32, "big"), b"liar")
    sightings.note(tx(1).wtxid, b"b")
    assert sightings.of(tx(1).txid) == frozenset({b"a", b"b"})


def test_what_wallets_asked_about_is_bounded_too() -> None:
    sightings = Sightings()
    for number in range(PINNED + 10):
        sightings.note(tx(number).wtxid, b"a")
        sightings.link(tx(number), 0)
        sightings.of(tx(number).txid)
    assert len(sightings._pinned) == len(sightings._pinned_by_wtxid) == PINNED


@given(st.lists(st.integers(0, 40), max_size=300))
@settings(deadline=None)
def test_rotation_remembers_the_last(numbers: list[int]) -> None:
    rotating, mapping = RotatingSet(5), RotatingMap[int](5)
    for index, number in enumerate(numbers):
        rotating.add(bytes([number]))
        mapping.set(bytes([number]), index)
        recent = numbers[max(0, index - 4) : index + 1]
        assert all(bytes([n]) in rotating for n in recent)
        assert all(mapping.get(bytes([n])) is not None for n in recent)
        assert mapping.get(bytes([number])) == index
        assert len(rotating._new) + len(rotating._old) <= 10
        assert len(mapping._new) + len(mapping._old) <= 10


def test_the_stamp_changes_with_what_may_be_answered() -> None:
    relay = connected(1, 2)
    stamp = relay.stamp()
    relay.on_inv(1, inv(1), at(0))
    relay.on_tx(1, tx(1), at(1))
    assert relay.stamp() == stamp, "nobody asked about it"
    assert relay.seen_by(tx(1).txid) == SeenBy(1, 2)
    relay.on_inv(2, inv(1), at(2))
    assert relay.stamp() != stamp
    stamp = relay.stamp()
    relay.on_inv(2, inv(1), at(3))
    assert relay.stamp() == stamp, "it said so before"
    relay.on_ready(3, b"3", at(4))
    assert relay.stamp() != stamp, "one of more networks"
