from random import Random

import pytest

from tests.unit.chain.p2p.broadcast_network import (
    ECHOED,
    FAILED,
    MISSING,
    OFFER,
    PROBE,
    REQUESTED,
    SENT,
    SPREAD,
    TX,
    Network,
    at,
    spending,
)
from wallet_gui.chain.p2p import broadcast
from wallet_gui.chain.p2p import broadcast_verdicts as verdicts
from wallet_gui.chain.p2p.broadcast_target import MAX_TIMES
from wallet_gui.chain.p2p.messages import GetData, InventoryType, NotFound, Tx
from wallet_gui.chain.p2p.sync_state import Send
from wallet_gui.primitives.transaction import Transaction, TxIn, TxOut


def test_one_peer_is_told_and_proves_that_it_has_it() -> None:
    network = Network(1)
    network.start()
    assert network.told == {1: [PROBE, OFFER]}
    network.wait(2)
    assert network.request(1) == Tx(TX)
    network.wait(3)  # it does not say so before its next announcement
    assert network.result is None
    network.having.add(1)
    network.wait(3)
    assert network.end.stage is ECHOED
    assert network.end.is_accepted
    assert network.end.detail == verdicts.KEPT
    assert network.stages == [SENT, REQUESTED, ECHOED]


def test_two_networks_that_did_not_get_it_from_us_are_the_best_evidence() -> None:
    network = Network(1, 2, 3)
    network.start()
    (told,) = network.offered
    first, second = {1, 2, 3} - {told}
    network.request(told)
    network.announce(told)
    assert network.stages == [SENT, REQUESTED], "the one we sent it to proves nothing"
    network.announce(first)
    assert network.stages[-1] is ECHOED
    assert network.result is None, "one more could show it"
    network.announce(second)
    assert network.end.stage is SPREAD
    assert network.end.peers == 2
    assert network.stages == [SENT, REQUESTED, ECHOED, SPREAD]


def test_with_two_networks_one_echo_is_the_best_there_is_and_it_says_so() -> None:
    network = Network(1, 2)
    network.start()
    (told,) = network.offered
    network.request(told)
    network.announce(3 - told)
    assert network.end.stage is ECHOED
    assert network.end.detail == verdicts.ECHOED


def test_peers_of_one_network_are_one_witness() -> None:
    network = Network(1)
    network.start()
    for peer in (2, 3):
        network.connect(peer, group=7)
    network.connect(4, group=1)  # the neighbour of the one that got it
    network.request(1)
    network.having.add(1)
    network.announce(4)
    network.announce(2)
    network.announce(3)
    assert SPREAD not in network.stages
    assert network.end.stage is ECHOED


def test_who_was_asked_about_it_may_make_an_announcement_up_but_not_the_transaction() -> None:
    network = Network(1, 2, 3)
    network.deaf = {1, 2, 3}
    network.start()
    asked = next(iter(network.told))
    network.announce(asked)
    assert network.stages == []
    network.broadcasts.on_tx(asked, TX)
    assert network.stages == [ECHOED]


def test_the_evidence_so_far_is_given_after_a_while_and_grows_later() -> None:
    network = Network(1, 2, 3)
    network.start()
    (told,) = network.offered
    network.request(told)
    first, second = {1, 2, 3} - {told}
    network.announce(first)
    network.wait(broadcast.PATIENCE + 1)
    assert network.end.stage is ECHOED
    network.broadcasts.on_tx(second, TX)
    assert network.end.stage is SPREAD
    assert network.offered == [told], "it spreads: nobody else need hear it from us"


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (InventoryType.WTX, TX.wtxid),
        (InventoryType.WITNESS_TX, TX.txid),
        (InventoryType.TX, TX.txid),
    ],
)
def test_it_is_handed_out_by_either_name(kind: int, name: bytes) -> None:
    network = Network(1)
    network.start()
    assert network.request(1, kind, name) == Tx(TX)


def test_only_who_was_told_gets_it() -> None:
    """Else somebody who saw it elsewhere could ask around whose it is."""
    network = Network(1)
    network.start()
    network.connect(2)
    assert network.request(2) == MISSING
    network.broadcasts.on_notfound(2, MISSING, at(1))
    assert network.stages == [SENT]


def test_nobody_gets_it_over_and_over() -> None:
    network = Network(1)
    network.start()
    answers = [network.request(1) for _ in range(MAX_TIMES + 2)]
    assert answers == [Tx(TX)] * MAX_TIMES + [MISSING] * 2


def test_what_we_do_not_have_is_not_found() -> None:
    network = Network(1)
    network.start()
    entries = ((InventoryType.WTX, bytes(32)), (InventoryType.WITNESS_BLOCK, TX.txid))
    actions = network.broadcasts.on_getdata(1, GetData(entries), at(1))
    assert actions == [Send(1, NotFound(entries))]


def test_a_parent_is_given_to_who_was_offered_the_child() -> None:
    grandparent = spending(bytes(32), 7)
    parent = spending(grandparent.txid)
    child = spending(parent.txid)
    network = Network(1)
    network.start(child, (grandparent, parent))
    for ancestor in (parent, grandparent):
        assert network.request(1, InventoryType.WITNESS_TX, ancestor.txid) == Tx(ancestor)
    network.connect(2)
    wanted = ((InventoryType.WITNESS_TX, parent.txid),)
    assert network.broadcasts.on_getdata(2, GetData(wanted), at(1)) == [Send(2, NotFound(wanted))]


def test_more_peers_are_told_one_after_the_other_and_never_all() -> None:
    network = Network(1, 2, 3, 4, 5)
    network.start()
    network.wait(9)
    assert len(network.offered) == 1
    network.wait(2)
    assert len(network.offered) == 2
    network.wait(28)
    assert len(network.offered) == 2
    network.wait(3)
    assert len(network.offered) == 3
    network.wait(60)
    assert len(network.offered) == 3
    assert network.end.detail == verdicts.IGNORED


def test_peers_that_drop_it_are_found_out() -> None:
    network = Network(1, 2, 3)
    network.start()
    for _ in range(200):
        network.wait(0.5)
        for peer in network.offered:
            if OFFER in network.told[peer] and network.told[peer][-1] == OFFER:
                network.request(peer)
    assert len(network.offered) == 3
    assert network.end.stage is FAILED
    assert not network.end.is_accepted
    assert network.end.detail == verdicts.REFUSED


def test_a_dropping_peer_does_not_keep_it_from_the_next() -> None:
    network = Network(1, 2)
    network.start()
    (dropper,) = network.offered
    network.request(dropper)
    network.wait(11)
    honest = 3 - dropper
    assert network.offered == [dropper, honest]
    network.request(honest)
    network.having.add(honest)
    network.wait(5)
    assert network.end.stage is ECHOED


def test_a_rival_on_the_network_is_named_as_the_cause() -> None:
    network = Network(1)
    network.start()
    network.request(1)
    rival = Transaction(2, (TxIn(TX.inputs[0].prevout),), (TxOut(9, b"\x51"),), 0)
    network.broadcasts.on_tx(1, rival)
    network.wait(60)
    assert network.end.detail == verdicts.CONFLICT


def test_a_peer_that_never_asks() -> None:
    network = Network(1)
    network.start()
    network.wait(31)
    assert network.end.stage is FAILED
    assert network.end.detail == verdicts.IGNORED


def test_a_peer_that_answers_nothing_is_told_all_the_same() -> None:
    network = Network(1)
    network.deaf.add(1)
    network.start()
    assert network.offered == []
    network.wait(4)
    assert network.offered == [1]


def test_a_lost_connection_is_not_a_verdict() -> None:
    network = Network(1)
    network.start()
    network.broadcasts.on_disconnected(1)
    network.wait(31)
    assert network.result is None
    network.connect(2)
    assert network.offered == [1, 2]
    network.broadcasts.on_disconnected(2)
    network.wait(30)
    assert network.end.detail == verdicts.NOBODY


def test_who_got_it_and_left_is_no_verdict_either() -> None:
    network = Network(1)
    network.start()
    network.request(1)
    network.broadcasts.on_disconnected(1)
    network.wait(60)
    assert network.end.detail == verdicts.NOBODY


def test_peers_that_announce_nothing_can_only_ask_for_it_and_that_is_said() -> None:
    network = Network(1, 2, relays=False)
    network.start()
    (told,) = network.offered
    assert network.told[told] == [OFFER], "it would not answer a probe"
    network.request(told)
    network.wait(11)
    for peer in network.offered:
        network.request(peer)
    network.wait(60)
    assert network.end.stage is REQUESTED
    assert network.end.detail == verdicts.REQUESTED


def test_who_served_filters_or_blocks_is_told_last() -> None:
    for seed in range(20):
        network = Network(1, 2, 3)
        network.broadcasts._rng = Random(seed)
        network.broadcasts.on_served(1)
        network.broadcasts.on_served(3)
        network.start()
        assert network.offered == [2]


def test_one_that_announces_nothing_is_told_first_and_the_others_listen() -> None:
    network = Network(1, 2)
    network.connect(3, relays=False)
    network.start()
    assert network.offered == [3]
    network.request(3)
    network.announce(1)
    network.announce(2)
    assert network.end.stage is SPREAD


def test_listeners_are_asked_at_last() -> None:
    network = Network(1, 2, 3)
    network.start()
    (told,) = network.offered
    network.request(told)
    network.wait(5)
    network.having = {1, 2, 3}
    network.wait(5)
    assert network.result is None
    network.wait(7)
    assert network.end.stage is SPREAD
    assert network.offered == [told]


# --- offering it again ----------------------------------------------------------------------------


def test_offering_it_again_tells_nobody_who_has_it() -> None:
    network = Network(1, 2)
    network.having = {1, 2}
    network.start()
    network.wait(1)
    assert network.offered == []
    assert network.end.stage is SPREAD


def test_sending_again_begins_anew() -> None:
    network = Network(1)
    network.start()
    network.wait(31)
    assert network.end.stage is FAILED
    network.start()
    assert network.result is None
    assert network.told[1][-1] == OFFER
    network.request(1)
    network.having.add(1)
    network.wait(2)
    assert network.end.stage is ECHOED


def test_who_got_it_earlier_is_still_no_independent_witness() -> None:
    network = Network(1, 2)
    network.start()
    (told,) = network.offered
    network.request(told)
    network.having = {told}
    network.start()
    network.wait(60)
    assert SPREAD not in network.stages


def test_evidence_after_a_failure_counts() -> None:
    network = Network(1)
    network.start()
    network.wait(31)
    network.connect(2)
    network.announce(2)
    assert network.end.stage is ECHOED
    assert network.end.is_accepted


def test_old_ones_are_forgotten_first_those_that_are_over() -> None:
    network = Network(1)
    network.start()
    network.wait(31)
    running = spending(bytes(32), 5)
    network.start(running)
    for number in range(broadcast.MAX_KEPT - 1):
        network.start(spending(bytes(32), 9 + number))
    known = network.broadcasts._by_hash
    assert TX.txid not in known
    assert TX.wtxid not in known
    assert running.txid in known
    assert network.end.detail == verdicts.GONE, "nobody waits for it for ever"


def test_what_is_given_up_is_given_to_nobody() -> None:
    network = Network(1)
    network.start()
    network.broadcasts.forget(TX.txid)
    assert network.request(1) == MISSING
    assert network.end.detail == verdicts.GONE
    network.wait(20)
    assert network.offered == [1]


def test_whether_it_was_missing_before_it_was_offered_is_told() -> None:
    network = Network(1, 2, 3)
    network.start()
    network.wait(200)
    assert network.end.stage is FAILED
    assert network.end.was_missing
    network.having.update({1, 2, 3})
    network.start()
    network.wait(60)
    assert network.end.stage in {ECHOED, SPREAD}
    assert not network.end.was_missing


def test_peers_that_answer_nothing_do_not_say_that_it_is_missing() -> None:
    network = Network(1, 2, 3)
    network.deaf.update({1, 2, 3})
    network.start()
    network.wait(200)
    assert network.end.stage is FAILED
    assert not network.end.was_missing
