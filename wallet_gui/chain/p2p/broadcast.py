"""Sending our own transactions, and finding out whether anyone took them.

A node says nothing when it refuses a transaction, so evidence is gathered: it asked for it; a peer
that was never told of it announces it; or a node, asked for it by wtxid, gives it back, which it
does only for what is in its memory pool. A node tells what is in its pool only after its next
announcement to us (a random trickle, five seconds on average), so `notfound` counts only after
`VERDICT_AFTER` seconds. Told to one peer first and to others later, never to all: who sees it from
us first may guess that it is ours. The first is one that served neither filters nor blocks, on a
connection of its own where one can be opened; whoever else asks for it does not get it.

Before a peer is told it is asked: one that gives the transaction back needs not be told, and shows
that it spreads. That makes offering a payment again harmless.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random, SystemRandom
from typing import Final

from wallet_gui.chain.backend import BroadcastProgress, BroadcastResult, BroadcastStage
from wallet_gui.chain.p2p import broadcast_verdicts as verdicts
from wallet_gui.chain.p2p.broadcast_target import Step, Target, Told
from wallet_gui.chain.p2p.messages import GetData, Inv, InventoryType, NotFound, Tx
from wallet_gui.chain.p2p.sync_state import Action, Disconnect, Instant, Send
from wallet_gui.primitives.transaction import OutPoint, Transaction

SECOND_PEER_AFTER: Final = 10.0
NEXT_PEER_AFTER: Final = 30.0
MAX_TOLD: Final = 3
NETWORKS_WANTED: Final = 2

LISTENER_PROBED_AFTER: Final = 15.0
PATIENCE: Final = 45.0
"""Seconds after which the evidence at hand is given as the result though more could come."""

CONNECT_PATIENCE: Final = 10.0
PROXY_PATIENCE: Final = 60.0
"""Seconds to wait for a connection of its own; without a proxy others do then."""

GIVE_UP_AFTER: Final = 60.0
NO_PROXY_AFTER: Final = 150.0
MAX_KEPT: Final = 200

_TX_KINDS: Final = frozenset({InventoryType.TX, InventoryType.WTX, InventoryType.WITNESS_TX})


@dataclass(slots=True)
class _Peer:
    """A connected peer. `relays`: it announces to us and answers when asked for transactions."""

    netgroup: bytes
    relays: bool
    is_one_shot: bool
    is_direct: bool
    has_served: bool = False  # filters or blocks: it may know something about this wallet


@dataclass(slots=True)
class _Broadcast:
    tx: Transaction
    started: float
    told: Told = field(default_factory=Told)
    named: set[int] = field(default_factory=set)  # peers that heard its id from us, by any message
    independent: set[bytes] = field(default_factory=set)  # netgroups that have it not from us
    kept: set[int] = field(default_factory=set)  # peers that got it from us and have it
    wants_connection: float | None = None  # since when
    was_refused_connection: bool = False
    has_rival: bool = False
    stage: BroadcastStage = BroadcastStage.SENT
    result: BroadcastResult | None = None


class Broadcasts:
    """All transactions of ours that peers may still ask for."""

    def __init__(self, rng: Random | None = None) -> None:
        self._rng = SystemRandom() if rng is None else rng
        self._by_txid: dict[bytes, _Broadcast] = {}
        self._by_hash: dict[bytes, _Broadcast] = {}
        self._by_coin: dict[OutPoint, bytes] = {}
        self._parents: dict[bytes, Transaction] = {}  # by txid and wtxid
        self._peers: dict[int, _Peer] = {}
        self.news: deque[BroadcastProgress] = deque()
        self.can_open = False
        """Whether connections can be opened just for a payment."""
        self.is_private = False
        """Whether payments go only through a proxy, never over a direct connection."""

    def start(
        self, tx: Transaction, now: Instant, parents: Sequence[Transaction] = ()
    ) -> list[Action]:
        """Send a transaction, or one sent before once more.

        `parents` are unconfirmed transactions of ours that it spends from: a node that lacks one
        asks for it by txid, also where its own fee would be too low (1p1c).
        """
        known = self._by_txid.get(tx.txid)
        self.forget(tx.txid)
        broadcast = _Broadcast(tx, now.monotonic)
        if known is not None:
            broadcast.told.given_groups = known.told.given_groups
        self._by_txid[tx.txid] = broadcast
        self._by_hash[tx.txid] = self._by_hash[tx.wtxid] = broadcast
        for tx_in in tx.inputs:
            self._by_coin[tx_in.prevout] = tx.txid
        for parent in parents:
            self._parents[parent.txid] = self._parents[parent.wtxid] = parent
        while len(self._parents) > 2 * MAX_KEPT:
            del self._parents[next(iter(self._parents))]
        if len(self._by_txid) > MAX_KEPT:
            done = (t for t, b in self._by_txid.items() if b.result is not None)
            self.forget(next(done, next(iter(self._by_txid))))
        return self._next(broadcast, now)

    def forget(self, txid: bytes) -> None:
        """Send a transaction no more, and give it to nobody."""
        broadcast = self._by_txid.pop(txid, None)
        if broadcast is None:
            return
        self._by_hash.pop(broadcast.tx.txid, None)
        self._by_hash.pop(broadcast.tx.wtxid, None)
        for tx_in in broadcast.tx.inputs:
            if self._by_coin.get(tx_in.prevout) == txid:
                del self._by_coin[tx_in.prevout]

    def result(self, txid: bytes) -> BroadcastResult | None:
        """Tell how a broadcast ended, None while it goes on."""
        broadcast = self._by_txid.get(txid)
        if broadcast is None:
            return BroadcastResult(txid, BroadcastStage.FAILED, 0, verdicts.GONE)
        return broadcast.result

    def wanted_connections(self) -> int:
        """Count the connections that are to be opened just for a payment."""
        if not self.can_open:
            return 0
        return sum(b.wants_connection is not None for b in self._active())

    def _active(self) -> list[_Broadcast]:
        return [b for b in self._by_txid.values() if b.result is None]

    # --- what peers do ----------------------------------------------------------------------------

    def on_ready(
        self,
        peer: int,
        netgroup: bytes,
        now: Instant,
        *,
        relays: bool = True,
        is_one_shot: bool = False,
        is_direct: bool = True,
    ) -> list[Action]:
        """A peer more; a payment that waits for one is sent to it."""
        self._peers[peer] = _Peer(netgroup, relays, is_one_shot, is_direct)
        active = self._active()
        if is_one_shot:
            for broadcast in active:
                is_fit = not (self.is_private and is_direct)
                if is_fit and broadcast.wants_connection is not None:
                    return self._tell(broadcast, peer, now)
            return [Disconnect(peer, "No payment waits any more.", is_fault=False)]
        actions: list[Action] = []
        for broadcast in active:
            if not broadcast.told.targets and broadcast.wants_connection is None:
                actions += self._next(broadcast, now)
        return actions

    def on_not_opened(self, now: Instant) -> list[Action]:
        """A connection just for a payment could not be opened."""
        actions: list[Action] = []
        for broadcast in self._active():
            if broadcast.wants_connection is not None and not self.is_private:
                broadcast.was_refused_connection = True
                broadcast.wants_connection = None
                actions += self._next(broadcast, now)
        return actions

    def on_served(self, peer: int) -> None:
        """A peer sent filters or a block."""
        if peer in self._peers:
            self._peers[peer].has_served = True

    def on_disconnected(self, peer: int) -> None:
        """A peer less."""
        self._peers.pop(peer, None)
        for broadcast in self._by_txid.values():
            target = broadcast.told.targets.get(peer)
            if target is not None and target.step in {Step.PROBED, Step.ANNOUNCED}:
                del broadcast.told.targets[peer]

    def on_inv(self, peer: int, inv: Inv) -> None:
        """An announcement by somebody who never heard of it from us shows that it spreads."""
        for kind, tx_hash in inv.entries:
            broadcast = self._by_hash.get(tx_hash)
            if broadcast is not None and kind in _TX_KINDS and peer not in broadcast.named:
                self._echo(broadcast, peer)

    def on_getdata(self, peer: int, message: GetData, now: Instant) -> list[Action]:
        """Hand out what is asked for, by txid or wtxid, to whom it was offered and to nobody else.

        Somebody who saw a payment elsewhere could find out by asking around whose it is.
        """
        actions: list[Action] = []
        unknown: list[tuple[int, bytes]] = []
        for kind, tx_hash in message.entries:
            broadcast = self._by_hash.get(tx_hash)
            target = None if broadcast is None else broadcast.told.targets.get(peer)
            parent = self._parents.get(tx_hash)
            if kind not in _TX_KINDS:
                unknown.append((kind, tx_hash))
            elif broadcast is not None and target is not None and target.may_have_it:
                actions.append(Send(peer, Tx(broadcast.tx)))
                target.request(now.monotonic)
                broadcast.told.given_groups.add(self._netgroup(peer))
                self._climb(broadcast)
            elif parent is not None and self._may_ask(peer, parent):
                actions.append(Send(peer, Tx(parent)))
            else:
                unknown.append((kind, tx_hash))
        if unknown:
            actions.append(Send(peer, NotFound(tuple(unknown))))
        return actions

    def _may_ask(self, peer: int, parent: Transaction) -> bool:
        """Whether a peer was offered something that spends from a transaction of ours."""
        return any(
            peer in b.told.targets and any(i.prevout.txid == parent.txid for i in member.inputs)
            for b in self._by_txid.values()
            for member in (b.tx, *self._parents.values())
        )

    def on_tx(self, peer: int, tx: Transaction) -> None:
        """A peer gave us a transaction: it has it in its memory pool."""
        broadcast = self._by_hash.get(tx.wtxid)
        if broadcast is not None:
            target = broadcast.told.targets.get(peer)
            if target is not None:
                target.step = Step.KEPT if target.was_given else Step.HAD
            self._echo(broadcast, peer)
            return
        for tx_in in tx.inputs:
            ours = self._by_coin.get(tx_in.prevout)
            if ours is not None and ours != tx.txid:
                self._by_txid[ours].has_rival = True

    def on_notfound(self, peer: int, message: NotFound, now: Instant) -> list[Action]:
        """A peer does not have it, or does not say so yet."""
        actions: list[Action] = []
        for _, tx_hash in message.entries:
            broadcast = self._by_hash.get(tx_hash)
            target = None if broadcast is None else broadcast.told.targets.get(peer)
            if broadcast is None or target is None:
                continue
            if target.step is Step.PROBED:
                broadcast.told.is_lacked = True
                actions += self._offer(broadcast, peer, target, now)
            else:
                target.miss(now.monotonic)
        return actions

    def tick(self, now: Instant) -> list[Action]:
        """Probe, go on to the next peer, end, or give up."""
        actions: list[Action] = []
        for broadcast in self._by_txid.values():
            if broadcast.result is None:
                actions += self._go_on(broadcast, now)
            actions += self._close_one_shots(broadcast, now)
        return actions

    # --- one broadcast ----------------------------------------------------------------------------

    def _netgroup(self, peer: int) -> bytes:
        found = self._peers.get(peer)
        return b"" if found is None else found.netgroup

    def _go_on(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        actions: list[Action] = []
        told = broadcast.told
        entry = (InventoryType.WTX, broadcast.tx.wtxid)
        for number, target in list(told.targets.items()):
            peer = self._peers.get(number)
            if peer is None:
                continue
            if target.is_silent(now.monotonic):
                # It does not answer: a node that knows no wtxids, or one that is of no use.
                actions += self._offer(broadcast, number, target, now)
            elif peer.relays and target.probe_is_due(now.monotonic):
                actions.append(Send(number, GetData((entry,))))
        actions += self._probe_listeners(broadcast, now)
        if self._wants_next(broadcast, now):
            actions += self._next(broadcast, now)
        self._judge(broadcast, now)
        return actions

    def _probe_listeners(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        """Ask peers that were told nothing, where asking them gives nothing away to a network."""
        first = broadcast.told.first_given()
        is_known = broadcast.told.is_known  # then it is one of many that carry it
        is_late = first is not None and now.monotonic - first >= LISTENER_PROBED_AFTER
        if self.is_private or not (is_known or is_late):
            return []
        entry = ((InventoryType.WTX, broadcast.tx.wtxid),)
        silent = [
            number
            for number, peer in self._peers.items()
            if peer.relays and number not in broadcast.named and not peer.is_one_shot
        ]
        broadcast.named.update(silent)
        return [Send(number, GetData(entry)) for number in silent]

    def _wants_next(self, broadcast: _Broadcast, now: Instant) -> bool:
        told = broadcast.told
        if broadcast.wants_connection is not None:
            if self._is_opening(broadcast, now) or not self._candidates(broadcast):
                return False
            broadcast.was_refused_connection = True
            broadcast.wants_connection = None
            return True
        if broadcast.independent or len(told.offered()) >= MAX_TOLD:
            return False
        latest = told.latest()
        if latest is None:
            return True
        pause = SECOND_PEER_AFTER if len(told.offered()) == 1 else NEXT_PEER_AFTER
        return latest.is_refused(now.monotonic) or now.monotonic - latest.since >= pause

    def _is_opening(self, broadcast: _Broadcast, now: Instant) -> bool:
        """Whether a connection of its own may still come."""
        since = broadcast.wants_connection
        patience = PROXY_PATIENCE if self.is_private else CONNECT_PATIENCE
        return since is not None and now.monotonic - since < patience

    def _next(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        """Go to one peer more: on a connection of its own where that can be had."""
        if broadcast.wants_connection is None and self.can_open:
            if not broadcast.was_refused_connection:
                broadcast.wants_connection = now.monotonic
                return []
            broadcast.was_refused_connection = False  # the next time it may work again
        candidates = self._candidates(broadcast)
        if not candidates:
            return []
        self._rng.shuffle(candidates)
        # Peers that relay are better kept for listening.
        best = min(candidates, key=lambda n: (self._peers[n].has_served, self._peers[n].relays))
        return self._tell(broadcast, best, now)

    def _candidates(self, broadcast: _Broadcast) -> list[int]:
        return [
            number
            for number, peer in self._peers.items()
            if number not in broadcast.told.targets
            and not peer.is_one_shot
            and peer.netgroup not in broadcast.independent
            and (not self.is_private or not peer.is_direct)
        ]

    def _tell(self, broadcast: _Broadcast, peer: int, now: Instant) -> list[Action]:
        broadcast.wants_connection = None
        broadcast.named.add(peer)
        relays = self._peers[peer].relays
        target = broadcast.told.targets[peer] = Target(now.monotonic, can_answer=relays)
        if not relays:
            return self._offer(broadcast, peer, target, now)
        return [Send(peer, GetData(((InventoryType.WTX, broadcast.tx.wtxid),)))]

    def _offer(
        self, broadcast: _Broadcast, peer: int, target: Target, now: Instant
    ) -> list[Action]:
        target.announce(now.monotonic)
        if broadcast.stage is BroadcastStage.SENT and len(broadcast.told.offered()) == 1:
            self.news.append(BroadcastProgress(broadcast.tx.txid, BroadcastStage.SENT, 1))
        return [Send(peer, Inv(((InventoryType.WTX, broadcast.tx.wtxid),)))]

    def _close_one_shots(self, broadcast: _Broadcast, now: Instant) -> list[Action]:
        closed = [
            number
            for number, target in broadcast.told.targets.items()
            if number in self._peers
            and self._peers[number].is_one_shot
            and target.is_done(now.monotonic, is_over=broadcast.result is not None)
        ]
        return [Disconnect(n, "The payment was handed over.", is_fault=False) for n in closed]

    # --- evidence ---------------------------------------------------------------------------------

    def _echo(self, broadcast: _Broadcast, peer: int) -> None:
        target = broadcast.told.targets.get(peer)
        if target is not None and target.was_given:
            broadcast.kept.add(peer)
        elif peer in self._peers:
            broadcast.independent.add(self._netgroup(peer))
        self._climb(broadcast)

    def _proofs(self, broadcast: _Broadcast) -> int:
        """Count the networks that have it and did not get it from us."""
        return len(broadcast.independent - broadcast.told.given_groups)

    def _possible(self, broadcast: _Broadcast) -> int:
        """Count how many networks could show it, given the present connections."""
        told = broadcast.told
        listening = {p.netgroup for p in self._peers.values() if p.relays and not p.is_one_shot}
        return len((listening | broadcast.independent) - told.given_groups)

    def _climb(self, broadcast: _Broadcast) -> None:
        """Note the stage that the evidence makes, and end where no more can be had."""
        proofs, given = self._proofs(broadcast), broadcast.told.count_given()
        if proofs >= NETWORKS_WANTED:
            stage, peers = BroadcastStage.SPREAD, proofs
        elif proofs or broadcast.independent or broadcast.kept:
            stage, peers = BroadcastStage.ECHOED, max(1, proofs)
        elif given:
            stage, peers = BroadcastStage.REQUESTED, given
        else:
            return
        order = list(BroadcastStage)
        failed = broadcast.stage is BroadcastStage.FAILED
        if failed or order.index(stage) > order.index(broadcast.stage):
            broadcast.stage = stage
            self.news.append(BroadcastProgress(broadcast.tx.txid, stage, peers))
        best = min(NETWORKS_WANTED, self._possible(broadcast))
        if stage in {BroadcastStage.ECHOED, BroadcastStage.SPREAD} and (
            proofs >= best or broadcast.result is not None
        ):
            self._end(broadcast)

    def _end(self, broadcast: _Broadcast) -> None:
        """Give the evidence at hand as the result."""
        proofs = self._proofs(broadcast)
        match broadcast.stage:
            case BroadcastStage.SPREAD:
                peers, sentence = proofs, verdicts.SPREAD.format(networks=proofs)
            case BroadcastStage.ECHOED if broadcast.independent:
                peers, sentence = max(1, proofs), verdicts.ECHOED
            case BroadcastStage.ECHOED:
                peers, sentence = len(broadcast.kept), verdicts.KEPT
            case _:
                peers, sentence = broadcast.told.count_given(), verdicts.REQUESTED
        broadcast.wants_connection = None
        broadcast.result = BroadcastResult(
            broadcast.tx.txid, broadcast.stage, peers, sentence, broadcast.told.was_missing
        )

    def _judge(self, broadcast: _Broadcast, now: Instant) -> None:
        """End when patience is, or when everybody who was told took no notice."""
        waited = now.monotonic - broadcast.started
        if broadcast.stage is BroadcastStage.ECHOED:
            if waited >= PATIENCE:
                self._end(broadcast)
        elif not broadcast.told.offered():
            is_stuck = broadcast.wants_connection is not None and self.is_private
            if is_stuck and waited >= NO_PROXY_AFTER:
                self._fail(broadcast, verdicts.NO_PROXY)
            elif not is_stuck and waited >= GIVE_UP_AFTER and not self._is_being_told(broadcast):
                self._fail(broadcast, verdicts.NOBODY)
        elif not self._is_opening(broadcast, now) and not self._is_being_told(broadcast):
            self._judge_offered(broadcast, now)

    def _judge_offered(self, broadcast: _Broadcast, now: Instant) -> None:
        offered = broadcast.told.offered()
        may_open = self.can_open and broadcast.wants_connection is None
        if len(offered) < MAX_TOLD and (may_open or self._candidates(broadcast)):
            return  # somebody is left to ask
        given = [target for target in offered if target.was_given]
        can_hear = any(p.relays and not p.is_one_shot for p in self._peers.values())
        if given and not can_hear and not any(target.can_answer for target in given):
            if now.monotonic - broadcast.started >= NEXT_PEER_AFTER:
                self._end(broadcast)  # nobody here answers such questions
        elif all(target.is_refused(now.monotonic) for target in offered):
            if not given:
                self._fail(broadcast, verdicts.IGNORED)
            elif any(target.step is Step.REFUSED for target in given) or can_hear:
                sentence = verdicts.CONFLICT if broadcast.has_rival else verdicts.REFUSED
                self._fail(broadcast, sentence)
            else:
                self._fail(broadcast, verdicts.NOBODY)

    def _is_being_told(self, broadcast: _Broadcast) -> bool:
        targets = broadcast.told.targets
        return any(t.step is Step.PROBED and n in self._peers for n, t in targets.items())

    def _fail(self, broadcast: _Broadcast, sentence: str) -> None:
        peers = len(broadcast.told.offered())
        broadcast.wants_connection = None
        broadcast.stage = BroadcastStage.FAILED
        broadcast.result = BroadcastResult(
            broadcast.tx.txid, BroadcastStage.FAILED, peers, sentence, broadcast.told.was_missing
        )
        self.news.append(BroadcastProgress(broadcast.tx.txid, BroadcastStage.FAILED, peers))
