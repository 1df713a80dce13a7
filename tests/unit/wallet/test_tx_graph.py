from dataclasses import replace

import pytest

from tests.unit.wallet.chain_world import foreign_script, foreign_tx
from wallet_gui.primitives import script
from wallet_gui.primitives.hashes import hash160, sha256
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import Anchor, BlockRef, CacheChange
from wallet_gui.wallet.signatures import hash_type, spent_script
from wallet_gui.wallet.tx_graph import Standing, TxGraph

KEY = b"\x02" + bytes(32)


def graph_of(*transactions: Transaction) -> TxGraph:
    graph = TxGraph(CacheChange())
    for now, tx in enumerate(transactions):
        graph.add(tx, now)
    graph.settle()
    return graph


def child_of(parent: Transaction, vout: int = 0, number: int = 0) -> Transaction:
    return foreign_tx(number, [TxOut(500, foreign_script(number))], OutPoint(parent.txid, vout))


def block(height: int, fork: int = 0) -> Anchor:
    return Anchor(height, bytes([height, fork]) * 16, 1_000 + height, 1)


def test_a_transaction_is_stored_once() -> None:
    tx = foreign_tx(1, [TxOut(1, b"")])
    graph = graph_of(tx)
    assert not graph.add(tx, 99)
    assert (len(graph), graph.first_seen(tx.txid), tx.txid in graph) == (1, 0, True)
    assert graph.settle() == {}
    assert graph.spends_known_outpoint(tx.inputs[0].prevout)
    with pytest.raises(KeyError):
        graph.standing(bytes(32))


def test_a_child_of_an_output_that_is_not_there_never_counts() -> None:
    parent = foreign_tx(1, [TxOut(1_000, b"")])
    child = child_of(parent, vout=7)
    assert graph_of(parent, child).standing(child.txid) is Standing.DEAD


def test_descendants_of_a_loser_fall_and_return_with_it() -> None:
    parent = foreign_tx(1, [TxOut(1_000, b"")])
    child = child_of(parent)
    rival = foreign_tx(2, [TxOut(900, b"")], parent.inputs[0].prevout)
    graph = graph_of(parent, child, rival)
    assert [graph.counts(tx.txid) for tx in (parent, child, rival)] == [False, False, True]
    assert graph.replaced_by(parent.txid) == rival.txid
    assert graph.replaced_by(child.txid) is None
    assert graph.dead_parent(child.txid) == parent.txid
    graph.confirm(parent, block(5))
    changed = graph.settle()
    assert set(changed) == {parent.txid, child.txid, rival.txid}
    assert [graph.counts(tx.txid) for tx in (parent, child, rival)] == [True, True, False]


def test_a_loser_does_not_return_when_its_rival_is_replaced_elsewhere() -> None:
    first, second = (OutPoint(bytes([n]) * 32, 0) for n in (1, 2))
    old = Transaction(2, (TxIn(first),), (TxOut(1, b""),), 0)
    both = Transaction(2, (TxIn(first), TxIn(second)), (TxOut(2, b""),), 0)
    last = Transaction(2, (TxIn(second),), (TxOut(3, b""),), 0)
    graph = graph_of(old)
    for tx in (both, last):
        graph.add(tx, 5)
        graph.settle()
    assert [graph.counts(tx.txid) for tx in (old, both, last)] == [False, False, True]
    graph.see(old.txid)
    graph.settle()
    assert graph.counts(old.txid)


def test_a_transaction_that_spends_two_rivals_never_counts() -> None:
    one = foreign_tx(1, [TxOut(1_000, b"")])
    other = foreign_tx(2, [TxOut(900, b"")], one.inputs[0].prevout)
    spent = (TxIn(OutPoint(one.txid, 0)), TxIn(OutPoint(other.txid, 0)))
    impossible = Transaction(2, spent, (TxOut(1, b""),), 0)
    graph = TxGraph(CacheChange())
    for tx in (one, other, impossible):
        graph.add(tx, 0)
    graph.settle()
    assert [graph.counts(tx.txid) for tx in (one, other, impossible)] == [False, True, False]


def test_the_witness_that_is_in_the_block_is_kept() -> None:
    tx = foreign_tx(1, [TxOut(1, b"")])
    other = Transaction(2, (replace(tx.inputs[0], witness=(b"x",)),), tx.outputs, 0)
    assert tx.txid == other.txid
    staged = CacheChange()
    graph = TxGraph(staged)
    graph.add(tx, 0)
    graph.confirm(other, block(3))
    assert graph.transaction(tx.txid) == other
    assert staged.transactions[tx.txid] == other.serialize()


def test_a_confirmed_rival_takes_a_stale_confirmation_away() -> None:
    tx = foreign_tx(1, [TxOut(1_000, b"")])
    rival = foreign_tx(2, [TxOut(900, b"")], tx.inputs[0].prevout)
    graph = graph_of(tx, rival)
    graph.confirm(tx, block(3))
    graph.settle()
    graph.confirm(rival, block(4, fork=1))
    changed = graph.settle()
    assert changed == {rival.txid: Standing.DEAD, tx.txid: Standing.CONFIRMED}
    assert graph.standing(tx.txid) is Standing.DEAD


def test_a_transaction_moves_to_another_block() -> None:
    tx = foreign_tx(1, [TxOut(1_000, b"")])
    graph = graph_of(tx)
    graph.confirm(tx, block(3))
    assert graph.block_at(3) == block(3).hash
    graph.confirm(tx, block(4, fork=1))
    assert (graph.block_at(3), graph.block_at(4)) == (None, block(4, fork=1).hash)
    assert graph.anchored_above(3) == [tx.txid]
    anchor = graph.anchor(tx.txid)
    assert anchor is not None
    assert anchor.block == BlockRef(4, block(4, fork=1).hash)
    graph.rollback_to(3)
    assert graph.anchor(tx.txid) is None


def test_abandoned_transactions_return_with_a_block() -> None:
    tx = foreign_tx(1, [TxOut(1_000, b"")])
    staged = CacheChange()
    graph = TxGraph(staged)
    graph.restore(tx, anchor=None, first_seen=1, seen_order=4, abandoned=True)
    graph.settle()
    assert graph.standing(tx.txid) is Standing.DEAD
    assert staged.is_empty
    graph.confirm(tx, block(3))
    graph.settle()
    assert graph.standing(tx.txid) is Standing.CONFIRMED
    assert staged.abandoned == {tx.txid: False}


def test_long_chains_settle_without_recursion() -> None:
    chain = [foreign_tx(1, [TxOut(1_000, b"")])]
    for number in range(3_000):
        chain.append(child_of(chain[-1], number=number))
    graph = graph_of(*chain)
    assert all(graph.counts(tx.txid) for tx in chain)


def test_scripts_of_spent_coins_are_inferred_where_they_show() -> None:
    at = OutPoint(bytes(32), 0)
    program = script.p2wpkh(hash160(KEY))
    multisig = b"\x51\x21" + KEY + b"\x51\xae"
    assert spent_script(TxIn(at, b"", 0, (b"sig", KEY))) == program
    nested = TxIn(at, script.push(program), 0, (b"sig", KEY))
    assert spent_script(nested) == script.p2sh(hash160(program))
    legacy = TxIn(at, script.push(b"\x30" * 71) + script.push(KEY))
    assert spent_script(legacy) == script.p2pkh(hash160(KEY))
    wsh = TxIn(at, b"", 0, (b"", b"sig", multisig))
    assert spent_script(wsh) == script.p2wsh(sha256(multisig))
    assert spent_script(TxIn(at, b"", 0, (bytes(64),))) is None
    assert spent_script(TxIn(at, b"", 0, (b"x", b"y", b"\xc0" + bytes(32)))) is None
    assert spent_script(TxIn(at, b"\x4c")) is None
    assert spent_script(TxIn(at)) is None


def test_hash_types_are_read_from_signatures() -> None:
    at = OutPoint(bytes(32), 0)
    assert hash_type(TxIn(at, b"", 0, (bytes(64),))) == 0
    assert hash_type(TxIn(at, b"", 0, (bytes(64) + b"\x81",))) == 0x81
    assert hash_type(TxIn(at, b"", 0, (b"\x30" * 71 + b"\x01", KEY))) == 1
    assert hash_type(TxIn(at, script.push(b"\x30\x03") + script.push(KEY))) == 3
    assert hash_type(TxIn(at)) is None
