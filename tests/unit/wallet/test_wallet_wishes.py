"""What the person asks of a wallet: addresses, requests, labels, frozen coins."""

import pytest

from tests.unit.wallet.chain_world import (
    ALL_TYPES,
    DESCRIPTORS,
    START,
    Store,
    foreign_tx,
    new_wallet,
)
from tests.unit.wallet.test_wallet import deliver, paid_wallet, paid_wallet_twin, world
from wallet_gui.descriptors.descriptor import DescriptorType
from wallet_gui.primitives.transaction import OutPoint, TxOut
from wallet_gui.wallet.changes import (
    BlockRef,
    Keychain,
)
from wallet_gui.wallet.errors import GapLimit, UnknownCoin
from wallet_gui.wallet.snapshot import Balance, RequestStatus

WPKH = DESCRIPTORS[DescriptorType.WPKH]


def test_addresses_are_never_given_twice_and_stop_at_the_gap() -> None:
    wallet, store = new_wallet(), Store()
    seen = [wallet.next_address()[0] for _ in range(20)]
    assert seen == list(range(20))
    with pytest.raises(GapLimit):
        wallet.next_address()
    assert not wallet.snapshot(START).receive.can_reveal
    wallet.apply_unconfirmed(foreign_tx(1, [TxOut(1000, WPKH.script_pubkey(4))]), START)
    assert wallet.next_address()[0] == 20
    store.save(wallet)
    assert new_wallet(state=store.state).next_address()[0] == 21


def test_new_addresses_come_from_the_active_descriptor() -> None:
    wallet = new_wallet(ALL_TYPES, active=3)
    _, script = wallet.next_address()
    assert script == DESCRIPTORS[DescriptorType.TR].script_pubkey(0)
    place = wallet.place_of(script)
    assert place is not None
    assert (place.descriptor_index, place.keychain, place.index) == (3, Keychain.RECEIVE, 0)


def test_requests_follow_what_arrives() -> None:
    chain, wallet = world(), new_wallet()
    index, script = wallet.next_address("Rent", amount_sat=5_000, now=START, expires=START + 10)
    request = wallet.requests(START)[0]
    assert (request.status, request.request.index) == (RequestStatus.WAITING, index)
    assert wallet.requests(START + 10)[0].status is RequestStatus.EXPIRED
    first = foreign_tx(1, [TxOut(3_000, script)])
    wallet.apply_unconfirmed(first, START)
    assert wallet.requests(START)[0].status is RequestStatus.WAITING
    second = foreign_tx(2, [TxOut(2_000, script)])
    wallet.apply_unconfirmed(second, START)
    assert wallet.requests(START + 99)[0].status is RequestStatus.SEEN
    chain.mine([first, second])
    deliver(wallet, chain)
    entry = wallet.requests(START)[0]
    assert (entry.status, entry.received_sat) == (RequestStatus.CONFIRMED, 5_000)
    wallet.remove_request(entry.request.key)
    assert wallet.requests(START) == ()
    assert wallet.next_address()[0] == index + 1


def test_frozen_coins_stand_apart() -> None:
    chain = world()
    store = Store()
    wallet = paid_wallet(chain, 40_000, 50_000)
    outpoint = next(coin.outpoint for coin in wallet.coins() if coin.value_sat == 40_000)
    wallet.set_frozen(outpoint, frozen=True)
    assert wallet.balance() == Balance(confirmed=50_000, frozen=40_000)
    store.save(wallet)
    assert new_wallet(state=store.state).balance().frozen == 40_000
    wallet.set_frozen(outpoint, frozen=True)
    assert wallet.take_staged().is_empty
    wallet.set_frozen(outpoint, frozen=False)
    store.save(wallet)
    assert store.state.view.frozen == {}
    with pytest.raises(UnknownCoin):
        wallet.set_frozen(OutPoint(bytes(32), 0), frozen=True)


def test_scan_marks_thin_out_with_age() -> None:
    wallet, store = new_wallet(), Store()
    for height in range(3_000):
        wallet.scanned(BlockRef(height, height.to_bytes(32, "big")))
    marks = wallet.checkpoints()
    heights = [mark.height for mark in marks]
    assert heights[:100] == list(range(2999, 2899, -1))
    assert len(heights) < 160
    assert heights[-1] < 300
    store.save(wallet)
    assert new_wallet(state=store.state).checkpoints() == marks


def test_labels_show_in_history_and_coins() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    (entry,) = wallet.history()
    wallet.set_label("addr", WPKH.address(0), "from\u202e Anna\n")
    assert wallet.history()[0].label == "from Anna"
    assert wallet.coins()[0].label == "from Anna"
    assert entry.label == ""
    text = bytes(reversed(entry.txid)).hex()
    wallet.set_label("tx", text, "wages")
    assert wallet.history()[0].label == "wages"


def test_labels_travel_as_bip329_lines() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    coin = wallet.coins()[0]
    wallet.set_label("addr", coin.address, "x")
    wallet.set_frozen(coin.outpoint, frozen=True)
    wallet.set_label("tx", "ab" * 32, "y")
    lines = wallet.export_labels()
    origin = str(WPKH.origin)
    assert f'"origin": "wpkh({origin})"' in lines[-1]
    twin = paid_wallet_twin(chain)
    result = twin.import_labels([*lines, "{", '{"type":"tx"}'])
    assert result.refused_lines == (len(lines) + 1, len(lines) + 2)
    assert twin.export_labels() == lines
    assert twin.balance().frozen == 40_000


def test_lookalike_addresses_are_found() -> None:
    chain = world()
    wallet = paid_wallet(chain, 40_000)
    known = WPKH.address(0)
    alike = known[:10] + ("q" if known[12] != "q" else "p") * 6 + known[16:]
    assert alike != known
    assert wallet.lookalike(alike) == known
    assert wallet.lookalike(known) is None
    assert wallet.lookalike(known.upper()) is None
    assert wallet.lookalike("2N" + known) is None
