from dataclasses import replace
from random import Random

import pytest

from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    DESCRIPTORS,
    START,
    Store,
    World,
    describe,
    foreign_script,
    foreign_tx,
    new_wallet,
    signed_tx,
)
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.amount import FeeRate
from wallet_gui.primitives.params import REGTEST
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut
from wallet_gui.wallet.changes import (
    BlockRef,
    TipChanged,
    TxAdded,
    TxConfirmed,
    TxDropped,
    TxReplaced,
    TxUnconfirmed,
    WalletState,
    WindowGrew,
)
from wallet_gui.wallet.errors import NotReplaceable
from wallet_gui.wallet.snapshot import Balance
from wallet_gui.wallet.spend import Recipient, create
from wallet_gui.wallet.wallet import Wallet

WPKH = DESCRIPTORS[DescriptorType.WPKH]


def world() -> World:
    return World(Random(1))


def tip(wallet: Wallet, chain: World) -> None:
    wallet.set_tip(BlockRef(chain.height, chain.hash_at(chain.height)))


def deliver(wallet: Wallet, chain: World, height: int | None = None) -> list[object]:
    """Hand one block over, the last by default."""
    at = chain.height if height is None else height
    events = wallet.apply_block(chain.blocks[at], at)
    tip(wallet, chain)
    return list(events)


def test_a_payment_is_seen_confirmed_and_listed() -> None:
    chain, wallet = world(), new_wallet()
    index, script = wallet.next_address("Anna")
    assert (index, script) == (0, WPKH.script_pubkey(0))
    tx = foreign_tx(1, [TxOut(70_000, script), TxOut(5, foreign_script(1))])
    assert wallet.apply_unconfirmed(tx, START)[0] == TxAdded(tx.txid)
    assert wallet.balance() == Balance(incoming=70_000)
    assert not any(coin.is_spendable for coin in wallet.coins())
    block = chain.mine([tx])
    events = deliver(wallet, chain)
    assert events == [TxConfirmed(tx.txid, 1, block.header.hash)]
    assert wallet.balance() == Balance(confirmed=70_000)
    (entry,) = wallet.history()
    assert (entry.height, entry.block_time, entry.first_seen) == (1, block.header.time, START)
    assert (entry.net_sat, entry.fee_sat, entry.label) == (70_000, None, "Anna")
    assert entry.addresses == (WPKH.address(0),)
    assert deliver(wallet, chain) == []


def test_irrelevant_transactions_are_not_kept() -> None:
    chain, wallet = world(), new_wallet()
    chain.mine([foreign_tx(1, [TxOut(1000, foreign_script(2))])])
    assert deliver(wallet, chain) == []
    assert wallet.apply_unconfirmed(foreign_tx(2, [TxOut(9, foreign_script(1))]), START) == []
    assert wallet.take_staged().is_empty


def test_the_window_covers_a_hundred_beyond_the_last_used_and_grows_in_steps() -> None:
    chain, wallet = world(), new_wallet()
    assert len(wallet.watch_scripts()) == 2 * 100
    assert wallet.take_new_scripts() == []
    chain.mine([foreign_tx(1, [TxOut(1000, WPKH.script_pubkey(99))])])
    (grew,) = [e for e in deliver(wallet, chain) if isinstance(e, WindowGrew)]
    assert WPKH.script_pubkey(199) in grew.scripts
    assert wallet.take_new_scripts() == list(grew.scripts)
    assert wallet.take_new_scripts() == []


def test_growth_steps_the_scan_mark_back_until_the_filters_were_matched_again() -> None:
    chain, wallet = world(), new_wallet()
    for _ in range(4):
        chain.mine([])
    for height in range(4):
        wallet.scanned(BlockRef(height, chain.hash_at(height)))
    chain.mine([foreign_tx(1, [TxOut(1000, WPKH.script_pubkey(80))])])
    wallet.take_staged()
    deliver(wallet, chain)
    # The change that holds the growth takes the marks back too: no crash can part the two.
    staged = wallet.take_staged().cache
    assert staged.last_used
    assert staged.checkpoints == dict.fromkeys(range(4))
    assert wallet.scan_mark is None
    wallet.scanned(BlockRef(2, chain.hash_at(2)))
    assert [mark.height for mark in wallet.checkpoints()] == [2, 1, 0]
    wallet.scanned(BlockRef(5, chain.hash_at(5)))
    assert [mark.height for mark in wallet.checkpoints()] == [5, 3, 2, 1, 0]
    wallet.scanned(BlockRef(1, chain.hash_at(1)))
    assert [mark.height for mark in wallet.checkpoints()] == [1, 0]
    wallet.rollback_to(3)
    wallet.scanned(BlockRef(5, chain.hash_at(5)))
    assert [mark.height for mark in wallet.checkpoints()] == [5, 3, 2, 1, 0]
    wallet.apply_block(chain.blocks[5], 5)
    assert wallet.scan_mark == BlockRef(5, chain.hash_at(5))


def test_payments_in_one_block_beyond_the_window_are_found_when_an_earlier_one_widens_it() -> None:
    chain, wallet = world(), new_wallet()
    far = foreign_tx(1, [TxOut(3000, WPKH.script_pubkey(140))])
    near = foreign_tx(2, [TxOut(2000, WPKH.script_pubkey(60))])
    chain.mine([far, near])
    deliver(wallet, chain)
    assert wallet.balance().confirmed == 5000


def test_an_output_stored_before_its_script_was_watched_is_adopted() -> None:
    chain, wallet = world(), new_wallet()
    both = foreign_tx(1, [TxOut(3000, WPKH.script_pubkey(170)), TxOut(1, WPKH.script_pubkey(0))])
    wallet.apply_unconfirmed(both, START)
    assert wallet.balance().incoming == 1
    chain.mine([both])
    deliver(wallet, chain)
    chain.mine([foreign_tx(2, [TxOut(10, WPKH.script_pubkey(90))])])
    deliver(wallet, chain)
    assert wallet.balance().confirmed == 3011
    assert {entry.net_sat for entry in wallet.history()} == {3001, 10}


def paid_wallet(chain: World, *amounts: int) -> Wallet:
    wallet = new_wallet()
    outputs = [TxOut(a, WPKH.script_pubkey(n)) for n, a in enumerate(amounts)]
    chain.mine([foreign_tx(77, outputs)])
    deliver(wallet, chain)
    return wallet


def pay(wallet: Wallet, chain: World, amount: int | None, seed: int = 0) -> Transaction:
    plan = create(
        wallet,
        [Recipient(foreign_script(seed), amount)],
        FeeRate(2_000),
        rng=Random(seed),
        tip_height=chain.height,
    )
    return signed_tx(plan.psbt)


def test_a_chain_of_payments_in_one_block_counts_like_one_per_block() -> None:
    chain = world()
    wallet, twin = paid_wallet(chain, 900_000), paid_wallet(chain, 900_000)
    first = pay(wallet, chain, 100_000, 1)
    wallet.insert_own(first, START)
    second = pay(wallet, chain, 200_000, 2)
    assert second.inputs[0].prevout.txid == first.txid
    chain.mine([first, second])
    deliver(twin, chain)
    deliver(wallet, chain)
    assert twin.balance() == wallet.balance()
    assert len(twin.history()) == 3
    assert twin.balance().confirmed < 600_000


def test_a_changeless_spend_is_seen() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000, 50_000)
    chain.mine([pay(wallet, chain, None)])
    deliver(wallet, chain)
    assert wallet.balance() == Balance()
    assert wallet.history()[0].net_sat == -90_000
    assert wallet.history()[0].fee_sat is not None


def test_a_reorganisation_makes_payments_wait_again() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    txid = wallet.history()[0].txid
    wallet.scanned(BlockRef(1, chain.hash_at(1)))
    assert wallet.rollback_to(0) == [TxUnconfirmed(txid)]
    assert wallet.balance() == Balance(incoming=40_000)
    assert wallet.scan_mark is None
    wallet.apply_block(chain.blocks[1], 1)
    assert wallet.balance() == Balance(confirmed=40_000)


def test_a_block_at_a_known_height_with_another_hash_tells_of_a_reorganisation() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    txid = wallet.history()[0].txid
    chain.disconnect(1)
    other = foreign_tx(5, [TxOut(7_000, WPKH.script_pubkey(3))])
    chain.mine([other])
    events = deliver(wallet, chain)
    assert TxUnconfirmed(txid) in events
    assert wallet.balance() == Balance(confirmed=7_000, incoming=40_000)


def test_a_mined_coin_matures_after_a_hundred_blocks_and_falls_with_its_block() -> None:
    chain, wallet = world(), new_wallet()
    chain.mine([], [TxOut(50, WPKH.script_pubkey(0))])
    deliver(wallet, chain)
    assert wallet.balance() == Balance(immature=50)
    wallet.set_tip(BlockRef(100, bytes(32)))
    assert wallet.balance() == Balance(immature=50)
    assert wallet.set_tip(BlockRef(101, bytes(32))) == [TipChanged(BlockRef(101, bytes(32)))]
    assert wallet.balance() == Balance(confirmed=50)
    (entry,) = wallet.history()
    events = wallet.rollback_to(0)
    assert events == [TxUnconfirmed(entry.txid), TxDropped(entry.txid)]
    assert wallet.balance() == Balance()
    assert wallet.history() == ()


def test_what_spends_a_fallen_coinbase_falls_with_it() -> None:
    chain, wallet = world(), new_wallet()
    chain.mine([], [TxOut(90_000, WPKH.script_pubkey(0))])
    deliver(wallet, chain)
    wallet.set_tip(BlockRef(150, bytes(32)))
    child = pay(wallet, chain, 50_000)
    wallet.insert_own(child, START)
    assert wallet.balance().trusted_pending > 0
    wallet.rollback_to(0)
    assert wallet.balance() == Balance()
    assert [entry.is_live for entry in wallet.history()] == [False]


def test_a_replaced_incoming_payment_no_longer_counts() -> None:
    wallet = new_wallet()
    old = foreign_tx(1, [TxOut(10_000, WPKH.script_pubkey(0))])
    new = foreign_tx(9, [TxOut(9_000, WPKH.script_pubkey(0))], old.inputs[0].prevout)
    wallet.apply_unconfirmed(old, START)
    events = wallet.apply_unconfirmed(new, START + 9)
    assert events == [TxReplaced(old.txid, new.txid), TxAdded(new.txid)]
    assert wallet.balance() == Balance(incoming=9_000)
    newest, oldest = wallet.history()
    assert (newest.txid, newest.conflicts) == (new.txid, (old.txid,))
    assert (oldest.is_live, oldest.replaced_by) == (False, new.txid)


def test_a_payment_taken_back_by_one_that_pays_us_nothing_no_longer_counts() -> None:
    chain, wallet = world(), new_wallet()
    old = foreign_tx(1, [TxOut(10_000, WPKH.script_pubkey(0))])
    new = foreign_tx(9, [TxOut(9_000, foreign_script(4))], old.inputs[0].prevout)
    wallet.apply_unconfirmed(old, START)
    # The rival's block matches the script of the coin that both spend.
    chain.mine([new])
    assert not chain.matching(chain.height, set(wallet.watch_scripts()))
    assert chain.matching(chain.height, set(wallet.rival_scripts()))
    assert deliver(wallet, chain) == [TxReplaced(old.txid, new.txid)]
    assert wallet.balance() == Balance()
    assert [entry.txid for entry in wallet.history()] == [old.txid]
    assert wallet.rival_scripts() == []


def test_a_double_spend_in_a_block_beats_ours_and_its_children() -> None:
    chain = world()
    wallet = paid_wallet(chain, 100_000)
    ours = pay(wallet, chain, 20_000, 1)
    wallet.insert_own(ours, START)
    child = pay(wallet, chain, 30_000, 2)
    wallet.insert_own(child, START)
    rival = pay(paid_wallet_twin(chain), chain, 40_000, 3)
    chain.mine([rival])
    events = deliver(wallet, chain)
    assert TxReplaced(ours.txid, rival.txid) in events
    assert TxDropped(child.txid) in events
    assert wallet.balance().total == wallet.balance().confirmed
    by_id = {entry.txid: entry for entry in wallet.history()}
    assert by_id[ours.txid].replaced_by == rival.txid
    assert not by_id[child.txid].is_live
    assert wallet.pending_own() == []


def paid_wallet_twin(chain: World) -> Wallet:
    twin = new_wallet()
    for height in range(chain.height + 1):
        twin.apply_block(chain.blocks[height], height)
    tip(twin, chain)
    return twin


def test_forged_spends_of_our_coins_are_ignored() -> None:
    chain = world()
    wallet = paid_wallet(chain, 100_000)
    real = pay(wallet, chain, 20_000)
    tampered = TxOut(real.outputs[0].value_sat - 1, real.outputs[0].script_pubkey)
    forged = Transaction(2, real.inputs, (tampered, *real.outputs[1:]), real.lock_time)
    assert wallet.apply_unconfirmed(forged, START) == []
    bare = Transaction(2, (TxIn(real.inputs[0].prevout),), (TxOut(1000, foreign_script(1)),), 0)
    assert wallet.apply_unconfirmed(bare, START) == []
    assert wallet.balance() == Balance(confirmed=100_000)
    assert TxAdded(real.txid) in wallet.apply_unconfirmed(real, START)


def test_abandoning_frees_the_coins_until_the_network_shows_the_payment() -> None:
    chain = world()
    wallet = paid_wallet(chain, 100_000)
    tx = pay(wallet, chain, 20_000)
    wallet.insert_own(tx, START)
    assert [t.txid for t in wallet.pending_own()] == [tx.txid]
    assert wallet.abandon(tx.txid) == [TxDropped(tx.txid)]
    assert wallet.balance() == Balance(confirmed=100_000)
    assert wallet.history()[0].abandoned
    assert wallet.pending_own() == []
    wallet.apply_unconfirmed(tx, START + 5)
    assert not wallet.history()[0].abandoned
    assert wallet.balance().trusted_pending > 0
    chain.mine([tx])
    deliver(wallet, chain)
    with pytest.raises(NotReplaceable, match="confirmed"):
        wallet.abandon(tx.txid)
    with pytest.raises(NotReplaceable, match="not in the wallet"):
        wallet.abandon(bytes(32))


def test_change_of_an_untrusted_coin_is_not_trusted() -> None:
    wallet = new_wallet()
    incoming = foreign_tx(1, [TxOut(100_000, WPKH.script_pubkey(0))])
    wallet.apply_unconfirmed(incoming, START)
    plan = create(
        wallet,
        [Recipient(foreign_script(1), 20_000)],
        FeeRate(1_000),
        coins=[OutPoint(incoming.txid, 0)],
        rng=Random(0),
        tip_height=0,
    )
    wallet.insert_own(signed_tx(plan.psbt), START)
    assert wallet.balance().trusted_pending == 0
    assert wallet.balance().incoming == 80_000 - plan.fee_sat


def test_own_transactions_leave_the_wallet_file_once_buried() -> None:
    chain = world()
    store = Store()
    wallet = paid_wallet(chain, 100_000)
    tx = pay(wallet, chain, 20_000)
    wallet.insert_own(tx, START)
    chain.mine([tx])
    deliver(wallet, chain)
    store.save(wallet)
    assert set(store.state.view.own_transactions) == {tx.txid}
    wallet.set_tip(BlockRef(chain.height + 100, bytes(32)))
    store.save(wallet)
    assert store.state.view.own_transactions == {}
    assert tx.txid in store.state.cache.transactions


def test_a_lost_cache_keeps_own_payments_and_shown_addresses() -> None:
    chain = world()
    store = Store()
    wallet = paid_wallet(chain, 100_000)
    for _ in range(5):
        wallet.next_address("x")
    tx = pay(wallet, chain, 20_000)
    wallet.insert_own(tx, START)
    store.save(wallet)
    again = new_wallet(state=WalletState(store.state.view))
    assert [t.txid for t in again.pending_own()] == [tx.txid]
    assert again.next_address()[0] == wallet.next_address()[0]
    for height in range(chain.height + 1):
        again.apply_block(chain.blocks[height], height)
    tip(again, chain)
    assert again.balance() == wallet.balance()


def test_every_script_type_of_the_wallet_receives() -> None:
    chain, wallet = world(), new_wallet(ALL_TYPES)
    outputs = [TxOut(1000, DESCRIPTORS[kind].script_pubkey(3)) for kind in ALL_TYPES]
    chain.mine([foreign_tx(1, outputs)])
    deliver(wallet, chain)
    assert wallet.balance().confirmed == 4000


def test_unasked_dust_to_a_used_address_is_suspicious() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    dust = foreign_tx(3, [TxOut(600, WPKH.script_pubkey(0)), TxOut(600, WPKH.script_pubkey(8))])
    chain.mine([dust])
    deliver(wallet, chain)
    flagged = {coin.index: coin.is_suspicious for coin in wallet.coins() if coin.value_sat == 600}
    assert flagged == {0: True, 8: False}
    assert all(coin.is_spendable is not coin.is_suspicious for coin in wallet.coins())


def test_confirmations_count_from_the_tip() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    wallet.set_tip(BlockRef(chain.height + 2, bytes(32)))
    snapshot = wallet.snapshot(START)
    assert snapshot.confirmations(snapshot.history[0]) == 3
    assert snapshot.confirmations(snapshot.coins[0]) == 3
    assert snapshot.balance.spendable == 40_000


def test_a_late_echo_of_a_payment_that_we_replaced_changes_nothing() -> None:
    chain = world()
    wallet = paid_wallet(chain, 100_000)
    cheap = pay(wallet, chain, 20_000)
    plan = create(
        wallet,
        [Recipient(foreign_script(0), 20_000)],
        FeeRate(9_000),
        rng=Random(3),
        tip_height=chain.height,
    )
    dear = signed_tx(plan.psbt)
    wallet.insert_own(cheap, START)
    wallet.insert_own(dear, START)
    assert wallet.apply_unconfirmed(cheap, START + 1) == []
    assert [t.txid for t in wallet.pending_own()] == [dear.txid]


def test_an_own_payment_that_lost_wins_again_when_it_is_sent_again() -> None:
    chain = world()
    wallet = paid_wallet(chain, 100_000)
    first, second = pay(wallet, chain, 20_000, 1), pay(wallet, chain, 20_000, 2)
    wallet.insert_own(first, START)
    wallet.insert_own(second, START)
    assert [t.txid for t in wallet.pending_own()] == [second.txid]
    wallet.insert_own(first, START + 1)
    assert [t.txid for t in wallet.pending_own()] == [first.txid]
    assert wallet.is_own(second.txid)


def test_a_wallet_needs_two_chains_per_descriptor() -> None:
    description = describe((DescriptorType.WPKH,))
    body = description.descriptors[0].partition("#")[0].replace("<0;1>", "0")
    with pytest.raises(ValueError, match="receive and a change chain"):
        Wallet(replace(description, descriptors=(body,)), REGTEST)


def test_a_wallet_can_be_renamed() -> None:
    wallet = new_wallet()
    wallet.rename("Sav\u202eings ")
    assert wallet.description.name == wallet.snapshot(START).name == "Savings"


def test_a_block_that_contradicts_a_scan_mark_rolls_back() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    wallet.scanned(BlockRef(1, chain.hash_at(1)))
    wallet.scanned(BlockRef(1, chain.hash_at(1)))
    chain.disconnect(1)
    chain.mine([])
    deliver(wallet, chain)
    assert wallet.balance() == Balance(incoming=40_000)
    assert wallet.scan_mark is None
    assert wallet.snapshot(START).confirmations(wallet.history()[0]) == 0
    assert wallet.history()[0].time == chain.blocks[0].header.time + 600
