import pytest

from wallet_gui.chain.backend import BroadcastStage
from wallet_gui.chain.p2p import broadcast
from wallet_gui.chain.p2p.broadcast import Broadcasts
from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound, Tx
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

TX = Transaction(2, (TxIn(OutPoint(bytes(32), 1), witness=(b"\x01",)),), (TxOut(1, b"\x51"),), 0)
ENTRY = ((InventoryType.WTX, TX.wtxid),)
ANNOUNCED = [Inv(ENTRY), GetData(ENTRY)]


def at(seconds: float) -> Instant:
    return Instant(seconds, 0)


def sent(actions: list[Action], peer: int) -> list[object]:
    return [a.message for a in actions if isinstance(a, Send) and a.peer == peer]


def started(*peers: int) -> tuple[Broadcasts, list[Action]]:
    broadcasts = Broadcasts()
    for peer in peers:
        assert broadcasts.on_ready(peer, at(0)) == []
    return broadcasts, broadcasts.start(TX, at(0))


def stages(broadcasts: Broadcasts) -> list[BroadcastStage]:
    return [progress.stage for progress in broadcasts.news]


def test_one_peer_is_told_and_proves_that_it_has_it() -> None:
    broadcasts, actions = started(1)
    assert sent(actions, 1) == ANNOUNCED
    assert sent(broadcasts.on_getdata(1, GetData(ENTRY), at(2)), 1) == [Tx(TX)]
    assert broadcasts.tick(at(2.1)) == []
    assert sent(broadcasts.tick(at(3)), 1) == [GetData(ENTRY)]
    broadcasts.on_notfound(1, NotFound(ENTRY), at(3))  # it does not say so before its next inv
    assert broadcasts.result(TX.txid) is None
    assert sent(broadcasts.tick(at(5)), 1) == [GetData(ENTRY)]
    broadcasts.on_tx(1, TX)
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert result.is_accepted
    assert result.stage is BroadcastStage.ECHOED
    assert stages(broadcasts) == [
        BroadcastStage.SENT,
        BroadcastStage.REQUESTED,
        BroadcastStage.ECHOED,
    ]


@pytest.mark.parametrize(
    "entry",
    [
        (InventoryType.WTX, TX.wtxid),
        (InventoryType.WITNESS_TX, TX.txid),
        (InventoryType.TX, TX.txid),
    ],
)
def test_it_is_handed_out_by_either_name(entry: tuple[int, bytes]) -> None:
    broadcasts, _ = started(1)
    assert sent(broadcasts.on_getdata(1, GetData((entry,)), at(1)), 1) == [Tx(TX)]


def test_what_we_do_not_have_is_not_found() -> None:
    broadcasts, _ = started(1)
    entry = ((InventoryType.WTX, bytes(32)), (InventoryType.WITNESS_BLOCK, TX.txid))
    assert sent(broadcasts.on_getdata(1, GetData(entry), at(1)), 1) == [NotFound(entry)]


def test_an_announcement_by_another_peer_is_proof() -> None:
    broadcasts, actions = started(1, 2)
    assert sent(actions, 2) == []
    broadcasts.on_getdata(1, GetData(ENTRY), at(2))
    broadcasts.on_inv(1, Inv(ENTRY))
    assert broadcasts.result(TX.txid) is None, "the one we sent it to proves nothing"
    broadcasts.on_inv(2, Inv(ENTRY))
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert result.is_accepted


def test_a_second_peer_is_told_after_a_while() -> None:
    broadcasts, _ = started(1, 2, 3)
    assert broadcasts.tick(at(9)) == []
    assert sent(broadcasts.tick(at(10)), 2) == ANNOUNCED
    assert broadcasts.tick(at(15)) == []
    assert sent(broadcasts.tick(at(20)), 3) == ANNOUNCED


def test_a_peer_that_takes_it_and_drops_it() -> None:
    broadcasts, _ = started(1)
    broadcasts.on_getdata(1, GetData(ENTRY), at(2))
    for second in range(3, 40):
        broadcasts.tick(at(second))
        broadcasts.on_notfound(1, NotFound(ENTRY), at(second))
    broadcasts.tick(at(41))
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert not result.is_accepted
    assert result.detail == broadcast.REFUSED


def test_a_peer_that_never_asks() -> None:
    broadcasts, _ = started(1)
    for second in range(31):
        broadcasts.tick(at(second))
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert result.stage is BroadcastStage.FAILED
    assert result.detail == broadcast.IGNORED


def test_a_lost_connection_is_not_a_verdict() -> None:
    broadcasts, _ = started(1)
    broadcasts.on_disconnected(1)
    broadcasts.tick(at(31))
    assert broadcasts.result(TX.txid) is None
    assert sent(broadcasts.on_ready(2, at(35)), 2) == ANNOUNCED
    broadcasts.on_disconnected(2)
    broadcasts.tick(at(70))
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert result.detail == broadcast.NOBODY


def test_sending_again_begins_anew() -> None:
    broadcasts, _ = started(1)
    for second in range(31):
        broadcasts.tick(at(second))
    assert sent(broadcasts.start(TX, at(40)), 1) == ANNOUNCED
    assert broadcasts.result(TX.txid) is None
    broadcasts.on_tx(1, TX)
    result = broadcasts.result(TX.txid)
    assert result is not None
    assert result.is_accepted


def test_old_ones_are_forgotten() -> None:
    broadcasts, _ = started(1)
    for number in range(broadcast.MAX_KEPT):
        other = Transaction(2, (TxIn(OutPoint(bytes(32), 9 + number)),), (TxOut(1, b"\x51"),), 0)
        broadcasts.start(other, at(1))
    assert not broadcasts.is_ours(TX.txid)
    assert not broadcasts.is_ours(TX.wtxid)
