"""Our broadcasts among peers that a test scripts; no I/O, and a clock that it turns."""

from collections.abc import Iterable
from random import Random

from wallet_gui.chain.backend import BroadcastResult, BroadcastStage
from wallet_gui.chain.p2p.broadcast import Broadcasts
from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound
from wallet_gui.chain.p2p.sync_state import Action, Disconnect, Instant, Send
from wallet_gui.primitives.transaction import OutPoint, Transaction, TxIn, TxOut

TX = Transaction(2, (TxIn(OutPoint(bytes(32), 1), witness=(b"\x01",)),), (TxOut(1, b"\x51"),), 0)
ENTRY = ((InventoryType.WTX, TX.wtxid),)
PROBE, OFFER, MISSING = GetData(ENTRY), Inv(ENTRY), NotFound(ENTRY)

SENT, REQUESTED = BroadcastStage.SENT, BroadcastStage.REQUESTED
ECHOED, SPREAD, FAILED = BroadcastStage.ECHOED, BroadcastStage.SPREAD, BroadcastStage.FAILED


def at(seconds: float) -> Instant:
    return Instant(seconds, 0)


def spending(txid: bytes, vout: int = 0) -> Transaction:
    return Transaction(2, (TxIn(OutPoint(txid, vout)),), (TxOut(1, b"\x51"),), 0)


class Network:
    """Broadcasts with peers that answer as honest nodes do, each of a network of its own."""

    def __init__(self, *peers: int, relays: bool = True) -> None:
        self.broadcasts = Broadcasts(Random(1))
        self.now = 0.0
        self.told: dict[int, list[object]] = {}
        self.closed: list[int] = []
        self.having: set[int] = set()  # peers that have the transaction
        self.deaf: set[int] = set()  # peers that answer nothing
        for peer in peers:
            self.connect(peer, relays=relays)

    def connect(
        self,
        peer: int,
        *,
        relays: bool = True,
        group: int | None = None,
        is_one_shot: bool = False,
        is_direct: bool = True,
    ) -> None:
        netgroup = bytes([peer if group is None else group])
        self.do(
            self.broadcasts.on_ready(
                peer,
                netgroup,
                at(self.now),
                relays=relays,
                is_one_shot=is_one_shot,
                is_direct=is_direct,
            )
        )

    def start(self, tx: Transaction = TX, parents: Iterable[Transaction] = ()) -> None:
        self.do(self.broadcasts.start(tx, at(self.now), tuple(parents)))

    def do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            if isinstance(action, Disconnect):
                assert not action.is_fault
                self.closed.append(action.peer)
                self.broadcasts.on_disconnected(action.peer)
            elif isinstance(action, Send):
                self.told.setdefault(action.peer, []).append(action.message)
                if action.message == PROBE and action.peer not in self.deaf:
                    if action.peer in self.having:
                        self.broadcasts.on_tx(action.peer, TX)
                    else:
                        self.do(self.broadcasts.on_notfound(action.peer, MISSING, at(self.now)))

    def request(self, peer: int, kind: int = InventoryType.WTX, name: bytes = TX.wtxid) -> object:
        """Let a peer ask for it; give what it gets."""
        (action,) = self.broadcasts.on_getdata(peer, GetData(((kind, name),)), at(self.now))
        assert isinstance(action, Send)
        assert action.peer == peer
        return action.message

    def announce(self, peer: int) -> None:
        self.broadcasts.on_inv(peer, OFFER)

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.do(self.broadcasts.tick(at(self.now)))

    @property
    def offered(self) -> list[int]:
        """Peers that were told of it, in order."""
        return [peer for peer, messages in self.told.items() if OFFER in messages]

    @property
    def result(self) -> BroadcastResult | None:
        return self.broadcasts.result(TX.txid)

    @property
    def end(self) -> BroadcastResult:
        assert self.result is not None
        return self.result

    @property
    def stages(self) -> list[BroadcastStage]:
        return [progress.stage for progress in self.broadcasts.news]
