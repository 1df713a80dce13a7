"""All that a backend does with unconfirmed transactions: one machine that its peers report to.

It deals out what peers send: to the relay, to our own broadcasts, to the fee estimate.
"""

from collections.abc import Sequence
from typing import Final

from wallet_gui.chain.backend import BroadcastResult, TxSeen
from wallet_gui.chain.p2p.block_fees import BlockFees
from wallet_gui.chain.p2p.block_queue import BlockQueue
from wallet_gui.chain.p2p.broadcast import Broadcasts
from wallet_gui.chain.p2p.compact_block import CompactBlock
from wallet_gui.chain.p2p.fees import Fees
from wallet_gui.chain.p2p.messages import FeeFilter, GetData, Inv, NotFound, RawBlock, Tx
from wallet_gui.chain.p2p.options import ProxyUse, RelayMode
from wallet_gui.chain.p2p.protocol import Event, FilterRun
from wallet_gui.chain.p2p.relay import Relay
from wallet_gui.chain.p2p.sync_state import Action, Instant, SyncState
from wallet_gui.chain.reports import FeeAdvice, SeenBy
from wallet_gui.primitives.transaction import Transaction

MAX_WAITING_EVENTS: Final = 2_000
"""Events that wait for the wallets above which announcements are let pass."""


class Transactions:
    """Relay, broadcasts and fee filters of the connected peers."""

    def __init__(self, state: SyncState, blocks: BlockQueue) -> None:
        self.relay = Relay()
        self.broadcasts = Broadcasts()
        self._fees = Fees(state.params)
        self._block_fees = BlockFees(self._fees, state, blocks)
        self._fee_filters: dict[int, int] = {}
        self._netgroups: dict[int, bytes] = {}
        self._state = state
        self._tip: tuple[int, bytes] | None = None

    # --- what a person asks -----------------------------------------------------------------------

    def broadcast(
        self, tx: Transaction, now: Instant, parents: Sequence[Transaction] = ()
    ) -> list[Action]:
        """Send a transaction of ours; `broadcasts.result` tells how it went."""
        self._follow_options()
        self.relay.hold(tx, now)
        return self.broadcasts.start(tx, now, parents)

    def result(self, txid: bytes) -> BroadcastResult | None:
        """Tell how a broadcast ended, None while it goes on."""
        return self.broadcasts.result(txid)

    def seen_by(self, txid: bytes) -> SeenBy | None:
        """Count the networks that announced a transaction; None when nobody did."""
        return self.relay.seen_by(txid)

    def stamp(self) -> object:
        """Give what is another value when `seen_by` or `fee_filters` may answer another thing."""
        return self.relay.stamp(), tuple(self.fee_filters())

    def fee_filters(self) -> list[int]:
        """List below which rate, in sat/kvB, each network takes no transaction, ascending.

        Peers of one netgroup count once, with the least of what they ask.
        """
        return sorted(self._filters_by_group().values())

    def _filters_by_group(self) -> dict[bytes, int]:
        found: dict[bytes, int] = {}
        for peer, rate in self._fee_filters.items():
            group = self._netgroups.get(peer, b"")
            found[group] = min(rate, found.get(group, rate))
        return found

    def fee_advice(self, now: Instant) -> FeeAdvice | None:
        """Tell usual fee rates; who asks makes that facts about new blocks are collected."""
        self._block_fees.on_interest(now)
        return self._fees.advice(self._filters_by_group(), now.unix, self.relay.is_backed)

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
        """A peer more.

        `relays`: we asked it to announce transactions. `is_one_shot`: the connection is there for
        one payment and nothing else. `is_direct`: it goes through no proxy.
        """
        self._follow_options()
        self._netgroups[peer] = netgroup
        if relays and not is_one_shot:
            self.relay.on_ready(peer, netgroup, now)
        return self.broadcasts.on_ready(
            peer, netgroup, now, relays=relays, is_one_shot=is_one_shot, is_direct=is_direct
        )

    def on_event(self, peer: int, event: Event, now: Instant) -> list[Action]:
        """Take what a peer sent, as far as it is about transactions."""
        match event:
            case Inv():
                self.broadcasts.on_inv(peer, event)
                if len(self._state.events) < MAX_WAITING_EVENTS:
                    return self.relay.on_inv(peer, event, now)
            case Tx(tx):
                self.broadcasts.on_tx(peer, tx)
                known = self._state.peers.get(peer)
                if self.relay.on_tx(peer, tx, now) and known is not None:
                    self._fees.on_transaction(tx, now.unix)
                    self._state.emit(TxSeen(tx, known.address))
            case NotFound():
                actions = self.broadcasts.on_notfound(peer, event, now)
                return actions + self.relay.on_notfound(peer, event, now)
            case GetData():
                return self.broadcasts.on_getdata(peer, event, now)
            case _:
                self._learn(peer, event)
        return []

    def _learn(self, peer: int, event: Event) -> None:
        match event:
            case FeeFilter(rate):
                self._fee_filters[peer] = rate
            case CompactBlock():
                self._block_fees.on_compact_block(peer, event)
            case RawBlock():
                if not self._block_fees.on_block(peer, event):
                    self.broadcasts.on_served(peer)
            case FilterRun():
                self.broadcasts.on_served(peer)
            case _:
                pass

    def on_disconnected(self, peer: int, now: Instant) -> list[Action]:
        """A peer less; what it was asked for is asked of others."""
        self._fee_filters.pop(peer, None)
        self._netgroups.pop(peer, None)
        self._block_fees.on_disconnected(peer)
        self.broadcasts.on_disconnected(peer)
        return self.relay.on_disconnected(peer, now)

    def tick(self, now: Instant) -> list[Action]:
        """Look at the clock, and whether the chain changed."""
        self._follow_options()
        self._follow_chain()
        actions = self.relay.tick(now) + self.broadcasts.tick(now)
        is_cheap = self._state.options.relay is not RelayMode.ALWAYS
        return actions + self._block_fees.tick(now, is_cheap=is_cheap)

    def _follow_options(self) -> None:
        options = self._state.options
        self.broadcasts.is_private = (
            options.proxy is not None
            and options.proxy_use is not ProxyUse.NEVER
            and not options.only_own_peers
        )

    def _follow_chain(self) -> None:
        headers = self._state.headers
        before, tip = self._tip, headers.tip
        self._tip = (tip.height, tip.hash)
        if before is None:
            return
        height, block_hash = before
        if height > tip.height or headers.hash_at(height) != block_hash:
            self.relay.forget_seen()  # what lost its block is carried by the network again
