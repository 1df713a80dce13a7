"""Sending our own transactions, and finding out whether anyone took them.

A node says nothing when it refuses a transaction, so evidence is gathered: it asked for it; another
peer announced it to us; or a node, asked for it by wtxid, gives it back, which it does only for
what is in its memory pool. The last works with a single peer as well. A node tells what is in its
pool only after its next announcement to us (a random trickle, five seconds on average), so
`notfound` counts only after `VERDICT_AFTER` seconds.

Announced to one peer first and to a second later, never to all: who sees it from us first may guess
that it is ours.
"""

from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from wallet_gui.chain.backend import BroadcastProgress, BroadcastResult, BroadcastStage
from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound, Tx
from wallet_gui.chain.p2p.sync_state import Action, Instant, Send
from wallet_gui.primitives.transaction import Transaction

NEXT_PEER_AFTER: Final = 10.0
PROBE_AFTER: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 5.0)
"""Seconds between probes of a peer that took the transaction; the last repeats."""
VERDICT_AFTER: Final = 30.0
UNREQUESTED_AFTER: Final = 30.0
MAX_KEPT: Final = 200

_TX_KINDS: Final = frozenset({InventoryType.TX, InventoryType.WTX, InventoryType.WITNESS_TX})

ACCEPTED: Final = "The network has it."
REFUSED: Final = (
    "The node asked for the transaction but did not keep it. The fee may be too low, one of the "
    "coins may be spent already, or an earlier payment that it needs may be missing."
)
IGNORED: Final = (
    "No node asked for the transaction. It may have been refused before, or the connection may be "
    "broken; try again in a few minutes."
)
NOBODY: Final = (
    "The connection was lost before anyone confirmed the transaction; it will be retried."
)


class _Step(Enum):
    ANNOUNCED = "announced"
    REQUESTED = "requested"
    REFUSED = "refused"


@dataclass(slots=True)
class _Target:
    """A peer we announced the transaction to."""

    announced: float
    step: _Step = _Step.ANNOUNCED
    requested: float = 0.0
    probes: int = 0
    next_probe: float = 0.0


@dataclass(slots=True)
class _Broadcast:
    tx: Transaction
    started: float
    targets: dict[int, _Target] = field(default_factory=dict)
    echoes: set[int] = field(default_factory=set)
    stage: BroadcastStage = BroadcastStage.SENT
    result: BroadcastResult | None = None


class Broadcasts:
    """All transactions of ours that peers may still ask for."""

    def __init__(self) -> None:
        self._by_txid: dict[bytes, _Broadcast] = {}
        self._by_hash: dict[bytes, _Broadcast] = {}
        self._peers: list[int] = []
        self.news: deque[BroadcastProgress] = deque()

    def is_ours(self, tx_hash: bytes) -> bool:
        """Whether a txid or wtxid names a transaction of ours."""
        return tx_hash in self._by_hash

    def start(self, tx: Transaction, now: Instant) -> list[Action]:
        """Announce a transaction, or one sent before once more."""
        known = self._by_txid.pop(tx.txid, None)
        if known is not None:
            self._by_hash.pop(known.tx.wtxid, None)
        broadcast = _Broadcast(tx, now.monotonic)
        self._by_txid[tx.txid] = broadcast
        self._by_hash[tx.txid] = self._by_hash[tx.wtxid] = broadcast
        while len(self._by_txid) > MAX_KEPT:
            oldest = self._by_txid.pop(next(iter(self._by_txid)))
            self._by_hash.pop(oldest.tx.txid, None)
            self._by_hash.pop(oldest.tx.wtxid, None)
        return self._announce_next(broadcast, now)

    def result(self, txid: bytes) -> BroadcastResult | None:
        """Tell how a broadcast ended, None while it goes on."""
        broadcast = self._by_txid.get(txid)
        return None if broadcast is None else broadcast.result

    # --- what peers do ----------------------------------------------------------------------------

    def on_ready(self, peer: int, now: Instant) -> list[Action]:
        """A peer more; what nobody was told yet goes to it."""
        self._peers.append(peer)
        actions: list[Action] = []
        for broadcast in self._by_txid.values():
            if broadcast.result is None and not broadcast.targets:
                actions += self._announce_next(broadcast, now)
        return actions

    def on_disconnected(self, peer: int) -> None:
        """A peer less."""
        if peer in self._peers:
            self._peers.remove(peer)
        for broadcast in self._by_txid.values():
            target = broadcast.targets.get(peer)
            if target is not None and target.step is _Step.ANNOUNCED:
                del broadcast.targets[peer]

    def on_inv(self, peer: int, inv: Inv) -> None:
        """An announcement of ours by somebody we did not send it to is proof that it spreads."""
        for kind, tx_hash in inv.entries:
            broadcast = self._by_hash.get(tx_hash)
            if broadcast is not None and kind in _TX_KINDS and peer not in broadcast.targets:
                self._echo(broadcast, peer)

    def on_getdata(self, peer: int, message: GetData, now: Instant) -> list[Action]:
        """Hand out what is asked for, by txid or wtxid."""
        actions: list[Action] = []
        unknown: list[tuple[int, bytes]] = []
        for kind, tx_hash in message.entries:
            broadcast = self._by_hash.get(tx_hash)
            if broadcast is None or kind not in _TX_KINDS:
                unknown.append((kind, tx_hash))
                continue
            actions.append(Send(peer, Tx(broadcast.tx)))
            target = broadcast.targets.setdefault(peer, _Target(now.monotonic))
            target.step = _Step.REQUESTED
            target.requested = now.monotonic
            target.probes = 0
            target.next_probe = now.monotonic + PROBE_AFTER[0]
            if broadcast.stage is BroadcastStage.SENT:
                self._climb(broadcast, BroadcastStage.REQUESTED, 1)
        if unknown:
            actions.append(Send(peer, NotFound(tuple(unknown))))
        return actions

    def on_tx(self, peer: int, tx: Transaction) -> None:
        """A peer gave us our own transaction: it is in its memory pool."""
        broadcast = self._by_hash.get(tx.wtxid)
        if broadcast is not None:
            self._echo(broadcast, peer)

    def on_notfound(self, peer: int, message: NotFound, now: Instant) -> None:
        """A peer does not have it, or does not say so yet."""
        for _, tx_hash in message.entries:
            broadcast = self._by_hash.get(tx_hash)
            target = None if broadcast is None else broadcast.targets.get(peer)
            if broadcast is None or target is None or target.step is not _Step.REQUESTED:
                continue
            if now.monotonic - target.requested >= VERDICT_AFTER:
                target.step = _Step.REFUSED

    def tick(self, now: Instant) -> list[Action]:
        """Probe, go on to the next peer, or give up."""
        actions: list[Action] = []
        for broadcast in self._by_txid.values():
            if broadcast.result is None:
                actions += self._go_on(broadcast, now)
        return actions

    # --- one broadcast ----------------------------------------------------------------------------

    def _go_on(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        actions: list[Action] = []
        for peer, target in broadcast.targets.items():
            if (
                target.step is _Step.REQUESTED
                and peer in self._peers
                and now.monotonic >= target.next_probe
            ):
                target.probes += 1
                pause = PROBE_AFTER[min(target.probes, len(PROBE_AFTER) - 1)]
                target.next_probe = now.monotonic + pause
                entry = (InventoryType.WTX, broadcast.tx.wtxid)
                actions.append(Send(peer, GetData((entry,))))
        latest = max((t.announced for t in broadcast.targets.values()), default=float("-inf"))
        if now.monotonic - latest >= NEXT_PEER_AFTER:
            actions += self._announce_next(broadcast, now)
        self._judge(broadcast, now)
        return actions

    def _announce_next(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        fresh = [p for p in self._peers if p not in broadcast.targets and p not in broadcast.echoes]
        if not fresh:
            return []
        peer = fresh[0]
        broadcast.targets[peer] = _Target(now.monotonic)
        if len(broadcast.targets) == 1:
            self._climb(broadcast, BroadcastStage.SENT, 1)
        # Asked for it as well: a peer that has it already will not ask us, but will answer.
        entry = ((InventoryType.WTX, broadcast.tx.wtxid),)
        return [Send(peer, Inv(entry)), Send(peer, GetData(entry))]

    def _judge(self, broadcast: _Broadcast, now: Instant) -> None:
        targets = broadcast.targets
        if any(peer not in targets for peer in self._peers):
            return  # somebody is left to ask
        here = {peer: target for peer, target in targets.items() if peer in self._peers}
        if not here:
            if now.monotonic - broadcast.started >= 2 * UNREQUESTED_AFTER:
                self._fail(broadcast, NOBODY)
        elif all(target.step is _Step.REFUSED for target in here.values()):
            self._fail(broadcast, REFUSED)
        elif all(
            target.step is _Step.REFUSED
            or (
                target.step is _Step.ANNOUNCED
                and now.monotonic - target.announced >= UNREQUESTED_AFTER
            )
            for target in here.values()
        ):
            was_refused = any(target.step is _Step.REFUSED for target in here.values())
            self._fail(broadcast, REFUSED if was_refused else IGNORED)

    def _echo(self, broadcast: _Broadcast, peer: int) -> None:
        if peer in broadcast.echoes:
            return
        broadcast.echoes.add(peer)
        self._climb(broadcast, BroadcastStage.ECHOED, len(broadcast.echoes))
        if broadcast.result is None or not broadcast.result.is_accepted:
            broadcast.result = BroadcastResult(
                broadcast.tx.txid, BroadcastStage.ECHOED, len(broadcast.echoes), ACCEPTED
            )

    def _fail(self, broadcast: _Broadcast, sentence: str) -> None:
        peers = len(broadcast.targets)
        broadcast.result = BroadcastResult(
            broadcast.tx.txid, BroadcastStage.FAILED, peers, sentence
        )
        self._climb(broadcast, BroadcastStage.FAILED, peers)

    def _climb(self, broadcast: _Broadcast, stage: BroadcastStage, peers: int) -> None:
        broadcast.stage = stage
        self.news.append(BroadcastProgress(broadcast.tx.txid, stage, peers))
